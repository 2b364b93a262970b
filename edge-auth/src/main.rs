//! edge-auth as a native process of its own. On wasm32 the Worker's shell takes the place of this. `rotate-keys FILE
//! [SECONDS]` adds a signing key to a file instead, which signs after so many seconds.

#[cfg(not(target_arch = "wasm32"))]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::time::Duration;

    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let lead = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => return serve().await,
        ["rotate-keys", _] => edge_auth::LEAD,
        ["rotate-keys", _, seconds] => Duration::from_secs(seconds.parse()?),
        _ => return Err("edge-auth [rotate-keys FILE [SECONDS]]".into()),
    };
    println!("{}", edge_auth::rotate(arguments[1].as_ref(), lead)?);
    Ok(())
}

#[cfg(not(target_arch = "wasm32"))]
async fn serve() -> Result<(), Box<dyn std::error::Error>> {
    use common::service_token::Service;
    use service::{Env, Listeners, shutdown, telemetry};

    let config = edge_auth::Config::read(Env::of_process())?;
    telemetry::start(&config.common.pod);
    let listeners = Listeners::open(&config.common).await?;
    let stop = shutdown::on_signals()?;
    let db = db_client::DbClient::new(&config.db_core_urls, Service::EdgeAuth, &config.service_key);
    edge_auth::serve(config, std::sync::Arc::new(db), listeners, stop).await;
    Ok(())
}

#[cfg(target_arch = "wasm32")]
fn main() {}
