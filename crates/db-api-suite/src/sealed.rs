//! What may be sent in sealed rooms.

use std::sync::Arc;

use common::{
    DeviceId, MessageId, RoomId,
    envelope::Device,
    event::{Content, Envelope},
    token::Actor,
};
use db_api::{DbApi, Refusal, types::*};
use tokio::task::JoinSet;

use crate::{actions::*, keys::*};

/// Well formed, and of nothing but zeros.
pub fn envelope(sender_device: DeviceId, epoch: u32, rev: u32) -> Envelope {
    let zeros = |bytes: usize| "A".repeat((bytes * 8).div_ceil(6));
    Envelope {
        alg: "A256GCM".into(),
        epoch,
        rev,
        ciphertext: zeros(18),
        encrypted_content_key: zeros(48),
        nonce: zeros(12),
        key_nonce: zeros(12),
        sender_device,
    }
}

fn sealed(sender: &Actor, room: RoomId, device: DeviceId, epoch: u32, message: MessageId) -> Draft {
    Draft {
        content: Content::Envelope(Box::new(envelope(device, epoch, 0))),
        ..draft(sender, room, message)
    }
}

async fn send(db: &dyn DbApi, by: &Actor, room: RoomId, device: &Device, epoch: u32) -> Result<u64, Refusal> {
    let draft = sealed(by, room, device.device_id, epoch, fresh_message());
    match append(db, vec![draft]).await.remove(0) {
        Outcome::Appended(appended) => Ok(appended.event.seq.get()),
        Outcome::Refused(refusal) => Err(refusal),
    }
}

/// Who is out, or withdrew a device, holds the keys so far.
pub async fn a_send_is_sealed_with_a_key_that_counts(db: Arc<dyn DbApi>) {
    let (ada, bob) = (person(&*db, "ada").await, person(&*db, "bob").await);
    let (a, b) = (publish(&*db, &ada).await, publish(&*db, &bob).await);
    let here = sealed_room(&*db, &ada, &[&bob]).await;
    assert_eq!(send(&*db, &ada, here, &a, 0).await, Err(Refusal::StaleEpoch));
    assert_eq!(send(&*db, &ada, here, &a, 1).await, Err(Refusal::StaleEpoch));
    let mine = || vec![key(&ada, &a, 1)];
    start(&*db, &ada, here, 1, mine()).await.unwrap();
    assert_eq!(send(&*db, &ada, here, &a, 1).await, Ok(3));
    points_at(send(&*db, &ada, here, &b, 1).await, "/envelope/senderDevice");
    let mut edited = sealed(&ada, here, a.device_id, 1, fresh_message());
    if let Content::Envelope(envelope) = &mut edited.content {
        envelope.rev = 1;
    }
    let refused = append(&*db, vec![edited]).await.remove(0);
    assert!(matches!(&refused, Outcome::Refused(Refusal::Invalid { pointer, .. }) if pointer == "/envelope/rev"));
    let plain = append(&*db, vec![draft(&ada, here, fresh_message())]).await.remove(0);
    assert!(matches!(&plain, Outcome::Refused(Refusal::Invalid { pointer, .. }) if pointer == "/message"));
    let repeated = sealed(&ada, here, a.device_id, 1, fresh_message());
    assert!(matches!(
        append(&*db, vec![repeated.clone()]).await[0],
        Outcome::Appended(_)
    ));
    db.leave_room(of(&bob), InRoom { room_id: here }).await.unwrap();
    assert_eq!(
        send(&*db, &ada, here, &a, 1).await,
        Err(Refusal::StaleEpoch),
        "bob has left with the key"
    );
    let again = append(&*db, vec![repeated]).await.remove(0);
    assert!(
        matches!(&again, Outcome::Appended(appended) if appended.repeated),
        "a lost ack is no error"
    );
    start(&*db, &ada, here, 2, mine()).await.unwrap();
    assert_eq!(send(&*db, &ada, here, &a, 1).await, Err(Refusal::StaleEpoch));
    send(&*db, &ada, here, &a, 2).await.unwrap();
    let second = publish(&*db, &ada).await;
    let device_id = second.device_id;
    db.withdraw_device(of(&ada), NamedDevice { device_id }).await.unwrap();
    assert_eq!(
        send(&*db, &ada, here, &a, 2).await,
        Err(Refusal::StaleEpoch),
        "a device has left with the key"
    );
    points_at(
        start(&*db, &ada, here, 3, vec![key(&ada, &second, 1)]).await,
        "/keys/0/deviceId",
    );
    let now = start(&*db, &ada, here, 3, mine()).await.unwrap();
    assert_eq!((now.epoch, now.min_epoch), (3, 3));
    assert_eq!(now.items.iter().map(|key| key.epoch).collect::<Vec<_>>(), [1, 2, 3]);
}

/// A block has no place in the log; from its answer on nothing more is written in the conversation of the two.
pub async fn sends_that_race_a_block(db: Arc<dyn DbApi>) {
    let (ada, bob) = (person(&*db, "ada").await, person(&*db, "bob").await);
    let (a, b) = (publish(&*db, &ada).await, publish(&*db, &bob).await);
    let here = db
        .open_dm(of(&ada), GetUser { user_id: bob.user_id })
        .await
        .unwrap()
        .value
        .object
        .id;
    start(&*db, &ada, here, 1, vec![key(&ada, &a, 1), key(&bob, &b, 1)])
        .await
        .unwrap();
    let mut acked = Vec::new();
    for round in 0..10 {
        let mut sends = JoinSet::new();
        for n in 0..8 {
            let (by, device) = if n % 2 == 0 { (&ada, &a) } else { (&bob, &b) };
            let draft = sealed(by, here, device.device_id, 1, fresh_message());
            let db = db.clone();
            sends.spawn(async move { (draft.clone(), append(&*db, vec![draft]).await.remove(0)) });
        }
        let (by, whom) = if round % 2 == 0 { (&ada, &bob) } else { (&bob, &ada) };
        let user_id = whom.user_id;
        db.block(of(by), GetUser { user_id }).await.unwrap();
        let at_the_block = log(&*db, &ada, here).await.len();
        for (draft, outcome) in sends.join_all().await {
            match outcome {
                Outcome::Appended(appended) => acked.push((draft, appended.event.seq)),
                Outcome::Refused(Refusal::Forbidden { .. }) => {}
                Outcome::Refused(other) => panic!("{other}"),
            }
        }
        let events = log(&*db, &ada, here).await;
        assert_eq!(events.len(), at_the_block, "something stands behind the block");
        assert_eq!(seqs(&events), rising(acked.len() + 2));
        for (by, device) in [(&ada, &a), (&bob, &b)] {
            let refused = send(&*db, by, here, device, 1).await;
            assert!(matches!(refused, Err(Refusal::Forbidden { .. })), "{refused:?}");
            let refused = hand(&*db, by, here, 1, vec![key(by, device, 1)]).await;
            assert!(matches!(refused, Err(Refusal::Forbidden { .. })), "{refused:?}");
        }
        for (draft, place) in &acked {
            let again = append(&*db, vec![draft.clone()]).await.remove(0);
            assert!(
                matches!(&again, Outcome::Appended(again) if again.repeated && again.event.seq == *place),
                "{again:?}"
            );
        }
        db.unblock(of(by), GetUser { user_id }).await.unwrap();
    }
}
