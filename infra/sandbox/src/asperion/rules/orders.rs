//! Sales orders of the trade modules: lines of articles. They are what moves stock.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{debtor_by_number, default, known, lines_of, required, set, today, unknown, usable_debtor};
use crate::asperion::Tx;
use crate::asperion::problem::Errors;
use crate::asperion::query::same;
use crate::text::{amount, decimal, text};

pub(super) fn check(tx: &mut Tx<'_>, row: &mut Value, errors: &mut Errors) {
    if required(tx, row, "debtorCustomerNumber", "DebtorCustomerNumber", errors) {
        let number = text(row, "debtorCustomerNumber").to_owned();
        match debtor_by_number(tx, &number) {
            Some(debtor) => usable_debtor(tx, &debtor, "DebtorCustomerNumber", errors),
            None => unknown(tx, &number, "DebtorCustomerNumber", errors),
        }
    }
    let mut lines = lines_of(tx, row, errors);
    for (at, line) in lines.iter_mut().enumerate() {
        let place = format!("Lines[{at}]");
        match article(tx, line) {
            Some(article) => {
                line["articleId"] = article["id"].clone();
                line["articleCode"] = article["code"].clone();
                default(line, "description", article["description"].clone());
                default(line, "price", article["price"].clone());
                default(line, "salesTypeId", article["salesTypeId"].clone());
            }
            None => unknown(tx, &named(line), &format!("{place}.ArticleCode"), errors),
        }
        required(tx, line, "quantity", &format!("{place}.Quantity"), errors);
        known(tx, "salestypes", line, "salesTypeId", &format!("{place}.SalesTypeId"), errors);
    }
    row["lines"] = Value::Array(lines);
    let day = today(tx);
    default(row, "date", day);
    let sequence = format!("{}/orderNumber", tx.administration);
    row["orderNumber"] = json!(tx.store.next_number(&sequence, 2_600_001).to_string());
}

fn named(line: &Value) -> String {
    let code = text(line, "articleCode");
    if code.is_empty() { line["articleId"].to_string() } else { code.to_owned() }
}

/// The active article a line names, by id or code.
fn article(tx: &Tx<'_>, line: &Value) -> Option<Value> {
    let code = text(line, "articleCode");
    let mut rows = tx.rows("articles").into_iter();
    let found = rows.find(|row| match code {
        "" => line["articleId"].is_number() && row["id"] == line["articleId"],
        code => same(row, "code", code),
    });
    found.filter(|row| text(row, "activeState") == tx.switches.active).cloned()
}

/// What an order takes from the stock of articles that keep one.
pub(super) fn take_from_stock(tx: &mut Tx<'_>, id: &str) {
    let lines = tx.get("salesorderswithlines", id).and_then(|row| row["lines"].as_array().cloned());
    for line in lines.unwrap_or_default() {
        let key = line["articleId"].to_string();
        let Some(mut row) = tx.get("articles", &key).cloned() else { continue };
        let Some(stock) = row.get("currentStock").and_then(decimal) else { continue };
        let left: Decimal = stock - amount(&line, "quantity");
        set(&mut row, "currentStock", left);
        tx.replace("articles", &key, row.as_object().cloned().unwrap_or_default());
    }
}
