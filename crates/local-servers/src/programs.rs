//! The programs of Postgres, wherever this machine has them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

use crate::process::on_path;

/// Newer ones are fine too; older ones lack what the schema uses.
const OLDEST: u32 = 15;

/// # Errors
/// When there are none that are new enough.
pub(crate) fn find() -> anyhow::Result<PathBuf> {
    let named = std::env::var_os("CHAT_POSTGRES_BIN").map(PathBuf::from);
    let on_path = on_path("initdb").and_then(|program| Some(program.canonicalize().ok()?.parent()?.to_owned()));
    let mut packaged: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .map(|versions| {
            let version =
                |entry: fs::DirEntry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")));
            versions.filter_map(|entry| version(entry.ok()?)).collect()
        })
        .unwrap_or_default();
    packaged.sort();
    let candidates = named
        .into_iter()
        .chain(on_path)
        .chain(packaged.into_iter().rev().map(|(_, bin)| bin));
    for bin in candidates.filter(|bin| bin.join("postgres").is_file() && bin.join("initdb").is_file()) {
        if version(&bin)? >= OLDEST {
            return Ok(bin);
        }
    }
    bail!("there is no Postgres {OLDEST} or newer on this machine; as root: apt-get install postgresql")
}

fn version(bin: &Path) -> anyhow::Result<u32> {
    let output = Command::new(bin.join("postgres")).arg("--version").output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let number = text
        .split_whitespace()
        .find_map(|word| word.split(['.', 'b', 'r', 'd']).next()?.parse().ok());
    number.with_context(|| format!("{} does not tell its version: {text}", bin.display()))
}
