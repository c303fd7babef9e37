//! The connector against the stand-in of Asperion, in its strictest form.

use std::sync::Arc;

use koppel_core::connection::Connection;
use koppel_core::document::{DocumentType, Entity};
use koppel_core::error::RetryReason;
use koppel_core::message::CustomerDecision;
use koppel_core::ports::{Asked, Calls, CustomerLink, FetchQuery, Sent, Source, Target};
use koppel_core::system::Lookup;
use koppel_core::{Failure, NonEmpty};
use koppel_sandbox::asperion::{ADMINISTRATION, CLIENT_ID, CLIENT_SECRET, FOREIGN_ADMINISTRATION, REDIRECT_URI};
use koppel_sandbox::{FaultAction, FaultRule, Handle, Options, Sandbox};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::rows::{canonical, customer_payload, order, order_payload};
use super::{key, keys};
use crate::asperion::auth::token_keeper;
use crate::asperion::{Asperion, FACTS, native};
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
    asperion: Asperion,
    calls: Calls,
}

impl World {
    async fn new(switches: Value, own: Value) -> Self {
        let options = Options { ports: [("asperion".to_owned(), 0)].into(), ..Options::default() };
        let options = options.start_time("2026-06-01T10:00:00Z".parse().unwrap()).switch("asperion", switches);
        let sandbox = Sandbox::start(options).await.unwrap();
        let clock = Arc::new(SandboxClock(sandbox.clock().clone()));
        let deps = Deps { store: Arc::new(MemoryStore::new(clock.clone())), vault: Arc::new(MarkingVault), clock };
        let mut options = json!({"administration":ADMINISTRATION,"url":sandbox.asperion_url(),"redirect_uri":REDIRECT_URI,
            "debtor_account":1300,"vat_account":1510});
        for (name, value) in own.as_object().unwrap() {
            options[name] = value.clone();
        }
        let connection =
            testing::connection("asperion", options, &[("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)]);
        let asperion = Asperion::new(&connection, &deps).unwrap();
        let world = Self { sandbox, deps, connection, asperion, calls: Calls::default() };
        world.consent(&world.connection).await.unwrap();
        world
    }

    /// What a person does in a browser: open the address, say yes, come back with a code.
    async fn consent(&self, connection: &Connection) -> Result<(), Failure> {
        let keeper = token_keeper(connection, &self.deps).unwrap();
        let url = url::Url::parse(&keeper.authorize_url("state-1").unwrap()).unwrap();
        let mut stream = tokio::net::TcpStream::connect((url.host_str().unwrap(), url.port().unwrap())).await.unwrap();
        let target = format!("{}?{}", url.path(), url.query().unwrap());
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("location").then(|| value.trim().to_owned())
        };
        let back = url::Url::parse(&answer.lines().find_map(header).unwrap()).unwrap();
        let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        keeper.exchange_code(&code, &self.calls).await
    }

    async fn reference(&self, lookup: Lookup, code: &str) -> Value {
        let found = self.asperion.look_up(lookup, &[key(code)], &self.calls).await.unwrap();
        serde_json::to_value(&found[&key(code)]).unwrap()
    }

    /// The order of the fixtures with codes that the sandbox has.
    async fn order(&self, document: DocumentType) -> Value {
        let mut order = order();
        for line in order["lines"].as_array_mut().unwrap() {
            let code = line["refs"]["vat_code"]["code"].as_str().unwrap().to_owned();
            let account = line["refs"]["revenue_account"]["code"].as_str().unwrap().to_owned();
            line["refs"] = json!({
                "vat_code": self.reference(Lookup::VatCode, &code).await,
                "revenue_account": self.reference(Lookup::RevenueAccount, &account).await,
                "cost_center": self.reference(Lookup::CostCenter, "WEB").await,
            });
        }
        let journal = if document == DocumentType::FinancialEntry { "90" } else { "71" };
        order["refs"]["journal"] = self.reference(Lookup::Journal, journal).await;
        order["refs"]["payment_terms"] = self.reference(Lookup::PaymentTerms, "14 dagen").await;
        order_payload(&order, document)
    }

    async fn send(&self, document: DocumentType, payload: &Value, link: &CustomerLink) -> Result<Sent, Failure> {
        self.asperion.send_order(document, payload, link, Some("place"), &self.calls).await
    }

    async fn search(&self, document: DocumentType, reference: &str) -> Option<String> {
        let found = self.asperion.find_documents(document, &[key(reference)], &self.calls).await.unwrap();
        found.into_values().next().map(|found| found.id)
    }

    fn rows(&self, table: &str) -> Vec<Value> {
        self.sandbox.asperion().documents(table)
    }

    async fn fetch(&self, entity: Entity) -> Vec<Value> {
        let (mut records, mut page) = (Vec::new(), None);
        loop {
            let query = FetchQuery { entity, since: "2020-01-01T00:00:00Z".parse().unwrap(), page };
            let read = self.asperion.fetch_page(&query, &self.calls).await.unwrap();
            records.extend(read.records.iter().map(|record| canonical(entity, &record.raw)));
            match read.next {
                Some(next) => page = Some(next),
                None => return records,
            }
        }
    }
}

fn company() -> CustomerDecision {
    let mut customer = order()["customer"].clone();
    customer["vat_number"] = json!("NL001234567B01");
    CustomerDecision {
        key_hash: "h".into(),
        email: "jan@bos.example.test".into(),
        link: None,
        payload: customer_payload(&customer),
        delivery_key: Some("place".into()),
        content_hash: "c".into(),
        update: false,
        matched: Default::default(),
    }
}

fn no_limit() -> Value {
    json!({"minute_limit": null})
}

#[tokio::test]
async fn an_order_of_a_new_company_becomes_a_concept_invoice_to_the_cent() {
    let world = World::new(no_limit(), json!({"debtor_kinds":{"company":"ZAK","person":"PART"}})).await;
    let link = world.asperion.send_customer(&company(), None, &world.calls).await.unwrap();
    assert_eq!(link.code, "10006");
    let payload = world.order(DocumentType::SalesInvoice).await;
    assert_eq!(world.search(DocumentType::SalesInvoice, "WEB-23").await, None);
    let sent = world.send(DocumentType::SalesInvoice, &payload, &link).await.unwrap();
    assert_eq!((sent.total.unwrap().to_string(), sent.number.starts_with("concept ")), ("41.26".into(), true));
    assert_eq!(world.search(DocumentType::SalesInvoice, "WEB-23").await, Some(sent.id.clone()));
    assert_eq!(world.search(DocumentType::SalesInvoice, "WEB-2").await, None, "a part is not the same");
    let debtor = world.rows("debtors").into_iter().find(|row| row["customerNumber"] == "10006").unwrap();
    assert_eq!((&debtor["debtorKindId"], &debtor["attentionTo"]), (&json!("ZAK"), &json!("Jan Bos")));
    // Somebody posts it: now it has a number.
    world.sandbox.asperion().inspect("POST", &format!("book/{}", sent.id), &json!({}));
    let found =
        world.asperion.find_documents(DocumentType::SalesInvoice, &keys(["WEB-23"]), &world.calls).await.unwrap();
    assert_eq!(found[&key("WEB-23")].number, "20260001");
}

#[tokio::test]
async fn an_entry_is_taken_wherever_its_vat_must_stand() {
    for (balance, option) in [("amounts", "own_line"), ("amounts_and_vat", "on_line")] {
        let switches = json!({"minute_limit": null, "entry_balance": balance});
        let world = World::new(switches, json!({ "entry_vat": option })).await;
        let link = world.asperion.send_customer(&company(), None, &world.calls).await.unwrap();
        let payload = world.order(DocumentType::FinancialEntry).await;
        let sent = world.send(DocumentType::FinancialEntry, &payload, &link).await.unwrap();
        assert_eq!(world.search(DocumentType::FinancialEntry, "WEB-23").await, Some(sent.id));
        let entries = world.rows("journalentrieswithlines");
        let sum: Decimal =
            entries[0]["lines"].as_array().unwrap().iter().filter_map(|line| native::decimal(line, "amount")).sum();
        assert_eq!(sum.is_zero(), balance == "amounts", "{sum}");
    }
    let world = World::new(json!({"minute_limit": null, "entry_balance": "amounts_and_vat"}), json!({})).await;
    let link = world.asperion.send_customer(&company(), None, &world.calls).await.unwrap();
    let payload = world.order(DocumentType::FinancialEntry).await;
    let failure = world.send(DocumentType::FinancialEntry, &payload, &link).await.unwrap_err();
    assert!(failure.class() == "reject" && failure.to_string().contains("does not balance"), "{failure}");
}

#[tokio::test]
async fn invoice_amounts_are_with_vat_where_the_books_want_it() {
    let switches = json!({"minute_limit": null, "amounts_include_vat": true});
    let world = World::new(switches, json!({"invoice_amounts": "including_vat"})).await;
    let link = world.asperion.send_customer(&company(), None, &world.calls).await.unwrap();
    let payload = world.order(DocumentType::SalesInvoice).await;
    let sent = world.send(DocumentType::SalesInvoice, &payload, &link).await.unwrap();
    assert_eq!((sent.net.unwrap().to_string(), sent.total.unwrap().to_string()), ("34.96".into(), "41.26".into()));
}

#[tokio::test]
async fn a_refund_is_an_invoice_below_zero() {
    let world = World::new(no_limit(), json!({})).await;
    let link = world.asperion.send_customer(&company(), None, &world.calls).await.unwrap();
    let mut payload = world.order(DocumentType::SalesInvoice).await;
    payload["description"] = json!("WEB-23-R32");
    payload["_total"] = json!(-41.26);
    for line in payload["lines"].as_array_mut().unwrap() {
        for name in ["amount", "vatAmount"] {
            line[name] = native::number(-native::decimal(line, name).unwrap());
        }
    }
    let sent = world.send(DocumentType::SalesInvoice, &payload, &link).await.unwrap();
    assert_eq!(sent.total.unwrap().to_string(), "-41.26");
    world.sandbox.asperion().set_switches(json!({"negative_invoices": false})).unwrap();
    let failure = world.send(DocumentType::SalesInvoice, &payload, &link).await.unwrap_err();
    assert!(failure.class() == "reject" && failure.to_string().contains("negative"), "{failure}");
}

#[tokio::test]
async fn after_lost_answers_nothing_is_there_twice() {
    let world = World::new(no_limit(), json!({})).await;
    let before = world.rows("debtors").len();
    for path in ["debtors", "salesinvoiceswithlines"] {
        world.sandbox.asperion().fault(FaultRule::new(FaultAction::AnswerLost).method("POST").path(path)).unwrap();
    }
    let email = key("jan@example.test");
    let mut decision = company();
    decision.email = email.to_string();
    decision.payload["debtor"]["emailAddress"] = json!("Jan.Bos@example.test");
    let mail = key("jan.bos@example.test");
    let mut link = None;
    for _ in 0..2 {
        // As the chain does it: after an unknown outcome the customer is searched first.
        let known =
            world.asperion.find_customers(std::slice::from_ref(&mail), &world.calls).await.unwrap().remove(&mail);
        match world.asperion.send_customer(&decision, known.as_ref(), &world.calls).await {
            Ok(done) => link = Some(done),
            Err(Failure::Retry { reason: RetryReason::OutcomeUnknown, .. }) => {}
            Err(failure) => panic!("{failure}"),
        }
    }
    let link = link.unwrap();
    assert_eq!(world.rows("debtors").len(), before + 1);
    let payload = world.order(DocumentType::SalesInvoice).await;
    let failure = world.send(DocumentType::SalesInvoice, &payload, &link).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { reason: RetryReason::OutcomeUnknown, .. }), "{failure}");
    assert!(world.search(DocumentType::SalesInvoice, "WEB-23").await.is_some());
    assert_eq!(world.rows("salesinvoiceswithlines").len(), 1);
}

#[tokio::test]
async fn debtors_are_found_exactly_though_the_filter_finds_more() {
    for comparisons in ["documented", "all"] {
        let world = World::new(json!({"minute_limit": null, "comparisons": comparisons}), json!({})).await;
        world.sandbox.asperion().add_catalogue().unwrap();
        let asked: Vec<NonEmpty> = [
            "jan@example.test",
            "marjan@example.test",
            "relatie10002@example.test",
            "an@example.test",
            "dubbel@example.test",
        ]
        .map(key)
        .to_vec();
        let found = world.asperion.find_customers(&asked, &world.calls).await.unwrap();
        let codes: Vec<(&str, &str)> = found.iter().map(|(mail, link)| (mail.as_str(), link.code.as_str())).collect();
        assert_eq!(
            codes,
            [("dubbel@example.test", "2003"), ("jan@example.test", "10005"), ("marjan@example.test", "10004")]
        );
    }
}

#[tokio::test]
async fn a_changed_debtor_keeps_what_only_the_books_know() {
    for replaces in [true, false] {
        let switches = json!({"minute_limit": null, "put_replaces": replaces});
        let world = World::new(switches, json!({"assume_debtor_update": true})).await;
        world.sandbox.asperion().add_catalogue().unwrap();
        let mail = key("inkoop@delinde.example.test");
        let known =
            world.asperion.find_customers(std::slice::from_ref(&mail), &world.calls).await.unwrap().remove(&mail);
        let decision = CustomerDecision { update: true, ..company() };
        let link = world.asperion.send_customer(&decision, known.as_ref(), &world.calls).await.unwrap();
        let debtor = world.rows("debtors").into_iter().find(|row| row["customerNumber"] == link.code.as_str()).unwrap();
        assert_eq!(
            (&debtor["name"], &debtor["characteristic4"]),
            (&json!("Bos Hout BV"), &json!("Wederverkoper")),
            "{replaces}"
        );
        assert_eq!((&debtor["debtorKindId"], &debtor["customerNumber"]), (&json!("ZAK"), &json!("2001")));
    }
    let world = World::new(json!({"minute_limit": null, "tiers": [1]}), json!({"assume_debtor_update": true})).await;
    let known = CustomerLink { id: "1001".into(), code: "10000".into(), ..CustomerLink::default() };
    let decision = CustomerDecision { update: true, ..company() };
    let failure = world.asperion.send_customer(&decision, Some(&known), &world.calls).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("settings", "not_offered"));
}

#[tokio::test]
async fn every_list_gives_references_and_unknown_codes_are_absent() {
    let world = World::new(no_limit(), json!({})).await;
    for (lookup, code, id) in [
        (Lookup::VatCode, "DE1", "DE1"),
        (Lookup::PaymentTerms, "30", "30"),
        (Lookup::RevenueAccount, "8000", "8000"),
        (Lookup::Journal, "70", "70"),
        (Lookup::CostCenter, "WEB", "1"),
        (Lookup::CostUnit, "001", "1"),
        (Lookup::DefaultCustomer, "10000", "1001"),
    ] {
        assert!(FACTS.lookups.contains(&lookup));
        let found = world.asperion.look_up(lookup, &keys([code, "no-such"]), &world.calls).await.unwrap();
        let reference = &found[&key(code)];
        assert_eq!((found.len(), reference.id.as_str(), reference.name.is_empty()), (1, id, false), "{lookup:?}");
        assert!(world.asperion.list_codes(lookup, &world.calls).await.unwrap().contains(reference), "{lookup:?}");
    }
    let vat = world.asperion.look_up(Lookup::VatCode, &keys(["3", "I1", "BE2"]), &world.calls).await.unwrap();
    assert_eq!(vat[&key("3")].attributes["valid_until"], "2018-12-31");
    assert_eq!(
        (&vat[&key("I1")].attributes["blocked"], &vat[&key("3")].attributes["blocked"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(
        (vat[&key("BE2")].attributes["percent"].to_string(), &vat[&key("BE2")].attributes["country"]),
        ("6".into(), &json!("BE"))
    );
    let accounts = world.asperion.look_up(Lookup::RevenueAccount, &keys(["8999"]), &world.calls).await.unwrap();
    assert_eq!(accounts[&key("8999")].attributes["blocked"], true);
    let failure = world.asperion.look_up(Lookup::Item, &keys(["MOK-WIT"]), &world.calls).await.unwrap_err();
    assert!(failure.class() == "settings" && failure.to_string().contains("Asperion"), "{failure}");
}

#[tokio::test]
async fn articles_stock_and_debtors_are_read_to_the_last_page() {
    let options = json!({"assume_articles":true,"page_size":7,"variants":{"field":"characteristic1"},
        "attributes":{"Kleur":"characteristic2","Maat":"characteristic3"},"features":{"Merk":"characteristic4"},
        "virtual":{"unit":"uur"},"profile":{"articles.all_states":"All"}});
    let world = World::new(no_limit(), options).await;
    world.sandbox.asperion().add_catalogue().unwrap();
    let products = world.fetch(Entity::Products).await;
    let product = |sku: &str| products.iter().find(|one| one["sku"] == sku).unwrap_or_else(|| panic!("{sku}"));
    let jumper = product("TRUI");
    assert_eq!((&jumper["kind"], jumper["variations"].as_array().unwrap().len()), (&json!("variable"), 4));
    assert_eq!(
        (jumper["variations"][0]["price"].to_string(), jumper["vat_percent"].to_string()),
        ("59.5".into(), "21".into())
    );
    assert_eq!(product("KOFFIE")["vat_percent"].to_string(), "9");
    assert_eq!(
        (&product("CURSUS-BREIEN")["kind"], &product("VERLOPEN")["published"]),
        (&json!("virtual"), &json!(false))
    );
    let stock = world.fetch(Entity::Stock).await;
    let level = |sku: &str| stock.iter().find(|one| one["sku"] == sku).map(|one| one["on_hand"].to_string());
    assert_eq!(
        (level("MOK-WIT"), level("TRUI-BLAUW-M"), level("CURSUS-BREIEN")),
        (Some("137".into()), Some("4".into()), None)
    );
    assert_eq!(world.fetch(Entity::Customers).await.len(), world.rows("debtors").len());
    assert!(!world.sandbox.asperion().statuses().contains_key(&400));
}

#[tokio::test]
async fn refusals_come_with_field_and_words() {
    let world = World::new(no_limit(), json!({})).await;
    let link = world.asperion.send_customer(&company(), None, &world.calls).await.unwrap();
    let payload = world.order(DocumentType::SalesInvoice).await;
    world.sandbox.asperion().set_switches(json!({"closed_until": "2026-06"})).unwrap();
    let failure = world.send(DocumentType::SalesInvoice, &payload, &link).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("reject", "closed_or_blocked"));
    assert_eq!(failure.cause().place.row.as_deref(), Some("bookperiod"));
    let mut open = payload.clone();
    open["bookperiod"] = json!(7);
    assert!(world.send(DocumentType::SalesInvoice, &open, &link).await.is_ok());
    open["shopOrder"] = json!("1");
    let failure = world.send(DocumentType::SalesInvoice, &open, &link).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("settings", "unknown_field"));
    let mut wrong = payload.clone();
    wrong["journalId"] = json!("90");
    wrong["bookperiod"] = json!(7);
    let failure = world.send(DocumentType::SalesInvoice, &wrong, &link).await.unwrap_err();
    assert!(failure.to_string().contains("no sales journal"), "{failure}");
}

#[tokio::test]
async fn the_administration_is_named_and_a_closed_one_is_a_setting() {
    let world = World::new(no_limit(), json!({})).await;
    assert_eq!(world.asperion.test_connection_of_target(&world.calls).await, "administration 4711 Koppel Sandbox B.V.");
    for (own, part) in [(json!(FOREIGN_ADMINISTRATION), "9999"), (Value::Null, "no administration")] {
        let mut other = world.connection.clone();
        other.options.insert("administration".into(), own);
        let other = Asperion::new(&other, &world.deps).unwrap();
        let failure = Target::test_connection(&other, &world.calls).await.unwrap_err();
        assert!(failure.to_string().contains(part) && failure.to_string().contains("4711 Koppel"), "{failure}");
        let failure = other.look_up(Lookup::Journal, &keys(["70"]), &world.calls).await.unwrap_err();
        assert_eq!(failure.class(), "settings");
    }
}

impl Asperion {
    async fn test_connection_of_target(&self, calls: &Calls) -> String {
        Target::test_connection(self, calls).await.unwrap()
    }
}

#[tokio::test]
async fn the_doctor_validates_without_storing_and_names_what_is_assumed() {
    let world = World::new(no_limit(), json!({"assume_articles": true, "vat_account": null})).await;
    let before = world.rows("debtors").len();
    let asked = Asked {
        entities: vec![Entity::Orders, Entity::Products],
        writes: true,
        currencies: vec!["EUR".into(), "USD".into()],
    };
    let findings = Target::diagnose(&world.asperion, &asked, &world.calls).await.unwrap();
    let codes: Vec<&str> = findings.iter().map(|finding| finding.cause.code.as_str()).collect();
    assert_eq!(codes, ["assumed", "missing_option", "foreign_currency"]);
    assert_eq!(world.rows("debtors").len(), before);
    let quiet = World::new(no_limit(), json!({})).await;
    let asked = Asked { entities: vec![Entity::Orders], writes: true, currencies: vec!["EUR".into()] };
    assert!(Target::diagnose(&quiet.asperion, &asked, &quiet.calls).await.unwrap().is_empty());
}

#[tokio::test]
async fn tokens_rotate_under_one_lease_and_a_consent_needs_a_refresh_token() {
    let world = World::new(json!({"minute_limit": null, "pkce_required": true}), json!({})).await;
    for _ in 0..3 {
        world.sandbox.clock().advance(chrono::Duration::seconds(3590));
        // Two processes, each with its own memory, and one shared store.
        let both: Vec<Asperion> = (0..2).map(|_| Asperion::new(&world.connection, &world.deps).unwrap()).collect();
        let asked = keys(["70"]);
        let (one, two) = tokio::join!(
            both[0].look_up(Lookup::Journal, &asked, &world.calls),
            both[1].look_up(Lookup::Journal, &asked, &world.calls)
        );
        assert_eq!((one.unwrap().len(), two.unwrap().len()), (1, 1));
    }
    let statuses = world.sandbox.asperion().statuses();
    assert!(!statuses.contains_key(&401) && !statuses.contains_key(&400), "{statuses:?}");
    assert_eq!(world.sandbox.asperion().calls()["POST connect/token"], 1 + 3);
    let mut narrow = world.connection.clone();
    narrow.options.insert("scope".into(), json!("openid"));
    let failure = world.consent(&narrow).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("settings", "no_refresh_token"));
}

#[tokio::test]
async fn the_limit_of_the_minute_is_never_run_into() {
    let world = World::new(json!({"minute_limit": 10}), json!({"calls_per_minute": 10})).await;
    let mut waits = 0;
    for _ in 0..25 {
        match world.asperion.look_up(Lookup::Journal, &keys(["70"]), &world.calls).await {
            Ok(_) => {}
            Err(Failure::Retry { reason: RetryReason::Throttled, after, .. }) => {
                waits += 1;
                let seconds = i64::try_from(after.unwrap().as_secs()).unwrap() + 1;
                world.sandbox.clock().advance(chrono::Duration::seconds(seconds));
            }
            Err(failure) => panic!("{failure}"),
        }
    }
    assert!(waits >= 2, "{waits}");
    assert!(!world.sandbox.asperion().statuses().contains_key(&429));
}
