//! The doors that are told which sessions were ended: those that run where they can't ask for it once a second themselves.

use std::{str::FromStr, sync::Arc};

use ::http::{Request, header};
use bytes::Bytes;
use common::{
    limits,
    revocation::PATH,
    service_token::{Service, ServiceKey},
};
use db_api::Call;
use http_body_util::Full;
use service::{
    CancellationToken,
    client::{HttpClient, NoAnswer, call, client},
    minted,
};
use tokio::time::{MissedTickBehavior, interval};

use crate::{Core, http::ServiceKeys};

/// A service, and the origin where one of its processes or regions takes lists.
#[derive(Debug, Clone)]
pub struct Door {
    pub service: Service,
    origin: String,
}

impl FromStr for Door {
    type Err = String;

    /// Reads `edge-auth=http://10.0.0.7:8080`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, origin) = text.split_once('=').ok_or("must be SERVICE=ORIGIN")?;
        let service = Service::parse(name).ok_or_else(|| format!("`{name}` is no service"))?;
        let origin = origin.trim_end_matches('/').to_owned();
        if !origin.starts_with("http://") {
            return Err(format!("`{origin}` is no origin of a private network, `http://…`"));
        }
        origin.parse::<::http::Uri>().map_err(|error| error.to_string())?;
        Ok(Self { service, origin })
    }
}

/// Bytes of a door's answer that are read.
const ANSWER_BYTES: usize = 4 * 1024;

/// Tells every door once a second, changed or not, until `stop`.
pub async fn tell(core: Arc<Core>, doors: Vec<Door>, keys: ServiceKeys, stop: CancellationToken) {
    let client = client();
    let telling = doors.into_iter().filter_map(|door| {
        let key = keys.get(&door.service).cloned();
        let (core, client) = (core.clone(), client.clone());
        Some(tokio::spawn(
            stop.clone()
                .run_until_cancelled_owned(tell_one(core, door, key?, client)),
        ))
    });
    for told in telling.collect::<Vec<_>>() {
        let _ = told.await;
    }
}

async fn tell_one(core: Arc<Core>, door: Door, key: ServiceKey, client: HttpClient) {
    let mut each = interval(limits::REVOCATIONS_INTERVAL);
    each.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_told = true;
    loop {
        each.tick().await;
        let told = tell_once(&core, &door, &key, &client).await;
        if let Err(error) = &told
            && was_told
        {
            tracing::warn!(
                door = door.origin,
                error,
                "a door can't be told which sessions were ended"
            );
        }
        was_told = told.is_ok();
    }
}

async fn tell_once(core: &Core, door: &Door, key: &ServiceKey, client: &HttpClient) -> Result<(), String> {
    let asked = Call::anonymous().within(limits::REVOCATIONS_INTERVAL);
    let list = core
        .do_revocations(&asked)
        .await
        .map_err(|refusal| refusal.to_string())?;
    let token = key
        .issue_to(door.service, minted::now())
        .map_err(|error| error.to_string())?;
    let request = Request::post(format!("{}{PATH}", door.origin))
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .body(Full::<Bytes>::from(list.encode()))
        .map_err(|error| error.to_string())?;
    let answer = call(client, request, limits::REVOCATIONS_INTERVAL, ANSWER_BYTES).await;
    match answer.map_err(|error: NoAnswer| error.to_string())?.status() {
        status if status.is_success() => Ok(()),
        status => Err(format!("it answered {status}")),
    }
}
