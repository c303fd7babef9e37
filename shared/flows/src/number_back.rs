//! The number that a document got in the target, noted at the record of the source that it was made of: `settings.number_back`.
//!
//! No document waits for it. What is owed to the source is kept before the ledger says that the document has arrived, so it
//! is not forgotten when the host dies in between; the schedule pays it, many at once. A source that cannot take it now is
//! asked again, later and later, and after a fortnight no more: the number stands in the books and in the trail.

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::error::{Cause, Failure, nearest};
use koppel_core::keys::{RecordKey, Tenant};
use koppel_core::message::MappedRecord;
use koppel_core::ports::store::partition;
use koppel_core::ports::{Calls, Condition, DocumentNumber, Key};
use koppel_core::system::{NumberField, SystemFacts};
use serde::{Deserialize, Serialize};

use crate::Engine;
use crate::config::{Config, FlowConfig};
use crate::loaded::{LoadedFlow, priority_of};
use crate::runs::{put, read_required};
use crate::waiting::back_off;
use crate::{connections, items};

/// Key of the setting, for causes.
const SETTING: &str = "settings.number_back";
/// How long a source is asked.
const ASKED_FOR: TimeDelta = TimeDelta::days(14);
/// Numbers that a source is told at once.
const AT_ONCE: usize = 100;
/// One invocation tells numbers for this long, and leaves the rest to the next.
const TELL_FOR: TimeDelta = TimeDelta::seconds(30);

/// A number that the source is still to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    /// Record.
    pub key: RecordKey,
    /// What a merchant calls it.
    pub label: String,
    /// Number of its document.
    pub number: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// When it is told, or tried again.
    pub due_at: DateTime<Utc>,
    /// How often it was tried.
    pub times: u32,
    /// Why it could not be told the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
}

/// What has become of the numbers that were due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Noted at the source.
    pub noted: usize,
    /// Not noted: tried again later, or given up.
    pub failed: Vec<(String, Cause)>,
}

fn key(tenant: &Tenant, flow: &str, record: &RecordKey) -> Key {
    Key::new(tenant, &["number-back", flow], record.as_str())
}

/// What is wrong with the setting.
pub(crate) fn wrong(flow: &FlowConfig, source: &SystemFacts) -> Option<Cause> {
    let name = flow.settings.number_back.as_deref()?;
    let cause = |message: String| Cause::new("not_supported", message).in_row(SETTING);
    match source.number_field(flow.entity) {
        None => {
            let message = format!("{} has no field for the number of a document with its {}", source.name, flow.entity);
            Some(cause(message).advice("take the setting out; docs/systems.md has the fields of each shop"))
        }
        Some(NumberField::OneOf(fields)) if !fields.contains(&name) => {
            let message = format!("{} has no field «{name}» for the number of a document", source.name);
            Some(cause(message).advice(match nearest(name, fields.iter().copied()) {
                Some(near) => format!("did you mean «{near}»?"),
                None => format!("use one of {}", fields.join(", ")),
            }))
        }
        Some(NumberField::Custom { max_chars }) if name.trim().is_empty() || name.chars().count() > max_chars => {
            let message = format!("«{name}» is not the name of a custom field of {}", source.name);
            Some(cause(message).advice(format!("give a name of 1 to {max_chars} characters, such as erp_number")))
        }
        Some(_) => None,
    }
}

/// Remembers that the source is to be told the number of a document.
pub async fn owe(engine: &Engine, flow: &LoadedFlow, record: &MappedRecord, number: &str) -> Result<(), Failure> {
    if flow.flow.settings.number_back.is_none() || number.trim().is_empty() {
        return Ok(());
    }
    let now = engine.clock.now();
    let owed = Owed {
        key: record.key.clone(),
        label: record.label.clone(),
        number: number.to_owned(),
        since: now,
        due_at: now,
        times: 0,
        cause: None,
    };
    put(engine, &key(&flow.tenant, &flow.name, &record.key), &owed, Condition::Always, Some(now + ASKED_FOR * 2))
        .await?;
    Ok(())
}

/// What the source is still to be told.
pub async fn owed(engine: &Engine, tenant: &Tenant, flow: &str) -> Result<Vec<Owed>, Failure> {
    let list = items::all(engine, &partition(tenant, &["number-back", flow]), "").await?;
    list.iter().map(|item| read_required(&item.value)).collect()
}

/// Tells the source the numbers that are due.
pub async fn tell(engine: &Engine, tenant: &Tenant, config: &Config, name: &str) -> Result<Told, Failure> {
    let mut told = Told::default();
    let Some(flow) = config.flows.get(name) else { return Ok(told) };
    let Some(field) = flow.settings.number_back.as_deref() else { return Ok(told) };
    let now = engine.clock.now();
    let mut due = owed(engine, tenant, name).await?;
    due.retain(|owed| owed.due_at <= now);
    due.sort_by_key(|owed| owed.due_at);
    if due.is_empty() {
        return Ok(told);
    }
    let source = connections::source(engine, tenant, config, &flow.from).await?;
    for group in due.chunks(AT_ONCE) {
        if engine.clock.now() - now >= TELL_FOR {
            break;
        }
        let numbers: Vec<DocumentNumber> = group
            .iter()
            .map(|owed| DocumentNumber {
                key: owed.key.clone(),
                label: owed.label.clone(),
                number: owed.number.clone(),
            })
            .collect();
        let calls = Calls::new(priority_of(flow.entity));
        let answers = match source.note_numbers(flow.entity, field, &numbers, &calls).await {
            Ok(answers) => answers,
            Err(failure) => group.iter().map(|_| Err(failure.clone())).collect(),
        };
        for (owed, answer) in group.iter().zip(answers) {
            match answer {
                Ok(()) => {
                    told.noted += 1;
                    engine.store.delete(&key(tenant, name, &owed.key), Condition::Always).await?;
                }
                Err(failure) => {
                    told.failed.push((owed.label.clone(), failure.cause().clone()));
                    put_off(engine, tenant, name, owed, &failure).await?;
                }
            }
        }
    }
    Ok(told)
}

/// Tries again later, unless the source will never take it.
async fn put_off(engine: &Engine, tenant: &Tenant, flow: &str, owed: &Owed, failure: &Failure) -> Result<(), Failure> {
    let now = engine.clock.now();
    let key = key(tenant, flow, &owed.key);
    if matches!(failure, Failure::Reject(_)) || now - owed.since >= ASKED_FOR {
        tracing::warn!(
            flow,
            record = owed.key.as_str(),
            number = owed.number,
            code = failure.cause().code,
            "the source does not take the number of the document, and is not asked again"
        );
        return Ok(engine.store.delete(&key, Condition::Always).await?);
    }
    let times = owed.times.saturating_add(1);
    let wait = match failure {
        Failure::Retry { after: Some(after), .. } => TimeDelta::from_std(*after).unwrap_or_else(|_| back_off(times)),
        _ => back_off(times),
    };
    let later = Owed { times, due_at: now + wait, cause: Some(failure.cause().clone()), ..owed.clone() };
    put(engine, &key, &later, Condition::Always, Some(owed.since + ASKED_FOR * 2)).await?;
    Ok(())
}
