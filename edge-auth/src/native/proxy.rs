//! The way from the gate to the API.

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    response::Response,
};
use common::{Problem, limits};
use http::{
    Uri,
    request::Parts,
    uri::{Authority, PathAndQuery, Scheme},
};
use http_body_util::{BodyExt, Full};
use http_contract::{Caller, Refused};
use hyper::body::Incoming;

use super::{
    Shell,
    headers::{off_the_connection, passed_on},
};
use crate::gate::Pass;

pub async fn forward(State(shell): State<Shell>, caller: Caller, request: Request) -> Result<Response, Refused> {
    let admitted = shell.edge.admit_api(request.uri().path(), request.headers()).await;
    if admitted != Ok(Pass::Open) {
        shell.figures.validated(&admitted);
    }
    if let Pass::Known(actor) = admitted? {
        caller.is(actor.user_id);
    }
    let (parts, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map_err(|_| Problem::invalid("The body did not arrive whole."))?;
    let answer = answered(&shell, &parts, body.to_bytes());
    let Ok(answer) = tokio::time::timeout(limits::CALL_DEADLINE * 2, answer).await else {
        tracing::warn!("the API does not answer");
        return Err(Refused(Problem::unavailable()));
    };
    let mut response = answer?.map(Body::new);
    off_the_connection(response.headers_mut());
    Ok(response)
}

/// Asks whose turn it is. Only one that took no connection is passed by: another may have acted.
async fn answered(shell: &Shell, parts: &Parts, body: Bytes) -> Result<http::Response<Incoming>, Problem> {
    for authority in shell.api.in_turn() {
        let mut onward = http::Request::new(Full::new(body.clone()));
        *onward.method_mut() = parts.method.clone();
        *onward.uri_mut() = target(authority, parts.uri.path_and_query())?;
        *onward.headers_mut() = passed_on(&parts.headers, parts.extensions.get().copied());
        match shell.client.request(onward).await {
            Ok(response) => return Ok(response),
            Err(error) => {
                tracing::warn!(error = service::client::chain(&error), "the API is away");
                if !error.is_connect() {
                    break;
                }
            }
        }
    }
    Err(Problem::unavailable())
}

fn target(authority: &Authority, path: Option<&PathAndQuery>) -> Result<Uri, Problem> {
    let path = path.cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    let uri = Uri::builder().scheme(Scheme::HTTP).authority(authority.clone());
    uri.path_and_query(path).build().map_err(|_| Problem::not_found())
}
