//! A system that is down: its flows rest, it is probed, it goes on by itself, and what waited is due at once.

use std::time::Duration;

use chrono::TimeDelta;
use koppel_core::event::EventKind;
use koppel_core::outcome::Outcome;
use koppel_flows::connections::{self, Stopped};
use koppel_flows::runs::{self, Scope};
use koppel_hosting::local::Drain;
use koppel_sandbox::{FaultAction, FaultRule, Inspector};

use super::world::{FLOW, World, yaml};

async fn stopped(world: &World, name: &str) -> Option<Stopped> {
    connections::stopped(&world.embedded.engine, &world.tenant, name).await.expect("read")
}

async fn open_run(world: &World) -> Option<String> {
    runs::state(&world.embedded.engine, &world.tenant, FLOW).await.expect("state").open_run
}

async fn start(world: &World) -> String {
    let engine = &world.embedded.engine;
    runs::start(engine, &world.tenant, FLOW, Scope::default()).await.expect("a run starts").expect("no run is open")
}

/// Lets the host try for a moment.
async fn try_for_a_moment(world: &World) {
    let drain = Drain::patient(Duration::from_secs(60)).at_most(Duration::from_millis(1500));
    world.host.drain(&drain, std::future::pending()).await.expect("drained");
}

fn take_down(system: &Inspector) {
    system.fault(FaultRule::new(FaultAction::HtmlPage).count(0)).expect("a rule");
}

/// What the event bus told about the connections.
async fn told(world: &World) -> Vec<String> {
    let events = world.embedded.bus.recent(&world.tenant, 100).await.expect("events");
    let mut told: Vec<String> = events
        .into_iter()
        .filter_map(|event| match &event.kind {
            EventKind::ConnectionPaused { connection, .. } | EventKind::ConnectionResumed { connection, .. } => {
                Some(format!("{} {connection}", event.kind.name()))
            }
            _ => None,
        })
        .collect();
    told.sort();
    told
}

#[tokio::test]
async fn books_that_are_down_pause_their_flow_and_go_on_by_themselves() {
    let world = World::new(yaml).await;
    let exact = world.sandbox.exact();
    take_down(&exact);
    let run = start(&world).await;
    try_for_a_moment(&world).await;
    assert!(stopped(&world, "books").await.is_none(), "a short outage is not a pause");
    world.sandbox.clock().advance(TimeDelta::minutes(6));
    let ended = world.finish(run).await;
    assert_eq!(ended.funnel.count(Outcome::Parked), 6, "{:#?}", ended.by_label);
    let paused = stopped(&world, "books").await.expect("paused");
    assert!(paused.probe_at().is_some(), "{paused:?}");

    // While it is paused nothing is started, and each probe that fails makes the next wait longer.
    let mut waits = Vec::new();
    for _ in 0..6 {
        let now = world.sandbox.clock().now();
        let next = stopped(&world, "books").await.expect("paused").probe_at().expect("a probe");
        waits.push((next - now).num_seconds().div_euclid(60) + 1);
        world.sandbox.clock().advance(next - now - TimeDelta::seconds(10));
        exact.reset_calls();
        world.host.schedule().await;
        assert_eq!(exact.total_calls(), 0, "asked too early");
        world.sandbox.clock().advance(TimeDelta::seconds(11));
        world.host.schedule().await;
        assert!(exact.total_calls() > 0, "not asked in time");
        assert_eq!(open_run(&world).await, None);
    }
    assert_eq!(waits, [1, 2, 5, 10, 15, 15]);

    exact.clear_faults();
    world.sandbox.clock().advance(TimeDelta::minutes(16));
    world.host.schedule().await;
    assert!(stopped(&world, "books").await.is_none());
    let ended = world.finish(open_run(&world).await.expect("the parked orders are due at once")).await;
    assert_eq!(ended.funnel.count(Outcome::Created), 6, "{:#?}", ended.by_label);
    assert_eq!(world.sales_orders().len(), 6);
    assert_eq!(told(&world).await, ["ConnectionPaused books", "ConnectionResumed books"]);
}

#[tokio::test]
async fn a_shop_that_is_down_pauses_its_flow_and_is_read_again_from_where_it_was() {
    let world = World::new(yaml).await;
    let shop = world.sandbox.woocommerce();
    take_down(&shop);
    let run = start(&world).await;
    try_for_a_moment(&world).await;
    world.sandbox.clock().advance(TimeDelta::minutes(6));
    let ended = world.finish(run).await;
    assert_eq!(ended.funnel.fetched, 0);
    assert!(stopped(&world, "shop").await.is_some());
    shop.clear_faults();
    world.sandbox.clock().advance(TimeDelta::minutes(2));
    world.host.schedule().await;
    assert!(stopped(&world, "shop").await.is_none());
    let ended = world.run().await;
    assert_eq!(ended.funnel.count(Outcome::Created), 6, "{:#?}", ended.by_label);
}

#[tokio::test]
async fn one_endpoint_in_trouble_does_not_pause_a_connection_that_answers() {
    let world = World::new(yaml).await;
    let rule = FaultRule::new(FaultAction::HtmlPage).method("POST").path("SalesOrders").count(0);
    world.sandbox.exact().fault(rule).expect("a rule");
    let run = start(&world).await;
    try_for_a_moment(&world).await;
    world.sandbox.clock().advance(TimeDelta::minutes(6));
    let ended = world.finish(run).await;
    assert_eq!(ended.funnel.count(Outcome::Parked), 6, "{:#?}", ended.by_label);
    assert!(stopped(&world, "books").await.is_none());
    assert!(told(&world).await.is_empty());
}
