//! Refunds of the recorded shop become what credits their orders: once, to the cent, and never before the order is there.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use koppel_core::outcome::Outcome;
use koppel_flows::runs::{self, Scope};
use koppel_flows::waiting;
use koppel_sandbox::Handle;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::world::{Ended, World, yaml};

const REFUNDS: &str = "refunds";

/// The recorded shop with a flow for its refunds; both flows make documents of this type.
fn with_refunds(sandbox: &Handle, document: &str) -> String {
    let orders = yaml(sandbox)
        .replace("document: sales-order", &format!("document: {document}"))
        .replace("item: \"AFRONDING\"", "item: \"AFRONDING\", account: \"4990\"");
    let extra = match document {
        "sales-order" => "",
        "direct-invoice" => "      journal: \"70\"\n      revenue_account: \"8000\"\n      warehouse: \"1\"\n",
        _ => "      journal: \"70\"\n      revenue_account: \"8000\"\n",
    };
    let orders = orders.replace("    settings:\n", &format!("    settings:\n{extra}"));
    let (_, settings) = orders.split_once("    settings:\n").expect("settings");
    format!(
        "{orders}  {REFUNDS}:\n    from: shop\n    to: books\n    entity: refunds\n    document: {document}\n    \
         since: 2026-01-01\n    settings:\n      refund_item: \"DIVERS\"\n{settings}"
    )
}

async fn world(document: &str) -> World {
    World::new(|sandbox| with_refunds(sandbox, document)).await
}

fn money(value: &Value) -> Decimal {
    value.to_string().trim_matches('"').parse().unwrap_or_else(|_| panic!("{value} is not a number"))
}

fn order(world: &World, id: u64) -> Value {
    world.sandbox.woocommerce().documents("orders").into_iter().find(|order| order["id"] == id).expect("the order")
}

/// What is given back of one line of an order: (list, quantity, net, tax).
fn line(order: &Value, list: &str, quantity: u64, net: &str, tax: &str) -> Value {
    let line = &order[list][0];
    json!({"id": line["id"], "quantity": quantity, "refund_total": net,
        "refund_tax": [{"id": line["taxes"][0]["id"], "refund_total": tax}]})
}

/// Refunds as the shop's staff does; gives the reference that its document must get.
fn refund(world: &World, order: u64, body: Value) -> String {
    let shop = world.sandbox.woocommerce();
    let (status, answer) = shop.inspect("POST", &format!("orders/{order}/refunds"), &body);
    assert_eq!(status, 201, "{answer}");
    format!("WC-{order}-R{}", answer["id"])
}

/// Every kind of refund there is; one more stands on order 31 since it was recorded.
fn every_kind(world: &World) {
    let twenty_five = order(world, 25);
    refund(world, 25, json!({"line_items": [line(&twenty_five, "line_items", 3, "26.87", "5.64")]}));
    refund(world, 25, json!({"line_items": [line(&twenty_five, "shipping_lines", 1, "6.95", "1.46")]}));
    refund(world, 25, json!({"line_items": [line(&twenty_five, "fee_lines", 1, "2.50", "0.53")]}));
    // An amount of a line, without a quantity.
    let twenty_three = order(world, 23);
    refund(world, 23, json!({"line_items": [line(&twenty_three, "line_items", 0, "1.00", "0.21")]}));
    // Amounts without lines: a part, a second one of the same order, a part without tax, and the whole of an order.
    refund(world, 31, json!({"amount": "5.00", "reason": "Kras"}));
    refund(world, 27, json!({"amount": "9.99"}));
    refund(world, 26, json!({"amount": "100.00"}));
    let whole = order(world, 24)["total"].clone();
    refund(world, 24, json!({"amount": whole}));
    assert_eq!(order(world, 24)["status"], "refunded");
}

/// Amount of every refund in the shop, by the reference that its document must have.
fn given_back(world: &World) -> BTreeMap<String, Decimal> {
    let rows = world.sandbox.woocommerce().documents("refunds");
    let reference = |row: &Value| format!("WC-{}-R{}", row["parent_id"], row["id"]);
    rows.iter().map(|row| (reference(row), money(&row["amount"]).normalize())).collect()
}

/// Documents in the books that credit another, by reference.
fn credits(world: &World, table: &str) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for row in world.sandbox.exact().documents(table) {
        let reference = row["YourRef"].as_str().unwrap_or_default().to_owned();
        if reference.contains("-R") {
            assert!(found.insert(reference.clone(), row).is_none(), "{reference} is there twice");
        }
    }
    found
}

async fn run_refunds(world: &World) -> Ended {
    // A new minute, so that calls of the run before are not counted.
    world.sandbox.clock().advance(TimeDelta::minutes(2));
    world.run_flow_scope(REFUNDS, Scope { since: Some(chrono::DateTime::UNIX_EPOCH), ids: Vec::new() }).await
}

async fn every_refund_is_booked_to_the_cent(document: &str, table: &str, kind: Option<(i64, i64)>) {
    let world = world(document).await;
    every_kind(&world);
    // Order 24 is refunded in full: as it was before, it arrives.
    let mut paid = order(&world, 24);
    paid["status"] = "completed".into();
    assert!(world.sandbox.woocommerce().inspect("POST", "orders", &paid).0 < 300);
    let orders = world.run().await;
    assert_eq!(orders.funnel.count(Outcome::Created), 6, "{document}: {:#?}", orders.by_label);
    assert!(orders.by_label["31"].warnings.is_empty(), "{:?}", orders.by_label["31"].warnings);

    let ended = run_refunds(&world).await;
    assert_eq!(ended.funnel.count(Outcome::Created), 9, "{document}: {:#?}", ended.by_label);
    let warned: Vec<_> = ended.by_label.values().filter(|result| !result.warnings.is_empty()).collect();
    assert!(warned.is_empty(), "{document}: {warned:#?}");
    let booked = credits(&world, table);
    let amounts: BTreeMap<String, Decimal> = booked
        .iter()
        .map(|(reference, row)| {
            let amount = money(&row["AmountDC"]).normalize();
            match kind {
                Some((credit, _)) => assert_eq!(row["Type"], credit, "{reference}"),
                None => assert!(amount < Decimal::ZERO, "{reference}: {amount}"),
            }
            (reference.clone(), amount.abs())
        })
        .collect();
    assert_eq!(amounts, given_back(&world), "{document}");
    if let Some((_, invoice)) = kind {
        let invoices = world.sandbox.exact().documents(table);
        assert_eq!(invoices.iter().filter(|row| row["Type"] == invoice).count(), 6);
    }
    let description = booked.values().find(|row| row["YourRef"] == "WC-31-R32").expect("the recorded one");
    assert_eq!(description["Description"], "Webshop 31 refund 32");

    let ended = run_refunds(&world).await;
    assert_eq!(ended.funnel.count(Outcome::Unchanged), 9, "{document}: {:#?}", ended.by_label);
    assert_eq!(credits(&world, table), booked, "a second run changes nothing");
}

#[tokio::test]
async fn refunds_become_sales_orders_of_less_than_nothing() {
    every_refund_is_booked_to_the_cent("sales-order", "SalesOrders", None).await;
}

#[tokio::test]
async fn refunds_become_credit_notes() {
    every_refund_is_booked_to_the_cent("sales-invoice", "SalesInvoices", Some((8021, 8020))).await;
}

#[tokio::test]
async fn refunds_become_direct_credit_notes() {
    every_refund_is_booked_to_the_cent("direct-invoice", "SalesInvoices", Some((8024, 8023))).await;
}

#[tokio::test]
async fn refunds_become_entries_of_less_than_nothing() {
    every_refund_is_booked_to_the_cent("financial-entry", "SalesEntries", None).await;
}

#[tokio::test]
async fn credit_lines_are_negative_where_the_books_want_that() {
    let world = World::new(|sandbox| {
        with_refunds(sandbox, "sales-invoice").replacen("    division:", "    credit_lines: negative\n    division:", 1)
    })
    .await;
    world.sandbox.exact().set_switches(json!({"credit_line_sign": "negative"})).expect("switched");
    world.run().await;
    let ended = run_refunds(&world).await;
    assert_eq!(ended.labels(Outcome::Created), ["31 refund 32"], "{:#?}", ended.by_label);
    assert!(ended.by_label["31 refund 32"].warnings.is_empty());
    assert_eq!(money(&credits(&world, "SalesInvoices")["WC-31-R32"]["AmountDC"]), "-12.10".parse().unwrap());
}

#[tokio::test]
async fn a_refund_waits_for_its_order_and_goes_as_soon_as_that_has_arrived() {
    let world = world("sales-invoice").await;
    let ended = run_refunds(&world).await;
    assert_eq!(ended.labels(Outcome::Parked), ["31 refund 32"], "{:#?}", ended.by_label);
    let cause = ended.cause("31 refund 32");
    assert!(cause.contains("the order WC-31 that refund 32 belongs to is not in Exact Online yet"), "{cause}");
    assert!(cause.contains("once the flow «web-orders» has delivered the order"), "{cause}");

    world.run().await;
    // Without any time going by: the order has told that it is there.
    world.host.schedule().await;
    let engine = &world.embedded.engine;
    let open = runs::state(engine, &world.tenant, REFUNDS).await.expect("state").open_run.expect("a run has begun");
    let ended = world.finish_flow(REFUNDS, open).await;
    assert_eq!(ended.labels(Outcome::Created), ["31 refund 32"], "{:#?}", ended.by_label);
    assert!(waiting::list(engine, &world.tenant, REFUNDS).await.expect("list").is_empty());
    assert_eq!(money(&credits(&world, "SalesInvoices")["WC-31-R32"]["AmountDC"]), "12.10".parse().unwrap());
}

#[tokio::test]
async fn an_order_that_is_in_the_books_by_another_way_is_credited_too() {
    let world = world("sales-order").await;
    world.run().await;
    let without_orders =
        with_refunds(&world.sandbox, "sales-order").replace("entity: orders", "entity: orders\n    paused: true");
    let alone = without_orders.replace("  web-orders:\n    from: shop", "  web-orders:\n    from: other");
    let (connections, flows) = alone.split_once("  books:").expect("books");
    let (_, shop) = connections.split_once("  shop:").expect("shop");
    world.apply(&format!("{connections}  other:{shop}  books:{flows}")).await;
    let ended = run_refunds(&world).await;
    assert_eq!(ended.labels(Outcome::Created), ["31 refund 32"], "{:#?}", ended.by_label);
}

#[tokio::test]
async fn there_is_nothing_to_credit_of_an_order_that_was_refunded_before_it_was_booked() {
    let world = world("sales-invoice").await;
    let whole = order(&world, 24)["total"].clone();
    refund(&world, 24, json!({"amount": whole}));
    world.run().await;
    let ended = run_refunds(&world).await;
    let label = ended.labels(Outcome::Parked)[0].to_owned();
    assert!(label.starts_with("24 refund"), "{:#?}", ended.by_label);

    world.sandbox.clock().advance(TimeDelta::hours(23));
    let ended = run_refunds(&world).await;
    assert_eq!(ended.labels(Outcome::Parked), [label.as_str()], "it may still come: {:#?}", ended.by_label);
    world.sandbox.clock().advance(TimeDelta::hours(1));
    let ended = run_refunds(&world).await;
    assert_eq!(ended.labels(Outcome::Skipped), [label.as_str()], "{:#?}", ended.by_label);
    let cause = ended.cause(&label);
    assert!(cause.contains("nothing to credit: order WC-24 was refunded before it was booked"), "{cause}");
    let waits = waiting::list(&world.embedded.engine, &world.tenant, REFUNDS).await.expect("list");
    assert!(waits.is_empty(), "{waits:?}");
    // Read once more it does not wait for another day.
    assert_eq!(run_refunds(&world).await.labels(Outcome::Skipped), [label.as_str()]);
    assert_eq!(credits(&world, "SalesInvoices").keys().collect::<Vec<_>>(), ["WC-31-R32"]);
}

#[tokio::test]
async fn lines_that_are_not_the_amount_are_rejected_with_the_sums() {
    let world = world("sales-invoice").await;
    let twenty_five = order(&world, 25);
    let items = json!([line(&twenty_five, "line_items", 1, "8.96", "1.88")]);
    refund(&world, 25, json!({"amount": "20.00", "line_items": items}));
    world.run().await;
    let ended = run_refunds(&world).await;
    let label = ended.labels(Outcome::Rejected)[0].to_owned();
    let cause = ended.cause(&label);
    assert!(cause.contains("lines -8.96 + tax -1.88 = -10.84, but the total is -20"), "{cause}");
    assert_eq!(credits(&world, "SalesInvoices").keys().collect::<Vec<_>>(), ["WC-31-R32"]);
}

#[tokio::test]
async fn a_page_of_refunds_costs_two_calls_of_the_shop() {
    let world = world("sales-order").await;
    every_kind(&world);
    world.sandbox.woocommerce().reset_calls();
    let ended = run_refunds(&world).await;
    assert_eq!(ended.funnel.fetched, 9);
    assert_eq!(world.sandbox.woocommerce().total_calls(), 2, "{:?}", world.sandbox.woocommerce().calls());
}
