//! Ed25519 keys as JSON Web Keys (RFC 7517, RFC 8037): the private one that signs, and the published set that verifies.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::SigningKey as Ed25519Key;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The text is no Ed25519 key in JWK form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is no Ed25519 JWK: {0}")]
pub struct BadJwk(&'static str);

impl BadJwk {
    pub(crate) const EMPTY: Self = Self("there is none");
}

/// A public key as it stands in the JWKS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PublicJwk {
    pub kty: String,
    pub crv: String,
    pub x: String,
    pub kid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
}

/// The published set of keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Jwks {
    pub keys: Vec<PublicJwk>,
}

#[derive(Serialize, Deserialize)]
struct PrivateJwk {
    #[serde(flatten)]
    public: PublicJwk,
    d: String,
}

/// The key that signs access tokens. Its `Debug` shows the `kid` only.
#[derive(Clone)]
pub struct SigningKey {
    public: PublicJwk,
    seed: [u8; 32],
    encoding: EncodingKey,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.public.kid)
    }
}

/// PKCS #8 wrapping of an Ed25519 seed (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

impl SigningKey {
    /// The key of 32 random bytes; its `kid` is its thumbprint (RFC 7638).
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let x = URL_SAFE_NO_PAD.encode(Ed25519Key::from_bytes(&seed).verifying_key().as_bytes());
        let kid = URL_SAFE_NO_PAD.encode(Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)));
        Self::with_kid(seed, x, kid)
    }

    fn with_kid(seed: [u8; 32], x: String, kid: String) -> Self {
        let public = PublicJwk {
            kty: "OKP".into(),
            crv: "Ed25519".into(),
            x,
            kid,
            alg: Some("EdDSA".into()),
            usage: Some("sig".into()),
        };
        let encoding = EncodingKey::from_ed_der(&[PKCS8_PREFIX.as_slice(), &seed].concat());
        Self { public, seed, encoding }
    }

    /// # Errors
    /// When the text is no private Ed25519 JWK whose `x` belongs to its `d`.
    pub fn from_jwk(json: &str) -> Result<Self, BadJwk> {
        let jwk: PrivateJwk = serde_json::from_str(json).map_err(|_| BadJwk("not a private JWK"))?;
        if jwk.public.kty != "OKP" || jwk.public.crv != "Ed25519" {
            return Err(BadJwk("`kty` must be OKP and `crv` Ed25519"));
        }
        let seed = URL_SAFE_NO_PAD
            .decode(&jwk.d)
            .ok()
            .and_then(|bytes| bytes.try_into().ok());
        let seed: [u8; 32] = seed.ok_or(BadJwk("`d` must be 32 bytes of base64url"))?;
        let x = URL_SAFE_NO_PAD.encode(Ed25519Key::from_bytes(&seed).verifying_key().as_bytes());
        if x != jwk.public.x {
            return Err(BadJwk("`x` is not the public key of `d`"));
        }
        Ok(Self::with_kid(seed, x, jwk.public.kid))
    }

    /// The private key as JSON, for the file that only its owner reads.
    pub fn to_jwk(&self) -> String {
        let jwk = PrivateJwk {
            public: self.public.clone(),
            d: URL_SAFE_NO_PAD.encode(self.seed),
        };
        serde_json::to_string(&jwk).unwrap_or_default()
    }

    pub fn public(&self) -> &PublicJwk {
        &self.public
    }

    /// Signs claims as a JWT with the given `typ`.
    ///
    /// # Errors
    /// Only when the claims don't serialise.
    pub fn sign<C: Serialize>(&self, typ: &str, claims: &C) -> Result<String, jsonwebtoken::errors::Error> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(typ.to_owned());
        header.kid = Some(self.public.kid.clone());
        jsonwebtoken::encode(&header, claims, &self.encoding)
    }
}

/// The keys that tokens are verified with: those of the JWKS that are Ed25519, by `kid`.
#[derive(Clone, Default)]
pub struct KeySet {
    keys: Vec<(String, DecodingKey)>,
}

impl KeySet {
    pub fn from_jwks(jwks: &Jwks) -> Self {
        let ours = jwks.keys.iter().filter(|key| key.kty == "OKP" && key.crv == "Ed25519");
        let decoded = ours.filter_map(|key| Some((key.kid.clone(), DecodingKey::from_ed_components(&key.x).ok()?)));
        Self {
            keys: decoded.collect(),
        }
    }

    pub fn get(&self, kid: &str) -> Option<&DecodingKey> {
        self.keys.iter().find(|(known, _)| known == kid).map(|(_, key)| key)
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_key_survives_its_json() {
        let key = SigningKey::from_seed([7; 32]);
        let again = SigningKey::from_jwk(&key.to_jwk()).unwrap();
        assert_eq!(again.public(), key.public());
        assert!(!format!("{key:?}").contains(&URL_SAFE_NO_PAD.encode([7u8; 32])));
    }

    #[test]
    fn the_thumbprint_is_that_of_rfc_8037_appendix_a_3() {
        let seed = URL_SAFE_NO_PAD
            .decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
            .unwrap();
        let key = SigningKey::from_seed(seed.try_into().unwrap());
        assert_eq!(key.public().x, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(key.public().kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }
}
