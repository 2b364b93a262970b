//! The sessions of this user, one a server, in a file that nobody else may read.

use std::{
    any::Any,
    collections::BTreeMap,
    fs, io,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use chat_client::{Http, Login, Session, Shelf};
use etcetera::{BaseStrategy, base_strategy::Xdg};

/// The place of one server's session.
pub struct File {
    path: PathBuf,
    origin: String,
}

impl File {
    /// # Errors
    /// When there is no home.
    pub fn of(url: &str) -> anyhow::Result<Self> {
        let folder = Xdg::new().context("there is no home folder")?.config_dir();
        Ok(Self {
            path: folder.join("chat").join("sessions.json"),
            origin: url.trim_end_matches('/').to_owned(),
        })
    }

    fn all(&self) -> io::Result<BTreeMap<String, Login>> {
        let text = match fs::read_to_string(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            text => text?,
        };
        serde_json::from_str(&text)
            .map_err(|error| io::Error::other(format!("{} is damaged: {error}", self.path.display())))
    }

    /// # Errors
    /// When the file can't be written.
    pub fn forget(&self) -> io::Result<()> {
        let mut all = self.all()?;
        all.remove(&self.origin);
        write(&self.path, &all)
    }
}

impl Shelf for File {
    fn alone(&self) -> io::Result<Box<dyn Any + Send>> {
        fs::create_dir_all(self.path.parent().unwrap_or(Path::new(".")))?;
        let lock = fs::File::create(self.path.with_extension("lock"))?;
        lock.lock()?;
        Ok(Box::new(lock))
    }

    fn load(&self) -> io::Result<Option<Login>> {
        Ok(self.all()?.remove(&self.origin))
    }

    fn store(&self, login: &Login) -> io::Result<()> {
        let mut all = self.all()?;
        all.insert(self.origin.clone(), login.clone());
        write(&self.path, &all)
    }
}

/// As a whole or not at all: it is written beside, then put in its place.
fn write(path: &Path, all: &BTreeMap<String, Login>) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let beside = folder.join(format!("sessions.{}", std::process::id()));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(serde_json::to_string_pretty(all)?.as_bytes())?;
    fs::rename(beside, path)
}

/// # Errors
/// When nobody has logged in to the server.
pub fn session(url: &str, shelf: File) -> anyhow::Result<Session> {
    let login = shelf
        .load()?
        .with_context(|| format!("not logged in to {url}; `chat login NAME` does that"))?;
    Ok(Session::new(Http::new(url)?, login, shelf))
}
