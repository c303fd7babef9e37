//! A claim is won by one only, however close two writers are.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use koppel_core::NonEmpty;
use koppel_core::error::RetryReason;
use koppel_core::message::{Header, Step, Task};
use koppel_core::ports::{Condition, Item, Key, Store, StoreError};
use koppel_core::{Failure, Tenant};
use koppel_flows::Engine;
use koppel_flows::ledger::{self, LEASE};
use koppel_flows::runs::{self, Scope};
use koppel_flows::steps;
use koppel_hosting::ReceivingQueue;
use serde_json::json;
use tokio::sync::Barrier;

use super::world::{FLOW, World, yaml};

/// A store that answers what is read of the ledger only when everybody has asked.
struct Together {
    inner: Arc<dyn Store>,
    everybody: Barrier,
}

#[async_trait]
impl Store for Together {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        let item = self.inner.get(key).await;
        self.everybody.wait().await;
        item
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
        self.inner.batch_get(keys).await
    }

    async fn put(
        &self,
        key: &Key,
        value: &str,
        condition: Condition,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<u64, StoreError> {
        self.inner.put(key, value, condition, expires_at).await
    }

    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), StoreError> {
        self.inner.delete(key, condition).await
    }

    async fn query(
        &self,
        partition: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Item>, StoreError> {
        self.inner.query(partition, prefix, after, limit).await
    }
}

/// Claims the same record as three writers that have all read before one of them writes; how many won.
async fn winners(engine: &Engine, key: &Key) -> usize {
    let writers = ["one", "two", "three"].map(|run| Header {
        tenant: Tenant::default(),
        flow: FLOW.into(),
        run: run.into(),
        config_version: 1,
        chunk: "page-0-0-0".into(),
        lane: 0,
    });
    let claim = |writer| ledger::claim(engine, key.clone(), writer);
    let [one, two, three] = &writers;
    let (one, two, three) = tokio::join!(claim(one), claim(two), claim(three));
    let mut won = 0;
    for result in [one, two, three] {
        match result {
            Ok(Ok(_)) => won += 1,
            Ok(Err(entry)) => panic!("nothing is delivered: {entry:?}"),
            Err(failure) => assert!(matches!(failure, Failure::Retry { reason: RetryReason::Busy, .. }), "{failure}"),
        }
    }
    won
}

#[tokio::test]
async fn of_writers_that_have_all_looked_one_gets_the_claim() {
    let world = World::new(yaml).await;
    let base = &world.embedded.engine;
    let store = Arc::new(Together { inner: base.store.clone(), everybody: Barrier::new(3) });
    let engine = Engine::new(
        store,
        base.queue.clone(),
        base.bus.clone(),
        base.vault.clone(),
        base.clock.clone(),
        base.systems.clone(),
    );
    let key = ledger::key(&Tenant::default(), FLOW, &NonEmpty::new("23").expect("an id"));
    assert_eq!(winners(&engine, &key).await, 1, "a new record");
    assert_eq!(winners(&engine, &key).await, 0, "a claim that lives");
    world.sandbox.clock().advance(LEASE + chrono::TimeDelta::seconds(1));
    assert_eq!(winners(&engine, &key).await, 1, "a claim that has ended");
}

/// Runs one step of what is queued for it, of one flow; what belongs to others goes back.
async fn step(world: &World, step: Step, flow: &str) {
    let queue = &world.embedded.queue;
    for message in queue.receive(step, 10).await.expect("received") {
        if message.body.contains(&format!("\"flow\":\"{flow}\"")) {
            let task: Task = serde_json::from_str(&message.body).expect("a task");
            steps::run_task(&world.embedded.engine, task).await.unwrap_or_else(|failure| panic!("{step}: {failure}"));
            queue.ack(&message.receipt).await.expect("settled");
        } else {
            queue.retry_after(&message.receipt, std::time::Duration::ZERO, false).await.expect("back");
        }
    }
}

#[tokio::test]
async fn a_customer_that_an_order_creates_meanwhile_still_gets_what_the_shop_says() {
    const CUSTOMERS: &str = "customers";
    let world = World::new(|sandbox| {
        let orders = yaml(sandbox).replace("      default_customer: { when: guest, code: \"10000\" }\n", "");
        format!("{orders}  {CUSTOMERS}: {{ from: shop, to: books, entity: customers }}\n")
    })
    .await;
    let shop = world.sandbox.woocommerce();
    let mut jan = shop.documents("customers").into_iter().find(|row| row["email"] == "jan@example.test").expect("Jan");
    jan["billing"]["city"] = json!("Verhuisdorp");
    assert_eq!(shop.inspect("POST", "customers", &jan).0, 201);
    // The flow of customers has looked, and found nobody.
    let engine = &world.embedded.engine;
    let run = runs::start(engine, &world.tenant, CUSTOMERS, Scope::default()).await.expect("starts").expect("a run");
    for one in [Step::Fetch, Step::Map, Step::Check] {
        step(&world, one, CUSTOMERS).await;
    }
    // An order, with the address of that day, is faster.
    runs::start(engine, &world.tenant, FLOW, Scope::default()).await.expect("starts").expect("a run");
    for one in [Step::Fetch, Step::Map, Step::Check, Step::Write] {
        step(&world, one, FLOW).await;
    }
    let city = || {
        let accounts = world.sandbox.exact().documents("Accounts");
        let cities: Vec<String> = accounts
            .iter()
            .filter(|row| row["Email"] == "jan@example.test")
            .map(|row| row["City"].as_str().unwrap_or_default().to_owned())
            .collect();
        cities
    };
    assert_eq!(city(), ["Ons Dorp"], "the order has created him");
    let ended = world.finish_flow(CUSTOMERS, run).await;
    assert!(ended.funnel.adds_up(), "{}", ended.funnel);
    assert_eq!(city(), ["Verhuisdorp"], "{:#?}", ended.by_label);
}

#[tokio::test]
async fn an_article_that_another_run_creates_meanwhile_is_changed_and_not_created_again() {
    let world = super::mijnwebwinkel::world().await;
    world.sandbox.exact().add_catalogue().expect("added");
    super::mijnwebwinkel::shop(&world).add_catalogue().expect("added");
    world.sandbox.clock().advance(chrono::TimeDelta::minutes(30));
    // One run has looked, and found no jumper; then its host falls asleep.
    let engine = &world.embedded.engine;
    runs::start(engine, &world.tenant, "articles", Scope::default()).await.expect("starts").expect("a run");
    for one in [Step::Fetch, Step::Map, Step::Check] {
        step(&world, one, "articles").await;
    }
    let asleep = world.embedded.queue.receive(Step::Write, 10).await.expect("received");
    let tasks: Vec<Task> = asleep.iter().map(|one| serde_json::from_str(&one.body).expect("a task")).collect();
    assert!(asleep.iter().any(|one| one.body.contains("TRUI")), "{}", asleep.len());
    // The work of another run reaches the shop first: the same decisions, made of articles as they were before.
    for task in &tasks {
        let Task::Write(write) = task else { panic!("a task to write: {task:?}") };
        let mut earlier = write.clone();
        earlier.header.run = "earlier".into();
        for decision in &mut earlier.decisions {
            decision.content_hash.push_str("-earlier");
        }
        steps::run_task(engine, Task::Write(earlier)).await.expect("written");
    }
    let count = || {
        let articles = super::mijnwebwinkel::shop(&world).documents("articles");
        let mut numbers: Vec<String> = articles.iter().map(|row| row["sku"].to_string()).collect();
        numbers.retain(|number| number.len() > 2);
        numbers.sort();
        numbers
    };
    let before = count();
    assert!(before.iter().any(|number| number.contains("TRUI")), "{before:?}");
    for task in tasks {
        steps::run_task(engine, task).await.expect("written");
    }
    assert_eq!(count(), before, "nothing is there twice");
}
