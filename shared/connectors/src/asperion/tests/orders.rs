//! Documents: how they are found, what is posted, and what stops them before anything is sent.

use koppel_core::document::DocumentType::{self, FinancialEntry, SalesInvoice};
use koppel_core::error::RetryReason;
use koppel_core::ports::{CustomerLink, Target};
use koppel_core::{Cause, Failure};
use serde_json::{Value, json};

use super::rows::{order, order_payload};
use super::{World, key, keys, list, path};
use crate::http::testing::server::{Reply, Seen};

fn debtor() -> CustomerLink {
    CustomerLink { id: "1001".into(), code: "10001".into(), ..CustomerLink::default() }
}

async fn refused(world: &World, document: DocumentType, payload: &Value) -> (&'static str, Cause) {
    let failure = world.asperion.send_order(document, payload, &debtor(), None, &world.calls).await.unwrap_err();
    assert!(world.server.take().is_empty(), "nothing may be sent");
    (failure.class(), failure.cause().clone())
}

#[tokio::test]
async fn an_invoice_is_posted_to_the_cent_and_answers_as_a_concept() {
    let world = World::new(|_| Reply::json(201, include_str!("../fixtures/invoice-created.json"))).await;
    let payload = order_payload(&order(), SalesInvoice);
    let sent = world.asperion.send_order(SalesInvoice, &payload, &debtor(), Some("place"), &world.calls).await.unwrap();
    assert_eq!((sent.id.as_str(), sent.number.as_str()), ("5512", "concept 5512"));
    assert_eq!((sent.net.unwrap().to_string(), sent.total.unwrap().to_string()), ("34.96".into(), "41.26".into()));
    let seen = world.server.take();
    let posted: Value = serde_json::from_str(&seen[0].body).unwrap();
    let wanted: Value = serde_json::from_str(include_str!("../fixtures/invoice-posted.json")).unwrap();
    assert_eq!(posted, wanted);
    assert_eq!(seen[0].header("content-type").map(|kind| kind.starts_with("application/json")), Some(true));
}

#[tokio::test]
async fn an_entry_balances_with_the_debtor_and_its_vat() {
    let world = World::new(|_| Reply::json(200, json!({"id": 77}))).await;
    let payload = order_payload(&order(), FinancialEntry);
    let sent = world.asperion.send_order(FinancialEntry, &payload, &debtor(), None, &world.calls).await.unwrap();
    assert_eq!((sent.id.as_str(), sent.number.as_str(), sent.total), ("77", "77", None));
    let posted: Value = serde_json::from_str(&world.server.take()[0].body).unwrap();
    let lines = posted["lines"]["_data"].as_array().unwrap();
    let shown: Vec<(String, u64)> =
        lines.iter().map(|line| (line["amount"].to_string(), line["ledgerAccountId"].as_u64().unwrap())).collect();
    let wanted = [("-19.98", 8000), ("-9.98", 8000), ("-5.00", 8020), ("-6.30", 1510), ("41.26", 1300)];
    assert_eq!(shown, wanted.map(|(amount, account)| (amount.to_owned(), account)));
    assert_eq!((&lines[4]["debtorId"], posted.get("debtorCustomerNumber")), (&json!(1001), None));
}

#[tokio::test]
async fn what_cannot_be_posted_is_refused_before_anything_is_sent() {
    let world = World::new(|_| Reply::json(500, "{}")).await;
    let invoice = order_payload(&order(), SalesInvoice);
    let entry = order_payload(&order(), FinancialEntry);
    let changed = |base: &Value, pointer: &str, value: Value| {
        let mut payload = base.clone();
        *payload.pointer_mut(pointer).unwrap() = value;
        payload
    };
    for (document, payload, class, code) in [
        (SalesInvoice, changed(&invoice, "/description", json!("x".repeat(61))), "reject", "reference_too_long"),
        (
            FinancialEntry,
            changed(&entry, "/sourceDocumentNumber", json!("x".repeat(21))),
            "reject",
            "reference_too_long",
        ),
        (SalesInvoice, changed(&invoice, "/journalId", Value::Null), "reject", "mandatory_missing"),
        (SalesInvoice, changed(&invoice, "/lines", json!([])), "reject", "no_lines"),
        (SalesInvoice, changed(&invoice, "/_currency", json!("USD")), "reject", "foreign_currency"),
        (SalesInvoice, changed(&invoice, "/lines/0/amount", json!(19.99)), "reject", "cents_differ"),
        (SalesInvoice, changed(&invoice, "/lines/0/_vat_until", json!("2018-12-31")), "settings", "vat_code_not_valid"),
        (SalesInvoice, changed(&invoice, "/lines/1/ledgerAccountId", Value::Null), "settings", "mandatory_missing"),
        (FinancialEntry, changed(&entry, "/bookyear", json!(2024)), "settings", "year_not_searched"),
    ] {
        let (found, cause) = refused(&world, document, &payload).await;
        assert_eq!((found, cause.code.as_str()), (class, code), "{cause}");
        assert!(cause.place.row.is_some() && cause.advice.is_some(), "{cause:?}");
    }
    for document in [DocumentType::SalesOrder, DocumentType::DirectInvoice] {
        let (class, cause) = refused(&world, document, &invoice).await;
        assert!(class == "settings" && cause.message.contains("Asperion"), "{cause}");
    }
}

#[tokio::test]
async fn a_search_compares_exactly_and_takes_the_first_of_several() {
    let world = World::new(|seen: &Seen| match seen.query("Description") {
        Some("WEB-1") => list(json!([
            {"id": 12, "description": "WEB-11", "invoiceNumber": "2"},
            {"id": 31, "description": "WEB-1"},
            {"id": 9, "description": "WEB-1", "invoiceNumber": "2026-7"},
            {"id": 8, "description": "web-1"},
        ])),
        Some("WEB-2") => list(json!([{"id": 4, "description": "WEB-2"}])),
        _ => list(json!([])),
    })
    .await;
    let found =
        world.asperion.find_documents(SalesInvoice, &keys(["WEB-1", "WEB-2", "WEB-3"]), &world.calls).await.unwrap();
    assert_eq!((found[&key("WEB-1")].id.as_str(), found[&key("WEB-1")].number.as_str()), ("9", "2026-7"));
    assert_eq!((found.len(), found[&key("WEB-2")].number.as_str()), (2, "concept 4"));
    let seen = world.server.take();
    assert_eq!((seen.len(), seen[0].query("Description_comparison")), (3, Some("Equals")));
}

#[tokio::test]
async fn a_search_that_answers_others_proves_nothing() {
    let world = World::new(|_| list(json!([{"id": 4, "description": "Factuur januari"}]))).await;
    let failure = world.asperion.find_documents(SalesInvoice, &keys(["WEB-1"]), &world.calls).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("settings", "filter_unknown"));
}

#[tokio::test]
async fn a_reference_that_is_part_of_everything_is_no_reference() {
    let world = World::new(|seen: &Seen| {
        let next = format!("http://{}/v1/salesinvoiceswithlines?page=2", seen.header("host").unwrap());
        let meta = json!({"administrationId": 4711, "nextPage": next});
        Reply::json(200, json!({"_data": [{"id": 4, "description": "Factuur 1"}], "_meta": meta}))
    })
    .await;
    let failure = world.asperion.find_documents(SalesInvoice, &keys(["1"]), &world.calls).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("reject", "reference_too_common"));
    assert_eq!(world.server.take().len(), 20);
}

#[tokio::test]
async fn an_entry_is_looked_for_in_each_year_on_the_clock_of_the_books() {
    let world = World::new(|seen: &Seen| match seen.query("BookYear") {
        Some("2025") => list(json!([{"id": 5, "sourceDocumentNumber": "WEB-1"}])),
        _ => list(json!([])),
    })
    .await;
    let found = world.asperion.find_documents(FinancialEntry, &keys(["WEB-1"]), &world.calls).await.unwrap();
    assert_eq!(found[&key("WEB-1")].number, "5");
    let years: Vec<String> =
        world.server.take().iter().map(|seen| seen.query("BookYear").unwrap().to_owned()).collect();
    assert_eq!(years, ["2026", "2025"]);
    // The world begins on 22 November 2026; half an hour before midnight in UTC it is the next year in the Netherlands.
    world.clock.forward(39 * 86_400 + 17 * 3_600 + 1_800);
    world.asperion.find_documents(FinancialEntry, &keys(["WEB-1"]), &world.calls).await.unwrap();
    let seen = world.server.take();
    assert_eq!(seen.iter().find_map(|seen| seen.query("BookYear")), Some("2027"));
}

#[tokio::test]
async fn pages_are_followed_and_another_administration_stops_everything() {
    let world = World::new(|seen: &Seen| {
        let host = seen.header("host").unwrap().to_owned();
        match seen.query("page") {
            None => Reply::json(
                200,
                json!({"_data":[{"id":"70"}],"_meta":{"administrationId":4711,
                "nextPage":format!("http://{host}/v1/journals?pageSize=100&page=2")}}),
            ),
            Some(_) => list(json!([{"id":"71"}])),
        }
    })
    .await;
    let codes = world.asperion.list_codes(koppel_core::system::Lookup::Journal, &world.calls).await.unwrap();
    assert_eq!(codes.iter().map(|one| one.code.as_str()).collect::<Vec<_>>(), ["70", "71"]);
    let other = World::new(|_| Reply::json(200, json!({"_data":[],"_meta":{"administrationId":1000}}))).await;
    let failure = other.asperion.find_documents(SalesInvoice, &keys(["WEB-1"]), &other.calls).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("settings", "wrong_administration"));
}

#[tokio::test]
async fn a_lost_answer_of_a_write_is_an_unknown_outcome() {
    for reply in
        [Reply::lost, || Reply::json(503, "{}"), || Reply::json(200, "{}"), || Reply::json(200, "<html></html>")]
    {
        let world = World::new(move |_| reply()).await;
        let payload = order_payload(&order(), SalesInvoice);
        let failure =
            world.asperion.send_order(SalesInvoice, &payload, &debtor(), None, &world.calls).await.unwrap_err();
        assert!(matches!(failure, Failure::Retry { reason: RetryReason::OutcomeUnknown, .. }), "{failure}");
    }
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let world = World::new(|seen: &Seen| match path(seen) {
        "journals" => Reply { status: 401, ..Reply::default() },
        _ => list(json!([])),
    })
    .await;
    let failure = world.asperion.list_codes(koppel_core::system::Lookup::Journal, &world.calls).await.unwrap_err();
    assert_eq!(failure.class(), "auth");
    assert_eq!(world.lines(), ["GET journals", "POST /connect/token", "GET journals"]);
}
