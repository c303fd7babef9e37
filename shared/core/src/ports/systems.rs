//! The registry of systems, as the chain sees it.

use std::sync::Arc;

use crate::connection::Connection;
use crate::error::Failure;
use crate::ports::{Source, Target};
use crate::system::SystemFacts;

/// Gives facts about systems and makes connectors for connections.
pub trait Systems: Send + Sync {
    /// Facts of one system.
    fn facts(&self, system: &str) -> Option<&'static SystemFacts>;

    /// Ids of all systems.
    fn ids(&self) -> Vec<&'static str>;

    /// A connector to read with.
    fn source(&self, connection: &Connection) -> Result<Arc<dyn Source>, Failure>;

    /// A connector to write with.
    fn target(&self, connection: &Connection) -> Result<Arc<dyn Target>, Failure>;
}
