//! A private Postgres: a real one, found on the machine. It listens on the loopback alone, behind a password that only the
//! folder's owner can read, and keeps its shared memory in its folder, so that nothing of it stays behind.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use rustix::process::Signal;

use crate::{
    account::RunAs,
    process::{await_ready, free_port, is_alive, on_path, stop},
    secret,
};

/// Newer ones are fine too; older ones lack what the schema uses.
const OLDEST: u32 = 15;
const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(30);
/// Tries to find a port that nobody takes in the same moment.
const TRIES: usize = 5;

pub struct Postgres {
    child: Child,
    url: String,
}

impl Postgres {
    /// Starts the Postgres of a folder, which is made when there is none.
    ///
    /// # Errors
    /// When there are no programs, or the server doesn't come up; with its last words.
    pub fn start(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)?;
        let folder = folder.canonicalize()?;
        let programs = find()?;
        let (data, log) = (folder.join("data"), folder.join("postgres.log"));
        let run_as = RunAs::on(&programs, &folder, &data)?;
        let password = password(&folder)?;
        if !data.join("PG_VERSION").exists() {
            initialise(&programs, &folder, &data, &password, run_as)?;
        }
        end_orphan(&data)?;
        let mut last = None;
        for _ in 0..TRIES {
            match launch(&programs, &data, &log, &password, run_as) {
                Ok(server) => return Ok(server),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("Postgres was not started")))
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether the server still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn end(&mut self) {
        // Fast shutdown: clients are sent away, nothing is lost, no recovery at the next start.
        let _ = stop(self.child.id(), Signal::INT, STOP);
        let _ = self.child.wait();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.end();
    }
}

fn find() -> anyhow::Result<PathBuf> {
    let named = std::env::var_os("CHAT_POSTGRES_BIN").map(PathBuf::from);
    let on_path = on_path("initdb").and_then(|program| Some(program.canonicalize().ok()?.parent()?.to_owned()));
    let mut packaged: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .map(|versions| {
            let version =
                |entry: fs::DirEntry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")));
            versions.filter_map(|entry| version(entry.ok()?)).collect()
        })
        .unwrap_or_default();
    packaged.sort();
    let candidates = named
        .into_iter()
        .chain(on_path)
        .chain(packaged.into_iter().rev().map(|(_, bin)| bin));
    for bin in candidates.filter(|bin| bin.join("postgres").is_file() && bin.join("initdb").is_file()) {
        if version(&bin)? >= OLDEST {
            return Ok(bin);
        }
    }
    bail!("there is no Postgres {OLDEST} or newer on this machine; as root: apt-get install postgresql")
}

fn version(bin: &Path) -> anyhow::Result<u32> {
    let output = Command::new(bin.join("postgres")).arg("--version").output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let number = text
        .split_whitespace()
        .find_map(|word| word.split(['.', 'b', 'r', 'd']).next()?.parse().ok());
    number.with_context(|| format!("{} does not tell its version: {text}", bin.display()))
}

fn password(folder: &Path) -> anyhow::Result<String> {
    let file = folder.join("password");
    if !file.exists() {
        fs::write(&file, secret())?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    }
    Ok(fs::read_to_string(&file)?)
}

/// Makes the cluster beside its place and moves it there whole, so that an interrupted one is never taken for good.
fn initialise(bin: &Path, folder: &Path, data: &Path, password: &str, run_as: RunAs) -> anyhow::Result<()> {
    let (making, words) = (folder.join("data.new"), folder.join("password.new"));
    let _ = fs::remove_dir_all(&making);
    fs::create_dir(&making)?;
    fs::set_permissions(&making, fs::Permissions::from_mode(0o700))?;
    fs::write(&words, password)?;
    fs::set_permissions(&words, fs::Permissions::from_mode(0o600))?;
    run_as.give(&making)?;
    run_as.give(&words)?;
    let output = run_as
        .command(&bin.join("initdb"))
        .args([
            "--username=chat",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--auth=scram-sha-256",
            "--no-instructions",
        ])
        .arg(format!("--pwfile={}", words.display()))
        .arg(format!("--pgdata={}", making.display()))
        .current_dir("/")
        .output()
        .context("cannot run initdb")?;
    fs::remove_file(&words)?;
    ensure!(
        output.status.success(),
        "initdb failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    fs::rename(&making, data)?;
    Ok(())
}

/// Ends a server that outlived whoever started it on this folder.
fn end_orphan(data: &Path) -> anyhow::Result<()> {
    let Ok(lock) = fs::read_to_string(data.join("postmaster.pid")) else {
        return Ok(());
    };
    let Some(pid) = lock.lines().next().and_then(|line| line.trim().parse().ok()) else {
        return Ok(());
    };
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let ours = String::from_utf8_lossy(&command).contains(&*data.to_string_lossy());
    if ours && is_alive(pid) {
        stop(pid, Signal::INT, STOP)
    } else {
        Ok(())
    }
}

fn launch(bin: &Path, data: &Path, log: &Path, password: &str, run_as: RunAs) -> anyhow::Result<Postgres> {
    let (port, file) = (free_port()?, fs::File::create(log)?);
    let settings = [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        // In the folder, not in the machine's shared memory, which an abrupt end would leave behind.
        "dynamic_shared_memory_type=mmap",
        "shared_buffers=64MB",
        "max_connections=200",
        "jit=off",
    ];
    let mut child = run_as
        .command(&bin.join("postgres"))
        .arg("-D")
        .arg(data)
        .args(["-p", &port.to_string()])
        .args(settings.into_iter().flat_map(|setting| ["-c", setting]))
        .current_dir("/")
        // Ctrl-C is for whoever started us; the server is stopped last.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .context("cannot run postgres")?;
    // The eighth line of the lock file is the server's own word on whether it takes connections.
    let ready = || {
        let lock = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        lock.lines().nth(7).is_some_and(|state| state.trim() == "ready")
    };
    if let Err(error) = await_ready(&mut child, "Postgres", log, START, ready) {
        let _ = child.kill();
        let _ = child.wait();
        return Err(error);
    }
    Ok(Postgres {
        child,
        url: format!("postgres://chat:{password}@127.0.0.1:{port}/postgres"),
    })
}
