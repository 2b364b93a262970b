//! The development stack: the same services as in production, in one process or each in its own, behind one origin.

pub mod endpoints;
pub mod folder;
mod settings;
pub mod single;
pub mod split;

pub use endpoints::Endpoints;
pub use folder::{Folder, Keys};
pub use settings::Settings;
