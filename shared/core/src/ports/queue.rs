//! Queues between the steps. Receiving belongs to the engine: it calls the step and settles the message.

use async_trait::async_trait;

use crate::error::Failure;
use crate::message::{Step, Task};

/// A message on its way to a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueMessage {
    /// FIFO group: messages of one group are handled one after another, in order.
    pub group: String,
    /// The same id twice within five minutes is one message.
    pub dedup_id: String,
    /// JSON of a [`Task`].
    pub body: String,
}

impl QueueMessage {
    /// Packs a task.
    pub fn pack(task: &Task) -> Result<Self, Failure> {
        let body = serde_json::to_string(task).map_err(|error| {
            Failure::reject(crate::Cause::new(
                "message_not_serialisable",
                format!("the task cannot be written: {error}"),
            ))
        })?;
        Ok(Self { group: task.header().group(), dedup_id: task.dedup_id(), body })
    }
}

/// Sends chunks to a step.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Sends all messages, in order. An error may leave some of them sent: sending again is harmless.
    async fn send(&self, step: Step, messages: &[QueueMessage]) -> Result<(), Failure>;
}
