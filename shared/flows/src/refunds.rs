//! Refunds: a refund becomes an order that credits another, with everything negative. From there on settings, proof of
//! cents, check and write are those of orders.
//!
//! Only what a refund says by itself is read by rows of its own. Customer, addresses, articles and the reference come from
//! the order that was refunded, read by the rows of orders: those of the flow that brought it to the books, so that both
//! give it the same reference.

mod shares;

use koppel_core::document::{Credits, Entity, Line, Order, Refund};
use koppel_core::error::{Cause, Failure};
use koppel_core::keys::RecordKey;
use koppel_core::ports::Condition;
use koppel_core::ports::store::partition;
use rust_decimal::Decimal;

use crate::Engine;
use crate::bundles::{self, Fate};
use crate::config::{Bundles, Config, FlowConfig};
use crate::loaded::LoadedFlow;
use crate::rows::{UserRows, split_user_rows};
use crate::runs::{put, read_required};
use crate::waiting::Waiting;
use crate::{items, rates};

/// The code of the cause of a refund that waits for its order.
pub const WAITS_FOR_ORDER: &str = "original_missing";
/// A user's own rows under this name are laid over those of refunds; all others over those of the order.
const OWN: &str = "refund.";

/// The flows of this entity between the same two connections, those that make the same kind of document first.
fn beside<'a>(config: &'a Config, flow: &FlowConfig, entity: Entity) -> Vec<(&'a str, &'a FlowConfig)> {
    let same = |other: &FlowConfig| other.entity == entity && other.from == flow.from && other.to == flow.to;
    let mut flows: Vec<(&str, &FlowConfig)> =
        config.flows.iter().filter(|(_, other)| same(other)).map(|(name, other)| (name.as_str(), other)).collect();
    flows.sort_by_key(|(_, other)| other.document != flow.document);
    flows
}

/// The flows that bring the orders of a flow of refunds, the likeliest first.
pub fn orders_flows<'a>(config: &'a Config, flow: &FlowConfig) -> Vec<(&'a str, &'a FlowConfig)> {
    beside(config, flow, Entity::Orders)
}

/// The flow whose settings hold where refunds must be treated as their orders were: of refunds that of their orders.
pub fn followed<'a>(config: &'a Config, flow: &'a FlowConfig) -> &'a FlowConfig {
    if flow.entity != Entity::Refunds {
        return flow;
    }
    orders_flows(config, flow).into_iter().next().map_or(flow, |(_, orders)| orders)
}

/// A flow takes care of the refunds of an order flow.
pub fn are_handled(config: &Config, flow: &FlowConfig) -> bool {
    !beside(config, flow, Entity::Refunds).is_empty()
}

/// Splits a user's own source rows of a flow of refunds: what is for the refund stays in `own`, what is for the order that it
/// belongs to is returned, laid over the own rows of the flow of orders.
pub fn split_rows(config: &Config, flow: &FlowConfig, own: &mut UserRows) -> UserRows {
    let (mut refund, mut order) = (Vec::new(), Vec::new());
    for (path, cell) in own.drain(..) {
        match path.strip_prefix(OWN) {
            Some(rest) => refund.push((rest.to_owned(), cell)),
            None => order.push((path, cell)),
        }
    }
    *own = refund;
    let orders = orders_flows(config, flow).into_iter().next();
    let (mut rows, ..) = orders.map(|(_, orders)| split_user_rows(&orders.map)).unwrap_or_default();
    rows.retain(|(path, _)| order.iter().all(|(over, _)| over != path));
    rows.append(&mut order);
    rows
}

/// The order that credits `original` by `refund`, and what became of lines of bundles.
pub fn credit(mut original: Order, refund: Refund, policy: Bundles) -> Result<(Order, Vec<Fate>), Failure> {
    let reference = original.reference.trim().to_owned();
    if reference.is_empty() || refund.id.trim().is_empty() {
        return Err(Failure::reject(
            Cause::new("empty_key", "the reference is empty, and an empty key is never a key").in_row("reference"),
        ));
    }
    let given_back: Decimal = original.refunds.iter().map(|refund| refund.total).sum();
    let full = given_back >= original.total;
    let mut lines: Vec<Line> =
        refund.lines.iter().filter(|line| says_something(line)).map(|line| given_back_of(&original, line)).collect();
    let fates = bundles::of_refund(&original, &mut lines, policy)?;
    for line in lines.iter_mut().filter(|line| line.quantity.is_zero()) {
        // An amount without a quantity is posted as one piece, given back.
        line.quantity = -Decimal::ONE;
    }
    if lines.iter().map(|line| line.net + line.tax).sum::<Decimal>().is_zero() {
        rates::split(&mut original);
        lines.extend(shares::of(&original, &refund));
    }
    let created_at = refund.created_at.unwrap_or(original.modified_at);
    let mut payment = original.payment;
    // Of the payment, not of what is given back.
    payment.transaction_id.clear();
    payment.paid_at = None;
    let credit = Order {
        id: format!("{}/{}", original.id, refund.id),
        number: format!("{} refund {}", original.number, refund.id),
        reference: format!("{reference}-R{}", refund.id),
        created_at,
        modified_at: created_at,
        date: refund.date.unwrap_or_else(|| created_at.date_naive()),
        total_tax: lines.iter().map(|line| line.tax).sum(),
        total: -refund.total,
        lines,
        taxes: Vec::new(),
        coupons: Vec::new(),
        refunds: Vec::new(),
        note: refund.reason.clone(),
        payment,
        credits: Some(Credits { reference, order: original.id, refund: refund.id, reason: refund.reason, full }),
        ..original
    };
    Ok((credit, fates))
}

fn says_something(line: &Line) -> bool {
    !(line.quantity.is_zero() && line.net.is_zero() && line.tax.is_zero())
}

/// What is given back of a line of the order; of one that the order no longer has, what the refund says of it.
fn given_back_of(original: &Order, given: &Line) -> Line {
    let known = original.lines.iter().find(|line| line.id == given.id && !line.id.is_empty());
    Line {
        quantity: given.quantity,
        net: given.net,
        net_before_discount: given.net,
        unit_price: None,
        tax: given.tax,
        taxes: given.taxes.clone(),
        ..known.unwrap_or(given).clone()
    }
}

/// An order has arrived: its refunds need not wait for it any longer.
pub async fn original_arrived(engine: &Engine, flow: &LoadedFlow, order: &RecordKey) -> Result<(), Failure> {
    if flow.flow.entity != Entity::Orders {
        return Ok(());
    }
    for (name, _) in beside(&flow.config, &flow.flow, Entity::Refunds) {
        for item in items::all(engine, &partition(&flow.tenant, &["waiting", name]), &format!("{order}/")).await? {
            let record: Waiting = read_required(&item.value)?;
            if record.cause.code == WAITS_FOR_ORDER {
                let due = Waiting { due_at: Some(engine.clock.now()), ..record };
                // Whoever changes it at this moment knows more; if not, it is tried again by its own time.
                let _ = put(engine, &item.key, &due, Condition::Version(item.version), item.expires_at).await;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
