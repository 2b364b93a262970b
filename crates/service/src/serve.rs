//! Serving HTTP/1.1 with a deadline for every wait: a connection that never speaks, or speaks too slowly, is closed.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::ConnectInfo};
use common::limits;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use listenfd::ListenFd;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use crate::{Common, patience::Patient};

/// What an upgrade hands over, for `Upgraded::downcast`.
pub type Accepted = TokioIo<Patient<TcpStream>>;

/// A service's two sockets.
pub struct Listeners {
    pub public: TcpListener,
    pub internal: TcpListener,
}

impl Listeners {
    /// Takes the sockets that a launcher handed over (systemd's protocol), else binds the configured addresses. Needs a
    /// Tokio runtime.
    ///
    /// # Errors
    /// When an address can't be bound; the error names it.
    pub async fn open(common: &Common) -> io::Result<Self> {
        let mut handed = ListenFd::from_env();
        let mut take = |at| -> io::Result<Option<TcpListener>> {
            let Some(listener) = handed.take_tcp_listener(at)? else {
                return Ok(None);
            };
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener).map(Some)
        };
        let (public, internal) = (take(0)?, take(1)?);
        Ok(Self {
            public: match public {
                Some(listener) => listener,
                None => bind(common.listen).await?,
            },
            internal: match internal {
                Some(listener) => listener,
                None => bind(common.metrics_listen).await?,
            },
        })
    }
}

/// # Errors
/// Names the address.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"));
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }
    .map_err(named)?;
    // A restart takes its port again at once; a storm of clients waits in the queue instead of being half connected.
    socket.set_reuseaddr(true).map_err(named)?;
    socket.bind(address).map_err(named)?;
    socket.listen(limits::ACCEPT_QUEUE).map_err(named)
}

/// Serves until `stop`, then lets what is in hand finish, within [`limits::DRAIN_DEADLINE`].
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let connections = TaskTracker::new();
    let room = Arc::new(Semaphore::new(limits::CONNECTIONS));
    loop {
        let permit = tokio::select! {
            () = stop.cancelled() => break,
            permit = room.clone().acquire_owned() => match permit {
                Ok(permit) => permit,
                Err(_) => break,
            },
        };
        let (stream, peer) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of files, most likely: the ones in use are given back sooner or later.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let _ = stream.set_nodelay(true);
        let app = router
            .clone()
            .map_request(move |mut request: http::Request<hyper::body::Incoming>| {
                request.extensions_mut().insert(ConnectInfo(peer));
                request.map(axum::body::Body::new)
            });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits::HEAD_DEADLINE)
            .max_buf_size(limits::HEAD_BYTES)
            .serve_connection(Accepted::new(Patient::new(stream)), TowerToHyperService::new(app))
            .with_upgrades();
        let stop = stop.clone();
        connections.spawn(async move {
            let mut connection = std::pin::pin!(connection);
            tokio::select! {
                // A client that goes away in the middle is no event of ours.
                _ = connection.as_mut() => {}
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    let _ = connection.await;
                }
            }
            drop(permit);
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(limits::DRAIN_DEADLINE, connections.wait())
        .await
        .is_err()
    {
        tracing::warn!("some requests did not finish before the deadline");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    async fn served() -> (SocketAddr, CancellationToken) {
        let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let router = Router::new().route("/", axum::routing::get(|| async { "hello" }));
        tokio::spawn(serve(listener, router, stop.clone()));
        (address, stop)
    }

    /// Writes, then reads to the end: returns once the server has closed.
    async fn until_closed(address: SocketAddr, written: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(written).await.unwrap();
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text).await;
        text
    }

    #[tokio::test]
    async fn who_never_finishes_a_head_is_closed() {
        let (address, _stop) = served().await;
        let whole = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        let (silent, half, kept) = tokio::join!(
            until_closed(address, b""),
            until_closed(address, b"GET / HTTP/1.1\r\nhost:"),
            until_closed(address, whole),
        );
        assert!(!silent.contains("hello") && !half.contains("hello"));
        assert!(
            kept.contains("hello"),
            "one that spoke is answered, and closed when it falls silent: {kept:?}"
        );
    }

    #[tokio::test]
    async fn a_stop_ends_idle_connections_at_once() {
        let (address, stop) = served().await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut first = [0; 16];
        stream.read_exact(&mut first).await.unwrap();
        stop.cancel();
        let mut rest = String::new();
        let _ = stream.read_to_string(&mut rest).await;
        assert!(rest.contains("hello"));
    }
}
