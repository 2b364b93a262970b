//! One room of one gateway: what is committed, what a socket was told, and what it may not take.

use std::collections::{BTreeSet, VecDeque};

use common::{
    Code, LogId, MessageId, Seq, Timestamp, UserId,
    event::{Content, Event, MessageEvent},
    frame::{ClientFrame, ErrorFrame, Join, Request, Send, ServerFrame},
    text::Body,
};
use uuid::Uuid;

use super::{super::EventPage, super::Frame, super::Joined, ME, ROOM};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Well,
    /// Nothing is committed.
    Away,
    /// All is committed, and answered as if it were not.
    Silent,
}

#[derive(Default)]
struct Line {
    heard: VecDeque<ClientFrame>,
    told: VecDeque<Frame>,
    /// The next place that is live; none before a join.
    live: Option<u64>,
    acked: BTreeSet<u64>,
    fence: Option<MessageId>,
}

pub struct Server {
    pub log: Vec<Event>,
    pub health: Health,
    line: Option<Line>,
}

/// Events that a `joined` holds.
const JOIN_EVENTS: usize = 4;

fn seq(number: usize) -> Seq {
    Seq::try_from(number as u64).unwrap()
}

impl Server {
    pub fn new() -> Self {
        let (log, health, line) = (Vec::new(), Health::Well, None);
        Self { log, health, line }
    }

    pub fn is_connected(&self) -> bool {
        self.line.is_some()
    }

    pub fn connect(&mut self) {
        self.line = Some(Line::default());
    }

    pub fn cut(&mut self) {
        self.line = None;
    }

    pub fn take(&mut self, frame: ClientFrame) {
        if let Some(line) = &mut self.line {
            line.heard.push_back(frame);
        }
    }

    /// The next frame to the client.
    pub fn tell(&mut self) -> Option<Frame> {
        self.line.as_mut()?.told.pop_front()
    }

    /// Loses an event on its way, as no server should.
    pub fn lose(&mut self) {
        if let Some(line) = &mut self.line
            && matches!(line.told.front(), Some(Frame::Event(_)))
        {
            line.told.pop_front();
        }
    }

    pub fn is_quiet(&self) -> bool {
        let done = |line: &Line| {
            let all_live = line.live.is_none_or(|live| live > self.log.len() as u64);
            line.heard.is_empty() && line.told.is_empty() && all_live
        };
        self.line.as_ref().is_none_or(done)
    }

    pub fn say(&mut self, message: MessageId, sender: UserId) -> Seq {
        let place = |event: &Event| matches!(event, Event::Message(m) if m.message_id == message);
        if let Some(at) = self.log.iter().position(place) {
            return seq(at + 1);
        }
        let seq = seq(self.log.len() + 1);
        self.log.push(Event::Message(MessageEvent {
            room_id: ROOM,
            seq,
            message_id: message,
            sender_id: sender,
            sender_name: "somebody".to_owned(),
            content: Content::Message(Body::parse("hi").unwrap()),
            reply_to: None,
            mentions: Vec::new(),
            sent_at: Timestamp(0),
            ws_id: None,
            traceparent: None,
        }));
        seq
    }

    /// Does the next thing that was asked.
    pub fn work(&mut self) {
        let Some(frame) = self.line.as_mut().and_then(|line| line.heard.pop_front()) else {
            return;
        };
        let reference = frame.reference.unwrap_or_default();
        match frame.request {
            Request::Send(send) => self.send(reference, &send),
            Request::Join(join) => self.join(reference, &join),
            _ => {}
        }
    }

    fn send(&mut self, reference: String, send: &Send) {
        let message = send.message_id;
        let is_fenced = |line: &Line| line.fence.is_some_and(|fence| fence != message);
        let fenced = self.line.as_ref().is_some_and(is_fenced);
        let committed = !fenced && self.health != Health::Away;
        let place = committed.then(|| self.say(message, ME));
        let answered = place.filter(|_| self.health == Health::Well);
        let Some(line) = &mut self.line else { return };
        if !fenced {
            line.fence = answered.is_none().then_some(message);
        }
        let frame = match answered {
            Some(seq) => {
                line.acked.insert(seq.get());
                ServerFrame::Ack {
                    reference: Some(reference),
                    room_id: ROOM,
                    message_id: message,
                    seq,
                    sent_at: Timestamp(0),
                }
            }
            None => ServerFrame::Error(ErrorFrame {
                reference: Some(reference),
                code: Code::Unavailable,
                detail: String::new(),
                room_id: Some(ROOM),
                message_id: Some(message),
                retry_after_ms: None,
            }),
        };
        line.told.push_back(Frame::Said(frame));
    }

    fn join(&mut self, reference: String, join: &Join) {
        let Some(line) = &mut self.line else { return };
        let head = self.log.len();
        let after = join.rooms[0].after_seq.map(|after| after.get() as usize);
        let mut events = after.map_or(&[][..], |after| &self.log[after..]);
        let truncated = events.len() > JOIN_EVENTS;
        events = &events[events.len().saturating_sub(JOIN_EVENTS)..];
        line.fence = None;
        line.live = Some(head as u64 + 1);
        line.told.push_back(Frame::Joined(Joined {
            reference,
            room_id: ROOM,
            head_seq: seq(head),
            log_id: log_id(),
            events: events.to_vec(),
            truncated,
        }));
    }

    /// Brings the next live event on its way, unless its `ack` is.
    pub fn publish(&mut self) {
        let Some(line) = &mut self.line else { return };
        let Some(live) = line.live else { return };
        let Some(event) = self.log.get(live as usize - 1) else {
            return;
        };
        line.live = Some(live + 1);
        if !line.acked.contains(&live) {
            line.told.push_back(Frame::Event(Box::new(event.clone())));
        }
    }

    pub fn page(&self, after: Seq, limit: usize) -> EventPage {
        let items: Vec<Event> = self.log[after.get() as usize..].iter().take(limit).cloned().collect();
        EventPage {
            has_more: after.get() as usize + items.len() < self.log.len(),
            items,
            head_seq: seq(self.log.len()),
            log_id: log_id(),
        }
    }
}

fn log_id() -> LogId {
    LogId(Uuid::from_u128(9))
}
