//! Limits of the books: never exceeded, whoever calls, and an endpoint with errors rests before it is blocked.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use koppel_core::event::EventKind;
use koppel_core::outcome::Outcome;
use koppel_flows::alerts::{self, Facts};
use koppel_flows::connections;
use koppel_flows::runs::{self, Scope};
use koppel_hosting::embedded;
use koppel_hosting::local::{Drain, LocalHost};
use koppel_sandbox::{FaultAction, FaultRule, Options};

use super::world::{FLOW, World, WorldClock, yaml};

/// Copies of order 24, so that customer and codes are known.
fn copies(world: &World, ids: std::ops::Range<u64>) {
    let shop = world.sandbox.woocommerce();
    let order = shop.documents("orders").into_iter().find(|o| o["id"] == 24).expect("order 24");
    for id in ids {
        let mut copy = order.clone();
        copy["id"] = id.into();
        copy["number"] = id.to_string().into();
        assert!(shop.inspect("POST", "orders", &copy).0 < 300);
    }
}

fn everything() -> Scope {
    Scope { since: Some(chrono::DateTime::UNIX_EPOCH), ids: Vec::new() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_engines_on_one_store_stay_under_the_minute_together() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("koppel.db");
    let world = World::with(Options::default(), &file, yaml).await;
    let clock = Arc::new(WorldClock(world.sandbox.clock().clone()));
    let second =
        embedded::open(&file, clock, &embedded::Options::default(), koppel_hosting::connectors).expect("opens");
    let other = LocalHost::new(second.engine.clone(), second.queue.clone());
    copies(&world, 100..180);
    world.sandbox.exact().reset_calls();
    let engine = &world.embedded.engine;
    let run = runs::start(engine, &world.tenant, FLOW, everything()).await.expect("started").expect("none is open");
    let mut ended = false;
    for _ in 0..20 {
        let drain = || Drain::patient(Duration::from_secs(1)).at_most(Duration::from_secs(2));
        let (one, two) = (drain(), drain());
        let (one, two) =
            tokio::join!(world.host.drain(&one, std::future::pending()), other.drain(&two, std::future::pending()));
        one.and(two).expect("drained");
        if koppel_flows::steps::end_run(engine, &world.tenant, FLOW).await.expect("asked").is_some() {
            ended = true;
            break;
        }
        world.sandbox.clock().advance(TimeDelta::seconds(31));
    }
    let funnel = runs::funnel(engine, &world.tenant, FLOW, &run).await.expect("funnel");
    assert!(ended, "{funnel}");
    assert_eq!(funnel.count(Outcome::Created), 86, "{funnel}");
    assert_eq!(world.sales_orders().len(), 86);
    let statuses = world.sandbox.exact().statuses();
    assert!(!statuses.contains_key(&429), "the books had to refuse calls: {statuses:?}");
}

#[tokio::test]
async fn an_endpoint_with_errors_rests_long_before_the_books_block_it() {
    let world = World::new(yaml).await;
    world.run().await;
    copies(&world, 100..112);
    world.sandbox.clock().advance(TimeDelta::minutes(2));
    let exact = world.sandbox.exact();
    exact.reset_calls();
    let refused = FaultRule::new(FaultAction::Status).status(400).method("POST").path("SalesOrders").count(0);
    exact.fault(refused).expect("a rule");
    let ended = world.run_scope(everything()).await;
    assert_eq!(ended.funnel.count(Outcome::Rejected), 5, "{:#?}", ended.by_label);
    assert_eq!(ended.funnel.count(Outcome::Parked), 7, "they wait for the endpoint");
    assert_eq!(exact.statuses().get(&400), Some(&5), "the limit of the books is ten");

    let engine = &world.embedded.engine;
    let stored =
        koppel_flows::config::load_current(&*engine.store, &world.tenant).await.expect("read").expect("applied");
    let books = connections::open(engine, &world.tenant, &stored.config, "books").await.expect("opened");
    let view = engine.systems.budget(&books).expect("known").expect("limited").look().await.expect("looked");
    assert!(view.endpoints.iter().any(|e| e.errors == 5 && e.rests_until.is_some()), "{view:?}");

    // After its hour the search by reference is answered; the first order is the probe of writing, and fails: no more follow.
    world.sandbox.clock().advance(TimeDelta::minutes(62));
    let ids: Vec<_> = (105..112).map(|id| koppel_core::NonEmpty::new(id.to_string()).expect("an id")).collect();
    world.run_scope(Scope { since: None, ids: ids.clone() }).await;
    assert_eq!(exact.statuses().get(&400), Some(&6), "one probe in an hour");
    // When the books take orders again, all go on.
    exact.clear_faults();
    world.sandbox.clock().advance(TimeDelta::minutes(62));
    let ended = world.run_scope(Scope { since: None, ids }).await;
    assert_eq!(ended.funnel.count(Outcome::Created), 7, "{:#?}", ended.by_label);
    assert!(!exact.statuses().contains_key(&429), "{:?}", exact.statuses());
}

#[tokio::test]
async fn few_calls_left_are_told_once_and_the_alert_ends_with_the_day() {
    let world = World::new(yaml).await;
    let engine = &world.embedded.engine;
    let look = || async {
        koppel_flows::steps::schedule(engine).await.expect("schedule");
        alerts::look(engine, &world.tenant, &Facts::default()).await.expect("look");
        let open = alerts::open(engine, &world.tenant).await.expect("open");
        open.into_iter().find(|alert| alert.key == "budget/books")
    };
    let told = || async {
        let events = world.embedded.bus.recent(&world.tenant, 200).await.expect("events");
        events.into_iter().filter(|event| matches!(event.kind, EventKind::BudgetLow { .. })).count()
    };
    world.run().await;
    assert_eq!(look().await, None);
    world.sandbox.exact().inspect("POST", "limits/spend", &serde_json::json!({ "calls": 4_100 }));
    copies(&world, 100..103);
    world.sandbox.clock().advance(TimeDelta::minutes(16));
    world.run_scope(everything()).await;
    let alert = look().await.expect("an alert");
    assert_eq!(alert.title, "«books» has few calls left today");
    assert!(alert.details[0].what.contains("of the 5000 calls of a day, 8"), "{alert:?}");
    world.sandbox.clock().advance(TimeDelta::minutes(16));
    assert!(look().await.is_some());
    assert_eq!(told().await, 1);
    world.sandbox.clock().advance(TimeDelta::hours(25));
    assert_eq!(look().await, None);
}

#[tokio::test]
async fn a_list_that_is_longer_than_the_calls_of_a_minute_is_read_to_its_end() {
    let slow = |sandbox: &koppel_sandbox::Handle| {
        yaml(sandbox).replacen(
            "system: woocommerce",
            "system: woocommerce\n    calls_per_minute: 3\n    page_size: 2",
            1,
        )
    };
    let world = World::new(slow).await;
    let engine = &world.embedded.engine;
    let run = runs::start(engine, &world.tenant, FLOW, everything()).await.expect("started").expect("none is open");
    let mut ended = false;
    for _ in 0..12 {
        let drain = Drain::patient(Duration::from_secs(1)).at_most(Duration::from_secs(2));
        world.host.drain(&drain, std::future::pending()).await.expect("drained");
        if koppel_flows::steps::end_run(engine, &world.tenant, FLOW).await.expect("asked").is_some() {
            ended = true;
            break;
        }
        world.sandbox.clock().advance(TimeDelta::seconds(66));
    }
    let funnel = runs::funnel(engine, &world.tenant, FLOW, &run).await.expect("funnel");
    assert!(ended && funnel.fetched == 9, "{funnel}");
    // Each page was read once.
    let pages = world.sandbox.woocommerce().log().iter().filter(|call| call.path.ends_with("/orders")).count();
    assert_eq!(pages, 8, "nine orders, two a page, each page with the last of the one before");
}
