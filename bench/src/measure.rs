//! One measurement: people enter, the load warms up, and a stretch of it is counted together with what the server's
//! processes cost meanwhile.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::ensure;
use hdrhistogram::Histogram;

use crate::{
    load::{Counted, Load, Pace},
    plan::{Plan, Target},
    processes::{Spent, resident_kib},
    watch::Faults,
};

/// A server's processes by what they do; nanoseconds are counted for each kind.
#[derive(Debug, Clone, Default)]
pub struct Processes {
    pub gateways: Vec<u32>,
    pub redis: Vec<u32>,
    pub core: Vec<u32>,
    pub postgres: Vec<u32>,
}

/// CPU of a stretch, in nanoseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    pub gateways: u64,
    pub redis: u64,
    pub core: u64,
    pub postgres: u64,
}

impl Cost {
    /// What a message costs on its way to its readers.
    pub fn fan_out(&self) -> u64 {
        self.gateways + self.redis
    }

    pub fn everything(&self) -> u64 {
        self.fan_out() + self.core + self.postgres
    }
}

impl Processes {
    /// What `act` cost.
    ///
    /// # Errors
    /// That of `act`.
    pub fn cost<T>(&self, act: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, Cost)> {
        let kinds = [&self.gateways, &self.redis, &self.core, &self.postgres];
        let before = kinds.map(|pids| Spent::by(pids));
        let done = act()?;
        let after = kinds.map(|pids| Spent::by(pids));
        let [gateways, redis, core, postgres] = std::array::from_fn(|kind| after[kind].since(&before[kind]));
        let cost = Cost {
            gateways,
            redis,
            core,
            postgres,
        };
        Ok((done, cost))
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Times {
    pub warm: Duration,
    pub counted: Duration,
}

#[derive(Debug, Clone)]
pub struct Sample {
    pub cost: Cost,
    pub counted: Counted,
}

impl Sample {
    pub fn per_second(&self, number: u64) -> f64 {
        number as f64 / self.counted.lasted.as_secs_f64()
    }
}

/// A histogram's quantile in microseconds.
pub fn at(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64
}

/// Runs a load against a server; anything lost, repeated or out of order is an error.
///
/// # Errors
/// Also when a client is refused.
pub fn load(
    processes: &Processes,
    target: &Target,
    plan: &Plan,
    pace: Pace,
    times: Times,
    text_bytes: usize,
) -> anyhow::Result<Sample> {
    let mut load = Load::enter(target, plan, text_bytes)?;
    load.run(pace, times.warm)?;
    let (counted, cost) = processes.cost(|| load.run(pace, times.counted))?;
    let faults = load.finish()?;
    ensure!(
        faults == Faults::default(),
        "deliveries were not what they have to be: {faults:?}"
    );
    ensure!(counted.deliveries > 0, "nothing was delivered");
    Ok(Sample { cost, counted })
}

/// What clients cost that only connect.
#[derive(Debug, Clone, Copy)]
pub struct Idle {
    /// CPU of one connection from its SYN to the server's first word, in nanoseconds.
    pub connect_ns: f64,
    pub kib: f64,
}

/// Everybody connects as fast as the server lets them, and then is silent.
///
/// # Errors
/// When anybody is refused.
pub fn idle(processes: &Processes, target: &Target, plan: &Plan, settle: Duration) -> anyhow::Result<Idle> {
    // What the first connection brings into memory is not what each costs.
    Load::enter(target, &Plan::idle(1, 1), 0)?.finish()?;
    std::thread::sleep(settle);
    let before = resident_kib(&processes.gateways);
    let (load, cost) = processes.cost(|| Load::enter(target, plan, 0))?;
    std::thread::sleep(settle);
    let after = resident_kib(&processes.gateways);
    load.finish()?;
    let clients = plan.clients.len() as f64;
    Ok(Idle {
        connect_ns: cost.fan_out() as f64 / clients,
        kib: after.saturating_sub(before) as f64 / clients,
    })
}

/// A busy room, and how large the gateway became.
#[derive(Debug, Clone)]
pub struct Busy {
    pub sample: Sample,
    pub peak_kib: u64,
}

/// # Errors
/// Those of [`load`].
pub fn busy(
    processes: &Processes,
    target: &Target,
    plan: &Plan,
    pace: Pace,
    times: Times,
    text_bytes: usize,
) -> anyhow::Result<Busy> {
    const LOOK: Duration = Duration::from_millis(100);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut peak = 0;
            while !done.load(Ordering::Acquire) {
                peak = peak.max(resident_kib(&processes.gateways));
                std::thread::sleep(LOOK);
            }
            peak
        });
        let sample = load(processes, target, plan, pace, times, text_bytes);
        done.store(true, Ordering::Release);
        let peak_kib = watch.join().unwrap_or_default();
        Ok(Busy {
            sample: sample?,
            peak_kib,
        })
    })
}
