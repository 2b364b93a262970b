//! The way to Redis, which can be cut for one process, garble its announcements, and be made to lead to another Redis.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use parking_lot::Mutex;
use service::CancellationToken;
use tokio::{
    io::{self, AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
};

use super::garbling::{Garbled, Garbling, Replies};

/// How a process is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Its connections break, and new ones at once.
    Closed,
    /// Nothing comes through, and nothing says so.
    Silent,
}

/// The process at the near end, once it is known.
type Owner = Arc<OnceLock<u32>>;

const READ_BYTES: usize = 16 * 1024;

struct Line {
    port: u16,
    owner: Owner,
    broken: CancellationToken,
}

struct State {
    target: Mutex<SocketAddr>,
    cuts: Mutex<BTreeMap<u32, (Cut, CancellationToken)>>,
    garblings: Mutex<BTreeMap<u32, Garbling>>,
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
            garblings: Mutex::default(),
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
        self.state.name_owners();
        self.state.break_lines(|line| line.owner.get() == Some(&process));
    }

    pub fn heal(&self, process: u32) {
        if let Some((_, healed)) = self.state.cuts.lock().remove(&process) {
            healed.cancel();
        }
    }

    /// From now on, on the connections that it has and those that it opens; no connection breaks.
    pub fn garble(&self, process: u32, garbling: Garbling) {
        self.state.name_owners();
        self.state.garblings.lock().insert(process, garbling);
    }

    /// Ends it, and says what happened.
    pub fn clear(&self, process: u32) -> Garbled {
        let ended = self.state.garblings.lock().remove(&process);
        ended.map(|garbling| garbling.so_far).unwrap_or_default()
    }

    /// Leads everybody to another Redis from now on.
    pub fn switch(&self, target: SocketAddr) {
        *self.state.target.lock() = target;
        self.state.break_lines(|_| true);
    }
}

impl State {
    /// A process connects before anybody knows that it is one of the stack's.
    fn name_owners(&self) {
        let pids = (self.pids)();
        let lines = self.lines.lock();
        let unnamed = lines
            .iter()
            .filter(|line| line.owner.get().is_none() && !line.broken.is_cancelled());
        for line in unnamed {
            if let Some(owner) = owner(line.port, &pids) {
                let _ = line.owner.set(owner);
            }
        }
    }

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
        let known = owner(from.port(), &(self.pids)());
        let owner: Owner = Arc::new(known.map_or_else(OnceLock::new, OnceLock::from));
        let cut = || owner.get().and_then(|owner| self.cuts.lock().get(owner).cloned());
        let broken = CancellationToken::new();
        self.lines.lock().push(Line {
            port: from.port(),
            owner: owner.clone(),
            broken: broken.clone(),
        });
        if cut().is_none() {
            let target = *self.target.lock();
            if let Ok(mut far) = TcpStream::connect(target).await {
                let _ = broken.run_until_cancelled(self.copy(&owner, &mut near, &mut far)).await;
            }
        }
        if let Some((Cut::Silent, healed)) = cut() {
            healed.cancelled().await;
        }
        broken.cancel();
    }

    async fn copy(&self, owner: &Owner, near: &mut TcpStream, far: &mut TcpStream) -> io::Result<()> {
        let ((mut asks, hears), (answers, mut asked)) = (near.split(), far.split());
        let asking = async {
            io::copy(&mut asks, &mut asked).await?;
            asked.shutdown().await
        };
        tokio::try_join!(asking, self.answer(owner, answers, hears)).map(drop)
    }

    async fn answer(&self, owner: &Owner, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> io::Result<()> {
        let (mut replies, mut read) = (Replies::default(), vec![0; READ_BYTES]);
        loop {
            let length = from.read(&mut read).await?;
            if length == 0 {
                return to.shutdown().await;
            }
            let heard = {
                let mut garblings = self.garblings.lock();
                let garbling = owner.get().and_then(|owner| garblings.get_mut(owner));
                replies.pass(&read[..length], garbling)
            };
            to.write_all(&heard).await?;
        }
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

#[cfg(test)]
mod tests;
