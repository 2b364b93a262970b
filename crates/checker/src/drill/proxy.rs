//! The way to Redis, which can be cut for one process, and be made to lead to another Redis.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use service::CancellationToken;
use tokio::net::{TcpListener, TcpStream};

/// How a process is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Its connections break, and new ones at once.
    Closed,
    /// Nothing comes through, and nothing says so.
    Silent,
}

struct Line {
    owner: Option<u32>,
    broken: CancellationToken,
}

struct State {
    target: Mutex<SocketAddr>,
    cuts: Mutex<BTreeMap<u32, (Cut, CancellationToken)>>,
    lines: Mutex<Vec<Line>>,
    /// Finds the processes that may come.
    pids: Box<dyn Fn() -> Vec<u32> + Send + Sync>,
}

#[derive(Clone)]
pub struct Proxy {
    state: Arc<State>,
    pub address: SocketAddr,
}

impl Proxy {
    /// # Errors
    /// When there is no port for it.
    pub async fn start(
        target: SocketAddr,
        pids: impl Fn() -> Vec<u32> + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            target: Mutex::new(target),
            cuts: Mutex::default(),
            lines: Mutex::default(),
            pids: Box::new(pids),
        });
        let accepting = state.clone();
        tokio::spawn(async move {
            while let Ok((near, from)) = listener.accept().await {
                let state = accepting.clone();
                tokio::spawn(async move { state.carry(near, from).await });
            }
        });
        Ok(Self { state, address })
    }

    pub fn cut(&self, process: u32, cut: Cut) {
        let healed = CancellationToken::new();
        self.state.cuts.lock().insert(process, (cut, healed));
        self.state.break_lines(|line| line.owner == Some(process));
    }

    pub fn heal(&self, process: u32) {
        if let Some((_, healed)) = self.state.cuts.lock().remove(&process) {
            healed.cancel();
        }
    }

    /// Leads everybody to another Redis from now on.
    pub fn switch(&self, target: SocketAddr) {
        *self.state.target.lock() = target;
        self.state.break_lines(|_| true);
    }
}

impl State {
    fn break_lines(&self, which: impl Fn(&Line) -> bool) {
        let mut lines = self.lines.lock();
        lines.retain(|line| {
            let over = which(line);
            if over {
                line.broken.cancel();
            }
            !over && !line.broken.is_cancelled()
        });
    }

    async fn carry(&self, mut near: TcpStream, from: SocketAddr) {
        let owner = owner(from.port(), &(self.pids)());
        let cut = || owner.and_then(|owner| self.cuts.lock().get(&owner).cloned());
        let broken = CancellationToken::new();
        self.lines.lock().push(Line {
            owner,
            broken: broken.clone(),
        });
        if cut().is_none() {
            let target = *self.target.lock();
            if let Ok(mut far) = TcpStream::connect(target).await {
                let copied = tokio::io::copy_bidirectional(&mut near, &mut far);
                let _ = broken.run_until_cancelled(copied).await;
            }
        }
        if let Some((Cut::Silent, healed)) = cut() {
            healed.cancelled().await;
        }
        broken.cancel();
    }
}

/// Which of the processes has the near end of a connection on the loopback.
fn owner(port: u16, pids: &[u32]) -> Option<u32> {
    let sockets = fs::read_to_string("/proc/net/tcp").ok()?;
    let local = format!("0100007F:{port:04X}");
    let fields = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let line = sockets.lines().map(fields).find(|line| line.get(1) == Some(&local))?;
    let name = PathBuf::from(format!("socket:[{}]", line.get(9)?));
    pids.iter().copied().find(|pid| holds(*pid, &name))
}

fn holds(pid: u32, socket: &Path) -> bool {
    let open = fs::read_dir(format!("/proc/{pid}/fd"));
    let mut open = open.into_iter().flatten().flatten();
    open.any(|file| fs::read_link(file.path()).is_ok_and(|link| link == socket))
}
