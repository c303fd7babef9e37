//! Stock per article and warehouse: what is there, what is booked, allocated and shipped, and what follows from it.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::rows::{Fields, Tx, modified};
use crate::message::Reply;
use crate::text::{amount, decimal, number, text};

/// Quantities of a position, as the summary names them.
pub(super) const QUANTITIES: &[&str] = &[
    "onHand",
    "notAvailable",
    "soBooked",
    "soAllocated",
    "soShipped",
    "soBackOrdered",
    "inIssues",
    "inReceipts",
    "inTransit",
    "purchaseOrders",
    "purchasePrepared",
    "poReceipts",
    "expired",
];

/// The only place within a warehouse.
pub(super) const PLACE: &str = "R1S1";

fn key(item: &str, house: &str) -> String {
    format!("{item}\u{1f}{house}")
}

/// Positions of an article, in the order of the warehouses.
pub(super) fn positions(tx: &Tx<'_>, item: &str) -> Vec<Value> {
    let found = tx.store.find("stock", "item", item).unwrap_or_default();
    let mut rows: Vec<Value> = found.into_iter().filter(|row| row["item"] == item).cloned().collect();
    rows.sort_by(|one, other| text(one, "warehouse").cmp(text(other, "warehouse")));
    rows
}

/// When the stock of an article last changed.
pub(super) fn last_change(tx: &Tx<'_>, item: &str) -> Option<DateTime<Utc>> {
    positions(tx, item).iter().map(modified).max()
}

pub(super) fn on_hand(position: &Value) -> Decimal {
    amount(position, "onHand")
}

/// On hand without what issues, shipments and allocations already took.
pub(super) fn for_shipment(position: &Value) -> Decimal {
    let taken = ["notAvailable", "inIssues", "soAllocated", "soShipped"];
    on_hand(position) - taken.iter().map(|name| amount(position, name)).sum::<Decimal>()
}

/// By the rules of the item class: purchase orders may count, booked orders may be taken off.
pub(super) fn available(tx: &Tx<'_>, item: &Value, position: &Value) -> Decimal {
    let class = item["itemClass"]["id"].as_str().unwrap_or_default();
    let class = tx.get("itemClass", class).cloned().unwrap_or_default();
    let mut left = for_shipment(position);
    if class["_takes_off_booked"] == true {
        left -= amount(position, "soBooked") + amount(position, "soBackOrdered");
    }
    if class["_counts_purchases"] == true {
        left += amount(position, "purchaseOrders") + amount(position, "poReceipts");
    }
    left
}

/// Changes quantities of a position by so much.
pub(super) fn add(tx: &mut Tx<'_>, item: &str, house: &str, changes: &[(&str, Decimal)]) {
    let mut row = position(tx, item, house);
    for (name, change) in changes {
        let now = row.get(*name).and_then(decimal).unwrap_or_default() + *change;
        row.insert((*name).into(), number(now));
    }
    tx.put("stock", &key(item, house), row);
}

/// Sets quantities of a position.
pub(super) fn set(tx: &mut Tx<'_>, item: &str, house: &str, values: &[(&str, Decimal)]) {
    let mut row = position(tx, item, house);
    for (name, value) in values {
        row.insert((*name).into(), number(*value));
    }
    tx.put("stock", &key(item, house), row);
}

fn position(tx: &Tx<'_>, item: &str, house: &str) -> Fields {
    let there = tx.fields("stock", &key(item, house));
    there.unwrap_or_else(|| {
        let mut row = Fields::new();
        row.insert("item".into(), json!(item));
        row.insert("warehouse".into(), json!(house));
        row
    })
}

/// `GET /v1/inventorysummary/{nr}`.
pub(super) fn summary(tx: &Tx<'_>, item: &Value, warehouse: Option<String>, location: Option<String>) -> Reply {
    let code = text(item, "inventoryNumber");
    let rows = positions(tx, code).into_iter().filter(|row| {
        warehouse.as_ref().is_none_or(|house| row["warehouse"] == house.as_str())
            && location.as_ref().is_none_or(|place| place == PLACE || place == "1")
    });
    let shown = rows.map(|position| {
        let house = text(&position, "warehouse");
        let mut shown = json!({"inventory": {"number": code, "description": item["description"]},
            "warehouse": tx.named("warehouse", house, "id", "description"), "location": {"id": 1, "name": PLACE},
            "baseUnit": item["baseUnit"], "available": number(available(tx, item, &position)),
            "availableForShipment": number(for_shipment(&position))});
        for name in QUANTITIES {
            shown[*name] = number(amount(&position, name));
        }
        shown
    });
    Reply::json(200, &Value::Array(shown.collect()))
}

/// `POST /_sandbox/stock`: `{"item","warehouse","onHand",…}` or a list: what counts and receipts do.
pub(super) fn insert(tx: &mut Tx<'_>, body: Value) -> Result<Reply, String> {
    let rows = match body {
        Value::Array(rows) => rows,
        row => vec![row],
    };
    for row in &rows {
        let item = text(row, "item");
        if tx.get("inventory", item).is_none_or(|item| item["stockItem"] != true) {
            return Err(format!("stock: no stock item \"{item}\""));
        }
        let house = row.get("warehouse").and_then(Value::as_str).unwrap_or("1");
        if tx.get("warehouse", house).is_none() {
            return Err(format!("stock: no warehouse \"{house}\""));
        }
        let mut values = Vec::new();
        for (name, value) in row.as_object().into_iter().flatten() {
            if ["item", "warehouse"].contains(&name.as_str()) {
                continue;
            }
            let known = QUANTITIES.iter().find(|known| **known == name.as_str());
            let known = known
                .ok_or_else(|| format!("stock: unknown field \"{name}\"; there are: {}", QUANTITIES.join(", ")))?;
            values.push((*known, decimal(value).ok_or_else(|| format!("stock: {name} is no number"))?));
        }
        set(tx, item, house, &values);
    }
    Ok(Reply::json(200, &json!({"set": rows.len()})))
}
