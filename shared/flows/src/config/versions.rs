//! Stored versions of the configuration: applied, never changed, rolled back by applying an old one again.

use chrono::{DateTime, Utc};
use koppel_core::error::{Cause, Failure};
use koppel_core::keys::Tenant;
use koppel_core::ports::{Condition, Key, Store};
use serde::{Deserialize, Serialize};

use super::{Config, secrets};

/// A version as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredConfig {
    /// Version, from 1.
    pub version: u64,
    /// When it was applied.
    pub applied_at: DateTime<Utc>,
    /// Version that was rolled back to, when this one is a rollback.
    #[serde(default)]
    pub rollback_to: Option<u64>,
    /// File name, for messages.
    pub file: String,
    /// The configuration, without secrets.
    pub config: Config,
}

#[derive(Serialize, Deserialize)]
struct Pointer {
    version: u64,
}

/// The version in force; 0 when none was applied.
pub async fn current_version(store: &dyn Store, tenant: &Tenant) -> Result<u64, Failure> {
    let item = store.get(&pointer_key(tenant)).await?;
    Ok(item.and_then(|item| serde_json::from_str::<Pointer>(&item.value).ok()).map_or(0, |p| p.version))
}

/// The configuration in force.
pub async fn load_current(store: &dyn Store, tenant: &Tenant) -> Result<Option<StoredConfig>, Failure> {
    match current_version(store, tenant).await? {
        0 => Ok(None),
        version => load_version(store, tenant, version).await.map(Some),
    }
}

/// One version.
pub async fn load_version(store: &dyn Store, tenant: &Tenant, version: u64) -> Result<StoredConfig, Failure> {
    let missing = |what: &str| {
        Failure::settings(
            Cause::new("unknown_version", format!("configuration version {version} {what}"))
                .advice("koppel versions lists those that exist"),
        )
    };
    let item = store.get(&version_key(tenant, version)).await?.ok_or_else(|| missing("does not exist"))?;
    // Through a JSON value: options are flattened, and exact numbers survive that only from a value.
    serde_json::from_str::<serde_json::Value>(&item.value)
        .and_then(serde_json::from_value)
        .map_err(|_| missing("cannot be read"))
}

/// Stores `config` as the next version and puts it in force.
pub async fn save_version(
    store: &dyn Store,
    tenant: &Tenant,
    config: &Config,
    file: &str,
    now: DateTime<Utc>,
    rollback_to: Option<u64>,
) -> Result<u64, Failure> {
    let pointer = store.get(&pointer_key(tenant)).await?;
    let version = current_version(store, tenant).await? + 1;
    let stored = StoredConfig {
        version,
        applied_at: now,
        rollback_to,
        file: file.to_owned(),
        config: secrets::without_literals(config),
    };
    let text = serde_json::to_string(&stored).unwrap_or_default();
    // A version left behind by a crash before the pointer moved was never in force: it may be overwritten.
    store.put(&version_key(tenant, version), &text, Condition::Always, None).await?;
    let condition = pointer.map_or(Condition::Absent, |item| Condition::Version(item.version));
    let pointer = serde_json::to_string(&Pointer { version }).unwrap_or_default();
    // The list of tenants is what the schedule step walks.
    let listed = Key::new(&Tenant("tenants".into()), &[], tenant.0.clone());
    store.put(&listed, "{}", Condition::Always, None).await?;
    store.put(&pointer_key(tenant), &pointer, condition, None).await?;
    Ok(version)
}

/// Puts an old version in force again, as a new version.
pub async fn rollback(store: &dyn Store, tenant: &Tenant, to: u64, now: DateTime<Utc>) -> Result<u64, Failure> {
    let old = load_version(store, tenant, to).await?;
    save_version(store, tenant, &old.config, &old.file, now, Some(to)).await
}

fn pointer_key(tenant: &Tenant) -> Key {
    Key::new(tenant, &["config"], "current")
}

fn version_key(tenant: &Tenant, version: u64) -> Key {
    Key::new(tenant, &["config"], format!("version#{version:010}"))
}
