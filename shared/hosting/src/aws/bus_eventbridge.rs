//! The bus on EventBridge.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use koppel_core::error::RetryReason;
use koppel_core::event::Event;
use koppel_core::ports::Bus;
use koppel_core::{Cause, Failure};

use super::trouble::Trouble;

/// Source of all our events; rules match on it.
pub const SOURCE: &str = "koppel";

/// [`Bus`] on EventBridge.
#[derive(Clone)]
pub struct EventBridgeBus {
    client: Client,
    name: String,
}

impl EventBridgeBus {
    /// A bus by name.
    pub fn new(config: &SdkConfig, name: &str) -> Self {
        Self { client: Client::new(config), name: name.to_owned() }
    }
}

#[async_trait]
impl Bus for EventBridgeBus {
    async fn publish(&self, event: &Event) -> Result<(), Failure> {
        let detail = serde_json::to_string(event).map_err(|error| {
            Failure::reject(Cause::new("event_not_serialisable", format!("the event cannot be written: {error}")))
        })?;
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            .detail_type(event.kind.name())
            .detail(detail)
            .time(DateTime::from_millis(event.at.timestamp_millis()))
            .build();
        let answer = self
            .client
            .put_events()
            .entries(entry)
            .send()
            .await
            .map_err(|error| Trouble::of("EventBridge PutEvents", &error).failure())?;
        // The call succeeds even when the entry in it did not.
        match answer.entries().iter().find(|entry| entry.error_code().is_some()) {
            None => Ok(()),
            Some(entry) => {
                let code = entry.error_code().unwrap_or_default();
                let reason = match code {
                    "ThrottlingException" => RetryReason::Throttled,
                    _ => RetryReason::Unavailable,
                };
                let text = format!("EventBridge PutEvents: {code}: {}", entry.error_message().unwrap_or_default());
                Err(Failure::retry(reason, None, Cause::new("event_not_published", text)))
            }
        }
    }
}
