//! What the feeds of row versions tell, each to its end: changed rows, and rows that were deleted.

use chrono::{DateTime, Utc};
use koppel_core::keys::RecordKey;
use koppel_core::ports::Calls;
use koppel_core::{Failure, NonEmpty};
use serde_json::Value;

use crate::exact_online::{ExactOnline, odata};

const DELETED: &str = "sync/Deleted";

/// Most pages of a thousand that are read at once: what belongs together may stand on any of them.
pub(super) const PAGES_MAX: usize = 100;

/// A feed from a row version to its end.
pub(super) async fn rows(
    exact: &ExactOnline,
    entity: &'static str,
    select: &str,
    after: i64,
    calls: &Calls,
) -> Result<Vec<Value>, Failure> {
    let (mut rows, mut after) = (Vec::new(), after);
    for _ in 0..PAGES_MAX {
        let page = exact.client.sync_page(entity, select, after, calls).await?;
        rows.extend(page.rows);
        if !page.more {
            break;
        }
        after = page.last;
    }
    Ok(rows)
}

/// The ids of what was deleted since then, of one `EntityType`.
///
/// There is no row version of a moment for deletions: they are read from `after`, the newest that is known of other
/// feeds, which may be too early, and told by their own date.
pub(super) async fn deleted(
    exact: &ExactOnline,
    kind: &str,
    since: DateTime<Utc>,
    after: i64,
    calls: &Calls,
) -> Result<Vec<RecordKey>, Failure> {
    let since = exact.client.wall_clock(since);
    let rows = rows(exact, DELETED, "Timestamp,EntityType,EntityKey,DeletedDate", after, calls).await?;
    let of_kind = |row: &&Value| odata::field(row, "EntityType").as_deref() == Some(kind);
    let lately = |row: &&Value| odata::local(row, "DeletedDate").is_none_or(|at| at >= since);
    Ok(rows.iter().filter(of_kind).filter(lately).filter_map(|row| NonEmpty::new(id(row, "EntityKey")?)).collect())
}

/// An id of a row, in the one form in which records are known by it.
pub(super) fn id(row: &Value, name: &str) -> Option<String> {
    odata::field(row, name).map(|id| id.to_lowercase())
}

/// A row without padding and without what speaks of the wire; blank texts are empty.
pub(super) fn plain(row: &Value) -> serde_json::Map<String, Value> {
    let trimmed = |value: &Value| match value {
        Value::String(text) if text.trim().is_empty() => Value::Null,
        Value::String(text) => Value::from(text.trim()),
        other => other.clone(),
    };
    let fields = row.as_object().into_iter().flatten().filter(|(name, _)| *name != "__metadata");
    fields.map(|(name, value)| (name.clone(), trimmed(value))).collect()
}
