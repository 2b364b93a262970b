//! Whether each rule is missed when it is taken out: every patch of `crates/checker/mutants` is applied in a scratch copy.
//! Then seeds of the checker are run until one breaks: in virtual time, unless the patch's second line says otherwise.
//! `Found by: checker …` names another form, `Found by: cargo …` tests that must fail. A mutant that survives is a hole in
//! what should have found it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail, ensure};

use crate::{
    run::{program, root},
    servers::Servers,
};

/// The copy. It stays, and so does what was built of it: in a folder of its own, as cargo takes two copies of a workspace
/// for the same when they build into one.
fn copied() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("mutants")
}

/// Copies every file that git knows or could, and leaves alone what is the same, which is then not built again.
fn copy(to: &Path) -> anyhow::Result<()> {
    let listed = [
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "*.rs",
        "*.toml",
        "*.lock",
        "*.sql",
        "*.txt",
    ];
    let files = program("git", "", &listed).output()?;
    ensure!(files.status.success(), "git lists no files");
    for name in String::from_utf8(files.stdout)?.lines() {
        let content = fs::read(root().join(name)).with_context(|| name.to_owned())?;
        let copied = to.join(name);
        if fs::read(&copied).ok().as_ref() != Some(&content) {
            fs::create_dir_all(copied.parent().context("a file without a folder")?)?;
            fs::write(&copied, content)?;
        }
    }
    Ok(())
}

fn within(folder: &Path, command: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(command);
    // Not the repository that the copy lies in, of which `git apply` would see a folder that no patch is about.
    command
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .env("GIT_CEILING_DIRECTORIES", folder.parent().unwrap_or(folder));
    command
}

/// What has to find a mutant.
enum Finder<'a> {
    Checker(Vec<&'a str>),
    Tests(Vec<&'a str>),
}

impl<'a> Finder<'a> {
    fn of(patch: &'a str, seeds: &'a str) -> anyhow::Result<Self> {
        let Some(named) = patch.lines().nth(1).and_then(|line| line.strip_prefix("Found by: ")) else {
            return Ok(Self::Checker(vec!["--seeds", seeds]));
        };
        let mut words = named.split(' ');
        match words.next() {
            Some("cargo") => Ok(Self::Tests(words.collect())),
            Some("checker") => Ok(Self::Checker(words.collect())),
            _ => bail!("nobody knows how to run {named}"),
        }
    }
}

/// Which test failed first.
fn failed(folder: &Path, arguments: &[&str], servers: &Servers) -> anyhow::Result<Option<String>> {
    let build = [arguments, &["--no-run", "--quiet"]].concat();
    ensure!(
        within(folder, "cargo", &build).status()?.success(),
        "the mutant does not compile"
    );
    let run = servers.beside(within(folder, "cargo", arguments)).output()?;
    let output = String::from_utf8_lossy(&run.stdout).into_owned();
    let first = output
        .lines()
        .find(|line| line.starts_with("test ") && line.ends_with("FAILED"));
    ensure!(
        run.status.success() == first.is_none(),
        "the tests did not run: {output}"
    );
    Ok(first.map(str::to_owned))
}

/// Which of the checker's seeds broke first.
fn broken(folder: &Path, arguments: &[&str], servers: &Servers) -> anyhow::Result<Option<String>> {
    let built = within(folder, "cargo", &["build", "--quiet", "--locked", "-p", "checker"]).status()?;
    ensure!(built.success(), "the mutant does not compile");
    let checker = folder.join("target/debug/checker");
    let checker = checker.to_str().context("the target folder has no plain name")?;
    let run = within(folder, checker, &[arguments, &["--first"]].concat());
    let run = servers.beside(run).output()?;
    let output = String::from_utf8_lossy(&run.stdout).into_owned();
    let first = output.lines().find(|line| line.starts_with("seed "));
    ensure!(
        run.status.success() == first.is_none(),
        "the mutant did not run: {output}"
    );
    Ok(first.map(str::to_owned))
}

/// Characters of what found a mutant.
const SHOWN: usize = 140;

/// # Errors
/// Names the mutants that survived, or what could not be run.
pub fn run(seeds: u64, only: Option<&str>) -> anyhow::Result<()> {
    let (folder, servers, seeds) = (copied(), Servers::start("mutants")?, seeds.to_string());
    let mut patches: Vec<PathBuf> = fs::read_dir(root().join("crates/checker/mutants"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    patches.sort();
    let mut survived = Vec::new();
    for patch in patches {
        let name = patch.file_stem().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        if only.is_some_and(|only| !name.contains(only)) {
            continue;
        }
        copy(&folder)?;
        let applied = within(&folder, "git", &["apply"]).arg(&patch).status()?;
        ensure!(applied.success(), "{name} does not apply any more");
        let text = fs::read_to_string(&patch)?;
        let by = match Finder::of(&text, &seeds)? {
            Finder::Tests(tests) => failed(&folder, &tests, &servers),
            Finder::Checker(arguments) => broken(&folder, &arguments, &servers),
        };
        match by.with_context(|| name.clone())? {
            Some(by) => println!("caught    {name}: {}", by.chars().take(SHOWN).collect::<String>()),
            None => {
                println!("survived  {name}");
                survived.push(name);
            }
        }
    }
    ensure!(survived.is_empty(), "survived {seeds} seeds: {}", survived.join(", "));
    Ok(())
}
