//! What was known of the books and is no longer true: the next try asks again.

use koppel_core::outcome::Outcome;
use koppel_flows::runs;
use koppel_flows::waiting;
use serde_json::{Value, json};

use super::world::{Ended, FLOW, World, yaml};

/// Another order of the buyer of order 24.
fn order_again(world: &World, id: u64) {
    let shop = world.sandbox.woocommerce();
    let mut order = shop.documents("orders").into_iter().find(|o| o["id"] == 24).expect("order 24");
    let now = world.sandbox.clock().now().format("%Y-%m-%dT%H:%M:%S").to_string();
    order["id"] = id.into();
    order["number"] = id.to_string().into();
    order["date_modified_gmt"] = now.as_str().into();
    order["date_modified"] = now.as_str().into();
    let (status, answer) = shop.inspect("POST", "orders", &order);
    assert!(status < 300, "{answer}");
}

/// The row of a table of the books.
fn row(world: &World, table: &str, is: impl Fn(&Value) -> bool) -> Value {
    world.sandbox.exact().documents(table).into_iter().find(is).expect("a row")
}

fn account_of_24(world: &World) -> Value {
    let account = world.sales_orders()["WC-24"]["OrderedBy"].clone();
    row(world, "Accounts", |a| a["ID"] == account)
}

/// Runs what the schedule finds due.
async fn run_due(world: &World) -> Ended {
    world.host.schedule().await;
    let state = runs::state(&world.embedded.engine, &world.tenant, FLOW).await.expect("state");
    world.finish(state.open_run.expect("something is due")).await
}

#[tokio::test]
async fn a_customer_that_was_deleted_in_the_books_is_made_anew() {
    let world = World::new(yaml).await;
    world.run().await;
    let id = account_of_24(&world)["ID"].as_str().expect("an id").to_owned();
    let (status, _) = world.sandbox.exact().inspect("DELETE", &format!("rows/crm/Accounts/{id}"), &json!(null));
    assert_eq!(status, 204);
    order_again(&world, 50);
    let ended = world.run().await;
    assert_eq!(ended.labels(Outcome::Rejected), ["50"], "{:#?}", ended.by_label);
    let ended = run_due(&world).await;
    assert_eq!(ended.labels(Outcome::Created), ["50"], "{:#?}", ended.by_label);
    let account = world.sales_orders()["WC-50"]["OrderedBy"].clone();
    assert_ne!(account, id);
    assert!(!row(&world, "Accounts", |a| a["ID"] == account).is_null());
    assert!(waiting::list(&world.embedded.engine, &world.tenant, FLOW).await.expect("list").is_empty());
}

#[tokio::test]
async fn a_blocked_customer_is_tried_once_more_and_then_waits_for_a_person() {
    let world = World::new(yaml).await;
    world.run().await;
    let mut account = account_of_24(&world);
    for computed in ["Timestamp", "__metadata"] {
        account.as_object_mut().expect("a row").remove(computed);
    }
    account["Blocked"] = true.into();
    let (status, answer) = world.sandbox.exact().inspect("POST", "rows/crm/Accounts", &account);
    assert!(status < 300, "{answer}");
    order_again(&world, 50);
    assert_eq!(world.run().await.labels(Outcome::Rejected), ["50"]);
    let ended = run_due(&world).await;
    assert_eq!(ended.labels(Outcome::Rejected), ["50"], "{:#?}", ended.by_label);
    // Once more, not for ever.
    world.host.schedule().await;
    let state = runs::state(&world.embedded.engine, &world.tenant, FLOW).await.expect("state");
    assert_eq!(state.open_run, None);
    let list = waiting::list(&world.embedded.engine, &world.tenant, FLOW).await.expect("list");
    assert_eq!((list.len(), list[0].times, list[0].due_at), (1, 2, None));
}

#[tokio::test]
async fn an_item_that_was_replaced_under_its_code_is_looked_up_again() {
    let world = World::new(yaml).await;
    world.run().await;
    let sku = world.sandbox.woocommerce().documents("orders").into_iter().find(|o| o["id"] == 24).expect("order 24")
        ["line_items"][0]["sku"]
        .clone();
    let mut item = row(&world, "Items", |i| i["Code"] == sku);
    let old = item["ID"].as_str().expect("an id").to_owned();
    for computed in ["Timestamp", "__metadata"] {
        item.as_object_mut().expect("a row").remove(computed);
    }
    let exact = world.sandbox.exact();
    assert_eq!(exact.inspect("DELETE", &format!("rows/logistics/Items/{old}"), &json!(null)).0, 204);
    let new = "00000000-0000-4000-8000-000000000077";
    item["ID"] = new.into();
    assert!(exact.inspect("POST", "rows/logistics/Items", &item).0 < 300);
    order_again(&world, 50);
    assert_eq!(world.run().await.labels(Outcome::Rejected), ["50"]);
    let ended = run_due(&world).await;
    assert_eq!(ended.labels(Outcome::Created), ["50"], "{:#?}", ended.by_label);
    let order = world.sales_orders()["WC-50"].clone();
    let lines = exact.documents("SalesOrderLines");
    assert!(lines.iter().any(|l| l["OrderID"] == order["OrderID"] && l["Item"] == new));
}

#[tokio::test]
async fn an_item_whose_code_changed_is_still_the_same_item_until_it_is_asked_again() {
    let world = World::new(yaml).await;
    world.run().await;
    let sku = world.sandbox.woocommerce().documents("orders").into_iter().find(|o| o["id"] == 24).expect("order 24")
        ["line_items"][0]["sku"]
        .clone();
    let mut item = row(&world, "Items", |i| i["Code"] == sku);
    let id = item["ID"].clone();
    for computed in ["Timestamp", "__metadata"] {
        item.as_object_mut().expect("a row").remove(computed);
    }
    item["Code"] = "ANDERS".into();
    assert!(world.sandbox.exact().inspect("POST", "rows/logistics/Items", &item).0 < 300);
    order_again(&world, 50);
    let ended = world.run().await;
    assert_eq!(ended.labels(Outcome::Created), ["50"], "{:#?}", ended.by_label);
    let order = world.sales_orders()["WC-50"].clone();
    let lines = world.sandbox.exact().documents("SalesOrderLines");
    assert!(lines.iter().any(|l| l["OrderID"] == order["OrderID"] && l["Item"] == id));
    // After half a day the code is asked again, and the shop's article is not there under its number.
    world.sandbox.clock().advance(chrono::TimeDelta::hours(13));
    order_again(&world, 51);
    let ended = world.run().await;
    assert_eq!(ended.labels(Outcome::Parked), ["51"], "{:#?}", ended.by_label);
    assert!(ended.cause("51").contains("is not in Exact Online"), "{}", ended.cause("51"));
}
