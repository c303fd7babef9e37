//! The connector against the stand-in of Exact Online, in its strictest form: mandatory filters, one access token,
//! refresh tokens that rotate, blocks after errors.

use std::sync::Arc;

use koppel_core::connection::Connection;
use koppel_core::document::DocumentType;
use koppel_core::error::RetryReason;
use koppel_core::message::CustomerDecision;
use koppel_core::ports::{Calls, CustomerLink, Target};
use koppel_core::system::Lookup;
use koppel_core::{Failure, NonEmpty};
use koppel_sandbox::exact_online::{CLIENT_ID, CLIENT_SECRET, DIVISION, FOREIGN_DIVISION, REDIRECT_URI};
use koppel_sandbox::{FaultAction, FaultRule, Handle, Options, Sandbox};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::rows::{customer_payload, order, order_payload};
use super::{key, keys};
use crate::exact_online::ExactOnline;
use crate::exact_online::auth::token_keeper;
use crate::http::Deps;
use crate::http::testing::{self, MarkingVault, MemoryStore};

/// The time of the sandbox, for the connector.
struct SandboxClock(koppel_sandbox::Clock);

impl koppel_core::ports::Clock for SandboxClock {
    fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.0.now()
    }
}

struct World {
    sandbox: Handle,
    deps: Deps,
    connection: Connection,
    exact: ExactOnline,
    calls: Calls,
}

impl World {
    async fn new(switches: Value) -> Self {
        let options = Options { ports: [("exact-online".to_owned(), 0)].into(), ..Options::default() };
        let options = options.start_time("2026-06-01T10:00:00Z".parse().unwrap()).switch("exact-online", switches);
        let sandbox = Sandbox::start(options).await.unwrap();
        let clock = Arc::new(SandboxClock(sandbox.clock().clone()));
        let deps = Deps { store: Arc::new(MemoryStore::new(clock.clone())), vault: Arc::new(MarkingVault), clock };
        let options =
            json!({"country":"nl","division":DIVISION,"url":sandbox.exact_online_url(),"redirect_uri":REDIRECT_URI});
        let connection =
            testing::connection("exact-online", options, &[("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)]);
        let exact = ExactOnline::new(&connection, &deps).unwrap();
        let world = Self { sandbox, deps, connection, exact, calls: Calls::default() };
        world.consent().await;
        world
    }

    /// What a person does in a browser: open the address, say yes, come back with a code.
    async fn consent(&self) {
        let keeper = token_keeper(&self.connection, &self.deps).unwrap();
        let url = url::Url::parse(&keeper.authorize_url("state-1").unwrap()).unwrap();
        let mut stream = tokio::net::TcpStream::connect((url.host_str().unwrap(), url.port().unwrap())).await.unwrap();
        let target = format!("{}?{}", url.path(), url.query().unwrap());
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let header = |line: &str| {
            line.split_once(": ")
                .filter(|(name, _)| name.eq_ignore_ascii_case("location"))
                .map(|(_, v)| v.trim().to_owned())
        };
        let back = answer.lines().find_map(header).unwrap();
        let back = url::Url::parse(&back).unwrap();
        assert!(back.query().unwrap().contains("%21"), "the code is encoded in the address: {back}");
        let code = back.query().unwrap().split('&').find_map(|pair| pair.strip_prefix("code=")).unwrap();
        keeper.exchange_code(code, &self.calls).await.unwrap();
    }

    fn forward(&self, seconds: i64) {
        self.sandbox.clock().advance(chrono::Duration::seconds(seconds));
    }

    async fn references(&self, lookup: Lookup, code: &str) -> Value {
        let found = self.exact.look_up(lookup, &[key(code)], &self.calls).await.unwrap();
        serde_json::to_value(&found[&key(code)]).unwrap()
    }

    /// The order of the fixtures with codes that the sandbox has.
    async fn order(&self, document: DocumentType) -> Value {
        let mut order = order();
        let (item, vat) = (self.references(Lookup::Item, "MOK-WIT").await, self.references(Lookup::VatCode, "4").await);
        let account = self.references(Lookup::RevenueAccount, "8000").await;
        for line in order["lines"].as_array_mut().unwrap() {
            line["refs"] = json!({ "item": item, "vat_code": vat, "revenue_account": account });
            line["quantity"] = json!(2);
        }
        order["lines"][0]["refs"]["cost_center"] = self.references(Lookup::CostCenter, "WEB").await;
        for (name, lookup, code) in [
            ("payment_terms", Lookup::PaymentTerms, "00"),
            ("shipping_method", Lookup::ShippingMethod, "PostNL pakket"),
            ("warehouse", Lookup::Warehouse, "1"),
            ("journal", Lookup::Journal, "70"),
        ] {
            order["refs"][name] = self.references(lookup, code).await;
        }
        order_payload(&order, document)
    }

    async fn search(&self, document: DocumentType, reference: &str) -> Option<String> {
        let found = self.exact.find_documents(document, &[key(reference)], &self.calls).await.unwrap();
        found.into_values().next().map(|found| found.id)
    }

    fn rows(&self, entity: &str) -> Vec<Value> {
        self.sandbox.exact().documents(entity)
    }
}

fn company() -> CustomerDecision {
    let mut customer = order()["customer"].clone();
    customer["vat_number"] = json!("NL001234567B01");
    CustomerDecision {
        key_hash: "h".into(),
        email: "jan@example.test".into(),
        link: None,
        payload: customer_payload(&customer),
        delivery_key: Some("place".into()),
        content_hash: "c".into(),
        update: false,
        matched: Default::default(),
    }
}

fn email() -> NonEmpty {
    key("jan@example.test")
}

#[tokio::test]
async fn an_order_of_a_new_company_reaches_the_books_with_everything_around_it() {
    let world = World::new(json!({})).await;
    let said = world.exact.test_connection(&world.calls).await.unwrap();
    assert!(said.contains(DIVISION), "{said}");
    assert!(world.exact.find_customers(&[email()], &world.calls).await.unwrap().is_empty());
    let link = world.exact.send_customer(&company(), None, &world.calls).await.unwrap();
    for (document, table, id, line_table, address) in [
        (
            DocumentType::SalesOrder,
            "salesorder/SalesOrders",
            "OrderID",
            "salesorder/SalesOrderLines",
            "DeliveryAddress",
        ),
        (
            DocumentType::SalesInvoice,
            "salesinvoice/SalesInvoices",
            "InvoiceID",
            "salesinvoice/SalesInvoiceLines",
            "DeliverToAddress",
        ),
        (DocumentType::FinancialEntry, "salesentry/SalesEntries", "EntryID", "salesentry/SalesEntryLines", ""),
    ] {
        assert_eq!(world.search(document, "WEB-23").await, None);
        let payload = world.order(document).await;
        let sent = world.exact.send_order(document, &payload, &link, Some("place"), &world.calls).await.unwrap();
        assert_eq!(world.search(document, "WEB-23").await.as_deref(), Some(sent.id.as_str()));
        assert!(!sent.number.is_empty());
        let rows = world.rows(table);
        let row = rows.iter().find(|row| row[id] == json!(sent.id)).unwrap();
        if !address.is_empty() {
            assert_eq!(row[address], json!(link.addresses["place"]), "{row}");
            assert_eq!(row["OrderedByContactPerson"], json!(link.contact));
        }
        assert_eq!(world.rows(line_table).iter().filter(|line| line[id] == json!(sent.id)).count(), 2);
        let total = sent.total.unwrap();
        assert!(total > rust_decimal::Decimal::ZERO);
        if let Some(net) = sent.net {
            assert!(net < total, "{net} {total}");
        }
    }
    // A second look finds the same customer, and sending it again adds nothing.
    let found = world.exact.find_customers(&[email()], &world.calls).await.unwrap();
    assert_eq!((&found[&email()].id, &found[&email()].code), (&link.id, &link.code));
    let again = world.exact.send_customer(&company(), Some(&found[&email()]), &world.calls).await.unwrap();
    assert_eq!(again, link);
    assert_eq!(world.rows("crm/Contacts").len(), 1);
    assert!(world.sandbox.exact().statuses().keys().all(|status| (200..400).contains(status)));
}

#[tokio::test]
async fn lost_answers_double_nothing() {
    let world = World::new(json!({})).await;
    let before = world.rows("crm/Accounts").len();
    for entity in ["crm/Accounts", "crm/Contacts", "crm/Addresses", "salesorder/SalesOrders"] {
        world.sandbox.exact().fault(FaultRule::new(FaultAction::AnswerLost).method("POST").path(entity)).unwrap();
    }
    let mut link = None;
    for _ in 0..4 {
        // As the chain does it: after an unknown outcome the customer is searched first.
        let known = world.exact.find_customers(&[email()], &world.calls).await.unwrap().remove(&email());
        match world.exact.send_customer(&company(), known.as_ref(), &world.calls).await {
            Ok(done) => link = Some(done),
            Err(Failure::Retry { reason: RetryReason::OutcomeUnknown, .. }) => {}
            Err(failure) => panic!("{failure}"),
        }
    }
    let link = link.unwrap();
    assert_eq!(world.rows("crm/Accounts").len(), before + 1);
    assert_eq!(world.rows("crm/Contacts").len(), 1);
    let delivery: Vec<Value> = world.rows("crm/Addresses").into_iter().filter(|row| row["Type"] == json!(4)).collect();
    assert_eq!(delivery.len(), 1, "{delivery:#?}");

    let payload = world.order(DocumentType::SalesOrder).await;
    let failure = world
        .exact
        .send_order(DocumentType::SalesOrder, &payload, &link, Some("place"), &world.calls)
        .await
        .unwrap_err();
    assert!(matches!(failure, Failure::Retry { reason: RetryReason::OutcomeUnknown, .. }), "{failure}");
    assert!(world.search(DocumentType::SalesOrder, "WEB-23").await.is_some());
    assert_eq!(world.rows("salesorder/SalesOrders").len(), 1);
}

#[tokio::test]
async fn only_customers_that_may_buy_are_found() {
    let world = World::new(json!({})).await;
    let asked: Vec<NonEmpty> = (10_000..10_004).map(|code| key(&format!("relatie{code}@example.test"))).collect();
    let found = world.exact.find_customers(&asked, &world.calls).await.unwrap();
    assert_eq!(found.keys().cloned().collect::<Vec<_>>(), asked[..2]);
    assert_eq!(found[&asked[0]].code, "10000");
    // The prospect is refused as a buyer, becomes a customer, and then buys.
    let payload = world.order(DocumentType::SalesOrder).await;
    world.exact.send_order(DocumentType::SalesOrder, &payload, &found[&asked[1]], None, &world.calls).await.unwrap();
    let accounts = world.rows("crm/Accounts");
    let prospect = accounts.iter().find(|row| row["ID"] == json!(found[&asked[1]].id)).unwrap();
    assert_eq!(prospect["Status"], "C");
}

#[tokio::test]
async fn a_guest_buys_on_the_fixed_debtor() {
    let world = World::new(json!({})).await;
    let found = world.exact.look_up(Lookup::DefaultCustomer, &keys(["10000", "77777"]), &world.calls).await.unwrap();
    assert_eq!(found.len(), 1);
    let debtor = &found[&key("10000")];
    let link = CustomerLink { id: debtor.id.clone(), code: debtor.code.clone(), ..CustomerLink::default() };
    let guest = CustomerDecision { email: String::new(), link: Some(link), ..company() };
    let link = world.exact.send_customer(&guest, None, &world.calls).await.unwrap();
    let payload = world.order(DocumentType::SalesOrder).await;
    world.exact.send_order(DocumentType::SalesOrder, &payload, &link, Some("place"), &world.calls).await.unwrap();
    assert_eq!(world.rows("crm/Contacts").len(), 0);
    let orders = world.rows("salesorder/SalesOrders");
    assert_eq!(
        (&orders[0]["OrderedBy"], &orders[0]["DeliveryAddress"]),
        (&json!(debtor.id), &json!(link.addresses["place"]))
    );
}

#[tokio::test]
async fn every_list_gives_references_and_unknown_codes_are_absent() {
    let world = World::new(json!({})).await;
    for (lookup, code) in [
        (Lookup::Item, "KOFFIE"),
        (Lookup::VatCode, "4"),
        (Lookup::PaymentTerms, "30"),
        (Lookup::ShippingMethod, "DHL"),
        (Lookup::RevenueAccount, "8000"),
        (Lookup::Journal, "70"),
        (Lookup::CostCenter, "WEB"),
        (Lookup::CostUnit, "001"),
        (Lookup::Warehouse, "2"),
        (Lookup::DefaultCustomer, "10000"),
    ] {
        let found = world.exact.look_up(lookup, &keys([code, "no-such"]), &world.calls).await.unwrap();
        assert_eq!(found.len(), 1, "{lookup:?}");
        let reference = &found[&key(code)];
        assert_eq!(reference.code, code);
        assert!(!reference.id.is_empty() && !reference.name.is_empty(), "{reference:?}");
    }
    let vat = world.exact.look_up(Lookup::VatCode, &keys(["12", "9"]), &world.calls).await.unwrap();
    assert_eq!(vat[&key("12")].attributes["percent"].to_string(), "19");
    assert_eq!(vat[&key("9")].attributes["blocked"], json!(true));
    let items = world.exact.look_up(Lookup::Item, &keys(["VERLOPEN", "NIET-VERKOOP"]), &world.calls).await.unwrap();
    assert_eq!(items[&key("VERLOPEN")].attributes["end_date"], "2021-12-31");
    assert_eq!(items[&key("NIET-VERKOOP")].attributes["is_sales_item"], json!(false));
    assert_eq!(items[&key("VERLOPEN")].attributes["unit"], "stuk");
}

#[tokio::test]
async fn a_division_out_of_reach_and_a_wrong_field_are_settings() {
    let world = World::new(json!({})).await;
    let mut foreign = world.connection.clone();
    foreign.options.insert("division".into(), json!(FOREIGN_DIVISION));
    let foreign = ExactOnline::new(&foreign, &world.deps).unwrap();
    let failure = foreign.look_up(Lookup::Item, &keys(["A"]), &world.calls).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("settings", "no_division_access"));
    let failure = foreign.test_connection(&world.calls).await.unwrap_err();
    assert!(failure.to_string().contains(DIVISION), "{failure}");

    let link = world.exact.send_customer(&company(), None, &world.calls).await.unwrap();
    let mut payload = world.order(DocumentType::SalesOrder).await;
    payload["YourReff"] = json!("x");
    let failure =
        world.exact.send_order(DocumentType::SalesOrder, &payload, &link, None, &world.calls).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("settings", "unknown_field"));
    payload.as_object_mut().unwrap().remove("YourReff");
    payload["SalesOrderLines"][0].as_object_mut().unwrap().remove("Item");
    let failure =
        world.exact.send_order(DocumentType::SalesOrder, &payload, &link, None, &world.calls).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("reject", "mandatory_missing"), "{failure}");
}

#[tokio::test]
async fn two_processes_never_burn_the_token() {
    let world = World::new(json!({"minute_limit": null})).await;
    for _ in 0..6 {
        world.forward(585);
        // Two processes, each with its own memory, and one shared store.
        let both: Vec<ExactOnline> =
            (0..2).map(|_| ExactOnline::new(&world.connection, &world.deps).unwrap()).collect();
        let asked = keys(["MOK-WIT"]);
        let (one, two) = tokio::join!(
            both[0].look_up(Lookup::Item, &asked, &world.calls),
            both[1].look_up(Lookup::Item, &asked, &world.calls)
        );
        assert_eq!((one.unwrap().len(), two.unwrap().len()), (1, 1));
    }
    let statuses = world.sandbox.exact().statuses();
    assert!(!statuses.contains_key(&401) && !statuses.contains_key(&400), "{statuses:?}");
    let tokens = world.sandbox.exact().log().iter().filter(|call| call.path.contains("oauth2/token")).count();
    assert_eq!(tokens, 1 + 6);
}

#[tokio::test]
async fn a_lost_token_answer_costs_consent_only_where_exact_forgets_the_old_token() {
    for grace in [true, false] {
        let world = World::new(json!({"refresh_grace": grace})).await;
        world.forward(585);
        world.sandbox.exact().fault(FaultRule::new(FaultAction::AnswerLost).path("oauth2/token")).unwrap();
        let result = world.exact.look_up(Lookup::Item, &keys(["MOK-WIT"]), &world.calls).await;
        if grace {
            assert_eq!(result.unwrap().len(), 1);
            continue;
        }
        assert_eq!(result.unwrap_err().cause().code, "needs_consent");
        world.consent().await;
        let fresh = ExactOnline::new(&world.connection, &world.deps).unwrap();
        assert_eq!(fresh.look_up(Lookup::Item, &keys(["MOK-WIT"]), &world.calls).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn the_limits_of_the_day_and_the_minute_are_never_run_into() {
    let world = World::new(json!({"minute_limit": 10})).await;
    let mut waits = 0;
    for _ in 0..25 {
        match world.exact.look_up(Lookup::Item, &keys(["MOK-WIT"]), &world.calls).await {
            Ok(_) => {}
            Err(Failure::Retry { reason: RetryReason::Throttled, after, .. }) => {
                waits += 1;
                world.forward(i64::try_from(after.unwrap().as_secs()).unwrap() + 1);
            }
            Err(failure) => panic!("{failure}"),
        }
    }
    assert!(waits >= 2, "{waits}");
    assert!(!world.sandbox.exact().statuses().contains_key(&429));
}
