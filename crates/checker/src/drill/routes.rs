//! Which route of the public API does what an operation does (contract, section 3).

use chat_client::Ask;
use http::{Method, StatusCode};
use serde_json::{Value, json};

/// `None` for what no drill asks.
pub fn route(operation: &str, request: &Value) -> Option<Ask> {
    let text = |field: &str| request[field].as_str().unwrap_or_default();
    let room = || format!("/api/rooms/{}", text("roomId"));
    let message = || format!("{}/messages/{}", room(), text("messageId"));
    let member = || format!("{}/members/{}", room(), text("userId"));
    let (method, path, body) = match operation {
        "create_room" => (Method::POST, "/api/rooms".to_owned(), Some(request.clone())),
        "join_room" => (Method::POST, format!("{}/join", room()), None),
        "leave_room" => (Method::POST, format!("{}/leave", room()), None),
        "add_member" => {
            let body = json!({"userId": request["userId"]});
            (Method::POST, format!("{}/members", room()), Some(body))
        }
        "remove_member" => (Method::DELETE, member(), None),
        "edit_message" => {
            let body = json!({"message": request["message"]});
            (Method::PATCH, message(), Some(body))
        }
        "delete_message" => (Method::DELETE, message(), None),
        "react" => {
            let method = match text("op") {
                "added" => Method::PUT,
                _ => Method::DELETE,
            };
            let emoji: String = form_urlencoded::byte_serialize(text("emoji").as_bytes()).collect();
            (method, format!("{}/reactions/{emoji}", message()), None)
        }
        "events" => {
            let path = format!(
                "{}/events?after={}&limit={}",
                room(),
                request["after"],
                request["limit"]
            );
            (Method::GET, path, None)
        }
        "history" => (
            Method::GET,
            format!("{}/messages?limit={}", room(), request["limit"]),
            None,
        ),
        _ => return None,
    };
    // What is repeated is repeated by its own id.
    Some(Ask::new(method, path, body).keyless())
}

/// The answer as the contract of db-core has it.
pub fn answered(operation: &str, status: StatusCode, value: Value) -> Value {
    match operation {
        "add_member" => json!({"object": value, "created": status == StatusCode::CREATED}),
        "leave_room" | "remove_member" | "delete_message" | "react" => json!({}),
        _ => value,
    }
}
