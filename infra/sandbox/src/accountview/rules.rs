//! The rules of single objects: debtors, sales orders and invoices, journal pages.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::Tx;
use super::dictionary::Object;
use super::errors::{Refusal, mandatory, unknown_object, unknown_value};
use super::write::{Fields, Sent, field, filled};
use crate::text::{amount, number, text};

/// Currencies that the administration knows.
const CURRENCIES: &[&str] = &["EUR", "USD", "GBP"];
/// Types of journals as this installation counts them; the numbers are made up.
pub(super) const SALES: i64 = 4;
pub(super) const MEMORIAL: i64 = 5;

/// Creates: the key of the new row, and the field that holds its number.
pub(super) fn create(tx: &mut Tx<'_>, object: &Object, sent: Sent) -> Result<(String, String), Refusal> {
    match object.code.as_str() {
        "AR1" => debtor(tx, sent.header),
        "DJ2" => page(tx, sent),
        "SO1" => {
            let role = tx.dictionary.role("order_number").to_owned();
            document(tx, object, sent, &role, "ORD_DATE")
        }
        "PH_SI1" => document(tx, object, sent, "PH_INVNR", "ORD_DATE"),
        other => Err(unknown_object(other)),
    }
}

/// Changes the given fields of a debtor.
pub(super) fn change(tx: &mut Tx<'_>, object: &Object, id: &str, fields: Fields) -> Result<(), Refusal> {
    let key = id.to_uppercase();
    let row = tx.store.get(&tx.table(&object.table), &key).filter(|row| row["ACCT_LINK"] == 1).cloned();
    let Some(Value::Object(mut row)) = row else { return Err(unknown_value("SUB_NR", id)) };
    if filled(&fields, "SUB_NR") && field(&fields, "SUB_NR") != key {
        return Err(Refusal::new("Veld 'SUB_NR' kan niet worden gewijzigd."));
    }
    contact(tx, &fields)?;
    row.extend(fields);
    tx.put(&object.table, &key, row);
    Ok(())
}

fn debtor(tx: &mut Tx<'_>, mut fields: Fields) -> Result<(String, String), Refusal> {
    if !filled(&fields, "SUB_NR") {
        if !tx.switches.number_debtors {
            return Err(mandatory("SUB_NR"));
        }
        let next = tx.store.next_number("debtor", 20_000);
        fields.insert("SUB_NR".into(), json!(next.to_string()));
    }
    // A debtor hangs on a collective account.
    if !filled(&fields, "ACCT_NR") {
        return Err(mandatory("ACCT_NR"));
    }
    let key = field(&fields, "SUB_NR").to_owned();
    if tx.store.get(&tx.table("CONTACT"), &key).is_some() {
        return Err(Refusal::new(format!("Debiteur '{key}' bestaat al.")));
    }
    contact(tx, &fields)?;
    fields.insert("ACCT_LINK".into(), json!(1));
    tx.put("CONTACT", &key, fields);
    Ok((key, "SUB_NR".into()))
}

fn contact(tx: &Tx<'_>, fields: &Fields) -> Result<(), Refusal> {
    exists(tx, fields, "ACCT_NR", "LEDGER", "ACCT_NR")?;
    exists(tx, fields, "VAT_CODE", "VAT", "VAT_CODE")?;
    exists(tx, fields, "DISC_CODE", tx.dictionary.role("terms"), "DISC_CODE")?;
    currency(fields)?;
    let country = field(fields, "CNT_CODE");
    let is_code = country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase());
    if country.is_empty() || is_code { Ok(()) } else { Err(unknown_value("CNT_CODE", country)) }
}

fn currency(fields: &Fields) -> Result<(), Refusal> {
    let code = field(fields, "CUR_CODE");
    if code.is_empty() || CURRENCIES.contains(&code) { Ok(()) } else { Err(unknown_value("CUR_CODE", code)) }
}

/// A code that is given must exist.
fn exists(tx: &Tx<'_>, fields: &Fields, name: &str, table: &str, key: &str) -> Result<(), Refusal> {
    let code = field(fields, name);
    if code.is_empty() || row(tx, table, key, code).is_some() { Ok(()) } else { Err(unknown_value(name, code)) }
}

/// The row with this value, in upper case as keys are stored.
fn row<'t>(tx: &'t Tx<'_>, table: &str, key: &str, value: &str) -> Option<&'t Value> {
    let table = tx.table(table);
    let direct = tx.store.get(&table, value);
    direct.or_else(|| tx.store.rows(&table).find(|row| text(row, key).eq_ignore_ascii_case(value)))
}

/// A debtor that may be used.
fn usable_debtor(tx: &Tx<'_>, fields: &Fields, name: &str, for_orders: bool) -> Result<(), Refusal> {
    let code = field(fields, name);
    let debtor = row(tx, "CONTACT", "SUB_NR", code).filter(|row| row["ACCT_LINK"] == 1);
    let debtor = debtor.ok_or_else(|| unknown_value(name, code))?;
    if debtor["REC_BLK"] == true || for_orders && debtor["BLK_SP"] == true {
        return Err(Refusal::new(format!("Debiteur '{code}' is geblokkeerd.")));
    }
    Ok(())
}

/// A sales order, or an invoice of the same make.
fn document(
    tx: &mut Tx<'_>,
    object: &Object,
    sent: Sent,
    number_field: &str,
    date_field: &str,
) -> Result<(String, String), Refusal> {
    let Sent { mut header, lines } = sent;
    usable_debtor(tx, &header, "RPL_INV", true)?;
    if filled(&header, "RPL_DEL") {
        usable_debtor(tx, &header, "RPL_DEL", true)?;
    } else {
        let debtor = header.get("RPL_INV").cloned().unwrap_or_default();
        header.insert("RPL_DEL".into(), debtor);
    }
    exists(tx, &header, "DISC_CODE", tx.dictionary.role("terms"), "DISC_CODE")?;
    tx.open_day(field(&header, date_field))?;
    if lines.is_empty() {
        return Err(Refusal::new("Er zijn geen regels."));
    }
    let (article, quantity) = (tx.dictionary.role("line_article"), tx.dictionary.role("line_quantity"));
    // The object for invoices is the same in both installations.
    let invoices = object.code == "PH_SI1";
    let (article, quantity) = if invoices { ("PH_ARTCD", "PH_QTY") } else { (article, quantity) };
    for line in &lines {
        let code = field(line, article);
        row(tx, "ARTICLE", "ART_CODE", code).ok_or_else(|| unknown_value(article, code))?;
        if line.get(quantity).and_then(crate::text::decimal).unwrap_or_default().is_zero() {
            return Err(mandatory(quantity));
        }
    }
    if filled(&header, number_field) {
        let given = field(&header, number_field);
        if row(tx, &object.table, number_field, given).is_some() {
            return Err(Refusal::new(format!("Nummer '{given}' bestaat al.")));
        }
    } else {
        let next = tx.store.next_number(&object.code, 260_001);
        header.insert(number_field.into(), json!(next.to_string()));
    }
    let key = tx.record_id();
    header.insert("REC_ID".into(), json!(key));
    tx.put(&object.table, &key, header);
    let child = object.child.clone().unwrap_or_default();
    for mut line in lines {
        reserve(tx, &line, article, quantity);
        let id = tx.record_id();
        line.insert("REC_ID".into(), json!(id));
        line.insert("_header".into(), json!(key));
        tx.put(&child, &id, line);
    }
    Ok((key, number_field.into()))
}

/// What is ordered is no longer free. The article itself does not count as changed.
fn reserve(tx: &mut Tx<'_>, line: &Fields, article: &str, quantity: &str) {
    let table = tx.table("ARTICLE");
    let key = field(line, article).to_owned();
    let Some(mut row) = tx.store.get(&table, &key).cloned() else { return };
    if row["_stock"] == false {
        return;
    }
    let ordered = line.get(quantity).and_then(crate::text::decimal).unwrap_or_default();
    row["QTY_FREE2"] = number(amount(&row, "QTY_FREE2") - ordered);
    tx.store.put(&table, &key, row);
}

/// A page of a journal.
fn page(tx: &mut Tx<'_>, sent: Sent) -> Result<(String, String), Refusal> {
    let Sent { mut header, lines } = sent;
    let code = field(&header, "DJ_CODE").to_owned();
    let journal = row(tx, "DAILY", "DJ_CODE", &code).ok_or_else(|| unknown_value("DJ_CODE", &code))?;
    if journal["CNG_BLK"] == true || journal["DJP_BLK"] == true {
        return Err(Refusal::new(format!("Dagboek '{code}' is geblokkeerd.")));
    }
    let kind = journal["DJ_TYPE"].as_i64().unwrap_or_default();
    let day = if filled(&header, "TRN_DATE") { field(&header, "TRN_DATE").to_owned() } else { tx.today().to_string() };
    tx.open_day(&day)?;
    header.insert("TRN_DATE".into(), json!(day));
    currency(&header)?;
    exists(tx, &header, "DISC_CODE", tx.dictionary.role("terms"), "DISC_CODE")?;
    exists(tx, &header, "COST_CODE", "COST", "COST_CODE")?;
    if lines.is_empty() {
        return Err(Refusal::new("Er zijn geen regels."));
    }
    if kind == SALES {
        usable_debtor(tx, &header, "SUB_NR", false)?;
        let number = field(&header, "INV_NR");
        if number.is_empty() {
            return Err(mandatory("INV_NR"));
        }
        let table = tx.table("DJ_PAGE");
        let same = |row: &Value| text(row, "DJ_CODE") == code && text(row, "INV_NR") == number;
        if tx.switches.unique_invoice_numbers && tx.store.rows(&table).any(same) {
            return Err(Refusal::new(format!("Factuurnummer '{number}' bestaat al in dagboek '{code}'.")));
        }
    }
    let (mut net, mut vat) = (Decimal::ZERO, Decimal::ZERO);
    for line in &lines {
        check_line(tx, line)?;
        let of = |name: &str| line.get(name).and_then(crate::text::decimal).unwrap_or_default();
        for name in ["AMOUNT", "VAT_AMT"] {
            if of(name).normalize().scale() > tx.switches.amount_decimals {
                return Err(unknown_value(name, &of(name).to_string()));
            }
        }
        net += of("AMOUNT");
        vat += of("VAT_AMT");
    }
    let gross = header.get("GROSS_FLG") == Some(&json!(true));
    let total = if gross { net } else { net + vat };
    if kind == MEMORIAL && !total.is_zero() {
        return Err(Refusal::new(format!("De dagboekpagina is niet in evenwicht (verschil {total}).")));
    }
    let number_of_page = tx.store.next_number(&format!("page {code}"), 1).to_string();
    let key = tx.record_id();
    for (name, value) in [
        ("PAGE_NR", json!(number_of_page)),
        ("REC_ID", json!(key)),
        ("PAGE_AMT", number(total)),
        ("PAGE_VAT", number(vat)),
    ] {
        header.insert(name.into(), value);
    }
    if !filled(&header, "CUR_CODE") {
        header.insert("CUR_CODE".into(), json!("EUR"));
    }
    tx.put("DJ_PAGE", &key, header);
    for mut line in lines {
        let id = tx.record_id();
        for (name, value) in [("REC_ID", json!(id)), ("_header", json!(key)), ("DJ_CODE", json!(code))] {
            line.insert(name.into(), value);
        }
        line.insert("PAGE_NR".into(), json!(number_of_page));
        if !filled(&line, "TRN_DATE") {
            line.insert("TRN_DATE".into(), json!(day));
        }
        tx.put("DJ_LINE", &id, line);
    }
    Ok((key, "INV_NR".into()))
}

fn check_line(tx: &Tx<'_>, line: &Fields) -> Result<(), Refusal> {
    let code = field(line, "ACCT_NR");
    let account = row(tx, "LEDGER", "ACCT_NR", code).ok_or_else(|| unknown_value("ACCT_NR", code))?;
    if account["REC_BLK"] == true {
        return Err(Refusal::new(format!("Grootboekrekening '{code}' is geblokkeerd.")));
    }
    exists(tx, line, "VAT_CODE", "VAT", "VAT_CODE")?;
    exists(tx, line, "COST_CODE", "COST", "COST_CODE")?;
    currency(line)?;
    if account["VAT_MAND"] == true && !filled(line, "VAT_CODE") {
        return Err(mandatory("VAT_CODE"));
    }
    if account["COST_MAND"] == true && !filled(line, "COST_CODE") {
        return Err(mandatory("COST_CODE"));
    }
    Ok(())
}
