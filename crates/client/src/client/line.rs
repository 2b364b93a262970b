//! What a driver waits for elsewhere, so that it goes on meanwhile: a socket, a token, a page.

use std::{sync::Arc, time::Duration};

use common::{RoomId, Seq};

use crate::{
    core::EventPage,
    http::HttpError,
    session::Session,
    socket::{Socket, SocketError},
};

/// Why there is no socket now.
pub enum Trouble {
    SignedOut(String),
    /// Another try makes sense, no sooner than that.
    Passing {
        why: String,
        retry_after: Duration,
    },
}

impl From<HttpError> for Trouble {
    fn from(error: HttpError) -> Self {
        let why = error.to_string();
        match &error {
            HttpError::Refused(refused) if !error.is_signed_out() => Trouble::Passing {
                why,
                retry_after: refused.retry_after.unwrap_or_default(),
            },
            HttpError::NoAnswer(_) | HttpError::Unreadable(_) => Trouble::Passing {
                why,
                retry_after: Duration::ZERO,
            },
            HttpError::Refused(_) | HttpError::BadOrigin(_) => Trouble::SignedOut(why),
        }
    }
}

impl From<SocketError> for Trouble {
    fn from(error: SocketError) -> Self {
        let why = error.to_string();
        let retry_after = match &error {
            // Also with a token that is new.
            SocketError::Refused {
                status: 400 | 401 | 403,
                ..
            }
            | SocketError::BadUrl(_) => {
                return Trouble::SignedOut(why);
            }
            SocketError::Refused { retry_after, .. } => retry_after.unwrap_or_default(),
            SocketError::Closed(_) | SocketError::Lost(_) => Duration::ZERO,
        };
        Trouble::Passing { why, retry_after }
    }
}

/// What was waited for.
pub enum Arrived {
    Opened(Result<Box<Socket>, Trouble>),
    Renewed(Result<String, HttpError>),
    Page(RoomId, Option<EventPage>),
}

/// `is_doubted`: the token of the last socket was no longer taken. The refresh tells whether the login stands.
pub async fn open(session: &Session, url: &str, is_doubted: bool) -> Result<Box<Socket>, Trouble> {
    let mut token = session.token().await?;
    if is_doubted {
        token = session.renewed(&token).await?;
    }
    match Socket::open(url, &token).await {
        Err(SocketError::Refused { status: 401, .. }) => {
            let token = session.renewed(&token).await?;
            Ok(Box::new(Socket::open(url, &token).await?))
        }
        opened => Ok(Box::new(opened?)),
    }
}

pub async fn page(session: Arc<Session>, room: RoomId, after: Seq) -> Arrived {
    let page = session.events(room, after).await;
    if let Err(error) = &page {
        tracing::debug!(%error, %room, "a page did not come");
    }
    Arrived::Page(room, page.ok())
}
