//! Who may depend on whom. Processes depend on contracts, never on each other; only db-core speaks SQL; Redis is spoken in
//! few places; what runs at the edge stays free of everything native.

use std::collections::BTreeSet;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::run::program;

/// Our crates, and which of ours each may build on.
const ALLOWED: [(&str, &[&str]); 18] = [
    ("common", &[]),
    ("db-api", &["common"]),
    ("db-api-suite", &["common", "db-api", "service"]),
    ("bus", &["common"]),
    ("http-contract", &["common", "db-api"]),
    ("admission", &["common", "db-api", "http-contract"]),
    ("service", &["common", "http-contract"]),
    ("db-client", &["common", "db-api", "service"]),
    (
        "edge-auth",
        &["admission", "common", "db-api", "db-client", "http-contract", "service"],
    ),
    (
        "api-functions",
        &["admission", "common", "db-api", "db-client", "http-contract", "service"],
    ),
    (
        "ws-core",
        &[
            "admission",
            "bus",
            "common",
            "db-api",
            "db-client",
            "http-contract",
            "service",
        ],
    ),
    ("db-core", &["bus", "common", "db-api", "http-contract", "service"]),
    ("local-servers", &[]),
    ("chat-client", &["common", "service"]),
    (
        "checker",
        &[
            "bus",
            "chat-client",
            "common",
            "db-api",
            "db-core",
            "local-servers",
            "service",
            "ws-core",
        ],
    ),
    (
        "stack",
        &[
            "api-functions",
            "bus",
            "common",
            "db-api",
            "db-core",
            "edge-auth",
            "local-servers",
            "service",
            "ws-core",
        ],
    ),
    ("bench", &["chat-client", "common", "local-servers"]),
    ("xtask", &["local-servers"]),
];

/// Crates of others that only these of ours may use directly.
const RESERVED: [(&str, &[&str]); 2] = [
    ("sqlx", &["bench", "checker", "db-core"]),
    ("redis", &["bus", "db-core"]),
];

/// A crate, and what it depends on outside its tests.
type Package = (String, BTreeSet<String>);

/// Every dependency that the rules forbid.
fn forbidden(packages: &[Package]) -> Vec<String> {
    let ours: BTreeSet<&str> = packages.iter().map(|(name, _)| name.as_str()).collect();
    let mut found = Vec::new();
    for (name, dependencies) in packages {
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| known == name) else {
            found.push(format!("{name} has no rule; give it one"));
            continue;
        };
        for dependency in dependencies {
            if ours.contains(dependency.as_str()) && !allowed.contains(&dependency.as_str()) {
                found.push(format!("{name} may not depend on {dependency}"));
            }
            if let Some((_, users)) = RESERVED.iter().find(|(reserved, _)| reserved == dependency)
                && !users.contains(&name.as_str())
            {
                found.push(format!("{name} may not use {dependency}"));
            }
        }
    }
    found
}

fn packages() -> anyhow::Result<Vec<Package>> {
    let arguments = ["metadata", "--format-version", "1", "--no-deps", "--locked"];
    let output = program("cargo", "", &arguments).output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata has no packages")?;
    let package = |package: &Value| -> Option<Package> {
        let dependencies = package["dependencies"].as_array()?.iter();
        let dependencies = dependencies.filter(|dependency| dependency["kind"].as_str() != Some("dev"));
        let names = dependencies.filter_map(|dependency| Some(dependency["name"].as_str()?.to_owned()));
        Some((package["name"].as_str()?.to_owned(), names.collect()))
    };
    packages
        .iter()
        .map(|value| package(value).context("a package without a name"))
        .collect()
}

/// # Errors
/// Names every forbidden dependency.
pub fn check() -> anyhow::Result<()> {
    let found = forbidden(&packages()?);
    if !found.is_empty() {
        bail!("dependencies that the architecture forbids:\n  {}", found.join("\n  "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_keeps_the_rules() {
        check().unwrap();
    }

    #[test]
    fn a_forbidden_dependency_is_found() {
        let package = |name: &str, on: &[&str]| (name.to_owned(), on.iter().map(|name| (*name).to_owned()).collect());
        let packages = [
            package("ws-core", &["db-core", "sqlx", "tokio"]),
            package("db-core", &["sqlx"]),
            package("new", &[]),
        ];
        assert_eq!(
            forbidden(&packages),
            [
                "ws-core may not depend on db-core",
                "ws-core may not use sqlx",
                "new has no rule; give it one"
            ]
        );
    }
}
