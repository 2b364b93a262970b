//! Devices, and the keys of sealed rooms that are handed to them.

use std::sync::Arc;

use common::{
    DeviceId, RoomId,
    envelope::{Device, KeyRing, WrappedKey},
    event::{Event, RoomEventChange},
    limits,
    octets::Octets,
    room::{Encryption, Visibility},
    text::{DeviceName, RoomName},
    token::Actor,
};
use db_api::{DbApi, Refusal, types::*};
use tokio::task::JoinSet;

use crate::actions::*;

pub fn device(number: u8) -> Device {
    Device {
        device_id: DeviceId(service::minted::id()),
        public_key: Octets([number; 32]),
        name: None,
    }
}

pub async fn publish(db: &dyn DbApi, owner: &Actor) -> Device {
    db.publish_device(of(owner), device(7)).await.unwrap().value
}

pub async fn sealed_room(db: &dyn DbApi, owner: &Actor, members: &[&Actor]) -> RoomId {
    let request = CreateRoom {
        name: RoomName::parse("Tea").unwrap(),
        topic: None,
        visibility: Visibility::Private,
        encryption: Encryption::Envelope,
        member_ids: members.iter().map(|member| member.user_id).collect(),
    };
    db.create_room(of(owner), request).await.unwrap().value.id
}

pub fn key(of: &Actor, device: &Device, byte: u8) -> WrappedKey {
    WrappedKey {
        user_id: of.user_id,
        device_id: device.device_id,
        enc: Octets([byte; 32]),
        ciphertext: Octets([byte; 48]),
    }
}

pub async fn start(
    db: &dyn DbApi,
    by: &Actor,
    room_id: RoomId,
    epoch: u32,
    keys: Vec<WrappedKey>,
) -> Result<KeyRing, Refusal> {
    let started = db.start_epoch(of(by), HandKeys { room_id, epoch, keys }).await;
    started.map(|answer| answer.value)
}

pub async fn hand(
    db: &dyn DbApi,
    by: &Actor,
    room_id: RoomId,
    epoch: u32,
    keys: Vec<WrappedKey>,
) -> Result<KeyRing, Refusal> {
    let handed = db.hand_keys(of(by), HandKeys { room_id, epoch, keys }).await;
    handed.map(|answer| answer.value)
}

pub async fn ring(db: &dyn DbApi, by: &Actor, room_id: RoomId) -> KeyRing {
    let (device_id, epoch) = (None, None);
    let request = GetKeys {
        room_id,
        device_id,
        epoch,
    };
    db.room_keys(of(by), request).await.unwrap().value
}

pub fn points_at<T: std::fmt::Debug>(answer: Result<T, Refusal>, at: &str) {
    assert!(
        matches!(&answer, Err(Refusal::Invalid { pointer, .. }) if pointer == at),
        "{answer:?}"
    );
}

pub fn conflicts<T: std::fmt::Debug>(answer: Result<T, Refusal>) {
    assert!(matches!(&answer, Err(Refusal::Conflict { .. })), "{answer:?}");
}

pub async fn a_device_has_one_key_and_there_are_so_many(db: Arc<dyn DbApi>) {
    let (ada, bob) = (person(&*db, "ada").await, person(&*db, "bob").await);
    let first = publish(&*db, &ada).await;
    let user_id = ada.user_id;
    let renamed = Device {
        name: Some(DeviceName::parse("Phone").unwrap()),
        ..first.clone()
    };
    assert_eq!(
        db.publish_device(of(&ada), renamed.clone()).await.unwrap().value,
        renamed
    );
    assert_eq!(
        db.devices(of(&bob), GetUser { user_id }).await.unwrap().value.items,
        [renamed]
    );
    let another = Device {
        public_key: Octets([8; 32]),
        ..first.clone()
    };
    conflicts(db.publish_device(of(&ada), another).await);
    let mut more = JoinSet::new();
    for _ in 0..limits::DEVICES_PER_USER + 5 {
        let (db, ada) = (db.clone(), ada.clone());
        more.spawn(async move { db.publish_device(of(&ada), device(7)).await.is_ok() });
    }
    let published = more.join_all().await.into_iter().filter(|published| *published).count();
    assert_eq!(published as i64, limits::DEVICES_PER_USER - 1);
    let device_id = first.device_id;
    assert_eq!(
        db.withdraw_device(of(&bob), NamedDevice { device_id }).await,
        Err(Refusal::NotFound)
    );
    db.withdraw_device(of(&ada), NamedDevice { device_id }).await.unwrap();
    assert_eq!(
        db.withdraw_device(of(&ada), NamedDevice { device_id }).await,
        Err(Refusal::NotFound)
    );
    publish(&*db, &ada).await;
    let user_id = common::UserId(service::minted::id());
    assert_eq!(db.devices(of(&ada), GetUser { user_id }).await, Err(Refusal::NotFound));
}

pub async fn epochs_follow_each_other_and_a_handed_key_stays(db: Arc<dyn DbApi>) {
    let (ada, bob, eve) = (
        person(&*db, "ada").await,
        person(&*db, "bob").await,
        person(&*db, "eve").await,
    );
    let (a, b, e) = (
        publish(&*db, &ada).await,
        publish(&*db, &bob).await,
        publish(&*db, &eve).await,
    );
    let here = sealed_room(&*db, &ada, &[&bob]).await;
    let before = ring(&*db, &ada, here).await;
    assert_eq!(
        (before.epoch, before.min_epoch, before.items.len(), before.missing.len()),
        (0, 1, 0, 2)
    );
    conflicts(start(&*db, &ada, here, 2, vec![key(&ada, &a, 1)]).await);
    conflicts(hand(&*db, &ada, here, 1, vec![key(&ada, &a, 1)]).await);
    points_at(start(&*db, &ada, here, 1, vec![]).await, "/keys");
    points_at(
        start(&*db, &ada, here, 1, vec![key(&ada, &a, 1), key(&eve, &e, 1)]).await,
        "/keys/1/deviceId",
    );
    points_at(
        start(&*db, &ada, here, 1, vec![key(&ada, &b, 1)]).await,
        "/keys/0/deviceId",
    );
    let mut starts = JoinSet::new();
    for (by, own, byte) in [(&ada, &a, 1), (&bob, &b, 2)] {
        let (db, by, keys) = (db.clone(), by.clone(), vec![key(by, own, byte)]);
        starts.spawn(async move { start(&*db, &by, here, 1, keys).await });
    }
    let starts = starts.join_all().await;
    assert_eq!(starts.iter().filter(|start| start.is_ok()).count(), 1, "{starts:?}");
    let winner = if ring(&*db, &ada, here).await.items.is_empty() {
        (&bob, &ada, &a)
    } else {
        (&ada, &bob, &b)
    };
    let (by, other, device) = winner;
    for byte in [3, 4] {
        let handed = hand(&*db, by, here, 1, vec![key(other, device, byte)]).await.unwrap();
        assert!(handed.missing.is_empty());
    }
    let held = ring(&*db, other, here).await.items;
    assert_eq!(
        (held.len(), held[0].enc, held[0].created_by),
        (1, Octets([3; 32]), by.user_id)
    );
    let events = log(&*db, &ada, here).await;
    assert!(matches!(events.last(), Some(Event::Room(event))
        if event.change == RoomEventChange::Epoch && event.room["epoch"] == 1 && event.by == by.user_id));
    assert_eq!(seqs(&events), [1, 2]);
    assert!(matches!(
        start(&*db, &eve, here, 2, vec![key(&eve, &e, 1)]).await,
        Err(Refusal::NotAMember { .. })
    ));
    let plain = room(&*db, &ada, &[]).await.id;
    conflicts(start(&*db, &ada, plain, 1, vec![key(&ada, &a, 1)]).await);
    assert!(ring(&*db, &ada, plain).await.missing.is_empty());
}

pub async fn a_sealed_room_has_so_many_devices(db: Arc<dyn DbApi>) {
    let (ada, eve) = (person(&*db, "ada").await, person(&*db, "eve").await);
    let (mut full, most) = (Vec::new(), limits::DEVICES_PER_USER);
    for n in 0..limits::DEVICES_PER_ROOM / most {
        let owner = person(&*db, &format!("owner-{n}")).await;
        let mut published = JoinSet::new();
        for _ in 0..most {
            let (db, owner) = (db.clone(), owner.clone());
            published.spawn(async move { publish(&*db, &owner).await });
        }
        published.join_all().await;
        full.push(owner);
    }
    let members: Vec<&Actor> = full.iter().collect();
    let here = sealed_room(&*db, &ada, &members).await;
    conflicts(db.publish_device(of(&ada), device(7)).await);
    let add = InRoomUser {
        room_id: here,
        user_id: eve.user_id,
    };
    assert!(
        db.add_member(of(&ada), add.clone()).await.unwrap().value.created,
        "she has none"
    );
    db.remove_member(of(&ada), add.clone()).await.unwrap();
    publish(&*db, &eve).await;
    conflicts(db.add_member(of(&ada), add).await);
    let request = CreateRoom {
        name: RoomName::parse("Tea").unwrap(),
        topic: None,
        visibility: Visibility::Private,
        encryption: Encryption::Envelope,
        member_ids: members.iter().map(|member| member.user_id).collect(),
    };
    conflicts(db.create_room(of(&eve), request).await);
}
