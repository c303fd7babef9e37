//! Stock.

use super::*;

fn level(quantity: i64) -> Value {
    json!({ "manage_stock": true, "stock_quantity": quantity })
}

#[tokio::test]
async fn stock_of_products_and_variations_is_found_and_written() {
    let world = World::new().await;
    let mug = &world.find(Entity::Stock, "MOK-WIT").await[0];
    assert_eq!((mug.id.as_str(), mug.label.as_str()), ("10", "MOK-WIT"));
    assert_eq!(Value::Object(mug.fields.clone()), level(137));
    let shirt = &world.find(Entity::Stock, "TSHIRT-BLAUW-L").await[0];
    assert_eq!((shirt.id.as_str(), &shirt.fields["stock_quantity"]), ("16/19", &json!(12)));
    assert!(world.find(Entity::Stock, "mok-wit").await.is_empty(), "another case is another number");
    assert!(world.find(Entity::Stock, "NOPE").await.is_empty());

    let changes = [
        change("MOK-WIT", Some("10"), json!({ "stock_quantity": 5 })),
        change("TSHIRT-BLAUW-L", Some("16/19"), level(7)),
        change("POSTER-1", Some("11"), level(-2)),
        change("GRAV-K", Some("20/21"), level(3)),
    ];
    let (results, calls) = world.send(Entity::Stock, &changes).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(calls, 3, "one for the simple products, one for each product with variations");
    for (table, id, quantity) in
        [("products", 10, 5), ("variations", 19, 7), ("products", 11, -2), ("variations", 21, 3)]
    {
        let row = world.row(table, id);
        assert_eq!((&row["manage_stock"], &row["stock_quantity"]), (&json!(true), &json!(quantity)), "{id}");
    }
    let (_, calls) =
        world.send(Entity::Stock, &[change("MOK-WIT", Some("10"), json!({ "manage_stock": false }))]).await;
    assert_eq!((calls, &world.row("products", 10)["stock_quantity"]), (1, &Value::Null));
}

#[tokio::test]
async fn what_the_shop_would_misread_or_not_know_is_refused_alone() {
    let world = World::new().await;
    let changes = [
        change("MOK-WIT", Some("10"), level(8)),
        change("FRACTION", Some("11"), json!({ "stock_quantity": "1.5" })),
        change("GONE", Some("999"), level(1)),
        change("NEW", None, level(1)),
    ];
    let (results, calls) = world.send(Entity::Stock, &changes).await;
    assert_eq!(calls, 1);
    let codes: Vec<String> = results
        .into_iter()
        .map(|result| result.map_or_else(|failure| failure.cause().code.clone(), |id| format!("id {id}")))
        .collect();
    assert_eq!(codes, ["id 10", "bad_value", "gone_from_target", "not_in_target"]);
    assert_eq!(world.row("products", 10)["stock_quantity"], 8);
}

#[tokio::test]
async fn a_thousand_simple_products_take_ten_calls_to_find_and_ten_to_write() {
    let world = World::new().await;
    let skus: Vec<String> = (0..1000).map(|number| format!("BULK-{number:04}")).collect();
    let create = |sku: &String| change(sku, None, json!({ "name": sku, "sku": sku, "type": "simple" }));
    let products: Vec<Change> = skus.iter().map(create).collect();
    let (results, calls) = world.send(Entity::Products, &products).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(calls, 10, "created");

    let keys: Vec<NonEmpty> = skus.iter().filter_map(NonEmpty::new).collect();
    let before = world.calls.count();
    let found = world.target.find_records(Entity::Stock, &keys, &world.calls).await.unwrap();
    assert_eq!((found.len(), world.calls.count() - before), (1000, 10), "found");

    let id = |sku: &String| found[&NonEmpty::new(sku).unwrap()][0].id.clone();
    let levels: Vec<Change> = skus.iter().map(|sku| change(sku, Some(&id(sku)), level(4))).collect();
    let (results, calls) = world.send(Entity::Stock, &levels).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(calls, 10, "written");
    let rows = world.sandbox.woocommerce().documents("products");
    assert_eq!(rows.iter().filter(|row| row["stock_quantity"] == 4).count(), 1000);
}
