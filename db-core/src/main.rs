//! db-core as a process of its own. `admin USERNAME` makes an account an admin instead, and with `--reset-password` gives it
//! a new password.

use db_core::{Config, Store, operator};
use service::{Env, Listeners, Metrics, shutdown, telemetry};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => serve().await,
        ["admin", username] => {
            operator::make_admin(&store().await?, username).await?;
            println!("{username} is an admin from the next login or refresh on");
            Ok(())
        }
        ["admin", username, "--reset-password"] => {
            println!("{}", operator::reset_password(&store().await?, username).await?);
            Ok(())
        }
        _ => Err("db-core [admin USERNAME [--reset-password]]".into()),
    }
}

/// The database alone, for an operator.
async fn store() -> Result<Store, Box<dyn std::error::Error>> {
    telemetry::start("operator");
    let mut env = Env::of_process();
    let url = env.required("CHAT_POSTGRES_URL");
    env.finish()?;
    Ok(Store::open(&url).await?)
}

async fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::read(Env::of_process())?;
    telemetry::start(&config.common.pod);
    let metrics = Metrics::new("db", &config.common.pod);
    let listeners = Listeners::open(&config.common).await?;
    let stop = shutdown::on_signals()?;
    let core = config.start(None, &metrics).await?;
    db_core::serve(core, config.service_keys, config.doors, metrics, listeners, stop).await;
    Ok(())
}
