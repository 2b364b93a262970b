//! People and what they do over the API: they send, edit, delete, react, and change who is in a room.

use std::sync::Arc;

use common::{
    MessageId, RoomId, Seq, Timestamp,
    event::{Content, ReactionOp},
    room::{Encryption, Visibility},
    text::{Body, Emoji, Password, RoomName, Username},
    token::Actor,
};
use db_api::{Call, DbApi, Refusal, types::*};

use super::World;
use crate::{
    chance::Chance,
    history::{Posted, Read},
};

/// The setting of a run is without faults: what fails here is a mistake of the run itself.
#[expect(clippy::expect_used, reason = "a run without its people can't be")]
pub async fn register(db: &dyn DbApi, family: &str, count: usize) -> Vec<Actor> {
    let mut people = Vec::new();
    for number in 0..count {
        let request = Register {
            username: Username::parse(format!("{family}{number}")).expect("a name"),
            password: Password::parse("correct horse battery").expect("a password"),
            display_name: None,
            device: None,
        };
        let call = Call::anonymous().within(common::limits::HASH_DEADLINE);
        let grant = db.register(call, request).await.expect("an account").value;
        people.push(Actor {
            user_id: grant.user.id,
            session_id: grant.session_id,
            role: grant.role,
            scopes: grant.scopes,
            // Longer than any run.
            expires_at: Timestamp(i64::MAX / 2),
        });
    }
    people
}

/// Rooms of the first person with all others in; every second one is public.
#[expect(clippy::expect_used, reason = "a run without its rooms can't be")]
pub async fn open_rooms(db: &dyn DbApi, people: &[Actor], count: usize) -> Vec<RoomId> {
    let mut rooms = Vec::new();
    for number in 0..count {
        let request = CreateRoom {
            name: RoomName::parse(format!("Room {number}")).expect("a name"),
            topic: None,
            visibility: if number % 2 == 0 {
                Visibility::Private
            } else {
                Visibility::Public
            },
            encryption: Encryption::None,
            member_ids: people[1..].iter().map(|person| person.user_id).collect(),
        };
        let room = db.create_room(Call::of(people[0].clone()), request).await;
        rooms.push(room.expect("a room").value.id);
    }
    rooms
}

/// Messages that stand in the room before anybody comes.
pub async fn prefill(db: &dyn DbApi, sender: &Actor, room: RoomId, count: usize) -> Vec<Posted> {
    let mut posted = Vec::new();
    let mut chance = Chance::of(0, "prefilled");
    let mut left = count;
    while left > 0 {
        let batch = left.min(common::limits::DRAFTS_PER_APPEND);
        let drafts = (0..batch)
            .filter_map(|_| draft(sender, room, MessageId(chance.uuid())))
            .collect();
        let answer = db.append(Call::anonymous(), Append { drafts }).await;
        for outcome in answer.into_iter().flat_map(|answer| answer.value.outcomes) {
            if let Outcome::Appended(appended) = outcome {
                posted.push(Posted {
                    user: sender.user_id,
                    room,
                    message: appended.event.message_id,
                    seq: Some(appended.event.seq),
                });
            }
        }
        left -= batch;
    }
    posted
}

fn draft(sender: &Actor, room_id: RoomId, message_id: MessageId) -> Option<Draft> {
    Some(Draft {
        actor: sender.clone(),
        room_id,
        message_id,
        content: Content::Message(Body::parse("over HTTP").ok()?),
        reply_to: None,
        mentions: Vec::new(),
        ws_id: None,
        traceparent: None,
    })
}

/// At the end everyone is let in again, so that everyone has to converge.
pub async fn readmit(world: &World) {
    for room_id in &world.rooms {
        for person in &world.people[1..] {
            let request = InRoomUser {
                room_id: *room_id,
                user_id: person.user_id,
            };
            let owner = Call::of(world.people[0].clone());
            let _ = world.stage.truth.add_member(owner, request).await;
        }
    }
}

/// One stream of calls, one after the other, until the faults are over.
struct Walk {
    world: Arc<World>,
    api: Arc<dyn DbApi>,
    chance: Chance,
    posted: Vec<Posted>,
    reads: Vec<Read>,
}

pub async fn walk(world: Arc<World>, number: usize) -> (Vec<Posted>, Vec<Read>) {
    let part = format!("walker {number}");
    let mut walk = Walk {
        api: (world.stage.api)(&format!("{part} over HTTP")),
        chance: world.chance(&part),
        world,
        posted: Vec::new(),
        reads: Vec::new(),
    };
    while !walk.world.stage.weather.is_calm() {
        tokio::time::sleep(walk.chance.millis(20..500)).await;
        // What is refused or lost changes nothing that anyone was promised.
        let _ = walk.step().await;
    }
    (walk.posted, walk.reads)
}

impl Walk {
    async fn step(&mut self) -> Result<(), Refusal> {
        let (people, rooms) = (self.world.people.clone(), self.world.rooms.clone());
        let (someone, room_id) = (self.chance.pick(&people).clone(), *self.chance.pick(&rooms));
        let (owner, user_id) = (people[0].clone(), someone.user_id);
        let member = InRoomUser { room_id, user_id };
        let api = self.api.clone();
        match self.chance.within(0..100) {
            0..35 => self.post(someone, room_id).await,
            35..45 if user_id != owner.user_id => api.remove_member(Call::of(owner), member).await.map(drop),
            45..65 if user_id != owner.user_id => api.add_member(Call::of(owner), member).await.map(drop),
            65..70 if user_id != owner.user_id => api.leave_room(Call::of(someone), InRoom { room_id }).await.map(drop),
            70..78 => api.join_room(Call::of(someone), InRoom { room_id }).await.map(drop),
            _ => self.change().await,
        }
    }

    /// Sends over HTTP, and again under the same id until the answer is known.
    async fn post(&mut self, sender: Actor, room: RoomId) -> Result<(), Refusal> {
        let message = MessageId(self.chance.uuid());
        let user = sender.user_id;
        let mut seq = None;
        for _ in 0..3 {
            let drafts = draft(&sender, room, message).into_iter().collect();
            let answer = self.api.append(Call::of(sender.clone()), Append { drafts }).await;
            match answer.map(|answer| answer.value.outcomes.into_iter().next()) {
                Ok(Some(Outcome::Appended(appended))) => seq = Some(appended.event.seq),
                Ok(Some(Outcome::Refused(Refusal::Unavailable { .. }))) | Err(_) => continue,
                Ok(_) => {}
            }
            break;
        }
        self.posted.push(Posted {
            user,
            room,
            message,
            seq,
        });
        match seq {
            Some(seq) => self.read_back(sender, room, seq).await,
            None => Ok(()),
        }
    }

    /// What is acknowledged is read from then on, whoever answers and out of whichever cache.
    async fn read_back(&mut self, reader: Actor, room_id: RoomId, acked: Seq) -> Result<(), Refusal> {
        let (place, limit) = (Place::Newest, 1);
        let request = History { room_id, place, limit };
        let page = self.api.history(Call::of(reader), request).await?.value;
        self.reads.push(Read {
            room: room_id,
            acked,
            newest: page.items.last().map(|message| message.seq),
        });
        Ok(())
    }

    /// Changes something of a message that it sent.
    async fn change(&mut self) -> Result<(), Refusal> {
        if self.posted.is_empty() {
            return Ok(());
        }
        let posted = self.chance.pick(&self.posted).clone();
        let people = &self.world.people;
        let author = people.iter().find(|person| person.user_id == posted.user);
        let (author, reader) = (author.unwrap_or(&people[0]).clone(), self.chance.pick(people).clone());
        let (room_id, message_id) = (posted.room, posted.message);
        let internal = |_| Refusal::Internal;
        match self.chance.within(0..10) {
            0..4 => {
                let content = Content::Message(Body::parse("edited").map_err(internal)?);
                let request = EditMessage {
                    room_id,
                    message_id,
                    content,
                };
                self.api.edit_message(Call::of(author), request).await.map(drop)
            }
            4..6 => {
                let request = GetMessage { room_id, message_id };
                self.api.delete_message(Call::of(author), request).await.map(drop)
            }
            _ => {
                let op = if self.chance.happens(0.7) {
                    ReactionOp::Added
                } else {
                    ReactionOp::Removed
                };
                let request = React {
                    room_id,
                    message_id,
                    emoji: Emoji::parse("👍").map_err(internal)?,
                    op,
                };
                self.api.react(Call::of(reader), request).await.map(drop)
            }
        }
    }
}
