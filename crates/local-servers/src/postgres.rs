//! A private Postgres: a real one, found on the machine. It listens on the loopback alone, behind a password that only the
//! folder's owner can read, and keeps its shared memory in its folder, so that nothing of it stays behind.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

use anyhow::Context;
use rustix::process::Signal;

use crate::{
    account::RunAs,
    process::{await_ready, free_port, is_alive, stop, succeed},
    programs, secret,
};

const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(30);
/// Tries to find a port that nobody takes in the same moment.
const TRIES: usize = 5;

pub struct Postgres {
    child: Child,
    cluster: Cluster,
    port: u16,
    url: String,
    password: String,
}

/// A server's programs and files.
struct Cluster {
    programs: PathBuf,
    data: PathBuf,
    log: PathBuf,
    run_as: RunAs,
}

impl Postgres {
    /// Starts the Postgres of a folder, which is made when there is none.
    ///
    /// # Errors
    /// When there are no programs, or the server doesn't come up; with its last words.
    pub fn start(folder: &Path) -> anyhow::Result<Self> {
        let (cluster, folder) = Cluster::in_folder(folder)?;
        let password = password(&folder)?;
        if !cluster.data.join("PG_VERSION").exists() {
            initialise(&cluster, &folder, &password)?;
        }
        end_orphan(&cluster.data)?;
        Self::launch(cluster, &password)
    }

    /// Starts a replica of this server in a folder of its own: it streams, answers reads, and can be promoted.
    ///
    /// # Errors
    /// As [`Postgres::start`], and when the copy can't be made.
    pub fn standby(&self, folder: &Path) -> anyhow::Result<Self> {
        let (cluster, folder) = Cluster::in_folder(folder)?;
        // The copy has the password too.
        fs::write(folder.join("password"), &self.password)?;
        fs::set_permissions(folder.join("password"), fs::Permissions::from_mode(0o600))?;
        fs::create_dir(&cluster.data)?;
        fs::set_permissions(&cluster.data, fs::Permissions::from_mode(0o700))?;
        cluster.run_as.give(&cluster.data)?;
        let mut copy = cluster.run_as.command(&cluster.programs.join("pg_basebackup"));
        copy.args(["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast"])
            .arg(format!("--dbname={}", self.url))
            .arg(format!("--pgdata={}", cluster.data.display()))
            .current_dir("/");
        succeed(copy, "pg_basebackup")?;
        Self::launch(cluster, &self.password)
    }

    fn launch(cluster: Cluster, password: &str) -> anyhow::Result<Self> {
        let mut last = None;
        for _ in 0..TRIES {
            let port = free_port()?;
            match cluster.launch(port) {
                Ok(child) => {
                    let url = format!("postgres://chat:{password}@127.0.0.1:{port}/postgres");
                    return Ok(Self {
                        child,
                        cluster,
                        port,
                        url,
                        password: password.to_owned(),
                    });
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("Postgres was not started")))
    }

    /// Starts the server again on its port if it has ended, and says whether it had.
    ///
    /// # Errors
    /// When it doesn't come up; with its last words.
    pub fn revive(&mut self) -> anyhow::Result<bool> {
        if self.child.try_wait()?.is_none() {
            return Ok(false);
        }
        self.child = self.cluster.launch(self.port)?;
        Ok(true)
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
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

fn password(folder: &Path) -> anyhow::Result<String> {
    let file = folder.join("password");
    if !file.exists() {
        fs::write(&file, secret())?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    }
    Ok(fs::read_to_string(&file)?)
}

/// What folders are called in which a cluster is made.
const MAKING: &str = "making.";

/// Makes the cluster beside its place and moves it there whole, so that an interrupted one is never taken for good. Each
/// try has a folder of its own: an `initdb` that outlives an interrupted one still writes into its.
fn initialise(cluster: &Cluster, folder: &Path, password: &str) -> anyhow::Result<()> {
    for left in fs::read_dir(folder)?.flatten() {
        if left.file_name().to_string_lossy().starts_with(MAKING) {
            let _ = fs::remove_dir_all(left.path());
        }
    }
    let own = tempfile::Builder::new().prefix(MAKING).tempdir_in(folder)?;
    let (making, words) = (own.path().join("data"), own.path().join("password"));
    fs::create_dir(&making)?;
    fs::set_permissions(&making, fs::Permissions::from_mode(0o700))?;
    fs::write(&words, password)?;
    fs::set_permissions(&words, fs::Permissions::from_mode(0o600))?;
    cluster.run_as.give(own.path())?;
    cluster.run_as.give(&making)?;
    cluster.run_as.give(&words)?;
    let mut make = cluster.run_as.command(&cluster.programs.join("initdb"));
    make.args([
        "--username=chat",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--auth=scram-sha-256",
        "--no-instructions",
    ])
    .arg(format!("--pwfile={}", words.display()))
    .arg(format!("--pgdata={}", making.display()))
    .current_dir("/");
    succeed(make, "initdb")?;
    fs::rename(&making, &cluster.data)?;
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

impl Cluster {
    /// What a folder has, or will have; and the folder, which is made.
    fn in_folder(folder: &Path) -> anyhow::Result<(Self, PathBuf)> {
        fs::create_dir_all(folder)?;
        let folder = folder.canonicalize()?;
        let programs = programs::find()?;
        let (data, log) = (folder.join("data"), folder.join("postgres.log"));
        let run_as = RunAs::on(&programs, &folder, &data)?;
        let cluster = Self {
            programs,
            data,
            log,
            run_as,
        };
        Ok((cluster, folder))
    }

    fn launch(&self, port: u16) -> anyhow::Result<Child> {
        let file = fs::File::options().create(true).append(true).open(&self.log)?;
        let settings = [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            // In the folder, not in the machine's shared memory, which an abrupt end would leave behind.
            "dynamic_shared_memory_type=mmap",
            "shared_buffers=64MB",
            "max_connections=200",
            "jit=off",
        ];
        let mut child = self
            .run_as
            .command(&self.programs.join("postgres"))
            .arg("-D")
            .arg(&self.data)
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
        let own = child.id().to_string();
        // The eighth line of its lock file is the server's own word on whether it takes connections. The file may be that
        // of a server that was killed.
        let ready = || {
            let lock = fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
            let lines: Vec<&str> = lock.lines().map(str::trim).collect();
            lines.first() == Some(&&*own) && lines.get(7) == Some(&"ready")
        };
        if let Err(error) = await_ready(&mut child, "Postgres", &self.log, START, ready) {
            let _ = child.kill();
            let _ = child.wait();
            return Err(error);
        }
        Ok(child)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::scratch;

    /// As when what started it was killed: its `initdb` writes on, in whatever folder it was given.
    #[test]
    fn an_interrupted_first_start_stands_in_no_ones_way() {
        let data = scratch("postgres").unwrap();
        let folder = data.path().join("postgres");
        let interrupted = AtomicBool::new(true);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while interrupted.load(Ordering::Relaxed) {
                    for left in ["data.new", "making.before"] {
                        let left = folder.join(left);
                        let _ = fs::create_dir_all(&left);
                        let _ = fs::write(left.join("PG_VERSION"), "half");
                    }
                }
            });
            let started = Postgres::start(&folder);
            interrupted.store(false, Ordering::Relaxed);
            drop(started.unwrap());
        });
        let started = Postgres::start(&folder).unwrap();
        assert!(folder.join("data/global/pg_control").exists());
        drop(started);
    }
}
