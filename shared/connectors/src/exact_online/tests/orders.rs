//! Documents as they are posted and read back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use koppel_core::Failure;
use koppel_core::document::DocumentType;
use koppel_core::error::RetryReason;
use koppel_core::ports::{CustomerLink, Target};
use serde_json::{Value, json};

use super::rows::{order, order_payload};
use super::server::Reply;
use super::{World, guid};

const CREATED: &str = include_str!("../fixtures/order-created.json");

fn customer() -> CustomerLink {
    CustomerLink {
        id: guid(7),
        code: "7".into(),
        contact: Some(guid(8)),
        not_yet_customer: false,
        addresses: BTreeMap::from([("place".to_owned(), guid(9))]),
    }
}

#[tokio::test]
async fn an_order_is_one_call_with_its_lines_inside() {
    let world = World::new(|_| Reply::json(201, CREATED)).await;
    let mut payload = order_payload(&order(), DocumentType::SalesOrder);
    payload["_expected_total"] = json!(36.25);
    let sent = world
        .exact
        .send_order(DocumentType::SalesOrder, &payload, &customer(), Some("place"), &world.calls)
        .await
        .unwrap();
    assert_eq!((sent.id.as_str(), sent.number.as_str()), ("22222222-2222-4222-8222-222222222222", "502"));
    assert_eq!((sent.total.unwrap().to_string(), sent.net.unwrap().to_string()), ("36.25".into(), "29.959".into()));
    let seen = world.server.take();
    assert_eq!(seen.len(), 1);
    let mut wanted: Value = serde_json::from_str(include_str!("../fixtures/order-posted.json")).unwrap();
    for (name, id) in [("OrderedBy", 7), ("OrderedByContactPerson", 8), ("DeliverTo", 7), ("DeliveryAddress", 9)] {
        wanted[name] = json!(guid(id));
    }
    assert_eq!(seen[0].body(), wanted);
    // The prices go over the wire as they were computed, not as what a float makes of them.
    assert!(seen[0].text.contains(r#""UnitPrice":19.958,"#), "{}", seen[0].text);
}

#[tokio::test]
async fn invoices_and_entries_go_to_their_own_place() {
    let world = World::new(|seen| {
        let mut body = seen.body();
        for (id, number) in [("InvoiceID", "OrderNumber"), ("EntryID", "EntryNumber")] {
            body[id] = json!(guid(1));
            body[number] = json!(11);
        }
        Reply::json(201, &json!({ "d": body }).to_string())
    })
    .await;
    for document in [DocumentType::SalesInvoice, DocumentType::DirectInvoice, DocumentType::FinancialEntry] {
        let payload = order_payload(&order(), document);
        let sent = world.exact.send_order(document, &payload, &customer(), Some("place"), &world.calls).await.unwrap();
        assert_eq!(sent.number, "11");
    }
    let seen = world.server.take();
    assert_eq!(seen[0].body()["DeliverToAddress"], json!(guid(9)));
    assert_eq!((seen[0].body().get("Warehouse"), seen[1].body().get("Warehouse").is_some()), (None, true));
    assert_eq!((&seen[2].body()["Customer"], seen[2].body().get("OrderedBy")), (&json!(guid(7)), None));
}

#[tokio::test]
async fn a_prospect_that_is_refused_is_made_a_customer_and_its_order_posted_again() {
    let refused = AtomicBool::new(false);
    let world = World::new(move |seen| match seen.method.as_str() {
        "PUT" => Reply::empty(204),
        _ if refused.swap(true, Ordering::SeqCst) => Reply::json(201, CREATED),
        _ => Reply::json(500, r#"{"error":{"message":{"value":"Ongeldig: Relatie"}}}"#),
    })
    .await;
    let mut prospect = customer();
    prospect.not_yet_customer = true;
    let payload = order_payload(&order(), DocumentType::SalesOrder);
    world.exact.send_order(DocumentType::SalesOrder, &payload, &prospect, None, &world.calls).await.unwrap();
    let all = ["POST salesorder/SalesOrders", "PUT crm/Accounts", "POST salesorder/SalesOrders"];
    assert_eq!(world.server.lines(), all);
    // It is a customer by now, so the stale mark costs nothing.
    world.exact.send_order(DocumentType::SalesOrder, &payload, &prospect, None, &world.calls).await.unwrap();
    assert_eq!(world.server.lines(), all[..1]);
}

#[tokio::test]
async fn the_refusal_of_a_customer_is_not_tried_again() {
    let world = World::new(|_| Reply::json(500, r#"{"error":{"message":{"value":"Verplicht: Artikel"}}}"#)).await;
    let payload = order_payload(&order(), DocumentType::SalesOrder);
    let failure =
        world.exact.send_order(DocumentType::SalesOrder, &payload, &customer(), None, &world.calls).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("reject", "mandatory_missing"));
    assert_eq!(world.server.take().len(), 1);
}

#[tokio::test]
async fn a_reference_that_is_too_long_never_leaves() {
    let world = World::new(|_| Reply::json(201, CREATED)).await;
    let mut payload = order_payload(&order(), DocumentType::SalesOrder);
    payload["YourRef"] = json!("WEB-".to_owned() + &"0".repeat(27));
    let failure =
        world.exact.send_order(DocumentType::SalesOrder, &payload, &customer(), None, &world.calls).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("reject", "reference_too_long"));
    assert_eq!(world.server.take().len(), 0);
}

#[tokio::test]
async fn what_is_unsure_after_a_post_is_searched_for_by_the_caller() {
    for reply in [
        Reply::lost(),
        Reply::page(503),
        Reply::empty(500),
        Reply::empty(504),
        Reply::json(201, r#"{"d":{"OrderID":null}}"#),
    ] {
        let world = World::new(move |_| reply.clone()).await;
        let payload = order_payload(&order(), DocumentType::SalesOrder);
        let failure = world
            .exact
            .send_order(DocumentType::SalesOrder, &payload, &customer(), None, &world.calls)
            .await
            .unwrap_err();
        let Failure::Retry { reason, .. } = failure else { panic!("{failure}") };
        assert_eq!(reason, RetryReason::OutcomeUnknown);
        // The connector itself never posts twice.
        assert_eq!(world.server.take().len(), 1);
    }
}

#[tokio::test]
async fn the_connection_test_names_user_and_division() {
    let answer = |seen: &super::server::Seen| match seen.entity() {
        "current/Me" => Reply::json(200, include_str!("../fixtures/me.json")),
        _ => Reply::json(200, include_str!("../fixtures/divisions.json")),
    };
    let world = World::new(answer).await;
    assert_eq!(world.exact.test_connection(&world.calls).await.unwrap(), "Ada Admin, division 1234567 Winkel BV");
    assert_eq!(world.server.take()[1].path, "/api/v1/77/system/Divisions");
    for division in [json!(99), json!("")] {
        let world = World::with(json!({ "division": division }), answer).await;
        let failure = world.exact.test_connection(&world.calls).await.unwrap_err();
        assert_eq!(failure.class(), "settings");
        assert!(failure.to_string().contains("77 Oefenbedrijf; 1234567 Winkel BV"), "{failure}");
    }
    let world = World::new(|seen| match seen.entity() {
        "current/Me" => Reply::json(200, include_str!("../fixtures/me.json")),
        "system/Divisions" => {
            Reply::json(403, r#"{"error":{"message":{"value":"Forbidden - Application Scope Violated."}}}"#)
        }
        _ => Reply::json(200, r#"{"d":[]}"#),
    })
    .await;
    assert!(world.exact.test_connection(&world.calls).await.unwrap().contains("division 1234567"));
}

#[tokio::test]
async fn without_a_division_nothing_is_sent() {
    let world = World::with(json!({"division": ""}), |_| Reply::json(200, r#"{"d":[]}"#)).await;
    let failure =
        world.exact.find_documents(DocumentType::SalesOrder, &super::keys(["A"]), &world.calls).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("settings", "missing_division"));
    assert_eq!(world.server.take().len(), 0);
}
