//! The rules that every engine keeps, one function for each, to be run against any implementation of a port.
//!
//! This is a library and not a test, so that one suite runs against the embedded engine here and against the cloud
//! engine in the integration tests. A rule moves time through [`Passage`]: a clock that is moved, or real waiting.

pub mod bus;
pub mod clock;
pub mod queue;
pub mod store;
pub mod vault;

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::ports::{Clock, StoreError};
use koppel_core::{Failure, Tenant};

/// A rule that does not hold, and how it showed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Broken(pub String);

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Self {
        Self(format!("unexpected store error: {error}"))
    }
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self(format!("unexpected {} failure: {failure}", failure.class()))
    }
}

/// Outcome of one rule.
pub type Rule = Result<(), Broken>;

/// Which rules of a port hold.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Rules that hold.
    pub kept: Vec<&'static str>,
    /// Rules that do not.
    pub broken: Vec<(&'static str, Broken)>,
}

impl Report {
    /// Adds the outcome of a rule.
    pub fn add(&mut self, name: &'static str, outcome: Rule) {
        match outcome {
            Ok(()) => self.kept.push(name),
            Err(broken) => self.broken.push((name, broken)),
        }
    }

    /// Panics with all broken rules when there are any: the last line of a test.
    pub fn assert(&self) {
        assert!(self.broken.is_empty(), "{self}");
    }

    /// Whether this rule was found broken.
    pub fn breaks(&self, name: &str) -> bool {
        self.broken.iter().any(|(rule, _)| *rule == name)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rules kept, {} broken", self.kept.len(), self.broken.len())?;
        for (name, broken) in &self.broken {
            write!(f, "\n  {name}: {broken}")?;
        }
        Ok(())
    }
}

/// Makes `all`, which runs every rule of a module.
macro_rules! rules {
    ($fixture:ty: $($name:ident),+ $(,)?) => {
        /// Runs every rule.
        pub async fn all(fixture: &$fixture) -> $crate::contract::Report {
            let mut report = $crate::contract::Report::default();
            $(report.add(stringify!($name), $name(fixture).await);)+
            report
        }
    };
}

/// Leaves a rule as broken unless the condition holds.
macro_rules! hold {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err($crate::contract::Broken(format!($($text)+)));
        }
    };
}

pub(crate) use {hold, rules};

/// How a rule lets time pass.
#[async_trait]
pub trait Passage: Send + Sync {
    /// Returns when the engine's clock is at least this much further.
    async fn pass(&self, time: Duration);
}

/// Waits in real time.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealTime;

#[async_trait]
impl Passage for RealTime {
    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(Mutex<DateTime<Utc>>);

impl ManualClock {
    /// A clock that shows `moment`.
    pub fn at(moment: DateTime<Utc>) -> Self {
        Self(Mutex::new(moment))
    }

    /// Moves the clock forward.
    pub fn advance(&self, time: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now += TimeDelta::from_std(time).unwrap_or_default();
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        // A moment with a fraction, because real ones have one too.
        Self::at(DateTime::from_timestamp_micros(1_767_600_000_123_456).unwrap_or_default())
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Passage for ManualClock {
    async fn pass(&self, time: Duration) {
        self.advance(time);
    }
}

/// A tenant that no other run of the rules uses: an engine in the cloud remembers what earlier runs left.
pub fn fresh_tenant() -> Tenant {
    Tenant(format!("contract-{}", uuid::Uuid::new_v4().simple()))
}
