//! Stock by the field that a connection chooses, and prices of price classes.

use koppel_core::document::{Document, Entity};
use koppel_core::ports::Source;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::rows::document;
use super::{Reply, Seen, World, counted, key, query};

fn answer(seen: &Seen) -> Reply {
    match seen.path.as_str() {
        "/api/v3/Inventory" => Reply::json(200, include_str!("../fixtures/inventory-availability.json")),
        "/v1/inventorysummary/MUG" => Reply::json(
            200,
            json!([
            {"inventory": {"number": "MUG"}, "warehouse": {"id": "1"}, "location": {"id": 1}, "onHand": 7, "soBooked": 2, "soShipped": 1, "purchaseOrders": 20},
            {"inventory": {"number": "MUG"}, "warehouse": {"id": "1"}, "location": {"id": 2}, "onHand": 3, "notAvailable": 1, "soAllocated": 0.5, "purchaseOrders": 4},
            {"inventory": {"number": "MUG"}, "warehouse": {"id": "2"}, "location": {"id": 1}, "onHand": 4}]),
        ),
        "/v1/customerSalesPrice" => Reply::json(200, include_str!("../fixtures/sales-prices.json")),
        "/v1/branch" => Reply::json(200, json!([{"number": "1", "isMainBranch": true, "currency": {"id": "EUR"}}])),
        "/v1/inventory" => counted(json!([{"inventoryNumber": "MUG", "baseUnit": "stuk"}]), 1),
        _ => Reply::json(404, ""),
    }
}

#[tokio::test]
async fn each_field_says_what_is_free_and_what_is_promised() {
    for (field, free, reserved) in [
        ("available", "6", "4"),
        ("available_for_shipment", "8.5", "1.5"),
        ("on_hand", "10", "0"),
        // 10 on hand, less 2 booked, 1 shipped, 1 not available, 0.5 allocated.
        ("summary", "5.5", "4.5"),
    ] {
        let world = World::with(json!({"stock_field": field, "variants": {"attribute": "PARENT"}}), answer).await;
        let page = world.visma.fetch_page(&query(Entity::Stock, "2026-06-01T00:00:00Z"), &world.calls).await.unwrap();
        assert_eq!((page.records.len(), page.next), (1, None));
        assert_eq!(page.records[0].modified_at.unwrap().to_rfc3339(), "2026-06-01T11:00:00+00:00");
        let Document::StockLevel(level) = document(Entity::Stock, &page.records[0].raw) else { panic!("no stock") };
        assert_eq!((level.sku.as_str(), level.parent_sku.as_str(), level.manage_stock), ("MUG", "MUGS", true));
        let first = &level.positions[0];
        assert_eq!((first.free, first.reserved), (Some(free.parse().unwrap()), reserved.parse().unwrap()), "{field}");
        assert_eq!((level.on_hand, level.incoming), (Decimal::from(14), Decimal::from(24)));
        let seen = world.server.take();
        let asked = seen.iter().find(|seen| seen.path.ends_with("Inventory")).unwrap();
        assert_eq!((asked.query("modifiedSince"), asked.query("pageIndex")), (Some("2026-05-31T23:55:00"), Some("0")));
        assert_eq!(asked.query("expand"), Some("Attribute"));
        assert_eq!(seen.iter().filter(|seen| seen.path.contains("summary")).count(), usize::from(field == "summary"));
    }
}

#[tokio::test]
async fn the_stock_of_one_item_is_compared_because_a_filter_may_not_be_obeyed() {
    let world = World::new(answer).await;
    assert!(world.visma.fetch_one(Entity::Stock, &key("MUG"), &world.calls).await.unwrap().is_some());
    assert!(world.visma.fetch_one(Entity::Stock, &key("LAMP"), &world.calls).await.unwrap().is_none());
}

#[tokio::test]
async fn prices_of_a_class_become_one_record_with_steps_and_those_of_customers_none() {
    let world = World::new(answer).await;
    // The clock says 2026-11-22: since yesterday, so a new day has come and all is read.
    let page = world.visma.fetch_page(&query(Entity::Prices, "2026-11-21T23:00:00Z"), &world.calls).await.unwrap();
    assert_eq!(page.records.len(), 1);
    let record = &page.records[0];
    assert_eq!((record.key.as_str(), record.partition.as_str()), ("MUG for B2B", "MUG"));
    let Document::Price(price) = document(Entity::Prices, &record.raw) else { panic!("no price") };
    assert_eq!((price.sku.as_str(), price.price_class.as_str(), price.currency.as_str()), ("MUG", "B2B", "EUR"));
    // By the piece, not by the box that has a price as well.
    assert_eq!(
        (price.price.to_string(), price.includes_tax),
        ("8.50".parse::<Decimal>().unwrap().normalize().to_string(), false)
    );
    assert_eq!(price.breaks.len(), 1);
    assert_eq!((price.breaks[0].from_quantity, price.breaks[0].price.to_string()), (Decimal::from(12), "7.25".into()));
    // The last price of this class has ended.
    assert_eq!(page.gone, [key("MUG for OLD")]);
    let seen = world.server.take();
    let asked: Vec<&Seen> = seen.iter().filter(|seen| seen.path.contains("SalesPrice")).collect();
    assert_eq!(
        (asked.len(), asked[0].query("priceType"), asked[0].query("lastModifiedDateTime")),
        (1, Some("CustomerPriceClass"), None)
    );
    let one = world.visma.fetch_one(Entity::Prices, &record.key, &world.calls).await.unwrap().unwrap();
    assert_eq!(one.raw, record.raw);
}

#[tokio::test]
async fn on_the_same_day_only_items_whose_prices_changed_are_read() {
    let world = World::new(|seen| match seen.query("lastModifiedDateTime") {
        Some(_) => counted(
            json!([{"recordId": 2, "priceType": "CustomerPriceClass", "priceCode": "B2B", "inventoryId": "MUG"}]),
            1,
        ),
        None => answer(seen),
    })
    .await;
    let page = world.visma.fetch_page(&query(Entity::Prices, "2026-11-22T05:00:00Z"), &world.calls).await.unwrap();
    assert_eq!(page.records.len(), 1);
    let seen = world.server.take();
    let asked: Vec<Option<&str>> =
        seen.iter().filter(|seen| seen.path.contains("SalesPrice")).map(|seen| seen.query("inventoryId")).collect();
    assert_eq!(asked, [None, Some("MUG")]);
    let nothing = World::new(|_| Reply::json(200, Value::Array(Vec::new()))).await;
    let page = nothing.visma.fetch_page(&query(Entity::Prices, "2026-11-22T05:00:00Z"), &nothing.calls).await.unwrap();
    assert!(page.records.is_empty() && page.gone.is_empty());
    assert_eq!(nothing.lines().len(), 1);
}
