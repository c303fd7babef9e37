//! Journal transactions: batches that balance.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::copy;
use super::periods;
use crate::message::{Call, Reply};
use crate::text::{amount, number, text};
use crate::visma_net::actions;
use crate::visma_net::body::{Verb, merge, merge_lines, read};
use crate::visma_net::errors::{not_found, unreadable};
use crate::visma_net::rows::{Fields, Tx, field, filled};

const TABLE: &str = "journaltransaction";
const LINES: &str = "journalTransactionLines";

/// A list needs a period or a moment.
pub(in crate::visma_net) fn check_list(call: &Call) -> Result<(), Reply> {
    let there =
        |wanted: &str| call.pairs().iter().any(|(name, value)| name.eq_ignore_ascii_case(wanted) && !value.is_empty());
    if there("periodId") || there("lastModifiedDateTime") {
        return Ok(());
    }
    Err(unreadable("periodId or lastModifiedDateTime is needed."))
}

/// `POST /v2/journaltransaction`.
pub(in crate::visma_net) fn post(tx: &mut Tx<'_>, call: &Call) -> Result<Reply, Reply> {
    let mut input = read(tx.switches, "JournalTransaction", call, Verb::Create)?;
    let own = field(&input, "batchNumber").to_owned();
    let overrides = input.remove("overrideNumberSeries") == Some(json!(true));
    input.remove("batchNumber");
    match (own.is_empty(), overrides) {
        (true, true) => return Err(tx.switches.missing("batchNumber")),
        (false, false) => {
            return Err(tx.switches.invalid("'batchNumber' cannot be given: the number series is automatic."));
        }
        (false, true) if tx.get(TABLE, &own).is_some() => {
            return Err(tx.switches.failed(&format!("A batch with number '{own}' already exists.")));
        }
        _ => {}
    }
    let sent = input.get(LINES).and_then(Value::as_array).cloned().unwrap_or_default();
    let lines = merge_lines(tx.switches, &[], &sent, "lineNumber")?;
    input.insert(LINES.into(), Value::Array(lines));
    let mut row = build(tx, &input)?;
    let key = if own.is_empty() {
        loop {
            let next = tx.store.next_number(TABLE, 700_001).to_string();
            if tx.get(TABLE, &next).is_none() {
                break next;
            }
        }
    } else {
        own
    };
    row.insert("batchNumber".into(), json!(key));
    row.insert("attachments".into(), json!([]));
    row.insert("_input".into(), Value::Object(input));
    tx.put(TABLE, &key, row);
    Ok(tx.created(TABLE, &key, "/v2/journaltransaction"))
}

/// `PUT /v2/journaltransaction/{batch}`: only while it is not released.
pub(in crate::visma_net) fn put(tx: &mut Tx<'_>, call: &Call, key: &str) -> Result<Reply, Reply> {
    let before = tx.fields(TABLE, key).ok_or_else(not_found)?;
    tx.check_version(call, &Value::Object(before.clone()))?;
    if !["Hold", "Balanced"].contains(&field(&before, "status")) || actions::is_queued(tx, TABLE, key) {
        return Err(tx.switches.failed("Batch can't be updated because it is already released."));
    }
    let mut sent = read(tx.switches, "JournalTransaction", call, Verb::Change)?;
    for name in ["batchNumber", "overrideNumberSeries"] {
        sent.remove(name);
    }
    let held = before.get("_input").and_then(Value::as_object).cloned().unwrap_or_default();
    let lines = sent.remove(LINES);
    let mut input = merge(&held, sent);
    if let Some(lines) = lines.as_ref().and_then(Value::as_array) {
        let old = held[LINES].as_array().cloned().unwrap_or_default();
        input.insert(LINES.into(), Value::Array(merge_lines(tx.switches, &old, lines, "lineNumber")?));
    }
    let mut row = build(tx, &input)?;
    copy(&before, &mut row, &["batchNumber", "attachments", "_created"]);
    row.insert("_input".into(), Value::Object(input));
    tx.put(TABLE, key, row);
    Ok(tx.changed(TABLE, key))
}

/// `action/release`.
pub(in crate::visma_net) fn release(tx: &mut Tx<'_>, call: &Call, key: &str) -> Result<Reply, Reply> {
    super::documents::release(tx, call, TABLE, key)
}

/// What a release does.
pub(in crate::visma_net) fn released(tx: &mut Tx<'_>, key: &str) {
    let Some(mut row) = tx.fields(TABLE, key) else { return };
    row.insert("status".into(), json!("Posted"));
    tx.put(TABLE, key, row);
}

fn build(tx: &Tx<'_>, input: &Fields) -> Result<Fields, Reply> {
    let mut row = Fields::new();
    copy(
        input,
        &mut row,
        &["description", "transactionCode", "autoReversing", "createVatTransaction", "skipVatAmountValidation"],
    );
    let date = if filled(input, "transactionDate") { field(input, "transactionDate").to_owned() } else { tx.today() };
    let period = periods::of_document(tx, input, &date, "closedInGeneralLedger")?;
    tx.reference(input, "ledger", "ledger")?;
    tx.reference(input, "currencyId", "currency")?;
    let text_or = |name: &str, default: &str| json!(if filled(input, name) { field(input, name) } else { default });
    let branch = tx.branch(input, "branch")?;
    for (name, value) in [
        ("module", json!("ModuleGL")),
        ("transactionDate", json!(date)),
        ("postPeriod", periods::posted(&period)),
        ("financialPeriod", json!(period)),
        ("ledger", text_or("ledger", "1")),
        ("ledgerDescription", json!("Grootboek")),
        ("currencyId", text_or("currencyId", "EUR")),
        ("branch", branch["number"].clone()),
        ("exchangeRate", input.get("exchangeRate").filter(|rate| !rate.is_null()).cloned().unwrap_or(json!(1))),
    ] {
        row.insert(name.into(), value);
    }
    let (mut debit, mut credit) = (Decimal::ZERO, Decimal::ZERO);
    let mut lines = Vec::new();
    for line in input.get(LINES).and_then(Value::as_array).into_iter().flatten() {
        let (in_debit, in_credit) = (amount(line, "debitAmountInCurrency"), amount(line, "creditAmountInCurrency"));
        debit += in_debit;
        credit += in_credit;
        if in_debit.round_dp(2) != in_debit || in_credit.round_dp(2) != in_credit {
            return Err(tx.switches.failed("Amounts have two decimals."));
        }
        if !in_debit.is_zero() && !in_credit.is_zero() {
            return Err(tx.switches.failed("A line has a debit or a credit amount, not both."));
        }
        lines.push(line_of(tx, line)?);
    }
    if lines.is_empty() {
        return Err(tx.switches.missing(LINES));
    }
    let hold = input.get("hold") == Some(&json!(true));
    if debit != credit && !hold {
        return Err(tx.switches.failed(&format!("The batch is out of balance: debit {debit}, credit {credit}.")));
    }
    let control = amount(&Value::Object(input.clone()), "controlTotalInCurrency");
    if !control.is_zero() && control != debit {
        return Err(tx.switches.failed(&format!("The control total {control} is not the debit total {debit}.")));
    }
    for (name, value) in [("debitTotal", debit), ("creditTotal", credit), ("controlTotal", debit)] {
        row.insert(name.into(), number(value));
        row.insert(format!("{name}InCurrency"), number(value));
    }
    row.insert(LINES.into(), Value::Array(lines));
    row.insert("hold".into(), json!(hold));
    row.insert("status".into(), json!(if hold { "Hold" } else { "Balanced" }));
    Ok(row)
}

fn line_of(tx: &Tx<'_>, line: &Value) -> Result<Value, Reply> {
    let sent = line.as_object().cloned().unwrap_or_default();
    if !filled(&sent, "accountNumber") {
        return Err(tx.switches.missing("accountNumber"));
    }
    let account = field(&sent, "accountNumber");
    tx.account("accountNumber", account)?;
    let known = tx.get("account", account).cloned().unwrap_or_default();
    if known["allowManualEntry"] == false {
        return Err(tx.switches.failed(&format!("Account '{account}' is a control account: no manual entries.")));
    }
    for (name, table) in [("vatCodeId", "vatCategory"), ("vatId", "vat")] {
        tx.reference(&sent, name, table)?;
    }
    for name in ["project", "projectTask"] {
        if filled(&sent, name) && field(&sent, name) != "X" {
            return Err(tx.switches.unknown(name, field(&sent, name)));
        }
    }
    let mut shown = Fields::new();
    copy(
        &sent,
        &mut shown,
        &["lineNumber", "accountNumber", "transactionDescription", "referenceNumber", "note", "quantity", "uom"],
    );
    shown.insert("description".into(), known["description"].clone());
    shown.insert("subaccount".into(), tx.subaccount(sent.get("subaccount"))?);
    shown.insert("branch".into(), tx.branch(&sent, "branch")?["number"].clone());
    for name in ["debitAmount", "creditAmount"] {
        let value = number(amount(line, &format!("{name}InCurrency")));
        shown.insert(format!("{name}InCurrency"), value.clone());
        shown.insert(name.into(), value);
    }
    for (name, shown_name, table) in [("vatCodeId", "vatCode", "vatCategory"), ("vatId", "vat", "vat")] {
        if filled(&sent, name) {
            shown.insert(shown_name.into(), tx.named(table, text(line, name), "id", "description"));
        }
    }
    Ok(Value::Object(shown))
}
