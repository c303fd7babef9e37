//! The event bus.

use async_trait::async_trait;

use crate::error::Failure;
use crate::event::Event;

/// Publishes events; whoever is interested subscribes outside the chain.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Publishes `event`.
    async fn publish(&self, event: &Event) -> Result<(), Failure>;
}
