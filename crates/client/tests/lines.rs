//! What a client promises over a line that is cut: nothing is lost, repeated or out of order.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use chat_client::{Client, Heard, Http, Login, Nowhere, Session, core::Place};
use common::{
    MessageId, RoomId, Seq,
    event::{Content, Event},
    room::{User, Visibility},
    text::Body,
};
use support::{PASSWORD, PATIENCE, Proxy, Stack};

fn body(text: &str) -> Body {
    Body::parse(text).unwrap()
}

/// Somebody who listens, and what they heard.
struct Listener {
    me: User,
    client: Client,
    base: Option<Seq>,
    log: Vec<Event>,
    settled: Vec<MessageId>,
}

impl Listener {
    async fn start(session: &Arc<Session>, room: RoomId, after: Option<Seq>) -> Self {
        let client = Client::start(session.clone());
        client.join(room, after);
        let mut listener = Self {
            me: session.login().await.user,
            client,
            base: None,
            log: Vec::new(),
            settled: Vec::new(),
        };
        listener.until(|listener| listener.base.is_some()).await;
        listener
    }

    async fn until(&mut self, done: impl Fn(&Self) -> bool) {
        while !done(self) {
            let heard = tokio::time::timeout(PATIENCE, self.client.next()).await;
            self.take(heard.expect("nothing more came").expect("the client has stopped"));
        }
    }

    fn take(&mut self, heard: Heard) {
        match heard {
            Heard::Begins { after, .. } => {
                assert_eq!(self.base, None, "it never starts anew");
                self.base = Some(after);
            }
            Heard::Place { place, .. } => {
                let event = match place {
                    Place::Event(event) => *event,
                    Place::Own(own) => own.event(&self.me).unwrap(),
                };
                let last = self.log.last().map(Event::seq).or(self.base).unwrap();
                assert_eq!(event.seq(), last.next(), "in order, once, without a gap");
                self.log.push(event);
            }
            Heard::Settled { message, outcome, .. } => {
                outcome.unwrap();
                assert!(!self.settled.contains(&message), "{message} was settled twice");
                self.settled.push(message);
            }
            Heard::NotJoined { .. } | Heard::Ended { .. } | Heard::SignedOut { .. } => panic!("{heard:?}"),
            Heard::Online | Heard::Offline { .. } | Heard::Said(_) => {}
        }
    }

    /// What was said, and by whom.
    fn said(&self) -> Vec<(String, String)> {
        let message = |event: &Event| match event {
            Event::Message(message) => match &message.content {
                Content::Message(body) => Some((message.sender_name.clone(), body.as_str().to_owned())),
                _ => None,
            },
            _ => None,
        };
        self.log.iter().filter_map(message).collect()
    }
}

#[tokio::test]
async fn messages_over_a_line_that_is_cut_arrive_once_and_in_order() {
    let stack = Stack::start().await;
    let line = Proxy::to(&stack.origin).await;
    let ada = stack.person("ada", &line.origin).await;
    let bob = stack.person("bob", &stack.origin).await;
    let room = ada.create_room("Lines", Visibility::Public).await.unwrap().id;
    bob.join_room(room).await.unwrap();
    let mut ada = Listener::start(&ada, room, Some(Seq::ZERO)).await;
    let mut bob = Listener::start(&bob, room, Some(Seq::ZERO)).await;

    let mut written = Vec::new();
    for round in 0..4 {
        let mut say = async |count: usize| {
            for number in 0..count {
                let text = format!("{round}.{number} of {count}");
                ada.client.say(room, body(&text)).await.unwrap();
                written.push(text);
            }
        };
        say(7).await;
        // Some are on their way, some are not: nobody waited.
        line.cut();
        say(5).await;
        bob.client.say(room, body(&format!("bob {round}"))).await.unwrap();
        bob.until(|bob| bob.settled.len() == round + 1).await;
        line.mend();
        let all = written.len();
        ada.until(|ada| ada.settled.len() == all).await;
    }
    let all = written.len() + 4;
    ada.until(|ada| ada.said().len() == all).await;
    bob.until(|bob| bob.said().len() == all).await;
    let of = |name: &str, log: Vec<(String, String)>| -> Vec<String> {
        let by = log.into_iter().filter(|(sender, _)| sender == name);
        by.map(|(_, text)| text).collect()
    };
    assert_eq!(of("ada", bob.said()), written, "at the other's");
    assert_eq!(of("ada", ada.said()), written, "and at the writer's");
    assert_eq!(ada.said(), bob.said());
}

#[tokio::test]
async fn what_a_socket_leaves_out_is_fetched() {
    let stack = Stack::start().await;
    let line = Proxy::to(&stack.origin).await;
    let (ada, bob) = (
        stack.person("ada", &line.origin).await,
        stack.person("bob", &stack.origin).await,
    );
    let room = bob.create_room("Long", Visibility::Public).await.unwrap().id;
    ada.join_room(room).await.unwrap();
    let mut listener = Listener::start(&ada, room, Some(Seq::ZERO)).await;
    listener.until(|listener| listener.log.len() == 2).await;
    line.cut();
    // 16 kB each: a `joined`, as a page, holds at most 1 MiB of them.
    let long = "😀".repeat(4_000);
    for _ in 0..150 {
        bob.post(room, MessageId(service::minted::id()), &body(&long))
            .await
            .unwrap();
    }
    line.mend();
    listener.until(|listener| listener.log.len() == 152).await;
    // Heard from the end on, it is the end alone.
    let mut late = Listener::start(&bob, room, None).await;
    late.client.say(room, body("last")).await.unwrap();
    late.until(|late| late.log.len() == 1).await;
    listener.until(|listener| listener.log.len() == 153).await;
    assert_eq!(late.log[0].seq(), listener.log[152].seq());
}

#[tokio::test]
async fn a_login_lasts_and_a_renewal_whose_answer_was_lost_is_made_again() {
    let stack = Stack::start().await;
    let session = stack.person("ada", &stack.origin).await;
    let first = session.login().await;
    let renewed = session.renewed(&first.access_token).await.unwrap();
    assert_ne!(renewed, first.access_token);
    // A process that never heard of it.
    let again = Session::new(Http::new(&stack.origin).unwrap(), first.clone(), Nowhere);
    again.renewed(&first.access_token).await.unwrap();
    assert_eq!(again.login().await.refresh_token, session.login().await.refresh_token);
    session.rooms().await.unwrap();

    session.logout().await.unwrap();
    session.logout().await.unwrap();
    let over = session.renewed(&session.login().await.access_token).await.unwrap_err();
    assert!(over.is_signed_out(), "{over}");
    let login = Login::login(&Http::new(&stack.origin).unwrap(), "ada", PASSWORD, "test").await;
    assert_eq!(login.unwrap().user.id, first.user.id);
}
