//! MijnWebwinkel as the shop: its orders and credit orders arrive in the books to the cent, articles and stock of the books
//! arrive in it.

use std::collections::BTreeMap;

use koppel_core::outcome::Outcome;
use koppel_hosting::embedded;
use koppel_sandbox::mijnwebwinkel::{PARTNER_TOKEN, STORE_TOKEN};
use koppel_sandbox::{Handle, Inspector, Options};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::world::{World, connections_yaml};

const SETTINGS: &str = r#"
      vat_code: { table: { NL/21: "4", NL/9: "2", DE/19: "12", DE/7: "14", BE/0/exempt: "7", DE/0/exempt: "7" } }
      payment_terms: { default: "00" }
      default_customer: { when: guest, code: "10000" }
      default_item: "DIVERS"
      shipping_item: "VERZENDKOSTEN"
      fee_item: "TOESLAG"
      discount_item: "KORTING"
      rounding: { line: true, item: "AFRONDING", vat_code: "0", max: "0.05" }
"#;

/// The books as ever, and this shop in the place of the other.
fn yaml(sandbox: &Handle) -> String {
    let connections = connections_yaml(sandbox);
    let (_, books) = connections.split_once("  books:\n").expect("the books");
    let shop = format!(
        "connections:\n  shop:\n    system: mijnwebwinkel\n    url: {}\n    calls_per_minute: 6000\n    \
         article_lists: {{ Kleur: \"31\", Maat: \"32\" }}\n    \
         credentials: {{ token: \"{STORE_TOKEN}\", partner_token: \"{PARTNER_TOKEN}\" }}\n  books:\n",
        sandbox.url("mijnwebwinkel")
    );
    format!(
        r#"{shop}{books}    calls_per_minute: 100000
    calls_per_day: 1000000
    variants: {{ field: FreeTextField_01 }}
    attributes: {{ Kleur: FreeTextField_03, Maat: FreeTextField_04 }}
flows:
  orders:
    from: shop
    to: books
    entity: orders
    document: sales-order
    since: 2026-01-01
    # The books have no code for 6 % in Belgium.
    filter:
      status: ["1", "2", "3", "6"]
      where: 'source.total | number > 0 and (source.tax_region != "BE" or source.tax_strategy != "")'
    settings:{SETTINGS}  refunds:
    from: shop
    to: books
    entity: refunds
    document: sales-order
    since: 2026-01-01
    settings:
      refund_item: "DIVERS"{SETTINGS}  articles:
    from: books
    to: shop
    entity: products
    filter: {{ where: 'source.IsWebshopItem == 1' }}
    settings: {{ product: {{ prices_include_tax: true, fallback_category: ["Assortiment"] }} }}
  stock: {{ from: books, to: shop, entity: stock }}
"#
    )
}

pub async fn world() -> World {
    let options = Options::default()
        .switch("exact-online", json!({"minute_limit": null, "day_limit": null}))
        .switch("mijnwebwinkel", json!({"minute_limit": null}));
    World::with(options, std::path::Path::new(embedded::IN_MEMORY), yaml).await
}

pub fn shop(world: &World) -> Inspector {
    world.sandbox.system("mijnwebwinkel").expect("it was started")
}

fn money(value: &Value) -> Decimal {
    value.to_string().trim_matches('"').parse().unwrap_or_else(|_| panic!("{value} is not a number"))
}

/// What was paid for each order, by the reference that its document must have.
fn paid(world: &World) -> BTreeMap<String, Decimal> {
    let orders = shop(world).documents("orders");
    let eligible = orders.iter().filter(|order| {
        ["1", "2", "3", "6"].contains(&order["status"].to_string().as_str())
            && order["_test"] != true
            && (order["tax_region"] != "BE" || order["tax_strategy"] != "")
            && money(&order["price"]["total"]) > Decimal::ZERO
    });
    eligible
        .map(|order| (format!("MWW-{}", order["number"].as_str().expect("text")), money(&order["price"]["total"])))
        .collect()
}

#[tokio::test]
async fn orders_of_the_shop_arrive_to_the_cent_and_their_credits_after_them() {
    let world = world().await;
    let body = json!({"seed": 11, "n": 40, "start": "2026-11-23T08:00:00Z", "step_seconds": 60});
    assert_eq!(shop(&world).inspect("POST", "generate", &body).0, 201);
    let ended = world.run_flow("orders").await;
    let paid = paid(&world);
    assert_eq!(
        ended.funnel.count(Outcome::Created) as usize,
        paid.len(),
        "{:#?}",
        ended.by_label.values().filter(|r| r.outcome != Outcome::Created).collect::<Vec<_>>()
    );
    let booked: BTreeMap<String, Decimal> =
        world.sales_orders().into_iter().map(|(reference, order)| (reference, money(&order["AmountDC"]))).collect();
    for (reference, total) in &paid {
        assert_eq!(booked[reference].normalize(), total.normalize(), "{reference}");
    }
    assert!(ended.labels(Outcome::Filtered).starts_with(&["2007", "2014"]), "{:?}", ended.labels(Outcome::Filtered));
    // A second run, from the beginning, brings nothing twice.
    let again = koppel_flows::runs::Scope { since: Some(chrono::DateTime::UNIX_EPOCH), ids: Vec::new() };
    let ended = world.run_flow_scope("orders", again).await;
    assert_eq!(ended.funnel.count(Outcome::Created), 0, "{}", ended.funnel);
    let ended = world.run_flow("refunds").await;
    assert_eq!(ended.labels(Outcome::Created), ["2009 credit 2010"], "{:#?}", ended.by_label);
    let credit = &world.sales_orders()["MWW-2009-R2010"];
    assert_eq!(money(&credit["AmountDC"]), Decimal::new(-1210, 2));
}

#[tokio::test]
async fn articles_and_stock_of_the_books_arrive_in_the_shop() {
    let world = world().await;
    world.sandbox.exact().add_catalogue().expect("added");
    shop(&world).add_catalogue().expect("added");
    world.sandbox.clock().advance(chrono::TimeDelta::minutes(30));
    let ended = world.run_flow("articles").await;
    let outcome = |label: &str| (ended.by_label[label].outcome, ended.cause(label));
    assert_eq!(outcome("TRUI").0, Outcome::Created, "{}", outcome("TRUI").1);
    assert_eq!(outcome("THEEPOT").0, Outcome::Rejected);
    let articles = shop(&world).documents("articles");
    let jumper = articles.iter().find(|row| row["sku"] == "TRUI").expect("the jumper");
    assert_eq!(jumper["variants"].as_array().map(Vec::len), Some(4));
    assert_eq!(jumper["images"].as_array().map(Vec::len), Some(1), "its picture was read from the books");
    // Nothing has changed: nothing is written.
    world.sandbox.clock().advance(chrono::TimeDelta::minutes(30));
    shop(&world).reset_calls();
    let again = koppel_flows::runs::Scope { since: Some(chrono::DateTime::UNIX_EPOCH), ids: Vec::new() };
    let ended = world.run_flow_scope("articles", again).await;
    assert_eq!(ended.funnel.count(Outcome::Updated) + ended.funnel.count(Outcome::Created), 0, "{:#?}", ended.by_label);
    assert!(shop(&world).calls().keys().all(|call| call.starts_with("GET ")), "{:?}", shop(&world).calls());
    // Stock: the vase stands at another number in the shop, the jumper gets that of each of its variants at once.
    let ended = world.run_flow("stock").await;
    assert_eq!(ended.by_label["VAAS-GROEN"].outcome, Outcome::Updated, "{:#?}", ended.by_label);
    assert_eq!(ended.by_label["TRUI-ROOD-S"].outcome, Outcome::Updated, "{:#?}", ended.by_label);
    let articles = shop(&world).documents("articles");
    let jumper = articles.iter().find(|row| row["sku"] == "TRUI").expect("the jumper");
    assert!(jumper["variants"].as_array().expect("variants").iter().all(|one| one["stock"].is_i64()), "{jumper}");
    let patches = shop(&world)
        .log()
        .into_iter()
        .filter(|call| call.method == "PATCH" && call.path.ends_with(&jumper["id"].to_string()));
    assert_eq!(patches.count(), 1, "all variants in one call");
}

#[tokio::test]
async fn the_number_of_an_order_is_noted_below_the_remarks_of_the_merchant() {
    let world = world().await;
    let text =
        yaml(&world.sandbox).replacen("    settings:\n", "    settings:\n      number_back: comments.internal\n", 1);
    assert!(text.contains("number_back"), "{text}");
    world.apply(&text).await;
    let mut order = shop(&world).documents("orders").into_iter().find(|row| row["number"] == "2001").expect("an order");
    order["comments"]["internal"] = json!("Bel eerst even.");
    assert!(shop(&world).inspect("POST", "rows/orders/2001", &order).0 < 300);
    world.run_flow("orders").await;
    world.host.schedule().await;
    let booked = world.sales_orders();
    let internal = |number: &str| {
        let orders = shop(&world).documents("orders");
        let order = orders.into_iter().find(|row| row["number"] == number).expect("an order");
        order["comments"]["internal"].as_str().unwrap_or_default().to_owned()
    };
    for reference in booked.keys() {
        let (number, noted) = (booked[reference]["OrderNumber"].to_string(), internal(&reference[4..]));
        let expected = if reference == "MWW-2001" { format!("Bel eerst even.\n{number}") } else { number };
        assert_eq!(noted, expected, "{reference}");
    }
    // Told a second time, it stands there already.
    let owed = koppel_flows::number_back::owed(&world.embedded.engine, &world.tenant, "orders").await.expect("a list");
    assert_eq!(owed, []);
}
