//! Codes to references. Short lists are read whole and compared without their padding; long ones are asked for by code.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use koppel_core::ports::{Calls, Reference};
use koppel_core::system::Lookup;
use koppel_core::{Failure, NonEmpty};
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::client::Client;
use super::{customers, odata};

/// `Type` of journals that sales are booked in.
const SALES_JOURNAL: &str = "20";

/// How a list is read.
struct List {
    entity: &'static str,
    select: &'static str,
    /// Fields that an asked code may match, the best first.
    codes: &'static [&'static str],
    /// Field of the name.
    name: &'static str,
    how: How,
}

enum How {
    /// The whole list at once: it is short, or its codes are padded.
    Whole,
    /// Only the asked codes.
    ByCode,
    /// Only the asked codes, padded as accounts are.
    ByPaddedCode,
}

fn list(lookup: Lookup) -> List {
    let by = |entity, select, how| List { entity, select, codes: &["Code"], name: "Description", how };
    match lookup {
        Lookup::Item => by(
            "logistics/Items",
            "ID,Code,Description,Unit,SalesVatCode,IsSalesItem,IsFractionAllowedItem,StartDate,EndDate",
            How::ByCode,
        ),
        Lookup::VatCode => {
            by("vat/VATCodes", "ID,Code,Description,Percentage,Type,VATTransactionType,IsBlocked", How::Whole)
        }
        Lookup::PaymentTerms => {
            by("cashflow/PaymentConditions", "ID,Code,Description,PaymentMethod,PaymentDays", How::Whole)
        }
        // People know a shipping method by what they read on the screen.
        Lookup::ShippingMethod => {
            let methods = by("sales/ShippingMethods", "ID,Code,Description,Active", How::Whole);
            List { codes: &["Code", "Description"], ..methods }
        }
        Lookup::RevenueAccount => by(
            "financial/GLAccounts",
            "ID,Code,Description,Type,VATCode,UseCostcenter,UseCostunit,IsBlocked",
            How::ByCode,
        ),
        Lookup::Journal => by("financial/Journals", "ID,Code,Description,Type,Currency,IsBlocked", How::Whole),
        Lookup::CostCenter => by("hrm/Costcenters", "ID,Code,Description,Active,EndDate", How::ByCode),
        Lookup::CostUnit => by("hrm/Costunits", "ID,Code,Description,EndDate", How::ByCode),
        Lookup::Warehouse => by("inventory/Warehouses", "ID,Code,Description,Main", How::Whole),
        Lookup::DefaultCustomer => {
            List { name: "Name", ..by("crm/Accounts", customers::ACCOUNT_SELECT, How::ByPaddedCode) }
        }
    }
}

/// References of codes; what the division does not have is absent.
pub(super) async fn look_up(
    client: &Client,
    lookup: Lookup,
    codes: &[NonEmpty],
    calls: &Calls,
) -> Result<BTreeMap<NonEmpty, Reference>, Failure> {
    if codes.is_empty() {
        return Ok(BTreeMap::new());
    }
    let list = list(lookup);
    let literals =
        |spell: fn(&str) -> String| codes.iter().map(|c| odata::text(&spell(c.as_str()))).collect::<Vec<_>>();
    let rows = match list.how {
        How::Whole => client.list(list.entity, list.select, calls).await?,
        How::ByCode => client.search(list.entity, &["Code"], &literals(str::to_owned), list.select, calls).await?,
        How::ByPaddedCode => {
            client.search(list.entity, &["Code"], &literals(odata::pad_account_code), list.select, calls).await?
        }
    };
    let now = client.local_now();
    let mut found = BTreeMap::new();
    for code in codes {
        if let Some(row) = matching(&rows, list.codes, code.as_str()) {
            found.insert(code.clone(), reference(row, lookup, list.name, now));
        }
    }
    Ok(found)
}

/// A whole list, by code. What has no code cannot be named in settings, so it is left out.
pub(super) async fn list_codes(client: &Client, lookup: Lookup, calls: &Calls) -> Result<Vec<Reference>, Failure> {
    let (list, now) = (list(lookup), client.local_now());
    // Where Exact insists on a filter, the one that leaves out what no document can name.
    let rows = match lookup {
        Lookup::Item => client.search(list.entity, &["IsSalesItem"], &["true".to_owned()], list.select, calls).await?,
        Lookup::DefaultCustomer => {
            client.search(list.entity, &["Status"], &[odata::text("C")], list.select, calls).await?
        }
        _ => client.list(list.entity, list.select, calls).await?,
    };
    let mut all: Vec<Reference> = rows.iter().map(|row| reference(row, lookup, list.name, now)).collect();
    all.retain(|reference| !reference.code.is_empty());
    // Numbers by their value, then words by the alphabet.
    all.sort_by_cached_key(|reference| (reference.code.parse::<u64>().unwrap_or(u64::MAX), reference.code.clone()));
    Ok(all)
}

/// The row of a code: written the same, else the same but for case, when that is only one.
fn matching<'a>(rows: &'a [Value], fields: &[&str], code: &str) -> Option<&'a Value> {
    for field in fields {
        if let Some(row) = rows.iter().find(|row| odata::field(row, field).as_deref() == Some(code)) {
            return Some(row);
        }
    }
    for field in fields {
        let lower = code.to_lowercase();
        let mut alike =
            rows.iter().filter(|row| odata::field(row, field).is_some_and(|found| found.to_lowercase() == lower));
        if let (Some(row), None) = (alike.next(), alike.next()) {
            return Some(row);
        }
    }
    None
}

fn reference(row: &Value, lookup: Lookup, name: &str, now: NaiveDateTime) -> Reference {
    let mut attributes = attributes(lookup, row);
    if lookup == Lookup::DefaultCustomer || lookup == Lookup::CostCenter || lookup == Lookup::CostUnit {
        let blocked = attributes.get("blocked").and_then(Value::as_bool).unwrap_or(false);
        attributes.insert("blocked".to_owned(), Value::Bool(blocked || customers::ended(row, now)));
    }
    Reference {
        id: odata::field(row, "ID").unwrap_or_default(),
        code: odata::field(row, "Code").unwrap_or_default(),
        name: odata::field(row, name).unwrap_or_default(),
        attributes,
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
    let text = |name: &str| odata::field(row, name).map(Value::from);
    let flag = |name: &str| odata::flag(row, name).map(Value::from);
    let date = |name: &str| odata::local(row, name).map(|moment| Value::from(moment.date().to_string()));
    match lookup {
        Lookup::Item => {
            put("unit", text("Unit"));
            put("sales_vat_code", text("SalesVatCode"));
            put("is_sales_item", flag("IsSalesItem"));
            put("fraction_allowed", flag("IsFractionAllowedItem"));
            put("start_date", date("StartDate"));
            put("end_date", date("EndDate"));
        }
        Lookup::VatCode => {
            put("percent", odata::decimal(row, "Percentage").map(percent));
            put("type", text("Type"));
            put("transaction_type", text("VATTransactionType"));
            put("blocked", flag("IsBlocked"));
        }
        Lookup::PaymentTerms => {
            put("payment_method", text("PaymentMethod"));
            put("payment_days", text("PaymentDays"));
        }
        Lookup::ShippingMethod | Lookup::CostCenter => {
            put("blocked", odata::flag(row, "Active").map(|active| Value::from(!active)));
        }
        Lookup::RevenueAccount => {
            put("type", text("Type"));
            put("vat_code", text("VATCode"));
            put("cost_center_required", text("UseCostcenter").map(|use_it| Value::from(use_it == "1")));
            put("cost_unit_required", text("UseCostunit").map(|use_it| Value::from(use_it == "1")));
            put("blocked", flag("IsBlocked"));
        }
        Lookup::Journal => {
            put("type", text("Type"));
            put("for_sales", text("Type").map(|kind| Value::from(kind == SALES_JOURNAL)));
            put("currency", text("Currency"));
            put("blocked", flag("IsBlocked"));
        }
        Lookup::CostUnit => {}
        Lookup::Warehouse => put("main", flag("Main")),
        Lookup::DefaultCustomer => {
            put("status", text("Status"));
            put("blocked", flag("Blocked"));
        }
    }
    map
}

/// Exact keeps rates as fractions: 0.21 is 21 %.
fn percent(fraction: Decimal) -> Value {
    let percent = (fraction * Decimal::ONE_HUNDRED).round_dp(6).normalize();
    percent.to_string().parse().map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rate_becomes_an_exact_percentage() {
        for (fraction, wanted) in [("0.21", "21"), ("0.055", "5.5"), ("0", "0"), ("0.20999999999999999", "21")] {
            let row: Value = serde_json::from_str(&format!(r#"{{"Percentage":{fraction}}}"#)).unwrap();
            assert_eq!(attributes(Lookup::VatCode, &row)["percent"].to_string(), wanted);
        }
    }

    #[test]
    fn padded_codes_match_and_another_case_only_when_it_is_alone() {
        let rows = [json!({"Code":"5  "}), json!({"Code":"ab"}), json!({"Code":"X"}), json!({"Code":"x "})];
        let code = |asked: &str| matching(&rows, &["Code"], asked).and_then(|row| odata::field(row, "Code"));
        assert_eq!(code("5").as_deref(), Some("5"));
        assert_eq!(code("AB").as_deref(), Some("ab"));
        assert_eq!(code("x").as_deref(), Some("x"));
        assert_eq!(code("X").as_deref(), Some("X"));
        assert_eq!(code("6"), None);
    }

    #[test]
    fn item_attributes_are_free_of_padding() {
        let row = json!({"Unit":"stuk    ","SalesVatCode":"4  ","IsSalesItem":true,"IsFractionAllowedItem":0,
            "StartDate":"/Date(1780272000000)/","EndDate":null});
        assert_eq!(
            Value::Object(attributes(Lookup::Item, &row)),
            json!({"unit":"stuk","sales_vat_code":"4","is_sales_item":true,"fraction_allowed":false,"start_date":"2026-06-01"})
        );
    }
}
