//! The shop a sandbox starts with. Everything in it is made up; ids of statuses are data, as they are in real shops.

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use super::totals::{self, line, priced};
use super::{articles, categories, customers, dates, order_write, payments, reference};
use crate::state::Store;
use crate::text::dec;

/// The moment the seeds were made: 2026-11-22 06:08:00 UTC.
pub(super) fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_327_680, 0).unwrap_or_default()
}

/// Fills an empty store.
pub(super) fn fill(store: &mut Store) {
    lookups(store);
    goods(store);
    people(store);
    sales(store);
    for (name, last) in [("order", 2100), ("article", 600), ("category", 40), ("payment", 100)] {
        store.reserve_number(name, last);
    }
}

fn lookups(store: &mut Store) {
    for (id, name, credit) in [
        (1, "In behandeling", false),
        (2, "Verzonden", false),
        (3, "Betaald", false),
        (4, "Geannuleerd", false),
        (6, "Betaald & afgehaald", false),
        (10, "Creditorder", true),
    ] {
        store.put("statuses", &id.to_string(), json!({"status": id, "description": name, "credit_order": credit}));
    }
    let basic = ["advance", "cash", "card", "invoice", "pickup", "rembours"];
    for (name, shown, used, methods) in [
        ("basic", "Basis", true, &basic[..]),
        ("mollie", "Mollie", true, &["ideal", "creditcard", "bancontact", "paypal"][..]),
        ("paypal", "PayPal", false, &["paypal"][..]),
    ] {
        let methods: Vec<Value> = methods.iter().map(|name| json!({"name": name, "displayName": name})).collect();
        let row = json!({"name": name, "displayName": shown, "websiteUrl": "", "methods": methods, "_used": used});
        store.put("gateways", name, row);
    }
    let koffie = super::uuid_of(0xa7, 503);
    for (code, rate, low) in [("NL", "0.21", Some("0.09")), ("BE", "0.21", Some("0.06")), ("DE", "0.19", Some("0.07"))]
    {
        let overrides: Vec<Value> = low
            .iter()
            .map(|rate| json!({"taxRate": rate, "items": [{"type": "product", "references": [koffie]}]}))
            .collect();
        store.put(
            "regions",
            code,
            json!({"regionCode": code, "taxEnabled": true, "taxNumber": null, "taxRate": rate,
                "shippingTaxMethod": "fixed", "shippingTaxRate": rate, "transactionTaxMethod": "proportional",
                "transactionTaxRate": null, "overrides": overrides}),
        );
    }
    for (id, name, costs) in [("1", "PostNL pakket", "6.95"), ("2", "Afhalen", "0.00")] {
        let row = json!({"id": id, "display_name": name, "countries": ["NL", "BE", "DE"], "default": id == "1",
            "no_costs_above": "0.00", "_costs": costs});
        store.put("shipping_methods", id, row);
    }
    let id = super::uuid_of(0x0f, 1);
    let location = json!({"id": id, "name": "Winkel Groningen", "street": "Herestraat", "street_number": "1",
        "zipcode": "9711 LM", "city": "Groningen", "country_code": "NL", "country": "Nederland", "phone": "",
        "email": "", "note": "", "deleted": false});
    store.put("locations", &id, location);
    store.put("discount_codes", "tien", reference::discount_code(1, "tien", "10.00"));
}

/// An article of the shop, in category 11.
pub(super) fn article(id: i64, sku: &str, name: &str, price: &str, at: DateTime<Utc>) -> Value {
    let mut row = articles::fresh(id, at);
    row["sku"] = json!(sku);
    row["name"] = json!(name);
    row["price"]["default"] = json!(price);
    row["categories"] =
        json!([{"category_id": 11, "is_active": true, "is_main": true, "article_url_id": 8000 + id, "position": 1}]);
    row
}

fn goods(store: &mut Store) {
    let at = start() - Duration::days(30);
    for (id, parent, title) in
        [(11, Value::Null, "Assortiment"), (12, json!(11), "Kleding"), (13, json!(11), "Koffie & thee")]
    {
        store.put("categories", &id.to_string(), categories::fresh(id, parent, title, at));
    }
    let option = |id: i64, name: &str| json!({"id": id, "name": name, "price": "0.00"});
    let lists = [
        (31, "Kleur", vec![option(311, "Rood"), option(312, "Blauw")]),
        (32, "Maat", vec![option(321, "S"), option(322, "M"), option(323, "L")]),
        (33, "Formaat", vec![option(331, "K"), option(332, "G")]),
    ];
    for (id, name, options) in lists {
        store.put("lists", &id.to_string(), json!({"id": id, "name": name, "description": "", "options": options}));
    }
    for (id, sku, name, price) in [
        (501, "MOK-WIT", "Mok wit", "12.04"),
        (502, "POSTER-1", "Poster \"Zomer\" & <i>strand</i> één", "12.10"),
        (503, "KOFFIE", "Koffiebonen 1kg", "20.00"),
        (504, "DIENST-1", "Installatie aan huis", "90.75"),
        (505, "", "Zonder artikelnummer", "1.21"),
        (506, "TSHIRT", "T-shirt basic", "24.14"),
        (507, "GRAV", "Graveerplaat", "36.30"),
    ] {
        let mut row = article(id, sku, name, price, at);
        let choice = |list: i64, option: i64, name: &str| json!({"list_id": list, "option_id": option, "name": name});
        let variant = |id: i64, options: Vec<Value>, stock: i64| json!({"id": id, "options": options, "stock": stock, "can_backorder": false});
        match id {
            501 => {
                row["stock"] = json!(120);
                row["extra"] = json!({"visible": {}, "invisible": {"barcode": "8710000000017", "weight": "0.35"}});
            }
            502 => row["stock"] = json!(40),
            503 => row["categories"][0]["category_id"] = json!(13),
            506 => {
                row["lists"] = json!([{"id": 31, "has_images": false, "options": [{"id": 311, "image_ids": []}, {"id": 312, "image_ids": []}]},
                    {"id": 32, "has_images": false, "options": [{"id": 321, "image_ids": []}, {"id": 322, "image_ids": []}, {"id": 323, "image_ids": []}]}]);
                let mut variants = Vec::new();
                for (list, colour) in [(311, "Rood"), (312, "Blauw")] {
                    for (option, size) in [(321, "S"), (322, "M"), (323, "L")] {
                        let id = 7101 + variants.len() as i64;
                        variants.push(variant(id, vec![choice(31, list, colour), choice(32, option, size)], 10));
                    }
                }
                row["variants"] = json!(variants);
                row["categories"][0]["category_id"] = json!(12);
            }
            507 => {
                row["lists"] = json!([{"id": 33, "has_images": false, "options": [{"id": 331, "image_ids": []}, {"id": 332, "image_ids": []}]}]);
                row["variants"] =
                    json!([variant(7201, vec![choice(33, 331, "K")], 5), variant(7202, vec![choice(33, 332, "G")], 5)]);
            }
            _ => {}
        }
        store.put("articles", &id.to_string(), row);
    }
    store.reserve_number("variant", 7300);
    store.reserve_number("article_url", 9000);
}

fn people(store: &mut Store) {
    for (number, email, first, last, company) in [
        (1, "jan@example.test", "Jan", "de Vries", ""),
        (2, "inkoop@peeters.example.test", "Els", "Peeters", "Peeters BV"),
    ] {
        let mut row = customers::fresh(number, email, first, last);
        let mut address = customers::address(number, true);
        let (street, house, code, city, country) = if number == 1 {
            ("Dorpsstraat", "12b", "1234 AB", "Ons Dorp", "NL")
        } else {
            ("Meir", "1", "2000", "Antwerpen", "BE")
        };
        for (field, value) in [
            ("firstName", first),
            ("lastName", last),
            ("street", street),
            ("streetNumber", house),
            ("zipCode", code),
            ("city", city),
            ("countryCode", country),
        ] {
            address[field] = json!(value);
        }
        if !company.is_empty() {
            address["company"] = json!(company);
            address["taxNumber"] = json!("BE0123456789");
        }
        row["addresses"] = json!([address]);
        store.put("customers", &super::uuid_of(0xc0, number), row);
    }
    store.reserve_number("customer", 100);
    store.reserve_number("address", 100);
}

/// A buyer: name, company, e-mail, street, number, postcode, city, country.
pub(super) fn debtor(number: i64, of: [&str; 8], taxnumber: &str) -> Value {
    let [name, company, email, street, house, zipcode, city, country] = of;
    let address = json!({"gender": "", "name": name, "company": company, "phone": "0612345678", "street": street,
        "number": house, "zipcode": zipcode, "city": city, "country": country, "country_code": country});
    let mut invoice = address.clone();
    invoice["taxnumber"] = json!(taxnumber);
    invoice["bankaccount"] = json!("");
    json!({"id": super::uuid_of(0xde, number), "email": email, "name": name, "company": company, "gender": "",
        "phone": "0612345678", "bankaccount": "", "link_to_account": false,
        "address": {"invoice": invoice, "delivery": address}})
}

/// A line of an article with its unit price without VAT.
pub(super) fn sold(
    number: i64,
    article: (i64, &str, &str),
    unit: &str,
    rate: &str,
    quantity: i64,
    options: Value,
) -> Value {
    let (id, sku, name) = article;
    let shown = json!({"id": id, "description": name, "sku": sku, "options": options,
        "price": {"amount": unit, "rate": rate, "purchase_price": "0.00"}});
    let price = totals::article_price(&shown, quantity);
    let mut made = line(&super::uuid_of(0x11, number), "article", quantity, Some(name), vec![price]);
    made["articles"] = json!([shown]);
    made
}

/// A line without an article.
fn other(number: i64, kind: &str, text: Option<&str>, parts: &[(&str, &str)]) -> Value {
    let prices = parts.iter().map(|(rate, net)| priced(dec(rate), dec(net))).collect();
    line(&super::uuid_of(0x11, number), kind, 1, text, prices)
}

const MOK: (i64, &str, &str) = (501, "MOK-WIT", "Mok wit");
const POSTER: (i64, &str, &str) = (502, "POSTER-1", "Poster \"Zomer\" & <i>strand</i> één");
const KOFFIE: (i64, &str, &str) = (503, "KOFFIE", "Koffiebonen 1kg");

/// Number, status, way to pay, buyer, lines.
type Sale<'a> = (&'a str, i64, &'a str, [&'a str; 8], Vec<Value>);

fn sales(store: &mut Store) {
    let jan = ["Jan de Vries", "", "jan@example.test", "Dorpsstraat", "12b", "1234 AB", "Ons Dorp", "NL"];
    let els = ["Els Peeters", "Peeters BV", "inkoop@peeters.example.test", "Meir", "1", "2000", "Antwerpen", "BE"];
    let gast = ["Günther Müller", "", "gast@example.test", "Domstraße", "5", "50667", "Köln", "DE"];
    let zaak =
        ["Piet Bakker", "Bakker & Zn BV", "piet@bakker.example.test", "Markt", "3 bis", "9711 LM", "Groningen", "NL"];
    let chosen = |list: i64, name: &str| json!({"list_option_id": list, "description": name, "price": "0.000000"});
    let postnl = |n: i64, net: &str, rate: &str| other(n, "shipping", None, &[(rate, net)]);
    let none = || json!([]);
    let poster = |n: i64, quantity: i64| sold(n, POSTER, "10.000000", "21", quantity, none());
    let action = json!([{"description": "Action price", "price": "-3.305785"}]);
    let many = [("21", "0.173554"), ("9", "0.724771")];
    let orders: Vec<Sale> = vec![
        (
            "2001",
            3,
            "ideal",
            jan,
            vec![
                sold(1, MOK, "9.950413", "21", 3, none()),
                sold(2, KOFFIE, "18.348624", "9", 1, none()),
                postnl(3, "5.743802", "21"),
            ],
        ),
        (
            "2002",
            2,
            "rembours",
            jan,
            vec![
                sold(
                    4,
                    (506, "TSHIRT", "T-shirt basic"),
                    "19.950413",
                    "21",
                    2,
                    json!([chosen(311, "Rood"), chosen(321, "S")]),
                ),
                other(5, "payment", None, &[("21", "2.066116")]),
                postnl(6, "5.743802", "21"),
            ],
        ),
        (
            "2003",
            3,
            "advance",
            jan,
            vec![
                sold(7, MOK, "9.950413", "21", 10, none()),
                other(8, "custom", Some("Cadeauverpakking"), &[("21", "2.500000")]),
                other(9, "discount", Some("Korting tien"), &[("21", "-9.950413")]),
                postnl(10, "5.743802", "21"),
            ],
        ),
        ("2004", 1, "invoice", els, vec![sold(11, MOK, "9.950413", "0", 100, none())]),
        (
            "2005",
            6,
            "paypal",
            gast,
            vec![
                sold(12, (504, "DIENST-1", "Installatie aan huis"), "75.000000", "19", 1, none()),
                sold(13, (505, "", "Zonder artikelnummer"), "1.000000", "19", 2, none()),
            ],
        ),
        ("2006", 1, "advance", jan, vec![poster(14, 1)]),
        ("2007", 4, "ideal", jan, vec![poster(15, 1)]),
        ("2008", 1, "ideal", jan, vec![poster(16, 1)]),
        ("2009", 3, "ideal", jan, vec![poster(17, 2)]),
        (
            "2011",
            3,
            "ideal",
            jan,
            vec![
                sold(18, POSTER, "7.396694", "21", 2, action),
                sold(19, KOFFIE, "18.348624", "9", 1, none()),
                other(20, "payment", None, &many),
                postnl(21, "4.917355", "21"),
            ],
        ),
        (
            "2012",
            3,
            "invoice",
            zaak,
            vec![
                sold(22, (507, "GRAV", "Graveerplaat"), "30.000000", "21", 4, json!([chosen(331, "K")])),
                postnl(23, "5.743802", "21"),
            ],
        ),
        ("2013T", 3, "ideal", jan, vec![poster(24, 1)]),
        (
            "2014",
            3,
            "",
            jan,
            vec![poster(25, 1), other(26, "discount", Some("Korting welkom"), &[("21", "-10.000000")])],
        ),
    ];
    for (at, (number, status, method, buyer, lines)) in orders.into_iter().enumerate() {
        let at = i64::try_from(at).unwrap_or_default();
        let row = order(number, status, method, buyer, lines, start() + Duration::minutes(at));
        keep(store, row, method, at);
    }
    credit(store);
}

fn order(number: &str, status: i64, method: &str, buyer: [&str; 8], lines: Vec<Value>, at: DateTime<Utc>) -> Value {
    let mut row = order_write::blank(number, at);
    let business = !buyer[1].is_empty();
    let exempt = business && buyer[7] != "NL";
    row["status"] = json!(status);
    row["_status_changed"] = if status == 1 { Value::Null } else { dates::kept(at + Duration::minutes(5)) };
    row["tax_region"] = json!(buyer[7]);
    row["business_model"] = json!(if business { "B2B" } else { "B2C" });
    row["tax_strategy"] = json!(if exempt { "reverse_charged_vat" } else { "" });
    row["debtor"] = debtor(1 + buyer[2].len() as i64, buyer, if exempt { "BE0123456789" } else { "" });
    row["orderlines"] = Value::Array(lines);
    if business {
        row["reference"] = json!(format!("PO-{number}"));
    }
    if number == "2003" {
        row["discountcode"] = json!("tien");
        row["comments"]["customer"] = json!("Graag als cadeau inpakken.");
    }
    let (id, text, status_text) = match number {
        "2008" => (3, "Mislukt", "failed"),
        "2007" => (2, "Geannuleerd", "voided"),
        _ if status == 1 => (5, "In afwachting", "pending"),
        _ => (1, "Geslaagd", "captured"),
    };
    if !method.is_empty() {
        let gateway = if ["ideal", "paypal"].contains(&method) { "mollie" } else { "basic" };
        row["payment"] = json!({"gateway_name": gateway, "method_name": method, "status": {"id": id, "text": text}});
        row["payment_status"] = json!(status_text);
    }
    let code = row["tax_region"].clone();
    if row["orderlines"].as_array().is_some_and(|lines| lines.iter().any(|line| line["type"] == "shipping")) {
        row["shipping"] = json!([{"country": {"description": code, "isocode": code}}]);
    }
    totals::settle(&mut row);
    row
}

fn keep(store: &mut Store, row: Value, method: &str, at: i64) {
    if row["payment_status"] == "captured" {
        let gateway = row["payment"]["gateway_name"].as_str().unwrap_or("basic").to_owned();
        let payment = payments::paid(at + 1, &row, &gateway, method, start() + Duration::minutes(at + 2));
        store.put("payments", &super::uuid_of(0xfa, at + 1), payment);
    }
    let number = row["number"].as_str().unwrap_or_default().to_owned();
    store.put("orders", &number, row);
}

/// 2010 gives back one of the two posters of 2009.
fn credit(store: &mut Store) {
    let Some(mut original) = store.get("orders", "2009").cloned() else { return };
    original["credit_order_numbers"] = json!(["2010"]);
    let mut row = order_write::blank("2010", start() + Duration::minutes(20));
    for field in ["debtor", "tax_region", "tax_strategy", "business_model", "shipping"] {
        row[field] = original[field].clone();
    }
    row["status"] = json!(10);
    row["_status_changed"] = dates::kept(start() + Duration::minutes(20));
    row["credited_order_number"] = json!("2009");
    let mut made = original["orderlines"][0].clone();
    made["id"] = json!(super::uuid_of(0x11, 27));
    made["_of"] = original["orderlines"][0]["id"].clone();
    made["quantity"] = json!(-1);
    made["price"] = json!([priced(dec("21"), dec("-10"))]);
    row["orderlines"] = json!([made]);
    totals::settle(&mut row);
    store.put("orders", "2009", original);
    store.put("orders", "2010", row);
}
