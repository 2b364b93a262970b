//! The run: everything is started, measured in turns so that all see the same machine, and told.

mod turns;

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use local_servers::{TempDir, scratch};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Runtime;

use crate::{
    measure::{Busy, Idle, Sample},
    report,
    scenarios::Scale,
    systems::Ours,
};

#[derive(clap::Args)]
pub struct Options {
    /// One short run of everything, for what is delivered and not for how fast
    #[arg(long)]
    quick: bool,
    /// Runs, in turns
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only scenarios whose name has this in it
    #[arg(long, default_value = "")]
    only: String,
}

/// Whom a figure is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    Floor,
    Ours,
    Plain,
    SocketIo,
    PlainKept,
}

/// A scenario's figures of each server, one a round.
pub type Figures<T> = BTreeMap<Who, Vec<T>>;

/// All that was measured.
#[derive(Default)]
pub struct Results {
    /// In the order of [`scenarios::fan_outs`].
    pub fan_outs: Vec<(&'static str, &'static str, Figures<Sample>)>,
    pub idle: Figures<Idle>,
    /// With a last member that reads, and with one that does not.
    pub busy: Figures<(Busy, Busy)>,
    pub durable: Figures<Sample>,
    /// p50 of a send to its ack, and of a bare INSERT, in microseconds.
    pub single: Vec<(f64, f64)>,
}

struct Bench {
    scale: Scale,
    runtime: Runtime,
    folder: TempDir,
    ours: Ours,
    started: usize,
}

/// # Errors
/// When something does not start, or a delivery was not what it has to be.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let scale = if options.quick { Scale::QUICK } else { Scale::FULL };
    let rounds = if options.quick { 1 } else { options.rounds };
    many_files(scale.idle)?;
    let folder = scratch("bench")?;
    let runtime = Runtime::new()?;
    eprintln!("starting the stack; {} people register", scale.people);
    let ours = Ours::start(&folder.path().join("ours"), &runtime, scale.people)?;
    let mut bench = Bench {
        scale,
        runtime,
        folder,
        ours,
        started: 0,
    };
    let wanted = |name: &str| name.contains(&options.only);
    let mut results = Results::default();
    if wanted("idle") {
        bench.idle(rounds, &mut results).context("idle connections")?;
    }
    bench.fan_outs(rounds, &mut results, &wanted)?;
    if wanted("slow reader") {
        bench.busy(rounds, &mut results).context("slow reader")?;
    }
    if wanted("durable") {
        bench.durable(rounds, &mut results).context("durable sends")?;
    }
    if options.quick {
        println!("every delivery came once and in order");
    } else {
        report::print(&results, &scale, rounds);
    }
    Ok(())
}

/// Clients and servers have a file a connection; children inherit the bound.
fn many_files(connections: usize) -> anyhow::Result<()> {
    let bound = getrlimit(Resource::Nofile);
    let most = bound.maximum.unwrap_or(u64::MAX);
    ensure!(
        most > connections as u64 + 500,
        "at most {most} open files are allowed here (ulimit -Hn)"
    );
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: bound.maximum,
            maximum: bound.maximum,
        },
    )?;
    Ok(())
}
