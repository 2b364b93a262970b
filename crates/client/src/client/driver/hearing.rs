//! What a driver makes of a frame, and of what its core says to it.

use std::time::Duration;

use common::frame::ServerFrame;

use super::Driver;
use crate::{
    backoff,
    client::{Heard, timers::Due},
    core::{Effect, Frame, Why, is_passing},
    limits::{FAILURES_OF_A_READ, GAP_PATIENCE},
    socket::SocketError,
};

impl Driver {
    pub(super) async fn hear(&mut self, frame: Frame) {
        self.watch();
        match frame {
            Frame::Said(ServerFrame::Draining { reconnect_after_ms }) => {
                self.lost(SocketError::Lost("the gateway is leaving".to_owned()));
                let within = Duration::from_millis(reconnect_after_ms);
                self.timers.set(Due::Connect, backoff::up_to(within));
            }
            Frame::Said(
                said @ (ServerFrame::Typing { .. }
                | ServerFrame::Read { .. }
                | ServerFrame::Presence { .. }
                | ServerFrame::Notice(_)),
            ) => self.tell(Heard::Said(said)),
            frame => {
                self.failures = 0;
                let effects = self.core.hear(frame);
                self.heed(effects);
                // An answer may let more go.
                self.flush().await;
            }
        }
    }

    pub(super) fn heed(&mut self, effects: Vec<Effect>) {
        effects.into_iter().for_each(|effect| self.heed_one(effect));
    }

    fn heed_one(&mut self, effect: Effect) {
        match effect {
            Effect::Begins { room, after } => self.tell(Heard::Begins { room, after }),
            Effect::Shown { room, place } => self.tell(Heard::Place { room, place }),
            Effect::Settled { room, message, outcome } => {
                self.troubled.remove(&room);
                self.tell(Heard::Settled { room, message, outcome });
            }
            Effect::NotJoined { room, error } if is_passing(error.code) => {
                let asked = Duration::from_millis(error.retry_after_ms.unwrap_or_default());
                self.timers
                    .set(Due::Join(room), asked.max(backoff::jittered(FAILURES_OF_A_READ)));
            }
            Effect::NotJoined { room, error } => {
                self.wanted.remove(&room);
                self.tell(Heard::NotJoined { room, error });
            }
            Effect::Ended { room } => {
                self.wanted.remove(&room);
                self.tell(Heard::Ended { room });
            }
            Effect::Again { room, after_ms } => {
                let failures = self.troubled.entry(room).or_default();
                *failures += 1;
                let wait = Duration::from_millis(after_ms).max(backoff::jittered(*failures));
                self.timers.set_if_none(Due::Again(room), wait);
            }
            Effect::Fetch { room, why } => match why {
                Why::Truncated | Why::More => self.timers.set(Due::Fetch(room), Duration::ZERO),
                Why::Overtaken => self.timers.set_if_none(Due::Fetch(room), GAP_PATIENCE),
                Why::Unread => self.timers.set(Due::Fetch(room), backoff::jittered(FAILURES_OF_A_READ)),
            },
            Effect::Rejoin { room } => self.timers.set(Due::Join(room), Duration::ZERO),
        }
    }
}
