//! The contract's HTTP manners, shared by every door: errors as problem details, bodies, paths and queries that are
//! right or refused with a clear word. Compiles to wasm32, so that the edge says the same everywhere.

pub mod auth;
pub mod extract;
pub mod headers;
pub mod problem;

pub use extract::{Body, PathId, Query};
pub use headers::{Caller, ClientAddress};
pub use problem::{Refused, unknown_route};
