//! What joins the gateways. db-core announces on it what its commits cause, gateways publish typing and presence.
//!
//! Delivery is a hint: an announcement may be lost or repeated. `seq` is the truth, and the bus says when continuity may
//! have been lost, so that gateways compare heads at once (consistency rules 8, 9).

pub mod announcement;
pub mod contract;
pub mod memory;
pub mod publisher;
pub mod redis;

pub use announcement::{Announcement, Payload};
pub use contract::{Bus, BusError, Delivery, Subscription, Topic, Whereabouts};
pub use memory::MemoryBus;
pub use publisher::Publisher;
pub use redis::RedisBus;
