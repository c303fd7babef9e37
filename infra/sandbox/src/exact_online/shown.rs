//! Values that are not stored but worked out when a row is shown: stock of an item, its picture, translations.

use std::borrow::Cow;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::Tx;
use super::metadata::{Entity, Prop};
use crate::message::{Call, Reply};
use crate::pictures;
use crate::text::{amount, number, text};

/// Stands for the address of the service in stored texts.
pub(super) const SITE: &str = "{site}";
const PICTURES: &str = "/docs/SysImage.aspx";

/// A property as it is shown.
pub(super) fn value<'a>(
    tx: &Tx<'_>,
    entity: &Entity,
    row: &'a Value,
    prop: &Prop,
    language: Option<&str>,
) -> Cow<'a, Value> {
    let stored = row.get(&prop.name).unwrap_or(&Value::Null);
    let id = text(row, "ID");
    let made = match (entity.table.as_str(), prop.name.as_str()) {
        ("logistics/Items", "Stock") => stock(tx, id),
        ("logistics/Items", "PictureUrl") => picture(tx, row, ""),
        ("logistics/Items", "PictureThumbnailUrl") => picture(tx, row, "&ThumbSize=100"),
        ("logistics/Items" | "financial/GLAccounts", "Description") => {
            language.and_then(|language| tx.get("_translations", &format!("{id}/{language}")).cloned())
        }
        ("inventory/ItemWarehouses", name) => name.strip_prefix("Item").and_then(|name| {
            let from = if name == "Barcode" { "Barcode" } else { name };
            let shown = ["Barcode", "StartDate", "EndDate", "IsFractionAllowedItem", "IsStockItem", "Unit"];
            let item = tx.get("logistics/Items", text(row, "Item"))?;
            shown.contains(&name).then(|| item.get(from).cloned().unwrap_or_default())
        }),
        _ => None,
    };
    match (made, stored) {
        (Some(made), _) => Cow::Owned(made),
        (None, Value::String(text)) if text.starts_with(SITE) => Cow::Owned(json!(text.replace(SITE, tx.site))),
        _ => Cow::Borrowed(stored),
    }
}

/// Over all warehouses; None: it is in none.
fn stock(tx: &Tx<'_>, item: &str) -> Option<Value> {
    let rows = tx.store.find(&tx.table("inventory/ItemWarehouses"), "Item", item)?;
    let sum: Decimal = rows.iter().map(|row| amount(row, "CurrentStock")).sum();
    (!rows.is_empty()).then(|| number(sum))
}

fn picture(tx: &Tx<'_>, row: &Value, size: &str) -> Option<Value> {
    let there = !text(row, "Picture").is_empty();
    let url = format!("{}{PICTURES}?Table=Items&ID={}&_Division_={}{size}", tx.site, text(row, "ID"), tx.division);
    there.then(|| json!(url))
}

/// A picture: who shows no token gets a placeholder.
pub(super) fn answer(tx: &Tx<'_>, call: &Call, known: bool) -> Option<Reply> {
    if call.method != "GET" || call.path != PICTURES {
        return None;
    }
    let id = call.param("ID").unwrap_or_default().to_lowercase();
    let content = tx.get("logistics/Items", &id).map(|row| text(row, "Picture").to_owned());
    let bytes = content.filter(|_| known).and_then(|content| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.decode(content).ok()
    });
    let bytes = bytes.unwrap_or_else(pictures::placeholder);
    Some(Reply::typed(200, pictures::kind(&bytes).unwrap_or("image/png"), bytes))
}
