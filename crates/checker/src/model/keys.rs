//! Devices, and the keys of sealed rooms that are handed to them (contract, section 7).

use std::collections::BTreeMap;

use bus::Announcement;
use common::{
    DeviceId, RoomId, UserId,
    envelope::{Device, HeldKey, KeyRing, KeylessDevice},
    event::{Event, RoomEventChange},
    limits,
    room::Encryption,
};
use db_api::{Answer, Call, Refusal, Reply, types::*};
use serde_json::json;

use super::{
    Model, actor,
    rooms::log_room,
    state::{RoomState, State},
};

/// Of each user, by their ids.
pub type Devices = BTreeMap<UserId, BTreeMap<DeviceId, Device>>;

impl State {
    fn devices_of(&self, user: UserId) -> impl Iterator<Item = &Device> {
        self.devices.get(&user).into_iter().flat_map(BTreeMap::values)
    }

    pub fn has_device(&self, user: UserId, device: DeviceId) -> bool {
        self.devices.get(&user).is_some_and(|of| of.contains_key(&device))
    }

    /// Whether a sealed room takes the devices of these people, and some more.
    pub fn fit(&self, people: impl Iterator<Item = UserId>, more: usize) -> Result<(), Refusal> {
        let devices: usize = people.map(|user| self.devices_of(user).count()).sum();
        if (devices + more) as i64 > limits::DEVICES_PER_ROOM {
            return Err(Refusal::conflict("A sealed room has only so many devices."));
        }
        Ok(())
    }

    fn sealed_rooms(&self, user: UserId) -> impl Iterator<Item = &RoomState> {
        let sealed =
            move |room: &&RoomState| room.encryption == Encryption::Envelope && room.members.contains_key(&user);
        self.rooms.values().filter(sealed)
    }

    fn ring(&self, user: UserId, request: &GetKeys) -> Result<KeyRing, Refusal> {
        let room = self.room(request.room_id)?;
        room.member(user)?;
        let epoch = request.epoch.unwrap_or(room.epoch);
        let mine = |key: &&HeldKey| request.device_id.is_none_or(|device| device == key.device_id);
        let held = room.keys.iter().filter(|((_, of, _), _)| *of == user);
        let missing = |user: &UserId| {
            let keyless = |device: &&Device| !room.keys.contains_key(&(epoch, *user, device.device_id));
            let keyless = self.devices_of(*user).filter(keyless);
            keyless
                .map(|device| KeylessDevice {
                    user_id: *user,
                    device_id: device.device_id,
                    public_key: device.public_key,
                })
                .collect::<Vec<_>>()
        };
        let sealed = room.encryption == Encryption::Envelope;
        Ok(KeyRing {
            epoch: room.epoch,
            min_epoch: room.min_epoch,
            items: held.map(|(_, key)| key).filter(mine).cloned().collect(),
            missing: room.members.keys().filter(|_| sealed).flat_map(missing).collect(),
        })
    }

    /// Hands keys to devices of members; one that has a key of the epoch keeps it.
    fn hand(&mut self, by: UserId, request: &HandKeys) -> Result<(), Refusal> {
        let room = self.room(request.room_id)?;
        for (at, key) in request.keys.iter().enumerate() {
            if !(room.members.contains_key(&key.user_id) && self.has_device(key.user_id, key.device_id)) {
                let pointer = format!("/keys/{at}/deviceId");
                return Err(Refusal::invalid(pointer, "is no device of a member"));
            }
        }
        let room = self.room_mut(request.room_id)?;
        for key in &request.keys {
            let place = room.keys.entry((request.epoch, key.user_id, key.device_id));
            place.or_insert_with(|| HeldKey {
                epoch: request.epoch,
                device_id: key.device_id,
                enc: key.enc,
                ciphertext: key.ciphertext,
                created_by: by,
            });
        }
        Ok(())
    }

    fn may_hand(&self, by: UserId, request: &HandKeys) -> Result<&RoomState, Refusal> {
        let room = self.room(request.room_id)?;
        room.member(by)?;
        if !(1..=limits::KEYS_PER_REQUEST).contains(&request.keys.len()) {
            return Err(Refusal::invalid("/keys", "are too many or none"));
        }
        if room.encryption != Encryption::Envelope {
            return Err(Refusal::conflict("A plaintext room has no keys."));
        }
        self.heard_in(request.room_id)?;
        Ok(room)
    }
}

fn present(room_id: RoomId) -> GetKeys {
    GetKeys {
        room_id,
        device_id: None,
        epoch: None,
    }
}

impl Model {
    pub(super) async fn do_publish_device(&self, call: Call, device: Device) -> Reply<Device> {
        let user = actor(&call)?.user_id;
        let mut state = self.locked().await;
        let known = state.devices_of(user).find(|known| known.device_id == device.device_id);
        match known {
            Some(known) if known.public_key == device.public_key => {}
            Some(_) => return Err(Refusal::conflict("Another key stands under this device.")),
            None => {
                if state.devices_of(user).count() as i64 >= limits::DEVICES_PER_USER {
                    return Err(Refusal::conflict("You have too many devices."));
                }
                let is_full = |room: &RoomState| state.fit(room.members.keys().copied(), 1).is_err();
                if state.sealed_rooms(user).any(is_full) {
                    return Err(Refusal::conflict("A sealed room has only so many devices."));
                }
            }
        }
        state
            .devices
            .entry(user)
            .or_default()
            .insert(device.device_id, device.clone());
        self.written(device)
    }

    pub(super) async fn do_withdraw_device(&self, call: Call, request: NamedDevice) -> Reply<Nothing> {
        let (user, device) = (actor(&call)?.user_id, request.device_id);
        let mut state = self.locked().await;
        let of = state.devices.get_mut(&user);
        of.and_then(|of| of.remove(&device)).ok_or(Refusal::NotFound)?;
        let sealed: Vec<RoomId> = state.sealed_rooms(user).map(|room| room.id).collect();
        for room in sealed {
            let room = state.room_mut(room)?;
            room.keys.retain(|(_, of, held), _| (*of, *held) != (user, device));
            // It holds the keys so far: nothing new may be sealed with them.
            room.min_epoch = room.epoch + 1;
        }
        self.written(Nothing {})
    }

    pub(super) async fn do_devices(&self, call: Call, request: GetUser) -> Reply<DeviceList> {
        actor(&call)?;
        let state = self.locked().await;
        state.user(request.user_id)?;
        let items = state.devices_of(request.user_id).cloned().collect();
        Ok(Answer::read(DeviceList { items }))
    }

    pub(super) async fn do_room_keys(&self, call: Call, request: GetKeys) -> Reply<KeyRing> {
        let user = actor(&call)?.user_id;
        self.locked().await.ring(user, &request).map(Answer::read)
    }

    pub(super) async fn do_start_epoch(&self, call: Call, request: HandKeys) -> Reply<KeyRing> {
        let user = actor(&call)?.user_id;
        let (ring, event) = {
            let mut state = self.locked().await;
            let next = state.may_hand(user, &request)?.epoch + 1;
            if request.epoch != next {
                return Err(Refusal::conflict(format!("The next epoch is {next}.")));
            }
            state.hand(user, &request)?;
            let room = state.room_mut(request.room_id)?;
            room.epoch = next;
            let event: Event = log_room(room, RoomEventChange::Epoch, user, json!({"epoch": next}));
            (state.ring(user, &present(request.room_id))?, event)
        };
        self.announce(vec![Announcement::event(event)]).await;
        self.written(ring)
    }

    pub(super) async fn do_hand_keys(&self, call: Call, request: HandKeys) -> Reply<KeyRing> {
        let user = actor(&call)?.user_id;
        let mut state = self.locked().await;
        let epoch = state.may_hand(user, &request)?.epoch;
        if request.epoch == 0 || request.epoch > epoch {
            return Err(Refusal::conflict("This epoch has not been started."));
        }
        state.hand(user, &request)?;
        let ring = state.ring(user, &present(request.room_id))?;
        self.written(ring)
    }
}
