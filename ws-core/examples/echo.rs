//! An echo over the gateway's own sockets, for `e2e/framing.test.mjs`: the cases of the Autobahn suite look at nothing but
//! framing, and the gateway itself answers only what the contract knows. Prints its address and runs until it is killed.

use std::{sync::Arc, time::Duration};

use axum::{Router, extract::Request, response::Response, routing::get};
use bytes::Bytes;
use common::{frame::CloseCode, limits};
use http_contract::Refused;
use hyper_util::rt::TokioIo;
use prometheus_client::metrics::counter::Counter;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::Message;
use ws_core::{
    feed::{Encoded, Listener},
    wire::{Ending, Outbox, Stream, Turn, handshake, switching},
};

/// The largest frame of the suite.
const FRAME_BYTES: usize = 16 * 1024 * 1024;
/// A client that says nothing for so long has been killed.
const SILENCE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("ws://{}/ws", listener.local_addr()?);
    axum::serve(listener, Router::new().route("/ws", get(upgrade))).await
}

async fn upgrade(request: Request) -> Result<Response, Refused> {
    let accept = handshake(request.headers())?;
    let upgraded = hyper::upgrade::on(request);
    tokio::spawn(async move {
        if let Ok(io) = upgraded.await {
            run(TokioIo::new(io)).await;
        }
    });
    Ok(switching(accept))
}

async fn run<IO: AsyncRead + AsyncWrite + Unpin>(io: IO) {
    let outbox = Arc::new(Outbox::default());
    let mut stream = Stream::open(io, Bytes::new(), FRAME_BYTES, outbox.clone(), Counter::default()).await;
    let ending = loop {
        let message = match stream.turn(SILENCE).await {
            Turn::Read(Ok(Message::Close(_))) => break Ending::Answer,
            Turn::Read(Ok(message)) => message,
            Turn::Read(Err(error)) => break Ending::after(&error),
            Turn::Close(code) => break Ending::Close(code),
            Turn::Stalled(_) => break Ending::Close(CloseCode::TooSlow),
            Turn::Wake | Turn::Gone => break Ending::Gone,
        };
        match message {
            Message::Text(text) if text.len() < limits::SOCKET_QUEUE_BYTES => outbox.event(&Encoded(text)),
            // The gateway says nothing in binary, and nothing larger than what may wait for a socket.
            Message::Text(_) | Message::Binary(_) => {
                if stream.write(message).await.is_err() {
                    break Ending::Gone;
                }
            }
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {}
        }
    };
    ending.of(stream).await;
}
