//! Whether the checker finds each rule when it is taken out: every patch of `crates/checker/mutants` is applied in a scratch
//! copy, and some seeds are run until one breaks. A mutant that survives is a hole in the checker.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};

use crate::run::{program, root};

/// Where cargo builds: the copy shares it, so that what it depends on is not built again.
fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The copy's program has a name of its own, so that it does not take the place of the real one.
const PROGRAM: &str = "\n[[bin]]\nname = \"mutant\"\npath = \"src/main.rs\"\n";

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
        let mut content = fs::read(root().join(name)).with_context(|| name.to_owned())?;
        if name == "crates/checker/Cargo.toml" {
            content.extend(PROGRAM.as_bytes());
        }
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
    // Not the repository that the copy lies in.
    command
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target())
        .env("GIT_CEILING_DIRECTORIES", target());
    command
}

/// Builds the mutant and runs it; says which seed found it.
fn caught(folder: &Path, seeds: &str) -> anyhow::Result<Option<String>> {
    let built = within(
        folder,
        "cargo",
        &["build", "--quiet", "--locked", "-p", "checker", "--bin", "mutant"],
    )
    .status()?;
    ensure!(built.success(), "the mutant does not compile");
    let mutant = target().join("debug/mutant");
    let mutant = mutant.to_str().context("the target folder has no plain name")?;
    let run = within(folder, mutant, &["--seeds", seeds, "--first"]).output()?;
    let output = String::from_utf8_lossy(&run.stdout).into_owned();
    let first = output.lines().find(|line| line.starts_with("seed ")).map(str::to_owned);
    ensure!(
        run.status.success() == first.is_none(),
        "the mutant did not run: {output}"
    );
    Ok(first)
}

/// # Errors
/// Names the mutants that survived, or what could not be run.
pub fn run(seeds: u64, only: Option<&str>) -> anyhow::Result<()> {
    let folder = target().join("mutants");
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
        match caught(&folder, &seeds.to_string()).with_context(|| name.clone())? {
            Some(seed) => println!("caught    {name}: {}", seed.chars().take(120).collect::<String>()),
            None => {
                println!("survived  {name}");
                survived.push(name);
            }
        }
    }
    ensure!(survived.is_empty(), "survived {seeds} seeds: {}", survived.join(", "));
    Ok(())
}
