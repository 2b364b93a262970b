//! The model keeps db-core's contract: it passes the suite that db-core passes.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use bus::MemoryBus;
use checker::{
    chance::Chance,
    model::{Model, Pace, Store},
};
use db_api::DbApi;

async fn model() -> Arc<dyn DbApi> {
    let store = Store::new(Chance::of(1, "ids"), service::minted::now());
    Model::new(store, Arc::new(MemoryBus::new()), Pace::Ideal)
}

db_api_suite::on!(modelled, crate::model: log, markers, people, roles, rooms, messages, once, invites, keys, sealed, sessions);
