//! The WebSocket's description (AsyncAPI 3.0), made from the types that its frames are parsed into and written from. It
//! stands here, beside the API's, as both are the one contract and are served from one place; the gateway serves `/ws` alone.

mod bounds;
mod frames;
mod words;

use axum::response::IntoResponse;
use common::frame::CloseCode;
use serde_json::{Map, Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{Api, caller::Answered};
use frames::Frames;

const CHANNEL: &str = "#/channels/socket";

pub fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(socket_description))
}

/// The description of the WebSocket (AsyncAPI 3.0).
#[utoipa::path(get, path = "/api/asyncapi.json", tag = "system", security(()), responses((status = 200, body = serde_json::Value)))]
async fn socket_description() -> Answered {
    Ok(([("content-type", "application/json")], document()).into_response())
}

/// The description as it is committed: pretty JSON with a newline at its end.
pub fn document() -> String {
    // The description is plain data: it always serialises.
    serde_json::to_string_pretty(&described()).unwrap_or_default() + "\n"
}

fn described() -> Value {
    let frames = Frames::new();
    let on_the_channel = |name: &String| (name.clone(), json!({"$ref": format!("#/components/messages/{name}")}));
    let messages: Map<String, Value> = frames.messages.keys().map(on_the_channel).collect();
    let mut document = json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Distributed chat: WebSocket",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The public contract, section 5. The HTTP API is described by `/api/openapi.json`.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {"origin": {
            "host": "{host}",
            "protocol": "wss",
            "description": "The one origin, as for the page, `/auth` and `/api`; `ws` on plain-http loopback.",
            "variables": {"host": {"default": "localhost"}},
            "security": [{"$ref": "#/components/securitySchemes/bearer"}, {"$ref": "#/components/securitySchemes/subprotocol"}],
        }},
        "channels": {"socket": {
            "address": "/ws",
            "title": "A socket",
            "description": words::channel(),
            "messages": messages,
            "bindings": {"ws": {"method": "GET", "headers": upgrade_headers(), "bindingVersion": "0.1.0"}},
            "x-closeCodes": close_codes(),
        }},
        "operations": operations(&frames),
        "components": {
            "messages": frames.messages,
            "schemas": frames.schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "subprotocol": {
                    "type": "httpApiKey", "in": "header", "name": "Sec-WebSocket-Protocol",
                    "description": "For browsers: a second entry `bearer.<jwt>`, which is never echoed.",
                },
            },
        },
    });
    bounds::told(&mut document);
    document
}

fn upgrade_headers() -> Value {
    json!({
        "type": "object",
        "required": ["Sec-WebSocket-Protocol"],
        "properties": {"Sec-WebSocket-Protocol": {
            "type": "string",
            "description": "`chat.v1`, and from a browser `bearer.<jwt>` too.",
            "examples": ["chat.v1"],
        }},
    })
}

fn close_codes() -> Vec<Value> {
    let told = |code: &CloseCode| json!({"code": code.number(), "meaning": code.meaning()});
    CloseCode::ALL.iter().map(told).collect()
}

/// As the server sees it: what it receives with its answers, and what it sends unasked.
fn operations(frames: &Frames) -> Map<String, Value> {
    let message = |name: &str| json!({"$ref": format!("{CHANNEL}/messages/{name}")});
    let mut operations = Map::new();
    let mut asked_for = Vec::new();
    for (name, answers) in &frames.answers {
        let mut operation = json!({"action": "receive", "channel": {"$ref": CHANNEL}, "messages": [message(name)]});
        if !answers.is_empty() {
            let answers: Vec<Value> = answers.iter().map(|answer| message(answer)).collect();
            operation["reply"] = json!({"channel": {"$ref": CHANNEL}, "messages": answers});
        }
        operations.insert(name.clone(), operation);
        asked_for.extend(answers);
    }
    for name in frames.messages.keys() {
        if name.starts_with(frames::SERVER) && !asked_for.contains(&name) {
            operations.insert(
                name.clone(),
                json!({"action": "send", "channel": {"$ref": CHANNEL}, "messages": [message(name)]}),
            );
        }
    }
    operations
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_description_is_the_present_one() {
        let committed = include_str!("../asyncapi.json");
        assert!(
            committed == super::document(),
            "asyncapi.json has drifted: write it with `./dev openapi`"
        );
    }
}
