//! Sales entries: invoices as bookings, without items.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::accounts::check_customer;
use super::amounts::{cents, code, totals, vat_of, worth};
use super::invoices::{check_cost_fields, check_journal};
use super::{fill_names, periods, references};
use crate::exact_online::Tx;
use crate::exact_online::write::{Fields, Sent, default, field, filled};
use crate::message::Reply;
use crate::text::{decimal, number, text};

const ENTRIES: &str = "salesentry/SalesEntries";
const LINES: &str = "salesentry/SalesEntryLines";

/// A new entry with its lines. Only here a line may bring its own VAT amount.
pub(super) fn create(tx: &mut Tx<'_>, sent: &mut Sent) -> Result<String, Reply> {
    let mut fields = std::mem::take(&mut sent.fields);
    let journal = field(&fields, "Journal").to_owned();
    check_journal(tx, "Journal", &journal, 20)?;
    let customer = field(&fields, "Customer").to_owned();
    check_customer(tx, "Customer", &customer)?;
    let today = tx.today();
    default(&mut fields, "EntryDate", today);
    default(&mut fields, "Currency", "EUR");
    periods::check(tx, "EntryDate", field(&fields, "EntryDate"))?;
    periods::check_period(tx, &fields, "ReportingYear", "ReportingPeriod")?;
    let usual = worth(tx, "Currency", field(&fields, "Currency"))?;
    let rate = fields.get("Rate").and_then(decimal).filter(|rate| !rate.is_zero()).unwrap_or(usual);
    fields.insert("Rate".into(), number(rate));
    let condition = tx.get("crm/Accounts", &customer).map(|row| text(row, "PaymentConditionSales").to_owned());
    default(&mut fields, "PaymentCondition", condition.filter(|code| !code.is_empty()).unwrap_or_else(|| "30".into()));
    let date = field(&fields, "EntryDate").to_owned();
    default(&mut fields, "DueDate", date.clone());
    let mut lines = Vec::new();
    let mut bases: Vec<(String, Decimal, Option<Decimal>)> = Vec::new();
    for mut line in sent.list("SalesEntryLines") {
        references::check(tx, LINES, &line)?;
        for name in ["AmountFC", "GLAccount"] {
            if !filled(&line, name) {
                return Err(tx.words().mandatory(name));
            }
        }
        check_cost_fields(tx, &line)?;
        let vat_code = match field(&line, "VATCode").trim() {
            "" => tx.get("financial/GLAccounts", field(&line, "GLAccount")).map(|row| text(row, "VATCode").to_owned()),
            own => Some(own.to_owned()),
        }
        .unwrap_or_default();
        let base = cents(line.get("AmountFC").and_then(decimal).unwrap_or_default());
        let own = line.get("VATAmountFC").and_then(decimal).map(cents);
        let (fraction, including) = code(tx, &vat_code);
        let vat = own.unwrap_or_else(|| vat_of(base, fraction, including).1);
        if !vat_code.is_empty() {
            line.insert("VATCode".into(), json!(vat_code));
        }
        let own_currency = cents(base * rate);
        for (name, value) in
            [("AmountFC", base), ("AmountDC", own_currency), ("VATAmountFC", vat), ("VATPercentage", fraction)]
        {
            line.insert(name.into(), number(value));
        }
        fill_names(tx, LINES, &mut line);
        bases.push((vat_code, base, own));
        lines.push(line);
    }
    let totals = totals(tx, &bases, Decimal::ZERO);
    let id = tx.new_key(ENTRIES, "EntryID", &fields)?;
    let number_of_entry = match fields.get("EntryNumber").and_then(Value::as_i64) {
        Some(own) => {
            let taken =
                tx.rows(ENTRIES).into_iter().any(|row| row["EntryNumber"] == own && text(row, "Journal") == journal);
            if taken {
                return Err(tx.words().exists());
            }
            tx.store.reserve_number(&format!("entry {journal}"), own);
            own
        }
        None => tx.store.next_number(&format!("entry {journal}"), 26_700_001),
    };
    let credit = totals.with_vat.is_sign_negative();
    fields.insert("EntryID".into(), json!(id));
    fields.insert("EntryNumber".into(), json!(number_of_entry));
    default(&mut fields, "InvoiceNumber", number_of_entry);
    for (name, value) in [
        ("AmountFC", totals.with_vat),
        ("AmountDC", cents(totals.with_vat * rate)),
        ("VATAmountFC", totals.vat),
        ("VATAmountDC", cents(totals.vat * rate)),
    ] {
        fields.insert(name.into(), number(value));
    }
    fields.insert("Type".into(), json!(if credit { 21 } else { 20 }));
    fields.insert("Status".into(), json!(20));
    let (year, month) = (date.get(0..4), date.get(5..7));
    default(&mut fields, "ReportingYear", year.and_then(|text| text.parse::<i64>().ok()).unwrap_or_default());
    default(&mut fields, "ReportingPeriod", month.and_then(|text| text.parse::<i64>().ok()).unwrap_or_default());
    fill_names(tx, ENTRIES, &mut fields);
    tx.put(ENTRIES, &id, fields);
    for (at, line) in lines.into_iter().enumerate() {
        store_line(tx, line, &id, at)?;
    }
    Ok(id)
}

fn store_line(tx: &mut Tx<'_>, mut line: Fields, entry: &str, at: usize) -> Result<(), Reply> {
    if !tx.switches.honour_client_guid {
        line.remove("ID");
    }
    let id = tx.new_key(LINES, "ID", &line)?;
    line.insert("ID".into(), json!(id));
    line.insert("EntryID".into(), json!(entry));
    line.insert("LineNumber".into(), json!(at + 1));
    tx.put(LINES, &id, line);
    Ok(())
}
