//! The shop a sandbox starts with: the articles of the other stand-ins and people that do not exist. Prices include VAT.

use serde_json::{Value, json};

use super::people::{Delivery, Person};
use super::{orders, properties, seed_orders, variants};
use crate::state::Store;
use crate::text::dec;

pub(super) const AT: &str = "2026-11-22T05:08:04Z";

pub(super) const JAN: Person<'static> = Person {
    first: "Jan",
    last: "de Vries",
    company: "",
    street: "Dorpsstraat",
    number: 12,
    suffix: "b",
    zipcode: "1234 AB",
    city: "Ons Dorp",
    country: "NL",
    email: "jan@example.test",
    phone: "0612345678",
    btw: "",
    kvk: "",
};
pub(super) const ELS: Person<'static> = Person {
    first: "Els",
    last: "Peeters",
    company: "Peeters BV",
    street: "Kerkstraat",
    number: 5,
    suffix: "",
    zipcode: "2000",
    city: "Antwerpen",
    country: "BE",
    email: "inkoop@peeters.example.test",
    btw: "BE0123456789",
    ..JAN
};
pub(super) const GUENTHER: Person<'static> = Person {
    first: "Günther",
    last: "Groß",
    street: "Hauptstraße",
    number: 3,
    suffix: "",
    zipcode: "10115",
    city: "Berlin",
    country: "DE",
    email: "gast@example.test",
    ..JAN
};
pub(super) const NOOR: Person<'static> = Person {
    first: "Noor",
    last: "Visser",
    company: "Woonwinkel De Linde B.V.",
    street: "Lindelaan",
    number: 4,
    suffix: "",
    zipcode: "3511 AB",
    city: "Utrecht",
    email: "inkoop@delinde.example.test",
    btw: "NL123456789B01",
    kvk: "12345678",
    ..JAN
};

/// A product as the shop keeps it.
pub(super) fn product(id: i64, number: &str, name: &str, price: &str, extra: &Value) -> Value {
    let alias: String =
        name.to_lowercase().chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    let mut row = json!({"id": id, "is_active": true, "createdate": AT, "modifydate": AT, "productnumber": number,
        "eannumber": "", "mpnnumber": "", "is_multishop_product": false, "multishop_href": null, "name": name,
        "shortdescription": "", "description": "", "taxtariff": "normal", "price": crate::text::number(dec(price)),
        "discount": 0, "purchaseprice": 0, "container_deposit_price": 0, "safety_deposit_price": 0, "unit": "stuk",
        "stockenabled": false, "stocktype": "Product", "stock": 0, "stocklocation": "",
        "ordering_without_stock": "global_setting", "weight": 0, "maincategory": "", "subcategory": "",
        "brand_id": null, "condition_id": null, "supplier_id": null, "package_id": 2, "meta_description": "",
        "meta_keywords": "", "page_title": "", "no_index": false, "no_follow": false, "alias": alias, "specs": "",
        "decimal_amount": 0, "amount_sold": 0, "minimal_order_amount": 1, "stock_delivery_number": 0,
        "stock_delivery_type": "", "stock_delivery_standard": "", "show_in_template": false,
        "show_on_beginpage": false, "show_on_facebook": false, "show_order_button": "Y", "product_layout": 1,
        "photo_size": "BIG", "hide_without_category": "YES", "memo": "", "fixed_staggered_prices": false,
        "is_included_for_export_feed": true});
    for (field, value) in extra.as_object().into_iter().flatten() {
        row[field] = value.clone();
    }
    row
}

pub(super) fn put(store: &mut Store, table: &str, row: Value) {
    let id = row["id"].as_i64().unwrap_or_default();
    store.put(table, &id.to_string(), row);
}

/// Fills an empty store.
pub(super) fn fill(store: &mut Store) {
    shop(store);
    catalogue(store);
    people(store);
    for order in seed_orders::all(store) {
        orders::store(store, order, AT);
    }
    seed_orders::after_the_sale(store);
    for (table, used) in [
        ("products", 100),
        ("users", 99),
        ("orders", 100),
        ("ordernumber", 1100),
        ("orderrows", 1000),
        ("attributecombinations", 200),
        ("categories", 29),
        ("packages", 9),
        ("attributes", 9),
        ("attributevalues", 19),
        ("usergroups", 9),
    ] {
        store.reserve_number(table, used);
    }
}

fn shop(store: &mut Store) {
    put(store, "webshops", json!({"id": 1, "name": "Koppel Sandbox", "is_multishop_system": false}));
    put(store, "apps", json!({"id": 1, "name": "Koppel", "is_installed": false, "date": AT}));
    put(store, "credentials", json!({"id": 1, "label": "Koppel", "createdate": AT}));
    put(
        store,
        "domains",
        json!({"id": 1, "webshop_id": 1, "domainname": "sandbox.example.test", "ssldomain": true,
        "language": "nl"}),
    );
    for (id, label, code) in [(1, "Nederlands", "nl"), (2, "English", "en"), (3, "Deutsch", "de")] {
        put(
            store,
            "languages",
            json!({"id": id, "label": label, "active": true, "base_language": code,
            "iso_code": code, "flag_icon": code}),
        );
    }
    for (id, country, code, tariffs) in [
        (1, "Nederland", "NL", json!([["normal", 21], ["low a", 9], ["low b", 9], ["zero", 0]])),
        (2, "België", "BE", json!([["normal", 21], ["low a", 6], ["low b", 12], ["zero", 0]])),
        (3, "Duitsland", "DE", json!([["normal", 19], ["low a", 7], ["zero", 0]])),
        (4, "Frankrijk", "FR", json!([["normal", 20], ["low a", 5.5], ["low b", 10], ["extra low", 2.1], ["zero", 0]])),
    ] {
        let tariffs: Vec<Value> = tariffs
            .as_array()
            .into_iter()
            .flatten()
            .map(|pair| json!({"type": pair[0], "percentage": pair[1]}))
            .collect();
        put(
            store,
            "geozonecountries",
            json!({"id": id, "webshop_id": 1, "country": country, "code": code,
            "geozone_id": 1, "geozone_name": "Europese Unie", "tariffs": tariffs}),
        );
    }
    for (id, psp, method, label) in [
        (1, "sandboxpay", "ideal", "iDEAL"),
        (2, "offline", "banktransfer", "Overboeking"),
        (3, "offline", "cashondelivery", "Rembours"),
        (4, "sandboxpay", "bancontact", "Bancontact"),
    ] {
        put(
            store,
            "paymethods",
            json!({"id": id, "psp": psp, "method": method,
            "combined_name": format!("{psp}_{method}"), "label": label, "extra_costs": id == 3,
            "extra_costs_fixed": if id == 3 { 4 } else { 0 }, "extra_costs_percentage": 0, "apppsp": null,
            "apppsppaymethod": null}),
        );
    }
    for (id, name) in [(1, "Brievenbuspakket"), (2, "Pakket"), (3, "Geen verzendkosten")] {
        put(store, "packages", json!({"id": id, "name": name}));
    }
    put(store, "brands", json!({"id": 1, "name": "Keramiekhuis"}));
    put(store, "suppliers", json!({"id": 1, "name": "Groothandel Zuid"}));
    put(store, "conditions", json!({"id": 1, "name": "Nieuw"}));
    put(
        store,
        "labels",
        json!({"id": 1, "image_location": "labels/geexporteerd.png", "tooltip": "Geëxporteerd",
        "show_on_products": false, "show_on_orders": true, "show_on_invoices": true}),
    );
    put(
        store,
        "discountcoupons",
        json!({"id": 1, "code": "TIEN", "discount": 10, "type": "percentage",
        "begindate": "2026-01-01", "enddate": "2030-12-31", "onetimeuse": false, "givesfreeshipping": false,
        "minimumprice": 0, "productwhitelist": false, "products": []}),
    );
}

fn catalogue(store: &mut Store) {
    for (id, name, parent) in
        [(1, "Kleding", 0), (2, "Shirts", 1), (3, "Wonen & koken", 0), (4, "Mokken", 3), (5, "Diensten & overig", 0)]
    {
        put(
            store,
            "categories",
            json!({"id": id, "name": name, "description": "", "position": id,
            "show_on_website": true, "parentcategory_id": parent, "alias": name.to_lowercase().replace(' ', "-")}),
        );
    }
    for row in [
        product(
            10,
            "MOK-WIT",
            "Mok wit",
            "12.04",
            &json!({"eannumber": "8710000000017", "stockenabled": true,
            "stock": 137, "weight": 0.35, "brand_id": 1, "supplier_id": 1, "condition_id": 1}),
        ),
        product(11, "POSTER-1", "Poster \"Zomer\" & <i>strand</i> één", "12.1", &json!({"package_id": 1})),
        product(
            12,
            "KOFFIE",
            "Koffiebonen 1kg",
            "20",
            &json!({"taxtariff": "low a", "stockenabled": true, "stock": 2,
            "weight": 1}),
        ),
        product(13, "DIENST-1", "Installatie aan huis", "90.75", &json!({"package_id": 3})),
        product(14, "", "Zonder artikelnummer", "1.21", &json!({"package_id": 1})),
        product(15, "CONCEPT", "Concept", "0", &json!({"is_active": false})),
        product(
            16,
            "TSHIRT",
            "T-shirt basic",
            "24.14",
            &json!({"stockenabled": true, "stocktype": "Attribute",
            "weight": 0.2}),
        ),
        product(20, "GRAV", "Graveerplaat", "36.3", &json!({})),
    ] {
        put(store, "products", row);
    }
    let words = json!({"en": {"name": "White mug"}, "de": {"name": "Becher weiß"}});
    if let Some(mut row) = store.get("products", "10").cloned() {
        row["_words"] = words;
        put(store, "products", row);
    }
    for (at, (product, category)) in [(10, 4), (11, 3), (12, 3), (13, 5), (16, 2), (20, 3)].into_iter().enumerate() {
        let row = json!({"id": at + 1, "position": 1, "product_id": product, "category_id": category});
        put(store, "producttocategories", row);
    }
    store.reserve_number("producttocategories", 20);
    for (id, name, kind) in [
        (1, "Kleur", "option_menu_required"),
        (2, "Maat", "option_menu_required"),
        (3, "Formaat", "option_menu_required"),
        (4, "Gravure", "text"),
    ] {
        put(
            store,
            "attributes",
            json!({"id": id, "name": name, "attribute_type": if id == 4 { 2 } else { 1 },
            "type": kind}),
        );
    }
    for (id, attribute, name, price) in [
        (1, 1, "Rood", 0),
        (2, 1, "Blauw", 0),
        (3, 2, "S", 0),
        (4, 2, "M", 0),
        (5, 2, "L", 0),
        (6, 3, "Klein", 0),
        (7, 3, "Groot", 12),
    ] {
        put(
            store,
            "attributevalues",
            json!({"id": id, "name": name, "default_price": price, "attribute_id": attribute}),
        );
    }
    let value = |store: &mut Store, product: i64, id: i64, price: &str| {
        let row = store.get("attributevalues", &id.to_string()).cloned().unwrap_or_default();
        let row = value_row(store, product, &row, price);
        put(store, "productattributevalues", row);
    };
    for id in 1..=5 {
        value(store, 16, id, "0");
    }
    value(store, 20, 6, "0");
    value(store, 20, 7, "12.1");
    properties::fill(store);
    variants::regenerate(store, 16);
    variants::regenerate(store, 20);
    for (product, values, number, stock, active) in [
        (16, [1, 3], "TSHIRT-ROOD-S", 3, true),
        (16, [1, 4], "TSHIRT-ROOD-M", 0, true),
        (16, [1, 5], "", 0, false),
        (16, [2, 3], "", 0, false),
        (16, [2, 4], "", 0, false),
        (16, [2, 5], "TSHIRT-BLAUW-L", 12, true),
        (20, [6, 0], "GRAV-K", 0, true),
        (20, [7, 0], "GRAV-G", 0, true),
    ] {
        let wanted: Vec<i64> = values.into_iter().filter(|id| *id > 0).collect();
        let rows = store.rows("attributecombinations");
        let found = rows.into_iter().find(|row| row["product_id"] == product && variants::values(row) == wanted);
        let Some(mut row) = found.cloned() else { continue };
        (row["product_number"], row["stock"], row["active"]) = (json!(number), json!(stock), json!(active));
        put(store, "attributecombinations", row);
    }
}

/// A value of an attribute on a product.
pub(super) fn value_row(store: &mut Store, product: i64, value: &Value, price: &str) -> Value {
    let attribute = store.get("attributes", &value["attribute_id"].to_string()).cloned().unwrap_or_default();
    let id = store.next_number("productattributevalues", 1);
    json!({"id": id, "product_id": product, "optionid": attribute["id"], "optionname": attribute["name"],
        "optionposition": 1, "optionvalue_id": value["id"], "optionvalue_name": value["name"], "position": id,
        "price": crate::text::number(dec(price)), "enable": true})
}

fn people(store: &mut Store) {
    for (id, name, discount) in [(1, "Particulier", 0), (2, "Wederverkopers", 5)] {
        put(
            store,
            "usergroups",
            json!({"id": id, "default": id == 1, "groupname": name, "discount": discount,
            "product_in_category_discount": "HIGHEST"}),
        );
    }
    for (id, username, group, approval, person) in [
        (2, "jan@example.test", 1, "accepted", JAN),
        (3, "peeters", 2, "accepted", ELS),
        (4, "inkoop@delinde.example.test", 2, "pending", NOOR),
    ] {
        put(
            store,
            "users",
            json!({"id": id, "username": username, "_password": "geheim", "group_id": group,
            "status": true, "approval_status": approval, "product_in_category_discount": "HIGHEST",
            "userinfo": person.info(Delivery::Same)}),
        );
    }
}
