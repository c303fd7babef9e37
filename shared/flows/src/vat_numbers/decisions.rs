//! What was decided for an order. Once the order is in the books its decision holds: for the order when it is read again,
//! and for every refund of it, whatever VIES would say by then.

use koppel_core::document::Entity;
use koppel_core::error::Failure;
use koppel_core::keys::{RecordKey, Tenant};
use koppel_core::ports::{Condition, Key};
use koppel_core::vat::{VatCheck, VatNumber};
use serde::{Deserialize, Serialize};

use super::{Subject, hash_of};
use crate::Engine;
use crate::ledger::{self, State};
use crate::loaded::LoadedFlow;
use crate::refunds;
use crate::runs::{put, read_required};

/// What is kept of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Decision {
    check: VatCheck,
    /// Keyed hash of the number; empty when the person was erased.
    number: String,
}

/// What is known of a record.
pub enum Known {
    /// This was decided, and holds.
    Holds(VatCheck),
    /// It is in the books, and nothing was decided about its number.
    Never,
    /// It is to be decided.
    Open,
}

/// What is known of each record.
pub async fn known(engine: &Engine, flow: &LoadedFlow, subjects: &[Subject]) -> Result<Vec<Known>, Failure> {
    let mut known: Vec<Known> = subjects.iter().map(|_| Known::Open).collect();
    let flows: Vec<&str> = match flow.flow.entity {
        Entity::Refunds => refunds::orders_flows(&flow.config, &flow.flow).into_iter().map(|(name, _)| name).collect(),
        Entity::Orders => vec![&flow.name],
        _ => return Ok(known),
    };
    let orders: Vec<(usize, RecordKey)> =
        subjects.iter().enumerate().filter_map(|(at, subject)| Some((at, subject.order.clone()?))).collect();
    let ids: Vec<RecordKey> = orders.iter().map(|(_, order)| order.clone()).collect();
    for name in flows {
        let entries = ledger::entries(engine, &flow.tenant, name, &ids).await?;
        let keys: Vec<Key> = ids.iter().map(|order| key(&flow.tenant, name, order)).collect();
        let items = engine.store.batch_get(&keys).await?;
        for (((at, _), entry), item) in orders.iter().zip(entries).zip(items) {
            // A claim without a result may be in the books already.
            let settled =
                matches!(entry.map(|entry| entry.entry.state), Some(State::Delivered | State::Exists | State::Claimed));
            if settled && matches!(known[*at], Known::Open) {
                known[*at] = match item {
                    Some(item) => Known::Holds(read_required::<Decision>(&item.value)?.check),
                    None => Known::Never,
                };
            }
        }
    }
    Ok(known)
}

/// Keeps what was decided for an order, before it goes on.
pub async fn keep(
    engine: &Engine,
    flow: &LoadedFlow,
    order: &RecordKey,
    number: &VatNumber,
    check: &VatCheck,
) -> Result<(), Failure> {
    let decision = Decision { check: check.clone(), number: hash_of(flow, number) };
    put(engine, &key(&flow.tenant, &flow.name, order), &decision, Condition::Always, None).await?;
    Ok(())
}

/// Forgets whose number a decision was about, and what was said of that number. What was decided stays, without a word about
/// whose it was: a refund needs it. True when there was something to forget.
pub(crate) async fn forget(engine: &Engine, tenant: &Tenant, flow: &str, order: &RecordKey) -> Result<bool, Failure> {
    let key = key(tenant, flow, order);
    let Some(item) = engine.store.get(&key).await? else { return Ok(false) };
    let decision: Decision = read_required(&item.value)?;
    if decision.number.is_empty() {
        return Ok(false);
    }
    engine.store.delete(&Key::new(tenant, &["vat-answer"], decision.number), Condition::Always).await?;
    let left = Decision { number: String::new(), ..decision };
    put(engine, &key, &left, Condition::Version(item.version), item.expires_at).await?;
    Ok(true)
}

fn key(tenant: &Tenant, flow: &str, order: &RecordKey) -> Key {
    Key::new(tenant, &["vat-decision", flow], order.as_str())
}
