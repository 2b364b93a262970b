//! Full text. It may lag behind the log (contract, section 4), so each case waits for what it expects.

use std::{sync::Arc, time::Duration};

use common::{
    RoomId,
    event::ReactionOp,
    room::{Message, Page},
    text::SearchQuery,
    token::Actor,
};
use db_api::{Call, DbApi, Refusal, types::*};

use crate::actions::*;

async fn page(
    db: &dyn DbApi,
    reader: &Actor,
    query: &str,
    room_id: Option<RoomId>,
    cursor: Option<String>,
    limit: u32,
) -> Result<Page<Message>, Refusal> {
    let request = Search {
        query: SearchQuery::parse(query).unwrap(),
        room_id,
        paging: Paging { cursor, limit },
    };
    db.search(Call::of(reader.clone()), request)
        .await
        .map(|answer| answer.value)
}

/// Texts found, the newest first.
async fn texts(db: &dyn DbApi, reader: &Actor, query: &str) -> Vec<String> {
    let found = page(db, reader, query, None, None, 50).await.unwrap();
    let text = |message: Message| {
        serde_json::to_value(message).unwrap()["message"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    found.items.into_iter().map(text).collect()
}

async fn until_found(db: &dyn DbApi, reader: &Actor, query: &str, expected: &[&str]) {
    let looked = async {
        while texts(db, reader, query).await != expected {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(20), looked).await.is_err() {
        panic!("{query:?} finds {:?}, not {expected:?}", texts(db, reader, query).await);
    }
}

pub async fn words_are_found_in_my_rooms_the_newest_first(db: Arc<dyn DbApi>) {
    let (ada, bob, eve) = (
        person(&*db, "ada").await,
        person(&*db, "bob").await,
        person(&*db, "eve").await,
    );
    let (tea, biscuits, private) = (
        room(&*db, &ada, &[&bob]).await,
        room(&*db, &bob, &[&ada]).await,
        room(&*db, &eve, &[]).await,
    );
    say(&*db, &eve, private.id, "green tea of Eve").await;
    say(&*db, &ada, tea.id, "Green tea, please").await;
    let id = say(&*db, &bob, biscuits.id, "biscuits with the tea").await;
    say(&*db, &ada, tea.id, "Tée vert, зелёный чай").await;
    react(&*db, &ada, biscuits.id, id, "👍", ReactionOp::Added)
        .await
        .unwrap();

    until_found(&*db, &ada, "tea", &["biscuits with the tea", "Green tea, please"]).await;
    until_found(&*db, &ada, "GREEN", &["Green tea, please"]).await;
    until_found(&*db, &ada, "чай", &["Tée vert, зелёный чай"]).await;
    until_found(&*db, &eve, "tea", &["green tea of Eve"]).await;
    for (query, expected) in [
        ("tea bisc", &["biscuits with the tea"][..]),
        ("\"green tea\"", &["Green tea, please"]),
        ("\"tea green\"", &[]),
        ("tea -green", &["biscuits with the tea"]),
        ("biscuits or vert", &["Tée vert, зелёный чай", "biscuits with the tea"]),
        ("te", &[]),
        ("&|!:*()'", &[]),
    ] {
        assert_eq!(texts(&*db, &ada, query).await, expected, "{query}");
    }
    let found = page(&*db, &ada, "biscuits", None, None, 50).await.unwrap();
    assert!(found.items[0].reactions[0].mine);
    let found = page(&*db, &ada, "tea", Some(tea.id), None, 50).await.unwrap();
    assert_eq!(found.items.len(), 1);
    let foreign = page(&*db, &ada, "tea", Some(private.id), None, 50).await;
    assert!(matches!(foreign, Err(Refusal::NotAMember { .. })), "{foreign:?}");
    let nowhere = page(&*db, &ada, "tea", Some(RoomId(service::minted::id())), None, 50).await;
    assert_eq!(nowhere, Err(Refusal::NotFound));

    remove(&*db, &bob, biscuits.id, &ada).await;
    assert_eq!(
        texts(&*db, &ada, "tea").await,
        ["Green tea, please"],
        "whoever is out finds nothing, at once"
    );
}

pub async fn what_is_found_is_as_it_stands_now(db: Arc<dyn DbApi>) {
    let ada = person(&*db, "ada").await;
    let here = room(&*db, &ada, &[]).await;
    let (changed, gone) = (
        say(&*db, &ada, here.id, "apples").await,
        say(&*db, &ada, here.id, "more apples").await,
    );
    until_found(&*db, &ada, "apples", &["more apples", "apples"]).await;
    delete(&*db, &ada, here.id, gone).await.unwrap();
    edit(&*db, &ada, here.id, changed, said("pears")).await.unwrap();
    assert!(
        texts(&*db, &ada, "apples").await.is_empty(),
        "not by a text that is no more, at once"
    );
    until_found(&*db, &ada, "pears", &["pears"]).await;
}

pub async fn a_search_goes_on_from_its_cursor(db: Arc<dyn DbApi>) {
    let ada = person(&*db, "ada").await;
    let here = room(&*db, &ada, &[]).await;
    let text = |n: usize| format!("tea {n}");
    for n in 0..7 {
        say(&*db, &ada, here.id, &text(n)).await;
    }
    let all: Vec<String> = (0..7).rev().map(text).collect();
    until_found(&*db, &ada, "tea", &all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let (mut cursor, mut seen) = (None, Vec::new());
    loop {
        let found = page(&*db, &ada, "tea", None, cursor, 3).await.unwrap();
        assert!(found.items.len() <= 3);
        seen.extend(found.items.iter().map(|message| message.seq.get()));
        cursor = found.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, (2..=8).rev().collect::<Vec<u64>>());
    let noise = page(&*db, &ada, "tea", None, Some("nonsense".into()), 3).await;
    assert!(matches!(noise, Err(Refusal::Invalid { .. })), "{noise:?}");
}
