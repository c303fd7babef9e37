//! How one record ended in a run, as a person is shown it.

use koppel_core::error::Cause;
use koppel_core::keys::RecordKey;
use koppel_core::outcome::Outcome;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// How one record ended, for tables and `koppel run`. Sealed: it names the customer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordResult {
    /// Record.
    pub key: RecordKey,
    /// What a merchant calls it.
    pub label: String,
    /// Status in the source.
    #[serde(default)]
    pub status: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, when it did not arrive.
    #[serde(default)]
    pub cause: Option<Cause>,
    /// Things a person should know.
    #[serde(default)]
    pub warnings: Vec<Cause>,
    /// Number in the target.
    #[serde(default)]
    pub target_number: String,
    /// Customer name.
    #[serde(default)]
    pub customer: String,
    /// Number of lines.
    #[serde(default)]
    pub lines: usize,
    /// Net as posted.
    #[serde(default)]
    pub net: Option<Decimal>,
    /// Tax as posted.
    #[serde(default)]
    pub tax: Option<Decimal>,
    /// Total as posted.
    #[serde(default)]
    pub total: Option<Decimal>,
    /// Fields that were written, for records that are kept in step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// Calls made for this record alone.
    #[serde(default)]
    pub calls: usize,
}

impl RecordResult {
    /// A result with nothing but the outcome.
    pub fn new(key: &RecordKey, label: &str, outcome: Outcome) -> Self {
        Self {
            key: key.clone(),
            label: label.to_owned(),
            status: String::new(),
            outcome,
            cause: None,
            warnings: Vec::new(),
            target_number: String::new(),
            customer: String::new(),
            lines: 0,
            net: None,
            tax: None,
            total: None,
            fields: Vec::new(),
            calls: 0,
        }
    }

    /// With the reason.
    #[must_use]
    pub fn because(mut self, cause: Cause) -> Self {
        self.cause = Some(cause);
        self
    }
}
