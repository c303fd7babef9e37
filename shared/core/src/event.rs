//! What the chain tells the outside: alerts and automation listen to these.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::Cause;
use crate::keys::Tenant;
use crate::message::Step;
use crate::outcome::Funnel;

/// An event on the bus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Whose it is.
    pub tenant: Tenant,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A run has ended; its funnel adds up.
    RunFinished {
        /// Flow.
        flow: String,
        /// Run.
        run: String,
        /// Counts.
        funnel: Funnel,
    },
    /// Records were rejected in a run.
    RecordsRejected {
        /// Flow.
        flow: String,
        /// Run.
        run: String,
        /// How many.
        count: u64,
        /// The first causes.
        causes: Vec<Cause>,
    },
    /// Records wait because settings or master data are missing.
    RecordsWaiting {
        /// Flow.
        flow: String,
        /// Run.
        run: String,
        /// How many of this run.
        count: u64,
        /// The first causes.
        causes: Vec<Cause>,
    },
    /// A run ended before everything was read, because the other side was not to be reached. The next one reads again.
    RunInterrupted {
        /// Flow.
        flow: String,
        /// Run.
        run: String,
        /// What happened.
        cause: Cause,
    },
    /// Somebody must change configuration before the flow can go on.
    FlowNeedsSettings {
        /// Flow.
        flow: String,
        /// What is wrong.
        cause: Cause,
    },
    /// The connection's consent is gone; its flows have stopped.
    ConnectionNeedsConsent {
        /// Connection.
        connection: String,
        /// What happened.
        cause: Cause,
    },
    /// The connection does not answer; its flows rest, it is probed, and it goes on by itself.
    ConnectionPaused {
        /// Connection.
        connection: String,
        /// What happened.
        cause: Cause,
    },
    /// A stopped or paused connection goes on.
    ConnectionResumed {
        /// Connection.
        connection: String,
        /// What had stopped it.
        cause: Cause,
    },
    /// The calls of a connection are nearly used up.
    BudgetLow {
        /// Connection.
        connection: String,
        /// Which limit, how much is left, and until when.
        cause: Cause,
    },
    /// Messages failed too often and were set aside.
    DeadLetters {
        /// Step whose messages they are.
        step: Step,
        /// How many.
        count: u64,
    },
    /// The shop has orders that should have arrived and did not.
    DeadMan {
        /// Flow.
        flow: String,
        /// How many.
        count: u64,
        /// The one that is missing longest, as the merchant knows it.
        oldest: String,
        /// When that one was changed.
        since: DateTime<Utc>,
    },
}

impl EventKind {
    /// Name on the bus (detail type), such as `RunFinished`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RunFinished { .. } => "RunFinished",
            Self::RecordsRejected { .. } => "RecordsRejected",
            Self::RecordsWaiting { .. } => "RecordsWaiting",
            Self::RunInterrupted { .. } => "RunInterrupted",
            Self::FlowNeedsSettings { .. } => "FlowNeedsSettings",
            Self::ConnectionNeedsConsent { .. } => "ConnectionNeedsConsent",
            Self::ConnectionPaused { .. } => "ConnectionPaused",
            Self::ConnectionResumed { .. } => "ConnectionResumed",
            Self::BudgetLow { .. } => "BudgetLow",
            Self::DeadLetters { .. } => "DeadLetters",
            Self::DeadMan { .. } => "DeadMan",
        }
    }
}
