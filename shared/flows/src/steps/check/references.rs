//! Codes of a chunk, resolved at once: what every item, VAT code, payment condition, … is in the target.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use koppel_core::document::{Customer, Line, Order};
use koppel_core::error::{Cause, Failure};
use koppel_core::keys::NonEmpty;
use koppel_core::ports::target::Reference;
use koppel_core::ports::{Calls, Target};
use koppel_core::system::Lookup;
use koppel_mapping::Value;
use rust_decimal::Decimal;
use serde_json::{Map, Value as Json};

use crate::Engine;
use crate::links::{self, Resolved};
use crate::loaded::LoadedFlow;

/// Resolved codes by list.
pub struct References {
    resolved: BTreeMap<Lookup, Resolved>,
}

impl References {
    /// Resolves codes: one question per list, none for what is known.
    pub async fn resolve(
        engine: &Engine,
        flow: &LoadedFlow,
        target: &dyn Target,
        codes: impl IntoIterator<Item = (Lookup, NonEmpty)>,
        calls: &Calls,
    ) -> Result<Self, Failure> {
        let wanted = by_list(codes);
        let mut resolved = BTreeMap::new();
        for (lookup, codes) in wanted {
            let codes: Vec<NonEmpty> = codes.into_iter().collect();
            let known = links::references(engine, &flow.tenant, &flow.flow.to, target, lookup, &codes, calls).await?;
            resolved.insert(lookup, known);
        }
        Ok(Self { resolved })
    }

    /// References as if the target had every code, with ids that say what they stand for.
    pub fn assume(codes: impl IntoIterator<Item = (Lookup, NonEmpty)>) -> Self {
        let assumed = |lookup: Lookup, code: &NonEmpty| Reference {
            id: format!("<id of {} {code}>", lookup.label()),
            code: code.as_str().to_owned(),
            ..Reference::default()
        };
        let resolved = by_list(codes)
            .into_iter()
            .map(|(lookup, codes)| {
                let by_code = codes.into_iter().map(|code| (code.clone(), assumed(lookup, &code))).collect();
                (lookup, Resolved { by_code, ..Resolved::default() })
            })
            .collect();
        Self { resolved }
    }

    /// The reference of one code, or what to do about its absence.
    pub fn get(&self, flow: &LoadedFlow, lookup: Lookup, code: &str) -> Result<&Reference, Failure> {
        let found = NonEmpty::new(code).and_then(|code| self.resolved.get(&lookup)?.by_code.get(&code));
        let reference = found.ok_or_else(|| missing(flow, lookup, code))?;
        if reference.attributes.get("blocked").and_then(Json::as_bool) == Some(true) {
            return Err(Failure::settings(
                Cause::new(
                    "blocked",
                    format!("the {} «{code}» is blocked in {}", lookup.label(), flow.target_facts.name),
                )
                .advice(format!("unblock it, or choose another in settings.{}", lookup.name()))
                .in_row(format!("settings.{}", lookup.name())),
            ));
        }
        Ok(reference)
    }

    /// Some of these codes was known from before.
    pub fn is_from_memory(&self, codes: Vec<(Lookup, NonEmpty)>) -> bool {
        codes
            .into_iter()
            .any(|(lookup, code)| self.resolved.get(&lookup).is_some_and(|list| list.from_memory.contains(&code)))
    }

    /// The order as target rows see it: with `refs` beside the codes, on the order and on every line, and, when it is
    /// posted on another day than its own, with its own date as `true_date`.
    pub fn view(&self, flow: &LoadedFlow, order: &Order, day: NaiveDate) -> Result<Value, Failure> {
        let mut json = super::view_json(order);
        let refs = self.refs_of(flow, &order.codes)?;
        if let Some(lines) = json.get_mut("lines").and_then(Json::as_array_mut) {
            for (line, view) in order.lines.iter().zip(lines) {
                self.check_vat(flow, line)?;
                let refs = self.refs_of(flow, &line.codes)?;
                if let Some(view) = view.as_object_mut() {
                    view.insert("refs".into(), refs);
                }
            }
        }
        if let Some(fields) = json.as_object_mut() {
            fields.insert("refs".into(), refs);
            if day != order.date {
                fields.insert("date".into(), Json::String(day.to_string()));
                fields.insert("true_date".into(), Json::String(order.date.to_string()));
            }
        }
        Ok(super::view(&json))
    }

    /// `refs` for a set of codes.
    pub fn refs_of(&self, flow: &LoadedFlow, codes: &BTreeMap<String, String>) -> Result<Json, Failure> {
        let mut refs = Map::new();
        for &lookup in flow.target_facts.lookups {
            if let Some(code) = codes.get(lookup.name()) {
                let reference = self.get(flow, lookup, code)?;
                refs.insert(lookup.name().to_owned(), serde_json::to_value(reference).unwrap_or_default());
            }
        }
        Ok(Json::Object(refs))
    }

    /// The VAT code must have the rate that the shop charged, or the target computes another total.
    fn check_vat(&self, flow: &LoadedFlow, line: &Line) -> Result<(), Failure> {
        let Some(code) = line.codes.get(Lookup::VatCode.name()) else { return Ok(()) };
        let reference = self.get(flow, Lookup::VatCode, code)?;
        let attributes = &reference.attributes;
        let percent =
            attributes.get("percent").map(Json::to_string).and_then(|p| p.trim_matches('"').parse::<Decimal>().ok());
        let rate = line.rate_percent();
        if let Some(percent) = percent
            && percent != rate
        {
            return Err(Failure::settings(
                Cause::new(
                    "vat_rate_differs",
                    format!(
                        "VAT code «{code}» is {} % in {}, but the shop charged {} % on «{}»",
                        percent.normalize(),
                        flow.target_facts.name,
                        rate.normalize(),
                        line.description
                    ),
                )
                .advice("add a row for this country and rate to settings.vat_code.table")
                .in_row("settings.vat_code"),
            ));
        }
        if attributes.get("includes_vat").and_then(Json::as_bool) == Some(true) {
            return Err(Failure::settings(
                Cause::new(
                    "vat_code_including",
                    format!("VAT code «{code}» is one for prices including VAT; orders are posted net"),
                )
                .advice("choose the VAT code excluding VAT")
                .in_row("settings.vat_code"),
            ));
        }
        Ok(())
    }
}

fn by_list(codes: impl IntoIterator<Item = (Lookup, NonEmpty)>) -> BTreeMap<Lookup, BTreeSet<NonEmpty>> {
    let mut wanted: BTreeMap<Lookup, BTreeSet<NonEmpty>> = BTreeMap::new();
    for (lookup, code) in codes {
        wanted.entry(lookup).or_default().insert(code);
    }
    wanted
}

/// Every code of one order.
pub fn codes_of(flow: &LoadedFlow, order: &Order) -> Vec<(Lookup, NonEmpty)> {
    let lines = order.lines.iter().map(|line| &line.codes);
    let codes = std::iter::once(&order.codes).chain(std::iter::once(&order.customer.codes)).chain(lines);
    codes.flat_map(|codes| listed(flow, codes)).collect()
}

/// Every code of one customer.
pub fn codes_of_customer(flow: &LoadedFlow, customer: &Customer) -> Vec<(Lookup, NonEmpty)> {
    listed(flow, &customer.codes).collect()
}

fn listed<'a>(
    flow: &'a LoadedFlow,
    codes: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = (Lookup, NonEmpty)> + 'a {
    let lookups = flow.target_facts.lookups.iter();
    lookups.filter_map(|lookup| Some((*lookup, NonEmpty::new(codes.get(lookup.name())?)?)))
}

fn missing(flow: &LoadedFlow, lookup: Lookup, code: &str) -> Failure {
    let system = flow.target_facts.name;
    let cause =
        Cause::new(format!("unknown_{}", lookup.name()), format!("the {} «{code}» is not in {system}", lookup.label()));
    Failure::settings(match lookup {
        Lookup::Item => cause
            .advice(format!("create the item in {system}, or correct the article number in the shop; it is then tried again by itself"))
            .in_row("lines.sku"),
        other => cause
            .advice(format!("correct settings.{}, or create it in {system}", other.name()))
            .in_row(format!("settings.{}", other.name())),
    })
}
