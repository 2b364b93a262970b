//! Running programs, with what they print passed on and kept.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Context;

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_owned)
        .unwrap_or_default()
}

/// A program in a folder of the repository.
pub fn program(name: &str, folder: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root().join(folder)).args(arguments);
    command
}

/// How a step ended.
pub struct Ended {
    pub name: String,
    pub succeeded: bool,
    pub output: String,
}

/// Runs a step: its output is shown as it comes, and kept.
///
/// # Errors
/// When the program can't be run at all.
pub fn step(name: &str, mut command: Command) -> anyhow::Result<Ended> {
    println!("\n== {name}");
    // What is counted afterwards must be plain text.
    command
        .env("NO_COLOR", "1")
        .env_remove("FORCE_COLOR")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot run {:?}", command.get_program()))?;
    let mut output = String::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            println!("{line}");
            output.push_str(&line);
            output.push('\n');
        }
    }
    std::io::stdout().flush()?;
    let succeeded = child.wait()?.success();
    Ok(Ended {
        name: name.to_owned(),
        succeeded,
        output,
    })
}
