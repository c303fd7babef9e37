//! Rows of products, stock and customers, over what was recorded.

use koppel_core::document::{Category, Customer, Entity, Product, ProductKind, StockLevel};
use koppel_core::system::Side;
use koppel_mapping::{Checks, FieldCatalogue, Mapping, RowFile, Scope, Value as Mapped, compile};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::without_empties;
use crate::http::testing::{connection, world};
use crate::woocommerce::{FACTS, WooCommerceSource};

const PRODUCTS: &str = include_str!("../fixtures/products.json");
const CUSTOMERS: &str = include_str!("../fixtures/customers.json");

fn mapping(side: Side, entity: Entity) -> Mapping {
    let rows = FACTS.rows_for(side, entity, None).unwrap();
    let file = RowFile::parse(rows.name, rows.text).unwrap();
    let sections: Value = serde_saphyr::from_str(FACTS.fields).unwrap();
    let stem = rows.name.rsplit('/').next().unwrap().trim_end_matches(".yaml");
    let fields = FieldCatalogue::parse("woocommerce/fields.yaml", &sections[stem].to_string()).unwrap();
    let checks = match side {
        Side::Source => Checks::new().catalogued("source", fields),
        Side::Target => {
            let names = ["product", "stock", "customer", "settings"];
            names.into_iter().fold(Checks::new(), Checks::variable).target(fields)
        }
    };
    compile(&file, &checks).unwrap_or_else(|findings| panic!("{findings:#?}"))
}

fn read<T: serde::de::DeserializeOwned>(entity: Entity, raw: &Value) -> T {
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

/// Recorded products as the source hands them out.
fn recorded() -> Vec<Value> {
    let list: Vec<Value> = serde_json::from_str(PRODUCTS).unwrap();
    let tree = crate::woocommerce::categories::recorded();
    let shop = crate::woocommerce::source::ShopFacts { currency: "EUR".into(), prices_include_tax: false };
    let unit = connection("woocommerce", json!({}), &[]);
    let unit = crate::woocommerce::weight::WeightUnit::of(&unit).unwrap();
    let variations = |id: u64| match id {
        16 => serde_json::from_str(include_str!("../fixtures/products-16-variations.json")).unwrap(),
        20 => serde_json::from_str(include_str!("../fixtures/products-20-variations.json")).unwrap(),
        _ => Vec::new(),
    };
    let record = |raw: Value| {
        let id = crate::woocommerce::native::id(&raw).unwrap();
        crate::woocommerce::native::product::record(raw, variations(id), &tree, &shop, unit).unwrap().raw
    };
    list.into_iter().map(record).collect()
}

fn product(sku: &str) -> Product {
    let raw = recorded().into_iter().find(|raw| raw["sku"] == sku).unwrap();
    read(Entity::Products, &raw)
}

#[test]
fn recorded_products_become_canonical_products() {
    let mug = product("MOK-WIT");
    assert_eq!((mug.name.as_str(), mug.kind, mug.price), ("Mok wit", ProductKind::Simple, Some(Decimal::new(995, 2))));
    assert_eq!((mug.gtin.as_str(), mug.weight_kg), ("8710000000017", Some(Decimal::new(35, 2))));
    assert_eq!((mug.currency.as_str(), mug.price_includes_tax, mug.published), ("EUR", false, true));
    assert_eq!(mug.categories[0], Category { code: "diensten-overig".into(), path: vec!["Diensten & overig".into()] });

    assert_eq!(product("POSTER-1").name, "Poster \"Zomer\" & strand één");
    assert_eq!(product("KOFFIE").tax_class, "reduced-rate");
    assert_eq!(product("DIENST-1").kind, ProductKind::Virtual);
    assert!(!product("CONCEPT").published && product("CONCEPT").price.is_none());

    let shirt = product("TSHIRT");
    assert_eq!(
        (shirt.kind, shirt.categories[0].path.clone()),
        (ProductKind::Variable, vec!["Kleding".into(), "Shirts".into()])
    );
    assert_eq!(shirt.attributes.len(), 3);
    assert_eq!(
        (shirt.attributes[0].values.clone(), shirt.attributes[0].varies),
        (vec!["Blauw".into(), "Rood".into()], true)
    );
    assert!(!shirt.attributes[2].varies);
    assert_eq!(shirt.variations.len(), 3);
    let blue = shirt.variations.iter().find(|variation| variation.sku == "TSHIRT-BLAUW-L").unwrap();
    assert_eq!((blue.id.as_str(), blue.price, blue.published), ("19", Some(Decimal::new(1995, 2)), true));
    assert_eq!((blue.attributes[1].name.as_str(), blue.attributes[1].values[0].as_str()), ("Maat", "L"));
    assert!(blue.image.is_none());
}

#[test]
fn recorded_customers_become_canonical_customers() {
    let list: Vec<Value> = serde_json::from_str(CUSTOMERS).unwrap();
    let buyers: Vec<Customer> = list
        .into_iter()
        .filter(crate::woocommerce::native::customer::is_buyer)
        .map(|raw| read(Entity::Customers, &crate::woocommerce::native::customer::record(raw, &[]).unwrap().raw))
        .collect();
    assert_eq!(buyers.len(), 2, "the administrator buys nothing");
    let jan = &buyers[0];
    assert_eq!((jan.email.as_str(), jan.guest, jan.company.is_none()), ("jan@example.test", false, true));
    assert_eq!((jan.billing.street.as_str(), jan.billing.house_number.as_str()), ("Dorpsstraat", "12"));
    assert_eq!(jan.person.full_name(), "Jan de Vries");
    let els = &buyers[1];
    assert_eq!(els.company.as_ref().unwrap().name, "Peeters BV");
    assert_eq!((els.vat_number.as_deref(), els.shipping.city.as_str()), (Some("BE0123456789"), "Antwerpen"));
}

#[test]
fn a_product_is_written_as_the_shop_takes_it() {
    let mut shirt = product("TSHIRT");
    shirt.images =
        vec![koppel_core::document::Image { url: "https://a/1.jpg".into(), alt: "Shirt".into(), version: "1".into() }];
    let made = write(Entity::Products, "product", &shirt, &json!({ "product": { "unpublished": "draft" } }));
    assert_eq!(
        (&made["type"], &made["virtual"], &made["status"]),
        (&json!("variable"), &json!(false), &json!("publish"))
    );
    assert_eq!((&made["regular_price"], &made["tax_class"]), (&Value::Null, &json!("standard")));
    assert_eq!(made["_categories"], json!([["Kleding", "Shirts"]]));
    assert_eq!(
        made["_attributes"][0],
        json!({ "name": "Kleur", "options": ["Blauw", "Rood"], "variation": true, "visible": true })
    );
    assert_eq!(made["_pictures"], json!([{ "url": "https://a/1.jpg", "version": "1", "name": "Shirt" }]));
    let blue = made["_variations"].as_array().unwrap().iter().find(|v| v["sku"] == "TSHIRT-BLAUW-L").unwrap();
    assert_eq!((&blue["regular_price"], &blue["status"]), (&json!("19.95"), &json!("publish")));
    assert_eq!(blue["attributes"][0], json!({ "name": "Kleur", "option": "Blauw" }));

    let mut bare =
        Product { sku: "X".into(), name: "X".into(), price: Some("1.23456".parse().unwrap()), ..Product::default() };
    let of = |product: &Product, unpublished: &str| {
        write(Entity::Products, "product", product, &json!({ "product": { "unpublished": unpublished } }))
    };
    assert_eq!((&of(&bare, "draft")["status"], &of(&bare, "private")["status"]), (&json!("draft"), &json!("private")));
    assert_eq!(of(&bare, "draft")["regular_price"], "1.23456");
    bare.price_includes_tax = true;
    assert_eq!(of(&bare, "draft")["regular_price"], "1.23");
    bare.price = None;
    assert_eq!(of(&bare, "draft")["regular_price"], "", "not for sale");
    for silent in
        ["description", "weight", "tax_class", "_categories", "_attributes", "_variations", "global_unique_id"]
    {
        assert_eq!(of(&bare, "draft")[silent], Value::Null, "{silent}");
    }
}

#[test]
fn stock_is_whole_pieces_rounded_down() {
    for (available, pieces) in [("5", 5), ("2.9999", 2), ("2.5", 2), ("0.4", 0), ("0", 0), ("-1", -1), ("-1.5", -2)] {
        let level = StockLevel {
            sku: "X".into(),
            available: available.parse().unwrap(),
            manage_stock: true,
            ..StockLevel::default()
        };
        let made = write(Entity::Stock, "stock", &level, &json!({}));
        assert_eq!(made, json!({ "manage_stock": true, "stock_quantity": pieces }), "{available}");
    }
    let unmanaged = write(Entity::Stock, "stock", &StockLevel::default(), &json!({}));
    assert_eq!(unmanaged, json!({ "manage_stock": false, "stock_quantity": null }));
}

#[test]
fn a_customer_is_written_as_the_shop_takes_it() {
    let list: Vec<Value> = serde_json::from_str(CUSTOMERS).unwrap();
    let els: Customer =
        read(Entity::Customers, &crate::woocommerce::native::customer::record(list[2].clone(), &[]).unwrap().raw);
    let made = write(Entity::Customers, "customer", &els, &json!({}));
    assert_eq!((&made["email"], &made["_vat_number"]), (&json!("inkoop@peeters.example.test"), &json!("BE0123456789")));
    for (name, value) in list[2]["billing"].as_object().unwrap() {
        let made = &made["billing"][name];
        assert!(made == value || made.is_null() && value == "", "{name}: {made} and {value}");
    }
    assert_eq!(made["shipping"]["address_1"], "Kerkstraat 5");
}

#[test]
fn units_and_names_that_are_wrong_are_settings() {
    let (_, _, deps) = world();
    for option in ["weight_unit", "batch_size", "attributes", "page_size"] {
        let keys = [("key", "ck_one"), ("secret", "cs_two")];
        let connection = connection("woocommerce", json!({ "url": "https://shop.test", option: "odd" }), &keys);
        let source = WooCommerceSource::new(&connection, &deps).err();
        let target = crate::woocommerce::WooCommerceTarget::new(&connection, &deps).err();
        let failure = source.or(target).unwrap();
        assert_eq!(failure.cause().place.row.as_deref(), Some(option));
    }
}
