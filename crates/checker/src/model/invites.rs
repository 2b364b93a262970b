//! Ways into a room for whoever has a code.

use bus::Announcement;
use common::{
    RoomId, Timestamp, UserId,
    event::{Event, MemberChange},
    limits,
    room::{Invite, Page, Role, Room},
};
use db_api::{Answer, Call, Refusal, Reply, types::*};
use serde_json::json;

use super::{Model, actor, members::enter, state::State};

fn still_lets_in(invite: &Invite, now: Timestamp) -> bool {
    invite.expires_at > now && invite.max_uses.is_none_or(|most| invite.uses < most)
}

/// For who may invite.
fn may_invite(state: &State, room: RoomId, by: UserId) -> Result<(), Refusal> {
    if state.room(room)?.acting(by)? < Role::Moderator {
        return Err(Refusal::forbidden("Only owners and moderators invite people."));
    }
    Ok(())
}

impl Model {
    pub(super) async fn do_invites(&self, call: Call, request: Members) -> Reply<Page<Invite>> {
        let by = actor(&call)?.user_id;
        let state = self.locked().await;
        may_invite(&state, request.room_id, by)?;
        let now = self.now();
        let listed = state
            .invites
            .values()
            .filter(|invite| invite.room_id == request.room_id && still_lets_in(invite, now));
        Ok(Answer::read(Page {
            items: listed.cloned().collect(),
            next_cursor: None,
        }))
    }

    pub(super) async fn do_create_invite(&self, call: Call, request: CreateInvite) -> Reply<Invite> {
        let by = actor(&call)?.user_id;
        let life = request.expires_in_seconds.unwrap_or(limits::INVITE_LIFE.as_secs());
        if !(1..=limits::INVITE_LIFE_MAX.as_secs()).contains(&life) {
            return Err(Refusal::invalid("/expiresInSeconds", "is none that an invite has"));
        }
        if request
            .max_uses
            .is_some_and(|uses| !(1..=limits::INVITE_USES).contains(&uses))
        {
            return Err(Refusal::invalid("/maxUses", "is none that an invite has"));
        }
        let code = format!("{}{}", self.id().simple(), self.id().simple());
        let mut state = self.locked().await;
        may_invite(&state, request.room_id, by)?;
        if let Some(earlier) = state.earlier(&call, by)? {
            let standing = earlier.as_str().and_then(|code| state.invites.get(code));
            let standing = standing.cloned().ok_or(Refusal::Gone)?;
            return self.written(standing);
        }
        let invite = Invite {
            code: code.clone(),
            room_id: request.room_id,
            expires_at: self.now().plus(std::time::Duration::from_secs(life)),
            max_uses: request.max_uses,
            uses: 0,
        };
        state.invites.insert(code.clone(), invite.clone());
        state.remember(&call, by, json!(code));
        self.written(invite)
    }

    pub(super) async fn do_withdraw_invite(&self, call: Call, request: NamedInvite) -> Reply<Nothing> {
        let by = actor(&call)?.user_id;
        let mut state = self.locked().await;
        may_invite(&state, request.room_id, by)?;
        let known = state.invites.get(&request.code);
        known
            .filter(|invite| invite.room_id == request.room_id)
            .ok_or(Refusal::NotFound)?;
        state.invites.remove(&request.code);
        self.written(Nothing {})
    }

    pub(super) async fn do_accept_invite(&self, call: Call, request: AcceptInvite) -> Reply<Room> {
        let user = actor(&call)?.user_id;
        let (room, event) = {
            let mut state = self.locked().await;
            let room = match state.earlier(&call, user)? {
                Some(earlier) => (serde_json::from_value(earlier).map_err(|_| Refusal::Internal)?, None),
                None => self.accept(&mut state, &request.code, user)?,
            };
            state.remember(&call, user, json!(room.0));
            (state.room(room.0)?.shown_to(&state, user)?, room.1)
        };
        self.announce(event.into_iter().map(Announcement::event).collect())
            .await;
        self.written(room)
    }

    /// A member stays one and counts no use, also once the invite is over.
    fn accept(&self, state: &mut State, code: &str, user: UserId) -> Result<(RoomId, Option<Event>), Refusal> {
        let now = self.now();
        let invite = state.invites.get(code).cloned().ok_or(Refusal::NotFound)?;
        let room = invite.room_id;
        if state.room(room)?.members.contains_key(&user) {
            return Ok((room, None));
        }
        if !still_lets_in(&invite, now) {
            return Err(Refusal::Gone);
        }
        let event = enter(state, room, user, MemberChange::Joined, user, now)?;
        if let Some(invite) = state.invites.get_mut(code) {
            invite.uses += 1;
        }
        Ok((room, Some(event)))
    }
}
