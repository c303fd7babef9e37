//! The chain on the embedded engine, between two systems, ready to run.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use koppel_core::keys::Tenant;
use koppel_core::outcome::{Funnel, Outcome};
use koppel_core::ports::{Calls, Clock};
use koppel_flows::config;
use koppel_flows::runs::{self, Scope};
use koppel_flows::{Engine, connections};
use koppel_hosting::Ports;
use koppel_hosting::embedded::{self, EmbeddedEngine, QueueSettings};
use koppel_hosting::local::{Drain, HostSettings, LocalHost, Waits};
use koppel_sandbox::exact_online::{CLIENT_ID, CLIENT_SECRET};
use koppel_sandbox::woocommerce;

use crate::counting::{CountedBus, CountedQueue, CountedStore, CountedVault, Counts};
use crate::failed::Failed;

/// Name of the flow.
pub const FLOW: &str = "web-orders";
/// Nothing here runs longer; one that does hangs.
const LONGEST: Duration = Duration::from_secs(3600);

/// What a world is made of.
pub struct Setup<'a> {
    /// Address of the shop.
    pub shop: &'a str,
    /// Address of the books.
    pub books: &'a str,
    /// Calls a minute that the connection to the books may make; `None`: as many as it likes.
    pub calls_per_minute: Option<u32>,
    /// Database, or [`embedded::IN_MEMORY`].
    pub database: &'a Path,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// How the host works.
    pub host: HostSettings,
    /// Queues.
    pub queue: QueueSettings,
}

impl<'a> Setup<'a> {
    /// Without limits and in real time.
    pub fn new(shop: &'a str, books: &'a str, database: &'a Path) -> Self {
        let host = HostSettings { poll: Duration::from_millis(20), waits: waits(), ..HostSettings::default() };
        Self {
            shop,
            books,
            calls_per_minute: None,
            database,
            clock: Arc::new(koppel_core::ports::SystemClock),
            host,
            queue: QueueSettings::default(),
        }
    }
}

/// Short waits: a bench measures work.
pub fn waits() -> Waits {
    let short = Duration::from_millis(20);
    Waits { failed: short, busy: short, throttled: short, ..Waits::default() }
}

/// A chain that is ready to run.
pub struct World {
    /// What the steps work with.
    pub engine: Engine,
    /// The host.
    pub host: LocalHost,
    /// What the engine was asked for, when it counts.
    pub counts: Arc<Counts>,
    tenant: Tenant,
}

impl World {
    /// A configured chain with consent.
    pub async fn new(setup: Setup<'_>) -> Result<Self, Failed> {
        Self::build(setup, false).await
    }

    /// One that counts what it asks of its engine. Counting costs a little, so times are measured without it.
    pub async fn counting(setup: Setup<'_>) -> Result<Self, Failed> {
        Self::build(setup, true).await
    }

    async fn build(setup: Setup<'_>, counting: bool) -> Result<Self, Failed> {
        let counts = Arc::new(Counts::default());
        let options = embedded::Options { queue: setup.queue, ..embedded::Options::default() };
        let mut counted: Option<Ports> = None;
        let embedded = embedded::open(setup.database, setup.clock.clone(), &options, |ports| {
            let mut ports = ports.clone();
            if counting {
                ports.store = Arc::new(CountedStore::new(ports.store, counts.clone()));
                ports.vault = Arc::new(CountedVault::new(ports.vault, counts.clone()));
                counted = Some(ports.clone());
            }
            koppel_hosting::connectors(&ports)
        })?;
        let EmbeddedEngine { engine, queue, .. } = embedded;
        let engine = match counted {
            Some(ports) => Engine::new(
                ports.store,
                Arc::new(CountedQueue::new(engine.queue.clone(), counts.clone())),
                Arc::new(CountedBus::new(engine.bus.clone(), counts.clone())),
                ports.vault,
                ports.clock,
                engine.systems.clone(),
            ),
            None => engine,
        };
        let host = LocalHost::new(engine.clone(), queue).with(setup.host.clone());
        let world = Self { engine, host, counts, tenant: Tenant::default() };
        world.apply(&yaml(&setup)).await?;
        world.consent().await?;
        Ok(world)
    }

    /// Applies a configuration as `koppel apply` does.
    async fn apply(&self, yaml: &str) -> Result<(), Failed> {
        let (store, name) = (&*self.engine.store, "koppel.yaml");
        let parsed = config::parse(name, yaml).map_err(|cause| Failed::Unreadable(cause.to_string()))?;
        if let Some(cause) = config::validate(&*self.engine.systems, &parsed, name).first() {
            return Err(Failed::Unreadable(cause.to_string()));
        }
        let secrets = config::resolve_secrets(&parsed, |_| None)
            .map_err(|_| Failed::Unreadable("a secret of the bench's configuration is missing".into()))?;
        config::store_secrets(store, &*self.engine.vault, &self.tenant, &secrets).await?;
        config::save_version(store, &self.tenant, &parsed, name, self.engine.clock.now(), None).await?;
        Ok(())
    }

    /// Consents as a person does in a browser.
    async fn consent(&self) -> Result<(), Failed> {
        let expected = |what: &str| Failed::NotAsExpected(format!("consent: {what}"));
        let engine = &self.engine;
        let stored =
            config::load_current(&*engine.store, &self.tenant).await?.ok_or_else(|| expected("nothing applied"))?;
        let connection = connections::open(engine, &self.tenant, &stored.config, "books").await?;
        let consent = engine.systems.consent(&connection)?.ok_or_else(|| expected("none is needed"))?;
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        let answer = client.get(consent.authorize_url("state-1")?).send().await?;
        let back = answer.headers().get("location").and_then(|value| value.to_str().ok());
        let back = back.and_then(|text| reqwest::Url::parse(text).ok()).ok_or_else(|| expected("no way back"))?;
        let code =
            back.query_pairs().find(|(name, _)| name == "code").ok_or_else(|| expected("no code"))?.1.into_owned();
        consent.exchange_code(&code, &Calls::default()).await?;
        connections::resume(engine, &self.tenant, "books").await?;
        Ok(())
    }

    /// Reads what has changed since `since`, all of which must be created: `n` records. Returns the time it took.
    pub async fn run(&self, since: DateTime<Utc>, n: usize) -> Result<Duration, Failed> {
        let begun = Instant::now();
        let run = self.start(since).await?;
        let drain = Drain::patient(Duration::from_secs(120)).at_most(LONGEST);
        self.host.drain(&drain, std::future::pending()).await?;
        let took = begun.elapsed();
        self.end(&run, n).await?;
        Ok(took)
    }

    /// Registers the shop's webhooks at `base`.
    pub async fn register_webhooks(&self, base: &str) -> Result<(), Failed> {
        let stored = config::load_current(&*self.engine.store, &self.tenant)
            .await?
            .ok_or_else(|| Failed::NotAsExpected("nothing applied".into()))?;
        koppel_flows::webhooks::register(&self.engine, &self.tenant, &stored.config, "shop", base).await?;
        Ok(())
    }

    /// Starts a run.
    pub async fn start(&self, since: DateTime<Utc>) -> Result<String, Failed> {
        runs::start(&self.engine, &self.tenant, FLOW, Scope { since: Some(since), ..Scope::default() })
            .await?
            .ok_or_else(|| Failed::NotAsExpected("the run before has not ended".into()))
    }

    /// Ends a run and holds it to what it should have done.
    async fn end(&self, run: &str, n: usize) -> Result<(), Failed> {
        koppel_flows::steps::end_run(&self.engine, &self.tenant, FLOW).await?;
        let funnel = runs::funnel(&self.engine, &self.tenant, FLOW, run).await?;
        // What the shop was recorded with is filtered.
        let wanted = funnel.fetched - funnel.count(Outcome::Filtered);
        if funnel.adds_up() && funnel.count(Outcome::Created) == n as u64 && wanted == n as u64 {
            return Ok(());
        }
        Err(Failed::NotAsExpected(format!(
            "{n} orders should have been created: {funnel}{}",
            self.first_cause(run).await?
        )))
    }

    /// Records created so far in a run.
    pub async fn funnel(&self, run: &str) -> Result<Funnel, Failed> {
        Ok(runs::funnel(&self.engine, &self.tenant, FLOW, run).await?)
    }

    async fn first_cause(&self, run: &str) -> Result<String, Failed> {
        let (results, _) = runs::results(&self.engine, &self.tenant, FLOW, run).await?;
        let first = results
            .iter()
            .filter(|result| result.outcome != Outcome::Filtered)
            .find_map(|result| result.cause.as_ref());
        Ok(first.map(|cause| format!("; the first cause: {cause}")).unwrap_or_default())
    }
}

/// A shop whose customers all have an account, and books that may be called as often as `setup` says.
fn yaml(setup: &Setup<'_>) -> String {
    let key = &woocommerce::keys()[0];
    let per_minute = setup.calls_per_minute.unwrap_or(1_000_000);
    format!(
        r#"
connections:
  shop:
    system: woocommerce
    url: {shop}
    credentials: {{ key: "{key}", secret: "{secret}" }}
  books:
    system: exact-online
    country: nl
    division: 123456
    url: {books}
    redirect_uri: http://127.0.0.1:8976/callback
    calls_per_minute: {per_minute}
    calls_per_day: 20000000
    credentials: {{ client_id: "{CLIENT_ID}", client_secret: "{CLIENT_SECRET}" }}
flows:
  {FLOW}:
    from: shop
    to: books
    entity: orders
    document: sales-order
    webhook: true
    since: 2026-01-01
    filter: {{ status: [processing, completed, on-hold], where: 'source.id | number > 50' }}
    settings:
      vat_code: {{ table: {{ NL/21: "4", NL/9: "2", BE/21: "13", DE/19: "12", DE/7: "14", NL/0: "0", BE/0: "0", DE/0: "0", BE/0/exempt: "7", DE/0/exempt: "7" }} }}
      payment_terms: {{ table: {{ bacs: "30" }}, default: "00" }}
      default_item: "DIVERS"
      shipping_item: "VERZENDKOSTEN"
      fee_item: "TOESLAG"
      discount_item: "KORTING"
      rounding: {{ line: true, item: "AFRONDING", vat_code: "0", max: "0.05" }}
"#,
        shop = setup.shop,
        books = setup.books,
        key = key.key,
        secret = key.secret,
    )
}
