//! The folder of a stack: its lock, its keys, its data and logs. One stack at a time.

use std::{
    fs::{self, File, TryLockError},
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use common::{jwk::SigningKey, service_token::Service};
use local_servers::secret;

use crate::Endpoints;

/// Held until it is dropped.
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Takes the folder, which is made when there is none.
    ///
    /// # Errors
    /// When a stack runs on it already: the error says where.
    pub fn take(path: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(path.join("logs")).with_context(|| format!("cannot make {}", path.display()))?;
        let path = path.canonicalize()?;
        let lock = File::options().create(true).append(true).open(path.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let at = Endpoints::read(&path).map_or_else(|_| "just starting".to_owned(), |running| running.web);
                bail!(
                    "a stack is already running on {} ({at}); `./dev down --data {0}` stops it",
                    path.display()
                );
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        Ok(Self { path, _lock: lock })
    }

    /// Whether somebody holds the folder.
    pub fn is_taken(path: &Path) -> bool {
        let Ok(lock) = File::options().append(true).open(path.join("lock")) else {
            return false;
        };
        matches!(lock.try_lock(), Err(TryLockError::WouldBlock))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// A file for the log of one process.
    ///
    /// # Errors
    /// When it can't be opened.
    pub fn log(&self, name: &str) -> anyhow::Result<File> {
        let path = self.logs().join(format!("{name}.log"));
        File::options()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))
    }
}

/// Keys of a stack, made at its first start and readable by their owner alone.
#[derive(Clone)]
pub struct Keys {
    /// Ed25519 private JWK.
    pub signing: String,
    /// Of which db-core derives the keys of refresh tokens and invites.
    pub server: String,
    edge_auth: String,
    api_functions: String,
    ws_core: String,
}

impl Keys {
    /// # Errors
    /// When the files can't be read or made.
    pub fn of(folder: &Folder) -> anyhow::Result<Self> {
        let keys = folder.path().join("keys");
        fs::create_dir_all(&keys)?;
        fs::set_permissions(&keys, fs::Permissions::from_mode(0o700))?;
        let kept = |name: &str, make: &dyn Fn() -> String| -> anyhow::Result<String> {
            let file = keys.join(name);
            if !file.exists() {
                write_private(&file, &make())?;
            }
            Ok(fs::read_to_string(&file)?.trim().to_owned())
        };
        Ok(Self {
            signing: kept("signing.jwk", &new_signing_key)?,
            server: kept("server.key", &secret)?,
            edge_auth: kept("edge-auth.key", &secret)?,
            api_functions: kept("api-functions.key", &secret)?,
            ws_core: kept("ws-core.key", &secret)?,
        })
    }

    pub fn of_service(&self, service: Service) -> &str {
        match service {
            Service::EdgeAuth => &self.edge_auth,
            Service::ApiFunctions => &self.api_functions,
            Service::WsCore => &self.ws_core,
        }
    }

    /// As db-core reads them.
    pub fn services(&self) -> String {
        let pair = |service: Service| format!("{}={}", service.as_str(), self.of_service(service));
        Service::ALL.map(pair).join(",")
    }
}

fn new_signing_key() -> String {
    let bytes = URL_SAFE_NO_PAD.decode(secret()).unwrap_or_default();
    let seed: [u8; 32] = bytes
        .try_into()
        .unwrap_or_else(|_| unreachable!("a secret is 32 bytes"));
    SigningKey::from_seed(seed).to_jwk()
}

/// Writes a file that only its owner reads, whole or not at all.
///
/// # Errors
/// When the folder can't be written to.
pub fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let beside = path.with_extension("new");
    let _ = fs::remove_file(&beside);
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    Ok(())
}
