//! JSON logs with the seed's field names, one line a fact. Bodies, tokens, addresses and keys have no place in them.

use std::fmt::{self, Write as _};

use common::Timestamp;
use tracing::{Event, Subscriber, field::Visit};
use tracing_subscriber::{
    EnvFilter, Layer,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

/// Starts logging to standard error: the one process-global state. A second call changes nothing.
pub fn start(pod: &str) {
    start_with(pod, std::io::stderr);
}

/// As [`start`], into a file.
pub fn start_in(pod: &str, file: std::fs::File) {
    start_with(pod, std::sync::Mutex::new(file));
}

fn start_with<W>(pod: &str, writer: W)
where
    W: for<'a> tracing_subscriber::fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_from_env("CHAT_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt::layer()
        .event_format(JsonLines { pod: pod.to_owned() })
        .with_writer(writer)
        .with_filter(filter);
    let _ = tracing_subscriber::registry().with(lines).try_init();
}

struct JsonLines {
    pod: String,
}

#[derive(Default)]
struct Fields {
    message: String,
    rest: serde_json::Map<String, serde_json::Value>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        let _ = write!(text, "{value:?}");
        match field.name() {
            "message" => self.message = text,
            name => drop(self.rest.insert(name.to_owned(), text.into())),
        }
    }

    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        self.rest.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &tracing::field::Field, value: u64) {
        self.rest.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &tracing::field::Field, value: i64) {
        self.rest.insert(field.name().to_owned(), value.into());
    }

    fn record_f64(&mut self, field: &tracing::field::Field, value: f64) {
        self.rest.insert(field.name().to_owned(), value.into());
    }
}

/// The service that a crate belongs to, for lines that don't name one.
fn service_of(target: &str) -> &'static str {
    match target.split("::").next() {
        Some("edge_auth") => "auth",
        Some("api_functions") => "api",
        Some("ws_core") => "ws",
        Some("db_core") => "db",
        Some("bus") => "bus",
        _ => "stack",
    }
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut line = serde_json::Map::new();
        let now: Timestamp = crate::minted::now();
        line.insert("ts".into(), now.to_string().into());
        line.insert(
            "level".into(),
            event.metadata().level().as_str().to_ascii_lowercase().into(),
        );
        line.insert("service".into(), service_of(event.metadata().target()).into());
        line.insert("pod".into(), self.pod.clone().into());
        line.extend(fields.rest);
        line.insert("msg".into(), fields.message.into());
        // The `service` of an event wins over the one that is guessed from its place.
        writeln!(writer, "{}", serde_json::Value::Object(line))
    }
}
