//! The administration a sandbox starts with, made to fit the recorded orders of the shop: the same article numbers as
//! the other books have.

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use super::Switches;
use super::rows::{Fields, Tx};
use super::rules::{customers, items, people, prices};
use super::setup;
use super::stock;
use crate::message::Reply;
use crate::state::Store;

/// An object as fields.
pub(super) fn plain(value: Value) -> Fields {
    value.as_object().cloned().unwrap_or_default()
}

/// A seed that the rules refuse is a mistake of the sandbox; it is told, and the tests count rows.
pub(super) fn must(made: Result<String, Reply>) -> String {
    made.unwrap_or_else(|reply| {
        tracing::error!(body = %String::from_utf8_lossy(&reply.body), "a seed was refused");
        String::new()
    })
}

/// Puts a row as it is.
pub(super) fn row(tx: &mut Tx<'_>, table: &str, key: &str, row: Value) {
    tx.put(table, key, plain(row));
}

/// Fills an empty store.
pub(super) fn fill(store: &mut Store, now: DateTime<Utc>) {
    let switches = Switches::default();
    // Everything was there long before the first call.
    let mut tx = Tx { store, switches: &switches, site: "", now: now - Duration::days(400) };
    setup::ledger(&mut tx);
    setup::periods(&mut tx, now);
    setup::places(&mut tx);
    setup::vat(&mut tx);
    setup::terms(&mut tx);
    setup::classes(&mut tx);
    articles(&mut tx);
    people(&mut tx);
    class_prices(&mut tx);
}

/// An article by the rules; the class decides what was left out.
pub(super) fn item(tx: &mut Tx<'_>, number: &str, description: &str, price: &str, class: &str, extra: Value) -> String {
    let price: Value = serde_json::from_str(price).unwrap_or_default();
    let mut input =
        json!({"inventoryNumber": number, "description": description, "defaultPrice": price, "itemClass": class});
    for (name, value) in extra.as_object().into_iter().flatten() {
        input[name] = value.clone();
    }
    must(items::create(tx, plain(input)))
}

fn articles(tx: &mut Tx<'_>) {
    let low = json!({"vatCode": "LAAG", "postingClass": "LAAG"});
    for (number, description, price, class, extra, there) in [
        (
            "MOK-WIT",
            "Mok wit",
            "9.95",
            "HANDEL",
            json!({"crossReferences": [{"alternateType": "Barcode", "alternateID": "8710000000017"}]}),
            Some(137),
        ),
        ("POSTER-1", "Poster Zomer & strand", "10", "DIENST", json!({}), None),
        ("KOFFIE", "Koffiebonen 1kg", "18.3486", "HANDEL", low, Some(2)),
        ("DIENST-1", "Installatie aan huis", "75", "DIENST", json!({"type": "ServiceItem"}), None),
        ("TSHIRT-ROOD-S", "T-shirt basic - Rood, S", "19.95", "KLEDING", json!({}), Some(3)),
        ("TSHIRT-ROOD-M", "T-shirt basic - Rood, M", "19.95", "KLEDING", json!({}), Some(0)),
        ("TSHIRT-BLAUW-L", "T-shirt basic - Blauw, L", "19.95", "KLEDING", json!({}), Some(12)),
        ("GRAV-K", "Graveerplaat - Klein", "30", "DIENST", json!({}), None),
        ("VERZENDKOSTEN", "Verzendkosten", "6.95", "TOESLAG", json!({}), None),
        ("TOESLAG", "Toeslag", "0", "TOESLAG", json!({"postingClass": "HOOG"}), None),
        ("KORTING", "Korting", "0", "TOESLAG", json!({"postingClass": "HOOG"}), None),
        ("DIVERS", "Diversen", "0", "DIENST", json!({}), None),
        ("AFRONDING", "Afronding", "0", "TOESLAG", json!({"vatCode": "NUL", "salesAccount": "4990"}), None),
        ("NIET-VERKOOP", "Grondstof (geen verkoopartikel)", "0", "DIENST", json!({"status": "NoSales"}), None),
        ("VERLOPEN", "Uitlopend artikel", "5", "DIENST", json!({"status": "Inactive"}), None),
    ] {
        let number = item(tx, number, description, price, class, extra);
        if let Some(there) = there {
            stock::set(tx, &number, "1", &[("onHand", there.into())]);
        }
    }
}

/// A customer with a number of his own.
pub(super) fn customer(tx: &mut Tx<'_>, number: &str, name: &str, class: &str, email: &str, extra: Value) -> String {
    let mut input = json!({"number": number, "overrideNumberSeries": true, "name": name, "customerClassId": class,
        "overrideWithClassValues": true, "mainAddress": {"addressLine1": "Dorpsstraat 1", "postalCode": "3511 AA",
        "city": "Utrecht", "countryId": "NL"}, "mainContact": {"name": name, "email": email}});
    for (field, value) in extra.as_object().into_iter().flatten() {
        input[field] = value.clone();
    }
    must(customers::create(tx, plain(input)))
}

fn people(tx: &mut Tx<'_>) {
    for (number, name, class, extra) in [
        ("10000", "Webshop klant", "PART", json!({})),
        ("10002", "Geblokkeerd BV", "ZAKELIJK", json!({"status": "OnHold"})),
        ("10003", "Gestopt VOF", "ZAKELIJK", json!({"status": "Inactive"})),
        ("10004", "Zonder Voorwaarde BV", "ZONDER", json!({})),
        ("10005", "Krediet Op BV", "ZAKELIJK", json!({"status": "CreditHold"})),
    ] {
        customer(tx, number, name, class, &format!("relatie{number}@example.test"), extra);
    }
    let contact =
        json!({"lastName": "Visser", "firstName": "Noor", "businessAccount": "10000", "email": "noor@example.test"});
    must(people::create_contact(tx, plain(contact)));
}

/// Prices of both classes, one of them from ten pieces.
fn class_prices(tx: &mut Tx<'_>) {
    for (code, item, price, quantity) in [
        ("DEALER", "MOK-WIT", "7.95", 0),
        ("DEALER", "MOK-WIT", "6.95", 10),
        ("GROOTHANDEL", "MOK-WIT", "5.95", 0),
        ("DEALER", "KOFFIE", "15.5", 0),
        ("GROOTHANDEL", "TSHIRT-ROOD-S", "12.5", 0),
    ] {
        let price: Value = serde_json::from_str(price).unwrap_or_default();
        let input = json!({"priceType": "CustomerPriceClass", "priceCode": code, "inventoryId": item, "price": price, "breakQty": quantity});
        must(prices::create(tx, plain(input)));
    }
}
