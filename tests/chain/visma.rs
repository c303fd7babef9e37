//! The chain between the shop and Visma Net: paid orders arrive once, to the cent, with the VAT of where they go; articles
//! and stock go the other way.

use std::collections::BTreeMap;
use std::path::Path;

use koppel_core::outcome::Outcome;
use koppel_flows::runs::Scope;
use koppel_hosting::embedded;
use koppel_sandbox::visma_net::{CLIENT_ID, CLIENT_SECRET, TENANT_ID};
use koppel_sandbox::{Handle, Options, Sandbox};
use rust_decimal::Decimal;
use serde_json::Value;

use super::world::{FLOW, World, connections_yaml};

fn yaml(sandbox: &Handle, document: &str) -> String {
    // The shop of the other tests; what comes after it are the books of this one.
    let shop = connections_yaml(sandbox);
    let shop = shop.split("  books:").next().unwrap_or_default();
    format!(
        r#"{shop}
  books:
    system: visma-net
    url: {books}
    tenant_id: {TENANT_ID}
    branch: "1"
    customer_class: ZAKELIJK
    person_class: PART
    vat_zones: {{ NL: NL, DE: OSS-DE, BE: OSS-BE, BE/business: EU, default: EXPORT }}
    clearing_account: "1290"
    currency: EUR
    credentials: {{ client_id: "{CLIENT_ID}", client_secret: "{CLIENT_SECRET}" }}
flows:
  web-orders:
    from: shop
    to: books
    entity: orders
    document: {document}
    since: 2026-01-01
    filter: {{ status: [processing, completed, on-hold], where: 'source.total | number > 0' }}
    settings:
      vat_code: {{ table: {{ NL/21: HOOG, NL/9: LAAG, DE/19: HOOG, BE/0/exempt: HOOG }} }}
      revenue_account: {{ default: "8000" }}
      payment_terms: {{ table: {{ bacs: "30" }}, default: "00" }}
      default_customer: {{ when: guest, code: "10000" }}
      default_item: "DIVERS"
      shipping_item: "VERZENDKOSTEN"
      fee_item: "TOESLAG"
      discount_item: "KORTING"
      rounding: {{ line: true, item: "AFRONDING", account: "4990", vat_code: "NUL", max: "0.05" }}
  articles: {{ from: books, to: shop, entity: products, since: 2020-01-01 }}
  stock: {{ from: books, to: shop, entity: stock, since: 2020-01-01 }}
"#,
        books = sandbox.visma_net_url(),
    )
}

async fn world(document: &str) -> World {
    let sandbox = Sandbox::start(Options::default()).await.expect("the sandbox starts");
    let world = World::around(sandbox, Path::new(embedded::IN_MEMORY)).await;
    world.apply(&yaml(&world.sandbox, document)).await;
    world
}

fn money(value: &Value) -> Decimal {
    value.to_string().trim_matches('"').parse().unwrap_or_else(|_| panic!("{value} is not a number"))
}

const PAID: [(&str, &str); 6] = [
    ("WC-23", "64.53"),
    ("WC-24", "56.69"),
    ("WC-25", "119.80"),
    ("WC-26", "995"),
    ("WC-27", "91.63"),
    ("WC-31", "24.20"),
];

/// Orders of Visma Net by their reference.
fn orders(world: &World) -> BTreeMap<String, Value> {
    let mut orders = BTreeMap::new();
    for order in world.sandbox.visma().documents("salesorder") {
        let reference = order["customer"]["refNo"].as_str().unwrap_or_default().to_owned();
        assert!(orders.insert(reference.clone(), order).is_none(), "{reference} is there twice");
    }
    orders
}

#[tokio::test]
async fn paid_orders_arrive_to_the_cent_and_a_second_run_sends_nothing() {
    let world = world("sales-order").await;
    let ended = world.run().await;
    assert_eq!(ended.labels(Outcome::Created), ["23", "24", "25", "26", "27", "31"], "{:#?}", ended.by_label);
    let there = orders(&world);
    for (reference, total) in PAID {
        assert_eq!(money(&there[reference]["totals"]["orderTotal"]), total.parse().unwrap(), "{reference}");
    }
    let ended = world.run_scope(Scope { since: Some(chrono::DateTime::UNIX_EPOCH), ids: Vec::new() }).await;
    assert_eq!(ended.funnel.count(Outcome::Unchanged), 6, "{:#?}", ended.by_label);
    assert_eq!(orders(&world).len(), 6);
}

#[tokio::test]
async fn goods_are_invoiced_at_once_by_an_order_and_not_by_an_invoice() {
    let direct = world("direct-invoice").await;
    let ended = direct.run().await;
    assert_eq!(ended.funnel.count(Outcome::Created), 6, "{:#?}", ended.by_label);
    assert!(orders(&direct).values().all(|order| order["type"] == "IN"));
    let plain = world("sales-invoice").await;
    let ended = plain.run().await;
    // Who bought a mug waits, and is told what to do.
    assert!(ended.cause("23").contains("direct-invoice"), "{}", ended.cause("23"));
}

#[tokio::test]
async fn bookings_balance_with_the_vat_of_each_country() {
    let world = world("financial-entry").await;
    let ended = world.run().await;
    assert_eq!(ended.funnel.count(Outcome::Created), 6, "{:#?}", ended.by_label);
    for batch in world.sandbox.visma().documents("journaltransaction") {
        assert_eq!(batch["debitTotalInCurrency"], batch["creditTotalInCurrency"]);
        let lines = batch["journalTransactionLines"].as_array().expect("lines");
        let reference = lines[0]["referenceNumber"].as_str().expect("a reference");
        let paid = PAID.iter().find(|(known, _)| *known == reference).expect("a known order").1;
        let clearing = lines.iter().find(|line| line["accountNumber"] == "1290").expect("what was paid");
        assert_eq!(money(&clearing["debitAmountInCurrency"]), paid.parse().unwrap(), "{reference}");
    }
}

#[tokio::test]
async fn articles_and_stock_of_the_books_come_to_the_shop() {
    let world = world("sales-order").await;
    let ended = world.run_flow("articles").await;
    assert_eq!(ended.funnel.count(Outcome::Rejected), 0, "{:#?}", ended.by_label);
    assert!(ended.funnel.count(Outcome::Created) + ended.funnel.count(Outcome::Updated) > 5, "{:#?}", ended.by_label);
    let ended = world.run_flow("stock").await;
    let mug = &ended.by_label["MOK-WIT"];
    assert!(matches!(mug.outcome, Outcome::Updated | Outcome::Unchanged), "{mug:#?}");
    assert!(world.run_flow(FLOW).await.funnel.count(Outcome::Created) == 6);
}

#[tokio::test]
async fn customers_get_the_account_of_their_country_and_fields_of_ones_own() {
    let sandbox = Sandbox::start(Options::default()).await.expect("the sandbox starts");
    let world = World::around(sandbox, Path::new(embedded::IN_MEMORY)).await;
    let flow = "  buyers:\n    from: shop\n    to: books\n    entity: customers\n    settings: { revenue_account: { by_country: { BE: \"8030\" }, default: \"8000\" } }\n    map:\n      custom.shop_number: source.id\n      \
                target.customer.accountReference: '\"WEB-\" ~ customer.custom.shop_number'\n";
    world.apply(&format!("{}{flow}", yaml(&world.sandbox, "sales-order"))).await;
    let ended = world.run_flow("buyers").await;
    assert_eq!(ended.funnel.count(Outcome::Created), 2, "{:#?}", ended.by_label);
    let rows = world.sandbox.visma().documents("customer");
    let peeters = rows.iter().find(|row| row["name"] == "Peeters BV").expect("Peeters");
    assert_eq!(peeters["accountReference"], "WEB-3");
    let jan = rows
        .iter()
        .find(|row| row["name"] != "Peeters BV" && row.to_string().contains("jan@example.test"))
        .expect("Jan");
    for (row, account) in [(peeters, "8030"), (jan, "8000")] {
        assert!(row["glAccounts"]["salesAccount"].to_string().contains(account), "{}", row["glAccounts"]);
    }
}
