//! The administration a sandbox starts with, made to fit the recorded orders of the shop.

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use super::problem::Words;
use super::{ADMINISTRATION, DEFAULT_ADMINISTRATION, FOREIGN_ADMINISTRATION, Switches, Tx};
use crate::state::Store;

/// Fills an empty store.
pub(super) fn fill(store: &mut Store, switches: &Switches, now: DateTime<Utc>) {
    for (id, name, open) in [
        (DEFAULT_ADMINISTRATION, "Eigen administratie", true),
        (ADMINISTRATION, "Koppel Sandbox B.V.", true),
        (FOREIGN_ADMINISTRATION, "Van iemand anders", false),
    ] {
        let number: i64 = id.parse().unwrap_or_default();
        store.put("administrations", id, json!({"id": number, "name": name, "_open": open}));
    }
    // Everything was there long before the first call.
    let mut tx = Tx {
        store,
        switches,
        site: "",
        administration: ADMINISTRATION.into(),
        now: now - Duration::days(400),
        words: Words { dutch: true },
    };
    ledger(&mut tx);
    vat(&mut tx);
    lists(&mut tx);
    articles(&mut tx);
    debtors(&mut tx);
}

fn add(tx: &mut Tx<'_>, table: &str, row: Value) {
    tx.insert(table, row.as_object().cloned().unwrap_or_default());
}

fn ledger(tx: &mut Tx<'_>) {
    for (id, description, kind, vat, disabled) in [
        (1290, "Tussenrekening webshop", 1, "", false),
        (1300, "Debiteuren", 1, "", false),
        (1510, "Btw af te dragen", 1, "", false),
        (3000, "Voorraad", 1, "", false),
        (4990, "Afrondingsverschillen", 2, "", false),
        (7000, "Kostprijs omzet", 2, "", false),
        (8000, "Omzet hoog tarief", 2, "1", false),
        (8010, "Omzet laag tarief", 2, "2", false),
        (8020, "Omzet verzendkosten", 2, "1", false),
        (8030, "Omzet buitenland", 2, "5", false),
        (8900, "Omzet projecten", 2, "1", false),
        (8999, "Omzet oud", 2, "1", true),
    ] {
        let vat = if vat.is_empty() { Value::Null } else { json!(vat) };
        add(
            tx,
            "ledgeraccounts",
            json!({"id": id, "type": kind, "description": description, "vatCode": vat,
            "disabled": disabled, "rcsfi": null}),
        );
    }
    for (id, description, kind) in [
        ("70", "Verkoopboek", "Sales"),
        ("71", "Verkoopboek webshop", "Sales"),
        ("90", "Memoriaal", "Memorial"),
        ("20", "Bank", "Bank"),
        ("60", "Inkoopboek", "Purchase"),
    ] {
        add(tx, "journals", json!({"id": id, "description": description, "type": kind}));
    }
}

fn vat(tx: &mut Tx<'_>) {
    for (id, description, sales, percent, default, from, until, country) in [
        ("1", "Btw hoog 21%", true, 21, true, "2012-10-01", "", "NL"),
        ("2", "Btw laag 9%", true, 9, false, "2019-01-01", "", "NL"),
        ("3", "Btw laag 6%", true, 6, false, "2001-01-01", "2018-12-31", "NL"),
        ("0", "Geen btw", true, 0, false, "", "", "NL"),
        ("5", "Intracommunautaire levering 0%", true, 0, false, "", "", "NL"),
        ("DE1", "OSS Duitsland 19%", true, 19, false, "2021-07-01", "", "DE"),
        ("DE2", "OSS Duitsland 7%", true, 7, false, "2021-07-01", "", "DE"),
        ("BE1", "OSS België 21%", true, 21, false, "2021-07-01", "", "BE"),
        ("BE2", "OSS België 6%", true, 6, false, "2021-07-01", "", "BE"),
        ("I1", "Btw inkoop hoog 21%", false, 21, false, "2012-10-01", "", "NL"),
    ] {
        let day = |text: &str| if text.is_empty() { Value::Null } else { json!(format!("{text}T00:00:00")) };
        add(
            tx,
            "vatcodes",
            json!({"id": id, "description": description, "salesCode": sales, "percentage": percent,
            "isDefault": default, "validFrom": day(from), "validUntil": day(until), "countryCode": country}),
        );
    }
}

fn lists(tx: &mut Tx<'_>) {
    for (id, description) in [(1, "Contant / vooraf betaald"), (14, "14 dagen"), (30, "30 dagen")] {
        add(tx, "paymentconditions", json!({"id": id, "description": description}));
    }
    for (id, description, code) in [(1, "Webshop", "WEB"), (2, "Algemeen", "ALG")] {
        add(tx, "costcenters", json!({"id": id, "description": description, "conversionCode": code}));
    }
    add(tx, "costunits", json!({"id": 1, "description": "Algemeen", "conversionCode": "001"}));
    for (id, description, account, vat) in [
        ("HOOG", "Artikelen hoog tarief", 8000, "1"),
        ("LAAG", "Artikelen laag tarief", 8010, "2"),
        ("NUL", "Artikelen zonder btw", 8030, "0"),
        ("VERZEND", "Verzending", 8020, "1"),
    ] {
        add(
            tx,
            "salestypes",
            json!({"id": id, "description": description, "ledgerAccountId": account, "vatCode": vat}),
        );
    }
}

/// An article; what else differs is merged in.
pub(super) fn article(tx: &mut Tx<'_>, code: &str, name: &str, price: &str, sales_type: &str, extra: Value) {
    let price: Value = serde_json::from_str(price).unwrap_or_default();
    let mut row = json!({"code": code, "description": name, "unit": "stuk", "price": price, "salesTypeId": sales_type,
        "activeState": tx.switches.active});
    for (field, value) in extra.as_object().into_iter().flatten() {
        row[field] = value.clone();
    }
    let known = tx.rows("articles").into_iter().find(|row| row["code"] == code).map(|row| row["id"].to_string());
    match known {
        Some(id) => {
            row["id"] = serde_json::from_str(&id).unwrap_or_default();
            tx.replace("articles", &id, row.as_object().cloned().unwrap_or_default());
        }
        None => add(tx, "articles", row),
    }
}

fn articles(tx: &mut Tx<'_>) {
    for (code, description, price, sales_type, stock) in [
        ("MOK-WIT", "Mok wit", "9.95", "HOOG", Some(137)),
        ("POSTER-1", "Poster Zomer & strand", "10", "HOOG", None),
        ("KOFFIE", "Koffiebonen 1kg", "18.35", "LAAG", Some(2)),
        ("DIENST-1", "Installatie aan huis", "75", "HOOG", None),
        ("TSHIRT-ROOD-S", "T-shirt basic - Rood, S", "19.95", "HOOG", Some(3)),
        ("TSHIRT-ROOD-M", "T-shirt basic - Rood, M", "19.95", "HOOG", Some(0)),
        ("TSHIRT-BLAUW-L", "T-shirt basic - Blauw, L", "19.95", "HOOG", Some(12)),
        ("GRAV-K", "Graveerplaat - Klein", "30", "HOOG", None),
        ("VERZENDKOSTEN", "Verzendkosten", "6.95", "VERZEND", None),
        ("TOESLAG", "Toeslag", "0", "HOOG", None),
        ("KORTING", "Korting", "0", "HOOG", None),
        ("DIVERS", "Diversen", "0", "HOOG", None),
        ("AFRONDING", "Afronding", "0", "NUL", None),
    ] {
        let extra = stock.map_or(json!({}), |stock| json!({"currentStock": stock}));
        article(tx, code, description, price, sales_type, extra);
    }
    let ended = json!({"activeState": tx.switches.inactive});
    article(tx, "VERLOPEN", "Uitlopend artikel", "5", "HOOG", ended);
}

/// A debtor; what else differs is merged in.
pub(super) fn debtor(tx: &mut Tx<'_>, number: &str, name: &str, email: &str, extra: Value) {
    let at = super::values::local(tx.now);
    let mut row = json!({"customerNumber": number, "name": name, "emailAddress": email, "countryCode": "NL",
        "debtorKindId": "STD", "paymentConditionId": 30, "blocked": false, "noReminder": false, "directDebit": false,
        "dateAdded": at, "dateLastChange": at});
    for (field, value) in extra.as_object().into_iter().flatten() {
        row[field] = value.clone();
    }
    add(tx, "debtors", row);
}

fn debtors(tx: &mut Tx<'_>) {
    debtor(tx, "10000", "Webshop klant", "relatie10000@example.test", json!({}));
    debtor(tx, "10002", "Geblokkeerd BV", "relatie10002@example.test", json!({"blocked": true}));
    // One address is a part of the other.
    debtor(tx, "10004", "Marjan de Vries", "marjan@example.test", json!({}));
    debtor(tx, "10005", "Jan de Vries", "jan@example.test", json!({}));
    let sequence = format!("{}/customerNumber", tx.administration);
    tx.store.reserve_number(&sequence, 10_005);
}
