//! db-core as a process of its own.

use service::{Env, Listeners, Metrics, shutdown, telemetry};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = db_core::Config::read(Env::of_process())?;
    telemetry::start(&config.common.pod);
    let metrics = Metrics::new("db", &config.common.pod);
    let listeners = Listeners::open(&config.common).await?;
    let stop = shutdown::on_signals()?;
    let core = config.start(None, &metrics).await?;
    db_core::serve(core, config.service_keys, metrics, listeners, stop).await;
    Ok(())
}
