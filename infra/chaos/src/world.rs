//! One world: both sandboxes with a clock that stands still, an engine in memory, consent, a configuration, hosts.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use koppel_core::keys::Tenant;
use koppel_core::ports::{Calls, Clock};
use koppel_flows::config::{self, Secrets};
use koppel_flows::{Engine, connections};
use koppel_hosting::Ports;
use koppel_hosting::embedded::{self, EmbeddedEngine, QueueSettings};
use koppel_sandbox::exact_online::{CLIENT_ID, CLIENT_SECRET};
use koppel_sandbox::{Handle, Options, Sandbox};
use serde_json::json;

use crate::ChaosError;
use crate::gate::Chaos;
use crate::kept::{Kept, OURS};
use crate::ports::{FaultyBus, FaultyQueue, FaultyStore, FaultyVault};
use crate::post::Post;
use crate::shop::{Shop, text};
use crate::systems::FaultySystems;

/// The flow of orders of every world.
pub const FLOW: &str = "web-orders";
/// All flows of every world.
pub const FLOWS: [&str; 5] = [FLOW, "refunds", "articles", "stock", "customers"];
const SHOP_KEY: &str = "ck_40e6269f8e005c6da0b6f94b649bc5b85f8294e1";
const SHOP_SECRET: &str = "cs_68568b8871d2d70d583699ea3665e0297f6ebe28";
/// A host here dies a hundred times as often as any real one; what is tested is what the steps do about it.
const ATTEMPTS: u32 = 200;

/// Hours before which worlds begin by turns: both changes of the clock in Amsterdam, the end of a year, a plain day.
const BEGINNINGS: [&str; 4] =
    ["2026-10-25T00:10:00Z", "2026-12-31T22:20:00Z", "2027-03-28T00:05:00Z", "2026-11-25T12:00:00Z"];

struct WorldClock(koppel_sandbox::Clock);

impl Clock for WorldClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.now()
    }
}

/// Everything of one story.
pub struct World {
    /// Seed.
    pub seed: u64,
    /// Orders that were generated.
    pub orders: usize,
    /// Both systems.
    pub sandbox: Handle,
    /// The engine without gates.
    pub embedded: EmbeddedEngine,
    /// Gates and faults.
    pub chaos: Arc<Chaos>,
    /// What the shop still has to come.
    pub shop: Shop,
    /// What is kept in step, and still changes.
    pub kept: Kept,
    /// What the shop has told and did not arrive yet.
    pub post: Post,
    /// Whose data it is.
    pub tenant: Tenant,
}

impl World {
    /// Builds the world of a seed. Its kind goes by the seed: limits, own customers or a shared debtor, lanes, schedule.
    pub async fn build(seed: u64, orders: usize) -> Result<Self, ChaosError> {
        let begin: DateTime<Utc> =
            BEGINNINGS[(seed % 4) as usize].parse().map_err(|error| ChaosError::of("a beginning", error))?;
        let limits = if has_limits(seed) { json!(2_000) } else { json!(null) };
        let days = if has_limits(seed) { json!(60_000) } else { json!(null) };
        let switches = json!({ "minute_limit": limits, "day_limit": days, "refresh_grace": seed.is_multiple_of(2) });
        let options = Options::default().start_time(begin).switch("exact-online", switches);
        let sandbox = Sandbox::start(options).await?;
        sandbox.clock().freeze(begin);
        let clock: Arc<dyn Clock> = Arc::new(WorldClock(sandbox.clock().clone()));
        let queue = QueueSettings { max_attempts: ATTEMPTS, ..QueueSettings::default() };
        let options = embedded::Options { queue, ..embedded::Options::default() };
        let embedded = embedded::open(Path::new(embedded::IN_MEMORY), clock, &options, koppel_hosting::connectors)?;
        let chaos = Arc::new(Chaos::new(seed, sandbox.clock().clone()));
        let shop = Shop::open(seed, orders, &sandbox)?;
        let kept = Kept::open(seed, orders, &sandbox)?;
        let post = Post::new(seed, None);
        let mut world = Self { seed, orders, sandbox, embedded, chaos, shop, kept, post, tenant: Tenant::default() };
        world.apply().await?;
        world.consent().await?;
        if has_webhooks(seed) {
            world.post = Post::new(seed, Some(world.register().await?));
        }
        Ok(world)
    }

    async fn apply(&self) -> Result<(), ChaosError> {
        let engine = &self.embedded.engine;
        let yaml = yaml(self.seed, &self.sandbox);
        let config = config::parse("koppel.yaml", &yaml).map_err(|cause| ChaosError::of("configuration", cause))?;
        if let Some(cause) = config::validate(&*engine.systems, &config, "koppel.yaml").first() {
            return Err(ChaosError::of("configuration", cause));
        }
        let secrets: Secrets = config::resolve_secrets(&config, |_| None)
            .map_err(|cause| ChaosError::of("secrets", format!("{cause:?}")))?;
        config::store_secrets(&*engine.store, &*engine.vault, &self.tenant, &secrets).await?;
        config::save_version(&*engine.store, &self.tenant, &config, "koppel.yaml", engine.clock.now(), None).await?;
        Ok(())
    }

    /// Registers the webhooks, and returns their secret. The shop's own deliveries are lost: those of [`Post`] stand for
    /// them, at moments that the seed decides.
    async fn register(&self) -> Result<String, ChaosError> {
        let engine = &self.embedded.engine;
        let shop = self.sandbox.woocommerce();
        shop.set_switches(json!({ "webhook_drop_percent": 100 })).map_err(|error| ChaosError::of("a switch", error))?;
        let none = || ChaosError::Other("the shop has no webhooks".into());
        let stored = config::load_current(&*engine.store, &self.tenant).await?.ok_or_else(none)?;
        let base = "http://127.0.0.1:9";
        koppel_flows::webhooks::register(engine, &self.tenant, &stored.config, "shop", base).await?;
        let hooks = shop.documents("webhooks");
        hooks.first().map(|hook| text(&hook["secret"])).ok_or_else(none)
    }

    /// Gives consent to the books, as a person does in a browser. No faults must be in the way.
    pub async fn consent(&self) -> Result<(), ChaosError> {
        let engine = &self.embedded.engine;
        let none = || ChaosError::Other("the books have no way to consent".into());
        let stored = config::load_current(&*engine.store, &self.tenant).await?.ok_or_else(none)?;
        let connection = connections::open(engine, &self.tenant, &stored.config, "books").await?;
        let consent = engine.systems.consent(&connection)?.ok_or_else(none)?;
        let page = consent.authorize_url("state-1")?;
        // Some other client may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
        let client = client.map_err(|error| ChaosError::of("a browser", error))?;
        let answer = client.get(page).send().await.map_err(|error| ChaosError::of("the consent page", error))?;
        let back = answer.headers().get("location").and_then(|value| value.to_str().ok()).ok_or_else(none)?;
        let back = reqwest::Url::parse(back).map_err(|error| ChaosError::of("the way back", error))?;
        let code = back.query_pairs().find(|(name, _)| name == "code").ok_or_else(none)?.1.into_owned();
        consent.exchange_code(&code, &Calls::default()).await?;
        Ok(connections::resume(engine, &self.tenant, "books").await?)
    }

    /// A new host: the same store and queues, nothing in its memory.
    pub fn host(&self) -> Engine {
        let engine = &self.embedded.engine;
        let chaos = || Arc::clone(&self.chaos);
        let ports = Ports {
            store: Arc::new(FaultyStore::new(engine.store.clone(), chaos())),
            vault: Arc::new(FaultyVault::new(engine.vault.clone(), chaos())),
            clock: engine.clock.clone(),
        };
        let systems = FaultySystems::new(koppel_hosting::connectors(&ports), chaos());
        Engine::new(
            ports.store,
            Arc::new(FaultyQueue::new(engine.queue.clone(), chaos())),
            Arc::new(FaultyBus::new(engine.bus.clone(), chaos())),
            ports.vault,
            ports.clock,
            Arc::new(systems),
        )
    }
}

fn has_webhooks(seed: u64) -> bool {
    !seed.is_multiple_of(3)
}

fn has_limits(seed: u64) -> bool {
    seed % 3 == 1
}

fn yaml(seed: u64, sandbox: &Handle) -> String {
    let limits = if has_limits(seed) {
        "calls_per_minute: 1800\n    calls_per_day: 50000"
    } else {
        "calls_per_minute: 100000\n    calls_per_day: 10000000"
    };
    let guests = if seed.is_multiple_of(2) { "default_customer: { when: guest, code: \"10000\" }" } else { "" };
    let schedule = if seed % 3 == 2 {
        "schedule: { cron: \"*/7 * * * *\", timezone: Europe/Amsterdam }"
    } else {
        "schedule: { every: 5m }"
    };
    // What decides orders decides what credits them.
    let settings = format!(
        r#"
      vat_code:
        table: {{ NL/21: "4", NL/9: "2", NL/0: "0", DE/19: "12", DE/7: "14", DE/0: "0", BE/21: "13", BE/0: "0", exempt: "7" }}
      payment_terms: {{ table: {{ bacs: "30" }}, default: "00" }}
      {guests}
      default_item: "DIVERS"
      shipping_item: "VERZENDKOSTEN"
      fee_item: "TOESLAG"
      discount_item: "KORTING"
      rounding: {{ line: true, item: "AFRONDING", vat_code: "0", max: "0.25" }}
"#
    );
    format!(
        r#"
connections:
  shop: {{ system: woocommerce, url: "{shop}", page_size: {page}, credentials: {{ key: "{SHOP_KEY}", secret: "{SHOP_SECRET}" }} }}
  books:
    system: exact-online
    country: nl
    division: 123456
    url: {books}
    {limits}
    redirect_uri: http://127.0.0.1:8976/callback
    credentials: {{ client_id: "{CLIENT_ID}", client_secret: "{CLIENT_SECRET}" }}
flows:
  {FLOW}:
    from: shop
    to: books
    entity: orders
    document: sales-order
    since: 2026-01-01
    lanes: {lanes}
    {schedule}
    webhook: {webhook}
    filter: {{ status: [processing, completed, on-hold], where: 'source.total | number > 0' }}
    settings:{settings}
  refunds:
    from: shop
    to: books
    entity: refunds
    document: sales-order
    since: 2026-01-01
    lanes: {lanes}
    schedule: {{ every: 11m }}
    settings:
      refund_item: "DIVERS"{settings}
  articles:
    from: books
    to: shop
    entity: products
    schedule: {{ every: 13m }}
    filter: {{ where: 'source.Code | starts_with("{OURS}")' }}
  stock:
    from: books
    to: shop
    entity: stock
    schedule: {{ every: 9m }}
    filter: {{ where: 'source.ItemCode | starts_with("{OURS}")' }}
  customers:
    from: shop
    to: books
    entity: customers
    schedule: {{ every: 17m }}
    filter: {{ where: 'source.billing.country == "NL"' }}
    settings:
      vat_code: {{ default: "4" }}
      payment_terms: {{ default: "30" }}
"#,
        shop = sandbox.woocommerce_url(),
        books = sandbox.exact_online_url(),
        webhook = has_webhooks(seed),
        page = if seed % 5 == 3 { 30 } else { 100 },
        lanes = [8, 3, 12, 5][(seed % 4) as usize],
    )
}
