//! The servers that are measured, each with processes of its own: started here, and gone with us.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use jsonwebtoken::{EncodingKey, Header};
use local_servers::{Postgres, Redis, bound};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    dialect::Dialect,
    people::{Api, People},
    plan::{Plan, Target},
};

/// The stack, split into processes.
pub struct Ours {
    child: Child,
    folder: PathBuf,
    api: Api,
    people: People,
}

const READY: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(50);
/// More than any scenario sends, so that the contract's rates don't throttle the few users.
const RATE: &str = "1000000";

impl Ours {
    /// # Errors
    /// When it does not start.
    pub fn start(folder: &Path, runtime: &tokio::runtime::Runtime, people: usize) -> anyhow::Result<Self> {
        let program = std::env::current_exe()?.with_file_name("stack");
        let mut child = bound(&program, "TERM")
            .args(["up", "--port", "0", "--topology", "split", "--gateways", "1"])
            .args(["--sends-per-second", RATE, "--frames-per-second", RATE, "--data"])
            .arg(folder)
            .stdout(Stdio::null())
            .spawn()
            .context("cannot run the stack; build it first")?;
        let until = Instant::now() + READY;
        while !folder.join("endpoints.json").exists() {
            ensure!(child.try_wait()?.is_none(), "the stack did not start");
            ensure!(Instant::now() < until, "the stack is not ready after {READY:?}");
            std::thread::sleep(LOOK);
        }
        let endpoints = endpoints(folder)?;
        let origin = endpoints["web"].as_str().context("no origin")?;
        let api = Api::new(origin, &endpoints["signingKey"])?;
        let people = runtime.block_on(api.register(people))?;
        Ok(Self {
            child,
            folder: folder.to_owned(),
            api,
            people,
        })
    }

    /// # Errors
    /// When a room of the plan is refused.
    pub fn target(&self, runtime: &tokio::runtime::Runtime, plan: &Plan) -> anyhow::Result<Target> {
        let rooms = runtime.block_on(self.api.rooms(&self.people, plan))?;
        let doors = endpoints(&self.folder)?["ws"].as_array().cloned().unwrap_or_default();
        let door = |door: &Value| {
            let door = door.as_str()?.strip_prefix("ws://")?.strip_suffix("/ws")?;
            door.parse().ok()
        };
        Ok(Target {
            dialect: Dialect::Chat,
            servers: doors.iter().filter_map(door).collect(),
            rooms,
            tokens: self.people.tokens.clone(),
        })
    }

    /// # Errors
    /// When the stack has ended.
    pub fn pids(&self, names: &[&str]) -> anyhow::Result<Vec<u32>> {
        let endpoints = endpoints(&self.folder)?;
        let all = endpoints["pids"].as_object().context("no processes")?;
        let named = all
            .iter()
            .filter(|(name, _)| names.iter().any(|start| name.starts_with(start)));
        let pids = named.flat_map(|(_, pids)| pids.as_array().into_iter().flatten());
        Ok(pids.filter_map(|pid| u32::try_from(pid.as_u64()?).ok()).collect())
    }

    /// # Errors
    /// When the stack has ended.
    pub fn postgres(&self) -> anyhow::Result<String> {
        let url = endpoints(&self.folder)?["postgres"].as_str().map(str::to_owned);
        url.context("no Postgres")
    }

    /// Gateways begin anew, with nothing of earlier connections in their memory.
    ///
    /// # Errors
    /// When they don't come back.
    pub fn renew_gateways(&self) -> anyhow::Result<()> {
        let before = self.pids(&["ws-core"])?;
        for pid in &before {
            local_servers::stop(*pid, rustix::process::Signal::TERM, READY)?;
        }
        let until = Instant::now() + READY;
        while self.pids(&["ws-core"])?.iter().any(|pid| before.contains(pid)) {
            ensure!(Instant::now() < until, "the gateways did not come back");
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

fn endpoints(folder: &Path) -> anyhow::Result<Value> {
    Ok(serde_json::from_str(&std::fs::read_to_string(
        folder.join("endpoints.json"),
    )?)?)
}

impl Drop for Ours {
    fn drop(&mut self) {
        let _ = local_servers::stop(self.child.id(), rustix::process::Signal::TERM, READY);
        let _ = self.child.wait();
    }
}

/// What others build, or the floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Floor,
    Plain,
    /// `Plain` with one INSERT a message before the answer.
    PlainKept,
    SocketIo,
}

pub struct Peer {
    kind: Kind,
    child: Child,
    server: SocketAddr,
    secret: String,
    pub redis: Option<Redis>,
    pub postgres: Option<Postgres>,
}

impl Peer {
    /// # Errors
    /// When it, its Redis or its Postgres does not start.
    pub fn start(kind: Kind, folder: &Path) -> anyhow::Result<Self> {
        let redis = match kind {
            Kind::Floor => None,
            Kind::Plain | Kind::PlainKept | Kind::SocketIo => Some(Redis::start(&folder.join("redis"))?),
        };
        let postgres = match kind {
            Kind::PlainKept => Some(Postgres::start(&folder.join("postgres"))?),
            Kind::Floor | Kind::Plain | Kind::SocketIo => None,
        };
        let secret = local_servers::secret();
        let mut command = program(kind)?;
        command.env("SECRET", &secret);
        command.envs(redis.iter().map(|redis| ("REDIS_URL", redis.url())));
        command.envs(postgres.iter().map(|postgres| ("DATABASE_URL", postgres.url())));
        let (child, server) = launch(command)?;
        Ok(Self {
            kind,
            child,
            server,
            secret,
            redis,
            postgres,
        })
    }

    /// # Errors
    /// When no token can be signed.
    pub fn target(&self, plan: &Plan, people: usize) -> anyhow::Result<Target> {
        let key = EncodingKey::from_secret(self.secret.as_bytes());
        let token = |number: usize| {
            let claims = json!({ "sub": Uuid::new_v4().to_string(), "name": format!("bench-{number}"), "exp": 4_000_000_000_u64 });
            jsonwebtoken::encode(&Header::default(), &claims, &key)
        };
        Ok(Target {
            dialect: if self.kind == Kind::SocketIo {
                Dialect::SocketIo
            } else {
                Dialect::Plain
            },
            servers: vec![self.server],
            rooms: plan.rooms.iter().map(|_| Uuid::new_v4().to_string()).collect(),
            tokens: (0..people).map(token).collect::<Result<_, _>>()?,
        })
    }

    pub fn gateway(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program(kind: Kind) -> anyhow::Result<Command> {
    let script = match kind {
        Kind::Floor => {
            let mut command = bound(&std::env::current_exe()?, "KILL");
            command.arg("floor");
            return Ok(command);
        }
        Kind::Plain | Kind::PlainKept => "plain.mjs",
        Kind::SocketIo => "socketio.mjs",
    };
    let mut command = bound(Path::new("node"), "KILL");
    command
        .arg(script)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers"));
    command.env("NODE_ENV", "production");
    Ok(command)
}

/// A program says `ready PORT` once it listens.
fn launch(mut command: Command) -> anyhow::Result<(Child, SocketAddr)> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
    let port = line
        .trim()
        .strip_prefix("ready ")
        .and_then(|port| port.parse::<u16>().ok());
    let port = port.with_context(|| format!("{command:?} did not start"))?;
    Ok((child, ([127, 0, 0, 1], port).into()))
}
