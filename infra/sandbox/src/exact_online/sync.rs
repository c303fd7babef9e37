//! Feeds by row version: deletions, stock, invoices with head and lines in one.

use chrono_tz::Europe::Amsterdam;
use serde_json::{Map, Value, json};

use super::metadata::Entity;
use super::{CHILDREN, Tx};
use crate::text::{amount, number, text};

const TYPES: &[(&str, i64)] = &[
    ("crm/Accounts", 2),
    ("crm/Addresses", 3),
    ("crm/Contacts", 5),
    ("documents/Documents", 6),
    ("financial/GLAccounts", 7),
    ("logistics/SalesItemPrices", 8),
    ("logistics/Items", 9),
    ("cashflow/PaymentConditions", 10),
    ("salesinvoice/SalesInvoices", 13),
    ("inventory/ItemWarehouses", 15),
    ("inventory/ItemWarehouses", 19),
    ("salesorder/SalesOrders", 32),
    ("salesorder/SalesOrderLines", 33),
];

/// Tells the feed of deletions about a row.
pub(super) fn deleted(tx: &mut Tx<'_>, path: &str, key: &str) {
    for (_, kind) in TYPES.iter().filter(|(known, _)| *known == path) {
        tell(tx, *kind, key);
    }
}

fn tell(tx: &mut Tx<'_>, kind: i64, key: &str) {
    let stamp = tx.store.next_number("timestamp", 1000);
    let table = tx.table("sync/Deleted");
    let row = json!({"Timestamp": stamp, "DeletedBy": super::USER, "DeletedDate": tx.local(),
        "Division": tx.division.parse::<i64>().unwrap_or_default(), "EntityKey": key, "EntityType": kind,
        "ID": uuid::Uuid::new_v4().to_string()});
    tx.store.put(&table, &stamp.to_string(), row);
}

/// Whose rows a feed tells of.
pub(super) fn rows_behind(feed: &Entity) -> &str {
    match feed.path.as_str() {
        "sync/Inventory/StockPositions" => "inventory/ItemWarehouses",
        "sync/SalesInvoice/SalesInvoices" => "salesinvoice/SalesInvoices",
        _ => &feed.table,
    }
}

/// Rows of the feeds that are put together from others; None: the rows are stored as they are.
pub(super) fn computed(tx: &Tx<'_>, entity: &Entity) -> Option<Vec<Value>> {
    match entity.path.as_str() {
        "sync/Deleted" => {
            // Kept for two months.
            let since = tx.now.checked_sub_months(chrono::Months::new(2)).unwrap_or(tx.now);
            let since = since.with_timezone(&Amsterdam).format("%Y-%m-%dT%H:%M:%S%.3f").to_string();
            let rows = tx.rows("sync/Deleted").into_iter();
            Some(rows.filter(|row| text(row, "DeletedDate") >= since.as_str()).cloned().collect())
        }
        "sync/Inventory/StockPositions" => Some(stock(tx)),
        "sync/SalesInvoice/SalesInvoices" => Some(invoices(tx)),
        _ => None,
    }
}

fn stock(tx: &Tx<'_>) -> Vec<Value> {
    let rows = tx.rows("inventory/ItemWarehouses").into_iter();
    rows.map(|row| {
        let (now, coming, going) =
            (amount(row, "CurrentStock"), amount(row, "PlannedStockIn"), amount(row, "PlannedStockOut"));
        let unit = tx.get("logistics/Items", text(row, "Item")).map(|item| item["Unit"].clone()).unwrap_or_default();
        json!({"Timestamp": row["Timestamp"], "ID": row["ID"], "Division": row["Division"], "ItemId": row["Item"],
            "ItemCode": row["ItemCode"], "ItemDescription": row["ItemDescription"], "Warehouse": row["Warehouse"],
            "WarehouseCode": row["WarehouseCode"], "WarehouseDescription": row["WarehouseDescription"],
            "CurrentStock": row["CurrentStock"], "PlanningIn": number(coming), "PlanningOut": number(going),
            "ProjectedStock": number(now + coming - going), "FreeStock": number(now - going),
            "ReservedStock": row["ReservedStock"], "ReorderPoint": row["ReorderPoint"], "UnitCode": unit})
    })
    .collect()
}

/// One row a line, and one with line number 0 for the head.
fn invoices(tx: &Tx<'_>) -> Vec<Value> {
    let mut all = Vec::new();
    for head in tx.rows("salesinvoice/SalesInvoices") {
        let mut zero = head.clone();
        zero["LineNumber"] = json!(0);
        zero["ID"] = head["InvoiceID"].clone();
        all.push(zero);
        for line in tx.children_of(&CHILDREN[2], text(head, "InvoiceID")) {
            let mut both: Map<String, Value> = head.as_object().cloned().unwrap_or_default();
            both.extend(line.as_object().cloned().unwrap_or_default());
            all.push(Value::Object(both));
        }
    }
    all
}
