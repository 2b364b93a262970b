//! db-core keeps its contract: one suite, directly, over HTTP, and while the cache is away.

#![allow(clippy::unwrap_used)]

mod support;

db_api_suite::on!(directly, crate::support::direct);
db_api_suite::on!(while_its_cache_is_away, crate::support::without_its_cache);
db_api_suite::on!(via_http, crate::support::over_http);
