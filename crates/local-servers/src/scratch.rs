//! Folders that last as long as a test or a measurement.

use std::{fs::Permissions, io, os::unix::fs::PermissionsExt};

pub use tempfile::TempDir;

/// A new folder under the machine's folder for such, removed with its content when it is dropped. Others may enter it: as
/// root, a Postgres runs as another user.
///
/// # Errors
/// When it can't be made.
pub fn scratch(name: &str) -> io::Result<TempDir> {
    tempfile::Builder::new()
        .prefix(&format!("chat-{name}-"))
        .permissions(Permissions::from_mode(0o755))
        .tempdir()
}
