//! Resources that are functions, and the one that tells who is logged in.

use chrono::{Offset, TimeZone};
use chrono_tz::Europe::Amsterdam;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::errors::{error, syntax};
use super::filter::{Val, literals};
use super::metadata::Entity;
use super::query::{Shape, render};
use super::shown::SITE;
use super::{DIVISION, Tx, USER};
use crate::message::{Call, Reply};
use crate::text::{amount, number, text};

/// Rows that are made up on the spot: `current/Me`.
pub(super) fn rows(tx: &Tx<'_>, entity: &Entity) -> Option<Vec<Value>> {
    if entity.path != "current/Me" {
        return None;
    }
    let local = tx.now.with_timezone(&Amsterdam);
    let offset = Amsterdam.offset_from_utc_datetime(&tx.now.naive_utc()).fix().local_minus_utc();
    Some(vec![json!({"UserID": USER, "CurrentDivision": DIVISION.parse::<i64>().unwrap_or_default(),
        "AccountingDivision": DIVISION.parse::<i64>().unwrap_or_default(), "FullName": "Koppel Sandbox",
        "FirstName": "Koppel", "LastName": "Sandbox", "UserName": "koppel@example.test", "Email": "koppel@example.test",
        "Language": "NL", "LanguageCode": "nl-NL", "Legislation": 1, "PackageCode": "PREMIUM_WD",
        "ServerTime": local.format("%Y-%m-%dT%H:%M:%S%.3f").to_string(), "ServerUtcOffset": offset})])
}

/// Answers a function.
pub(super) fn answer(tx: &Tx<'_>, entity: &Entity, call: &Call) -> Result<Reply, Reply> {
    if call.param("$filter").is_some() {
        return Err(syntax());
    }
    let argument = |name: &str| -> Result<Val, Reply> {
        let text = call.pairs().into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        let values = text.as_deref().and_then(literals).unwrap_or_default();
        values.into_iter().next().ok_or_else(syntax)
    };
    let shape = Shape::of(call, entity)?;
    let rows = match entity.path.as_str() {
        "read/logistics/StockPosition" => {
            let Val::Guid(item) = argument("itemId")? else { return Err(syntax()) };
            vec![stock_position(tx, &item)]
        }
        "read/logistics/ItemExtraField" => {
            let Val::Guid(item) = argument("itemId")? else { return Err(syntax()) };
            let since = match argument("modified") {
                Ok(Val::Time(since)) => since.format("%Y-%m-%dT%H:%M:%S%.3f").to_string(),
                _ => String::new(),
            };
            extra_fields(tx, &item, &since)
        }
        "read/sync/Sync/SyncTimestamp" => {
            let (Val::Time(since), Val::Text(endpoint)) = (argument("modified")?, argument("endPoint")?) else {
                return Err(syntax());
            };
            let since = since.format("%Y-%m-%dT%H:%M:%S%.3f").to_string();
            let feed = super::metadata().find(&format!("sync/{endpoint}"));
            let rows = feed.map_or_else(Vec::new, |feed| tx.rows(super::sync::rows_behind(feed)));
            let before = rows.iter().filter(|row| text(row, "Modified") < since.as_str());
            let stamp = before.filter_map(|row| row["Timestamp"].as_i64()).max().unwrap_or(1);
            vec![json!({"Modified": since, "API": endpoint, "TimeStampAsBigInt": stamp})]
        }
        _ => return Err(error(400, "This function is not part of the sandbox: its parameters are not known.")),
    };
    let results: Vec<Value> = rows.iter().map(|row| render(tx, entity, row, &shape)).collect();
    Ok(Reply::json(200, &json!({"d": {"results": results}})))
}

fn stock_position(tx: &Tx<'_>, item: &str) -> Value {
    let rows = tx.store.find(&tx.table("inventory/ItemWarehouses"), "Item", item).unwrap_or_default();
    let sum = |field: &str| -> Decimal { rows.iter().map(|row| amount(row, field)).sum() };
    let (now, coming, going) = (sum("CurrentStock"), sum("PlannedStockIn"), sum("PlannedStockOut"));
    json!({"ItemId": item, "InStock": number(now), "PlanningIn": number(coming), "PlanningOut": number(going),
        "FreeStock": number(now - going), "ProjectedStock": number(now + coming - going),
        "ReservedStock": number(sum("ReservedStock"))})
}

/// Names of the free text fields, and what an item has in them.
fn extra_fields(tx: &Tx<'_>, id: &str, since: &str) -> Vec<Value> {
    let Some(item) = tx.get("logistics/Items", id).filter(|item| text(item, "Modified") > since) else {
        return Vec::new();
    };
    let labels = tx.rows("_item_fields").into_iter();
    labels
        .filter_map(|label| {
            let value = item.get(text(label, "Field")).filter(|value| !value.is_null())?;
            let value = value.as_str().map_or_else(|| value.to_string(), |text| text.replace(SITE, tx.site));
            Some(json!({"ItemID": id, "Number": label["Number"], "Description": label["Description"], "Value": value,
                "Modified": item["Modified"]}))
        })
        .collect()
}
