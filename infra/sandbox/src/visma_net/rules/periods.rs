//! Financial periods: months, as far as they were opened, and closed ones.

use chrono::NaiveDate;
use serde_json::Value;

use crate::message::Reply;
use crate::text::text;
use crate::visma_net::rows::{Fields, Tx, field, filled};

/// What is wrong with a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::visma_net) enum Trouble {
    Missing,
    Closed,
    Inactive,
}

/// `202611` of a date.
pub(in crate::visma_net) fn of_date(date: &str) -> String {
    date.get(..7).unwrap_or_default().replace('-', "")
}

/// What is wrong with a period for customer documents (or for the general ledger).
pub(in crate::visma_net) fn trouble(tx: &Tx<'_>, period: &str, flag: &str) -> Option<Trouble> {
    let Some(row) = tx.get("financialPeriod", period) else { return Some(Trouble::Missing) };
    if row["active"] != true {
        return Some(Trouble::Inactive);
    }
    (row[flag] == true || closed_by_switch(tx, row)).then_some(Trouble::Closed)
}

/// The switch closes the whole of it, in every ledger.
pub(in crate::visma_net) fn closed_by_switch(tx: &Tx<'_>, row: &Value) -> bool {
    let end: Option<NaiveDate> = text(row, "endDate").get(..10).and_then(|day| day.parse().ok());
    let until: Option<NaiveDate> = tx.switches.closed_until.as_ref().and_then(|day| day.parse().ok());
    end.zip(until).is_some_and(|(end, until)| end <= until)
}

/// The period of a document: what was sent (`financialPeriod` YYYYMM, or `postPeriod` MMYYYY), or that of its date.
pub(in crate::visma_net) fn of_document(tx: &Tx<'_>, fields: &Fields, date: &str, flag: &str) -> Result<String, Reply> {
    let post = field(fields, "postPeriod");
    let period = if filled(fields, "financialPeriod") {
        field(fields, "financialPeriod").to_owned()
    } else if let (Some(month), Some(year)) = (post.get(..2), post.get(2..)) {
        format!("{year}{month}")
    } else {
        of_date(date)
    };
    match trouble(tx, &period, flag) {
        None => Ok(period),
        Some(Trouble::Missing) => Err(tx.switches.unknown("financialPeriod", &period)),
        Some(Trouble::Closed) => Err(tx.switches.failed(&format!("The financial period '{period}' is closed."))),
        Some(Trouble::Inactive) => Err(tx.switches.failed(&format!("The financial period '{period}' is inactive."))),
    }
}

/// `MMYYYY`, as it is shown.
pub(in crate::visma_net) fn posted(period: &str) -> Value {
    match (period.get(..4), period.get(4..)) {
        (Some(year), Some(month)) => Value::String(format!("{month}{year}")),
        _ => Value::Null,
    }
}
