//! Which record of the source a record of the target follows. Two records of a source under one natural key would
//! overwrite each other with every run, so the second is refused while the first is there.

use std::collections::BTreeMap;

use koppel_core::error::{Cause, Failure};
use koppel_core::keys::{NonEmpty, RecordKey};
use koppel_core::ports::{Condition, Key};
use serde::{Deserialize, Serialize};

use crate::Engine;
use crate::ledger::{self, State};
use crate::loaded::LoadedFlow;
use crate::runs::{put, read_required};

#[derive(Serialize, Deserialize)]
struct Owner {
    record: RecordKey,
    label: String,
}

/// Personal keys (addresses of customers) are stored as keyed hashes.
fn key(flow: &LoadedFlow, natural_key: &NonEmpty) -> Key {
    let hashed = flow.keyed_hash.of("owner", natural_key.as_str());
    Key::new(&flow.tenant, &["owner", &flow.name], hashed)
}

/// Remembers whose record of the target it is.
pub async fn own(
    engine: &Engine,
    flow: &LoadedFlow,
    natural_key: &NonEmpty,
    record: &RecordKey,
    label: &str,
) -> Result<(), Failure> {
    let owner = Owner { record: record.clone(), label: label.to_owned() };
    put(engine, &key(flow, natural_key), &owner, Condition::Always, None).await?;
    Ok(())
}

/// Of these records and their natural keys, those whose key belongs to another record that is still there.
pub async fn taken(
    engine: &Engine,
    flow: &LoadedFlow,
    records: &[(&RecordKey, NonEmpty)],
) -> Result<BTreeMap<RecordKey, Cause>, Failure> {
    let keys: Vec<Key> = records.iter().map(|(_, natural_key)| key(flow, natural_key)).collect();
    let mut others = Vec::new();
    for ((record, natural_key), item) in records.iter().zip(engine.store.batch_get(&keys).await?) {
        let Some(item) = item else { continue };
        let owner: Owner = read_required(&item.value)?;
        if owner.record != **record {
            others.push(((*record).clone(), natural_key.clone(), owner));
        }
    }
    if others.is_empty() {
        return Ok(BTreeMap::new());
    }
    let owners: Vec<RecordKey> = others.iter().map(|(_, _, owner)| owner.record.clone()).collect();
    let entries = ledger::entries(engine, &flow.tenant, &flow.name, &owners).await?;
    let mut taken = BTreeMap::new();
    for ((record, natural_key, owner), entry) in others.into_iter().zip(entries) {
        let is_there = entry.is_some_and(|e| e.entry.state == State::Delivered && e.entry.gone_at.is_none());
        if is_there {
            taken.insert(record, duplicate(&natural_key, &owner.record, &owner.label));
        }
    }
    Ok(taken)
}

/// What to say about a second record under one key.
pub fn duplicate(natural_key: &NonEmpty, other: &RecordKey, label: &str) -> Cause {
    Cause::new(
        "duplicate_key",
        if natural_key.as_str().contains('@') {
            // It is told and kept in the clear.
            format!("its e-mail address belongs to another record of the source too: {label} (id {other})")
        } else {
            format!("the key «{natural_key}» belongs to another record of the source too: {label} (id {other})")
        },
    )
    .advice("give each record a key of its own, or leave one of them out with filter.where")
}
