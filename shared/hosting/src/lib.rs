//! Where the chain runs: the only crate that knows an engine. The steps themselves do not know what they run on.
//!
//! `embedded` is everything in one SQLite file, `local` the host that runs the steps on one machine, `contract` the
//! rules that every engine keeps.

pub mod aws;
pub mod contract;
pub mod embedded;
pub mod lambda;
pub mod queue;

use std::sync::Arc;

use koppel_core::ports::{Clock, Store, Vault};

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
