//! Background calls: the header `erp-api-background` makes any call of v1/v2 a job that is asked after.

use serde_json::{Value, json};
use uuid::Uuid;

use super::errors::{message, not_found, unreadable};
use super::rows::Tx;
use crate::message::{Call, Reply};
use crate::text::text;

/// True when a call is to be made in the background; a wrong header is refused.
pub(super) fn wanted(call: &Call) -> Result<bool, Reply> {
    match call.header("erp-api-background").map(str::trim) {
        None | Some("" | "none") => Ok(false),
        Some(word) if word == "subscription" || word.starts_with("subscription:") && word.contains('=') => Ok(true),
        Some(word) => Err(unreadable(&format!("'{word}' is no value of erp-api-background."))),
    }
}

/// Keeps the answer of a job that was carried out, and tells where to ask for it.
pub(super) fn accept(tx: &mut Tx<'_>, call: &Call, reply: &Reply) -> Reply {
    let id = Uuid::new_v4().to_string();
    let headers: serde_json::Map<String, Value> =
        reply.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let at = tx.now.to_rfc3339();
    let uri = if call.query.is_empty() { call.path.clone() } else { format!("{}?{}", call.path, call.query) };
    let reference = call.header("erp-api-background").and_then(|word| word.split_once(':')).map(|(_, rest)| rest);
    tx.store.put(
        "_background",
        &id,
        json!({"id": id, "polls": 0, "statusCode": reply.status, "at": at, "originalUri": uri, "headers": headers,
            "body": String::from_utf8_lossy(&reply.body), "reference": reference, "hasRequestContent": !call.body.is_empty()}),
    );
    let place = format!("{}/v1/background/{id}", tx.site);
    Reply::json(202, &json!({"id": id, "stateLocation": place})).with("Location", place)
}

fn job(tx: &Tx<'_>, id: &str) -> Result<Value, Reply> {
    let row = tx.get("_background", id).cloned().ok_or_else(not_found)?;
    let at: chrono::DateTime<chrono::Utc> = text(&row, "at").parse().unwrap_or_default();
    if tx.now - at > chrono::Duration::hours(24) {
        return Err(not_found());
    }
    Ok(row)
}

/// `GET /v1/background/{id}`.
pub(super) fn state(tx: &mut Tx<'_>, id: &str) -> Result<Reply, Reply> {
    let mut row = job(tx, id)?;
    let polls = row["polls"].as_i64().unwrap_or(0);
    let running = polls < tx.switches.background_polls;
    row["polls"] = json!(polls + 1);
    tx.store.put("_background", id, row.clone());
    let status = row["statusCode"].as_i64().unwrap_or(0);
    let word = match (running, status < 400) {
        (true, _) => "Started",
        (false, true) => "Finished",
        (false, false) => "Failed",
    };
    let body = text(&row, "body");
    let at = text(&row, "at");
    let mut shown = json!({"id": id, "status": word, "statusCode": if running { 0 } else { status }, "receivedUtc": at,
        "startedUtc": at, "originalUri": row["originalUri"], "hasRequestContent": row["hasRequestContent"],
        "hasResponseContent": !running && !body.is_empty(), "reference": row["reference"]});
    if !running {
        shown["finishedUtc"] = json!(at);
        shown["responseHeaders"] = row["headers"].clone();
        shown["contentLocation"] = json!(format!("{}/v1/background/{id}/content", tx.site));
        if status >= 400 {
            shown["errorMessage"] = json!(body);
        }
    }
    Ok(Reply::json(200, &shown))
}

/// `GET /v1/background/{id}/content`.
pub(super) fn content(tx: &Tx<'_>, id: &str) -> Result<Reply, Reply> {
    let row = tx.get("_background", id).cloned().ok_or_else(not_found)?;
    if job(tx, id).is_err() {
        return Err(message(410, "The content is gone."));
    }
    if row["polls"].as_i64().unwrap_or(0) <= tx.switches.background_polls || text(&row, "body").is_empty() {
        return Err(not_found());
    }
    Ok(Reply::typed(200, "application/json; charset=utf-8", text(&row, "body")))
}
