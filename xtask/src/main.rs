//! Developer commands behind `./dev`.

mod dependencies;
mod licences;
mod run;
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
        /// The long forms of seeds, drills and fuzzing, as they come to exist
        #[arg(long)]
        long: bool,
    },
    /// Fast checks before a commit
    Check,
    /// Compiles what runs at the edge to wasm32
    Wasm,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Test { long } => steps::test(long),
        Command::Check => steps::check(),
        Command::Wasm => wasm::check(),
    }
}
