//! A stack of processes to break: `stack up --topology split`, with the way to Redis in between.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use local_servers::{TempDir, scratch};
use serde::Deserialize;
use tokio::runtime::Runtime;

use super::{proxy::Proxy, redis::Pair};

/// What a stack says of itself.
#[derive(Debug, Clone, Deserialize)]
pub struct Endpoints {
    pub web: String,
    pub ws: Vec<String>,
    pub metrics: BTreeMap<String, String>,
    pub pids: BTreeMap<String, Vec<u32>>,
}

impl Endpoints {
    fn read(folder: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(folder.join("endpoints.json"))?;
        Ok(serde_json::from_str(&text)?)
    }

    /// The processes whose name begins so, such as `ws-core`.
    pub fn family(&self, name: &str) -> Vec<u32> {
        let named = self.pids.iter().filter(|(process, _)| process.starts_with(name));
        named.flat_map(|(_, pids)| pids).copied().collect()
    }
}

/// It is stopped, and its folder removed, when it is dropped.
pub struct Drilled {
    running: Child,
    stack: PathBuf,
    pub redis: Pair,
    pub proxy: Proxy,
    /// Carries what goes to Redis.
    _carrier: Runtime,
    // Behind what runs in it, as fields are dropped in this order.
    folder: TempDir,
}

const START: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(50);
const GATEWAYS: &str = "3";
const DB_CORES: &str = "2";

impl Drilled {
    /// # Errors
    /// When the stack does not come up.
    pub fn start() -> anyhow::Result<Self> {
        let stack = env::current_exe()?.with_file_name("stack");
        let folder = scratch("drill")?;
        let carrier = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let redis = Pair::start(folder.path())?;
        let at = folder.path().to_owned();
        let pids = move || Endpoints::read(&at).map_or_else(|_| Vec::new(), |endpoints| endpoints.family(""));
        let proxy = carrier.block_on(Proxy::start(redis.address(0), pids))?;
        let words = fs::File::create(folder.path().join("up.log"))?;
        let running = local_servers::bound(&stack, "TERM")
            .args(["up", "--port", "0", "--topology", "split"])
            .args(["--gateways", GATEWAYS, "--db-cores", DB_CORES])
            .args(["--redis", &format!("redis://:{}@{}", redis.password(), proxy.address)])
            .arg("--data")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(words.try_clone()?)
            .stderr(words)
            .spawn()
            .context("cannot run the stack")?;
        let mut drilled = Self {
            running,
            stack,
            folder,
            redis,
            proxy,
            _carrier: carrier,
        };
        drilled.ready()?;
        Ok(drilled)
    }

    fn ready(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + START;
        while self.endpoints().is_err() {
            let words = || fs::read_to_string(self.folder.path().join("up.log")).unwrap_or_default();
            ensure!(
                self.running.try_wait()?.is_none(),
                "the stack did not start: {}",
                words()
            );
            if Instant::now() > until {
                bail!("the stack is not ready: {}", words());
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// As they are now: processes that died have other ids.
    ///
    /// # Errors
    /// While the stack is not up.
    pub fn endpoints(&self) -> anyhow::Result<Endpoints> {
        Endpoints::read(self.folder.path())
    }
}

impl Drop for Drilled {
    fn drop(&mut self) {
        let mut down = Command::new(&self.stack);
        let _ = down.args(["down", "--data"]).arg(self.folder.path()).status();
        let _ = self.running.wait();
    }
}
