//! Ports that lead nowhere: a queue that the plan drains itself, a bus without listeners, a vault that seals nothing.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use koppel_core::error::{Cause, Failure};
use koppel_core::event::Event;
use koppel_core::message::{Decision, Step, Task};
use koppel_core::ports::{Bus, Queue, QueueMessage, Vault};

/// The queues of a plan: tasks in their order, and what would go to write.
#[derive(Default)]
pub struct Collecting(Mutex<Collected>);

#[derive(Default)]
struct Collected {
    tasks: VecDeque<Task>,
    decisions: Vec<Decision>,
    /// As in a real queue: the same message twice is one message.
    sent: BTreeSet<String>,
}

impl Collecting {
    fn lock(&self) -> MutexGuard<'_, Collected> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next task.
    pub fn take(&self) -> Option<Task> {
        self.lock().tasks.pop_front()
    }

    /// Puts a task back that has to be handled again.
    pub fn put_back(&self, task: Task) {
        self.lock().tasks.push_front(task);
    }

    /// Adds a task behind the others.
    pub fn push(&self, task: Task) {
        self.lock().tasks.push_back(task);
    }

    /// Everything that would be written.
    pub fn decisions(&self) -> Vec<Decision> {
        std::mem::take(&mut self.lock().decisions)
    }
}

#[async_trait]
impl Queue for Collecting {
    async fn send(&self, _step: Step, messages: &[QueueMessage]) -> Result<(), Failure> {
        for message in messages {
            let task: Task = serde_json::from_str(&message.body).map_err(|error| {
                Failure::reject(Cause::new("message_unreadable", format!("a task cannot be read: {error}")))
            })?;
            let mut collected = self.lock();
            if !collected.sent.insert(message.dedup_id.clone()) {
                continue;
            }
            match task {
                Task::Write(task) => collected.decisions.extend(task.decisions),
                other => collected.tasks.push_back(other),
            }
        }
        Ok(())
    }
}

/// A bus without listeners: what a plan meets is no news.
pub struct Unheard;

#[async_trait]
impl Bus for Unheard {
    async fn publish(&self, _event: &Event) -> Result<(), Failure> {
        Ok(())
    }
}

/// Marks what a plan has «sealed»: it stays in the memory of this process.
const IN_MEMORY: &[u8] = b"in memory\0";

/// Opens what is sealed, and seals nothing itself.
pub struct OpensOnly(pub Arc<dyn Vault>);

#[async_trait]
impl Vault for OpensOnly {
    async fn seal(&self, _context: &str, plain: &[u8]) -> Result<Vec<u8>, Failure> {
        Ok([IN_MEMORY, plain].concat())
    }

    async fn open(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, Failure> {
        match sealed.strip_prefix(IN_MEMORY) {
            Some(plain) => Ok(plain.to_vec()),
            None => self.0.open(context, sealed).await,
        }
    }
}
