//! Accounts, sessions and the chain of their refresh tokens.

use common::{
    SessionId, UserId, limits,
    revocation::RevocationList,
    room::{AccountRole, User},
    text::{DeviceName, DisplayName, Username},
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
        self.session(&mut state, id, None, request.device)
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
        self.session(&mut state, user, request.scopes, request.device)
    }

    fn session(
        &self,
        state: &mut State,
        user: UserId,
        scopes: Option<Vec<Scope>>,
        device: Option<DeviceName>,
    ) -> Result<SessionGrant, Refusal> {
        let (session_id, now) = (SessionId(self.id()), self.now());
        let session = Session {
            user,
            device,
            created_at: now,
            last_seen_at: now,
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
            session.last_seen_at = now;
            return self.grant(&state, session_id);
        }
        let (key, at) = session.spent.get(&counter).cloned().ok_or(Refusal::Unauthenticated)?;
        let same = key == request.idempotency_key;
        let excused = key.is_some() || now.since(at) <= limits::REFRESH_GRACE;
        if same && excused && counter + 1 == session.counter {
            return self.grant(&state, session_id);
        }
        let user = session.user;
        if !(same && key.is_some()) {
            state.end_session(user, session_id);
        }
        Err(Refusal::Unauthenticated)
    }

    pub(super) async fn do_logout(&self, call: Call, request: Logout) -> Result<Nothing, Refusal> {
        let by_token = request.refresh_token.and_then(|token| parse(&token));
        let session = by_token
            .map(|(session, _)| session)
            .or(call.actor.map(|actor| actor.session_id));
        let mut state = self.locked().await;
        let known = session.and_then(|session| Some((session, state.sessions.get(&session)?.user)));
        if let Some((session, user)) = known {
            state.end_session(user, session);
        }
        Ok(Nothing {})
    }

    pub(super) async fn do_sessions(&self, call: Call) -> Result<SessionList, Refusal> {
        let user = actor(&call)?.user_id;
        let state = self.locked().await;
        let own = state.sessions.iter().filter(|(_, session)| session.user == user);
        let mut items: Vec<SessionEntry> = own
            .map(|(id, session)| SessionEntry {
                session_id: *id,
                device: session.device.clone(),
                created_at: session.created_at,
                last_seen_at: session.last_seen_at,
            })
            .collect();
        items.sort_by_key(|session| (std::cmp::Reverse(session.last_seen_at), session.session_id));
        Ok(SessionList { items })
    }

    pub(super) async fn do_end_session(&self, call: Call, request: EndSession) -> Result<Nothing, Refusal> {
        let user = actor(&call)?.user_id;
        match self.locked().await.end_session(user, request.session_id) {
            true => Ok(Nothing {}),
            false => Err(Refusal::NotFound),
        }
    }

    pub(super) async fn do_change_password(&self, call: Call, request: ChangePassword) -> Result<Nothing, Refusal> {
        let actor = actor(&call)?;
        let mut state = self.locked().await;
        let account = state.users.get_mut(&actor.user_id).ok_or(Refusal::Unauthenticated)?;
        if account.password != request.current_password {
            return Err(Refusal::InvalidCredentials);
        }
        account.password = request.new_password.into_string();
        let others = |(id, session): (&SessionId, &Session)| {
            (session.user == actor.user_id && *id != actor.session_id).then_some(*id)
        };
        let others: Vec<SessionId> = state.sessions.iter().filter_map(others).collect();
        for session in others {
            state.end_session(actor.user_id, session);
        }
        Ok(Nothing {})
    }

    /// By the wall clock, as it is by that one that doors find a list old.
    pub(super) async fn do_revocations(&self) -> RevocationList {
        let ended: Vec<SessionId> = self.locked().await.ended.keys().copied().collect();
        RevocationList::new(1, service::minted::now(), &ended)
    }

    pub(super) async fn do_is_revoked(&self, session: SessionId) -> Revoked {
        let revoked = self.locked().await.ended.contains_key(&session);
        Revoked { revoked, timeline: 1 }
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
