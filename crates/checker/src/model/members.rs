//! Who is in a room; each change is judged and logged under the lock.

use bus::Announcement;
use common::{
    RoomId, Timestamp, UserId,
    event::{Event, MemberChange},
    frame::NoticeKind,
    room::{Encryption, Member, Page, Role, Room, Visibility},
};
use db_api::{Answer, Call, Refusal, Reply, types::*};
use serde_json::json;

use super::{
    Model, actor,
    rooms::notice,
    state::{Membership, RoomState, State},
};

impl Model {
    pub(super) async fn do_join_room(&self, call: Call, request: InRoom) -> Reply<Room> {
        let user = actor(&call)?.user_id;
        let now = self.now();
        let (room, event) = {
            let mut state = self.locked().await;
            let done = state.earlier(&call, user)?.is_some();
            let room = state.room(request.room_id)?;
            let known = room.members.contains_key(&user);
            let event = match done || known {
                true => None,
                false if room.visibility == Visibility::Private => return Err(Refusal::NotFound),
                false => Some(enter(
                    &mut state,
                    request.room_id,
                    user,
                    MemberChange::Joined,
                    user,
                    now,
                )?),
            };
            state.remember(&call, user, json!({}));
            (state.room(request.room_id)?.shown_to(&state, user)?, event)
        };
        self.announce(event.into_iter().map(Announcement::event).collect())
            .await;
        self.written(room)
    }

    /// Ends a membership: `by` is the member itself, or who may remove it.
    pub(super) async fn end(&self, call: Call, request: InRoomUser, by: UserId) -> Reply<Nothing> {
        let user = request.user_id;
        let event = {
            let mut state = self.locked().await;
            if state.earlier(&call, by)?.is_some() {
                return self.written(Nothing {});
            }
            let room = state.room_mut(request.room_id)?;
            may_end(room, user, by)?;
            room.members.remove(&user);
            if room.encryption == Encryption::Envelope {
                // Who is out holds the keys so far: nothing new may be sealed with them.
                room.min_epoch = room.epoch + 1;
            }
            let change = if user == by {
                MemberChange::Left
            } else {
                MemberChange::Removed
            };
            let event = room.log_member(user, change, None, by);
            state.remember(&call, by, json!({}));
            event
        };
        let removed = Announcement::notice(user, notice(NoticeKind::RoomRemoved, request.room_id));
        self.announce(vec![Announcement::event(event), removed]).await;
        self.written(Nothing {})
    }

    pub(super) async fn do_add_member(&self, call: Call, request: InRoomUser) -> Reply<Made<Member>> {
        let (by, user) = (actor(&call)?.user_id, request.user_id);
        let (made, event) = {
            let mut state = self.locked().await;
            let (created, event) = match state.earlier(&call, by)? {
                Some(earlier) => (earlier == json!(true), None),
                None => {
                    let event = self.add(&mut state, &request, by)?;
                    (event.is_some(), event)
                }
            };
            state.remember(&call, by, json!(created));
            let room = state.room(request.room_id)?;
            room.member(by)?;
            let object = room.listed(&state, user)?;
            (Made { object, created }, event)
        };
        let added = || Announcement::notice(user, notice(NoticeKind::RoomAdded, request.room_id));
        let announcements = event
            .into_iter()
            .flat_map(|event| [Announcement::event(event), added()]);
        self.announce(announcements.collect()).await;
        self.written(made)
    }

    fn add(&self, state: &mut State, request: &InRoomUser, by: UserId) -> Result<Option<Event>, Refusal> {
        let (room, user) = (state.room(request.room_id)?, request.user_id);
        if room.acting(by)? < Role::Moderator {
            return Err(Refusal::forbidden("Only owners and moderators add people."));
        }
        if !state.users.contains_key(&user) {
            return Err(Refusal::invalid("/userId", "names somebody who isn't there"));
        }
        if room.members.contains_key(&user) {
            return Ok(None);
        }
        state.unblocked(by, &[user])?;
        let now = self.now();
        enter(state, request.room_id, user, MemberChange::Added, by, now).map(Some)
    }

    pub(super) async fn do_set_role(&self, call: Call, request: SetRole) -> Reply<Member> {
        let by = actor(&call)?.user_id;
        let (object, event) = {
            let mut state = self.locked().await;
            let room = state.room_mut(request.room_id)?;
            if room.acting(by)? < Role::Owner {
                return Err(Refusal::forbidden("Only owners set roles."));
            }
            let is_last = is_last_owner(room, request.user_id);
            let member = room.members.get_mut(&request.user_id).ok_or(Refusal::NotFound)?;
            let changed = member.role != request.role;
            if changed && is_last {
                return Err(Refusal::conflict("The last owner can't step down."));
            }
            member.role = request.role;
            let event = changed.then(|| room.log_member(request.user_id, MemberChange::Role, Some(request.role), by));
            (state.room(request.room_id)?.listed(&state, request.user_id)?, event)
        };
        self.announce(event.into_iter().map(Announcement::event).collect())
            .await;
        self.written(object)
    }

    pub(super) async fn do_members(&self, call: Call, request: Members) -> Reply<Page<Member>> {
        let user = actor(&call)?.user_id;
        let state = self.locked().await;
        let room = state.room(request.room_id)?;
        room.member(user)?;
        let items = room.members.keys().map(|user| room.listed(&state, *user));
        let items = items.collect::<Result<_, Refusal>>()?;
        Ok(Answer::read(Page {
            items,
            next_cursor: None,
        }))
    }
}

/// Whether without this one the others would be a room that nobody owns.
fn is_last_owner(room: &RoomState, user: UserId) -> bool {
    let owns = |member: &Membership| member.role == Role::Owner;
    let owners = room.members.values().filter(|member| owns(member)).count();
    room.members.len() > 1 && owners == 1 && room.members.get(&user).is_some_and(owns)
}

/// Takes somebody in who is not.
pub fn enter(
    state: &mut State,
    room: RoomId,
    user: UserId,
    change: MemberChange,
    by: UserId,
    now: Timestamp,
) -> Result<Event, Refusal> {
    let standing = state.room(room)?;
    if standing.encryption == Encryption::Envelope {
        state.fit(standing.members.keys().copied().chain([user]), 0)?;
    }
    let room = state.room_mut(room)?;
    let event = room.log_member(user, change, Some(Role::Member), by);
    let membership = Membership {
        role: Role::Member,
        joined_at: now,
        read_seq: room.head(),
    };
    room.members.insert(user, membership);
    Ok(event)
}

fn may_end(room: &RoomState, user: UserId, by: UserId) -> Result<(), Refusal> {
    let mine = room.acting(by)?;
    let role = room.members.get(&user).ok_or(Refusal::NotFound)?.role;
    if user != by && (mine == Role::Member || (mine == Role::Moderator && role != Role::Member)) {
        return Err(Refusal::forbidden("Owners remove anyone, moderators remove members."));
    }
    if user == by && is_last_owner(room, user) {
        return Err(Refusal::conflict(
            "The last owner can't leave while others are in the room.",
        ));
    }
    Ok(())
}
