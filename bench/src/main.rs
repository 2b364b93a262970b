//! `./dev bench`: the stack beside what others build, in one run on one machine. See `bench/README.md`.

mod connection;
mod dialect;
mod floor;
mod frame;
mod insert;
mod load;
mod measure;
mod people;
mod plan;
mod processes;
mod report;
mod run;
mod scenarios;
mod stamp;
mod systems;
mod watch;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Measures the stack beside what others build")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures everything and prints a table
    Run(run::Options),
    /// Serves as the floor: writes the ready bytes, and nothing else
    Floor,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Run(options) => run::run(&options),
        Command::Floor => floor::serve(),
    }
}
