//! The schema of what can be sent, made from that of [`Content`].

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use super::SentContent;
use crate::event::Content;

impl PartialSchema for SentContent {
    fn schema() -> RefOr<Schema> {
        let mut content = Content::schema();
        if let RefOr::T(Schema::OneOf(kinds)) = &mut content {
            kinds.items.retain(|kind| !is_deleted(kind));
            kinds.description = Some("One of `message` and `envelope`, as the room's `encryption` says.".into());
        }
        content
    }
}

fn is_deleted(kind: &RefOr<Schema>) -> bool {
    matches!(kind, RefOr::T(Schema::Object(kind)) if kind.properties.contains_key("deleted"))
}

impl ToSchema for SentContent {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Content::schemas(schemas);
    }
}
