//! The queues on SQS FIFO.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use koppel_core::error::RetryReason;
use koppel_core::message::Step;
use koppel_core::ports::{Queue, QueueMessage};
use koppel_core::{Cause, Failure};

use super::names::Names;
use super::trouble::Trouble;

/// SendMessageBatch takes this many messages,
const BATCH_MESSAGES: usize = 10;
/// and this many bytes of bodies and attributes together.
const BATCH_BYTES: usize = 1024 * 1024;
/// Group and de-duplication ids have at most this many characters.
const ID_MAX_CHARS: usize = 128;
/// Rounds for messages that SQS refused one by one.
const ROUNDS: u32 = 5;
/// How long a received message stays in hand, unless told otherwise.
const VISIBILITY: Duration = Duration::from_secs(300);

/// [`Queue`] on SQS.
#[derive(Clone)]
pub struct SqsQueue {
    pub(super) client: Client,
    pub(super) names: Names,
    pub(super) visibility: Duration,
}

impl SqsQueue {
    /// The queues of a stack.
    pub fn new(config: &SdkConfig, names: Names) -> Self {
        Self { client: Client::new(config), names, visibility: VISIBILITY }
    }

    /// Keeps received messages in hand for this long.
    #[must_use]
    pub fn with_visibility(mut self, visibility: Duration) -> Self {
        self.visibility = visibility;
        self
    }

    /// Sends one batch; SQS may take some messages and refuse others, which are then sent again.
    async fn send_batch(&self, url: &str, messages: &[QueueMessage]) -> Result<(), Failure> {
        let mut left: Vec<&QueueMessage> = messages.iter().collect();
        let mut trouble = Failure::retry(RetryReason::Unavailable, None, Cause::new("queue", "nothing was sent"));
        for round in 0..ROUNDS {
            if round > 0 {
                tokio::time::sleep(Duration::from_millis(25 << round)).await;
            }
            let entries = left.iter().enumerate().map(|(n, message)| entry(n, message)).collect::<Result<_, _>>()?;
            let answer = self
                .client
                .send_message_batch()
                .queue_url(url)
                .set_entries(Some(entries))
                .send()
                .await
                .map_err(|error| Trouble::of("SQS SendMessageBatch", &error).failure())?;
            let Some(first) = answer.failed().first() else { return Ok(()) };
            let text = format!("SQS SendMessageBatch: {}: {}", first.code(), first.message().unwrap_or_default());
            if let Some(fault) = answer.failed().iter().find(|failed| failed.sender_fault()) {
                let text = format!("SQS refuses a message: {}: {}", fault.code(), fault.message().unwrap_or_default());
                return Err(Failure::reject(Cause::new("message_refused", text)));
            }
            trouble = Failure::retry(RetryReason::Unavailable, None, Cause::new("queue", text));
            let failed: Vec<usize> = answer.failed().iter().filter_map(|failed| failed.id().parse().ok()).collect();
            left = failed.into_iter().filter_map(|n| left.get(n).copied()).collect();
        }
        Err(trouble)
    }
}

#[async_trait]
impl Queue for SqsQueue {
    async fn send(&self, step: Step, messages: &[QueueMessage]) -> Result<(), Failure> {
        if messages.is_empty() {
            return Ok(());
        }
        let url = self.names.queue(step)?;
        for batch in batches(messages) {
            self.send_batch(url, batch).await?;
        }
        Ok(())
    }
}

/// Cuts `messages` into batches that SQS takes, in order.
fn batches(messages: &[QueueMessage]) -> Vec<&[QueueMessage]> {
    let mut batches = Vec::new();
    let (mut begin, mut bytes) = (0, 0);
    for (n, message) in messages.iter().enumerate() {
        if n > begin && (n - begin == BATCH_MESSAGES || bytes + message.body.len() > BATCH_BYTES) {
            batches.push(&messages[begin..n]);
            (begin, bytes) = (n, 0);
        }
        bytes += message.body.len();
    }
    batches.push(&messages[begin..]);
    batches
}

fn entry(n: usize, message: &QueueMessage) -> Result<SendMessageBatchRequestEntry, Failure> {
    SendMessageBatchRequestEntry::builder()
        .id(n.to_string())
        .message_group_id(safe_id(&message.group))
        .message_deduplication_id(safe_id(&message.dedup_id))
        .message_body(&message.body)
        .build()
        .map_err(|error| Failure::reject(Cause::new("message_refused", error.to_string())))
}

/// The id itself when SQS takes it, else its hash: ids carry flow names, which may be long and in any script.
pub(super) fn safe_id(id: &str) -> String {
    let plain = !id.is_empty() && id.len() <= ID_MAX_CHARS && id.bytes().all(|byte| byte.is_ascii_graphic());
    if plain {
        return id.to_owned();
    }
    URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, id.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: usize) -> QueueMessage {
        QueueMessage { group: "g".into(), dedup_id: "d".into(), body: "x".repeat(bytes) }
    }

    #[test]
    fn batches_respect_count_and_bytes_and_keep_the_order() {
        let many: Vec<_> = (1..=23).map(message).collect();
        let sizes: Vec<usize> = batches(&many).iter().map(|batch| batch.len()).collect();
        assert_eq!(sizes, [10, 10, 3]);
        assert_eq!(batches(&many).concat(), many);
        let large = [message(700 * 1024), message(300 * 1024), message(100 * 1024), message(BATCH_BYTES)];
        let sizes: Vec<usize> = batches(&large).iter().map(|batch| batch.len()).collect();
        assert_eq!(sizes, [2, 1, 1]);
    }

    #[test]
    fn an_id_that_sqs_refuses_becomes_a_hash_of_itself() {
        assert_eq!(safe_id("map#web-orders#r1#0-0"), "map#web-orders#r1#0-0");
        for odd in ["a b", "ü", &"x".repeat(129), ""] {
            let safe = safe_id(odd);
            assert_eq!(safe.len(), 43, "{odd}");
            assert_eq!(safe, safe_id(odd));
        }
        assert_ne!(safe_id(&"x".repeat(129)), safe_id(&"x".repeat(130)));
    }
}
