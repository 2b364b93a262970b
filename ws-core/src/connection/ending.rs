//! How a socket ends, by what the client did on the wire (RFC 6455, section 7).

use common::frame::CloseCode;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::{
    Error,
    error::{CapacityError, ProtocolError},
};

use super::Stream;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The client has closed, and is answered.
    Answer,
    Close(CloseCode),
    /// There is nobody to be told.
    Gone,
}

impl Ending {
    /// After an error of reading.
    pub fn after(error: &Error) -> Self {
        match error {
            Error::Capacity(CapacityError::MessageTooLong { .. }) => Self::Close(CloseCode::TooBig),
            Error::Utf8(_) => Self::Close(CloseCode::NotUtf8),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Gone,
            Error::Protocol(_) => Self::Close(CloseCode::ProtocolError),
            _ => Self::Gone,
        }
    }

    /// The code that was closed with, where it was this side that closed.
    pub fn code(self) -> Option<CloseCode> {
        match self {
            Self::Close(code) => Some(code),
            Self::Answer | Self::Gone => None,
        }
    }

    pub async fn of<IO: AsyncRead + AsyncWrite + Unpin>(self, stream: Stream<IO>) {
        match self {
            Self::Answer => stream.answer_close().await,
            Self::Close(code) => stream.close(code).await,
            Self::Gone => {}
        }
    }
}
