//! What an operator does to an account of a stack that runs.

use std::path::Path;

use anyhow::Context;
use db_core::{Store, operator};
use stack::{Endpoints, Folder};

#[tokio::main]
pub async fn run(data: &Path, username: &str, reset_password: bool) -> anyhow::Result<()> {
    let running = Folder::is_taken(data).then(|| Endpoints::read(data));
    let running = running.with_context(|| format!("nothing is running on {}: start it first", data.display()))?;
    let running = running.context("the stack is just starting or stopping; try again")?;
    let url = running.postgres.context("endpoints.json names no Postgres")?;
    let store = Store::open(&url).await?;
    if reset_password {
        println!("{}", operator::reset_password(&store, username).await?);
    } else {
        operator::make_admin(&store, username).await?;
        println!("{username} is an admin from the next login or refresh on");
    }
    Ok(())
}
