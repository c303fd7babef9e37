//! Reading from a system.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Calls;
use crate::document::Entity;
use crate::error::Failure;
use crate::keys::RecordKey;
use crate::message::SourceRecord;

/// What to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchQuery {
    /// Entity.
    pub entity: Entity,
    /// Changed at or after this moment; the connector does its own overlap where its filter is exclusive.
    pub since: DateTime<Utc>,
    /// Page token of the page before; `None` for the first page.
    pub page: Option<String>,
}

/// One page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FetchPage {
    /// The records.
    pub records: Vec<SourceRecord>,
    /// Token of the next page; `None` at the end.
    pub next: Option<String>,
}

/// A system that records are read from.
#[async_trait]
pub trait Source: Send + Sync {
    /// Reads one page of changed records.
    async fn fetch_page(&self, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure>;

    /// Reads one record by its id; `None` when the source no longer has it.
    async fn fetch_one(&self, entity: Entity, key: &RecordKey, calls: &Calls) -> Result<Option<SourceRecord>, Failure>;

    /// Reaches the system with the credentials and says who answers (name, version, administration).
    async fn test_connection(&self, calls: &Calls) -> Result<String, Failure>;
}
