//! Parcels, and a db-core that answers when the test says so, with a clock that only the tests move.

use common::{
    MessageId, RoomId, SessionId, Timestamp, UserId,
    event::Content,
    revocation::RevocationList,
    room::{Account, AccountRole, Invite, Member, Message, Page, ReadMarker, Room, User},
    text::Body,
    token::Actor,
};
use db_api::{Answer, Refusal, Reply, types::*, with_operations};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::*;

/// A call under way: its request, and where its answer goes; dropped, the call fails.
struct Asked {
    request: Value,
    deadline: Duration,
    answer: oneshot::Sender<Value>,
}

impl Asked {
    fn rooms(&self) -> Vec<u128> {
        let drafts = self.request["drafts"].as_array().unwrap().iter();
        let rooms = drafts.map(|draft| serde_json::from_value::<RoomId>(draft["roomId"].clone()).unwrap());
        rooms.map(|room| room.0.as_u128()).collect()
    }

    /// Each draft is refused, and the refusal names its room.
    fn done(self) {
        let outcomes: Vec<_> = self.rooms().into_iter().map(refused).collect();
        self.answer.send(json!({"outcomes": outcomes})).unwrap();
    }
}

fn refused(room: u128) -> Outcome {
    Outcome::Refused(Refusal::forbidden(room.to_string()))
}

struct Gate(mpsc::UnboundedSender<Asked>);

impl Gate {
    async fn ask(&self, call: Call, request: Value) -> Option<Value> {
        let (answer, answered) = oneshot::channel();
        let deadline = call.deadline();
        self.0
            .send(Asked {
                request,
                deadline,
                answer,
            })
            .ok()?;
        answered.await.ok()
    }
}

macro_rules! gate {
    ($($(#[$doc:meta])* $name:ident [$($caller:ident),*]: $request:ty => $answer:ty;)*) => {
        #[async_trait::async_trait]
        impl DbApi for Gate {
            $(async fn $name(&self, call: Call, request: $request) -> Reply<$answer> {
                let request = serde_json::to_value(request).unwrap();
                let answer = self.ask(call, request).await.ok_or(Refusal::Internal)?;
                Ok(Answer::read(serde_json::from_value(answer).unwrap()))
            })*
        }
    };
}

with_operations!(gate);

fn draft(room: u128) -> Draft {
    Draft {
        actor: Actor {
            user_id: UserId(Uuid::nil()),
            session_id: SessionId(Uuid::nil()),
            role: AccountRole::User,
            scopes: Vec::new(),
            expires_at: Timestamp(0),
        },
        room_id: RoomId(Uuid::from_u128(room)),
        message_id: MessageId(service::minted::id()),
        content: Content::Message(Body::parse("hi").unwrap()),
        reply_to: None,
        mentions: Vec::new(),
        ws_id: None,
        traceparent: None,
    }
}

struct Scene {
    gatherer: Arc<Gatherer>,
    calls: mpsc::UnboundedReceiver<Asked>,
}

type Heard = oneshot::Receiver<Option<Vec<Outcome>>>;

impl Scene {
    fn new() -> Self {
        let (sender, calls) = mpsc::unbounded_channel();
        let gatherer = Arc::new(Gatherer::new(Arc::new(Gate(sender))));
        Self { gatherer, calls }
    }

    /// One room sends so many.
    fn send(&self, room: u128, drafts: usize) -> Heard {
        let (sender, heard) = oneshot::channel();
        let drafts = (0..drafts).map(|_| draft(room)).collect();
        self.gatherer.send(drafts, move |outcomes| drop(sender.send(outcomes)));
        heard
    }

    /// As many calls as may be under way, each of a room that none else sends to.
    async fn busy(&mut self) -> Vec<(Asked, Heard)> {
        let mut calls = Vec::new();
        for number in 0..limits::APPENDS_AT_ONCE {
            let heard = self.send(1_000 + number as u128, 1);
            calls.push((self.calls.recv().await.unwrap(), heard));
        }
        calls
    }

    /// What is asked by now, without any time passing.
    async fn asked(&mut self) -> Option<Asked> {
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        self.calls.try_recv().ok()
    }
}

#[tokio::test(start_paused = true)]
async fn a_send_waits_for_nobody_while_a_call_is_free() {
    let mut scene = Scene::new();
    let begun = Instant::now();
    let heard = scene.send(1, 2);
    let call = scene.asked().await.unwrap();
    assert_eq!((call.rooms(), begun.elapsed()), (vec![1, 1], Duration::ZERO));
    call.done();
    assert_eq!(heard.await.unwrap(), Some(vec![refused(1), refused(1)]));
}

#[tokio::test(start_paused = true)]
async fn what_comes_meanwhile_shares_the_next_call_and_each_room_hears_its_own() {
    let mut scene = Scene::new();
    let mut busy = scene.busy().await;
    let heard = [scene.send(1, 2), scene.send(2, 1), scene.send(3, 3)];
    assert!(scene.asked().await.is_none());
    busy.pop().unwrap().0.done();
    let call = scene.asked().await.unwrap();
    assert_eq!(call.rooms(), [1, 1, 2, 3, 3, 3]);
    call.done();
    for (heard, (room, count)) in heard.into_iter().zip([(1, 2), (2, 1), (3, 3)]) {
        assert_eq!(heard.await.unwrap(), Some(vec![refused(room); count]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_leaves_open_what_it_carried_and_nothing_else() {
    let mut scene = Scene::new();
    let mut busy = scene.busy().await;
    let heard = [scene.send(1, 1), scene.send(2, 1)];
    let (failing, failed) = busy.pop().unwrap();
    drop(failing);
    assert_eq!(failed.await.unwrap(), None);
    let failing = scene.asked().await.unwrap();
    let later = scene.send(3, 1);
    drop(failing);
    for heard in heard {
        assert_eq!(heard.await.unwrap(), None);
    }
    scene.asked().await.unwrap().done();
    assert_eq!(later.await.unwrap(), Some(vec![refused(3)]));
}

#[tokio::test(start_paused = true)]
async fn a_call_takes_whole_rooms_and_no_more_than_it_may() {
    let mut scene = Scene::new();
    let mut busy = scene.busy().await;
    let most = limits::DRAFTS_PER_APPEND;
    let _heard = [(1, most - 1), (2, 1), (3, 2), (4, most)].map(|(room, drafts)| scene.send(room, drafts));
    busy.pop().unwrap().0.done();
    let mut carried = Vec::new();
    while let Some(call) = scene.asked().await {
        let mut rooms = call.rooms();
        let drafts = rooms.len();
        rooms.dedup();
        carried.push((rooms, drafts));
        call.done();
    }
    assert_eq!(carried, [(vec![1, 2], most), (vec![3], 2), (vec![4], most)]);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_the_deadline_of_a_call_and_nobody_shortens_it_who_is_too_late() {
    let mut scene = Scene::new();
    let mut busy = scene.busy().await;
    let late = scene.send(1, 1);
    tokio::time::sleep(limits::CALL_DEADLINE / 2).await;
    let early = scene.send(2, 1);
    tokio::time::sleep(limits::CALL_DEADLINE / 2).await;
    let fresh = scene.send(3, 1);
    busy.pop().unwrap().0.done();
    let call = scene.asked().await.unwrap();
    assert_eq!(late.await.unwrap(), None);
    assert_eq!((call.rooms(), call.deadline), (vec![2, 3], limits::CALL_DEADLINE / 2));
    call.done();
    assert_eq!(early.await.unwrap(), Some(vec![refused(2)]));
    assert_eq!(fresh.await.unwrap(), Some(vec![refused(3)]));
}
