//! The calls that a connection may still make, shared by all functions through the store.
//!
//! A system without limits costs no store call at all. For the others each call is one conditional write: exact with
//! any number of processes, and small beside the call it permits. The last known version is kept in memory, so the
//! read before the write is only needed when another process was first.

mod state;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use koppel_core::connection::Connection;
use koppel_core::error::RetryReason;
use koppel_core::ports::{Budget, BudgetView, Clock, Condition, Key, Priority, Store, StoreError};
use koppel_core::system::Limits;
use koppel_core::{Cause, Failure};
use tokio::sync::Mutex;

use super::Deps;
pub use state::Window;
use state::{Rules, State};

/// Tries of the optimistic write before the caller is told to come back.
const TRIES: u32 = 20;
/// How long counters are kept after the last call.
const KEPT_HOURS: i64 = 50;

/// What an answer told about a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Learned {
    /// Which limit.
    pub window: Window,
    /// Calls left.
    pub remaining: u32,
    /// When the counter starts again.
    pub reset: DateTime<Utc>,
}

/// The budget of one connection.
pub struct CallBudget {
    connection: String,
    key: Key,
    rules: Rules,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    loaded: bool,
    version: Option<u64>,
    state: State,
}

impl CallBudget {
    /// The budget of `connection` under the system's limits, or under its own `calls_per_minute`, `calls_per_hour`,
    /// `calls_per_day`.
    pub fn new(connection: &Connection, limits: &Limits, deps: &Deps) -> Result<Self, Failure> {
        let rules = Rules {
            per_minute: own_limit(connection, "calls_per_minute")?.or(limits.calls_per_minute),
            per_hour: own_limit(connection, "calls_per_hour")?.or(limits.calls_per_hour),
            per_day: own_limit(connection, "calls_per_day")?.or(limits.calls_per_day),
            errors_per_hour: limits.errors_per_hour,
        };
        Ok(Self {
            connection: connection.name.clone(),
            key: Key::new(&connection.tenant, &["budget"], &connection.name),
            rules,
            store: Arc::clone(&deps.store),
            clock: Arc::clone(&deps.clock),
            known: Mutex::default(),
        })
    }

    /// Anything is limited at all.
    pub fn has_limits(&self) -> bool {
        !self.rules.unlimited()
    }

    /// Takes one call, or says when there is one again.
    pub async fn take(&self, priority: Priority, endpoint: &str, method: &str) -> Result<(), Failure> {
        let now = self.clock.now();
        if self.rules.unlimited() {
            // Without limits only a 429 blocks, and only this process knows: the others get their own.
            return self.known.lock().await.state.blocked(now).map_err(|wait| self.throttled(wait, now));
        }
        self.change(|state| state.take(&self.rules, priority, (endpoint, method), now))
            .await?
            .map_err(|refusal| self.throttled(refusal, now))
    }

    /// Corrects the counters by what an answer told. Only written when it says that nothing is left: in all other cases
    /// it travels with the next call.
    pub async fn learn(&self, learned: &[Learned], now: DateTime<Utc>) {
        if learned.is_empty() || self.rules.unlimited() {
            return;
        }
        let urgent = learned.iter().any(|one| one.remaining == 0);
        if urgent {
            self.settle(|state| learned.iter().for_each(|one| state.learn(one, now))).await;
        } else {
            let mut known = self.known.lock().await;
            learned.iter().for_each(|one| known.state.learn(one, now));
        }
    }

    /// Nobody calls before `after` has passed: the system said so.
    pub async fn block(&self, now: DateTime<Utc>, after: Duration) {
        if self.rules.unlimited() {
            self.known.lock().await.state.block(now, after);
        } else {
            self.settle(|state| state.block(now, after)).await;
        }
    }

    /// Nobody calls `endpoint` before `after` has passed; the others stay open.
    pub async fn block_endpoint(&self, endpoint: &str, now: DateTime<Utc>, after: Duration) {
        self.settle(|state| state.rest(endpoint, now, after)).await;
    }

    /// Counts an error answer of an endpoint to a call of this method.
    pub async fn failed(&self, endpoint: &str, method: &str) {
        if self.rules.errors_per_hour.is_some() {
            let now = self.clock.now();
            self.settle(|state| state.failed(&self.rules, endpoint, method, now)).await;
        }
    }

    /// An endpoint answered well: a probe that succeeded closes the circuit.
    pub async fn succeeded(&self, endpoint: &str, method: &str) {
        if self.rules.errors_per_hour.is_some() && self.known.lock().await.state.is_probing(endpoint) {
            self.settle(|state| state.succeeded(endpoint, method)).await;
        }
    }

    /// A correction that must not fail the call it belongs to.
    async fn settle(&self, change: impl Fn(&mut State)) {
        if let Err(failure) = self.change(|state| change(state)).await {
            tracing::warn!(connection = %self.connection, error = %failure, "the call budget could not be corrected");
        }
    }

    /// Applies `change` to the shared state, whoever else changes it at the same time.
    async fn change<T>(&self, change: impl Fn(&mut State) -> T) -> Result<T, Failure> {
        let mut known = self.known.lock().await;
        let mut fresh = false;
        for turn in 0..TRIES {
            if !known.loaded {
                self.load(&mut known).await?;
                fresh = true;
            }
            let mut state = known.state.clone();
            let result = change(&mut state);
            if state == known.state {
                // Without a write nothing proves that the copy in memory is the newest: look once.
                if fresh {
                    return Ok(result);
                }
                known.loaded = false;
                continue;
            }
            let condition = known.version.map_or(Condition::Absent, Condition::Version);
            let text = state.to_text()?;
            let expires = self.clock.now() + chrono::Duration::hours(KEPT_HOURS);
            match self.store.put(&self.key, &text, condition, Some(expires)).await {
                Ok(version) => {
                    *known = Known { loaded: true, version: Some(version), state };
                    return Ok(result);
                }
                Err(StoreError::ConditionFailed) => {
                    known.loaded = false;
                    pause(turn).await;
                }
                Err(other) => return Err(other.into()),
            }
        }
        Err(Failure::retry(
            RetryReason::Busy,
            None,
            Cause::new("budget_busy", "too many processes share the calls of this connection at this moment"),
        ))
    }

    async fn load(&self, known: &mut Known) -> Result<(), Failure> {
        let item = self.store.get(&self.key).await?;
        let learned = std::mem::take(&mut known.state);
        let (version, mut state) = match &item {
            Some(item) => (Some(item.version), State::from_text(&item.value)),
            None => (None, State::default()),
        };
        // What answers told this process and nobody has written yet.
        state.adopt(&learned);
        *known = Known { loaded: true, version, state };
        Ok(())
    }

    fn throttled(&self, refusal: state::Refusal, now: DateTime<Utc>) -> Failure {
        let after = (refusal.until - now).to_std().unwrap_or(Duration::from_secs(1)).max(Duration::from_secs(1));
        let cause = Cause::new(refusal.code, refusal.message).at_connection(&self.connection);
        Failure::retry(RetryReason::Throttled, Some(after), cause)
    }
}

#[async_trait]
impl Budget for CallBudget {
    async fn look(&self) -> Result<BudgetView, Failure> {
        let now = self.clock.now();
        let item = self.store.get(&self.key).await?;
        let state = item.map_or_else(State::default, |item| State::from_text(&item.value));
        Ok(state.view(&self.rules, now))
    }
}

/// Spreads processes that collided.
async fn pause(turn: u32) {
    let longest = 5 * u64::from(turn + 1);
    tokio::time::sleep(Duration::from_millis(rand::random_range(0..=longest))).await;
}

fn own_limit(connection: &Connection, name: &str) -> Result<Option<u32>, Failure> {
    let Some(text) = connection.option(name) else { return Ok(None) };
    match text.parse::<u32>() {
        Ok(limit) if limit > 0 => Ok(Some(limit)),
        _ => Err(Failure::settings(
            Cause::new("bad_limit", format!("«{text}» is not a number of calls"))
                .in_row(name)
                .at_connection(&connection.name)
                .advice("give a whole number above zero"),
        )),
    }
}

#[cfg(test)]
mod tests;
