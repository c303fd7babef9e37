//! Sales prices of items. A new item comes with a price of nothing, which is changed; a second one beside it would be
//! refused.

use std::collections::BTreeMap;

use koppel_core::Failure;
use koppel_core::ports::Calls;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::native::exact_number;
use crate::exact_online::{ExactOnline, odata};

const PRICES: &str = "logistics/SalesItemPrices";
const SELECT: &str = "ID,Item,Account,Currency,Price,Quantity,StartDate,EndDate";

/// The general price that counts today, by item: id and price.
type Known = BTreeMap<String, (String, Decimal)>;

/// Gives items their price; one result for each, in their order.
pub(super) async fn send(
    exact: &ExactOnline,
    wanted: &[(String, Decimal)],
    calls: &Calls,
) -> Result<Vec<Result<(), Failure>>, Failure> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let known = known(exact, wanted, calls).await?;
    let mut results: Vec<Result<(), Failure>> = Vec::with_capacity(wanted.len());
    let mut stopped: Option<Failure> = None;
    for (item, price) in wanted {
        let result = match &stopped {
            Some(failure) => Err(failure.clone()),
            None => one(exact, item, *price, known.get(item), calls).await,
        };
        if let Err(failure) = &result
            && !super::items::is_of_record(failure)
        {
            stopped = Some(failure.clone());
        }
        results.push(result);
    }
    Ok(results)
}

async fn one(
    exact: &ExactOnline,
    item: &str,
    price: Decimal,
    known: Option<&(String, Decimal)>,
    calls: &Calls,
) -> Result<(), Failure> {
    match known {
        Some((_, there)) if *there == price => Ok(()),
        Some((id, _)) => exact.client.update(PRICES, id, json!({ "Price": exact_number(price) }), calls).await,
        None => {
            let day = exact.client.local_now().date();
            let body = json!({ "Item": item, "Currency": exact.currency, "Quantity": 1, "Price": exact_number(price),
                "StartDate": day });
            exact.client.create(PRICES, body, calls).await.map(|_| ())
        }
    }
}

async fn known(exact: &ExactOnline, wanted: &[(String, Decimal)], calls: &Calls) -> Result<Known, Failure> {
    let ids = wanted.iter().map(|(item, _)| odata::guid(item)).collect::<Result<Vec<_>, _>>()?;
    let rows = exact.client.search(PRICES, &["Item"], &ids, SELECT, calls).await?;
    let today = exact.client.local_now().date();
    let mut general: Vec<&Value> = rows
        .iter()
        .filter(|row| {
            let begun = odata::local(row, "StartDate").is_none_or(|from| from.date() <= today);
            let ended = odata::local(row, "EndDate").is_some_and(|until| until.date() < today);
            let of_one = odata::decimal(row, "Quantity").is_none_or(|from| from <= Decimal::ONE);
            let of_all = odata::field(row, "Account").is_none();
            let own = odata::field(row, "Currency").is_none_or(|currency| currency == exact.currency);
            begun && !ended && of_one && of_all && own
        })
        .collect();
    // The latest that has begun counts; it comes last and stays.
    general.sort_by_key(|row| (odata::local(row, "StartDate"), odata::field(row, "ID")));
    let keyed = |row: &Value| {
        let price = odata::decimal(row, "Price").unwrap_or_default();
        Some((odata::field(row, "Item")?.to_lowercase(), (odata::field(row, "ID")?, price)))
    };
    Ok(general.into_iter().filter_map(keyed).collect())
}
