//! Doctor: looks at connections and flows before they go live, and names what would hold them up.
//!
//! Connectors tell what is particular to their system (`diagnose` of the ports); here stands what is the same for all:
//! [`connection`] whether it can be reached, its webhooks and its calls, [`codes`] what the settings name, [`periods`]
//! which of them are closed, [`vat_numbers`] whether VIES can be asked, and [`year`] what the orders of the last year need.
//! Everything is read; nothing is changed on either side.

mod codes;
mod connection;
mod periods;
mod vat_numbers;
mod year;

use std::collections::{BTreeMap, BTreeSet};

use koppel_core::document::Entity;
use koppel_core::error::{Cause, Failure};
use koppel_core::keys::Tenant;
use koppel_core::ports::{Asked, Calls, Finding, Priority};
use serde::Serialize;

use crate::Engine;
use crate::config::{FlowConfig, StoredConfig};
use crate::loaded::{LoadedFlow, remember};

use year::Year;

/// What was looked at, and what was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Diagnosis {
    /// Findings, the worst first.
    pub findings: Vec<Finding>,
    /// Connections that answered.
    pub reached: BTreeSet<String>,
    /// Flows that were looked at.
    pub flows: Vec<String>,
    /// Orders of the last twelve months that were read.
    pub orders: u64,
    /// Calls that were made.
    pub calls: usize,
}

/// Looks at one flow of a configuration, or at all of them.
pub async fn examine(
    engine: &Engine,
    tenant: &Tenant,
    stored: &StoredConfig,
    only: Option<&str>,
) -> Result<Diagnosis, Failure> {
    let config = &stored.config;
    let wanted = |name: &str| only.is_none_or(|only| only == name);
    let flows: BTreeMap<&str, &FlowConfig> =
        config.flows.iter().map(|(name, flow)| (name.as_str(), flow)).filter(|(name, _)| wanted(name)).collect();
    let mut found = Diagnosis { flows: flows.keys().map(|name| (*name).to_owned()).collect(), ..Diagnosis::default() };
    let mut loaded: Vec<std::sync::Arc<LoadedFlow>> = Vec::new();
    for name in flows.keys() {
        match remember(engine, tenant, name, stored).await {
            Ok(flow) => loaded.push(flow),
            Err(failure) => found.findings.push(failure.into()),
        }
    }
    let ends: BTreeSet<&str> = flows.values().flat_map(|flow| [flow.from.as_str(), flow.to.as_str()]).collect();
    // Sources first: what the orders of the last year need is asked of the targets.
    let sources: BTreeSet<&str> = flows.values().map(|flow| flow.from.as_str()).collect();
    let mut years: BTreeMap<String, Year> = BTreeMap::new();
    let calls = Calls::new(Priority::Orders);
    for name in sources.iter().chain(ends.difference(&sources)) {
        let at = At { engine, tenant, config, name, calls: &calls };
        let asked = asked(&at, &flows, &years).await?;
        let seen = connection::look(&at, &flows, &asked).await?;
        found.findings.extend(seen.findings.into_iter().filter(|finding| matters(finding, name, &flows)));
        if !seen.reached {
            continue;
        }
        found.reached.insert((*name).to_owned());
        for flow in loaded.iter().filter(|flow| flow.flow.from == *name && flow.flow.entity == Entity::Orders) {
            match year::read(engine, flow, &calls).await {
                Ok(year) => drop(years.insert(flow.name.clone(), year)),
                Err(failure) => found.findings.push(named(failure, name).into()),
            }
        }
    }
    for flow in loaded.iter() {
        let year = years.get(flow.name.as_str());
        if let Some(year) = year {
            found.orders += year.orders;
            found.findings.extend(year.findings(flow));
        }
        if found.reached.contains(&flow.flow.to) {
            found.findings.extend(codes::look(engine, flow, year, &calls).await?);
            let told = periods::look(engine, flow, &calls).await?;
            // A connector that knows its periods has said so of today already.
            let known = found.findings.iter().any(|finding| finding.cause.code == koppel_core::ports::PERIOD_CLOSED);
            found.findings.extend(told.into_iter().filter(|finding| !known || finding.cause.code != periods::OF_TODAY));
        }
    }
    found.findings.extend(vat_numbers::look(engine, &loaded, &calls).await);
    found.calls = calls.count();
    found.findings.sort_by_key(|finding| finding.severity);
    Ok(found)
}

/// Where is looked.
struct At<'a> {
    engine: &'a Engine,
    tenant: &'a Tenant,
    config: &'a crate::config::Config,
    /// Connection.
    name: &'a str,
    calls: &'a Calls,
}

/// What the flows need of a connection.
async fn asked(
    at: &At<'_>,
    flows: &BTreeMap<&str, &FlowConfig>,
    years: &BTreeMap<String, Year>,
) -> Result<Asked, Failure> {
    let mut asked = Asked::default();
    for (name, flow) in flows.iter().filter(|(_, flow)| flow.from == at.name || flow.to == at.name) {
        asked.entities.push(flow.entity);
        let is_registered = crate::webhooks::registration(at.engine, at.tenant, at.name).await?.is_some();
        asked.writes |= flow.to == at.name || (flow.webhook && !is_registered);
        if let Some(year) = years.get(*name).filter(|_| flow.to == at.name) {
            asked.currencies.extend(year.currencies.iter().cloned());
        }
    }
    asked.entities.sort();
    asked.entities.dedup();
    Ok(asked)
}

/// Findings that the settings of the flows have dealt with are none.
fn matters(finding: &Finding, connection: &str, flows: &BTreeMap<&str, &FlowConfig>) -> bool {
    let mut mine = flows.values().filter(|flow| flow.from == connection || flow.to == connection);
    match finding.cause.code.as_str() {
        "round_at_subtotal" | "prices_include_tax" => {
            let has_line = |flow: &FlowConfig| flow.settings.rounding.as_ref().is_some_and(|rounding| rounding.line);
            mine.any(|flow| flow.entity == Entity::Orders && !has_line(flow))
        }
        "empty_sku" => mine.any(|flow| {
            flow.entity != Entity::Orders || flow.settings.default_item == crate::config::Setting::default()
        }),
        _ => true,
    }
}

fn named(failure: Failure, connection: &str) -> Failure {
    failure.map_cause(|cause| cause.at_connection(connection))
}

fn warned(code: &str, message: String, advice: String) -> Finding {
    Finding::warning(Cause::new(code, message).advice(advice))
}
