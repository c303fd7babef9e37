//! A look ahead: what the steps would make of one record, without a queue, a target or anything stored.

use koppel_core::document::Document;
use koppel_core::error::{Cause, Failure};
use koppel_core::keys::Tenant;
use koppel_core::message::SourceRecord;
use serde::Serialize;
use serde_json::Value;

use super::{check, map};
use crate::Engine;
use crate::cents::Sheet;
use crate::config::{Config, StoredConfig};
use crate::loaded::{LoadedFlow, remember};

/// What would become of a record.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Preview {
    /// Why the filter leaves it out; everything else is empty then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filtered: Option<Cause>,
    /// The canonical document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<Document>,
    /// The proof of cents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cents: Option<Sheet>,
    /// What would be sent. Ids of the target are placeholders: nothing was looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
    /// The customer that would be made to exist first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<Value>,
    /// Things a person should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Cause>,
}

/// A flow of a configuration that need not have been applied.
pub async fn load(
    engine: &Engine,
    tenant: &Tenant,
    name: &str,
    config: &Config,
    file: &str,
) -> Result<std::sync::Arc<LoadedFlow>, Failure> {
    let stored = StoredConfig {
        version: 0,
        applied_at: engine.clock.now(),
        rollback_to: None,
        file: file.to_owned(),
        config: config.clone(),
    };
    remember(engine, tenant, name, &stored).await
}

/// Maps one record as the map and check steps would.
pub async fn preview(engine: &Engine, flow: &LoadedFlow, record: &SourceRecord) -> Result<Preview, Failure> {
    let named = |failure: Failure| failure.map_cause(|cause| cause.in_flow(&flow.name).of_record(&record.label));
    let records = std::slice::from_ref(record);
    let around = map::Around::look(engine, flow, records, map::Keep::No).await.map_err(named)?;
    match map::map_record(engine, flow, record, &around).map_err(named)? {
        map::Mapped::Filtered(result) => Ok(Preview { filtered: result.cause, ..Preview::default() }),
        map::Mapped::Passed { record: mapped, sheet, .. } => {
            let decision = check::assume(engine, flow, &mapped).map_err(named)?;
            Ok(Preview {
                filtered: None,
                warnings: mapped.warnings,
                document: Some(mapped.document),
                cents: sheet,
                payload: Some(decision.payload),
                customer: decision.customer.map(|customer| customer.payload),
            })
        }
    }
}
