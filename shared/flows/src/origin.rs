//! Both directions of an entity at once: what a flow wrote is no news to the flow that goes the other way.
//!
//! Without this, what one direction wrote would be carried back by the other, shortened or rounded by the system that it
//! went through, and so on for ever. Two things are kept, hashes and moments only:
//!
//! * a **stamp** on each record of a target that was written: by which flow, of which record, and when. Whoever reads the
//!   record as it was then takes it for an echo;
//! * what both sides **agreed** on, by record of a source: a hash of each field as the target's rows write it. Later only
//!   fields that have changed since then are carried over, so that a new price does not bring along a name that the other
//!   side had to shorten.
//!
//! A record that both sides changed between two runs goes the way of the flow that runs first.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::document::Entity;
use koppel_core::error::Failure;
use koppel_core::keys::{RecordKey, Tenant};
use koppel_core::message::MappedRecord;
use koppel_core::ports::{Condition, Key};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Engine;
use crate::loaded::LoadedFlow;
use crate::runs::{put, read_required};
use crate::same::normal;
use crate::steps::fields_of;

/// Clocks differ, and a system may date a change a little later than the moment its answer arrived.
const DATED_LATER: TimeDelta = TimeDelta::seconds(10);
/// What nobody has looked at for so long says nothing any more.
const KEEP: TimeDelta = TimeDelta::days(400);

/// Who wrote a record of a system last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Flow.
    pub flow: String,
    /// Record that it was written from.
    pub record: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// What both sides had when they last agreed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Agreed {
    at: DateTime<Utc>,
    /// Keyed hash of each field, by its name in the target.
    fields: BTreeMap<String, String>,
}

/// What is known of a record before it is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Before {
    stamp: Option<Stamp>,
    agreed: Option<Agreed>,
}

/// What a record says that is new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Nothing is known of it.
    All,
    /// Some fields have changed.
    Some,
    /// No field has changed.
    None,
    /// It is as another flow wrote it.
    Echo(Stamp),
}

/// Another flow carries the same entity the other way, between the same connections.
fn goes_both_ways(flow: &LoadedFlow) -> bool {
    let (from, to, entity) = (&flow.flow.from, &flow.flow.to, flow.flow.entity);
    flow.config.flows.values().any(|other| other.entity == entity && other.from == *to && other.to == *from)
}

/// A record of `system` that was written from `other`.
fn stamp_key(tenant: &Tenant, system: &str, other: &str, entity: Entity, id: &str) -> Key {
    Key::new(tenant, &["origin", system, other, entity.name()], id.to_lowercase())
}

fn agreed_key(flow: &LoadedFlow, record: &RecordKey) -> Key {
    Key::new(&flow.tenant, &["agreed", &flow.name], record.as_str())
}

/// What is known of these records, in their order.
pub async fn before(engine: &Engine, flow: &LoadedFlow, records: &[&MappedRecord]) -> Result<Vec<Before>, Failure> {
    if !goes_both_ways(flow) {
        return Ok(vec![Before::default(); records.len()]);
    }
    let (from, to) = (&flow.flow.from, &flow.flow.to);
    let stamp = |record: &&MappedRecord| stamp_key(&flow.tenant, from, to, flow.flow.entity, record.key.as_str());
    let stamps: Vec<Key> = records.iter().map(stamp).collect();
    let agreed: Vec<Key> = records.iter().map(|record| agreed_key(flow, &record.key)).collect();
    let mut all = Vec::with_capacity(records.len());
    let stamps = engine.store.batch_get(&stamps).await?;
    for (stamp, agreed) in stamps.into_iter().zip(engine.store.batch_get(&agreed).await?) {
        let stamp = stamp.map(|item| read_required(&item.value)).transpose()?;
        let agreed = agreed.map(|item| read_required(&item.value)).transpose()?;
        all.push(Before { stamp, agreed });
    }
    Ok(all)
}

/// Remembers that a record was written to `id` of the target, and that both sides agree on it.
pub async fn written(engine: &Engine, flow: &LoadedFlow, record: &MappedRecord, id: &str) -> Result<(), Failure> {
    if !goes_both_ways(flow) {
        return Ok(());
    }
    let key = stamp_key(&flow.tenant, &flow.flow.to, &flow.flow.from, flow.flow.entity, id);
    let at = engine.clock.now();
    let stamp = Stamp { flow: flow.name.clone(), record: record.key.to_string(), at };
    put(engine, &key, &stamp, Condition::Always, Some(at + KEEP)).await?;
    agree(engine, flow, record).await
}

/// Remembers that both sides agree on a record as it is.
pub async fn agree(engine: &Engine, flow: &LoadedFlow, record: &MappedRecord) -> Result<(), Failure> {
    if !goes_both_ways(flow) || record.gone {
        return Ok(());
    }
    let at = engine.clock.now();
    let fields = fields_of(engine, flow, record)?;
    let fields = fields.iter().map(|(name, value)| (name.clone(), hash(flow, name, value))).collect();
    put(engine, &agreed_key(flow, &record.key), &Agreed { at, fields }, Condition::Always, Some(at + KEEP)).await?;
    Ok(())
}

impl Before {
    /// What a record with these fields says that is new.
    pub fn news(&self, flow: &LoadedFlow, record: &MappedRecord, fields: &Map<String, Value>) -> News {
        let is_later = |at: DateTime<Utc>| self.agreed.as_ref().is_none_or(|agreed| at > agreed.at);
        if let Some(stamp) = self.stamp.as_ref().filter(|stamp| is_later(stamp.at))
            && record.modified_at.is_none_or(|at| at <= stamp.at + DATED_LATER)
        {
            return News::Echo(stamp.clone());
        }
        match &self.agreed {
            None => News::All,
            Some(_) if fields.iter().all(|(name, value)| self.is_agreed(flow, name, value)) => News::None,
            Some(_) => News::Some,
        }
    }

    /// Takes out the fields on which both sides agreed: what the other side made of them stays.
    pub fn leave_agreed(&self, flow: &LoadedFlow, fields: &mut Map<String, Value>) {
        fields.retain(|name, value| !self.is_agreed(flow, name, value));
    }

    fn is_agreed(&self, flow: &LoadedFlow, name: &str, value: &Value) -> bool {
        let known = self.agreed.as_ref().and_then(|agreed| agreed.fields.get(name));
        known.is_some_and(|known| *known == hash(flow, name, value))
    }
}

fn hash(flow: &LoadedFlow, name: &str, value: &Value) -> String {
    flow.keyed_hash.of(name, &normal(value).to_string())
}
