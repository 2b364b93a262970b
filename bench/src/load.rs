//! The load: one thread and one epoll for all clients, so that measuring costs less than what is measured. It sends at a
//! given pace, or as fast as its windows allow, and checks every delivery.

mod hearing;
mod sending;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::ensure;
use hdrhistogram::Histogram;
use mio::{Events, Poll};
use uuid::Uuid;

use crate::{
    connection::{Connection, Reading},
    dialect::Dialect,
    plan::{Plan, Target},
    stamp,
    watch::{Faults, Watch},
};
use hearing::Notes;

/// How messages are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// Messages a second, of all rooms together.
    PerSecond(f64),
    /// Each sender has so many without an answer.
    Window(u32),
}

/// What was counted in a stretch of time.
#[derive(Debug, Clone)]
pub struct Counted {
    pub deliveries: u64,
    /// Those that came back to their sender.
    pub answered: u64,
    pub lasted: Duration,
    /// Microseconds from a send to each delivery.
    pub latency: Histogram<u64>,
    /// Microseconds from a send to its answer.
    pub answer: Histogram<u64>,
}

impl Counted {
    fn nothing() -> anyhow::Result<Self> {
        Ok(Self {
            deliveries: 0,
            answered: 0,
            lasted: Duration::ZERO,
            latency: Histogram::new_with_max(LONGEST_US, 3)?,
            answer: Histogram::new_with_max(LONGEST_US, 3)?,
        })
    }
}

pub struct Load<'a> {
    plan: &'a Plan,
    dialect: Dialect,
    rooms: &'a [String],
    filler: String,
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    connections: Vec<Connection>,
    /// Messages of each room's senders so far.
    sent: Vec<Vec<u32>>,
    next_room: usize,
    next_sender: Vec<usize>,
    ids: u128,
    notes: Notes,
}

/// What takes longer is counted as this long.
pub const LONGEST_US: u64 = 60_000_000;
const BUFFER_BYTES: usize = 256 * 1024;
const EVENTS: usize = 4_096;
/// Clients that are let in at once.
const ENTERING: usize = 1_000;
const ENTRY: Duration = Duration::from_secs(60);
/// How long deliveries are waited for after the last send.
const DRAIN: Duration = Duration::from_secs(20);

impl<'a> Load<'a> {
    /// Connects everybody and waits until all have entered their rooms. `text_bytes` is the length of a message.
    ///
    /// # Errors
    /// When somebody is refused, or it takes too long.
    pub fn enter(target: &'a Target, plan: &'a Plan, text_bytes: usize) -> anyhow::Result<Self> {
        let mut load = Self {
            plan,
            dialect: target.dialect,
            rooms: &target.rooms,
            filler: "x".repeat(text_bytes.saturating_sub(stamp::LENGTH)),
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS),
            buffer: vec![0; BUFFER_BYTES],
            connections: Vec::with_capacity(plan.clients.len()),
            sent: plan.rooms.iter().map(|room| vec![0; room.senders.len()]).collect(),
            next_room: 0,
            next_sender: vec![0; plan.rooms.len()],
            ids: Uuid::new_v4().as_u128() & !0xffff_ffff,
            notes: Notes::new()?,
        };
        load.connect(target)?;
        Ok(load)
    }

    fn connect(&mut self, target: &Target) -> anyhow::Result<()> {
        let until = Instant::now() + ENTRY;
        loop {
            let ready = self.notes.ready;
            ensure!(
                self.notes.faults == Faults::default(),
                "a client was refused: {:?}",
                self.notes.faults
            );
            if ready == self.plan.clients.len() {
                break;
            }
            ensure!(
                Instant::now() < until,
                "{ready} of {} clients entered",
                self.plan.clients.len()
            );
            let may = (ready + ENTERING).min(self.plan.clients.len());
            while self.connections.len() < may {
                self.open(target)?;
            }
            self.turn(Duration::from_millis(10))?;
        }
        Ok(())
    }

    fn open(&mut self, target: &Target) -> anyhow::Result<()> {
        let number = self.connections.len();
        let client = &self.plan.clients[number];
        let (server, token): (SocketAddr, &str) = target.door(number, client.person);
        let names: Vec<&str> = client
            .rooms
            .iter()
            .map(|room| self.rooms[*room as usize].as_str())
            .collect();
        let request = self.dialect.upgrade(&server.to_string(), token, &names.join(","));
        let mut connection = Connection::open(self.poll.registry(), number, server, client.reading, &request)?;
        // Who only sends hears its acks.
        let only_sent = client.sends_to.iter().filter(|room| !client.rooms.contains(room));
        let watched = client.rooms.iter().chain(only_sent);
        let watch = |room: &u32| Watch::new(*room, self.plan.rooms[*room as usize].senders.len());
        connection.watches = watched.map(watch).collect();
        self.connections.push(connection);
        Ok(())
    }

    /// Sends and hears for a while.
    ///
    /// # Errors
    /// When the machine refuses to poll.
    pub fn run(&mut self, pace: Pace, lasting: Duration) -> anyhow::Result<Counted> {
        self.notes.counted = Counted::nothing()?;
        let began = Instant::now();
        if let Pace::Window(window) = pace {
            self.fill(window);
        }
        let mut sends: u64 = 0;
        while began.elapsed() < lasting {
            let mut wait = Duration::from_millis(20);
            match pace {
                Pace::PerSecond(rate) => {
                    let due = (began.elapsed().as_secs_f64() * rate) as u64;
                    while sends < due {
                        self.send_next();
                        sends += 1;
                    }
                    let next = Duration::from_secs_f64((sends + 1) as f64 / rate);
                    wait = wait.min(next.saturating_sub(began.elapsed()));
                }
                Pace::Window(_) => {
                    for (room, sender) in std::mem::take(&mut self.notes.due) {
                        self.send(room as usize, sender as usize);
                    }
                }
            }
            self.turn(wait)?;
        }
        self.notes.counted.lasted = began.elapsed();
        Ok(self.notes.counted.clone())
    }

    /// Waits for all that is under way, and says what was wrong since the beginning.
    ///
    /// # Errors
    /// When the machine refuses to poll.
    pub fn finish(mut self) -> anyhow::Result<Faults> {
        let until = Instant::now() + DRAIN;
        while self.lost() > 0 && Instant::now() < until {
            self.turn(Duration::from_millis(20))?;
        }
        // What is heard twice comes late, too.
        let quiet = Instant::now() + Duration::from_millis(50);
        while Instant::now() < quiet {
            self.turn(Duration::from_millis(10))?;
        }
        let mut faults = self.notes.faults.clone();
        faults.lost += self.lost();
        Ok(faults)
    }

    fn lost(&self) -> u64 {
        let mut lost = 0;
        for (number, client) in self.plan.clients.iter().enumerate() {
            if client.reading == Reading::Stopped {
                continue;
            }
            for watch in &self.connections[number].watches {
                let room = watch.room as usize;
                let hears = client.rooms.contains(&watch.room);
                for (sender, sent) in self.sent[room].iter().enumerate() {
                    if hears || self.plan.rooms[room].senders[sender] == number {
                        lost += u64::from(watch.missing(sender, *sent));
                    }
                }
            }
        }
        lost
    }
}
