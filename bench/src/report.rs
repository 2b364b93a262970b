//! What was measured, as tables for the README: medians, with the least and the most of the rounds beside them.

use crate::{
    measure::{Sample, at},
    run::{Figures, Results, Who},
    scenarios::{SATURATED, Scale},
};

/// The median with its spread.
struct Spread(Vec<f64>);

impl Spread {
    fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// With so many decimals; a dash when nothing was measured.
    fn text(&self, decimals: usize) -> String {
        let (Some(least), Some(most)) = (self.0.first(), self.0.last()) else {
            return "–".into();
        };
        let middle = self.0[self.0.len() / 2];
        format!("{middle:.decimals$} ({least:.decimals$}–{most:.decimals$})")
    }
}

/// What each round says of one server beside another.
fn ratio<T>(figures: &Figures<T>, who: Who, to: Who, value: impl Fn(&T) -> f64) -> Spread {
    let (Some(these), Some(those)) = (figures.get(&who), figures.get(&to)) else {
        return Spread(Vec::new());
    };
    Spread::of(these.iter().zip(those).map(|(this, that)| value(this) / value(that)))
}

fn values<T>(figures: &Figures<T>, who: Who, value: impl Fn(&T) -> f64) -> Spread {
    Spread::of(figures.get(&who).into_iter().flatten().map(value))
}

fn fan_out_us(sample: &Sample) -> f64 {
    sample.cost.fan_out() as f64 / sample.counted.deliveries as f64 / 1e3
}

fn everything_us(sample: &Sample) -> f64 {
    sample.cost.everything() as f64 / sample.counted.deliveries as f64 / 1e3
}

fn deliveries(sample: &Sample) -> f64 {
    sample.per_second(sample.counted.deliveries)
}

pub fn print(results: &Results, scale: &Scale, rounds: usize) {
    conditions(scale, rounds);
    fan_outs(results);
    connections(results, scale);
    durable(results);
}

fn conditions(scale: &Scale, rounds: usize) {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!(
        "{rounds} rounds in turns on one machine with {cores} cores, everything on its loopback; {} people, {} connections, texts of \
         200 bytes, one gateway process and one Redis for each server, one Postgres with `fsync` on for each that keeps. Each \
         figure is the median of the rounds, with the least and the most. Every delivery was checked: none was lost, \
         repeated or out of order.\n",
        scale.people, scale.clients
    );
}

fn fan_outs(results: &Results) {
    if results.fan_outs.is_empty() {
        return;
    }
    println!("CPU of the gateway and Redis for each delivered message, in multiples of the floor's:\n");
    println!(
        "| scenario | floor, us | ours: committed before the ack | target | ours with db-core and Postgres | Node `ws` + Redis: nothing is kept | Socket.IO + Redis: nothing is kept |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (name, target, figures) in &results.fan_outs {
        let times = |who: Who| ratio(figures, who, Who::Floor, fan_out_us).text(2);
        println!(
            "| {name} | {} | {} | {target} | {} | {} | {} |",
            values(figures, Who::Floor, fan_out_us).text(2),
            times(Who::Ours),
            ratio(figures, Who::Ours, Who::Floor, everything_us).text(2),
            times(Who::Plain),
            times(Who::SocketIo),
        );
    }
    println!(
        "\nMilliseconds from a send to its deliveries, p50 / p99, and deliveries a second where they are not given:\n"
    );
    println!("| scenario | floor | ours | Node `ws` + Redis | Socket.IO + Redis |");
    println!("|---|---|---|---|---|");
    for (name, _, figures) in &results.fan_outs {
        let latency = |who: Who| {
            let quantile = |quantile: f64| {
                let all = values(figures, who, |sample| at(&sample.counted.latency, quantile) / 1e3);
                all.0
                    .get(all.0.len() / 2)
                    .map_or("–".to_owned(), |middle| format!("{middle:.1}"))
            };
            let rate = match *name == SATURATED {
                true => format!("; {}/s", values(figures, who, deliveries).text(0)),
                false => String::new(),
            };
            format!("{} / {}{rate}", quantile(0.5), quantile(0.99))
        };
        println!(
            "| {name} | {} | {} | {} | {} |",
            latency(Who::Floor),
            latency(Who::Ours),
            latency(Who::Plain),
            latency(Who::SocketIo)
        );
    }
}

fn connections(results: &Results, scale: &Scale) {
    let idle = &results.idle;
    if !idle.is_empty() || !results.busy.is_empty() {
        println!("\n| connections | target | ours | floor | Node `ws` + Redis | Socket.IO + Redis |");
        println!("|---|---|---|---|---|---|");
    }
    if !idle.is_empty() {
        let row = |name: &str, target: &str, decimals: usize, value: &dyn Fn(&crate::measure::Idle) -> f64| {
            let cells =
                [Who::Ours, Who::Floor, Who::Plain, Who::SocketIo].map(|who| values(idle, who, value).text(decimals));
            println!("| {name} | {target} | {} |", cells.join(" | "));
        };
        let (kib, storm) = (
            format!("KiB of the gateway for each of {} idle connections", scale.idle),
            format!(
                "CPU of a new connection, us, in a storm of {} of which none failed; ours verifies Ed25519, Node HS256, the floor nothing",
                scale.idle
            ),
        );
        row(&kib, "≤ 5", 1, &|idle| idle.kib);
        row(&storm, "≤ 110", 0, &|idle| idle.connect_ns / 1e3);
    }
    if !results.busy.is_empty() {
        let cells =
            |cell: &dyn Fn(Who) -> String| [Who::Ours, Who::Floor, Who::Plain, Who::SocketIo].map(cell).join(" | ");
        let growth = |who: Who| {
            values(&results.busy, who, |(read, slow)| {
                (slow.peak_kib as f64 - read.peak_kib as f64) / 1024.0
            })
            .text(1)
        };
        println!(
            "| a slow reader in a busy room: MiB that the gateway grows by | ≤ 6 | {} |",
            cells(&growth)
        );
        let p99 = |who: Who| {
            let p99 = |sample: &Sample| at(&sample.counted.latency, 0.99);
            values(&results.busy, who, |(read, slow)| p99(&slow.sample) / p99(&read.sample)).text(2)
        };
        println!(
            "| and the others' p99, in multiples of that without one | ≤ 1.5 | {} |",
            cells(&p99)
        );
    }
}

fn durable(results: &Results) {
    let durable = &results.durable;
    if durable.is_empty() {
        return;
    }
    let per_send =
        |part: fn(&Sample) -> u64| move |sample: &Sample| part(sample) as f64 / sample.counted.answered as f64 / 1e3;
    let rate = |sample: &Sample| sample.per_second(sample.counted.answered);
    let p99 = |sample: &Sample| at(&sample.counted.answer, 0.99) / 1e3;
    println!(
        "\n| durable sends of 200 bytes, committed before the ack in both | target | ours | Node `ws` + one INSERT a message |"
    );
    println!("|---|---|---|---|");
    let row = |name: &str, target: &str, decimals: usize, value: &dyn Fn(&Sample) -> f64| {
        let cells = [Who::Ours, Who::PlainKept].map(|who| values(durable, who, value).text(decimals));
        println!("| {name} | {target} | {} |", cells.join(" | "));
    };
    let times = |value: &dyn Fn(&Sample) -> f64| ratio(durable, Who::Ours, Who::PlainKept, value).text(2);
    let everything = per_send(|sample| sample.cost.everything());
    row("sends a second", "", 0, &rate);
    println!("| … in multiples of Node's | ≥ 5 | {} | 1 |", times(&rate));
    row("CPU of a send, us: every process of the whole send", "", 1, &everything);
    println!("| … in multiples of Node's | ≤ 0.2 | {} | 1 |", times(&everything));
    row("… of which gateway", "", 1, &per_send(|sample| sample.cost.gateways));
    row("… of which db-core", "", 1, &per_send(|sample| sample.cost.core));
    row("… of which Postgres", "", 1, &per_send(|sample| sample.cost.postgres));
    row("… of which Redis", "", 1, &per_send(|sample| sample.cost.redis));
    row("p99 of a send to its ack, ms", "≤ Node's", 1, &p99);
    let (ack, bare) = (
        Spread::of(results.single.iter().map(|one| one.0)),
        Spread::of(results.single.iter().map(|one| one.1)),
    );
    let over = Spread::of(results.single.iter().map(|(ack, bare)| ack / bare));
    println!(
        "| p50 of one send at a time to its ack, us (a bare INSERT through the same driver: {}) | | {} | |",
        bare.text(0),
        ack.text(0)
    );
    println!("| … in multiples of the bare INSERT's | ≤ 1.5 | {} | |", over.text(2));
}
