//! Reading from a system.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Calls;
use super::diagnosis::{Asked, Finding};
use super::target::{Picture, Reference};
use crate::document::Entity;
use crate::error::{Cause, Failure};
use crate::keys::RecordKey;
use crate::message::SourceRecord;
use crate::system::SourceList;

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
    /// Records that the source tells to have lost since then.
    pub gone: Vec<RecordKey>,
    /// Token of the next page; `None` at the end.
    pub next: Option<String>,
}

/// A stretch of time to look for changed records in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Entity.
    pub entity: Entity,
    /// Changed after this moment,
    pub since: DateTime<Utc>,
    /// and before this one.
    pub until: DateTime<Utc>,
    /// Only in these states, in the source's own words; empty for all.
    pub statuses: Vec<String>,
}

/// A record that was changed, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Its id.
    pub key: RecordKey,
    /// What a merchant calls it.
    pub label: String,
    /// When it was changed.
    pub at: DateTime<Utc>,
}

/// The number of the document that a record became in the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentNumber {
    /// The record.
    pub key: RecordKey,
    /// What a merchant calls the record.
    pub label: String,
    /// The number.
    pub number: String,
}

/// A system that records are read from.
#[async_trait]
pub trait Source: Send + Sync {
    /// Reads one page of changed records.
    async fn fetch_page(&self, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure>;

    /// Reads one record by its id; `None` when the source no longer has it.
    async fn fetch_one(&self, entity: Entity, key: &RecordKey, calls: &Calls) -> Result<Option<SourceRecord>, Failure>;

    /// Which records were changed, by a call that is much cheaper than reading them. `None` when there is no such call.
    async fn list_changed(&self, _window: &Window, _calls: &Calls) -> Result<Option<Vec<Changed>>, Failure> {
        Ok(None)
    }

    /// The content of a picture that a record names, with its file name and media type; `None` when there is none there.
    async fn fetch_picture(&self, _url: &str, _calls: &Calls) -> Result<Option<Picture>, Failure> {
        Ok(None)
    }

    /// Writes numbers of documents into `field` of the records they were made of, for people to see. A number that stands
    /// there already is a success; in a field of the system's own, what somebody else has put there is left as it is. One
    /// answer for each, in their order; an error of the whole says that nothing is known of any of them.
    async fn note_numbers(
        &self,
        _entity: Entity,
        field: &str,
        _numbers: &[DocumentNumber],
        _calls: &Calls,
    ) -> Result<Vec<Result<(), Failure>>, Failure> {
        let cause =
            Cause::new("not_supported", format!("this system has no field «{field}» for the number of a document"));
        Err(Failure::settings(cause))
    }

    /// A list whose values are keys of tables in settings, for a person to choose from.
    async fn list_values(&self, list: SourceList, _calls: &Calls) -> Result<Vec<Reference>, Failure> {
        Err(Failure::settings(Cause::new("not_supported", format!("this system does not list {}", list.name()))))
    }

    /// Reaches the system with the credentials and says who answers (name, version, administration).
    async fn test_connection(&self, calls: &Calls) -> Result<String, Failure>;

    /// Looks for what would hold up its flows; reads only. A failure is what stopped it from looking.
    async fn diagnose(&self, _asked: &Asked, calls: &Calls) -> Result<Vec<Finding>, Failure> {
        self.test_connection(calls).await?;
        Ok(Vec::new())
    }
}
