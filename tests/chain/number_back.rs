//! The number of a document goes back to the order that it was made of, where the setting `number_back` says so.

use chrono::TimeDelta;
use koppel_core::outcome::Outcome;
use koppel_flows::config;
use koppel_flows::number_back::{self, Owed};
use koppel_flows::runs::Scope;
use koppel_sandbox::{FaultAction, FaultRule, Handle};
use serde_json::Value;

use super::world::{FLOW, World, yaml};

const ALL: [&str; 6] = ["23", "24", "25", "26", "27", "31"];

fn with_numbers(sandbox: &Handle) -> String {
    yaml(sandbox).replacen("    settings:\n", "    settings:\n      number_back: erp_number\n", 1)
}

/// What the shop shows as the number of an order's document.
fn noted(world: &World, order: &str) -> Option<String> {
    let orders = world.sandbox.woocommerce().documents("orders");
    let id: u64 = order.parse().expect("an id");
    let order = orders.into_iter().find(|row| row["id"] == id).expect("the order");
    let meta = order["meta_data"].as_array().cloned().unwrap_or_default();
    let mut rows = meta.iter().filter(|row| row["key"] == "erp_number");
    let found = rows.next().map(|row| row["value"].as_str().expect("a text").to_owned());
    assert!(rows.next().is_none(), "it is noted twice: {meta:#?}");
    found
}

fn booked(world: &World, order: &str) -> String {
    world.sales_orders()[&format!("WC-{order}")]["OrderNumber"].to_string()
}

fn writes(world: &World) -> Vec<String> {
    let log = world.sandbox.woocommerce().log();
    log.iter().filter(|call| call.method != "GET").map(|call| format!("{} {}", call.method, call.path)).collect()
}

async fn owed(world: &World) -> Vec<Owed> {
    number_back::owed(&world.embedded.engine, &world.tenant, FLOW).await.expect("the list")
}

#[tokio::test]
async fn the_numbers_of_a_run_are_noted_at_their_orders_by_one_call() {
    let world = World::new(with_numbers).await;
    let ended = world.run().await;
    assert_eq!(ended.funnel.count(Outcome::Created), 6, "{:#?}", ended.by_label);
    assert_eq!(writes(&world), [""; 0], "no order waits for its number to be noted");
    world.host.schedule().await;
    for order in ALL {
        assert_eq!(noted(&world, order), Some(booked(&world, order)), "order {order}");
    }
    assert_eq!(writes(&world), ["POST /wp-json/wc/v3/orders/batch"]);
    assert_eq!(owed(&world).await, []);
    // The shop dates the orders anew; they are known, and nothing follows from it.
    world.sandbox.clock().advance(TimeDelta::minutes(20));
    let again = Scope { since: Some(chrono::DateTime::UNIX_EPOCH), ids: Vec::new() };
    let ended = world.run_scope(again).await;
    assert_eq!(ended.funnel.count(Outcome::Unchanged), 6, "{:#?}", ended.by_label);
    world.host.schedule().await;
    assert_eq!((writes(&world).len(), world.sales_orders().len()), (1, 6));
}

#[tokio::test]
async fn a_shop_that_cannot_take_them_now_is_told_later() {
    let world = World::new(with_numbers).await;
    world.run().await;
    let down = FaultRule::new(FaultAction::HtmlPage).method("POST").path("orders/batch").count(4);
    world.sandbox.woocommerce().fault(down).expect("a rule");
    world.host.schedule().await;
    let list = owed(&world).await;
    assert_eq!(list.len(), 6);
    assert!(list.iter().all(|one| one.times == 1 && one.cause.is_some()), "{list:#?}");
    world.host.schedule().await;
    assert_eq!(owed(&world).await, list, "before its time it is not asked again");
    for _ in 0..6 {
        world.sandbox.clock().advance(TimeDelta::hours(3));
        world.host.schedule().await;
    }
    assert_eq!(owed(&world).await, []);
    for order in ALL {
        assert_eq!(noted(&world, order), Some(booked(&world, order)), "order {order}");
    }
}

#[tokio::test]
async fn an_order_that_is_gone_from_the_shop_holds_up_no_other() {
    let world = World::new(with_numbers).await;
    world.run().await;
    let (status, answer) = world.sandbox.woocommerce().inspect("DELETE", "orders/24", &Value::Null);
    assert!(status < 300, "{answer}");
    world.host.schedule().await;
    assert_eq!(noted(&world, "23"), Some(booked(&world, "23")));
    assert_eq!(owed(&world).await, [], "what the shop will never take is given up");
}

#[tokio::test]
async fn without_the_setting_nothing_is_written_to_the_shop() {
    let world = World::new(yaml).await;
    world.run().await;
    world.host.schedule().await;
    assert_eq!((writes(&world), owed(&world).await), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a_field_that_the_source_does_not_have_is_refused_with_the_nearest() {
    let world = World::new(yaml).await;
    let causes = |text: &str| {
        let config = config::parse("koppel.yaml", text).unwrap();
        let causes = config::validate(&*world.embedded.engine.systems, &config, "koppel.yaml");
        causes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let good = with_numbers(&world.sandbox);
    assert_eq!(causes(&good), "");
    let told = causes(&good.replace("number_back: erp_number", "number_back: \"\""));
    assert!(told.contains("settings.number_back: «» is not the name of a custom field of WooCommerce"), "{told}");
    let other = |system: &str, field: &str| {
        let options = "    credentials: { public_key: \"a\", secret_key: \"b\" }\n";
        let text = good.replace("number_back: erp_number", &format!("number_back: {field}"));
        let (before, rest) = text.split_once("  shop:\n").expect("the shop");
        let (_, books) = rest.split_once("  books:\n").expect("the books");
        format!("{before}  shop:\n    system: {system}\n    url: http://127.0.0.1:9\n{options}  books:\n{books}")
    };
    let told = causes(&other("ccv-shop", "external_referense"));
    assert!(told.contains("CCV Shop has no field «external_referense» for the number of a document"), "{told}");
    assert!(told.contains("did you mean «external_reference»?"), "{told}");
}
