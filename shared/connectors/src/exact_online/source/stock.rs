//! Stock: what changed by row version, and then all warehouses of the items that changed.
//!
//! A row of the feed is one item in one warehouse. An order flow or a shop needs the sum over several, so the other
//! warehouses of a changed item are read as well: by code when few changed, else by reading the feed from its start,
//! where a call brings a thousand rows instead of sixty.

use std::collections::{BTreeMap, BTreeSet};

use koppel_core::keys::RecordKey;
use koppel_core::message::SourceRecord;
use koppel_core::ports::{Calls, FetchPage, FetchQuery};
use koppel_core::{Failure, NonEmpty};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::variants::Variants;
use crate::exact_online::client::Client;
use crate::exact_online::client::sync::{FROM_THE_START, SyncPage};
use crate::exact_online::odata;
use crate::http::PageToken;

const POSITIONS: &str = "sync/Inventory/StockPositions";
const POSITION_SELECT: &str =
    "Timestamp,ItemId,ItemCode,WarehouseCode,CurrentStock,FreeStock,PlanningIn,PlanningOut,ReservedStock,UnitCode";
const WAREHOUSES: &str = "inventory/ItemWarehouses";
const WAREHOUSE_SELECT: &str =
    "Item,ItemCode,WarehouseCode,CurrentStock,PlannedStockIn,PlannedStockOut,ReservedStock,SafetyStock,ItemIsStockItem";
const ITEMS: &str = "logistics/Items";

/// With more changed items than this the feed is read from its start: by code that would be more than ten calls.
const BY_CODE_MAX: usize = 250;
/// Most pages of a reading from the start; what is then still missing is read by code.
const PAGES_MAX: usize = 100;

#[derive(Debug, Serialize, Deserialize)]
struct Token {
    after: i64,
}

/// One page of items whose stock changed.
pub(super) async fn page(
    client: &Client,
    variants: &Variants,
    query: &FetchQuery,
    calls: &Calls,
) -> Result<FetchPage, Failure> {
    let after = match &query.page {
        Some(token) => PageToken::unpack::<Token>(token)?.after,
        None => client.row_version(POSITIONS, query.since, calls).await?,
    };
    // From the start everything is read at once: the warehouses of one item stand on different pages.
    if after == FROM_THE_START {
        let items = from_the_start(client, calls).await?;
        let parents = parents(client, variants, items.keys(), calls).await?;
        return Ok(FetchPage { records: records(items, variants, &parents), ..FetchPage::default() });
    }
    let SyncPage { rows, last, more } = client.sync_page(POSITIONS, POSITION_SELECT, after, calls).await?;
    let changed: BTreeSet<String> = rows.iter().filter_map(|row| odata::field(row, "ItemCode")).collect();
    let mut items = by_item(&rows);
    if changed.len() > BY_CODE_MAX {
        let all = from_the_start(client, calls).await?;
        items.extend(all.into_iter().filter(|(code, _)| changed.contains(code)));
    } else if !changed.is_empty() {
        let codes: Vec<String> = changed.iter().map(|code| odata::text(code)).collect();
        let others = client.search(WAREHOUSES, &["ItemCode"], &codes, WAREHOUSE_SELECT, calls).await?;
        complete(&mut items, &others);
    }
    let parents = parents(client, variants, items.keys(), calls).await?;
    let next = more.then(|| PageToken::pack(&Token { after: last })).transpose()?;
    Ok(FetchPage { records: records(items, variants, &parents), gone: Vec::new(), next })
}

/// The stock of one item, by its id.
pub(super) async fn one(
    client: &Client,
    variants: &Variants,
    key: &RecordKey,
    calls: &Calls,
) -> Result<Option<SourceRecord>, Failure> {
    let id = odata::guid(key.as_str())?;
    let rows = client.search(WAREHOUSES, &["Item"], &[id], WAREHOUSE_SELECT, calls).await?;
    let mut items = Items::new();
    complete(&mut items, &rows);
    let parents = parents(client, variants, items.keys(), calls).await?;
    Ok(records(items, variants, &parents).into_iter().next())
}

/// One item with its warehouses.
#[derive(Debug, Default)]
struct Item {
    id: String,
    is_stock_item: Option<bool>,
    positions: BTreeMap<String, Map<String, Value>>,
}

/// Items by code.
type Items = BTreeMap<String, Item>;

async fn from_the_start(client: &Client, calls: &Calls) -> Result<Items, Failure> {
    let (mut items, mut after) = (Items::new(), FROM_THE_START);
    for _ in 0..PAGES_MAX {
        let page = client.sync_page(POSITIONS, POSITION_SELECT, after, calls).await?;
        for (code, item) in by_item(&page.rows) {
            let known = items.entry(code).or_default();
            known.id = item.id;
            known.positions.extend(item.positions);
        }
        if !page.more {
            return Ok(items);
        }
        after = page.last;
    }
    Err(Failure::settings(koppel_core::Cause::new("too_much_stock", "the feed of stock positions does not end")))
}

/// Rows of the feed by item.
fn by_item(rows: &[Value]) -> Items {
    let mut items = Items::new();
    for row in rows {
        let (Some(id), Some(code)) = (odata::field(row, "ItemId"), odata::field(row, "ItemCode")) else { continue };
        let item = items.entry(code).or_default();
        item.id = id;
        let position = picked(
            row,
            &[
                ("on_hand", "CurrentStock"),
                ("incoming", "PlanningIn"),
                ("reserved", "PlanningOut"),
                ("free", "FreeStock"),
            ],
        );
        item.positions.insert(odata::field(row, "WarehouseCode").unwrap_or_default(), position);
    }
    items
}

/// Adds what the list of items in warehouses knows. It is read after the feed, so its quantities are the newer ones.
fn complete(items: &mut Items, rows: &[Value]) {
    for row in rows {
        let (Some(id), Some(code)) = (odata::field(row, "Item"), odata::field(row, "ItemCode")) else { continue };
        let item = items.entry(code).or_default();
        item.id = id;
        item.is_stock_item = odata::flag(row, "ItemIsStockItem").or(item.is_stock_item);
        let position = picked(
            row,
            &[
                ("on_hand", "CurrentStock"),
                ("incoming", "PlannedStockIn"),
                ("reserved", "PlannedStockOut"),
                ("safety", "SafetyStock"),
            ],
        );
        item.positions.entry(odata::field(row, "WarehouseCode").unwrap_or_default()).or_default().extend(position);
    }
}

/// Quantities under plain names, each as it was written.
fn picked(row: &Value, names: &[(&str, &str)]) -> Map<String, Value> {
    let of = |(name, field): &(&str, &str)| {
        let value = row.get(*field).filter(|value| !value.is_null())?;
        Some(((*name).to_owned(), value.clone()))
    };
    names.iter().filter_map(of).collect()
}

/// The parents that stand in a field of the items: codes to items. The code itself tells the others.
async fn parents(
    client: &Client,
    variants: &Variants,
    codes: impl Iterator<Item = &String>,
    calls: &Calls,
) -> Result<BTreeMap<String, Value>, Failure> {
    let Some(field) = variants.field() else { return Ok(BTreeMap::new()) };
    let codes: Vec<String> = codes.map(|code| odata::text(code)).collect();
    let rows = client.search(ITEMS, &["Code"], &codes, &format!("ID,Code,{field}"), calls).await?;
    Ok(rows.into_iter().filter_map(|row| Some((odata::field(&row, "Code")?, row))).collect())
}

fn records(items: Items, variants: &Variants, parents: &BTreeMap<String, Value>) -> Vec<SourceRecord> {
    let record = |(code, item): (String, Item)| {
        let parent = variants.parent(parents.get(&code).unwrap_or(&Value::Null), &code);
        let positions: Vec<Value> = item
            .positions
            .into_iter()
            .map(|(warehouse, mut position)| {
                position.insert("warehouse".to_owned(), Value::from(warehouse));
                Value::Object(position)
            })
            .collect();
        Some(SourceRecord {
            key: NonEmpty::new(&item.id)?,
            label: code.clone(),
            partition: parent.clone().unwrap_or_else(|| code.clone()),
            modified_at: None,
            raw: json!({
                "ItemId": item.id, "ItemCode": code, "ParentCode": parent,
                "IsStockItem": item.is_stock_item, "positions": positions,
            }),
        })
    };
    items.into_iter().filter_map(record).collect()
}
