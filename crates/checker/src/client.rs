//! A client that keeps to the protocol and does it at random: it joins, resumes from where it was, sends and repeats as the
//! [`Core`](chat_client::core::Core) of the Rust client decides, goes away, reads slowly and comes back to another gateway.

mod device;
mod hearing;
mod pages;
mod plan;
mod turns;
mod wire;

use async_trait::async_trait;
use common::token::Actor;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;

pub use device::{Device, Hints, Parts};

/// A byte stream.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A socket whose opening handshake is done.
pub type Socket = WebSocketStream<Box<dyn Io>>;

/// How a client comes to a gateway: in memory here, over TCP where the gateways are processes.
#[async_trait]
pub trait Connect: Send + Sync {
    /// A socket to one of the gateways, or `None` when that one takes none now.
    async fn connect(&self, gateway: usize, actor: &Actor) -> Option<Socket>;

    fn gateways(&self) -> usize;
}
