//! Rooms, and one message.

use anyhow::{Context, bail};
use chat_client::Session;
use common::{
    MessageId,
    room::{Room, Visibility},
    text::Body,
};

use super::print::{Output, clean};

/// The room of an id or a name, among the user's.
///
/// # Errors
/// When there is none, or more than one.
pub async fn mine(session: &Session, named: &str) -> anyhow::Result<Room> {
    if let Ok(id) = named.parse() {
        return Ok(session.room(id).await?);
    }
    one(session.rooms().await?, named)
}

fn one(rooms: Vec<Room>, named: &str) -> anyhow::Result<Room> {
    let is_named = |room: &Room| room.name.as_ref().is_some_and(|name| name.as_str() == named);
    let mut found: Vec<Room> = rooms.into_iter().filter(is_named).collect();
    let room = found.pop().with_context(|| format!("there is no room {named:?}"))?;
    if !found.is_empty() {
        bail!("several rooms are named {named:?}; take the id");
    }
    Ok(room)
}

pub async fn list(session: &Session, output: Output) -> anyhow::Result<()> {
    for room in session.rooms().await? {
        output.object(&room, || line(&room))?;
    }
    Ok(())
}

fn line(room: &Room) -> String {
    let name = match (&room.name, &room.peer) {
        (Some(name), _) => name.as_str().to_owned(),
        (None, Some(peer)) => format!("with {}", peer.username),
        (None, None) => String::new(),
    };
    match room.unread_count {
        0 => format!("{}  {}", room.id, clean(&name)),
        unread => format!("{}  {} ({unread} unread)", room.id, clean(&name)),
    }
}

pub async fn create(session: &Session, name: &str, private: bool, output: Output) -> anyhow::Result<()> {
    let visibility = if private {
        Visibility::Private
    } else {
        Visibility::Public
    };
    let room = session.create_room(name, visibility).await?;
    output.object(&room, || line(&room))
}

pub async fn join(session: &Session, named: &str, output: Output) -> anyhow::Result<()> {
    let id = match named.parse() {
        Ok(id) => id,
        Err(_) => one(session.public_rooms(named).await?, named)?.id,
    };
    let room = session.join_room(id).await?;
    output.object(&room, || line(&room))
}

pub async fn send(session: &Session, named: &str, text: &str, output: Output) -> anyhow::Result<()> {
    let body = Body::parse(text).context("the text can't be sent")?;
    let room = mine(session, named).await?.id;
    let message = session.post(room, MessageId(service::minted::id()), &body).await?;
    output.object(&message, || format!("sent, {} in the log", message.seq))
}
