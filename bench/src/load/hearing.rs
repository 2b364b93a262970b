//! One turn of the load's loop: what the kernel has to say, read, told apart, checked and counted.

use std::{
    io,
    time::{Duration, Instant},
};

use super::{Counted, Load};
use crate::{
    connection::{Connection, Reading, Stage},
    dialect::Heard,
    frame::{self, Frame},
    plan::{Client, Plan},
    stamp::Stamp,
    watch::Faults,
};

/// What was heard, apart from the connections, which are at work while it is noted.
pub(super) struct Notes {
    pub counted: Counted,
    pub faults: Faults,
    /// Clients that have entered their rooms.
    pub ready: usize,
    /// Senders whose message came back, by room and place.
    pub due: Vec<(u32, u32)>,
    pub began: Instant,
}

impl Notes {
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            counted: Counted::nothing()?,
            faults: Faults::default(),
            ready: 0,
            due: Vec::new(),
            began: Instant::now(),
        })
    }

    fn delivered(&mut self, plan: &Plan, client: usize, stamp: &Stamp) {
        let took = (self.began.elapsed().as_micros() as u64).saturating_sub(stamp.sent_us);
        self.counted.deliveries += 1;
        self.counted.latency.saturating_record(took);
        let senders = &plan.rooms[stamp.room as usize].senders;
        if senders.get(stamp.sender as usize) == Some(&client) {
            self.counted.answered += 1;
            self.counted.answer.saturating_record(took);
            self.due.push((stamp.room, stamp.sender));
        }
    }
}

impl Load<'_> {
    /// Waits at most so long, and hears what came.
    pub(super) fn turn(&mut self, wait: Duration) -> anyhow::Result<()> {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        for event in &self.events {
            let number = event.token().0;
            let connection = &mut self.connections[number];
            if event.is_writable() {
                connection.flush();
            }
            let stopped = connection.reading == Reading::Stopped && connection.stage == Stage::Ready;
            if event.is_readable() && !stopped {
                let mut hearing = Hearing {
                    plan: self.plan,
                    client: &self.plan.clients[number],
                    rooms: self.rooms,
                    dialect: self.dialect,
                    number,
                    notes: &mut self.notes,
                };
                hearing.read(connection, &mut self.buffer);
            }
            if connection.stage == Stage::Ended && connection.reading == Reading::Eager {
                // Counted once: what ended says nothing more.
                connection.reading = Reading::Stopped;
                self.notes.faults.ended += 1;
            }
        }
        Ok(())
    }
}

struct Hearing<'a> {
    plan: &'a Plan,
    client: &'a Client,
    rooms: &'a [String],
    dialect: crate::dialect::Dialect,
    number: usize,
    notes: &'a mut Notes,
}

impl Hearing<'_> {
    fn read(&mut self, connection: &mut Connection, buffer: &mut [u8]) {
        while let Some(chunk) = connection.read(buffer) {
            let mut at = 0;
            if connection.stage == Stage::Upgrading {
                at = self.upgraded(connection, &buffer[..chunk.length]);
            }
            if connection.stage != Stage::Upgrading {
                while let Some(frame) = frame::first(&buffer[at..chunk.length]) {
                    let end = at + frame.payload.end;
                    self.hear(connection, &frame, &buffer[at..end]);
                    at = end;
                }
            }
            connection.keep(&buffer[at..chunk.length]);
            if !chunk.more || connection.stage == Stage::Ended {
                return;
            }
        }
    }

    /// The length of the answer's head, once it is there; only a 101 lets in.
    fn upgraded(&mut self, connection: &mut Connection, bytes: &[u8]) -> usize {
        const END: &[u8] = b"\r\n\r\n";
        let Some(end) = memchr::memmem::find(bytes, END) else {
            return 0;
        };
        if bytes.starts_with(b"HTTP/1.1 101") {
            connection.stage = Stage::Entering(self.client.rooms.len());
        } else {
            self.notes.faults.errors += 1;
            connection.stage = Stage::Ended;
        }
        end + END.len()
    }

    fn hear(&mut self, connection: &mut Connection, frame: &Frame, bytes: &[u8]) {
        let payload = &bytes[frame.payload.clone()];
        match frame.opcode {
            frame::TEXT => self.word(connection, payload),
            frame::PING => connection.say(frame::PONG, payload),
            frame::CLOSE => connection.stage = Stage::Ended,
            _ => self.notes.faults.errors += 1,
        }
    }

    fn word(&mut self, connection: &mut Connection, payload: &[u8]) {
        match self.dialect.hear(payload) {
            Heard::Message { stamp, seq } => {
                self.notes.delivered(self.plan, self.number, &stamp);
                match connection.watches.iter_mut().find(|watch| watch.room == stamp.room) {
                    Some(watch) => watch.message(&stamp, seq, &mut self.notes.faults),
                    None => self.notes.faults.errors += 1,
                }
            }
            Heard::Ack { stamp, seq } => {
                self.notes.delivered(self.plan, self.number, &stamp);
                match connection.watches.iter_mut().find(|watch| watch.room == stamp.room) {
                    Some(watch) => watch.ack(&stamp, seq, &mut self.notes.faults),
                    None => self.notes.faults.errors += 1,
                }
            }
            Heard::Welcome => self.welcomed(connection),
            Heard::Joined => {
                if let Stage::Entering(left) = connection.stage {
                    self.entered(connection, left.saturating_sub(1));
                }
            }
            Heard::Open => connection.say(frame::TEXT, b"40"),
            Heard::AreYouThere => connection.say(frame::TEXT, b"3"),
            Heard::Error => self.notes.faults.errors += 1,
            Heard::Other => {}
        }
    }

    fn welcomed(&mut self, connection: &mut Connection) {
        let names: Vec<String> = self
            .client
            .rooms
            .iter()
            .map(|room| self.rooms[*room as usize].clone())
            .collect();
        let joins = self.dialect.joins(&names);
        if joins.is_empty() {
            return self.entered(connection, 0);
        }
        for join in joins {
            connection.say(frame::TEXT, join.as_bytes());
        }
    }

    fn entered(&mut self, connection: &mut Connection, left: usize) {
        connection.stage = Stage::Entering(left);
        if left == 0 {
            connection.stage = Stage::Ready;
            connection.reading = self.client.reading;
            self.notes.ready += 1;
        }
    }
}
