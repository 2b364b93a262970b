//! Private servers for a development stack or a test run: found on the machine, started in a folder of their own, stopped
//! with whoever started them. Nothing here is for production.

mod account;
mod postgres;
mod process;
mod programs;
mod redis;
mod scratch;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

pub use postgres::Postgres;
pub use process::{bound, is_alive, stop};
pub use redis::Redis;
pub use scratch::{TempDir, scratch};

/// 256 random bits that are safe in a URL and in a file.
pub fn secret() -> String {
    let mut bytes = [0u8; 32];
    rand::fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}
