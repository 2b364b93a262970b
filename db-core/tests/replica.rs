//! Reads from a replica: only what it can prove to be complete (consistency rule 12), and while nobody leads, what there is,
//! which says so (rule 14).

#![allow(clippy::unwrap_used)]

mod pair;
mod support;

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use common::{
    MessageId, Seq,
    event::{Content, Event},
    room::Message,
    text::{Body, SearchQuery},
};
use db_api::{Answer, Call, DbApi, Refusal, Reply, Seen, types::*};
use db_api_suite::actions::*;
use pair::*;

const PAUSE: &str = "select pg_wal_replay_pause()";
const RESUME: &str = "select pg_wal_replay_resume()";

impl Pair {
    /// How often the replica was asked for something, with this success.
    fn reads(&self, entity: &str, outcome: &str) -> u64 {
        let labels = format!("entity=\"{entity}\",outcome=\"{outcome}\"}} ");
        let text = self.metrics.text();
        let mut lines = text.lines().filter(|line| line.starts_with("db_replica_reads_total"));
        let count = lines.find_map(|line| line.split_once(&labels).map(|(_, count)| count));
        count.map_or(0, |count| count.parse().unwrap())
    }

    async fn ask_history(&self, call: Call, place: Place) -> Reply<HistoryPage> {
        let (room_id, limit) = (self.room, 50);
        self.db.history(call, History { room_id, place, limit }).await
    }

    /// All messages, asked for as an older page, which no cache has.
    async fn history(&self) -> Vec<Message> {
        let page = self.ask_history(of(&self.ada), Place::After(Seq::ZERO)).await;
        page.unwrap().value.items
    }

    async fn found(&self, query: &str) -> usize {
        let request = Search {
            query: SearchQuery::parse(query).unwrap(),
            room_id: None,
            paging: Paging {
                cursor: None,
                limit: 50,
            },
        };
        self.db.search(of(&self.ada), request).await.unwrap().value.items.len()
    }

    /// Asks everything until the replica has answered each.
    async fn until_replica_answers(&self) {
        let all = async {
            for entity in ["history", "events", "search"] {
                let before = self.reads(entity, "complete");
                while self.reads(entity, "complete") == before {
                    self.history().await;
                    self.seqs().await;
                    self.found("anything").await;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        };
        let answered = tokio::time::timeout(Duration::from_secs(60), all).await;
        assert!(answered.is_ok(), "{}", self.metrics.text());
    }

    async fn pause(&self) {
        run(self.replica.url(), PAUSE).await;
        // A pause is asked for; it begins when the server has seen that.
        run(
            self.replica.url(),
            "do $$ begin while pg_get_wal_replay_pause_state() <> 'paused' loop perform pg_sleep(0.001); end loop; end $$",
        )
        .await;
    }
}

fn text(n: u64) -> Content {
    Content::Message(Body::parse(n.to_string()).unwrap())
}

fn number(content: &Content) -> u64 {
    match content {
        Content::Message(body) => body.as_str().parse().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_replica_answers_what_it_has_and_shows_no_old_text() {
    let pair = Pair::new().await;
    let (kept, gone) = (
        say(&*pair.db, &pair.ada, pair.room, "walnut").await,
        say(&*pair.db, &pair.ada, pair.room, "hazelnut").await,
    );
    pair.until_replica_answers().await;
    while pair.found("hazelnut").await == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    pair.pause().await;
    edit(&*pair.db, &pair.ada, pair.room, kept, said("pecan"))
        .await
        .unwrap();
    delete(&*pair.db, &pair.ada, pair.room, gone).await.unwrap();
    let behind = ["history", "events", "search"].map(|entity| pair.reads(entity, "behind"));

    let texts = |messages: Vec<Message>| serde_json::to_string(&messages).unwrap();
    let shown = texts(pair.history().await);
    assert!(
        shown.contains("pecan") && !shown.contains("walnut") && !shown.contains("hazelnut"),
        "{shown}"
    );
    let events = log(&*pair.db, &pair.ada, pair.room).await;
    assert!(matches!(events.last(), Some(Event::Deleted(_))), "{events:?}");
    assert!(!serde_json::to_string(&events).unwrap().contains("hazelnut"));
    assert_eq!(pair.found("hazelnut").await, 0);
    let asked = ["history", "events", "search"].map(|entity| pair.reads(entity, "behind"));
    assert!(
        asked.iter().zip(behind).all(|(now, before)| *now > before),
        "the replica was asked: {asked:?}"
    );
    run(pair.replica.url(), RESUME).await;
    pair.until_replica_answers().await;
}

/// What the newest edit says, by each way of reading.
async fn numbers(pair: &Pair, message: MessageId) -> [u64; 3] {
    let (newest, older) = tokio::join!(
        pair.ask_history(of(&pair.ada), Place::Newest),
        pair.ask_history(of(&pair.ada), Place::After(Seq::ZERO)),
    );
    let shown = |page: Answer<HistoryPage>| {
        let message = page.value.items.into_iter().find(|item| item.message_id == message);
        number(&message.unwrap().content)
    };
    let events = log(&*pair.db, &pair.ada, pair.room).await;
    let told = events.iter().rev().find_map(|event| match event {
        Event::Edited(event) => Some(number(&event.content)),
        Event::Message(event) => Some(number(&event.content)),
        _ => None,
    });
    [shown(newest.unwrap()), shown(older.unwrap()), told.unwrap()]
}

#[tokio::test]
async fn no_read_is_older_than_an_ack_however_the_replica_lags() {
    const EDITS: u64 = 200;
    let pair = Pair::new().await;
    let first = draft(&pair.ada, pair.room, fresh_message());
    let message = first.message_id;
    pair.acked(Draft {
        content: text(0),
        ..first
    })
    .await;
    pair.until_replica_answers().await;
    let (acked, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let write = async {
        for n in 1..=EDITS {
            edit(&*pair.db, &pair.ada, pair.room, message, text(n)).await.unwrap();
            acked.store(n, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(n % 7)).await;
        }
        over.store(true, Ordering::SeqCst);
    };
    let lag = async {
        while !over.load(Ordering::SeqCst) {
            pair.pause().await;
            tokio::time::sleep(Duration::from_millis(25)).await;
            run(pair.replica.url(), RESUME).await;
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    };
    let read = || async {
        while !over.load(Ordering::SeqCst) {
            let least = acked.load(Ordering::SeqCst);
            let shown = numbers(&pair, message).await;
            assert!(shown.iter().all(|n| *n >= least), "{shown:?} after the ack of {least}");
        }
    };
    tokio::join!(write, lag, read(), read(), read());
    for entity in ["history", "events"] {
        for outcome in ["complete", "behind"] {
            assert!(pair.reads(entity, outcome) > 0, "{entity} {outcome}");
        }
    }
}

fn away<T: std::fmt::Debug>(reply: Reply<T>) {
    assert!(matches!(reply, Err(Refusal::Unavailable { .. })), "{reply:?}");
}

#[tokio::test]
async fn while_nobody_leads_a_read_says_that_it_may_be_old() {
    let pair = Pair::new().await;
    say(&*pair.db, &pair.ada, pair.room, "before").await;
    pair.until_replica_answers().await;
    pair.pause().await;
    let append = Append {
        drafts: vec![draft(&pair.ada, pair.room, fresh_message())],
    };
    let seen = pair.db.append(of(&pair.ada), append).await.unwrap().seen;
    assert_eq!(pair.history().await.len(), 2);
    signal(&processes(&pair.leader), "KILL");

    let maybe_stale = || of(&pair.ada).maybe_stale(true);
    let ask = |call| pair.ask_history(call, Place::Newest);
    let left = async {
        loop {
            match ask(maybe_stale()).await {
                Ok(answer) => return answer,
                Err(refusal) => assert!(matches!(refusal, Refusal::Unavailable { .. }), "{refusal:?}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let left = tokio::time::timeout(Duration::from_secs(60), left).await.unwrap();
    assert!(left.stale);
    assert_eq!(left.value.items.len(), 1, "what the replica has");
    away(ask(of(&pair.ada)).await);
    away(ask(maybe_stale().having_seen(seen.clone())).await);
    away(ask(maybe_stale().having_seen(Some(Seen("of another release".into())))).await);
    away(pair.db.update_me(maybe_stale(), UpdateMe { display_name: None }).await);

    run(pair.replica.url(), RESUME).await;
    let caught_up = async {
        loop {
            if let Ok(answer) = ask(maybe_stale().having_seen(seen.clone())).await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let answer = tokio::time::timeout(Duration::from_secs(60), caught_up).await.unwrap();
    assert!(answer.stale);
    assert_eq!(answer.value.items.len(), 2);
    pair.promote().await;
    pair.append().await;
    let answer = ask(maybe_stale().having_seen(seen)).await.unwrap();
    assert!(!answer.stale, "one leads again");
    assert_eq!(answer.value.items.len(), 3);
}

#[tokio::test]
async fn health_says_whether_an_ack_survives_the_leader() {
    let pair = Pair::new().await;
    let replicated = || async {
        let health = pair.db.health(Call::anonymous(), Nothing {}).await.unwrap();
        health.value.replicated
    };
    assert!(replicated().await);
    for setting in ["reset synchronous_standby_names", "set synchronous_standby_names = '*'"] {
        let before = replicated().await;
        run(pair.leader.url(), &format!("alter system {setting}")).await;
        run(pair.leader.url(), "select pg_reload_conf()").await;
        let told = async {
            while replicated().await == before {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), told).await.unwrap();
    }
}
