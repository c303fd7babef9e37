//! The sales order service (v3): plain values, versions on every change, all mistakes of a body at once.

use super::contract::Endpoint;
use super::errors::problem;
use super::rows::{Tx, version};
use crate::message::{Call, Reply};

mod build;
mod follow;
mod lines;
mod read;
mod write;

pub(super) use follow::{invoice, ship};

/// Where orders are kept.
const TABLE: &str = "salesorder";

/// Key of an order.
pub(super) fn key(kind: &str, id: &str) -> String {
    format!("{kind}/{id}")
}

fn not_found(call: &Call) -> Reply {
    problem(404, "Not Found", "There is nothing with this key.", &call.path)
}

/// A change names the version it is about.
fn check_version(tx: &Tx<'_>, call: &Call, row: &serde_json::Value) -> Result<(), Reply> {
    let Some(sent) = call.header("if-match") else {
        return Err(problem(428, "Precondition Required", "The header If-Match is missing.", &call.path));
    };
    if sent == "*" && tx.switches.if_match_star || sent == format!("\"{}\"", version(row)) {
        return Ok(());
    }
    Err(problem(412, "Precondition Failed", "The order was changed meanwhile.", &call.path))
}

/// Answers a request of v3.
pub(super) fn answer(
    tx: &mut Tx<'_>,
    endpoint: &'static Endpoint,
    params: &[String],
    call: &Call,
) -> Result<Reply, Reply> {
    let of = |at: usize| params.get(at).map(String::as_str).unwrap_or_default();
    let order = key(of(0), of(1));
    if endpoint.if_match == "required" {
        let row = tx.get(TABLE, &order).ok_or_else(|| not_found(call))?;
        check_version(tx, call, row)?;
    }
    match (endpoint.method.as_str(), endpoint.short().as_str()) {
        ("GET", "Customers") => read::customers(tx, call),
        ("GET", "Customers/{customerId}/locations") => read::locations(tx, call, of(0)),
        ("GET", "Inventory") => read::inventory(tx, call),
        ("GET", "SalesOrders") => read::list(tx, call, None),
        ("GET", "SalesOrders/{type}") => {
            tx.get("salesordertype", of(0)).ok_or_else(|| not_found(call))?;
            read::list(tx, call, Some(of(0)))
        }
        ("POST", "SalesOrders") => write::post(tx, call),
        ("GET", "SalesOrders/{type}/{orderId}") => read::order(tx, call, &order),
        ("PATCH", "SalesOrders/{type}/{orderId}") => write::patch(tx, call, &order),
        ("DELETE", "SalesOrders/{type}/{orderId}") => write::delete(tx, call, &order),
        ("POST", "SalesOrders/{type}/{orderId}/lines") => write::add_lines(tx, call, &order),
        ("PATCH", "SalesOrders/{type}/{orderId}/lines") => write::patch_lines(tx, call, &order),
        ("DELETE", "SalesOrders/{type}/{orderId}/lines") => write::delete_lines(tx, call, &order),
        ("GET", path) => read::part(tx, call, &order, path, of(2)),
        _ => Err(Reply::empty(405)),
    }
}
