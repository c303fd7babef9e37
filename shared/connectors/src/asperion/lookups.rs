//! Codes to references. Short lists are read whole; debtors are asked for by number.

use std::collections::BTreeMap;

use koppel_core::ports::{Calls, Reference};
use koppel_core::system::Lookup;
use koppel_core::{Cause, Failure, NonEmpty};
use serde_json::{Map, Value};

use super::client::Client;
use super::{customers, native};

/// How a list is read.
struct List {
    path: &'static str,
    /// Fields that an asked code may match, the best first.
    codes: &'static [&'static str],
    /// Field of the name.
    name: &'static str,
}

fn list(lookup: Lookup) -> Result<List, Failure> {
    let by = |path, codes| List { path, codes, name: "description" };
    Ok(match lookup {
        Lookup::VatCode => by("vatcodes", &["id"]),
        Lookup::PaymentTerms => by("paymentconditions", &["id", "description"]),
        Lookup::RevenueAccount => by("ledgeraccounts", &["id"]),
        Lookup::Journal => by("journals", &["id"]),
        // The conversion code is what other programs call a cost centre.
        Lookup::CostCenter => by("costcenters", &["id", "conversionCode"]),
        Lookup::CostUnit => by("costunits", &["id", "conversionCode"]),
        Lookup::DefaultCustomer => List { path: customers::DEBTORS, codes: &["customerNumber"], name: "name" },
        Lookup::Item | Lookup::ShippingMethod | Lookup::Warehouse => {
            return Err(Failure::settings(
                Cause::new("not_supported", format!("Asperion does not list a {}", lookup.label()))
                    .advice("its documents are posted on ledger accounts; leave this setting out"),
            ));
        }
    })
}

/// References of codes; what the administration does not have is absent.
pub(super) async fn look_up(
    client: &Client,
    lookup: Lookup,
    codes: &[NonEmpty],
    calls: &Calls,
) -> Result<BTreeMap<NonEmpty, Reference>, Failure> {
    let list = list(lookup)?;
    let mut found = BTreeMap::new();
    if codes.is_empty() {
        return Ok(found);
    }
    let whole = if lookup == Lookup::DefaultCustomer { Vec::new() } else { client.list(list.path, &[], calls).await? };
    for code in codes {
        let asked = match lookup {
            Lookup::DefaultCustomer => {
                let query = [
                    ("CustomerNumber", code.as_str()),
                    ("CustomerNumber_comparison", "Equals"),
                    ("fields", customers::FIELDS),
                ];
                Some(client.list(list.path, &query, calls).await?)
            }
            _ => None,
        };
        if let Some(row) = matching(asked.as_ref().unwrap_or(&whole), list.codes, code.as_str()) {
            found.insert(code.clone(), reference(row, lookup, &list));
        }
    }
    Ok(found)
}

/// A whole list, by code.
pub(super) async fn list_codes(client: &Client, lookup: Lookup, calls: &Calls) -> Result<Vec<Reference>, Failure> {
    let list = list(lookup)?;
    let rows = client.list(list.path, &[], calls).await?;
    let mut all: Vec<Reference> = rows.iter().map(|row| reference(row, lookup, &list)).collect();
    all.retain(|reference| !reference.code.is_empty());
    // Numbers by their value, then words by the alphabet.
    all.sort_by_cached_key(|reference| (reference.code.parse::<u64>().unwrap_or(u64::MAX), reference.code.clone()));
    Ok(all)
}

/// The row of a code: written the same, else the same but for case, when that is only one.
fn matching<'a>(rows: &'a [Value], fields: &[&str], code: &str) -> Option<&'a Value> {
    for field in fields {
        if let Some(row) = rows.iter().find(|row| native::field(row, field).as_deref() == Some(code)) {
            return Some(row);
        }
        let lower = code.to_lowercase();
        let mut alike =
            rows.iter().filter(|row| native::field(row, field).is_some_and(|found| found.to_lowercase() == lower));
        if let (Some(row), None) = (alike.next(), alike.next()) {
            return Some(row);
        }
    }
    None
}

fn reference(row: &Value, lookup: Lookup, list: &List) -> Reference {
    let code = list.codes.first().and_then(|field| native::field(row, field)).unwrap_or_default();
    Reference {
        id: native::field(row, "id").unwrap_or_default(),
        code,
        name: native::field(row, list.name).unwrap_or_default(),
        attributes: attributes(lookup, row),
    }
}

/// Facts about a row under names that mean the same for every system.
fn attributes(lookup: Lookup, row: &Value) -> Map<String, Value> {
    let mut map = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            map.insert(name.to_owned(), value);
        }
    };
    let text = |name: &str| native::field(row, name).map(Value::from);
    let flag = |name: &str| native::flag(row, name).map(Value::from);
    let day = |name: &str| native::local(row, name).map(|moment| Value::from(moment.date().to_string()));
    match lookup {
        Lookup::VatCode => {
            put("percent", native::decimal(row, "percentage").map(|percent| native::number(percent.normalize())));
            put("country", text("countryCode"));
            // Whether it counts is decided by the date of each order, not by today.
            put("valid_from", day("validFrom"));
            put("valid_until", day("validUntil"));
            // One for purchases cannot stand on a sale.
            put("blocked", native::flag(row, "salesCode").map(|sales| Value::from(!sales)));
        }
        Lookup::RevenueAccount => {
            put("type", text("type"));
            put("vat_code", text("vatCode"));
            put("blocked", flag("disabled"));
        }
        Lookup::Journal => put("type", text("type")),
        Lookup::CostCenter | Lookup::CostUnit => put("conversion_code", text("conversionCode")),
        Lookup::DefaultCustomer => put("blocked", flag("blocked")),
        _ => {}
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_purchase_code_is_blocked_and_an_old_one_keeps_its_days() {
        let old = json!({"id":"3","percentage":6.00,"salesCode":true,"validFrom":"2001-01-01T00:00:00",
            "validUntil":"2018-12-31T00:00:00","countryCode":"NL"});
        assert_eq!(
            Value::Object(attributes(Lookup::VatCode, &old)),
            json!({"percent":6,"country":"NL","valid_from":"2001-01-01","valid_until":"2018-12-31","blocked":false})
        );
        assert_eq!(attributes(Lookup::VatCode, &json!({"salesCode":false}))["blocked"], true);
    }

    #[test]
    fn a_code_is_matched_as_written_then_by_its_other_name() {
        let rows = [json!({"id":1,"conversionCode":"WEB"}), json!({"id":2,"conversionCode":"1"})];
        let id = |code: &str| matching(&rows, &["id", "conversionCode"], code).map(|row| row["id"].clone());
        assert_eq!((id("1"), id("web"), id("3")), (Some(json!(1)), Some(json!(1)), None));
    }
}
