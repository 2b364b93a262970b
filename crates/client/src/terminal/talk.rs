//! A room to read and to write in.

use std::{
    io::{self, BufRead},
    sync::Arc,
};

use anyhow::bail;
use chat_client::{Client, Heard, Session, limits};
use common::{RoomId, Seq, text::Body};
use tokio::sync::mpsc;

use super::{print::Output, reading};

/// Prints the room and sends the input's lines. Behind the last line it stays until all of them are settled and shown.
///
/// # Errors
/// When the room or the login ends, or a line was refused.
pub async fn run(session: Arc<Session>, room: RoomId, after: Seq, output: Output) -> anyhow::Result<()> {
    let me = session.login().await.user;
    let mut client = Client::start(session);
    client.join(room, Some(after));
    let mut typed = lines();
    let (mut open, mut refused, mut is_typing) = (0_usize, 0_usize, true);
    let (mut shown, mut settled) = (after, after);
    while is_typing || open > 0 || shown < settled {
        tokio::select! {
            // What can't be read now waits where it comes from.
            line = typed.recv(), if is_typing && open < limits::OUTBOX_MESSAGES / 2 => match line {
                Some(Err(error)) => {
                    eprintln!("chat: not sent: {error}");
                    refused += 1;
                }
                Some(Ok(line)) if line.trim().is_empty() => {}
                Some(Ok(line)) => match Body::parse(line) {
                    Ok(body) => {
                        client.say(room, body).await?;
                        open += 1;
                    }
                    Err(error) => {
                        eprintln!("chat: not sent: {error}");
                        refused += 1;
                    }
                },
                None => is_typing = false,
            },
            heard = client.next() => match heard {
                Some(Heard::Settled { outcome, .. }) => {
                    open -= 1;
                    match outcome {
                        Ok(seq) => settled = settled.max(seq),
                        Err(error) => {
                            eprintln!("chat: not sent: {}: {}", error.code.title(), error.detail);
                            refused += 1;
                        }
                    }
                }
                Some(heard) => {
                    match &heard {
                        Heard::Begins { after, .. } => shown = *after,
                        Heard::Place { place, .. } => shown = place.seq(),
                        _ => {}
                    }
                    reading::show(heard, &me, output)?;
                }
                None => bail!("the client has stopped"),
            },
            _ = tokio::signal::ctrl_c() => match open {
                0 => return Ok(()),
                _ => bail!("of {open} lines it is not known whether they were sent"),
            },
        }
    }
    if refused > 0 {
        bail!("{refused} lines were not sent");
    }
    Ok(())
}

/// The input's lines. Few wait: an input that is faster than the server is read no faster.
fn lines() -> mpsc::Receiver<io::Result<String>> {
    let (read, lines) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            // A line that is no UTF-8 says nothing about the next.
            let is_last = matches!(&line, Err(error) if error.kind() != io::ErrorKind::InvalidData);
            if read.blocking_send(line).is_err() || is_last {
                return;
            }
        }
    });
    lines
}
