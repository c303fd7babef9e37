//! The dead man's switch: the shop itself is asked whether its orders have arrived.

use chrono::TimeDelta;
use koppel_core::NonEmpty;
use koppel_core::event::EventKind;
use koppel_core::ports::Condition;
use koppel_flows::alerts::{self, Alert, Facts};
use koppel_flows::runs::{self, Scope};
use koppel_flows::{ledger, waiting};
use koppel_sandbox::Handle;

use super::world::{FLOW, World, yaml};

fn scheduled(sandbox: &Handle) -> String {
    yaml(sandbox).replace("    since: 2026-01-01", "    schedule: { every: 5m }\n    since: 2026-01-01")
}

/// Another order like order 24, changed now.
fn order_now(world: &World, id: u64, total: Option<&str>) {
    let shop = world.sandbox.woocommerce();
    let mut order = shop.documents("orders").into_iter().find(|o| o["id"] == 24).expect("order 24");
    let now = world.sandbox.clock().now().format("%Y-%m-%dT%H:%M:%S").to_string();
    order["id"] = id.into();
    order["number"] = format!("NR-{id}").into();
    order["date_modified_gmt"] = now.as_str().into();
    order["date_modified"] = now.as_str().into();
    if let Some(total) = total {
        order["total"] = total.into();
    }
    let (status, answer) = shop.inspect("POST", "orders", &order);
    assert!(status < 300, "{answer}");
}

/// The alert about missing orders, as it stands now.
async fn missing(world: &World) -> Option<Alert> {
    let engine = &world.embedded.engine;
    alerts::look(engine, &world.tenant, &Facts::default()).await.expect("look");
    let open = alerts::open(engine, &world.tenant).await.expect("open");
    open.into_iter().find(|alert| alert.key == format!("missing/{FLOW}"))
}

/// Orders that the bus told to be missing: how many, and the oldest.
async fn told(world: &World) -> Vec<(u64, String)> {
    let events = world.embedded.bus.recent(&world.tenant, 200).await.expect("events");
    let of = |kind| match kind {
        EventKind::DeadMan { count, oldest, .. } => Some((count, oldest)),
        _ => None,
    };
    events.into_iter().filter_map(|event| of(event.kind)).collect()
}

#[tokio::test]
async fn an_order_that_was_passed_over_is_named_until_it_has_arrived() {
    let world = World::new(scheduled).await;
    world.run().await;
    order_now(&world, 50, None);
    order_now(&world, 51, Some("0.00"));
    world.sandbox.clock().advance(TimeDelta::minutes(10));
    world.run().await;
    assert!(world.sales_orders().contains_key("WC-NR-50"), "{:?}", world.sales_orders().keys());
    world.sandbox.clock().advance(TimeDelta::minutes(70));
    world.run().await;
    world.host.schedule().await;
    assert_eq!(missing(&world).await, None, "order 51 does not pass the filter, and all others have arrived");

    // As if it had never been seen.
    let engine = &world.embedded.engine;
    let key = NonEmpty::new("50").expect("a key");
    engine.store.delete(&ledger::key(&world.tenant, FLOW, &key), Condition::Always).await.expect("forgotten");
    let watch = koppel_core::ports::Key::new(&world.tenant, &["dead-man"], FLOW);
    engine.store.delete(&watch, Condition::Always).await.expect("not looked at yet");
    world.host.schedule().await;
    let alert = missing(&world).await.expect("order 50 is missing");
    assert_eq!(alert.details[0].records, ["NR-50"], "{alert:?}");
    assert!(alert.title.contains("1 order of «shop» did not arrive"), "{alert:?}");
    assert_eq!(told(&world).await, [(1, "NR-50".to_owned())]);

    world.run_scope(Scope { since: None, ids: vec![key] }).await;
    assert!(waiting::list(engine, &world.tenant, FLOW).await.expect("list").is_empty());
    world.sandbox.clock().advance(TimeDelta::minutes(16));
    world.run().await;
    world.host.schedule().await;
    assert_eq!(missing(&world).await, None);
    assert_eq!(told(&world).await.len(), 1);
}

#[tokio::test]
async fn a_flow_that_stands_still_while_the_shop_sells_is_told() {
    let world = World::new(scheduled).await;
    world.run().await;
    // The shop's dates have whole seconds: an order of the very second of the cursor counts as read.
    world.sandbox.clock().advance(TimeDelta::seconds(2));
    order_now(&world, 50, None);
    world.sandbox.clock().advance(TimeDelta::hours(2));
    // A run begins; nobody works on it.
    world.host.schedule().await;
    assert_eq!(missing(&world).await, None, "it has just begun");
    world.sandbox.clock().advance(TimeDelta::minutes(16));
    world.host.schedule().await;
    let alert = missing(&world).await.expect("nothing moves");
    assert!(alert.title.contains("nothing has been read since") && alert.title.contains("1 order"), "{alert:?}");
    assert_eq!(told(&world).await, [(1, "NR-50".to_owned())]);

    let state = runs::state(&world.embedded.engine, &world.tenant, FLOW).await.expect("state");
    world.finish(state.open_run.expect("a run is open")).await;
    world.sandbox.clock().advance(TimeDelta::minutes(16));
    world.run().await;
    world.host.schedule().await;
    assert_eq!(missing(&world).await, None);
}
