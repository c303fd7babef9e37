//! The source against the stand-in of MijnWebwinkel, in its strictest form.

use koppel_core::document::{Customer, Entity, LineKind, Order, Product, Refund};
use koppel_core::message::SourceRecord;
use koppel_core::ports::{Asked, FetchQuery, Source};
use koppel_core::system::SourceList;
use koppel_core::{Failure, NonEmpty};
use koppel_sandbox::mijnwebwinkel::{PARTNER_TOKEN, STORE_TOKEN};
use koppel_sandbox::{FaultAction, FaultRule};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{World, adds_up, by_hand, d, key, read};

/// Everything since a moment, page by page.
async fn all(world: &World, entity: Entity, since: &str) -> Vec<SourceRecord> {
    let source = world.source();
    let mut query = FetchQuery { entity, since: since.parse().unwrap(), page: None };
    let mut records = Vec::new();
    loop {
        let page = source.fetch_page(&query, &world.calls).await.unwrap();
        records.extend(page.records);
        match page.next {
            Some(next) => query.page = Some(next),
            None => return records,
        }
    }
}

fn keys(records: &[SourceRecord]) -> Vec<&str> {
    records.iter().map(|record| record.key.as_str()).collect()
}

const LONG_AGO: &str = "2026-11-01T00:00:00Z";

#[tokio::test]
async fn every_order_comes_once_and_adds_up_in_both_shapes() {
    for shape in ["php", "clean"] {
        let world = World::new(json!({"shape": shape}), json!({})).await;
        let said = world.source().test_connection(&world.calls).await.unwrap();
        assert_eq!(said, "MijnWebwinkel «Koppel demowinkel», www.koppel-demo.test (PREMIUM, EUR)");
        let records = all(&world, Entity::Orders, LONG_AGO).await;
        // Neither the credit order 2010 nor the test order 2013T.
        assert_eq!(
            keys(&records),
            ["2001", "2002", "2003", "2004", "2005", "2006", "2007", "2008", "2009", "2011", "2012", "2014"]
        );
        let orders: Vec<Order> = records.iter().map(|record| read(Entity::Orders, &record.raw)).collect();
        orders.iter().for_each(adds_up);
        let order = |number: &str| orders.iter().find(|order| order.number == number).unwrap();
        assert_eq!(order("2002").lines[0].sku, "TSHIRT-ROOD-S");
        let kinds: Vec<LineKind> = order("2002").lines.iter().map(|line| line.kind).collect();
        assert_eq!(kinds, [LineKind::Product, LineKind::Fee, LineKind::Shipping]);
        assert!(order("2003").lines.iter().any(|line| line.kind == LineKind::Discount && line.net < Decimal::ZERO));
        let business = order("2004");
        assert!(business.vat_exempt && business.customer.company.is_some());
        assert_eq!(business.customer.vat_number.as_deref(), Some("BE0123456789"));
        assert_eq!(
            (order("2005").customer.billing.country.as_str(), order("2005").lines[0].rate_percent()),
            ("DE", d("19"))
        );
        assert_eq!(order("2009").refunds[0].total, d("12.10"));
        assert_eq!((order("2014").total, order("2014").payment.method.as_str()), (d("0"), ""));
        assert_eq!(order("2012").customer.billing.house_number_addition, "bis");
    }
}

#[tokio::test]
async fn generated_orders_add_up_over_many_pages() {
    let world = World::new(json!({}), json!({})).await;
    world.shop().inspect(
        "POST",
        "generate",
        &json!({"seed": 5, "n": 430, "start": "2026-11-25T08:00:00Z", "step_seconds": 60}),
    );
    world.shop().reset_calls();
    let records = all(&world, Entity::Orders, LONG_AGO).await;
    assert_eq!(records.len(), 442);
    for record in &records {
        adds_up(&read(Entity::Orders, &record.raw));
    }
    // Five pages of new ones, one of older ones, and the one order that was credited knows its credit from the page.
    assert_eq!(world.shop().calls()["GET orders"], 6);
    assert_eq!(world.shop().calls().get("GET orders/{id}"), None);
}

#[tokio::test]
async fn older_orders_are_found_by_the_change_of_their_status_alone() {
    let world = World::new(json!({}), json!({})).await;
    let now = "2026-11-26T10:00:00Z";
    assert!(all(&world, Entity::Orders, now).await.is_empty(), "all orders are of the 22nd");
    // What staff does in the shop at this moment.
    let mut order = world.shop().documents("orders").into_iter().find(|row| row["number"] == "2006").unwrap();
    order["status"] = json!(2);
    order["_status_changed"] = json!("2026-11-26T10:05:00Z");
    world.shop().inspect("POST", "orders", &order);
    let records = all(&world, Entity::Orders, now).await;
    assert_eq!(keys(&records), ["2006"]);
    assert_eq!(
        (&records[0].raw["status"], records[0].modified_at.unwrap().to_rfc3339()),
        (&json!("2"), "2026-11-26T10:05:00+00:00".into())
    );
    // A shop that writes UTC is read too: the overlap is longer than the difference.
    world.switch(json!({"time_zone": "UTC"}));
    assert_eq!(keys(&all(&world, Entity::Orders, now).await), ["2006"]);
}

#[tokio::test]
async fn test_orders_come_only_when_asked_for() {
    for shows_all in [false, true] {
        let world = World::new(json!({"test_shows_all": shows_all}), json!({"test_orders": true})).await;
        let records = all(&world, Entity::Orders, LONG_AGO).await;
        let test = records.iter().find(|record| record.key.as_str() == "2013T").unwrap();
        assert_eq!((test.label.as_str(), &test.raw["test"]), ("2013T", &json!(true)));
        let one = world.source().fetch_one(Entity::Orders, &key("2013T"), &world.calls).await.unwrap().unwrap();
        assert_eq!(one.raw, test.raw);
    }
}

#[tokio::test]
async fn a_credit_order_is_a_refund_that_brings_its_order() {
    let world = World::new(json!({}), json!({})).await;
    let records = all(&world, Entity::Refunds, LONG_AGO).await;
    assert_eq!(keys(&records), ["2009/2010"]);
    let refund: Refund = read(Entity::Refunds, &records[0].raw);
    assert_eq!((refund.id.as_str(), refund.total), ("2010", d("12.10")));
    let line = &refund.lines[0];
    assert_eq!((line.quantity, line.net, line.tax), (d("-1"), d("-10"), d("-2.1")));
    let original: Order = read(Entity::Orders, &records[0].raw["order"]);
    assert_eq!(line.id, original.lines[0].id, "it is known which line is given back");
    assert_eq!(original.refunds[0].total, d("12.10"));
    let one = world.source().fetch_one(Entity::Refunds, &key("2009/2010"), &world.calls).await.unwrap().unwrap();
    assert_eq!(one, records[0]);
    for none in ["2009", "2009/9999", "2001/2002"] {
        assert!(world.source().fetch_one(Entity::Refunds, &key(none), &world.calls).await.unwrap().is_none(), "{none}");
    }
    assert!(world.source().fetch_one(Entity::Orders, &key("2010"), &world.calls).await.unwrap().is_none());
    // One that is made through the API, with its costs, and shown without a sign.
    world.switch(json!({"credit_signs": "positive"}));
    let lines =
        world.shop().documents("orders").into_iter().find(|row| row["number"] == "2002").unwrap()["orderlines"].clone();
    let body = json!({"credited_order_number": "2002", "status": 10, "orderlines": [{"id": lines[0]["id"], "type": "article", "quantity": 2}]});
    let client = by_hand();
    let url = format!(
        "{}/v1/orders/credit?token={STORE_TOKEN}&partner_token={PARTNER_TOKEN}",
        world.sandbox.url("mijnwebwinkel")
    );
    let made = client.post(url).body(body.to_string()).send().await.unwrap();
    let credit: Value = serde_json::from_str(&made.text().await.unwrap()).unwrap();
    let name = format!("2002/{}", credit["number"].as_str().unwrap());
    let record = world.source().fetch_one(Entity::Refunds, &key(&name), &world.calls).await.unwrap().unwrap();
    let refund: Refund = read(Entity::Refunds, &record.raw);
    let original: Order = read(Entity::Orders, &record.raw["order"]);
    assert_eq!(refund.total, original.total, "all of it");
    assert_eq!(refund.lines.iter().map(|line| line.net + line.tax).sum::<Decimal>(), -original.total);
    let ids: Vec<&String> = refund.lines.iter().map(|line| &line.id).collect();
    assert_eq!(ids, original.lines.iter().map(|line| &line.id).collect::<Vec<_>>());
}

#[tokio::test]
async fn articles_are_read_by_their_change_and_one_by_one() {
    let world = World::new(json!({}), json!({})).await;
    let records = all(&world, Entity::Products, "2026-10-01T00:00:00Z").await;
    assert_eq!(keys(&records), ["501", "502", "503", "504", "505", "506", "507"]);
    let shirt: Product = read(Entity::Products, &records[5].raw);
    assert_eq!(shirt.variations.len(), 6);
    assert_eq!(shirt.categories[0].path, ["Assortiment", "Kleding"]);
    let coffee: Product = read(Entity::Products, &records[2].raw);
    assert_eq!((coffee.vat_percent, coffee.currency.as_str()), (Some(d("9")), "EUR"));
    assert!(all(&world, Entity::Products, "2026-11-26T09:00:00Z").await.is_empty());
    let one = world.source().fetch_one(Entity::Products, &key("501"), &world.calls).await.unwrap().unwrap();
    assert_eq!(one.raw["barcode"], "8710000000017");
    assert!(world.source().fetch_one(Entity::Products, &key("999"), &world.calls).await.unwrap().is_none());
}

#[tokio::test]
async fn buyers_come_from_orders_and_accounts_where_they_may_be_read() {
    let world = World::new(json!({}), json!({})).await;
    let buyers = all(&world, Entity::Customers, LONG_AGO).await;
    assert_eq!(buyers.len(), 4, "each once: {:?}", keys(&buyers));
    let els: Customer = buyers
        .iter()
        .map(|record| read::<Customer>(Entity::Customers, &record.raw))
        .find(|customer| customer.email == "inkoop@peeters.example.test")
        .unwrap();
    assert_eq!((els.company.unwrap().name.as_str(), els.vat_number.as_deref()), ("Peeters BV", Some("BE0123456789")));
    assert_eq!((els.billing.street.as_str(), els.billing.house_number.as_str()), ("Meir", "1"));
    let id = buyers[0].key.clone();
    let one = world.source().fetch_one(Entity::Customers, &id, &world.calls).await.unwrap().unwrap();
    assert_eq!(one.key, id);
    assert!(
        world
            .source()
            .fetch_one(Entity::Customers, &key("00000000-0000-4000-8000-000000000000"), &world.calls)
            .await
            .unwrap()
            .is_none()
    );

    let world = World::new(json!({}), json!({"customers": "accounts"})).await;
    let query = FetchQuery { entity: Entity::Customers, since: LONG_AGO.parse().unwrap(), page: None };
    let failure = world.source().fetch_page(&query, &world.calls).await.unwrap_err();
    assert!(matches!(&failure, Failure::Settings(cause) if cause.code == "needs_special_access"), "{failure}");
    assert!(failure.to_string().contains("customers: orders"), "{failure}");
    world.switch(json!({"special_rights": ["customers"]}));
    let accounts = all(&world, Entity::Customers, LONG_AGO).await;
    let jan: Customer = read(Entity::Customers, &accounts[0].raw);
    assert_eq!(
        (jan.email.as_str(), jan.billing.house_number_addition.as_str(), jan.guest),
        ("jan@example.test", "b", false)
    );
}

#[tokio::test]
async fn lists_are_read_live_and_what_is_not_there_is_said_in_one_sentence() {
    let world = World::new(json!({}), json!({})).await;
    let source = world.source();
    let methods = source.list_values(SourceList::PaymentMethod, &world.calls).await.unwrap();
    assert!(methods.iter().any(|one| one.code == "rembours") && methods.iter().any(|one| one.code == "ideal"));
    let categories = source.list_values(SourceList::Category, &world.calls).await.unwrap();
    assert!(categories.iter().any(|one| one.code == "12" && one.name == "Assortiment > Kleding"));
    for list in [SourceList::ShippingMethod, SourceList::TaxClass] {
        let failure = source.list_values(list, &world.calls).await.unwrap_err();
        assert!(matches!(&failure, Failure::Settings(cause) if cause.advice.is_some()), "{failure}");
    }
    for entity in [Entity::Stock, Entity::Prices] {
        let query = FetchQuery { entity, since: LONG_AGO.parse().unwrap(), page: None };
        let failure = source.fetch_page(&query, &world.calls).await.unwrap_err();
        assert!(failure.to_string().contains("MijnWebwinkel"), "{failure}");
    }
}

#[tokio::test]
async fn the_doctor_finds_what_would_hold_up_a_flow() {
    let world = World::new(json!({}), json!({})).await;
    world.shop().add_catalogue().unwrap();
    let asked =
        |entities: &[Entity], writes: bool| Asked { entities: entities.to_vec(), writes, currencies: Vec::new() };
    let source = world.source();
    let codes = async |asked: Asked| -> Vec<String> {
        let findings = source.diagnose(&asked, &world.calls).await.unwrap();
        findings.into_iter().map(|finding| finding.cause.code).collect()
    };
    assert_eq!(codes(asked(&[Entity::Orders], false)).await, ["prices_include_tax", "empty_sku", "duplicate_sku"]);
    assert_eq!(codes(asked(&[Entity::Customers], true)).await, ["needs_special_access"]);
    world.switch(json!({"array_query": "repeat"}));
    assert_eq!(codes(asked(&[Entity::Stock], true)).await, ["ids_not_understood", "empty_sku", "duplicate_sku"]);
    world.switch(json!({"token_expired": true}));
    let failure = source.diagnose(&asked(&[Entity::Orders], false), &world.calls).await.unwrap_err();
    assert!(matches!(failure, Failure::Auth(_)), "{failure}");
}

#[tokio::test]
async fn tokens_never_show_whatever_goes_wrong() {
    let world = World::new(json!({}), json!({})).await;
    let source = world.source();
    let mut shown = String::new();
    let query = FetchQuery { entity: Entity::Orders, since: LONG_AGO.parse().unwrap(), page: None };
    for rule in [
        FaultRule::new(FaultAction::HtmlPage),
        FaultRule::new(FaultAction::ConnectionReset),
        FaultRule::new(FaultAction::TruncatedBody),
        // An answer that repeats what was asked, tokens and all.
        FaultRule {
            body: Some(format!("{{\"message\":\"bad {STORE_TOKEN} of {PARTNER_TOKEN}\"}}")),
            ..FaultRule::new(FaultAction::Status).status(400)
        },
        FaultRule {
            headers: vec![("Location".into(), format!("/elsewhere?token={STORE_TOKEN}"))],
            ..FaultRule::new(FaultAction::Status).status(302)
        },
        FaultRule {
            headers: vec![("Location".into(), format!("https://other.example/?token={STORE_TOKEN}"))],
            ..FaultRule::new(FaultAction::Status).status(301)
        },
        FaultRule::new(FaultAction::Status).status(401),
        FaultRule::new(FaultAction::Status).status(429),
    ] {
        world.shop().fault(rule).unwrap();
        let failure = source.fetch_page(&query, &world.calls).await.unwrap_err();
        shown += &format!("{failure} {failure:?}");
        world.shop().clear_faults();
        world.sandbox.clock().advance(chrono::Duration::seconds(120));
    }
    source.fetch_page(&query, &world.calls).await.unwrap();
    let exchanges = world.calls.take();
    assert!(exchanges.len() > 8);
    assert!(exchanges[0].path.contains("token=***&partner_token=***"), "{}", exchanges[0].path);
    shown += &format!("{exchanges:?} {source:?} {:?}", world.connection);
    for secret in [STORE_TOKEN, PARTNER_TOKEN] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[tokio::test]
async fn calls_keep_to_the_limit_and_a_refusal_is_a_wait() {
    let world = World::new(json!({"minute_limit": 60}), json!({"calls_per_minute": 60})).await;
    world.sandbox.clock().freeze("2026-11-26T10:00:00Z".parse().unwrap());
    let source = world.source();
    for _ in 0..60 {
        source.test_connection(&world.calls).await.unwrap();
    }
    let failure = source.test_connection(&world.calls).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { reason: koppel_core::error::RetryReason::Throttled, .. }), "{failure}");
    assert_eq!(world.shop().statuses().get(&429), None, "it was not even asked");
    // Somebody else used the calls of this pair of partner and store.
    world.sandbox.clock().advance(chrono::Duration::seconds(120));
    world.switch(json!({"minute_limit": 0}));
    let failure = source.test_connection(&world.calls).await.unwrap_err();
    let Failure::Retry { after: Some(after), .. } = failure else { panic!("{failure}") };
    assert_eq!(after.as_secs(), 20);
    let none: Option<NonEmpty> = NonEmpty::new("");
    assert!(none.is_none());
}
