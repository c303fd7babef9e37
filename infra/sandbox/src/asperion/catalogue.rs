//! Articles and debtors for what goes between books and shop besides orders; and made-up articles by the thousand.

use chrono::Duration;
use serde_json::{Value, json};

use super::Tx;
use super::seeds::{article, debtor};
use crate::catalogue::{asked, told};
use crate::message::Reply;
use crate::text::{decimal, number, text};

/// `POST /_sandbox/catalogue`: articles and debtors of the demonstration, as if they had been there long.
pub(super) fn seeds(tx: &mut Tx<'_>) -> Reply {
    let now = tx.now;
    tx.now = now - Duration::days(400);
    jumpers(tx);
    loose(tx);
    debtors(tx);
    tx.now = now;
    Reply::empty(204)
}

/// One product in four articles: the product itself, colour and size in free fields.
fn jumpers(tx: &mut Tx<'_>) {
    for (colour, size, stock) in [("ROOD", "S", 10), ("ROOD", "M", 4), ("BLAUW", "S", 5), ("BLAUW", "M", 4)] {
        let name = format!("{}{}", &colour[..1], colour[1..].to_lowercase());
        let extra = json!({"longDescription": "Gebreide trui van zuivere wol. Met de hand wassen.", "currentStock": stock,
            "characteristic1": "TRUI", "characteristic2": name, "characteristic3": size, "characteristic4": "Noordwol",
            "characteristic5": "Winter"});
        let code = format!("TRUI-{colour}-{size}");
        article(tx, &code, &format!("Trui {} {size}", name.to_lowercase()), "59.5", "HOOG", extra);
    }
}

fn loose(tx: &mut Tx<'_>) {
    let ceramic =
        |stock: i64| json!({"currentStock": stock, "characteristic4": "Keramiekhuis", "characteristic5": "Hele jaar"});
    article(tx, "VAAS-GROEN", "Vaas groen", "17.5", "HOOG", ceramic(14));
    article(tx, "THEEPOT", "Theepot", "24.95", "HOOG", ceramic(6));
    article(tx, "KANDELAAR", "Kandelaar", "12.5", "HOOG", ceramic(9));
    article(tx, "ZONDER-SKU", "Zonder artikelnummer", "1", "HOOG", json!({}));
    article(tx, "CURSUS-BREIEN", "Cursus breien (online)", "45", "HOOG", json!({"unit": "uur"}));
    article(tx, "ZOMER-HOED", "Hoed zomer", "19.5", "HOOG", json!({"activeState": tx.switches.inactive}));
}

/// A company and a person, each with an address; two debtors with one e-mail address; one abroad.
fn debtors(tx: &mut Tx<'_>) {
    if tx.rows("debtors").into_iter().any(|row| row["customerNumber"] == "2001") {
        return;
    }
    let company = json!({"vatNumber": "NL123456789B01", "cocNumber": "12345678", "address": "Lindelaan 4",
        "postCode": "3511 AB", "city": "Utrecht", "phoneNumber": "030-1234567", "attentionTo": "Noor Visser",
        "debtorKindId": "ZAK", "characteristic4": "Wederverkoper", "characteristic5": "A"});
    debtor(tx, "2001", "Woonwinkel De Linde B.V.", "inkoop@delinde.example.test", company);
    let person = json!({"address": "Molenweg 9", "postCode": "9712 CD", "city": "Groningen", "mobileNumber": "0612345679",
        "debtorKindId": "PART", "characteristic4": "Consument"});
    debtor(tx, "2002", "Sanne Bakker", "sanne@example.test", person);
    debtor(tx, "2003", "Dubbel Een", "dubbel@example.test", json!({}));
    debtor(tx, "2004", "Dubbel Twee", "dubbel@example.test", json!({}));
    let abroad = json!({"countryCode": "DE", "vatNumber": "DE123456789", "address": "Hauptstrasse 1",
        "postCode": "10115", "city": "Berlin", "debtorKindId": "ZAK"});
    debtor(tx, "2005", "Fabrik GmbH", "einkauf@fabrik.example.test", abroad);
}

/// `POST /_sandbox/generate`: `{"seed":1,"n":1000,"differs_percent":50}`. An article that is there is put back as it was.
pub(super) fn generate(tx: &mut Tx<'_>, body: &Value) -> Result<Reply, String> {
    let articles = asked(body)?;
    for one in &articles {
        article(tx, &one.sku, &one.name, &one.price.to_string(), "HOOG", json!({"currentStock": one.stock}));
    }
    Ok(Reply::json(201, &told(&articles)))
}

/// `POST /_sandbox/stock`: `{"item":"MOK-WIT","current":5}` or a list of such: what receipts and counts do.
pub(super) fn stock(tx: &mut Tx<'_>, body: Value) -> Result<Reply, String> {
    let list = match body {
        Value::Array(list) => list,
        one => vec![one],
    };
    for one in &list {
        let code = text(one, "item");
        let row = tx.rows("articles").into_iter().find(|row| row["code"] == code).cloned();
        let mut row = row.ok_or_else(|| format!("stock: no item \"{code}\""))?;
        let current = one.get("current").and_then(decimal).ok_or("stock: current (a number) is missing")?;
        row["currentStock"] = number(current);
        let id = row["id"].to_string();
        tx.replace("articles", &id, row.as_object().cloned().unwrap_or_default());
    }
    Ok(Reply::json(200, &json!({"count": list.len()})))
}

/// `POST /_sandbox/book/{id}`: somebody posts a concept invoice, so it gets its number.
pub(super) fn book(tx: &mut Tx<'_>, id: &str) -> Result<Reply, String> {
    let mut row = tx.get("salesinvoiceswithlines", id).cloned().ok_or_else(|| format!("book: no invoice {id}"))?;
    if text(&row, "invoiceNumber").is_empty() {
        let sequence = format!("{}/invoiceNumber", tx.administration);
        row["invoiceNumber"] = json!(tx.store.next_number(&sequence, 20_260_001).to_string());
    }
    row["status"] = json!(3);
    tx.replace("salesinvoiceswithlines", id, row.as_object().cloned().unwrap_or_default());
    Ok(Reply::json(200, &row))
}
