//! `stack`: starts and stops a development stack. `./dev` builds it and calls it.

mod admin;
mod down;
mod servers;
mod up;

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand, ValueEnum};
use stack::Keys;

#[derive(Parser)]
#[command(about = "A development stack: every service, with a Postgres of its own")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start everything and print `ready ADDRESS`
    Up(Up),
    /// Stop what `up` started on a folder
    Down {
        /// The folder of the stack
        #[arg(long, default_value = ".dev/data")]
        data: PathBuf,
    },
    /// Add a key that signs access tokens, and drop those whose tokens are all dead
    RotateKeys {
        /// Seconds until it signs; all verifiers should know it by then
        #[arg(long, default_value_t = edge_auth::LEAD.as_secs())]
        after: u64,
        /// The folder of the stack, which may run
        #[arg(long, default_value = ".dev/data")]
        data: PathBuf,
    },
    /// Make a registered account an admin
    Admin {
        username: String,
        /// Give it a new password instead, and end its sessions
        #[arg(long)]
        reset_password: bool,
        /// The folder of the stack, which runs
        #[arg(long, default_value = ".dev/data")]
        data: PathBuf,
    },
}

#[derive(Clone, clap::Args)]
pub struct Up {
    /// Port of the one origin; 0 for any that is free
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// The folder that keeps data, keys and logs
    #[arg(long, default_value = ".dev/data")]
    data: PathBuf,
    /// WebSocket gateways
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=16))]
    gateways: u8,
    /// Database services beside each other, in `split`
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=8))]
    db_cores: u8,
    /// Return once it is ready, and leave it running
    #[arg(long)]
    detach: bool,
    /// One process, or each service in its own
    #[arg(long, value_enum, default_value_t = Topology::Single)]
    topology: Topology,
    /// Use this Postgres instead of one of its own
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// Use this Redis
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// Whether new accounts are taken
    #[arg(long, default_value = "open", value_parser = ["open", "closed"])]
    registration: String,
    /// Sends of one socket; the default leaves room for a suite of tests
    #[arg(long, default_value_t = 200, value_name = "N")]
    sends_per_second: u32,
    /// Frames of one socket
    #[arg(long, default_value_t = 1000, value_name = "N")]
    frames_per_second: u32,
    /// The built page
    #[arg(long, default_value = "web/dist")]
    web_root: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Topology {
    Single,
    Split,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Up(arguments) if arguments.detach => up::detached(&arguments),
        Command::Up(arguments) => up::run(arguments),
        Command::Down { data } => down::run(&data),
        Command::RotateKeys { after, data } => rotate_keys(&data, after),
        Command::Admin {
            username,
            reset_password,
            data,
        } => admin::run(&data, &username, reset_password),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            if is_port_taken(&error) {
                eprintln!("another one: `--port N`, or `--port 0` for any that is free");
            }
            ExitCode::FAILURE
        }
    }
}

fn rotate_keys(data: &Path, after: u64) -> anyhow::Result<()> {
    let kid = edge_auth::rotate(&Keys::file_of_signing(data), Duration::from_secs(after))?;
    println!("{kid} signs in {after} seconds");
    Ok(())
}

fn is_port_taken(error: &anyhow::Error) -> bool {
    let mut kinds = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .map(io::Error::kind);
    kinds.any(|kind| kind == io::ErrorKind::AddrInUse)
}
