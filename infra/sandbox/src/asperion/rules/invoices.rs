//! Sales invoices: lines on ledger accounts. A new one is a concept: it has an id, and a number only when one was sent.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{
    account, cents, cost_places, debtor_by_number, known, lines_of, period, required, set, today, unknown,
    usable_debtor, vat_amount, vat_rate,
};
use crate::asperion::Tx;
use crate::asperion::problem::Errors;
use crate::asperion::query::same;
use crate::text::text;

const CONCEPT: i64 = 1;

pub(super) fn check(tx: &Tx<'_>, row: &mut Value, errors: &mut Errors) {
    period(tx, row, errors);
    let dated = required(tx, row, "date", "Date", errors);
    if required(tx, row, "journalId", "JournalId", errors)
        && let Some(journal) = known(tx, "journals", row, "journalId", "JournalId", errors)
        && text(&journal, "type") != "Sales"
    {
        errors.add("JournalId", tx.words.pick("Dit is geen verkoopdagboek.", "This is no sales journal."));
    }
    known(tx, "paymentconditions", row, "paymentConditionId", "PaymentConditionId", errors);
    if required(tx, row, "debtorCustomerNumber", "DebtorCustomerNumber", errors) {
        let number = text(row, "debtorCustomerNumber").to_owned();
        match debtor_by_number(tx, &number) {
            Some(debtor) => {
                usable_debtor(tx, &debtor, "DebtorCustomerNumber", errors);
                // Not shown, but a filter asks for it.
                row["debtorId"] = debtor["id"].clone();
            }
            None => unknown(tx, &number, "DebtorCustomerNumber", errors),
        }
    }
    let number = text(row, "invoiceNumber");
    let taken = tx.rows("salesinvoiceswithlines").into_iter().any(|other| same(other, "invoiceNumber", number));
    if !number.is_empty() && taken {
        let told = "Er is al een factuur met dit nummer.";
        errors.add("InvoiceNumber", tx.words.pick(told, "An invoice with this number exists already."));
    }
    let day = if dated { text(row, "date").to_owned() } else { today(tx).as_str().unwrap_or_default().to_owned() };
    let mut lines = lines_of(tx, row, errors);
    let (mut net, mut vat) = (Decimal::ZERO, Decimal::ZERO);
    for (at, line) in lines.iter_mut().enumerate() {
        let place = format!("Lines[{at}]");
        let (amount, tax) = check_line(tx, line, &day, &place, errors);
        net += amount;
        vat += tax;
    }
    if net + vat < Decimal::ZERO && !tx.switches.negative_invoices {
        errors.add("Lines", tx.words.pick("Een factuur kan niet negatief zijn.", "An invoice cannot be negative."));
    }
    row["lines"] = Value::Array(lines);
    row["status"] = json!(CONCEPT);
    set(row, "amountExclVat", net);
    set(row, "vatAmount", vat);
    set(row, "amountInclVat", net + vat);
}

/// A line; its amount without VAT, and its VAT.
fn check_line(tx: &Tx<'_>, line: &mut Value, day: &str, place: &str, errors: &mut Errors) -> (Decimal, Decimal) {
    account(tx, line, place, errors);
    cost_places(tx, line, place, errors);
    required(tx, line, "amount", &format!("{place}.Amount"), errors);
    let amount = cents(tx, line, "amount", &format!("{place}.Amount"), errors);
    let vat_place = format!("{place}.VatCode");
    if !required(tx, line, "vatCode", &vat_place, errors) {
        return (amount, Decimal::ZERO);
    }
    let Some(code) = known(tx, "vatcodes", line, "vatCode", &vat_place, errors) else {
        return (amount, Decimal::ZERO);
    };
    let percent = vat_rate(tx, &code, day, &vat_place, errors);
    let hundred = Decimal::ONE_HUNDRED;
    let including = tx.switches.amounts_include_vat;
    let expected = if including { amount * percent / (hundred + percent) } else { amount * percent / hundred };
    let vat = vat_amount(tx, line, expected, place, errors);
    set(line, "vatAmount", vat);
    if including { (amount - vat, vat) } else { (amount, vat) }
}
