//! Rows over documented payloads, and what the tests of this connector share.

use std::sync::Arc;

use koppel_core::NonEmpty;
use koppel_core::connection::Connection;
use koppel_core::document::{Entity, Order, Product, ProductKind, StockLevel};
use koppel_core::ports::Calls;
use koppel_core::system::Side;
use koppel_mapping::{Checks, FieldCatalogue, Mapping, RowFile, Scope, Value as Mapped, compile};
use koppel_sandbox::mijnwebwinkel::{PARTNER_TOKEN, STORE_TOKEN};
use koppel_sandbox::{Handle, Inspector, Sandbox};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::categories::tree_of;
use super::options::Options;
use super::source::ShopFacts;
use super::{FACTS, MijnWebwinkelSource, MijnWebwinkelTarget, native};
use crate::http::Deps;
use crate::http::testing::{self, MarkingVault, MemoryStore};

mod reading;
mod writing;

fn mapping(side: Side, entity: Entity) -> Mapping {
    let rows = FACTS.rows_for(side, entity, None).unwrap();
    let file = RowFile::parse(rows.name, rows.text).unwrap();
    let sections: Value = serde_saphyr::from_str(FACTS.fields).unwrap();
    let stem = rows.name.rsplit('/').next().unwrap().trim_end_matches(".yaml");
    let fields = FieldCatalogue::parse("mijnwebwinkel/fields.yaml", &sections[stem].to_string()).unwrap();
    let checks = match side {
        Side::Source => Checks::new().catalogued("source", fields),
        Side::Target => {
            let names = ["product", "stock", "customer", "settings"];
            names.into_iter().fold(Checks::new(), Checks::variable).target(fields)
        }
    };
    compile(&file, &checks).unwrap_or_else(|findings| panic!("{findings:#?}"))
}

/// What the source's rows make of a native record.
fn read<T: serde::de::DeserializeOwned>(entity: Entity, raw: &Value) -> T {
    let source = Mapped::from_json(raw);
    let scope = Scope::new(chrono::DateTime::UNIX_EPOCH).with_ref("source", &source);
    let made = without_empties(mapping(Side::Source, entity).evaluate(&scope).unwrap().to_json());
    let text = made.to_string();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What the target's rows make of a document.
fn write<T: serde::Serialize>(entity: Entity, name: &str, document: &T) -> serde_json::Map<String, Value> {
    let document = Mapped::from_json(&serde_json::to_value(document).unwrap());
    let settings = Mapped::from_json(&json!({"product": {}, "stock": {}}));
    let scope = Scope::new(chrono::DateTime::UNIX_EPOCH).with_ref(name, &document).with_ref("settings", &settings);
    mapping(Side::Target, entity).evaluate(&scope).unwrap().to_json().as_object().cloned().unwrap()
}

fn without_empties(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.into_iter().map(|(name, value)| (name, without_empties(value)));
            Value::Object(
                kept.filter(|(_, v)| !v.is_null() && v.as_object().is_none_or(|map| !map.is_empty())).collect(),
            )
        }
        Value::Array(list) => Value::Array(list.into_iter().map(without_empties).collect()),
        other => other,
    }
}

fn options(value: Value) -> Options {
    Options::of(&testing::connection("mijnwebwinkel", value, &[])).unwrap()
}

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn key(text: &str) -> NonEmpty {
    NonEmpty::new(text).unwrap()
}

/// The sums of an order: what is paid is the net of its lines and their tax, to the cent; the rates agree.
fn adds_up(order: &Order) {
    let tax: Decimal = order.lines.iter().map(|line| line.tax).sum();
    assert_eq!(order.net() + tax, order.total, "order {}: lines", order.number);
    assert_eq!(order.net() + order.total_tax, order.total, "order {}: tax", order.number);
    for line in &order.lines {
        assert_eq!(line.taxes.iter().map(|tax| tax.amount).sum::<Decimal>(), line.tax, "order {}", order.number);
    }
    let rates: Decimal = order.taxes.iter().map(|tax| tax.goods).sum();
    // Rates are rounded each on its own.
    let off = (rates - order.total_tax).abs();
    assert!(
        off <= Decimal::new(5, 3) * Decimal::from(order.taxes.len().max(1)),
        "order {}: rates off by {off}",
        order.number
    );
}

/// A client for what is done beside the connector.
fn by_hand() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// The time of the sandbox, for the connector.
struct SandboxClock(koppel_sandbox::Clock);

impl koppel_core::ports::Clock for SandboxClock {
    fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.0.now()
    }
}

/// A shop in its strictest form, and a connection to it.
struct World {
    sandbox: Handle,
    store: Arc<MemoryStore>,
    deps: Deps,
    connection: Connection,
    calls: Calls,
}

impl World {
    async fn new(switches: Value, own: Value) -> Self {
        let options = koppel_sandbox::Options { ports: [("mijnwebwinkel".to_owned(), 0)].into(), ..Default::default() };
        let mut all = json!({"minute_limit": null});
        for (name, value) in switches.as_object().unwrap() {
            all[name] = value.clone();
        }
        let options = options.start_time("2026-11-26T10:00:00Z".parse().unwrap()).switch("mijnwebwinkel", all);
        let sandbox = Sandbox::start(options).await.unwrap();
        let clock = Arc::new(SandboxClock(sandbox.clock().clone()));
        let store = Arc::new(MemoryStore::new(clock.clone()));
        let deps = Deps { store: store.clone(), vault: Arc::new(MarkingVault), clock };
        let mut given = json!({"url": sandbox.url("mijnwebwinkel"), "calls_per_minute": 100_000});
        for (name, value) in own.as_object().unwrap() {
            given[name] = value.clone();
        }
        let secrets = [("token", STORE_TOKEN), ("partner_token", PARTNER_TOKEN)];
        let connection = testing::connection("mijnwebwinkel", given, &secrets);
        Self { sandbox, store, deps, connection, calls: Calls::default() }
    }

    fn source(&self) -> MijnWebwinkelSource {
        MijnWebwinkelSource::new(&self.connection, &self.deps).unwrap()
    }

    fn target(&self) -> MijnWebwinkelTarget {
        MijnWebwinkelTarget::new(&self.connection, &self.deps).unwrap()
    }

    fn shop(&self) -> Inspector {
        self.sandbox.system("mijnwebwinkel").unwrap()
    }

    fn switch(&self, values: Value) {
        self.shop().set_switches(values).unwrap();
    }

    /// A stored row.
    fn row(&self, table: &str, id: i64) -> Value {
        let rows = self.shop().documents(table);
        rows.into_iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("no {table} {id}"))
    }
}

#[test]
fn the_documented_order_comes_to_what_was_paid() {
    let orders: Vec<Value> = serde_json::from_str(include_str!("fixtures/orders.json")).unwrap();
    let record = native::order::record(orders[0].clone(), &options(json!({}))).unwrap();
    assert_eq!((record.key.as_str(), record.partition.as_str()), ("1042", "anna@example.test"));
    let order: Order = read(Entity::Orders, &record.raw);
    adds_up(&order);
    assert_eq!((order.total, order.total_tax), (d("47.45"), d("6.743882")));
    let kinds: Vec<&str> = order.lines.iter().map(|line| line.kind.name()).collect();
    assert_eq!(kinds, ["product", "product", "product", "fee", "fee", "fee", "shipping"]);
    // The action price is in the line: two hats at 4.09 in place of 7.40.
    let hats = &order.lines[1];
    assert_eq!((hats.quantity, hats.net, hats.net_before_discount), (d("2"), d("8.181818"), d("14.793388")));
    assert_eq!((order.lines[0].sku.as_str(), order.lines[0].description.as_str()), ("SJAAL-LANG", "Sjaal (Lang)"));
    // Costs over two rates are a line for each.
    assert_eq!((order.lines[4].rate_percent(), order.lines[5].rate_percent()), (d("21"), d("9")));
    assert_eq!((order.status.as_str(), order.reference.as_str()), ("3", "MWW-1042"));
    assert_eq!(order.created_at.to_rfc3339(), "2026-11-22T06:08:09+00:00");
    assert_eq!(order.modified_at.to_rfc3339(), "2026-11-22T06:20:00+00:00");
    assert_eq!(order.date.to_string(), "2026-11-22");
    let buyer = &order.customer;
    assert_eq!((buyer.email.as_str(), buyer.guest, buyer.company.is_none()), ("anna@example.test", false, true));
    assert_eq!((buyer.person.first_name.as_str(), buyer.person.last_name.as_str()), ("Anna", "de Boer"));
    let home = &buyer.billing;
    assert_eq!(
        (home.street.as_str(), home.house_number.as_str(), home.house_number_addition.as_str()),
        ("Herestraat", "12", "b")
    );
    assert_eq!((order.payment.method.as_str(), order.note.as_str()), ("ideal", "Graag na zessen."));
    assert!(order.prices_include_tax && !order.vat_exempt);
}

#[test]
fn the_documented_article_becomes_a_product_with_variations() {
    let articles: Vec<Value> = serde_json::from_str(include_str!("fixtures/articles.json")).unwrap();
    let tree = tree_of(&[
        json!({"id": 11, "title": "Assortiment"}),
        json!({"id": 12, "parent_category_id": 11, "title": "Kleding"}),
    ]);
    let shop =
        ShopFacts { currency: "EUR".into(), prices_include_tax: true, percent: Some(d("21")), ..ShopFacts::default() };
    let record = native::article::record(articles[0].clone(), &tree, &shop, &options(json!({}))).unwrap();
    assert_eq!((record.key.as_str(), record.label.as_str()), ("506", "TSHIRT"));
    assert_eq!(record.modified_at.unwrap().to_rfc3339(), "2026-11-20T09:00:00+00:00");
    let product: Product = read(Entity::Products, &record.raw);
    assert_eq!(
        (product.kind, product.price, product.price_includes_tax),
        (ProductKind::Variable, Some(d("24.14")), true)
    );
    assert_eq!(
        (product.gtin.as_str(), product.weight_kg, product.vat_percent),
        ("8710000000017", Some(d("0.35")), Some(d("21")))
    );
    assert_eq!(product.categories[0].path, ["Assortiment", "Kleding"]);
    let skus: Vec<(&str, Option<Decimal>)> =
        product.variations.iter().map(|one| (one.sku.as_str(), one.price)).collect();
    assert_eq!(skus, [("TSHIRT-ROOD-S", Some(d("24.14"))), ("TSHIRT-BLAUW-M", Some(d("25.14")))]);
    let names: Vec<(&str, bool)> = product.attributes.iter().map(|one| (one.name.as_str(), one.varies)).collect();
    assert_eq!(names, [("Kleur", true), ("Maat", true), ("Materiaal", false)]);
    assert_eq!(product.images[0].url, "https://cdn.example/full/1.jpg");
    assert!(product.published);
}

#[test]
fn a_product_and_its_stock_are_written_as_the_shop_takes_them() {
    let mut mug = Product {
        sku: "MOK".into(),
        name: "Mok".into(),
        price: Some(d("12.5")),
        price_includes_tax: true,
        published: true,
        ..Product::default()
    };
    let made = write(Entity::Products, "product", &mug);
    assert_eq!((&made["price"], &made["status"]), (&json!({"default": "12.50"}), &json!("active")));
    for silent in ["description", "_barcode", "_weight", "_categories", "_features", "_lists", "_variations"] {
        assert_eq!(made[silent], Value::Null, "{silent}");
    }
    mug.price = None;
    mug.published = false;
    let made = write(Entity::Products, "product", &mug);
    assert_eq!((&made["price"]["default"], &made["status"]), (&Value::Null, &json!("inactive")));
    for (available, pieces) in [("5", 5), ("2.9999", 2), ("0.4", 0), ("-1.5", -2)] {
        let level =
            StockLevel { sku: "X".into(), available: d(available), manage_stock: true, ..StockLevel::default() };
        let made = write(Entity::Stock, "stock", &level);
        assert_eq!(Value::Object(made), json!({"manage_stock": true, "stock_quantity": pieces}), "{available}");
    }
    let unlimited = write(Entity::Stock, "stock", &StockLevel::default());
    assert_eq!(Value::Object(unlimited), json!({"manage_stock": false, "stock_quantity": null}));
}
