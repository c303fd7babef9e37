//! The registry of systems, as the chain sees it.

use std::sync::Arc;

use async_trait::async_trait;

use crate::connection::Connection;
use crate::error::Failure;
use crate::ports::{Budget, Calls, Source, Target, VatNumbers, WebhookAdmin, WebhookReceiver};
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

    /// The way to consent for a connection; `None` for systems that work with keys alone.
    fn consent(&self, _connection: &Connection) -> Result<Option<Arc<dyn Consent>>, Failure> {
        Ok(None)
    }

    /// The calls that a connection may still make; `None` for systems without limits.
    fn budget(&self, _connection: &Connection) -> Result<Option<Arc<dyn Budget>>, Failure> {
        Ok(None)
    }

    /// Who verifies the deliveries of a connection, with the secret they are signed with; `None` for systems without
    /// webhooks.
    fn webhook_receiver(
        &self,
        _connection: &Connection,
        _secret: &str,
    ) -> Result<Option<Arc<dyn WebhookReceiver>>, Failure> {
        Ok(None)
    }

    /// Who registers the webhooks of a connection; `None` for systems without webhooks.
    fn webhook_admin(&self, _connection: &Connection) -> Result<Option<Arc<dyn WebhookAdmin>>, Failure> {
        Ok(None)
    }

    /// Who knows whether VAT numbers are valid: VIES, at another address than its own when one is given; `None` where
    /// nobody can be asked.
    fn vat_numbers(&self, _url: Option<&str>) -> Result<Option<Arc<dyn VatNumbers>>, Failure> {
        Ok(None)
    }
}

/// Consent by a person, through the system's own page (OAuth 2.0 authorisation code).
#[async_trait]
pub trait Consent: Send + Sync {
    /// The page to open. The system comes back to the option `redirect_uri` with `code` and this `state`.
    fn authorize_url(&self, state: &str) -> Result<String, Failure>;

    /// Exchanges the code for tokens, and keeps them sealed.
    async fn exchange_code(&self, code: &str, calls: &Calls) -> Result<(), Failure>;
}
