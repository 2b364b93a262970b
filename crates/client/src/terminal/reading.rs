//! A room's log, as it stands and as it goes on.

use std::sync::Arc;

use anyhow::bail;
use chat_client::{Client, Heard, Session, core::Place};
use common::{RoomId, Seq, room::User};

use super::{print::Output, rooms};

/// Places of the log that come first, unless it is said where to begin.
const LAST: u64 = 20;

/// The room, and where to begin in it.
///
/// # Errors
/// When there is no such room, or the place can't be one.
pub async fn place(session: &Session, named: &str, after: Option<u64>) -> anyhow::Result<(RoomId, Seq)> {
    let room = rooms::mine(session, named).await?;
    let after = after.unwrap_or_else(|| room.head_seq.get().saturating_sub(LAST));
    Ok((room.id, Seq::try_from(after)?))
}

/// Prints up to the log's end.
///
/// # Errors
/// When the log can't be read.
pub async fn print(session: &Session, room: RoomId, mut after: Seq, output: Output) -> anyhow::Result<()> {
    loop {
        let page = session.events(room, after).await?;
        for event in &page.items {
            output.event(event)?;
        }
        after = page.items.last().map_or(after, common::event::Event::seq);
        if !page.has_more || page.items.is_empty() {
            return Ok(());
        }
    }
}

/// Prints for as long as there is something to hear.
///
/// # Errors
/// When the room or the login ends.
pub async fn follow(session: Arc<Session>, room: RoomId, after: Seq, output: Output) -> anyhow::Result<()> {
    let me = session.login().await.user;
    let mut client = Client::start(session);
    client.join(room, Some(after));
    while let Some(heard) = client.next().await {
        show(heard, &me, output)?;
    }
    Ok(())
}

/// # Errors
/// When nothing comes behind it.
pub fn show(heard: Heard, me: &User, output: Output) -> anyhow::Result<()> {
    match heard {
        Heard::Place {
            place: Place::Event(event),
            ..
        } => output.event(&event),
        Heard::Place {
            place: Place::Own(own), ..
        } => match own.event(me) {
            Some(event) => output.event(&event),
            None => Ok(()),
        },
        Heard::Offline { why } => {
            eprintln!("chat: {why}; trying again");
            Ok(())
        }
        Heard::NotJoined { error, .. } => bail!("{}: {}", error.code.title(), error.detail),
        Heard::Ended { .. } => bail!("this was the last of the room"),
        Heard::SignedOut { why } => bail!("{why}; `chat login NAME` logs in again"),
        Heard::Online | Heard::Begins { .. } | Heard::Settled { .. } | Heard::Said(_) => Ok(()),
    }
}
