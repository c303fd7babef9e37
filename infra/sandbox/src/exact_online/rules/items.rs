//! Items and their sales prices.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::amounts::worth;
use super::{check_code, fill_names};
use crate::exact_online::Tx;
use crate::exact_online::write::{Fields, default, field, filled};
use crate::message::Reply;
use crate::text::{decimal, number, text};

/// An item. A price row with price 0 comes with it.
pub(super) fn create(tx: &mut Tx<'_>, mut fields: Fields) -> Result<String, Reply> {
    check_code(tx, "logistics/Items", field(&fields, "Code"))?;
    let id = tx.new_key("logistics/Items", "ID", &fields)?;
    fields.insert("ID".into(), json!(id));
    check_values(tx, &fields)?;
    let group = match field(&fields, "ItemGroup") {
        "" => tx.rows("logistics/ItemGroups").into_iter().find(|row| row["IsDefault"] == 1).cloned(),
        own => tx.get("logistics/ItemGroups", own).cloned(),
    };
    let group = group.unwrap_or_default();
    default(&mut fields, "ItemGroup", text(&group, "ID"));
    default(&mut fields, "Unit", "stuk");
    for name in ["IsStockItem", "IsPurchaseItem", "IsFractionAllowedItem", "IsBatchItem", "IsSerialItem"] {
        default(&mut fields, name, if name == "IsBatchItem" { json!(0) } else { json!(false) });
    }
    default(&mut fields, "IsSalesItem", false);
    default(&mut fields, "IsWebshopItem", 0);
    let today = tx.today();
    default(&mut fields, "StartDate", today);
    for name in ["GLRevenue", "GLCosts", "GLStock"] {
        let from_group = text(&group, name).to_owned();
        if !from_group.is_empty() {
            default(&mut fields, name, from_group);
        }
    }
    fields.insert("StandardSalesPrice".into(), json!(0));
    fields.insert("Stock".into(), json!(0));
    fill_names(tx, "logistics/Items", &mut fields);
    let (unit, stock) = (field(&fields, "Unit").to_owned(), fields["IsStockItem"] == true);
    tx.put("logistics/Items", &id, fields);
    let price = uuid::Uuid::new_v4().to_string();
    let row = json!({"ID": price, "Item": id, "Currency": "EUR", "Price": 0, "Quantity": 1, "Unit": unit,
        "NumberOfItemsPerUnit": 1, "StartDate": tx.today()});
    let mut row = row.as_object().cloned().unwrap_or_default();
    fill_names(tx, "logistics/SalesItemPrices", &mut row);
    tx.put("logistics/SalesItemPrices", &price, row);
    if stock {
        add_to_warehouse(tx, &id, 0);
    }
    Ok(id)
}

/// Properties of the assortments, currencies and pictures that are none are refused.
fn check_values(tx: &Tx<'_>, fields: &Fields) -> Result<(), Reply> {
    for (name, value) in fields {
        let Some(number) = name.strip_prefix("Class_").and_then(|number| number.parse::<i64>().ok()) else { continue };
        let known = value.as_str().is_none_or(|code| {
            let rows = tx.rows("logistics/ItemAssortmentProperty").into_iter();
            code.is_empty()
                || rows.into_iter().any(|row| row["ItemAssortmentCode"] == number && text(row, "Code") == code)
        });
        if !known && tx.switches.item_class_must_exist {
            return Err(tx.words().invalid(name));
        }
    }
    if filled(fields, "CostPriceCurrency") {
        worth(tx, "CostPriceCurrency", field(fields, "CostPriceCurrency"))?;
    }
    if filled(fields, "Picture") && STANDARD.decode(field(fields, "Picture")).is_err() {
        return Err(tx.words().invalid("Picture"));
    }
    Ok(())
}

/// An item takes its prices and its places in the warehouses along.
pub(in crate::exact_online) fn after_delete(tx: &mut Tx<'_>, id: &str) {
    for path in ["logistics/SalesItemPrices", "inventory/ItemWarehouses"] {
        let rows = tx.store.find(&tx.table(path), "Item", id).unwrap_or_default();
        let keys: Vec<String> = rows.into_iter().map(|row| text(row, "ID").to_owned()).collect();
        for key in keys {
            tx.remove(path, &key);
        }
    }
}

/// An item's place in a warehouse; there is one for both.
pub(super) fn create_place(tx: &mut Tx<'_>, mut fields: Fields) -> Result<String, Reply> {
    let rows = tx.store.find(&tx.table("inventory/ItemWarehouses"), "Item", field(&fields, "Item")).unwrap_or_default();
    if rows.iter().any(|row| text(row, "Warehouse") == field(&fields, "Warehouse")) {
        return Err(tx.words().exists());
    }
    let id = tx.new_key("inventory/ItemWarehouses", "ID", &fields)?;
    fields.insert("ID".into(), json!(id));
    for name in ["CurrentStock", "PlannedStockIn", "PlannedStockOut", "ProjectedStock", "ReservedStock"] {
        fields.insert(name.into(), json!(0));
    }
    default(&mut fields, "SafetyStock", 0);
    default(&mut fields, "ReorderPoint", 0);
    fill_names(tx, "inventory/ItemWarehouses", &mut fields);
    tx.put("inventory/ItemWarehouses", &id, fields);
    Ok(id)
}

/// Puts an item into the main warehouse.
pub(in crate::exact_online) fn add_to_warehouse(tx: &mut Tx<'_>, item: &str, stock: i64) {
    let main = tx.rows("inventory/Warehouses").into_iter().find(|row| row["Main"] == 1).cloned();
    let Some(main) = main else { return };
    let id = uuid::Uuid::new_v4().to_string();
    let row = json!({"ID": id, "Item": item, "Warehouse": text(&main, "ID"), "CurrentStock": stock, "PlannedStockIn": 0,
        "PlannedStockOut": 0, "ProjectedStock": stock, "ReservedStock": 0, "SafetyStock": 0, "ReorderPoint": 0,
        "ItemIsStockItem": true});
    let mut row = row.as_object().cloned().unwrap_or_default();
    fill_names(tx, "inventory/ItemWarehouses", &mut row);
    tx.put("inventory/ItemWarehouses", &id, row);
}

/// Moves what open orders will take from an item's stock in a warehouse.
pub(super) fn plan_out(tx: &mut Tx<'_>, item: &str, warehouse: &str, change: Decimal) {
    let rows = tx.store.find(&tx.table("inventory/ItemWarehouses"), "Item", item).unwrap_or_default();
    let row = rows.into_iter().find(|row| text(row, "Warehouse") == warehouse).and_then(Value::as_object).cloned();
    let Some(mut row) = row.filter(|_| !change.is_zero()) else { return };
    let of = |row: &Fields, name: &str| row.get(name).and_then(decimal).unwrap_or_default();
    let out = of(&row, "PlannedStockOut") + change;
    let projected = of(&row, "CurrentStock") + of(&row, "PlannedStockIn") - out;
    row.insert("PlannedStockOut".into(), number(out));
    row.insert("ProjectedStock".into(), number(projected));
    let id = field(&row, "ID").to_owned();
    tx.put("inventory/ItemWarehouses", &id, row);
}

/// Changes an item. Sending the code, even the same one, is refused.
pub(super) fn change(tx: &mut Tx<'_>, id: &str, mut row: Fields, sent: Fields) -> Result<(), Reply> {
    if filled(&sent, "Code") {
        check_code(tx, "logistics/Items", field(&sent, "Code"))?;
    }
    check_values(tx, &sent)?;
    if sent.contains_key("Description") && !filled(&sent, "Description") {
        return Err(tx.words().mandatory("Description"));
    }
    row.extend(sent);
    fill_names(tx, "logistics/Items", &mut row);
    tx.put("logistics/Items", id, row);
    Ok(())
}

const TUPLE: &[&str] = &["Item", "Account", "Currency", "Unit", "Quantity", "StartDate", "EndDate"];

fn check_price(tx: &Tx<'_>, id: &str, fields: &Fields) -> Result<(), Reply> {
    let rows = tx.store.find(&tx.table("logistics/SalesItemPrices"), "Item", field(fields, "Item")).unwrap_or_default();
    let same = |row: &&Value| {
        text(row, "ID") != id
            && TUPLE
                .iter()
                .all(|name| row.get(*name).unwrap_or(&Value::Null) == fields.get(*name).unwrap_or(&Value::Null))
    };
    if rows.iter().any(same) {
        return Err(tx.words().other(
            "Moet zijn: Uniek - Artikel, Valuta, Eenheid, Aantal, Actief vanaf, Actief tot",
            "Must be: Unique - Item, Currency, Unit, Quantity, Start date, End date",
        ));
    }
    Ok(())
}

/// A price.
pub(super) fn create_price(tx: &mut Tx<'_>, mut fields: Fields) -> Result<String, Reply> {
    if !filled(&fields, "Item") {
        return Err(tx.words().mandatory("Item"));
    }
    let unit =
        tx.get("logistics/Items", field(&fields, "Item")).map(|row| text(row, "Unit").to_owned()).unwrap_or_default();
    default(&mut fields, "Currency", "EUR");
    default(&mut fields, "Unit", unit);
    default(&mut fields, "Quantity", 1);
    default(&mut fields, "Price", 0);
    default(&mut fields, "NumberOfItemsPerUnit", 1);
    let today = tx.today();
    default(&mut fields, "StartDate", today);
    worth(tx, "Currency", field(&fields, "Currency"))?;
    check_price(tx, "", &fields)?;
    let id = tx.new_key("logistics/SalesItemPrices", "ID", &fields)?;
    fields.insert("ID".into(), json!(id));
    store_price(tx, &id, fields);
    Ok(id)
}

/// Changes a price.
pub(super) fn change_price(tx: &mut Tx<'_>, id: &str, mut row: Fields, sent: Fields) -> Result<(), Reply> {
    row.extend(sent);
    check_price(tx, id, &row)?;
    store_price(tx, id, row);
    Ok(())
}

/// Stores a price; the general price of one is shown on the item.
fn store_price(tx: &mut Tx<'_>, id: &str, mut fields: Fields) {
    fill_names(tx, "logistics/SalesItemPrices", &mut fields);
    let item = field(&fields, "Item").to_owned();
    tx.put("logistics/SalesItemPrices", id, fields);
    let price = standard_price(tx, &item);
    if let Some(mut row) = tx.get("logistics/Items", &item).and_then(Value::as_object).cloned() {
        row.insert("StandardSalesPrice".into(), price);
        tx.put("logistics/Items", &item, row);
    }
}

/// The general price of one piece that counts today: the latest that has begun.
pub(in crate::exact_online) fn standard_price(tx: &Tx<'_>, item: &str) -> Value {
    let today = tx.today();
    let mut rows = tx.store.find(&tx.table("logistics/SalesItemPrices"), "Item", item).unwrap_or_default();
    rows.retain(|row| {
        text(row, "Account").is_empty()
            && text(row, "Currency") == "EUR"
            && row["Quantity"].as_i64().is_none_or(|from| from <= 1)
            && text(row, "StartDate") <= today.as_str()
            && (text(row, "EndDate").is_empty() || text(row, "EndDate") >= today.as_str())
    });
    rows.sort_by_key(|row| text(row, "StartDate").to_owned());
    rows.last().map_or(json!(0), |row| row["Price"].clone())
}
