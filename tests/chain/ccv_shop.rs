//! CCV Shop through the whole chain: orders into the books, by sweeps and by webhooks; articles and stock from the books.

use std::time::Duration;

use chrono::TimeDelta;
use koppel_core::outcome::Outcome;
use koppel_flows::config;
use koppel_flows::webhooks::{self, Found};
use koppel_hosting::embedded;
use koppel_hosting::local::{Drain, serve_http};
use koppel_sandbox::{Handle, Options};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::world::{World, connections_yaml};

const ORDERS: &str = r#"
  orders:
    from: ccv
    to: books
    entity: orders
    document: sales-order
    since: 2026-11-01
    webhook: true
    filter: { status: [new, in_process, sent, delivered, completed] }
    settings:
      vat_code: { table: { NL/21: "4", NL/9: "2", DE/19: "12", BE/0/exempt: "7" } }
      payment_terms: { table: { offline_banktransfer: "30" }, default: "00" }
      default_customer: { when: guest, code: "10000" }
      default_item: "DIVERS"
      shipping_item: "VERZENDKOSTEN"
      fee_item: "TOESLAG"
      discount_item: "KORTING"
      rounding: { line: true, item: "AFRONDING", vat_code: "0", max: "0.05" }
"#;
const ARTICLES: &str = r#"
  articles:
    from: books
    to: ccv
    entity: products
    filter: { where: 'source.IsWebshopItem == 1' }
    settings: { product: { prices_include_tax: true } }
  stock: { from: books, to: ccv, entity: stock }
"#;
/// The articles of the sandbox tell their parent, colour and size in free fields.
const BOOKS: &str = r#"    variants: { field: FreeTextField_01 }
    attributes: { Kleur: FreeTextField_03, Maat: FreeTextField_04 }
"#;

async fn world(flows: &str) -> World {
    let flows = flows.to_owned();
    let yaml = move |sandbox: &Handle| {
        let keys = koppel_sandbox::ccv_shop::keys()[0];
        format!(
            "{}{BOOKS}  ccv:\n    system: ccv-shop\n    url: {}\n    credentials: {{ public_key: \"{}\", secret_key: \"{}\" }}\n\nflows:{flows}",
            connections_yaml(sandbox),
            sandbox.ccv_shop_url(),
            keys.public,
            keys.secret,
        )
    };
    let switches = json!({ "minute_limit": null });
    // Limits are tried elsewhere; here a run ends without a minute in between.
    let options = Options::default()
        .switch("exact-online", switches)
        .switch("ccv-shop", json!({ "resource_limits": false, "overall_minute_limit": null }));
    World::with(options, std::path::Path::new(embedded::IN_MEMORY), yaml).await
}

/// The total of every order in the books, by its reference.
fn booked(world: &World) -> Vec<(String, Decimal)> {
    let total = |order: &Value| order["AmountFC"].to_string().parse::<Decimal>().expect("an amount");
    world.sales_orders().iter().map(|(reference, order)| (reference.clone(), total(order))).collect()
}

#[tokio::test]
async fn orders_arrive_to_the_cent_and_a_payment_is_seen_by_the_next_sweep() {
    let world = world(ORDERS).await;
    let ended = world.run_flow("orders").await;
    assert_eq!(ended.funnel.count(Outcome::Created), 7, "{:#?}", ended.by_label);
    let shop = world.sandbox.ccv_shop().documents("orders");
    for (reference, total) in booked(&world) {
        let number = reference.trim_start_matches("CCV-");
        let order = shop.iter().find(|order| order["ordernumber_full"] == number).expect("an order of the shop");
        assert_eq!(total, order["total_price"].to_string().parse().expect("a total"), "{reference}");
    }
    world.sandbox.clock().advance(TimeDelta::minutes(30));
    let calm = world.run_flow("orders").await;
    assert_eq!(calm.funnel.fetched, 0, "{:#?}", calm.by_label);
    world.sandbox.clock().advance(TimeDelta::minutes(30));
    world.sandbox.ccv_shop().inspect("PATCH", "orders/28", &json!({ "paid": true, "status": 1 }));
    let paid = world.run_flow("orders").await;
    assert_eq!((paid.funnel.fetched, paid.funnel.count(Outcome::Created)), (1, 1), "{:#?}", paid.by_label);
}

#[tokio::test]
async fn a_webhook_brings_an_order_without_a_sweep() {
    let world = world(ORDERS).await;
    world.run_flow("orders").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(serve_http(listener, world.embedded.engine.clone(), std::future::pending()));
    let engine = &world.embedded.engine;
    let stored = config::load_current(&*engine.store, &world.tenant).await.expect("read").expect("applied");
    for expected in [Found::Missing, Found::Good] {
        let findings =
            webhooks::register(engine, &world.tenant, &stored.config, "ccv", &base).await.expect("registered");
        assert!(findings.len() == 5 && findings.iter().all(|one| one.was == expected), "{findings:?}");
    }
    let before = world.sales_orders().len();
    world.sandbox.ccv_shop().inspect("PATCH", "orders/28", &json!({ "paid": true, "status": 1 }));
    for _ in 0..500 {
        let drain = Drain::patient(Duration::from_secs(5)).at_most(Duration::from_secs(20));
        world.host.drain(&drain, std::future::pending()).await.expect("drained");
        if world.sales_orders().len() > before {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let counts = koppel_flows::steps::webhook::delivery_counts(engine, &world.tenant, "ccv").await.expect("counts");
    assert_eq!(world.sales_orders().len(), before + 1, "{counts:?}");
}

#[tokio::test]
async fn articles_and_stock_of_the_books_come_into_the_shop_once() {
    let world = world(ARTICLES).await;
    assert_eq!(world.sandbox.exact().inspect("POST", "catalogue", &json!({})).0, 204);
    let ended = world.run_flow("articles").await;
    let product = |number: &str| {
        let rows = world.sandbox.ccv_shop().documents("products");
        rows.into_iter()
            .find(|row| row["productnumber"] == number)
            .unwrap_or_else(|| panic!("no {number}: {:#?}", ended.by_label))
    };
    assert_eq!(ended.by_label["TRUI"].outcome, Outcome::Created, "{:#?}", ended.by_label);
    let jumper = product("TRUI");
    let combinations = world.sandbox.ccv_shop().documents("attributecombinations");
    let numbers: Vec<&str> = combinations
        .iter()
        .filter(|row| row["product_id"] == jumper["id"] && row["active"] == true)
        .filter_map(|row| row["product_number"].as_str())
        .collect();
    assert!(numbers.contains(&"TRUI-ROOD-S"), "{numbers:?}");
    // A second look at everything changes nothing.
    world.sandbox.ccv_shop().reset_calls();
    let everything = koppel_flows::runs::Scope { since: Some(chrono::DateTime::UNIX_EPOCH), ids: Vec::new() };
    let again = world.run_flow_scope("articles", everything).await;
    let (created, updated) = (again.funnel.count(Outcome::Created), again.funnel.count(Outcome::Updated));
    assert_eq!((created, updated), (0, 0), "{:#?}", again.by_label);
    let writes = world.sandbox.ccv_shop().calls().keys().filter(|endpoint| !endpoint.starts_with("GET")).count();
    assert_eq!(writes, 0);

    let body = json!({ "item": "VAAS-GROEN", "warehouse": "1", "current": 9, "planned_out": 2 });
    assert!(world.sandbox.exact().inspect("POST", "stock", &body).0 < 300);
    let stock = world.run_flow("stock").await;
    assert_eq!(stock.by_label["VAAS-GROEN"].outcome, Outcome::Updated, "{:#?}", stock.by_label);
    let vase = product("VAAS-GROEN");
    assert_eq!((&vase["stock"], &vase["stockenabled"]), (&json!(7), &json!(true)));
}

#[tokio::test]
async fn the_number_of_an_order_is_noted_at_its_invoice_as_soon_as_there_is_one() {
    let world =
        world(&ORDERS.replacen("    settings:\n", "    settings:\n      number_back: external_reference\n", 1)).await;
    let shop = world.sandbox.ccv_shop();
    world.run_flow("orders").await;
    world.host.schedule().await;
    let number = |order: &Value| {
        let reference = format!("CCV-{}", order["ordernumber_full"].as_str().expect("a number"));
        world.sales_orders().get(&reference).map(|booked| booked["OrderNumber"].to_string())
    };
    let noted = |order: &Value| {
        let invoices = shop.documents("invoices");
        let own = invoices.into_iter().find(|row| row["_order"] == order["id"] && row["type"] == "debit")?;
        own["external_reference"].as_str().map(str::to_owned)
    };
    let orders = shop.documents("orders");
    let (invoiced, open): (Vec<&Value>, Vec<&Value>) = orders
        .iter()
        .filter(|order| number(order).is_some())
        .partition(|order| shop.documents("invoices").iter().any(|row| row["_order"] == order["id"]));
    assert!(!invoiced.is_empty() && !open.is_empty(), "{} {}", invoiced.len(), open.len());
    for order in &invoiced {
        assert_eq!(noted(order), number(order), "{order:#?}");
    }
    let list = || koppel_flows::number_back::owed(&world.embedded.engine, &world.tenant, "orders");
    let owed = list().await.expect("a list");
    assert_eq!(owed.len(), open.len());
    let cause = owed[0].cause.as_ref().expect("a cause").to_string();
    assert!(cause.contains("the shop has no invoice of order"), "{cause}");
    // The merchant makes the others at a screen.
    let made = shop.documents("invoices").into_iter().find(|row| row["type"] == "debit").expect("an invoice");
    for (order, id) in open.iter().zip(900..) {
        let mut invoice = made.clone();
        let href = invoice["order"].as_str().expect("an address");
        invoice["order"] = json!(href.replace(&format!("/{}", made["_order"]), &format!("/{}", order["id"])));
        (invoice["id"], invoice["_order"], invoice["external_reference"]) =
            (json!(id), order["id"].clone(), Value::Null);
        for field in ["ordernumber_prefix", "ordernumber", "ordernumber_full"] {
            invoice[field] = order[field].clone();
        }
        assert!(shop.inspect("POST", &format!("rows/invoices/{id}"), &invoice).0 < 300);
    }
    world.sandbox.clock().advance(TimeDelta::minutes(16));
    world.host.schedule().await;
    for order in &open {
        assert_eq!(noted(order), number(order), "{order:#?}");
    }
    assert_eq!(list().await.expect("a list"), []);
}
