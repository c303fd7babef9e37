//! Stock that moves by itself: counts and receipts from the inspection door, deliveries of direct invoices.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::write::Fields;
use super::{Tx, rules};
use crate::message::Reply;
use crate::text::{amount, decimal, number, text};

const ROWS: &str = "inventory/ItemWarehouses";

fn row_of(tx: &Tx<'_>, item: &str, warehouse: &str) -> Option<Fields> {
    let rows = tx.store.find(&tx.table(ROWS), "Item", item)?;
    rows.into_iter().find(|row| text(row, "Warehouse") == warehouse).and_then(Value::as_object).cloned()
}

/// Sets fields of an item in a warehouse; what is projected follows.
pub(super) fn set(tx: &mut Tx<'_>, item: &str, warehouse: &str, values: &[(&str, Decimal)]) {
    let mut row = row_of(tx, item, warehouse).unwrap_or_else(|| {
        let id = uuid::Uuid::new_v4().to_string();
        let row = json!({"ID": id, "Item": item, "Warehouse": warehouse, "CurrentStock": 0, "PlannedStockIn": 0,
            "PlannedStockOut": 0, "ReservedStock": 0, "SafetyStock": 0, "ReorderPoint": 0});
        row.as_object().cloned().unwrap_or_default()
    });
    for (name, value) in values {
        row.insert((*name).into(), number(*value));
    }
    let of = |name: &str| row.get(name).and_then(decimal).unwrap_or_default();
    let projected = of("CurrentStock") + of("PlannedStockIn") - of("PlannedStockOut");
    row.insert("ProjectedStock".into(), number(projected));
    rules::fill_names(tx, ROWS, &mut row);
    let id = row.get("ID").and_then(Value::as_str).unwrap_or_default().to_owned();
    tx.put(ROWS, &id, row);
}

/// What a delivery takes from the stock of an item that keeps one.
pub(super) fn deliver(tx: &mut Tx<'_>, item: &str, warehouse: &str, quantity: Decimal) {
    let Some(row) = row_of(tx, item, warehouse).map(Value::Object) else { return };
    set(tx, item, warehouse, &[("CurrentStock", amount(&row, "CurrentStock") - quantity)]);
}

/// `POST /_sandbox/stock`: `{"item":"MOK-WIT","warehouse":"1","current":5}` or a list of such.
pub(super) fn insert(tx: &mut Tx<'_>, body: Value) -> Result<Reply, String> {
    let list = match body {
        Value::Array(list) => list,
        one => vec![one],
    };
    for one in &list {
        let (code, house) = (text(one, "item"), one.get("warehouse").and_then(Value::as_str).unwrap_or("1"));
        let item = tx.first("logistics/Items", "Code", code).ok_or_else(|| format!("stock: no item \"{code}\""))?;
        let item = text(item, "ID").to_owned();
        let house = tx.first("inventory/Warehouses", "Code", house).ok_or("stock: no such warehouse")?;
        let house = text(house, "ID").to_owned();
        let names = [
            ("current", "CurrentStock"),
            ("planned_in", "PlannedStockIn"),
            ("planned_out", "PlannedStockOut"),
            ("reserved", "ReservedStock"),
            ("safety", "SafetyStock"),
        ];
        let values: Vec<(&str, Decimal)> = names
            .into_iter()
            .filter_map(|(from, to)| one.get(from).and_then(decimal).map(|value| (to, value)))
            .collect();
        set(tx, &item, &house, &values);
    }
    Ok(Reply::json(200, &json!({"count": list.len()})))
}

/// `POST /_sandbox/move`: the company is moved, so every row gets a new, low row version.
pub(super) fn move_company(tx: &mut Tx<'_>) -> Reply {
    let tables: Vec<String> = tx.store.tables().into_iter().filter(|name| name.starts_with(&tx.division)).collect();
    let mut stamp = 0_i64;
    for table in tables {
        let rows = tx.store.entries(&table).filter(|(_, row)| row["Timestamp"].is_number());
        let rows: Vec<(String, Value)> = rows.map(|(key, row)| (key.to_owned(), row.clone())).collect();
        for (key, mut row) in rows {
            stamp += 1;
            row["Timestamp"] = json!(stamp);
            tx.store.put(&table, &key, row);
        }
    }
    tx.store.put("_sequences", "timestamp", json!(stamp));
    let moved = tx.local();
    let mut division = tx.get("system/Divisions", &tx.division).and_then(Value::as_object).cloned().unwrap_or_default();
    division.insert("DivisionMoveDate".into(), json!(moved));
    let name = tx.division.clone();
    tx.put("system/Divisions", &name, division);
    Reply::json(200, &json!({"timestamp": stamp}))
}
