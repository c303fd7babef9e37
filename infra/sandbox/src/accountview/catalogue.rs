//! Articles and customers for what goes between books and shop besides orders; and made-up articles by the thousand.

use chrono::Duration;
use serde_json::{Value, json};

use super::Tx;
use super::seeds::{article, debtor, merge, row};
use crate::catalogue::{asked, told};
use crate::message::Reply;

/// `POST /_sandbox/catalogue`: articles and debtors of the demonstration, as if they had been there long.
pub(super) fn seeds(tx: &mut Tx<'_>) -> Reply {
    let now = tx.now;
    tx.now = now - Duration::days(400);
    for (code, name) in [("KLEDING", "Kleding"), ("WONEN", "Wonen & koken")] {
        row(tx, "ART_GRP", code, json!({"AG_CODE": code, "AG_DESC": name}));
    }
    for (at, (colour, size, stock)) in
        [("ROOD", "S", 10), ("ROOD", "M", 4), ("BLAUW", "S", 5), ("BLAUW", "M", 4)].into_iter().enumerate()
    {
        let name = format!("Trui {} {size}", colour.to_lowercase());
        let code = format!("TRUI-{colour}-{size}");
        article(tx, &code, &name, "59.5", "KLEDING", "4", Some(stock));
        barcode(tx, &code, &format!("871000000010{at}"));
        // The second installation has a field of its own for the parent.
        if tx.dictionary.table("ARTICLE").is_some_and(|table| table.field("X11_PARENT").is_some()) {
            merge(tx, "ARTICLE", &code, json!({"X11_PARENT": "TRUI"}));
        }
    }
    for (code, name, price, stock, ean) in [
        ("VAAS-GROEN", "Vaas groen", "17.5", Some(14), "8710000000222"),
        ("THEEPOT", "Theepot", "24.95", Some(6), "8710000000239"),
        ("KANDELAAR", "Kandelaar", "12.5", Some(9), "8710000000246"),
        ("ZONDER-SKU", "Zonder artikelnummer", "1", None, ""),
        ("CURSUS-BREIEN", "Cursus breien (online)", "45", None, ""),
    ] {
        article(tx, code, name, price, "WONEN", "4", stock);
        barcode(tx, code, ean);
    }
    // Less is free than lies on the shelf.
    merge(tx, "ARTICLE", "VAAS-GROEN", json!({"QTY_FREE2": 11}));
    customers(tx);
    tx.now = now;
    Reply::empty(204)
}

fn barcode(tx: &mut Tx<'_>, code: &str, ean: &str) {
    let field = tx.dictionary.role("article_ean").to_owned();
    merge(tx, "ARTICLE", code, json!({ field: ean }));
}

/// A company with its contact person, a person, two with one e-mail address, a German company.
fn customers(tx: &mut Tx<'_>) {
    let company = json!({"MAIN_CONT": "Noor Visser", "MC_MAILB": "noor@delinde.example.test", "VAT_NR": "NL123456789B01",
        "COC_CODE": "12345678", "ADDRESS1": "Lindelaan 4", "POST_CODE": "3511 AB", "CITY": "Utrecht", "APX_LIST": "DEAL",
        "DISC_PCT": 5, "TEL_BUS": "030-1234567"});
    debtor(tx, "2001", "Woonwinkel De Linde B.V.", "inkoop@delinde.example.test", company);
    let person =
        json!({"ADDRESS1": "Molenweg 9", "POST_CODE": "9712 CD", "CITY": "Groningen", "TEL_BUS": "0612345679"});
    debtor(tx, "2002", "Sanne Bakker", "sanne@example.test", person);
    debtor(tx, "2003", "Dubbel Een", "dubbel@example.test", json!({}));
    debtor(tx, "2004", "Dubbel Twee", "dubbel@example.test", json!({}));
    let german = json!({"CNT_CODE": "DE", "LNG_CODE": "DE", "VAT_NR": "DE123456789", "ADDRESS1": "Hauptstrasse 1",
        "POST_CODE": "10115", "CITY": "Berlin"});
    debtor(tx, "2005", "Fabrik GmbH", "einkauf@fabrik.example.test", german);
}

/// `POST /_sandbox/generate`: `{"seed":1,"n":1000,"differs_percent":50}`. An article that is there is put back as it was.
pub(super) fn generate(tx: &mut Tx<'_>, body: &Value) -> Result<Reply, String> {
    let articles = asked(body)?;
    for one in &articles {
        article(tx, &one.sku, &one.name, &one.price.to_string(), "HOOG", "4", Some(one.stock));
        barcode(tx, &one.sku, &one.ean);
    }
    Ok(Reply::json(201, &told(&articles)))
}

/// `POST /_sandbox/stock`: `{"item":"MOK-WIT","free":5,"technical":6}` or a list of such. The change date stays.
pub(super) fn stock(tx: &mut Tx<'_>, body: Value) -> Result<Reply, String> {
    let list = match body {
        Value::Array(list) => list,
        one => vec![one],
    };
    let table = tx.table("ARTICLE");
    for one in &list {
        let code = one["item"].as_str().unwrap_or_default();
        let mut article = tx.store.get(&table, code).cloned().ok_or_else(|| format!("stock: no item \"{code}\""))?;
        for (from, to) in [("free", "QTY_FREE2"), ("technical", "QTY_TECH")] {
            if one[from].is_number() {
                article[to] = one[from].clone();
            }
        }
        tx.store.put(&table, code, article);
    }
    Ok(Reply::json(200, &json!({"count": list.len()})))
}
