//! One WebSocket to a gateway (contract, section 5): frames in types, and why it ended.

use std::time::Duration;

use common::{
    Timestamp, UserId, WsId,
    frame::{ClientFrame, CloseCode, ServerFrame, SocketLimits},
};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_tls_with_config,
    tungstenite::{self, ClientRequestBuilder, Message, http::Uri},
};

use crate::{core::Frame, limits::SOCKET_PATIENCE};

/// What the gateway says first.
#[derive(Debug, Clone)]
pub struct Welcome {
    pub ws_id: WsId,
    pub user_id: UserId,
    /// When the socket's token runs out, by the server's clock.
    pub expires_at: Timestamp,
    pub limits: SocketLimits,
}

/// Why there is no socket, or no more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SocketError {
    #[error("{0} is no address of a gateway")]
    BadUrl(String),
    /// The answer to the opening handshake, and its `Retry-After`.
    #[error("the gateway takes no socket ({status})")]
    Refused { status: u16, retry_after: Option<Duration> },
    /// The gateway closed it, with this code.
    #[error("{}", closed(*.0))]
    Closed(u16),
    #[error("the line is lost: {0}")]
    Lost(String),
}

fn closed(code: u16) -> String {
    let known = CloseCode::ALL.iter().find(|known| known.number() == code);
    let meaning = known.map_or("the gateway has closed the socket", |known| known.meaning());
    format!("closed {code}: {meaning}")
}

impl From<tungstenite::Error> for SocketError {
    fn from(error: tungstenite::Error) -> Self {
        match error {
            tungstenite::Error::Http(answer) => {
                let wait = answer.headers().get("retry-after").and_then(|wait| wait.to_str().ok());
                SocketError::Refused {
                    status: answer.status().as_u16(),
                    retry_after: wait.and_then(|wait| wait.parse().ok()).map(Duration::from_secs),
                }
            }
            error => SocketError::Lost(error.to_string()),
        }
    }
}

/// The opening handshake to `ws://…/ws` or `wss://…/ws` with an access token.
///
/// # Errors
/// When it is no URL.
pub fn request(url: &str, token: &str) -> Result<ClientRequestBuilder, SocketError> {
    let uri: Uri = url.parse().map_err(|_| SocketError::BadUrl(url.to_owned()))?;
    Ok(ClientRequestBuilder::new(uri)
        .with_sub_protocol("chat.v1")
        .with_header("Authorization", format!("Bearer {token}")))
}

/// The gateways behind an origin.
pub fn url_of(origin: &str) -> String {
    format!("{}/ws", origin.replacen("http", "ws", 1))
}

pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub welcome: Welcome,
}

impl Socket {
    /// # Errors
    /// `Refused` with 401 for a token that is over.
    pub async fn open(url: &str, token: &str) -> Result<Self, SocketError> {
        let request = request(url, token)?;
        let opened = async {
            let (mut stream, _) = connect_async_tls_with_config(request, None, true, None).await?;
            let welcome = welcome(&mut stream).await?;
            Ok(Self { stream, welcome })
        };
        in_time(opened).await
    }

    /// The next frame. May be dropped and called again.
    ///
    /// # Errors
    /// When there is no next one.
    pub async fn read(&mut self) -> Result<Frame, SocketError> {
        read(&mut self.stream).await
    }

    /// # Errors
    /// When the socket has ended.
    pub async fn write(&mut self, frame: &ClientFrame) -> Result<(), SocketError> {
        let text = serde_json::to_string(frame).map_err(|error| SocketError::Lost(error.to_string()))?;
        in_time(async { Ok(self.stream.send(Message::text(text)).await?) }).await
    }

    /// Says goodbye; what was written before is still taken.
    pub async fn close(mut self) {
        let _ = in_time(async { Ok(self.stream.close(None).await?) }).await;
    }
}

async fn in_time<T>(what: impl Future<Output = Result<T, SocketError>>) -> Result<T, SocketError> {
    let in_time = tokio::time::timeout(SOCKET_PATIENCE, what).await;
    in_time.unwrap_or_else(|_| Err(SocketError::Lost("the gateway is silent".to_owned())))
}

async fn welcome(stream: &mut WebSocketStream<MaybeTlsStream<TcpStream>>) -> Result<Welcome, SocketError> {
    match read(stream).await? {
        Frame::Said(ServerFrame::Welcome {
            ws_id,
            user_id,
            expires_at,
            limits,
            ..
        }) => Ok(Welcome {
            ws_id,
            user_id,
            expires_at,
            limits,
        }),
        _ => Err(SocketError::Lost("the first frame was no `welcome`".to_owned())),
    }
}

async fn read(stream: &mut WebSocketStream<MaybeTlsStream<TcpStream>>) -> Result<Frame, SocketError> {
    loop {
        let message = stream.next().await;
        match message.ok_or_else(|| SocketError::Lost("it ended".to_owned()))?? {
            Message::Text(text) => {
                let frame = Frame::parse(&text);
                return frame.map_err(|error| SocketError::Lost(format!("a frame can't be read: {error}")));
            }
            Message::Close(frame) => {
                let code = frame.map_or(1005, |frame| u16::from(frame.code));
                return Err(SocketError::Closed(code));
            }
            // Pings are answered below.
            Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_) => {}
        }
    }
}
