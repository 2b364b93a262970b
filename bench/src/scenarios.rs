//! What is measured: the same clients, rooms and pace for every server.

use std::time::Duration;

use crate::{
    connection::Reading,
    load::Pace,
    measure::Times,
    plan::{Listening, Plan},
};

/// How large everything is.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    pub people: usize,
    pub clients: usize,
    /// Clients that connect and say nothing.
    pub idle: usize,
    pub times: Times,
    /// A slow reader's room is watched for longer.
    pub busy: Times,
    pub settle: Duration,
    /// Of the paces and numbers of rooms.
    share: usize,
}

impl Scale {
    pub const FULL: Self = Self {
        people: 200,
        clients: 1_000,
        idle: 10_000,
        times: Times {
            warm: Duration::from_secs(1),
            counted: Duration::from_secs(4),
        },
        busy: Times {
            warm: Duration::from_secs(1),
            counted: Duration::from_secs(8),
        },
        settle: Duration::from_secs(1),
        share: 1,
    };

    /// For a look at correctness: nothing is measured in so short a time.
    pub const QUICK: Self = Self {
        people: 20,
        clients: 100,
        idle: 200,
        times: Times {
            warm: Duration::from_millis(500),
            counted: Duration::from_secs(2),
        },
        busy: Times {
            warm: Duration::from_millis(500),
            counted: Duration::from_secs(2),
        },
        settle: Duration::from_millis(200),
        share: 10,
    };
}

pub const TEXT_BYTES: usize = 200;
/// A slow reader's queue fills sooner with long texts.
pub const BUSY_TEXT_BYTES: usize = 2_000;

/// Fan-out: what a delivered message costs.
pub struct FanOut {
    pub name: &'static str,
    pub target: &'static str,
    pub plan: Plan,
    pub pace: Pace,
}

pub const SATURATED: &str = "saturated, 10 rooms x 100";

pub fn fan_outs(scale: &Scale) -> Vec<FanOut> {
    let (clients, people, share) = (scale.clients, scale.people, scale.share);
    let rooms = |rooms, members, senders| Plan::rooms(clients, people, rooms, members, senders, Listening::Everybody);
    // Messages a second: the deliveries by the members of a room.
    let paced = |deliveries: usize, members: usize| Pace::PerSecond(deliveries as f64 / members as f64 / share as f64);
    let many = (10, 100 / share);
    vec![
        FanOut {
            name: "10 rooms x 100, 20k deliveries/s",
            target: "≤ 1.25",
            plan: rooms(many.0, many.1, 4),
            pace: paced(20_000, 100),
        },
        FanOut {
            name: "1,000 rooms x 10, 10k/s",
            target: "≤ 2.0",
            plan: rooms(1_000 / share, 10, 2),
            pace: paced(10_000, 10),
        },
        FanOut {
            name: "one room of 1,000, 18k/s",
            target: "≤ 1.25",
            plan: rooms(1, 1_000 / share, 4),
            pace: paced(18_000, 1_000),
        },
        FanOut {
            name: "pairs, 4k/s",
            target: "≤ 3.3",
            plan: rooms(500 / share, 2, 2),
            pace: paced(4_000, 2),
        },
        FanOut {
            name: SATURATED,
            target: "≤ 0.5",
            plan: rooms(many.0, many.1, 4),
            pace: Pace::Window(8),
        },
    ]
}

/// Many who send, of whom nobody listens: what is left is the cost of keeping.
pub fn durable(scale: &Scale) -> (Plan, Pace) {
    let rooms = 128 / scale.share;
    let plan = Plan::rooms(rooms * 4, scale.people, rooms, 4, 4, Listening::Nobody);
    // Who waits for each answer sees no order broken, whatever a server does with two at once.
    (plan, Pace::Window(1))
}

/// One who sends, one at a time.
pub fn single() -> (Plan, Pace) {
    (Plan::rooms(1, 1, 1, 1, 1, Listening::Nobody), Pace::Window(1))
}

/// A room of 20 in which much is said, and in which the last member reads or does not.
pub fn busy(scale: &Scale, last: Reading) -> (Plan, Pace) {
    let mut plan = Plan::rooms(20, scale.people, 1, 20, 4, Listening::Everybody);
    if let Some(client) = plan.clients.last_mut() {
        client.reading = last;
    }
    (plan, Pace::PerSecond(1_000.0 / scale.share as f64))
}
