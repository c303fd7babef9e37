//! What a function does to a message that it cannot finish: let it wait, or set it aside.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, MessageAttributeValue};
use koppel_core::message::Step;
use koppel_core::{Cause, Failure};

use super::names::Names;
use super::queue_sqs::safe_id;
use super::trouble::Trouble;
use crate::lambda::batch::{Delivery, Settle};

/// Longest text of a cause that goes along with a dead letter.
const CAUSE_MAX_CHARS: usize = 500;
/// Message attribute of a dead letter: how often it was received.
pub(super) const ATTEMPTS: &str = "attempts";

/// [`Settle`] on SQS.
pub struct SqsSettle {
    client: Client,
    queue: String,
    dead_letters: String,
}

impl SqsSettle {
    /// For the queue of `step`.
    pub fn new(config: &SdkConfig, names: &Names, step: Step) -> Result<Self, Failure> {
        Ok(Self {
            client: Client::new(config),
            queue: names.queue(step)?.to_owned(),
            dead_letters: names.dead_letters(step)?.to_owned(),
        })
    }
}

#[async_trait]
impl Settle for SqsSettle {
    async fn postpone(&self, deliveries: &[Delivery], delay: Duration) -> Result<(), Failure> {
        let seconds = i32::try_from(delay.as_secs()).unwrap_or(i32::MAX);
        for part in deliveries.chunks(10) {
            let entries = part
                .iter()
                .enumerate()
                .map(|(n, delivery)| {
                    ChangeMessageVisibilityBatchRequestEntry::builder()
                        .id(n.to_string())
                        .receipt_handle(&delivery.receipt)
                        .visibility_timeout(seconds)
                        .build()
                        .map_err(|error| Failure::reject(Cause::new("message_refused", error.to_string())))
                })
                .collect::<Result<_, _>>()?;
            let answer = self
                .client
                .change_message_visibility_batch()
                .queue_url(&self.queue)
                .set_entries(Some(entries))
                .send()
                .await
                .map_err(|error| Trouble::of("SQS ChangeMessageVisibilityBatch", &error).failure())?;
            // Not fatal: the message then waits for the visibility time-out of the queue instead.
            for failed in answer.failed() {
                tracing::warn!(
                    code = failed.code(),
                    detail = failed.message(),
                    "the waiting time of a message was not changed"
                );
            }
        }
        Ok(())
    }

    async fn bury(&self, delivery: &Delivery, cause: &Cause) -> Result<(), Failure> {
        let text: String = cause.to_string().chars().filter(|c| !c.is_control()).take(CAUSE_MAX_CHARS).collect();
        let attribute = |value: &str| {
            MessageAttributeValue::builder()
                .data_type("String")
                .string_value(if value.is_empty() { "-" } else { value })
                .build()
                .map_err(|error| Failure::reject(Cause::new("message_refused", error.to_string())))
        };
        self.client
            .send_message()
            .queue_url(&self.dead_letters)
            .message_body(&delivery.body)
            .message_group_id(safe_id(&delivery.group))
            // The id of the message, so that burying the same message twice leaves one dead letter.
            .message_deduplication_id(safe_id(&delivery.id))
            .message_attributes(ATTEMPTS, attribute(&delivery.received.to_string())?)
            .message_attributes("code", attribute(&cause.code)?)
            .message_attributes("cause", attribute(&text)?)
            .send()
            .await
            .map_err(|error| Trouble::of("SQS SendMessage", &error).failure())?;
        Ok(())
    }
}
