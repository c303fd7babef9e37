//! The calls that one piece of work makes: counted, recorded for the trail, and kept under a deadline.

use std::sync::Mutex;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Which calls go first when a budget is short: orders before refunds, stock, prices, products, images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Images: last.
    Images,
    /// Products.
    Products,
    /// Prices.
    Prices,
    /// Stock.
    Stock,
    /// Customers.
    Customers,
    /// Refunds.
    Refunds,
    /// Orders: first.
    #[default]
    Orders,
}

/// One request and its answer, without credentials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// Method.
    pub method: String,
    /// Path and query, secrets redacted.
    pub path: String,
    /// Body that was sent.
    pub request: Option<serde_json::Value>,
    /// Status of the answer; `None` when none came.
    pub status: Option<u16>,
    /// Body of the answer, cut to a sane size.
    pub response: Option<serde_json::Value>,
    /// How long it took.
    pub duration_ms: u64,
}

/// Counts and records the calls of one piece of work.
#[derive(Debug, Default)]
pub struct Calls {
    /// Priority of the work.
    pub priority: Priority,
    /// No call may begin that could end after this moment.
    pub deadline: Option<DateTime<Utc>>,
    log: Mutex<Vec<Exchange>>,
}

impl Calls {
    /// Calls of work with this priority and no deadline.
    pub fn new(priority: Priority) -> Self {
        Self { priority, ..Self::default() }
    }

    /// Calls that must end before `deadline`.
    #[must_use]
    pub fn until(mut self, deadline: DateTime<Utc>) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Other work within the same time, with a priority and a count of its own.
    #[must_use]
    pub fn beside(&self, priority: Priority) -> Self {
        Self { priority, deadline: self.deadline, ..Self::default() }
    }

    /// Remembers one exchange.
    pub fn record(&self, exchange: Exchange) {
        if let Ok(mut log) = self.log.lock() {
            log.push(exchange);
        }
    }

    /// How many calls were made.
    pub fn count(&self) -> usize {
        self.log.lock().map_or(0, |log| log.len())
    }

    /// Takes what was recorded.
    pub fn take(&self) -> Vec<Exchange> {
        self.log.lock().map(|mut log| std::mem::take(&mut *log)).unwrap_or_default()
    }
}
