//! The way by which db-core's list comes to a door that does not ask for it itself.

use axum::{Router, body::Body, extract::State, routing::post};
use common::{
    Problem, limits,
    revocation::{PATH, RevocationList},
    service_token::{Service, ServiceKey},
};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use http_contract::{Refused, headers::bearer};

use crate::{Admission, Taken};

#[derive(Clone)]
struct Receiver {
    admission: Admission,
    door: Service,
    key: ServiceKey,
}

/// Takes lists from db-core alone, which proves itself by the key that `door` shares with it.
pub fn receiver(admission: Admission, door: Service, key: ServiceKey) -> Router {
    Router::new()
        .route(PATH, post(receive))
        .with_state(Receiver { admission, door, key })
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Body) -> Result<StatusCode, Refused> {
    let token = bearer(&headers).ok_or_else(Problem::unauthenticated)?;
    let now = (receiver.admission.0.now)();
    if !receiver.key.verifies_core(token, receiver.door, now) {
        return Err(Refused(Problem::unauthenticated()));
    }
    let body = Limited::new(body, limits::REVOCATION_LIST_BYTES).collect().await;
    let body = body.map_err(|error| match error.is::<LengthLimitError>() {
        true => Problem::payload_too_large(),
        false => Problem::invalid("The list did not arrive whole."),
    })?;
    let list = RevocationList::decode(&body.to_bytes()).map_err(|bad| Problem::invalid(bad.to_string()))?;
    match receiver.admission.take(list) {
        Taken::Ahead => Err(Refused(Problem::conflict(
            "The list is of a time that is yet to come here.",
        ))),
        Taken::Changed | Taken::Same | Taken::Passed => Ok(StatusCode::NO_CONTENT),
    }
}
