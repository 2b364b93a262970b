//! The bodies of `/auth` (contract, section 2). They stand here because edge-auth reads and writes them and the API's
//! description shows them, and neither may depend on the other.

use common::{
    SessionId, Timestamp, UserId,
    room::{AccountRole, User},
    text::{DeviceName, DisplayName, Password, Typed, Username},
    token::Scope,
};
use serde::{Deserialize, Serialize};

/// How a session's refresh token reaches its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = TokenDelivery))]
#[serde(rename_all = "camelCase")]
pub enum Delivery {
    /// As a cookie that no script sees.
    #[default]
    Cookie,
    /// In the answer, for programs.
    Body,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RegisterBody {
    pub username: Username,
    pub password: Password,
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub display_name: Option<DisplayName>,
    #[serde(default)]
    pub token_delivery: Delivery,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct LoginBody {
    pub username: Typed,
    pub password: Typed,
    /// What the person calls the device.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub device: Option<DeviceName>,
    #[serde(default)]
    pub token_delivery: Delivery,
    /// A part of the account's scopes, for programs that only read; all of them unless given.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub scopes: Option<Vec<Scope>>,
}

/// The refresh token of a program; a browser's comes as a cookie.
#[derive(Debug, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RefreshBody {
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub refresh_token: Option<Typed>,
}

/// A login's answer.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Session {
    pub user: User,
    pub access_token: String,
    /// `Bearer`.
    pub token_type: &'static str,
    /// Seconds that the access token is good for.
    pub expires_in: u64,
    /// Only where the request asked for it in the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub refresh_token: Option<String>,
}

/// What a good access token says.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Verified {
    pub sub: UserId,
    pub sid: SessionId,
    pub role: AccountRole,
    pub scopes: Vec<Scope>,
    /// Seconds since the epoch.
    pub exp: i64,
}

/// One of the caller's own sessions.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct OwnSession {
    pub sid: SessionId,
    /// As it was called at the login.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub device: Option<DeviceName>,
    pub created_at: Timestamp,
    /// When it was refreshed last.
    pub last_seen_at: Timestamp,
    /// It is the one that asks.
    pub current: bool,
}

/// The last used first.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OwnSessions {
    pub items: Vec<OwnSession>,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PasswordBody {
    pub current_password: Typed,
    pub new_password: Password,
}
