//! How a service proves to db-core who it is, and db-core to a service: a short-lived JWT under a key that only the two of
//! them hold.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::{Timestamp, key_list::KeyList, limits};

const CORE: &str = "db-core";

/// Who may call db-core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    EdgeAuth,
    ApiFunctions,
    WsCore,
}

impl Service {
    pub const ALL: [Service; 3] = [Service::EdgeAuth, Service::ApiFunctions, Service::WsCore];

    pub const fn as_str(self) -> &'static str {
        match self {
            Service::EdgeAuth => "edge-auth",
            Service::ApiFunctions => "api-functions",
            Service::WsCore => "ws-core",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.as_str() == name)
    }
}

/// What one service shares with db-core.
#[derive(Debug, Clone)]
pub struct ServiceKey(KeyList);

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    aud: String,
    exp: i64,
}

impl ServiceKey {
    pub fn new(keys: impl Into<KeyList>) -> Self {
        Self(keys.into())
    }

    /// A token of a service for db-core, good for [`limits::SERVICE_TOKEN_LIFE`] from `now`.
    ///
    /// # Errors
    /// Only when the claims don't serialise.
    pub fn issue(&self, service: Service, now: Timestamp) -> Result<String, jsonwebtoken::errors::Error> {
        self.sign(service.as_str(), CORE, now)
    }

    /// A token of db-core for a service, good for as long.
    ///
    /// # Errors
    /// Only when the claims don't serialise.
    pub fn issue_to(&self, service: Service, now: Timestamp) -> Result<String, jsonwebtoken::errors::Error> {
        self.sign(CORE, service.as_str(), now)
    }

    /// Whether the token was made with this key, by `service` for db-core, and is still good.
    pub fn verifies(&self, token: &str, service: Service, now: Timestamp) -> bool {
        self.is_good(token, service.as_str(), CORE, now)
    }

    /// Whether the token was made with this key, by db-core for `service`, and is still good.
    pub fn verifies_core(&self, token: &str, service: Service, now: Timestamp) -> bool {
        self.is_good(token, CORE, service.as_str(), now)
    }

    fn sign(&self, from: &str, to: &str, now: Timestamp) -> Result<String, jsonwebtoken::errors::Error> {
        let claims = Claims {
            sub: from.to_owned(),
            aud: to.to_owned(),
            exp: now.plus(limits::SERVICE_TOKEN_LIFE).seconds(),
        };
        let key = EncodingKey::from_secret(self.0.present());
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)
    }

    fn is_good(&self, token: &str, from: &str, to: &str, now: Timestamp) -> bool {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[to]);
        validation.validate_exp = false;
        let skew = limits::CLOCK_SKEW.as_secs() as i64;
        self.0.all().any(|key| {
            jsonwebtoken::decode::<Claims>(token, &DecodingKey::from_secret(key), &validation)
                .is_ok_and(|data| data.claims.sub == from && data.claims.exp + skew > now.seconds())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_service_and_time_only() {
        let (key, now) = (ServiceKey::new([1; 32]), Timestamp(1_000_000_000));
        let token = key.issue(Service::WsCore, now).unwrap();
        assert!(key.verifies(&token, Service::WsCore, now));
        assert!(!key.verifies(&token, Service::EdgeAuth, now));
        assert!(!key.verifies_core(&token, Service::WsCore, now));
        let of_core = key.issue_to(Service::WsCore, now).unwrap();
        assert!(key.verifies_core(&of_core, Service::WsCore, now));
        assert!(!key.verifies_core(&of_core, Service::EdgeAuth, now));
        assert!(!key.verifies(&of_core, Service::WsCore, now));
        assert!(!ServiceKey::new([2; 32]).verifies(&token, Service::WsCore, now));
        assert!(!key.verifies(&token, Service::WsCore, now.plus(std::time::Duration::from_secs(66))));
    }
}
