//! Access tokens (contract, section 2): JWTs of the RFC 9068 profile. One function verifies them at every door.

use jsonwebtoken::{Algorithm, Validation, errors::ErrorKind};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Problem, SessionId, Timestamp, UserId,
    jwk::{KeySet, SigningKey},
    limits, octets,
    room::AccountRole,
};

pub const TYP: &str = "at+jwt";
pub const AUDIENCE: &str = "chat";
pub const CLIENT_ID: &str = "chat-web";

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Scope {
    #[serde(rename = "chat:read")]
    Read,
    #[serde(rename = "chat:write")]
    Write,
}

/// The claims of an access token. Times are seconds since the epoch (RFC 7519, NumericDate).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub aud: String,
    pub sub: UserId,
    pub sid: SessionId,
    pub name: String,
    pub role: AccountRole,
    pub scopes: Vec<Scope>,
    pub iat: i64,
    pub exp: i64,
    pub jti: Uuid,
    pub client_id: String,
}

/// A verified caller. Made by [`verify`] alone, or by a service that was called by one that verified.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Actor {
    pub user_id: UserId,
    pub session_id: SessionId,
    pub role: AccountRole,
    pub scopes: Vec<Scope>,
    pub expires_at: Timestamp,
}

impl Actor {
    /// # Errors
    /// `forbidden` when the token was issued without the scope.
    pub fn needs(&self, scope: Scope) -> Result<(), Problem> {
        if self.scopes.contains(&scope) {
            return Ok(());
        }
        let name = match scope {
            Scope::Read => "chat:read",
            Scope::Write => "chat:write",
        };
        Err(Problem::forbidden(format!("The access token lacks the scope {name}.")))
    }
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the token is not one of ours")]
    Bad,
    #[error("the token names a key that is not in the set")]
    UnknownKey,
    #[error("the token has expired")]
    Expired,
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Problem {
        match error {
            TokenError::Bad | TokenError::UnknownKey => Problem::unauthenticated(),
            TokenError::Expired => Problem::token_expired(),
        }
    }
}

/// Signs claims as an access token.
///
/// # Errors
/// Only when the claims don't serialise.
pub fn sign(key: &SigningKey, claims: &Claims) -> Result<String, jsonwebtoken::errors::Error> {
    key.sign(TYP, claims)
}

/// Checks signature, `alg`, `typ`, `iss`, `aud`, `iat` and `exp` with the given keys only; `jwk`, `jku` and `x5u` in
/// the header count for nothing.
///
/// # Errors
/// [`TokenError::UnknownKey`] is worth a look at the JWKS; the others are final.
pub fn verify(keys: &KeySet, issuer: &str, token: &str, now: Timestamp) -> Result<Actor, TokenError> {
    if token.len() > limits::TOKEN_BYTES {
        return Err(TokenError::Bad);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Bad)?;
    let is_critical = has_critical_extension(token);
    let typed = header.typ.as_deref().is_some_and(|typ| typ.eq_ignore_ascii_case(TYP));
    if header.alg != Algorithm::EdDSA || !typed || is_critical {
        return Err(TokenError::Bad);
    }
    let key = keys
        .get(&header.kid.ok_or(TokenError::Bad)?)
        .ok_or(TokenError::UnknownKey)?;
    let Received { claims, nbf } = decode(key, issuer, token)?;
    let skew = limits::CLOCK_SKEW.as_secs() as i64;
    if claims.iat.max(nbf.unwrap_or_default()) > now.seconds() + skew {
        return Err(TokenError::Bad);
    }
    if claims.exp + skew <= now.seconds() {
        return Err(TokenError::Expired);
    }
    Ok(Actor {
        user_id: claims.sub,
        session_id: claims.sid,
        role: claims.role,
        scopes: claims.scopes,
        expires_at: Timestamp::from_seconds(claims.exp),
    })
}

/// Claims as they come: we never say `nbf`, but who signs with our keys may.
#[derive(Deserialize)]
struct Received {
    #[serde(flatten)]
    claims: Claims,
    nbf: Option<i64>,
}

/// An extension that has to be understood (RFC 7515, section 4.1.11): we know none, and the library does not look.
fn has_critical_extension(token: &str) -> bool {
    #[derive(Deserialize)]
    struct Header {
        crit: Option<serde::de::IgnoredAny>,
    }
    let header = token.split('.').next().and_then(|header| octets::decode(header).ok());
    let header = header.and_then(|json| serde_json::from_slice::<Header>(&json).ok());
    header.is_none_or(|header| header.crit.is_some())
}

fn decode(key: &jsonwebtoken::DecodingKey, issuer: &str, token: &str) -> Result<Received, TokenError> {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[AUDIENCE]);
    // The clock is an argument, so the library must not look at one.
    validation.validate_exp = false;
    validation.required_spec_claims = ["iss", "aud", "exp", "sub"].map(String::from).into();
    jsonwebtoken::decode::<Received>(token, key, &validation)
        .map(|data| data.claims)
        .map_err(|error| match error.kind() {
            ErrorKind::ExpiredSignature => TokenError::Expired,
            _ => TokenError::Bad,
        })
}

/// The token of an `Authorization: Bearer …` header (RFC 6750, section 2.1).
pub fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    let token = token.trim_start_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwk::Jwks;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn claims() -> Claims {
        Claims {
            iss: "http://issuer".into(),
            aud: AUDIENCE.into(),
            sub: UserId(Uuid::from_u128(1)),
            sid: SessionId(Uuid::from_u128(2)),
            name: "Ada".into(),
            role: AccountRole::User,
            scopes: vec![Scope::Read, Scope::Write],
            iat: NOW.seconds(),
            exp: NOW.seconds() + 600,
            jti: Uuid::from_u128(3),
            client_id: CLIENT_ID.into(),
        }
    }

    fn key() -> SigningKey {
        SigningKey::from_seed([1; 32])
    }

    fn check(claims: &Claims) -> Result<Actor, TokenError> {
        let keys = KeySet::from_jwks(&Jwks {
            keys: vec![key().public().clone()],
        });
        verify(&keys, "http://issuer", &sign(&key(), claims).unwrap(), NOW)
    }

    #[test]
    fn a_good_token_names_its_actor() {
        let actor = check(&claims()).unwrap();
        assert_eq!(actor.user_id, claims().sub);
        assert_eq!(actor.expires_at, NOW.plus(std::time::Duration::from_secs(600)));
    }

    #[test]
    fn each_claim_is_looked_at() {
        assert_eq!(
            check(&Claims {
                iss: "http://other".into(),
                ..claims()
            }),
            Err(TokenError::Bad)
        );
        assert_eq!(
            check(&Claims {
                aud: "other".into(),
                ..claims()
            }),
            Err(TokenError::Bad)
        );
        assert_eq!(
            check(&Claims {
                iat: NOW.seconds() + 60,
                ..claims()
            }),
            Err(TokenError::Bad)
        );
        assert_eq!(
            check(&Claims {
                exp: NOW.seconds() - 5,
                ..claims()
            }),
            Err(TokenError::Expired)
        );
        assert!(
            check(&Claims {
                exp: NOW.seconds() - 4,
                ..claims()
            })
            .is_ok(),
            "clocks may differ by 5 s"
        );
    }

    #[test]
    fn other_types_keys_and_algorithms_are_refused() {
        let keys = KeySet::from_jwks(&Jwks {
            keys: vec![key().public().clone()],
        });
        let check = |token: &str| verify(&keys, "http://issuer", token, NOW);
        assert_eq!(check(&key().sign("JWT", &claims()).unwrap()), Err(TokenError::Bad));
        let stranger = SigningKey::from_seed([2; 32]);
        assert_eq!(check(&sign(&stranger, &claims()).unwrap()), Err(TokenError::UnknownKey));
        let mut tampered = sign(&key(), &claims()).unwrap();
        tampered.replace_range(tampered.len() - 4.., "AAAA");
        assert_eq!(check(&tampered), Err(TokenError::Bad));
        for noise in ["", "a.b.c", "eyJhbGciOiJub25lIn0..", &"x".repeat(5_000)] {
            assert_eq!(check(noise), Err(TokenError::Bad));
        }
    }

    #[derive(Deserialize)]
    struct Vectors {
        now: i64,
        issuer: String,
        jwks: Jwks,
        tokens: Vec<Vector>,
    }

    #[derive(Deserialize)]
    struct Vector {
        name: String,
        expect: String,
        token: String,
    }

    /// Made by another implementation: `e2e/token-vectors.mjs`.
    #[test]
    fn what_others_signed_and_forged_is_told_apart() {
        let vectors: Vectors = serde_json::from_str(include_str!("../vectors/access-tokens.json")).unwrap();
        let (keys, now) = (KeySet::from_jwks(&vectors.jwks), Timestamp::from_seconds(vectors.now));
        let told = |token: &str| match verify(&keys, &vectors.issuer, token, now) {
            Ok(_) => "ok",
            Err(TokenError::Bad) => "bad",
            Err(TokenError::UnknownKey) => "unknown-key",
            Err(TokenError::Expired) => "expired",
        };
        let wrong: Vec<String> = vectors
            .tokens
            .iter()
            .filter(|vector| told(&vector.token) != vector.expect)
            .map(|vector| format!("{}: {}, not {}", vector.name, told(&vector.token), vector.expect))
            .collect();
        assert!(vectors.tokens.len() > 70 && wrong.is_empty(), "{wrong:#?}");
    }
}
