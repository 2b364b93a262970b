//! The way from the gate to a gateway: the upgrade is passed through, then bytes go both ways.

use std::{io, time::Duration};

use axum::{
    body::Body,
    extract::{Request, State},
    response::Response,
};
use bytes::Bytes;
use common::{Problem, limits};
use http::{HeaderMap, StatusCode, header, uri::Authority};
use http_body_util::Empty;
use http_contract::{Caller, Refused};
use hyper::{body::Incoming, client::conn::http1, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, ReadHalf, WriteHalf, copy_buf, split},
    net::TcpStream,
};

use super::{
    Shell,
    headers::{off_the_connection, passed_on},
};

/// Bytes on their way through a tunnel, each way.
const BUFFER: usize = 4 * 1024;
const CONNECT: Duration = Duration::from_secs(1);
/// For the answer to an upgrade. With one that hangs and one that lives, the client still gets its socket.
const ANSWER: Duration = Duration::from_secs(3);

pub async fn pass(State(shell): State<Shell>, caller: Caller, mut request: Request) -> Result<Response, Refused> {
    let admitted = shell.edge.admit_socket(request.headers()).await;
    shell.figures.validated(&admitted);
    caller.is(admitted?.user_id);
    let mut headers = passed_on(request.headers(), request.extensions().get().copied());
    // These two are of the connection, and meant to be passed on here.
    for name in [header::CONNECTION, header::UPGRADE] {
        headers.extend(request.headers().get(&name).map(|value| (name, value.clone())));
    }
    let client = hyper::upgrade::on(&mut request);
    for authority in shell.gateways.in_turn() {
        match asked(authority, headers.clone()).await {
            // It is about to leave, and another takes who comes.
            Ok(response) if response.status() == StatusCode::SERVICE_UNAVAILABLE => {}
            Ok(response) => return Ok(answered(&shell, client, response)),
            Err(reason) => tracing::warn!(gateway = authority.as_str(), reason, "a gateway can't be reached"),
        }
    }
    Err(Refused(Problem::unavailable()))
}

/// The gateway's own answer; after a 101 the two are joined.
fn answered(shell: &Shell, client: OnUpgrade, mut response: hyper::Response<Incoming>) -> Response {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        off_the_connection(response.headers_mut());
        return response.map(Body::new);
    }
    let gateway = hyper::upgrade::on(&mut response);
    shell.tunnels.spawn(async move {
        if let Ok((client, gateway)) = tokio::try_join!(client, gateway) {
            join(TokioIo::new(client), TokioIo::new(gateway)).await;
        }
    });
    response.map(Body::new)
}

/// Asks a gateway for an upgrade, or says why there is no answer.
async fn asked(authority: &Authority, headers: HeaderMap) -> Result<hyper::Response<Incoming>, String> {
    let gateway = match tokio::time::timeout(CONNECT, TcpStream::connect(authority.as_str())).await {
        Ok(Ok(gateway)) => gateway,
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err("takes no connection".into()),
    };
    let _ = gateway.set_nodelay(true);
    match tokio::time::timeout(ANSWER, upgrade(gateway, authority, headers)).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) => Err(service::client::chain(&error)),
        Err(_) => Err("does not answer".into()),
    }
}

async fn upgrade(
    gateway: TcpStream,
    authority: &Authority,
    headers: HeaderMap,
) -> hyper::Result<hyper::Response<Incoming>> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(gateway)).await?;
    tokio::spawn(connection.with_upgrades());
    let mut onward = http::Request::new(Empty::<Bytes>::new());
    *onward.uri_mut() = http::Uri::from_static("/ws");
    *onward.headers_mut() = headers;
    if let Ok(host) = authority.as_str().parse() {
        onward.headers_mut().insert(header::HOST, host);
    }
    sender.send_request(onward).await
}

/// Passes bytes both ways until one side ends. What is on its way to it then gets [`limits::CLOSE_DEADLINE`], so that a
/// side that stays open keeps nothing.
async fn join<C, G>(client: C, gateway: G)
where
    C: AsyncRead + AsyncWrite,
    G: AsyncRead + AsyncWrite,
{
    let ((from_client, to_client), (from_gateway, to_gateway)) = (split(client), split(gateway));
    let mut up = std::pin::pin!(carry(from_client, to_gateway));
    let mut down = std::pin::pin!(carry(from_gateway, to_client));
    tokio::select! {
        ended = &mut up => if ended.is_ok() {
            let _ = tokio::time::timeout(limits::CLOSE_DEADLINE, down).await;
        },
        ended = &mut down => if ended.is_ok() {
            let _ = tokio::time::timeout(limits::CLOSE_DEADLINE, up).await;
        },
    }
}

/// Passes all bytes on, and then the end.
async fn carry<R: AsyncRead, W: AsyncWrite>(from: ReadHalf<R>, mut to: WriteHalf<W>) -> io::Result<()> {
    copy_buf(&mut BufReader::with_capacity(BUFFER, from), &mut to).await?;
    to.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, duplex},
        time::Instant,
    };

    #[tokio::test(start_paused = true)]
    async fn bytes_go_both_ways_and_an_end_is_passed_on() {
        let ((mut client, near), (mut gateway, far)) = (duplex(8), duplex(8));
        let joined = tokio::spawn(join(near, far));
        let mut word = [0; 4];
        client.write_all(b"ping").await.unwrap();
        gateway.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"ping");
        gateway.write_all(b"a long last word").await.unwrap_or_default();
        drop(gateway);
        let mut last = String::new();
        client.read_to_string(&mut last).await.unwrap();
        assert_eq!(last, "a long last word");
        drop(client);
        joined.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_side_that_stays_open_keeps_nothing() {
        for client_stays in [true, false] {
            let ((client, near), (gateway, far)) = (duplex(8), duplex(8));
            let started = Instant::now();
            let joined = tokio::spawn(join(near, far));
            let (_stays, goes) = if client_stays {
                (client, gateway)
            } else {
                (gateway, client)
            };
            drop(goes);
            joined.await.unwrap();
            assert_eq!(started.elapsed().as_secs(), limits::CLOSE_DEADLINE.as_secs());
        }
    }
}
