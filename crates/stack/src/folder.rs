//! The folder of a stack: its lock, its keys, its data and logs. One stack at a time.

use std::{
    fs::{self, File, TryLockError},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use common::{jwk::SigningKey, key_ring::KeyRing, service_token::Service};
use local_servers::secret;
use serde_json::Value;
use service::{minted, secret_file};

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

const KEYS: &str = "keys";
const SIGNING: &str = "signing.jwk";

/// Keys of a stack, made at its first start and readable by their owner alone.
#[derive(Clone)]
pub struct Keys {
    /// The file of the keys that sign, which may be rotated while the stack runs.
    pub signing_file: PathBuf,
    /// Ed25519 private JWK of the one that signed at the start.
    pub signing: Value,
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
        let keys = folder.path().join(KEYS);
        fs::create_dir_all(&keys)?;
        fs::set_permissions(&keys, fs::Permissions::from_mode(0o700))?;
        let kept = |name: &str, make: &dyn Fn() -> String| -> anyhow::Result<String> {
            let file = keys.join(name);
            if !file.exists() {
                secret_file::write(&file, &make())?;
            }
            Ok(fs::read_to_string(&file)?.trim().to_owned())
        };
        let signing = KeyRing::from_json(&kept(SIGNING, &new_signing_key)?)?;
        Ok(Self {
            signing_file: keys.join(SIGNING),
            signing: serde_json::from_str(&signing.signing(minted::now()).to_jwk())?,
            server: kept("server.key", &secret)?,
            edge_auth: kept("edge-auth.key", &secret)?,
            api_functions: kept("api-functions.key", &secret)?,
            ws_core: kept("ws-core.key", &secret)?,
        })
    }

    /// In the folder of a stack that was started once.
    pub fn file_of_signing(data: &Path) -> PathBuf {
        data.join(KEYS).join(SIGNING)
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
    SigningKey::from_seed(minted::secret()).to_jwk()
}
