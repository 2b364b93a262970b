//! WebSocket frames (contract, section 5): what clients say, parsed into types that can't be wrong, and what they hear.

mod client;
mod server;

pub use client::*;
pub use server::*;
