//! Origin stamps: what a flow wrote to a record of its target, so that a flow the other way knows its own echo.
//!
//! Both directions of an entity may run at once. What one direction wrote is read back by the other; without a stamp it
//! would be carried back, shortened or rounded by the system that it went through, and so on for ever. A stamp holds a
//! hash of each field that was written. A record that still has all of them, and was not changed later, says nothing new.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::document::Entity;
use koppel_core::error::Failure;
use koppel_core::keys::{RecordKey, Tenant};
use koppel_core::message::SourceRecord;
use koppel_core::ports::{Condition, Key};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Engine;
use crate::loaded::LoadedFlow;
use crate::runs::{put, read_required};
use crate::same::normal;

/// A system may date the change a little later than the moment its answer arrived.
const DATED_LATER: TimeDelta = TimeDelta::seconds(60);
/// A stamp that nobody has looked at for so long says nothing any more.
const KEEP: TimeDelta = TimeDelta::days(400);

/// What was written to one record of a system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Flow that wrote it.
    pub flow: String,
    /// When it was written last.
    pub at: DateTime<Utc>,
    /// Keyed hash of each field, by its name in the target.
    pub fields: BTreeMap<String, String>,
}

fn key(tenant: &Tenant, connection: &str, entity: Entity, id: &str) -> Key {
    Key::new(tenant, &["origin", connection, entity.name()], id)
}

/// Some other flow writes this entity into the system that `flow` reads from.
fn has_a_counterpart(flow: &LoadedFlow) -> bool {
    flow.config.flows.values().any(|other| other.to == flow.flow.from && other.entity == flow.flow.entity)
}

/// Some other flow reads this entity from the system that `flow` writes to.
fn is_read_back(flow: &LoadedFlow) -> bool {
    flow.config.flows.values().any(|other| other.from == flow.flow.to && other.entity == flow.flow.entity)
}

/// Remembers what was written to the record `id` of the target; fields that were not written keep their hash.
pub async fn stamp(engine: &Engine, flow: &LoadedFlow, id: &str, fields: &Map<String, Value>) -> Result<(), Failure> {
    if !is_read_back(flow) {
        return Ok(());
    }
    let key = key(&flow.tenant, &flow.flow.to, flow.flow.entity, id);
    let known: Option<Stamp> = engine.store.get(&key).await?.map(|item| read_required(&item.value)).transpose()?;
    let now = engine.clock.now();
    let mut stamp = known.unwrap_or_else(|| Stamp { flow: String::new(), at: now, fields: BTreeMap::new() });
    stamp.flow.clone_from(&flow.name);
    stamp.at = now;
    for (name, value) in fields.iter().filter(|(name, _)| !name.starts_with('_')) {
        stamp.fields.insert(name.clone(), hash(flow, name, value));
    }
    put(engine, &key, &stamp, Condition::Always, Some(now + KEEP)).await?;
    Ok(())
}

/// The records of a chunk that only show what another flow wrote there: key and name of that flow.
pub async fn echoes(
    engine: &Engine,
    flow: &LoadedFlow,
    records: &[SourceRecord],
) -> Result<BTreeMap<RecordKey, String>, Failure> {
    if !has_a_counterpart(flow) {
        return Ok(BTreeMap::new());
    }
    let entity = flow.flow.entity;
    let keys: Vec<Key> =
        records.iter().map(|record| key(&flow.tenant, &flow.flow.from, entity, record.key.as_str())).collect();
    let mut found = BTreeMap::new();
    for (record, item) in records.iter().zip(engine.store.batch_get(&keys).await?) {
        let Some(item) = item else { continue };
        let stamp: Stamp = read_required(&item.value)?;
        if is_echo(flow, &stamp, record) {
            found.insert(record.key.clone(), stamp.flow);
        }
    }
    Ok(found)
}

fn is_echo(flow: &LoadedFlow, stamp: &Stamp, record: &SourceRecord) -> bool {
    let changed_later = record.modified_at.is_some_and(|at| at > stamp.at + DATED_LATER);
    let nothing = Value::Null;
    let same =
        |(name, written): (&String, &String)| *written == hash(flow, name, record.raw.get(name).unwrap_or(&nothing));
    !changed_later && !stamp.fields.is_empty() && stamp.fields.iter().all(same)
}

fn hash(flow: &LoadedFlow, name: &str, value: &Value) -> String {
    flow.keyed_hash.of(name, &normal(value).to_string())
}
