//! Journal entries: debit is positive, credit negative, and together they are nothing.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{
    account, cents, cost_places, default, known, lines_of, period, required, set, usable_debtor, vat_amount, vat_rate,
};
use crate::asperion::Tx;
use crate::asperion::problem::Errors;
use crate::text::{text, whole};

/// The account that belongs to all debtors together.
pub(in crate::asperion) const DEBTORS_ACCOUNT: i64 = 1300;

pub(super) fn check(tx: &Tx<'_>, row: &mut Value, errors: &mut Errors) {
    period(tx, row, errors);
    required(tx, row, "date", "Date", errors);
    if required(tx, row, "journalId", "JournalId", errors)
        && let Some(journal) = known(tx, "journals", row, "journalId", "JournalId", errors)
        && !tx.switches.entry_journals.iter().any(|kind| kind == text(&journal, "type"))
    {
        let told = "In dit dagboek kan geen boeking worden gemaakt.";
        errors.add("JournalId", tx.words.pick(told, "This journal takes no entries."));
    }
    let day = row["date"].clone();
    let mut lines = lines_of(tx, row, errors);
    let mut sum = Decimal::ZERO;
    for (at, line) in lines.iter_mut().enumerate() {
        let (amount, vat) = check_line(tx, line, &day, &format!("Lines[{at}]"), errors);
        sum += amount;
        if tx.switches.entry_balance == "amounts_and_vat" {
            sum += vat;
        }
    }
    if !sum.is_zero() {
        let told = match tx.words.dutch {
            true => format!("De boeking is niet in evenwicht: verschil {sum}."),
            false => format!("The entry does not balance: difference {sum}."),
        };
        errors.add("Lines", told);
    }
    row["lines"] = Value::Array(lines);
    row["state"] = json!(1);
}

/// A line; its amount, and its VAT.
fn check_line(tx: &Tx<'_>, line: &mut Value, day: &Value, place: &str, errors: &mut Errors) -> (Decimal, Decimal) {
    account(tx, line, place, errors);
    cost_places(tx, line, place, errors);
    required(tx, line, "amount", &format!("{place}.Amount"), errors);
    let amount = cents(tx, line, "amount", &format!("{place}.Amount"), errors);
    default(line, "bookingDate", day.clone());
    let debtor = known(tx, "debtors", line, "debtorId", &format!("{place}.DebtorId"), errors);
    if let Some(debtor) = debtor {
        usable_debtor(tx, &debtor, &format!("{place}.DebtorId"), errors);
    } else if line.get("ledgerAccountId").and_then(whole) == Some(DEBTORS_ACCOUNT) && line["debtorId"].is_null() {
        let told = "Op de debiteurenrekening is een debiteur nodig.";
        errors.add(format!("{place}.DebtorId"), tx.words.pick(told, "The account of debtors needs a debtor."));
    }
    known(tx, "salesinvoiceswithlines", line, "salesInvoiceId", &format!("{place}.SalesInvoiceId"), errors);
    let vat_place = format!("{place}.VatCode");
    let Some(code) = known(tx, "vatcodes", line, "vatCode", &vat_place, errors) else {
        return (amount, Decimal::ZERO);
    };
    let percent = vat_rate(tx, &code, day.as_str().unwrap_or_default(), &vat_place, errors);
    let vat = vat_amount(tx, line, amount * percent / Decimal::ONE_HUNDRED, place, errors);
    set(line, "vatAmount", vat);
    (amount, vat)
}
