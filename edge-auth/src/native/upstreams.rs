//! The services behind the gate, and whose turn it is.

use std::{
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::uri::Authority;

/// Host and port of a service on the private network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(Authority);

impl Origin {
    pub fn authority(&self) -> &Authority {
        &self.0
    }
}

/// The text is no origin that requests can be passed on to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be http://host:port")]
pub struct BadOrigin;

impl FromStr for Origin {
    type Err = BadOrigin;

    fn from_str(text: &str) -> Result<Self, BadOrigin> {
        let authority = text.strip_prefix("http://").ok_or(BadOrigin)?;
        let authority: Authority = authority.parse().map_err(|_| BadOrigin)?;
        if authority.port_u16().is_none() || authority.host().is_empty() || authority.as_str().contains('@') {
            return Err(BadOrigin);
        }
        Ok(Self(authority))
    }
}

/// Where requests go, in turn.
#[derive(Clone)]
pub struct Upstreams {
    origins: Arc<[Origin]>,
    next: Arc<AtomicUsize>,
}

impl Upstreams {
    pub fn new(origins: &[Origin]) -> Self {
        Self {
            origins: origins.into(),
            next: Arc::default(),
        }
    }

    /// All of them, beginning with the one whose turn it is.
    pub fn in_turn(&self) -> impl Iterator<Item = &Authority> {
        let from = self.next.fetch_add(1, Ordering::Relaxed);
        let count = self.origins.len();
        (0..count).map(move |step| self.origins[from.wrapping_add(step) % count].authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_strictly() {
        for good in [
            "http://127.0.0.1:80",
            "http://[::1]:8080",
            "http://ws-core-0.ws-core:8080",
        ] {
            assert!(good.parse::<Origin>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "127.0.0.1:80",
            "https://a:1",
            "http://a",
            "http://:1",
            "http://a:1/",
            "http://a:1/x",
            "http://u@a:1",
            "http://a:99999",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }

    #[test]
    fn each_has_its_turn() {
        let origins: Vec<Origin> = ["http://a:1", "http://b:1"].map(|text| text.parse().unwrap()).into();
        let upstreams = Upstreams::new(&origins);
        let order = || upstreams.in_turn().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(order(), ["a:1", "b:1"]);
        assert_eq!(order(), ["b:1", "a:1"]);
        assert_eq!(Upstreams::new(&[]).in_turn().count(), 0);
    }
}
