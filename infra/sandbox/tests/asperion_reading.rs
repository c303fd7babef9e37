//! Asperion: lists, filters, pages, and what is hidden.
// Helpers of tests may panic as tests do.
#![allow(clippy::unwrap_used)]

mod asperion_support;

use asperion_support::{Books, told};
use serde_json::{Value, json};

fn names(rows: &[Value], field: &str) -> Vec<String> {
    rows.iter().map(|row| row[field].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn a_filter_finds_a_part_of_a_text_unless_told_otherwise() {
    let books = Books::open(json!({})).await;
    let ask = "debtors?EmailAddress=jan@example.test&EmailAddress_comparison=Equals&fields=customerNumber";
    assert_eq!(names(&books.rows(ask).await, "customerNumber"), ["10004", "10005"], "only documented for one property");
    books.set(json!({"comparisons": "all"}));
    let found = books.rows(ask).await;
    assert_eq!(found, [json!({"customerNumber": "10005", "_meta": found[0]["_meta"]})]);
    for (comparison, count) in [("Contains", 2), ("EndsWith", 2), ("StartsWith", 1), ("NotEquals", 3)] {
        let path = format!("debtors?EmailAddress=JAN@example.test&EmailAddress_comparison={comparison}");
        assert_eq!(books.rows(&path).await.len(), count, "{comparison}");
    }
    assert_eq!(books.get("debtors?EmailAddress=x&EmailAddress_comparison=Is").await.0, 400);
    books.set(json!({"case_sensitive_filters": true}));
    assert!(books.rows("debtors?EmailAddress=JAN").await.is_empty());
    assert_eq!(books.rows("debtors?Blocked=true").await.len(), 1);
    assert_eq!(books.get("debtors?Id=abc").await.0, 400);
    assert_eq!(books.rows("debtors?DateAdded_from=2026-01-01T00:00:00").await.len(), 0);
    assert_eq!(books.rows("debtors?DateAdded_to=2026-01-01T00:00:00").await.len(), 4);
    assert_eq!(books.get("debtors?DateAdded_from=2026-01-01").await.0, 400);
}

#[tokio::test]
async fn pages_follow_the_address_of_the_next_one() {
    let books = Books::open(json!({})).await;
    let mut path = "articles?pageSize=5&orderBy=code desc&fields=code".to_owned();
    let mut seen = Vec::new();
    let mut pages = 0;
    loop {
        let (status, body) = books.get(&path).await;
        assert_eq!(status, 200, "{body}");
        seen.extend(names(body["_data"].as_array().unwrap(), "code"));
        pages += 1;
        assert_eq!((&body["_meta"]["totalCount"], &body["_meta"]["pageCount"]), (&json!(13), &json!(3)));
        match body["_meta"]["nextPage"].as_str() {
            Some(next) => path = next.to_owned(),
            None => break,
        }
    }
    assert_eq!((pages, seen.len(), seen[0].as_str()), (3, 13, "VERZENDKOSTEN"));
    let refused = books.get("articles?pageSize=101").await;
    assert!(refused.0 == 400 && told(&refused, "pageSize").contains("100"), "{refused:?}");
    assert_eq!(refused.1["title"], "One or more validation errors occurred.");
    books.set(json!({"page_size_over": "cap"}));
    assert_eq!(books.get("articles?pageSize=101").await.0, 200);
    let (_, meta) = books.get("articles?metaOnly=true").await;
    assert_eq!((&meta["_data"], &meta["_meta"]["totalCount"]), (&json!([]), &json!(13)));
    assert_eq!(books.get("articles?fields=barcode").await.0, 400);
    assert_eq!(books.get("articles?page=0").await.0, 400);
}

#[tokio::test]
async fn articles_that_are_not_active_are_hidden() {
    let books = Books::open(json!({})).await;
    assert!(books.rows("articles?Code=VERLOPEN").await.is_empty());
    assert_eq!(books.rows("articles?Code=VERLOPEN&ActiveState=All").await.len(), 1);
    assert_eq!(books.rows("articles?ActiveState=Inactive").await.len(), 1);
    assert_eq!(books.get("articles?ActiveState=Ended").await.0, 400);
    let shirts = books.rows("articles?Code=tshirt").await;
    assert_eq!((shirts.len(), &shirts[0]["currentStock"], &shirts[0]["characteristic1"]), (3, &json!(3), &Value::Null));
    books.set(json!({"assumed_filters": false, "omit_nulls": true}));
    let all = books.rows("articles?Code=tshirt").await;
    assert_eq!(all.len(), 13, "a filter that does not exist is no filter");
    assert!(all[0].get("characteristic1").is_none());
    books.set(json!({"unknown_parameters": "refuse"}));
    assert_eq!(books.get("articles?Code=tshirt").await.0, 400);
}

#[tokio::test]
async fn assumed_parts_can_be_off_and_orders_have_a_spelling_of_their_own() {
    let books = Books::open(json!({})).await;
    assert_eq!(books.get("SalesOrderWithLines/").await.0, 501);
    books.set(json!({"tiers": [1]}));
    assert_eq!((books.get("articles").await.0, books.get("salestypes").await.0), (501, 501));
    assert_eq!(books.put("debtors/1001", &json!({"name": "X"})).await.0, 501);
    books.set(json!({"tiers": [1, 2, 3]}));
    assert_eq!((books.get("SalesOrderWithLines/").await.0, books.get("salesorderswithlines").await.0), (200, 404));
    books.set(json!({"sales_orders_path": "salesorderswithlines"}));
    assert_eq!((books.get("SalesOrderWithLines/").await.0, books.get("salesorderswithlines").await.0), (404, 200));
    assert_eq!(books.get("debtorkinds").await.0, 404);
    assert_eq!(books.post("journals", &json!({})).await.0, 405);
    let switches = books.sandbox.asperion();
    assert!(switches.set_switches(json!({"comparisons": "some"})).is_err());
    assert!(switches.set_switches(json!({"closed_until": "2026"})).is_err());
    assert!(switches.set_switches(json!({"tier": [1]})).unwrap_err().to_string().contains("unknown field `tier`"));
}

#[tokio::test]
async fn the_catalogue_is_added_once_and_articles_are_made_by_the_thousand() {
    let books = Books::open(json!({})).await;
    let door = books.sandbox.asperion();
    door.add_catalogue().unwrap();
    door.add_catalogue().unwrap();
    let jumpers = books.rows("articles?Code=TRUI").await;
    let fields: Vec<_> =
        jumpers.iter().map(|row| (row["characteristic2"].clone(), row["characteristic3"].clone())).collect();
    assert_eq!(fields[0], (json!("Rood"), json!("S")));
    assert_eq!((jumpers.len(), &jumpers[3]["characteristic1"]), (4, &json!("TRUI")));
    assert_eq!(books.rows("debtors?EmailAddress=dubbel@").await.len(), 2);
    let (status, made) = door.inspect("POST", "generate", &json!({"seed": 3, "n": 120, "differs_percent": 0}));
    assert_eq!((status, &made["count"]), (201, &json!(120)));
    assert_eq!(books.rows("articles?Code=ART-3-&pageSize=100&page=2").await.len(), 20);
    assert_eq!(door.inspect("POST", "stock", &json!({"item": "MOK-WIT", "current": 4})).0, 200);
    assert_eq!(books.rows("articles?Code=MOK-WIT").await[0]["currentStock"], 4);
    door.inspect("POST", "reset", &json!({}));
    assert!(books.sandbox.asperion().documents("articles").len() < 20);
}
