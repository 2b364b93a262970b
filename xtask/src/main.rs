//! Developer commands behind `./dev`.

mod dependencies;
mod licences;
mod mutants;
mod run;
mod servers;
mod steps;
mod tally;
mod wasm;

use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Every test, with the servers they need
    Test {
        /// The long forms: all seeds and drills of the checker
        #[arg(long)]
        long: bool,
    },
    /// Fast checks before a commit
    Check,
    /// Compiles what runs at the edge to wasm32
    Wasm,
    /// Takes the rules out one by one and expects the checker to find each
    Mutants {
        /// Seeds that each may take
        #[arg(long, default_value_t = 300)]
        seeds: u64,
        /// Only those whose name has this in it
        #[arg(long)]
        only: Option<String>,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Test { long } => steps::test(long),
        Command::Check => steps::check(),
        Command::Wasm => wasm::check(),
        Command::Mutants { seeds, only } => mutants::run(seeds, only.as_deref()),
    }
}
