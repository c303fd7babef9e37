//! Articles and customers for what goes between books and shop besides orders; and made-up articles by the thousand.

use chrono::Duration;
use serde_json::{Value, json};

use super::files;
use super::rows::Tx;
use super::rules::{people, prices};
use super::seeds::{customer, item, must, plain};
use super::stock;
use crate::catalogue::{asked, told};
use crate::message::Reply;
use crate::pictures;

fn barcode(code: &str) -> Value {
    json!([{"alternateType": "Barcode", "alternateID": code}])
}

fn categories(tx: &mut Tx<'_>, number: &str, ids: &[i64]) {
    let Some(mut row) = tx.fields("inventory", number) else { return };
    let shown = ids.iter().map(|id| {
        let row = tx.get("salescategory", &id.to_string()).cloned().unwrap_or_default();
        json!({"categoryId": id, "description": row["description"]})
    });
    row.insert("salesCategories".into(), shown.collect());
    tx.put("inventory", number, row);
}

fn picture(tx: &mut Tx<'_>, number: &str, name: &str) {
    files::add(tx, "inventory", number, &format!("{name}.png"), &pictures::png(name, 16));
}

/// `POST /_sandbox/catalogue`: articles, stock, prices and customers of the demonstration, as if they had been there long.
pub(super) fn seeds(tx: &mut Tx<'_>) -> Reply {
    let now = tx.now;
    tx.now = now - Duration::days(400);
    jumpers(tx);
    loose(tx);
    price_rows(tx);
    customers(tx);
    tx.now = now;
    Reply::empty(204)
}

/// One product in four articles: the API has no variants, so colour, size and the product itself are attributes.
fn jumpers(tx: &mut Tx<'_>) {
    for (at, (colour, size, here, there, coming, going)) in
        [("ROOD", "S", 8, 2, 0, 1), ("ROOD", "M", 0, 4, 20, 0), ("BLAUW", "S", 5, 0, 0, 5), ("BLAUW", "M", 3, 1, 10, 2)]
            .into_iter()
            .enumerate()
    {
        let name = format!("{}{}", &colour[..1], colour[1..].to_lowercase());
        let number = format!("TRUI-{colour}-{size}");
        let attributes: Vec<Value> =
            [("HOOFDART", "TRUI"), ("KLEUR", name.as_str()), ("MAAT", size), ("MERK", "NOORD")]
                .map(|(id, value)| json!({"attributeId": id, "attributeValue": value}))
                .into();
        let extra = json!({"body": "<p>Gebreide trui van zuivere wol. Met de hand wassen.</p>", "attributeLines": attributes,
            "crossReferences": barcode(&format!("871000000010{at}")),
            "packaging": {"baseItemWeight": 0.6, "weightUOM": "kg"}});
        item(tx, &number, &format!("Trui {} {size}", name.to_lowercase()), "59.5", "KLEDING", extra);
        categories(tx, &number, &[2, 3]);
        picture(tx, &number, &format!("trui-{}", colour.to_lowercase()));
        let (coming, going): (i64, i64) = (coming, going);
        let planned = [("onHand", here.into()), ("purchaseOrders", coming.into()), ("soBooked", going.into())];
        stock::set(tx, &number, "1", &planned);
        stock::set(tx, &number, "2", &[("onHand", there.into())]);
    }
}

fn loose(tx: &mut Tx<'_>) {
    let brand = json!([{"attributeId": "MERK", "attributeValue": "KERAM"}]);
    for (number, description, price, code, here, going) in [
        ("VAAS-GROEN", "Vaas groen", "17.5", "8710000000222", 14, 3),
        ("THEEPOT", "Theepot", "24.95", "8710000000239", 6, 0),
        ("KANDELAAR", "Kandelaar", "12.5", "8710000000246", 9, 0),
    ] {
        item(
            tx,
            number,
            description,
            price,
            "HANDEL",
            json!({"attributeLines": brand, "crossReferences": barcode(code)}),
        );
        categories(tx, number, &[1]);
        picture(tx, number, &number.to_lowercase());
        let (here, going): (i64, i64) = (here, going);
        stock::set(tx, number, "1", &[("onHand", here.into()), ("soBooked", going.into())]);
    }
    let hidden = json!([{"attributeId": "WEBSHOP", "attributeValue": "0"}]);
    item(tx, "ZONDER-SKU", "Zonder artikelnummer", "1", "DIENST", json!({}));
    item(
        tx,
        "CURSUS-BREIEN",
        "Cursus breien (online)",
        "45",
        "DIENST",
        json!({"type": "ServiceItem", "baseUnit": "uur", "salesUnit": "uur", "purchaseUnit": "uur"}),
    );
    item(tx, "TRUI-INTERN", "Trui, alleen winkel", "59.5", "KLEDING", json!({"attributeLines": hidden}));
    item(tx, "VOORJAAR-SJAAL", "Sjaal voorjaar", "22.5", "KLEDING", json!({"status": "Inactive"}));
    item(tx, "ZOMER-HOED", "Hoed zomer", "19.5", "KLEDING", json!({"status": "NoSales"}));
    item(tx, "VERWIJDERD", "Verwijderd artikel", "5", "HANDEL", json!({"status": "MarkedForDeletion"}));
    item(tx, "MAAT/42 & +", "Artikel met leestekens in het nummer", "3", "DIENST", json!({}));
}

/// Prices from ten pieces, in another currency, for classes, for one customer later on, and one that is over.
fn price_rows(tx: &mut Tx<'_>) {
    for extra in [
        json!({"inventoryId": "VAAS-GROEN", "price": 15, "breakQty": 10}),
        json!({"inventoryId": "VAAS-GROEN", "price": 19.5, "currency": "USD"}),
        json!({"priceType": "CustomerPriceClass", "priceCode": "DEALER", "inventoryId": "VAAS-GROEN", "price": 14}),
        json!({"priceType": "CustomerPriceClass", "priceCode": "DEALER", "inventoryId": "VAAS-GROEN", "price": 12.5, "breakQty": 10}),
        json!({"priceType": "CustomerPriceClass", "priceCode": "DEALER", "inventoryId": "THEEPOT", "price": 19.95}),
        json!({"priceType": "CustomerPriceClass", "priceCode": "GROOTHANDEL", "inventoryId": "THEEPOT", "price": 17.5}),
        json!({"priceType": "CustomerPriceClass", "priceCode": "GROOTHANDEL", "inventoryId": "KANDELAAR", "price": 8,
            "effectiveDate": "2020-01-01T00:00:00", "expirationDate": "2020-12-31T00:00:00"}),
    ] {
        must(prices::create(tx, plain(extra)));
    }
}

/// A company with two contacts, a price class and its own address to deliver to; a person; two with one e-mail address.
fn customers(tx: &mut Tx<'_>) {
    let address = |line: &str, code: &str, city: &str, country: &str| json!({"addressLine1": line, "postalCode": code, "city": city, "countryId": country});
    customer(
        tx,
        "2001",
        "Woonwinkel De Linde B.V.",
        "ZAKELIJK",
        "inkoop@delinde.example.test",
        json!({
        "vatRegistrationId": "NL123456789B01", "corporateId": "12345678", "priceClassId": "DEALER",
        "mainAddress": address("Lindelaan 4", "3511 AB", "Utrecht", "NL"),
        "deliveryAddress": address("Magazijnweg 12", "3542 AD", "Utrecht", "NL")}),
    );
    customer(
        tx,
        "2002",
        "Sanne Bakker",
        "PART",
        "sanne@example.test",
        json!({
        "mainAddress": address("Molenweg 9", "9712 CD", "Groningen", "NL")}),
    );
    customer(tx, "2003", "Dubbel Een", "PART", "dubbel@example.test", json!({}));
    customer(tx, "2004", "Dubbel Twee", "PART", "dubbel@example.test", json!({}));
    customer(
        tx,
        "2005",
        "Fabrik GmbH",
        "ZAK-EU",
        "einkauf@fabrik.example.test",
        json!({
        "vatRegistrationId": "DE123456789", "priceClassId": "GROOTHANDEL",
        "mainAddress": address("Hauptstrasse 1", "10115", "Berlin", "DE")}),
    );
    for (first, last, email) in
        [("Noor", "Visser", "noor@delinde.example.test"), ("Tom", "Smit", "tom@delinde.example.test")]
    {
        let contact = json!({"firstName": first, "lastName": last, "email": email, "businessAccount": "2001"});
        must(people::create_contact(tx, plain(contact)));
    }
    let shop = json!({"baccountId": "2001", "locationId": "FILIAAL", "locationName": "Filiaal Zeist",
        "address": address("Slotlaan 20", "3701 GM", "Zeist", "NL")});
    must(people::create_location(tx, plain(shop)));
}

/// `POST /_sandbox/generate`: `{"seed":1,"n":1000,"differs_percent":50}`. An article that is there keeps what it is; its
/// stock is put back.
pub(super) fn generate(tx: &mut Tx<'_>, body: &Value) -> Result<Reply, String> {
    let articles = asked(body)?;
    for article in &articles {
        if tx.get("inventory", &article.sku).is_none() {
            let extra = json!({"crossReferences": barcode(&article.ean)});
            item(tx, &article.sku, &article.name, &article.price.to_string(), "HANDEL", extra);
        }
        stock::set(tx, &article.sku, "1", &[("onHand", article.stock.into())]);
    }
    Ok(Reply::json(201, &told(&articles)))
}
