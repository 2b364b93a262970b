//! How often logins of a name have failed lately. A known name and an unknown one count alike.

use common::limits;
use db_api::Refusal;
use moka::sync::Cache;

pub struct Failures(Cache<String, u32>);

impl Default for Failures {
    fn default() -> Self {
        Self(
            Cache::builder()
                .max_capacity(limits::CACHE_ENTRIES)
                .time_to_live(limits::LOGIN_WINDOW)
                .build(),
        )
    }
}

fn here(name: &str, address: &str) -> String {
    format!("{name} {address}")
}

impl Failures {
    /// # Errors
    /// `RateLimited`, with the right password too.
    pub fn check(&self, name: &str, address: Option<&str>) -> Result<(), Refusal> {
        let count = |key: &str| self.0.get(key).unwrap_or_default();
        let from_here = address.map(|address| count(&here(name, address))).unwrap_or_default();
        if from_here >= limits::LOGIN_FAILURES_HERE || count(name) >= limits::LOGIN_FAILURES {
            return Err(Refusal::RateLimited {
                retry_after_ms: limits::LOGIN_WINDOW.as_millis() as u64,
            });
        }
        Ok(())
    }

    pub fn count(&self, name: &str, address: Option<&str>) {
        let keys = [Some(name.to_owned()), address.map(|address| here(name, address))];
        for key in keys.into_iter().flatten() {
            self.0
                .entry(key)
                .and_upsert_with(|entry| entry.map_or(1, |entry| entry.into_value() + 1));
        }
    }
}
