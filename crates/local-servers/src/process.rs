//! Finding programs, and ending processes.

use std::{
    env,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

const POLL: Duration = Duration::from_millis(10);

/// A program on PATH.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A program whose process is sent a signal when the thread that starts it ends, however abruptly: nothing outlives a
/// `kill -9` of whoever started it. Where the machine has no `setpriv` that can do so, it is the program alone.
pub fn bound(program: &Path, signal: &str) -> Command {
    let binding = ["--pdeathsig", signal, "--"];
    let mut setpriv = Command::new("setpriv");
    let able = setpriv.args(binding).arg("true").stderr(Stdio::null()).status();
    if !able.is_ok_and(|status| status.success()) {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(binding).arg(program);
    command
}

fn pid(number: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(number).ok()?)
}

/// Whether a process lives; one that has ended and was not waited for does not.
pub fn is_alive(process: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let zombie = state
        .rsplit_once(')')
        .is_some_and(|(_, rest)| rest.trim_start().starts_with('Z'));
    pid(process).is_some_and(|pid| test_kill_process(pid).is_ok()) && !zombie
}

/// Runs a program to its end; its words are the error.
pub fn succeed(mut command: Command, name: &str) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("cannot run {name}"))?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} failed:\n{words}");
    Ok(())
}

/// Sends a signal and waits for the end.
///
/// # Errors
/// When the process still lives after `patience`.
pub fn stop(process: u32, signal: Signal, patience: Duration) -> anyhow::Result<()> {
    let Some(id) = pid(process) else { return Ok(()) };
    if kill_process(id, signal).is_err() {
        return Ok(());
    }
    let until = Instant::now() + patience;
    while is_alive(process) {
        if Instant::now() > until {
            bail!("process {process} did not end within {patience:?}");
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

/// Waits until `ready` says so.
///
/// # Errors
/// When the child ends before, or takes too long; with the last lines of its log.
pub fn await_ready(
    child: &mut Child,
    name: &str,
    log: &Path,
    patience: Duration,
    ready: impl Fn() -> bool,
) -> anyhow::Result<()> {
    let until = Instant::now() + patience;
    while !ready() {
        if let Some(status) = child.try_wait()? {
            bail!("{name} ended at once ({status}):\n{}", tail(log));
        }
        if Instant::now() > until {
            bail!("{name} was not ready within {patience:?}:\n{}", tail(log));
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

fn tail(log: &Path) -> String {
    let Ok(file) = std::fs::File::open(log) else {
        return format!("(no log at {})", log.display());
    };
    let lines: Vec<String> = BufReader::new(file).lines().map_while(Result::ok).collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}

/// A port that was free a moment ago.
///
/// # Errors
/// When the loopback can't be listened on at all.
pub fn free_port() -> anyhow::Result<u16> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("cannot listen on the loopback")?;
    Ok(listener.local_addr()?.port())
}
