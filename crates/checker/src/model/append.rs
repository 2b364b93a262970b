//! Sends: each judged at its own place, a `seq` only for what is new, and once one is open the later ones of the same
//! sender are not tried (consistency rules 1, 2, 4, 5).

use bus::Announcement;
use common::{
    RoomId, UserId,
    event::{Content, Event, MessageEvent},
    limits,
    room::{Encryption, Message},
};
use db_api::{Call, Refusal, Reply, types::*};
use serde_json::json;
use tokio::time::Instant;

use super::{
    Fate, Model,
    state::{RoomState, State},
};

impl Model {
    pub(super) async fn do_append(&self, call: Call, request: Append) -> Reply<AppendOutcome> {
        if request.drafts.len() > limits::DRAFTS_PER_APPEND {
            return Err(Refusal::invalid(
                "/drafts",
                format!("at most {}", limits::DRAFTS_PER_APPEND),
            ));
        }
        if call.once.is_some() && request.drafts.len() != 1 {
            return Err(Refusal::invalid("/drafts", "one alone is done once"));
        }
        if let ([draft], true) = (request.drafts.as_slice(), call.once.is_some()) {
            let outcomes = vec![self.append_once(&call, draft).await];
            return self.written(AppendOutcome { outcomes });
        }
        let until = Instant::now() + call.deadline();
        let outcomes = if self.pace.spoils() {
            self.singly(&request.drafts, until).await
        } else {
            self.together(&request.drafts, until).await
        };
        self.written(AppendOutcome { outcomes })
    }

    /// A repeat is judged anew, and told what the first was told.
    async fn append_once(&self, call: &Call, draft: &Draft) -> Outcome {
        let outcome = {
            let mut state = self.locked().await;
            let sender = draft.actor.user_id;
            let earlier = match state.earlier(call, sender) {
                Ok(earlier) => earlier,
                Err(refusal) => return Outcome::Refused(refusal),
            };
            match (self.append(&mut state, draft), earlier) {
                (Outcome::Appended(appended), None) => {
                    state.remember(call, sender, json!(appended.repeated));
                    Outcome::Appended(appended)
                }
                (Outcome::Appended(appended), Some(repeated)) => Outcome::Appended(Box::new(Appended {
                    repeated: repeated == json!(true),
                    ..*appended
                })),
                (refused, _) => refused,
            }
        };
        self.announce_appended(std::slice::from_ref(draft), std::slice::from_ref(&outcome))
            .await;
        outcome
    }

    /// One transaction for all.
    async fn together(&self, drafts: &[Draft], until: Instant) -> Vec<Outcome> {
        let outcomes: Vec<Outcome> = {
            let mut state = self.locked().await;
            if Instant::now() >= until {
                return drafts.iter().map(|_| open("the deadline has passed")).collect();
            }
            drafts.iter().map(|draft| self.append(&mut state, draft)).collect()
        };
        self.announce_appended(drafts, &outcomes).await;
        outcomes
    }

    /// A batch that one draft spoiled, draft by draft.
    async fn singly(&self, drafts: &[Draft], until: Instant) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(drafts.len());
        let mut streams: Vec<(UserId, RoomId)> = Vec::new();
        for draft in drafts {
            let stream = (draft.actor.user_id, draft.room_id);
            let outcome = if streams.contains(&stream) {
                open("an earlier draft is not done")
            } else {
                self.single(draft, until).await
            };
            // Also behind one that is refused for good: should this answer be lost, it comes again, and with what holds then.
            if matches!(outcome, Outcome::Refused(_)) {
                streams.push(stream);
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    async fn single(&self, draft: &Draft, until: Instant) -> Outcome {
        match self.pace.fate() {
            Fate::Lost => open("lost before the write"),
            Fate::Done => self.together(std::slice::from_ref(draft), until).await.remove(0),
            Fate::AnswerLost => {
                self.together(std::slice::from_ref(draft), until).await;
                open("the answer was lost")
            }
        }
    }

    fn append(&self, state: &mut State, draft: &Draft) -> Outcome {
        match judge(state, draft) {
            Err(refusal) => Outcome::Refused(refusal),
            Ok(Some(repeat)) => Outcome::Appended(Box::new(repeat)),
            Ok(None) => self.write(state, draft),
        }
    }

    fn write(&self, state: &mut State, draft: &Draft) -> Outcome {
        let sender_name = state.name_of(draft.actor.user_id);
        let now = self.now();
        let room = match state.room_mut(draft.room_id) {
            Ok(room) => room,
            Err(refusal) => return Outcome::Refused(refusal),
        };
        let event = MessageEvent {
            room_id: draft.room_id,
            seq: room.head().next(),
            message_id: draft.message_id,
            sender_id: draft.actor.user_id,
            sender_name,
            content: draft.content.clone(),
            reply_to: draft.reply_to,
            mentions: draft.mentions.clone(),
            sent_at: room.stamp(now),
            ws_id: None,
            traceparent: None,
        };
        room.events.push(Event::Message(event.clone()));
        room.messages.insert(draft.message_id, Message::from(event.clone()));
        Outcome::Appended(Box::new(Appended {
            event,
            repeated: false,
            current: None,
        }))
    }

    async fn announce_appended(&self, drafts: &[Draft], outcomes: &[Outcome]) {
        let live = drafts
            .iter()
            .zip(outcomes)
            .filter_map(|(draft, outcome)| match outcome {
                Outcome::Appended(appended) if !appended.repeated => {
                    Some(Announcement::event(Event::Message(MessageEvent {
                        ws_id: Some(draft.ws_id),
                        traceparent: draft.traceparent.clone(),
                        ..appended.event.clone()
                    })))
                }
                _ => None,
            });
        self.announce(live.collect()).await;
    }
}

fn open(reason: &str) -> Outcome {
    Outcome::Refused(Refusal::unavailable(reason))
}

/// Syntax and membership first, then whether it is a repeat, then all else.
fn judge(state: &State, draft: &Draft) -> Result<Option<Appended>, Refusal> {
    well_formed(&draft.content)?;
    if matches!(&draft.content, Content::Envelope(envelope) if envelope.rev != 0) {
        return Err(Refusal::invalid("/envelope/rev", "is 0 until an edit"));
    }
    if draft.mentions.len() > limits::MENTIONS {
        return Err(Refusal::invalid("/mentions", "are too many"));
    }
    let (room, sender) = (state.room(draft.room_id)?, draft.actor.user_id);
    room.member(sender)?;
    if let Ok(current) = room.message(draft.message_id) {
        if current.sender_id != sender {
            return Err(Refusal::conflict("Somebody else's message has this id."));
        }
        return Ok(Some(repeat(
            room.shown(current, sender),
            room.events.get(current.seq.get() as usize - 1),
        )?));
    }
    state.heard_in(draft.room_id)?;
    fits(state, room, sender, &draft.content)?;
    if draft.reply_to.is_some_and(|reply| !room.messages.contains_key(&reply)) {
        return Err(Refusal::invalid("/replyTo", "is no message of this room"));
    }
    if draft.mentions.iter().any(|user| !room.members.contains_key(user)) {
        return Err(Refusal::invalid("/mentions", "names somebody who is not in this room"));
    }
    Ok(None)
}

/// Whether the content has the form of one.
pub fn well_formed(content: &Content) -> Result<(), Refusal> {
    match content {
        Content::Message(_) => Ok(()),
        Content::Deleted(_) => Err(Refusal::invalid("/message", "is missing")),
        Content::Envelope(envelope) => envelope
            .check()
            .map_err(|bad| Refusal::invalid(format!("/envelope/{}", bad.field), bad.detail)),
    }
}

/// Whether the room takes such a content of the sender now.
pub fn fits(state: &State, room: &RoomState, sender: UserId, content: &Content) -> Result<(), Refusal> {
    let sealed = match content {
        Content::Envelope(envelope) => Some(envelope),
        Content::Message(_) | Content::Deleted(_) => None,
    };
    if sealed.is_some() != (room.encryption == Encryption::Envelope) {
        return Err(Refusal::invalid("/message", "is what a plaintext room takes"));
    }
    match sealed {
        Some(envelope) if !(room.min_epoch..=room.epoch).contains(&envelope.epoch) => Err(Refusal::StaleEpoch),
        Some(envelope) if !state.has_device(sender, envelope.sender_device) => {
            Err(Refusal::invalid("/envelope/senderDevice", "is no device of yours"))
        }
        _ => Ok(()),
    }
}

fn repeat(current: Message, event: Option<&Event>) -> Result<Appended, Refusal> {
    match event {
        Some(Event::Message(event)) => Ok(Appended {
            event: event.clone(),
            repeated: true,
            current: Some(Box::new(current)),
        }),
        _ => Err(Refusal::Internal),
    }
}
