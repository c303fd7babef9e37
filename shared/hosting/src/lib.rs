//! Where the chain runs: the only crate that knows an engine. The steps themselves do not know what they run on.
//!
//! `embedded` is everything in one SQLite file, `local` the host that runs the steps on one machine, `contract` the
//! rules that every engine keeps.

pub mod aws;
pub mod contract;
pub mod embedded;
pub mod lambda;
pub mod local;
pub mod logging;
pub mod notify;
pub mod queue;
pub mod webhook;

use std::sync::Arc;

use koppel_connectors::http::Deps;
use koppel_connectors::registry::Registry;
use koppel_core::ports::{Clock, Store, Systems, Vault};

pub use queue::{DeadLetter, Depth, Receipt, Received, ReceivingQueue, Settled};

/// The ports that connectors are made with.
#[derive(Clone)]
pub struct Ports {
    /// Items: tokens, budgets, look-ups.
    pub store: Arc<dyn Store>,
    /// Sealing.
    pub vault: Arc<dyn Vault>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// All connectors, over the ports of an engine.
pub fn connectors(ports: &Ports) -> Arc<dyn Systems> {
    let Ports { store, vault, clock } = ports.clone();
    Arc::new(Registry::new(Deps { store, vault, clock }))
}
