//! Searches and look-ups: how many calls they make, both list shapes, pages, padding, and what a refusal means.

use koppel_core::Failure;
use koppel_core::document::DocumentType;
use koppel_core::error::RetryReason;
use koppel_core::ports::Target;
use koppel_core::system::Lookup;
use serde_json::json;

use super::server::{Reply, Seen};
use super::{World, guid, key, keys, list};

const ORDERS: &str = include_str!("../fixtures/orders-one.json");

#[tokio::test]
async fn a_document_is_found_by_its_exact_reference() {
    let world = World::new(|_| Reply::json(200, ORDERS)).await;
    let asked = keys(["WEB-1", "web-1", "WEB-2", "O'Neill & co"]);
    let found = world.exact.find_documents(DocumentType::SalesOrder, &asked, &world.calls).await.unwrap();
    assert_eq!(found.keys().cloned().collect::<Vec<_>>(), keys(["WEB-1"]));
    assert_eq!(found[&key("WEB-1")].number, "501");
    let seen = world.server.take();
    assert_eq!(seen.len(), 1);
    assert_eq!(
        seen[0].filter(),
        "YourRef eq 'WEB-1' or YourRef eq 'web-1' or YourRef eq 'WEB-2' or YourRef eq 'O''Neill & co'"
    );
    assert_eq!(seen[0].path, "/api/v1/1234567/salesorder/SalesOrders");
    assert_eq!(seen[0].headers["authorization"], "Bearer access-1");
}

#[tokio::test]
async fn of_two_documents_with_one_reference_the_first_is_meant() {
    let world = World::new(|seen| match seen.entity() {
        "salesinvoice/SalesInvoices" => list(json!([
            {"InvoiceID":guid(2),"InvoiceNumber":100,"OrderNumber":9,"YourRef":"A"},
            {"InvoiceID":guid(1),"InvoiceNumber":99,"OrderNumber":12,"YourRef":"A "}
        ])),
        _ => list(json!([{"EntryID":guid(3),"EntryNumber":7,"YourRef":"A"}])),
    })
    .await;
    for (document, id, number) in [
        (DocumentType::SalesInvoice, guid(1), "99"),
        (DocumentType::DirectInvoice, guid(1), "99"),
        (DocumentType::FinancialEntry, guid(3), "7"),
    ] {
        let found = world.exact.find_documents(document, &keys(["A"]), &world.calls).await.unwrap();
        assert_eq!((found[&key("A")].id.as_str(), found[&key("A")].number.as_str()), (id.as_str(), number));
    }
}

#[tokio::test]
async fn sixty_skus_take_three_calls_and_unknown_ones_are_absent() {
    let world = World::new(|seen| {
        let known: Vec<_> = (0..60)
            .map(|n| format!("SKU-{n:03}"))
            .filter(|sku| *sku != "SKU-007" && seen.filter().contains(&format!("'{sku}'")))
            .map(|sku| json!({"ID":guid(1),"Code":sku,"Description":"x","Unit":"stuk    ","IsSalesItem":true}))
            .collect();
        list(known)
    })
    .await;
    let asked: Vec<_> = (0..60).map(|n| key(&format!("SKU-{n:03}"))).collect();
    let found = world.exact.look_up(Lookup::Item, &asked, &world.calls).await.unwrap();
    assert_eq!(found.len(), 59);
    assert!(!found.contains_key(&key("SKU-007")));
    assert_eq!(found[&key("SKU-059")].attributes["unit"], "stuk");
    assert_eq!(world.server.take().len(), 3);
    assert_eq!(world.calls.count(), 3);
    assert!(world.exact.look_up(Lookup::Item, &[], &world.calls).await.unwrap().is_empty());
    assert_eq!(world.server.take().len(), 0);
}

#[tokio::test]
async fn a_short_list_is_read_once_and_compared_without_padding() {
    let world = World::new(|_| Reply::json(200, include_str!("../fixtures/vat-codes.json"))).await;
    let found = world.exact.look_up(Lookup::VatCode, &keys(["4", "1", "5", "99"]), &world.calls).await.unwrap();
    assert_eq!(found.keys().map(|k| k.as_str().to_owned()).collect::<Vec<_>>(), ["1", "4", "5"]);
    let high = &found[&key("4")];
    assert_eq!((high.code.as_str(), high.name.as_str()), ("4", "Btw hoog"));
    assert_eq!(high.attributes["percent"].to_string(), "21");
    assert_eq!((&high.attributes["type"], &high.attributes["blocked"]), (&json!("E"), &json!(false)));
    assert_eq!(found[&key("5")].attributes["blocked"], json!(true));
    let seen = world.server.take();
    assert_eq!((seen.len(), seen[0].filter()), (1, ""));
}

#[tokio::test]
async fn a_whole_list_is_in_the_order_of_its_codes_and_says_what_is_blocked() {
    let world = World::new(|_| Reply::json(200, include_str!("../fixtures/vat-codes.json"))).await;
    let all = world.exact.list_codes(Lookup::VatCode, &world.calls).await.unwrap();
    let mut codes: Vec<_> = all.iter().map(|vat| vat.code.clone()).collect();
    assert!(codes.contains(&"4".to_owned()), "{codes:?}");
    let blocked = all.iter().find(|vat| vat.code == "5").unwrap();
    assert_eq!(blocked.attributes["blocked"], json!(true));
    let shown = codes.clone();
    codes.sort_by_key(|code| (code.len(), code.clone()));
    assert_eq!(shown, codes);
    let debtors = World::new(|_| {
        list(json!([
            {"ID":guid(2),"Code":"             10001","Name":"Oud","Status":"C","Blocked":false,"EndDate":"/Date(1577836800000)/"},
            {"ID":guid(3),"Code":null,"Name":"Lead","Status":"S","Blocked":false,"EndDate":null}
        ]))
    })
    .await;
    let all = debtors.exact.list_codes(Lookup::DefaultCustomer, &debtors.calls).await.unwrap();
    assert_eq!(all.iter().map(|d| (d.code.as_str(), d.name.as_str())).collect::<Vec<_>>(), [("10001", "Oud")]);
    assert_eq!(all[0].attributes["blocked"], json!(true), "it has ended");
    debtors.exact.list_codes(Lookup::Item, &debtors.calls).await.unwrap();
    let filters: Vec<String> = debtors.server.take().iter().map(|seen| seen.filter().to_owned()).collect();
    assert_eq!(
        filters,
        ["Status eq 'C'", "IsSalesItem eq true"],
        "some apps must not read these lists without a filter"
    );
}

#[tokio::test]
async fn every_list_is_asked_for_what_the_metadata_has() {
    let world = World::new(|seen| match seen.entity() {
        "crm/Accounts" => list(json!([
            {"ID":guid(1),"Code":"             10000","Name":"Webshop","Status":"C","Blocked":false,"EndDate":null},
            {"ID":guid(2),"Code":"             10001","Name":"Oud","Status":"C","Blocked":false,"EndDate":"/Date(1577836800000)/"}
        ])),
        "sales/ShippingMethods" => list(json!([{"ID":guid(3),"Code":"1","Description":"PostNL","Active":true}])),
        "hrm/Costcenters" => list(json!([{"ID":guid(4),"Code":"WEB","Description":"Web","Active":false,"EndDate":null}])),
        "financial/GLAccounts" => list(json!([{"ID":guid(5),"Code":"8000","Description":"Omzet","Type":110,
            "VATCode":"4  ","UseCostcenter":1,"UseCostunit":0,"IsBlocked":false}])),
        _ => list(json!([{"ID":guid(9),"Code":"1","Description":"x"}])),
    })
    .await;
    for lookup in Lookup::ALL {
        world.exact.look_up(lookup, &keys(["1"]), &world.calls).await.unwrap();
    }
    assert_eq!(world.server.take().len(), Lookup::ALL.len());
    let debtors = world.exact.look_up(Lookup::DefaultCustomer, &keys(["10000", "10001"]), &world.calls).await.unwrap();
    assert_eq!(world.server.take()[0].filter(), "Code eq '             10000' or Code eq '             10001'");
    assert_eq!((debtors[&key("10000")].id.clone(), debtors[&key("10000")].code.as_str()), (guid(1), "10000"));
    assert_eq!(debtors[&key("10000")].attributes["blocked"], json!(false));
    assert_eq!(debtors[&key("10001")].attributes["blocked"], json!(true));
    let by_name = world.exact.look_up(Lookup::ShippingMethod, &keys(["postnl", "1"]), &world.calls).await.unwrap();
    assert_eq!(by_name.values().map(|r| r.id.clone()).collect::<Vec<_>>(), [guid(3), guid(3)]);
    let centre = world.exact.look_up(Lookup::CostCenter, &keys(["WEB"]), &world.calls).await.unwrap();
    assert_eq!(centre[&key("WEB")].attributes["blocked"], json!(true));
    let account = world.exact.look_up(Lookup::RevenueAccount, &keys(["8000"]), &world.calls).await.unwrap();
    assert_eq!(account[&key("8000")].attributes["cost_center_required"], json!(true));
}

#[tokio::test]
async fn a_link_to_the_next_page_is_followed_as_it_came_but_never_to_another_host() {
    let paged = |seen: &Seen| {
        if seen.query.contains_key("$skiptoken") {
            return list(json!([{"ID":guid(2),"Code":"2","Description":"b"}]));
        }
        let next = format!(
            "http://{}/api/v1/1234567/inventory/Warehouses?$select=ID&$skiptoken=guid'x'",
            seen.headers["host"]
        );
        let rows = json!([{"ID":guid(1),"Code":"1","Description":"a"}]);
        Reply::json(200, &json!({"d":{"results":rows,"__next":next}}).to_string())
    };
    let world = World::new(paged).await;
    let found = world.exact.look_up(Lookup::Warehouse, &keys(["1", "2"]), &world.calls).await.unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(world.server.take()[1].query["$skiptoken"], "guid'x'");

    let foreign = World::new(|_| {
        Reply::json(200, r#"{"d":{"results":[],"__next":"https://elsewhere.example/api?$skiptoken=1"}}"#)
    })
    .await;
    let failure = foreign.exact.look_up(Lookup::Warehouse, &keys(["1"]), &foreign.calls).await.unwrap_err();
    assert_eq!(failure.cause().code, "foreign_address");
}

async fn failure(reply: Reply) -> Failure {
    let world = World::new(move |_| reply.clone()).await;
    world.exact.find_documents(DocumentType::SalesOrder, &keys(["A"]), &world.calls).await.unwrap_err()
}

#[tokio::test]
async fn refusals_reach_the_caller_with_their_decision_and_the_connection() {
    let forbidden = failure(Reply::empty(403).header("Reason", "NoDivisionAccess")).await;
    assert_eq!((forbidden.class(), forbidden.cause().code.as_str()), ("settings", "no_division_access"));
    assert_eq!(forbidden.cause().place.connection.as_deref(), Some("shop"));
    assert_eq!(failure(Reply::empty(403).header("Reason", "BlockedUser")).await.class(), "auth");
    assert_eq!(failure(Reply::empty(404)).await.class(), "settings");
    assert_eq!(failure(Reply::page(503)).await.class(), "retry");
    assert_eq!(failure(Reply::page(200)).await.class(), "retry");
    assert_eq!(failure(Reply::json(200, "[]")).await.class(), "retry");
    assert_eq!(failure(Reply::json(500, include_str!("../fixtures/error-validation.json"))).await.class(), "reject");
    assert_eq!(failure(Reply::lost()).await.class(), "retry");
}

/// The moment at which the clock of these tests stands, in the milliseconds of the limit headers.
fn in_seconds(world: &World, seconds: i64) -> i64 {
    use koppel_core::ports::Clock;
    (world.clock.now().timestamp() + seconds) * 1_000
}

#[tokio::test]
async fn a_throttled_connection_waits_as_long_as_the_header_says() {
    let world = World::new(|_| Reply::empty(429).header("X-RateLimit-Minutely-Reset", "1795327230000")).await;
    assert_eq!(in_seconds(&world, 30), 1_795_327_230_000);
    let ask = || world.exact.find_documents(DocumentType::SalesOrder, &[], &world.calls);
    assert!(ask().await.unwrap().is_empty());
    let failure = world.exact.find_documents(DocumentType::SalesOrder, &keys(["A"]), &world.calls).await.unwrap_err();
    let Failure::Retry { after, reason: RetryReason::Throttled, .. } = failure else { panic!("{failure}") };
    assert_eq!(after.unwrap().as_secs(), 30);
    // Nothing of this connection is called before that.
    let other = world.exact.look_up(Lookup::Item, &keys(["A"]), &world.calls).await.unwrap_err();
    assert_eq!(other.class(), "retry");
    assert_eq!(world.server.take().len(), 1);
}

#[tokio::test]
async fn a_429_without_a_moment_rests_only_its_endpoint_for_an_hour() {
    let world = World::new(|seen| match seen.entity() {
        "salesorder/SalesOrders" => Reply::empty(429),
        _ => list(json!([])),
    })
    .await;
    for _ in 0..2 {
        let failure =
            world.exact.find_documents(DocumentType::SalesOrder, &keys(["A"]), &world.calls).await.unwrap_err();
        let Failure::Retry { after, reason: RetryReason::Throttled, .. } = failure else { panic!("{failure}") };
        assert_eq!(after.unwrap().as_secs(), 3_600);
    }
    world.exact.look_up(Lookup::Item, &keys(["A"]), &world.calls).await.unwrap();
    assert_eq!(world.server.lines(), ["GET salesorder/SalesOrders", "GET logistics/Items"]);
    world.clock.forward(3_601);
    world.exact.find_documents(DocumentType::SalesOrder, &keys(["A"]), &world.calls).await.unwrap_err();
    // The token was too old by then, so it was renewed first.
    assert_eq!(world.server.take().last().unwrap().entity(), "salesorder/SalesOrders");
}

#[tokio::test]
async fn what_headers_tell_is_kept_before_the_limit_is_reached() {
    let world = World::new(|_| {
        list(json!([]))
            .header("X-RateLimit-Minutely-Remaining", 0)
            .header("X-RateLimit-Minutely-Reset", "1795327230000")
    })
    .await;
    world.exact.look_up(Lookup::Item, &keys(["A"]), &world.calls).await.unwrap();
    let failure = world.exact.look_up(Lookup::Item, &keys(["A"]), &world.calls).await.unwrap_err();
    assert_eq!(failure.cause().code, "minute_limit");
    assert_eq!(world.server.take().len(), 1);
}

#[tokio::test]
async fn an_endpoint_rests_before_exact_blocks_it() {
    let world = World::new(|seen| match seen.entity() {
        "logistics/Items" => Reply::empty(404),
        _ => list(json!([])),
    })
    .await;
    for _ in 0..9 {
        assert!(world.exact.look_up(Lookup::Item, &keys(["A"]), &world.calls).await.is_err());
    }
    // Exact blocks after ten; here it ends at five, and other endpoints go on.
    assert_eq!(world.server.take().len(), 5);
    world.exact.look_up(Lookup::Warehouse, &keys(["A"]), &world.calls).await.unwrap();
}
