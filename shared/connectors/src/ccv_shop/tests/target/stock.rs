//! Stock.

use super::*;

fn level(stock: impl Into<Value>) -> Value {
    json!({ "stockenabled": true, "stock": stock.into() })
}

#[tokio::test]
async fn stock_of_products_and_combinations_is_found_and_written() {
    let shop = Shop::new(json!({}), json!({})).await;
    let mug = &shop.find(Entity::Stock, "MOK-WIT").await[0];
    assert_eq!((mug.id.as_str(), Value::Object(mug.fields.clone())), ("10", level("137")));
    let shirt = &shop.find(Entity::Stock, "TSHIRT-BLAUW-L").await[0];
    assert!(shirt.id.starts_with("16/"), "{}", shirt.id);
    assert_eq!(Value::Object(shirt.fields.clone()), level("12"));
    assert!(shop.find(Entity::Stock, "mok-wit").await.is_empty(), "another case is another number");
    assert!(shop.find(Entity::Stock, "NOPE").await.is_empty());
    assert!(shop.find(Entity::Stock, "MOK").await.is_empty(), "the beginning is not the number");
    assert!(shop.find(Entity::Stock, "TSHIRT").await.is_empty(), "its combinations have the stock");
    // Of a product that does not count, the combinations do not either.
    let sign = shop.find(Entity::Stock, "GRAV-K").await.remove(0);
    assert_eq!(sign.fields["stockenabled"], false);

    let changes = [
        change("MOK-WIT", Some("10"), json!({ "stock": "5" })),
        change("TSHIRT-BLAUW-L", Some(&shirt.id), json!({ "stock": "2.5" })),
        change("GRAV-K", Some(&sign.id), level("3")),
        change("GRAV-G", Some(&shop.find(Entity::Stock, "GRAV-G").await[0].id), level("4")),
        change("NEW", None, level("1")),
        change("GONE", Some("999"), level("1")),
        change("BAD", Some("11"), json!({ "stock": "many" })),
        change("POSTER-1", Some("11"), json!({ "stockenabled": false })),
    ];
    let (results, calls) = shop.send(Entity::Stock, &changes).await;
    let codes: Vec<String> = results.into_iter().map(code).collect();
    let expected = ["id 10", &format!("id {}", shirt.id), &format!("id {}", sign.id)];
    assert_eq!(codes[..3], expected);
    assert_eq!(codes[4..7], ["reject not_in_target", "reject gone_from_target", "reject bad_value"]);
    assert_eq!(calls, 7, "one each, and one for the flag of the product with two combinations");
    assert_eq!(shop.row("products", "id", &json!(10))["stock"], 5);
    let combination = |number: &str| shop.row("attributecombinations", "product_number", &json!(number));
    assert_eq!((&combination("TSHIRT-BLAUW-L")["stock"], &combination("GRAV-G")["stock"]), (&json!(2.5), &json!(4)));
    let sign = shop.row("products", "id", &json!(20));
    assert_eq!((&sign["stockenabled"], &sign["stocktype"]), (&json!(true), &json!("Attribute")));
}

#[tokio::test]
async fn a_thousand_products_take_four_calls_to_find_and_one_each_to_write() {
    let shop = Shop::new(json!({}), json!({})).await;
    shop.world.sandbox.ccv_shop().inspect("POST", "products/generate", &json!({ "n": 900 }));
    let rows = shop.world.sandbox.ccv_shop().documents("products");
    let numbers: Vec<NonEmpty> =
        rows.iter().filter_map(|row| NonEmpty::new(row["productnumber"].as_str()?)).take(900).collect();
    let before = shop.world.calls.count();
    let mut found = 0;
    // As the chain asks: a hundred at a time, and none of the chunks reads the catalogue again.
    for chunk in numbers.chunks(100) {
        found += shop.target.find_records(Entity::Stock, chunk, &shop.world.calls).await.unwrap().len();
    }
    assert!(found >= 890, "{found}");
    assert_eq!(shop.world.calls.count() - before, rows.len().div_ceil(250));

    let changes: Vec<Change> =
        (0..100).map(|at| change(&format!("S{at}"), Some("10"), json!({ "stock": at }))).collect();
    let results = shop.target.send_records(Entity::Stock, &changes, &shop.world.calls).await.unwrap();
    let done = results.iter().filter(|result| result.is_ok()).count();
    // The calls of a minute end it; what was done is done, and the rest waits.
    assert_eq!((results.len(), done), (100, 80));
    assert!(
        results[80..].iter().all(|result| matches!(result, Err(Failure::Retry { reason: RetryReason::Throttled, .. })))
    );
    let failure = shop.target.send_records(Entity::Stock, &changes[80..], &shop.world.calls).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { reason: RetryReason::Throttled, .. }));
    assert!(shop.world.calls.take().iter().all(|exchange| exchange.status.is_some_and(|status| status < 300)));
}

#[tokio::test]
async fn the_same_quantity_once_more_is_as_good_as_written() {
    let shop = Shop::new(json!({ "refuse_same_value": true }), json!({})).await;
    let again = change("MOK-WIT", Some("10"), json!({ "stock": "137" }));
    assert_eq!(code(shop.one(Entity::Stock, again).await), "id 10");
}
