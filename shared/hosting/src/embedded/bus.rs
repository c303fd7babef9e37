//! The bus port without a cloud: a table that keeps events for a while, and a line in the log.

use std::sync::Arc;

use async_trait::async_trait;
use koppel_core::event::{Event, EventKind};
use koppel_core::ports::{Bus, Store};
use koppel_core::{Cause, Failure, Tenant};
use rusqlite::params;

use super::database::Database;
use super::micros;
use super::vault::EmbeddedVault;
use crate::contract::bus::Published;

const CONTEXT: &str = "event";

/// Events in the `event` table. Causes may quote a record, so bodies are sealed and the log only names the event.
pub struct EmbeddedBus {
    database: Arc<Database>,
    vault: Arc<EmbeddedVault>,
    alerts: Option<Arc<dyn Store>>,
}

impl EmbeddedBus {
    /// A bus in `database`.
    pub fn new(database: Arc<Database>, vault: Arc<EmbeddedVault>) -> Self {
        Self { database, vault, alerts: None }
    }

    /// Events are noted for alerts in `store`, as soon as they are published.
    #[must_use]
    pub fn noting(mut self, store: Arc<dyn Store>) -> Self {
        self.alerts = Some(store);
        self
    }

    /// The newest events of a tenant, at most `max`, the newest first.
    pub async fn recent(&self, tenant: &Tenant, max: usize) -> Result<Vec<Event>, Failure> {
        let (tenant, max) = (tenant.0.clone(), i64::try_from(max).unwrap_or(i64::MAX));
        let bodies: Vec<Vec<u8>> = self
            .database
            .read(move |connection| {
                connection
                    .prepare_cached("SELECT body FROM event WHERE tenant = ?1 ORDER BY seq DESC LIMIT ?2")?
                    .query_map(params![tenant, max], |row| row.get(0))?
                    .collect()
            })
            .await?;
        bodies
            .iter()
            .map(|body| {
                serde_json::from_slice(&self.vault.open_now(CONTEXT, body)?).map_err(|error| unreadable(&error))
            })
            .collect()
    }
}

#[async_trait]
impl Bus for EmbeddedBus {
    async fn publish(&self, event: &Event) -> Result<(), Failure> {
        let text = serde_json::to_vec(event).map_err(|error| unreadable(&error))?;
        let body = self.vault.seal_now(CONTEXT, &text)?;
        let (tenant, kind, at) = (event.tenant.0.clone(), event.kind.name(), micros(event.at));
        self.database
            .write(move |connection| {
                connection
                    .prepare_cached("INSERT INTO event (tenant, kind, at, body) VALUES (?1, ?2, ?3, ?4)")?
                    .execute(params![tenant, kind, at, body])
            })
            .await?;
        announce(event);
        match &self.alerts {
            Some(store) => koppel_flows::alerts::note(&**store, event).await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Published for EmbeddedBus {
    async fn events(&self, tenant: &Tenant) -> Result<Vec<Event>, Failure> {
        self.recent(tenant, usize::MAX).await
    }
}

fn announce(event: &Event) {
    let (tenant, name) = (&event.tenant.0, event.kind.name());
    match &event.kind {
        EventKind::RunFinished { flow, run, funnel } => {
            tracing::info!(%tenant, event = name, flow, run, funnel = %funnel, "run finished");
        }
        EventKind::RecordsRejected { flow, run, count, .. } => {
            tracing::warn!(%tenant, event = name, flow, run, count, "records were rejected");
        }
        EventKind::FlowNeedsSettings { flow, cause } => {
            tracing::warn!(%tenant, event = name, flow, cause = cause.code, "the flow needs other settings");
        }
        EventKind::ConnectionNeedsConsent { connection, cause } => {
            tracing::warn!(%tenant, event = name, connection, cause = cause.code, "the connection needs consent");
        }
        EventKind::RecordsWaiting { flow, run, count, .. } => {
            tracing::warn!(%tenant, event = name, flow, run, count, "records wait for settings");
        }
        EventKind::RunInterrupted { flow, run, cause } => {
            tracing::warn!(%tenant, event = name, flow, run, cause = cause.code, "the run could not read everything");
        }
        EventKind::BudgetLow { connection, cause } => {
            tracing::warn!(%tenant, event = name, connection, cause = cause.code, "the calls are nearly used up");
        }
        EventKind::DeadLetters { step, count } => {
            tracing::error!(%tenant, event = name, step = step.name(), count, "messages were set aside");
        }
        EventKind::DeadMan { flow, count, .. } => {
            tracing::error!(%tenant, event = name, flow, count, "orders of the shop have not arrived");
        }
        EventKind::ConnectionPaused { connection, cause } => {
            tracing::warn!(%tenant, event = name, connection, cause = cause.code, "the connection does not answer");
        }
        EventKind::ConnectionResumed { connection, .. } => {
            tracing::info!(%tenant, event = name, connection, "the connection goes on");
        }
    }
}

fn unreadable(error: &serde_json::Error) -> Failure {
    Failure::reject(Cause::new("event_not_serialisable", format!("the event cannot be written or read: {error}")))
}
