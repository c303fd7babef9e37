//! Errors are decisions. Every failure is one of four classes and says what happens next; its cause says, to a
//! merchant and to an engineer, what is wrong, where, and what to do.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is wrong, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub struct Cause {
    /// Stable code for tables, alerts and translations, such as `unknown_sku`.
    pub code: String,
    /// One sentence that a person understands.
    pub message: String,
    /// The next thing to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// Where it happened; parts that are not known are left out.
    #[serde(default, skip_serializing_if = "Place::is_nowhere")]
    pub place: Box<Place>,
}

/// Where a failure happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Place {
    /// Configuration or row file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Flow name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<String>,
    /// Connection name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// Record as the merchant knows it (order number, SKU).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// Mapping row or settings key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
    /// Columns inside the cell, as `11-16`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
}

impl Place {
    /// Nothing is known about the place.
    pub fn is_nowhere(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("", &self.file),
            ("flow ", &self.flow),
            ("connection ", &self.connection),
            ("record ", &self.record),
            ("row ", &self.row),
            ("column ", &self.column),
        ];
        let mut first = true;
        for (label, value) in parts {
            if let Some(value) = value {
                if !first {
                    f.write_str(", ")?;
                }
                write!(f, "{label}{value}")?;
                first = false;
            }
        }
        Ok(())
    }
}

impl Cause {
    /// A cause with a code and a sentence.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), advice: None, place: Box::default() }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Names the file.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        self.place.file.get_or_insert_with(|| file.into());
        self
    }

    /// Names the flow.
    #[must_use]
    pub fn in_flow(mut self, flow: impl Into<String>) -> Self {
        self.place.flow.get_or_insert_with(|| flow.into());
        self
    }

    /// Names the connection.
    #[must_use]
    pub fn at_connection(mut self, connection: impl Into<String>) -> Self {
        self.place.connection.get_or_insert_with(|| connection.into());
        self
    }

    /// Names the record.
    #[must_use]
    pub fn of_record(mut self, record: impl Into<String>) -> Self {
        self.place.record.get_or_insert_with(|| record.into());
        self
    }

    /// Names the row or settings key.
    #[must_use]
    pub fn in_row(mut self, row: impl Into<String>) -> Self {
        self.place.row.get_or_insert_with(|| row.into());
        self
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_nowhere() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.message)?;
        if let Some(advice) = &self.advice {
            write!(f, ". To do: {advice}")?;
        }
        Ok(())
    }
}

/// Why a call should be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryReason {
    /// A limit was reached. Not a failed attempt: the record only waits.
    Throttled,
    /// The other side is down or answered with a server error; nothing was changed.
    Unavailable,
    /// The answer was lost: the write may have happened. The target is searched before it is tried again.
    OutcomeUnknown,
    /// Another worker holds the claim, lease or version; try again shortly.
    Busy,
}

/// A failure and the decision that follows from it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Failure {
    /// Infrastructure: the same thing again, later.
    #[error("{cause}")]
    Retry {
        /// Earliest moment for the next try, when the other side said so.
        after: Option<Duration>,
        /// Why.
        reason: RetryReason,
        /// What happened.
        cause: Box<Cause>,
    },
    /// This record can never be delivered as it is.
    #[error("{0}")]
    Reject(Box<Cause>),
    /// Somebody must change configuration; other records of the flow would fail in the same way.
    #[error("{0}")]
    Settings(Box<Cause>),
    /// The connection needs consent or new credentials.
    #[error("{0}")]
    Auth(Box<Cause>),
}

impl Failure {
    /// Try again, at the earliest `after` from now when given.
    pub fn retry(reason: RetryReason, after: Option<Duration>, cause: Cause) -> Self {
        Self::Retry { after, reason, cause: Box::new(cause) }
    }

    /// Reject this record for good.
    pub fn reject(cause: Cause) -> Self {
        Self::Reject(Box::new(cause))
    }

    /// Ask somebody to change configuration.
    pub fn settings(cause: Cause) -> Self {
        Self::Settings(Box::new(cause))
    }

    /// Ask for consent.
    pub fn auth(cause: Cause) -> Self {
        Self::Auth(Box::new(cause))
    }

    /// The cause, whatever the class.
    pub fn cause(&self) -> &Cause {
        match self {
            Self::Retry { cause, .. } | Self::Reject(cause) | Self::Settings(cause) | Self::Auth(cause) => cause,
        }
    }

    /// Adds to the cause (place, advice) and keeps the decision.
    #[must_use]
    pub fn map_cause(self, change: impl FnOnce(Cause) -> Cause) -> Self {
        match self {
            Self::Retry { after, reason, cause } => Self::Retry { after, reason, cause: Box::new(change(*cause)) },
            Self::Reject(cause) => Self::Reject(Box::new(change(*cause))),
            Self::Settings(cause) => Self::Settings(Box::new(change(*cause))),
            Self::Auth(cause) => Self::Auth(Box::new(change(*cause))),
        }
    }

    /// Class name for logs: `retry`, `reject`, `settings`, `auth`.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Retry { .. } => "retry",
            Self::Reject(_) => "reject",
            Self::Settings(_) => "settings",
            Self::Auth(_) => "auth",
        }
    }
}

/// The nearest of `known` to `word`, when it is near enough to be a slip of the pen.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(2);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_names_the_place_and_the_next_step() {
        let cause = Cause::new("unknown_sku", "SKU «MOK» is not in Exact Online")
            .advice("create the item or set default_item")
            .in_flow("web-orders")
            .of_record("23");
        assert_eq!(
            cause.to_string(),
            "flow web-orders, record 23: SKU «MOK» is not in Exact Online. To do: create the item or set default_item"
        );
    }

    #[test]
    fn the_nearest_spelling_is_found_and_nonsense_is_not() {
        assert_eq!(nearest("vat_cde", ["vat_code", "rounding"]), Some("vat_code"));
        assert_eq!(nearest("xyz", ["vat_code", "rounding"]), None);
    }
}
