//! The end of a run: everyone gets the time to converge, then the logs are read.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use common::{RoomId, Seq};
use db_api::{
    Call,
    types::{EventPage, Events, Heads},
};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::World;
use crate::{client::Hints, history::RoomLog};

/// Longer than any deadline, retry and comparison of heads together.
const PATIENCE: Duration = Duration::from_secs(25);
const LOOK: Duration = Duration::from_millis(100);
/// To read a page of a log.
const TRIES: usize = 50;
/// After all agree: what comes too much comes now.
const AFTERMATH: Duration = Duration::from_secs(1);

pub async fn settle(world: &World, hints: &[Arc<Mutex<Hints>>]) {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        tokio::time::sleep(LOOK).await;
        let heads = heads(world).await;
        let at_head =
            |hints: &Hints| hints.settled && heads.iter().all(|(room, head)| hints.heads.get(room) == Some(head));
        if hints.iter().all(|hints| at_head(&hints.lock())) {
            break;
        }
    }
    tokio::time::sleep(AFTERMATH).await;
}

async fn heads(world: &World) -> BTreeMap<RoomId, Seq> {
    let request = Heads {
        rooms: world.rooms.clone(),
    };
    let heads = world.stage.truth.heads(Call::anonymous(), request).await;
    let heads = heads.map(|answer| answer.value.heads).unwrap_or_default();
    heads.into_iter().map(|head| (head.room_id, head.head_seq)).collect()
}

/// A page of a log; what has just come back may need another try.
async fn page(world: &World, request: Events) -> Option<EventPage> {
    for _ in 0..TRIES {
        if let Ok(page) = world.stage.truth.events(Call::anonymous(), request.clone()).await {
            return Some(page.value);
        }
        tokio::time::sleep(LOOK).await;
    }
    None
}

/// The logs, page by page.
pub async fn logs(world: &World) -> Vec<RoomLog> {
    let mut logs = Vec::new();
    for room in &world.rooms {
        let mut events: Vec<common::event::Event> = Vec::new();
        loop {
            let request = Events {
                room_id: *room,
                after: events.last().map_or(Seq::ZERO, |event| event.seq()),
                limit: common::limits::EVENTS_MAX,
            };
            let Some(page) = page(world, request).await else {
                // Without its log a room can't be checked: all that was acknowledged in it counts as lost.
                break;
            };
            events.extend(page.items);
            if !page.has_more {
                let (room, log) = (*room, page.log_id);
                logs.push(RoomLog { room, log, events });
                break;
            }
        }
    }
    logs
}
