//! Whether the systems have the codes that a flow names: asked before a configuration is put in force.

use std::collections::{BTreeMap, BTreeSet};

use koppel_core::connection::Connection;
use koppel_core::error::{Cause, Failure, nearest};
use koppel_core::keys::{NonEmpty, Tenant};
use koppel_core::ports::{Calls, Reference};
use koppel_core::system::Lookup;
use serde_json::Value;

use super::lists::{ListName, list_of, stored_list};
use super::{ListSide, SetCode, codes_of};
use crate::Engine;
use crate::config::FlowConfig;
use crate::connections;

/// What became of the codes of a configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checked {
    /// Codes that were looked up.
    pub codes: usize,
    /// Codes that are wrong, one cause for each row.
    pub wrong: Vec<Cause>,
    /// Connections that could not be asked, and why.
    pub not_asked: BTreeMap<String, Cause>,
}

/// Looks up the codes of a flow, one question for each list. A system that cannot be asked is told, not guessed about,
/// and not asked again for the flows that follow.
pub async fn check_codes(
    engine: &Engine,
    tenant: &Tenant,
    (name, flow): (&str, &FlowConfig),
    connection_of: impl Fn(&str) -> Option<Connection>,
    calls: &Calls,
    checked: &mut Checked,
) -> Result<(), Failure> {
    let mut by_list: BTreeMap<(ListSide, Lookup), Vec<SetCode>> = BTreeMap::new();
    for code in codes_of(flow)? {
        by_list.entry((code.side, code.list)).or_default().push(code);
    }
    for ((side, list), codes) in by_list {
        let connection = match side {
            ListSide::Source => &flow.from,
            ListSide::Target => &flow.to,
        };
        let Some(connection) = connection_of(connection) else { continue };
        let has_list = engine.systems.facts(&connection.system).is_some_and(|facts| facts.lookups.contains(&list));
        if !has_list || checked.not_asked.contains_key(&connection.name) {
            continue;
        }
        if let Some(stopped) = connections::stopped(engine, tenant, &connection.name).await? {
            checked.not_asked.insert(connection.name.clone(), stopped.cause);
            continue;
        }
        match found(engine, &connection, list, &codes, calls).await {
            Ok((found, asked)) => {
                checked.codes += asked.len();
                let wrong = wrong(engine, (tenant, name), &connection, list, &codes, &found, calls).await?;
                checked.wrong.extend(wrong);
            }
            Err(failure) => {
                checked.not_asked.insert(connection.name.clone(), failure.cause().clone());
            }
        }
    }
    Ok(())
}

type Found = (BTreeMap<NonEmpty, Reference>, BTreeSet<NonEmpty>);

/// The references of these codes, and the codes that were asked for.
async fn found(
    engine: &Engine,
    connection: &Connection,
    list: Lookup,
    codes: &[SetCode],
    calls: &Calls,
) -> Result<Found, Failure> {
    let asked: BTreeSet<NonEmpty> = codes.iter().filter_map(|code| NonEmpty::new(&code.code)).collect();
    let keys: Vec<NonEmpty> = asked.iter().cloned().collect();
    let found = engine.systems.target(connection)?.look_up(list, &keys, calls).await?;
    Ok((found, asked))
}

async fn wrong(
    engine: &Engine,
    (tenant, flow): (&Tenant, &str),
    connection: &Connection,
    list: Lookup,
    codes: &[SetCode],
    found: &BTreeMap<NonEmpty, Reference>,
    calls: &Calls,
) -> Result<Vec<Cause>, Failure> {
    let system = engine.systems.facts(&connection.system).map_or("the target", |facts| facts.name);
    let mut causes = Vec::new();
    let mut known: Option<Vec<Reference>> = None;
    for code in codes {
        let reference = NonEmpty::new(&code.code).and_then(|code| found.get(&code));
        let cause = match reference {
            Some(reference) if reference.attributes.get("blocked").and_then(Value::as_bool) == Some(true) => {
                Cause::new("blocked", format!("the {} «{}» is blocked in {system}", list.label(), code.code))
                    .advice("unblock it, or choose another")
            }
            Some(_) => continue,
            None => {
                if known.is_none() {
                    known = Some(known_codes(engine, tenant, connection, list, calls).await);
                }
                let cause = Cause::new(
                    format!("unknown_{}", list.name()),
                    format!("the {} «{}» is not in {system}", list.label(), code.code),
                );
                cause.advice(advice(flow, list, &code.code, known.as_deref().unwrap_or_default()))
            }
        };
        causes.push(cause.in_flow(flow).in_row(&code.row));
    }
    Ok(causes)
}

/// What there is to choose from. A long list is not read for one slip of the pen: only what is kept of it counts.
async fn known_codes(
    engine: &Engine,
    tenant: &Tenant,
    connection: &Connection,
    list: Lookup,
    calls: &Calls,
) -> Vec<Reference> {
    let name = ListName::Codes(list);
    let read = if list.is_long() {
        stored_list(engine, tenant, connection, name).await
    } else {
        list_of(engine, tenant, connection, name, true, calls).await.map(Some)
    };
    // Without the list the code is just as wrong; only the suggestion is missing.
    read.ok().flatten().map(|list| list.codes).unwrap_or_default()
}

fn advice(flow: &str, list: Lookup, code: &str, known: &[Reference]) -> String {
    let usable = known.iter().filter(|reference| reference.attributes.get("blocked") != Some(&Value::Bool(true)));
    // A short code is near to every other short one: there all of them are shown.
    let near =
        (code.chars().count() > 2).then(|| nearest(code, usable.clone().map(|known| known.code.as_str()))).flatten();
    match near {
        Some(near) => format!("did you mean «{near}»?"),
        None if known.is_empty() => format!("koppel settings {flow} --list {} shows what there is", list.name()),
        None => {
            let shown: Vec<String> = usable.map(|known| format!("{} ({})", known.code, known.name)).take(12).collect();
            format!("use one of {}", shown.join(", "))
        }
    }
}
