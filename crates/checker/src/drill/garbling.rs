//! What a process hears of Redis while its announcements are dropped, repeated and late. Every other reply comes whole and
//! in its order. Replies are RESP2, as the bus speaks it; announcements are `message`, `smessage` and `pmessage` in it.

use bytes::{Bytes, BytesMut};
use redis_protocol::resp2::{decode::decode_range, types::RangeFrame};

use crate::chance::Chance;

/// How often each happens to an announcement.
#[derive(Debug, Clone, Copy)]
pub struct Odds {
    pub dropped: f64,
    pub repeated: f64,
    pub late: f64,
}

/// What really happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Garbled {
    pub dropped: usize,
    pub repeated: usize,
    /// Heard behind announcements that were published after them.
    pub overtaken: usize,
}

/// The disturbance of one process; all its connections draw from it.
pub struct Garbling {
    chance: Chance,
    odds: Odds,
    pub so_far: Garbled,
}

enum Fate {
    Heard,
    Dropped,
    /// Heard now, and again behind so many others.
    Repeated(u64),
    /// Heard behind so many others.
    Late(u64),
}

impl Garbling {
    pub fn new(chance: Chance, odds: Odds) -> Self {
        Self {
            chance,
            odds,
            so_far: Garbled::default(),
        }
    }

    pub fn draw(chance: &mut Chance) -> Self {
        let odds = Odds {
            dropped: *chance.pick(&[0.05, 0.3, 0.9]),
            repeated: *chance.pick(&[0.05, 0.3]),
            late: *chance.pick(&[0.1, 0.5]),
        };
        Self::new(Chance::of(chance.within(0..u64::MAX), "announcements"), odds)
    }

    fn fate(&mut self) -> Fate {
        if self.chance.happens(self.odds.dropped) {
            Fate::Dropped
        } else if self.chance.happens(self.odds.repeated) {
            Fate::Repeated(self.chance.within(0..4))
        } else if self.chance.happens(self.odds.late) {
            Fate::Late(self.chance.within(1..5))
        } else {
            Fate::Heard
        }
    }
}

/// The replies on one connection. What is read ends anywhere; what is written are whole frames.
#[derive(Default)]
pub struct Replies {
    unread: BytesMut,
    late: Vec<Late>,
    /// They are no RESP2, and carried as they are.
    opaque: bool,
}

struct Late {
    frame: Bytes,
    /// How many are still to be heard before it.
    behind: u64,
    is_repeat: bool,
}

impl Replies {
    /// What to write now of all that was read.
    pub fn pass(&mut self, read: &[u8], mut garbling: Option<&mut Garbling>) -> BytesMut {
        self.unread.extend_from_slice(read);
        let mut heard = BytesMut::new();
        while let Some((frame, is_announcement)) = self.frame() {
            match garbling.as_deref_mut() {
                Some(garbling) if is_announcement => self.garble(frame, garbling, &mut heard),
                Some(_) => heard.extend_from_slice(&frame),
                None => {
                    // It is over: first what was kept back.
                    self.late
                        .drain(..)
                        .for_each(|late| heard.extend_from_slice(&late.frame));
                    heard.extend_from_slice(&frame);
                }
            }
        }
        if self.opaque {
            heard.unsplit(self.unread.split());
        }
        heard
    }

    /// The next whole one, and whether it is an announcement.
    fn frame(&mut self) -> Option<(Bytes, bool)> {
        if self.opaque {
            return None;
        }
        match decode_range(&self.unread) {
            Ok(decoded) => {
                let (frame, length) = decoded?;
                let is_announcement = is_announcement(&frame, &self.unread);
                Some((self.unread.split_to(length).freeze(), is_announcement))
            }
            Err(error) => {
                tracing::warn!(%error, "replies that are no RESP2 are carried as they are");
                self.opaque = true;
                None
            }
        }
    }

    fn garble(&mut self, frame: Bytes, garbling: &mut Garbling, heard: &mut BytesMut) {
        let fate = garbling.fate();
        if let Fate::Heard | Fate::Repeated(_) = fate {
            heard.extend_from_slice(&frame);
            self.late.iter_mut().for_each(|late| late.behind -= 1);
        }
        let (behind, is_repeat) = match fate {
            Fate::Heard => return self.release(garbling, heard),
            Fate::Dropped => {
                garbling.so_far.dropped += 1;
                return;
            }
            Fate::Repeated(behind) => (behind, true),
            Fate::Late(behind) => (behind, false),
        };
        self.late.push(Late {
            frame,
            behind,
            is_repeat,
        });
        self.release(garbling, heard);
    }

    /// Those whose turn has come.
    fn release(&mut self, garbling: &mut Garbling, heard: &mut BytesMut) {
        for late in self.late.extract_if(.., |late| late.behind == 0) {
            heard.extend_from_slice(&late.frame);
            match late.is_repeat {
                true => garbling.so_far.repeated += 1,
                false => garbling.so_far.overtaken += 1,
            }
        }
    }
}

fn is_announcement(frame: &RangeFrame, of: &[u8]) -> bool {
    let RangeFrame::Array(parts) = frame else {
        return false;
    };
    let Some(RangeFrame::BulkString((from, to))) = parts.first() else {
        return false;
    };
    matches!(
        (of.get(*from..*to), parts.len()),
        (Some(b"message" | b"smessage"), 3) | (Some(b"pmessage"), 4)
    )
}

#[cfg(test)]
mod tests;
