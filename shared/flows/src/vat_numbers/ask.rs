//! The answers on the numbers of a chunk: those that are known and not too old, the rest asked one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::error::{Cause, Failure, RetryReason};
use koppel_core::ports::{Calls, Condition, Key};
use koppel_core::vat::{VatAnswer, VatNumber};
use serde::{Deserialize, Serialize};

use super::{hash_of, settings_of};
use crate::Engine;
use crate::loaded::LoadedFlow;
use crate::runs::{put, read_required};

/// How long an answer is believed. A number that is not valid may be one that was registered yesterday.
const KEEP_VALID: TimeDelta = TimeDelta::days(7);
const KEEP_INVALID: TimeDelta = TimeDelta::days(1);
/// How long nobody is asked again what could not be said: shorter than any record waits.
const KEEP_UNKNOWN: TimeDelta = TimeDelta::minutes(5);
/// How long a member state, or the whole service, is left alone that does not answer.
const REST: TimeDelta = TimeDelta::minutes(1);
/// A chunk asks no longer than this at once; what it has heard by then is kept, and it goes on where it stopped.
const LONGEST: TimeDelta = TimeDelta::seconds(20);
/// The whole service, where a country could stand.
const EVERYBODY: &str = "*";

/// An answer and when it was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    pub answer: VatAnswer,
    pub asked_at: DateTime<Utc>,
}

/// The answers on all `numbers`, each asked once however many records have it.
pub async fn answers<'a>(
    engine: &Engine,
    flow: &LoadedFlow,
    numbers: impl Iterator<Item = &'a VatNumber>,
    keep: bool,
    calls: &Calls,
    asked: &mut usize,
) -> Result<BTreeMap<VatNumber, Said>, Failure> {
    let numbers: Vec<&VatNumber> = numbers.collect::<BTreeSet<_>>().into_iter().collect();
    let key_of = |number: &VatNumber| answer_key(flow, &hash_of(flow, number));
    let rest_key = |who: &str| Key::new(&flow.tenant, &["vat-rest"], who);
    let mut known = BTreeMap::new();
    let keys: Vec<Key> = numbers.iter().map(|number| key_of(number)).collect();
    let mut open = Vec::new();
    for (number, item) in numbers.into_iter().zip(engine.store.batch_get(&keys).await?) {
        match item {
            Some(item) => drop(known.insert(number.clone(), read_required::<Said>(&item.value)?)),
            None => open.push(number),
        }
    }
    if open.is_empty() {
        return Ok(known);
    }
    let countries: BTreeSet<&str> = open.iter().map(|number| number.country()).chain([EVERYBODY]).collect();
    let keys: Vec<Key> = countries.iter().map(|who| rest_key(who)).collect();
    let mut resting: BTreeMap<String, Said> = BTreeMap::new();
    for (who, item) in countries.into_iter().zip(engine.store.batch_get(&keys).await?) {
        if let Some(item) = item {
            resting.insert(who.to_owned(), read_required(&item.value)?);
        }
    }
    let url = settings_of(&flow.config, &flow.flow).url.as_deref();
    let service = engine.systems.vat_numbers(url)?.ok_or_else(|| {
        Failure::settings(
            Cause::new("not_supported", "nobody here can be asked about VAT numbers")
                .advice("set settings.vat_number.check: form")
                .in_row("settings.vat_number.check"),
        )
    })?;
    let begun = engine.clock.now();
    for number in open {
        if let Some(rests) = resting.get(EVERYBODY).or_else(|| resting.get(number.country())) {
            known.insert(number.clone(), rests.clone());
            continue;
        }
        if engine.clock.now() - begun > LONGEST {
            let cause = Cause::new("vat_numbers_to_ask", "more VAT numbers are asked about in a moment");
            return Err(Failure::retry(RetryReason::Busy, Some(Duration::from_millis(100)), cause));
        }
        let answer = service.check(number, calls).await;
        *asked += 1;
        let said = Said { answer, asked_at: engine.clock.now() };
        if let Some(who) = who_rests(number, &said.answer) {
            tracing::warn!(flow = flow.name, country = who, "VIES could not say whether a VAT number is valid");
            if keep {
                put(engine, &rest_key(who), &said, Condition::Always, Some(said.asked_at + REST)).await?;
            }
            resting.insert(who.to_owned(), said.clone());
        }
        if keep {
            let until = said.asked_at + believed(&said.answer);
            put(engine, &key_of(number), &said, Condition::Always, Some(until)).await?;
        }
        known.insert(number.clone(), said);
    }
    Ok(known)
}

/// Where an answer is kept.
pub fn answer_key(flow: &LoadedFlow, hash: &str) -> Key {
    Key::new(&flow.tenant, &["vat-answer"], hash)
}

fn believed(answer: &VatAnswer) -> TimeDelta {
    match answer {
        VatAnswer::Valid => KEEP_VALID,
        VatAnswer::Invalid => KEEP_INVALID,
        VatAnswer::Unknown { .. } => KEEP_UNKNOWN,
    }
}

/// Who is asked nothing more for a while: the member state that does not answer, or everybody. Who is only busy, or blocks
/// one number, may answer the next question.
fn who_rests<'a>(number: &'a VatNumber, answer: &VatAnswer) -> Option<&'a str> {
    let VatAnswer::Unknown { why } = answer else { return None };
    match why.as_str() {
        "VAT_BLOCKED" => None,
        busy if busy.contains("MAX_CONCURRENT_REQ") => None,
        "MS_UNAVAILABLE" | "TIMEOUT" => Some(number.country()),
        _ => Some(EVERYBODY),
    }
}
