//! A gateway as a process of its own.

use std::sync::Arc;

use bus::RedisBus;
use common::service_token::Service;
use db_client::DbClient;
use service::{Env, Listeners, Verifier, shutdown, telemetry};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = ws_core::Config::read(Env::of_process())?;
    telemetry::start(&config.common.pod);
    let listeners = Listeners::open(&config.common).await?;
    let stop = shutdown::on_signals()?;
    let db = Arc::new(DbClient::new(
        &config.db_core_urls,
        Service::WsCore,
        &config.service_key,
    ));
    let bus = Arc::new(RedisBus::new(&config.redis_url, &config.redis_prefix)?);
    let verifier = Verifier::start(config.issuer, config.jwks_url);
    ws_core::serve(config.common, config.settings, db, bus, verifier, listeners, stop).await;
    Ok(())
}
