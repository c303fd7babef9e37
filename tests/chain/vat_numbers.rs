//! VAT numbers of other countries are asked of VIES, and each answer is what it is: valid, invalid, or not known.

use chrono::{DateTime, TimeDelta};
use koppel_core::NonEmpty;
use koppel_core::outcome::Outcome;
use koppel_flows::runs::Scope;
use koppel_flows::steps::explain::{Explained, explain};
use koppel_flows::steps::preview;
use koppel_flows::{config, connections, plan, steps, trail, waiting};
use koppel_sandbox::Handle;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::world::{Ended, FLOW, World, connections_yaml, yaml};

const NUMBER: &str = "0123456789";

/// The recorded shop with VIES, and settings beside; the Belgian company of order 26 pays no VAT.
fn checked(sandbox: &Handle, more: &str) -> String {
    let vies = format!("      vat_number: {{ check: vies, url: {}{more} }}\n", sandbox.vies_url());
    yaml(sandbox).replace("    settings:\n", &format!("    settings:\n{vies}"))
}

async fn world(more: &str) -> World {
    World::new(|sandbox| checked(sandbox, more)).await
}

fn say(world: &World, switches: Value) {
    world.sandbox.vies().set_switches(switches).unwrap();
}

fn questions(world: &World) -> u64 {
    world.sandbox.vies().calls().get("POST check-vat-number").copied().unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default().trim()
}

fn amount(order: &Value) -> Decimal {
    order["AmountDC"].to_string().trim_matches('"').parse().unwrap()
}

/// VAT codes of the lines of an order in the books.
fn codes(world: &World, reference: &str) -> Vec<String> {
    let order = world.sales_orders()[reference].clone();
    let lines = world.sandbox.exact().documents("SalesOrderLines");
    let mine = lines.iter().filter(|line| line["OrderID"] == order["OrderID"]);
    mine.map(|line| text(&line["VATCode"]).to_owned()).collect()
}

/// The VAT number of the account that an order in the books is for.
fn number_in_books(world: &World, reference: &str) -> String {
    let order = world.sales_orders()[reference].clone();
    let accounts = world.sandbox.exact().documents("Accounts");
    text(&accounts.iter().find(|account| account["ID"] == order["OrderedBy"]).unwrap()["VATNumber"]).to_owned()
}

async fn everything(world: &World) -> Ended {
    world.sandbox.clock().advance(TimeDelta::minutes(2));
    world.run_scope(Scope { since: Some(DateTime::UNIX_EPOCH), ids: Vec::new() }).await
}

#[tokio::test]
async fn without_the_check_nobody_is_asked() {
    let world = World::new(yaml).await;
    say(&world, json!({ "down": true }));
    assert_eq!(world.run().await.funnel.count(Outcome::Created), 6);
    assert_eq!(world.sandbox.vies().total_calls(), 0);
}

#[tokio::test]
async fn a_valid_number_gets_the_code_of_reverse_charge() {
    let world = world("").await;
    let ended = world.run().await;
    assert_eq!(ended.funnel.count(Outcome::Created), 6, "{:#?}", ended.by_label);
    assert_eq!(codes(&world, "WC-26"), ["7"]);
    assert_eq!(number_in_books(&world, "WC-26"), format!("BE{NUMBER}"));
    assert!(ended.by_label["26"].warnings.is_empty());
    // Nobody else of the six has a number that matters.
    assert_eq!(questions(&world), 1);
    let key = &ended.by_label["26"].key;
    let entries = trail::read(&world.embedded.engine, &world.tenant, FLOW, key).await.unwrap();
    assert!(
        entries.iter().any(|entry| entry.summary.contains("is valid according to VIES, asked at 20")),
        "{entries:#?}"
    );
    // Read again after the answer has expired, with VIES down: what was decided holds.
    say(&world, json!({ "down": true }));
    world.sandbox.clock().advance(TimeDelta::days(30));
    let again = everything(&world).await;
    assert_eq!(again.funnel.count(Outcome::Unchanged), 6, "{:#?}", again.by_label);
    assert_eq!(questions(&world), 1);
}

#[tokio::test]
async fn an_invalid_number_is_no_number_and_is_never_free_of_vat_in_silence() {
    // The default would fit anything, and is not taken.
    let world = World::new(|sandbox| {
        checked(sandbox, "").replace("BE/0/exempt: \"7\" }", "BE/0/exempt: \"7\" }, default: \"0\"")
    })
    .await;
    say(&world, json!({ "valid": [] }));
    let ended = world.run().await;
    assert_eq!(ended.labels(Outcome::Parked), ["26"], "{:#?}", ended.by_label);
    let cause = ended.cause("26");
    assert!(cause.contains("does not count") && cause.contains("BE/0/no-number"), "{cause}");
    assert!(!world.sales_orders().contains_key("WC-26"));
    // With the rate that is owed it is booked as a sale to a consumer, to the cent that was paid.
    let with = |percent: &str, table: &str| {
        checked(&world.sandbox, percent).replace("BE/0/exempt: \"7\"", &format!("BE/0/exempt: \"7\", {table}"))
    };
    world.apply(&with(", percent: { BE: \"21\" }", "BE/21: \"13\"")).await;
    let ended = everything(&world).await;
    assert_eq!(ended.labels(Outcome::Created), ["26"], "{:#?}", ended.by_label);
    assert_eq!(codes(&world, "WC-26"), ["13"]);
    assert_eq!(number_in_books(&world, "WC-26"), "");
    assert_eq!(amount(&world.sales_orders()["WC-26"]), Decimal::from(995));
    let warning = ended.by_label["26"].warnings[0].to_string();
    assert!(warning.contains("is not valid according to VIES") && !warning.contains(NUMBER), "{warning}");
}

#[tokio::test]
async fn an_invalid_number_may_have_a_code_of_its_own_or_be_rejected() {
    let own =
        |sandbox: &Handle| checked(sandbox, "").replace("BE/0/exempt: \"7\"", "BE/0/exempt: \"7\", no-number: \"0\"");
    let world = World::new(own).await;
    say(&world, json!({ "valid": [] }));
    assert_eq!(world.run().await.funnel.count(Outcome::Created), 6);
    assert_eq!(codes(&world, "WC-26"), ["0"]);

    let world = self::world(", invalid: reject").await;
    say(&world, json!({ "valid": [] }));
    let ended = world.run().await;
    assert_eq!(ended.labels(Outcome::Rejected), ["26"]);
    assert!(ended.cause("26").contains("is not valid according to VIES"), "{}", ended.cause("26"));
}

#[tokio::test]
async fn while_vies_is_down_only_the_order_that_needs_it_waits_and_goes_by_itself() {
    let world = world("").await;
    say(&world, json!({ "down": true }));
    let ended = world.run().await;
    assert_eq!(ended.labels(Outcome::Created), ["23", "24", "25", "27", "31"], "{:#?}", ended.by_label);
    assert_eq!(ended.labels(Outcome::Parked), ["26"]);
    let engine = &world.embedded.engine;
    let list = waiting::list(engine, &world.tenant, FLOW).await.unwrap();
    assert_eq!((list.len(), list[0].cause.code.as_str()), (1, "vat_number_unknown"));
    let cause = list[0].cause.to_string();
    assert!(cause.contains("VIES could not say") && cause.contains("SERVICE_UNAVAILABLE"), "{cause}");
    assert!(!cause.contains(NUMBER), "{cause}");

    // Still down at the first try; the next one waits longer.
    for (minutes, is_up, arrived) in [(16, false, false), (16, true, false), (16, true, true)] {
        say(&world, json!({ "down": !is_up }));
        world.sandbox.clock().advance(TimeDelta::minutes(minutes));
        steps::schedule(engine).await.unwrap();
        world.drain().await;
        steps::end_run(engine, &world.tenant, FLOW).await.unwrap();
        assert_eq!(world.sales_orders().contains_key("WC-26"), arrived, "{minutes} {is_up}");
    }
    assert_eq!(codes(&world, "WC-26"), ["7"]);
    assert!(waiting::list(engine, &world.tenant, FLOW).await.unwrap().is_empty());
    let again = everything(&world).await;
    assert_eq!(again.funnel.count(Outcome::Created), 0, "{:#?}", again.by_label);
    assert_eq!(world.sales_orders().len(), 6);
}

#[tokio::test]
async fn a_busy_member_state_is_no_invalid_number() {
    let world = world("").await;
    say(&world, json!({ "throttled_percent": 100 }));
    let ended = world.run().await;
    assert_eq!(ended.labels(Outcome::Parked), ["26"]);
    assert!(ended.cause("26").contains("too many others ask"), "{}", ended.cause("26"));
    // Every second question is answered: the first pause is enough.
    say(&world, json!({ "throttled_percent": 50 }));
    world.sandbox.clock().advance(TimeDelta::minutes(6));
    let ended = everything(&world).await;
    assert_eq!(ended.labels(Outcome::Created), ["26"], "{:#?}", ended.by_label);
}

#[tokio::test]
async fn a_policy_decides_instead_of_waiting() {
    let valid = world(", unknown: as_valid").await;
    say(&valid, json!({ "resting": ["BE"] }));
    let ended = valid.run().await;
    assert_eq!(ended.funnel.count(Outcome::Created), 6);
    assert_eq!(codes(&valid, "WC-26"), ["7"]);
    assert_eq!(ended.by_label["26"].warnings[0].code, "vat_number_unknown", "it is told all the same");

    let consumer = |sandbox: &Handle| {
        let more = ", unknown: as_consumer, percent: { BE: \"21\" }";
        checked(sandbox, more).replace("BE/0/exempt: \"7\"", "BE/0/exempt: \"7\", BE/21: \"13\"")
    };
    let world = World::new(consumer).await;
    say(&world, json!({ "resting": ["BE"] }));
    assert_eq!(world.run().await.funnel.count(Outcome::Created), 6);
    assert_eq!(codes(&world, "WC-26"), ["13"]);
}

/// Orders like that of the Belgian company.
fn copies(world: &World, count: u64) {
    let orders = world.sandbox.woocommerce().documents("orders");
    let like = orders.into_iter().find(|order| order["id"] == 26).unwrap();
    for id in 100..100 + count {
        let mut order = like.clone();
        (order["id"], order["number"]) = (json!(id), json!(id.to_string()));
        assert!(world.sandbox.woocommerce().inspect("POST", "orders", &order).0 < 300);
    }
}

#[tokio::test]
async fn a_number_is_asked_about_once_whatever_number_of_orders_carries_it() {
    let world = world("").await;
    copies(&world, 20);
    let ended = world.run().await;
    assert_eq!(ended.funnel.count(Outcome::Created), 26, "{:#?}", ended.funnel);
    assert_eq!(questions(&world), 1);
    // A later run knows the answer; after a week it is asked again.
    copies(&world, 21);
    world.sandbox.clock().advance(TimeDelta::days(6));
    assert_eq!(everything(&world).await.funnel.count(Outcome::Created), 1);
    assert_eq!(questions(&world), 1);
    copies(&world, 22);
    world.sandbox.clock().advance(TimeDelta::days(2));
    assert_eq!(everything(&world).await.funnel.count(Outcome::Created), 1);
    assert_eq!(questions(&world), 2);
}

async fn explained(world: &World, id: &str) -> Explained {
    let engine = &world.embedded.engine;
    let stored = config::load_current(&*engine.store, &world.tenant).await.unwrap().unwrap();
    let flow = preview::load(engine, &world.tenant, FLOW, &stored.config, &stored.file).await.unwrap();
    let source = connections::source(engine, &world.tenant, &stored.config, "shop").await.unwrap();
    let key = NonEmpty::new(id).unwrap();
    let record = source.fetch_one(flow.flow.entity, &key, &Default::default()).await.unwrap().unwrap();
    explain(engine, &flow, &record).await
}

#[tokio::test]
async fn plan_and_explain_tell_the_answer_and_keep_nothing() {
    let world = world("").await;
    let engine = &world.embedded.engine;
    let stored = config::load_current(&*engine.store, &world.tenant).await.unwrap().unwrap();
    let planner = plan::Planner::new(engine, &world.tenant, &stored, FLOW, Scope::default(), None).await.unwrap();
    while planner.next().await.unwrap() {}
    let plan = planner.finish().await.unwrap();
    let said = plan.record("26").unwrap().vat_number.clone().unwrap();
    assert!(said.contains("is valid according to VIES, asked at 20"), "{said}");
    assert!(plan.record("23").unwrap().vat_number.is_none());
    let told = explained(&world, "26").await;
    assert!(told.vat_number.unwrap().contains("is valid according to VIES"));
    // Each of them asked for itself, because nothing was kept.
    assert_eq!(questions(&world), 2);
    for area in ["vat-answer", "vat-rest"] {
        let kept = koppel_core::ports::store::partition(&world.tenant, &[area]);
        assert!(engine.store.query(&kept, "", None, 10).await.unwrap().is_empty(), "{area}");
    }
    say(&world, json!({ "down": true }));
    let told = explained(&world, "26").await;
    assert_eq!(told.stopped.unwrap().code, "vat_number_unknown");
    world.run().await;
    assert_eq!(world.sales_orders().len(), 5, "what a plan had heard is not used by a run");
}

/// The shop with flows of orders and refunds.
fn with_refunds(sandbox: &Handle) -> String {
    let table = "BE/0/exempt: \"7\", BE/21: \"13\", no-number: \"0\"";
    let orders = checked(sandbox, ", percent: { BE: \"21\" }").replace("BE/0/exempt: \"7\"", table);
    let (_, settings) = orders.split_once("    settings:\n").unwrap();
    let settings: String =
        settings.lines().filter(|line| !line.contains("vat_number:")).map(|l| format!("{l}\n")).collect();
    format!(
        "{orders}  refunds:\n    from: shop\n    to: books\n    entity: refunds\n    document: sales-order\n    since: \
         2026-01-01\n    settings:\n      refund_item: \"DIVERS\"\n{settings}"
    )
}

#[tokio::test]
async fn a_refund_follows_what_was_decided_for_its_order() {
    let world = World::new(with_refunds).await;
    say(&world, json!({ "valid": [] }));
    assert_eq!(world.run().await.funnel.count(Outcome::Created), 6);
    assert_eq!(codes(&world, "WC-26"), ["13"]);
    // By the time of the refund the number has become valid: that changes nothing about the sale.
    say(&world, json!({ "valid": [format!("BE{NUMBER}")] }));
    world.sandbox.clock().advance(TimeDelta::days(2));
    let shop = world.sandbox.woocommerce();
    let (status, answer) = shop.inspect("POST", "orders/26/refunds", &json!({ "amount": "121.00" }));
    assert_eq!(status, 201, "{answer}");
    let ended = world.run_flow_scope("refunds", Scope { since: Some(DateTime::UNIX_EPOCH), ids: Vec::new() }).await;
    assert!(ended.funnel.count(Outcome::Created) >= 1, "{:#?}", ended.by_label);
    let reference = format!("WC-26-R{}", answer["id"]);
    assert_eq!(codes(&world, &reference), ["13"]);
    assert_eq!(amount(&world.sales_orders()[&reference]), Decimal::from(-121));
    assert_eq!(questions(&world), 1, "nobody was asked again");
}

#[tokio::test]
async fn a_customer_with_an_invalid_number_gets_none_in_the_books_and_a_code_of_its_own() {
    let yaml = |sandbox: &Handle| {
        format!(
            "{}flows:\n  people:\n    from: shop\n    to: books\n    entity: customers\n    since: 2020-01-01\n    settings:\n      \
             vat_code: {{ table: {{ no-number: \"4\" }}, by_country: {{ BE: \"7\" }} }}\n      \
             vat_number: {{ check: vies, url: {} }}\n",
            connections_yaml(sandbox),
            sandbox.vies_url()
        )
    };
    let els = |world: &World| {
        let accounts = world.sandbox.exact().documents("Accounts");
        let els =
            accounts.into_iter().find(|account| text(&account["Email"]) == "inkoop@peeters.example.test").unwrap();
        (text(&els["VATNumber"]).to_owned(), text(&els["SalesVATCode"]).to_owned())
    };
    let world = World::new(yaml).await;
    world.run_flow("people").await;
    assert_eq!(els(&world), (format!("BE{NUMBER}"), "7".to_owned()));

    let world = World::new(yaml).await;
    say(&world, json!({ "valid": [] }));
    world.run_flow("people").await;
    assert_eq!(els(&world), (String::new(), "4".to_owned()));
}

#[tokio::test]
async fn who_is_erased_leaves_a_decision_without_a_number() {
    let world = world("").await;
    world.run().await;
    let engine = &world.embedded.engine;
    let answers = koppel_core::ports::store::partition(&world.tenant, &["vat-answer"]);
    assert_eq!(engine.store.query(&answers, "", None, 10).await.unwrap().len(), 1);
    let erased = koppel_flows::erase::erase(engine, &world.tenant, "inkoop@peeters.example.test").await.unwrap();
    assert_eq!(erased.vat_numbers, 1, "{erased:?}");
    assert!(engine.store.query(&answers, "", None, 10).await.unwrap().is_empty());
    let decisions = koppel_core::ports::store::partition(&world.tenant, &["vat-decision", FLOW]);
    let left = engine.store.query(&decisions, "", None, 10).await.unwrap();
    assert!(left.len() == 1 && left[0].value.contains("\"number\":\"\""), "{left:?}");
}

#[tokio::test]
async fn doctor_asks_vies_once_how_it_is() {
    let world = world("").await;
    let engine = &world.embedded.engine;
    let stored = config::load_current(&*engine.store, &world.tenant).await.unwrap().unwrap();
    let codes = |found: &koppel_flows::doctor::Diagnosis| -> Vec<String> {
        found.findings.iter().map(|f| f.cause.code.clone()).filter(|code| code.starts_with("vies")).collect()
    };
    let found = koppel_flows::doctor::examine(engine, &world.tenant, &stored, None).await.unwrap();
    assert_eq!(codes(&found), Vec::<String>::new());
    assert_eq!((questions(&world), world.sandbox.vies().total_calls()), (0, 1));
    say(&world, json!({ "resting": ["DE"] }));
    let found = koppel_flows::doctor::examine(engine, &world.tenant, &stored, None).await.unwrap();
    assert_eq!(codes(&found), ["vies_country_unavailable"]);
    say(&world, json!({ "down": true }));
    let found = koppel_flows::doctor::examine(engine, &world.tenant, &stored, None).await.unwrap();
    assert_eq!(codes(&found), ["vies_unavailable"]);
}

#[tokio::test]
async fn what_cannot_be_checked_is_refused_before_it_is_applied() {
    let world = World::new(yaml).await;
    let causes = |text: &str| {
        let config = config::parse("koppel.yaml", text).unwrap();
        let causes = config::validate(&*world.embedded.engine.systems, &config, "koppel.yaml");
        causes.into_iter().map(|cause| cause.place.row.unwrap_or_default()).collect::<Vec<_>>()
    };
    let with = |more: &str| checked(&world.sandbox, more);
    assert_eq!(causes(&with("")), Vec::<String>::new());
    assert_eq!(causes(&with(", country: US")), ["settings.vat_number.country"]);
    assert_eq!(causes(&with(", percent: { be: \"21\" }")), ["settings.vat_number.percent.be"]);
    assert_eq!(causes(&with(", percent: { BE: \"0\" }")), ["settings.vat_number.percent.BE"]);
    let plain = with("").replace(&world.sandbox.vies_url(), "http://vies.example");
    assert_eq!(causes(&plain), ["settings.vat_number.url"]);
}
