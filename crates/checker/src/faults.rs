//! What goes wrong between the parts, as a seed says: calls, announcements, connections.

mod bus;
mod db;
mod weather;

pub use bus::UnsteadyBus;
pub use db::UnsteadyDb;
pub use weather::{Climate, DbState, Weather};
