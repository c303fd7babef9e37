//! Products: what changed, put together, with prices, VAT, EAN and pictures.

use koppel_core::document::{Document, Entity, ProductKind};
use koppel_core::ports::Source;
use serde_json::{Value, json};

use super::rows::document;
use super::{Reply, Seen, World, counted, key, query};

fn items() -> Value {
    serde_json::from_str(include_str!("../fixtures/inventory.json")).unwrap()
}

fn answer(seen: &Seen) -> Reply {
    match seen.path.as_str() {
        "/v1/vatCategory" => Reply::json(200, include_str!("../fixtures/vat-categories.json")),
        "/v1/vat" => Reply::json(
            200,
            json!([{"vatId": "3H", "zones": [{"id": "01"}]}, {"vatId": "3DE", "zones": [{"id": "02"}]}]),
        ),
        "/v1/branch" => Reply::json(
            200,
            json!([{"number": "1", "isMainBranch": true, "currency": {"id": "EUR"},
            "defaultCountry": {"id": "NL"}, "vatZone": {"id": "01"}}]),
        ),
        "/v1/inventory" if seen.query("attachmentLastModifiedDateTime").is_some() => Reply::json(200, "[]"),
        "/v1/inventory" => match seen.query("inventoryNumber") {
            Some("SHIRT-RED-M") | None => Reply::json(200, items()),
            Some(_) => Reply::json(200, "[]"),
        },
        "/v1/attachment/aaaaaaaa-0000-4000-8000-000000000002" => {
            Reply { status: 200, body: "picture".into(), ..Reply::default() }
                .header("Content-Type", "application/octet-stream")
        }
        _ => Reply::json(404, ""),
    }
}

#[tokio::test]
async fn an_item_becomes_a_product_with_what_belongs_to_it() {
    let world = World::new(answer).await;
    let mut asked = query(Entity::Products, "2026-06-01T00:00:00Z");
    let page = world.visma.fetch_page(&asked, &world.calls).await.unwrap();
    assert_eq!(page.records.len(), 2);
    let red = page.records.iter().find(|record| record.label == "SHIRT-RED-M").unwrap();
    assert_eq!(red.modified_at.unwrap().to_rfc3339(), "2026-06-01T10:00:00+00:00");
    let Document::Product(product) = document(Entity::Products, &red.raw) else { panic!("no product") };
    assert_eq!(
        (product.sku.as_str(), product.gtin.as_str(), product.kind),
        ("SHIRT-RED-M", "8712345678906", ProductKind::Simple)
    );
    assert_eq!(
        (product.price.unwrap().to_string(), product.vat_percent.unwrap().to_string()),
        ("19.90".into(), "21".into())
    );
    assert_eq!((product.currency.as_str(), product.weight_kg.unwrap().to_string()), ("EUR", "0.25".into()));
    assert_eq!(
        (product.name.as_str(), product.description.as_str(), product.published),
        ("Shirt red M", "<p>Cotton</p>", true)
    );
    let paths: Vec<&str> = product.categories.iter().map(|category| category.path[0].as_str()).collect();
    assert_eq!(paths, ["Clothes", "Summer"]);
    assert_eq!(product.attributes.len(), 4);
    assert!(product.attributes.iter().all(|attribute| !attribute.varies));
    assert_eq!(product.images.len(), 1, "a document is no picture");
    assert_eq!(product.images[0].version, "aaaaaaaa-0000-4000-8000-000000000002@3");
    let blue = page.records.iter().find(|record| record.label == "SHIRT-BLUE-M").unwrap();
    let Document::Product(blue) = document(Entity::Products, &blue.raw) else { panic!("no product") };
    assert!(!blue.published, "what may not be sold is not shown");
    // The other way in which an item changes.
    asked.page = page.next;
    let page = world.visma.fetch_page(&asked, &world.calls).await.unwrap();
    assert!(page.records.is_empty() && page.next.is_none());
    let seen = world.server.take();
    let last = seen.last().unwrap();
    assert_eq!(last.query("attachmentLastModifiedDateTime"), Some("2026-05-31T23:55:00"));
    assert_eq!((last.query("expandWarehouseDetail"), last.query("expandAttachment")), (Some("false"), Some("true")));
    // The picture, read with the token and called by its own name.
    let picture = world.visma.fetch_picture(&product.images[0].url, &world.calls).await.unwrap().unwrap();
    assert_eq!(
        (picture.name.as_str(), picture.media_type.as_str(), picture.bytes.len()),
        ("red front.jpg", "image/jpeg", 7)
    );
    world.server.take();
    assert!(world.visma.fetch_picture("https://elsewhere.test/x.jpg", &world.calls).await.unwrap().is_none());
    assert!(world.server.take().is_empty(), "the token goes nowhere else");
}

#[tokio::test]
async fn items_of_one_parent_become_a_product_with_variations() {
    let options = json!({"variants": {"attribute": "PARENT"}, "choices": "COLOUR, SIZE"});
    let world = World::with(options, |seen| match seen.query("attributes") {
        Some(filter) => {
            assert_eq!(serde_json::from_str::<Value>(filter).unwrap(), json!({"PARENT": "SHIRT"}));
            // A filter that is not obeyed gives others too.
            let mut rows = items().as_array().unwrap().clone();
            rows.push(json!({"inventoryNumber": "OTHER", "attributes": []}));
            counted(Value::Array(rows), 3)
        }
        None if seen.query("lastModifiedDateTime").is_some() => counted(json!([items()[0]]), 1),
        None => answer(seen),
    })
    .await;
    let page = world.visma.fetch_page(&query(Entity::Products, "2026-06-01T00:00:00Z"), &world.calls).await.unwrap();
    assert_eq!(page.records.len(), 1);
    assert_eq!((page.records[0].key.as_str(), page.records[0].partition.as_str()), ("variants of SHIRT", "SHIRT"));
    let Document::Product(product) = document(Entity::Products, &page.records[0].raw) else { panic!("no product") };
    assert_eq!((product.sku.as_str(), product.name.as_str(), product.kind), ("SHIRT", "Shirt", ProductKind::Variable));
    assert_eq!(
        product.variations.iter().map(|one| one.sku.as_str()).collect::<Vec<_>>(),
        ["SHIRT-BLUE-M", "SHIRT-RED-M"]
    );
    assert_eq!(product.variations.iter().map(|one| one.published).collect::<Vec<_>>(), [false, true]);
    let colour = product.attributes.iter().find(|attribute| attribute.name == "Colour").unwrap();
    assert_eq!((colour.varies, colour.values.as_slice()), (true, ["Blue".to_owned(), "Red".to_owned()].as_slice()));
    assert!(product.variations[1].image.as_ref().is_some_and(|image| image.url.contains("attachment")));
    let one = world.visma.fetch_one(Entity::Products, &key("variants of SHIRT"), &world.calls).await.unwrap().unwrap();
    assert_eq!(one.raw, page.records[0].raw);
}

#[tokio::test]
async fn a_list_that_does_not_turn_its_pages_ends() {
    let world = World::with(json!({"page_size": 2}), |seen| match seen.path.as_str() {
        "/v1/inventory" => counted(items(), 900),
        _ => answer(seen),
    })
    .await;
    let mut asked = query(Entity::Products, "1970-01-01T00:00:00Z");
    let first = world.visma.fetch_page(&asked, &world.calls).await.unwrap();
    assert_eq!(first.records.len(), 2);
    asked.page = first.next;
    let second = world.visma.fetch_page(&asked, &world.calls).await.unwrap();
    assert!(second.records.is_empty() && second.next.is_none());
}

#[tokio::test]
async fn one_item_is_asked_for_by_number_and_compared() {
    let world = World::new(answer).await;
    let one = world.visma.fetch_one(Entity::Products, &key("SHIRT-RED-M"), &world.calls).await.unwrap().unwrap();
    assert_eq!(one.label, "SHIRT-RED-M");
    assert!(world.visma.fetch_one(Entity::Products, &key("SHIRT-RED"), &world.calls).await.unwrap().is_none());
}
