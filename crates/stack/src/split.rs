//! Each service as a process of its own, with a real Redis between them. The launcher binds all sockets, so that every
//! address is known before any process runs, and hands them over; a process that dies is started again on its own port.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, TcpListener},
    os::fd::OwnedFd,
    path::PathBuf,
    process::{Child, Stdio},
    time::Duration,
};

use anyhow::Context;
use command_fds::{CommandFdExt, FdMapping};
use common::service_token::Service;
use rustix::process::Signal;
use service::CancellationToken;

use crate::{
    Endpoints, Folder, Keys, Settings,
    settings::{Addresses, origin},
};

const STOP: Duration = Duration::from_secs(25);
/// Before a process that died is started again.
const AGAIN: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_millis(100);

/// One service's place: what to run, and where it answers.
struct Place {
    name: String,
    program: PathBuf,
    public: SocketAddr,
    internal: SocketAddr,
    environment: Vec<(String, String)>,
    child: Option<Child>,
}

pub struct Split {
    pub endpoints: Endpoints,
    places: Vec<Place>,
}

struct Sockets {
    name: String,
    program: &'static str,
    service: Service,
    public: TcpListener,
    internal: TcpListener,
}

fn sockets(name: &str, program: &'static str, service: Service, port: u16) -> anyhow::Result<Sockets> {
    let bind = |port: u16| {
        TcpListener::bind(("127.0.0.1", port)).with_context(|| format!("cannot listen on 127.0.0.1:{port}"))
    };
    Ok(Sockets {
        name: name.to_owned(),
        program,
        service,
        public: bind(port)?,
        internal: bind(0)?,
    })
}

impl Split {
    /// # Errors
    /// When a port is taken or a program can't be run.
    pub fn start(settings: &Settings, folder: &Folder) -> anyhow::Result<Self> {
        let keys = Keys::of(folder)?;
        let mut all = vec![
            sockets("edge-auth", "edge-auth", Service::EdgeAuth, settings.port)?,
            sockets("api-functions", "api-functions", Service::ApiFunctions, 0)?,
        ];
        for number in 0..settings.db_cores {
            let name = if number == 0 {
                "db-core".to_owned()
            } else {
                format!("db-core-{number}")
            };
            all.push(sockets(&name, "db-core", Service::WsCore, 0)?);
        }
        for number in 0..settings.gateways {
            all.push(sockets(&format!("ws-core-{number}"), "ws-core", Service::WsCore, 0)?);
        }
        let public = all
            .iter()
            .map(|sockets| sockets.public.local_addr())
            .collect::<Result<Vec<_>, _>>()?;
        let gateways = 2 + settings.db_cores;
        let at = Addresses {
            web: public[0],
            api: public[1],
            dbs: public[2..gateways].to_vec(),
            gateways: public[gateways..].to_vec(),
        };
        let beside = std::env::current_exe()?;
        let mut places = Vec::new();
        for (number, sockets) in all.into_iter().enumerate() {
            // Not everybody's home is the same.
            let mut at = at.clone();
            at.dbs.rotate_left(number % settings.db_cores);
            let mut environment = settings.environment(&sockets.name, keys.of_service(sockets.service), &keys, &at);
            environment.retain(|(name, _)| belongs(sockets.program, name));
            let mut place = Place {
                program: beside.with_file_name(sockets.program),
                public: sockets.public.local_addr()?,
                internal: sockets.internal.local_addr()?,
                environment,
                child: None,
                name: sockets.name,
            };
            place.launch(folder, sockets.public, sockets.internal)?;
            places.push(place);
        }
        let metrics = places
            .iter()
            .map(|place| (place.name.clone(), format!("{}/metrics", origin(place.internal))));
        let endpoints = Endpoints {
            web: origin(at.web),
            auth: origin(at.web),
            api: origin(at.api),
            ws: at.gateways.iter().map(|gateway| format!("ws://{gateway}/ws")).collect(),
            db: origin(at.dbs[0]),
            redis: settings.redis_url.clone(),
            postgres: Some(settings.postgres_url.clone()),
            metrics: metrics.collect(),
            pids: BTreeMap::new(),
            logs: folder.logs(),
            signing_key: keys.signing.clone(),
        };
        Ok(Self { endpoints, places })
    }

    /// The processes as they are now.
    pub fn pids(&self) -> BTreeMap<String, Vec<u32>> {
        let pid = |place: &Place| Some((place.name.clone(), vec![place.child.as_ref()?.id()]));
        self.places
            .iter()
            .filter_map(pid)
            .chain([("stack".to_owned(), vec![std::process::id()])])
            .collect()
    }

    /// Starts again what dies, until `stop`; `changed` hears of new processes.
    ///
    /// # Errors
    /// When a program can't be run any more.
    pub async fn supervise(
        &mut self,
        folder: &Folder,
        stop: &CancellationToken,
        changed: impl Fn(BTreeMap<String, Vec<u32>>),
    ) -> anyhow::Result<()> {
        while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            let mut again = false;
            for place in &mut self.places {
                let Some(child) = &mut place.child else { continue };
                let Some(status) = child.try_wait()? else { continue };
                tracing::warn!(process = place.name, %status, "a process died: it is started again");
                place.child = None;
                if stop.run_until_cancelled(tokio::time::sleep(AGAIN)).await.is_none() {
                    return Ok(());
                }
                let (public, internal) = (TcpListener::bind(place.public)?, TcpListener::bind(place.internal)?);
                place.launch(folder, public, internal)?;
                again = true;
            }
            if again {
                changed(self.pids());
            }
        }
        Ok(())
    }

    /// Stops the processes: doors first, so that what is in hand can finish, db-core last.
    pub fn end(&mut self) {
        for door in [true, false] {
            let mut ending: Vec<&mut Place> = self
                .places
                .iter_mut()
                .filter(|place| place.name.starts_with("db-core") != door)
                .collect();
            for place in &ending {
                place.signal(Signal::TERM);
            }
            for place in &mut ending {
                if let Some(mut child) = place.child.take() {
                    if local_servers::stop(child.id(), Signal::TERM, STOP).is_err() {
                        tracing::warn!(process = place.name, "a process did not stop and was killed");
                        let _ = child.kill();
                    }
                    let _ = child.wait();
                }
            }
        }
    }
}

impl Drop for Split {
    fn drop(&mut self) {
        self.end();
    }
}

/// A service is given its own secrets and nobody else's.
fn belongs(program: &str, variable: &str) -> bool {
    match variable {
        "CHAT_POSTGRES_URL" | "CHAT_SERVER_KEY" | "CHAT_SERVICE_KEYS" | "CHAT_REGISTRATION" | "CHAT_DOORS" => {
            program == "db-core"
        }
        "CHAT_SIGNING_KEY_FILE" => program == "edge-auth",
        "CHAT_REDIS_URL" => matches!(program, "db-core" | "ws-core"),
        "CHAT_SERVICE_KEY" | "CHAT_DB_CORE_URLS" => program != "db-core",
        _ => true,
    }
}

impl Place {
    /// The sockets are the process's alone: this one's copies are closed after the start.
    fn launch(&mut self, folder: &Folder, public: TcpListener, internal: TcpListener) -> anyhow::Result<()> {
        let log = folder.log(&self.name)?;
        let mut command = local_servers::bound(&self.program, "TERM");
        let inherited = std::env::vars().filter(|(name, _)| !name.starts_with("CHAT_") || name == "CHAT_LOG");
        command
            .env_clear()
            .envs(inherited)
            .envs(self.environment.iter().cloned())
            .env("LISTEN_FDS", "2")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.fd_mappings(vec![
            FdMapping {
                parent_fd: OwnedFd::from(public),
                child_fd: 3,
            },
            FdMapping {
                parent_fd: OwnedFd::from(internal),
                child_fd: 4,
            },
        ])?;
        self.child = Some(
            command
                .spawn()
                .with_context(|| format!("cannot run {}", self.program.display()))?,
        );
        Ok(())
    }

    fn signal(&self, signal: Signal) {
        let pid = self
            .child
            .as_ref()
            .and_then(|child| rustix::process::Pid::from_raw(child.id() as i32));
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }
}
