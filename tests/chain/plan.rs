//! A plan writes nothing, neither in the target nor in the store, and a run then does what it said.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use koppel_core::outcome::Outcome;
use koppel_core::ports::{Condition, Item, Key, Store, StoreError};
use koppel_flows::plan::{CustomerAct, Plan, Planner};
use koppel_flows::privacy::content_hash;
use koppel_flows::runs::Scope;
use koppel_flows::{Engine, config, runs, trail, waiting};
use koppel_hosting::Ports;
use serde_json::{Value, json};

use super::world::{FLOW, World, yaml};

/// A store that remembers what was written to it, and in which area.
struct Watched {
    below: Arc<dyn Store>,
    written: Mutex<Vec<Key>>,
}

impl Watched {
    fn over(below: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { below, written: Mutex::default() })
    }

    fn areas(&self) -> BTreeSet<String> {
        let area = |key: &Key| key.partition.split('#').nth(1).unwrap().to_owned();
        self.written.lock().unwrap().iter().map(area).collect()
    }
}

#[async_trait]
impl Store for Watched {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        self.below.get(key).await
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
        self.below.batch_get(keys).await
    }

    async fn put(
        &self,
        key: &Key,
        value: &str,
        condition: Condition,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<u64, StoreError> {
        self.written.lock().unwrap().push(key.clone());
        self.below.put(key, value, condition, expires_at).await
    }

    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), StoreError> {
        self.written.lock().unwrap().push(key.clone());
        self.below.delete(key, condition).await
    }

    async fn query(&self, p: &str, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Item>, StoreError> {
        self.below.query(p, prefix, after, limit).await
    }
}

async fn plan_on(engine: &Engine, world: &World, flow: &str, scope: Scope, limit: Option<usize>) -> Plan {
    let stored = config::load_current(&*engine.store, &world.tenant).await.unwrap().unwrap();
    let planner = Planner::new(engine, &world.tenant, &stored, flow, scope, limit).await.unwrap();
    while planner.next().await.unwrap() {}
    planner.finish().await.unwrap()
}

async fn plan(world: &World) -> Plan {
    plan_on(&world.embedded.engine, world, FLOW, Scope::default(), None).await
}

/// Calls to either system that could change something.
fn writes(world: &World) -> Vec<String> {
    let both = [world.sandbox.exact(), world.sandbox.woocommerce()];
    let calls = both.iter().flat_map(|system| system.calls().into_keys().collect::<Vec<_>>());
    calls.filter(|call| !call.starts_with("GET ") && !call.contains("oauth2/token")).collect()
}

#[tokio::test]
async fn nothing_is_written_in_the_target_or_in_the_store() {
    let world = World::new(yaml).await;
    let real = &world.embedded.engine;
    let (by_steps, by_connectors) = (Watched::over(real.store.clone()), Watched::over(real.store.clone()));
    let ports = Ports { store: by_connectors.clone(), vault: real.vault.clone(), clock: real.clock.clone() };
    let watched = Engine::new(
        by_steps.clone(),
        real.queue.clone(),
        real.bus.clone(),
        real.vault.clone(),
        real.clock.clone(),
        koppel_hosting::connectors(&ports),
    );
    let tables = ["SalesOrders", "Accounts", "Contacts", "Addresses"];
    let before = tables.map(|table| world.sandbox.exact().documents(table));
    let plan = plan_on(&watched, &world, FLOW, Scope::default(), None).await;
    assert_eq!(plan.funnel.count(Outcome::Created), 6);

    assert_eq!(writes(&world), Vec::<String>::new());
    assert_eq!(tables.map(|table| world.sandbox.exact().documents(table)), before);
    assert_eq!(by_steps.areas(), BTreeSet::new());
    // The calls are real, and so is what is counted of them.
    assert_eq!(by_connectors.areas(), ["budget".to_owned()].into());
    assert_eq!(runs::state(real, &world.tenant, FLOW).await.unwrap(), runs::FlowState::default());
    assert!(waiting::list(real, &world.tenant, FLOW).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_run_does_what_the_plan_said() {
    let world = World::new(yaml).await;
    let plan = plan(&world).await;
    let ended = world.run().await;
    assert_eq!(plan.funnel, ended.funnel);
    for planned in &plan.records {
        let label = planned.result.label.as_str();
        let result = &ended.by_label[label];
        assert_eq!(planned.result.outcome, result.outcome, "{label}");
        assert_eq!(planned.result.cause, result.cause, "{label}");
        assert_eq!((planned.result.net, planned.result.tax), (result.net, result.tax), "{label}");
        if planned.would_be_sent() {
            let entries = trail::read(&world.embedded.engine, &world.tenant, FLOW, &result.key).await.unwrap();
            let sent = &entries.last().unwrap().payload["payload"];
            assert_eq!(planned.payload_hash, content_hash(sent), "{label}");
        }
    }
    let new: Vec<&str> = plan
        .records
        .iter()
        .filter(|record| record.customer.as_ref().is_some_and(|c| c.act == CustomerAct::Create))
        .map(|record| record.result.label.as_str())
        .collect();
    // Guests go on the default debtor; everybody else is new to the books.
    let orders = world.sandbox.woocommerce().documents("orders");
    let is_guest = |label: &str| orders.iter().any(|order| order["number"] == label && order["customer_id"] == 0);
    assert!(new.iter().all(|label| !is_guest(label)), "{new:?}");
    assert_eq!(ended.labels(Outcome::Created).into_iter().filter(|l| !is_guest(l)).collect::<Vec<_>>(), new);
    let log = world.sandbox.exact().log();
    let created = log.iter().filter(|call| call.method == "POST" && call.path.ends_with("crm/Accounts")).count();
    assert_eq!(plan.new_customers, created);
}

#[tokio::test]
async fn after_a_run_nothing_is_left_to_plan_and_a_changed_order_is_only_told() {
    let world = World::new(yaml).await;
    world.run().await;
    let everything = Scope { since: Some(DateTime::UNIX_EPOCH), ids: Vec::new() };
    let again = plan_on(&world.embedded.engine, &world, FLOW, everything, None).await;
    assert_eq!((again.funnel.count(Outcome::Unchanged), again.funnel.count(Outcome::Created)), (6, 0));
    assert_eq!(again.totals.documents, 0);
}

#[tokio::test]
async fn totals_by_vat_code_are_those_of_the_books() {
    let world = World::new(yaml).await;
    let plan = plan(&world).await;
    world.run().await;
    let lines = world.sandbox.exact().documents("SalesOrderLines");
    for sum in &plan.totals.by_vat_code {
        let of_code = lines.iter().filter(|line| line["VATCode"].as_str().unwrap().trim() == sum.code);
        let amount = |line: &Value| line["AmountFC"].to_string().trim_matches('"').parse::<rust_decimal::Decimal>();
        let (count, net) =
            of_code.fold((0, rust_decimal::Decimal::ZERO), |(n, net), line| (n + 1, net + amount(line).unwrap()));
        assert_eq!((sum.lines, sum.net), (count, net), "VAT code {}", sum.code);
    }
    let codes: Vec<&str> = plan.totals.by_vat_code.iter().map(|sum| sum.code.as_str()).collect();
    assert_eq!(codes, ["0", "12", "2", "4", "7"]);
}

#[tokio::test]
async fn a_limit_ends_the_reading_and_ids_are_read_alone() {
    let world = World::new(yaml).await;
    let engine = &world.embedded.engine;
    let two = plan_on(engine, &world, FLOW, Scope::default(), Some(2)).await;
    assert_eq!(two.funnel.fetched, 2);
    assert_eq!(two.records.iter().map(|r| r.result.label.as_str()).collect::<Vec<_>>(), ["23", "24"]);
    let scope = Scope { since: None, ids: vec!["28".to_owned().try_into().unwrap()] };
    let one = plan_on(engine, &world, FLOW, scope, None).await;
    let cause = one.record("28").unwrap().result.cause.as_ref().unwrap();
    assert!(cause.message.contains("status «pending»"), "{cause}");
}

#[tokio::test]
async fn what_a_run_would_hold_back_is_told_with_its_cause() {
    let world = World::new(|sandbox| yaml(sandbox).replace(", DE/19: \"12\"", "")).await;
    let mut order = world.sandbox.woocommerce().documents("orders").into_iter().find(|o| o["id"] == 24).unwrap();
    order["id"] = json!(61);
    order["number"] = json!("61");
    order["line_items"][0]["sku"] = json!("NIET-BEKEND");
    assert!(world.sandbox.woocommerce().inspect("POST", "orders", &order).0 < 300);
    let plan = plan(&world).await;
    let cause = |label: &str| plan.record(label).unwrap().result.cause.clone().unwrap();
    assert_eq!(cause("27").code, "missing_vat_rule");
    assert!(cause("61").message.contains("NIET-BEKEND"), "{}", cause("61"));
    let ended = world.run().await;
    assert_eq!(plan.funnel, ended.funnel);
    assert_eq!(cause("61").message, ended.by_label["61"].cause.as_ref().unwrap().message);
}

#[tokio::test]
async fn a_source_that_refuses_is_an_error_and_not_an_empty_plan() {
    let world = World::new(|sandbox| yaml(sandbox).replace("cs_68", "cs_00")).await;
    let engine = &world.embedded.engine;
    let stored = config::load_current(&*engine.store, &world.tenant).await.unwrap().unwrap();
    let planner = Planner::new(engine, &world.tenant, &stored, FLOW, Scope::default(), None).await.unwrap();
    while planner.next().await.unwrap() {}
    let failure = planner.finish().await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().place.connection.as_deref()), ("auth", Some("shop")), "{failure}");
    assert!(koppel_flows::connections::stopped(engine, &world.tenant, "shop").await.unwrap().is_none());
}
