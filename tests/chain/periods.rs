//! Closed periods through the chain: plan, run, explain and doctor agree, nothing is delivered twice, and books are never
//! asked twice within an hour whether a period is closed.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::NonEmpty;
use koppel_core::outcome::Outcome;
use koppel_core::ports::Calls;
use koppel_flows::doctor::examine;
use koppel_flows::plan::{Plan, Planner};
use koppel_flows::runs::Scope;
use koppel_flows::steps::{explain, preview};
use koppel_flows::{config, connections};
use koppel_hosting::embedded;
use koppel_sandbox::{FaultAction, FaultRule, Handle, Options};
use serde_json::{Value, json};

use super::world::{FLOW, World, yaml};

const LATER: &str = "      closed_period: first_open_day\n";
const PAID: [&str; 6] = ["23", "24", "25", "26", "27", "31"];

fn now() -> DateTime<Utc> {
    "2026-12-02T10:00:00Z".parse().unwrap()
}

fn with(sandbox: &Handle, setting: &str) -> String {
    yaml(sandbox).replacen("    settings:\n", &format!("    settings:\n{setting}"), 1)
}

/// The second of December; November is closed, and has all orders of the shop.
async fn world(setting: &'static str) -> World {
    let options = Options::default()
        .start_time(now())
        .switch("exact-online", json!({"minute_limit": null, "closed_until": "2026-11-30"}));
    World::with(options, Path::new(embedded::IN_MEMORY), |sandbox| with(sandbox, setting)).await
}

fn posts(world: &World) -> u64 {
    let calls = world.sandbox.exact().calls();
    calls.iter().filter(|(name, _)| name.starts_with("POST") && name.contains("SalesOrders")).map(|(_, n)| n).sum()
}

fn date(order: &Value) -> &str {
    order["OrderDate"].as_str().unwrap_or_default().get(..10).unwrap_or_default()
}

async fn plan(world: &World) -> Plan {
    let engine = &world.embedded.engine;
    let stored = config::load_current(&*engine.store, &world.tenant).await.unwrap().unwrap();
    let planner = Planner::new(engine, &world.tenant, &stored, FLOW, Scope::default(), None).await.unwrap();
    while planner.next().await.unwrap() {}
    planner.finish().await.unwrap()
}

#[tokio::test]
async fn all_orders_of_a_closed_month_are_dated_the_first_of_the_next_after_one_refusal() {
    let world = world(LATER).await;
    let before = plan(&world).await;
    assert!(before.notes.iter().any(|note| note.contains("has closed 2026-11")), "{:?}", before.notes);
    let ended = world.run().await;
    assert_eq!(ended.labels(Outcome::Created), PAID, "{:#?}", ended.by_label);
    let orders = world.sales_orders();
    assert_eq!(orders.len(), 6);
    for (reference, order) in &orders {
        assert_eq!(date(order), "2026-12-01", "{reference}");
        let description = order["Description"].as_str().unwrap();
        assert_eq!(description, format!("Webshop {} (dated 2026-11-22)", &reference[3..]));
    }
    assert_eq!(posts(&world), 7, "one document was refused, and each posted once");
}

#[tokio::test]
async fn a_plan_says_the_date_of_the_run_and_explain_says_why() {
    let world = world(LATER).await;
    // One document has found out.
    let ids = vec![NonEmpty::new("23").unwrap()];
    world.run_scope(Scope { since: None, ids }).await;
    let planned = plan(&world).await;
    let record = planned.record("24").unwrap();
    assert_eq!(record.payload["OrderDate"], "2026-12-01", "{:#?}", record.payload);
    assert!(record.result.warnings.iter().any(|warning| warning.code == "dated_later"), "{:?}", record.result);
    assert!(!planned.notes.iter().any(|note| note.contains("has closed")), "{:?}", planned.notes);

    let engine = &world.embedded.engine;
    let stored = config::load_current(&*engine.store, &world.tenant).await.unwrap().unwrap();
    let flow = preview::load(engine, &world.tenant, FLOW, &stored.config, &stored.file).await.unwrap();
    let source = connections::source(engine, &world.tenant, &stored.config, "shop").await.unwrap();
    let key = NonEmpty::new("24").unwrap();
    let native = source.fetch_one(flow.flow.entity, &key, &Calls::default()).await.unwrap().unwrap();
    let told = explain::explain(engine, &flow, &native).await;
    let dated = told.dated.clone().unwrap();
    assert_eq!((dated.date.to_string(), dated.true_date.to_string()), ("2026-12-01".into(), "2026-11-22".into()));
    assert_eq!((dated.closed, dated.setting.as_str()), (vec!["2026-11".to_owned()], "settings.closed_period"));

    world.run().await;
    let orders = world.sales_orders();
    assert_eq!((orders.len(), date(&orders["WC-24"])), (6, "2026-12-01"));
    assert_eq!(posts(&world), 7);
    for row in told.sent.iter().filter(|row| ["OrderDate", "Description"].contains(&row.path.as_str())) {
        let sent = orders["WC-24"][&row.path].as_str().unwrap().to_owned();
        assert!(sent.starts_with(row.value.as_str().unwrap()), "{row:?}: {sent}");
    }
}

#[tokio::test]
async fn an_order_whose_answer_was_lost_on_its_later_day_is_there_once() {
    let world = world(LATER).await;
    // The first post is refused, the answers of the next are lost.
    let lost = FaultRule::new(FaultAction::AnswerLost).method("POST").path("SalesOrders").nth(2).count(3);
    world.sandbox.exact().fault(lost).expect("a rule");
    let ended = world.run().await;
    assert_eq!(ended.funnel.count(Outcome::Created), 6, "{:#?}", ended.by_label);
    let orders = world.sales_orders();
    assert_eq!(orders.len(), 6);
    assert!(orders.values().all(|order| date(order) == "2026-12-01"), "{orders:#?}");
}

#[tokio::test]
async fn a_refusal_is_believed_for_an_hour_and_then_tried_once_more() {
    let world = world("").await;
    let ended = world.run().await;
    assert_eq!(ended.labels(Outcome::Rejected), PAID, "{:#?}", ended.by_label);
    assert_eq!(posts(&world), 1);
    world.sandbox.clock().advance(TimeDelta::minutes(30));
    world.run_scope(Scope { since: Some(DateTime::UNIX_EPOCH), ids: Vec::new() }).await;
    assert_eq!(posts(&world), 1, "within the hour nobody asks again");
    world.sandbox.exact().set_switches(json!({"closed_until": null})).unwrap();
    world.sandbox.clock().advance(TimeDelta::minutes(31));
    let ended = world.run_scope(Scope { since: Some(DateTime::UNIX_EPOCH), ids: Vec::new() }).await;
    assert_eq!(ended.labels(Outcome::Created), PAID, "{:#?}", ended.by_label);
    assert!(world.sales_orders().values().all(|order| date(order) == "2026-11-22"));
    assert_eq!(posts(&world), 7);
}

#[tokio::test]
async fn nothing_is_dated_in_the_future_and_it_waits_for_a_day() {
    let world = world(LATER).await;
    world.sandbox.exact().set_switches(json!({"closed_until": "2026-12-31"})).unwrap();
    let ended = world.run().await;
    assert_eq!(ended.labels(Outcome::Parked), PAID, "{:#?}", ended.by_label);
    let cause = ended.cause("23");
    assert!(cause.contains("2026-11, 2026-12") && cause.contains("no open day up to today"), "{cause}");
    // One refusal of each month; a second lane may have met that of today at the same moment.
    assert!((2..=3).contains(&posts(&world)), "{}", posts(&world));
    assert!(world.sales_orders().is_empty());
}

#[tokio::test]
async fn rows_that_give_a_date_of_their_own_are_told_so() {
    let own = "    map: { target.OrderDate: '\"2026-11-05\"' }\n";
    let options = Options::default()
        .start_time(now())
        .switch("exact-online", json!({"minute_limit": null, "closed_until": "2026-11-30"}));
    let world = World::with(options, Path::new(embedded::IN_MEMORY), |sandbox| with(sandbox, LATER) + own).await;
    let ids = vec![NonEmpty::new("23").unwrap()];
    let ended = world.run_scope(Scope { since: None, ids }).await;
    assert_eq!(ended.labels(Outcome::Rejected), ["23"], "{:#?}", ended.by_label);
    assert!(ended.cause("23").contains("its rows give it another date"), "{}", ended.cause("23"));
    assert_eq!(posts(&world), 1);
}

#[tokio::test]
async fn the_doctor_warns_of_periods_that_documents_were_refused_in() {
    let world = world(LATER).await;
    let ids = vec![NonEmpty::new("23").unwrap()];
    world.run_scope(Scope { since: None, ids }).await;
    // Longer than a refusal is believed.
    world.sandbox.clock().advance(TimeDelta::hours(3));
    let engine = &world.embedded.engine;
    let stored = config::load_current(&*engine.store, &world.tenant).await.unwrap().unwrap();
    let found = examine(engine, &world.tenant, &stored, Some(FLOW)).await.unwrap();
    let finding = found.findings.iter().find(|finding| finding.cause.code == "periods_closed").expect("a finding");
    let text = finding.cause.to_string();
    assert!(text.contains("2026-11 (when a document was refused, on 2026-12-02)"), "{text}");
}
