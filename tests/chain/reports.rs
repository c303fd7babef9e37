//! The funnel counts every record once, however often its messages are handled.

use std::collections::BTreeSet;

use koppel_core::NonEmpty;
use koppel_core::keys::RecordKey;
use koppel_core::message::{Header, Step};
use koppel_core::outcome::Outcome;
use koppel_flows::runs::{self, RecordResult, Told};

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
