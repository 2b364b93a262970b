//! `endpoints.json`: where a running stack answers, for tests and tools.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use service::secret_file;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoints {
    /// The one origin.
    pub web: String,
    pub auth: String,
    pub api: String,
    /// Each gateway's own address.
    pub ws: Vec<String>,
    pub db: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redis: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres: Option<String>,
    pub metrics: BTreeMap<String, String>,
    pub pids: BTreeMap<String, Vec<u32>>,
    pub logs: PathBuf,
    /// The stack's own private key, so that tests can mint tokens.
    pub signing_key: Value,
}

fn file(folder: &Path) -> PathBuf {
    folder.join("endpoints.json")
}

impl Endpoints {
    /// # Errors
    /// When no stack is running on the folder, or not yet.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(file(folder)).context("there is no endpoints.json")?;
        Ok(serde_json::from_str(&text)?)
    }

    /// # Errors
    /// When the folder can't be written to.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        Ok(secret_file::write(
            &file(folder),
            &(serde_json::to_string_pretty(self)? + "\n"),
        )?)
    }

    pub fn remove(folder: &Path) {
        let _ = fs::remove_file(file(folder));
    }
}
