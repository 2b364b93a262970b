//! What a device makes of a frame.

use std::time::Duration;

use chat_client::core::{Effect, Frame, Why};
use common::frame::ServerFrame;
use tokio::time::Instant;

use super::Device;
use crate::history::{Entry, Got};

/// A frame as it is recorded; `None` for those that say nothing of a room.
fn recorded(frame: &Frame) -> Option<Got> {
    Some(match frame {
        Frame::Joined(joined) => Got::Joined(joined.clone()),
        Frame::Event(event) => Got::Event(event.clone()),
        Frame::Said(ServerFrame::Ack {
            reference,
            room_id,
            message_id,
            seq,
            ..
        }) => Got::Ack {
            reference: reference.clone().unwrap_or_default(),
            room: *room_id,
            message: *message_id,
            seq: *seq,
        },
        Frame::Said(ServerFrame::Error(error)) => Got::Refused {
            reference: error.reference.clone().unwrap_or_default(),
            room: error.room_id,
            code: error.code,
        },
        Frame::Said(ServerFrame::Left { room_id, .. }) => Got::Left { room: *room_id },
        Frame::Said(ServerFrame::Typing { room_id, .. } | ServerFrame::Read { room_id, .. }) => {
            Got::Ephemeral { room: *room_id }
        }
        Frame::Said(_) | Frame::Unknown => return None,
    })
}

/// How long a device takes to do what its core wants.
#[derive(Default)]
struct Waits {
    soon: Duration,
    later: Duration,
}

const NEXT_PAGE: Duration = Duration::from_millis(200);

impl Device {
    pub fn hear(&mut self, text: &str) {
        // One that can't be read is heard by nobody: what it said is then missed, which the check finds.
        let Ok(frame) = Frame::parse(text) else { return };
        let Some(got) = recorded(&frame) else { return };
        let waits = match &got {
            Got::Joined(_) => self.waits(0..50, None),
            Got::Event(_) => self.waits(100..1500, None),
            Got::Refused { .. } => self.waits(5..400, Some(100..1500)),
            // Nothing of these wants a wait.
            Got::Ack { .. } | Got::Left { .. } | Got::Ephemeral { .. } => Waits::default(),
        };
        self.record(Entry::Got(got));
        let effects = self.core.hear(frame);
        self.heed(effects, &waits);
    }

    fn waits(&mut self, soon: std::ops::Range<u64>, later: Option<std::ops::Range<u64>>) -> Waits {
        let soon = self.chance.millis(soon);
        let later = later.map_or(soon, |later| self.chance.millis(later));
        Waits { soon, later }
    }

    /// A page has come, or did not.
    pub fn heed_page(&mut self, effects: Vec<Effect>) {
        let (soon, later) = (NEXT_PAGE, NEXT_PAGE);
        self.heed(effects, &Waits { soon, later });
    }

    fn heed(&mut self, effects: Vec<Effect>, waits: &Waits) {
        let now = Instant::now();
        let (soon, later) = (now + waits.soon, now + waits.later);
        for effect in effects {
            let (Effect::Begins { room, .. }
            | Effect::Shown { room, .. }
            | Effect::Settled { room, .. }
            | Effect::NotJoined { room, .. }
            | Effect::Ended { room }
            | Effect::Again { room, .. }
            | Effect::Fetch { room, .. }
            | Effect::Rejoin { room }) = &effect;
            let Some(plan) = self.rooms.get_mut(room) else { continue };
            match effect {
                Effect::Begins { after, .. } => plan.begins(after),
                Effect::Shown { place, .. } => plan.shows(&place),
                Effect::Again { .. } => drop(plan.again_at.get_or_insert(soon)),
                Effect::NotJoined { .. } | Effect::Ended { .. } | Effect::Rejoin { .. } => plan.join_at = Some(later),
                // What is not truncated the socket has to bring by itself: that is being checked.
                Effect::Settled { .. }
                | Effect::Fetch {
                    why: Why::Overtaken, ..
                } => {}
                Effect::Fetch { .. } => plan.fetch_at = Some(soon),
            }
        }
    }
}
