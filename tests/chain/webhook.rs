//! Webhooks from the shop to the books: what is told arrives without a sweep, what is lost is brought by the sweep, and
//! nothing arrives twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::Tenant;
use koppel_core::message::{Step, Task};
use koppel_core::outcome::Outcome;
use koppel_core::ports::store::partition;
use koppel_core::ports::webhook::Delivery;
use koppel_core::ports::{Condition, Item, Key, Store, StoreError};
use koppel_flows::runs::{self, Run, Scope};
use koppel_flows::steps::webhook::{delivery_counts, receive};
use koppel_flows::webhooks::{self, Found};
use koppel_flows::{Engine, config, steps};
use koppel_hosting::ReceivingQueue;
use koppel_hosting::lambda::webhook::{HttpRequest, answer};
use koppel_hosting::local::{Drain, serve_http};
use koppel_sandbox::Handle;
use koppel_sandbox::woocommerce::webhook_signature;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::world::{FLOW, World, yaml};

const EVENT: &str = include_str!("../../events/webhook.json");

fn with_webhooks(sandbox: &Handle) -> String {
    yaml(sandbox).replace("    entity: orders\n", "    entity: orders\n    webhook: true\n")
}

/// A world whose first run has been, with an endpoint and registered webhooks. The address of the endpoint.
async fn listening() -> (World, String) {
    let world = World::new(with_webhooks).await;
    world.run().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(serve_http(listener, world.embedded.engine.clone(), std::future::pending()));
    let found = register(&world, &base).await;
    assert!(found.values().all(|was| *was == Found::Missing) && found.len() == 4, "{found:?}");
    // What changed before is not judged; the clock of the shop knows whole seconds.
    world.sandbox.clock().advance(TimeDelta::seconds(2));
    (world, base)
}

async fn register(world: &World, base: &str) -> BTreeMap<String, Found> {
    let engine = &world.embedded.engine;
    let stored = config::load_current(&*engine.store, &world.tenant).await.expect("read").expect("applied");
    let findings = webhooks::register(engine, &world.tenant, &stored.config, "shop", base).await.expect("registered");
    findings.into_iter().map(|finding| (finding.topic, finding.was)).collect()
}

/// Places a copy of order 24 under another id.
fn place(world: &World, id: u64) {
    let shop = world.sandbox.woocommerce();
    let mut order = shop.documents("orders").into_iter().find(|o| o["id"] == 24).expect("order 24");
    let now = world.sandbox.clock().now().format("%Y-%m-%dT%H:%M:%S").to_string();
    order["id"] = id.into();
    order["number"] = id.to_string().into();
    order["date_modified_gmt"] = now.into();
    let (status, answer) = shop.inspect("POST", "orders", &order);
    assert!(status < 300, "{answer}");
}

async fn counts(world: &World) -> BTreeMap<String, u64> {
    // Counts are written now and then; one more request a while later brings them all out.
    world.sandbox.clock().advance(TimeDelta::seconds(11));
    let ping = Delivery {
        headers: vec![("Content-Type".into(), "application/x-www-form-urlencoded".into())],
        body: b"webhook_id=1".to_vec(),
    };
    let engine = &world.embedded.engine;
    assert_eq!(receive(engine, &world.tenant, "shop", &ping).await.status, 200);
    delivery_counts(engine, &world.tenant, "shop").await.expect("counts")
}

/// Lets the shop send what waits, and the host do all that follows from it.
async fn settle(world: &World) {
    for _ in 0..500 {
        let (_, waits) = world.sandbox.woocommerce().inspect("GET", "webhooks", &Value::Null);
        let drain = Drain::patient(Duration::from_secs(5)).at_most(Duration::from_secs(20));
        world.host.drain(&drain, std::future::pending()).await.expect("drained");
        if waits["waiting"] == 0 && waits["sending"] == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the shop does not come to an end with its webhooks");
}

/// The runs of hints.
async fn hint_runs(world: &World) -> Vec<Run> {
    let area = partition(&world.tenant, &["run", FLOW]);
    let items = koppel_flows::items::all(&world.embedded.engine, &area, "webhook-").await.expect("read");
    items.iter().map(|item| serde_json::from_str(&item.value).expect("a run")).collect()
}

/// Places an order that nobody has seen, and has the shop and the host settle all that follows.
async fn place_and_settle(world: &World, id: u64) {
    place(world, id);
    settle(world).await;
}

/// Status of the webhook of a topic.
fn status(world: &World, topic: &str) -> String {
    let hooks = world.sandbox.woocommerce().documents("webhooks");
    let hook = hooks.iter().find(|hook| hook["topic"] == topic).expect("registered");
    hook["status"].as_str().expect("a status").to_owned()
}

/// A delivery of the shop's, signed with the secret that was registered.
fn signed(world: &World, event: &str, delivery: &str, body: &str) -> Delivery {
    let hooks = world.sandbox.woocommerce().documents("webhooks");
    let secret = hooks[0]["secret"].as_str().expect("a secret");
    let topic = format!("order.{event}");
    let headers = [
        ("Content-Type", "application/json"),
        ("X-WC-Webhook-Topic", &topic),
        ("X-WC-Webhook-Resource", "order"),
        ("X-WC-Webhook-Event", event),
        ("X-WC-Webhook-Delivery-ID", delivery),
        ("X-WC-Webhook-Signature", &webhook_signature(secret, body.as_bytes())),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Delivery { headers, body: body.as_bytes().to_vec() }
}

#[tokio::test]
async fn an_order_arrives_through_the_webhook_without_a_sweep_and_beside_an_open_run() {
    let (world, _) = listening().await;
    let engine = &world.embedded.engine;
    // A run of the flow has read everything and is open: nobody has ended it yet.
    let open = runs::start(engine, &world.tenant, FLOW, Scope::default()).await.expect("starts");
    settle(&world).await;
    assert!(!world.sales_orders().contains_key("WC-900"));
    place_and_settle(&world, 900).await;
    assert!(world.sales_orders().contains_key("WC-900"), "the hint does not wait for the run");
    let state = runs::state(engine, &world.tenant, FLOW).await.expect("state");
    assert_eq!(state.open_run, open, "and leaves it alone");

    let counts = counts(&world).await;
    // Made and updated are told at once with the same content: one of them is acted on.
    assert_eq!((counts["accepted"], counts["covered"]), (1, 1), "{counts:?}");
    world.host.schedule().await;
    let runs = hint_runs(&world).await;
    assert_eq!(runs.len(), 1);
    assert!(runs[0].finished_at.is_some() && runs[0].incomplete.is_none(), "{:?}", runs[0]);
    assert_eq!((runs[0].funnel.fetched, runs[0].funnel.count(Outcome::Created)), (1, 1));
    let state = runs::state(engine, &world.tenant, FLOW).await.expect("state");
    assert_eq!(state.open_run, None);
}

/// A store during whose first write of a hint's run the schedule comes along.
struct ScheduleBetween {
    inner: Arc<dyn Store>,
    engine: Engine,
    was_there: AtomicBool,
}

#[async_trait]
impl Store for ScheduleBetween {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        self.inner.get(key).await
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
        let is_run = key.partition == partition(&Tenant::default(), &["run", FLOW]) && key.sort.starts_with("webhook-");
        if is_run && !self.was_there.swap(true, Ordering::Relaxed) {
            steps::schedule(&self.engine).await.expect("the schedule");
        }
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

#[tokio::test]
async fn the_run_of_a_hint_ends_though_the_schedule_came_while_it_was_opened() {
    let (world, _) = listening().await;
    place(&world, 70);
    let mut told = Vec::new();
    for _ in 0..500 {
        told.extend(world.embedded.queue.receive(Step::Fetch, 10).await.expect("received"));
        if told.iter().any(|message| message.body.contains("webhook-")) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let base = &world.embedded.engine;
    let store = Arc::new(ScheduleBetween {
        inner: base.store.clone(),
        engine: base.clone(),
        was_there: AtomicBool::new(false),
    });
    let engine = Engine::new(
        store.clone(),
        base.queue.clone(),
        base.bus.clone(),
        base.vault.clone(),
        base.clock.clone(),
        base.systems.clone(),
    );
    for message in told {
        let task: Task = serde_json::from_str(&message.body).expect("a task");
        steps::run_task(&engine, task).await.expect("read");
        world.embedded.queue.ack(&message.receipt).await.expect("settled");
    }
    assert!(store.was_there.load(Ordering::Relaxed), "a run of a hint was opened");
    settle(&world).await;
    world.host.schedule().await;
    let runs = hint_runs(&world).await;
    assert!(!runs.is_empty() && runs.iter().all(|run| run.finished_at.is_some()), "{runs:#?}");
    assert!(world.sales_orders().contains_key("WC-70"));
}

#[tokio::test]
async fn the_sweep_brings_what_was_lost_each_once_and_the_loss_is_measured() {
    let (world, _) = listening().await;
    // An order is told twice, made and updated: losing 55 % of the deliveries loses 30 % of the orders.
    let switches = json!({ "webhook_drop_percent": 55, "webhook_duplicate_percent": 20 });
    world.sandbox.woocommerce().set_switches(switches).expect("switches");
    for id in 900..930 {
        place(&world, id);
        if id % 10 == 9 {
            settle(&world).await;
            // A new minute, so that the books take the calls of the next ones.
            world.sandbox.clock().advance(TimeDelta::seconds(61));
        }
    }
    let told = world.sales_orders().len() - 6;
    assert!((1..30).contains(&told), "{told} of 30 came through webhooks");
    world.sandbox.clock().advance(TimeDelta::minutes(2));
    let ended = world.run().await;
    assert_eq!(ended.funnel.count(Outcome::Created) as usize, 30 - told, "{:#?}", ended.by_label);
    // `sales_orders` refuses a reference that is there twice.
    assert_eq!(world.sales_orders().len(), 36);
    let state = runs::state(&world.embedded.engine, &world.tenant, FLOW).await.expect("state");
    assert_eq!((state.hints.told as usize, state.hints.missed as usize), (told, 30 - told));
    // The next sweep reads the last five minutes again and judges nothing twice.
    world.run().await;
    let again = runs::state(&world.embedded.engine, &world.tenant, FLOW).await.expect("state");
    assert_eq!(again.hints, state.hints);
}

#[tokio::test]
async fn a_deleted_order_is_read_and_found_gone_and_a_repeated_delivery_changes_nothing() {
    let (world, _) = listening().await;
    let engine = &world.embedded.engine;
    let id = "0123456789abcdef0123456789abcdef";
    let delivery = signed(&world, "deleted", id, r#"{"id":4040}"#);
    assert_eq!(receive(engine, &world.tenant, "shop", &delivery).await.outcome, "accepted");
    settle(&world).await;
    // A day later it is still known, and the day after that it would only have the record read again.
    for (hours, outcome) in [(0, "repeated"), (23, "repeated"), (2, "accepted")] {
        world.sandbox.clock().advance(TimeDelta::hours(hours));
        assert_eq!(receive(engine, &world.tenant, "shop", &delivery).await.outcome, outcome, "{hours} hours");
    }
    settle(&world).await;
    world.host.schedule().await;
    let runs = hint_runs(&world).await;
    assert_eq!(runs.len(), 2);
    for run in runs {
        assert!(run.finished_at.is_some(), "{run:?}");
        assert_eq!((run.funnel.fetched, run.funnel.count(Outcome::Skipped)), (1, 1));
    }
}

#[tokio::test]
async fn seven_failures_disable_a_webhook_and_the_daily_look_mends_it() {
    let world = World::new(with_webhooks).await;
    world.run().await;
    // Nobody listens there.
    let found = register(&world, "http://127.0.0.1:1").await;
    assert_eq!(found.len(), 4);
    for id in 900..906 {
        place_and_settle(&world, id).await;
    }
    assert_eq!(status(&world, "order.updated"), "active", "six failures are forgiven");
    place_and_settle(&world, 906).await;
    assert_eq!(status(&world, "order.updated"), "disabled");
    assert_eq!(status(&world, "order.deleted"), "active", "nothing was told on it");

    let engine = &world.embedded.engine;
    let stored = config::load_current(&*engine.store, &world.tenant).await.expect("read").expect("applied");
    let findings = webhooks::check(engine, &world.tenant, &stored.config, "shop").await.expect("checked");
    let mut disabled: Vec<&str> =
        findings.iter().filter(|f| f.was == Found::Disabled).map(|f| f.topic.as_str()).collect();
    disabled.sort_unstable();
    assert_eq!(disabled, ["order.created", "order.updated"]);
    assert_eq!(status(&world, "order.updated"), "active");
    // The shop does not forget: one more failure disables again.
    place_and_settle(&world, 907).await;
    assert_eq!(status(&world, "order.updated"), "disabled");
    world.host.schedule().await;
    assert_eq!(status(&world, "order.updated"), "disabled", "it is not looked at more than once a day");
    world.sandbox.clock().advance(TimeDelta::hours(25));
    world.host.schedule().await;
    assert_eq!(status(&world, "order.updated"), "active");
    let known = webhooks::registration(engine, &world.tenant, "shop").await.expect("read").expect("registered");
    assert_eq!(known.mended.len(), 2, "{known:?}");
}

#[tokio::test]
async fn registering_again_keeps_the_secret_and_makes_no_second_webhook() {
    let (world, base) = listening().await;
    let secrets = |world: &World| -> Vec<Value> {
        world.sandbox.woocommerce().documents("webhooks").iter().map(|hook| hook["secret"].clone()).collect()
    };
    let before = secrets(&world);
    assert!(before.iter().all(|secret| secret.as_str().is_some_and(|text| text.len() > 40)));
    assert!(register(&world, &base).await.values().all(|was| *was == Found::Good));
    assert_eq!(secrets(&world), before);
    settle(&world).await;
    assert_eq!(counts(&world).await["ping"], 5, "the shop pinged each of four, and one was ours");
}

#[tokio::test]
async fn the_lambda_handler_takes_the_sample_event_once() {
    let (world, _) = listening().await;
    let engine = &world.embedded.engine;
    let recorded: Value = serde_json::from_str(EVENT).expect("JSON");
    let request = |event: &Value| -> HttpRequest { serde_json::from_value(event.clone()).expect("an HTTP API event") };
    // The recorded signature is of another secret.
    let refused = answer(engine, request(&recorded)).await;
    assert_eq!((refused.status_code, refused.body), (401, "wrong_signature"));
    let body = STANDARD.decode(recorded["body"].as_str().expect("a body")).expect("base64");
    let secret = world.sandbox.woocommerce().documents("webhooks")[0]["secret"].clone();
    let mut genuine = recorded;
    genuine["headers"]["x-wc-webhook-signature"] = webhook_signature(secret.as_str().expect("text"), &body).into();
    let with = |path: &[&str], value: &str| {
        let mut event = genuine.clone();
        let mut at = &mut event;
        for name in path {
            at = &mut at[*name];
        }
        *at = value.into();
        event
    };
    for (event, status) in [
        (with(&["rawPath"], "/webhook/main/nobody"), 404),
        (with(&["rawPath"], "/webhook/other/shop"), 404),
        (with(&["requestContext", "http", "method"], "GET"), 405),
        (with(&["body"], "no base64"), 400),
    ] {
        assert_eq!(answer(engine, request(&event)).await.status_code, status);
    }
    for expected in ["accepted", "repeated"] {
        let response = answer(engine, request(&genuine)).await;
        assert_eq!((response.status_code, response.body), (200, expected));
    }
    let response = serde_json::to_value(answer(engine, request(&genuine)).await).expect("JSON");
    assert_eq!(response, json!({ "statusCode": 200, "body": "repeated" }));
}
