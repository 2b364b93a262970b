//! ws-core: the WebSocket gateway. A [`socket::Socket`] speaks the protocol, a [`feed::Feed`] orders a room; both are
//! without I/O, and the modules around them bring frames, time, db-core and the bus.

mod config;
mod connection;
mod door;
pub mod feed;
mod gateway;
mod outbox;
mod presence;
mod reads;
mod rooms;
mod signal;
pub mod socket;
mod throttle;
mod typing;
mod users;

/// A WebSocket as the gateway speaks it, without what is said on it: for the echo that the framing suite is run against.
pub mod wire {
    pub use crate::{
        connection::{Ending, Stream, Turn},
        door::{handshake, switching},
        outbox::Outbox,
    };
}

pub use config::{Config, serve, settings};
pub use connection::Connection;
pub use gateway::Gateway;
