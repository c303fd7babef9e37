//! Products: what tells that an item changed, what is read for it, and what it becomes.

use chrono::{DateTime, Utc};
use koppel_core::document::Entity;
use koppel_core::ports::{FetchPage, FetchQuery, Source};
use koppel_mapping::{Checks, RowFile, Scope, Value as Mapped, compile};
use serde_json::{Value, json};

use super::server::{Reply, Seen};
use super::{World, guid, key, list};
use crate::exact_online::FACTS;

/// An item as Exact shows it, padding included.
fn item(number: u32, code: &str, changes: Value) -> Value {
    let mut row = json!({"ID":guid(number),"Code":code,"Description":format!("Trui {code}"),"Barcode":"8712345678906",
        "SalesVatCode":"4  ","IsSalesItem":true,"IsStockItem":true,"IsWebshopItem":1,"StandardSalesPrice":49.95,
        "Unit":"stuk    ","NetWeight":600,"NetWeightUnit":"g","ItemGroupCode":"KLEDING","ItemGroupDescription":"Kleding",
        "StartDate":"/Date(1577836800000)/","EndDate":null,"Modified":"/Date(1780331290000)/","PictureUrl":null,
        "FreeTextField_03":"Rood","Class_01":null});
    for (name, value) in changes.as_object().unwrap() {
        row[name] = value.clone();
    }
    row
}

/// A division in which these items changed.
fn books(seen: &Seen, items: &[Value], gone: &[u32]) -> Reply {
    match seen.entity() {
        "read/sync/Sync/SyncTimestamp" => list(json!([{"TimeStampAsBigInt":"5000"}])),
        "sync/Logistics/Items" => {
            list(items.iter().map(|row| json!({"Timestamp":"5001","ID":row["ID"]})).collect::<Vec<_>>())
        }
        "sync/Deleted" => {
            let row = |id: &u32| {
                json!({"Timestamp":"5002","EntityType":9,"EntityKey":guid(*id),
                "DeletedDate":"/Date(4102444800000)/"})
            };
            list(gone.iter().map(row).collect::<Vec<_>>())
        }
        "logistics/Items" => list(items),
        "vat/VATCodes" => list(json!([{"Code":"4  ","Percentage":0.21,"Type":"E"}])),
        _ => list(json!([])),
    }
}

async fn fetch(world: &World, since: &str) -> FetchPage {
    let since: DateTime<Utc> = since.parse().unwrap();
    let query = FetchQuery { entity: Entity::Products, since, page: None };
    world.exact.fetch_page(&query, &world.calls).await.unwrap()
}

fn canonical(raw: &Value) -> Value {
    let rows = FACTS.rows.iter().find(|rows| rows.name == "exact-online/rows/product.yaml").unwrap();
    let file = RowFile::parse(rows.name, rows.text).unwrap();
    let compiled = compile(&file, &Checks::new().variable("source")).unwrap();
    let source = Mapped::from_json(raw);
    compiled.evaluate(&Scope::new(Utc::now()).with_ref("source", &source)).unwrap().to_json()
}

/// The clock of these tests stands on the day that is asked about.
const TODAY: &str = "2026-06-01T10:00:00Z";

#[tokio::test]
async fn nothing_changed_is_five_calls() {
    let world = World::new(|seen| books(seen, &[], &[])).await;
    assert_eq!(fetch(&world, TODAY).await, FetchPage::default());
    let lines: Vec<String> = world.server.take().iter().map(Seen::line).collect();
    let days: Vec<&String> = lines.iter().filter(|line| line.contains("bulk")).collect();
    assert_eq!(lines.len() - days.len(), 5, "{lines:?}");
}

#[tokio::test]
async fn an_item_becomes_a_product_without_padding_and_in_kilograms() {
    let world = World::new(|seen| books(seen, &[item(7, "TRUI", json!({}))], &[])).await;
    let page = fetch(&world, TODAY).await;
    let record = &page.records[0];
    assert_eq!((record.key.as_str(), record.label.as_str(), record.partition.as_str()), (&*guid(7), "TRUI", "TRUI"));
    let product = canonical(&record.raw);
    assert_eq!(
        (&product["sku"], &product["kind"], &product["tax_class"]),
        (&json!("TRUI"), &json!("simple"), &json!("4"))
    );
    assert_eq!((product["price"].to_string(), product["vat_percent"].to_string()), ("49.95".into(), "21".into()));
    assert_eq!((product["weight_kg"].to_string().trim_end_matches('0'), &product["currency"]), ("0.6", &json!("EUR")));
    assert_eq!(product["categories"], json!([{"code":"KLEDING","path":["Kleding"]}]));
    assert_eq!((&product["published"], &product["sold_from"]), (&json!(true), &json!("2020-01-01")));
    assert_eq!(product["images"], json!([]));
}

#[tokio::test]
async fn the_other_variations_of_a_changed_one_are_read_by_the_front_of_the_code() {
    let options = json!({"variants":{"code_prefix":"-"},"attributes":{"Kleur":"FreeTextField_03"}});
    let world = World::with(options, |seen| {
        if seen.entity() == "logistics/Items" && seen.filter().contains("startswith") {
            assert_eq!(seen.filter(), "Code eq 'TRUI' or startswith(Code,'TRUI-') eq true");
            return list([
                item(7, "TRUI-R", json!({})),
                item(8, "TRUI-B", json!({"FreeTextField_03":"Blauw","Barcode":null})),
            ]);
        }
        books(seen, &[item(7, "TRUI-R", json!({}))], &[])
    })
    .await;
    let page = fetch(&world, TODAY).await;
    assert_eq!(page.records.len(), 1);
    assert_eq!(page.records[0].key.as_str(), "variants of TRUI");
    let product = canonical(&page.records[0].raw);
    assert_eq!(
        (&product["sku"], &product["kind"], &product["gtin"]),
        (&json!("TRUI"), &json!("variable"), &Value::Null)
    );
    assert_eq!(product["attributes"], json!([{"name":"Kleur","values":["Blauw","Rood"],"varies":true}]));
    let skus: Vec<&Value> = product["variations"].as_array().unwrap().iter().map(|one| &one["sku"]).collect();
    assert_eq!(skus, [&json!("TRUI-B"), &json!("TRUI-R")]);
    assert_eq!(product["variations"][0]["attributes"][0]["values"], json!(["Blauw"]));
    // Waiting records come back by this key.
    let again = world.exact.fetch_one(Entity::Products, &key("variants of TRUI"), &world.calls).await.unwrap().unwrap();
    assert_eq!(again.raw, page.records[0].raw);
}

#[tokio::test]
async fn a_deleted_item_is_gone_and_not_asked_for() {
    let world = World::new(|seen| books(seen, &[], &[9])).await;
    let page = fetch(&world, TODAY).await;
    assert_eq!((page.records.len(), page.gone), (0, vec![key(&guid(9))]));
}

#[tokio::test]
async fn what_is_not_sold_today_or_not_for_the_web_is_not_published() {
    for hidden in [
        json!({"IsWebshopItem":0}),
        json!({"IsSalesItem":false}),
        json!({"EndDate":"/Date(1577836800000)/"}),
        json!({"StartDate":"/Date(4102444800000)/"}),
    ] {
        let one = item(7, "TRUI", hidden.clone());
        let world = World::new(move |seen| books(seen, std::slice::from_ref(&one), &[])).await;
        let page = fetch(&world, TODAY).await;
        assert_eq!(canonical(&page.records[0].raw)["published"], false, "{hidden}");
    }
}
