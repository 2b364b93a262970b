//! The bounds of the frames' fields, by their names in [`limits`]: an attribute of a type takes numbers alone.

use common::limits;
use serde_json::{Value, json};

/// Where a bound stands in the document, its keyword and itself.
fn bounds() -> Vec<(&'static str, &'static str, Value)> {
    let components = [
        ("schemas/Body", "minLength", json!(1)),
        ("schemas/Body", "maxLength", json!(limits::MESSAGE_CHARS)),
        ("schemas/Seq", "maximum", json!((1_u64 << 53) - 1)),
        (
            "schemas/Join/properties/rooms",
            "maxItems",
            json!(limits::ROOMS_PER_JOIN),
        ),
        (
            "schemas/Send/allOf/1/properties/mentions",
            "maxItems",
            json!(limits::MENTIONS),
        ),
        (
            "schemas/MessageEvent/allOf/1/properties/mentions",
            "maxItems",
            json!(limits::MENTIONS),
        ),
        (
            "messages/server.joined/payload/properties/events",
            "maxItems",
            json!(limits::JOIN_EVENTS),
        ),
    ];
    components.into()
}

/// Writes them into the document.
pub fn told(document: &mut Value) {
    document["components"]["schemas"]["Ref"] = json!({
        "type": "string",
        "maxLength": limits::REF_CHARS,
        "description": "Chosen by the client; comes back in the answer.",
    });
    for (place, keyword, bound) in bounds() {
        if let Some(field) = document.pointer_mut(&format!("/components/{place}")) {
            field[keyword] = bound;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_has_its_place() {
        let document = super::super::described();
        for (place, keyword, bound) in bounds() {
            let field = document.pointer(&format!("/components/{place}"));
            assert_eq!(field.map(|field| &field[keyword]), Some(&bound), "{place}");
        }
    }
}
