//! The connector against the stand-in of Visma.net, in its strictest form: wrappers where they belong, filters that do not
//! help, pages cut down, keys in places of another host.

use std::sync::Arc;

use koppel_core::connection::Connection;
use koppel_core::document::{Document, DocumentType, Entity};
use koppel_core::error::RetryReason;
use koppel_core::message::{CustomerDecision, SourceRecord};
use koppel_core::ports::{Asked, Calls, CustomerLink, FetchQuery, Source, Target};
use koppel_core::system::Lookup;
use koppel_core::{Failure, NonEmpty};
use koppel_sandbox::visma_net::{CLIENT_ID, CLIENT_SECRET, CUSTOMER_TENANT_ID, TENANT_ID};
use koppel_sandbox::{FaultAction, FaultRule, Handle, Options, Sandbox};
use serde_json::{Value, json};

use super::rows::{customer_payload, document, order, payload_of};
use super::{key, keys};
use crate::http::Deps;
use crate::http::testing::{self, MarkingVault, MemoryStore};
use crate::visma_net::VismaNet;

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
    visma: VismaNet,
    calls: Calls,
}

impl World {
    async fn new(options: Value) -> Self {
        Self::with(options, json!({})).await
    }

    async fn with(options: Value, switches: Value) -> Self {
        let all = Options { ports: [("visma-net".to_owned(), 0)].into(), ..Options::default() };
        let all = all.start_time("2026-06-01T10:00:00Z".parse().unwrap()).switch("visma-net", switches);
        let sandbox = Sandbox::start(all).await.unwrap();
        let clock = Arc::new(SandboxClock(sandbox.clock().clone()));
        let deps = Deps { store: Arc::new(MemoryStore::new(clock.clone())), vault: Arc::new(MarkingVault), clock };
        let mut all = json!({
            "url": sandbox.visma_net_url(), "tenant_id": TENANT_ID, "branch": "1", "customer_class": "ZAKELIJK",
            "person_class": "PART", "credit_order_type": "CM", "clearing_account": "1290",
            "vat_zones": {"NL": "NL", "DE": "OSS-DE", "BE": "OSS-BE", "DE/business": "EU", "default": "EXPORT"},
        });
        for (name, value) in options.as_object().unwrap() {
            all[name] = value.clone();
        }
        let secrets = [("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)];
        let connection = testing::connection("visma-net", all, &secrets);
        let visma = VismaNet::new(&connection, &deps).unwrap();
        Self { sandbox, deps, connection, visma, calls: Calls::default() }
    }

    fn rows(&self, table: &str) -> Vec<Value> {
        self.sandbox.visma().documents(table)
    }

    async fn references(&self, lookup: Lookup, code: &str) -> Value {
        let found = self.visma.look_up(lookup, &[key(code)], &self.calls).await.unwrap();
        serde_json::to_value(found.get(&key(code)).unwrap_or_else(|| panic!("{lookup:?} {code}"))).unwrap()
    }

    /// The order of the fixtures with codes that the sandbox has.
    async fn order(&self, item: &str) -> Value {
        let mut order = order();
        let item = self.references(Lookup::Item, item).await;
        let vat = self.references(Lookup::VatCode, "HOOG").await;
        let account = self.references(Lookup::RevenueAccount, "8000").await;
        for line in order["lines"].as_array_mut().unwrap() {
            line["refs"] = json!({"item": item, "vat_code": vat, "revenue_account": account});
        }
        order["lines"][0]["refs"]["cost_center"] = self.references(Lookup::CostCenter, "WEB").await;
        for (name, lookup, code) in [
            ("payment_terms", Lookup::PaymentTerms, "14"),
            ("shipping_method", Lookup::ShippingMethod, "POSTNL"),
            ("warehouse", Lookup::Warehouse, "1"),
            ("journal", Lookup::Journal, "1"),
        ] {
            order["refs"][name] = self.references(lookup, code).await;
        }
        order
    }

    async fn search(&self, document: DocumentType, reference: &str) -> Option<String> {
        let found = self.visma.find_documents(document, &[key(reference)], &self.calls).await.unwrap();
        found.into_values().next().map(|found| found.number)
    }

    /// All records of an entity, page by page.
    async fn read(&self, entity: Entity, since: &str) -> Vec<SourceRecord> {
        let mut query = FetchQuery { entity, since: since.parse().unwrap(), page: None };
        let mut records = Vec::new();
        loop {
            let page = self.visma.fetch_page(&query, &self.calls).await.unwrap();
            records.extend(page.records);
            match page.next {
                Some(next) => query.page = Some(next),
                None => return records,
            }
        }
    }
}

fn company() -> CustomerDecision {
    CustomerDecision {
        key_hash: "h".into(),
        email: "jan@example.test".into(),
        link: None,
        payload: customer_payload(&order()["customer"]),
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
async fn the_company_answers_and_the_tenant_of_the_customer_is_told_apart() {
    let world = World::new(json!({})).await;
    let said = Target::test_connection(&world.visma, &world.calls).await.unwrap();
    assert!(said.contains("1 Hoofdvestiging"), "{said}");
    let mut wrong = world.connection.clone();
    wrong.options.insert("tenant_id".into(), json!(CUSTOMER_TENANT_ID));
    let wrong = VismaNet::new(&wrong, &world.deps).unwrap();
    let failure = Target::test_connection(&wrong, &world.calls).await.unwrap_err();
    assert!(failure.class() == "auth" && failure.to_string().contains("tenant_id"), "{failure}");
    let mut secret = world.connection.clone();
    secret.secrets.insert("client_id".into(), "other".into());
    let failure =
        Target::test_connection(&VismaNet::new(&secret, &world.deps).unwrap(), &world.calls).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("auth", "client_refused"));
}

#[tokio::test]
async fn rights_that_are_missing_and_a_licence_that_ended_are_told() {
    let missing = World::with(json!({}), json!({"missing_scopes": ["vismanet_erp_service_api:create"]})).await;
    let failure = Target::test_connection(&missing.visma, &missing.calls).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().place.row.as_deref()), ("settings", Some("scopes")), "{failure}");
    let ended = World::with(json!({}), json!({"licensed": false})).await;
    let failure = Target::test_connection(&ended.visma, &ended.calls).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("auth", "company_refused"), "{failure}");
    let apart = World::with(json!({"separate_tokens": true}), json!({"mixed_scopes": false})).await;
    Target::test_connection(&apart.visma, &apart.calls).await.unwrap();
}

#[tokio::test]
async fn every_list_gives_references_and_unknown_codes_are_absent() {
    let world = World::new(json!({})).await;
    for (lookup, code) in [
        (Lookup::Item, "KOFFIE"),
        (Lookup::VatCode, "HOOG"),
        (Lookup::PaymentTerms, "30"),
        (Lookup::ShippingMethod, "DHL"),
        (Lookup::RevenueAccount, "8000"),
        (Lookup::Journal, "1"),
        (Lookup::CostCenter, "WEB"),
        (Lookup::Warehouse, "2"),
        (Lookup::DefaultCustomer, "10000"),
    ] {
        let found = world.visma.look_up(lookup, &keys([code, "no-such"]), &world.calls).await.unwrap();
        assert_eq!(found.keys().map(NonEmpty::as_str).collect::<Vec<_>>(), [code], "{lookup:?}");
        let all = world.visma.list_codes(lookup, &world.calls).await.unwrap();
        assert!(all.iter().any(|one| one == &found[&key(code)]), "{lookup:?}");
    }
    let items =
        world.visma.look_up(Lookup::Item, &keys(["VERLOPEN", "NIET-VERKOOP", "MOK-WIT"]), &world.calls).await.unwrap();
    assert_eq!(items[&key("VERLOPEN")].attributes["blocked"], true);
    assert_eq!(items[&key("NIET-VERKOOP")].attributes["blocked"], true);
    assert_eq!(
        (&items[&key("MOK-WIT")].attributes["blocked"], &items[&key("MOK-WIT")].attributes["stock_item"]),
        (&json!(false), &json!(true))
    );
    let accounts = world.visma.look_up(Lookup::RevenueAccount, &keys(["8900"]), &world.calls).await.unwrap();
    assert_eq!(accounts[&key("8900")].attributes["blocked"], true);
    // More codes than are worth a call each.
    let many: Vec<NonEmpty> = (0..30).map(|n| key(&format!("X-{n}"))).chain(keys(["MOK-WIT", "KOFFIE"])).collect();
    world.calls.take();
    assert_eq!(world.visma.look_up(Lookup::Item, &many, &world.calls).await.unwrap().len(), 2);
    assert_eq!(world.calls.count(), 1);
}

#[tokio::test]
async fn a_customer_is_made_once_found_again_and_changed_in_part() {
    let world = World::new(json!({})).await;
    assert!(world.visma.find_customers(&[email()], &world.calls).await.unwrap().is_empty());
    let link = world.visma.send_customer(&company(), None, &world.calls).await.unwrap();
    let find = async || world.visma.find_customers(&[email()], &world.calls).await.unwrap().remove(&email());
    assert_eq!(find().await.unwrap().id, link.id);
    let row = |number: &str| world.rows("customer").into_iter().find(|row| row["number"] == number).unwrap();
    let made = row(&link.id);
    assert_eq!((&made["customerClass"]["id"], &made["vatZone"]["id"]), (&json!("ZAKELIJK"), &json!("NL")));
    assert_eq!(
        (&made["mainContact"]["attention"], &made["mainAddress"]["city"]),
        (&json!("Jan Bos"), &json!("Ons Dorp"))
    );
    let mut changed = company();
    changed.update = true;
    changed.payload["customer"]["name"] = json!("Bos & Zonen BV");
    world.visma.send_customer(&changed, Some(&link), &world.calls).await.unwrap();
    let after = row(&link.id);
    assert_eq!(
        (&after["name"], &after["customerClass"], &after["vatZone"]),
        (&json!("Bos & Zonen BV"), &made["customerClass"], &made["vatZone"])
    );
    // Inactive customers are not used; who waits is only used when there is nobody else.
    let asked = keys([
        "relatie10000@example.test",
        "relatie10003@example.test",
        "relatie10005@example.test",
        "noor@example.test",
    ]);
    let found = world.visma.find_customers(&asked, &world.calls).await.unwrap();
    assert_eq!(found.values().map(|link| link.id.as_str()).collect::<Vec<_>>(), ["10000", "10005"]);
    let contacts = VismaNet::new(
        &Connection {
            options: {
                let mut all = world.connection.options.clone();
                all.insert("search_contacts".into(), json!(true));
                all
            },
            ..world.connection.clone()
        },
        &world.deps,
    )
    .unwrap();
    let found = contacts.find_customers(&keys(["noor@example.test"]), &world.calls).await.unwrap();
    assert_eq!(found.into_values().next().map(|link| (link.id, link.contact.is_some())), Some(("10000".into(), true)));
}

#[tokio::test]
async fn a_class_without_a_zone_needs_one_and_a_contact_of_its_own_is_found_again() {
    let world = World::new(json!({"customer_class": "LEEG", "vat_zones": {}})).await;
    let failure = world.visma.send_customer(&company(), None, &world.calls).await.unwrap_err();
    assert!(failure.class() == "reject" && failure.to_string().contains("vatZoneId"), "{failure}");
    let world = World::new(json!({})).await;
    let mut own = company();
    own.payload["contact"] = json!({"firstName": "Jan", "lastName": "Bos", "email": "jan@example.test"});
    let link = world.visma.send_customer(&own, None, &world.calls).await.unwrap();
    let again = world
        .visma
        .send_customer(&own, Some(&CustomerLink { contact: None, ..link.clone() }), &world.calls)
        .await
        .unwrap();
    assert!(link.contact.is_some() && again.contact == link.contact);
}

#[tokio::test]
async fn an_invoice_a_credit_note_and_bookings_reach_the_books_to_the_cent() {
    let world = World::new(json!({"read_back": true})).await;
    let link = world.visma.send_customer(&company(), None, &world.calls).await.unwrap();
    let order = world.order("GRAV-K").await;
    let mut refund = super::rows::refund();
    for (line, known) in refund["lines"].as_array_mut().unwrap().iter_mut().zip(order["lines"].as_array().unwrap()) {
        line["refs"] = known["refs"].clone();
    }
    refund["refs"] = order["refs"].clone();
    for (document, table) in [
        (DocumentType::SalesInvoice, ["customerinvoice", "customerCreditNote"]),
        (DocumentType::FinancialEntry, ["journaltransaction", "journaltransaction"]),
    ] {
        for (made, table, reference, total) in
            [(&order, table[0], "WEB-23", "36.25"), (&refund, table[1], "WEB-23-R32", "-36.25")]
        {
            assert_eq!(world.search(document, reference).await, None, "{document:?} {reference}");
            let payload = payload_of(made, document);
            let sent = world.visma.send_order(document, &payload, &link, Some("place"), &world.calls).await.unwrap();
            if document == DocumentType::SalesInvoice {
                assert_eq!(sent.total.unwrap().to_string(), total, "{document:?}");
            }
            assert_eq!(world.search(document, reference).await.as_deref(), Some(sent.number.as_str()));
            let rows = world.rows(table);
            let row = rows.iter().find(|row| row.to_string().contains(reference)).unwrap();
            assert_eq!(row["status"], "Balanced", "{row}");
        }
    }
    let goods = payload_of(&world.order("MOK-WIT").await, DocumentType::SalesInvoice);
    let failure =
        world.visma.send_order(DocumentType::SalesInvoice, &goods, &link, None, &world.calls).await.unwrap_err();
    assert_eq!(failure.cause().code, "stock_item_on_invoice");
}

#[tokio::test]
async fn own_numbers_find_a_document_with_one_call_and_none_comes_twice() {
    let world = World::new(json!({"own_numbers": true})).await;
    let link = world.visma.send_customer(&company(), None, &world.calls).await.unwrap();
    let order = world.order("GRAV-K").await;
    for document in [DocumentType::SalesInvoice, DocumentType::FinancialEntry] {
        let payload = payload_of(&order, document);
        let sent = world.visma.send_order(document, &payload, &link, None, &world.calls).await.unwrap();
        assert_eq!(sent.number, "WEB-23");
        world.calls.take();
        assert_eq!(world.search(document, "WEB-23").await.as_deref(), Some("WEB-23"));
        assert_eq!(world.search(document, "WEB-24").await, None);
        assert_eq!(world.calls.count(), 2);
        let failure = world.visma.send_order(document, &payload, &link, None, &world.calls).await.unwrap_err();
        assert!(failure.to_string().contains("already exists"), "{failure}");
    }
}

#[tokio::test]
async fn an_order_of_a_new_company_is_four_calls_and_of_a_known_one_two() {
    let world = World::new(json!({})).await;
    let payload = payload_of(&world.order("MOK-WIT").await, DocumentType::SalesOrder);
    world.calls.take();
    assert_eq!(world.search(DocumentType::SalesOrder, "WEB-23").await, None);
    assert!(world.visma.find_customers(&[email()], &world.calls).await.unwrap().is_empty());
    let link = world.visma.send_customer(&company(), None, &world.calls).await.unwrap();
    let sent =
        world.visma.send_order(DocumentType::SalesOrder, &payload, &link, Some("place"), &world.calls).await.unwrap();
    assert_eq!(world.calls.take().len(), 4);
    let rows = world.rows("salesorder");
    let row = rows.iter().find(|row| row.to_string().contains("WEB-23")).unwrap();
    assert!(row.to_string().contains("Havenweg 3") && row.to_string().contains(&sent.number), "{row}");
    assert_eq!(world.search(DocumentType::SalesOrder, "WEB-24").await, None);
    let mut next = payload.clone();
    next["customer"]["refNo"] = json!("WEB-24");
    world.visma.send_order(DocumentType::SalesOrder, &next, &link, Some("place"), &world.calls).await.unwrap();
    assert_eq!(world.calls.take().len(), 2);
    assert_eq!(world.search(DocumentType::SalesOrder, "WEB-23").await, Some(sent.number));
    assert!(world.search(DocumentType::SalesOrder, "WEB-24").await.is_some());
    assert!(world.sandbox.visma().statuses().keys().all(|status| (200..400).contains(status)));
}

#[tokio::test]
async fn each_kind_of_order_is_right_to_the_cent_and_taken_off_hold() {
    let world = World::new(json!({"read_back": true})).await;
    let link = world.visma.send_customer(&company(), None, &world.calls).await.unwrap();
    let order = world.order("MOK-WIT").await;
    let mut refund = super::rows::refund();
    for (line, known) in refund["lines"].as_array_mut().unwrap().iter_mut().zip(order["lines"].as_array().unwrap()) {
        line["refs"] = known["refs"].clone();
    }
    refund["refs"] = order["refs"].clone();
    for (made, document, kind, total) in [
        (&order, DocumentType::SalesOrder, "SO", "36.25"),
        (&order, DocumentType::DirectInvoice, "IN", "36.25"),
        (&refund, DocumentType::SalesOrder, "CM", "-36.25"),
    ] {
        let mut payload = payload_of(made, document);
        payload["_expected_total"] = made["total"].clone();
        let sent = world.visma.send_order(document, &payload, &link, Some("place"), &world.calls).await.unwrap();
        assert_eq!((sent.total.unwrap().to_string().as_str(), sent.id.split('/').next()), (total, Some(kind)));
        let (order, _) = world
            .visma
            .client
            .get_order(&format!("api/v3/SalesOrders/{}", sent.id), "SalesOrder", &world.calls)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(order["status"]["hold"], false, "{order}");
    }
    let credit = world.search(DocumentType::SalesOrder, "WEB-23-R32").await;
    assert!(credit.is_some());
}

#[tokio::test]
async fn manual_numbers_are_exact_and_a_second_order_of_one_number_is_not_made() {
    let world = World::new(json!({"own_numbers": true, "order_type": "WS"})).await;
    let link = world.visma.send_customer(&company(), None, &world.calls).await.unwrap();
    let payload = payload_of(&world.order("MOK-WIT").await, DocumentType::SalesOrder);
    world.sandbox.visma().fault(FaultRule::new(FaultAction::AnswerLost).method("POST").path("SalesOrders")).unwrap();
    for _ in 0..2 {
        // The answer is lost; whoever posts it once more is refused.
        let sent = world.visma.send_order(DocumentType::SalesOrder, &payload, &link, None, &world.calls).await;
        assert!(matches!(sent, Err(Failure::Retry { reason: RetryReason::OutcomeUnknown, .. })), "{sent:?}");
    }
    world.calls.take();
    assert_eq!(world.search(DocumentType::SalesOrder, "WEB-23").await.as_deref(), Some("WEB-23"));
    assert_eq!(world.calls.count(), 1);
    assert_eq!(world.rows("salesorder").iter().filter(|row| row.to_string().contains("WEB-23")).count(), 1);
    // A type that numbers by itself takes no number.
    let wrong = World::new(json!({"own_numbers": true})).await;
    let link = wrong.visma.send_customer(&company(), None, &wrong.calls).await.unwrap();
    let failure =
        wrong.visma.send_order(DocumentType::SalesOrder, &payload, &link, None, &wrong.calls).await.unwrap_err();
    assert!(failure.class() != "retry", "{failure}");
}

#[tokio::test]
async fn all_that_is_wrong_with_an_order_is_told_at_once_and_by_whom_it_is_mended() {
    let world = World::new(json!({})).await;
    let link = world.visma.send_customer(&company(), None, &world.calls).await.unwrap();
    let good = payload_of(&world.order("MOK-WIT").await, DocumentType::SalesOrder);
    let sent = async |payload: &Value, link: &CustomerLink| {
        world.visma.send_order(DocumentType::SalesOrder, payload, link, None, &world.calls).await.unwrap_err()
    };
    let mut wrong = good.clone();
    wrong["orderLines"][0]["inventoryId"] = json!("NO-SUCH");
    wrong["orderLines"][1]["taxCategoryId"] = json!("NO");
    wrong["shipping"]["contact"]["email"] = json!("no address");
    let failure = sent(&wrong, &link).await;
    let text = failure.to_string();
    assert_eq!(failure.class(), "settings", "{text}");
    assert!(
        text.contains("1804-InventoryIdNotFound")
            && text.contains("1805-InvalidTaxCategoryId")
            && text.contains("email"),
        "{text}"
    );
    let without_terms = CustomerLink { id: "10004".into(), ..CustomerLink::default() };
    let mut no_terms = good.clone();
    no_terms["customer"].as_object_mut().unwrap().remove("termsId");
    let failure = sent(&no_terms, &without_terms).await;
    assert!(failure.class() == "settings" && failure.to_string().contains("1401-MissingTermsId"), "{failure}");
    let mut typed = good.clone();
    typed["type"] = json!("ZZ");
    assert!(sent(&typed, &link).await.class() != "retry");
    let mut old = good;
    old["date"] = json!("2019-01-01");
    let failure = sent(&old, &link).await;
    assert!(failure.to_string().contains("open the financial period"), "{failure}");
    assert!(world.rows("salesorder").is_empty());
}

#[tokio::test]
async fn freight_and_discounts_keep_the_total() {
    let world = World::new(json!({"read_back": true, "freight": "premium", "discounts": "line"})).await;
    let link = world.visma.send_customer(&company(), None, &world.calls).await.unwrap();
    let mut order = world.order("MOK-WIT").await;
    order["lines"][1]["kind"] = json!("shipping");
    let mut payload = payload_of(&order, DocumentType::SalesOrder);
    payload["_expected_total"] = json!(36.25);
    let sent = world.visma.send_order(DocumentType::SalesOrder, &payload, &link, None, &world.calls).await.unwrap();
    assert_eq!(sent.total.unwrap().to_string(), "36.25");
}

#[tokio::test]
async fn stock_follows_orders_by_the_field_that_is_chosen() {
    let free = async |world: &World| {
        let record = world.visma.fetch_one(Entity::Stock, &key("MOK-WIT"), &world.calls).await.unwrap().unwrap();
        let Document::StockLevel(level) = document(Entity::Stock, &record.raw) else { panic!("no stock") };
        let free: rust_decimal::Decimal = level.positions.iter().filter_map(|position| position.free).sum();
        (level.on_hand.to_string(), free.to_string())
    };
    for (field, after) in [("available", "134"), ("on_hand", "137"), ("summary", "134")] {
        let world = World::new(json!({"stock_field": field})).await;
        assert_eq!(free(&world).await, ("137".into(), "137".into()), "{field}");
        let link = world.visma.send_customer(&company(), None, &world.calls).await.unwrap();
        let payload = payload_of(&world.order("MOK-WIT").await, DocumentType::SalesOrder);
        world.sandbox.clock().advance(chrono::Duration::hours(1));
        world.visma.send_order(DocumentType::SalesOrder, &payload, &link, None, &world.calls).await.unwrap();
        assert_eq!(free(&world).await, ("137".into(), after.into()), "{field}");
        let changed = world.read(Entity::Stock, "2026-06-01T10:30:00Z").await;
        assert_eq!(changed.iter().map(|record| record.label.as_str()).collect::<Vec<_>>(), ["MOK-WIT"], "{field}");
    }
    let world = World::new(json!({})).await;
    let all = world.read(Entity::Stock, "1970-01-01T00:00:00Z").await;
    assert!(all.iter().any(|record| record.label == "KOFFIE"));
}

#[tokio::test]
async fn lost_answers_double_nothing() {
    let world = World::new(json!({})).await;
    let before = world.rows("customer").len();
    for path in ["/v1/customer", "/v2/customerinvoice", "/api/v3/SalesOrders", "/v2/journaltransaction"] {
        world.sandbox.visma().fault(FaultRule::new(FaultAction::AnswerLost).method("POST").path(path)).unwrap();
    }
    let mut link = None;
    for _ in 0..3 {
        // As the chain does it: after an unknown outcome the customer is searched first.
        let known = world.visma.find_customers(&[email()], &world.calls).await.unwrap().remove(&email());
        match world.visma.send_customer(&company(), known.as_ref(), &world.calls).await {
            Ok(done) => link = Some(done),
            Err(Failure::Retry { reason: RetryReason::OutcomeUnknown, .. }) => {}
            Err(failure) => panic!("{failure}"),
        }
    }
    assert_eq!(world.rows("customer").len(), before + 1);
    let (order, link) = (world.order("GRAV-K").await, link.unwrap());
    for document in [DocumentType::SalesInvoice, DocumentType::SalesOrder, DocumentType::FinancialEntry] {
        assert_eq!(world.search(document, "WEB-23").await, None);
        let sent = world.visma.send_order(document, &payload_of(&order, document), &link, None, &world.calls).await;
        assert!(matches!(sent, Err(Failure::Retry { reason: RetryReason::OutcomeUnknown, .. })), "{sent:?}");
        assert!(world.search(document, "WEB-23").await.is_some(), "{document:?}");
    }
}

#[tokio::test]
async fn creations_in_the_background_give_the_same_keys() {
    let world = World::new(json!({"background_calls": true})).await;
    let link = world.visma.send_customer(&company(), None, &world.calls).await.unwrap();
    assert!(world.rows("customer").iter().any(|row| row["number"] == json!(link.id)));
    let payload = payload_of(&world.order("GRAV-K").await, DocumentType::SalesInvoice);
    let sent = world.visma.send_order(DocumentType::SalesInvoice, &payload, &link, None, &world.calls).await.unwrap();
    assert!(world.rows("customerinvoice").iter().any(|row| row["referenceNumber"] == json!(sent.number)));
}

#[tokio::test]
async fn items_are_read_with_bar_code_class_vat_and_variations() {
    let world = World::new(json!({"variants": {"code_prefix": "-"}})).await;
    let all = world.read(Entity::Products, "1970-01-01T00:00:00Z").await;
    let of = |label: &str| all.iter().find(|record| record.label == label).unwrap_or_else(|| panic!("{label}"));
    let Document::Product(coffee) = document(Entity::Products, &of("KOFFIE").raw) else { panic!("no product") };
    assert_eq!(
        (coffee.price.unwrap().to_string(), coffee.vat_percent.unwrap().to_string()),
        ("18.3486".into(), "9".into())
    );
    assert_eq!((coffee.currency.as_str(), coffee.categories[0].path[0].as_str()), ("EUR", "Handelsgoederen"));
    let Document::Product(mug) = document(Entity::Products, &of("MOK").raw) else { panic!("no product") };
    assert_eq!(mug.variations[0].gtin, "8710000000017");
    assert!(all.len() > 8, "{}", all.len());
    // Alone, page by page, and only what changed.
    let alone = World::new(json!({"page_size": 4})).await;
    let first = alone.read(Entity::Products, "1970-01-01T00:00:00Z").await;
    assert_eq!(first.len(), alone.rows("inventory").len());
    assert!(alone.read(Entity::Products, "2026-06-01T09:00:00Z").await.is_empty());
    let one = alone.visma.fetch_one(Entity::Products, &key("MOK-WIT"), &alone.calls).await.unwrap().unwrap();
    assert_eq!(one.label, "MOK-WIT");
}

#[tokio::test]
async fn prices_of_classes_are_read_with_their_steps() {
    let world = World::new(json!({})).await;
    let all = world.read(Entity::Prices, "1970-01-01T00:00:00Z").await;
    assert_eq!(all.len(), 4);
    let mug = all.iter().find(|record| record.key.as_str() == "MOK-WIT for DEALER").unwrap();
    let Document::Price(price) = document(Entity::Prices, &mug.raw) else { panic!("no price") };
    assert_eq!(
        (price.price.to_string(), price.breaks.len(), price.breaks[0].price.to_string()),
        ("7.95".into(), 1, "6.95".into())
    );
    assert_eq!((price.currency.as_str(), price.price_class.as_str()), ("EUR", "DEALER"));
}

#[tokio::test]
async fn customers_are_read_with_class_and_changes_are_followed() {
    let world = World::new(json!({"page_size": 2})).await;
    let all = world.read(Entity::Customers, "1970-01-01T00:00:00Z").await;
    assert_eq!(all.len(), world.rows("customer").len());
    let shop = all.iter().find(|record| record.label == "10000").unwrap();
    assert_eq!(shop.raw["is_company"], false);
    let Document::Customer(customer) = document(Entity::Customers, &shop.raw) else { panic!("no customer") };
    assert_eq!((customer.email.as_str(), customer.billing.city.as_str()), ("relatie10000@example.test", "Utrecht"));
    let link = world.visma.send_customer(&company(), None, &world.calls).await.unwrap();
    let changed = world.read(Entity::Customers, "2026-06-01T10:00:00Z").await;
    assert_eq!(changed.iter().map(|record| record.label.as_str()).collect::<Vec<_>>(), [link.id.as_str()]);
    assert_eq!(changed[0].raw["is_company"], true);
}

#[tokio::test]
async fn the_doctor_is_content_with_the_company_as_it_is_and_tells_what_is_not() {
    let asked = Asked {
        entities: vec![Entity::Orders, Entity::Refunds, Entity::Customers],
        writes: true,
        currencies: vec!["EUR".into()],
    };
    let world = World::new(json!({})).await;
    let findings = Target::diagnose(&world.visma, &asked, &world.calls).await.unwrap();
    assert!(findings.is_empty(), "{findings:#?}");
    let wrong =
        World::new(json!({"branch": "9", "order_type": "OU", "invoice_order_type": "SO", "person_class": "PARTT"}))
            .await;
    let findings = Target::diagnose(&wrong.visma, &asked, &wrong.calls).await.unwrap();
    let codes: Vec<&str> = findings.iter().map(|finding| finding.cause.code.as_str()).collect();
    assert_eq!(codes, ["branch_not_active", "order_type_not_active", "order_type_behaviour", "unknown_code"]);
}

#[tokio::test]
async fn the_limit_of_the_hour_is_never_run_into() {
    let world = World::with(json!({}), json!({"hourly_limit": 12})).await;
    let mut waits = 0;
    for _ in 0..30 {
        match Target::test_connection(&world.visma, &world.calls).await {
            Ok(_) => {}
            Err(Failure::Retry { reason: RetryReason::Throttled, after, .. }) => {
                waits += 1;
                world
                    .sandbox
                    .clock()
                    .advance(chrono::Duration::seconds(i64::try_from(after.unwrap().as_secs()).unwrap() + 1));
            }
            Err(failure) => panic!("{failure}"),
        }
    }
    assert!(waits >= 2, "{waits}");
    assert!(!world.sandbox.visma().statuses().contains_key(&429));
}
