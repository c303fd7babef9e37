//! One way of logging everywhere: for people on a terminal, JSON lines where a machine collects them.
//!
//! Every line about a record or a run has the same fields: [`FLOW`], [`RUN`], [`RECORD`], [`CONNECTION`], [`STEP`],
//! [`DURATION_MS`]. In JSON they stand at the top of the line, whether the span or the event brought them, so one
//! query finds everything. The content of records is never logged: not a body, not a name, not an address.

mod json;

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub use json::JsonLayer;

/// Flow name.
pub const FLOW: &str = "flow";
/// Run id.
pub const RUN: &str = "run";
/// Record as the merchant knows it (order number, SKU).
pub const RECORD: &str = "record";
/// Connection name.
pub const CONNECTION: &str = "connection";
/// Step name.
pub const STEP: &str = "step";
/// How long it took.
pub const DURATION_MS: &str = "duration_ms";

/// Environment variable with the level, such as `debug` or `koppel_flows=debug,info`.
pub const LEVEL_VARIABLE: &str = "KOPPEL_LOG";
/// Environment variable with the format: `json` or `text`.
pub const FORMAT_VARIABLE: &str = "KOPPEL_LOG_FORMAT";

/// What a log line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Format {
    /// JSON when asked for, and on Lambda unless something else is asked for.
    pub fn choose(asked: Option<&str>, on_lambda: bool) -> Self {
        match asked.map(str::trim) {
            Some("json") => Self::Json,
            Some("text") => Self::Text,
            _ if on_lambda => Self::Json,
            _ => Self::Text,
        }
    }
}

/// Starts logging, as the environment asks. A second call in one process changes nothing.
///
/// Text goes to standard error, so that the output of a command stays clean; JSON goes to standard output, where Lambda
/// and containers collect it.
pub fn init() {
    let asked = std::env::var(FORMAT_VARIABLE).ok();
    let on_lambda = std::env::var_os("AWS_LAMBDA_FUNCTION_NAME").is_some();
    let registry = tracing_subscriber::registry().with(filter(std::env::var(LEVEL_VARIABLE).ok().as_deref()));
    // An error means that a subscriber is there already: a test, or the second call.
    let _ = match Format::choose(asked.as_deref(), on_lambda) {
        Format::Json => registry.with(JsonLayer::new(std::io::stdout)).try_init(),
        Format::Text => registry
            .with(
                tracing_subscriber::fmt::layer()
                    .with_writer(stderr)
                    .with_ansi(stderr().is_terminal())
                    .with_target(false),
            )
            .try_init(),
    };
}

/// The level that was asked for. One that cannot be read must not silence the program: it logs as usual.
fn filter(asked: Option<&str>) -> EnvFilter {
    let usual = || EnvFilter::new("info,hyper=warn,rustls=warn,aws_config=warn,aws_smithy_runtime=warn");
    match asked.map(str::trim).filter(|text| !text.is_empty()) {
        None => usual(),
        Some(text) => EnvFilter::try_new(text).unwrap_or_else(|_| usual()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambda_gets_json_and_a_terminal_text_unless_asked() {
        assert_eq!(Format::choose(None, false), Format::Text);
        assert_eq!(Format::choose(None, true), Format::Json);
        assert_eq!(Format::choose(Some("json"), false), Format::Json);
        assert_eq!(Format::choose(Some("text"), true), Format::Text);
    }

    #[test]
    fn a_level_that_cannot_be_read_does_not_silence_the_program() {
        assert_eq!(filter(Some("koppel_flows=debug")).to_string(), "koppel_flows=debug");
        assert_eq!(filter(Some("=,=")).to_string(), filter(None).to_string());
    }
}
