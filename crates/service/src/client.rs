//! Calling other services over HTTP/1.1 on a private network.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{Connect, HttpConnector},
    },
    rt::{TokioExecutor, TokioTimer},
};

/// A pool of connections.
pub type HttpClient = Client<HttpConnector, Full<Bytes>>;

/// A call got no usable answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NoAnswer {
    /// Nobody took the connection: nothing was asked.
    #[error("{0}")]
    Unreached(String),
    /// It may have been heard, and acted on.
    #[error("{0}")]
    Lost(String),
}

pub fn client() -> HttpClient {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(Duration::from_secs(1)));
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        // Shorter than the servers' patience, so that a kept connection is rarely one that is just being closed.
        .pool_idle_timeout(Duration::from_secs(5))
        .build(connector)
}

/// A request without a body.
///
/// # Errors
/// When the text is no URL.
pub fn get(url: &str) -> Result<Request<Full<Bytes>>, NoAnswer> {
    Request::get(url)
        .body(Full::default())
        .map_err(|error| NoAnswer::Unreached(error.to_string()))
}

/// Sends a request and reads the whole answer, of at most `limit` bytes, before the deadline.
///
/// # Errors
/// When there was no answer; the other side may have acted all the same.
pub async fn call<C: Connect + Clone + Send + Sync + 'static>(
    client: &Client<C, Full<Bytes>>,
    request: Request<Full<Bytes>>,
    deadline: Duration,
    limit: usize,
) -> Result<http::Response<Bytes>, NoAnswer> {
    let answer = async {
        let response = client.request(request).await.map_err(|error| {
            let reason = chain(&error);
            if error.is_connect() {
                NoAnswer::Unreached(reason)
            } else {
                NoAnswer::Lost(reason)
            }
        })?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, limit)
            .collect()
            .await
            .map_err(|error| NoAnswer::Lost(error.to_string()))?;
        Ok(http::Response::from_parts(parts, body.to_bytes()))
    };
    tokio::time::timeout(deadline, answer)
        .await
        .unwrap_or_else(|_| Err(NoAnswer::Lost("the deadline has passed".into())))
}

/// An error with its causes, for a log.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
