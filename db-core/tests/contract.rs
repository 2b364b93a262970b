//! db-core keeps its contract: one suite, directly and over HTTP.

#![allow(clippy::unwrap_used)]

mod support;

db_api_suite::on!(directly, crate::support::direct);
db_api_suite::on!(via_http, crate::support::over_http);
