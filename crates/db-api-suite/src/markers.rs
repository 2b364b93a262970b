//! How far people have read, told by several devices in any order.

use std::{collections::BTreeSet, sync::Arc};

use common::{
    Seq,
    room::{ReadMarker, Room},
    token::Actor,
};
use db_api::{Call, DbApi, Refusal, types::*};
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use crate::actions::*;

async fn mark(db: &dyn DbApi, reader: &Actor, room: &Room, seq: u64) -> ReadMarker {
    let request = MarkRead {
        room_id: room.id,
        seq: Seq::try_from(seq).unwrap(),
    };
    db.mark_read(Call::of(reader.clone()), request).await.unwrap().value
}

async fn seen(db: &dyn DbApi, reader: &Actor, room: &Room) -> (u64, u32, u32) {
    let room = db
        .room(Call::of(reader.clone()), InRoom { room_id: room.id })
        .await
        .unwrap()
        .value;
    (room.read_seq.unwrap().get(), room.unread_count, room.mention_count)
}

pub async fn a_marker_moves_forward_only_and_to_the_head_at_most(db: Arc<dyn DbApi>) {
    let (ada, bob, eve) = (
        person(&*db, "ada").await,
        person(&*db, "bob").await,
        person(&*db, "eve").await,
    );
    let here = room(&*db, &ada, &[&bob]).await;
    append(&*db, (0..4).map(|_| draft(&ada, here.id, fresh_message())).collect()).await;
    let place = |marker: ReadMarker| (marker.seq.get(), marker.unread_count);
    assert_eq!(seen(&*db, &bob, &here).await, (1, 4, 0));
    assert_eq!(place(mark(&*db, &bob, &here, 3).await), (3, 2));
    assert_eq!(place(mark(&*db, &bob, &here, 2).await), (3, 2), "it never goes back");
    assert_eq!(place(mark(&*db, &bob, &here, 99).await), (5, 0), "the head is the end");
    assert_eq!(seen(&*db, &ada, &here).await, (1, 0, 0), "one's own are not unread");
    let request = MarkRead {
        room_id: here.id,
        seq: Seq::ZERO,
    };
    let stranger = db.mark_read(Call::of(eve), request).await;
    assert!(matches!(stranger, Err(Refusal::NotAMember { .. })), "{stranger:?}");
}

pub async fn counts_are_exact_to_a_thousand_and_stay_there(db: Arc<dyn DbApi>) {
    let (ada, bob) = (person(&*db, "ada").await, person(&*db, "bob").await);
    let here = room(&*db, &ada, &[&bob]).await;
    let to_bob = |_| Draft {
        mentions: vec![bob.user_id],
        ..draft(&ada, here.id, fresh_message())
    };
    for _ in 0..13 {
        append(&*db, (0..77).map(to_bob).collect()).await;
    }
    assert_eq!(seen(&*db, &bob, &here).await, (1, 1_000, 1_000), "of 1,001");
    for (marker, count) in [(2, 1_000), (3, 999), (1_001, 1), (1_002, 0)] {
        mark(&*db, &bob, &here, marker).await;
        assert_eq!(seen(&*db, &bob, &here).await, (marker, count, count));
    }
}

/// What the counts have to be, kept beside.
#[derive(Default)]
struct Expected {
    head: u64,
    marker: u64,
    unread: BTreeSet<u64>,
    mentioned: BTreeSet<u64>,
}

impl Expected {
    fn counts(&self) -> (u64, u32, u32) {
        let above = |places: &BTreeSet<u64>| places.range(self.marker + 1..).count() as u32;
        (self.marker, above(&self.unread), above(&self.mentioned))
    }
}

/// Others talk, mention and delete, the reader writes too; two devices tell markers at once, in any order.
pub async fn counts_agree_over_devices_whatever_happens(db: Arc<dyn DbApi>) {
    let (ada, bob) = (person(&*db, "ada").await, person(&*db, "bob").await);
    let here = room(&*db, &ada, &[&bob]).await;
    for seed in 0..4 {
        let mut random = SmallRng::seed_from_u64(seed);
        let (head, marker) = (
            log(&*db, &bob, here.id).await.len() as u64,
            seen(&*db, &bob, &here).await.0,
        );
        mark(&*db, &bob, &here, head).await;
        let mut expected = Expected {
            head,
            marker: head.max(marker),
            ..Expected::default()
        };
        let mut written = Vec::new();
        for step in 0..40 {
            match random.random_range(0..10) {
                0..5 => {
                    let sender = if random.random_bool(0.8) { &ada } else { &bob };
                    let mut message = draft(sender, here.id, fresh_message());
                    if random.random_bool(0.3) {
                        message.mentions = vec![bob.user_id];
                    }
                    let id = message.message_id;
                    expected.head += 1;
                    if sender.user_id == ada.user_id {
                        expected.unread.insert(expected.head);
                        if !message.mentions.is_empty() {
                            expected.mentioned.insert(expected.head);
                        }
                        written.push((expected.head, id));
                    }
                    append(&*db, vec![message]).await;
                }
                5..7 if !written.is_empty() => {
                    let (seq, message_id) = written.swap_remove(random.random_range(0..written.len()));
                    let request = GetMessage {
                        room_id: here.id,
                        message_id,
                    };
                    db.delete_message(Call::of(ada.clone()), request).await.unwrap();
                    expected.head += 1;
                    expected.unread.remove(&seq);
                    expected.mentioned.remove(&seq);
                }
                _ => {
                    let told = [
                        random.random_range(0..=expected.head + 2),
                        random.random_range(0..=expected.head),
                    ];
                    let (one, two) = tokio::join!(mark(&*db, &bob, &here, told[0]), mark(&*db, &bob, &here, told[1]));
                    expected.marker = expected.marker.max(told[0].max(told[1]).min(expected.head));
                    assert_eq!(one.seq.max(two.seq).get(), expected.marker, "seed {seed}, step {step}");
                }
            }
            assert_eq!(
                seen(&*db, &bob, &here).await,
                expected.counts(),
                "seed {seed}, step {step}"
            );
        }
    }
}
