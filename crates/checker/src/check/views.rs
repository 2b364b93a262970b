//! Everyone converges: at the end each member's client holds the log.

use common::{Seq, event::Event};

use super::{Rule, Violation};
use crate::history::{DeviceHistory, Held, History, RoomLog, View, agree};

pub fn check(history: &History, device: &DeviceHistory) -> Vec<Violation> {
    let mut found = Vec::new();
    for view in &device.views {
        let Some(log) = history.room(view.room) else { continue };
        let members = log.memberships().pop().unwrap_or_default();
        if !members.contains(&device.user) {
            continue;
        }
        let mut fail = |what: String| {
            let what = format!("{} in {}: {what}", device.name, view.room);
            found.push(Violation::new(Rule::NotConverged, what));
        };
        if !view.is_in {
            fail("is a member and did not get in".to_owned());
        }
        if !view.unacked.is_empty() {
            fail(format!("{} sends never had a final answer", view.unacked.len()));
        }
        if let Some(missing) = first_missing(device, view, log) {
            fail(format!("{missing} of {} is missing or another", log.head()));
        }
    }
    found
}

fn first_missing(device: &DeviceHistory, view: &View, log: &RoomLog) -> Option<Seq> {
    let after = log.events.iter().filter(|event| event.seq() > view.base);
    let holds = |event: &Event| match (view.places.get(&event.seq()), event) {
        (Some(Held::Event(held)), stands) => agree(held, stands),
        (Some(Held::Own(id)), Event::Message(message)) => message.message_id == *id && message.sender_id == device.user,
        _ => false,
    };
    after
        .map(|event| (event, holds(event)))
        .find(|(_, holds)| !holds)
        .map(|(event, _)| event.seq())
}
