//! `chat`: the chat in a terminal, over the public contract alone.

mod terminal;

use std::{io, process::ExitCode, sync::Arc};

use clap::{Parser, Subcommand};

use terminal::{account, print::Output, reading, rooms, store, talk};

#[derive(Parser)]
#[command(name = "chat", about = "The chat in a terminal")]
struct Arguments {
    /// The server
    #[arg(long, global = true, env = "CHAT_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// One JSON object a line, as the API has it
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make an account and log in
    Register(account::Credentials),
    /// Log in; the session lasts until it is unused for 30 days
    Login(account::Credentials),
    /// End the session
    Logout,
    /// List my rooms
    Rooms,
    /// Make a room
    Create {
        name: String,
        /// Only who is added or invited gets in
        #[arg(long)]
        private: bool,
    },
    /// Join a public room
    Join {
        /// Id or name
        room: String,
    },
    /// Send one message
    Send {
        /// Id or name
        room: String,
        text: String,
    },
    /// Print what is said in a room, from now on
    Tail {
        /// Id or name
        room: String,
        /// Begin behind this place of the log; 0 for all of it. Unless given, the last 20 places come first
        #[arg(long, value_name = "SEQ")]
        after: Option<u64>,
        /// End with the log's end
        #[arg(long)]
        no_follow: bool,
    },
    /// Print a room, and send what is typed, line by line
    Talk {
        /// Id or name
        room: String,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(run(arguments)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Who reads has had enough.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chat: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let output = Output::new(arguments.json);
    let shelf = store::File::of(&arguments.url)?;
    match arguments.command {
        Command::Register(credentials) => account::register(&arguments.url, &credentials, shelf, output).await,
        Command::Login(credentials) => account::login(&arguments.url, &credentials, shelf, output).await,
        Command::Logout => account::logout(&arguments.url, shelf).await,
        Command::Rooms => rooms::list(&store::session(&arguments.url, shelf)?, output).await,
        Command::Create { name, private } => {
            rooms::create(&store::session(&arguments.url, shelf)?, &name, private, output).await
        }
        Command::Join { room } => rooms::join(&store::session(&arguments.url, shelf)?, &room, output).await,
        Command::Send { room, text } => {
            rooms::send(&store::session(&arguments.url, shelf)?, &room, &text, output).await
        }
        Command::Tail { room, after, no_follow } => {
            let session = Arc::new(store::session(&arguments.url, shelf)?);
            let (room, after) = reading::place(&session, &room, after).await?;
            if no_follow {
                reading::print(&session, room, after, output).await
            } else {
                reading::follow(session, room, after, output).await
            }
        }
        Command::Talk { room } => {
            let session = Arc::new(store::session(&arguments.url, shelf)?);
            let (room, after) = reading::place(&session, &room, None).await?;
            talk::run(session, room, after, output).await
        }
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    kind == Some(io::ErrorKind::BrokenPipe)
}
