//! A client of the public contract. [`Core`](core::Core) decides, without I/O: it keeps the places of each room's log in
//! order, resumes, and sends what was written here until it is acknowledged or refused for good. The checker drives it at
//! random. Around it: [`Http`], [`Session`], [`Socket`], and [`Client`], which runs a core over them.

mod api;
pub mod backoff;
pub mod client;
pub mod core;
pub mod http;
pub mod limits;
pub mod session;
pub mod socket;

pub use self::http::{Ask, Http, HttpError};
pub use client::{Client, Heard};
pub use session::{Login, Nowhere, Session, Shelf};
pub use socket::{Socket, SocketError};
