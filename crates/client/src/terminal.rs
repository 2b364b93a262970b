//! The commands of `chat`.

pub mod account;
pub mod print;
pub mod reading;
pub mod rooms;
pub mod store;
pub mod talk;
