//! Stock: items whose quantities changed, from the service for orders, with every warehouse of each.
//!
//! What may be sold is one of several quantities, and which is right depends on how a company has set up its item classes:
//! the option `stock_field` chooses. What is not free counts as promised, so that both calculations of a flow agree.

use std::collections::BTreeMap;

use koppel_core::keys::RecordKey;
use koppel_core::message::SourceRecord;
use koppel_core::ports::{Calls, FetchPage, FetchQuery};
use koppel_core::{Failure, NonEmpty};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{OVERLAP, Place};
use crate::http::PageToken;
use crate::visma_net::client::List;
use crate::visma_net::options::StockField;
use crate::visma_net::{VismaNet, wire};

const ENDPOINT: &str = "Inventory";
const PATH: &str = "api/v3/Inventory";
/// Items a page.
const ITEMS_A_PAGE: u32 = 1_000;
/// Items a page when each costs a call of its own.
const SUMMARIES_A_PAGE: u32 = 50;
/// What orders and movements hold back, in the summary of an item.
const HELD_BACK: [&str; 4] = ["notAvailable", "soBooked", "soAllocated", "soShipped"];

fn list(visma: &VismaNet) -> List<'static> {
    let list = List::of(PATH, ENDPOINT);
    // Attributes are only read for the one that tells the parent.
    if visma.variants.attribute().is_some() { list.with("expand", "Attribute") } else { list }
}

/// One page of items whose stock changed.
pub(super) async fn page(visma: &VismaNet, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure> {
    let place = Place::of(query, 0)?;
    let size = if visma.stock_field == StockField::Summary { SUMMARIES_A_PAGE } else { ITEMS_A_PAGE };
    // Without an offset this service takes a moment for UTC.
    let list = list(visma).with("modifiedSince", wire::moment(query.since - OVERLAP));
    let page = visma.client.order_page(&list, place.page, size, calls).await?;
    let first = page.rows.first().and_then(|row| wire::field(row, "inventoryId"));
    if first.is_some() && first == place.first {
        return Ok(FetchPage::default());
    }
    let mut records = Vec::new();
    for row in &page.rows {
        records.extend(record(visma, row, calls).await?);
    }
    let next = page.more.then(|| PageToken::pack(&Place { page: place.page + 1, first })).transpose()?;
    Ok(FetchPage { records, gone: Vec::new(), next })
}

/// The stock of one item, by its number.
pub(super) async fn one(visma: &VismaNet, key: &RecordKey, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
    let page = visma.client.order_page(&list(visma).with("inventoryId", key), 0, ITEMS_A_PAGE, calls).await?;
    // A filter that is not obeyed gives everything.
    let same = page.rows.iter().find(|row| wire::field(row, "inventoryId").as_deref() == Some(key.as_str()));
    match same {
        Some(row) => record(visma, row, calls).await,
        None => Ok(None),
    }
}

async fn record(visma: &VismaNet, row: &Value, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
    let Some(code) = wire::field(row, "inventoryId") else { return Ok(None) };
    let positions = if visma.stock_field == StockField::Summary {
        summary(visma, &code, calls).await?
    } else {
        let all = row.get("availability").and_then(Value::as_array).into_iter().flatten();
        all.filter_map(|one| position(visma.stock_field, one)).collect()
    };
    let parent = visma.variants.parent(row, &code);
    let modified = row.get("availability").and_then(Value::as_array).into_iter().flatten();
    let modified = modified.filter_map(|one| wire::time(one, "lastModified")).max();
    let Some(key) = NonEmpty::new(&code) else { return Ok(None) };
    Ok(Some(SourceRecord {
        key,
        label: code.clone(),
        partition: parent.clone().unwrap_or_else(|| code.clone()),
        modified_at: modified,
        raw: json!({
            "inventoryNumber": code, "parentNumber": parent, "description": wire::field(row, "description"),
            "baseUnit": wire::field(row, "baseUnit"), "positions": positions,
        }),
    }))
}

/// What lies in one warehouse, and what of it is free.
fn position(field: StockField, row: &Value) -> Option<Value> {
    let warehouse = wire::field(row, "warehouseId")?;
    let number = |name: &str| wire::decimal(row, name);
    let on_hand = number("quantityOnHand").unwrap_or_default();
    let free = match field {
        StockField::Available => number("quantityAvailable"),
        StockField::AvailableForShipment => number("quantityAvailableForShipment"),
        StockField::OnHand | StockField::Summary => Some(on_hand),
    }
    .unwrap_or(on_hand);
    let incoming = number("quantityPurchaseOrders").unwrap_or_default();
    Some(as_position(&warehouse, on_hand, free, incoming))
}

fn as_position(warehouse: &str, on_hand: Decimal, free: Decimal, incoming: Decimal) -> Value {
    json!({
        "warehouse": warehouse, "on_hand": wire::number(on_hand), "free": wire::number(free),
        "reserved": wire::number(on_hand - free), "incoming": wire::number(incoming),
    })
}

/// The warehouses of an item from its summary, whose rows are places in warehouses.
async fn summary(visma: &VismaNet, code: &str, calls: &Calls) -> Result<Vec<Value>, Failure> {
    let path = format!("v1/inventorysummary/{}", wire::path_key(code));
    let mut warehouses: BTreeMap<String, [Decimal; 3]> = BTreeMap::new();
    let rows = visma.client.record(&List::of(&path, "inventorysummary"), calls).await?.unwrap_or_default();
    for row in rows.as_array().into_iter().flatten() {
        let same = wire::key_of(row, "inventory", "number").is_none_or(|number| number == code);
        let Some(warehouse) = wire::key_of(row, "warehouse", "id").filter(|_| same) else { continue };
        let number = |name: &str| wire::decimal(row, name).unwrap_or_default();
        let held: Decimal = HELD_BACK.iter().map(|name| number(name)).sum();
        let sums = warehouses.entry(warehouse).or_default();
        sums[0] += number("onHand");
        sums[1] += number("onHand") - held;
        sums[2] += number("purchaseOrders");
    }
    Ok(warehouses
        .into_iter()
        .map(|(name, [on_hand, free, incoming])| as_position(&name, on_hand, free, incoming))
        .collect())
}
