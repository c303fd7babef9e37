//! What the chain does when things go wrong: no order is lost, none arrives twice, and every message says what to do.

use koppel_core::outcome::Outcome;
use koppel_flows::runs::Scope;
use koppel_flows::waiting::{self, WaitReason};
use koppel_sandbox::{FaultAction, FaultRule};

use super::world::{FLOW, World, yaml};

const ALL: [&str; 6] = ["WC-23", "WC-24", "WC-25", "WC-26", "WC-27", "WC-31"];

fn assert_all_once(world: &World) {
    assert_eq!(world.sales_orders().keys().collect::<Vec<_>>(), ALL);
}

async fn waiting(world: &World) -> Vec<waiting::Waiting> {
    waiting::list(&world.embedded.engine, &world.tenant, FLOW).await.expect("the list")
}

#[tokio::test]
async fn an_order_whose_answer_was_lost_is_found_and_not_created_again() {
    let world = World::new(yaml).await;
    let lost = FaultRule::new(FaultAction::AnswerLost).method("POST").path("SalesOrders").count(3);
    world.sandbox.exact().fault(lost).expect("a rule");
    let ended = world.run().await;
    assert_eq!(ended.funnel.count(Outcome::Created), 6, "{:#?}", ended.by_label);
    assert_all_once(&world);
}

#[tokio::test]
async fn a_customer_whose_answer_was_lost_is_found_and_not_created_again() {
    let world = World::new(yaml).await;
    for path in ["Accounts", "Contacts", "Addresses"] {
        let lost = FaultRule::new(FaultAction::AnswerLost).method("POST").path(path);
        world.sandbox.exact().fault(lost).expect("a rule");
    }
    let ended = world.run().await;
    assert_eq!(ended.funnel.count(Outcome::Created), 6, "{:#?}", ended.by_label);
    assert_all_once(&world);
    let mut emails: Vec<String> = world
        .sandbox
        .exact()
        .documents("Accounts")
        .iter()
        .filter_map(|a| a["Email"].as_str().map(str::to_owned))
        .filter(|e| !e.is_empty())
        .collect();
    emails.sort();
    let mut unique = emails.clone();
    unique.dedup();
    assert_eq!(emails, unique, "a customer is there twice");
}

#[tokio::test]
async fn a_customer_that_is_throttled_half_way_is_completed_and_not_created_again() {
    let world = World::new(yaml).await;
    let reset = (world.sandbox.clock().now() + chrono::TimeDelta::seconds(2)).timestamp_millis();
    let mut throttled = FaultRule::new(FaultAction::Status).method("POST").path("Contacts").status(429);
    throttled.headers = vec![("X-RateLimit-Minutely-Reset".into(), reset.to_string())];
    world.sandbox.exact().fault(throttled).expect("a rule");
    let ended = world.run().await;
    assert_eq!(ended.labels(Outcome::Created).len(), 6, "{:#?}", ended.by_label);
    let accounts = world.sandbox.exact().documents("Accounts");
    let same: Vec<_> = accounts.iter().filter(|a| a["Email"] == "inkoop@peeters.example.test").collect();
    assert_eq!(same.len(), 1, "{same:#?}");
    let contacts = world.sandbox.exact().documents("Contacts");
    assert_eq!(contacts.iter().filter(|c| c["Account"] == same[0]["ID"]).count(), 1);
}

#[tokio::test]
async fn server_errors_html_pages_and_resets_only_delay() {
    let world = World::new(yaml).await;
    let exact = world.sandbox.exact();
    exact.fault(FaultRule::new(FaultAction::HtmlPage).path("SalesOrders").count(2)).expect("a rule");
    exact.fault(FaultRule::new(FaultAction::ConnectionReset).path("Items")).expect("a rule");
    exact.fault(FaultRule::new(FaultAction::TruncatedBody).path("Accounts")).expect("a rule");
    world.sandbox.woocommerce().fault(FaultRule::new(FaultAction::HtmlPage).path("orders")).expect("a rule");
    let ended = world.run().await;
    assert_eq!(ended.funnel.count(Outcome::Created), 6, "{:#?}", ended.by_label);
    assert_all_once(&world);
}

#[tokio::test]
async fn an_unknown_article_waits_and_goes_on_by_itself_when_it_exists() {
    let world = World::new(yaml).await;
    let shop = world.sandbox.woocommerce();
    let mut order = shop.documents("orders").into_iter().find(|o| o["id"] == 31).expect("order 31");
    order["id"] = 40.into();
    order["number"] = "40".into();
    order["refunds"] = serde_json::json!([]);
    order["line_items"][0]["sku"] = "ONBEKEND".into();
    let (status, answer) = shop.inspect("POST", "orders", &order);
    assert!(status < 300, "{answer}");

    let ended = world.run().await;
    assert_eq!(ended.labels(Outcome::Parked), ["40"], "{:#?}", ended.by_label);
    assert_eq!(
        ended.cause("40"),
        "flow web-orders, record 40, row lines.sku: the item «ONBEKEND» is not in Exact Online. To do: create the item in \
         Exact Online, or correct the article number in the shop; it is then tried again by itself"
    );
    assert_eq!(ended.funnel.count(Outcome::Created), 6, "the others go on");
    let list = waiting(&world).await;
    assert_eq!((list.len(), list[0].reason), (1, WaitReason::Settings));

    let exact = world.sandbox.exact();
    let mut item = exact.documents("Items").into_iter().find(|i| i["Code"] == "POSTER-1").expect("an item");
    for computed in ["Timestamp", "__metadata"] {
        item.as_object_mut().expect("a row").remove(computed);
    }
    item["ID"] = "00000000-0000-4000-8000-000000000040".into();
    item["Code"] = "ONBEKEND".into();
    let (status, answer) = exact.inspect("POST", "rows/logistics/Items", &item);
    assert!(status < 300, "{answer}");
    world.sandbox.clock().advance(chrono::TimeDelta::minutes(16));
    world.host.schedule().await;
    let state = koppel_flows::runs::state(&world.embedded.engine, &world.tenant, FLOW).await.expect("state");
    let ended = world.finish(state.open_run.expect("the schedule has started a run for what is due")).await;
    assert_eq!(ended.labels(Outcome::Created), ["40"], "{:#?}", ended.by_label);
    assert!(waiting(&world).await.is_empty());
}

#[tokio::test]
async fn a_missing_vat_rule_waits_until_the_configuration_has_it() {
    let without = |s: &koppel_sandbox::Handle| yaml(s).replace(", DE/19: \"12\"", "");
    let world = World::new(without).await;
    let ended = world.run().await;
    assert_eq!(ended.labels(Outcome::Parked), ["27"]);
    assert!(ended.cause("27").contains("no VAT code for 19 % to DE"), "{}", ended.cause("27"));
    // A new configuration makes it due at once.
    world.apply(&yaml(&world.sandbox)).await;
    world.host.schedule().await;
    let state = koppel_flows::runs::state(&world.embedded.engine, &world.tenant, FLOW).await.expect("state");
    let ended = world.finish(state.open_run.expect("the waiting order is due")).await;
    assert_eq!(ended.labels(Outcome::Created), ["27"], "{:#?}", ended.by_label);
    assert_all_once(&world);
}

#[tokio::test]
async fn a_dead_token_stops_the_flow_and_loses_nothing() {
    let world = World::new(yaml).await;
    // Nobody used the connection for longer than a refresh token lives.
    world.sandbox.clock().advance(chrono::TimeDelta::days(31));
    let ended = world.run().await;
    assert_eq!(ended.funnel.count(Outcome::Parked), 6, "{:#?}", ended.by_label);
    assert!(ended.cause("23").contains("koppel connect books"), "{}", ended.cause("23"));
    let stopped =
        koppel_flows::connections::stopped(&world.embedded.engine, &world.tenant, "books").await.expect("read");
    assert!(stopped.is_some());
    // While it is stopped nothing is started.
    world.host.schedule().await;
    let state = koppel_flows::runs::state(&world.embedded.engine, &world.tenant, FLOW).await.expect("state");
    assert_eq!(state.open_run, None);

    world.consent("books").await;
    world.host.schedule().await;
    let state = koppel_flows::runs::state(&world.embedded.engine, &world.tenant, FLOW).await.expect("state");
    let ended = world.finish(state.open_run.expect("the parked orders are due")).await;
    assert_eq!(ended.funnel.count(Outcome::Created), 6, "{:#?}", ended.by_label);
    assert_all_once(&world);
}

#[tokio::test]
async fn an_order_that_somebody_else_has_entered_is_skipped_and_named() {
    let world = World::new(yaml).await;
    world.run().await;
    let orders = world.sales_orders();
    let number = orders["WC-24"]["OrderNumber"].to_string();
    // Another engine, with an empty ledger, meets books that have all orders already.
    let World { sandbox, .. } = world;
    let other = World::around(sandbox, std::path::Path::new(":memory:")).await;
    other.apply(&yaml(&other.sandbox)).await;
    other.consent("books").await;
    let ended = other.run_scope(Scope::default()).await;
    assert_eq!(ended.funnel.count(Outcome::Skipped), 6, "{:#?}", ended.by_label);
    assert_eq!(ended.cause("24"), format!("Exact Online already has it as {}", number.trim_matches('"')));
    assert_all_once(&other);
}
