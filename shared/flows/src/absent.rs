//! Articles that a target does not have yet, with the records (stock, prices) that ask for them.
//!
//! A flow of stock creates nothing, so what it reads of an article that the shop does not have is passed over. When a flow of
//! products brings the article later, its stock may not change for weeks: so who was passed over is remembered, and read
//! again then. One item per article and target connection; both sides may come first, and neither is missed.

use chrono::TimeDelta;
use koppel_core::document::{Document, Product};
use koppel_core::error::{Cause, Failure, RetryReason};
use koppel_core::keys::{NonEmpty, RecordKey, Tenant};
use koppel_core::ports::{Condition, Key};
use serde::{Deserialize, Serialize};

use crate::Engine;
use crate::loaded::LoadedFlow;
use crate::runs::{put, read_required};
use crate::waiting;

/// That an article has come is remembered for as long as a record may be on its way that was read before.
const REMEMBER: TimeDelta = TimeDelta::days(1);
/// Two writers at the same moment: so often the second one looks again.
const TRIES: usize = 4;

/// An article that the target did not have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Absent {
    /// It has come, and who reads that must ask the target again.
    came: bool,
    /// Who asked for it.
    records: Vec<Asking>,
}

/// A record that asks for an article.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Asking {
    flow: String,
    key: RecordKey,
    label: String,
}

fn key(tenant: &Tenant, connection: &str, sku: &NonEmpty) -> Key {
    Key::new(tenant, &["absent", connection], sku.as_str())
}

/// The article that a record belongs to without being it.
pub fn article_of(document: &Document) -> Option<NonEmpty> {
    match document {
        Document::StockLevel(level) => NonEmpty::new(&level.sku),
        Document::Price(price) => NonEmpty::new(&price.sku),
        _ => None,
    }
}

/// Remembers that a record was passed over because the target does not have its article. When that has come meanwhile,
/// the record is made due at once.
pub async fn note(
    engine: &Engine,
    flow: &LoadedFlow,
    sku: &NonEmpty,
    record: &RecordKey,
    label: &str,
) -> Result<(), Failure> {
    let asking = Asking { flow: flow.name.clone(), key: record.clone(), label: label.to_owned() };
    let key = key(&flow.tenant, &flow.flow.to, sku);
    for _ in 0..TRIES {
        let item = engine.store.get(&key).await?;
        let known: Absent = item.as_ref().map(|item| read_required(&item.value)).transpose()?.unwrap_or_default();
        let condition = item.map_or(Condition::Absent, |item| Condition::Version(item.version));
        if known.came {
            due(engine, &flow.tenant, sku, &asking).await?;
            // Once: when it is not there then either, somebody has taken it away again.
            return removed(engine.store.delete(&key, condition).await);
        }
        if known.records.contains(&asking) {
            return Ok(());
        }
        let mut records = known.records;
        records.push(asking.clone());
        if written(put(engine, &key, &Absent { came: false, records }, condition, None).await)? {
            return Ok(());
        }
    }
    Err(busy(sku))
}

/// Makes due what was passed over for want of these articles, which the target has now.
pub async fn came(engine: &Engine, flow: &LoadedFlow, skus: &[NonEmpty]) -> Result<(), Failure> {
    if !is_asked_for(flow) {
        return Ok(());
    }
    for sku in skus {
        let key = key(&flow.tenant, &flow.flow.to, sku);
        let mut done = false;
        for _ in 0..TRIES {
            let item = engine.store.get(&key).await?;
            let known: Absent = item.as_ref().map(|item| read_required(&item.value)).transpose()?.unwrap_or_default();
            for asking in &known.records {
                due(engine, &flow.tenant, sku, asking).await?;
            }
            let condition = item.map_or(Condition::Absent, |item| Condition::Version(item.version));
            let until = engine.clock.now() + REMEMBER;
            let told = Absent { came: true, records: Vec::new() };
            done = written(put(engine, &key, &told, condition, Some(until)).await)?;
            if done {
                break;
            }
        }
        if !done {
            return Err(busy(sku));
        }
    }
    Ok(())
}

/// Some flow into the same connection moves what belongs to articles.
fn is_asked_for(flow: &LoadedFlow) -> bool {
    use koppel_core::document::Entity;
    let asks = |entity| matches!(entity, Entity::Stock | Entity::Prices);
    flow.config.flows.values().any(|other| other.to == flow.flow.to && asks(other.entity))
}

/// Article numbers of a product and its variations.
pub fn numbers(product: &Product) -> Vec<NonEmpty> {
    let variations = product.variations.iter().map(|variation| &variation.sku);
    std::iter::once(&product.sku).chain(variations).filter_map(NonEmpty::new).collect()
}

async fn due(engine: &Engine, tenant: &Tenant, sku: &NonEmpty, asking: &Asking) -> Result<(), Failure> {
    let cause = Cause::new("article_came", format!("the article «{sku}» has come, so this is read again"));
    let now = Failure::retry(RetryReason::Unavailable, Some(std::time::Duration::ZERO), cause);
    waiting::put_waiting(engine, tenant, &asking.flow, (&asking.key, &asking.label), 0, &now).await
}

/// False when another writer was first.
fn written(result: Result<u64, Failure>) -> Result<bool, Failure> {
    match result {
        Ok(_) => Ok(true),
        Err(Failure::Retry { reason: RetryReason::Busy, .. }) => Ok(false),
        Err(other) => Err(other),
    }
}

/// Another writer being first is as good here: what it wrote is newer.
fn removed(result: Result<(), koppel_core::ports::StoreError>) -> Result<(), Failure> {
    match result {
        Ok(()) | Err(koppel_core::ports::StoreError::ConditionFailed) => Ok(()),
        Err(other) => Err(other.into()),
    }
}

fn busy(sku: &NonEmpty) -> Failure {
    let cause = Cause::new("busy", format!("several writers remember the article «{sku}» at once"));
    Failure::retry(RetryReason::Busy, None, cause)
}
