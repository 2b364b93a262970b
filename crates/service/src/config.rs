//! Configuration from environment variables, read through an argument. Every fault is collected and told by name before a
//! port is bound.

use std::{collections::HashMap, fmt, net::SocketAddr, path::PathBuf, str::FromStr};

use common::key_list::KeyList;
use ipnet::IpNet;

/// What is wrong with the configuration, one line a variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<String>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration is not usable:\n  {}", self.0.join("\n  "))
    }
}

/// The variables, and the faults found in them so far.
pub struct Env {
    variables: HashMap<String, String>,
    faults: Vec<String>,
}

impl Env {
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            variables: variables.into_iter().collect(),
            faults: Vec::new(),
        }
    }

    /// The process's own environment, without what is no text: no setting of ours is.
    pub fn of_process() -> Self {
        Self::new(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    /// Notes what is wrong with a variable.
    pub fn fault(&mut self, name: &str, what: impl fmt::Display) {
        self.faults.push(format!("{name}: {what}"));
    }

    /// The variable `name`, or the content of the file that `name_FILE` names: the way for secrets.
    pub fn text(&mut self, name: &str) -> Option<String> {
        if let Some(text) = self.variables.get(name).filter(|text| !text.is_empty()) {
            return Some(text.clone());
        }
        let file_name = format!("{name}_FILE");
        let path = self.variables.get(&file_name).cloned()?;
        match std::fs::read_to_string(&path) {
            Ok(text) => Some(text.trim().to_owned()),
            Err(error) => {
                self.fault(&file_name, format!("cannot read {path}: {error}"));
                None
            }
        }
    }

    /// The file that `name_FILE` names, where that is what counts.
    pub fn file_of(&self, name: &str) -> Option<PathBuf> {
        let given = |name: &str| self.variables.get(name).filter(|text| !text.is_empty());
        match given(name) {
            Some(_) => None,
            None => given(&format!("{name}_FILE")).map(PathBuf::from),
        }
    }

    pub fn required(&mut self, name: &str) -> String {
        let faults = self.faults.len();
        self.text(name).unwrap_or_else(|| {
            if self.faults.len() == faults {
                self.fault(name, "is missing");
            }
            String::new()
        })
    }

    /// A value with a default.
    pub fn parsed<T: FromStr<Err: fmt::Display>>(&mut self, name: &str, default: T) -> T {
        match self.text(name).map(|text| text.parse()) {
            None => default,
            Some(Ok(value)) => value,
            Some(Err(error)) => {
                self.fault(name, error);
                default
            }
        }
    }

    /// A comma list, empty unless given.
    pub fn list<T: FromStr<Err: fmt::Display>>(&mut self, name: &str) -> Vec<T> {
        let text = self.text(name).unwrap_or_default();
        let mut values = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match part.parse() {
                Ok(value) => values.push(value),
                Err(error) => self.fault(name, format!("`{part}`: {error}")),
            }
        }
        values
    }

    /// A comma list of at least one.
    pub fn some<T: FromStr<Err: fmt::Display>>(&mut self, name: &str) -> Vec<T> {
        let faults = self.faults.len();
        let values = self.list(name);
        if values.is_empty() && self.faults.len() == faults {
            self.fault(name, "is missing");
        }
        values
    }

    /// One of several words.
    pub fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)], default: T) -> T {
        let Some(text) = self.text(name) else { return default };
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return *value;
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        self.fault(name, format!("must be one of {}", known.join(", ")));
        default
    }

    /// Keys of 32 bytes in base64url without padding: `KEY`, or `KEY:KEY…`, of which the first makes.
    pub fn keys(&mut self, name: &str) -> KeyList {
        let keys = self.parsed_with(name, str::parse);
        // Never used: without a key there is a fault, and no configuration.
        keys.unwrap_or_else(|| KeyList::from([0; 32]))
    }

    /// What a parser of the caller's says of a required text.
    pub fn parsed_with<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = self.required(name);
        if text.is_empty() {
            return None;
        }
        parse(&text).map_err(|what| self.fault(name, what)).ok()
    }

    /// # Errors
    /// All faults at once.
    pub fn finish(self) -> Result<(), Faults> {
        if self.faults.is_empty() {
            Ok(())
        } else {
            Err(Faults(self.faults))
        }
    }
}

/// What every service is told.
#[derive(Debug, Clone)]
pub struct Common {
    pub listen: SocketAddr,
    pub metrics_listen: SocketAddr,
    pub pod: String,
    /// Only these may say in `X-Forwarded-For` who the client is.
    pub trusted_proxies: Vec<IpNet>,
    pub allowed_origins: Vec<String>,
}

impl Common {
    pub fn read(env: &mut Env) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            listen: env.parsed("CHAT_LISTEN", any),
            metrics_listen: env.parsed("CHAT_METRICS_LISTEN", any),
            pod: env
                .text("CHAT_POD")
                .or_else(|| env.text("HOSTNAME"))
                .unwrap_or_else(|| "local".into()),
            trusted_proxies: env.list("CHAT_TRUSTED_PROXIES"),
            allowed_origins: env.list("CHAT_ALLOWED_ORIGINS"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_told_by_name() {
        let variables = [("A", "x"), ("C", "short"), ("E", "up"), ("F_FILE", "/nowhere/at/all")];
        let mut env = Env::new(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let _: u16 = env.parsed("A", 1);
        env.required("B");
        env.keys("C");
        env.word("E", &[("on", true), ("off", false)], true);
        env.required("F");
        let Err(Faults(faults)) = env.finish() else {
            panic!("took a broken configuration")
        };
        let names: Vec<&str> = faults.iter().filter_map(|fault| fault.split(':').next()).collect();
        assert_eq!(names, ["A", "B", "C", "E", "F_FILE"]);
    }
}
