//! A flow ready to run: its configuration version with compiled rows, facts of both systems, and defaults filled in.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use koppel_core::document::Entity;
use koppel_core::error::{Cause, Failure};
use koppel_core::keys::Tenant;
use koppel_core::ports::{Priority, Systems};
use koppel_core::system::{Side, SystemFacts};
use koppel_mapping::{Expression, Mapping};

use crate::Engine;
use crate::config::{Bundles, Config, FlowConfig, StoredConfig, load_current, load_version};
use crate::privacy::KeyedHash;
use crate::rows;

/// How far a run reads back behind its cursor: clocks differ and changes appear late.
pub const OVERLAP: TimeDelta = TimeDelta::minutes(5);

/// A flow ready to run.
pub struct LoadedFlow {
    /// Whose it is.
    pub tenant: Tenant,
    /// Name.
    pub name: String,
    /// Configuration version.
    pub version: u64,
    /// Configuration file, for messages.
    pub file: String,
    /// The whole configuration.
    pub config: Config,
    /// This flow of it.
    pub flow: FlowConfig,
    /// Facts of the source system.
    pub source_facts: &'static SystemFacts,
    /// Facts of the target system.
    pub target_facts: &'static SystemFacts,
    /// Native record → canonical document.
    pub source_rows: Mapping,
    /// Of a flow of refunds: the native order that was refunded → canonical order.
    pub original_rows: Option<Mapping>,
    /// Canonical document → native payload.
    pub target_rows: Mapping,
    /// Canonical customer → native payload, for flows that need a customer first.
    pub customer_rows: Option<Mapping>,
    /// The filter's condition.
    pub condition: Option<Expression>,
    /// Lanes.
    pub lanes: u32,
    /// Nothing older is read.
    pub since: DateTime<Utc>,
    /// Time zone of document dates, when it is not the shop's own.
    pub time_zone: Option<Tz>,
    /// Priority of its calls.
    pub priority: Priority,
    /// Hashes personal keys of this tenant.
    pub keyed_hash: KeyedHash,
}

/// How the records of a flow are checked and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Documents: each is created once, for a customer.
    Documents,
    /// Customers of books: debtors with contacts and addresses, as documents need them too.
    Debtors,
    /// Records that are kept in step: compared field by field, and written many at once.
    Kept,
}

impl LoadedFlow {
    /// What it does with bundles.
    pub fn bundles(&self) -> Bundles {
        crate::bundles::policy(&self.config, &self.flow, self.target_facts, self.flow.document)
    }

    /// The way of this flow's records.
    pub fn way(&self) -> Way {
        match self.flow.entity {
            Entity::Orders | Entity::Refunds => Way::Documents,
            Entity::Customers if keeps_debtors(self.target_facts) => Way::Debtors,
            Entity::Customers | Entity::Products | Entity::Stock | Entity::Prices => Way::Kept,
        }
    }
}

/// Who takes documents keeps customers as debtors that they are written for, not as records of their own.
fn keeps_debtors(target: &SystemFacts) -> bool {
    !target.documents.is_empty()
}

/// Flows that were loaded, by tenant, name and version.
#[derive(Default)]
pub struct LoadedFlows(Mutex<HashMap<(Tenant, String, u64), Arc<LoadedFlow>>>);

/// The flow in the configuration in force.
pub async fn current_flow(engine: &Engine, tenant: &Tenant, name: &str) -> Result<Arc<LoadedFlow>, Failure> {
    let stored = load_current(&*engine.store, tenant).await?.ok_or_else(nothing_applied)?;
    let version = stored.version;
    match cached(engine, tenant, name, version) {
        Some(flow) => Ok(flow),
        None => remember(engine, tenant, name, &stored).await,
    }
}

/// The flow in the version that a run started with.
pub async fn flow_of_version(
    engine: &Engine,
    tenant: &Tenant,
    name: &str,
    version: u64,
) -> Result<Arc<LoadedFlow>, Failure> {
    if let Some(flow) = cached(engine, tenant, name, version) {
        return Ok(flow);
    }
    let stored = load_version(&*engine.store, tenant, version).await?;
    remember(engine, tenant, name, &stored).await
}

/// What to say when there is no configuration.
pub fn nothing_applied() -> Failure {
    Failure::settings(
        Cause::new("no_configuration", "no configuration has been applied yet")
            .advice("run koppel init, then koppel apply"),
    )
}

fn cached(engine: &Engine, tenant: &Tenant, name: &str, version: u64) -> Option<Arc<LoadedFlow>> {
    let flows = engine.loaded.0.lock().ok()?;
    flows.get(&(tenant.clone(), name.to_owned(), version)).cloned()
}

/// Compiles a flow of a configuration and keeps it.
pub(crate) async fn remember(
    engine: &Engine,
    tenant: &Tenant,
    name: &str,
    stored: &StoredConfig,
) -> Result<Arc<LoadedFlow>, Failure> {
    let keyed_hash = KeyedHash::open(engine, tenant).await?;
    let parts = prepare(&*engine.systems, name, &stored.config, &stored.file).map_err(|causes| {
        Failure::settings(causes.into_iter().next().unwrap_or_else(|| Cause::new("flow", "invalid")))
    })?;
    let flow = Arc::new(LoadedFlow {
        tenant: tenant.clone(),
        name: name.to_owned(),
        version: stored.version,
        file: stored.file.clone(),
        config: stored.config.clone(),
        flow: parts.flow,
        source_facts: parts.source_facts,
        target_facts: parts.target_facts,
        source_rows: parts.source_rows,
        original_rows: parts.original_rows,
        target_rows: parts.target_rows,
        customer_rows: parts.customer_rows,
        condition: parts.condition,
        lanes: parts.lanes,
        since: parts.since,
        time_zone: parts.time_zone,
        priority: parts.priority,
        keyed_hash,
    });
    if let Ok(mut flows) = engine.loaded.0.lock() {
        flows.insert((tenant.clone(), name.to_owned(), stored.version), flow.clone());
    }
    Ok(flow)
}

/// A flow checked and compiled, without anything that needs an engine.
pub struct Prepared {
    flow: FlowConfig,
    source_facts: &'static SystemFacts,
    target_facts: &'static SystemFacts,
    source_rows: Mapping,
    original_rows: Option<Mapping>,
    target_rows: Mapping,
    customer_rows: Option<Mapping>,
    condition: Option<Expression>,
    lanes: u32,
    since: DateTime<Utc>,
    time_zone: Option<Tz>,
    priority: Priority,
}

/// Checks and compiles one flow; all that is wrong with it is named at once.
pub fn prepare(systems: &dyn Systems, name: &str, config: &Config, file: &str) -> Result<Prepared, Vec<Cause>> {
    let at = |cause: Cause| cause.in_file(file).in_flow(name);
    let one = |cause: Cause| vec![at(cause)];
    let flow = config
        .flows
        .get(name)
        .ok_or_else(|| {
            let near = koppel_core::error::nearest(name, config.flows.keys().map(String::as_str));
            let known: Vec<&str> = config.flows.keys().map(String::as_str).collect();
            let cause = Cause::new("unknown_flow", format!("the flow «{name}» is not configured"));
            vec![match near {
                Some(near) => cause.advice(format!("did you mean «{near}»?")),
                None => cause.advice(format!("configured: {}", known.join(", "))),
            }]
        })?
        .clone();
    let source_facts = facts_of(systems, config, &flow.from, "from").map_err(one)?;
    let target_facts = facts_of(systems, config, &flow.to, "to").map_err(one)?;
    let document = crate::config::document_of(&flow, source_facts, target_facts).map_err(one)?;

    let mut causes = Vec::new();
    let mut keep = |result: Result<Mapping, Vec<Cause>>| match result {
        Ok(mapping) => Some(mapping),
        Err(found) => {
            causes.extend(found.into_iter().map(at));
            None
        }
    };
    let (mut own_source, mut own_target, mut own_customer) = rows::split_user_rows(&flow.map);
    // In a flow of customers there is nothing but the customer: `target.` leads to its rows, whatever they are called.
    if flow.entity == Entity::Customers {
        own_target.extend(own_customer.drain(..).map(|(path, cell)| (format!("customer.{path}"), cell)));
        own_customer.clone_from(&own_target);
    }
    if let Err(cause) = crate::exists_field::prepare(&flow, target_facts, document, &mut own_target) {
        return Err(one(cause));
    }
    let original_rows = (flow.entity == Entity::Refunds).then(|| {
        let own_original = crate::refunds::split_rows(config, &flow, &mut own_source);
        keep(rows::compile(source_facts, Side::Source, Entity::Orders, None, &own_original, file))
    });
    let source_rows = keep(rows::compile(source_facts, Side::Source, flow.entity, None, &own_source, file));
    let target_rows = keep(rows::compile(target_facts, Side::Target, flow.entity, document, &own_target, file));
    let needs_customer = (flow.entity.is_order() || flow.entity == Entity::Customers)
        && keeps_debtors(target_facts)
        && target_facts.rows_for(Side::Target, Entity::Customers, None).is_some();
    let customer_rows = needs_customer
        .then(|| keep(rows::compile(target_facts, Side::Target, Entity::Customers, None, &own_customer, file)));
    let condition = match &flow.filter.condition {
        None => None,
        Some(text) => match rows::condition(text) {
            Ok(expression) => Some(expression),
            Err(cause) => {
                causes.push(at(cause));
                None
            }
        },
    };
    causes.extend(crate::number_back::wrong(&flow, source_facts).map(at));
    causes.extend(crate::bundles::differs(config, &flow).map(at));
    causes.extend(crate::vat_numbers::wrong(systems, config, &flow).into_iter().map(at));
    let time_zone = flow.settings.time_zone.as_deref().and_then(|zone| match Tz::from_str(zone) {
        Ok(zone) => Some(zone),
        Err(_) => {
            causes.push(at(Cause::new("unknown_timezone", format!("«{zone}» is not a time zone"))
                .advice("use a name such as Europe/Amsterdam")
                .in_row("settings.time_zone")));
            None
        }
    });
    let since = match flow.since.as_deref().map(parse_since) {
        None => DateTime::UNIX_EPOCH,
        Some(Ok(since)) => since,
        Some(Err(cause)) => {
            causes.push(at(cause));
            DateTime::UNIX_EPOCH
        }
    };
    if let Some(schedule) = &flow.schedule
        && let Err(cause) = schedule.next_after(DateTime::UNIX_EPOCH)
    {
        causes.push(at(cause.in_row("schedule")));
    }
    causes.extend(crate::matching::wrong(&flow.settings.customer, target_facts).into_iter().map(at));
    let lanes = flow.lanes.unwrap_or(target_facts.default_lanes).max(1);
    match (source_rows, target_rows, customer_rows) {
        (Some(source_rows), Some(target_rows), customer_rows) if causes.is_empty() => Ok(Prepared {
            priority: priority_of(flow.entity),
            flow,
            source_facts,
            target_facts,
            source_rows,
            original_rows: original_rows.flatten(),
            target_rows,
            customer_rows: customer_rows.flatten(),
            condition,
            lanes,
            since,
            time_zone,
        }),
        _ => Err(causes),
    }
}

fn facts_of(
    systems: &dyn Systems,
    config: &Config,
    connection: &str,
    key: &str,
) -> Result<&'static SystemFacts, Cause> {
    let names = || config.connections.keys().map(String::as_str);
    let Some(settings) = config.connections.get(connection) else {
        let cause =
            Cause::new("unknown_connection", format!("the connection «{connection}» is not configured")).in_row(key);
        return Err(match koppel_core::error::nearest(connection, names()) {
            Some(near) => cause.advice(format!("did you mean «{near}»?")),
            None => cause.advice(format!("configured: {}", names().collect::<Vec<_>>().join(", "))),
        });
    };
    systems.facts(&settings.system).ok_or_else(|| unknown_system(systems, &settings.system, connection))
}

/// What to say about a system that no connector knows.
pub(crate) fn unknown_system(systems: &dyn Systems, system: &str, connection: &str) -> Cause {
    let ids = systems.ids();
    let cause = Cause::new("unknown_system", format!("«{system}» is not a system"))
        .at_connection(connection)
        .in_row(format!("connections.{connection}.system"));
    match koppel_core::error::nearest(system, ids.iter().copied()) {
        Some(near) => cause.advice(format!("did you mean «{near}»?")),
        None => cause.advice(format!("known: {}", ids.join(", "))),
    }
}

/// What its calls come before and after.
pub(crate) fn priority_of(entity: Entity) -> Priority {
    match entity {
        Entity::Orders => Priority::Orders,
        Entity::Refunds => Priority::Refunds,
        Entity::Customers => Priority::Customers,
        Entity::Stock => Priority::Stock,
        Entity::Prices => Priority::Prices,
        Entity::Products => Priority::Products,
    }
}

/// Reads `2026-01-01` or a moment in RFC 3339.
pub fn parse_since(text: &str) -> Result<DateTime<Utc>, Cause> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Ok(moment.with_timezone(&Utc));
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .ok()
        .and_then(|date| date.and_hms_opt(0, 0, 0))
        .map(|moment| moment.and_utc())
        .ok_or_else(|| {
            Cause::new("bad_date", format!("«{text}» is not a date"))
                .advice("write 2026-01-31 or 2026-01-31T08:00:00Z")
                .in_row("since")
        })
}
