//! The rooms' logs: places, repeats, races, and what a read shows.

use std::sync::Arc;

use common::{
    Seq,
    event::{Event, MemberChange},
};
use db_api::{Call, DbApi, Refusal, types::*};

use crate::actions::*;

pub async fn a_send_takes_the_next_place_and_a_repeat_takes_none(db: Arc<dyn DbApi>) {
    let (ada, bob) = (person(&*db, "ada").await, person(&*db, "bob").await);
    let here = room(&*db, &ada, &[&bob]).await;
    let message = fresh_message();
    let outcomes = append(
        &*db,
        vec![draft(&ada, here.id, message), draft(&ada, here.id, fresh_message())],
    )
    .await;
    let places: Vec<u64> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Appended(appended) => appended.event.seq.get(),
            Outcome::Refused(refusal) => panic!("{refusal}"),
        })
        .collect();
    assert_eq!(places, [2, 3]);
    let again = append(&*db, vec![draft(&ada, here.id, message), draft(&bob, here.id, message)]).await;
    let Outcome::Appended(repeat) = &again[0] else {
        panic!("{again:?}")
    };
    assert!(repeat.repeated && repeat.event.seq.get() == 2 && repeat.current.is_some());
    assert!(matches!(&again[1], Outcome::Refused(Refusal::Conflict { .. })));
    assert_eq!(seqs(&log(&*db, &ada, here.id).await), [1, 2, 3]);
}

pub async fn each_draft_is_answered_by_itself(db: Arc<dyn DbApi>) {
    let (ada, eve) = (person(&*db, "ada").await, person(&*db, "eve").await);
    let here = room(&*db, &ada, &[]).await;
    let mut reply = draft(&ada, here.id, fresh_message());
    reply.reply_to = Some(fresh_message());
    let mut mention = draft(&ada, here.id, fresh_message());
    mention.mentions = vec![eve.user_id];
    let nowhere = common::RoomId(service::minted::id());
    let drafts = vec![
        draft(&eve, here.id, fresh_message()),
        reply,
        mention,
        draft(&ada, nowhere, fresh_message()),
        draft(&ada, here.id, fresh_message()),
    ];
    let outcomes = append(&*db, drafts).await;
    assert!(
        matches!(&outcomes[0], Outcome::Refused(Refusal::NotAMember { .. })),
        "{outcomes:?}"
    );
    assert!(matches!(&outcomes[1], Outcome::Refused(Refusal::Invalid { pointer, .. }) if pointer == "/replyTo"));
    assert!(matches!(&outcomes[2], Outcome::Refused(Refusal::Invalid { pointer, .. }) if pointer == "/mentions"));
    assert!(matches!(&outcomes[3], Outcome::Refused(Refusal::NotFound)));
    assert!(matches!(&outcomes[4], Outcome::Appended(appended) if appended.event.seq.get() == 2));
    let again = draft(&ada, here.id, fresh_message());
    append(&*db, vec![again.clone()]).await;
    let mixed = append(&*db, vec![again, draft(&ada, here.id, fresh_message())]).await;
    let place = |outcome: &Outcome| match outcome {
        Outcome::Appended(appended) => Some((appended.event.seq.get(), appended.repeated)),
        Outcome::Refused(_) => None,
    };
    assert_eq!(
        mixed.iter().map(place).collect::<Vec<_>>(),
        [Some((3, true)), Some((4, false))]
    );
    assert_eq!(seqs(&log(&*db, &ada, here.id).await), rising(4));
}

/// A seq given to what is refused or repeated would be a gap; a send judged before its lock would stand after the removal.
pub async fn sends_that_race_a_removal(db: Arc<dyn DbApi>) {
    let (ada, bob) = (person(&*db, "ada").await, person(&*db, "bob").await);
    for _ in 0..20 {
        let here = room(&*db, &ada, &[&bob]).await;
        let mut sends = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (db, draft) = (db.clone(), draft(&bob, here.id, fresh_message()));
            sends.spawn(async move { append(&*db, vec![draft]).await.remove(0) });
        }
        let removal = InRoomUser {
            room_id: here.id,
            user_id: bob.user_id,
        };
        db.remove_member(Call::of(ada.clone()), removal).await.unwrap();
        let outcomes = sends.join_all().await;
        let events = log(&*db, &ada, here.id).await;
        assert_eq!(seqs(&events), rising(events.len()));
        assert!(
            matches!(events.last(), Some(Event::Member(member)) if member.change == MemberChange::Removed),
            "something stands after the removal: {:?}",
            events.last()
        );
        let acked = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Outcome::Appended(_)))
            .count();
        assert_eq!(events.len(), acked + 2);
    }
}

pub async fn batches_that_lock_rooms_in_opposite_orders_do_not_wait_for_each_other(db: Arc<dyn DbApi>) {
    let ada = person(&*db, "ada").await;
    let (one, two) = (room(&*db, &ada, &[]).await, room(&*db, &ada, &[]).await);
    let mut batches = tokio::task::JoinSet::new();
    for n in 0..40 {
        let order = if n % 2 == 0 { [one.id, two.id] } else { [two.id, one.id] };
        let drafts = order.map(|room| draft(&ada, room, fresh_message())).to_vec();
        let db = db.clone();
        batches.spawn(async move { append(&*db, drafts).await });
    }
    for outcomes in batches.join_all().await {
        assert!(
            outcomes.iter().all(|outcome| matches!(outcome, Outcome::Appended(_))),
            "{outcomes:?}"
        );
    }
    for here in [one, two] {
        assert_eq!(seqs(&log(&*db, &ada, here.id).await), rising(41));
    }
}

pub async fn at_once_one_message_is_written_once(db: Arc<dyn DbApi>) {
    let ada = person(&*db, "ada").await;
    let here = room(&*db, &ada, &[]).await;
    let message = fresh_message();
    let mut sends = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (db, draft) = (db.clone(), draft(&ada, here.id, message));
        sends.spawn(async move { append(&*db, vec![draft]).await.remove(0) });
    }
    let fresh = sends.join_all().await.into_iter().filter(|outcome| match outcome {
        Outcome::Appended(appended) => !appended.repeated,
        Outcome::Refused(refusal) => panic!("{refusal}"),
    });
    assert_eq!(fresh.count(), 1);
    assert_eq!(seqs(&log(&*db, &ada, here.id).await), [1, 2]);
}

pub async fn sent_at_never_falls_and_the_cached_page_is_never_old(db: Arc<dyn DbApi>) {
    let ada = person(&*db, "ada").await;
    let here = room(&*db, &ada, &[]).await;
    let mut last = common::Timestamp(0);
    for n in 1..=20 {
        append(&*db, vec![draft(&ada, here.id, fresh_message())]).await;
        let request = History {
            room_id: here.id,
            place: Place::Newest,
            limit: 50,
        };
        let page = db.history(Call::of(ada.clone()), request).await.unwrap().value;
        assert_eq!(page.items.len(), n, "a read after an acknowledged write shows it");
        let newest = page.items.last().unwrap();
        assert!(newest.sent_at >= last);
        last = newest.sent_at;
    }
}

pub async fn a_gateway_opens_rooms_and_compares_heads(db: Arc<dyn DbApi>) {
    let (ada, eve) = (person(&*db, "ada").await, person(&*db, "eve").await);
    let here = room(&*db, &ada, &[]).await;
    append(&*db, (0..3).map(|_| draft(&ada, here.id, fresh_message())).collect()).await;
    let open = |actor: &common::token::Actor, after: Option<u64>| {
        let after_seq = after.map(|after| Seq::try_from(after).unwrap());
        let rooms = vec![OpenRoom {
            room_id: here.id,
            after_seq,
            log_id: Some(here.log_id),
        }];
        db.open_rooms(Call::of(actor.clone()), OpenRooms { rooms })
    };
    let opened = |openings: Openings| match openings.rooms.into_iter().next() {
        Some(Opening::Opened(opened)) => *opened,
        other => panic!("{other:?}"),
    };
    let caught_up = opened(open(&ada, Some(2)).await.unwrap().value);
    assert_eq!(
        (caught_up.head_seq.get(), seqs(&caught_up.events), caught_up.truncated),
        (4, vec![3, 4], false)
    );
    assert!(
        opened(open(&ada, Some(9)).await.unwrap().value).truncated,
        "beyond the head"
    );
    assert!(matches!(
        open(&eve, None).await.unwrap().value.rooms[0],
        Opening::Refused(Refusal::NotAMember { .. })
    ));
    let heads = db
        .heads(Call::anonymous(), Heads { rooms: vec![here.id] })
        .await
        .unwrap()
        .value
        .heads;
    assert_eq!(heads[0].head_seq.get(), 4);
}

/// What is cached of a room is cleared before the answer that ends or begins a membership.
pub async fn a_membership_begins_and_ends_with_its_answer(db: Arc<dyn DbApi>) {
    let (ada, bob) = (person(&*db, "ada").await, person(&*db, "bob").await);
    let here = room(&*db, &ada, &[]).await;
    let request = || History {
        room_id: here.id,
        place: Place::Newest,
        limit: 50,
    };
    let named = || InRoomUser {
        room_id: here.id,
        user_id: bob.user_id,
    };
    for _ in 0..5 {
        db.history(Call::of(ada.clone()), request()).await.unwrap();
        let outside = db.history(Call::of(bob.clone()), request()).await;
        assert!(matches!(outside, Err(Refusal::NotAMember { .. })), "{outside:?}");
        db.add_member(Call::of(ada.clone()), named()).await.unwrap();
        db.history(Call::of(bob.clone()), request()).await.unwrap();
        db.remove_member(Call::of(ada.clone()), named()).await.unwrap();
    }
}
