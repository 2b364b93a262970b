//! The servers in turns: each round measures all of them, so that what else the machine does meets all alike.

use anyhow::Context;

use super::{Bench, Figures, Results, Who};
use crate::{
    connection::Reading,
    insert,
    load::Pace,
    measure::{self, Processes},
    plan::{Plan, Target},
    scenarios::{self, BUSY_TEXT_BYTES, FanOut, TEXT_BYTES},
    systems::{Kind, Peer},
};

const FAN_OUT_PEERS: [(Who, Kind); 3] = [
    (Who::Floor, Kind::Floor),
    (Who::Plain, Kind::Plain),
    (Who::SocketIo, Kind::SocketIo),
];

impl Bench {
    fn peer(&mut self, kind: Kind) -> anyhow::Result<Peer> {
        self.started += 1;
        Peer::start(kind, &self.folder.path().join(format!("peer-{}", self.started)))
    }

    fn own_processes(&self) -> anyhow::Result<Processes> {
        Ok(Processes {
            gateways: self.ours.pids(&["ws-core"])?,
            redis: self.ours.pids(&["redis"])?,
            core: self.ours.pids(&["db-core"])?,
            postgres: self.ours.pids(&["postgres"])?,
        })
    }

    pub(super) fn fan_outs(
        &mut self,
        rounds: usize,
        results: &mut Results,
        wanted: &dyn Fn(&str) -> bool,
    ) -> anyhow::Result<()> {
        let scenarios = scenarios::fan_outs(&self.scale)
            .into_iter()
            .filter(|scenario| wanted(scenario.name));
        let scenarios: Vec<FanOut> = scenarios.collect();
        let peers = FAN_OUT_PEERS.map(|(who, kind)| Ok::<_, anyhow::Error>((who, self.peer(kind)?)));
        let peers: Vec<(Who, Peer)> = peers.into_iter().collect::<Result<_, _>>()?;
        let mut targets: Vec<Vec<(Who, Processes, Target)>> = Vec::new();
        for scenario in &scenarios {
            eprintln!("{}: making its rooms", scenario.name);
            let mut all = vec![(
                Who::Ours,
                self.own_processes()?,
                self.ours.target(&self.runtime, &scenario.plan)?,
            )];
            for (who, peer) in &peers {
                all.push((
                    *who,
                    processes_of(peer),
                    peer.target(&scenario.plan, self.scale.people)?,
                ));
            }
            targets.push(all);
            results.fan_outs.push((scenario.name, scenario.target, Figures::new()));
        }
        for round in 0..rounds {
            for (place, scenario) in scenarios.iter().enumerate() {
                let count = targets[place].len();
                for turn in 0..count {
                    let (who, processes, target) = &targets[place][(turn + round) % count];
                    let (plan, pace) = (&scenario.plan, scenario.pace);
                    let sample = measure::load(processes, target, plan, pace, self.scale.times, TEXT_BYTES)
                        .with_context(|| format!("{}, {who:?}", scenario.name))?;
                    let figures = (
                        sample.cost.fan_out() as f64 / sample.counted.deliveries as f64 / 1e3,
                        sample.per_second(sample.counted.deliveries),
                    );
                    eprintln!(
                        "round {}, {}, {who:?}: {:.2} us, {:.0}/s",
                        round + 1,
                        scenario.name,
                        figures.0,
                        figures.1
                    );
                    results.fan_outs[place].2.entry(*who).or_default().push(sample);
                }
            }
        }
        Ok(())
    }

    /// Servers begin anew each time, so that no memory of earlier connections is used again.
    pub(super) fn idle(&mut self, rounds: usize, results: &mut Results) -> anyhow::Result<()> {
        let plan = Plan::idle(self.scale.idle, self.scale.people);
        for _ in 0..rounds {
            self.ours.renew_gateways()?;
            let (processes, target) = (self.own_processes()?, self.ours.target(&self.runtime, &plan)?);
            let ours = measure::idle(&processes, &target, &plan, self.scale.settle).context("ours")?;
            note(&mut results.idle, Who::Ours, ours);
            for (who, kind) in FAN_OUT_PEERS {
                let peer = self.peer(kind)?;
                let target = peer.target(&plan, self.scale.people)?;
                let idle = measure::idle(&processes_of(&peer), &target, &plan, self.scale.settle);
                note(&mut results.idle, who, idle.with_context(|| format!("{who:?}"))?);
            }
        }
        Ok(())
    }

    pub(super) fn busy(&mut self, rounds: usize, results: &mut Results) -> anyhow::Result<()> {
        let (plan, pace) = scenarios::busy(&self.scale, Reading::Eager);
        let (slow, _) = scenarios::busy(&self.scale, Reading::Stopped);
        let rooms = self.ours.target(&self.runtime, &plan)?;
        let times = self.scale.busy;
        let both = |processes: &Processes, target: &Target| {
            let all_read = measure::busy(processes, target, &plan, pace, times, BUSY_TEXT_BYTES)?;
            let one_does_not = measure::busy(processes, target, &slow, pace, times, BUSY_TEXT_BYTES)?;
            anyhow::Ok((all_read, one_does_not))
        };
        for _ in 0..rounds {
            self.ours.renew_gateways()?;
            let ours = both(&self.own_processes()?, &rooms).context("ours")?;
            note(&mut results.busy, Who::Ours, ours);
            for (who, kind) in [(Who::Plain, Kind::Plain), (Who::SocketIo, Kind::SocketIo)] {
                let peer = self.peer(kind)?;
                let target = peer.target(&plan, self.scale.people)?;
                note(
                    &mut results.busy,
                    who,
                    both(&processes_of(&peer), &target).with_context(|| format!("{who:?}"))?,
                );
            }
        }
        Ok(())
    }

    pub(super) fn durable(&mut self, rounds: usize, results: &mut Results) -> anyhow::Result<()> {
        let (many, many_pace) = scenarios::durable(&self.scale);
        let (one, one_pace) = scenarios::single();
        let peer = self.peer(Kind::PlainKept)?;
        let peers = (processes_of(&peer), peer.target(&many, self.scale.people)?);
        let (ours, alone) = (
            self.ours.target(&self.runtime, &many)?,
            self.ours.target(&self.runtime, &one)?,
        );
        let (own, times) = (self.own_processes()?, self.scale.times);
        for _ in 0..rounds {
            let run = |processes: &Processes, target: &Target, plan: &Plan, pace: Pace| {
                measure::load(processes, target, plan, pace, times, TEXT_BYTES)
            };
            let sample = run(&own, &ours, &many, many_pace).context("ours")?;
            note(&mut results.durable, Who::Ours, sample);
            let sample = run(&peers.0, &peers.1, &many, many_pace).context("plain")?;
            note(&mut results.durable, Who::PlainKept, sample);
            let single = run(&own, &alone, &one, one_pace).context("one at a time")?;
            let bare = self
                .runtime
                .block_on(insert::bare(&self.ours.postgres()?, times.counted))?;
            results
                .single
                .push((measure::at(&single.counted.answer, 0.5), measure::at(&bare, 0.5)));
        }
        Ok(())
    }
}

fn processes_of(peer: &Peer) -> Processes {
    Processes {
        gateways: vec![peer.gateway()],
        redis: peer.redis.iter().map(local_servers::Redis::pid).collect(),
        core: Vec::new(),
        postgres: peer.postgres.iter().map(local_servers::Postgres::pid).collect(),
    }
}

fn note<T>(figures: &mut Figures<T>, who: Who, figure: T) {
    figures.entry(who).or_default().push(figure);
}
