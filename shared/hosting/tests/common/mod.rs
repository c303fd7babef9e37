//! What the tests of this crate share.

use std::path::Path;
use std::sync::Arc;

use koppel_core::connection::Connection;
use koppel_core::ports::{Clock, Source, Systems, Target};
use koppel_core::system::SystemFacts;
use koppel_core::{Cause, Failure};
use koppel_hosting::embedded::{self, EmbeddedEngine, Options, QueueSettings};

/// No connectors: these tests are about engines.
pub struct NoSystems;

impl Systems for NoSystems {
    fn facts(&self, _system: &str) -> Option<&'static SystemFacts> {
        None
    }

    fn ids(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn source(&self, _connection: &Connection) -> Result<Arc<dyn Source>, Failure> {
        Err(Failure::settings(Cause::new("none", "no systems here")))
    }

    fn target(&self, _connection: &Connection) -> Result<Arc<dyn Target>, Failure> {
        Err(Failure::settings(Cause::new("none", "no systems here")))
    }
}

/// An engine with a fixed key, so that two engines in memory open each other's seals.
pub fn open(path: &Path, clock: Arc<dyn Clock>, queue: QueueSettings) -> EmbeddedEngine {
    let options = Options { vault_key: Some("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned()), queue };
    embedded::open(path, clock, &options, |_| Arc::new(NoSystems)).unwrap()
}
