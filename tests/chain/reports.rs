//! The funnel counts every record once, however often its messages are handled.

use std::collections::BTreeSet;
use std::time::Duration;

use koppel_core::NonEmpty;
use koppel_core::keys::RecordKey;
use koppel_core::message::{Header, Step, Task};
use koppel_core::outcome::Outcome;
use koppel_core::ports::QueueMessage;
use koppel_flows::runs::{self, RecordResult, Scope, Told};
use koppel_flows::steps;
use koppel_hosting::{Received, ReceivingQueue};

use super::world::{FLOW, World, yaml};

fn key(text: &str) -> RecordKey {
    NonEmpty::new(text).expect("a key")
}

#[tokio::test]
async fn messages_that_are_handled_twice_count_once_where_they_came_furthest() {
    let world = World::new(yaml).await;
    let (engine, tenant) = (&world.embedded.engine, &world.tenant);
    let chunk = |name: &str| Header {
        tenant: tenant.clone(),
        flow: FLOW.into(),
        run: "r".into(),
        config_version: 1,
        chunk: name.into(),
        lane: 0,
    };
    let (a, b, c) = (key("1"), key("2"), key("3"));
    let fetched = async || {
        let told = Told { chunks: BTreeSet::from(["page-0-0-0".to_owned()]), ..Told::default() };
        runs::report(engine, &chunk("page-0"), Step::Fetch, told).await.expect("told");
    };
    let ended = async |step, record: &RecordKey, outcome| {
        let results = [RecordResult::new(record, record.as_str(), outcome)];
        let told = Told { results: &results, ..Told::default() };
        runs::report(engine, &chunk("page-0-0-0"), step, told).await.expect("told");
    };
    fetched().await;
    fetched().await;
    let taken = Told { taken: vec![&a, &b, &c], ..Told::default() };
    runs::report(engine, &chunk("page-0-0-0"), Step::Map, taken).await.expect("told");
    // Handled twice: the second time another record ends in check, and the first one still does.
    ended(Step::Check, &a, Outcome::Parked).await;
    ended(Step::Check, &b, Outcome::Unchanged).await;
    // What check parked the second time had been sent to write the first time.
    ended(Step::Write, &a, Outcome::Created).await;
    ended(Step::Write, &c, Outcome::Created).await;

    let funnel = runs::funnel(engine, tenant, FLOW, "r").await.expect("a funnel");
    assert_eq!(
        funnel.to_string(),
        "fetched 3 = 0 filtered + 1 unchanged + 0 skipped + 2 created + 0 updated + 0 rejected + 0 parked"
    );
    let (results, _) = runs::results(engine, tenant, FLOW, "r").await.expect("results");
    let shown: Vec<(&str, Outcome)> = results.iter().map(|r| (r.label.as_str(), r.outcome)).collect();
    assert_eq!(shown, [("1", Outcome::Created), ("2", Outcome::Unchanged), ("3", Outcome::Created)]);
}

#[tokio::test]
async fn a_run_that_does_not_move_is_given_up_only_after_a_second_look() {
    let world = World::new(yaml).await;
    let (engine, tenant) = (&world.embedded.engine, &world.tenant);
    runs::start(engine, tenant, FLOW, Scope::default()).await.expect("started").expect("no run is open");
    let look = async |hours| {
        world.sandbox.clock().advance(chrono::TimeDelta::hours(hours));
        koppel_flows::steps::end_run(engine, tenant, FLOW).await.expect("a look")
    };
    assert_eq!(look(0).await, None);
    // The machine slept: the run is old, but nobody has had a chance to work on it.
    assert_eq!(look(7).await, None);
    assert_eq!(look(1).await, None);
    let given_up = look(2).await.expect("the flow must be able to go on");
    assert_eq!(given_up.incomplete.expect("a cause").code, "run_incomplete");
    // The next run can begin, and whoever reads them first, all orders arrive once.
    world.run().await;
    assert_eq!(world.sales_orders().len(), 6);
}

/// A crash between a run and its first message, and then the machine sleeps: the first look is at a run that is old.
#[tokio::test]
async fn a_first_message_that_was_lost_is_sent_again_however_late_somebody_looks() {
    for hours in [1, 7, 30] {
        let world = World::new(yaml).await;
        let (engine, tenant, queue) = (&world.embedded.engine, &world.tenant, &world.embedded.queue);
        let run = runs::start(engine, tenant, FLOW, Scope::default()).await.expect("started").expect("no run is open");
        let lost = queue.receive(Step::Fetch, 1).await.expect("received").remove(0);
        queue.ack(&lost.receipt).await.expect("gone");
        world.sandbox.clock().advance(chrono::TimeDelta::hours(hours));
        assert_eq!(koppel_flows::steps::end_run(engine, tenant, FLOW).await.expect("a look"), None, "after {hours} h");
        world.finish(run.clone()).await;
        let ended = runs::load(engine, tenant, FLOW, &run).await.expect("kept").expect("a run");
        assert_eq!((ended.incomplete, world.sales_orders().len()), (None, 6), "after {hours} h");
    }
}

/// A list that moves while it is read shows a record on two pages.
#[tokio::test]
async fn a_record_in_two_chunks_ends_in_both() {
    let world = World::new(yaml).await;
    let (engine, tenant, queue) = (&world.embedded.engine, &world.tenant, &world.embedded.queue);
    let run = runs::start(engine, tenant, FLOW, Scope::default()).await.expect("started").expect("no run is open");
    let fetch = queue.receive(Step::Fetch, 1).await.expect("received").remove(0);
    steps::run_task(engine, task_of(&fetch)).await.expect("the shop is read");
    queue.ack(&fetch.receipt).await.expect("done");
    let mut again = Vec::new();
    for message in queue.receive(Step::Map, 10).await.expect("received") {
        let Task::Map(mut map) = task_of(&message) else { panic!("a message of map: {}", message.body) };
        queue.retry_after(&message.receipt, Duration::ZERO, false).await.expect("put back");
        let chunks = BTreeSet::from([format!("{}-again", map.header.chunk)]);
        map.header.chunk = format!("{}-again", map.header.chunk);
        runs::report(engine, &map.header, Step::Fetch, Told { chunks, ..Told::default() }).await.expect("told");
        again.push(QueueMessage::pack(&Task::Map(map)).expect("a message"));
    }
    assert!(!again.is_empty());
    // All of them are in the books before the second page is looked at.
    world.drain().await;
    assert_eq!(world.sales_orders().len(), 6);
    engine.queue.send(Step::Map, &again).await.expect("sent");
    let ended = world.finish(run).await;
    assert_eq!(
        ended.funnel.to_string(),
        "fetched 18 = 6 filtered + 6 unchanged + 0 skipped + 6 created + 0 updated + 0 rejected + 0 parked"
    );
    assert_eq!(world.sales_orders().len(), 6);
}

fn task_of(message: &Received) -> Task {
    serde_json::from_str(&message.body).expect("a task")
}
