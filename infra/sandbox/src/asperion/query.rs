//! Lists: filters that find a part of a text unless told otherwise, order, pages, and how a row is shown.

use std::cmp::Ordering;

use serde_json::{Map, Value, json};

use super::Tx;
use super::contract::{Kind, Operation, Parameter, Resource, Schema, contract, is_date};
use super::problem::{Errors, capital};
use crate::message::{Call, Reply, pairs};
use crate::text::{decimal, text, whole};

const STANDARD: &[&str] = &["page", "pagesize", "fields", "orderby", "metaonly"];

/// One condition of a list.
#[derive(Debug)]
struct Condition {
    name: String,
    kind: Kind,
    value: String,
    comparison: String,
}

/// What a list is asked for.
#[derive(Debug)]
struct Asked {
    page: usize,
    page_size: usize,
    fields: Vec<String>,
    order: Option<(String, bool)>,
    meta_only: bool,
    conditions: Vec<Condition>,
}

/// `GET /v1/{resource}`.
pub(super) fn list(tx: &Tx<'_>, resource: &Resource, operation: &Operation, call: &Call) -> Result<Reply, Reply> {
    let schema = contract().schema(&resource.schema).ok_or_else(|| Reply::empty(404))?;
    let asked = read(tx, resource, operation, schema, call)?;
    let mut rows: Vec<&Value> = tx.rows(&table_of(&resource.name));
    rows.retain(|row| asked.conditions.iter().all(|condition| holds(tx, row, condition)));
    if let Some((name, down)) = &asked.order {
        rows.sort_by(|one, two| {
            let order = compare(&one[name], &two[name]);
            if *down { order.reverse() } else { order }
        });
    }
    let total = rows.len();
    let pages = total.div_ceil(asked.page_size);
    let shown = rows.into_iter().skip((asked.page - 1) * asked.page_size).take(asked.page_size);
    let with_lines = resource.name != "salesinvoices";
    let data: Vec<Value> = match asked.meta_only {
        true => Vec::new(),
        false => shown.map(|row| render(tx, resource, schema, row, &asked.fields, with_lines)).collect(),
    };
    let link = |page: usize| json!(address(tx, call, page));
    let meta = json!({
        "administrationId": whole(&json!(tx.administration)),
        "administrationName": tx.administration_name(),
        "profileName": "Koppel",
        "previousPage": if asked.page > 1 { link(asked.page - 1) } else { Value::Null },
        "nextPage": if asked.page < pages { link(asked.page + 1) } else { Value::Null },
        "totalCount": total,
        "pageCount": pages,
        "self": link(asked.page),
    });
    Ok(Reply::json(200, &json!({"_data": data, "_meta": meta})))
}

/// Invoices with and without lines are the same rows.
pub(super) fn table_of(resource: &str) -> String {
    match resource {
        "salesinvoices" => "salesinvoiceswithlines".into(),
        other => other.into(),
    }
}

fn address(tx: &Tx<'_>, call: &Call, page: usize) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs(&call.query).iter().filter(|(name, _)| !name.eq_ignore_ascii_case("page")) {
        query.append_pair(name, value);
    }
    query.append_pair("page", &page.to_string());
    format!("{}{}?{}", tx.site, call.path, query.finish())
}

fn read(tx: &Tx<'_>, resource: &Resource, operation: &Operation, schema: &Schema, call: &Call) -> Result<Asked, Reply> {
    let mut errors = Errors::default();
    let invalid = |value: &str| match tx.words.dutch {
        true => format!("De waarde '{value}' is niet geldig."),
        false => format!("The value '{value}' is not valid."),
    };
    let mut asked = Asked {
        page: 1,
        page_size: tx.switches.page_size_default,
        fields: Vec::new(),
        order: None,
        meta_only: false,
        conditions: Vec::new(),
    };
    let mut state_given = false;
    for (name, value) in call.pairs() {
        let plain = name.to_lowercase();
        match plain.as_str() {
            "page" | "pagesize" => match value.parse::<usize>().ok().filter(|number| *number > 0) {
                Some(number) if plain == "page" => asked.page = number,
                Some(number) if number > tx.switches.page_size_max && tx.switches.page_size_over == "refuse" => {
                    errors.add("pageSize", format!("{} (max. {})", invalid(&value), tx.switches.page_size_max));
                }
                Some(number) => asked.page_size = number.min(tx.switches.page_size_max),
                None => errors.add(name, invalid(&value)),
            },
            "fields" => {
                for field in value.split(',').map(str::trim).filter(|field| !field.is_empty()) {
                    match schema.prop(field) {
                        Some(prop) => asked.fields.push(prop.name.clone()),
                        None => errors.add("fields", invalid(field)),
                    }
                }
            }
            "orderby" => {
                let (field, way) = value.trim().split_once(' ').unwrap_or((value.trim(), "asc"));
                match schema.prop(field) {
                    Some(prop) => asked.order = Some((prop.name.clone(), way.eq_ignore_ascii_case("desc"))),
                    None => errors.add("orderBy", invalid(field)),
                }
            }
            "metaonly" => asked.meta_only = value.eq_ignore_ascii_case("true"),
            _ => match condition(tx, operation, &name, &value, call) {
                Known::Condition(condition) => {
                    if condition.name.eq_ignore_ascii_case("ActiveState") {
                        state_given = true;
                        let switches = tx.switches;
                        let known = [&switches.active, &switches.inactive, &switches.active_and_inactive];
                        if !known.iter().any(|state| ***state == value) {
                            errors.add(&name, invalid(&value));
                        }
                        if value == switches.active_and_inactive {
                            continue;
                        }
                    }
                    if unreadable(&condition) {
                        errors.add(&name, invalid(&value));
                    }
                    asked.conditions.push(condition);
                }
                Known::Comparison => {}
                Known::No if tx.switches.unknown_parameters == "refuse" => {
                    errors.add(&name, tx.words.pick("Onbekende parameter.", "Unknown parameter."));
                }
                Known::No => {}
            },
        }
    }
    if resource.name == "articles" && !state_given {
        asked.conditions.push(Condition {
            name: "activeState".into(),
            kind: Kind::Text,
            value: tx.switches.active.clone(),
            comparison: "equals".into(),
        });
    }
    let year_given = asked.conditions.iter().any(|one| one.name.eq_ignore_ascii_case("BookYear"));
    if resource.name == "journalentrieswithlines" && !year_given {
        errors.add("BookYear", tx.words.pick("BookYear is verplicht.", "The BookYear field is required."));
    }
    if errors.is_empty() { Ok(asked) } else { Err(errors.reply(400, tx.words)) }
}

enum Known {
    Condition(Condition),
    Comparison,
    No,
}

fn condition(tx: &Tx<'_>, operation: &Operation, name: &str, value: &str, call: &Call) -> Known {
    let of = |name: &str| -> Option<&Parameter> {
        let assumed = tx.switches.assumed_filters;
        let mut parameters = operation.parameters.iter().filter(|one| assumed || !one.assumed);
        parameters.find(|one| one.name.eq_ignore_ascii_case(name))
    };
    if let Some(stem) = name.strip_suffix("_comparison") {
        return if of(stem).is_some() { Known::Comparison } else { Known::No };
    }
    let Some(parameter) = of(name).filter(|one| !STANDARD.contains(&one.name.to_lowercase().as_str())) else {
        return Known::No;
    };
    let documented = tx.switches.comparisons == "all" || parameter.name == "InvoiceNumber";
    let said = call.pairs().into_iter().find(|(other, _)| {
        other.strip_suffix("_comparison").is_some_and(|stem| stem.eq_ignore_ascii_case(&parameter.name))
    });
    let exact = parameter.name == "ActiveState";
    let comparison = match said.filter(|_| documented) {
        Some((_, word)) => word.to_lowercase(),
        None if exact => "equals".into(),
        None => "contains".into(),
    };
    Known::Condition(Condition {
        name: parameter.name.clone(),
        kind: parameter.kind.clone(),
        value: value.into(),
        comparison,
    })
}

fn unreadable(condition: &Condition) -> bool {
    let value = json!(condition.value);
    let stem = condition.name.trim_end_matches("_from").trim_end_matches("_to");
    match condition.kind {
        Kind::Integer => whole(&value).is_none(),
        Kind::Number => decimal(&value).is_none(),
        Kind::Boolean => condition.value.to_lowercase().parse::<bool>().is_err(),
        Kind::Text if is_date(stem) => super::values::moment(&condition.value).is_none(),
        _ => !["contains", "equals", "notequals", "startswith", "endswith"].contains(&condition.comparison.as_str()),
    }
}

/// The value of a row under a filter's name; `CostCenterId` of an invoice stands on its lines.
fn values_of<'a>(row: &'a Value, name: &str) -> Vec<&'a Value> {
    let named = |object: &'a Value| {
        let fields = object.as_object().into_iter().flatten();
        fields.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect::<Vec<_>>()
    };
    let own = named(row);
    if !own.is_empty() {
        return own;
    }
    row["lines"].as_array().into_iter().flatten().flat_map(named).collect()
}

fn holds(tx: &Tx<'_>, row: &Value, condition: &Condition) -> bool {
    if let Some(stem) = condition.name.strip_suffix("_from") {
        return values_of(row, stem)
            .iter()
            .any(|value| value.as_str().is_some_and(|at| at >= condition.value.as_str()));
    }
    if let Some(stem) = condition.name.strip_suffix("_to") {
        return values_of(row, stem)
            .iter()
            .any(|value| value.as_str().is_some_and(|at| at <= condition.value.as_str()));
    }
    let asked = json!(condition.value);
    let values = values_of(row, &condition.name);
    match condition.kind {
        Kind::Integer | Kind::Number => values.iter().any(|value| decimal(value) == decimal(&asked)),
        Kind::Boolean => {
            let wanted = condition.value.eq_ignore_ascii_case("true");
            values.iter().any(|value| value.as_bool().unwrap_or(false) == wanted)
        }
        _ if is_date(&condition.name) => values.iter().any(|value| value.as_str() == Some(&condition.value)),
        _ => {
            let fold =
                |text: &str| if tx.switches.case_sensitive_filters { text.to_owned() } else { text.to_lowercase() };
            let wanted = fold(&condition.value);
            let is = |value: &Value| {
                let there = fold(value.as_str().unwrap_or_default());
                match condition.comparison.as_str() {
                    "equals" => there == wanted,
                    "notequals" => there != wanted,
                    "startswith" => there.starts_with(&wanted),
                    "endswith" => there.ends_with(&wanted),
                    _ => there.contains(&wanted),
                }
            };
            if values.is_empty() { wanted.is_empty() } else { values.into_iter().any(is) }
        }
    }
}

fn compare(one: &Value, two: &Value) -> Ordering {
    match (decimal(one), decimal(two)) {
        (Some(one), Some(two)) if !one.eq(&two) || one == two => one.cmp(&two),
        _ => one.as_str().unwrap_or_default().cmp(two.as_str().unwrap_or_default()),
    }
}

/// A row as it is shown; no field chosen: all.
pub(super) fn render(
    tx: &Tx<'_>,
    resource: &Resource,
    schema: &Schema,
    row: &Value,
    fields: &[String],
    with_lines: bool,
) -> Value {
    let mut shown = Map::new();
    for prop in &schema.props {
        let value = row.get(&prop.name).unwrap_or(&Value::Null);
        match &prop.kind {
            Kind::Meta => {
                let id = row.get("id").map(text_of).unwrap_or_default();
                let link = format!("{}/v1/{}/{id}", tx.site, resource.name);
                shown.insert("_meta".into(), json!({"self": link}));
            }
            _ if !fields.is_empty() && !fields.contains(&prop.name) => {}
            Kind::Rows(_) if !with_lines => {}
            Kind::Rows(child) => {
                let schema = contract().schema(child);
                let rows = value.as_array().into_iter().flatten();
                let rows: Vec<Value> =
                    rows.filter_map(|row| schema.map(|schema| render(tx, resource, schema, row, &[], true))).collect();
                let count = rows.len();
                shown.insert(prop.name.clone(), json!({"_data": rows, "_meta": {"totalCount": count}}));
            }
            // A concept has no number at all.
            _ if value.is_null() && (tx.switches.omit_nulls || prop.name == "invoiceNumber") => {}
            _ => {
                shown.insert(prop.name.clone(), value.clone());
            }
        }
    }
    Value::Object(shown)
}

fn text_of(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

/// `GET /v1/{resource}/{id}`.
pub(super) fn one(tx: &Tx<'_>, resource: &Resource, id: &str) -> Result<Reply, Reply> {
    let schema = contract().schema(&resource.schema).ok_or_else(|| Reply::empty(404))?;
    let row = tx.get(&table_of(&resource.name), id).ok_or_else(|| tx.not_found(&capital(&resource.name), id))?;
    Ok(Reply::json(200, &render(tx, resource, schema, row, &[], true)))
}

/// A text field of a row is this, whatever the case.
pub(super) fn same(row: &Value, field: &str, value: &str) -> bool {
    text(row, field).trim().eq_ignore_ascii_case(value.trim())
}
