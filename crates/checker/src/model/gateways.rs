//! What gateways ask.

use common::{Seq, UserId, event::Event, limits, room::RoomKind};
use db_api::{Call, Refusal, types::*};

use super::{
    Model, actor,
    state::{RoomState, State},
};

impl Model {
    pub(super) async fn do_open_rooms(&self, call: Call, request: OpenRooms) -> Result<Openings, Refusal> {
        let user = actor(&call)?.user_id;
        let state = self.locked().await;
        let answer = |room: &OpenRoom| match open(&state, room, user) {
            Ok(opened) => Opening::Opened(Box::new(opened)),
            Err(refusal) => Opening::Refused(refusal),
        };
        Ok(Openings {
            rooms: request.rooms.iter().map(answer).collect(),
        })
    }

    pub(super) async fn do_heads(&self, request: Heads) -> Result<HeadList, Refusal> {
        let state = self.locked().await;
        let rooms = request.rooms.iter().filter_map(|room| state.logged(*room).ok());
        let heads = rooms.map(|room| Head {
            room_id: room.id,
            head_seq: room.head(),
            log_id: room.log,
        });
        Ok(HeadList { heads: heads.collect() })
    }
}

fn open(state: &State, asked: &OpenRoom, user: UserId) -> Result<OpenedRoom, Refusal> {
    let room = state.room(asked.room_id)?;
    room.member(user)?;
    let another = asked.log_id.is_some_and(|log| log != room.log);
    let (events, truncated) = match asked.after_seq {
        _ if another => (Vec::new(), true),
        None => (Vec::new(), false),
        Some(after) if after > room.head() => (Vec::new(), true),
        Some(after) => newest(room, after),
    };
    Ok(OpenedRoom {
        head_seq: room.head(),
        log_id: room.log,
        member_count: room.members.len() as u32,
        is_direct: room.kind == RoomKind::Dm,
        events,
        truncated,
    })
}

/// The events after a place; of too many, the newest.
fn newest(room: &RoomState, after: Seq) -> (Vec<Event>, bool) {
    let events: Vec<Event> = room
        .events
        .iter()
        .filter(|event| event.seq() > after)
        .cloned()
        .collect();
    let surplus = events.len().saturating_sub(limits::JOIN_EVENTS as usize);
    (events[surplus..].to_vec(), surplus > 0)
}
