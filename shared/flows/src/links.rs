//! Links: what is known about the target and need not be asked again (customers, items, codes).

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use koppel_core::error::Failure;
use koppel_core::keys::{NonEmpty, Tenant};
use koppel_core::ports::target::{CustomerLink, Reference};
use koppel_core::ports::{Calls, Condition, Key, Target};
use koppel_core::system::Lookup;
use serde::{Deserialize, Serialize};

use crate::Engine;
use crate::runs::{put, read_required};

/// How long a resolved code is believed.
const KEEP_REFERENCES: TimeDelta = TimeDelta::hours(12);

/// A customer link with the hash of what was last sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredLink {
    /// Link; `None` while the customer is being created.
    pub link: Option<CustomerLink>,
    /// Hash of the payload that was last sent or seen.
    pub content_hash: String,
    /// It was sent: the target has that content. What was only seen came with an order of a customer that was there.
    pub written: bool,
    /// Keyed hash of the person's address, by which the link is found when the person is erased.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub person: String,
    /// Keyed hash of the VAT number that was compared.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub vat: String,
    /// Somebody decided which one it is; the same address alone does not say so of others.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub decided: bool,
    /// Somebody decided that it is a new one, which is not made yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub create: bool,
    /// Customers of the target that a new one is not, by id.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not: Vec<String>,
}

impl StoredLink {
    /// The target has this content, as far as it was written from here.
    pub fn has(&self, content_hash: &str) -> bool {
        self.written && self.content_hash == content_hash
    }
}

/// Key under which a customer's link is kept.
pub fn customer_key(tenant: &Tenant, connection: &str, key_hash: &str) -> Key {
    Key::new(tenant, &["customer", connection], key_hash)
}

/// Key under which a customer is claimed while it is created.
pub fn customer_claim_key(tenant: &Tenant, connection: &str, key_hash: &str) -> Key {
    Key::new(tenant, &["customer-claim", connection], key_hash)
}

/// Known customers, by keyed hash.
pub async fn customers(
    engine: &Engine,
    tenant: &Tenant,
    connection: &str,
    hashes: &[String],
) -> Result<BTreeMap<String, StoredLink>, Failure> {
    let keys: Vec<Key> = hashes.iter().map(|hash| customer_key(tenant, connection, hash)).collect();
    let items = engine.store.batch_get(&keys).await?;
    let mut known = BTreeMap::new();
    for (hash, item) in hashes.iter().zip(items) {
        if let Some(item) = item {
            known.insert(hash.clone(), read_required(&item.value)?);
        }
    }
    Ok(known)
}

/// Keys of the links of one person.
pub async fn of_person(engine: &Engine, tenant: &Tenant, connection: &str, person: &str) -> Result<Vec<Key>, Failure> {
    let items =
        crate::items::all(engine, &koppel_core::ports::store::partition(tenant, &["customer", connection]), "").await?;
    let mut keys = Vec::new();
    for item in items {
        let stored: StoredLink = read_required(&item.value)?;
        if stored.person == person {
            keys.push(item.key);
        }
    }
    Ok(keys)
}

/// Remembers a customer.
pub async fn remember_customer(
    engine: &Engine,
    tenant: &Tenant,
    connection: &str,
    key_hash: &str,
    link: &StoredLink,
) -> Result<(), Failure> {
    put(engine, &customer_key(tenant, connection, key_hash), link, Condition::Always, None).await?;
    Ok(())
}

/// Forgets what was known for one record: the target says that some of it is no longer true, and not what.
///
/// The next try asks for the codes and searches the customer again.
pub async fn forget(
    engine: &Engine,
    tenant: &Tenant,
    connection: &str,
    codes: &[(Lookup, NonEmpty)],
    customer: &[&str],
) -> Result<(), Failure> {
    for (list, code) in codes {
        engine.store.delete(&reference_key(tenant, connection, *list, code), Condition::Always).await?;
    }
    for hash in customer {
        engine.store.delete(&customer_key(tenant, connection, hash), Condition::Always).await?;
    }
    Ok(())
}

/// Resolved codes.
#[derive(Clone, Debug, Default)]
pub struct Resolved {
    /// By code.
    pub by_code: BTreeMap<NonEmpty, Reference>,
    /// Those that were known from before.
    pub from_memory: BTreeSet<NonEmpty>,
}

fn reference_key(tenant: &Tenant, connection: &str, list: Lookup, code: &NonEmpty) -> Key {
    Key::new(tenant, &["reference", connection, list.name()], code.as_str())
}

/// Resolves codes, first from what is known, the rest in one question to the target.
pub async fn references(
    engine: &Engine,
    tenant: &Tenant,
    connection: &str,
    target: &dyn Target,
    list: Lookup,
    codes: &[NonEmpty],
    calls: &Calls,
) -> Result<Resolved, Failure> {
    let key = |code: &NonEmpty| reference_key(tenant, connection, list, code);
    let keys: Vec<Key> = codes.iter().map(key).collect();
    let items = engine.store.batch_get(&keys).await?;
    let mut resolved = Resolved::default();
    let mut unknown = Vec::new();
    for (code, item) in codes.iter().zip(items) {
        match item {
            Some(item) => {
                resolved.by_code.insert(code.clone(), read_required(&item.value)?);
                resolved.from_memory.insert(code.clone());
            }
            None => unknown.push(code.clone()),
        }
    }
    if unknown.is_empty() {
        return Ok(resolved);
    }
    let expires = engine.clock.now() + KEEP_REFERENCES;
    for (code, reference) in target.look_up(list, &unknown, calls).await? {
        put(engine, &key(&code), &reference, Condition::Always, Some(expires)).await?;
        resolved.by_code.insert(code, reference);
    }
    Ok(resolved)
}
