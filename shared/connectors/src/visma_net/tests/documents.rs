//! Documents as they are posted and read back.

use std::sync::atomic::{AtomicUsize, Ordering};

use koppel_core::Failure;
use koppel_core::document::DocumentType;
use koppel_core::error::RetryReason;
use koppel_core::message::CustomerDecision;
use koppel_core::ports::{CustomerLink, Target};
use serde_json::{Value, json};

use super::rows::{customer_payload, order, payload_of, refund};
use super::{Reply, Seen, World, created, key, keys};

fn customer() -> CustomerLink {
    CustomerLink { id: "10042".into(), code: "10042".into(), ..CustomerLink::default() }
}

fn body(seen: &Seen) -> Value {
    serde_json::from_str(&seen.body).unwrap()
}

/// An order without goods, for invoices.
fn services() -> Value {
    let mut order = order();
    for line in order["lines"].as_array_mut().unwrap() {
        line["refs"]["item"]["attributes"]["stock_item"] = json!(false);
    }
    order
}

fn place(seen: &Seen) -> Reply {
    match seen.path.as_str() {
        "/api/v3/SalesOrders" => created("https://salesorder.visma.net/api/v3/SalesOrders/SO/000223"),
        "/v1/customer" if seen.method == "POST" => {
            created("https://elsewhere.test/API/controller/api/v1/customer/10043")
        }
        "/v2/customerinvoice" => created("https://api.finance.visma.net/v1/customerinvoice/300001"),
        "/v2/customerCreditNote" => created("https://api.finance.visma.net/v1/customerCreditNote/310001"),
        "/v2/journaltransaction" => created("https://api.finance.visma.net/v2/journaltransaction/700001"),
        "/api/v3/SalesOrders/SO" => Reply::json(200, r#"{"value":[],"totalCount":0,"nextPage":null}"#),
        _ => Reply::json(200, "[]"),
    }
}

#[tokio::test]
async fn an_order_of_a_new_customer_is_four_calls_and_of_a_known_one_two() {
    let world = World::with(json!({"branch": "1"}), place).await;
    let payload = payload_of(&order(), DocumentType::SalesOrder);
    let (reference, email) = (keys(["WEB-23"]), keys(["jan@example.test"]));
    assert!(world.visma.find_documents(DocumentType::SalesOrder, &reference, &world.calls).await.unwrap().is_empty());
    assert!(world.visma.find_customers(&email, &world.calls).await.unwrap().is_empty());
    let decision = CustomerDecision {
        key_hash: "h".into(),
        email: "jan@example.test".into(),
        link: None,
        payload: customer_payload(&order()["customer"]),
        delivery_key: Some("place".into()),
        content_hash: "c".into(),
        update: false,
        matched: Default::default(),
    };
    let link = world.visma.send_customer(&decision, None, &world.calls).await.unwrap();
    let sent =
        world.visma.send_order(DocumentType::SalesOrder, &payload, &link, Some("place"), &world.calls).await.unwrap();
    assert_eq!((sent.id.as_str(), sent.number.as_str()), ("SO/000223", "000223"));
    assert_eq!(
        world.lines(),
        ["GET /api/v3/SalesOrders/SO", "GET /v1/customer", "POST /v1/customer", "POST /api/v3/SalesOrders"]
    );
    // Another place for a customer that is known: no call for it.
    let again = CustomerDecision { delivery_key: Some("other".into()), ..decision };
    let link = world.visma.send_customer(&again, Some(&link), &world.calls).await.unwrap();
    assert!(link.addresses.contains_key("place") && link.addresses.contains_key("other"));
    world.visma.find_documents(DocumentType::SalesOrder, &keys(["WEB-24"]), &world.calls).await.unwrap();
    world.visma.send_order(DocumentType::SalesOrder, &payload, &link, Some("other"), &world.calls).await.unwrap();
    assert_eq!(world.lines(), ["GET /api/v3/SalesOrders/SO", "POST /api/v3/SalesOrders"]);
}

#[tokio::test]
async fn an_order_is_plain_and_complete() {
    let world = World::with(json!({"branch": "1", "own_numbers": true, "order_type": "WS"}), place).await;
    let payload = payload_of(&order(), DocumentType::SalesOrder);
    let sent =
        world.visma.send_order(DocumentType::SalesOrder, &payload, &customer(), None, &world.calls).await.unwrap();
    assert_eq!(sent.id, "WS/000223");
    let seen = world.server.take().pop().unwrap();
    let body = body(&seen);
    assert_eq!((&body["type"], &body["orderId"], &body["branchId"]), (&json!("WS"), &json!("WEB-23"), &json!("1")));
    assert_eq!(body["customer"], json!({"id": "10042", "refNo": "WEB-23", "order": "23", "termsId": "14"}));
    assert_eq!(body["orderLines"][0]["subaccount"], json!({"1": "WEB"}));
    assert!(seen.body.contains(r#""unitPrice":9.99,"#), "{}", seen.body);
}

#[tokio::test]
async fn an_invoice_is_wrapped_and_goods_on_it_are_refused_before_it_is_sent() {
    let world = World::with(json!({"branch": "1", "own_numbers": true}), place).await;
    let goods = payload_of(&order(), DocumentType::SalesInvoice);
    let failure =
        world.visma.send_order(DocumentType::SalesInvoice, &goods, &customer(), None, &world.calls).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("settings", "stock_item_on_invoice"));
    assert!(failure.to_string().contains("MUG, LAMP") && failure.to_string().contains("direct-invoice"), "{failure}");
    assert!(world.server.take().is_empty());
    let payload = payload_of(&services(), DocumentType::SalesInvoice);
    let sent =
        world.visma.send_order(DocumentType::SalesInvoice, &payload, &customer(), None, &world.calls).await.unwrap();
    assert_eq!(sent.number, "300001");
    let seen = world.server.take().pop().unwrap();
    assert_eq!(super::line(&seen), "POST /v2/customerinvoice");
    let body = body(&seen);
    assert_eq!(body["customerNumber"], json!({"value": "10042"}));
    assert_eq!(
        (&body["referenceNumber"], &body["overrideNumberSeries"]),
        (&json!({"value": "WEB-23"}), &json!({"value": true}))
    );
    let line = &body["invoiceLines"][0];
    assert_eq!((&line["operation"], &line["quantity"]), (&json!("Insert"), &json!({"value": 2})));
    assert_eq!((&line["branchNumber"], &line["uom"]), (&json!({"value": "1"}), &json!({"value": "stuk"})));
    assert_eq!(line["subaccount"], json!([{"segmentId": 1, "segmentValue": "WEB"}]));
}

#[tokio::test]
async fn each_kind_of_refund_goes_to_its_place() {
    let world = World::with(json!({"clearing_account": "1290"}), place).await;
    for (document, path, number) in [
        (DocumentType::SalesOrder, "POST /api/v3/SalesOrders", "000223"),
        (DocumentType::DirectInvoice, "POST /api/v3/SalesOrders", "000223"),
        (DocumentType::SalesInvoice, "POST /v2/customerCreditNote", "310001"),
        (DocumentType::FinancialEntry, "POST /v2/journaltransaction", "700001"),
    ] {
        let mut refund = refund();
        for line in refund["lines"].as_array_mut().unwrap() {
            line["refs"]["item"]["attributes"]["stock_item"] = json!(false);
        }
        let payload = payload_of(&refund, document);
        let sent = world.visma.send_order(document, &payload, &customer(), None, &world.calls).await.unwrap();
        assert_eq!(sent.number, number);
        let seen = world.server.take();
        let posted = seen.iter().find(|seen| seen.path != "/connect/token").unwrap();
        assert_eq!(super::line(posted), path);
        if path.contains("SalesOrders") {
            assert_eq!(body(posted)["type"], "CM");
        }
    }
}

#[tokio::test]
async fn a_booking_balances_and_what_gives_back_stands_on_the_other_side() {
    let world = World::with(json!({"clearing_account": "1290", "branch": "1"}), place).await;
    for (order, paid, revenue) in [
        (order(), "debitAmountInCurrency", "creditAmountInCurrency"),
        (refund(), "creditAmountInCurrency", "debitAmountInCurrency"),
    ] {
        let payload = payload_of(&order, DocumentType::FinancialEntry);
        world.visma.send_order(DocumentType::FinancialEntry, &payload, &customer(), None, &world.calls).await.unwrap();
        let body = body(&world.server.take().pop().unwrap());
        let lines = body["journalTransactionLines"].as_array().unwrap();
        assert_eq!(lines.len(), 4, "VAT is one line");
        let clearing = lines.iter().find(|line| line["accountNumber"]["value"] == "1290").unwrap();
        assert_eq!(clearing[paid]["value"], json!(36.25));
        let vat = lines.iter().find(|line| line["accountNumber"]["value"] == "2700").unwrap();
        assert_eq!((&vat[revenue]["value"], &vat["vatId"]["value"]), (&json!(6.29), &json!("3H")));
        assert!(
            lines
                .iter()
                .all(|line| line["referenceNumber"]["value"] == order["reference"] && line["branch"]["value"] == "1")
        );
    }
}

#[tokio::test]
async fn an_order_is_read_back_and_taken_off_hold_when_its_total_is_right() {
    for (total, opened) in [("36.25", true), ("36.26", false)] {
        let changes = AtomicUsize::new(0);
        let world = World::with(json!({"read_back": true}), move |seen| match seen.method.as_str() {
            // Somebody looks at it at the same moment: its version is no longer the newest.
            "PATCH" if changes.fetch_add(1, Ordering::SeqCst) == 0 => Reply::json(412, ""),
            "PATCH" => Reply { status: 202, ..Reply::default() },
            "GET" => Reply::json(
                200,
                format!(r#"{{"orderId":"000223","totals":{{"orderTotal":{total},"taxableTotal":29.96}}}}"#),
            )
            .header("ETag", "\"AAAAAE0YIiI=\""),
            _ => place(seen),
        })
        .await;
        let mut payload = payload_of(&order(), DocumentType::SalesOrder);
        payload["_expected_total"] = json!(36.25);
        let sent =
            world.visma.send_order(DocumentType::SalesOrder, &payload, &customer(), None, &world.calls).await.unwrap();
        assert_eq!(sent.total.unwrap().to_string(), total);
        let seen: Vec<Seen> = world.server.take().into_iter().filter(|seen| seen.path != "/connect/token").collect();
        assert_eq!(body(&seen[0])["status"], "Hold");
        let patches: Vec<&Seen> = seen.iter().filter(|seen| seen.method == "PATCH").collect();
        assert_eq!(patches.len(), if opened { 2 } else { 0 });
        for patch in patches {
            assert_eq!((patch.header("if-match"), body(patch)), (Some("\"AAAAAE0YIiI=\""), json!({"status": "Open"})));
        }
    }
}

#[tokio::test]
async fn what_is_unsure_after_a_post_is_searched_for_by_the_caller() {
    for reply in [
        Reply::lost(),
        Reply::json(503, ""),
        Reply::json(500, ""),
        Reply::json(409, r#"{"title":"conflict"}"#),
        Reply { status: 201, ..Reply::default() },
    ] {
        let world = World::new(move |_| reply.clone()).await;
        let payload = payload_of(&order(), DocumentType::SalesOrder);
        let failure = world
            .visma
            .send_order(DocumentType::SalesOrder, &payload, &customer(), None, &world.calls)
            .await
            .unwrap_err();
        let Failure::Retry { reason, .. } = failure else { panic!("{failure}") };
        assert_eq!(reason, RetryReason::OutcomeUnknown);
        assert_eq!(world.lines().len(), 1, "the connector itself never posts twice");
    }
}

#[tokio::test]
async fn validation_with_status_500_is_a_refusal_and_all_that_is_wrong_is_told() {
    let world = World::new(|seen| match seen.path.as_str() {
        "/api/v3/SalesOrders" => Reply::json(400, include_str!("../fixtures/error-validation.json")),
        _ => Reply::json(500, r#"{"message":"The document date is in a closed period."}"#),
    })
    .await;
    let payload = payload_of(&services(), DocumentType::SalesInvoice);
    let failure = world
        .visma
        .send_order(DocumentType::SalesInvoice, &payload, &customer(), None, &world.calls)
        .await
        .unwrap_err();
    assert_eq!((failure.class(), failure.to_string().contains("closed period")), ("reject", true));
    let payload = payload_of(&order(), DocumentType::SalesOrder);
    let failure =
        world.visma.send_order(DocumentType::SalesOrder, &payload, &customer(), None, &world.calls).await.unwrap_err();
    assert!(failure.to_string().contains("0002-InvalidLength") && failure.to_string().contains("1804"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn a_creation_in_the_background_is_asked_for_until_it_is_there() {
    let asked = AtomicUsize::new(0);
    let world = World::with(json!({"background_calls": true}), move |seen| match seen.path.as_str() {
        "/v2/customerinvoice" => {
            assert_eq!(seen.header("erp-api-background"), Some("subscription"));
            Reply::json(202, json!({"id": "job-1", "stateLocation": "https://x.test/v1/background/job-1"}))
        }
        "/v1/background/job-1" if asked.fetch_add(1, Ordering::SeqCst) == 0 => {
            Reply::json(200, json!({"id": "job-1", "status": "Started", "statusCode": 0}))
        }
        "/v1/background/job-1" => Reply::json(
            200,
            json!({"id": "job-1", "status": "Finished", "statusCode": 201,
            "responseHeaders": {"Location": "https://x.test/v1/customerinvoice/300007"}}),
        ),
        _ => Reply::json(404, ""),
    })
    .await;
    let payload = payload_of(&services(), DocumentType::SalesInvoice);
    let sent =
        world.visma.send_order(DocumentType::SalesInvoice, &payload, &customer(), None, &world.calls).await.unwrap();
    assert_eq!(sent.number, "300007");
    assert_eq!(world.lines().len(), 3);
    for (state, class) in [
        (json!({"status": "Failed", "statusCode": 400, "errorMessage": "no such customer"}), "reject"),
        (json!({"status": "Started", "statusCode": 0}), "retry"),
    ] {
        let world = World::with(json!({"background_calls": true}), move |seen| match seen.method.as_str() {
            "POST" => Reply::json(202, json!({"id": "job-1", "stateLocation": "x"})),
            _ => Reply::json(200, state.clone()),
        })
        .await;
        let failure = world
            .visma
            .send_order(DocumentType::SalesInvoice, &payload, &customer(), None, &world.calls)
            .await
            .unwrap_err();
        assert_eq!(failure.class(), class, "{failure}");
    }
}

#[tokio::test]
async fn a_reference_that_is_too_long_never_leaves() {
    let world = World::with(json!({"own_numbers": true, "clearing_account": "1290"}), place).await;
    for document in [DocumentType::SalesOrder, DocumentType::SalesInvoice, DocumentType::FinancialEntry] {
        let mut order = services();
        order["reference"] = json!("WEB-000000000023");
        let payload = payload_of(&order, document);
        let failure = world.visma.send_order(document, &payload, &customer(), None, &world.calls).await.unwrap_err();
        assert_eq!((failure.class(), failure.cause().code.as_str()), ("reject", "reference_too_long"));
    }
    assert!(world.server.take().is_empty());
    assert_eq!(key("x").as_str(), "x");
}
