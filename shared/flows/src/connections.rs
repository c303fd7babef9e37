//! Connections at run time: opened with their secrets, and stopped while they need consent.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use koppel_core::connection::Connection;
use koppel_core::error::{Cause, Failure};
use koppel_core::event::{Event, EventKind};
use koppel_core::keys::Tenant;
use koppel_core::ports::{Condition, Key, Source, Target};
use serde::{Deserialize, Serialize};

use crate::Engine;
use crate::config::{Config, ConnectionConfig};
use crate::runs::{put, read_required};

/// Why a connection is stopped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stopped {
    /// Since when.
    pub since: DateTime<Utc>,
    /// What happened.
    pub cause: Cause,
}

/// Opens a connection of a configuration.
pub async fn open(engine: &Engine, tenant: &Tenant, config: &Config, name: &str) -> Result<Connection, Failure> {
    let settings = config.connections.get(name).ok_or_else(|| {
        Failure::settings(Cause::new("unknown_connection", format!("the connection «{name}» is not configured")))
    })?;
    let secrets = crate::config::secrets_of(engine, tenant, name).await?;
    Ok(assemble(tenant, name, settings, secrets))
}

/// Puts a connection together from its parts.
pub fn assemble(
    tenant: &Tenant,
    name: &str,
    settings: &ConnectionConfig,
    secrets: std::collections::BTreeMap<String, String>,
) -> Connection {
    Connection {
        tenant: tenant.clone(),
        name: name.to_owned(),
        system: settings.system.clone(),
        options: settings.options.iter().map(|(key, value)| (key.clone(), value.to_json())).collect(),
        secrets,
    }
}

/// Opens a connection to read from.
pub async fn source(engine: &Engine, tenant: &Tenant, config: &Config, name: &str) -> Result<Arc<dyn Source>, Failure> {
    let connection = open(engine, tenant, config, name).await?;
    engine.systems.source(&connection).map_err(|f| f.map_cause(|c| c.at_connection(name)))
}

/// Opens a connection to write to.
pub async fn target(engine: &Engine, tenant: &Tenant, config: &Config, name: &str) -> Result<Arc<dyn Target>, Failure> {
    let connection = open(engine, tenant, config, name).await?;
    engine.systems.target(&connection).map_err(|f| f.map_cause(|c| c.at_connection(name)))
}

/// Why a connection is stopped; `None` when it works.
pub async fn stopped(engine: &Engine, tenant: &Tenant, name: &str) -> Result<Option<Stopped>, Failure> {
    engine.store.get(&key(tenant, name)).await?.map(|item| read_required(&item.value)).transpose()
}

/// Stops a connection that needs consent, and says so once.
pub async fn stop(engine: &Engine, tenant: &Tenant, name: &str, cause: &Cause) -> Result<(), Failure> {
    let stopped = Stopped { since: engine.clock.now(), cause: cause.clone() };
    match put(engine, &key(tenant, name), &stopped, Condition::Absent, None).await {
        Ok(_) => {
            let kind = EventKind::ConnectionNeedsConsent { connection: name.to_owned(), cause: cause.clone() };
            engine.bus.publish(&Event { tenant: tenant.clone(), at: stopped.since, kind }).await
        }
        Err(Failure::Retry { reason: koppel_core::error::RetryReason::Busy, .. }) => Ok(()),
        Err(other) => Err(other),
    }
}

/// Lets a connection go on, after consent.
pub async fn resume(engine: &Engine, tenant: &Tenant, name: &str) -> Result<(), Failure> {
    Ok(engine.store.delete(&key(tenant, name), Condition::Always).await?)
}

fn key(tenant: &Tenant, name: &str) -> Key {
    Key::new(tenant, &["stopped"], name)
}
