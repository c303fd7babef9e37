//! The receiving side of the SQS queues, for the command line: how full they are, what lies with the dead letters,
//! sending it again. On Lambda the event source mapping receives and `lambda::batch` settles.
//!
//! SQS counts receives and nothing else, so here every hand-out counts as an attempt; the redrive policy of the queue
//! decides when a message has had too many.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName as System, QueueAttributeName as Queue};
use chrono::{DateTime, Utc};
use koppel_core::Failure;
use koppel_core::message::Step;

use super::queue_sqs::{SqsQueue, safe_id};
use super::settle_sqs::ATTEMPTS;
use super::trouble::Trouble;
use crate::queue::{DeadLetter, Depth, Receipt, Received, ReceivingQueue, Settled};

/// While it is looked at, a dead letter is hidden from others this long.
const LOOK: Duration = Duration::from_secs(30);

#[async_trait]
impl ReceivingQueue for SqsQueue {
    async fn receive(&self, step: Step, max: usize) -> Result<Vec<Received>, Failure> {
        let messages = self.take(self.names.queue(step)?, max, self.visibility).await?;
        Ok(messages.iter().map(|message| received(step, message)).collect())
    }

    async fn ack(&self, receipt: &Receipt) -> Result<Settled, Failure> {
        let url = self.names.queue(receipt.step)?;
        match self.client.delete_message().queue_url(url).receipt_handle(&receipt.token).send().await {
            Ok(_) => Ok(Settled::Done),
            // A message that is gone already: AWS itself answers with success, others with this.
            Err(error) if error.code().is_some_and(|code| code.ends_with("ReceiptHandleIsInvalid")) => {
                Ok(Settled::Done)
            }
            Err(error) if error.code().is_some_and(is_stale) => Ok(Settled::Stale),
            Err(error) => Err(Trouble::of("SQS DeleteMessage", &error).failure()),
        }
    }

    async fn extend(&self, receipt: &Receipt, longer: Duration) -> Result<Settled, Failure> {
        let request = self
            .client
            .change_message_visibility()
            .queue_url(self.names.queue(receipt.step)?)
            .receipt_handle(&receipt.token)
            .visibility_timeout(seconds(longer));
        match request.send().await {
            Ok(_) => Ok(Settled::Done),
            Err(error) if error.code().is_some_and(is_stale) => Ok(Settled::Stale),
            Err(error) => Err(Trouble::of("SQS ChangeMessageVisibility", &error).failure()),
        }
    }

    async fn retry_after(&self, receipt: &Receipt, wait: Duration, _counts: bool) -> Result<Settled, Failure> {
        self.extend(receipt, wait).await
    }

    fn visibility(&self) -> Duration {
        self.visibility
    }

    async fn depth(&self, step: Step) -> Result<Depth, Failure> {
        let (waiting, in_hand, delayed) = self.count(self.names.queue(step)?).await?;
        let (lying, looked_at, _) = self.count(self.names.dead_letters(step)?).await?;
        Ok(Depth { waiting, in_hand, delayed, dead: lying + looked_at, next_due: None })
    }

    async fn dead_letters(&self, step: Step, max: usize) -> Result<Vec<DeadLetter>, Failure> {
        let url = self.names.dead_letters(step)?;
        let messages = self.take(url, max, LOOK).await?;
        for message in &messages {
            // Back at once: looking must not hide it from a redrive.
            self.client
                .change_message_visibility()
                .queue_url(url)
                .receipt_handle(message.receipt_handle().unwrap_or_default())
                .visibility_timeout(0)
                .send()
                .await
                .map_err(|error| Trouble::of("SQS ChangeMessageVisibility", &error).failure())?;
        }
        Ok(messages.iter().map(dead_letter).collect())
    }

    /// Each letter is sent before it is removed, so that none is lost in between; a step recognises work done twice.
    async fn redrive(&self, step: Step) -> Result<u64, Failure> {
        let (from, to) = (self.names.dead_letters(step)?, self.names.queue(step)?);
        let begun = chrono::Utc::now().timestamp_millis();
        let mut moved = 0;
        loop {
            let messages = self.take(from, 10, LOOK).await?;
            if messages.is_empty() {
                return Ok(moved);
            }
            for message in messages {
                // It was sent again and is back already: moving it once more would go on for ever.
                let arrived: i64 = system(&message, &System::SentTimestamp).parse().unwrap_or(0);
                if arrived > begun {
                    return Ok(moved);
                }
                self.client
                    .send_message()
                    .queue_url(to)
                    .message_body(message.body().unwrap_or_default())
                    .message_group_id(safe_id(system(&message, &System::MessageGroupId)))
                    // Not the id of the task: the queue may remember that one for five minutes and would drop this.
                    .message_deduplication_id(safe_id(&format!("redrive#{}", message.message_id().unwrap_or_default())))
                    .send()
                    .await
                    .map_err(|error| Trouble::of("SQS SendMessage", &error).failure())?;
                self.client
                    .delete_message()
                    .queue_url(from)
                    .receipt_handle(message.receipt_handle().unwrap_or_default())
                    .send()
                    .await
                    .map_err(|error| Trouble::of("SQS DeleteMessage", &error).failure())?;
                moved += 1;
            }
        }
    }
}

impl SqsQueue {
    /// Receives until there are `max` messages or no more are handed out.
    async fn take(&self, url: &str, max: usize, hidden: Duration) -> Result<Vec<Message>, Failure> {
        let mut messages = Vec::new();
        while messages.len() < max {
            let wanted = i32::try_from((max - messages.len()).min(10)).unwrap_or(10);
            let answer = self
                .client
                .receive_message()
                .queue_url(url)
                .max_number_of_messages(wanted)
                .visibility_timeout(seconds(hidden))
                .message_attribute_names("All")
                .message_system_attribute_names(System::All)
                .send()
                .await
                .map_err(|error| Trouble::of("SQS ReceiveMessage", &error).failure())?;
            if answer.messages().is_empty() {
                break;
            }
            messages.extend(answer.messages.unwrap_or_default());
        }
        Ok(messages)
    }

    /// Waiting, in hand, delayed.
    async fn count(&self, url: &str) -> Result<(u64, u64, u64), Failure> {
        let answer = self
            .client
            .get_queue_attributes()
            .queue_url(url)
            .attribute_names(Queue::ApproximateNumberOfMessages)
            .attribute_names(Queue::ApproximateNumberOfMessagesNotVisible)
            .attribute_names(Queue::ApproximateNumberOfMessagesDelayed)
            .send()
            .await
            .map_err(|error| Trouble::of("SQS GetQueueAttributes", &error).failure())?;
        let number = |name: &Queue| {
            answer.attributes().and_then(|all| all.get(name)).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0)
        };
        Ok((
            number(&Queue::ApproximateNumberOfMessages),
            number(&Queue::ApproximateNumberOfMessagesNotVisible),
            number(&Queue::ApproximateNumberOfMessagesDelayed),
        ))
    }
}

fn received(step: Step, message: &Message) -> Received {
    let count: u32 = system(message, &System::ApproximateReceiveCount).parse().unwrap_or(1);
    Received {
        receipt: Receipt { step, token: message.receipt_handle().unwrap_or_default().to_owned() },
        group: system(message, &System::MessageGroupId).to_owned(),
        body: message.body().unwrap_or_default().to_owned(),
        received: count,
        attempts: count.saturating_sub(1),
    }
}

fn dead_letter(message: &Message) -> DeadLetter {
    // Only a letter that a function set aside says how often it was tried and died when it was sent here; SQS itself
    // moves a message with its old date.
    let attempts =
        message.message_attributes().and_then(|all| all.get(ATTEMPTS)).and_then(|value| value.string_value());
    let died_at = attempts
        .and_then(|_| system(message, &System::SentTimestamp).parse().ok())
        .and_then(DateTime::<Utc>::from_timestamp_millis);
    DeadLetter {
        group: system(message, &System::MessageGroupId).to_owned(),
        body: message.body().unwrap_or_default().to_owned(),
        attempts: attempts.unwrap_or(system(message, &System::ApproximateReceiveCount)).parse().unwrap_or(0),
        died_at,
    }
}

fn system<'a>(message: &'a Message, name: &System) -> &'a str {
    message.attributes().and_then(|all| all.get(name)).map(String::as_str).unwrap_or_default()
}

fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}

/// How SQS says that a receipt no longer holds its message.
fn is_stale(code: &str) -> bool {
    ["ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight"].iter().any(|stale| code.ends_with(stale))
}
