//! Closed periods: nothing is dated into them, and what stands in them is left alone.

use serde_json::Value;

use crate::exact_online::Tx;
use crate::exact_online::write::{Fields, field};
use crate::message::Reply;
use crate::text::{text, whole};

fn closed(tx: &Tx<'_>, date: &str) -> bool {
    let day = |text: &str| text.split('T').next().unwrap_or_default().to_owned();
    tx.switches.closed_until.as_ref().is_some_and(|until| !date.is_empty() && day(date) <= day(until))
}

/// Refuses a date in a closed period.
pub(super) fn check(tx: &Tx<'_>, name: &str, date: &str) -> Result<(), Reply> {
    if closed(tx, date) {
        return Err(tx.words().invalid_because(name, "periode is afgesloten", "period is closed"));
    }
    Ok(())
}

/// The same for the date of an order, which is no booking.
pub(super) fn check_order(tx: &Tx<'_>, fields: &Fields) -> Result<(), Reply> {
    if tx.switches.closed_period_for_orders { check(tx, "OrderDate", field(fields, "OrderDate")) } else { Ok(()) }
}

/// Refuses a year and period that were chosen and are closed.
pub(super) fn check_period(tx: &Tx<'_>, fields: &Fields, year: &str, period: &str) -> Result<(), Reply> {
    let number = |name: &str| fields.get(name).and_then(whole);
    match (number(year), number(period)) {
        (Some(of), Some(month)) => check(tx, period, &format!("{of:04}-{month:02}-01")),
        _ => Ok(()),
    }
}

/// Refuses to touch an entry or a processed invoice that stands in a closed period.
pub(super) fn check_row(tx: &Tx<'_>, path: &str, row: &Value) -> Result<(), Reply> {
    let name = match path {
        "salesentry/SalesEntries" => "EntryDate",
        "salesinvoice/SalesInvoices" => "InvoiceDate",
        "generaljournalentry/GeneralJournalEntries" => "Date",
        _ => return Ok(()),
    };
    let own = text(row, name).to_owned();
    let lines = || {
        let table = tx.table("generaljournalentry/GeneralJournalEntryLines");
        let rows = tx.store.find(&table, "EntryID", text(row, "EntryID")).unwrap_or_default();
        rows.into_iter().map(|line| text(line, "Date").to_owned()).min().unwrap_or_default()
    };
    check(tx, name, &if name == "Date" { lines() } else { own })
}
