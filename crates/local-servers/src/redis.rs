//! A private Redis, without persistence: what it holds may be lost at any time.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

use anyhow::{Context, anyhow};
use rustix::process::Signal;

use crate::{
    process::{await_ready, bound, free_port, on_path, stop},
    secret,
};

const START: Duration = Duration::from_secs(10);
const STOP: Duration = Duration::from_secs(5);

pub struct Redis {
    child: Child,
    place: Place,
    password: String,
    url: String,
}

/// A server's program and files.
struct Place {
    program: PathBuf,
    config: PathBuf,
    log: PathBuf,
    port: u16,
}

impl Redis {
    /// Starts a Redis with its files in a folder.
    ///
    /// # Errors
    /// When there is no program, or the server doesn't come up; with its last words.
    pub fn start(folder: &Path) -> anyhow::Result<Self> {
        Self::start_with(folder, secret(), "")
    }

    /// Starts two with one password, each of which may be made the other's replica.
    ///
    /// # Errors
    /// As [`Redis::start`].
    pub fn start_pair(folder: &Path) -> anyhow::Result<[Self; 2]> {
        let password = secret();
        // Who becomes a replica is given its copy at once, not after the five seconds in which others might come too.
        let settings = format!("masterauth {password}\nrepl-diskless-sync-delay 0\n");
        let start = |name: &str| Self::start_with(&folder.join(name), password.clone(), &settings);
        Ok([start("redis-0")?, start("redis-1")?])
    }

    fn start_with(folder: &Path, password: String, more: &str) -> anyhow::Result<Self> {
        let program = std::env::var_os("CHAT_REDIS_SERVER")
            .map(PathBuf::from)
            .or_else(|| on_path("redis-server"));
        let program = program.ok_or_else(|| {
            anyhow!("there is no redis-server on this machine; as root: apt-get install redis-server")
        })?;
        fs::create_dir_all(folder)?;
        let port = free_port()?;
        let (config, log) = (folder.join("redis.conf"), folder.join("redis.log"));
        let settings = format!(
            "port {port}\nbind 127.0.0.1\nrequirepass {password}\nsave \"\"\nappendonly no\ndir {}\n{more}",
            folder.canonicalize()?.display()
        );
        fs::write(&config, settings)?;
        fs::set_permissions(&config, fs::Permissions::from_mode(0o600))?;
        let place = Place {
            program,
            config,
            log,
            port,
        };
        Ok(Self {
            child: place.launch()?,
            place,
            url: format!("redis://:{password}@127.0.0.1:{port}"),
            password,
        })
    }

    /// Starts the server again on its port if it has ended, and says whether it had.
    ///
    /// # Errors
    /// When it doesn't come up; with its last words.
    pub fn revive(&mut self) -> anyhow::Result<bool> {
        if self.child.try_wait()?.is_none() {
            return Ok(false);
        }
        self.child = self.place.launch()?;
        Ok(true)
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn password(&self) -> &str {
        &self.password
    }

    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.place.port).into()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = stop(self.child.id(), Signal::TERM, STOP);
        let _ = self.child.wait();
    }
}

impl Place {
    fn launch(&self) -> anyhow::Result<Child> {
        let file = fs::File::options().create(true).append(true).open(&self.log)?;
        let mut child = bound(&self.program, "TERM")
            .arg(&self.config)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .context("cannot run redis-server")?;
        if let Err(error) = await_ready(&mut child, "Redis", &self.log, START, || answers(self.port)) {
            let _ = child.kill();
            let _ = child.wait();
            return Err(error);
        }
        Ok(child)
    }
}

/// Any answer will do: without the password it is a refusal.
fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<usize> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"PING\r\n")?;
        stream.read(&mut [0; 16])
    };
    ask().is_ok_and(|read| read > 0)
}
