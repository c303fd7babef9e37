//! Stock: what changed, all its warehouses, and how few calls that takes.

use chrono::{DateTime, Utc};
use koppel_core::document::Entity;
use koppel_core::ports::{FetchPage, FetchQuery, Source};
use koppel_mapping::{Checks, RowFile, Scope, Value as Mapped, compile};
use serde_json::{Value, json};

use super::server::{Reply, Seen};
use super::{World, guid, key, list};
use crate::exact_online::FACTS;

const FEED: &str = "sync/Inventory/StockPositions";

fn position(stamp: u32, item: u32, warehouse: &str, stock: u32) -> Value {
    json!({"Timestamp":stamp.to_string(),"ItemId":guid(item),"ItemCode":format!("A-{item}"),"WarehouseCode":warehouse,
        "CurrentStock":stock,"FreeStock":stock,"PlanningIn":3,"PlanningOut":2,"ReservedStock":0,"UnitCode":"stuk"})
}

fn place(item: u32, warehouse: &str, stock: u32) -> Value {
    json!({"Item":guid(item),"ItemCode":format!("A-{item}"),"WarehouseCode":warehouse,"CurrentStock":stock,
        "PlannedStockIn":3,"PlannedStockOut":2,"ReservedStock":0,"SafetyStock":1,"ItemIsStockItem":true})
}

fn after(seen: &Seen) -> u32 {
    let filter = seen.filter();
    filter.trim_start_matches("Timestamp gt ").trim_end_matches('L').parse().unwrap()
}

async fn fetch(world: &World, since: &str, page: Option<String>) -> FetchPage {
    let since: DateTime<Utc> = since.parse().unwrap();
    let query = FetchQuery { entity: Entity::Stock, since, page };
    world.exact.fetch_page(&query, &world.calls).await.unwrap()
}

#[tokio::test]
async fn nothing_changed_is_two_calls_and_the_moment_is_local() {
    let world = World::new(|seen| match seen.entity() {
        FEED => list(json!([])),
        _ => list(json!([{"TimeStampAsBigInt":"5000"}])),
    })
    .await;
    assert_eq!(fetch(&world, "2026-06-01T10:00:00Z", None).await, FetchPage::default());
    let seen = world.server.take();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].query["modified"], "datetime'2026-06-01T12:00:00'");
    assert_eq!(seen[0].query["endPoint"], "'Inventory/StockPositions'");
    assert_eq!(after(&seen[1]), 5_000);
}

#[tokio::test]
async fn in_the_hour_that_comes_twice_the_earlier_one_is_meant() {
    let world = World::new(|seen| match seen.entity() {
        FEED => list(json!([])),
        _ => list(json!([{"TimeStampAsBigInt":"5000"}])),
    })
    .await;
    fetch(&world, "2026-10-25T01:30:00Z", None).await;
    assert_eq!(world.server.take()[0].query["modified"], "datetime'2026-10-25T01:30:00'");
}

#[tokio::test]
async fn a_changed_item_comes_with_all_its_warehouses() {
    let world = World::with(json!({"variants":{"code_prefix":"-"}}), |seen| match seen.entity() {
        FEED => list([position(5_001, 7, "1 ", 10)]),
        "inventory/ItemWarehouses" => list([place(7, "1", 9), place(7, "2", 4)]),
        _ => list(json!([{"TimeStampAsBigInt":5000}])),
    })
    .await;
    let page = fetch(&world, "2026-06-01T10:00:00Z", None).await;
    assert_eq!((page.records.len(), page.next), (1, None));
    let record = &page.records[0];
    assert_eq!((record.key.as_str(), record.label.as_str(), record.partition.as_str()), (&*guid(7), "A-7", "A"));
    let stock = canonical(&record.raw);
    assert_eq!(
        (&stock["sku"], &stock["parent_sku"], &stock["manage_stock"]),
        (&json!("A-7"), &json!("A"), &json!(true))
    );
    // The list was read after the feed, so its 9 is the newer quantity.
    assert_eq!((stock["on_hand"].to_string(), stock["reserved"].to_string()), ("13".into(), "4".into()));
    assert_eq!(
        (&stock["positions"][0]["warehouse"], stock["positions"][0]["free"].to_string()),
        (&json!("1"), "10".into())
    );
    assert_eq!((&stock["positions"][1]["warehouse"], &stock["positions"][1]["free"]), (&json!("2"), &Value::Null));
    assert_eq!(world.server.take().len(), 3);
}

#[tokio::test]
async fn many_changed_items_are_read_in_bulk() {
    let world = World::new(|seen| match (seen.entity(), seen.filter()) {
        (FEED, filter) if filter.starts_with("Timestamp gt 1L") => {
            list((0..900).map(|n| position(2 + n, n, "2", 1)).collect::<Vec<_>>())
        }
        (FEED, _) => list((0..600).map(|n| position(5_001 + n, n, "1", 1)).collect::<Vec<_>>()),
        _ => list(json!([{"TimeStampAsBigInt":5000}])),
    })
    .await;
    let page = fetch(&world, "2026-06-01T10:00:00Z", None).await;
    assert_eq!(page.records.len(), 600);
    assert!(page.records.iter().all(|record| record.raw["positions"].as_array().is_some_and(|p| !p.is_empty())));
    assert_eq!(world.server.take().len(), 3);
}

#[tokio::test]
async fn the_first_read_needs_no_moment_and_joins_the_warehouses_of_different_pages() {
    let world = World::new(|seen| {
        let rows: Vec<Value> = match after(seen) {
            1 => (0..1_000).map(|n| position(2 + n, n, "1", 5)).collect(),
            _ => vec![position(2_000, 0, "2", 6)],
        };
        list(rows)
    })
    .await;
    let page = fetch(&world, "1970-01-01T00:00:00Z", None).await;
    assert_eq!((page.records.len(), page.next), (1_000, None));
    let first = page.records.iter().find(|record| record.label == "A-0").unwrap();
    assert_eq!(canonical(&first.raw)["on_hand"].to_string(), "11");
    let seen = world.server.take();
    assert_eq!((seen.len(), after(&seen[1])), (2, 1_001));
}

#[tokio::test]
async fn a_full_page_leads_to_the_next_by_its_highest_row_version() {
    let world = World::new(|seen| match seen.entity() {
        FEED if after(seen) == 5_000 => Reply::json(
            200,
            &json!({"d":{"results":[position(5_009, 1, "1", 1), position(5_004, 2, "1", 1)],"__next":"x"}}).to_string(),
        ),
        FEED => list(json!([])),
        "inventory/ItemWarehouses" => list(json!([])),
        _ => list(json!([{"TimeStampAsBigInt":5000}])),
    })
    .await;
    let page = fetch(&world, "2026-06-01T10:00:00Z", None).await;
    assert!(page.next.is_some());
    world.server.take();
    assert_eq!(fetch(&world, "2026-06-01T10:00:00Z", page.next).await.records.len(), 0);
    let seen = world.server.take();
    assert_eq!((seen.len(), after(&seen[0])), (1, 5_009));
}

#[tokio::test]
async fn one_item_is_one_call_and_one_that_is_gone_is_nothing() {
    let there = World::new(|_| list([place(7, "1", 9)])).await;
    let record = there.exact.fetch_one(Entity::Stock, &key(&guid(7)), &there.calls).await.unwrap().unwrap();
    assert_eq!((record.label.as_str(), there.server.take().len()), ("A-7", 1));
    let gone = World::new(|_| list(json!([]))).await;
    assert!(gone.exact.fetch_one(Entity::Stock, &key(&guid(7)), &gone.calls).await.unwrap().is_none());
}

fn canonical(raw: &Value) -> Value {
    let rows = FACTS.rows.iter().find(|rows| rows.name.ends_with("/stock.yaml")).unwrap();
    let file = RowFile::parse(rows.name, rows.text).unwrap();
    let mapping = compile(&file, &Checks::new().variable("source")).unwrap();
    let source = Mapped::from_json(raw);
    let now: DateTime<Utc> = "2026-06-01T10:00:00Z".parse().unwrap();
    mapping.evaluate(&Scope::new(now).with_ref("source", &source)).unwrap().to_json()
}
