//! Erasing a customer: everything that is kept of one person is found by the e-mail address and removed.
//!
//! What is left says only that a record was delivered, under its id, without a word about whose it was. Nothing is
//! removed from the source or the target: that is their owners' decision.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use koppel_core::error::{Cause, Failure};
use koppel_core::keys::{NonEmpty, RecordKey, Tenant, normalize_email};
use koppel_core::ports::store::partition;
use koppel_core::ports::{Condition, Key};
use serde::Serialize;
use serde_json::Value;

use crate::config::load_current;
use crate::loaded::nothing_applied;
use crate::privacy::KeyedHash;
use crate::runs::{RecordResult, put, read_required};
use crate::waiting::Waiting;
use crate::{Engine, links, trail};

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Erased {
    /// Records of that person: flow and id in the source.
    pub records: Vec<(String, String)>,
    /// Entries of the trail.
    pub trail_entries: usize,
    /// Details of records in the reports of runs.
    pub report_details: usize,
    /// Records of the waiting list that lost their label.
    pub waiting_labels: usize,
    /// Links to a customer of a target.
    pub customer_links: usize,
    /// Claims of a customer of a target.
    pub customer_claims: usize,
    /// VAT numbers of orders, of which a hash was kept.
    pub vat_numbers: usize,
}

/// Erases the person with this e-mail address.
pub async fn erase(engine: &Engine, tenant: &Tenant, email: &str) -> Result<Erased, Failure> {
    let email = normalize_email(email).ok_or_else(|| {
        Failure::settings(Cause::new("bad_email", format!("«{email}» is not an e-mail address")).in_row("--email"))
    })?;
    let config = load_current(&*engine.store, tenant).await?.ok_or_else(nothing_applied)?.config;
    let mut erased = Erased::default();
    for flow in config.flows.keys() {
        let records = records_of(engine, tenant, flow, &email).await?;
        // The trail goes last: it is how the records are found, should this be stopped half-way and done again.
        erased.report_details += clear_reports(engine, tenant, flow, &records).await?;
        for record in &records {
            erased.waiting_labels += usize::from(clear_label(engine, tenant, flow, record).await?);
            erased.vat_numbers += usize::from(crate::vat_numbers::forget(engine, tenant, flow, record).await?);
            erased.trail_entries += trail::erase(engine, tenant, flow, record).await?;
            erased.records.push((flow.clone(), record.as_str().to_owned()));
        }
    }
    let hash = KeyedHash::open(engine, tenant).await?.of("email", email.as_str());
    for flow in config.flows.keys() {
        crate::review::forget(engine, tenant, flow, &hash).await?;
    }
    for connection in config.connections.keys() {
        let link = links::customer_key(tenant, connection, &hash);
        erased.customer_links += usize::from(remove(engine, &link).await?);
        // Links under a number of the shop say by a hash whose they are.
        for key in links::of_person(engine, tenant, connection, &hash).await? {
            erased.customer_links += usize::from(remove(engine, &key).await?);
        }
        let claim = links::customer_claim_key(tenant, connection, &hash);
        erased.customer_claims += usize::from(remove(engine, &claim).await?);
    }
    Ok(erased)
}

async fn remove(engine: &Engine, key: &Key) -> Result<bool, Failure> {
    let known = engine.store.get(key).await?.is_some();
    if known {
        engine.store.delete(key, Condition::Always).await?;
    }
    Ok(known)
}

/// Records whose trail names the address. Without a trail nothing personal of a record is kept any more.
async fn records_of(
    engine: &Engine,
    tenant: &Tenant,
    flow: &str,
    email: &NonEmpty,
) -> Result<BTreeSet<RecordKey>, Failure> {
    let mut known = BTreeSet::new();
    for area in ["ledger", "waiting"] {
        let items = crate::items::all(engine, &partition(tenant, &[area, flow]), "").await?;
        known.extend(items.into_iter().filter_map(|item| NonEmpty::new(item.key.sort)));
    }
    let mut found = BTreeSet::new();
    for record in known {
        let entries = trail::read(engine, tenant, flow, &record).await?;
        if entries.iter().any(|entry| names(&entry.payload, email)) {
            found.insert(record);
        }
    }
    Ok(found)
}

/// The address stands somewhere in a payload, in whatever case.
fn names(value: &Value, email: &NonEmpty) -> bool {
    match value {
        Value::String(text) => normalize_email(text).as_ref() == Some(email),
        Value::Array(list) => list.iter().any(|value| names(value, email)),
        Value::Object(fields) => fields.values().any(|value| names(value, email)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Takes the details of these records out of the reports of every run; the counts stay.
async fn clear_reports(
    engine: &Engine,
    tenant: &Tenant,
    flow: &str,
    records: &BTreeSet<RecordKey>,
) -> Result<usize, Failure> {
    if records.is_empty() {
        return Ok(0);
    }
    let mut cleared = 0;
    for run in crate::items::all(engine, &partition(tenant, &["run", flow]), "").await? {
        let run = run.key.sort;
        // As the reports are sealed in `runs`.
        let context = format!("report#{tenant}#{flow}#{run}");
        for item in crate::items::all(engine, &partition(tenant, &["report", flow, &run]), "").await? {
            let mut report: Value = read_required(&item.value)?;
            let sealed = report["sealed"].as_str().unwrap_or_default();
            if sealed.is_empty() {
                continue;
            }
            let plain = engine.vault.open(&context, &STANDARD.decode(sealed).unwrap_or_default()).await?;
            let all: Vec<RecordResult> = serde_json::from_slice(&plain).unwrap_or_default();
            let kept: Vec<&RecordResult> = all.iter().filter(|result| !records.contains(&result.key)).collect();
            if kept.len() == all.len() {
                continue;
            }
            cleared += all.len() - kept.len();
            let plain = serde_json::to_vec(&kept).unwrap_or_default();
            report["sealed"] = STANDARD.encode(engine.vault.seal(&context, &plain).await?).into();
            put(engine, &item.key, &report, Condition::Version(item.version), item.expires_at).await?;
        }
    }
    Ok(cleared)
}

/// A record that waits keeps its place and its cause, and is called by its id.
async fn clear_label(engine: &Engine, tenant: &Tenant, flow: &str, record: &RecordKey) -> Result<bool, Failure> {
    let key = Key::new(tenant, &["waiting", flow], record.as_str());
    let Some(item) = engine.store.get(&key).await? else { return Ok(false) };
    let mut waiting: Waiting = read_required(&item.value)?;
    waiting.label = record.as_str().to_owned();
    waiting.cause.place.record = None;
    put(engine, &key, &waiting, Condition::Version(item.version), item.expires_at).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_address_is_found_wherever_it_stands_and_no_other_is() {
        let email = NonEmpty::new("jan@example.test").unwrap();
        assert!(names(&json!({ "source": { "billing": [{ "email": " Jan@Example.TEST" }] } }), &email));
        assert!(!names(&json!({ "source": { "email": "piet-jan@example.test", "id": 3, "note": null } }), &email));
    }
}
