//! Tables of the embedded engine. Moments are microseconds since 1970 in UTC.

use rusqlite::{Connection, TransactionBehavior};

use super::database::DatabaseError;

/// One entry per schema version; entries are only ever added.
const MIGRATIONS: &[&str] = &["
CREATE TABLE item (
    partition_key TEXT NOT NULL,
    sort_key TEXT NOT NULL,
    value TEXT NOT NULL,
    version INTEGER NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (partition_key, sort_key)
);
CREATE INDEX item_expiry ON item (expires_at) WHERE expires_at IS NOT NULL;

-- `received` counts hand-outs and makes receipts; `attempts` counts failures. A message that is in hand and visible
-- again was dropped by a worker that died. AUTOINCREMENT: a number that was given away is never given again.
CREATE TABLE message (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    step TEXT NOT NULL,
    lane TEXT NOT NULL,
    dedup_id TEXT NOT NULL,
    body BLOB NOT NULL,
    sent_at INTEGER NOT NULL,
    visible_at INTEGER NOT NULL,
    in_hand INTEGER NOT NULL DEFAULT 0,
    received INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX message_order ON message (step, lane, seq);

CREATE TABLE sent (
    step TEXT NOT NULL,
    dedup_id TEXT NOT NULL,
    sent_at INTEGER NOT NULL,
    PRIMARY KEY (step, dedup_id)
) WITHOUT ROWID;
CREATE INDEX sent_age ON sent (sent_at);

CREATE TABLE dead_letter (
    seq INTEGER PRIMARY KEY,
    step TEXT NOT NULL,
    lane TEXT NOT NULL,
    dedup_id TEXT NOT NULL,
    body BLOB NOT NULL,
    sent_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    died_at INTEGER NOT NULL
);
CREATE INDEX dead_letter_order ON dead_letter (step, seq);

CREATE TABLE event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX event_age ON event (at);

CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"];

/// Brings the file to the newest schema. Two processes may do this at once: the second finds the work done.
pub fn migrate(connection: &Connection) -> Result<(), DatabaseError> {
    let known = MIGRATIONS.len() as i64;
    let transaction = rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known {
        return Err(DatabaseError::TooNew { found, known });
    }
    for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}
