//! Two Redis, of which one counts; the other can take its place without its last writes.

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context, ensure};
use local_servers::Redis;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub struct Pair {
    servers: [Redis; 2],
    /// Which one counts.
    present: Mutex<usize>,
}

const ANSWER: Duration = Duration::from_secs(5);
/// Looks whether the copy is complete.
const LOOKS: usize = 100;
const LOOK: Duration = Duration::from_millis(50);

impl Pair {
    /// # Errors
    /// When there is no Redis to start.
    pub fn start(folder: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            servers: Redis::start_pair(folder)?,
            present: Mutex::new(0),
        })
    }

    /// Of both.
    pub fn password(&self) -> &str {
        self.servers[0].password()
    }

    pub fn address(&self, number: usize) -> SocketAddr {
        self.servers[number].address()
    }

    /// The process of the one that counts.
    pub fn pid(&self) -> u32 {
        self.servers[*self.present.lock()].pid()
    }

    async fn ask(&self, number: usize, commands: &[&str]) -> anyhow::Result<String> {
        ask(self.address(number), self.password(), commands).await
    }

    pub async fn flush(&self) -> anyhow::Result<()> {
        let present = *self.present.lock();
        self.ask(present, &["FLUSHALL"]).await.map(drop)
    }

    /// Makes the other a copy of the one that counts, as of now; answers where it is. What is written until
    /// [`Pair::promoted`] it will lack.
    ///
    /// # Errors
    /// When the copy is not complete in time.
    pub async fn copy(&self) -> anyhow::Result<SocketAddr> {
        let present = *self.present.lock();
        let other = 1 - present;
        let port = self.address(present).port();
        self.ask(other, &[&format!("REPLICAOF 127.0.0.1 {port}")]).await?;
        let mut complete = false;
        for _ in 0..LOOKS {
            complete = self
                .ask(other, &["INFO replication"])
                .await?
                .contains("master_link_status:up");
            if complete {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        self.ask(other, &["REPLICAOF NO ONE"]).await?;
        ensure!(complete, "the second Redis did not become a copy of the first");
        Ok(self.address(other))
    }

    /// The copy counts now.
    pub fn promoted(&self) {
        let mut present = self.present.lock();
        *present = 1 - *present;
    }
}

/// Commands in a line each (Redis protocol, inline commands); answers what came back of all.
async fn ask(address: SocketAddr, password: &str, commands: &[&str]) -> anyhow::Result<String> {
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        let lines = format!("AUTH {password}\r\n{}\r\nQUIT\r\n", commands.join("\r\n"));
        stream.write_all(lines.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        anyhow::Ok(answer)
    };
    let answer = tokio::time::timeout(ANSWER, asked)
        .await
        .context("Redis does not answer")??;
    ensure!(
        !answer.lines().any(|line| line.starts_with('-')),
        "Redis refuses: {answer}"
    );
    Ok(answer)
}
