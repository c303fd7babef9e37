//! The ports that a step works with, in one place.

use std::sync::Arc;

use koppel_core::ports::{Bus, Clock, Queue, Store, Systems, Vault};

/// Everything a step needs. Cheap to clone; one per process.
#[derive(Clone)]
pub struct Engine {
    /// Items.
    pub store: Arc<dyn Store>,
    /// Queues between the steps.
    pub queue: Arc<dyn Queue>,
    /// Events.
    pub bus: Arc<dyn Bus>,
    /// Sealing.
    pub vault: Arc<dyn Vault>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Connectors.
    pub systems: Arc<dyn Systems>,
}
