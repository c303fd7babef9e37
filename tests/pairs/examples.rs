//! The examples that `make run` runs, one for each pair: what is planned is what a run does, for every flow, and a second round
//! writes nothing on either side.

use std::path::{Path, PathBuf};

use koppel_core::outcome::{Funnel, Outcome};
use koppel_flows::config;
use koppel_flows::plan::Planner;
use koppel_flows::runs::Scope;
use koppel_hosting::embedded;
use koppel_sandbox::{Handle, Options};
use serde_json::json;

use super::writes;
use crate::chain::world::World;

/// Ports of the examples, with the systems that stand behind them.
const PORTS: [(&str, &str); 8] = [
    ("18081", "woocommerce"),
    ("18082", "exact-online"),
    ("18083", "ccv-shop"),
    ("18084", "visma-net"),
    ("18085", "mijnwebwinkel"),
    ("18086", "accountview"),
    ("18087", "asperion"),
    ("18088", "vies"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("examples")
}

pub(crate) fn text_of(pair: &str) -> String {
    std::fs::read_to_string(folder().join(pair).join("koppel.yaml")).unwrap()
}

/// Flows in the turn that the example says.
pub(crate) fn turn(text: &str) -> Vec<String> {
    let turn = text.lines().find_map(|line| line.strip_prefix("# Flows in turn: ")).unwrap();
    turn.split_whitespace().map(str::to_owned).collect()
}

pub(crate) fn at(text: &str, sandbox: &Handle) -> String {
    PORTS.iter().fold(text.to_owned(), |text, (port, system)| {
        text.replace(&format!("http://127.0.0.1:{port}"), sandbox.url(system))
    })
}

pub(crate) fn whole() -> Scope {
    Scope { since: Some(chrono::DateTime::UNIX_EPOCH), ids: Vec::new() }
}

/// Limits that nobody has published are left to other tests.
pub(crate) fn options() -> Options {
    Options::default()
        .switch("exact-online", json!({ "minute_limit": null }))
        .switch("mijnwebwinkel", json!({ "minute_limit": null }))
        .switch("asperion", json!({ "minute_limit": null }))
        .switch("visma-net", json!({ "hourly_limit": null }))
        .switch("ccv-shop", json!({ "overall_minute_limit": null, "resource_limits": false }))
        .switch("woocommerce", json!({ "wholesale": "free" }))
}

async fn planned(world: &World, flow: &str) -> Funnel {
    let engine = &world.embedded.engine;
    let stored = config::load_current(&*engine.store, &world.tenant).await.unwrap().unwrap();
    let planner = Planner::new(engine, &world.tenant, &stored, flow, whole(), None).await.unwrap();
    while planner.next().await.unwrap() {}
    planner.finish().await.unwrap().funnel
}

async fn is_planned_run_and_left_alone(pair: &str) {
    let text = text_of(pair);
    let world = World::with(options(), Path::new(embedded::IN_MEMORY), |sandbox| at(&text, sandbox)).await;
    let (shop, books) = pair.split_once("--").unwrap();
    let systems = [shop, books].map(|id| world.sandbox.system(id).unwrap());
    for system in &systems {
        assert_eq!(system.inspect("POST", "catalogue", &json!({})).0, 204);
    }
    let count = |funnel: &Funnel, outcomes: &[Outcome]| outcomes.iter().map(|one| funnel.count(*one)).sum::<u64>();
    for flow in turn(&text) {
        // A new minute, so that calls of the flow before are not counted.
        world.sandbox.clock().advance(chrono::TimeDelta::minutes(2));
        systems.iter().for_each(|system| system.reset_calls());
        let plan = planned(&world, &flow).await;
        assert_eq!(systems.each_ref().map(writes), [0, 0], "{pair} {flow}: a plan writes nothing");
        world.sandbox.clock().advance(chrono::TimeDelta::minutes(2));
        let ended = world.run_flow_scope(&flow, whole()).await;
        assert_eq!(plan, ended.funnel, "{pair} {flow}: {:#?}", ended.by_label);
        assert_eq!(count(&plan, &[Outcome::Rejected, Outcome::Parked]), 0, "{pair} {flow}: {:#?}", ended.by_label);
    }
    systems.iter().for_each(|system| system.reset_calls());
    for flow in turn(&text) {
        world.sandbox.clock().advance(chrono::TimeDelta::minutes(2));
        let ended = world.run_flow_scope(&flow, whole()).await;
        let changed = count(&ended.funnel, &[Outcome::Created, Outcome::Updated]);
        assert_eq!(changed, 0, "{pair} {flow}, a second time: {:#?}", ended.by_label);
    }
    assert_eq!(systems.each_ref().map(writes), [0, 0], "{pair}, a second time: {:?}", systems.map(|one| one.calls()));
}

#[tokio::test]
async fn woocommerce_and_exact_online_as_planned() {
    is_planned_run_and_left_alone("woocommerce--exact-online").await;
}

#[tokio::test]
async fn woocommerce_and_visma_net_as_planned() {
    is_planned_run_and_left_alone("woocommerce--visma-net").await;
}

#[tokio::test]
async fn ccv_shop_and_visma_net_as_planned() {
    is_planned_run_and_left_alone("ccv-shop--visma-net").await;
}

#[tokio::test]
async fn mijnwebwinkel_and_accountview_as_planned() {
    is_planned_run_and_left_alone("mijnwebwinkel--accountview").await;
}

#[tokio::test]
async fn woocommerce_and_asperion_as_planned() {
    is_planned_run_and_left_alone("woocommerce--asperion").await;
}

/// Each example is right as it stands, and says in which turn its flows go.
#[test]
fn every_example_is_valid_and_names_all_of_its_flows() {
    let mut pairs = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        pairs.push(path.file_name().unwrap().to_string_lossy().into_owned());
        let text = std::fs::read_to_string(path.join("koppel.yaml")).unwrap();
        let config = config::parse("koppel.yaml", &text).unwrap_or_else(|cause| panic!("{path:?}: {cause}"));
        let clock = std::sync::Arc::new(koppel_core::ports::SystemClock);
        let engine = embedded::open(
            Path::new(embedded::IN_MEMORY),
            clock,
            &embedded::Options::default(),
            koppel_hosting::connectors,
        )
        .unwrap();
        let causes = config::validate(&*engine.engine.systems, &config, "koppel.yaml");
        assert!(causes.is_empty(), "{path:?}: {causes:#?}");
        let mut named = turn(&text);
        named.sort_unstable();
        assert_eq!(named, config.flows.keys().map(String::as_str).collect::<Vec<_>>(), "{path:?}");
    }
    pairs.sort();
    let expected = [
        "ccv-shop--visma-net",
        "mijnwebwinkel--accountview",
        "woocommerce--asperion",
        "woocommerce--exact-online",
        "woocommerce--visma-net",
    ];
    assert_eq!(pairs, expected);
}
