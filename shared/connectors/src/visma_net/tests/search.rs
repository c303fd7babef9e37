//! Which documents exist: by number, by filter, by looking through what changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use koppel_core::document::DocumentType;
use koppel_core::ports::Target;
use serde_json::json;

use super::{Reply, World, counted, key, keys};

#[tokio::test]
async fn own_numbers_are_asked_for_by_number_and_compared() {
    let world = World::with(json!({"own_numbers": true}), |seen| match seen.path.as_str() {
        "/api/v3/SalesOrders/SO/WEB-1" => Reply::json(200, r#"{"orderId":"WEB-1","type":"SO"}"#),
        "/api/v3/SalesOrders/CM/WEB-1-R2" => Reply::json(200, r#"{"orderId":"WEB-1-R2","type":"CM"}"#),
        "/v1/customerinvoice/WEB-1" => Reply::json(200, r#"{"referenceNumber":"WEB-1"}"#),
        // Some versions answer an unknown key with an empty record.
        "/v1/customerinvoice/WEB-2" => Reply::json(200, r#"{"referenceNumber":null}"#),
        "/v2/journaltransaction/WEB-1" => Reply::json(200, r#"{"batchNumber":"WEB-1"}"#),
        _ => Reply::json(404, r#"{"message":"not found"}"#),
    })
    .await;
    let asked = keys(["WEB-1", "WEB-2", "WEB-1-R2"]);
    let found = world.visma.find_documents(DocumentType::SalesOrder, &asked, &world.calls).await.unwrap();
    assert_eq!(found.keys().map(|key| key.as_str()).collect::<Vec<_>>(), ["WEB-1", "WEB-1-R2"]);
    assert_eq!(found[&key("WEB-1-R2")].id, "CM/WEB-1-R2");
    let found = world.visma.find_documents(DocumentType::SalesInvoice, &asked[..2], &world.calls).await.unwrap();
    assert_eq!(found.keys().map(|key| key.as_str()).collect::<Vec<_>>(), ["WEB-1"]);
    let found = world.visma.find_documents(DocumentType::FinancialEntry, &asked[..2], &world.calls).await.unwrap();
    assert_eq!(found[&key("WEB-1")].number, "WEB-1");
}

#[tokio::test]
async fn invoices_are_compared_because_a_filter_may_not_be_obeyed() {
    let world = World::new(|seen| match seen.path.as_str() {
        "/v1/customerinvoice" => counted(
            json!([
                {"referenceNumber": "300009", "customerRefNumber": "WEB-1"}, {"referenceNumber": "300002", "externalReference": "WEB-1"},
                {"referenceNumber": "300001", "customerRefNumber": "web-1"}, {"referenceNumber": "300003", "customerRefNumber": "WEB-10"},
            ]),
            4,
        ),
        _ => counted(json!([{"referenceNumber": "310001", "customerRefNumber": "WEB-9-R1"}]), 1),
    })
    .await;
    let asked = keys(["WEB-1", "WEB-3", "WEB-9-R1"]);
    let found = world.visma.find_documents(DocumentType::SalesInvoice, &asked, &world.calls).await.unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!((found[&key("WEB-1")].number.as_str(), found[&key("WEB-9-R1")].number.as_str()), ("300002", "310001"));
    let seen = world.server.take();
    let credit: Vec<_> = seen.iter().filter(|seen| seen.path.contains("CreditNote")).collect();
    assert_eq!(credit.len(), 1, "only what may give back is looked for among what gives back");
    assert_eq!(credit[0].query("customerRefNumber"), Some("WEB-9-R1"));
}

#[tokio::test]
async fn orders_are_looked_through_once_and_then_only_what_is_new() {
    let deleted = Arc::new(AtomicBool::new(false));
    let gone = Arc::clone(&deleted);
    let world = World::with(json!({"search_days": 3}), move |seen| match seen.path.as_str() {
        "/api/v3/SalesOrders/SO" if seen.query("modifiedSince") == Some("2026-11-19T05:45:00") => {
            match seen.query("pageIndex") {
                Some("0") => Reply::json(200, json!({"value": [
                    {"orderId": "000009", "customerRefNo": "WEB-9"}, {"orderId": "000008", "customerRefNo": null},
                    {"orderId": "000007", "customerRefNo": "WEB-1"}], "totalCount": null, "nextPage": "https://elsewhere.test/p"})),
                _ => Reply::json(200, json!({"value": [{"orderId": "000001", "customerRefNo": "WEB-1"}], "totalCount": null, "nextPage": null})),
            }
        }
        "/api/v3/SalesOrders/SO" => {
            assert!(seen.query("modifiedSince").is_some_and(|since| since.starts_with("2026-11-22T05:45")));
            Reply::json(200, json!({"value": [{"orderId": "000010", "customerRefNo": "WEB-10"}], "totalCount": 1, "nextPage": null}))
        }
        _ if gone.load(Ordering::SeqCst) => Reply::json(404, ""),
        path => Reply::json(200, json!({"orderId": path.rsplit('/').next()})),
    })
    .await;
    let find = async |texts: Vec<koppel_core::NonEmpty>| {
        world.visma.find_documents(DocumentType::SalesOrder, &texts, &world.calls).await.unwrap()
    };
    let found = find(keys(["WEB-1", "WEB-2"])).await;
    // Of two orders with one reference the first that was made.
    assert_eq!(found.into_values().map(|found| found.id).collect::<Vec<_>>(), ["SO/000001"]);
    assert_eq!(world.lines().len(), 2);
    world.clock.forward(30);
    let found = find(keys(["WEB-9", "WEB-10", "WEB-11"])).await;
    assert_eq!(found.len(), 2);
    // One for what is new, one for what was seen before: it may have been deleted since.
    assert_eq!(world.lines(), ["GET /api/v3/SalesOrders/SO", "GET /api/v3/SalesOrders/SO/000009"]);
    deleted.store(true, Ordering::SeqCst);
    assert!(find(keys(["WEB-9"])).await.is_empty());
}

#[tokio::test]
async fn bookings_are_known_by_the_reference_on_their_lines() {
    let world = World::new(|seen| {
        assert_eq!(
            (seen.query("module"), seen.query("lastModifiedDateTime")),
            (Some("GL"), Some("2026-11-15T05:45:00"))
        );
        let line = |reference: &str| json!({"referenceNumber": reference});
        let batch =
            |number: &str, lines: serde_json::Value| json!({"batchNumber": number, "journalTransactionLines": lines});
        match seen.query("pageNumber") {
            // Pages count lines: one booking stands on two of them.
            Some("1") => {
                counted(json!([batch("700001", json!([line("OTHER")])), batch("700002", json!([line("WEB-1")]))]), 600)
            }
            _ => counted(json!([batch("700002", json!([line("WEB-1")]))]), 600),
        }
    })
    .await;
    let found = world
        .visma
        .find_documents(DocumentType::FinancialEntry, &keys(["WEB-1", "OTHERS"]), &world.calls)
        .await
        .unwrap();
    assert_eq!(found.into_values().map(|found| found.number).collect::<Vec<_>>(), ["700002"]);
}

#[tokio::test]
async fn without_a_credit_type_nothing_was_ever_given_back() {
    let world = World::with(json!({"own_numbers": true, "credit_order_type": ""}), |_| Reply::json(404, "")).await;
    let found = world.visma.find_documents(DocumentType::SalesOrder, &keys(["WEB-1-R2"]), &world.calls).await.unwrap();
    assert!(found.is_empty());
    assert_eq!(world.lines(), ["GET /api/v3/SalesOrders/SO/WEB-1-R2"]);
}
