//! Runs seeds and prints what they broke: `checker --seed N --form virtual` replays one.

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Context;
use checker::{
    History, Violation, check,
    drill::Drilled,
    world::{Form, postgres::Servers, run_seed},
};
use clap::{Parser, ValueEnum};

#[derive(Parser)]
struct Arguments {
    /// The first seed
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many seeds
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    #[arg(long, value_enum, default_value = "virtual")]
    form: Over,
    /// Seeds at once
    #[arg(long, default_value_t = 2)]
    at_once: u64,
    /// Stops at the first seed that breaks something
    #[arg(long)]
    first: bool,
    /// Prints everything that the sockets wrote and heard
    #[arg(long)]
    trace: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Over {
    /// The model, in virtual time
    Virtual,
    /// db-core on the servers that CHAT_TEST_POSTGRES and CHAT_TEST_REDIS name, in real time
    Postgres,
    /// The processes of a stack of their own, which are killed, stopped and cut off
    Processes,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let form = match arguments.form {
        Over::Virtual => Form::Virtual,
        Over::Postgres => Form::Postgres(Servers {
            postgres: std::env::var("CHAT_TEST_POSTGRES").context("CHAT_TEST_POSTGRES names no Postgres")?,
            redis: std::env::var("CHAT_TEST_REDIS").context("CHAT_TEST_REDIS names no Redis")?,
        }),
        Over::Processes => Form::Processes(Arc::new(Drilled::start()?)),
    };
    // One stack can't be broken in two ways at once.
    let at_once = match form {
        Form::Processes(_) => 1,
        Form::Virtual | Form::Postgres(_) => arguments.at_once,
    };
    let next = AtomicU64::new(arguments.seed);
    let (passed, broken) = (AtomicU64::new(0), AtomicU64::new(0));
    let end = arguments.seed + arguments.seeds;
    std::thread::scope(|threads| {
        for _ in 0..at_once.min(arguments.seeds) {
            threads.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || (arguments.first && broken.load(Ordering::Relaxed) > 0) {
                        return;
                    }
                    let outcome = if passes(seed, &form, &arguments) {
                        &passed
                    } else {
                        &broken
                    };
                    outcome.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let (passed, broken) = (passed.into_inner(), broken.into_inner());
    println!("test result: {passed} passed; {broken} failed; 0 ignored");
    Ok(if broken == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn passes(seed: u64, form: &Form, arguments: &Arguments) -> bool {
    match run_seed(seed, form) {
        Err(error) => {
            println!("seed {seed}: {error:#}");
            false
        }
        Ok(history) => {
            let found = check(&history);
            if arguments.trace {
                trace(&history);
            }
            report(&history, &found, form);
            found.is_empty()
        }
    }
}

/// Violations of one seed that are printed; the first ones say most.
const SHOWN: usize = 5;

fn report(history: &History, found: &[Violation], form: &Form) {
    for violation in found.iter().take(SHOWN) {
        println!("seed {}: {violation}", history.seed);
    }
    if !found.is_empty() {
        let form = match form {
            Form::Virtual => "virtual",
            Form::Postgres(_) => "postgres",
            Form::Processes(_) => "processes",
        };
        println!(
            "replay: cargo run -p checker -- --seed {} --form {form} --trace",
            history.seed
        );
    }
}

fn trace(history: &History) {
    for log in &history.rooms {
        println!("room {}", log.room);
        log.events.iter().for_each(|event| println!("  {event:?}"));
    }
    for socket in history.devices.iter().flat_map(|device| &device.sockets) {
        println!("{} ({:?})", socket.name, socket.ended);
        socket
            .entries
            .iter()
            .for_each(|(at_ms, entry)| println!("  {at_ms:6} {entry:?}"));
    }
}
