//! Item lines of orders and invoices.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::amounts::{cents, code, vat_of};
use super::{fill_names, references, standard_price};
use crate::exact_online::Tx;
use crate::exact_online::write::{Fields, default, field, filled};
use crate::message::Reply;
use crate::text::{amount, decimal, number, text};

/// What a line takes from its document.
pub(super) struct Document<'a> {
    /// Account that buys.
    pub account: &'a str,
    /// Day the item must be active.
    pub date: &'a str,
    /// Resource of the line.
    pub path: &'a str,
}

/// Checks a line and fills in what was left out.
pub(super) fn complete(tx: &Tx<'_>, document: &Document<'_>, mut line: Fields) -> Result<Fields, Reply> {
    references::check(tx, document.path, &line)?;
    if !filled(&line, "Item") {
        return Err(tx.words().mandatory("Item"));
    }
    let item = tx.get("logistics/Items", field(&line, "Item")).cloned().ok_or_else(|| tx.words().invalid("Item"))?;
    check_item(tx, &item, document.date)?;
    let account = tx.get("crm/Accounts", document.account).cloned().unwrap_or_default();
    default(&mut line, "Quantity", 1);
    let quantity = line.get("Quantity").and_then(decimal).unwrap_or_default();
    if !quantity.fract().is_zero() && item["IsFractionAllowedItem"] != true {
        return Err(tx.words().invalid_because("Quantity", "geen decimalen toegestaan", "no fractions allowed"));
    }
    for vat_code in [text(&item, "SalesVatCode"), text(&account, "SalesVATCode")] {
        if !vat_code.is_empty() {
            default(&mut line, "VATCode", vat_code);
        }
    }
    references::check(tx, document.path, &line)?;
    default(&mut line, "Description", text(&item, "Description"));
    default(&mut line, "UnitCode", text(&item, "Unit"));
    let net = price(tx, &item, &account, &mut line);
    let total = cents(net * quantity);
    let (fraction, including) = code(tx, field(&line, "VATCode"));
    let (_, vat) = vat_of(total, fraction, including);
    let vat_field = if document.path.ends_with("SalesOrderLines") { "VATAmount" } else { "VATAmountFC" };
    for (name, value) in [("AmountFC", total), ("AmountDC", total), ("VATPercentage", fraction), (vat_field, vat)] {
        line.insert(name.into(), number(value));
    }
    fill_names(tx, document.path, &mut line);
    line.insert("ItemDescription".into(), json!(text(&item, "Description")));
    Ok(line)
}

fn check_item(tx: &Tx<'_>, item: &Value, date: &str) -> Result<(), Reply> {
    if item["IsSalesItem"] != true {
        return Err(tx.words().invalid_because("Item", "geen verkoopartikel", "not a sales item"));
    }
    let (start, end) = (text(item, "StartDate"), text(item, "EndDate"));
    let day = |text: &str| text.split('T').next().unwrap_or_default().to_owned();
    if !start.is_empty() && day(start) > day(date) || !end.is_empty() && day(end) < day(date) {
        return Err(tx.words().invalid_because("Item", "artikel is niet actief", "item is not active"));
    }
    Ok(())
}

/// The price that counts. `NetPrice` fixes it; from `UnitPrice` the discount of the line or of the customer goes off;
/// without either the price list is asked.
fn price(tx: &Tx<'_>, item: &Value, account: &Value, line: &mut Fields) -> Decimal {
    let sent = |line: &Fields, name: &str| line.get(name).and_then(decimal);
    if let Some(net) = sent(line, "NetPrice") {
        default(line, "UnitPrice", 0);
        default(line, "Discount", 0);
        return net;
    }
    let unit =
        sent(line, "UnitPrice").unwrap_or_else(|| decimal(&standard_price(tx, text(item, "ID"))).unwrap_or_default());
    let own =
        if tx.switches.customer_discount_on_unit_price { amount(account, "DiscountSales") } else { Decimal::ZERO };
    let discount = sent(line, "Discount").unwrap_or(own);
    let net = unit * (Decimal::ONE - discount);
    for (name, value) in [("UnitPrice", unit), ("Discount", discount), ("NetPrice", net)] {
        line.insert(name.into(), number(value));
    }
    net
}
