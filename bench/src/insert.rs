//! The least that a durable message can cost: one INSERT and its commit, by the driver that db-core uses, one at a time.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::load::LONGEST_US;

const TEXT_BYTES: usize = 200;

/// Microseconds of each insert.
///
/// # Errors
/// When the database refuses.
pub async fn bare(url: &str, lasting: Duration) -> anyhow::Result<Histogram<u64>> {
    let mut database = PgConnection::connect(url).await?;
    sqlx::query("CREATE TABLE IF NOT EXISTS bare (id uuid PRIMARY KEY, message text NOT NULL, sent_at timestamptz NOT NULL DEFAULT now())")
        .execute(&mut database)
        .await?;
    let (mut took, began, text) = (
        Histogram::new_with_max(LONGEST_US, 3)?,
        Instant::now(),
        "x".repeat(TEXT_BYTES),
    );
    while began.elapsed() < lasting {
        let started = Instant::now();
        sqlx::query("INSERT INTO bare (id, message) VALUES ($1, $2)")
            .bind(Uuid::new_v4())
            .bind(&text)
            .execute(&mut database)
            .await?;
        took.saturating_record(started.elapsed().as_micros() as u64);
    }
    database.close().await?;
    Ok(took)
}
