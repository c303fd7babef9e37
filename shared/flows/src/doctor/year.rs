//! The orders of the last twelve months, read and mapped as a run would, for what they need: VAT rules and currencies.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use koppel_core::document::Order;
use koppel_core::error::{Cause, Failure};
use koppel_core::ports::{Calls, FetchQuery, Finding};
use koppel_core::system::Lookup;
use koppel_core::vat::VatFacts;
use rust_decimal::Decimal;

use crate::Engine;
use crate::connections;
use crate::loaded::LoadedFlow;
use crate::settings;
use crate::steps::order_of;

/// How far back.
const YEAR: TimeDelta = TimeDelta::days(365);
/// A shop with more pages than this is not read to the end: every combination has long been seen.
const MOST_PAGES: usize = 200;

/// What was seen.
#[derive(Default)]
pub(super) struct Year {
    /// Orders that pass the filter.
    pub orders: u64,
    /// Currencies of them.
    pub currencies: BTreeSet<String>,
    /// VAT codes they would get, by the rate that was charged, with an example.
    pub used: BTreeMap<(String, Decimal), String>,
    /// Combinations without a rule, by the key that a rule would have.
    missing: BTreeMap<String, Missing>,
}

struct Missing {
    facts: VatFacts,
    orders: BTreeSet<String>,
}

/// Reads the year.
pub(super) async fn read(engine: &Engine, flow: &LoadedFlow, calls: &Calls) -> Result<Year, Failure> {
    let source = connections::source(engine, &flow.tenant, &flow.config, &flow.flow.from).await?;
    let since = engine.clock.now() - YEAR;
    let mut query = FetchQuery { entity: flow.flow.entity, since, page: None };
    let mut year = Year::default();
    for _ in 0..MOST_PAGES {
        let page = source.fetch_page(&query, calls).await?;
        for record in &page.records {
            // What cannot be mapped at all is told by a plan, record by record.
            if let Ok(Some(order)) = order_of(engine, flow, record, None) {
                year.add(flow, &record.label, &order);
            }
        }
        match page.next {
            Some(next) => query.page = Some(next),
            None => break,
        }
    }
    Ok(year)
}

impl Year {
    fn add(&mut self, flow: &LoadedFlow, label: &str, order: &Order) {
        self.orders += 1;
        self.currencies.insert(order.currency.code().to_owned());
        if !flow.target_facts.lookups.contains(&Lookup::VatCode) {
            return;
        }
        for line in &order.lines {
            let facts = VatFacts::of(order, line);
            let keys = facts.table_keys();
            let mapped = line.codes.get(Lookup::VatCode.name()).map(String::as_str);
            match settings::decide(&flow.flow.settings.vat_code, &keys, mapped, &facts.country) {
                Some((code, _)) => {
                    self.used.entry((code, facts.rate_percent)).or_insert_with(|| label.to_owned());
                }
                None => {
                    let key = keys.into_iter().next().unwrap_or_default();
                    let missing = self.missing.entry(key);
                    missing
                        .or_insert_with(|| Missing { facts, orders: BTreeSet::new() })
                        .orders
                        .insert(label.to_owned());
                }
            }
        }
    }

    /// One finding for each combination without a rule.
    pub fn findings(&self, flow: &LoadedFlow) -> Vec<Finding> {
        let finding = |(key, missing): (&String, &Missing)| {
            let facts = &missing.facts;
            let who = if facts.exempt {
                " for exempt buyers"
            } else if facts.business {
                " for companies"
            } else {
                ""
            };
            let example = missing.orders.first().map(String::as_str).unwrap_or_default();
            let message = format!(
                "no VAT code for {} % to {}{who}: {} of the last twelve months, such as {example}",
                facts.rate_percent,
                facts.country,
                if missing.orders.len() == 1 {
                    "1 order".to_owned()
                } else {
                    format!("{} orders", missing.orders.len())
                },
            );
            let cause = Cause::new("missing_vat_rule", message)
                .advice(format!("add settings.vat_code.table: {{ \"{key}\": \"<VAT code>\" }} or a default"));
            Finding::error(cause.in_row("settings.vat_code").in_flow(&flow.name))
        };
        self.missing.iter().map(finding).collect()
    }
}
