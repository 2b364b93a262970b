//! The keys of sealed rooms, wrapped by clients for devices. The server sees to the order of epochs, and that the first key
//! that is handed to a device stays.

use common::{
    DeviceId, RoomId, UserId,
    envelope::{HeldKey, KeylessDevice, WrappedKey},
    event::Event,
    limits,
};
use db_api::{
    Answer, Call, Refusal, Reply,
    types::{GetKeys, HandKeys, KeyRing},
};
use serde_json::json;
use sqlx::{PgConnection, Postgres, Transaction};
use uuid::Uuid;

use crate::{
    Core,
    blocks::dm_is_blocked,
    devices::stored,
    membership::role_of,
    rooms::{Locked, lock, log_event},
    rows::octets,
    store::refuse,
};

#[derive(sqlx::FromRow)]
struct HeldRow {
    epoch: i32,
    device_id: Uuid,
    enc: Vec<u8>,
    ciphertext: Vec<u8>,
    created_by: Uuid,
}

impl Core {
    pub(crate) async fn do_room_keys(&self, call: Call, request: GetKeys) -> Result<KeyRing, Refusal> {
        self.member_now(&call, request.room_id).await?;
        let user = self.actor(&call)?.user_id;
        let ring = async {
            let mut connection = self.store.pool().acquire().await.map_err(refuse)?;
            ring(&mut connection, user, &request).await
        };
        self.store.read(&call, ring).await
    }

    pub(crate) async fn do_start_epoch(&self, call: Call, request: HandKeys) -> Reply<KeyRing> {
        let user = self.actor(&call)?.user_id;
        let (event, ring) = self
            .store
            .write(&call, move |pool| async move {
                let mut tx = pool.begin().await.map_err(refuse)?;
                let event = start(&mut tx, user, &request).await?;
                let ring = ring(&mut tx, user, &present(request.room_id)).await?;
                tx.commit().await.map_err(refuse)?;
                Ok((event, ring))
            })
            .await?;
        self.announce(Some(event));
        Ok(Answer::written(ring, self.seen().await))
    }

    pub(crate) async fn do_hand_keys(&self, call: Call, request: HandKeys) -> Reply<KeyRing> {
        let user = self.actor(&call)?.user_id;
        let ring = self
            .store
            .write(&call, move |pool| async move {
                let mut tx = pool.begin().await.map_err(refuse)?;
                let locked = may_hand(&mut tx, user, &request).await?;
                if request.epoch == 0 || request.epoch > locked.epoch as u32 {
                    return Err(Refusal::conflict("This epoch has not been started."));
                }
                insert(&mut tx, user, &request).await?;
                let ring = ring(&mut tx, user, &present(request.room_id)).await?;
                tx.commit().await.map_err(refuse)?;
                Ok(ring)
            })
            .await?;
        Ok(Answer::written(ring, self.seen().await))
    }
}

fn present(room_id: RoomId) -> GetKeys {
    GetKeys {
        room_id,
        device_id: None,
        epoch: None,
    }
}

/// What a member holds, the newest when there are too many, and which devices have no key of an epoch.
async fn ring(connection: &mut PgConnection, user: UserId, request: &GetKeys) -> Result<KeyRing, Refusal> {
    let room = request.room_id.0;
    let (epoch, min_epoch, sealed): (i32, i32, bool) =
        sqlx::query_as("select epoch, min_epoch, encryption = 'envelope' from rooms where id = $1")
            .bind(room)
            .fetch_one(&mut *connection)
            .await
            .map_err(refuse)?;
    let held = sqlx::query_as::<_, HeldRow>(
        "select epoch, device_id, enc, ciphertext, created_by from room_keys \
         where room_id = $1 and user_id = $2 and ($3::uuid is null or device_id = $3) \
         order by epoch desc, device_id limit $4",
    )
    .bind(room)
    .bind(user.0)
    .bind(request.device_id.map(|device| device.0))
    .bind(limits::KEYS_READ)
    .fetch_all(&mut *connection)
    .await
    .map_err(refuse)?;
    let asked = request.epoch.map_or(i64::from(epoch), i64::from);
    let missing = sqlx::query_as::<_, (Uuid, Uuid, Vec<u8>)>(
        "select d.user_id, d.id, d.public_key from members m join devices d on d.user_id = m.user_id \
         where m.room_id = $1 and $3 and not exists (select 1 from room_keys k where k.room_id = $1 \
           and k.user_id = d.user_id and k.device_id = d.id and k.epoch = $2) order by d.user_id, d.id limit $4",
    )
    .bind(room)
    .bind(asked)
    .bind(sealed)
    .bind(limits::DEVICES_PER_ROOM)
    .fetch_all(connection)
    .await
    .map_err(refuse)?;
    Ok(KeyRing {
        epoch: epoch as u32,
        min_epoch: min_epoch as u32,
        items: held
            .into_iter()
            .rev()
            .map(HeldKey::try_from)
            .collect::<Result<_, _>>()?,
        missing: missing.into_iter().map(keyless).collect::<Result<_, _>>()?,
    })
}

impl TryFrom<HeldRow> for HeldKey {
    type Error = Refusal;
    fn try_from(row: HeldRow) -> Result<HeldKey, Refusal> {
        Ok(HeldKey {
            epoch: row.epoch as u32,
            device_id: DeviceId(row.device_id),
            enc: octets(row.enc)?,
            ciphertext: octets(row.ciphertext)?,
            created_by: UserId(row.created_by),
        })
    }
}

fn keyless((user, device, key): (Uuid, Uuid, Vec<u8>)) -> Result<KeylessDevice, Refusal> {
    Ok(KeylessDevice {
        user_id: UserId(user),
        device_id: DeviceId(device),
        public_key: octets(key)?,
    })
}

async fn start(tx: &mut Transaction<'_, Postgres>, user: UserId, request: &HandKeys) -> Result<Event, Refusal> {
    let locked = may_hand(tx, user, request).await?;
    let next = locked.epoch + 1;
    if i64::from(request.epoch) != i64::from(next) {
        return Err(Refusal::conflict(format!("The next epoch is {next}.")));
    }
    insert(tx, user, request).await?;
    sqlx::query("update rooms set epoch = $2 where id = $1")
        .bind(request.room_id.0)
        .bind(next)
        .execute(&mut **tx)
        .await
        .map_err(refuse)?;
    let detail = json!({"change": "epoch", "by": user, "room": {"epoch": next}});
    log_event(tx, request.room_id, "room", detail, 0).await
}

/// Locks the room, for a member who may hand out its keys.
async fn may_hand(tx: &mut Transaction<'_, Postgres>, user: UserId, request: &HandKeys) -> Result<Locked, Refusal> {
    let locked = lock(tx, request.room_id).await?;
    let role = role_of(tx, request.room_id, user).await?;
    role.ok_or_else(|| locked.stranger())?;
    if !(1..=limits::KEYS_PER_REQUEST).contains(&request.keys.len()) {
        let most = limits::KEYS_PER_REQUEST;
        return Err(Refusal::invalid("/keys", format!("must be 1 to {most}")));
    }
    if locked.encryption != "envelope" {
        return Err(Refusal::conflict("A plaintext room has no keys."));
    }
    if locked.kind == "dm" && dm_is_blocked(tx, request.room_id, user).await? {
        return Err(Refusal::forbidden("One of you does not want to hear from the other."));
    }
    Ok(locked)
}

/// Hands keys to devices of members; one that has a key of the epoch keeps it.
async fn insert(tx: &mut Transaction<'_, Postgres>, by: UserId, request: &HandKeys) -> Result<(), Refusal> {
    let keys = &request.keys;
    let of = |what: fn(&WrappedKey) -> Uuid| keys.iter().map(what).collect::<Vec<_>>();
    let (users, devices) = (of(|key| key.user_id.0), of(|key| key.device_id.0));
    let stray: Option<i64> = sqlx::query_scalar(
        "select k.n from unnest($2::uuid[], $3::uuid[]) with ordinality k (user_id, device_id, n) \
         where not exists (select 1 from members m join devices d on d.user_id = m.user_id \
           where m.room_id = $1 and d.user_id = k.user_id and d.id = k.device_id) order by k.n limit 1",
    )
    .bind(request.room_id.0)
    .bind(&users)
    .bind(&devices)
    .fetch_optional(&mut **tx)
    .await
    .map_err(refuse)?;
    if let Some(n) = stray {
        let pointer = format!("/keys/{}/deviceId", n - 1);
        return Err(Refusal::invalid(pointer, "is no device of a member"));
    }
    sqlx::query(
        "insert into room_keys (room_id, user_id, device_id, epoch, enc, ciphertext, created_by) \
         select $1, k.user_id, k.device_id, $2, k.enc, k.ciphertext, $3 \
         from unnest($4::uuid[], $5::uuid[], $6::bytea[], $7::bytea[]) k (user_id, device_id, enc, ciphertext) \
         on conflict do nothing",
    )
    .bind(request.room_id.0)
    .bind(request.epoch as i32)
    .bind(by.0)
    .bind(users)
    .bind(devices)
    .bind(keys.iter().map(|key| stored(&key.enc)).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| stored(&key.ciphertext)).collect::<Vec<_>>())
    .execute(&mut **tx)
    .await
    .map_err(refuse)?;
    Ok(())
}
