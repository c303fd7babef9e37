//! The ports that a step works with, in one place.

use std::sync::Arc;

use koppel_core::ports::{Bus, Clock, Queue, Store, Systems, Vault};

use crate::loaded::LoadedFlows;
use crate::steps::webhook::Receivers;

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
    /// Flows that were read and compiled; a version never changes, so they stay.
    pub(crate) loaded: Arc<LoadedFlows>,
    /// Who verifies webhooks, by connection.
    pub(crate) receivers: Arc<Receivers>,
}

impl Engine {
    /// Puts the ports together.
    pub fn new(
        store: Arc<dyn Store>,
        queue: Arc<dyn Queue>,
        bus: Arc<dyn Bus>,
        vault: Arc<dyn Vault>,
        clock: Arc<dyn Clock>,
        systems: Arc<dyn Systems>,
    ) -> Self {
        Self { store, queue, bus, vault, clock, systems, loaded: Arc::default(), receivers: Arc::default() }
    }
}
