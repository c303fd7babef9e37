//! Sealing of secrets and of everything personal that is stored.

use async_trait::async_trait;

use crate::error::Failure;

/// Seals and opens bytes. The context is authenticated: what was sealed for one purpose cannot be opened for another.
#[async_trait]
pub trait Vault: Send + Sync {
    /// Seals `plain`.
    async fn seal(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, Failure>;

    /// Opens what [`Vault::seal`] made with the same context.
    async fn open(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, Failure>;
}
