//! Holds every call to the vendor's metadata: fields exist, methods allow them, what is mandatory is there, filters use
//! fields that may be filtered on. The server of these tests asks for each call that any test makes.

use std::sync::LazyLock;

use koppel_mapping::FieldCatalogue;
use serde_json::Value;

use super::server::Seen;
use crate::exact_online::documents::Shape;
use crate::exact_online::{FACTS, payload};

/// Names, types, methods and flags of the resources that are called.
pub static METADATA: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../fixtures/metadata.json")).unwrap());

/// Filled by Exact from the item when it is left out, though it is documented as mandatory.
const FILLED_BY_EXACT: [(&str, &str); 1] = [("salesinvoice/SalesInvoiceLines", "GLAccount")];

/// Keys of the document around a line, which a nested line does not name.
const PARENTS: [&str; 3] = ["OrderID", "InvoiceID", "EntryID"];

/// Fields of restricted entities without a published list that are used in filters all the same; see the README.
const UNCONFIRMED_FILTERS: [(&str, &str); 6] = [
    ("crm/Contacts", "ID"),
    ("crm/Contacts", "Account"),
    ("crm/Contacts", "Email"),
    ("crm/Contacts", "BusinessEmail"),
    ("salesentry/SalesEntries", "YourRef"),
    ("financial/GLAccounts", "Code"),
];

/// What a call does that the metadata does not allow.
pub fn breaches(seen: &Seen) -> Vec<String> {
    if seen.path.starts_with("/api/oauth2/") || seen.query.contains_key("$skiptoken") {
        return Vec::new();
    }
    let (entity, mut found) = (seen.entity(), Vec::new());
    let Some(about) = METADATA.get(entity) else { return vec![format!("{entity} is not a resource")] };
    let properties = &about["properties"];
    let method = seen.method.as_str();
    if !about["methods"].as_array().unwrap().contains(&Value::from(method)) {
        found.push(format!("{entity} has no {method}"));
    }
    if !seen.headers.get("accept").is_some_and(|accept| accept.contains("application/json")) {
        found.push(format!("{entity}: no JSON is asked for"));
    }
    if seen.url_length >= 2_000 {
        found.push(format!("{entity}: the address has {} characters", seen.url_length));
    }
    match method {
        "GET" => {
            let select = seen.query.get("$select").map_or("", String::as_str);
            if select.is_empty() {
                found.push(format!("{entity}: no $select"));
            }
            for name in select.split(',') {
                if !may(properties, name, 'G') {
                    found.push(format!("{entity}.{name} cannot be read"));
                }
            }
            if seen.filter().matches(" eq ").count() > 25 {
                found.push(format!("{entity}: more than 25 terms"));
            }
            for term in seen.filter().split(" or ").flat_map(|part| part.split(" and ")) {
                // A literal may hold anything, so only what stands before the operator is looked at.
                let Some((name, _)) = term.split_once(" eq ") else { continue };
                let name = name.strip_prefix("startswith(").map_or(name, |rest| rest.split(',').next().unwrap_or(rest));
                let listed = about["filter_mode"] == "any"
                    || properties[name]["filter"] == true
                    || UNCONFIRMED_FILTERS.contains(&(entity, name));
                if properties.get(name).is_none() || !listed {
                    found.push(format!("{entity}.{name} cannot be filtered on"));
                }
            }
        }
        _ => {
            let letter = if method == "POST" { 'P' } else { 'U' };
            if letter == 'P' && seen.headers.get("prefer").is_none_or(|prefer| prefer != "return=representation") {
                found.push(format!("{entity}: the whole record is not asked back"));
            }
            body(entity, &seen.body(), letter, false, &mut found);
        }
    }
    found
}

fn may(properties: &Value, name: &str, letter: char) -> bool {
    properties[name]["methods"].as_str().is_some_and(|methods| methods.contains(letter))
}

fn body(entity: &str, value: &Value, letter: char, nested: bool, found: &mut Vec<String>) {
    let properties = &METADATA[entity]["properties"];
    let Some(fields) = value.as_object() else { return found.push(format!("{entity}: the body is no group")) };
    for (name, inner) in fields {
        if !may(properties, name, letter) {
            found.push(format!("{entity}.{name} cannot be written by {letter}"));
        }
        if !fits(properties[name]["type"].as_str().unwrap_or_default(), inner) {
            found.push(format!("{entity}.{name} is a {} and {inner} is none", properties[name]["type"]));
        }
        if let Some(lines) = inner.as_array() {
            let service = entity.split('/').next().unwrap_or_default();
            lines.iter().for_each(|line| body(&format!("{service}/{name}"), line, letter, true, found));
        }
    }
    if letter == 'P' {
        for (name, about) in properties.as_object().unwrap() {
            let excused = (nested && (about["standalone_only"] == true || PARENTS.contains(&name.as_str())))
                || (entity == "crm/Contacts" && (name == "FirstName" || name == "LastName"))
                || FILLED_BY_EXACT.contains(&(entity, name.as_str()));
            if about["mandatory"] == true && !excused && !fields.contains_key(name) {
                found.push(format!("{entity}.{name} is mandatory"));
            }
        }
        if entity == "crm/Contacts" && !["FirstName", "LastName"].iter().any(|name| fields.contains_key(*name)) {
            found.push("a contact needs a first or a last name".to_owned());
        }
    }
}

fn fits(kind: &str, value: &Value) -> bool {
    match kind {
        "Guid" => value.as_str().is_some_and(|text| uuid::Uuid::try_parse(text).is_ok()),
        "String" | "Binary" => value.is_string(),
        "DateTime" => value.as_str().is_some_and(|text| text.parse::<chrono::NaiveDate>().is_ok()),
        "Boolean" => value.is_boolean(),
        "Double" => value.is_number(),
        "Int16" | "Int32" | "Int64" | "Byte" => value.is_i64() || value.is_u64(),
        collection => collection.starts_with("Collection") && value.is_array(),
    }
}

/// One section of the field catalogue.
pub fn section(name: &str) -> FieldCatalogue {
    let all: Value = serde_saphyr::from_str(FACTS.fields).unwrap();
    FieldCatalogue::parse("exact-online/fields.yaml", &all[name].to_string()).unwrap()
}

#[test]
fn the_field_catalogue_names_only_what_can_be_written() {
    let mut checked = 0;
    for (name, header) in [
        ("order.sales-order", "salesorder/SalesOrders"),
        ("order.sales-invoice", "salesinvoice/SalesInvoices"),
        ("order.direct-invoice", "salesinvoice/SalesInvoices"),
        ("order.financial-entry", "salesentry/SalesEntries"),
        ("customer", ""),
        ("product.target", "logistics/Items"),
    ] {
        for (path, field) in section(name).fields() {
            let service = header.split('/').next().unwrap_or_default();
            let path = path.strip_prefix("_variations[].").unwrap_or(&path);
            // What the connector makes something else of; the price of an item stands elsewhere.
            if path.starts_with('_') || path == "StandardSalesPrice" {
                continue;
            }
            let (entity, field_name) = match path.split_once('.') {
                Some(("account", field)) => ("crm/Accounts".to_owned(), field),
                Some(("contact", field)) => ("crm/Contacts".to_owned(), field),
                Some(("delivery_address", field)) => ("crm/Addresses".to_owned(), field),
                Some((lines, field)) => (format!("{service}/{}", lines.trim_end_matches("[]")), field),
                None if field.kind == koppel_mapping::FieldType::Group => continue,
                None => (header.to_owned(), path),
            };
            let properties = &METADATA[entity.as_str()]["properties"];
            assert!(may(properties, field_name, 'P') || may(properties, field_name, 'U'), "{name}: {path}");
            checked += 1;
        }
    }
    assert!(checked > 400, "{checked}");
}

#[test]
fn what_is_mandatory_is_required_of_the_rows_or_filled_in() {
    let filled = ["OrderedBy", "Customer", "OrderID", "InvoiceID", "EntryID"];
    for document in FACTS.documents {
        let shape = Shape::of(*document);
        let catalogue = section(&format!("order.{}", document.name()));
        let lines = format!("{}/{}", shape.entity.split('/').next().unwrap(), shape.lines);
        for (entity, prefix) in [(shape.entity.to_owned(), String::new()), (lines, format!("{}[].", shape.lines))] {
            for (name, about) in METADATA[entity.as_str()]["properties"].as_object().unwrap() {
                let excused =
                    filled.contains(&name.as_str()) || FILLED_BY_EXACT.contains(&(entity.as_str(), name.as_str()));
                if about["mandatory"] == true && !excused {
                    let path = format!("{prefix}{name}");
                    assert!(catalogue.get(&path).is_some_and(|field| field.required), "{path} of {}", document.name());
                }
            }
        }
        assert!(catalogue.get("YourRef").unwrap().required);
    }
}

#[test]
fn what_is_read_back_of_a_document_can_be_read_and_what_is_filled_in_can_be_written() {
    for document in FACTS.documents {
        let shape = Shape::of(*document);
        let properties = &METADATA[shape.entity]["properties"];
        let read = shape.numbers.iter().chain([&shape.id, &shape.total]).chain(&shape.net);
        assert!(read.into_iter().all(|name| may(properties, name, 'G')), "{shape:?}");
        let written = [Some(shape.customer), shape.contact, shape.delivery.map(|d| d.0), shape.delivery.map(|d| d.1)];
        assert!(written.into_iter().flatten().all(|name| may(properties, name, 'P')), "{shape:?}");
    }
}

#[test]
fn lengths_are_the_same_in_the_catalogue_and_in_the_check_before_sending() {
    use koppel_mapping::FieldType::Text;
    let (customer, product) = (section("customer"), section("product.target"));
    for (entity, field, length) in payload::LENGTHS {
        let found = match *entity {
            "crm/Accounts" => customer.get(&format!("account.{field}")),
            "crm/Contacts" => customer.get(&format!("contact.{field}")),
            "crm/Addresses" => customer.get(&format!("delivery_address.{field}")),
            _ => product.get(field),
        };
        let found = found.unwrap().kind;
        // A long address line may move on to the next one, so the mapper must let it pass.
        let wanted = if field.starts_with("AddressLine") { None } else { Some(*length) };
        assert_eq!(found, Text { max: wanted }, "{entity}.{field}");
    }
    let reference = section("order.sales-order").get("YourRef").unwrap().kind;
    assert_eq!(reference, Text { max: FACTS.reference_max_chars });
}

#[test]
fn no_call_reads_what_can_only_be_written() {
    assert!(!may(&METADATA["logistics/Items"]["properties"], "Picture", 'G'));
    for file in [include_str!("../lookups.rs"), include_str!("../customers.rs"), include_str!("../client.rs")] {
        assert!(!file.contains("Picture"));
    }
}
