//! The model-based checker: random clients, rooms and gateways under a seeded schedule of faults. What they wrote and
//! heard is recorded, and the promise is checked over the record: nothing acknowledged is lost, every member sees the log
//! in order, once and without gaps, and all converge (contract, sections 4 and 5; `docs/checker.md`).

pub mod chance;
pub mod check;
pub mod client;
pub mod drill;
pub mod faults;
pub mod history;
pub mod model;
pub mod world;

pub use check::{Violation, check};
pub use history::History;
