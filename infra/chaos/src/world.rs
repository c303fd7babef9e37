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
use koppel_sandbox::{Handle, Inspector, Options, Sandbox};
use serde_json::{Value, json};

use crate::ChaosError;
use crate::gate::Chaos;
use crate::kept::Kept;
use crate::pairs::{Pair, has_limits};
use crate::ports::{FaultyBus, FaultyQueue, FaultyStore, FaultyVault};
use crate::post::Post;
use crate::shop::Shop;
use crate::systems::FaultySystems;

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
    /// Which systems.
    pub pair: &'static Pair,
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
    /// The shop from inside.
    pub in_shop: Inspector,
    /// The books from inside.
    pub in_books: Inspector,
}

impl World {
    /// Builds the world of a seed. Its kind goes by the seed: limits, own customers or a shared debtor, lanes, schedule.
    pub async fn build(pair: &'static Pair, seed: u64, orders: usize) -> Result<Self, ChaosError> {
        let begin: DateTime<Utc> =
            BEGINNINGS[(seed % 4) as usize].parse().map_err(|error| ChaosError::of("a beginning", error))?;
        let limits = has_limits(seed);
        let options = Options::default()
            .start_time(begin)
            .switch(pair.shop.system(), pair.shop.switches(limits))
            .switch(pair.books.system(), pair.books.switches(seed, limits));
        let sandbox = Sandbox::start(options).await?;
        sandbox.clock().freeze(begin);
        let clock: Arc<dyn Clock> = Arc::new(WorldClock(sandbox.clock().clone()));
        let queue = QueueSettings { max_attempts: ATTEMPTS, ..QueueSettings::default() };
        let options = embedded::Options { queue, ..embedded::Options::default() };
        let embedded = embedded::open(Path::new(embedded::IN_MEMORY), clock, &options, koppel_hosting::connectors)?;
        let chaos = Arc::new(Chaos::new(seed, sandbox.clock().clone()));
        let (in_shop, in_books) = (inside(&sandbox, pair.shop.system())?, inside(&sandbox, pair.books.system())?);
        let shop = Shop::open(pair.shop, seed, orders, &in_shop, begin)?;
        let kept = Kept::open(pair, seed, orders, (&in_shop, &in_books), begin)?;
        let post = Post::new(pair.shop, seed, None);
        let tenant = Tenant::default();
        let mut world =
            Self { pair, seed, orders, sandbox, embedded, chaos, shop, kept, post, tenant, in_shop, in_books };
        world.apply().await?;
        world.consent().await?;
        if pair.has_hooks(seed) {
            world.post = Post::new(pair.shop, seed, Some(world.register().await?));
        }
        Ok(world)
    }

    /// What happens in both systems, when its time has come.
    pub fn live(&mut self) -> Result<(), ChaosError> {
        let now = self.sandbox.clock().now();
        self.shop.live(&self.in_shop, now)?;
        self.kept.live(&self.in_shop, &self.in_books, now)
    }

    async fn apply(&self) -> Result<(), ChaosError> {
        let engine = &self.embedded.engine;
        let yaml = self.pair.yaml(self.seed, &self.sandbox);
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

    /// Registers the webhooks, and returns one. The shop's own deliveries are lost: those of [`Post`] stand for them, at
    /// moments that the seed decides.
    async fn register(&self) -> Result<Value, ChaosError> {
        let engine = &self.embedded.engine;
        let none = || ChaosError::Other("the shop has no webhooks".into());
        let lost = json!({ "webhook_drop_percent": 100 });
        self.in_shop.set_switches(lost).map_err(|error| ChaosError::of("a switch", error))?;
        let stored = config::load_current(&*engine.store, &self.tenant).await?.ok_or_else(none)?;
        let base = "http://127.0.0.1:9";
        koppel_flows::webhooks::register(engine, &self.tenant, &stored.config, "shop", base).await?;
        self.pair.shop.hook(&self.in_shop).ok_or_else(none)
    }

    /// Gives consent to the books, as a person does in a browser. No faults must be in the way.
    pub async fn consent(&self) -> Result<(), ChaosError> {
        let engine = &self.embedded.engine;
        let none = || ChaosError::Other("the books have no way to consent".into());
        if !self.pair.books.asks_for_consent() {
            return Ok(connections::resume(engine, &self.tenant, "books").await?);
        }
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

fn inside(sandbox: &Handle, system: &str) -> Result<Inspector, ChaosError> {
    sandbox.system(system).ok_or_else(|| ChaosError::Other(format!("the sandbox has no {system}")))
}
