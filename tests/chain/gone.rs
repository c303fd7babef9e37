//! Records that vanish from the shop: they wait for nothing any more, and what was delivered of them is told.

use koppel_core::NonEmpty;
use koppel_core::message::Step;
use koppel_core::outcome::Outcome;
use koppel_flows::ledger::{self, State};
use koppel_flows::runs::{self, Scope};
use koppel_flows::{trail, waiting};
use serde_json::json;

use super::world::{Ended, FLOW, World, yaml};

/// Deletes an order in the shop for good.
fn delete(world: &World, id: &str) {
    let (status, _) = world.sandbox.woocommerce().inspect("DELETE", &format!("orders/{id}"), &json!(null));
    assert_eq!(status, 204);
}

fn key(id: &str) -> NonEmpty {
    NonEmpty::new(id).expect("an id")
}

async fn run_ids(world: &World, ids: &[&str]) -> Ended {
    world.run_scope(Scope { since: None, ids: ids.iter().map(|id| key(id)).collect() }).await
}

async fn entry(world: &World, id: &str) -> Option<ledger::Entry> {
    let entries = ledger::entries(&world.embedded.engine, &world.tenant, FLOW, &[key(id)]).await.expect("read");
    entries.into_iter().next().flatten().map(|versioned| versioned.entry)
}

#[tokio::test]
async fn an_order_that_waits_and_is_deleted_waits_for_nothing_any_more() {
    let world = World::new(yaml).await;
    let shop = world.sandbox.woocommerce();
    let mut order = shop.documents("orders").into_iter().find(|o| o["id"] == 24).expect("order 24");
    order["id"] = 40.into();
    order["number"] = "2026-40".into();
    order["line_items"][0]["sku"] = json!("ONBEKEND");
    assert!(shop.inspect("POST", "orders", &order).0 < 300);
    assert_eq!(world.run().await.labels(Outcome::Parked), ["2026-40"]);

    delete(&world, "40");
    world.sandbox.clock().advance(chrono::TimeDelta::minutes(16));
    world.host.schedule().await;
    let engine = &world.embedded.engine;
    let open = runs::state(engine, &world.tenant, FLOW).await.expect("state").open_run;
    let ended = world.finish(open.expect("the waiting order is due")).await;
    assert_eq!(ended.labels(Outcome::Skipped), ["2026-40"], "{:#?}", ended.by_label);
    assert!(ended.cause("2026-40").contains("the source no longer has this record"), "{}", ended.cause("2026-40"));
    assert!(waiting::list(engine, &world.tenant, FLOW).await.expect("list").is_empty());
    let known = entry(&world, "40").await.expect("remembered");
    assert_eq!(known.state, State::Gone);
    assert!(known.gone_at.is_some());
    let steps = trail::read(engine, &world.tenant, FLOW, &key("40")).await.expect("trail");
    let last = steps.last().expect("an entry");
    assert_eq!((last.step, &last.payload["gone"]["code"]), (Step::Fetch, &json!("gone")));
}

#[tokio::test]
async fn a_delivered_order_that_is_deleted_says_what_to_cancel_and_lives_again_when_it_comes_back() {
    let world = World::new(yaml).await;
    world.run().await;
    let number = world.sales_orders()["WC-24"]["OrderNumber"].to_string();
    let number = number.trim_matches('"');
    // Into the bin, from which it can come back.
    let whole = world.sandbox.woocommerce().documents("orders").into_iter().find(|o| o["id"] == 24).expect("order 24");
    let mut thrown_away = whole.clone();
    thrown_away["status"] = "trash".into();
    assert!(world.sandbox.woocommerce().inspect("POST", "orders", &thrown_away).0 < 300);
    let ended = run_ids(&world, &["24"]).await;
    assert_eq!(ended.labels(Outcome::Skipped), ["24"], "{:#?}", ended.by_label);
    assert_eq!(
        ended.cause("24"),
        format!(
            "flow web-orders, record 24: the source no longer has this record, but it was delivered to Exact Online as \
             {number}. To do: cancel {number} in Exact Online by hand when it must not count any more"
        )
    );
    assert_eq!(ended.by_label["24"].target_number, number);
    let known = entry(&world, "24").await.expect("remembered");
    assert_eq!((known.state, known.gone_at.is_some()), (State::Delivered, true));

    assert!(world.sandbox.woocommerce().inspect("POST", "orders", &whole).0 < 300);
    let ended = run_ids(&world, &["24"]).await;
    assert_eq!(ended.labels(Outcome::Unchanged), ["24"], "{:#?}", ended.by_label);
    assert_eq!(entry(&world, "24").await.expect("remembered").gone_at, None);
    assert_eq!(world.sales_orders().len(), 6);
}

#[tokio::test]
async fn an_id_that_nobody_knows_leaves_no_trace() {
    let world = World::new(yaml).await;
    let ended = run_ids(&world, &["999"]).await;
    assert_eq!(ended.labels(Outcome::Skipped), ["999"]);
    assert_eq!(entry(&world, "999").await, None);
    let steps = trail::read(&world.embedded.engine, &world.tenant, FLOW, &key("999")).await.expect("trail");
    assert!(steps.is_empty());
}
