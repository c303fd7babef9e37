//! Products with their variations, customers, and pictures.

use super::*;

async fn read_entity(source: &WooCommerceSource, entity: Entity, calls: &Calls) -> (Vec<SourceRecord>, usize) {
    let since = "2026-11-22T06:00:00Z".parse().unwrap();
    let mut query = FetchQuery { entity, since, page: None };
    let (mut records, mut pages) = (Vec::new(), 0);
    loop {
        let page = source.fetch_page(&query, calls).await.unwrap();
        records.extend(page.records);
        pages += 1;
        query.page = page.next;
        if query.page.is_none() {
            return (records, pages);
        }
    }
}

fn labels(records: &[SourceRecord]) -> Vec<&str> {
    records.iter().map(|record| record.label.as_str()).collect()
}

/// A shop with two products that have variations; `listed` says what its lists of changes show.
fn shop(listed: impl Fn(&Seen) -> Option<Reply> + Send + Sync + 'static) -> impl Fn(&Seen) -> Reply + Send + Sync {
    move |seen| {
        let list = |rows: Value| {
            let total = rows.as_array().map_or(0, Vec::len);
            Reply::json(200, rows).header("X-WP-Total", total)
        };
        let product = |id: u64, modified: &str| {
            json!({
                "id": id, "sku": format!("P{id}"), "type": "variable", "status": "publish",
                "date_modified_gmt": modified, "categories": [], "variations": [id + 1], "_links": {},
            })
        };
        if let Some(reply) = listed(seen) {
            return reply;
        }
        match (seen.path.trim_start_matches("/wp-json/wc/v3/"), seen.query("include")) {
            ("products", Some(_)) => {
                list(json!([product(16, "2026-11-01T00:00:00"), product(20, "2026-11-22T06:30:00")]))
            }
            ("products" | "products/categories", _) => list(json!([])),
            ("settings/tax/woocommerce_prices_include_tax", _) => Reply::json(200, json!({ "value": "yes" })),
            ("data/currencies/current", _) => Reply::json(200, json!({ "code": "EUR" })),
            ("products/16/variations", _) => {
                list(json!([{ "id": 17, "sku": "P16-S", "date_modified_gmt": "2026-11-22T07:00:00", "weight": "1" }]))
            }
            (other, _) => panic!("{other} was not to be asked"),
        }
    }
}

#[tokio::test]
async fn a_product_whose_variation_changed_is_read_though_it_did_not_change_itself() {
    let answer = shop(|seen| {
        (seen.path == "/wp-json/wc/v3/variations").then(|| {
            assert_eq!(seen.query("modified_after"), Some("2026-11-22T05:59:00"));
            let rows =
                json!([{ "id": 17, "parent_id": 16 }, { "id": 18, "parent_id": 16 }, { "id": 21, "parent_id": 20 }]);
            Reply::json(200, rows).header("X-WP-Total", 3)
        })
    });
    let server = TestServer::start(answer).await;
    let source = source(&server.url, json!({}));
    let (records, pages) = read_entity(&source, Entity::Products, &Calls::default()).await;
    // Product 20 changed itself, so it was on the list of changed products.
    assert_eq!((labels(&records), pages), (vec!["P16"], 2));
    let record = &records[0];
    assert_eq!((record.key.as_str(), record.partition.as_str()), ("16", "P16"));
    assert_eq!(record.modified_at.unwrap().to_rfc3339(), "2026-11-22T07:00:00+00:00", "that of the variation");
    assert_eq!(record.raw["variations"][0]["sku"], "P16-S");
    assert_eq!((&record.raw["currency"], &record.raw["prices_include_tax"]), (&json!("EUR"), &json!(true)));
    assert_eq!(record.raw.get("_links"), None);
}

#[tokio::test]
async fn a_shop_too_old_to_list_variations_is_read_without_them() {
    let answer = shop(|seen| {
        let code = json!({ "code": "rest_no_route", "message": "x", "data": { "status": 404 } });
        (seen.path == "/wp-json/wc/v3/variations").then(|| Reply::json(404, code))
    });
    let server = TestServer::start(answer).await;
    let (records, pages) = read_entity(&source(&server.url, json!({})), Entity::Products, &Calls::default()).await;
    assert_eq!((records.len(), pages), (0, 2));
}

#[tokio::test]
async fn all_products_of_the_sandbox_are_read_once() {
    let (handle, file) = sandbox(false, json!({})).await;
    let source = sandbox_source(&handle, &file, json!({}));
    let calls = Calls::default();
    let mut query = FetchQuery { entity: Entity::Products, since: "2020-01-01T00:00:00Z".parse().unwrap(), page: None };
    let first = source.fetch_page(&query, &calls).await.unwrap();
    let wanted = ["MOK-WIT", "POSTER-1", "KOFFIE", "DIENST-1", "14", "CONCEPT", "TSHIRT", "GRAV"];
    assert_eq!(labels(&first.records), wanted);
    assert_eq!(first.records[6].raw["variations"].as_array().map(Vec::len), Some(3));
    assert_eq!(first.records[6].raw["categories"][0]["path"], json!(["Kleding", "Shirts"]));
    query.page = first.next;
    let rest = source.fetch_page(&query, &calls).await.unwrap();
    assert!(rest.records.is_empty() && rest.next.is_none(), "products that changed themselves are not read again");

    let one = |key: &str| koppel_core::NonEmpty::new(key).unwrap();
    let shirt = source.fetch_one(Entity::Products, &one("19"), &calls).await.unwrap().unwrap();
    assert_eq!((shirt.key.as_str(), shirt.label.as_str()), ("16", "TSHIRT"), "a variation gives its product");
    assert!(source.fetch_one(Entity::Products, &one("999"), &calls).await.unwrap().is_none());
}

#[tokio::test]
async fn customers_are_read_without_a_date_and_without_those_who_run_the_shop() {
    let (handle, file) = sandbox(false, json!({})).await;
    let source = sandbox_source(&handle, &file, json!({ "page_size": 2 }));
    let calls = Calls::default();
    let (records, _) = read_entity(&source, Entity::Customers, &calls).await;
    assert_eq!(labels(&records), records.iter().map(|record| record.key.as_str()).collect::<Vec<_>>());
    assert_eq!(
        records.iter().map(|record| record.partition.as_str()).collect::<Vec<_>>(),
        ["jan@example.test", "inkoop@peeters.example.test"]
    );
    let asked: Vec<String> = calls.take().into_iter().map(|exchange| exchange.path).collect();
    assert!(asked.iter().all(|path| path.contains("role=all") && !path.contains("modified_after")), "{asked:?}");
    let key = koppel_core::NonEmpty::new("3").unwrap();
    let els = source.fetch_one(Entity::Customers, &key, &calls).await.unwrap().unwrap();
    assert_eq!(els.raw["meta"]["billing_vat_number"], "BE0123456789");
    let window = Window {
        entity: Entity::Customers,
        since: "2020-01-01T00:00:00Z".parse().unwrap(),
        until: Utc::now(),
        statuses: Vec::new(),
    };
    assert_eq!(source.list_changed(&window, &calls).await.unwrap(), None, "the shop cannot tell");
    let changed = source.list_changed(&Window { entity: Entity::Products, ..window }, &calls).await.unwrap().unwrap();
    assert_eq!((changed.len(), changed[0].label.as_str()), (8, "MOK-WIT"));
}

#[tokio::test]
async fn pictures_are_read_from_the_shop_and_from_nowhere_else() {
    let server = TestServer::start(|seen| match seen.path.as_str() {
        "/uploads/mok.jpg" => {
            assert_eq!((seen.header("authorization"), seen.query.len()), (None, 0), "no keys are shown");
            Reply { status: 200, body: "jpeg".into(), ..Reply::default() }.header("Content-Type", "image/jpeg")
        }
        "/uploads/page.html" => Reply { status: 200, body: "text".into(), ..Reply::default() },
        _ => Reply::json(404, "{}"),
    })
    .await;
    let (source, calls) = (source(&server.url, json!({})), Calls::default());
    let url = |path: &str| format!("{}{path}", server.url);
    let picture = source.fetch_picture(&url("/uploads/mok.jpg"), &calls).await.unwrap().unwrap();
    assert_eq!(
        (picture.name.as_str(), picture.media_type.as_str(), picture.bytes.as_slice()),
        ("mok.jpg", "image/jpeg", b"jpeg".as_slice())
    );
    assert_eq!(picture.sha256.len(), 64);
    assert_eq!(server.take().len(), 1);
    assert!(source.fetch_picture(&url("/uploads/gone.jpg"), &calls).await.unwrap().is_none());
    assert!(source.fetch_picture(&url("/uploads/page.html"), &calls).await.unwrap().is_none());
    server.take();
    let other = format!("{}.elsewhere.test/mok.jpg", server.url);
    assert!(source.fetch_picture(&other, &calls).await.unwrap().is_none());
    assert!(server.take().is_empty());
}

#[tokio::test]
async fn lists_of_the_sandbox_give_the_words_that_orders_and_products_use() {
    use koppel_core::system::SourceList;
    let (handle, file) = sandbox(false, json!({})).await;
    let source = sandbox_source(&handle, &file, json!({}));
    let calls = Calls::default();
    let mut lists = std::collections::BTreeMap::new();
    for list in SourceList::ALL {
        let values = source.list_values(list, &calls).await.unwrap();
        lists.insert(list, values.into_iter().map(|value| (value.code, value.name)).collect::<Vec<_>>());
    }
    let has = |list, code: &str| lists[&list].iter().any(|(known, _)| known == code);
    assert!(has(SourceList::PaymentMethod, "bacs") && has(SourceList::PaymentMethod, "cod"), "{lists:?}");
    assert!(has(SourceList::ShippingMethod, "flat_rate") && has(SourceList::TaxClass, "reduced-rate"), "{lists:?}");
    assert!(lists[&SourceList::Category].contains(&("17".to_owned(), "Kleding > Shirts".to_owned())), "{lists:?}");
}
