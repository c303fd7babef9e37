//! Map: source record → canonical document → settings → proof of cents. Records that do not pass end here.

use std::collections::BTreeMap;

use koppel_core::document::{Customer, Document, Entity, Order, Price, Product, StockLevel};
use koppel_core::error::{Cause, Failure};
use koppel_core::message::{CheckTask, Gone, MapTask, MappedRecord, SourceRecord, Step, Task};
use koppel_core::outcome::Outcome;
use koppel_core::ports::QueueMessage;
use koppel_core::vat::VatCheck;
use koppel_mapping::{Scope, Value};
use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::Engine;
use crate::bundles::{self, Fate};
use crate::cents::{self, Posting, Sheet};
use crate::loaded::{LoadedFlow, flow_of_version};
use crate::rows::row_cause;
use crate::runs::{self, RecordResult, Told};
use crate::settings::decide_order_codes;
use crate::steps::settle;
use crate::{customers, on_their_way, prices, products, rates, refunds, stock, trail, vat_numbers, waiting};

/// Runs the step.
pub async fn map(engine: &Engine, task: MapTask) -> Result<(), Failure> {
    let header = &task.header;
    let flow = flow_of_version(engine, &header.tenant, &header.flow, header.config_version).await?;
    let around = Around::look(engine, &flow, &task.records, Keep::Yes).await?;
    let (mut mapped, mut results) = (Vec::new(), Vec::new());
    for record in &task.records {
        match map_record(engine, &flow, record, &around) {
            Ok(Mapped::Passed { record: done, sheet, bundles }) => {
                let mut payload = json!({ "source": record.raw, "document": done.document, "cents": sheet });
                if !bundles.is_empty() {
                    payload["bundles"] = json!(bundles);
                }
                let summary = match around.number(record)? {
                    Some(check) => format!("read and mapped; {}", check.text()),
                    None => "read and mapped".to_owned(),
                };
                trail::write(engine, header, Step::Map, &record.key, summary, &payload).await?;
                mapped.push(done);
            }
            Ok(Mapped::Filtered(result)) => {
                // What the filter leaves out is not waiting for anything any more.
                waiting::remove(engine, &flow.tenant, &flow.name, &record.key).await?;
                on_their_way::forget(engine, &flow, &record.key).await?;
                results.push(result);
            }
            Err(failure) => {
                let payload = json!({ "source": record.raw, "failure": failure.cause() });
                trail::write(engine, header, Step::Map, &record.key, failure.cause().message.clone(), &payload).await?;
                let status = status_of(&record.raw);
                let result =
                    settle::failed(engine, &flow, header, Step::Map, (&record.key, &record.label), None, &failure)
                        .await?;
                results.push(RecordResult { status, ..result });
            }
        }
    }
    for one in &task.gone {
        trail::write(engine, header, Step::Map, &one.key, "the source no longer has it", &json!({ "gone": one }))
            .await?;
        mapped.push(end_of(one));
    }
    if !mapped.is_empty() {
        let next = Task::Check(CheckTask { header: header.clone(), records: mapped });
        engine.queue.send(Step::Check, &[QueueMessage::pack(&next)?]).await?;
    }
    let taken = task.records.iter().map(|record| &record.key).chain(task.gone.iter().map(|one| &one.key)).collect();
    let told = Told { taken, results: &results, calls: around.numbers.calls, ..Told::default() };
    runs::report(engine, header, Step::Map, told).await
}

/// What is known of an article that is there no longer: what it was called, and that nobody shall see it.
fn end_of(gone: &Gone) -> MappedRecord {
    let id = gone.key.to_string();
    let product = Product { id, sku: gone.number.clone(), published: false, ..Product::default() };
    MappedRecord {
        key: gone.key.clone(),
        label: gone.number.clone(),
        modified_at: None,
        document: Document::Product(Box::new(product)),
        warnings: Vec::new(),
        gone: true,
    }
}

/// What else a record is mapped by: known for a whole chunk.
#[derive(Default)]
pub(super) struct Around {
    /// What orders on their way ask for, by article number.
    on_their_way: BTreeMap<String, Decimal>,
    /// What VIES says of the VAT numbers that decide about reverse charge.
    numbers: vat_numbers::Checks,
}

/// Whether what is found out is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// As in a run.
    Yes,
    /// Somebody only looks.
    No,
}

impl Around {
    pub(super) async fn look(
        engine: &Engine,
        flow: &LoadedFlow,
        records: &[SourceRecord],
        keep: Keep,
    ) -> Result<Self, Failure> {
        let counts = flow.flow.settings.stock.minus_orders_on_their_way != Some(false);
        let on_their_way = if flow.flow.entity == Entity::Stock && counts {
            on_their_way::quantities(engine, &flow.tenant, &flow.flow.to).await?
        } else {
            BTreeMap::new()
        };
        let home = match vat_numbers::is_on(&flow.config, &flow.flow) {
            true => Some(vat_numbers::home(&flow.config, &flow.flow).map_err(Failure::settings)?),
            false => None,
        };
        let subjects: Vec<vat_numbers::Subject> = home
            .into_iter()
            .flat_map(|home| records.iter().filter_map(move |record| number_of(engine, flow, record, home)))
            .collect();
        let numbers = vat_numbers::look(engine, flow, &subjects, keep == Keep::Yes).await?;
        Ok(Self { on_their_way, numbers })
    }

    /// What VIES said of the VAT number of a record.
    pub(super) fn number(&self, record: &SourceRecord) -> Result<Option<&VatCheck>, Failure> {
        self.numbers.of(&record.key)
    }
}

/// The VAT number of a record that has to be asked about. What is wrong with the record is told when it is mapped.
fn number_of(engine: &Engine, flow: &LoadedFlow, record: &SourceRecord, home: &str) -> Option<vat_numbers::Subject> {
    let of_order = |order: &Order| vat_numbers::subject_of(&record.key, order, home);
    let source = Value::from_json(&record.raw);
    let scope = Scope::new(engine.clock.now()).with_ref("source", &source);
    if filtered(flow, record, &scope).ok()?.is_some() {
        return None;
    }
    match flow.flow.entity {
        Entity::Orders => of_order(&read_document(&flow.source_rows.evaluate(&scope).ok()?.to_json()).ok()?),
        Entity::Refunds => of_order(&original(engine, flow, record).ok()?),
        Entity::Customers => {
            let json = flow.source_rows.evaluate(&scope).ok()?.to_json();
            let customer: Customer = read_document(&json).ok()?;
            let number = Some(vat_numbers::of_customer(&customer, home)?);
            let ship_to = customer.billing.country;
            Some(vat_numbers::Subject { record: record.key.clone(), order: None, number, ship_to })
        }
        _ => None,
    }
}

/// What became of a source record.
pub(super) enum Mapped {
    Passed { record: MappedRecord, sheet: Option<Sheet>, bundles: Vec<Fate> },
    Filtered(RecordResult),
}

/// Filter, source rows, settings, proof of cents: everything this step does with one record, storing nothing.
pub(super) fn map_record(
    engine: &Engine,
    flow: &LoadedFlow,
    record: &SourceRecord,
    around: &Around,
) -> Result<Mapped, Failure> {
    let source = Value::from_json(&record.raw);
    let scope = Scope::new(engine.clock.now()).with_ref("source", &source);
    if let Some(reason) = filtered(flow, record, &scope)? {
        let status = status_of(&record.raw);
        let result = RecordResult::new(&record.key, &record.label, Outcome::Filtered).because(reason);
        return Ok(Mapped::Filtered(RecordResult { status, ..result }));
    }
    let value = flow.source_rows.evaluate(&scope).map_err(|error| Failure::reject(row_cause(&error)))?;
    let json = value.to_json();
    let settings = &flow.flow.settings;
    let (mut warnings, mut sheet, mut fates) = (Vec::new(), None, Vec::new());
    let check = around.number(record)?;
    let document = match flow.flow.entity {
        Entity::Orders => {
            let mut order: Order = read_document(&json)?;
            fates = bundles::of_order(&mut order, flow.bundles())?;
            sheet = complete_order(flow, &mut order, check)?;
            if !refunds::are_handled(&flow.config, &flow.flow) {
                warnings = order_warnings(&order);
            }
            Document::Order(Box::new(order))
        }
        Entity::Refunds => {
            let original = original(engine, flow, record)?;
            let mut credit;
            (credit, fates) = refunds::credit(original, read_document(&json)?, flow.bundles())?;
            sheet = complete_order(flow, &mut credit, check)?;
            Document::Order(Box::new(credit))
        }
        Entity::Products => {
            let mut product: Product = read_document(&json)?;
            products::complete(&mut product, &settings.product)?;
            products::choose_tax_class(&mut product, &settings.vat_code);
            Document::Product(Box::new(product))
        }
        Entity::Stock => {
            let mut level: StockLevel = read_document(&json)?;
            let asked = around.on_their_way.get(level.sku.trim()).copied().unwrap_or_default();
            stock::complete(&mut level, &settings.stock, asked)?;
            Document::StockLevel(level)
        }
        Entity::Customers => {
            let mut customer: Customer = read_document(&json)?;
            customers::complete(&mut customer, settings, check)?;
            Document::Customer(Box::new(customer))
        }
        Entity::Prices => {
            let mut price: Price = read_document(&json)?;
            if let Some(reason) = prices::complete(&mut price, &settings.price)? {
                let result = RecordResult::new(&record.key, &record.label, Outcome::Filtered).because(reason);
                return Ok(Mapped::Filtered(result));
            }
            Document::Price(price)
        }
    };
    warnings.extend(vat_numbers::warning(check));
    let record = MappedRecord {
        key: record.key.clone(),
        label: record.label.clone(),
        modified_at: record.modified_at,
        document,
        warnings,
        gone: false,
    };
    Ok(Mapped::Passed { record, sheet, bundles: fates })
}

/// The order of a record before anything is decided about it; `None` when the filter leaves it out.
pub(crate) fn order_of(
    engine: &Engine,
    flow: &LoadedFlow,
    record: &SourceRecord,
    check: Option<&VatCheck>,
) -> Result<Option<Order>, Failure> {
    let source = Value::from_json(&record.raw);
    let scope = Scope::new(engine.clock.now()).with_ref("source", &source);
    if filtered(flow, record, &scope)?.is_some() {
        return Ok(None);
    }
    let value = flow.source_rows.evaluate(&scope).map_err(|error| Failure::reject(row_cause(&error)))?;
    let mut order: Order = read_document(&value.to_json())?;
    // As in a run: a company without a name is a private person.
    order.customer.company = order.customer.company.take().filter(|company| !company.name.trim().is_empty());
    bundles::of_order(&mut order, flow.bundles())?;
    rates::split(&mut order);
    vat_numbers::apply_to_order(&mut order, check);
    Ok(Some(order))
}

/// The order that a refund belongs to, which its record brings along.
fn original(engine: &Engine, flow: &LoadedFlow, record: &SourceRecord) -> Result<Order, Failure> {
    let rows = flow.original_rows.as_ref().ok_or_else(|| {
        Failure::settings(Cause::new("not_supported", format!("{} has no orders to refund", flow.source_facts.name)))
    })?;
    let source = Value::from_json(&record.raw["order"]);
    let scope = Scope::new(engine.clock.now()).with_ref("source", &source);
    let value = rows.evaluate(&scope).map_err(|error| Failure::reject(row_cause(&error)))?;
    read_document(&value.to_json())
}

/// Why the filter leaves a record out; `None` when it passes.
pub(super) fn filtered(flow: &LoadedFlow, record: &SourceRecord, scope: &Scope<'_>) -> Result<Option<Cause>, Failure> {
    let wanted = &flow.flow.filter.status;
    let status = status_of(&record.raw);
    if !wanted.is_empty() && !wanted.contains(&status) {
        return Ok(Some(
            Cause::new("status", format!("status «{status}» is not one of {}", wanted.join(", ")))
                .in_row("filter.status"),
        ));
    }
    let Some(condition) = &flow.condition else { return Ok(None) };
    let in_row = |cause: Cause| cause.in_file(&flow.file).in_row("filter.where");
    match condition.evaluate(scope) {
        Ok(Value::Bool(true)) => Ok(None),
        Ok(Value::Bool(false)) => {
            let text = flow.flow.filter.condition.as_deref().unwrap_or_default();
            Ok(Some(in_row(Cause::new("where", format!("the condition «{text}» does not hold")))))
        }
        Ok(other) => Err(Failure::reject(in_row(
            Cause::new("condition_not_yes_no", format!("the condition gives {}, not yes or no", other.kind().word()))
                .advice("compare with something, such as source.total | number > 0"),
        ))),
        Err(error) => Err(Failure::reject(in_row(Cause::new("condition_failed", error.to_string())))),
    }
}

pub(super) fn status_of(raw: &serde_json::Value) -> String {
    // A refund has no status; that of its order counts.
    let status = raw.get("status").or_else(|| raw.pointer("/order/status"));
    status.and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

fn read_document<T: DeserializeOwned>(json: &serde_json::Value) -> Result<T, Failure> {
    serde_path_to_error::deserialize(without_nulls(json)).map_err(|error| {
        Failure::reject(
            Cause::new("document_incomplete", format!("the mapped record does not fit: {}", error.inner()))
                .advice("look at the row of this field with koppel map test")
                .in_row(error.path().to_string()),
        )
    })
}

/// Absent and empty are the same to rows, so what is empty takes the default of its field.
fn without_nulls(json: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match json {
        Json::Object(fields) => Json::Object(
            fields.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), without_nulls(v))).collect(),
        ),
        Json::Array(items) => Json::Array(items.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

fn complete_order(flow: &LoadedFlow, order: &mut Order, check: Option<&VatCheck>) -> Result<Option<Sheet>, Failure> {
    // The rows give the shop's own day; a time zone in the settings says that the books want another.
    if let Some(zone) = &flow.time_zone {
        order.date = order.created_at.with_timezone(zone).date_naive();
    }
    // A company without a name is a private person.
    order.customer.company = order.customer.company.take().filter(|company| !company.name.trim().is_empty());
    if let Some(max) = flow.target_facts.reference_max_chars {
        let chars = order.reference.chars().count();
        if chars > max {
            return Err(Failure::reject(
                Cause::new(
                    "reference_too_long",
                    format!(
                        "the reference «{}» has {chars} characters, {} takes {max}",
                        order.reference, flow.target_facts.name
                    ),
                )
                .advice("map a shorter reference; it is never cut, because a cut key finds the wrong order")
                .in_row("reference"),
            ));
        }
    }
    if order.reference.trim().is_empty() {
        return Err(Failure::reject(
            Cause::new("empty_key", "the reference is empty, and an empty key is never a key").in_row("reference"),
        ));
    }
    rates::split(order);
    vat_numbers::apply_to_order(order, check);
    decide_order_codes(order, &flow.flow.settings, flow.target_facts, flow.flow.document)?;
    match flow.target_facts.rounding {
        Some(model) => {
            let amounts = flow.target_facts.posts_amounts(flow.flow.document);
            cents::prove(order, Posting { model, amounts }, flow.flow.settings.rounding.as_ref()).map(Some)
        }
        None => Ok(None),
    }
}

/// What a person should know although the order goes on.
fn order_warnings(order: &Order) -> Vec<Cause> {
    order
        .refunds
        .iter()
        .map(|refund| {
            Cause::new(
                "refund_not_handled",
                format!(
                    "refund {} of {} {} is not yet handled",
                    refund.id,
                    order.currency.text(refund.total),
                    order.currency
                ),
            )
            .advice("book the credit note by hand, or add a flow with «entity: refunds» between the same connections")
        })
        .collect()
}
