//! Codes to references. Short lists are read whole; items and customers are asked for by code, or read whole when that
//! takes fewer calls.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use koppel_core::document::DocumentType;
use koppel_core::ports::{Calls, Period, Reference};
use koppel_core::system::Lookup;
use koppel_core::{Failure, NonEmpty};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::client::{Client, List};
use super::options::whole;
use super::{VismaNet, wire};

/// More codes than this are looked for on the pages of the list, when there are fewer pages than codes.
const FEW: usize = 8;

/// Parts of subaccounts that stand for cost centres and cost units.
#[derive(Clone, Debug)]
pub(super) struct Segments {
    dimension: String,
    cost_center: u32,
    cost_unit: u32,
}

impl Segments {
    /// The options of a connection.
    pub fn of(connection: &koppel_core::connection::Connection) -> Result<Self, Failure> {
        Ok(Self {
            dimension: connection.option("subaccount_dimension").unwrap_or_else(|| "SUBACCOUNT".into()),
            cost_center: whole(connection, "cost_center_segment", 1, 20)?.unwrap_or(1),
            cost_unit: whole(connection, "cost_unit_segment", 1, 20)?.unwrap_or(2),
        })
    }
}

/// References of codes; what the company does not have is absent.
pub(super) async fn look_up(
    visma: &VismaNet,
    lookup: Lookup,
    codes: &[NonEmpty],
    calls: &Calls,
) -> Result<BTreeMap<NonEmpty, Reference>, Failure> {
    if codes.is_empty() {
        return Ok(BTreeMap::new());
    }
    let all = match lookup {
        Lookup::Item => items(&visma.client, codes, calls).await?,
        Lookup::DefaultCustomer => debtors(&visma.client, codes, calls).await?,
        _ => whole_list(visma, lookup, calls).await?,
    };
    let mut found = BTreeMap::new();
    for code in codes {
        if let Some(reference) = matching(&all, code.as_str()) {
            found.insert(code.clone(), reference.clone());
        }
    }
    Ok(found)
}

/// A whole list, by code.
pub(super) async fn list_codes(visma: &VismaNet, lookup: Lookup, calls: &Calls) -> Result<Vec<Reference>, Failure> {
    let client = &visma.client;
    let mut all = match lookup {
        Lookup::Item => client.list(&item_list(), calls).await?.iter().map(item).collect(),
        Lookup::DefaultCustomer => {
            client.list(&List::of("v1/customer", "customer"), calls).await?.iter().map(debtor).collect()
        }
        _ => whole_list(visma, lookup, calls).await?,
    };
    all.retain(|reference| !reference.code.is_empty());
    // Numbers by their value, then words by the alphabet.
    all.sort_by_cached_key(|one: &Reference| (one.code.parse::<u64>().unwrap_or(u64::MAX), one.code.clone()));
    Ok(all)
}

/// The reference of a code: written the same, else the same but for case, when that is only one.
fn matching<'a>(all: &'a [Reference], code: &str) -> Option<&'a Reference> {
    if let Some(exact) = all.iter().find(|one| one.code == code) {
        return Some(exact);
    }
    let lower = code.to_lowercase();
    let mut alike = all.iter().filter(|one| one.code.to_lowercase() == lower);
    match (alike.next(), alike.next()) {
        (Some(one), None) => Some(one),
        _ => None,
    }
}

/// The list of items, with only what is read. Whatever is left out is on today, and off tomorrow.
fn item_list() -> List<'static> {
    let mut list = List::of("v1/inventory", "inventory");
    for expand in [
        "expandCrossReference",
        "expandAttachment",
        "expandAttribute",
        "expandWarehouseDetail",
        "expandAccountInformation",
        "expandInventoryUnits",
        "expandSupplierDetails",
        "expandSalesCategories",
        "expandNote",
    ] {
        list = list.with(expand, false);
    }
    list
}

async fn items(client: &Client, codes: &[NonEmpty], calls: &Calls) -> Result<Vec<Reference>, Failure> {
    let mut rows = Vec::new();
    if codes.len() > FEW {
        // The first page is of use either way, and tells how many there are.
        let first = client.page(&item_list(), 1, calls).await?;
        let pages = first.total.unwrap_or(u64::MAX).div_ceil(first.rows.len().max(1) as u64);
        rows.extend(first.rows);
        if pages.saturating_sub(1) <= codes.len() as u64 {
            for number in 2..=u32::try_from(pages).unwrap_or(1) {
                rows.extend(client.page(&item_list(), number, calls).await?.rows);
            }
            return Ok(rows.iter().map(item).collect());
        }
    }
    let mut found: Vec<Reference> = rows.iter().map(item).collect();
    for code in codes {
        if matching(&found, code.as_str()).is_some() {
            continue;
        }
        // By its number as a filter, not as a path: an unknown one is then an empty answer and no error.
        let page = client.page(&item_list().with("inventoryNumber", code), 1, calls).await?;
        let same = page.rows.iter().map(item).filter(|one| one.code.eq_ignore_ascii_case(code.as_str()));
        found.extend(same);
    }
    Ok(found)
}

async fn debtors(client: &Client, codes: &[NonEmpty], calls: &Calls) -> Result<Vec<Reference>, Failure> {
    let mut found = Vec::new();
    for code in codes {
        let path = format!("v1/customer/{}", wire::path_key(code.as_str()));
        found.extend(client.get(&path, "customer", calls).await?.as_ref().map(debtor));
    }
    Ok(found)
}

/// Lists that are read whole.
async fn whole_list(visma: &VismaNet, lookup: Lookup, calls: &Calls) -> Result<Vec<Reference>, Failure> {
    let client = &visma.client;
    let today = client.now().date_naive();
    Ok(match lookup {
        Lookup::VatCode => {
            let categories = client.whole(&List::of("v1/vatCategory", "vatCategory"), calls).await?;
            // Accounts of VAT are only told by the other list.
            let vats = client.whole(&List::of("v1/vat", "vat"), calls).await?;
            categories.iter().map(|row| vat_category(row, &vats, today)).collect()
        }
        Lookup::PaymentTerms => {
            client.list(&List::of("v1/creditTerm", "creditTerm"), calls).await?.iter().map(terms).collect()
        }
        Lookup::ShippingMethod => {
            let rows = client.list(&List::of("v1/carrier", "carrier"), calls).await?;
            rows.iter().map(|row| plain(row, "carrierId", "carrierDescription")).collect()
        }
        Lookup::RevenueAccount => {
            client.whole(&List::of("v1/account", "account"), calls).await?.iter().map(account).collect()
        }
        Lookup::Journal => {
            let rows = client.whole(&List::of("v1/ledger", "ledger"), calls).await?;
            rows.iter()
                .map(|row| with(plain(row, "number", "description"), "currency", wire::field(row, "currencyId")))
                .collect()
        }
        Lookup::Warehouse => {
            let rows = client.list(&List::of("v1/warehouse", "warehouse"), calls).await?;
            let blocked = |row: &Value| wire::flag(row, "active").map(|active| !active);
            rows.iter().map(|row| with(plain(row, "warehouseID", "description"), "blocked", blocked(row))).collect()
        }
        Lookup::CostCenter => segment(visma, visma.segments.cost_center, calls).await?,
        Lookup::CostUnit => segment(visma, visma.segments.cost_unit, calls).await?,
        Lookup::Item | Lookup::DefaultCustomer => Vec::new(),
    })
}

/// The values of one part of subaccounts.
async fn segment(visma: &VismaNet, number: u32, calls: &Calls) -> Result<Vec<Reference>, Failure> {
    let path = format!("v1/dimension/{}", wire::path_key(&visma.segments.dimension));
    let list = List::of(&path, "dimension").with("expandSegmentsValues", true);
    // One record, not a list: read through the list call for its query.
    let dimension = visma.client.record(&list, calls).await?.unwrap_or_default();
    let segments = dimension.get("segments").and_then(Value::as_array).into_iter().flatten();
    let wanted = segments.filter(|segment| wire::field(segment, "segmentId") == Some(number.to_string()));
    let values =
        wanted.flat_map(|segment| segment.get("segmentValues").and_then(Value::as_array).into_iter().flatten());
    Ok(values
        .map(|row| {
            let one = with(plain(row, "valueId", "description"), "segment", Some(number));
            with(one, "blocked", wire::flag(row, "active").map(|active| !active))
        })
        .collect())
}

fn plain(row: &Value, code: &str, name: &str) -> Reference {
    let code = wire::field(row, code).unwrap_or_default();
    Reference { id: code.clone(), code, name: wire::field(row, name).unwrap_or_default(), attributes: Map::new() }
}

fn with<T: Into<Value>>(mut reference: Reference, name: &str, value: Option<T>) -> Reference {
    if let Some(value) = value {
        reference.attributes.insert(name.to_owned(), value.into());
    }
    reference
}

fn item(row: &Value) -> Reference {
    let status = wire::field(row, "status");
    let may_be_sold = status.as_deref().map(|status| !["NoSales", "Inactive", "MarkedForDeletion"].contains(&status));
    let mut reference = plain(row, "inventoryNumber", "description");
    reference.id = wire::field(row, "inventoryId").unwrap_or_else(|| reference.code.clone());
    reference = with(reference, "unit", wire::field(row, "salesUnit").or_else(|| wire::field(row, "baseUnit")));
    reference = with(reference, "sales_vat_code", wire::key_of(row, "vatCode", "id"));
    reference = with(reference, "stock_item", wire::flag(row, "stockItem"));
    reference = with(reference, "is_sales_item", may_be_sold);
    with(reference, "blocked", may_be_sold.map(|may| !may))
}

fn debtor(row: &Value) -> Reference {
    let status = wire::field(row, "status");
    let blocked = status.as_deref().map(|status| status == "Inactive");
    with(with(plain(row, "number", "name"), "status", status.clone()), "blocked", blocked)
}

fn account(row: &Value) -> Reference {
    let reference = with(plain(row, "accountCD", "description"), "type", wire::field(row, "type"));
    let reference = with(reference, "vat_code", wire::field(row, "taxCategory"));
    with(reference, "blocked", wire::flag(row, "active").map(|active| !active))
}

/// Credit terms are for customers, vendors, both, or switched off.
fn terms(row: &Value) -> Reference {
    let visible = wire::field(row, "visibleTo");
    let blocked = visible.as_deref().map(|to| ["VE", "DS", "Vendor", "Disabled"].contains(&to));
    with(with(plain(row, "termsId", "description"), "payment_days", wire::field(row, "dueDay1")), "blocked", blocked)
}

/// A VAT category. Which of its VAT counts is decided by the zone of the customer, so it has a rate of its own only when
/// all of them have the same.
fn vat_category(row: &Value, vats: &[Value], today: NaiveDate) -> Reference {
    let mut lines = Vec::new();
    let mut rates: Vec<Decimal> = Vec::new();
    for line in row.get("vatCategoryLines").and_then(Value::as_array).into_iter().flatten() {
        let Some(id) = wire::field(line, "vatId") else { continue };
        let Some(rate) = rate_on(line, today) else { continue };
        let vat = vats.iter().find(|vat| wire::field(vat, "vatId").as_deref() == Some(id.as_str()));
        let account = vat.and_then(|vat| wire::key_of(&vat["glAccounts"], "vatPayableAccount", "number"));
        lines.push(json!({ "id": id, "rate": wire::number(rate), "account": account, "zones": vat.map(zones_of) }));
        rates.push(rate);
    }
    rates.sort();
    rates.dedup();
    let percent = if rates.len() == 1 { rates.first().copied().map(wire::number) } else { None };
    let mut reference = with(plain(row, "vatCategoryId", "description"), "percent", percent);
    reference = with(reference, "vats", Some(Value::Array(lines)));
    with(reference, "blocked", wire::flag(row, "active").map(|active| !active))
}

/// The zones that a VAT is for.
pub(super) fn zones_of(vat: &Value) -> Vec<String> {
    let zones = vat.get("zones").and_then(Value::as_array).into_iter().flatten();
    zones.filter_map(|zone| wire::field(zone, "id")).collect()
}

/// The rate in force: of the revisions that have begun the last.
pub(super) fn rate_on(line: &Value, today: NaiveDate) -> Option<Decimal> {
    let revisions = line.get("vatRates").and_then(Value::as_array)?.iter();
    let begun = revisions.filter(|one| wire::date(one, "startDate").is_none_or(|from| from <= today));
    let last = begun.max_by_key(|one| wire::date(one, "startDate"))?;
    wire::decimal(last, "vatRate").map(|rate| rate.normalize())
}

/// The financial periods, as far as documents of this type are concerned.
pub(super) async fn periods(client: &Client, document: DocumentType, calls: &Calls) -> Result<Vec<Period>, Failure> {
    let ledger = match document {
        DocumentType::FinancialEntry => "closedInGeneralLedger",
        DocumentType::SalesOrder | DocumentType::SalesInvoice | DocumentType::DirectInvoice => "closedInCustomerLedger",
    };
    let rows = client.whole(&List::of("v1/financialPeriod", "financialPeriod"), calls).await?;
    let period = |row: &Value| {
        Some(Period {
            name: wire::field(row, "period")?,
            start: wire::date(row, "startDate")?,
            // The last day, or the one after it: both forms occur, and the day belongs to the period that begins on it.
            end: wire::date(row, "endDate")?,
            open: wire::flag(row, "active") != Some(false) && wire::flag(row, ledger) != Some(true),
        })
    };
    Ok(rows.iter().filter_map(period).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn today() -> NaiveDate {
        "2026-06-01".parse().unwrap()
    }

    #[test]
    fn a_vat_category_tells_its_rate_when_there_is_only_one_and_the_account_of_each() {
        let row = json!({"vatCategoryId": "3", "description": "High", "active": true, "vatCategoryLines": [
            {"vatId": "3H", "vatRates": [
                {"startDate": "2012-10-01T00:00:00", "vatRate": 21.0}, {"startDate": "2030-01-01", "vatRate": 22},
                {"startDate": "2001-01-01T00:00:00", "vatRate": 19}]}]});
        let vats =
            [json!({"vatId": "3H", "glAccounts": {"vatPayableAccount": {"number": "2700"}}, "zones": [{"id": "01"}]})];
        let found = vat_category(&row, &vats, today());
        assert_eq!(
            (found.code.as_str(), Value::Object(found.attributes)),
            (
                "3",
                json!({"percent": 21, "vats": [{"id": "3H", "rate": 21, "account": "2700", "zones": ["01"]}], "blocked": false})
            )
        );
        let mut two = row.clone();
        two["vatCategoryLines"].as_array_mut().unwrap().push(json!({"vatId": "EU", "vatRates": [{"vatRate": 0}]}));
        let found = vat_category(&two, &[], today());
        assert_eq!(found.attributes.get("percent"), None);
        assert_eq!(found.attributes["vats"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn what_may_not_be_used_is_blocked() {
        assert_eq!(item(&json!({"inventoryNumber": "A", "status": "NoSales"})).attributes["blocked"], true);
        assert_eq!(item(&json!({"inventoryNumber": "A", "status": "NoPurchases"})).attributes["blocked"], false);
        assert_eq!(terms(&json!({"termsId": "30", "visibleTo": "VE"})).attributes["blocked"], true);
        assert_eq!(account(&json!({"accountCD": "3000", "active": false})).attributes["blocked"], true);
        assert_eq!(debtor(&json!({"number": "1", "status": "Inactive"})).attributes["blocked"], true);
    }

    #[test]
    fn another_case_matches_only_when_it_is_alone() {
        let all = ["ab", "X", "x"].map(|code| plain(&json!({"c": code}), "c", "n"));
        assert_eq!(matching(&all, "AB").unwrap().code, "ab");
        assert_eq!(matching(&all, "x").unwrap().code, "x");
        assert!(matching(&all[1..], "Y").is_none());
    }
}
