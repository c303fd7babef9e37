//! Removes what is over: expired items, de-duplication ids past their window, old events. Reads never depend on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Duration, Utc};
use koppel_core::ports::Clock;
use rusqlite::{Connection, params};

use super::database::{Database, DatabaseError};
use super::micros;
use super::queue::DEDUP_WINDOW;

/// Most rows of one kind in one sweep, so that no write waits long behind it.
const ROWS: usize = 500;
/// Time between sweeps.
const PAUSE: Duration = Duration::seconds(60);
/// How long events are kept; as long as the trail.
const EVENTS: Duration = Duration::days(14);

/// Sweeps now and then, driven by writes: an idle process does nothing.
pub struct Sweeper {
    database: Arc<Database>,
    clock: Arc<dyn Clock>,
    due: AtomicI64,
}

impl Sweeper {
    /// A sweeper that is due at once.
    pub fn new(database: Arc<Database>, clock: Arc<dyn Clock>) -> Self {
        Self { database, clock, due: AtomicI64::new(i64::MIN) }
    }

    /// Sweeps in the background when it is time.
    pub fn when_due(&self) {
        let now = self.clock.now();
        let due = self.due.load(Ordering::Relaxed);
        if micros(now) < due
            || self.due.compare_exchange(due, micros(now + PAUSE), Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return;
        }
        let database = self.database.clone();
        tokio::spawn(async move {
            if let Err(error) = sweep_all(&database, now).await {
                tracing::warn!(error = %error, "expired rows could not be swept; they are tried again later");
            }
        });
    }

    /// Sweeps now and says how many rows went.
    pub async fn sweep(&self) -> Result<usize, DatabaseError> {
        sweep_all(&self.database, self.clock.now()).await
    }
}

/// In small transactions, so that others get their turn in between.
async fn sweep_all(database: &Database, now: DateTime<Utc>) -> Result<usize, DatabaseError> {
    let mut total = 0;
    loop {
        let swept = database.write(move |connection| sweep(connection, now)).await?;
        total += swept;
        if swept < ROWS {
            return Ok(total);
        }
    }
}

fn sweep(connection: &Connection, now: DateTime<Utc>) -> rusqlite::Result<usize> {
    let rows = ROWS as i64;
    let items = connection
        .prepare_cached(
            "DELETE FROM item WHERE rowid IN (SELECT rowid FROM item WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
        )?
        .execute(params![micros(now), rows])?;
    let ids = connection
        .prepare_cached(
            "DELETE FROM sent WHERE (step, dedup_id) IN
             (SELECT step, dedup_id FROM sent WHERE sent_at <= ?1 ORDER BY sent_at LIMIT ?2)",
        )?
        .execute(params![micros(now - DEDUP_WINDOW), rows])?;
    let events = connection
        .prepare_cached("DELETE FROM event WHERE seq IN (SELECT seq FROM event WHERE at <= ?1 ORDER BY at LIMIT ?2)")?
        .execute(params![micros(now - EVENTS), rows])?;
    Ok(items + ids + events)
}
