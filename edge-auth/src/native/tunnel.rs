//! The way from the gate to a gateway: the upgrade is passed through, then bytes go both ways.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{Request, State},
    response::Response,
};
use common::Problem;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use http_contract::Refused;
use hyper::{client::conn::http1, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use tokio::{io::copy_bidirectional_with_sizes, net::TcpStream};

use super::{Shell, proxy::passed_on};

/// Bytes on their way through a tunnel, each way.
const BUFFER: usize = 4 * 1024;
const CONNECT: Duration = Duration::from_secs(1);
const ANSWER: Duration = Duration::from_secs(5);

pub async fn pass(State(shell): State<Shell>, mut request: Request) -> Result<Response, Refused> {
    let admitted = shell.edge.admit_socket(request.headers());
    shell.figures.validated(&admitted);
    admitted?;
    let headers = upgrading(
        request.headers(),
        passed_on(request.headers(), request.extensions().get().copied()),
    );
    let client = hyper::upgrade::on(&mut request);
    for origin in shell.gateways.in_turn() {
        let authority = origin.trim_start_matches("http://");
        match tokio::time::timeout(CONNECT, TcpStream::connect(authority)).await {
            Ok(Ok(stream)) => return upgrade(stream, authority, headers, client).await,
            _ => tracing::warn!(gateway = authority, "a gateway cannot be reached"),
        }
    }
    Err(Refused(Problem::unavailable()))
}

/// These two are of the connection, and meant to be passed on here.
fn upgrading(from: &HeaderMap, mut headers: HeaderMap) -> HeaderMap {
    for name in [header::CONNECTION, header::UPGRADE] {
        headers.extend(from.get(&name).map(|value| (name, value.clone())));
    }
    headers
}

async fn upgrade(
    stream: TcpStream,
    authority: &str,
    headers: HeaderMap,
    client: OnUpgrade,
) -> Result<Response, Refused> {
    let away = |error: hyper::Error| {
        tracing::warn!(error = service::client::chain(&error), "a gateway did not answer");
        Refused(Problem::unavailable())
    };
    let _ = stream.set_nodelay(true);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(away)?;
    tokio::spawn(connection.with_upgrades());
    let mut onward = http::Request::new(Empty::<bytes::Bytes>::new());
    *onward.uri_mut() = http::Uri::from_static("/ws");
    *onward.headers_mut() = headers;
    if let Ok(host) = authority.parse() {
        onward.headers_mut().insert(header::HOST, host);
    }
    let answer = tokio::time::timeout(ANSWER, sender.send_request(onward)).await;
    let mut response = answer.map_err(|_| Problem::unavailable())?.map_err(away)?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(away)?.to_bytes();
        return Ok(Response::from_parts(parts, Body::from(body)));
    }
    let gateway = hyper::upgrade::on(&mut response);
    tokio::spawn(async move {
        let Ok((client, gateway)) = tokio::try_join!(client, gateway) else {
            return;
        };
        let (mut client, mut gateway) = (TokioIo::new(client), TokioIo::new(gateway));
        // However it ends, both sides are closed.
        let _ = copy_bidirectional_with_sizes(&mut client, &mut gateway, BUFFER, BUFFER).await;
    });
    Ok(response.map(Body::new))
}
