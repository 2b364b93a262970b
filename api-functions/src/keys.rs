//! Keys: the public ones of devices, and those of sealed rooms, wrapped by clients.

use axum::extract::State;
use common::{
    DeviceId, RoomId, UserId,
    envelope::{Device, KeyRing, WrappedKey},
};
use db_api::types::{GetKeys, GetUser, HandKeys, NamedDevice};
use http::StatusCode;
use http_contract::{Body, PathId, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    Api,
    caller::{Answered, Reader, Writer, done, ok, with},
    openapi::{InRooms, ProblemBody, Reading, Writing},
};

pub fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(publish_device))
        .routes(routes!(withdraw_device))
        .routes(routes!(devices))
        .routes(routes!(room_keys, start_epoch, hand_keys))
}

/// Publishes a device of mine; again is no error. 409 for another key under its id, and for a device too many.
#[utoipa::path(put, path = "/api/keys", tag = "keys", request_body = Device,
    responses((status = 200, body = Device), (status = 409, body = ProblemBody, content_type = "application/problem+json"), Writing))]
async fn publish_device(State(api): State<Api>, Writer(call): Writer, Body(device): Body<Device>) -> Answered {
    ok(api.db.publish_device(call, device).await?)
}

/// Withdraws a device of mine: in my sealed rooms nothing may be sealed with the present key any more.
#[utoipa::path(delete, path = "/api/keys/{deviceId}", tag = "keys", params(("deviceId" = DeviceId, Path)),
    responses((status = 204), (status = 404, body = ProblemBody, content_type = "application/problem+json"), Reading))]
async fn withdraw_device(
    State(api): State<Api>,
    Writer(call): Writer,
    PathId(device_id): PathId<DeviceId>,
) -> Answered {
    done(api.db.withdraw_device(call, NamedDevice { device_id }).await?)
}

/// The devices of somebody.
#[derive(Serialize, ToSchema)]
struct Devices {
    items: Vec<Device>,
}

/// The public keys of somebody's devices.
#[utoipa::path(get, path = "/api/users/{id}/keys", tag = "keys", params(("id" = UserId, Path)),
    responses((status = 200, body = Devices), (status = 404, body = ProblemBody, content_type = "application/problem+json"), Reading))]
async fn devices(State(api): State<Api>, Reader(call): Reader, PathId(user_id): PathId<UserId>) -> Answered {
    let answer = api.db.devices(call, GetUser { user_id }).await?;
    ok(answer.map(|list| Devices { items: list.items }))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
struct KeysQuery {
    /// Keys of this device only.
    device_id: Option<DeviceId>,
    /// Of which epoch to say who has no key; the present one unless given.
    epoch: Option<u32>,
}

/// My own keys of a room, of all epochs, and which devices have none of one.
#[utoipa::path(get, path = "/api/rooms/{roomId}/keys", tag = "keys", params(("roomId" = RoomId, Path), KeysQuery),
    responses((status = 200, body = KeyRing), InRooms))]
async fn room_keys(
    State(api): State<Api>,
    Reader(call): Reader,
    PathId(room_id): PathId<RoomId>,
    Query(query): Query<KeysQuery>,
) -> Answered {
    let request = GetKeys {
        room_id,
        device_id: query.device_id,
        epoch: query.epoch,
    };
    ok(api.db.room_keys(call, request).await?)
}

/// Keys of one epoch, wrapped to devices of members.
#[derive(Deserialize, ToSchema)]
struct HandKeysBody {
    epoch: u32,
    keys: Vec<WrappedKey>,
}

/// Starts the next epoch: 201, or 409 for another than the next.
#[utoipa::path(post, path = "/api/rooms/{roomId}/keys", tag = "keys", params(("roomId" = RoomId, Path)),
    request_body = HandKeysBody, responses((status = 201, body = KeyRing), InRooms, Writing))]
async fn start_epoch(
    State(api): State<Api>,
    Writer(call): Writer,
    PathId(room_id): PathId<RoomId>,
    Body(HandKeysBody { epoch, keys }): Body<HandKeysBody>,
) -> Answered {
    with(
        StatusCode::CREATED,
        api.db.start_epoch(call, HandKeys { room_id, epoch, keys }).await?,
    )
}

/// Hands keys of a started epoch to devices that have none; what a device has stays.
#[utoipa::path(put, path = "/api/rooms/{roomId}/keys", tag = "keys", params(("roomId" = RoomId, Path)),
    request_body = HandKeysBody, responses((status = 200, body = KeyRing), InRooms, Writing))]
async fn hand_keys(
    State(api): State<Api>,
    Writer(call): Writer,
    PathId(room_id): PathId<RoomId>,
    Body(HandKeysBody { epoch, keys }): Body<HandKeysBody>,
) -> Answered {
    ok(api.db.hand_keys(call, HandKeys { room_id, epoch, keys }).await?)
}
