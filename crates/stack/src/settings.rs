//! What the services of a development stack are told, alike in every topology.

use std::{net::SocketAddr, path::PathBuf};

use service::{Common, Env};

use crate::Keys;

#[derive(Debug, Clone)]
pub struct Settings {
    /// Of the one origin; 0 for any.
    pub port: u16,
    pub gateways: usize,
    /// db-core beside each other; several only in `split`.
    pub db_cores: usize,
    pub postgres_url: String,
    pub redis_url: Option<String>,
    pub registration: String,
    /// Of one socket.
    pub sends_per_second: u32,
    pub frames_per_second: u32,
    pub web_root: Option<PathBuf>,
}

/// Where the services listen.
#[derive(Debug, Clone)]
pub struct Addresses {
    pub web: SocketAddr,
    pub api: SocketAddr,
    /// Home first.
    pub dbs: Vec<SocketAddr>,
    pub gateways: Vec<SocketAddr>,
}

pub fn origin(address: SocketAddr) -> String {
    format!("http://{address}")
}

impl Settings {
    /// The environment of a service, which its own `Config` reads.
    pub fn environment(&self, name: &str, service_key: &str, keys: &Keys, at: &Addresses) -> Vec<(String, String)> {
        let web = origin(at.web);
        let origins = |addresses: &[SocketAddr]| addresses.iter().copied().map(origin).collect::<Vec<_>>().join(",");
        let mut variables = vec![
            ("CHAT_POD", name.to_owned()),
            (
                "CHAT_ALLOWED_ORIGINS",
                format!("{web},http://localhost:{}", at.web.port()),
            ),
            // The one origin stands before the others and tells them who the client is.
            (
                "CHAT_TRUSTED_PROXIES",
                if name == "edge-auth" {
                    String::new()
                } else {
                    "127.0.0.0/8".into()
                },
            ),
            ("CHAT_DB_CORE_URLS", origins(&at.dbs)),
            ("CHAT_SERVICE_KEY", service_key.to_owned()),
            ("CHAT_JWKS_URL", format!("{web}/.well-known/jwks.json")),
            (
                "CHAT_DOORS",
                format!("edge-auth={web},api-functions={}", origin(at.api)),
            ),
            ("CHAT_ISSUER", web),
            ("CHAT_POSTGRES_URL", self.postgres_url.clone()),
            ("CHAT_REGISTRATION", self.registration.clone()),
            ("CHAT_SERVER_KEY", keys.server.clone()),
            ("CHAT_SERVICE_KEYS", keys.services()),
            ("CHAT_SIGNING_KEY_FILE", keys.signing_file.display().to_string()),
            ("CHAT_API_ORIGINS", origin(at.api)),
            ("CHAT_WS_ORIGINS", origins(&at.gateways)),
            ("CHAT_SENDS_PER_SECOND", self.sends_per_second.to_string()),
            ("CHAT_FRAMES_PER_SECOND", self.frames_per_second.to_string()),
        ];
        variables.extend(self.redis_url.clone().map(|url| ("CHAT_REDIS_URL", url)));
        variables.extend(
            self.web_root
                .as_ref()
                .map(|root| ("CHAT_WEB_ROOT", root.display().to_string())),
        );
        variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

/// The settings that every service has, read as the service itself would.
pub fn common(environment: &[(String, String)]) -> Common {
    Common::read(&mut Env::new(environment.iter().cloned()))
}
