//! Bodies against their models: known fields, their types, what must be there, lengths and values.

use serde_json::{Map, Value};

use super::metadata::{Kind, Model, metadata};
use super::{Ctx, Switches, errors, invoices};
use crate::message::Reply;
use crate::text::text;

/// Longest texts: (resource, field, letters).
const LENGTHS: &[(&str, &str, usize)] = &[
    ("products", "productnumber", 50),
    ("products", "eannumber", 50),
    ("products", "mpnnumber", 50),
    ("products", "name", 200),
    ("products", "shortdescription", 255),
    ("products", "description", 65_536),
    ("attributecombinations", "product_number", 50),
    ("attributecombinations", "ean_number", 50),
    ("attributecombinations", "sku_number", 50),
    ("categories", "name", 255),
];

/// Kinds of a property of products.
const PROPERTY_TYPES: &[&str] =
    &["Text", "Option", "OptionCheckbox", "Checkbox", "Group", "CollapsedGroup", "TextArea", "Price"];
/// Tariffs of VAT.
const TARIFFS: &[&str] = &["normal", "low a", "low b", "extra low", "zero"];
/// What webhooks can be about.
pub(super) const EVENTS: &[&str] = &[
    "orders.created",
    "orders.updated.ispaid",
    "orders.updated.status",
    "orders.updated.trackandtrace",
    "orders.deleted",
    "products.created",
    "products.updated",
    "products.deleted",
    "returns.created",
    "returns.updated",
    "returns.deleted",
    "categories.created",
    "categories.updated",
    "categories.deleted",
    "invoices.updated.status",
];

/// A field that takes some values only: (resource, field, values).
const VALUES: &[(&str, &str, &[&str])] = &[
    ("products", "taxtariff", TARIFFS),
    ("producttaxtariffexceptions", "taxtariff", TARIFFS),
    ("products", "stocktype", &["Product", "Attribute"]),
    ("products", "hide_without_category", &["YES", "NO_DIRECTLINK", "NO_SEARCHRESULTS"]),
    ("products", "photo_size", &["NONE", "SMALL", "BIG"]),
    ("products", "show_order_button", &["Y", "QUOTATION", "N"]),
    ("productproperties", "type", PROPERTY_TYPES),
    ("users", "approval_status", &["pending", "accepted"]),
    ("invoices", "status", invoices::STATUSES),
    ("webhooks", "event", EVENTS),
];

/// Whole numbers between two: (resource, field, least, most).
const RANGES: &[(&str, &str, i64, i64)] = &[("products", "product_layout", 1, 4), ("orders", "status", 1, 14)];

/// The body of a write, as its model has it.
pub(super) fn body(ctx: &Ctx<'_>, resource: &str) -> Result<Map<String, Value>, Reply> {
    let refuse = |message: &str| Err(errors::schema(ctx.switches, message));
    let is_json = ctx.call.header("content-type").is_some_and(|kind| kind.to_lowercase().contains("json"));
    if !is_json {
        return refuse("Content-Type: application/json is missing");
    }
    let Ok(Value::Object(body)) = ctx.call.json() else { return refuse("the body is no JSON object") };
    let name = ctx.endpoint.input.as_deref().unwrap_or_default();
    let Some(model) = metadata().model(name) else { return Err(ctx.left_out()) };
    let body = object(ctx.switches, resource, model, body, "")?;
    if resource == "ordernotifications" {
        let kind = body["type"].as_str().unwrap_or_default();
        let known =
            ["customer_", "merchant_"].iter().any(|prefix| kind.len() > prefix.len() && kind.starts_with(prefix));
        if !known {
            return refuse(&format!("type \"{kind}\" is not known"));
        }
    }
    Ok(body)
}

fn object(
    switches: &Switches,
    resource: &str,
    model: &Model,
    body: Map<String, Value>,
    path: &str,
) -> Result<Map<String, Value>, Reply> {
    let mut kept = Map::new();
    for (name, value) in body {
        let place = format!("{path}{name}");
        let Some(field) = model.field(&name) else {
            if switches.unknown_fields == "ignore" {
                continue;
            }
            return Err(errors::schema(switches, &format!("the property {place} is not defined")));
        };
        if value.is_null() {
            if switches.null_fields == "allow" && field.optional {
                kept.insert(name, value);
                continue;
            }
            return Err(errors::schema(switches, &format!("{place} cannot be null")));
        }
        let value = typed(switches, resource, &field.kind, value, &place)?;
        // The values of a nested object are those of its own resource, which has no lists of them.
        if path.is_empty() {
            values(switches, resource, &name, &value)?;
        } else if name == "customertype" && !["b2c", "b2b"].contains(&value.as_str().unwrap_or_default()) {
            return Err(errors::schema(switches, &format!("{place} is none of b2c, b2b")));
        }
        kept.insert(name, value);
    }
    if let Some(field) = model.fields.iter().find(|field| !field.optional && !kept.contains_key(&field.name)) {
        return Err(errors::schema(switches, &format!("the property {path}{} is required", field.name)));
    }
    Ok(kept)
}

fn typed(switches: &Switches, resource: &str, kind: &Kind, value: Value, place: &str) -> Result<Value, Reply> {
    let is_whole = |value: &Value| value.as_i64().is_some() && !value.to_string().contains(['.', 'e', 'E']);
    let (right, what) = match kind {
        Kind::Text => (value.is_string(), "string"),
        Kind::Flag => (value.is_boolean(), "boolean"),
        Kind::Whole => (is_whole(&value), "integer"),
        Kind::Number => (value.is_number(), "number"),
        Kind::List(inner) => match value {
            Value::Array(items) => {
                let items = items.into_iter().enumerate();
                let items = items.map(|(at, item)| typed(switches, resource, inner, item, &format!("{place}[{at}]")));
                return items.collect::<Result<Vec<_>, _>>().map(Value::Array);
            }
            _ => (false, "array"),
        },
        Kind::Model(name) => match (value, metadata().model(name)) {
            (Value::Object(map), Some(model)) => {
                return object(switches, resource, model, map, &format!("{place}.")).map(Value::Object);
            }
            _ => return Err(errors::schema(switches, &format!("{place} is not of type object"))),
        },
    };
    if right { Ok(value) } else { Err(errors::schema(switches, &format!("{place} is not of type {what}"))) }
}

fn values(switches: &Switches, resource: &str, name: &str, value: &Value) -> Result<(), Reply> {
    let of = |list: &&(&str, &str, &'static [&'static str])| list.0 == resource && list.1 == name;
    let own: Vec<&str> = match (resource, name) {
        ("attributes", "type") => switches.attribute_types.iter().map(String::as_str).collect(),
        ("products", "ordering_without_stock") => switches.ordering_without_stock.iter().map(String::as_str).collect(),
        _ => VALUES.iter().find(of).map(|list| list.2.to_vec()).unwrap_or_default(),
    };
    if !own.is_empty() && !own.contains(&value.as_str().unwrap_or_default()) {
        return Err(errors::schema(switches, &format!("{name} {value} is none of {}", own.join(", "))));
    }
    if let Some((_, _, least, most)) = RANGES.iter().find(|(of, field, ..)| *of == resource && *field == name)
        && !value.as_i64().is_some_and(|number| (*least..=*most).contains(&number))
    {
        return Err(errors::schema(switches, &format!("{name} {value} is not between {least} and {most}")));
    }
    let longest = LENGTHS.iter().find(|(of, field, _)| *of == resource && *field == name);
    if let (Some((_, _, most)), true, Some(text)) = (longest, switches.text_lengths, value.as_str())
        && text.chars().count() > *most
    {
        return Err(errors::schema(switches, &format!("{name} is longer than {most} characters")));
    }
    Ok(())
}

/// A text of a body that must hold something.
pub(super) fn filled(ctx: &Ctx<'_>, body: &Value, field: &str) -> Result<(), Reply> {
    if text(body, field).trim().is_empty() {
        return Err(errors::schema(ctx.switches, &format!("{field} is empty")));
    }
    Ok(())
}
