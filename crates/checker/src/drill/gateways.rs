//! Gateways that are processes: clients come over TCP, with a token of their own.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use common::token::Actor;
use tokio::net::TcpStream;

use super::public::Tokens;
use crate::client::{Connect, Io, Socket};

pub struct Gateways {
    pub urls: Vec<String>,
    pub tokens: Arc<Tokens>,
}

/// A gateway that hangs does not keep a client for longer.
const PATIENCE: Duration = Duration::from_secs(2);

impl Gateways {
    async fn open(&self, url: &str, actor: &Actor) -> Option<Socket> {
        let token = self.tokens.of(actor.user_id)?;
        let request = chat_client::socket::request(url, &token).ok()?;
        let address = url.strip_prefix("ws://")?.split('/').next()?;
        let stream = TcpStream::connect(address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let stream: Box<dyn Io> = Box::new(stream);
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.ok()?;
        Some(socket)
    }
}

#[async_trait]
impl Connect for Gateways {
    async fn connect(&self, gateway: usize, actor: &Actor) -> Option<Socket> {
        let opened = self.open(self.urls.get(gateway)?, actor);
        tokio::time::timeout(PATIENCE, opened).await.ok()?
    }

    fn gateways(&self) -> usize {
        self.urls.len()
    }
}
