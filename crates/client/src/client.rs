//! A client that stays: it comes back when the line is lost, resumes each room where it was, fetches what a socket leaves
//! out, and sends what was written until it is settled. A [`Core`](crate::core::Core) decides; here are its line and clock.

mod driver;
mod line;
mod timers;

use std::sync::Arc;

use common::{
    MessageId, RoomId, Seq,
    event::Content,
    frame::{ErrorFrame, Request, Send, SentContent, ServerFrame},
    text::Body,
};
use tokio::sync::{mpsc, oneshot};

use crate::{
    core::{OutboxFull, Place},
    limits::HEARD,
    session::Session,
};

/// What a client tells.
#[derive(Debug)]
pub enum Heard {
    /// A socket is open; rooms are joined anew.
    Online,
    /// It is lost, or could not be opened. The client comes back by itself.
    Offline { why: String },
    /// The log is known from behind this place on; what was shown of the room before is void, unless it goes on there.
    Begins { room: RoomId, after: Seq },
    /// The next place of a room's log: in order, without gaps and repeats.
    Place { room: RoomId, place: Place },
    /// A message is committed at its place, or refused for good.
    Settled {
        room: RoomId,
        message: MessageId,
        outcome: Result<Seq, Box<ErrorFrame>>,
    },
    /// The room can't be joined; it is heard no more.
    NotJoined { room: RoomId, error: Box<ErrorFrame> },
    /// The membership or the room has ended; it is heard no more.
    Ended { room: RoomId },
    /// What has no place: typing, read markers, presence, notices.
    Said(ServerFrame),
    /// The login is over, or never was good for a socket. Nothing comes behind it.
    SignedOut { why: String },
}

enum Command {
    Join(RoomId, Option<Seq>),
    Leave(RoomId),
    Send(Send, oneshot::Sender<Result<(), OutboxFull>>),
    Say(Request),
}

/// Stops when it is dropped.
pub struct Client {
    commands: mpsc::UnboundedSender<Command>,
    heard: mpsc::Receiver<Heard>,
}

/// The client has stopped, after a [`Heard::SignedOut`]; or too much waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    #[error("the client has stopped")]
    Stopped,
    #[error(transparent)]
    Full(#[from] OutboxFull),
}

impl Client {
    /// In a task of its own, on the gateways behind the session's origin.
    pub fn start(session: Arc<Session>) -> Self {
        let url = crate::socket::url_of(session.http().origin());
        Self::start_at(session, url)
    }

    /// As [`start`](Self::start), on the gateways behind this `ws://…/ws`.
    pub fn start_at(session: Arc<Session>, url: String) -> Self {
        let (commands, commanded) = mpsc::unbounded_channel();
        let (telling, heard) = mpsc::channel(HEARD);
        tokio::spawn(async move {
            let me = session.login().await.user.id;
            driver::Driver::new(session, url, me).run(commanded, telling).await;
        });
        Self { commands, heard }
    }

    /// Hears a room from behind a place, or without one from its end on.
    pub fn join(&self, room: RoomId, after: Option<Seq>) {
        self.command(Command::Join(room, after));
    }

    /// Hears a room no more; the membership stays.
    pub fn leave(&self, room: RoomId) {
        self.command(Command::Leave(room));
    }

    /// Sends a text, under an id by which [`Heard::Settled`] tells what became of it.
    ///
    /// # Errors
    /// When it is not taken, and nothing is sent.
    pub async fn say(&self, room_id: RoomId, body: Body) -> Result<MessageId, NotTaken> {
        let message_id = MessageId(service::minted::id());
        let draft = Send {
            room_id,
            message_id,
            content: SentContent(Content::Message(body)),
            reply_to: None,
            mentions: Vec::new(),
            traceparent: None,
        };
        self.send(draft).await.map(|()| message_id)
    }

    /// Sends a message in its room's order, until it is settled.
    ///
    /// # Errors
    /// When it is not taken, and nothing is sent.
    pub async fn send(&self, draft: Send) -> Result<(), NotTaken> {
        let (taken, is_taken) = oneshot::channel();
        self.command(Command::Send(draft, taken));
        Ok(is_taken.await.map_err(|_| NotTaken::Stopped)??)
    }

    /// Typing, read markers and presence: said once, if there is a socket.
    pub fn signal(&self, request: Request) {
        self.command(Command::Say(request));
    }

    /// What comes next; `None` once the client has stopped.
    pub async fn next(&mut self) -> Option<Heard> {
        self.heard.recv().await
    }

    fn command(&self, command: Command) {
        // One that has stopped says so by `next`.
        let _ = self.commands.send(command);
    }
}
