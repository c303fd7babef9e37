//! Holds every call to what is known of the API: paths and verbs exist, filters and fields are named there, what only the
//! system fills is not sent, and each call carries administration, language and token.

use std::sync::LazyLock;

use koppel_mapping::FieldCatalogue;
use serde_json::Value;

use crate::asperion::FACTS;
use crate::http::testing::server::Seen;

static CONTRACT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../fixtures/contract.openapi.json")).unwrap());

/// What is assumed of every text filter, though it is documented for one.
const COMPARISON: &str = "_comparison";

/// What a call does that is not in the contract.
pub fn breaches(seen: &Seen) -> Vec<String> {
    let mut found = Vec::new();
    let parts: Vec<&str> = seen.path.trim_start_matches('/').split('/').collect();
    let template = if parts.len() == 3 { format!("/v1/{}/{{id}}", parts[1]) } else { seen.path.clone() };
    let at = format!("{} {}", seen.method, seen.path);
    let operation = &CONTRACT["paths"][&template][seen.method.to_lowercase()];
    if operation.is_null() {
        return vec![format!("{at} is not known")];
    }
    if operation["x-tier"] == 3 {
        found.push(format!("{at} is of the third tier"));
    }
    if !seen.header("authorization").is_some_and(|value| value.starts_with("Bearer ")) {
        found.push(format!("{at}: no token"));
    }
    if seen.header("accept-language").is_none() || seen.header("accept") != Some("application/json") {
        found.push(format!("{at}: neither language nor form is asked for"));
    }
    let tenant = seen.header("x-tenant-id");
    if parts[1] != "administrations" && tenant != Some("4711") {
        found.push(format!("{at}: administration {tenant:?}"));
    }
    let parameters = operation["parameters"].as_array().unwrap();
    let known = |name: &str| parameters.iter().any(|parameter| parameter["name"] == name);
    for (name, _) in &seen.query {
        let stem = name.strip_suffix(COMPARISON).unwrap_or(name);
        if !known(stem) {
            found.push(format!("{at}: the parameter {name} is not known"));
        }
    }
    if !seen.body.is_empty() {
        let body: Value = serde_json::from_str(&seen.body).unwrap();
        let schema = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str().unwrap();
        fields(schema, &body, &at, &mut found);
    }
    found
}

fn fields(schema: &str, body: &Value, at: &str, found: &mut Vec<String>) {
    let name = schema.rsplit('/').next().unwrap();
    let properties = &CONTRACT["components"]["schemas"][name]["properties"];
    for (field, value) in body.as_object().unwrap() {
        let property = &properties[field];
        if property.is_null() {
            found.push(format!("{at}: {name} has no field {field}"));
            continue;
        }
        if property["readOnly"] == true || field == "id" || field.starts_with("dateLast") {
            found.push(format!("{at}: {field} is filled by the system"));
        }
        let fits = match property["type"].as_str().unwrap_or_default() {
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "string" => value.is_string(),
            _ => value["_data"].is_array(),
        };
        if !fits {
            found.push(format!("{at}: {field} is {value}"));
        }
        let child = property["properties"]["_data"]["items"]["$ref"].as_str();
        for line in value["_data"].as_array().into_iter().flatten() {
            fields(child.unwrap(), line, at, found);
        }
    }
}

/// A section of the field catalogue.
pub fn section(name: &str) -> FieldCatalogue {
    let sections: Value = serde_saphyr::from_str(FACTS.fields).unwrap();
    FieldCatalogue::parse(name, &sections[name].to_string()).unwrap()
}

#[test]
fn the_field_catalogue_names_only_fields_of_the_contract() {
    let sections: Value = serde_saphyr::from_str(FACTS.fields).unwrap();
    for (section, schema, child, prefix) in [
        ("order.sales-invoice", "SalesInvoiceWithLines", "SalesInvoiceLine", ""),
        ("order.financial-entry", "JournalEntryWithLines", "JournalEntryLine", ""),
        ("customer", "Debtor", "", "debtor."),
        ("customer.source", "Debtor", "", ""),
    ] {
        for field in sections[section].as_object().unwrap().keys() {
            let added = ["kind", "price_class", "lines"].contains(&field.as_str());
            let (schema, name) = match field.strip_prefix("lines[].") {
                Some(name) => (child, name),
                None => (schema, field.strip_prefix(prefix).unwrap_or(field)),
            };
            if added || name.starts_with('_') {
                continue;
            }
            assert!(!CONTRACT["components"]["schemas"][schema]["properties"][name].is_null(), "{section}: {field}");
        }
    }
}

#[test]
fn a_call_that_breaks_the_contract_is_noticed() {
    let seen = |method: &str, path: &str, query: &[(&str, &str)], body: &str| Seen {
        method: method.into(),
        path: path.into(),
        query: query.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        headers: [
            ("authorization", "Bearer x"),
            ("accept", "application/json"),
            ("accept-language", "en"),
            ("x-tenant-id", "4711"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
        body: body.into(),
    };
    assert!(
        breaches(&seen("GET", "/v1/debtors", &[("EmailAddress", "x"), ("EmailAddress_comparison", "Equals")], ""))
            .is_empty()
    );
    assert_eq!(breaches(&seen("GET", "/v1/debtors", &[("Mail", "x")], "")).len(), 1);
    assert_eq!(breaches(&seen("GET", "/v1/debtorkinds", &[], "")).len(), 1);
    assert_eq!(breaches(&seen("POST", "/v1/salesorderswithlines", &[], "{}")).len(), 1);
    assert_eq!(breaches(&seen("POST", "/v1/debtors", &[], r#"{"id":1,"mail":"x","blocked":"no"}"#)).len(), 3);
}
