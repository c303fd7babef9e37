//! The twelve orders a sandbox starts with, each of a kind of its own, and what came after two of them.

use serde_json::{Value, json};

use super::people::Delivery;
use super::seeds::{AT, ELS, GUENTHER, JAN, NOOR, put};
use super::{Switches, invoices, orders, variants};
use crate::state::Store;
use crate::text::dec;

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
pub(super) fn all(store: &Store) -> Vec<Value> {
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
    let mut depot = NOOR.info(same);
    for (field, value) in [
        ("address_line_1", json!("Magazijnweg 12")),
        ("street", json!("Magazijnweg")),
        ("housenumber", json!(12)),
        ("zipcode", json!("3542 AD")),
    ] {
        depot["deliveryaddress"][field] = value;
    }
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
        // A company at home, sent to another address: prices without VAT, VAT on top, two rates.
        json!({"id": 32, "status": 1, "paid": true, "user": {"id": 4, "discount_percentage": 5},
            "customer": depot, "taxes_included": false, "order_row_taxes_included": false,
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
pub(super) fn after_the_sale(store: &mut Store) {
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
