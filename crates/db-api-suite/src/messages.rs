//! What becomes of a message: edits, deletions, reactions, and what every later answer shows of them.

use std::sync::Arc;

use common::{
    event::{Content, Event, ReactionOp},
    room::Reaction,
};
use db_api::{DbApi, Refusal, types::*};

use crate::actions::*;

const ADDED: ReactionOp = ReactionOp::Added;
const REMOVED: ReactionOp = ReactionOp::Removed;

pub const SOME_DEVICE: common::DeviceId =
    common::DeviceId(uuid::Uuid::from_u128(0x0194_7e29_5c00_7000_8000_0000_0000_0001));

/// By a device that nobody has made known, unless a test does.
pub fn sealed(epoch: u32, rev: u32) -> Content {
    Content::Envelope(Box::new(crate::sealed::envelope(SOME_DEVICE, epoch, rev)))
}

pub async fn an_edit_is_its_authors_and_moves_the_text_alone(db: Arc<dyn DbApi>) {
    let (ada, bob, eve) = (
        person(&*db, "ada").await,
        person(&*db, "bob").await,
        person(&*db, "eve").await,
    );
    let (here, other) = (room(&*db, &ada, &[&bob]).await, room(&*db, &ada, &[]).await);
    let id = say(&*db, &ada, here.id, "one").await;
    assert_eq!(
        history(&*db, &bob, here.id).await[0].content,
        said("one"),
        "the page is cached from here"
    );

    let edited = edit(&*db, &ada, here.id, id, said("two")).await.unwrap();
    assert_eq!((edited.seq.get(), &edited.content), (2, &said("two")));
    let events = log(&*db, &bob, here.id).await;
    let Some(Event::Edited(event)) = events.last() else {
        panic!("{events:?}")
    };
    assert_eq!(
        (event.seq.get(), event.message_id, &event.content),
        (3, id, &said("two"))
    );
    assert_eq!(Some(event.edited_at), edited.edited_at);
    assert_eq!(history(&*db, &bob, here.id).await, std::slice::from_ref(&edited));
    assert_eq!(message(&*db, &bob, here.id, id).await, Ok(edited.clone()));

    assert_eq!(
        edit(&*db, &ada, here.id, id, said("two")).await,
        Ok(edited),
        "nothing changes"
    );
    let refused = edit(&*db, &bob, here.id, id, said("three")).await;
    assert!(matches!(refused, Err(Refusal::Forbidden { .. })), "{refused:?}");
    let refused = edit(&*db, &eve, here.id, id, said("three")).await;
    assert!(matches!(refused, Err(Refusal::NotAMember { .. })), "{refused:?}");
    let refused = edit(&*db, &ada, here.id, id, sealed(1, 1)).await;
    assert!(matches!(refused, Err(Refusal::Invalid { .. })), "{refused:?}");
    for (room, message) in [(other.id, id), (here.id, fresh_message())] {
        assert_eq!(
            edit(&*db, &ada, room, message, said("three")).await,
            Err(Refusal::NotFound)
        );
    }
    assert_eq!(
        seqs(&log(&*db, &ada, here.id).await),
        [1, 2, 3],
        "what is refused takes no place"
    );
}

pub async fn a_deletion_takes_the_content_out_of_every_later_answer(db: Arc<dyn DbApi>) {
    let (ada, bob) = (person(&*db, "ada").await, person(&*db, "bob").await);
    let here = room(&*db, &ada, &[&bob]).await;
    let secret = Draft {
        content: said("secret one"),
        ..draft(&bob, here.id, fresh_message())
    };
    let id = secret.message_id;
    append(&*db, vec![secret.clone()]).await;
    let answer = Draft {
        reply_to: Some(id),
        ..draft(&ada, here.id, fresh_message())
    };
    edit(&*db, &bob, here.id, id, said("secret two")).await.unwrap();
    react(&*db, &ada, here.id, id, "👍", ADDED).await.unwrap();
    append(&*db, vec![answer]).await;
    let ours = say(&*db, &ada, here.id, "ours").await;
    assert_eq!(history(&*db, &ada, here.id).await.len(), 3);

    delete(&*db, &ada, here.id, id).await.unwrap();
    let events = log(&*db, &bob, here.id).await;
    assert_eq!(seqs(&events), rising(7));
    assert!(matches!(&events[1], Event::Message(event) if event.content == Content::Deleted(true)));
    assert!(matches!(&events[2], Event::Edited(event) if event.content == Content::Deleted(true)));
    let Event::Deleted(deleted) = &events[6] else {
        panic!("{events:?}")
    };
    assert_eq!((deleted.message_id, deleted.deleted_by), (id, ada.user_id));
    assert!(!format!("{events:?}").contains("secret"));
    let page = history(&*db, &bob, here.id).await;
    assert_eq!(
        (&page[0].content, page[0].reactions.len()),
        (&Content::Deleted(true), 0)
    );
    assert_eq!(page[1].reply_to, Some(id), "an answer stays readable");
    let gone = message(&*db, &ada, here.id, id).await.unwrap();
    assert_eq!(gone.content, Content::Deleted(true));
    let again = append(&*db, vec![secret]).await.remove(0);
    assert!(
        matches!(&again, Outcome::Appended(sent) if sent.repeated && sent.event.content == Content::Deleted(true)),
        "{again:?}"
    );

    delete(&*db, &bob, here.id, id).await.unwrap();
    let late = edit(&*db, &bob, here.id, id, said("back")).await;
    assert!(matches!(late, Err(Refusal::Conflict { .. })), "{late:?}");
    let late = react(&*db, &bob, here.id, id, "👍", ADDED).await;
    assert!(matches!(late, Err(Refusal::Conflict { .. })), "{late:?}");
    let not_his = delete(&*db, &bob, here.id, ours).await;
    assert!(matches!(not_his, Err(Refusal::Forbidden { .. })), "{not_his:?}");
    assert_eq!(seqs(&log(&*db, &ada, here.id).await), rising(7));

    delete(&*db, &ada, here.id, ours).await.unwrap();
    let request = InRoom { room_id: here.id };
    let room = db.room(db_api::Call::of(bob.clone()), request).await.unwrap().value;
    assert_eq!(room.last_message.unwrap().content, Content::Deleted(true));
}

pub async fn who_is_out_changes_nothing(db: Arc<dyn DbApi>) {
    let (ada, bob) = (person(&*db, "ada").await, person(&*db, "bob").await);
    let (here, other) = (room(&*db, &ada, &[&bob]).await, room(&*db, &ada, &[]).await);
    let id = say(&*db, &bob, here.id, "mine").await;
    for (room, message) in [(other.id, id), (here.id, fresh_message())] {
        assert_eq!(delete(&*db, &ada, room, message).await, Err(Refusal::NotFound));
        assert_eq!(
            react(&*db, &ada, room, message, "👍", ADDED).await,
            Err(Refusal::NotFound)
        );
    }
    remove(&*db, &ada, here.id, &bob).await;
    let out = Refusal::NotAMember {
        visibility: common::room::Visibility::Private,
    };
    assert_eq!(delete(&*db, &bob, here.id, id).await, Err(out.clone()));
    assert_eq!(edit(&*db, &bob, here.id, id, said("x")).await, Err(out.clone()));
    assert_eq!(react(&*db, &bob, here.id, id, "👍", ADDED).await, Err(out));
    assert_eq!(seqs(&log(&*db, &ada, here.id).await), rising(3));
}

pub async fn reactions_are_counted_for_all_and_marked_for_each(db: Arc<dyn DbApi>) {
    let (ada, bob) = (person(&*db, "ada").await, person(&*db, "bob").await);
    let here = room(&*db, &ada, &[&bob]).await;
    let id = say(&*db, &ada, here.id, "tea?").await;
    history(&*db, &ada, here.id).await;
    react(&*db, &ada, here.id, id, "🍵", ADDED).await.unwrap();
    react(&*db, &ada, here.id, id, "+1", ADDED).await.unwrap();
    react(&*db, &bob, here.id, id, "🍵", ADDED).await.unwrap();
    react(&*db, &bob, here.id, id, "🍵", ADDED).await.unwrap();
    let reaction = |emoji: &str, count: u32, mine: bool| Reaction {
        emoji: emoji.into(),
        count,
        mine,
    };
    // Who fills the cached page sees their own, and so do those who find it there; twice each, as who comes first fills.
    for _ in 0..2 {
        let (adas, bobs) = (
            [reaction("🍵", 2, true), reaction("+1", 1, true)],
            [reaction("🍵", 2, true), reaction("+1", 1, false)],
        );
        assert_eq!(history(&*db, &ada, here.id).await[0].reactions, adas);
        assert_eq!(history(&*db, &bob, here.id).await[0].reactions, bobs);
        assert_eq!(message(&*db, &bob, here.id, id).await.unwrap().reactions, bobs);
    }
    let request = InRoom { room_id: here.id };
    let room = db.room(db_api::Call::of(bob.clone()), request).await.unwrap().value;
    assert_eq!(room.last_message.unwrap().reactions[1], reaction("+1", 1, false));

    react(&*db, &ada, here.id, id, "🍵", REMOVED).await.unwrap();
    react(&*db, &ada, here.id, id, "🍵", REMOVED).await.unwrap();
    let left = [reaction("+1", 1, true), reaction("🍵", 1, false)];
    assert_eq!(history(&*db, &ada, here.id).await[0].reactions, left);
    let events = log(&*db, &ada, here.id).await;
    assert_eq!(seqs(&events), rising(6), "what changes nothing takes no place");
    let Event::Reaction(last) = &events[5] else {
        panic!("{events:?}")
    };
    assert_eq!(
        (last.user_id, last.message_id, last.emoji.as_str(), last.op),
        (ada.user_id, id, "🍵", REMOVED)
    );
}

pub async fn a_message_has_so_many_different_reactions(db: Arc<dyn DbApi>) {
    let (ada, bob) = (person(&*db, "ada").await, person(&*db, "bob").await);
    let here = room(&*db, &ada, &[&bob]).await;
    let id = say(&*db, &ada, here.id, "popular").await;
    for n in 0..common::limits::REACTIONS {
        react(&*db, &ada, here.id, id, &n.to_string(), ADDED).await.unwrap();
    }
    let one_more = react(&*db, &bob, here.id, id, "more", ADDED).await;
    assert!(matches!(one_more, Err(Refusal::Conflict { .. })), "{one_more:?}");
    react(&*db, &bob, here.id, id, "0", ADDED).await.unwrap();
    react(&*db, &ada, here.id, id, "1", REMOVED).await.unwrap();
    react(&*db, &bob, here.id, id, "more", ADDED).await.unwrap();
    let reactions = &history(&*db, &bob, here.id).await[0].reactions;
    assert_eq!(reactions.len(), common::limits::REACTIONS);
}

/// An edit that was judged before the deletion's lock would bring the text back.
pub async fn edits_and_reactions_that_race_a_deletion(db: Arc<dyn DbApi>) {
    let ada = person(&*db, "ada").await;
    let here = room(&*db, &ada, &[]).await;
    for round in 0..10 {
        let id = say(&*db, &ada, here.id, "first").await;
        let mut changes = tokio::task::JoinSet::new();
        for n in 0..4 {
            let (db, ada) = (db.clone(), ada.clone());
            changes.spawn(async move {
                let _ = edit(&*db, &ada, here.id, id, said(&format!("text {n}"))).await;
                let _ = react(&*db, &ada, here.id, id, "👍", ADDED).await;
            });
        }
        delete(&*db, &ada, here.id, id).await.unwrap();
        changes.join_all().await;
        let events = log(&*db, &ada, here.id).await;
        assert_eq!(seqs(&events), rising(events.len()));
        let stands_after = events.iter().rev().find(|event| match event {
            Event::Edited(event) => event.message_id == id,
            Event::Reaction(event) => event.message_id == id,
            Event::Deleted(event) => event.message_id == id,
            _ => false,
        });
        assert!(
            matches!(stands_after, Some(Event::Deleted(_))),
            "round {round}: {stands_after:?}"
        );
        let now = message(&*db, &ada, here.id, id).await.unwrap();
        assert_eq!((now.content, now.reactions), (Content::Deleted(true), Vec::new()));
    }
}

pub async fn at_once_one_reaction_is_one_event(db: Arc<dyn DbApi>) {
    let ada = person(&*db, "ada").await;
    let here = room(&*db, &ada, &[]).await;
    let id = say(&*db, &ada, here.id, "popular").await;
    let mut taps = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (db, ada) = (db.clone(), ada.clone());
        taps.spawn(async move { react(&*db, &ada, here.id, id, "👍", ADDED).await.unwrap() });
    }
    taps.join_all().await;
    assert_eq!(seqs(&log(&*db, &ada, here.id).await), [1, 2, 3]);
    assert_eq!(history(&*db, &ada, here.id).await[0].reactions[0].count, 1);
}
