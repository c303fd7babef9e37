//! General journal entries: they must balance.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::amounts::{cents, worth};
use super::invoices::{check_cost_fields, check_journal};
use super::{fill_names, periods, references};
use crate::exact_online::Tx;
use crate::exact_online::write::{Fields, Sent, default, field, filled};
use crate::message::Reply;
use crate::text::{decimal, number, text};

const ENTRIES: &str = "generaljournalentry/GeneralJournalEntries";
const LINES: &str = "generaljournalentry/GeneralJournalEntryLines";

/// A new entry with its lines.
pub(super) fn create(tx: &mut Tx<'_>, sent: &mut Sent) -> Result<String, Reply> {
    let mut fields = std::mem::take(&mut sent.fields);
    let journal = field(&fields, "JournalCode").to_owned();
    check_journal(tx, "JournalCode", &journal, 90)?;
    let allows_vat = tx.first("financial/Journals", "Code", &journal).is_some_and(|row| row["AllowVAT"] == true);
    default(&mut fields, "Currency", "EUR");
    let usual = worth(tx, "Currency", field(&fields, "Currency"))?;
    let rate = fields.get("ExchangeRate").and_then(decimal).filter(|rate| !rate.is_zero()).unwrap_or(usual);
    periods::check_period(tx, &fields, "FinancialYear", "FinancialPeriod")?;
    let today = tx.today();
    let mut lines: Vec<Fields> = Vec::new();
    let mut balance = Decimal::ZERO;
    for mut line in sent.list("GeneralJournalEntryLines") {
        references::check(tx, LINES, &line)?;
        if !filled(&line, "GLAccount") {
            return Err(tx.words().mandatory("GLAccount"));
        }
        if filled(&line, "VATCode") && !allows_vat {
            return Err(tx.words().invalid("VATCode"));
        }
        check_cost_fields(tx, &line)?;
        let amount = line.get("AmountFC").and_then(decimal).unwrap_or_default();
        balance += amount + line.get("AmountVATFC").and_then(decimal).unwrap_or_default();
        default(&mut line, "Date", today.clone());
        periods::check(tx, "Date", field(&line, "Date"))?;
        line.insert("AmountFC".into(), number(amount));
        line.insert("AmountDC".into(), number(cents(amount * rate)));
        fill_names(tx, LINES, &mut line);
        lines.push(line);
    }
    if !balance.is_zero() {
        return Err(tx.words().other("Ongeldig: Boeking is niet in balans", "Invalid: Entry is not in balance"));
    }
    let id = tx.new_key(ENTRIES, "EntryID", &fields)?;
    let number_of_entry = match fields.get("EntryNumber").and_then(Value::as_i64) {
        Some(own) => own,
        None => tx.store.next_number(&format!("entry {journal}"), 26_900_001),
    };
    fields.insert("EntryID".into(), json!(id));
    fields.insert("EntryNumber".into(), json!(number_of_entry));
    fields.insert("Type".into(), json!(90));
    fields.insert("Status".into(), json!(20));
    let year = today.get(0..4).and_then(|text| text.parse::<i64>().ok()).unwrap_or_default();
    let month = today.get(5..7).and_then(|text| text.parse::<i64>().ok()).unwrap_or_default();
    default(&mut fields, "FinancialYear", year);
    default(&mut fields, "FinancialPeriod", month);
    fill_names(tx, ENTRIES, &mut fields);
    tx.put(ENTRIES, &id, fields);
    for (at, mut line) in lines.into_iter().enumerate() {
        if !tx.switches.honour_client_guid {
            line.remove("ID");
        }
        let line_id = tx.new_key(LINES, "ID", &line)?;
        line.insert("ID".into(), json!(line_id));
        line.insert("EntryID".into(), json!(id));
        line.insert("EntryNumber".into(), json!(number_of_entry));
        line.insert("LineNumber".into(), json!(at + 1));
        if let Some(account) = tx.get("crm/Accounts", field(&line, "Account")).map(|row| text(row, "Code").to_owned()) {
            line.insert("AccountCode".into(), json!(account));
        }
        tx.put(LINES, &line_id, line);
    }
    Ok(id)
}
