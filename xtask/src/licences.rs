//! Every dependency's licence is one that `deny.toml` allows.

use anyhow::{Context, bail};
use serde_json::Value;
use spdx::{Expression, ParseMode};

use crate::run::{program, root};

fn allowed() -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(root().join("deny.toml"))?;
    let table: toml::Table = text.parse()?;
    let list = table["licenses"]["allow"]
        .as_array()
        .context("deny.toml has no list of licences")?;
    Ok(list
        .iter()
        .filter_map(|licence| licence.as_str().map(str::to_owned))
        .collect())
}

fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let parsed = Expression::parse_mode(expression, ParseMode::LAX);
    parsed.is_ok_and(|parsed| parsed.evaluate(|needed| allowed.contains(&needed.to_string())))
}

/// # Errors
/// Names every dependency whose licence is not allowed.
pub fn check() -> anyhow::Result<()> {
    let output = program("cargo", "", &["metadata", "--format-version", "1", "--locked"]).output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let allowed = allowed()?;
    let mut found = Vec::new();
    for package in metadata["packages"]
        .as_array()
        .context("cargo metadata has no packages")?
    {
        let licence = package["license"].as_str().unwrap_or("none named");
        if !is_allowed(licence, &allowed) {
            found.push(format!("{}: {licence}", package["name"].as_str().unwrap_or_default()));
        }
    }
    if !found.is_empty() {
        bail!("licences that deny.toml does not allow:\n  {}", found.join("\n  "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dependency_is_allowed() {
        check().unwrap();
    }

    #[test]
    fn either_of_two_will_do_and_both_of_two_are_needed() {
        let allowed = ["MIT".to_owned()];
        assert!(is_allowed("MIT OR GPL-3.0", &allowed) && is_allowed("MIT/Apache-2.0", &allowed));
        assert!(!is_allowed("MIT AND GPL-3.0", &allowed) && !is_allowed("none named", &allowed));
    }
}
