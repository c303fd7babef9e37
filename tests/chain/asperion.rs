//! The pair WooCommerce–Asperion: orders and refunds into the books, articles, stock and customers both ways, against the
//! stand-in in its strictest form.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::TimeDelta;
use koppel_core::outcome::Outcome;
use koppel_flows::runs::Scope;
use koppel_hosting::embedded;
use koppel_sandbox::asperion::{ADMINISTRATION, CLIENT_ID, CLIENT_SECRET};
use koppel_sandbox::{Handle, Options};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::world::{FLOW, World, connections_yaml};

const SETTINGS: &str = r#"
      vat_code: { table: { NL/21: "1", NL/9: "2", DE/19: "DE1", BE/0/exempt: "5" } }
      revenue_account: { by_country: { DE: "8030" }, default: "8000" }
      payment_terms: { table: { bacs: "30" }, default: "1" }
      default_customer: { when: guest, code: "10000" }
      rounding: { line: true, account: "4990", vat_code: "0", max: "0.05" }
"#;

fn connections(sandbox: &Handle) -> String {
    let exact = connections_yaml(sandbox);
    let shop = exact.split("  books:").next().unwrap_or_default();
    format!(
        r#"{shop}  books:
    system: asperion
    administration: {ADMINISTRATION}
    url: {books}
    redirect_uri: http://127.0.0.1:8976/callback
    debtor_account: 1300
    vat_account: 1510
    assume_articles: true
    assume_debtor_update: true
    calls_per_minute: 600
    variants: {{ field: characteristic1 }}
    attributes: {{ Kleur: characteristic2, Maat: characteristic3 }}
    features: {{ Merk: characteristic4 }}
    virtual: {{ unit: uur }}
    debtor_kinds: {{ company: ZAK, person: PART }}
    credentials: {{ client_id: "{CLIENT_ID}", client_secret: "{CLIENT_SECRET}" }}
flows:
"#,
        books = sandbox.asperion_url(),
    )
}

fn documents(sandbox: &Handle, document: &str, journal: &str) -> String {
    let settings = format!("    settings:\n      journal: \"{journal}\"{SETTINGS}");
    format!(
        "{}  {FLOW}:\n    from: shop\n    to: books\n    entity: orders\n    document: {document}\n    since: 2026-01-01\n    \
         filter: {{ status: [processing, completed, on-hold], where: 'source.total | number > 0' }}\n{settings}  refunds:\n    \
         from: shop\n    to: books\n    entity: refunds\n    document: {document}\n    since: 2026-01-01\n{settings}",
        connections(sandbox)
    )
}

async fn world(yaml: impl Fn(&Handle) -> String) -> World {
    let options = Options::default().switch("asperion", json!({ "minute_limit": null }));
    World::with(options, Path::new(embedded::IN_MEMORY), yaml).await
}

fn money(value: &Value) -> Decimal {
    value
        .to_string()
        .trim_matches('"')
        .parse::<Decimal>()
        .unwrap_or_else(|_| panic!("{value} is no number"))
        .normalize()
}

/// Totals of the orders of the shop, by reference.
fn totals(world: &World) -> BTreeMap<String, Decimal> {
    let orders = world.sandbox.woocommerce().documents("orders");
    orders.iter().map(|order| (format!("WC-{}", order["id"]), money(&order["total"]))).collect()
}

/// Total of every document in the books by its reference, which nothing there keeps unique.
fn booked(world: &World, table: &str, reference: &str, total: impl Fn(&Value) -> Decimal) -> BTreeMap<String, Decimal> {
    let mut found = BTreeMap::new();
    for row in world.sandbox.asperion().documents(table) {
        let key = row[reference].as_str().unwrap_or_default().to_owned();
        assert!(found.insert(key.clone(), total(&row).normalize()).is_none(), "{key} is there twice");
    }
    found
}

/// What stands on the account of debtors.
fn of_debtor(row: &Value) -> Decimal {
    let lines = row["lines"].as_array().expect("lines");
    lines.iter().filter(|line| line["ledgerAccountId"] == 1300).map(|line| money(&line["amount"])).sum()
}

async fn every_order_and_refund_arrives(
    document: &str,
    journal: &str,
    booked: impl Fn(&World) -> BTreeMap<String, Decimal>,
) {
    let world = world(|sandbox| documents(sandbox, document, journal)).await;
    let ended = world.run().await;
    assert_eq!(ended.funnel.count(Outcome::Created), 6, "{document}: {:#?}", ended.by_label);
    let shop = totals(&world);
    for (reference, total) in booked(&world) {
        assert_eq!(shop[&reference], total, "{document} {reference}");
    }
    world.sandbox.clock().advance(TimeDelta::minutes(2));
    let whole = Scope { since: Some(chrono::DateTime::UNIX_EPOCH), ids: Vec::new() };
    let ended = world.run_flow_scope("refunds", whole.clone()).await;
    assert_eq!(ended.funnel.count(Outcome::Created), 1, "{document}: {:#?}", ended.by_label);
    let credit = booked(&world)["WC-31-R32"];
    let refunds = world.sandbox.woocommerce().documents("refunds");
    assert_eq!(credit, -money(&refunds[0]["amount"]).abs());
    // Nothing of it goes twice.
    for flow in [FLOW, "refunds"] {
        world.sandbox.clock().advance(TimeDelta::minutes(2));
        assert_eq!(world.run_flow_scope(flow, whole.clone()).await.funnel.count(Outcome::Created), 0);
    }
    assert_eq!(booked(&world).len(), 7);
}

#[tokio::test]
async fn orders_and_refunds_become_concept_invoices_to_the_cent() {
    every_order_and_refund_arrives("sales-invoice", "71", |world| {
        booked(world, "salesinvoiceswithlines", "description", |row| money(&row["amountInclVat"]))
    })
    .await;
}

#[tokio::test]
async fn orders_and_refunds_become_entries_that_balance() {
    every_order_and_refund_arrives("financial-entry", "90", |world| {
        booked(world, "journalentrieswithlines", "sourceDocumentNumber", of_debtor)
    })
    .await;
}

#[tokio::test]
async fn a_lost_answer_books_nothing_twice() {
    let world = world(|sandbox| documents(sandbox, "sales-invoice", "71")).await;
    let rule =
        json!({"method": "POST", "path": "salesinvoiceswithlines", "nth": 2, "count": 2, "action": "answer_lost"});
    let rule = serde_json::from_value(rule).expect("a rule");
    world.sandbox.fault("asperion", rule).expect("added");
    world.run().await;
    let invoices = booked(&world, "salesinvoiceswithlines", "description", |row| money(&row["amountInclVat"]));
    assert_eq!(invoices.len(), 6, "{invoices:?}");
}

#[tokio::test]
async fn a_sales_order_is_refused_when_the_flow_is_saved() {
    let world = world(|sandbox| documents(sandbox, "sales-invoice", "71")).await;
    let yaml = documents(&world.sandbox, "sales-order", "71");
    let config = koppel_flows::config::parse("koppel.yaml", &yaml).expect("parsed");
    let causes = koppel_flows::config::validate(&*world.embedded.engine.systems, &config, "koppel.yaml");
    let text: Vec<String> = causes.iter().map(ToString::to_string).collect();
    assert!(text.iter().any(|cause| cause.contains("sales-order") && cause.contains("Asperion")), "{text:#?}");
}

#[tokio::test]
async fn articles_with_variations_and_their_stock_reach_the_shop() {
    let world = world(|sandbox| {
        connections(sandbox)
            + "  articles:\n    from: books\n    to: shop\n    entity: products\n    since: 2020-01-01\n  stock:\n    \
               from: books\n    to: shop\n    entity: stock\n    since: 2020-01-01\n"
    })
    .await;
    world.sandbox.asperion().add_catalogue().expect("added");
    let ended = world.run_flow("articles").await;
    assert!(ended.funnel.count(Outcome::Created) > 0, "{:#?}", ended.by_label);
    let products = world.sandbox.woocommerce().documents("products");
    let jumper = products.iter().find(|product| product["sku"] == "TRUI").expect("the jumper");
    let course = products.iter().find(|product| product["sku"] == "CURSUS-BREIEN").expect("the course");
    assert_eq!((&jumper["type"], &course["virtual"]), (&json!("variable"), &json!(true)));
    world.sandbox.clock().advance(TimeDelta::minutes(2));
    let again = world.run_flow("articles").await;
    assert_eq!(
        (again.funnel.count(Outcome::Created), again.funnel.count(Outcome::Updated)),
        (0, 0),
        "{:#?}",
        again.by_label
    );
    let ended = world.run_flow("stock").await;
    assert!(ended.by_label.contains_key("TRUI-ROOD-S"), "{:#?}", ended.by_label);
    let variations = world.sandbox.woocommerce().documents("variations");
    let small = variations.iter().find(|one| one["sku"] == "TRUI-ROOD-S").expect("the variation");
    assert_eq!(small["stock_quantity"], 10);
}

#[tokio::test]
async fn customers_go_both_ways() {
    let world = world(|sandbox| {
        connections(sandbox)
            + "  to-books:\n    from: shop\n    to: books\n    entity: customers\n    since: 2020-01-01\n  to-shop:\n    \
               from: books\n    to: shop\n    entity: customers\n    since: 2020-01-01\n"
    })
    .await;
    let ended = world.run_flow("to-books").await;
    let debtors = world.sandbox.asperion().documents("debtors");
    let created = ended.funnel.count(Outcome::Created);
    assert!(created > 0 && debtors.iter().filter(|row| row["debtorKindId"] != "STD").count() as u64 == created as u64);
    world.sandbox.clock().advance(TimeDelta::minutes(2));
    let ended = world.run_flow("to-shop").await;
    assert!(ended.funnel.count(Outcome::Created) > 0, "{:#?}", ended.by_label);
    let customers = world.sandbox.woocommerce().documents("customers");
    assert!(customers.iter().any(|customer| customer["email"] == "marjan@example.test"));
}
