//! Devices and their public keys. A sealed room has a bounded number of them, and one that goes takes the room's present
//! key along: nothing may be sealed with it any more.

use common::{DeviceId, RoomId, UserId, envelope::Device, frame::NoticeKind, limits, octets::Octets, text::DeviceName};
use db_api::{
    Answer, Call, Refusal, Reply,
    types::{DeviceList, GetUser, NamedDevice, Nothing},
};
use sqlx::{PgConnection, Postgres, Transaction};
use uuid::Uuid;

use crate::{Core, holding::claim_with_sealed_rooms, membership::exists, rows::octets, store::refuse};

impl Core {
    pub(crate) async fn do_publish_device(&self, call: Call, device: Device) -> Reply<Device> {
        let user = self.actor(&call)?.user_id;
        let published = device.clone();
        self.store
            .write(&call, move |pool| async move {
                let mut tx = pool.begin().await.map_err(refuse)?;
                publish(&mut tx, user, &published).await?;
                tx.commit().await.map_err(refuse)
            })
            .await?;
        self.ask_for_keys(&call, user, None).await;
        Ok(Answer::written(device, self.seen().await))
    }

    pub(crate) async fn do_withdraw_device(&self, call: Call, request: NamedDevice) -> Reply<Nothing> {
        let user = self.actor(&call)?.user_id;
        self.store
            .write(&call, move |pool| async move {
                let mut tx = pool.begin().await.map_err(refuse)?;
                withdraw(&mut tx, user, request.device_id).await?;
                tx.commit().await.map_err(refuse)
            })
            .await?;
        Ok(Answer::written(Nothing {}, self.seen().await))
    }

    pub(crate) async fn do_devices(&self, call: Call, request: GetUser) -> Result<DeviceList, Refusal> {
        self.actor(&call)?;
        let rows = async {
            let mut connection = self.store.pool().acquire().await.map_err(refuse)?;
            if !exists(&mut connection, request.user_id).await? {
                return Err(Refusal::NotFound);
            }
            let query = "select id, public_key, name from devices where user_id = $1 order by created_at, id";
            sqlx::query_as::<_, (Uuid, Vec<u8>, Option<String>)>(query)
                .bind(request.user_id.0)
                .fetch_all(&mut *connection)
                .await
                .map_err(refuse)
        };
        let device = |(id, key, name): (Uuid, Vec<u8>, Option<String>)| {
            Ok(Device {
                device_id: DeviceId(id),
                public_key: octets(key)?,
                name: name.map(DeviceName::parse).transpose().map_err(|_| Refusal::Internal)?,
            })
        };
        let items = self.store.read(&call, rows).await?.into_iter().map(device);
        Ok(DeviceList {
            items: items.collect::<Result<_, Refusal>>()?,
        })
    }

    /// Tells those who hold the present key of a sealed room, or of all of the user's, that a device of the user has none.
    /// Like every notice it may be missed.
    pub(crate) async fn ask_for_keys(&self, call: &Call, user: UserId, room: Option<RoomId>) {
        let pool = self.store.pool();
        let holders = sqlx::query_as::<_, (Uuid, Uuid)>(
            "select distinct k.room_id, k.user_id from members me \
             join rooms r on r.id = me.room_id and r.epoch > 0 and r.deleted_at is null \
             join room_keys k on k.room_id = r.id and k.epoch = r.epoch \
             join members m on m.room_id = k.room_id and m.user_id = k.user_id \
             where me.user_id = $1 and ($2::uuid is null or me.room_id = $2) and exists ( \
               select 1 from devices d where d.user_id = $1 and not exists (select 1 from room_keys x \
                 where x.room_id = r.id and x.user_id = $1 and x.device_id = d.id and x.epoch = r.epoch))",
        )
        .bind(user.0)
        .bind(room.map(|room| room.0))
        .fetch_all(&pool);
        let holders = self.store.read(call, async { holders.await.map_err(refuse) }).await;
        for (room, holder) in holders.unwrap_or_default() {
            self.announcer
                .notify(UserId(holder), NoticeKind::KeyNeeded, RoomId(room));
        }
    }
}

async fn publish(tx: &mut Transaction<'_, Postgres>, user: UserId, device: &Device) -> Result<(), Refusal> {
    let rooms = claim_with_sealed_rooms(tx, user).await?;
    let known: Option<Vec<u8>> = sqlx::query_scalar("select public_key from devices where user_id = $1 and id = $2")
        .bind(user.0)
        .bind(device.device_id.0)
        .fetch_optional(&mut **tx)
        .await
        .map_err(refuse)?;
    match known.map(octets).transpose()? {
        Some(key) if key == device.public_key => {}
        Some(_) => return Err(Refusal::conflict("Another key stands under this device.")),
        None => takes_one_more(tx, user, &rooms).await?,
    }
    sqlx::query(
        "insert into devices (user_id, id, public_key, name) values ($1, $2, $3, $4) \
         on conflict (user_id, id) do update set name = excluded.name",
    )
    .bind(user.0)
    .bind(device.device_id.0)
    .bind(device.public_key.0.as_slice())
    .bind(device.name.as_ref().map(|name| name.as_str()))
    .execute(&mut **tx)
    .await
    .map_err(refuse)?;
    Ok(())
}

/// Whether the user and each of their sealed rooms, all claimed, take another device.
async fn takes_one_more(connection: &mut PgConnection, user: UserId, rooms: &[Uuid]) -> Result<(), Refusal> {
    let (own, largest): (i64, i64) = sqlx::query_as(
        "select (select count(*) from devices where user_id = $1), coalesce((select max(devices) from ( \
           select count(*) devices from members m join devices d on d.user_id = m.user_id \
           where m.room_id = any($2) group by m.room_id) of_room), 0)",
    )
    .bind(user.0)
    .bind(rooms)
    .fetch_one(connection)
    .await
    .map_err(refuse)?;
    if own >= limits::DEVICES_PER_USER {
        return Err(Refusal::conflict(format!(
            "You have {own} devices: withdraw one first."
        )));
    }
    if largest >= limits::DEVICES_PER_ROOM {
        return Err(too_many());
    }
    Ok(())
}

fn too_many() -> Refusal {
    let most = limits::DEVICES_PER_ROOM;
    Refusal::conflict(format!("A sealed room has at most {most} devices."))
}

/// Whether a sealed room takes the devices of these people besides those of its members. They are held still, and the room
/// is locked or new.
pub async fn fit(connection: &mut PgConnection, room: RoomId, people: &[Uuid]) -> Result<(), Refusal> {
    let query = "select count(*) from devices where user_id = any($2) \
                 or user_id in (select user_id from members where room_id = $1)";
    let devices: i64 = sqlx::query_scalar(query)
        .bind(room.0)
        .bind(people)
        .fetch_one(connection)
        .await
        .map_err(refuse)?;
    if devices > limits::DEVICES_PER_ROOM {
        return Err(too_many());
    }
    Ok(())
}

async fn withdraw(tx: &mut Transaction<'_, Postgres>, user: UserId, device: DeviceId) -> Result<(), Refusal> {
    let rooms = claim_with_sealed_rooms(tx, user).await?;
    let withdrawn = sqlx::query("delete from devices where user_id = $1 and id = $2")
        .bind(user.0)
        .bind(device.0)
        .execute(&mut **tx)
        .await
        .map_err(refuse)?;
    if withdrawn.rows_affected() == 0 {
        return Err(Refusal::NotFound);
    }
    sqlx::query("delete from room_keys where room_id = any($1) and user_id = $2 and device_id = $3")
        .bind(&rooms)
        .bind(user.0)
        .bind(device.0)
        .execute(&mut **tx)
        .await
        .map_err(refuse)?;
    // It holds the keys so far: nothing new may be sealed with them.
    sqlx::query("update rooms set min_epoch = epoch + 1, version = version + 1 where id = any($1)")
        .bind(&rooms)
        .execute(&mut **tx)
        .await
        .map_err(refuse)?;
    Ok(())
}

/// Bytes of a key as they are stored.
pub fn stored<const N: usize>(key: &Octets<N>) -> Vec<u8> {
    key.0.to_vec()
}
