//! The shop a sandbox starts with: what a real WooCommerce 11.0.1 answered, with people that do not exist.

use serde_json::{Value, json};

use crate::state::Store;
use crate::text::text;

fn read(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap_or_default()
}

/// Tax rates of the recorded shop.
pub(super) fn tax_rates() -> Vec<Value> {
    read(include_str!("seed/taxes.json"))
}

/// Terms of the attributes of the recorded shop.
fn terms() -> Vec<Value> {
    let all = [(40, 1, "Blauw"), (41, 1, "Rood"), (42, 2, "L"), (43, 2, "M"), (44, 2, "S")];
    all.into_iter()
        .map(|(id, attribute, name)| {
            let href = format!("{}/wp-json/wc/v3/products/attributes/{attribute}/terms", super::render::RECORDED_SITE);
            json!({"id": id, "name": name, "slug": name.to_lowercase(), "description": "", "menu_order": 0, "count": 1,
                "attribute_id": attribute, "_links": {"self": [{"href": format!("{href}/{id}")}],
                    "collection": [{"href": href}]}})
        })
        .collect()
}

/// Fills an empty store.
pub(super) fn fill(store: &mut Store) {
    let by_id = |store: &mut Store, table: &str, rows: Vec<Value>| {
        let mut rows = rows;
        rows.sort_by_key(|row| row["id"].as_i64());
        for row in rows {
            let key = row["id"].as_i64().map_or_else(|| text(&row, "id").to_owned(), |id| id.to_string());
            store.put(table, &key, row);
        }
    };
    by_id(store, "orders", read(include_str!("seed/orders.json")));
    by_id(store, "products", read(include_str!("seed/products.json")));
    for (parent, rows) in [
        (16, read(include_str!("seed/products-16-variations.json"))),
        (20, read(include_str!("seed/products-20-variations.json"))),
    ] {
        let rows = rows.into_iter().map(|mut row| {
            row["parent_id"] = json!(parent);
            row
        });
        by_id(store, "variations", rows.collect());
    }
    by_id(store, "attributes", read(include_str!("seed/products-attributes.json")));
    by_id(store, "categories", read(include_str!("seed/products-categories.json")));
    by_id(store, "terms", terms());
    by_id(store, "customers", read(include_str!("seed/customers.json")));
    by_id(store, "taxes", tax_rates());
    by_id(store, "settings_tax", read(include_str!("seed/settings-tax.json")));
    by_id(store, "payment_gateways", read(include_str!("seed/payment-gateways.json")));
    by_id(store, "shipping_zones", read(include_str!("seed/shipping-zones.json")));
    for mut refund in read(include_str!("seed/orders-31-refunds.json")) {
        refund["parent_id"] = json!(31);
        store.put("refunds", &refund["id"].to_string(), refund);
    }
    store.put("coupons", "tien", json!({"id": 22, "code": "tien", "discount_type": "percent", "amount": "10.00"}));
    store.put(
        "shipping_zone_methods",
        "1",
        json!({"id": 1, "instance_id": 1, "zone_id": 1, "title": "PostNL pakket",
        "order": 1, "enabled": true, "method_id": "flat_rate", "method_title": "Flat rate",
        "settings": {"title": {"id": "title", "value": "PostNL pakket"}, "cost": {"id": "cost", "value": "6.95"}}}),
    );
    store.put(
        "shipping_zone_methods",
        "2",
        json!({"id": 2, "instance_id": 2, "zone_id": 1, "title": "Afhalen",
        "order": 2, "enabled": true, "method_id": "local_pickup", "method_title": "Local pickup",
        "settings": {"title": {"id": "title", "value": "Afhalen"}, "cost": {"id": "cost", "value": ""}}}),
    );
    // Orders, products and refunds share one row of numbers (posts); lines and meta rows have their own.
    store.reserve_number("post", 99);
    store.reserve_number("user", 9);
    store.reserve_number("term", 99);
    store.reserve_number("attribute", 2);
    store.reserve_number("item", 999);
    store.reserve_number("meta", 999);
    store.reserve_number("note", 99);
}
