//! What orders ask for that the target does not know yet: stock that is sold already, though the books still show it.
//!
//! Kept only while some flow brings stock from the books back to the shop that the orders come from.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use koppel_core::document::{Entity, LineKind, Order};
use koppel_core::error::Failure;
use koppel_core::keys::{RecordKey, Tenant};
use koppel_core::ports::store::partition;
use koppel_core::ports::{Condition, Key};
use rust_decimal::Decimal;

use crate::Engine;
use crate::loaded::LoadedFlow;
use crate::runs::{put, read_required};

/// An order that has not arrived after this time is another problem than stock.
const KEEP: TimeDelta = TimeDelta::days(30);

fn key(flow: &LoadedFlow, record: &RecordKey) -> Key {
    Key::new(&flow.tenant, &["on-their-way", &flow.flow.from], format!("{}#{record}", flow.name))
}

/// A flow brings stock to the shop that this order flow reads from.
fn matters(flow: &LoadedFlow) -> bool {
    flow.flow.entity == Entity::Orders
        && flow.config.flows.values().any(|other| {
            other.entity == Entity::Stock
                && other.to == flow.flow.from
                && other.settings.stock.minus_orders_on_their_way != Some(false)
        })
}

/// Notes what an order asks for, when it matters.
pub async fn note(engine: &Engine, flow: &LoadedFlow, record: &RecordKey, order: &Order) -> Result<(), Failure> {
    if !matters(flow) {
        return Ok(());
    }
    let mut wanted: BTreeMap<String, Decimal> = BTreeMap::new();
    for line in order.lines.iter().filter(|line| line.kind == LineKind::Product && !line.sku.trim().is_empty()) {
        *wanted.entry(line.sku.trim().to_owned()).or_default() += line.quantity;
    }
    put(engine, &key(flow, record), &wanted, Condition::Always, Some(engine.clock.now() + KEEP)).await?;
    Ok(())
}

/// Forgets an order: it has arrived, or will not.
pub async fn forget(engine: &Engine, flow: &LoadedFlow, record: &RecordKey) -> Result<(), Failure> {
    if matters(flow) {
        engine.store.delete(&key(flow, record), Condition::Always).await?;
    }
    Ok(())
}

/// Quantities by article number, over all orders of a shop.
pub async fn quantities(engine: &Engine, tenant: &Tenant, shop: &str) -> Result<BTreeMap<String, Decimal>, Failure> {
    let mut sum: BTreeMap<String, Decimal> = BTreeMap::new();
    for item in crate::items::all(engine, &partition(tenant, &["on-their-way", shop]), "").await? {
        let wanted: BTreeMap<String, Decimal> = read_required(&item.value)?;
        for (sku, quantity) in wanted {
            *sum.entry(sku).or_default() += quantity;
        }
    }
    Ok(sum)
}
