//! api-functions as a plain server, for clusters and laptops. `--openapi` prints the API's description instead, `--asyncapi`
//! the WebSocket's.

use std::sync::Arc;

use common::service_token::Service;
use db_client::DbClient;
use service::{Env, Listeners, Verifier, shutdown, telemetry};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    match std::env::args().nth(1).as_deref() {
        Some("--openapi") => {
            print!("{}", api_functions::document());
            return Ok(());
        }
        Some("--asyncapi") => {
            print!("{}", api_functions::socket_document());
            return Ok(());
        }
        _ => {}
    }
    let config = api_functions::Config::read(Env::of_process())?;
    telemetry::start(&config.common.pod);
    let listeners = Listeners::open(&config.common).await?;
    let stop = shutdown::on_signals()?;
    let db = Arc::new(DbClient::new(
        &config.db_core_urls,
        Service::ApiFunctions,
        &config.service_key,
    ));
    let verifier = Verifier::start(config.issuer, config.jwks_url);
    api_functions::serve(config.common, config.service_key, db, verifier, listeners, stop).await;
    Ok(())
}
