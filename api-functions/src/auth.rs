//! What the one origin answers besides `/api`: accounts, sessions and keys (contract, section 2). edge-auth serves it; the
//! description of the whole stands here, so that a client has one document to be made from.

#![allow(dead_code, reason = "it describes what edge-auth serves")]

use common::{SessionId, jwk::Jwks};
use http_contract::auth::{LoginBody, OwnSessions, PasswordBody, RefreshBody, RegisterBody, Session, Verified};

use crate::openapi::{Entering, ProblemBody, Reading, Verifying};

/// Makes an account, and a first session of it.
#[utoipa::path(post, path = "/auth/register", tag = "auth", security(()), request_body = RegisterBody,
    responses(
        (status = 201, body = Session, headers(("set-cookie" = String, description = "The refresh token, unless it is wanted in the body"))),
        (status = 409, description = "`conflict`: the name is taken", body = ProblemBody, content_type = "application/problem+json"),
        Entering))]
fn register() {}

/// A session of an account.
#[utoipa::path(post, path = "/auth/login", tag = "auth", security(()), request_body = LoginBody,
    responses(
        (status = 200, body = Session, headers(("set-cookie" = String, description = "The refresh token, unless it is wanted in the body"))),
        (status = 401, description = "`invalid-credentials`", body = ProblemBody, content_type = "application/problem+json"),
        Entering))]
fn login() {}

/// Spends a refresh token for the next one, which is delivered as this one came.
#[utoipa::path(post, path = "/auth/refresh", tag = "auth", security(("refresh" = []), ()), request_body = RefreshBody,
    params(("Idempotency-Key" = Option<String>, Header,
        description = "Unguessable, of this token alone: a lost answer is asked for again with the key of the first try")),
    responses(
        (status = 200, body = Session, headers(("set-cookie" = String, description = "The next refresh token, if this one came as a cookie"))),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        Entering))]
fn refresh() {}

/// Ends the session of a refresh token or of an access token; also when it has ended already.
#[utoipa::path(post, path = "/auth/logout", tag = "auth", security(("refresh" = []), ("bearer" = []), ()),
    request_body = RefreshBody,
    responses(
        (status = 204, headers(("set-cookie" = String, description = "Takes the cookie away"))),
        (status = 401, description = "`unauthenticated`, `token-expired`", body = ProblemBody, content_type = "application/problem+json"),
        Entering))]
fn logout() {}

/// What my access token says.
#[utoipa::path(get, path = "/auth/verify", tag = "auth", responses((status = 200, body = Verified), Verifying))]
fn verify() {}

/// The public keys of access tokens (RFC 7517); they may be kept for five minutes.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "auth", security(()), responses((status = 200, body = Jwks)))]
fn published_keys() {}

/// My sessions that go on.
#[utoipa::path(get, path = "/auth/sessions", tag = "auth", responses((status = 200, body = OwnSessions), Reading))]
fn sessions() {}

/// Ends one of my sessions; again is no error.
#[utoipa::path(delete, path = "/auth/sessions/{sid}", tag = "auth", params(("sid" = SessionId, Path)),
    responses((status = 204), (status = 404, body = ProblemBody, content_type = "application/problem+json"), Reading))]
fn end_session() {}

/// Changes my password and ends my other sessions.
#[utoipa::path(post, path = "/auth/password", tag = "auth", request_body = PasswordBody,
    responses(
        (status = 204),
        (status = 401, description = "`invalid-credentials`, `unauthenticated`, `token-expired`", body = ProblemBody, content_type = "application/problem+json"),
        Entering))]
fn change_password() {}
