//! Accounts, sessions and the chain of their refresh tokens.

use common::{
    SessionId, UserId, limits,
    room::{AccountRole, User},
    text::{DisplayName, Username},
    token::Scope,
};
use db_api::{Call, Refusal, types::*};

use super::{
    Model, actor,
    state::{Account, Session, State},
};

impl Model {
    pub(super) async fn do_register(&self, request: Register) -> Result<SessionGrant, Refusal> {
        let id = UserId(self.id());
        let mut state = self.locked().await;
        if state
            .users
            .values()
            .any(|account| account.user.username == request.username)
        {
            return Err(Refusal::conflict("The name is taken."));
        }
        let name = DisplayName::parse(request.username.as_str()).map_err(|_| Refusal::Internal)?;
        let user = User {
            id,
            username: request.username,
            display_name: request.display_name.unwrap_or(name),
        };
        let account = Account {
            user,
            password: request.password.as_str().to_owned(),
        };
        state.users.insert(id, account);
        self.session(&mut state, id, None)
    }

    pub(super) async fn do_login(&self, request: Login) -> Result<SessionGrant, Refusal> {
        let mut state = self.locked().await;
        let name = Username::parse(request.username).map_err(|_| Refusal::InvalidCredentials)?;
        let known = state
            .users
            .values()
            .find(|account| account.user.username == name && account.password == request.password);
        let user = known
            .map(|account| account.user.id)
            .ok_or(Refusal::InvalidCredentials)?;
        self.session(&mut state, user, request.scopes)
    }

    fn session(&self, state: &mut State, user: UserId, scopes: Option<Vec<Scope>>) -> Result<SessionGrant, Refusal> {
        let session_id = SessionId(self.id());
        let session = Session {
            user,
            counter: 0,
            spent: Default::default(),
        };
        state.sessions.insert(session_id, session);
        let grant = self.grant(state, session_id)?;
        Ok(SessionGrant {
            scopes: scopes.unwrap_or(grant.scopes.clone()),
            ..grant
        })
    }

    fn grant(&self, state: &State, session_id: SessionId) -> Result<SessionGrant, Refusal> {
        let session = state.sessions.get(&session_id).ok_or(Refusal::Unauthenticated)?;
        Ok(SessionGrant {
            user: state.user(session.user)?,
            session_id,
            role: AccountRole::User,
            scopes: vec![Scope::Read, Scope::Write],
            refresh_token: format!("{session_id}.{}", session.counter),
            refresh_expires_at: self.now().plus(limits::REFRESH_TOKEN_LIFE),
        })
    }

    pub(super) async fn do_refresh(&self, request: Refresh) -> Result<SessionGrant, Refusal> {
        let (session_id, counter) = parse(&request.refresh_token).ok_or(Refusal::Unauthenticated)?;
        let now = self.now();
        let mut state = self.locked().await;
        let session = state.sessions.get_mut(&session_id).ok_or(Refusal::Unauthenticated)?;
        if counter == session.counter {
            session.spent.insert(counter, (request.idempotency_key, now));
            session.counter += 1;
            return self.grant(&state, session_id);
        }
        let (key, at) = session.spent.get(&counter).cloned().ok_or(Refusal::Unauthenticated)?;
        let same = key == request.idempotency_key;
        let excused = key.is_some() || now.since(at) <= limits::REFRESH_GRACE;
        if same && excused && counter + 1 == session.counter {
            return self.grant(&state, session_id);
        }
        if !(same && key.is_some()) {
            state.sessions.remove(&session_id);
        }
        Err(Refusal::Unauthenticated)
    }

    pub(super) async fn do_logout(&self, call: Call, request: Logout) -> Result<Nothing, Refusal> {
        let by_token = request
            .refresh_token
            .and_then(|token| parse(&token))
            .map(|(session, _)| session);
        let session = by_token.or(call.actor.map(|actor| actor.session_id));
        if let Some(session) = session {
            self.locked().await.sessions.remove(&session);
        }
        Ok(Nothing {})
    }

    pub(super) async fn do_user(&self, call: &Call, user: UserId) -> Result<User, Refusal> {
        actor(call)?;
        self.locked().await.user(user)
    }

    pub(super) async fn do_update_me(&self, call: Call, request: UpdateMe) -> Result<User, Refusal> {
        let user = actor(&call)?.user_id;
        let mut state = self.locked().await;
        let account = state.users.get_mut(&user).ok_or(Refusal::NotFound)?;
        if let Some(name) = request.display_name {
            account.user.display_name = name;
        }
        Ok(account.user.clone())
    }
}

fn parse(token: &str) -> Option<(SessionId, u64)> {
    let (session, counter) = token.split_once('.')?;
    Some((session.parse().ok()?, counter.parse().ok()?))
}
