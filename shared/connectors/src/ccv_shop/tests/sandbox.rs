//! Orders and credits against the stand-in, in its strictest form.

use koppel_core::document::Order;
use koppel_core::error::RetryReason;
use koppel_sandbox::{FaultAction, FaultRule};
use rust_decimal::Decimal;

use super::rows::{check_sums, read};
use super::*;

const SINCE: &str = "2026-11-01T00:00:00Z";

impl World {
    async fn read(&self, source: &CcvShopSource, entity: Entity, since: &str) -> Vec<SourceRecord> {
        let wait = |after: std::time::Duration| self.forward(i64::try_from(after.as_secs()).unwrap() + 1);
        read_all(source, entity, since, &self.calls, wait).await
    }
}

fn labels(records: &[SourceRecord]) -> Vec<&str> {
    records.iter().map(|record| record.label.as_str()).collect()
}

#[tokio::test]
async fn every_order_of_the_shop_adds_up_to_the_last_decimal() {
    for switches in [
        json!({}),
        json!({ "numbers_as_text": "all", "guest_user": "empty", "price_with_attributes": "always" }),
        json!({ "exclusive_total": "without_tax", "row_total_has_shipping": false, "total_discounts_has_rows": true }),
    ] {
        let world = World::new(switches.clone(), json!({})).await;
        let records = world.read(&world.source(), Entity::Orders, SINCE).await;
        // The basket that nobody checked out is no order.
        assert_eq!(records.len(), 11, "{switches}");
        for record in &records {
            let order: Order = read(Entity::Orders, &record.raw);
            check_sums(&order);
            assert!(order.total > Decimal::ZERO);
        }
        let of = |number: &str| -> Order {
            let record = records.iter().find(|record| record.label.ends_with(number)).unwrap();
            read(Entity::Orders, &record.raw)
        };
        let kinds = |order: &Order| order.lines.iter().map(|line| line.kind.name()).collect::<Vec<_>>();
        assert_eq!(kinds(&of("1024")), ["product", "shipping", "fee"], "{switches}");
        assert_eq!(kinds(&of("1025")), ["product", "shipping", "fee", "fee", "discount"], "{switches}");
        assert_eq!(of("1025").coupons[0].code, "TIEN");
        assert_eq!(kinds(&of("1034")), ["product", "shipping", "discount"], "credit points");
        assert!(of("1026").vat_exempt && of("1026").total_tax.is_zero());
        assert!(of("1027").customer.guest && of("1027").lines.iter().any(|line| line.sku.is_empty()));
        assert_eq!(of("1024").lines[0].sku, "TSHIRT-ROOD-S");
        assert_eq!(of("1032").ship_to().house_number, "12");
        assert!(of("1033").lines[0].description.contains("Gravure: Voor Els & Jan"));
        assert_eq!(of("1024").payment.method, "offline_cashondelivery");
    }
}

#[tokio::test]
async fn orders_by_the_hundred_add_up_whatever_is_rounded_where() {
    for rounding in ["rate", "row"] {
        let world = World::new(json!({ "tax_rounding": rounding }), json!({})).await;
        let asked = json!({ "seed": 5, "n": 300, "start": "2026-11-22T08:00:00Z", "step_seconds": 10 });
        world.sandbox.ccv_shop().inspect("POST", "generate", &asked);
        let records = world.read(&world.source(), Entity::Orders, SINCE).await;
        assert_eq!(records.len(), 311);
        let rows = world.sandbox.ccv_shop().documents("orders");
        for record in records {
            let order: Order = read(Entity::Orders, &record.raw);
            check_sums(&order);
            let theirs = rows.iter().find(|row| row["id"].as_u64() == order.id.parse().ok()).unwrap();
            let (price, tax) =
                ["total_price", "total_tax"].map(|name| theirs[name].to_string().parse::<Decimal>().unwrap()).into();
            assert_eq!(order.total, price);
            // Tax that was rounded row by row is off by half a cent a row at most.
            let most = Decimal::new(5, 3) * Decimal::from(order.lines.len() as u64 + 1);
            assert!((order.total_tax - tax).abs() <= most, "order {}: {} {tax}", order.number, order.total_tax);
        }
    }
}

#[tokio::test]
async fn a_thousand_orders_of_the_sandbox_stay_within_its_limits() {
    let world = World::new(json!({}), json!({})).await;
    let asked = json!({ "seed": 9, "n": 989, "start": "2026-11-22T08:00:00Z", "step_seconds": 10 });
    world.sandbox.ccv_shop().inspect("POST", "generate", &asked);
    let records = world.read(&world.source(), Entity::Orders, SINCE).await;
    assert_eq!(records.len(), 1_000);
    let exchanges = world.calls.take();
    assert!(exchanges.iter().all(|exchange| exchange.status == Some(200)), "never a call too many");
    let of = |part: &str| exchanges.iter().filter(|exchange| exchange.path.contains(part)).count();
    assert_eq!((of("/orderrows/"), of("/orders/?")), (1_000, 4));
}

#[tokio::test]
async fn a_change_is_seen_by_the_next_run_and_by_id() {
    let world = World::new(json!({}), json!({})).await;
    let source = world.source();
    world.read(&source, Entity::Orders, SINCE).await;
    world.forward(300);
    let begun = world.now().to_rfc3339();
    assert!(world.read(&source, Entity::Orders, &begun).await.is_empty());
    world.sandbox.ccv_shop().inspect("PATCH", "orders/28", &json!({ "paid": true, "status": 1 }));
    let changed = world.read(&source, Entity::Orders, &begun).await;
    assert_eq!((changed.len(), changed[0].key.as_str(), &changed[0].raw["status"]), (1, "28", &json!("new")));
    // Another process has the same marks, and none of the memory.
    assert_eq!(labels(&world.read(&world.source(), Entity::Orders, &begun).await), [changed[0].label.as_str()]);

    let one = source.fetch_one(Entity::Orders, &key("28"), &world.calls).await.unwrap().unwrap();
    assert_eq!((one.label.as_str(), one.raw["paid"] == json!(true)), (changed[0].label.as_str(), true));
    for (gone, code) in [("999", "500.24"), ("998", "404.10")] {
        world.sandbox.ccv_shop().set_switches(json!({ "unknown_id_code": code })).unwrap();
        assert!(source.fetch_one(Entity::Orders, &key(gone), &world.calls).await.unwrap().is_none(), "{code}");
    }
}

#[tokio::test]
async fn faults_pass_and_strict_answers_hold() {
    let world = World::new(json!({}), json!({})).await;
    let source = world.source();
    let one = async || source.fetch_one(Entity::Orders, &key("23"), &world.calls).await;
    for action in [FaultAction::HtmlPage, FaultAction::TruncatedBody] {
        world.sandbox.fault("ccv-shop", FaultRule::new(action)).unwrap();
        let failure = one().await.unwrap_err();
        assert!(matches!(failure, Failure::Retry { reason: RetryReason::Unavailable, .. }), "{failure:?}");
        assert!(one().await.unwrap().is_some());
    }
    world.sandbox.ccv_shop().set_switches(json!({ "response_signature": "wrong" })).unwrap();
    assert!(matches!(one().await.unwrap_err(), Failure::Settings(cause) if cause.code == "answer_not_signed"));
    world
        .sandbox
        .ccv_shop()
        .set_switches(json!({ "response_signature": "right", "api_app_installed": false }))
        .unwrap();
    assert!(matches!(one().await.unwrap_err(), Failure::Settings(cause) if cause.code == "app_missing"));
}

#[tokio::test]
async fn an_order_that_breaks_a_page_is_left_out_alone() {
    let world = World::new(json!({ "broken_records": ["orders/25"] }), json!({})).await;
    let records = world.read(&world.source(), Entity::Orders, SINCE).await;
    assert_eq!(records.len(), 10);
    assert!(records.iter().all(|record| record.key.as_str() != "25"));
}
