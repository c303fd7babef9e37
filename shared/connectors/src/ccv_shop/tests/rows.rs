//! Rows of every entity, both ways.

use std::collections::BTreeMap;
use std::sync::Mutex;

use koppel_core::document::{Attribute, Customer, Image, LineKind, Order, Product, ProductKind, Refund, StockLevel};
use koppel_core::system::Side;
use koppel_mapping::{Checks, FieldCatalogue, Mapping, RowFile, Scope, Value as Mapped, compile};
use rust_decimal::Decimal;
use serde::de::DeserializeOwned;

use super::*;
use crate::ccv_shop::FACTS;
use crate::ccv_shop::categories::tree_of;
use crate::ccv_shop::native::{self, Around};
use crate::ccv_shop::shop::ShopFacts;

pub const ORDERS: &str = include_str!("../fixtures/orders.json");
pub const PRODUCTS: &str = include_str!("../fixtures/products.json");
pub const USERS: &str = include_str!("../fixtures/users.json");

/// Compiled once: tests read orders by the hundred.
fn mapping(side: Side, entity: Entity) -> Arc<Mapping> {
    static COMPILED: Mutex<BTreeMap<(bool, Entity), Arc<Mapping>>> = Mutex::new(BTreeMap::new());
    let mut compiled = COMPILED.lock().unwrap();
    let made = || Arc::new(compile_rows(side, entity));
    Arc::clone(compiled.entry((side == Side::Source, entity)).or_insert_with(made))
}

fn compile_rows(side: Side, entity: Entity) -> Mapping {
    let rows = FACTS.rows_for(side, entity, None).unwrap();
    let file = RowFile::parse(rows.name, rows.text).unwrap();
    let sections: Value = serde_saphyr::from_str(FACTS.fields).unwrap();
    let stem = rows.name.rsplit('/').next().unwrap().trim_end_matches(".yaml");
    let fields = FieldCatalogue::parse("ccv-shop/fields.yaml", &sections[stem].to_string()).unwrap();
    let checks = match side {
        Side::Source => Checks::new().catalogued("source", fields),
        Side::Target => {
            let names = ["product", "stock", "customer", "price", "settings"];
            names.into_iter().fold(Checks::new(), Checks::variable).target(fields)
        }
    };
    compile(&file, &checks).unwrap_or_else(|findings| panic!("{findings:#?}"))
}

/// Empty and absent are the same in rows; a document only knows absent.
fn without_empties(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.into_iter().map(|(name, value)| (name, without_empties(value)));
            kept.filter(|(_, value)| !value.is_null() && value.as_object().is_none_or(|map| !map.is_empty())).collect()
        }
        Value::Array(list) => Value::Array(list.into_iter().map(without_empties).collect()),
        other => other,
    }
}

pub fn read<T: DeserializeOwned>(entity: Entity, raw: &Value) -> T {
    let source = Mapped::from_json(raw);
    let scope = Scope::new(chrono::DateTime::UNIX_EPOCH).with_ref("source", &source);
    let made = without_empties(mapping(Side::Source, entity).evaluate(&scope).unwrap().to_json());
    let text = made.to_string();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What the rows of the target make of a document.
pub fn write<T: serde::Serialize>(entity: Entity, name: &str, document: &T, settings: &Value) -> Value {
    let document = Mapped::from_json(&serde_json::to_value(document).unwrap());
    let settings = Mapped::from_json(settings);
    let scope = Scope::new(chrono::DateTime::UNIX_EPOCH).with_ref(name, &document).with_ref("settings", &settings);
    mapping(Side::Target, entity).evaluate(&scope).unwrap().to_json()
}

/// The lines of an order and its tax are the total, to the last decimal.
pub fn check_sums(order: &Order) {
    let tax: Decimal = order.lines.iter().map(|line| line.tax).sum();
    let rates: Decimal = order.lines.iter().flat_map(|line| &line.taxes).map(|tax| tax.amount).sum();
    assert_eq!((tax, rates), (order.total_tax, order.total_tax), "order {}", order.number);
    assert_eq!(order.net() + order.total_tax, order.total, "order {}", order.number);
}

pub const AROUND: Around<'static> =
    Around { zone: chrono_tz::Europe::Amsterdam, paymethod: Some("sandboxpay_ideal"), costs_vat_percent: None };

fn documented(number: &str) -> Order {
    let orders: Vec<Value> = serde_json::from_str(ORDERS).unwrap();
    let order = orders.into_iter().find(|order| order["ordernumber_full"] == number).unwrap();
    let rows = native::list(&order["orderrows"]["collection"]);
    read(Entity::Orders, &native::order(order, rows, &AROUND).unwrap().raw)
}

#[test]
fn the_documented_order_becomes_a_canonical_order() {
    let order = documented("W24");
    check_sums(&order);
    assert_eq!((order.id.as_str(), order.number.as_str(), order.reference.as_str()), ("1001", "W24", "CCV-W24"));
    assert_eq!((order.status.as_str(), order.currency.code(), order.total), ("new", "EUR", Decimal::from(590)));
    assert_eq!(
        (order.date.to_string(), order.created_at.to_rfc3339()),
        ("2026-11-22".into(), "2026-11-21T23:30:00+00:00".into())
    );
    let [line, shipping] = order.lines.as_slice() else { panic!("{:?}", order.lines) };
    assert_eq!((line.sku.as_str(), line.description.as_str()), ("BANK-3-RED", "Sofa & stool, Colour: Red"));
    assert_eq!((line.quantity, line.rate_percent()), (Decimal::ONE, Decimal::from(21)));
    assert_eq!(
        (line.net.to_string(), line.net_before_discount.to_string()),
        ("483.471074".into(), "491.735537".into())
    );
    assert_eq!((shipping.kind, shipping.source_code.as_str()), (LineKind::Shipping, "PostNL"));
    assert_eq!((order.payment.method.as_str(), order.payment.title.as_str()), ("sandboxpay_ideal", "iDEAL"));
    assert_eq!(order.shipping.method, "PostNL");
    let customer = &order.customer;
    assert!(!customer.guest && customer.id == "7" && customer.company.is_none());
    assert_eq!((customer.email.as_str(), customer.language.as_str()), ("jan@example.test", "nl"));
    let bill = &customer.billing;
    assert_eq!((bill.line1.as_str(), bill.street.as_str()), ("Dorpsstraat 12b", "Dorpsstraat"));
    assert_eq!((bill.house_number.as_str(), bill.house_number_addition.as_str()), ("12", "b"));
    assert_eq!((bill.first_name.as_str(), bill.last_name.as_str(), bill.country.as_str()), ("Jan", "de Vries", "NL"));
    assert!(customer.shipping.is_empty(), "all its fields are empty texts");
    assert_eq!(order.ship_to().city, "Ons Dorp");
}

#[test]
fn a_company_without_tax_and_a_guest_of_few_words() {
    let order = documented("W25");
    check_sums(&order);
    let company = order.customer.company.as_ref().unwrap();
    assert_eq!((company.name.as_str(), company.register_number.as_str()), ("Peeters BV", "0123"));
    assert_eq!(order.customer.vat_number.as_deref(), Some("BE0123456789"));
    assert!(order.vat_exempt && order.lines.iter().all(|line| line.rate_percent().is_zero()));
    assert_eq!((order.total, order.total_tax), (Decimal::from(100), Decimal::ZERO));
    assert_eq!(order.customer.shipping.city, "Gent");
    // Only one line of address is filled: street and number are taken out of it.
    assert_eq!(
        (order.customer.shipping.street.as_str(), order.customer.shipping.house_number.as_str()),
        ("Veldstraat", "8")
    );

    let guest = documented("W26");
    check_sums(&guest);
    assert!(guest.customer.guest && guest.customer.id.is_empty());
    assert_eq!(guest.customer.person.full_name(), "G. Groß");
    let kinds: Vec<(&str, String)> =
        guest.lines.iter().map(|line| (line.kind.name(), (line.net + line.tax).normalize().to_string())).collect();
    assert_eq!(
        kinds,
        [("product", "60.5".into()), ("product", "72.6".into()), ("fee", "1.21".into()), ("discount", "-13.31".into())]
    );
    assert_eq!(guest.coupons[0].code, "TIEN");
    assert_eq!((guest.coupons[0].discount + guest.coupons[0].discount_tax).round_dp(2), "13.31".parse().unwrap());
    // A reduction of the whole basket is spread over its rates.
    assert_eq!(guest.lines[3].taxes.len(), 2);
}

#[test]
fn a_credit_becomes_a_refund_of_lines() {
    let order: Vec<Value> = serde_json::from_str(ORDERS).unwrap();
    let order = order[0].clone();
    let rows = native::list(&order["orderrows"]["collection"]);
    let credit: Value = serde_json::from_str(include_str!("../fixtures/credit.json")).unwrap();
    let credit_rows = native::list(&credit["invoicerows"]["collection"]);
    let record = native::refund::record(credit, credit_rows, order, rows, &AROUND).unwrap();
    assert_eq!((record.key.as_str(), record.label.as_str()), ("1001/90", "W24 credit F2026090"));
    let refund: Refund = read(Entity::Refunds, &record.raw);
    assert_eq!((refund.id.as_str(), refund.total, refund.reason.as_str()), ("90", Decimal::from(590), "F2026090"));
    let sum: Decimal = refund.lines.iter().map(|line| line.net + line.tax).sum();
    assert_eq!(sum, Decimal::from(-590));
    assert_eq!((refund.lines[0].id.as_str(), refund.lines[0].quantity), ("5001", Decimal::from(-1)));
    assert_eq!((refund.lines[1].id.as_str(), refund.lines[1].kind), ("shipping", LineKind::Shipping));
    let original: Order = read(Entity::Orders, &record.raw["order"]);
    assert!(refund.lines.iter().all(|line| original.lines.iter().any(|of| of.id == line.id)), "lines of the order");
}

fn product(number: &str) -> Product {
    let tree = tree_of(
        &json!({ "root_categories": [{ "id": 1, "name": "Clothes", "children": [{ "id": 2, "name": "Shirts" }] }] }),
    );
    let percents = [("normal", 21), ("low a", 9), ("zero", 0)];
    let shop = ShopFacts {
        currency: "EUR".into(),
        prices_include_vat: true,
        percents: percents.into_iter().map(|(name, percent)| (name.to_owned(), Decimal::from(percent))).collect(),
        ..ShopFacts::default()
    };
    let raws: Vec<Value> = serde_json::from_str(PRODUCTS).unwrap();
    let raw = raws.into_iter().find(|raw| raw["productnumber"] == number).unwrap();
    read(Entity::Products, &native::product::record(raw, &tree, &shop, &[]).unwrap().raw)
}

#[test]
fn products_become_canonical_products() {
    let mug = product("MUG");
    assert_eq!(
        (mug.kind, mug.price, mug.vat_percent),
        (ProductKind::Simple, Some("12.04".parse().unwrap()), Some(Decimal::from(21)))
    );
    assert_eq!(
        (mug.gtin.as_str(), mug.weight_kg, mug.currency.as_str()),
        ("8710000000017", Some("0.35".parse().unwrap()), "EUR")
    );
    assert!(mug.price_includes_tax && mug.published && mug.tax_class == "normal");
    // The main photo is the first.
    assert_eq!((mug.images[0].url.as_str(), mug.images[0].version.as_str()), ("https://shop.test/mug.jpg", "8"));
    let shirt = product("SHIRT");
    assert_eq!(
        (shirt.kind, shirt.categories[0].path.clone()),
        (ProductKind::Variable, vec!["Clothes".into(), "Shirts".into()])
    );
    let prices: Vec<(&str, Option<Decimal>, bool)> =
        shirt.variations.iter().map(|one| (one.sku.as_str(), one.price, one.published)).collect();
    assert_eq!(
        prices,
        [("SHIRT-S", Some("20".parse().unwrap()), true), ("SHIRT-L", Some("22.5".parse().unwrap()), false)]
    );
    assert_eq!((shirt.attributes[0].name.as_str(), shirt.attributes[0].values.len()), ("Size", 2));
}

#[test]
fn users_become_canonical_customers_and_are_written_as_they_were() {
    let users: Vec<Value> = serde_json::from_str(USERS).unwrap();
    let customers: Vec<Customer> =
        users.iter().map(|raw| read(Entity::Customers, &native::customer::record(raw.clone()).unwrap().raw)).collect();
    let els = &customers[1];
    assert_eq!((els.email.as_str(), els.vat_number.as_deref()), ("inkoop@peeters.example.test", Some("BE0123456789")));
    assert_eq!((els.company.as_ref().unwrap().name.as_str(), els.price_class.as_str()), ("Peeters BV", "2"));
    let made = write(Entity::Customers, "customer", els, &json!({}));
    assert_eq!(
        (&made["username"], &made["userinfo"]["customertype"]),
        (&json!("inkoop@peeters.example.test"), &json!("b2b"))
    );
    let theirs = &users[1]["userinfo"]["billingaddress"];
    for (name, value) in made["userinfo"]["billingaddress"].as_object().unwrap() {
        let there = &theirs[name];
        let same = value.is_null() || native::text(value) == native::text(there);
        assert!(same, "{name}: {value} and {there}");
    }
    assert_eq!(made["userinfo"]["billingaddress"]["housenumber"], json!(5));
    // A number with letters has no place in a field for whole numbers.
    let mut odd = customers[0].clone();
    odd.billing.house_number = "12-14".into();
    odd.billing.line1.clear();
    let made = write(Entity::Customers, "customer", &odd, &json!({}));
    assert_eq!(made["userinfo"]["billingaddress"]["housenumber"], Value::Null);
    assert_eq!(made["userinfo"]["billingaddress"]["address_line_1"], json!("Dorpsstraat 12-14 b"));
    assert_eq!(made["userinfo"]["deliveryaddress"]["city"], Value::Null, "what is empty is not spoken of");
}

#[test]
fn a_product_is_written_as_the_shop_takes_it() {
    let mut shirt = product("SHIRT");
    let image = |url: &str| Image { url: url.into(), alt: "Shirt".into(), version: "1".into() };
    shirt.images = vec![image("https://a/1.jpg"), image("https://a/2.jpg")];
    let made = write(Entity::Products, "product", &shirt, &json!({ "product": { "unpublished": "draft" } }));
    assert_eq!(
        (&made["productnumber"], &made["price"], &made["active"]),
        (&json!("SHIRT"), &Value::Null, &json!(true))
    );
    assert_eq!(made["_pictures"], json!([{ "url": "https://a/1.jpg", "version": "1", "name": "Shirt" }]), "one");
    assert_eq!(made["_categories"], json!([["Clothes", "Shirts"]]));
    // What variations differ by is no property of the product.
    let feature = |name: &str, varies| Attribute { name: name.into(), values: vec!["Wool".into()], varies };
    shirt.attributes.push(feature("Material", false));
    shirt.attributes.push(feature("Yarn", true));
    let with = write(Entity::Products, "product", &shirt, &json!({}));
    assert_eq!(
        (&with["_properties"], &made["_properties"]),
        (&json!([{ "name": "Material", "values": ["Wool"] }]), &json!([]))
    );
    assert_eq!(made["_variations"][1]["choices"], json!([{ "name": "Size", "option": "L" }]));
    assert_eq!((&made["taxtariff"], &made["_vat_percent"]), (&json!("normal"), &json!("21")));

    let bare =
        Product { sku: "X".into(), name: "X".into(), price: Some("1.2345".parse().unwrap()), ..Product::default() };
    let of = |unpublished: &str| {
        write(Entity::Products, "product", &bare, &json!({ "product": { "unpublished": unpublished } }))
    };
    assert_eq!((&of("draft")["active"], &of("leave")["active"]), (&json!(false), &Value::Null));
    assert_eq!((&of("draft")["price"], &of("draft")["_pictures"]), (&json!("1.2345"), &json!([])));
    let gross = Product { price_includes_tax: true, ..bare.clone() };
    assert_eq!(write(Entity::Products, "product", &gross, &json!({}))["price"], json!("1.23"), "what a buyer pays");
    for silent in ["description", "weight", "taxtariff", "_vat_percent", "_categories", "_variations", "eannumber"] {
        assert_eq!(of("draft")[silent], Value::Null, "{silent}");
    }
}

#[test]
fn a_price_of_a_group_is_what_it_pays() {
    use koppel_core::document::Price;
    let price = |includes_tax: bool| Price {
        sku: "X".into(),
        price: "8.2645".parse().unwrap(),
        includes_tax,
        ..Price::default()
    };
    let made = |includes_tax| write(Entity::Prices, "price", &price(includes_tax), &json!({}));
    assert_eq!((&made(true)["price"], &made(false)["price"]), (&json!("8.26"), &json!("8.2645")));
    assert_eq!((&made(true)["_prices_include_vat"], &made(true)["_breaks"]), (&json!(true), &json!([])));
}

#[test]
fn stock_keeps_parts_of_a_piece() {
    let level =
        StockLevel { sku: "X".into(), available: "2.5".parse().unwrap(), manage_stock: true, ..StockLevel::default() };
    let made = write(Entity::Stock, "stock", &level, &json!({}));
    assert_eq!((native::text(&made["stock"]).as_str(), &made["stockenabled"]), ("2.5", &json!(true)));
    let unmanaged = write(Entity::Stock, "stock", &StockLevel::default(), &json!({}));
    assert_eq!(unmanaged, json!({ "stockenabled": false, "stock": null }));
}
