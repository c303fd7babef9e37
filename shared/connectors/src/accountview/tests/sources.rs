//! Reading articles, stock and debtors from the stand-in.

use chrono::{DateTime, Utc};
use koppel_core::document::{Customer, Entity, Product, StockLevel};
use koppel_core::message::SourceRecord;
use koppel_core::ports::{FetchQuery, Source};
use serde_json::{Value, json};

use super::rows::canonical;
use super::world::{World, key, other_profile};
use crate::accountview::AccountView;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// All pages.
async fn fetch(av: &AccountView, world: &World, entity: Entity, since: &str) -> Vec<SourceRecord> {
    let (mut all, mut page) = (Vec::new(), None);
    loop {
        let query = FetchQuery { entity, since: at(since), page };
        let got = av.fetch_page(&query, &world.calls).await.unwrap();
        all.extend(got.records);
        page = got.next;
        if page.is_none() {
            return all;
        }
    }
}

fn keys(records: &[SourceRecord]) -> Vec<&str> {
    records.iter().map(|record| record.key.as_str()).collect()
}

/// Absent and empty are the same to rows.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let filled = fields.iter().filter(|(_, value)| !value.is_null());
            Value::Object(filled.map(|(name, value)| (name.clone(), without_nulls(value))).collect())
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

fn document<T: serde::de::DeserializeOwned>(entity: Entity, record: &SourceRecord) -> T {
    let made = without_nulls(&canonical(entity, &record.raw));
    serde_json::from_value(made).unwrap_or_else(|error| panic!("{error}: {}", record.raw))
}

const LONG_AGO: &str = "2020-01-01T00:00:00Z";

#[tokio::test]
async fn every_article_is_a_product_with_price_rate_group_and_barcode() {
    let world = World::new(json!({}), json!({"page_size": 5})).await;
    let records = fetch(&world.av, &world, Entity::Products, LONG_AGO).await;
    assert_eq!(records.len(), 13);
    let mug = records.iter().find(|record| record.key.as_str() == "MOK-WIT").unwrap();
    let product: Product = document(Entity::Products, mug);
    assert_eq!(
        (product.sku.as_str(), product.name.as_str(), product.gtin.as_str()),
        ("MOK-WIT", "Mok wit", "8710000000017")
    );
    assert_eq!(
        (product.price.unwrap().to_string(), product.vat_percent.unwrap().to_string()),
        ("9.95".into(), "21".into())
    );
    assert_eq!((product.price_includes_tax, product.published, product.currency.as_str()), (false, true, "EUR"));
    assert_eq!(product.categories[0].path, ["Artikelen hoog tarief"]);
    assert_eq!(mug.raw["fields"]["QTY_FREE2"], Value::Null, "only what is asked for is read");
    let coffee = records.iter().find(|record| record.key.as_str() == "KOFFIE").unwrap();
    assert_eq!(document::<Product>(Entity::Products, coffee).price.unwrap().to_string(), "18.3486");
    // Pages of five: three of articles, and lists of VAT codes and groups for each.
    let one = world.av.fetch_one(Entity::Products, &key("KOFFIE"), &world.calls).await.unwrap().unwrap();
    assert_eq!(one, *coffee);
    assert!(
        world.av.fetch_one(Entity::Products, &key("TSHIRT-ROOD"), &world.calls).await.unwrap().is_none(),
        "no half code"
    );
}

#[tokio::test]
async fn only_what_changed_since_then_is_read_however_it_is_asked_for() {
    for (switches, profile) in [
        (json!({}), json!({})),
        (json!({"datetime_literals": true}), json!({"connection": {"changed_since": {"how": "expression"}}})),
        (
            json!({"range_operators": false, "raw_filter": false}),
            json!({"connection": {"changed_since": {"how": "off"}}}),
        ),
    ] {
        let world = World::new(switches, json!({ "profile": profile })).await;
        assert_eq!(fetch(&world.av, &world, Entity::Products, "2026-06-01T08:00:00Z").await.len(), 0);
        world.inspector().inspect("POST", "rows/ARTICLE/KOFFIE", &json!({"ART_DESC1": "Koffie"}));
        world.sandbox.clock().advance(chrono::Duration::hours(2));
        world.inspector().inspect("POST", "rows/ARTICLE/DIVERS", &json!({"ART_DESC1": "Divers"}));
        let records = fetch(&world.av, &world, Entity::Products, "2026-06-01T09:00:00Z").await;
        assert_eq!(keys(&records), ["DIVERS", "KOFFIE"]);
        assert_eq!(records[1].modified_at, Some(at("2026-06-01T10:00:00Z")), "the clock there is two hours ahead");
        let later = fetch(&world.av, &world, Entity::Products, "2026-06-01T11:30:00Z").await;
        assert_eq!(keys(&later), ["DIVERS"], "the same day, but earlier");
    }
    // An operator that is not known is refused by name, not passed over.
    let world = World::new(json!({"range_operators": false}), json!({})).await;
    let query = FetchQuery { entity: Entity::Products, since: at(LONG_AGO), page: None };
    let failure = world.av.fetch_page(&query, &world.calls).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("settings", "query_refused"));
}

#[tokio::test]
async fn what_changes_when_an_hour_comes_for_the_second_time_is_read() {
    let world = World::new(json!({"refresh_days": 365}), json!({})).await;
    // Ten to three by the time of summer; a quarter of an hour later it is five past two.
    world.sandbox.clock().set(at("2026-10-25T01:05:00Z"));
    world.inspector().inspect("POST", "rows/ARTICLE/KOFFIE", &json!({"ART_DESC1": "Koffie"}));
    let records = fetch(&world.av, &world, Entity::Products, "2026-10-25T00:50:00Z").await;
    assert_eq!(keys(&records), ["KOFFIE"]);
}

#[tokio::test]
async fn articles_of_one_parent_are_one_product_by_code_or_by_field() {
    let world = World::new(json!({}), json!({})).await;
    world.inspector().add_catalogue().unwrap();
    let by_code = world.again(json!({"variants": {"code_prefix": "-"}}));
    let records = fetch(&by_code, &world, Entity::Products, LONG_AGO).await;
    let red = records.iter().find(|record| record.label == "TRUI-ROOD").unwrap();
    assert_eq!(red.key.as_str(), "variants of TRUI-ROOD");
    let product: Product = document(Entity::Products, red);
    assert_eq!((product.name.as_str(), product.gtin.as_str(), product.variations.len()), ("Trui rood", "", 2));
    assert_eq!(
        (product.variations[1].sku.as_str(), product.variations[1].gtin.as_str()),
        ("TRUI-ROOD-S", "8710000000100")
    );

    world.switch(json!({"dictionary": "other"}));
    world.inspector().add_catalogue().unwrap();
    let by_field = world.again(
        json!({"variants": {"field": "X11_PARENT"}, "features": {"Groep": "AG_CODE"}, "profile": other_profile()}),
    );
    let records = fetch(&by_field, &world, Entity::Products, LONG_AGO).await;
    let jumper = records.iter().find(|record| record.label == "TRUI").unwrap();
    let product: Product = document(Entity::Products, jumper);
    assert_eq!(
        (product.variations.len(), product.attributes[0].values.as_slice()),
        (4, ["KLEDING".to_owned()].as_slice())
    );
    let one = by_field.fetch_one(Entity::Products, &jumper.key, &world.calls).await.unwrap().unwrap();
    assert_eq!(one, *jumper);
    // One of them changes: the whole product comes, and nothing else.
    world.sandbox.clock().advance(chrono::Duration::hours(1));
    world.inspector().inspect("POST", "rows/ARTICLE/TRUI-ROOD-S", &json!({"SELL_PX": 49.5}));
    let changed = fetch(&by_field, &world, Entity::Products, "2026-06-01T10:30:00Z").await;
    assert_eq!(keys(&changed), ["variants of TRUI"]);
}

#[tokio::test]
async fn a_field_that_is_not_there_is_named_before_anything_is_read() {
    let world = World::new(json!({}), json!({"attributes": {"Kleur": "X01_COL"}})).await;
    let query = FetchQuery { entity: Entity::Products, since: at(LONG_AGO), page: None };
    let failure = world.av.fetch_page(&query, &world.calls).await.unwrap_err();
    assert!(
        failure.class() == "settings" && failure.to_string().contains("table ARTICLE has no field «X01_COL»"),
        "{failure}"
    );
}

#[tokio::test]
async fn stock_is_what_is_free_of_what_lies_there() {
    let world = World::new(json!({}), json!({"page_size": 6})).await;
    world.inspector().add_catalogue().unwrap();
    let stock = async |av: &AccountView| {
        let records = fetch(av, &world, Entity::Stock, "2026-06-01T09:59:00Z").await;
        let record = records.iter().find(|record| record.label == "VAAS-GROEN").unwrap();
        let level: StockLevel = document(Entity::Stock, record);
        (
            records.len(),
            level.on_hand.to_string(),
            level.reserved.to_string(),
            level.positions[0].free.map(|free| free.to_string()),
        )
    };
    assert_eq!(stock(&world.av).await, (22, "14".into(), "3".into(), Some("11".into())));
    // A change of stock does not touch the article, and is read all the same.
    world.inspector().inspect("POST", "stock", &json!({"item": "VAAS-GROEN", "free": -2, "technical": 1}));
    assert_eq!(stock(&world.av).await, (22, "1".into(), "3".into(), Some("-2".into())));
    let only = |role: &str| world.again(json!({"profile": {"article": {"roles": { role: null }}}}));
    assert_eq!(stock(&only("technical_stock")).await, (22, "-2".into(), "0".into(), Some("-2".into())));
    assert_eq!(stock(&only("free_stock")).await, (22, "1".into(), "0".into(), None));
    let one = world.av.fetch_one(Entity::Stock, &key("VAAS-GROEN"), &world.calls).await.unwrap().unwrap();
    assert_eq!(one.raw["positions"][0]["on_hand"], 1);
    let off = world.again(json!({"profile": {"article": {"roles": {"free_stock": null, "technical_stock": null}}}}));
    assert_eq!(off.fetch_one(Entity::Stock, &key("X"), &world.calls).await.unwrap_err().cause().code, "role_is_off");
}

#[tokio::test]
async fn debtors_are_companies_or_persons_and_the_blocked_stay_out() {
    let world = World::new(json!({}), json!({"page_size": 3})).await;
    world.inspector().add_catalogue().unwrap();
    let records = fetch(&world.av, &world, Entity::Customers, LONG_AGO).await;
    assert_eq!(keys(&records), ["10000", "10003", "2001", "2002", "2003", "2004", "2005"]);
    let of = |code: &str| -> Customer {
        document(Entity::Customers, records.iter().find(|record| record.key.as_str() == code).unwrap())
    };
    let company = of("2001");
    assert_eq!(company.company.as_ref().unwrap().name, "Woonwinkel De Linde B.V.");
    assert_eq!((company.person.first_name.as_str(), company.person.last_name.as_str()), ("Noor", "Visser"));
    assert_eq!((company.email.as_str(), company.price_class.as_str()), ("inkoop@delinde.example.test", "DEAL"));
    assert_eq!(
        (company.billing.street.as_str(), company.billing.house_number.as_str(), company.billing.country.as_str()),
        ("Lindelaan", "4", "NL")
    );
    let person = of("2002");
    assert_eq!(
        (person.company.filter(|company| !company.name.is_empty()), person.person.last_name.as_str()),
        (None, "Bakker")
    );
    assert!(world.av.fetch_one(Entity::Customers, &key("10002"), &world.calls).await.unwrap().is_none());
    assert_eq!(world.av.fetch_one(Entity::Customers, &key("2005"), &world.calls).await.unwrap().unwrap().label, "2005");
}
