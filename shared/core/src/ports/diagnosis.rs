//! What a connector finds out about its system before a flow goes live.

use serde::{Deserialize, Serialize};

use crate::document::Entity;
use crate::error::{Cause, Failure};

/// What the flows of a connection need, so that only what matters to them is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Kinds of records.
    pub entities: Vec<Entity>,
    /// Something is written to it: records, or webhooks.
    pub writes: bool,
    /// Currencies of the documents it would get.
    pub currencies: Vec<String>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Records will be held back or refused.
    Error,
    /// It works, and somebody should know.
    Warning,
}

impl Severity {
    /// Name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Something that is not as it should be: its code is stable, its advice says how it is mended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// What, where, and what to do.
    pub cause: Cause,
}

impl Finding {
    /// Records will be held back or refused.
    pub fn error(cause: Cause) -> Self {
        Self { severity: Severity::Error, cause }
    }

    /// It works, and somebody should know.
    pub fn warning(cause: Cause) -> Self {
        Self { severity: Severity::Warning, cause }
    }

    /// Changes the cause.
    #[must_use]
    pub fn map_cause(mut self, change: impl FnOnce(Cause) -> Cause) -> Self {
        self.cause = change(self.cause);
        self
    }
}

impl From<Failure> for Finding {
    fn from(failure: Failure) -> Self {
        Self::error(failure.cause().clone())
    }
}
