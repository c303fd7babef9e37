//! The lists that codes and table keys come from: asked of the system, kept for a while, read again on request.

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::connection::Connection;
use koppel_core::error::{Cause, Failure, nearest};
use koppel_core::keys::Tenant;
use koppel_core::ports::store::partition;
use koppel_core::ports::{Calls, Condition, Key, Reference};
use koppel_core::system::{Lookup, SourceList};
use serde::{Deserialize, Serialize};

use crate::Engine;
use crate::privacy::content_hash;
use crate::runs::{put, read_required};

/// Lists are kept this long.
const KEEP: TimeDelta = TimeDelta::days(7);
/// Codes in one item of the store: items have a largest size.
const PART: usize = 500;

/// The name of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListName {
    /// Codes of the target, or of a source that has the same list.
    Codes(Lookup),
    /// Values of the source.
    Values(SourceList),
}

impl ListName {
    /// Name on the command line and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Codes(list) => list.name(),
            Self::Values(list) => list.name(),
        }
    }

    /// The list of this name.
    pub fn parse(name: &str) -> Result<Self, Cause> {
        let all = || Lookup::ALL.map(Self::Codes).into_iter().chain(SourceList::ALL.map(Self::Values));
        all().find(|list| list.name() == name).ok_or_else(|| {
            let cause = Cause::new("unknown_list", format!("there is no list «{name}»"));
            match nearest(name, all().map(Self::name)) {
                Some(near) => cause.advice(format!("did you mean «{near}»?")),
                None => cause.advice(format!("use one of {}", all().map(Self::name).collect::<Vec<_>>().join(", "))),
            }
        })
    }

    fn may_be_kept(self) -> bool {
        !matches!(self, Self::Codes(list) if list.names_persons())
    }
}

/// A list and when it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredList {
    /// When the system was asked.
    pub read_at: DateTime<Utc>,
    /// It was kept from before.
    pub from_store: bool,
    /// The codes.
    pub codes: Vec<Reference>,
}

/// A part of a list as it is stored.
#[derive(Serialize, Deserialize)]
struct Part {
    read_at: DateTime<Utc>,
    /// Changes with the options of the connection: another administration has other codes.
    of: String,
    /// Codes in the whole list.
    total: usize,
    codes: Vec<Reference>,
}

/// The list as it is kept; `None` when it is not, or was read under other options.
pub async fn stored_list(
    engine: &Engine,
    tenant: &Tenant,
    connection: &Connection,
    list: ListName,
) -> Result<Option<StoredList>, Failure> {
    let items = crate::items::all(engine, &partition(tenant, &["list", &connection.name, list.name()]), "").await?;
    let mut parts = Vec::new();
    for item in items {
        parts.push(read_required::<Part>(&item.value)?);
    }
    let Some(first) = parts.first() else { return Ok(None) };
    let (read_at, total) = (first.read_at, first.total);
    if first.of != mark(connection) {
        return Ok(None);
    }
    let codes: Vec<Reference> =
        parts.into_iter().filter(|part| part.read_at == read_at).flat_map(|part| part.codes).collect();
    // A writer that was stopped half way leaves a list that is not whole.
    Ok((codes.len() == total).then_some(StoredList { read_at, from_store: true, codes }))
}

/// The list: as it is kept unless `refresh`, else as the system has it now.
pub async fn list_of(
    engine: &Engine,
    tenant: &Tenant,
    connection: &Connection,
    list: ListName,
    refresh: bool,
    calls: &Calls,
) -> Result<StoredList, Failure> {
    if !refresh && let Some(kept) = stored_list(engine, tenant, connection, list).await? {
        return Ok(kept);
    }
    let answer = match list {
        ListName::Codes(list) => engine.systems.target(connection)?.list_codes(list, calls).await,
        ListName::Values(list) => engine.systems.source(connection)?.list_values(list, calls).await,
    };
    let codes = answer.map_err(|failure| failure.map_cause(|cause| cause.at_connection(&connection.name)))?;
    let read_at = engine.clock.now();
    if list.may_be_kept() {
        keep(engine, tenant, connection, list, read_at, &codes).await?;
    }
    Ok(StoredList { read_at, from_store: false, codes })
}

/// Keeps a list in parts; those of a longer list before it go away.
async fn keep(
    engine: &Engine,
    tenant: &Tenant,
    connection: &Connection,
    list: ListName,
    read_at: DateTime<Utc>,
    codes: &[Reference],
) -> Result<(), Failure> {
    let area = ["list", connection.name.as_str(), list.name()];
    let old = crate::items::all(engine, &partition(tenant, &area), "").await?;
    let of = mark(connection);
    let parts: Vec<&[Reference]> = if codes.is_empty() { vec![codes] } else { codes.chunks(PART).collect() };
    for (number, codes_of_part) in parts.iter().enumerate() {
        let part = Part { read_at, of: of.clone(), total: codes.len(), codes: codes_of_part.to_vec() };
        let key = Key::new(tenant, &area, format!("{number:05}"));
        put(engine, &key, &part, Condition::Always, Some(read_at + KEEP)).await?;
    }
    for item in old.into_iter().skip(parts.len()) {
        engine.store.delete(&item.key, Condition::Always).await?;
    }
    Ok(())
}

fn mark(connection: &Connection) -> String {
    content_hash(&serde_json::json!([connection.system, connection.options]))
}
