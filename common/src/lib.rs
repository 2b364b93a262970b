//! The vocabulary of the system and its pure rules. Everything here compiles to native code and to wasm32, and takes
//! time and randomness as arguments, so that edge, API, gateway and core decide alike.

#[macro_use]
mod words;

pub mod bucket;
pub mod cursor;
pub mod envelope;
pub mod event;
pub mod frame;
pub mod id;
pub mod invite;
pub mod jwk;
pub mod key_list;
pub mod key_ring;
pub mod limits;
pub mod octets;
pub mod problem;
pub mod refresh;
pub mod revocation;
pub mod room;
pub mod server_key;
pub mod service_token;
pub mod text;
pub mod time;
pub mod token;

pub use id::{DeviceId, GatewayId, LogId, MessageId, RoomId, SessionId, UserId, WsId};
pub use problem::{Code, Problem};
pub use room::Seq;
pub use time::Timestamp;
