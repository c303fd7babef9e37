//! The trail: what came from the source and what was sent, per record and step; sealed, and gone after two weeks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::error::Failure;
use koppel_core::keys::{RecordKey, Tenant};
use koppel_core::message::{Header, Step};
use koppel_core::ports::store::partition;
use koppel_core::ports::{Condition, Key};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Engine;
use crate::privacy::masked_addresses;
use crate::runs::{put, read_required};

/// How long payloads are kept.
pub const KEEP: TimeDelta = TimeDelta::days(14);

/// Largest sealed payload: an item of the store must hold it.
const MAX_BYTES: usize = 250 * 1024;

/// One step of one record, opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrailEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// Step.
    pub step: Step,
    /// Run.
    pub run: String,
    /// One sentence.
    pub summary: String,
    /// What came and what was sent.
    pub payload: Value,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    at: DateTime<Utc>,
    step: Step,
    run: String,
    summary: String,
    sealed: String,
}

/// Writes down one step of one record. The same step of the same run overwrites itself.
pub async fn write(
    engine: &Engine,
    header: &Header,
    step: Step,
    record: &RecordKey,
    summary: impl Into<String>,
    payload: &Value,
) -> Result<(), Failure> {
    let now = engine.clock.now();
    let mut plain = payload.to_string();
    if plain.len() > MAX_BYTES {
        plain = serde_json::json!({ "left_out": format!("the payload has {} bytes, more than is kept", plain.len()) })
            .to_string();
    }
    let sealed = engine.vault.seal(&context(&header.tenant, &header.flow, record), plain.as_bytes()).await?;
    let stored = Stored {
        at: now,
        step,
        run: header.run.clone(),
        // It stands in the clear, and systems quote what they were sent.
        summary: masked_addresses(&summary.into()),
        sealed: STANDARD.encode(sealed),
    };
    let key = Key::new(
        &header.tenant,
        &["trail", &header.flow, record.as_str()],
        format!("{}#{}", header.run, order_of(step)),
    );
    put(engine, &key, &stored, Condition::Always, Some(now + KEEP)).await?;
    Ok(())
}

/// The trail of one record, oldest first.
pub async fn read(
    engine: &Engine,
    tenant: &Tenant,
    flow: &str,
    record: &RecordKey,
) -> Result<Vec<TrailEntry>, Failure> {
    let mut entries = Vec::new();
    for item in crate::items::all(engine, &partition(tenant, &["trail", flow, record.as_str()]), "").await? {
        let stored: Stored = read_required(&item.value)?;
        let sealed = STANDARD.decode(&stored.sealed).unwrap_or_default();
        let plain = engine.vault.open(&context(tenant, flow, record), &sealed).await?;
        entries.push(TrailEntry {
            at: stored.at,
            step: stored.step,
            run: stored.run,
            summary: stored.summary,
            payload: serde_json::from_slice(&plain).unwrap_or(Value::Null),
        });
    }
    entries.sort_by_key(|entry| (entry.at, order_of(entry.step)));
    Ok(entries)
}

/// Removes the trail of one record: for a customer who asks to be forgotten.
pub async fn erase(engine: &Engine, tenant: &Tenant, flow: &str, record: &RecordKey) -> Result<usize, Failure> {
    let items = crate::items::all(engine, &partition(tenant, &["trail", flow, record.as_str()]), "").await?;
    for item in &items {
        engine.store.delete(&item.key, Condition::Always).await?;
    }
    Ok(items.len())
}

fn order_of(step: Step) -> u8 {
    match step {
        Step::Schedule => 0,
        Step::Fetch => 1,
        Step::Map => 2,
        Step::Check => 3,
        Step::Write => 4,
    }
}

fn context(tenant: &Tenant, flow: &str, record: &RecordKey) -> String {
    format!("trail#{tenant}#{flow}#{record}")
}
