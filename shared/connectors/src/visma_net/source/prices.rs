//! Prices of price classes: one record for an item and a class, with its prices from a quantity on.
//!
//! Prices that were agreed with one customer are no prices of a class. They are left out, and `koppel doctor` says so.
//! A price has days on which it begins and ends, and no row changes on such a day: on each new day all are read.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use koppel_core::keys::RecordKey;
use koppel_core::message::SourceRecord;
use koppel_core::ports::{Calls, FetchPage, FetchQuery};
use koppel_core::{Failure, NonEmpty};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{products, since};
use crate::visma_net::client::List;
use crate::visma_net::{VismaNet, wire};

const ENDPOINT: &str = "customerSalesPrice";
const PATH: &str = "v1/customerSalesPrice";
/// The only kind that is read.
const OF_CLASSES: &str = "CustomerPriceClass";
/// With more changed items than this all prices are read: one call for each would be more.
const ITEMS_MAX: usize = 20;
/// Between item and class, in the key of a record.
const OF_CLASS: &str = " for ";

fn list() -> List<'static> {
    List::of(PATH, ENDPOINT).with("priceType", OF_CLASSES)
}

/// All prices that changed. They come at once: the prices of one item and class stand on any page.
pub(super) async fn page(visma: &VismaNet, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure> {
    let today = visma.client.now().date_naive();
    let all = list();
    let changed = since(list(), "lastModifiedDateTime", "lastModifiedDateTimeCondition", query.since);
    let whole = query.since.date_naive() < today;
    let rows = visma.client.list(if whole { &all } else { &changed }, calls).await?;
    if whole {
        return records(visma, rows, None, calls).await;
    }
    let items: BTreeSet<String> = rows.iter().filter_map(|row| wire::field(row, "inventoryId")).collect();
    let pairs: BTreeSet<(String, String)> = rows.iter().filter_map(pair).collect();
    let rows = if items.len() > ITEMS_MAX {
        visma.client.list(&all, calls).await?
    } else {
        let mut rows = Vec::new();
        for item in &items {
            rows.extend(visma.client.list(&list().with("inventoryId", item), calls).await?);
        }
        rows
    };
    records(visma, rows, Some(&pairs), calls).await
}

/// The prices of one item for one class.
pub(super) async fn one(visma: &VismaNet, key: &RecordKey, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
    let Some((item, class)) = key.as_str().rsplit_once(OF_CLASS) else { return Ok(None) };
    let rows = visma.client.list(&list().with("inventoryId", item).with("priceCode", class), calls).await?;
    let wanted = BTreeSet::from([(item.to_owned(), class.to_owned())]);
    Ok(records(visma, rows, Some(&wanted), calls).await?.records.into_iter().next())
}

/// Item and class of a price of a class.
fn pair(row: &Value) -> Option<(String, String)> {
    // A filter that is not obeyed gives the prices of customers too.
    if wire::field(row, "priceType").is_some_and(|kind| kind != OF_CLASSES) {
        return None;
    }
    Some((wire::field(row, "inventoryId")?, wire::field(row, "priceCode")?))
}

async fn records(
    visma: &VismaNet,
    rows: Vec<Value>,
    wanted: Option<&BTreeSet<(String, String)>>,
    calls: &Calls,
) -> Result<FetchPage, Failure> {
    let today = visma.client.now().date_naive();
    let mut groups: BTreeMap<(String, String), BTreeMap<String, Value>> = BTreeMap::new();
    for row in rows {
        let Some(pair) = pair(&row).filter(|pair| wanted.is_none_or(|wanted| wanted.contains(pair))) else { continue };
        // A record that was read twice is one price.
        let id = wire::field(&row, "recordId").unwrap_or_else(|| row.to_string());
        groups.entry(pair).or_default().insert(id, row);
    }
    if groups.is_empty() {
        return Ok(FetchPage::default());
    }
    let currency = visma.home(calls).await?.currency.clone();
    let mut page = FetchPage::default();
    for ((item, class), rows) in groups {
        let modified = rows.values().filter_map(|row| wire::time(row, "lastModifiedDateTime")).max();
        let mut rows: Vec<&Value> = rows.values().filter(|row| holds(row, today, currency.as_deref())).collect();
        // Prices by the box beside prices by the piece: the item says what a piece is.
        let units: BTreeSet<String> = rows.iter().filter_map(|row| wire::field(row, "uoM")).collect();
        if units.len() > 1 {
            let unit = products::by_number(&visma.client, &item, calls).await?;
            let unit = unit.and_then(|item| wire::field(&item, "baseUnit"));
            rows.retain(|row| wire::field(row, "uoM") == unit);
        }
        let key = format!("{item}{OF_CLASS}{class}");
        let Some(record_key) = NonEmpty::new(&key) else { continue };
        // Its last price has ended.
        let Some((price, breaks)) = steps(&rows) else {
            page.gone.push(record_key);
            continue;
        };
        page.records.push(SourceRecord {
            key: record_key,
            label: key,
            partition: item.clone(),
            modified_at: modified,
            raw: json!({
                "inventoryNumber": item, "priceClass": class, "price": wire::number(price), "currency": currency,
                "price_includes_tax": visma.prices.include_tax, "unit": rows.first().and_then(|row| wire::field(row, "uoM")),
                "breaks": breaks.into_iter()
                    .map(|(from, price)| json!({ "from_quantity": wire::number(from), "price": wire::number(price) }))
                    .collect::<Vec<_>>(),
            }),
        });
    }
    Ok(page)
}

/// A price holds today, in this currency, wherever the goods come from.
fn holds(row: &Value, today: NaiveDate, currency: Option<&str>) -> bool {
    let begun = wire::date(row, "effectiveDate").is_none_or(|from| from <= today);
    let ended = wire::date(row, "expirationDate").is_some_and(|until| until < today);
    let of_currency = wire::field(row, "currency").is_none_or(|code| currency.is_none_or(|own| own == code));
    begun && !ended && of_currency && wire::field(row, "warehouse").is_none()
}

/// The price of one piece, and those from a quantity on. Of several for one quantity a promotion goes before what began
/// last. `None` when only larger quantities have a price.
fn steps(rows: &[&Value]) -> Option<(Decimal, Vec<(Decimal, Decimal)>)> {
    let mut by_quantity: BTreeMap<Decimal, (bool, Option<NaiveDate>, Decimal)> = BTreeMap::new();
    for row in rows {
        let Some(price) = wire::decimal(row, "price") else { continue };
        let quantity = wire::decimal(row, "breakQty").unwrap_or_default();
        // Zero and one both mean from the first piece on.
        let quantity = if quantity <= Decimal::ONE { Decimal::ZERO } else { quantity };
        let new = (wire::flag(row, "promotion") == Some(true), wire::date(row, "effectiveDate"), price);
        let known = by_quantity.entry(quantity).or_insert(new);
        if (new.0, new.1) > (known.0, known.1) {
            *known = new;
        }
    }
    let (_, _, price) = by_quantity.remove(&Decimal::ZERO)?;
    Some((price, by_quantity.into_iter().map(|(from, (_, _, price))| (from, price)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_holds_from_its_first_to_its_last_day_in_its_currency() {
        let today: NaiveDate = "2026-06-15".parse().unwrap();
        let row = |from: &str, until: Value, currency: &str| json!({"effectiveDate": from, "expirationDate": until, "currency": currency});
        for (row, expected) in [
            (row("2026-06-15T00:00:00", Value::Null, "EUR"), true),
            (row("2026-06-16T00:00:00", Value::Null, "EUR"), false),
            (row("2026-01-01", json!("2026-06-15T00:00:00"), "EUR"), true),
            (row("2026-01-01", json!("2026-06-14T00:00:00"), "EUR"), false),
            (row("2026-01-01", Value::Null, "NOK"), false),
            (json!({"warehouse": "2"}), false),
            (json!({}), true),
        ] {
            assert_eq!(holds(&row, today, Some("EUR")), expected, "{row}");
        }
    }

    #[test]
    fn a_promotion_goes_first_then_what_began_last_and_quantities_are_steps() {
        let rows = [
            json!({"breakQty": 0, "price": 10, "effectiveDate": "2026-01-01"}),
            json!({"breakQty": 1, "price": 9.5, "effectiveDate": "2026-02-01"}),
            json!({"breakQty": 10, "price": 8, "effectiveDate": "2026-01-01"}),
            json!({"breakQty": 10, "price": 7.25, "promotion": true, "effectiveDate": "2025-01-01"}),
        ];
        let (price, breaks) = steps(&rows.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!((price.to_string(), breaks), ("9.5".into(), vec![(Decimal::TEN, "7.25".parse().unwrap())]));
        assert!(steps(&[&rows[2]]).is_none());
    }

    #[test]
    fn prices_of_one_customer_are_none_of_a_class() {
        let row = |kind: &str| json!({"priceType": kind, "inventoryId": "MUG", "priceCode": "B2B"});
        assert!(pair(&row("CustomerPriceClass")).is_some());
        assert!(pair(&row("Customer")).is_none() && pair(&row("Base")).is_none());
    }
}
