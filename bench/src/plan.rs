//! Who is connected, who hears which room and who sends to it: alike for every server that is measured.

use std::net::SocketAddr;

use crate::{connection::Reading, dialect::Dialect};

/// A client's part.
#[derive(Debug, Clone)]
pub struct Client {
    /// Whose token it shows.
    pub person: usize,
    /// Rooms that it hears, by their place in the plan.
    pub rooms: Vec<u32>,
    /// Rooms that it sends to.
    pub sends_to: Vec<u32>,
    pub reading: Reading,
}

#[derive(Debug, Clone)]
pub struct Room {
    /// Persons that are members.
    pub members: Vec<usize>,
    /// Clients that send.
    pub senders: Vec<usize>,
}

#[derive(Debug, Clone)]
pub struct Plan {
    pub clients: Vec<Client>,
    pub rooms: Vec<Room>,
}

/// A server to be measured, and the names that it knows the plan's rooms by.
#[derive(Debug, Clone)]
pub struct Target {
    pub dialect: Dialect,
    pub servers: Vec<SocketAddr>,
    pub rooms: Vec<String>,
    /// One a person.
    pub tokens: Vec<String>,
}

impl Target {
    /// Where a client connects, and as whom.
    pub fn door(&self, client: usize, person: usize) -> (SocketAddr, &str) {
        (self.servers[client % self.servers.len()], &self.tokens[person])
    }
}

/// Whether those who send to a room also hear it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listening {
    Everybody,
    Nobody,
}

impl Plan {
    /// Clients without rooms.
    pub fn idle(clients: usize, people: usize) -> Self {
        let client = |number| Client {
            person: number % people,
            rooms: Vec::new(),
            sends_to: Vec::new(),
            reading: Reading::Eager,
        };
        Self {
            clients: (0..clients).map(client).collect(),
            rooms: Vec::new(),
        }
    }

    /// `rooms` rooms of `members` clients each, of whom the first `senders` send.
    ///
    /// Neighbours share no room twice: client `c` is in room `r` when `c = r * members + k * stride` for a `k` below
    /// `members`, so that with one room a client the rooms are consecutive.
    pub fn rooms(
        clients: usize,
        people: usize,
        rooms: usize,
        members: usize,
        senders: usize,
        listening: Listening,
    ) -> Self {
        let mut plan = Self::idle(clients, people);
        let places = rooms * members;
        for room in 0..rooms {
            let seat = |k: usize| match places > clients {
                // A step that has no factor in common with the number of clients or people.
                true => (room + k * SCATTER) % clients,
                false => room * members + k,
            };
            let seats: Vec<usize> = (0..members).map(seat).collect();
            let senders: Vec<usize> = seats[..senders].to_vec();
            for seat in &seats {
                if listening == Listening::Everybody {
                    plan.clients[*seat].rooms.push(room as u32);
                }
            }
            for sender in &senders {
                plan.clients[*sender].sends_to.push(room as u32);
            }
            let mut members: Vec<usize> = seats.iter().map(|seat| plan.clients[*seat].person).collect();
            members.sort_unstable();
            members.dedup();
            plan.rooms.push(Room { members, senders });
        }
        plan
    }
}

const SCATTER: usize = 97;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_room_has_its_clients_and_each_hears_its_share() {
        for (clients, rooms, members, each) in [
            (1000, 10, 100, 1),
            (1000, 1000, 10, 10),
            (1000, 500, 2, 1),
            (1000, 1, 1000, 1),
        ] {
            let plan = Plan::rooms(clients, 200, rooms, members, 2, Listening::Everybody);
            assert!(plan.clients.iter().all(|client| client.rooms.len() == each));
            assert!(plan.rooms.iter().all(|room| room.members.len() == members.min(200)));
        }
    }
}
