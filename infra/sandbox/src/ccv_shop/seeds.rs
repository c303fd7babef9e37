//! The shop a sandbox starts with: the articles of the other stand-ins, people that do not exist, and twelve orders of
//! different kinds. Prices include VAT.

use serde_json::{Value, json};

use super::people::{Delivery, Person};
use super::{Switches, invoices, orders, variants};
use crate::state::Store;
use crate::text::dec;

const AT: &str = "2026-11-22T05:08:04Z";

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
const ELS: Person<'static> = Person {
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
const GUENTHER: Person<'static> = Person {
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
const NOOR: Person<'static> = Person {
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

fn put(store: &mut Store, table: &str, row: Value) {
    let id = row["id"].as_i64().unwrap_or_default();
    store.put(table, &id.to_string(), row);
}

/// Fills an empty store.
pub(super) fn fill(store: &mut Store) {
    shop(store);
    catalogue(store);
    people(store);
    for order in all_orders(store) {
        orders::store(store, order, AT);
    }
    after_the_sale(store);
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

/// A row that sells a product, or a combination by its number.
pub(super) fn sells(store: &Store, number: &str, count: i64, price: Option<&str>, tax: i64) -> Value {
    let combination =
        store.rows("attributecombinations").find(|row| !number.is_empty() && row["product_number"] == number);
    let product = match combination {
        Some(row) => store.get("products", &row["product_id"].to_string()),
        None => store.rows("products").find(|row| row["productnumber"] == number),
    };
    let product = product.cloned().unwrap_or_default();
    let mut row = json!({"product_id": product["id"], "product_name": product["name"],
        "product_number": product["productnumber"], "sub_product_number": "", "sub_sku_number": "",
        "sub_ean_number": "", "count": count, "price": product["price"], "product_purchase_price": 0, "discount": 0,
        "tax": tax, "unit": "stuk", "weight": product["weight"], "package_id": product["package_id"],
        "attributes": []});
    if let Some(price) = price {
        row["price"] = crate::text::number(dec(price));
    }
    if let Some(combination) = combination {
        row["_combination"] = combination["id"].clone();
        row["sub_product_number"] = combination["product_number"].clone();
        row["attributes"] = json!(variants::as_attributes(store, combination));
    }
    row
}

/// The orders: each of a kind of its own.
fn all_orders(store: &Store) -> Vec<Value> {
    let sells = |number: &str, count: i64, price: Option<&str>, tax: i64| sells(store, number, count, price, tax);
    let jan = json!({"id": 2, "discount_percentage": 0});
    let els = json!({"id": 3, "discount_percentage": 5});
    let (same, empty) = (Delivery::Same, Delivery::Empty);
    let transfer = json!({"paymethod_id": 2, "paymethod": "banktransfer", "paymethod_label": "Overboeking"});
    let mut engraved = sells("GRAV-G", 1, None, 21);
    if let Some(list) = engraved["attributes"].as_array_mut() {
        list.push(json!({"id": 0, "option_name": "Gravure", "value_name": "Voor Els & Jan", "price": 5}));
    }
    (engraved["discount"], engraved["user_discount"]) = (json!(1.3), json!(5));
    let mut reduced = sells("MOK-WIT", 2, None, 21);
    reduced["discount"] = json!(2.04);
    let poster = |count: i64| json!([sells("POSTER-1", count, None, 21)]);
    let kinds = vec![
        // Two rates, paid.
        json!({"id": 23, "status": 1, "paid": true, "user": jan, "customer": JAN.info(same), "total_shipping": 6.95,
            "transaction_id": "70023", "orderrows": [sells("MOK-WIT", 3, None, 21), sells("KOFFIE", 1, None, 9)]}),
        // A combination; to be paid at the door, which costs extra.
        json!({"id": 24, "status": 2, "user": jan, "customer": JAN.info(empty), "total_shipping": 6.95,
            "paymethod_id": 3, "paymethod": "cashondelivery", "paymethod_label": "Rembours", "paymethod_costs": 4,
            "orderrows": [sells("TSHIRT-ROOD-S", 2, None, 21)]}),
        // Coupon of ten percent, wrapping as extra costs.
        json!({"id": 25, "status": 1, "paid": true, "user": jan, "customer": JAN.info(same), "total_shipping": 6.95,
            "extra_costs": 3.03, "extra_costs_description": "Cadeauverpakking", "paymethod_costs": 0.35,
            "discountcoupon": {"code": "TIEN", "discount": 10, "type": "percentage", "enddate": "2030-12-31",
                "onetimeuse": false, "givesfreeshipping": false, "minimumprice": 0},
            "orderrows": [sells("MOK-WIT", 10, None, 21)]}),
        // A company abroad with a VAT number: no VAT, prices without it.
        json!({"id": 26, "status": 4, "user": els, "customer": ELS.info(same), "taxes_included": false,
            "order_row_taxes_included": false, "shipping_taxes_included": false, "shipping_tax_percentage": 0,
            "is_intra_community_order": true, "orderrows": [sells("MOK-WIT", 100, Some("9.95"), 0)]}),
        // A guest in Germany, with a product without a number.
        json!({"id": 27, "status": 7, "paid": true, "customer": GUENTHER.info(empty), "orderedinlng": "de",
            "shipping_tax_percentage": 19, "transaction_id": "70027",
            "orderrows": [sells("DIENST-1", 1, Some("89.25"), 19), sells("", 2, Some("1.19"), 19)]}),
        json!({"id": 28, "status": 4, "customer": JAN.info(same), "orderrows": poster(1)}),
        json!({"id": 29, "status": 8, "customer": JAN.info(same), "orderrows": poster(1)}),
        // A basket that was never checked out.
        json!({"id": 30, "status": 1, "is_completed": false, "customer": JAN.info(same), "orderrows": poster(1)}),
        // Comes back later.
        json!({"id": 31, "status": 6, "paid": true, "customer": JAN.info(same), "orderrows": poster(2)}),
        // A company at home: prices without VAT, VAT on top, two rates.
        json!({"id": 32, "status": 1, "paid": true, "user": {"id": 4, "discount_percentage": 5},
            "customer": NOOR.info(same), "taxes_included": false, "order_row_taxes_included": false,
            "shipping_taxes_included": false, "total_shipping": 5.74,
            "orderrows": [sells("MOK-WIT", 7, Some("9.95"), 21), sells("KOFFIE", 3, Some("18.3486"), 9)]}),
        // Discounts per unit and of the user, a surcharge for a value, and a text the customer typed.
        json!({"id": 33, "status": 10, "paid": true, "user": jan, "customer": JAN.info(empty), "total_shipping": 6.95,
            "orderrows": [engraved, reduced]}),
        // Sent, partly paid with credit points.
        json!({"id": 34, "status": 5, "paid": true, "user": jan, "customer": JAN.info(same), "total_shipping": 6.95,
            "credit_point_discount": 2.5, "track_and_trace_code": "3SKPPL0034", "track_and_trace_carrier": "PostNL",
            "orderrows": [sells("TSHIRT-BLAUW-L", 1, None, 21)]}),
    ];
    let switches = Switches::default();
    let mut row_id = 100;
    kinds
        .into_iter()
        .map(|mut order| {
            let id = order["id"].as_i64().unwrap_or_default();
            order["ordernumber"] = json!(1000 + id);
            order["create_date"] = json!(format!("2026-11-22T05:{id}:04Z"));
            if [26, 28, 29, 30].contains(&id) {
                for (name, value) in transfer.as_object().into_iter().flatten() {
                    order[name] = value.clone();
                }
            }
            for row in order["orderrows"].as_array_mut().into_iter().flatten() {
                row_id += 1;
                row["id"] = json!(row_id);
            }
            orders::complete(&order, &switches)
        })
        .collect()
}

/// An invoice of two orders, and the return of one.
fn after_the_sale(store: &mut Store) {
    for order in [23, 27] {
        invoices::make(store, order, AT);
    }
    let order = store.get("orders", "31").cloned().unwrap_or_default();
    let row = store.find("orderrows", "order_id", "31").and_then(|rows| rows.first().map(|row| (*row).clone()));
    let mut back = row.unwrap_or_default();
    let row_id = back["id"].clone();
    (back["count"], back["orderrow_id"], back["return_id"]) = (json!(1), row_id, json!(1));
    super::totals::fill_row(&mut back);
    back["id"] = json!(1);
    back.as_object_mut().map(|map| map.shift_remove("order_id"));
    put(store, "returnrows", back);
    put(
        store,
        "returns",
        json!({"id": 1, "returnnumber_prefix": "R", "returnnumber": 1, "returnnumber_full": "R1",
        "ordernumber_prefix": order["ordernumber_prefix"], "ordernumber": order["ordernumber"],
        "ordernumber_full": order["ordernumber_full"], "create_date": "2026-11-24T09:00:00Z", "status": "new",
        "status_name": "Nieuw", "action_name": "Geld terug", "reason_name": "Verkeerd besteld",
        "total_price_inc_tax": 12.1, "total_price_exc_tax": 10, "total_price": 12.1, "total_tax": 2.1,
        "currency": "EUR", "user": order["user"], "customer": order["customer"],
        "order": super::render::href("orders/31")}),
    );
}
