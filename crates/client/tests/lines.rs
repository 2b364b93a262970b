//! What a client promises over a line that is cut: nothing is lost, repeated or out of order.

#![allow(clippy::unwrap_used)]

mod support;

use std::{sync::Arc, time::Duration};

use chat_client::{
    Client, Heard, Http, Login, Nowhere, Session, Socket,
    core::{Frame, Place},
    socket,
};
use common::{
    MessageId, RoomId, Seq,
    event::{Content, Event},
    frame::{Auth, ClientFrame, Request, ServerFrame},
    room::{User, Visibility},
    text::Body,
};
use support::{PASSWORD, PATIENCE, Proxy, Shared, Stack};

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
    losses: usize,
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
            losses: 0,
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
            Heard::Offline { .. } => self.losses += 1,
            Heard::Online | Heard::Said(_) => {}
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

#[tokio::test]
async fn two_that_share_a_login_renew_it_one_after_the_other() {
    let stack = Stack::start().await;
    let login = stack.person("ada", &stack.origin).await.login().await;
    let shelf = Shared::new(&login);
    let process = || Session::new(Http::new(&stack.origin).unwrap(), login.clone(), shelf.clone());
    let (one, two) = (process(), process());
    for _ in 0..3 {
        let known = [one.login().await.access_token, two.login().await.access_token];
        let (first, second) = tokio::join!(one.renewed(&known[0]), two.renewed(&known[1]));
        assert_eq!(first.unwrap(), second.unwrap());
    }
}

#[tokio::test]
async fn who_is_logged_out_elsewhere_does_not_come_back() {
    let stack = Stack::start().await;
    let session = stack.person("ada", &stack.origin).await;
    let mut client = Client::start(session.clone());
    let online = async { while !matches!(client.next().await, Some(Heard::Online)) {} };
    tokio::time::timeout(PATIENCE, online).await.unwrap();
    session.logout().await.unwrap();
    let over = async {
        loop {
            match client.next().await {
                Some(Heard::SignedOut { .. }) => return,
                Some(Heard::Online) => panic!("it is back"),
                Some(_) => {}
                None => panic!("it has stopped without a word"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, over).await.unwrap();
}

#[tokio::test]
async fn a_socket_goes_on_with_a_renewed_token() {
    let stack = Stack::start().await;
    let http = Http::new(&stack.origin).unwrap();
    let first = Login::register(&http, "ada", PASSWORD).await.unwrap();
    let soon = Login {
        renew_at: service::minted::now().plus(Duration::from_secs(1)),
        ..first.clone()
    };
    let session = Arc::new(Session::new(http, soon, Nowhere));
    let room = session.create_room("Short", Visibility::Public).await.unwrap().id;
    let mut ada = Listener::start(&session, room, Some(Seq::ZERO)).await;
    let renewed = tokio::time::timeout(PATIENCE, async {
        while session.login().await.access_token == first.access_token {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        session.login().await.access_token
    });
    let access_token = renewed.await.expect("it is never renewed");
    ada.client.say(room, body("still here")).await.unwrap();
    ada.until(|ada| ada.settled.len() == 1).await;
    assert_eq!(ada.losses, 0, "in place");

    let url = socket::url_of(&stack.origin);
    let mut socket = Socket::open(&url, &first.access_token).await.unwrap();
    let (reference, request) = (Some("a".to_owned()), Request::Auth(Auth { access_token }));
    socket.write(&ClientFrame { reference, request }).await.unwrap();
    let answer = socket.read().await.unwrap();
    assert!(
        matches!(&answer, Frame::Said(ServerFrame::Authenticated { reference: Some(to), .. }) if to == "a"),
        "{answer:?}"
    );
    socket.close().await;
    let refused = Socket::open(&url, "no token").await.err().unwrap();
    assert!(
        matches!(refused, chat_client::SocketError::Refused { status: 401, .. }),
        "{refused}"
    );
}
