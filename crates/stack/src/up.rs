//! Starts a stack, says when it is ready, and stops it in order.

use std::{
    cell::RefCell,
    io::Write,
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde_json::Value;
use service::{CancellationToken, client, internal, shutdown, telemetry};
use stack::{Endpoints, Folder, Settings, single::Single, split::Split};

use crate::{Topology, Up, servers::Servers};

const READY: Duration = Duration::from_secs(60);
/// How long a cache may take to open once its Redis answers.
const CACHE: Duration = Duration::from_secs(4);
const LOOK: Duration = Duration::from_millis(50);

pub fn progress(text: &str) {
    eprintln!("  {text}");
}

pub fn run(arguments: Up) -> anyhow::Result<()> {
    let folder = Folder::take(&arguments.data)?;
    Endpoints::remove(folder.path());
    telemetry::start_in("stack", folder.log("stack")?);
    let mut servers = Servers::start(&arguments, &folder)?;
    let settings = Settings {
        port: arguments.port,
        gateways: usize::from(arguments.gateways),
        db_cores: match arguments.topology {
            Topology::Single => 1,
            Topology::Split => usize::from(arguments.db_cores),
        },
        postgres_url: arguments
            .postgres
            .or(servers.postgres_url())
            .context("there is no Postgres")?,
        redis_url: arguments.redis.or(servers.redis_url()),
        registration: arguments.registration,
        sends_per_second: arguments.sends_per_second,
        frames_per_second: arguments.frames_per_second,
        web_root: arguments.web_root.canonicalize().ok(),
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let done = runtime.block_on(async {
        let stop = shutdown::on_signals()?;
        match arguments.topology {
            Topology::Single => run_single(&settings, &folder, &mut servers, stop).await,
            Topology::Split => run_split(&settings, &folder, &mut servers, stop).await,
        }
    });
    Endpoints::remove(folder.path());
    runtime.shutdown_timeout(Duration::from_secs(1));
    // The services are gone; now what they stood on.
    drop(servers);
    done
}

/// The endpoints of a stack, whose processes may change while it runs.
struct Published<'a> {
    folder: &'a Folder,
    endpoints: RefCell<Endpoints>,
}

impl Published<'_> {
    fn update(&self, pids: impl IntoIterator<Item = (String, Vec<u32>)>) {
        let mut endpoints = self.endpoints.borrow_mut();
        endpoints.pids.extend(pids);
        if let Err(error) = endpoints.write(self.folder.path()) {
            tracing::warn!(%error, "endpoints.json could not be written");
        }
    }
}

async fn run_single(
    settings: &Settings,
    folder: &Folder,
    servers: &mut Servers,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    progress("starting the services");
    let running = Single::start(settings, folder, stop.clone()).await?;
    let mut endpoints = running.endpoints.clone();
    endpoints.pids.extend(servers.pids());
    let announced = announce(&endpoints, folder, &stop).await;
    if announced.is_err() {
        stop.cancel();
    }
    let published = Published {
        folder,
        endpoints: endpoints.into(),
    };
    tokio::join!(running.ended(), servers.supervise(&stop, |pids| published.update(pids)));
    announced
}

async fn run_split(
    settings: &Settings,
    folder: &Folder,
    servers: &mut Servers,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    progress("starting the services, each as a process");
    let mut running = Split::start(settings, folder)?;
    let mut endpoints = running.endpoints.clone();
    endpoints.pids.extend(servers.pids());
    endpoints.pids.extend(running.pids());
    let announced = announce(&endpoints, folder, &stop).await;
    if announced.is_ok() {
        let published = Published {
            folder,
            endpoints: endpoints.into(),
        };
        let supervised = async {
            let outcome = running.supervise(folder, &stop, |pids| published.update(pids)).await;
            stop.cancel();
            outcome
        };
        let (supervised, ()) = tokio::join!(supervised, servers.supervise(&stop, |pids| published.update(pids)));
        supervised?;
    }
    tokio::task::block_in_place(|| running.end());
    announced
}

/// Waits until everything answers, then says so.
async fn announce(endpoints: &Endpoints, folder: &Folder, stop: &CancellationToken) -> anyhow::Result<()> {
    let until = Instant::now() + READY;
    while let Some(missing) = missing(endpoints).await {
        if stop.is_cancelled() {
            bail!("stopped before it was ready");
        }
        if Instant::now() > until {
            bail!(
                "not ready within {READY:?}: {missing}; the logs are in {}",
                folder.logs().display()
            );
        }
        tokio::time::sleep(LOOK).await;
    }
    if !has_cache_soon(endpoints, stop).await {
        progress("Redis does not answer: everything works, but more slowly, until it does");
    }
    // Who waits for the file finds everything ready.
    endpoints.write(folder.path())?;
    println!("ready {}", endpoints.web);
    std::io::stdout().flush()?;
    Ok(())
}

/// As [`has_cache`], which takes a moment: a shared cache is opened in steps that all must have heard of.
async fn has_cache_soon(endpoints: &Endpoints, stop: &CancellationToken) -> bool {
    let until = Instant::now() + CACHE;
    while !has_cache(endpoints).await {
        if stop.is_cancelled() || Instant::now() > until {
            return false;
        }
        tokio::time::sleep(LOOK).await;
    }
    true
}

/// Whether the core has its cache: a Redis that is named wrongly would not be missed otherwise.
async fn has_cache(endpoints: &Endpoints) -> bool {
    let Ok(request) = service::client::get(&format!("{}/api/health", endpoints.web)) else {
        return false;
    };
    let answer = client::call(&client::client(), request, Duration::from_secs(2), 64 * 1024).await;
    let health = answer
        .ok()
        .and_then(|answer| serde_json::from_slice::<Value>(answer.body()).ok());
    health.is_some_and(|health| health["cache"] == true)
}

/// What does not answer yet.
async fn missing(endpoints: &Endpoints) -> Option<String> {
    let client = client::client();
    for (name, metrics) in &endpoints.metrics {
        let url = metrics.replace("/metrics", "/readyz");
        let request = service::client::get(&url).ok()?;
        match client::call(&client, request, Duration::from_secs(2), 64 * 1024).await {
            Ok(response) if response.status().is_success() && response.body() == internal::READY => {}
            Ok(response) => return Some(format!("{name}: {}", String::from_utf8_lossy(response.body()).trim())),
            Err(error) => return Some(format!("{name}: {error}")),
        }
    }
    None
}

/// Starts the same in the background, with its words in a log, and returns when it is ready.
pub fn detached(arguments: &Up) -> anyhow::Result<()> {
    if Folder::is_taken(&arguments.data) {
        // Says where it runs.
        return Folder::take(&arguments.data).map(drop);
    }
    std::fs::create_dir_all(arguments.data.join("logs"))?;
    Endpoints::remove(&arguments.data);
    let log = arguments.data.join("logs/up.log");
    let output = std::fs::File::create(&log)?;
    let words = std::env::args_os().skip(1).filter(|word| word != "--detach");
    let mut child = Command::new(std::env::current_exe()?)
        .args(words)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()?;
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            bail!(
                "it did not start ({status}):\n{}",
                std::fs::read_to_string(&log)?.trim()
            );
        }
        if let Some(address) = ready_line(&log) {
            let words = std::fs::read_to_string(&log)?;
            words
                .lines()
                .filter(|line| !line.starts_with("ready"))
                .for_each(|line| eprintln!("{line}"));
            println!("ready {address}");
            return Ok(());
        }
        if started.elapsed() > READY * 3 {
            bail!("not ready after {:?}; see {}", started.elapsed(), log.display());
        }
        std::thread::sleep(LOOK);
    }
}

fn ready_line(log: &Path) -> Option<String> {
    let text = std::fs::read_to_string(log).ok()?;
    let address = text.lines().find_map(|line| line.strip_prefix("ready http://"))?;
    address
        .parse::<SocketAddr>()
        .ok()
        .map(|address| format!("http://{address}"))
}
