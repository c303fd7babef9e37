//! What travels between the steps: versioned tasks that carry a chunk of records.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::document::Document;
use crate::error::Cause;
use crate::keys::{NonEmpty, RecordKey, Tenant};
use crate::ports::target::CustomerLink;

/// Most documents in one chunk: the batch size of the most generous target.
pub const CHUNK_MAX_DOCUMENTS: usize = 100;
/// Most bytes in one message; SQS takes 1 MiB with its attributes.
pub const CHUNK_MAX_BYTES: usize = 800 * 1024;

/// A step of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Finds what is due.
    Schedule,
    /// Reads from the source.
    Fetch,
    /// Makes canonical documents.
    Map,
    /// Decides what to do with each.
    Check,
    /// Writes to the target.
    Write,
}

impl Step {
    /// The steps that have a queue.
    pub const QUEUED: [Self; 4] = [Self::Fetch, Self::Map, Self::Check, Self::Write];

    /// Name in queues, logs and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Fetch => "fetch",
            Self::Map => "map",
            Self::Check => "check",
            Self::Write => "write",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Step {
    type Err = Cause;

    fn from_str(text: &str) -> Result<Self, Cause> {
        [Self::Schedule, Self::Fetch, Self::Map, Self::Check, Self::Write]
            .into_iter()
            .find(|s| s.name() == text)
            .ok_or_else(|| Cause::new("unknown_step", format!("«{text}» is not a step")))
    }
}

/// What every task knows about its run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Whose it is.
    pub tenant: Tenant,
    /// Flow name.
    pub flow: String,
    /// Run id.
    pub run: String,
    /// Version of the configuration that the run started with.
    pub config_version: u64,
    /// Chunk id, the same whenever the same page is read again in this run.
    pub chunk: String,
    /// Lane.
    pub lane: u32,
}

impl Header {
    /// FIFO group: order within a lane, parallel across lanes.
    pub fn group(&self) -> String {
        format!("{}#{}#{}", self.tenant, self.flow, self.lane)
    }
}

/// A task, versioned by its tag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "body")]
pub enum Task {
    /// Read from the source.
    #[serde(rename = "fetch.v1")]
    Fetch(FetchTask),
    /// Map source records.
    #[serde(rename = "map.v1")]
    Map(MapTask),
    /// Check documents.
    #[serde(rename = "check.v1")]
    Check(CheckTask),
    /// Write decisions.
    #[serde(rename = "write.v1")]
    Write(WriteTask),
}

impl Task {
    /// The step that handles this task.
    pub fn step(&self) -> Step {
        match self {
            Self::Fetch(_) => Step::Fetch,
            Self::Map(_) => Step::Map,
            Self::Check(_) => Step::Check,
            Self::Write(_) => Step::Write,
        }
    }

    /// The header, whatever the task.
    pub fn header(&self) -> &Header {
        match self {
            Self::Fetch(task) => &task.header,
            Self::Map(task) => &task.header,
            Self::Check(task) => &task.header,
            Self::Write(task) => &task.header,
        }
    }

    /// Identity for de-duplication in a queue: the same work always has the same id.
    ///
    /// The records are part of it: a step that is repeated may pass on records that it could not pass on before, and
    /// they must not be taken for the message that left them out.
    pub fn dedup_id(&self) -> String {
        let header = self.header();
        let records = self.keys().fold(FNV_START, |hash, key| fnv(fnv(hash, key.as_str()), "\0"));
        format!("{}#{}#{}#{}#{records:x}", self.step(), header.flow, header.run, header.chunk)
    }

    /// Keys of the records that travel with this task.
    fn keys(&self) -> Box<dyn Iterator<Item = &RecordKey> + '_> {
        match self {
            Self::Fetch(task) => Box::new(task.ids.iter()),
            Self::Map(task) => {
                let gone = task.gone.iter().map(|gone| &gone.key);
                Box::new(task.records.iter().map(|record| &record.key).chain(gone))
            }
            Self::Check(task) => Box::new(task.records.iter().map(|record| &record.key)),
            Self::Write(task) => Box::new(task.decisions.iter().map(|decision| &decision.record.key)),
        }
    }
}

/// Read one page, or some records by id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FetchTask {
    /// Run and chunk.
    pub header: Header,
    /// Records changed after this moment (overlap already taken off).
    pub since: DateTime<Utc>,
    /// Moment the run began: the next cursor.
    pub until: DateTime<Utc>,
    /// Page token of the source; `None` for the first page.
    #[serde(default)]
    pub page: Option<String>,
    /// Number of the page, from 0.
    #[serde(default)]
    pub page_number: u32,
    /// When not empty, only these records are read, whatever their date.
    #[serde(default)]
    pub ids: Vec<RecordKey>,
    /// End of the run before: from here on this run judges whether webhooks came for what it reads. Set for flows with
    /// webhooks only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hints_since: Option<DateTime<Utc>>,
}

/// One record as the source gave it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceRecord {
    /// Identity in the source.
    pub key: RecordKey,
    /// What a merchant calls it (order number, SKU).
    pub label: String,
    /// What must not be written twice at once (customer, parent SKU): decides the lane.
    pub partition: String,
    /// Last change in the source.
    pub modified_at: Option<DateTime<Utc>>,
    /// The native record.
    pub raw: serde_json::Value,
}

/// Map a chunk of source records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapTask {
    /// Run and chunk.
    pub header: Header,
    /// The records.
    pub records: Vec<SourceRecord>,
    /// Records that are there no longer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<Gone>,
}

/// A record that the source has no longer, and whose end the target must be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// Identity in the source.
    pub key: RecordKey,
    /// Natural key in the target, as it was delivered.
    pub number: String,
}

/// A record with its canonical document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MappedRecord {
    /// Identity in the source.
    pub key: RecordKey,
    /// What a merchant calls it.
    pub label: String,
    /// Last change in the source.
    pub modified_at: Option<DateTime<Utc>>,
    /// The document.
    pub document: Document,
    /// Things a person should know that did not stop the record.
    #[serde(default)]
    pub warnings: Vec<Cause>,
    /// The source has it no longer: the document holds its key and nothing else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
}

/// Check a chunk of documents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckTask {
    /// Run and chunk.
    pub header: Header,
    /// The documents.
    pub records: Vec<MappedRecord>,
}

/// What to do with one document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The record and its document.
    pub record: MappedRecord,
    /// Natural key in the target.
    pub natural_key: NonEmpty,
    /// Create, or update what was found.
    pub action: Action,
    /// Who it is for, when the target needs a customer first.
    #[serde(default)]
    pub customer: Option<CustomerDecision>,
    /// The native payload.
    pub payload: serde_json::Value,
    /// Hash of the content, to recognise an unchanged record.
    pub content_hash: String,
    /// Codes or the customer were known from before: the target was not asked for them this time.
    #[serde(default)]
    pub from_memory: bool,
    /// The date that the payload has instead of the document's own, which lies in a closed period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dated: Option<chrono::NaiveDate>,
}

/// Create or update.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The target has no such document.
    Create,
    /// The target has it under this id.
    Update {
        /// Id in the target.
        id: String,
    },
}

/// What is known about the customer of a document, and what to send when it must be created or completed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CustomerDecision {
    /// Keyed hash of the natural key; names the claim and the link. Empty for a fixed debtor.
    pub key_hash: String,
    /// E-mail address, for the search after a lost answer. Empty for a fixed debtor.
    pub email: String,
    /// The link, when check found one.
    #[serde(default)]
    pub link: Option<CustomerLink>,
    /// Native payload of the customer.
    pub payload: serde_json::Value,
    /// Keyed hash of the delivery place, when the goods go elsewhere.
    #[serde(default)]
    pub delivery_key: Option<String>,
    /// Hash of the payload, to recognise a changed customer.
    pub content_hash: String,
    /// The target's customer should be updated when its content changed.
    #[serde(default)]
    pub update: bool,
    /// How it was recognised.
    #[serde(default)]
    pub matched: Matched,
}

/// How a customer was recognised, and how it is recognised again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Matched {
    /// A second name of the link: of a customer with a number in the shop, what it is without one.
    pub alias_hash: Option<String>,
    /// Keyed hash that names the claim, and whose link it is; empty for that of the link.
    pub claim_hash: String,
    /// Keyed hash of the VAT number that was compared; empty when none was.
    pub vat_hash: String,
    /// Somebody decided that it is a new one.
    pub create: bool,
    /// Customers of the target that it is not, by id.
    pub not: Vec<String>,
    /// What an earlier attempt made is told from others with its address by name or postcode.
    pub confirm: bool,
    /// Name, for that.
    pub name: String,
    /// Postcode, for that.
    pub postcode: String,
}

/// Write a chunk of decisions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WriteTask {
    /// Run and chunk.
    pub header: Header,
    /// The decisions.
    pub decisions: Vec<Decision>,
}

/// Lane of a partition key: the same key always goes the same way.
pub fn lane_of(partition: &str, lanes: u32) -> u32 {
    u32::try_from(fnv(FNV_START, partition) % u64::from(lanes.max(1))).unwrap_or(0)
}

const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, because it must never change between builds.
fn fnv(hash: u64, text: &str) -> u64 {
    text.bytes().fold(hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_carries_its_version_and_survives_the_wire() {
        let header = Header {
            tenant: Tenant::default(),
            flow: "web-orders".into(),
            run: "r1".into(),
            config_version: 3,
            chunk: "0-0".into(),
            lane: 1,
        };
        let record = SourceRecord {
            key: NonEmpty::new("23").unwrap(),
            label: "23".into(),
            partition: "x".into(),
            modified_at: None,
            raw: serde_json::from_str(r#"{"price":9.950000000000001,"id":9007199254740993}"#).unwrap(),
        };
        let task = Task::Map(MapTask { header, records: vec![record], gone: Vec::new() });
        let text = serde_json::to_string(&task).unwrap();
        assert!(text.starts_with(r#"{"type":"map.v1","body""#), "{text}");
        assert!(text.contains("9.950000000000001") && text.contains("9007199254740993"), "{text}");
        assert_eq!(serde_json::from_str::<Task>(&text).unwrap(), task);
    }

    #[test]
    fn the_same_work_has_the_same_id_and_other_records_another() {
        let task = |keys: &[&str]| {
            let record = |key: &&str| SourceRecord {
                key: NonEmpty::new(key).unwrap(),
                label: String::new(),
                partition: String::new(),
                modified_at: None,
                raw: serde_json::Value::Null,
            };
            let header = Header {
                tenant: Tenant::default(),
                flow: "f".into(),
                run: "r".into(),
                config_version: 1,
                chunk: "page-0-0-0".into(),
                lane: 0,
            };
            Task::Map(MapTask { header, records: keys.iter().map(record).collect(), gone: Vec::new() }).dedup_id()
        };
        assert_eq!(task(&["1", "2"]), task(&["1", "2"]));
        assert_ne!(task(&["1", "2"]), task(&["1", "2", "3"]));
        assert_ne!(task(&["1", "2"]), task(&["12"]));
    }

    #[test]
    fn a_partition_key_keeps_its_lane() {
        assert_eq!(lane_of("jan@example.test", 1), 0);
        assert_eq!(lane_of("jan@example.test", 8), lane_of("jan@example.test", 8));
        assert!((0..100).map(|n| lane_of(&n.to_string(), 4)).collect::<std::collections::BTreeSet<_>>().len() == 4);
    }
}
