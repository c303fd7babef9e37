//! What actions answer, and releases that take their time.

use serde_json::{Value, json};
use uuid::Uuid;

use super::rows::Tx;
use crate::message::Reply;
use crate::text::text;

/// An action that is done.
pub(super) fn done() -> Reply {
    result("Done", json!({}))
}

/// The answer of an action, with more fields.
pub(super) fn result(word: &str, more: Value) -> Reply {
    let mut body = json!({"actionId": Uuid::new_v4().to_string(), "actionResult": word, "errorInfo": ""});
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    Reply::json(200, &body)
}

/// Releases a document now, or puts it in the queue.
pub(super) fn release(tx: &mut Tx<'_>, table: &str, key: &str) -> Reply {
    if tx.switches.release_at_once {
        super::rules::documents::released(tx, table, key);
        return done();
    }
    let at = tx.now + chrono::Duration::seconds(tx.switches.release_seconds);
    let queued = format!("{table}/{key}");
    tx.store.put("_queue", &queued, json!({"table": table, "key": key, "at": at.to_rfc3339()}));
    result("Queued", json!({}))
}

/// True when a document waits to be released.
pub(super) fn is_queued(tx: &Tx<'_>, table: &str, key: &str) -> bool {
    tx.get("_queue", &format!("{table}/{key}")).is_some()
}

/// Carries out the releases whose time has come.
pub(super) fn settle(tx: &mut Tx<'_>) {
    let due: Vec<Value> = tx
        .store
        .rows("_queue")
        .filter(|row| text(row, "at").parse::<chrono::DateTime<chrono::Utc>>().is_ok_and(|at| at <= tx.now))
        .cloned()
        .collect();
    for row in due {
        let (table, key) = (text(&row, "table"), text(&row, "key"));
        tx.store.delete("_queue", &format!("{table}/{key}"));
        super::rules::documents::released(tx, table, key);
    }
}
