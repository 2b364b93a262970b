//! The steps of `./dev test` and `./dev check`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, ensure};
use local_servers::{Postgres, Redis, bound};

use crate::{
    dependencies, licences,
    run::{Ended, program, root, step},
    tally, wasm,
};

fn cargo(arguments: &[&str]) -> Command {
    program("cargo", "", arguments)
}

fn npm(folder: &str, script: &str) -> Command {
    program("npm", folder, &["run", "--silent", script])
}

const CLIPPY: [&str; 7] = [
    "clippy",
    "--workspace",
    "--all-targets",
    "--locked",
    "--",
    "-D",
    "warnings",
];

pub fn check() -> anyhow::Result<()> {
    dependencies::check()?;
    licences::check()?;
    let steps = [
        step("rustfmt", cargo(&["fmt", "--all", "--check"]))?,
        step("clippy", cargo(&CLIPPY))?,
        step("the page: lint", npm("web", "lint"))?,
        step("the page: format", npm("web", "format:check"))?,
        step("the page: types", npm("web", "typecheck"))?,
    ];
    tally::conclude(&steps)
}

/// A folder that is removed with its content.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> anyhow::Result<Self> {
        let path = env::temp_dir().join(format!("chat-{name}-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn test(_long: bool) -> anyhow::Result<()> {
    let mut steps = vec![
        step("rustfmt", cargo(&["fmt", "--all", "--check"]))?,
        step("clippy", cargo(&CLIPPY))?,
        wasm::run()?,
        step("build", cargo(&["build", "--workspace", "--locked"]))?,
    ];
    steps.push(rust()?);
    steps.extend(framing()?);
    for script in ["lint", "format:check", "typecheck", "types:check", "test"] {
        steps.push(step(&format!("the page: {script}"), npm("web", script))?);
    }
    for topology in ["single", "split"] {
        steps.extend(end_to_end(topology)?);
    }
    // What is delivered is checked, how fast is not: that is for `./dev bench`.
    let bench = env::current_exe()?.with_file_name("bench");
    let quick = program(&bench.to_string_lossy(), "", &["run", "--quick"]);
    steps.push(step("the bench's deliveries", quick)?);
    tally::conclude(&steps)
}

/// All Rust tests, beside one Postgres and one Redis of their own.
fn rust() -> anyhow::Result<Ended> {
    let scratch = Scratch::new("tests")?;
    let postgres = Postgres::start(&scratch.0.join("postgres"))?;
    let redis = Redis::start(&scratch.0.join("redis"))?;
    let mut tests = cargo(&["test", "--workspace", "--locked", "--no-fail-fast"]);
    tests
        .env("CHAT_TEST_POSTGRES", postgres.url())
        .env("CHAT_TEST_REDIS", redis.url());
    step("cargo test", tests)
}

/// The Autobahn suite's cases against an echo over the gateway's sockets.
fn framing() -> anyhow::Result<[Ended; 2]> {
    let built = step(
        "build the echo",
        cargo(&["build", "--workspace", "--examples", "--locked"]),
    )?;
    let mut cases = npm("e2e", "test:framing");
    cases.env("CHAT_ECHO", env::current_exe()?.with_file_name("examples").join("echo"));
    Ok([built, step("framing", cases)?])
}

/// The suites in `e2e` against a stack of their own.
fn end_to_end(topology: &str) -> anyhow::Result<Vec<Ended>> {
    let scratch = Scratch::new(topology)?;
    let stack = env::current_exe()?.with_file_name("stack");
    // Not detached: who interrupts the tests ends it too.
    let mut running = bound(&stack, "TERM")
        .args(["up", "--port", "0", "--topology", topology, "--data"])
        .arg(&scratch.0)
        .current_dir(root())
        .spawn()
        .context("cannot run the stack")?;
    let endpoints = scratch.0.join("endpoints.json");
    while !endpoints.exists() {
        ensure!(running.try_wait()?.is_none(), "the stack did not start as {topology}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let steps = suites(topology, &endpoints);
    let stopped = Command::new(&stack).args(["down", "--data"]).arg(&scratch.0).status()?;
    ensure!(stopped.success() && running.wait()?.success(), "the stack did not stop");
    steps
}

fn suites(topology: &str, endpoints: &Path) -> anyhow::Result<Vec<Ended>> {
    let suite = |script: &str, name: String| {
        let mut command = npm("e2e", script);
        command.env("CHAT_ENDPOINTS", endpoints);
        step(&name, command)
    };
    let mut steps = vec![
        suite("test", format!("end to end, {topology}"))?,
        suite("test:browser", format!("in the browser, {topology}"))?,
    ];
    if topology == "split" {
        steps.push(suite("test:split", "processes that hang and die".to_owned())?);
    }
    Ok(steps)
}
