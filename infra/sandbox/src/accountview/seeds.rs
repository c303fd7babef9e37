//! The administration a sandbox starts with. Articles, VAT codes, accounts and terms are those of the other books.

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use super::write::Fields;
use super::{COMPANY, OTHER_COMPANY, Switches, Tx, dictionary, rules};
use crate::state::Store;

/// Fills a store without rows.
pub(super) fn fill(store: &mut Store, switches: &Switches, now: DateTime<Utc>) {
    let dictionary = dictionary::dictionary(&switches.dictionary, switches.sales_invoices);
    // Everything was there long before the first call.
    let now = now - Duration::days(400);
    for (id, code, name) in [(COMPANY, "KOP", "Koppel Sandbox B.V."), (OTHER_COMPANY, "TWE", "Tweede Zaak B.V.")] {
        store.put("_companies", id, json!({"Id": id, "Description": name, "Code": code}));
        let mut tx = Tx { store, switches, dictionary, company: id.into(), now };
        row(&mut tx, "COMP_HDR", code, json!({"COMP_ID": code, "COMP_DESC": name}));
    }
    let mut tx = Tx { store, switches, dictionary, company: COMPANY.into(), now };
    ledger(&mut tx);
    lists(&mut tx);
    articles(&mut tx);
    debtors(&mut tx);
}

/// Stores a row without any rule.
pub(super) fn row(tx: &mut Tx<'_>, table: &str, key: &str, row: Value) {
    let fields: Fields = row.as_object().cloned().unwrap_or_default();
    tx.put(table, key, fields);
}

fn ledger(tx: &mut Tx<'_>) {
    for (code, name, sells, costs) in [
        ("1300", "Debiteuren", false, false),
        ("1290", "Tussenrekening webshop", false, false),
        ("1500", "Btw af te dragen", false, false),
        ("1600", "Crediteuren", false, false),
        ("3000", "Voorraad", false, false),
        ("4990", "Afrondingsverschillen", false, false),
        ("7000", "Kostprijs omzet", false, false),
        ("8000", "Omzet hoog tarief", true, false),
        ("8010", "Omzet laag tarief", true, false),
        ("8020", "Omzet verzendkosten", true, false),
        ("8030", "Omzet buitenland", true, false),
        ("8900", "Omzet projecten", true, true),
    ] {
        let account = json!({"ACCT_NR": code, "ACCT_NAME": name, "STAT_SELL": sells, "COST_MAND": costs,
            "VAT_MAND": sells});
        row(tx, "LEDGER", code, account);
    }
    row(
        tx,
        "LEDGER",
        "8999",
        json!({"ACCT_NR": "8999", "ACCT_NAME": "Oude omzet", "STAT_SELL": true, "REC_BLK": true}),
    );
    for (code, name, kind, blocked) in [
        ("70", "Verkoopboek", rules::SALES, false),
        ("71", "Verkoopboek webshop", rules::SALES, false),
        ("79", "Verkoopboek oud", rules::SALES, true),
        ("90", "Memoriaal", rules::MEMORIAL, false),
        ("20", "Bank", 2, false),
    ] {
        let journal = json!({"DJ_CODE": code, "DJ_NAME": name, "DJ_TYPE": kind, "CUR_CODE": "EUR", "CNG_BLK": blocked,
            "NUM_AUTO": true});
        row(tx, "DAILY", code, journal);
    }
    for (code, name) in [("WEB", "Webshop"), ("ALG", "Algemeen")] {
        row(tx, "COST", code, json!({"COST_CODE": code, "COST_DESC": name, "COST_TYPE": 1}));
    }
}

fn lists(tx: &mut Tx<'_>) {
    for (code, name, percent, reverse) in [
        ("4", "BTW hoog tarief", "21", false),
        ("2", "BTW laag tarief", "9", false),
        ("0", "Geen BTW", "0", false),
        ("7", "Intracommunautaire levering", "0", true),
        ("12", "OSS Duitsland 19%", "19", false),
        ("14", "OSS Duitsland 7%", "7", false),
        ("13", "OSS België 21%", "21", false),
        ("15", "OSS België 6%", "6", false),
    ] {
        let percent: Value = serde_json::from_str(percent).unwrap_or_default();
        let vat = json!({"VAT_CODE": code, "VAT_NAME": name, "VAT_PCT": percent, "VAT_ACCT": "1500", "VAT_TYPE": 1,
            "CALC_TYPE": 1, "FRM_CODE": "1A", "IS_REVERSE": reverse});
        row(tx, "VAT", code, vat);
    }
    let (terms, name_field) = (tx.dictionary.role("terms"), tx.dictionary.role("terms_name"));
    for (code, name) in [("00", "Contant / vooraf betaald"), ("14", "14 dagen"), ("30", "30 dagen")] {
        row(tx, terms, code, json!({"DISC_CODE": code, name_field: name}));
    }
    for (code, name) in
        [("HOOG", "Artikelen hoog tarief"), ("LAAG", "Artikelen laag tarief"), ("VERZEND", "Verzending")]
    {
        row(tx, "ART_GRP", code, json!({"AG_CODE": code, "AG_DESC": name}));
    }
}

/// An article as an installation has it: price, VAT code and barcode under its own names.
pub(super) fn article(
    tx: &mut Tx<'_>,
    code: &str,
    name: &str,
    price: &str,
    group: &str,
    vat: &str,
    stock: Option<i64>,
) {
    let role = |role: &str| tx.dictionary.role(role).to_owned();
    let (price_field, vat_field) = (role("article_price"), role("article_vat"));
    let price: Value = serde_json::from_str(price).unwrap_or_default();
    let record = format!("A{:09}", tx.store.next_number("article record", 1));
    let made = json!({"ART_CODE": code, "ART_DESC1": name, "AG_CODE": group, price_field: price, vat_field: vat,
        "QTY_FREE2": stock.unwrap_or(0), "QTY_TECH": stock.unwrap_or(0), "REC_ID": record, "_stock": stock.is_some()});
    row(tx, "ARTICLE", code, made);
}

fn articles(tx: &mut Tx<'_>) {
    for (code, name, price, group, vat, stock) in [
        ("MOK-WIT", "Mok wit", "9.95", "HOOG", "4", Some(137)),
        ("POSTER-1", "Poster Zomer & strand", "10", "HOOG", "4", None),
        ("KOFFIE", "Koffiebonen 1kg", "18.3486", "LAAG", "2", Some(2)),
        ("DIENST-1", "Installatie aan huis", "75", "HOOG", "4", None),
        ("TSHIRT-ROOD-S", "T-shirt basic - Rood, S", "19.95", "HOOG", "4", Some(3)),
        ("TSHIRT-ROOD-M", "T-shirt basic - Rood, M", "19.95", "HOOG", "4", Some(0)),
        ("TSHIRT-BLAUW-L", "T-shirt basic - Blauw, L", "19.95", "HOOG", "4", Some(12)),
        ("GRAV-K", "Graveerplaat - Klein", "30", "HOOG", "4", None),
        ("VERZENDKOSTEN", "Verzendkosten", "6.95", "VERZEND", "4", None),
        ("TOESLAG", "Toeslag", "0", "HOOG", "4", None),
        ("KORTING", "Korting", "0", "HOOG", "4", None),
        ("DIVERS", "Diversen", "0", "HOOG", "4", None),
        ("AFRONDING", "Afronding", "0", "HOOG", "0", None),
    ] {
        article(tx, code, name, price, group, vat, stock);
    }
    let field = tx.dictionary.role("article_ean").to_owned();
    merge(tx, "ARTICLE", "MOK-WIT", json!({ field: "8710000000017" }));
}

/// Changes fields of a stored row.
pub(super) fn merge(tx: &mut Tx<'_>, table: &str, key: &str, values: Value) -> bool {
    let Some(Value::Object(mut fields)) = tx.store.get(&tx.table(table), key).cloned() else { return false };
    fields.extend(values.as_object().cloned().unwrap_or_default());
    tx.put(table, key, fields);
    true
}

/// A debtor.
pub(super) fn debtor(tx: &mut Tx<'_>, code: &str, name: &str, email: &str, extra: Value) {
    let search: String = name.to_uppercase().chars().take(10).collect();
    let made = json!({"SUB_NR": code, "ACCT_NAME": name, "SRC_CODE": search.trim_end(), "ACCT_NR": "1300",
        "MAIL_BUS": email, "CNT_CODE": "NL", "LNG_CODE": "NL", "CUR_CODE": "EUR", "DISC_CODE": "30", "ACCT_LINK": 1});
    row(tx, "CONTACT", code, made);
    merge(tx, "CONTACT", code, extra);
}

fn debtors(tx: &mut Tx<'_>) {
    debtor(tx, "10000", "Webshop klant", "relatie10000@example.test", json!({}));
    debtor(tx, "10001", "Prospect Papier", "relatie10001@example.test", json!({"ACCT_LINK": 0}));
    debtor(tx, "10002", "Geblokkeerd BV", "relatie10002@example.test", json!({"REC_BLK": true}));
    debtor(tx, "10003", "Geen Orders VOF", "relatie10003@example.test", json!({"BLK_SP": true}));
    debtor(tx, "50001", "Leverancier Hout", "inkoop@hout.example.test", json!({"ACCT_LINK": 2, "ACCT_NR": "1600"}));
}
