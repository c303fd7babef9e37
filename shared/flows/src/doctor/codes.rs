//! What the settings of a flow name, looked up in the target: there, and allowed to be used.

use std::collections::BTreeMap;

use koppel_core::document::Entity;
use koppel_core::error::{Cause, Failure};
use koppel_core::keys::NonEmpty;
use koppel_core::ports::target::Reference;
use koppel_core::ports::{Calls, Finding, Target};
use koppel_core::system::{Lookup, RowsFile, Side};
use koppel_mapping::FieldCatalogue;
use rust_decimal::Decimal;
use serde_json::Value;

use super::year::Year;
use crate::Engine;
use crate::config::{Code, FlowSettings};
use crate::connections;
use crate::exists_field;
use crate::loaded::LoadedFlow;

/// A key that no system has: asking for it shows whether asking is allowed.
const NOBODY: &str = "koppel-doctor";

/// Looks up everything that a flow names.
pub(super) async fn look(
    engine: &Engine,
    flow: &LoadedFlow,
    year: Option<&Year>,
    calls: &Calls,
) -> Result<Vec<Finding>, Failure> {
    if flow.flow.entity != Entity::Orders {
        return Ok(Vec::new());
    }
    let target = connections::target(engine, &flow.tenant, &flow.config, &flow.flow.to).await?;
    let mut findings = Vec::new();
    for (lookup, wanted) in by_list(flow) {
        let codes: Vec<NonEmpty> = wanted.keys().cloned().collect();
        match target.look_up(lookup, &codes, calls).await {
            Ok(found) => {
                for (code, row) in &wanted {
                    findings.extend(judge(flow, lookup, code, row, found.get(code)));
                }
                if let Some(year) = year.filter(|_| lookup == Lookup::VatCode) {
                    findings.extend(rates(flow, year, &found));
                }
            }
            Err(failure) => findings.extend(refused(flow, failure)),
        }
    }
    findings.extend(missing(flow));
    findings.extend(asked(flow, &*target, calls).await);
    let at = |cause: Cause| cause.in_flow(&flow.name);
    Ok(findings.into_iter().map(|finding| finding.map_cause(at)).collect())
}

/// Documents and customers may be asked for. Two calls that find nothing.
async fn asked(flow: &LoadedFlow, target: &dyn Target, calls: &Calls) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let (Some(document), Some(key)) = (flow.flow.document, NonEmpty::new(NOBODY))
        && let Err(failure) = target.find_documents_by(document, exists_field::of(flow, document), &[key], calls).await
    {
        findings.extend(refused(flow, failure));
    }
    if let Some(email) = NonEmpty::new(format!("{NOBODY}@example.invalid"))
        && let Err(failure) = target.find_customers(&[email], calls).await
    {
        findings.extend(refused(flow, failure));
    }
    findings
}

/// What cannot be asked. That an endpoint rests is told of the connection.
fn refused(flow: &LoadedFlow, failure: Failure) -> Option<Finding> {
    let told = ["error_limit", "endpoint_rests"].contains(&failure.cause().code.as_str());
    (!told).then(|| Finding::from(failure).map_cause(|cause| cause.at_connection(&flow.flow.to)))
}

type Wanted = BTreeMap<NonEmpty, &'static str>;

/// The codes of the settings, by list, each with the first row that names it.
fn by_list(flow: &LoadedFlow) -> BTreeMap<Lookup, Wanted> {
    let mut wanted: BTreeMap<Lookup, Wanted> = BTreeMap::new();
    for (lookup, row, code) in named(&flow.flow.settings) {
        if let Some(code) = NonEmpty::new(&code.0).filter(|_| flow.target_facts.lookups.contains(&lookup)) {
            wanted.entry(lookup).or_default().entry(code).or_insert(row);
        }
    }
    wanted
}

fn named(settings: &FlowSettings) -> Vec<(Lookup, &'static str, &Code)> {
    let mut codes = Vec::new();
    for (lookup, row, setting) in [
        (Lookup::VatCode, "settings.vat_code", &settings.vat_code),
        (Lookup::RevenueAccount, "settings.revenue_account", &settings.revenue_account),
        (Lookup::PaymentTerms, "settings.payment_terms", &settings.payment_terms),
        (Lookup::ShippingMethod, "settings.shipping_method", &settings.shipping_method),
        (Lookup::Journal, "settings.journal", &settings.journal),
        (Lookup::CostCenter, "settings.cost_center", &settings.cost_center),
        (Lookup::CostUnit, "settings.cost_unit", &settings.cost_unit),
        (Lookup::Warehouse, "settings.warehouse", &settings.warehouse),
        (Lookup::Item, "settings.default_item", &settings.default_item),
        (Lookup::Item, "settings.shipping_item", &settings.shipping_item),
        (Lookup::Item, "settings.fee_item", &settings.fee_item),
        (Lookup::Item, "settings.discount_item", &settings.discount_item),
    ] {
        codes.extend(setting.codes().map(|code| (lookup, row, code)));
    }
    if let Some(default) = &settings.default_customer {
        codes.push((Lookup::DefaultCustomer, "settings.default_customer", &default.code));
    }
    if let Some(rounding) = &settings.rounding {
        let parts = [
            (Lookup::Item, &rounding.item),
            (Lookup::RevenueAccount, &rounding.account),
            (Lookup::VatCode, &rounding.vat_code),
        ];
        codes.extend(parts.iter().filter_map(|(l, code)| Some((*l, "settings.rounding", code.as_ref()?))));
    }
    codes
}

fn judge(flow: &LoadedFlow, lookup: Lookup, code: &NonEmpty, row: &str, found: Option<&Reference>) -> Option<Finding> {
    let (system, what) = (flow.target_facts.name, lookup.label());
    let Some(reference) = found else {
        let cause = Cause::new(format!("unknown_{}", lookup.name()), format!("the {what} «{code}» is not in {system}"));
        return Some(Finding::error(cause.advice(format!("correct {row}, or create it in {system}")).in_row(row)));
    };
    let is = |name: &str| reference.attributes.get(name).and_then(Value::as_bool);
    if is("blocked") == Some(true) {
        let cause =
            Cause::new(format!("blocked_{}", lookup.name()), format!("the {what} «{code}» is blocked in {system}"));
        return Some(Finding::error(cause.advice(format!("unblock it, or choose another in {row}")).in_row(row)));
    }
    if lookup == Lookup::Item && is("is_sales_item") == Some(false) {
        let cause = Cause::new("item_not_for_sale", format!("the item «{code}» is not for sale in {system}"));
        return Some(Finding::error(
            cause.advice(format!("make it a sales item, or choose another in {row}")).in_row(row),
        ));
    }
    if lookup == Lookup::Journal && is("for_sales") == Some(false) {
        let cause =
            Cause::new("journal_not_for_sales", format!("the journal «{code}» is not one for sales in {system}"));
        return Some(Finding::error(cause.advice(format!("choose a journal for sales in {row}")).in_row(row)));
    }
    if lookup == Lookup::VatCode && reference.attributes.get("type").and_then(Value::as_str) == Some("I") {
        let message = format!("the VAT code «{code}» is one for prices with VAT; orders are posted net");
        let cause = Cause::new("vat_code_including", message).advice("choose the VAT code without VAT in the price");
        return Some(Finding::error(cause.in_row(row)));
    }
    None
}

/// Codes without which no document can be made: the target requires the field, its row is the built-in one, and no setting
/// gives a value.
fn missing(flow: &LoadedFlow) -> Option<Finding> {
    let rows = flow.target_facts.rows_for(Side::Target, flow.flow.entity, flow.flow.document)?;
    let name = required_field(flow.target_facts.fields, rows, "refs.journal.")?;
    let own = flow.flow.map.contains_key(&format!("target.{name}"));
    if own || flow.flow.settings.journal.codes().next().is_some() {
        return None;
    }
    let document = flow.flow.document.map_or("document", |document| document.name());
    let message = format!("{} books a {document} in a journal, and none is set", flow.target_facts.name);
    let cause = Cause::new("missing_journal", message).advice("set settings.journal; koppel settings --list journal");
    Some(Finding::error(cause.in_row("settings.journal")))
}

/// The required field whose built-in row takes this reference.
fn required_field(fields: &str, rows: &RowsFile, reference: &str) -> Option<String> {
    let section = rows.name.rsplit('/').next().unwrap_or_default().trim_end_matches(".yaml");
    let sections: Value = serde_saphyr::from_str(fields).ok()?;
    let catalogue = FieldCatalogue::parse(rows.name, &sections.get(section)?.to_string()).ok()?;
    let cells = rows.text.lines().filter_map(|line| line.trim().split_once(": "));
    let mut taking = cells.filter(|(_, cell)| cell.contains(reference)).map(|(name, _)| name);
    taking.find(|name| catalogue.get(name).is_some_and(|field| field.required)).map(str::to_owned)
}

/// The codes that the orders of the last year would get must have the rates that were charged.
fn rates(flow: &LoadedFlow, year: &Year, found: &BTreeMap<NonEmpty, Reference>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ((code, rate), example) in &year.used {
        let percent = NonEmpty::new(code).and_then(|code| found.get(&code)?.attributes.get("percent").cloned());
        let percent = percent.and_then(|p| p.to_string().trim_matches('"').parse::<Decimal>().ok());
        if let Some(percent) = percent.filter(|percent| percent != rate) {
            let message = format!(
                "VAT code «{code}» is {} % in {}, and orders were charged {} % under it (such as {example})",
                percent.normalize(),
                flow.target_facts.name,
                rate.normalize()
            );
            let cause = Cause::new("vat_rate_differs", message)
                .advice("add a row for that country and rate to settings.vat_code.table");
            findings.push(Finding::error(cause.in_row("settings.vat_code")));
        }
    }
    findings
}
