//! History, sending, and the durable log behind them.

use axum::extract::State;
use common::{
    LogId, MessageId, Problem, RoomId, Seq, UserId,
    event::{Envelope, Event, mentioned},
    limits,
    room::Message,
    text::Body as Text,
};
use db_api::{
    Answer, Call, Refusal,
    types::{Append, Draft, Events, History, Outcome, Place},
};
use http::StatusCode;
use http_contract::{Body, PathId, Query, headers::is_sampled};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    Api,
    caller::{Answered, Reader, Writer, ok, with},
    messages::one_of,
    openapi::{InRooms, Writing},
    paging::within,
};

pub fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(history, send))
        .routes(routes!(events))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct HistoryQuery {
    /// Messages before this place, the nearest ones.
    before: Option<u64>,
    /// Messages after this place, the nearest ones.
    after: Option<u64>,
    /// 1 to 200, 50 unless given.
    limit: Option<u32>,
}

impl HistoryQuery {
    fn place(&self) -> Result<Place, Problem> {
        let seq = |name: &str, number: u64| {
            Seq::try_from(number).map_err(|bad| Problem::field(format!("?{name}"), bad.to_string()))
        };
        match (self.before, self.after) {
            (Some(_), Some(_)) => Err(Problem::field("?after", "goes without `before`")),
            (Some(before), None) => seq("before", before).map(Place::Before),
            (None, Some(after)) => seq("after", after).map(Place::After),
            (None, None) => Ok(Place::Newest),
        }
    }
}

/// A page of a room's messages, ascending by `seq`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MessagePage {
    items: Vec<Message>,
    has_more: bool,
}

/// History, the newest page unless a place is given.
#[utoipa::path(get, path = "/api/rooms/{roomId}/messages", tag = "log", params(("roomId" = RoomId, Path), HistoryQuery),
    responses((status = 200, body = MessagePage), InRooms))]
async fn history(
    State(api): State<Api>,
    Reader(call): Reader,
    PathId(room_id): PathId<RoomId>,
    Query(query): Query<HistoryQuery>,
) -> Answered {
    let limit = within(query.limit, limits::PAGE_ITEMS, limits::PAGE_ITEMS_MAX)?;
    let page = api
        .db
        .history(
            call,
            History {
                room_id,
                place: query.place()?,
                limit,
            },
        )
        .await?;
    ok(page.map(|page| MessagePage {
        items: page.items,
        has_more: page.has_more,
    }))
}

/// Exactly one of `message` and `envelope`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SendBody {
    message_id: MessageId,
    #[serde(default)]
    #[schema(nullable = false)]
    message: Option<Text>,
    #[serde(default)]
    #[schema(nullable = false)]
    envelope: Option<Box<Envelope>>,
    #[serde(default)]
    #[schema(nullable = false)]
    reply_to: Option<MessageId>,
    #[serde(default)]
    #[schema(max_items = 50)]
    mentions: Vec<UserId>,
}

impl SendBody {
    fn draft(self, call: &Call, room_id: RoomId) -> Result<Draft, Problem> {
        let content = one_of(self.message, self.envelope)?;
        Ok(Draft {
            actor: call.actor.clone().ok_or_else(Problem::unauthenticated)?,
            room_id,
            message_id: self.message_id,
            content,
            reply_to: self.reply_to,
            mentions: mentioned(self.mentions)?,
            ws_id: None,
            traceparent: call.traceparent.clone().filter(|text| is_sampled(text)),
        })
    }
}

/// Sends a message: 201 once it is committed; 200 for one that was sent before, as it stands now.
#[utoipa::path(post, path = "/api/rooms/{roomId}/messages", tag = "log", params(("roomId" = RoomId, Path)),
    request_body = SendBody,
    responses((status = 201, body = Message), (status = 200, body = Message), InRooms, Writing))]
async fn send(
    State(api): State<Api>,
    Writer(call): Writer,
    PathId(room_id): PathId<RoomId>,
    Body(body): Body<SendBody>,
) -> Answered {
    let draft = body.draft(&call, room_id)?;
    let Answer { value, seen, stale } = api.db.append(call, Append { drafts: vec![draft] }).await?;
    let appended = match value.outcomes.into_iter().next() {
        Some(Outcome::Appended(appended)) => *appended,
        Some(Outcome::Refused(refusal)) => return Err(refusal.into()),
        None => return Err(Refusal::Internal.into()),
    };
    let status = if appended.repeated {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let value = appended
        .current
        .map_or_else(|| Message::from(appended.event), |current| *current);
    with(status, Answer { value, seen, stale })
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct EventsQuery {
    /// Events behind this place; from the start unless given.
    after: Option<u64>,
    /// 1 to 1,000, 200 unless given.
    limit: Option<u32>,
}

/// A page of a room's log, ascending by `seq`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct EventPage {
    items: Vec<Event>,
    head_seq: Seq,
    log_id: LogId,
    has_more: bool,
}

/// The durable log, for recovery over HTTP.
#[utoipa::path(get, path = "/api/rooms/{roomId}/events", tag = "log", params(("roomId" = RoomId, Path), EventsQuery),
    responses((status = 200, body = EventPage), InRooms))]
async fn events(
    State(api): State<Api>,
    Reader(call): Reader,
    PathId(room_id): PathId<RoomId>,
    Query(query): Query<EventsQuery>,
) -> Answered {
    let after = Seq::try_from(query.after.unwrap_or_default());
    let after = after.map_err(|bad| Problem::field("?after", bad.to_string()))?;
    let limit = within(query.limit, limits::EVENTS, limits::EVENTS_MAX)?;
    let page = api.db.events(call, Events { room_id, after, limit }).await?;
    ok(page.map(|page| EventPage {
        items: page.items,
        head_seq: page.head_seq,
        log_id: page.log_id,
        has_more: page.has_more,
    }))
}
