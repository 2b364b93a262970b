//! The upgrade: a socket is refused before it is one.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    response::{IntoResponse, Response},
    routing::get,
};
use common::{Code, Problem, WsId};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_contract::{Refused, headers::bearer};
use hyper::upgrade::Upgraded;
use service::{minted, serve::Accepted};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::gateway::Gateway;

pub const SUBPROTOCOL: &str = "chat.v1";

pub fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/ws", get(upgrade))
        .fallback(http_contract::unknown_route)
        .with_state(gateway)
}

/// A browser can't set `Authorization`, so that its token comes as a second subprotocol, which is never echoed.
const BEARER: &str = "bearer.";

async fn upgrade(State(gateway): State<Arc<Gateway>>, request: Request) -> Result<Response, Refused> {
    let accept = handshake(request.headers())?;
    if gateway.is_draining() {
        return Err(Refused(Problem::unavailable()));
    }
    let actor = gateway.admit(&token(request.headers())?).await?;
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let connection = gateway.enter(WsId(minted::id()), actor.clone()).await?;
    // Whose session ended between the look and the entry is not among those that were looked through.
    if let Err(problem) = gateway.admission.admit(&actor).await {
        connection.end().await;
        return Err(Refused(problem));
    }
    let upgraded = hyper::upgrade::on(request);
    tokio::spawn(async move {
        match upgraded.await.map(Upgraded::downcast::<Accepted>) {
            Ok(Ok(parts)) => {
                let stream = parts.io.into_inner().into_inner();
                // A task of its own, without the room that this one took for the upgrade.
                tokio::spawn(connection.run_over_tcp(stream, parts.read_buf));
            }
            Ok(Err(_)) => {
                tracing::error!("a socket came by another server than this service's");
                connection.end().await;
            }
            Err(error) => {
                tracing::debug!(%error, ?peer, "an upgrade was given up by its client");
                connection.end().await;
            }
        }
    });
    Ok(switching(accept))
}

/// The answer to an upgrade that is let in. No extension is offered, whatever the client asks for.
pub fn switching(accept: HeaderValue) -> Response {
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    response
}

fn listed(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    let values = headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// The opening handshake (RFC 6455, section 4.2.1), with our subprotocol. Answers `Sec-WebSocket-Accept`.
///
/// # Errors
/// Says what of it is wrong.
pub fn handshake(headers: &HeaderMap) -> Result<HeaderValue, Problem> {
    let bad = |what: &str| Problem::new(Code::InvalidRequest, what);
    let upgrade = listed(headers, header::UPGRADE).any(|value| value.eq_ignore_ascii_case("websocket"));
    let connection = listed(headers, header::CONNECTION).any(|value| value.eq_ignore_ascii_case("upgrade"));
    if !upgrade || !connection {
        return Err(bad("Connect with a WebSocket."));
    }
    if headers
        .get(header::SEC_WEBSOCKET_VERSION)
        .is_none_or(|version| version != "13")
    {
        return Err(bad("Sec-WebSocket-Version must be 13."));
    }
    if !listed(headers, header::SEC_WEBSOCKET_PROTOCOL).any(|protocol| protocol == SUBPROTOCOL) {
        return Err(bad("The subprotocol chat.v1 must be offered."));
    }
    let key = headers
        .get(header::SEC_WEBSOCKET_KEY)
        .ok_or_else(|| bad("Sec-WebSocket-Key is missing."))?;
    HeaderValue::from_str(&derive_accept_key(key.as_bytes())).map_err(|_| Problem::internal())
}

fn token(headers: &HeaderMap) -> Result<String, Problem> {
    let offered = || listed(headers, header::SEC_WEBSOCKET_PROTOCOL).find_map(|entry| entry.strip_prefix(BEARER));
    bearer(headers)
        .or_else(offered)
        .map(str::to_owned)
        .ok_or_else(Problem::unauthenticated)
}
