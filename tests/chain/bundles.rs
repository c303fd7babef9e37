//! Orders with a bundle: the books get the lines that the flow names, with the same total at the same VAT rates, and so do
//! refunds of them.

use koppel_core::NonEmpty;
use koppel_core::outcome::Outcome;
use koppel_core::ports::Calls;
use koppel_flows::plan::Planner;
use koppel_flows::privacy::content_hash;
use koppel_flows::runs::Scope;
use koppel_flows::steps::explain::explain;
use koppel_flows::steps::preview;
use koppel_flows::{config, connections, trail};
use koppel_sandbox::{Handle, Options};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::world::{Ended, FLOW, World, yaml};

const REFUNDS: &str = "refunds";

/// Orders and their refunds, with this policy.
fn flows(sandbox: &Handle, policy: &str) -> String {
    let orders = yaml(sandbox).replace("    settings:\n", &format!("    settings:\n      bundles: {policy}\n"));
    // Refunds follow the flow of their orders, so theirs says nothing of bundles.
    let (_, settings) = orders.split_once(&format!("bundles: {policy}\n")).expect("settings");
    format!(
        "{orders}  {REFUNDS}:\n    from: shop\n    to: books\n    entity: refunds\n    document: sales-order\n    \
         since: 2026-01-01\n    settings:\n      refund_item: \"DIVERS\"\n{settings}"
    )
}

async fn world(policy: &str) -> World {
    World::new(|sandbox| flows(sandbox, policy)).await
}

/// An order of the shop with a bundle: its number, and the ids of its lines.
fn sell(world: &World, body: Value) -> (String, Vec<u64>) {
    let (status, answer) = world.sandbox.woocommerce().inspect("POST", "bundles", &body);
    assert_eq!(status, 201, "{answer}");
    let ids = answer["line_items"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect();
    (answer["id"].to_string(), ids)
}

/// A bundle for 30.00 of a mug and two posters that cost nothing, and one more mug beside it.
fn gift(plugin: &str) -> Value {
    json!({"plugin": plugin, "sku": "GRAV-K", "quantity": 1, "price": "30",
        "parts": [{"sku": "MOK-WIT", "quantity": 1, "price": "0"}, {"sku": "POSTER-1", "quantity": 2, "price": "0"}],
        "beside": [{"sku": "MOK-WIT", "quantity": 1}]})
}

/// A bundle without a price, of parts with theirs at two rates.
fn two_rates() -> Value {
    json!({"plugin": "bundles", "sku": "GRAV-K", "quantity": 1, "price": "0",
        "parts": [{"sku": "MOK-WIT", "quantity": 1, "price": "9.95"}, {"sku": "KOFFIE", "quantity": 1, "price": "18.35"}]})
}

fn number(value: &Value) -> Decimal {
    value.to_string().trim_matches('"').parse::<Decimal>().unwrap_or_else(|_| panic!("{value}")).normalize()
}

/// Lines of a document in the books: article, quantity, amount, VAT code.
fn booked(world: &World, reference: &str) -> Vec<String> {
    let order = &world.sales_orders()[reference];
    let items = world.sandbox.exact().documents("Items");
    let code = |line: &Value| items.iter().find(|item| item["ID"] == line["Item"]).unwrap()["Code"].clone();
    let lines = world.sandbox.exact().documents("SalesOrderLines");
    let own = lines.into_iter().filter(|line| line["OrderID"] == order["OrderID"]);
    let text = |value: &Value| value.as_str().unwrap_or_default().trim().to_owned();
    let row = |line: Value| {
        let vat = text(&line["VATCode"]);
        format!("{} {} {} {vat}", text(&code(&line)), number(&line["Quantity"]), number(&line["AmountFC"]))
    };
    let mut rows: Vec<String> = own.map(row).collect();
    rows.sort();
    rows
}

async fn run_refunds(world: &World) -> Ended {
    world.sandbox.clock().advance(chrono::TimeDelta::minutes(2));
    world.run_flow_scope(REFUNDS, Scope { since: Some(chrono::DateTime::UNIX_EPOCH), ids: Vec::new() }).await
}

#[tokio::test]
async fn each_policy_books_its_lines_and_the_same_total() {
    for (policy, plugin, expected) in [
        ("as_is", "bundles", vec!["GRAV-K 1 30 4", "MOK-WIT 1 0 4", "MOK-WIT 1 9.95 4", "POSTER-1 2 0 4"]),
        ("parent", "composites", vec!["GRAV-K 1 30 4", "MOK-WIT 1 9.95 4"]),
        ("children", "bundles", vec!["MOK-WIT 1 10 4", "MOK-WIT 1 9.95 4", "POSTER-1 2 20 4"]),
        (
            "both_priced_on_parent",
            "bundles",
            vec!["GRAV-K 1 30 4", "MOK-WIT 1 0 4", "MOK-WIT 1 9.95 4", "POSTER-1 2 0 4"],
        ),
        (
            "both_priced_on_children",
            "composites",
            vec!["GRAV-K 1 0 4", "MOK-WIT 1 10 4", "MOK-WIT 1 9.95 4", "POSTER-1 2 20 4"],
        ),
    ] {
        let world = world(policy).await;
        let (id, _) = sell(&world, gift(plugin));
        let ended = world.run().await;
        assert_eq!(ended.by_label[&id].outcome, Outcome::Created, "{policy}: {}", ended.cause(&id));
        let reference = format!("WC-{id}");
        assert_eq!(booked(&world, &reference), expected, "{policy}");
        // 39.95 and 21 % of it.
        assert_eq!(number(&world.sales_orders()[&reference]["AmountDC"]), "48.34".parse().unwrap(), "{policy}");
    }
}

#[tokio::test]
async fn parts_at_two_rates_keep_them_or_wait() {
    let world = world("parent").await;
    let (id, _) = sell(&world, two_rates());
    let ended = world.run().await;
    assert_eq!(ended.by_label[&id].outcome, Outcome::Parked, "{:?}", ended.by_label[&id]);
    let cause = ended.cause(&id);
    assert!(cause.contains("the bundle «GRAV-K» is charged at 21 % and «KOFFIE», a part of it, at 9 %"), "{cause}");
    assert!(cause.contains("set settings.bundles: children"), "{cause}");

    // With another setting it goes by itself.
    world.apply(&flows(&world.sandbox, "both_priced_on_children")).await;
    world.host.schedule().await;
    world.drain().await;
    let rows = booked(&world, &format!("WC-{id}"));
    assert_eq!(rows, ["GRAV-K 1 0 4", "KOFFIE 1 18.35 2", "MOK-WIT 1 9.95 4"]);
    assert_eq!(number(&world.sales_orders()[&format!("WC-{id}")]["AmountDC"]), "32.04".parse().unwrap());
}

/// Refunds one line as the shop's staff does; gives the reference of its document.
fn refund(world: &World, order: &str, line: u64, quantity: u64, net: &str, tax: &str) -> String {
    let body = json!({"line_items": [{"id": line, "quantity": quantity, "refund_total": net,
        "refund_tax": [{"id": 1, "refund_total": tax}]}]});
    let (status, answer) = world.sandbox.woocommerce().inspect("POST", &format!("orders/{order}/refunds"), &body);
    assert_eq!(status, 201, "{answer}");
    format!("WC-{order}-R{}", answer["id"])
}

#[tokio::test]
async fn a_refund_of_a_line_goes_where_its_order_has_put_it() {
    for (policy, whole, part) in [
        ("as_is", vec!["GRAV-K -1 -25 4"], vec!["MOK-WIT -1 -5 4"]),
        ("parent", vec!["GRAV-K -1 -25 4"], vec!["GRAV-K -1 -5 4"]),
        ("children", vec!["MOK-WIT -1 -8.33 4", "POSTER-1 -2 -16.67 4"], vec!["MOK-WIT -1 -5 4"]),
        ("both_priced_on_parent", vec!["GRAV-K -1 -25 4"], vec!["GRAV-K -1 -5 4", "MOK-WIT -1 0 4"]),
        (
            "both_priced_on_children",
            vec!["GRAV-K -1 0 4", "MOK-WIT -1 -8.33 4", "POSTER-1 -2 -16.67 4"],
            vec!["MOK-WIT -1 -5 4"],
        ),
    ] {
        let world = world(policy).await;
        let (id, lines) = sell(&world, gift("bundles"));
        world.run().await;
        let of_bundle = refund(&world, &id, lines[0], 1, "25.00", "5.25");
        let of_part = refund(&world, &id, lines[1], 1, "5.00", "1.05");
        let ended = run_refunds(&world).await;
        let made: Vec<&str> =
            ended.labels(Outcome::Created).into_iter().filter(|l| l.starts_with(&format!("{id} "))).collect();
        assert_eq!(made.len(), 2, "{policy}: {:#?}", ended.by_label);
        assert_eq!(booked(&world, &of_bundle), whole, "{policy}");
        assert_eq!(booked(&world, &of_part), part, "{policy}");
        assert_eq!(number(&world.sales_orders()[&of_bundle]["AmountDC"]), "-30.25".parse().unwrap(), "{policy}");
        assert_eq!(number(&world.sales_orders()[&of_part]["AmountDC"]), "-6.05".parse().unwrap(), "{policy}");
    }
}

#[tokio::test]
async fn a_plan_and_explain_say_what_a_run_does() {
    let world = world("children").await;
    let (id, lines) = sell(&world, gift("bundles"));
    let engine = &world.embedded.engine;
    let stored = config::load_current(&*engine.store, &world.tenant).await.unwrap().unwrap();
    let planner = Planner::new(engine, &world.tenant, &stored, FLOW, Scope::default(), None).await.unwrap();
    while planner.next().await.unwrap() {}
    let plan = planner.finish().await.unwrap();
    let planned = plan.record(&id).unwrap().clone();

    let flow = preview::load(engine, &world.tenant, FLOW, &stored.config, &stored.file).await.unwrap();
    let source = connections::source(engine, &world.tenant, &stored.config, "shop").await.unwrap();
    let key = NonEmpty::new(id.clone()).unwrap();
    let record = source.fetch_one(flow.flow.entity, &key, &Calls::default()).await.unwrap().unwrap();
    let told = explain(engine, &flow, &record).await;
    let became: Vec<String> = told.bundles.iter().map(|fate| format!("{}: {}", fate.article, fate.became)).collect();
    assert_eq!(
        became,
        [
            format!("GRAV-K: 30 divided over the lines {}, {}; left out", lines[1], lines[2]),
            format!("MOK-WIT: 10 of line {} added; sent", lines[0]),
            format!("POSTER-1: 20 of line {} added; sent", lines[0]),
        ]
    );
    // Codes are those of the lines that are sent.
    let items: Vec<&str> = told.codes.iter().filter(|c| c.path.ends_with(".item")).map(|c| c.code.as_str()).collect();
    assert_eq!(items, ["MOK-WIT", "POSTER-1", "MOK-WIT"]);

    let ended = world.run().await;
    assert_eq!(planned.result.outcome, ended.by_label[&id].outcome);
    let entries = trail::read(engine, &world.tenant, FLOW, &ended.by_label[&id].key).await.unwrap();
    let sent = &entries.last().unwrap().payload["payload"];
    assert_eq!(planned.payload_hash, content_hash(sent));
    let kept = entries.iter().find_map(|entry| entry.payload.get("bundles")).expect("the trail tells it too");
    assert_eq!(*kept, json!(told.bundles));
}

#[tokio::test]
async fn stock_on_its_way_counts_the_articles_that_go_to_the_books() {
    for (policy, asked) in [("parent", 1), ("children", 2)] {
        let with_stock = |sandbox: &Handle| {
            // The books do not know these terms, so the order waits.
            let orders = flows(sandbox, policy).replace("\"00\"", "\"nosuch\"").replace("\"30\"", "\"nosuch\"");
            format!("{orders}  stock: {{ from: books, to: shop, entity: stock }}\n")
        };
        let options = Options::default().switch("exact-online", json!({ "minute_limit": null }));
        let memory = std::path::Path::new(koppel_hosting::embedded::IN_MEMORY);
        let world = World::with(options, memory, with_stock).await;
        let stock = json!({ "item": "MOK-WIT", "warehouse": "1", "current": 200, "planned_out": 0 });
        assert!(world.sandbox.exact().inspect("POST", "stock", &stock).0 < 300);
        let (id, _) = sell(&world, gift("bundles"));
        let only = Scope { since: None, ids: vec![NonEmpty::new(id.clone()).unwrap()] };
        let ended = world.run_scope(only).await;
        assert_eq!(ended.by_label[&id].outcome, Outcome::Parked, "{:#?}", ended.by_label);
        world.run_flow("stock").await;
        let products = world.sandbox.woocommerce().documents("products");
        let mug = products.iter().find(|product| product["sku"] == "MOK-WIT").unwrap();
        assert_eq!(mug["stock_quantity"], json!(200 - asked), "{policy}");
    }
}
