//! The steps of `./dev test` and `./dev check`.

use std::{env, path::Path, process::Command, time::Duration};

use anyhow::{Context, ensure};
use local_servers::{bound, scratch};

use crate::{
    dependencies, licences,
    run::{Ended, program, root, step},
    servers::Servers,
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

/// How much of what can go on for ever is run.
#[derive(Clone, Copy)]
struct Lengths {
    virtual_seeds: &'static str,
    postgres_seeds: &'static str,
    drills: &'static str,
}

const SHORT: Lengths = Lengths {
    virtual_seeds: "100",
    postgres_seeds: "5",
    drills: "3",
};
const LONG: Lengths = Lengths {
    virtual_seeds: "1000",
    postgres_seeds: "50",
    drills: "20",
};

pub fn test(long: bool) -> anyhow::Result<()> {
    let lengths = if long { LONG } else { SHORT };
    let mut steps = vec![
        step("rustfmt", cargo(&["fmt", "--all", "--check"]))?,
        step("clippy", cargo(&CLIPPY))?,
        wasm::run()?,
        step("build", cargo(&["build", "--workspace", "--locked"]))?,
    ];
    let servers = Servers::start("tests")?;
    steps.push(rust(&servers)?);
    steps.extend(checker(lengths, &servers)?);
    drop(servers);
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

/// All Rust tests.
fn rust(servers: &Servers) -> anyhow::Result<Ended> {
    let tests = cargo(&["test", "--workspace", "--locked", "--no-fail-fast"]);
    step("cargo test", servers.beside(tests))
}

/// The checker's forms (docs/checker.md): a seed that breaks something is printed with the command that replays it.
fn checker(lengths: Lengths, servers: &Servers) -> anyhow::Result<Vec<Ended>> {
    let run = |name: &str, arguments: &[&str]| {
        let mut command = Command::new(env::current_exe()?.with_file_name("checker"));
        command.args(arguments).current_dir(root());
        step(name, servers.beside(command))
    };
    Ok(vec![
        run("the checker, in virtual time", &["--seeds", lengths.virtual_seeds])?,
        run(
            "the checker, on Postgres",
            &["--form", "postgres", "--seeds", lengths.postgres_seeds],
        )?,
        run(
            "the checker, on processes that die",
            &["--form", "processes", "--seeds", lengths.drills],
        )?,
    ])
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
    let scratch = scratch(topology)?;
    let stack = env::current_exe()?.with_file_name("stack");
    // Not detached: who interrupts the tests ends it too.
    let mut running = bound(&stack, "TERM")
        .args(["up", "--port", "0", "--topology", topology, "--data"])
        .arg(scratch.path())
        .current_dir(root())
        .spawn()
        .context("cannot run the stack")?;
    let endpoints = scratch.path().join("endpoints.json");
    while !endpoints.exists() {
        ensure!(running.try_wait()?.is_none(), "the stack did not start as {topology}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let steps = suites(topology, &endpoints);
    let stopped = Command::new(&stack)
        .args(["down", "--data"])
        .arg(scratch.path())
        .status()?;
    ensure!(stopped.success() && running.wait()?.success(), "the stack did not stop");
    steps
}

fn suites(topology: &str, endpoints: &Path) -> anyhow::Result<Vec<Ended>> {
    let suite = |script: &str, name: String| {
        let mut command = npm("e2e", script);
        command
            .env("CHAT_ENDPOINTS", endpoints)
            .env("CHAT_STACK", env::current_exe()?.with_file_name("stack"));
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
