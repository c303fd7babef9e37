//! The review list: records whose customer a person must choose, because several of the target may be it.
//!
//! Which ones may be it is kept by their id and code, under a keyed hash of the customer; nothing of a person stands in
//! the clear. A decision is kept as the link of that customer, so that it is made once, and whatever waits for it goes on.

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::error::{Cause, Failure};
use koppel_core::keys::{NonEmpty, RecordKey, Tenant};
use koppel_core::ports::store::partition;
use koppel_core::ports::target::CustomerLink;
use koppel_core::ports::{Calls, Condition, Key, Priority};
use koppel_core::system::Lookup;
use serde::{Deserialize, Serialize};

use crate::Engine;
use crate::config::Config;
use crate::links::{self, StoredLink};
use crate::runs::{put, read_required};
use crate::waiting::{self, WaitReason};
use crate::{connections, ledger};

/// Code of the cause of a record that waits for a decision.
pub const CODE: &str = "customer_review";

/// What nobody looks at any more is forgotten; a record that still waits is noted again.
const KEEP: TimeDelta = TimeDelta::days(60);

/// One of those that it may be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Id in the target.
    pub id: String,
    /// Code that the target shows.
    pub code: String,
}

/// What is known of a record that waits for a decision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Keyed hash of the customer: all records with the same one wait for the same decision.
    pub key_hash: String,
    /// Keyed hash of its address.
    pub person: String,
    /// Keyed hash of its VAT number.
    pub vat: String,
    /// Who it may be.
    pub choices: Vec<Choice>,
}

/// A record of the list.
#[derive(Clone, Debug, Serialize)]
pub struct Case {
    /// Flow.
    pub flow: String,
    /// Record.
    pub record: RecordKey,
    /// What a merchant calls it.
    pub label: String,
    /// Why it is not certain.
    pub why: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Who it may be.
    pub choices: Vec<Choice>,
    /// Whose decision it waits for.
    #[serde(skip)]
    pub open: Open,
}

/// What is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the one with this code.
    Use(NonEmpty),
    /// It is none of them.
    New,
}

/// What to say of a record whose customer is not certain.
pub fn cause(why: &str, choices: &[Choice], system: &str) -> Cause {
    let codes: Vec<&str> = choices.iter().map(|choice| choice.code.as_str()).collect();
    Cause::new(CODE, format!("it is not certain which customer of {system} it is for: {why}"))
        .advice(format!("koppel review shows them; then --use one of {}, or --new", codes.join(", ")))
}

fn key(tenant: &Tenant, flow: &str, record: &RecordKey) -> Key {
    Key::new(tenant, &["review", flow], record.as_str())
}

/// Notes what a record waits for.
pub(crate) async fn note(
    engine: &Engine,
    tenant: &Tenant,
    flow: &str,
    record: &RecordKey,
    open: &Open,
) -> Result<(), Failure> {
    let until = engine.clock.now() + KEEP;
    put(engine, &key(tenant, flow, record), open, Condition::Always, Some(until)).await?;
    Ok(())
}

/// The records of a flow that wait for a decision, the oldest first.
pub async fn list(engine: &Engine, tenant: &Tenant, flow: &str) -> Result<Vec<Case>, Failure> {
    let mut cases = Vec::new();
    for record in waiting::list(engine, tenant, flow).await? {
        if record.reason != WaitReason::Review {
            continue;
        }
        let item = engine.store.get(&key(tenant, flow, &record.key)).await?;
        let open: Open = item.map(|item| read_required(&item.value)).transpose()?.unwrap_or_default();
        cases.push(Case {
            flow: flow.to_owned(),
            record: record.key,
            label: record.label,
            why: record.cause.message,
            since: record.since,
            choices: open.choices.clone(),
            open,
        });
    }
    cases.sort_by(|a, b| (a.since, &a.label).cmp(&(b.since, &b.label)));
    Ok(cases)
}

/// Keeps a decision and lets go on what waited for it; gives the records (flow and label) that do.
pub async fn decide(
    engine: &Engine,
    tenant: &Tenant,
    config: &Config,
    case: &Case,
    verdict: &Verdict,
) -> Result<Vec<(String, String)>, Failure> {
    let Some(flow) = config.flows.get(&case.flow) else {
        return Err(Failure::settings(Cause::new("unknown_flow", format!("the flow «{}» is not there", case.flow))));
    };
    if case.open.key_hash.is_empty() {
        let cause = Cause::new("not_looked_at", format!("{} has not been looked at for long", case.label));
        return Err(Failure::settings(cause.advice(format!("koppel run {} {}", case.flow, case.record))));
    }
    let (connection, key_hash) = (&flow.to, &case.open.key_hash);
    let known = links::customers(engine, tenant, connection, std::slice::from_ref(key_hash)).await?.remove(key_hash);
    let base = StoredLink {
        person: case.open.person.clone(),
        vat: case.open.vat.clone(),
        decided: true,
        ..StoredLink::default()
    };
    let link = match verdict {
        Verdict::Use(code) => {
            let chosen = chosen(engine, tenant, config, connection, case, code).await?;
            // Of the one that was linked before, what is known of contacts and addresses stays known.
            match known.filter(|known| known.link.as_ref().is_some_and(|link| link.id == chosen.id)) {
                Some(known) => StoredLink { vat: base.vat, decided: true, ..known },
                None => StoredLink { link: Some(chosen), ..base },
            }
        }
        Verdict::New => {
            let not = case.open.choices.iter().map(|choice| choice.id.clone()).collect();
            StoredLink { create: true, not, ..base }
        }
    };
    links::remember_customer(engine, tenant, connection, key_hash, &link).await?;
    release(engine, tenant, config, connection, key_hash).await
}

/// The customer with a code: one of the choices, or any other that the target has.
async fn chosen(
    engine: &Engine,
    tenant: &Tenant,
    config: &Config,
    connection: &str,
    case: &Case,
    code: &NonEmpty,
) -> Result<CustomerLink, Failure> {
    if let Some(choice) = case.choices.iter().find(|choice| choice.code == code.as_str()) {
        return Ok(CustomerLink { id: choice.id.clone(), code: choice.code.clone(), ..CustomerLink::default() });
    }
    let target = connections::target(engine, tenant, config, connection).await?;
    let calls = Calls::new(Priority::Orders);
    let found = target.look_up(Lookup::DefaultCustomer, std::slice::from_ref(code), &calls).await?.remove(code);
    let is_blocked = |found: &koppel_core::ports::Reference| {
        found.attributes.get("blocked").and_then(serde_json::Value::as_bool) == Some(true)
    };
    match found {
        Some(found) if is_blocked(&found) => {
            Err(Failure::settings(Cause::new("blocked", format!("the customer «{code}» is blocked")).in_row("--use")))
        }
        Some(found) => Ok(CustomerLink { id: found.id, code: found.code, ..CustomerLink::default() }),
        None => {
            let codes: Vec<&str> = case.choices.iter().map(|choice| choice.code.as_str()).collect();
            let cause = Cause::new("unknown_customer", format!("«{connection}» has no customer «{code}»"));
            Err(Failure::settings(cause.advice(format!("it may be {}, or --new", codes.join(", "))).in_row("--use")))
        }
    }
}

/// Makes due whatever waits for the same customer, in every flow into the same connection.
async fn release(
    engine: &Engine,
    tenant: &Tenant,
    config: &Config,
    connection: &str,
    key_hash: &str,
) -> Result<Vec<(String, String)>, Failure> {
    let mut released = Vec::new();
    for name in config.flows.iter().filter(|(_, flow)| flow.to == connection).map(|(name, _)| name) {
        for case in list(engine, tenant, name).await?.into_iter().filter(|case| case.open.key_hash == key_hash) {
            // Noted before it is let go: whoever is stopped in between finds it on the list, and decides the same again.
            if waiting::decided(engine, tenant, name, &case.record).await? {
                engine.store.delete(&key(tenant, name, &case.record), Condition::Always).await?;
                released.push((name.clone(), case.label));
            }
        }
    }
    Ok(released)
}

/// Forgets what is noted of these records, whose person is erased.
pub(crate) async fn forget(engine: &Engine, tenant: &Tenant, flow: &str, person: &str) -> Result<usize, Failure> {
    let mut forgotten = 0;
    for item in crate::items::all(engine, &partition(tenant, &["review", flow]), "").await? {
        let open: Open = read_required(&item.value)?;
        if open.person == person {
            engine.store.delete(&item.key, Condition::Always).await?;
            forgotten += 1;
        }
    }
    Ok(forgotten)
}

/// The candidates as they are kept.
pub(crate) fn choices(candidates: &[koppel_core::ports::Candidate]) -> Vec<Choice> {
    let kept = |link: &CustomerLink| {
        ledger::impersonal(koppel_core::ports::Found {
            id: link.id.clone(),
            number: if link.code.is_empty() { link.id.clone() } else { link.code.clone() },
        })
    };
    let mut choices: Vec<Choice> = candidates
        .iter()
        .map(|candidate| kept(&candidate.link))
        .map(|found| Choice { id: found.id, code: found.number })
        .collect();
    choices.sort_by(|a, b| (a.code.len(), &a.code).cmp(&(b.code.len(), &b.code)));
    choices.dedup();
    choices
}
