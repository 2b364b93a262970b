//! The messages: one for each type of frame, whichever the code parses or sends. What clients send is listed by
//! [`RequestType`]; what they hear are the variants of [`ServerFrame`] and [`Event`].

use std::collections::BTreeMap;

use common::{
    event::Event,
    frame::{self, RequestType, ServerFrame},
};
use serde_json::{Value, json};
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

/// What the names of messages begin with, as both sides have frames of the same type.
pub const CLIENT: &str = "client.";
pub const SERVER: &str = "server.";

#[derive(Default)]
pub struct Frames {
    /// By their names.
    pub messages: BTreeMap<String, Value>,
    pub schemas: BTreeMap<String, Value>,
    /// What a client's message is answered with; each may be refused with an `error`.
    pub answers: BTreeMap<String, Vec<String>>,
}

impl Frames {
    pub fn new() -> Self {
        let mut frames = Self::default();
        for kind in RequestType::ALL {
            frames.client(*kind);
        }
        frames.server::<ServerFrame>();
        frames.server::<Event>();
        frames
    }

    fn client(&mut self, kind: RequestType) {
        let fields = match kind {
            RequestType::Join => Some(self.named::<frame::Join>()),
            RequestType::Leave => Some(self.named::<frame::Leave>()),
            RequestType::Send => Some(self.named::<frame::Send>()),
            RequestType::Typing => Some(self.named::<frame::Typing>()),
            RequestType::Read => Some(self.named::<frame::Read>()),
            RequestType::Presence => Some(self.named::<frame::SetPresence>()),
            RequestType::Auth => Some(self.named::<frame::Auth>()),
            RequestType::Ping => None,
        };
        let answer = match kind {
            RequestType::Join => Some("joined"),
            RequestType::Leave => Some("left"),
            RequestType::Send => Some("ack"),
            RequestType::Auth => Some("authenticated"),
            RequestType::Ping => Some("pong"),
            RequestType::Typing | RequestType::Read | RequestType::Presence => None,
        };
        let name = format!("{CLIENT}{}", kind.as_str());
        let head = json!({
            "type": "object",
            "required": ["type"],
            "properties": {"type": {"const": kind.as_str()}, "ref": {"$ref": "#/components/schemas/Ref"}},
        });
        let payload = match &fields {
            Some(fields) => json!({"allOf": [head, {"$ref": fields}]}),
            None => head,
        };
        let summary = match &fields {
            Some(fields) => self.description(fields),
            None => json!("Whether the gateway is there, and what time it has."),
        };
        self.message(&name, kind.as_str(), summary, payload);
        let answers = answer.into_iter().chain(["error"]);
        self.answers
            .insert(name, answers.map(|answer| format!("{SERVER}{answer}")).collect());
    }

    /// Each variant of an enum that is told apart by `type`.
    fn server<T: ToSchema>(&mut self) {
        self.gather::<T>();
        for payload in variants(json!(T::schema())) {
            let Some(kind) = kind(&payload).map(str::to_owned) else {
                continue;
            };
            let mut payload = with_ref(payload);
            let own = payload
                .as_object_mut()
                .and_then(|payload| payload.remove("description"));
            let fields = payload.pointer("/allOf/0/$ref").and_then(Value::as_str);
            let summary = own.or_else(|| fields.map(|fields| self.description(fields)));
            self.message(&format!("{SERVER}{kind}"), &kind, summary.unwrap_or_default(), payload);
        }
    }

    fn message(&mut self, name: &str, kind: &str, summary: Value, payload: Value) {
        let mut message = json!({"name": kind, "title": kind, "payload": payload});
        if let Some(summary) = summary.as_str() {
            message["summary"] = json!(summary.replace('\n', " "));
        }
        self.messages.insert(name.to_owned(), message);
    }

    /// Takes in a type that has a name, and answers what it is referred to by.
    fn named<T: ToSchema>(&mut self) -> String {
        self.gather::<T>();
        self.schemas.insert(T::name().into_owned(), json!(T::schema()));
        format!("#/components/schemas/{}", T::name())
    }

    /// Takes in what a type refers to.
    fn gather<T: ToSchema>(&mut self) {
        let mut referred: Vec<(String, RefOr<Schema>)> = Vec::new();
        T::schemas(&mut referred);
        let referred = referred
            .into_iter()
            .map(|(name, schema)| (name, with_ref(json!(schema))));
        self.schemas.extend(referred);
    }

    fn description(&self, reference: &str) -> Value {
        let name = reference.rsplit('/').next().unwrap_or_default();
        let schema = self.schemas.get(name).unwrap_or(&Value::Null);
        schema["description"].clone()
    }
}

/// All refer to one schema for `ref`.
fn with_ref(mut schema: Value) -> Value {
    if let Some(reference) = schema.pointer_mut("/properties/ref") {
        *reference = json!({"$ref": "#/components/schemas/Ref"});
    }
    schema
}

fn variants(schema: Value) -> Vec<Value> {
    match schema {
        Value::Object(mut schema) => match schema.remove("oneOf") {
            Some(Value::Array(variants)) => variants,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// The `type` of a variant, which stands beside its own fields or beside a reference to them.
fn kind(payload: &Value) -> Option<&str> {
    let here = payload.pointer("/properties/type/enum/0").and_then(Value::as_str);
    here.or_else(|| payload["allOf"].as_array()?.iter().find_map(kind))
}
