//! Which of the waiting drafts go together.

use std::collections::{HashSet, VecDeque};

use common::{MessageId, RoomId, limits};
use tokio::time::Instant;

use super::{Item, Settled};

/// Takes the next batch from what waits. Within one, a message is named once and no draft replies to another: what does
/// waits for the next, and everything behind it to its room with it, as does all to a room that is under way. What is too
/// late is not begun.
pub(super) fn next(waiting: &mut VecDeque<Item>, under_way: &HashSet<RoomId>, now: Instant) -> Vec<Item> {
    let mut named: HashSet<(RoomId, MessageId)> = HashSet::new();
    let mut held_rooms = under_way.clone();
    let (mut batch, mut held) = (Vec::new(), VecDeque::new());
    while batch.len() < limits::DRAFTS_PER_COMMIT
        && let Some(item) = waiting.pop_front()
    {
        let (room, message) = (item.draft.room_id, item.draft.message_id);
        let replies_within = item.draft.reply_to.is_some_and(|to| named.contains(&(room, to)));
        if now >= item.until {
            item.settle(Settled::Refused(crate::store::late()));
        } else if held_rooms.contains(&room) || replies_within || named.contains(&(room, message)) {
            held_rooms.insert(room);
            held.push_back(item);
        } else {
            named.insert((room, message));
            batch.push(item);
        }
    }
    held.append(waiting);
    *waiting = held;
    batch
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use common::{SessionId, Timestamp, UserId, event::Content, room::AccountRole, text::Body, token::Actor};
    use db_api::types::Draft;
    use tokio::sync::oneshot;
    use uuid::Uuid;

    use super::*;

    fn draft(room: u128, message: u128, reply_to: Option<u128>) -> Draft {
        Draft {
            actor: Actor {
                user_id: UserId(Uuid::from_u128(1)),
                session_id: SessionId(Uuid::from_u128(1)),
                role: AccountRole::User,
                scopes: Vec::new(),
                expires_at: Timestamp(0),
            },
            room_id: RoomId(Uuid::from_u128(room)),
            message_id: MessageId(Uuid::from_u128(message)),
            content: Content::Message(Body::parse("hi").unwrap()),
            reply_to: reply_to.map(|to| MessageId(Uuid::from_u128(to))),
            mentions: Vec::new(),
            ws_id: None,
            traceparent: None,
        }
    }

    fn waiting(drafts: &[(u128, u128, Option<u128>)], until: Instant) -> VecDeque<Item> {
        let item = |&(room, message, reply_to): &(u128, u128, Option<u128>)| Item {
            draft: draft(room, message, reply_to),
            until,
            answer: oneshot::channel().0,
        };
        drafts.iter().map(item).collect()
    }

    fn names(batch: &[Item]) -> Vec<(u128, u128)> {
        let name = |item: &Item| (item.draft.room_id.0.as_u128(), item.draft.message_id.0.as_u128());
        batch.iter().map(name).collect()
    }

    #[test]
    fn what_rests_on_another_of_the_batch_waits_and_holds_its_room_back() {
        let now = Instant::now();
        let mut queue = waiting(
            &[
                (1, 10, None),
                (1, 11, Some(10)),
                (2, 20, None),
                (1, 12, None),
                (2, 20, None),
                (3, 30, Some(20)),
            ],
            now + Duration::from_secs(1),
        );
        assert_eq!(
            names(&next(&mut queue, &HashSet::new(), now)),
            [(1, 10), (2, 20), (3, 30)]
        );
        assert_eq!(
            names(&next(&mut queue, &HashSet::new(), now)),
            [(1, 11), (1, 12), (2, 20)]
        );
        assert!(queue.is_empty());
    }

    #[test]
    fn a_room_that_is_under_way_waits() {
        let now = Instant::now();
        let mut queue = waiting(
            &[(1, 10, None), (2, 20, None), (1, 11, None)],
            now + Duration::from_secs(1),
        );
        let under_way = HashSet::from([RoomId(Uuid::from_u128(1))]);
        assert_eq!(names(&next(&mut queue, &under_way, now)), [(2, 20)]);
        assert_eq!(names(&next(&mut queue, &HashSet::new(), now)), [(1, 10), (1, 11)]);
    }

    #[test]
    fn nothing_is_begun_too_late() {
        let now = Instant::now();
        let mut queue = waiting(&[(1, 10, None)], now);
        assert!(next(&mut queue, &HashSet::new(), now).is_empty() && queue.is_empty());
    }

    #[test]
    fn a_batch_is_bounded() {
        let now = Instant::now();
        let many: Vec<_> = (0..limits::DRAFTS_PER_COMMIT as u128 + 1)
            .map(|n| (1, n, None))
            .collect();
        let mut queue = waiting(&many, now + Duration::from_secs(1));
        assert_eq!(next(&mut queue, &HashSet::new(), now).len(), limits::DRAFTS_PER_COMMIT);
        assert_eq!(queue.len(), 1);
    }
}
