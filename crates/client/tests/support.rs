//! A stack in this process, and a way to it that can be cut.

#![allow(clippy::unwrap_used, dead_code)]

use std::{
    any::Any,
    fs::File,
    io::{self, Write},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use chat_client::{Http, Login, Nowhere, Session, Shelf};
use local_servers::{Postgres, TempDir, scratch};
use parking_lot::Mutex;
use service::CancellationToken;
use stack::{Folder, Settings, single::Single};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// Longer than anything here takes; who waits so long waits for ever.
pub const PATIENCE: Duration = Duration::from_secs(120);
pub const PASSWORD: &str = "correct horse battery";

pub struct Stack {
    pub origin: String,
    _stop: tokio_util::sync::DropGuard,
    // In the order in which they have to go.
    pub postgres: Vec<Postgres>,
    _folder: Folder,
    _data: TempDir,
}

impl Stack {
    pub async fn start() -> Self {
        let data = scratch("client").unwrap();
        let postgres = Postgres::start(&data.path().join("postgres")).unwrap();
        let url = postgres.url().to_owned();
        Self::on(data, vec![postgres], url).await
    }

    /// On a leader and its replica, which has what the leader acknowledges.
    pub async fn with_replica() -> Self {
        let data = scratch("client").unwrap();
        let folder = data.path().join("leader");
        drop(Postgres::start(&folder).unwrap());
        let settings = File::options()
            .append(true)
            .open(folder.join("data/postgresql.auto.conf"));
        writeln!(settings.unwrap(), "synchronous_standby_names = '*'").unwrap();
        let leader = Postgres::start(&folder).unwrap();
        let replica = leader.standby(&data.path().join("replica")).unwrap();
        let (credentials, place) = leader.url().rsplit_once('@').unwrap();
        let second = replica.url().rsplit_once('@').unwrap().1;
        let (second, _) = second.rsplit_once('/').unwrap();
        let url = format!("{credentials}@{second},{place}");
        Self::on(data, vec![leader, replica], url).await
    }

    async fn on(data: TempDir, postgres: Vec<Postgres>, postgres_url: String) -> Self {
        let folder = Folder::take(data.path()).unwrap();
        let settings = Settings {
            port: 0,
            gateways: 2,
            db_cores: 1,
            postgres_url,
            redis_url: None,
            registration: "open".to_owned(),
            sends_per_second: 200,
            frames_per_second: 1_000,
            web_root: None,
        };
        let stop = CancellationToken::new();
        let running = Single::start(&settings, &folder, stop.clone()).await.unwrap();
        let origin = running.endpoints.web.clone();
        tokio::spawn(running.ended());
        Self {
            origin,
            _stop: stop.drop_guard(),
            postgres,
            _folder: folder,
            _data: data,
        }
    }

    /// A new account's session, by way of another origin.
    pub async fn person(&self, name: &str, origin: &str) -> Arc<Session> {
        let login = Login::register(&Http::new(&self.origin).unwrap(), name, PASSWORD).await;
        Arc::new(Session::new(Http::new(origin).unwrap(), login.unwrap(), Nowhere))
    }
}

/// Where two processes of one user would find their login.
#[derive(Clone)]
pub struct Shared {
    login: Arc<Mutex<Option<Login>>>,
    lock: Arc<TempDir>,
}

impl Shared {
    pub fn new(login: &Login) -> Self {
        Self {
            login: Arc::new(Mutex::new(Some(login.clone()))),
            lock: Arc::new(scratch("shelf").unwrap()),
        }
    }
}

impl Shelf for Shared {
    fn alone(&self) -> io::Result<Box<dyn Any + Send>> {
        let lock = File::create(self.lock.path().join("lock"))?;
        lock.lock()?;
        Ok(Box::new(lock))
    }

    fn load(&self) -> io::Result<Option<Login>> {
        Ok(self.login.lock().clone())
    }

    fn store(&self, login: &Login) -> io::Result<()> {
        *self.login.lock() = Some(login.clone());
        Ok(())
    }
}

/// Carries connections to an address, until it is cut.
pub struct Proxy {
    pub origin: String,
    carried: Arc<Mutex<Option<JoinSet<()>>>>,
}

impl Proxy {
    pub async fn to(origin: &str) -> Self {
        let to: SocketAddr = origin.strip_prefix("http://").unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let carried = Arc::new(Mutex::new(Some(JoinSet::new())));
        let carrying = carried.clone();
        tokio::spawn(async move {
            while let Ok((mut from, _)) = listener.accept().await {
                let carry = async move {
                    if let Ok(mut to) = TcpStream::connect(to).await {
                        let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
                    }
                };
                // While it is cut, whoever comes is let go at once.
                if let Some(carried) = carrying.lock().as_mut() {
                    carried.spawn(carry);
                }
            }
        });
        Self { origin, carried }
    }

    /// Ends all connections, wherever they are, and every new one.
    pub fn cut(&self) {
        self.carried.lock().take();
    }

    pub fn mend(&self) {
        self.carried.lock().get_or_insert_with(JoinSet::new);
    }
}
