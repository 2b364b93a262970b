//! What a login is answered with: an access token, and the refresh token on the way that was asked for.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use common::{
    Problem, limits,
    token::{self, Actor, CLIENT_ID, Claims},
};
use db_api::{Answer, types::SessionGrant};
use http::{HeaderMap, StatusCode, header};
use http_contract::{
    Refused,
    auth::{Delivery, Session},
    headers,
};

use crate::{Edge, cookie};

impl Edge {
    /// A good token of a session that goes on.
    ///
    /// # Errors
    /// `unauthenticated` or `token-expired`; `unavailable` while it is not known which sessions were ended.
    pub(crate) async fn admit(&self, token: &str) -> Result<Actor, Problem> {
        let actor = self.verify(token)?;
        self.admission.admit(&actor).await?;
        Ok(actor)
    }

    /// A good token, of a session that may have been ended.
    ///
    /// # Errors
    /// `unauthenticated` or `token-expired`.
    pub(crate) fn verify(&self, token: &str) -> Result<Actor, Problem> {
        Ok(token::verify(&self.signing().keys, &self.issuer, token, self.now())?)
    }

    pub(crate) fn session(
        &self,
        status: StatusCode,
        granted: Answer<SessionGrant>,
        delivery: Delivery,
        headers: &HeaderMap,
    ) -> Result<Response, Refused> {
        let (grant, seen) = (granted.value, granted.seen);
        let signing = self.signing();
        let key = signing.ring.signing(self.now());
        let access_token = token::sign(key, &self.claims(&grant)).map_err(|_| Problem::internal())?;
        let set_cookie = match delivery {
            Delivery::Body => None,
            Delivery::Cookie => cookie::set(&grant.refresh_token, cookie::is_secure(self.secure_cookies, headers)),
        };
        let session = Session {
            user: grant.user,
            access_token,
            token_type: "Bearer",
            expires_in: limits::ACCESS_TOKEN_LIFE.as_secs(),
            refresh_token: (delivery == Delivery::Body).then_some(grant.refresh_token),
        };
        let mut response = (status, Json(session)).into_response();
        response
            .headers_mut()
            .extend(set_cookie.map(|cookie| (header::SET_COOKIE, cookie)));
        headers::tell_seen(response.headers_mut(), seen);
        Ok(response)
    }

    fn claims(&self, grant: &SessionGrant) -> Claims {
        let now = self.now();
        Claims {
            iss: self.issuer.clone(),
            aud: token::AUDIENCE.to_owned(),
            sub: grant.user.id,
            sid: grant.session_id,
            name: grant.user.display_name.as_str().to_owned(),
            role: grant.role,
            scopes: grant.scopes.clone(),
            iat: now.seconds(),
            exp: now.plus(limits::ACCESS_TOKEN_LIFE).seconds(),
            jti: (self.source.id)(),
            client_id: CLIENT_ID.to_owned(),
        }
    }
}
