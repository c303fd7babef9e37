//! Products, customers, pictures and lists of the stand-in.

use koppel_core::document::{Customer, Product, ProductKind};
use koppel_core::system::SourceList;
use rust_decimal::Decimal;

use super::rows::read;
use super::*;

const SINCE: &str = "2026-11-01T00:00:00Z";

fn labels(records: &[SourceRecord]) -> Vec<&str> {
    records.iter().map(|record| record.label.as_str()).collect()
}

fn product_of_features(product: &Product) -> Vec<(&str, &str, bool)> {
    product.attributes.iter().map(|one| (one.name.as_str(), one.values[0].as_str(), one.varies)).collect()
}

#[tokio::test]
async fn products_are_read_with_what_is_sold_of_them() {
    let world = World::new(json!({}), json!({})).await;
    let source = world.source();
    let records = read_all(&source, Entity::Products, SINCE, &world.calls, |_| ()).await;
    let mut known = labels(&records);
    known.sort_unstable();
    assert_eq!(known, ["14", "CONCEPT", "DIENST-1", "GRAV", "KOFFIE", "MOK-WIT", "POSTER-1", "TSHIRT"]);
    let product = |label: &str| -> Product {
        read(Entity::Products, &records.iter().find(|record| record.label == label).unwrap().raw)
    };
    let mug = product("MOK-WIT");
    assert_eq!(
        (mug.price, mug.vat_percent, mug.price_includes_tax),
        (Some("12.04".parse().unwrap()), Some(Decimal::from(21)), true)
    );
    assert_eq!(mug.categories[0].path, ["Wonen & koken", "Mokken"]);
    let coffee = product("KOFFIE");
    assert_eq!(coffee.vat_percent, Some(Decimal::from(9)));
    let features: Vec<(&str, &str, bool)> = product_of_features(&coffee);
    assert_eq!(features, [("Inhoud", "250 g", false), ("Land van herkomst", "Colombia", false)]);
    let sign = product("GRAV");
    let prices: Vec<(&str, Option<Decimal>)> =
        sign.variations.iter().map(|one| (one.sku.as_str(), one.price)).collect();
    assert_eq!(prices, [("GRAV-K", Some("36.3".parse().unwrap())), ("GRAV-G", Some("48.4".parse().unwrap()))]);
    assert_eq!(product("TSHIRT").kind, ProductKind::Variable);
    assert!(!product("CONCEPT").published);

    // Only what was changed since: the list is read from its newest end.
    world.forward(60);
    let since = world.now().to_rfc3339();
    let shop = crate::ccv_shop::client::CcvShopClient::new(&world.connection, &world.deps).unwrap();
    world.forward(60);
    shop.change("products/12", json!({ "name": "Koffie" }), &world.calls).await.unwrap();
    world.forward(120);
    assert_eq!(labels(&read_all(&source, Entity::Products, &since, &world.calls, |_| ()).await), ["KOFFIE"]);
    let one = source.fetch_one(Entity::Products, &key("16"), &world.calls).await.unwrap().unwrap();
    assert_eq!((one.label.as_str(), one.raw["combinations"].as_array().map(Vec::len)), ("TSHIRT", Some(6)));
    assert!(source.fetch_one(Entity::Products, &key("999"), &world.calls).await.unwrap().is_none());
}

#[tokio::test]
async fn customers_are_read_as_a_whole() {
    let world = World::new(json!({}), json!({ "page_size": 2 })).await;
    let source = world.source();
    let records = read_all(&source, Entity::Customers, SINCE, &world.calls, |_| ()).await;
    let addresses: Vec<&str> = records.iter().map(|record| record.partition.as_str()).collect();
    assert_eq!(addresses, ["jan@example.test", "inkoop@peeters.example.test", "inkoop@delinde.example.test"]);
    assert!(labels(&records).iter().all(|label| !label.contains('@')), "a label is no address");
    let noor: Customer = read(Entity::Customers, &records[2].raw);
    assert_eq!(noor.company.as_ref().unwrap().register_number, "12345678");
    let one = source.fetch_one(Entity::Customers, &key("3"), &world.calls).await.unwrap().unwrap();
    assert_eq!(one, records[1]);
}

#[tokio::test]
async fn lists_give_the_words_that_orders_and_products_use() {
    let world = World::new(json!({}), json!({})).await;
    let source = world.source();
    let mut lists = std::collections::BTreeMap::new();
    for list in SourceList::ALL {
        let values = source.list_values(list, &world.calls).await.unwrap();
        lists.insert(list, values.into_iter().map(|value| (value.code, value.name)).collect::<Vec<_>>());
    }
    let has = |list, code: &str, name: &str| lists[&list].contains(&(code.to_owned(), name.to_owned()));
    assert!(has(SourceList::PaymentMethod, "sandboxpay_ideal", "iDEAL"), "{lists:?}");
    assert!(
        has(SourceList::TaxClass, "low a", "9 %") && has(SourceList::TaxClass, "extra low", "extra low"),
        "{lists:?}"
    );
    assert!(has(SourceList::Category, "4", "Wonen & koken > Mokken"), "{lists:?}");
    assert!(!lists[&SourceList::ShippingMethod].is_empty(), "{lists:?}");
    // Orders speak of the same ways to pay and to send.
    let order = source.fetch_one(Entity::Orders, &key("23"), &world.calls).await.unwrap().unwrap().raw;
    let codes = |list| lists[&list].iter().map(|(code, _)| json!(code)).collect::<Vec<_>>();
    assert!(codes(SourceList::PaymentMethod).contains(&order["paymethod_code"]));
    assert!(codes(SourceList::ShippingMethod).contains(&order["deliver_method"]));
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_the_name_of_the_shop() {
    let world = World::new(json!({}), json!({})).await;
    for entity in [Entity::Stock, Entity::Prices] {
        let query = FetchQuery { entity, since: SINCE.parse().unwrap(), page: None };
        let failure = world.source().fetch_page(&query, &world.calls).await.unwrap_err();
        assert!(matches!(&failure, Failure::Settings(cause) if cause.message.contains("CCV Shop")), "{failure:?}");
    }
    let elsewhere = world.source().fetch_picture("https://elsewhere.test/a.jpg", &world.calls).await.unwrap();
    assert_eq!((elsewhere, world.calls.count()), (None, 0));
}
