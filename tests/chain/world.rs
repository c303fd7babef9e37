//! A world to run the chain in: both sandboxes, an embedded engine in memory, a configuration that is applied.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use koppel_core::keys::Tenant;
use koppel_core::outcome::{Funnel, Outcome};
use koppel_core::ports::Clock;
use koppel_flows::Engine;
use koppel_flows::config::{self, Secrets};
use koppel_flows::runs::{self, RecordResult, Scope};
use koppel_hosting::embedded::{self, EmbeddedEngine};
use koppel_hosting::local::{Drain, HostSettings, LocalHost, Waits};
use koppel_sandbox::woocommerce::{WP_APPLICATION_PASSWORD, WP_USER};
use koppel_sandbox::{Handle, Options, Sandbox};
use serde_json::Value;

/// Keys of the sandbox shop and client of the sandbox books, as the sandbox documents them.
use koppel_sandbox::exact_online::{CLIENT_ID, CLIENT_SECRET};

const SHOP_KEY: &str = "ck_40e6269f8e005c6da0b6f94b649bc5b85f8294e1";
const SHOP_SECRET: &str = "cs_68568b8871d2d70d583699ea3665e0297f6ebe28";

/// Name of the flow in [`World::yaml`].
pub const FLOW: &str = "web-orders";

/// A host clock that follows the clock of the sandboxes, so that a test moves both at once.
pub struct WorldClock(pub koppel_sandbox::Clock);

impl Clock for WorldClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.now()
    }
}

/// Everything a test needs.
pub struct World {
    /// Both systems.
    pub sandbox: Handle,
    /// The engine.
    pub embedded: EmbeddedEngine,
    /// The host.
    pub host: LocalHost,
    /// Whose data it is.
    pub tenant: Tenant,
}

impl World {
    /// A world with the recorded shop, connected books, and `yaml` applied.
    pub async fn new(yaml: impl Fn(&Handle) -> String) -> Self {
        Self::with(Options::default(), Path::new(embedded::IN_MEMORY), yaml).await
    }

    /// A world with sandbox options, in a file or in memory.
    pub async fn with(options: Options, database: &Path, yaml: impl Fn(&Handle) -> String) -> Self {
        let sandbox = Sandbox::start(options).await.expect("the sandbox starts");
        let world = Self::around(sandbox, database).await;
        world.apply(&yaml(&world.sandbox)).await;
        // A world without books has nobody to ask.
        if yaml(&world.sandbox).contains("\n  books:") {
            world.consent("books").await;
        }
        world
    }

    /// An engine beside a running sandbox, without configuration.
    pub async fn around(sandbox: Handle, database: &Path) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(WorldClock(sandbox.clock().clone()));
        let embedded = embedded::open(database, clock, &embedded::Options::default(), koppel_hosting::connectors)
            .expect("the engine opens");
        let waits = Waits {
            failed: Duration::from_millis(20),
            busy: Duration::from_millis(20),
            throttled: Duration::from_millis(20),
            ..Waits::default()
        };
        let settings = HostSettings { waits, ..HostSettings::default() };
        let host = LocalHost::new(embedded.engine.clone(), embedded.queue.clone()).with(settings);
        Self { sandbox, embedded, host, tenant: Tenant::default() }
    }

    /// Applies a configuration as `koppel apply` does.
    pub async fn apply(&self, yaml: &str) {
        apply_to(&self.embedded.engine, &self.tenant, yaml).await;
    }

    /// Gives consent to a connection of the sandbox books.
    pub async fn consent(&self, connection: &str) {
        super::consent::give_to(&self.embedded.engine, &self.tenant, connection).await;
    }

    /// Runs the flow once and returns how every record ended, by label.
    pub async fn run(&self) -> Ended {
        self.run_flow(FLOW).await
    }

    /// Runs the flow for a scope.
    pub async fn run_scope(&self, scope: Scope) -> Ended {
        self.run_flow_scope(FLOW, scope).await
    }

    /// Runs another flow once.
    pub async fn run_flow(&self, flow: &str) -> Ended {
        self.run_flow_scope(flow, Scope::default()).await
    }

    /// Runs another flow for a scope.
    pub async fn run_flow_scope(&self, flow: &str, scope: Scope) -> Ended {
        let run = runs::start(&self.embedded.engine, &self.tenant, flow, scope).await.expect("a run starts");
        self.finish_flow(flow, run.expect("no run is open")).await
    }

    /// Drives the host until the run has ended.
    pub async fn finish(&self, run: String) -> Ended {
        self.finish_flow(FLOW, run).await
    }

    /// Drives the host until a run of this flow has ended.
    pub async fn finish_flow(&self, flow: &str, run: String) -> Ended {
        let (engine, tenant) = (&self.embedded.engine, &self.tenant);
        self.drain().await;
        let ended = koppel_flows::steps::end_run(engine, tenant, flow).await.expect("end");
        let funnel = runs::funnel(engine, tenant, flow, &run).await.expect("funnel");
        let (results, calls) = runs::results(engine, tenant, flow, &run).await.expect("results");
        assert!(ended.is_some(), "the run did not end: {funnel}");
        assert!(funnel.adds_up(), "{funnel}");
        Ended { funnel, by_label: results.into_iter().map(|r| (r.label.clone(), r)).collect(), chunk_calls: calls }
    }

    /// Drives the host until nothing is left in the queues.
    pub async fn drain(&self) {
        let drain = Drain::patient(Duration::from_secs(120)).at_most(Duration::from_secs(100));
        self.host.drain(&drain, std::future::pending()).await.expect("drained");
    }

    /// Sales orders in the books, by their reference.
    pub fn sales_orders(&self) -> BTreeMap<String, Value> {
        let mut orders = BTreeMap::new();
        for order in self.sandbox.exact().documents("SalesOrders") {
            let reference = order["YourRef"].as_str().unwrap_or_default().to_owned();
            assert!(orders.insert(reference.clone(), order).is_none(), "{reference} is there twice");
        }
        orders
    }
}

/// Applies a configuration to any engine as `koppel apply` does.
pub async fn apply_to(engine: &Engine, tenant: &Tenant, yaml: &str) {
    let config = config::parse("koppel.yaml", yaml).unwrap_or_else(|cause| panic!("{cause}"));
    let causes = config::validate(&*engine.systems, &config, "koppel.yaml");
    assert!(causes.is_empty(), "{causes:#?}");
    let secrets: Secrets = config::resolve_secrets(&config, |_| None).expect("literal secrets");
    config::store_secrets(&*engine.store, &*engine.vault, tenant, &secrets).await.expect("sealed");
    config::save_version(&*engine.store, tenant, &config, "koppel.yaml", engine.clock.now(), None)
        .await
        .expect("stored");
}

/// How a run ended.
pub struct Ended {
    /// Counts.
    pub funnel: Funnel,
    /// Every record by the number that the shop shows.
    pub by_label: BTreeMap<String, RecordResult>,
    /// Calls made for whole chunks.
    pub chunk_calls: usize,
}

impl Ended {
    /// Labels of the records with this outcome.
    pub fn labels(&self, outcome: Outcome) -> Vec<&str> {
        self.by_label.values().filter(|r| r.outcome == outcome).map(|r| r.label.as_str()).collect()
    }

    /// Cause of one record, as a person reads it.
    pub fn cause(&self, label: &str) -> String {
        self.by_label[label].cause.as_ref().map(ToString::to_string).unwrap_or_default()
    }
}

/// Both connections of a configuration.
pub fn connections_yaml(sandbox: &Handle) -> String {
    format!(
        r#"
connections:
  shop:
    system: woocommerce
    url: {shop}
    credentials:
      key: "{SHOP_KEY}"
      secret: "{SHOP_SECRET}"
      wp_user: "{WP_USER}"
      wp_application_password: "{WP_APPLICATION_PASSWORD}"
  books:
    system: exact-online
    country: nl
    division: 123456
    url: {books}
    redirect_uri: http://127.0.0.1:8976/callback
    credentials: {{ client_id: "{CLIENT_ID}", client_secret: "{CLIENT_SECRET}" }}
"#,
        shop = sandbox.woocommerce_url(),
        books = sandbox.exact_online_url(),
    )
}

/// The configuration of the recorded shop.
pub fn yaml(sandbox: &Handle) -> String {
    connections_yaml(sandbox)
        + r#"
flows:
  web-orders:
    from: shop
    to: books
    entity: orders
    document: sales-order
    since: 2026-01-01
    filter: { status: [processing, completed, on-hold], where: 'source.total | number > 0' }
    settings:
      vat_code: { table: { NL/21: "4", NL/9: "2", DE/19: "12", BE/0/exempt: "7" } }
      payment_terms: { table: { bacs: "30" }, default: "00" }
      default_customer: { when: guest, code: "10000" }
      default_item: "DIVERS"
      shipping_item: "VERZENDKOSTEN"
      fee_item: "TOESLAG"
      discount_item: "KORTING"
      rounding: { line: true, item: "AFRONDING", vat_code: "0", max: "0.05" }
"#
}
