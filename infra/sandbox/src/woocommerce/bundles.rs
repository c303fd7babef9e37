//! Orders with a bundle, as the plugins Product Bundles and Composite Products write them: the container and each part are
//! lines of their own. In the REST API a part names the line of its container (`bundled_by`, `composite_parent`), the container
//! lists the lines of its parts (`bundled_items`, `composite_children`); every other line has both fields empty. The meta data
//! of the lines says the same by keys of the cart.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::order_write::{Head, assemble};
use super::totals::{Draft, Line, rates};
use super::{orders, products};
use crate::message::Reply;
use crate::state::Store;
use crate::text::{decimal, text, whole};

/// What a plugin calls things: fields of the REST API, then keys of the meta data.
struct Plugin {
    of_part: &'static str,
    of_container: &'static str,
    meta_part: &'static str,
    meta_key: &'static str,
    meta_list: &'static str,
    meta_item: &'static str,
}

const BUNDLES: Plugin = Plugin {
    of_part: "bundled_by",
    of_container: "bundled_items",
    meta_part: "_bundled_by",
    meta_key: "_bundle_cart_key",
    meta_list: "_bundled_items",
    meta_item: "_bundled_item_id",
};
const COMPOSITES: Plugin = Plugin {
    of_part: "composite_parent",
    of_container: "composite_children",
    meta_part: "_composite_parent",
    meta_key: "_composite_cart_key",
    meta_list: "_composite_children",
    meta_item: "_composite_item",
};
/// Product of the container; the recorded shop has none of that type.
const CONTAINER: i64 = 90;

/// Inspection: puts an order with one bundle into the shop. Prices are without tax; those of parts are by piece.
pub(super) fn insert(store: &mut Store, body: &Value, now: DateTime<Utc>) -> Result<Reply, String> {
    let plugin = match text(body, "plugin") {
        "bundles" => BUNDLES,
        "composites" => COMPOSITES,
        other => return Err(format!("bundles: plugin \"{other}\" is none of bundles, composites")),
    };
    let quantity = body.get("quantity").and_then(whole).unwrap_or(1);
    let price = body.get("price").and_then(decimal).unwrap_or_default();
    let mut lines = vec![Line {
        name: "Cadeaupakket".into(),
        product_id: CONTAINER,
        sku: text(body, "sku").into(),
        tax_class: text(body, "tax_class").into(),
        taxable: true,
        quantity,
        price,
        ..Line::default()
    }];
    let list = |name: &str| body.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let parts = list("parts");
    for sent in parts.iter().chain(&list("beside")) {
        lines.push(line(store, sent)?);
    }
    let id = store.next_number("post", 100);
    let mut item = store.next_number("item", 1000) - 1;
    let table = rates(store.rows("taxes"));
    let billing = json!({"first_name": "Greet", "last_name": "Smit", "company": "", "address_1": "Kade 7", "address_2": "",
        "city": "Groningen", "state": "", "postcode": "9711 LM", "country": "NL", "email": "greet@example.test", "phone": ""});
    let head = Head {
        id,
        status: "processing".into(),
        shipping: json!({"first_name": "", "last_name": "", "company": "", "address_1": "", "address_2": "", "city": "",
            "state": "", "postcode": "", "country": "", "phone": ""}),
        billing,
        payment_method: "ideal".into(),
        payment_method_title: "iDEAL".into(),
        created_via: "checkout".into(),
        time: now,
        ..Head::default()
    };
    let draft = Draft { country: "NL".into(), lines, ..Draft::default() };
    let mut row = assemble(head, &draft, &table, &mut || {
        item += 1;
        item
    });
    store.reserve_number("item", item);
    orders::set_moment(&mut row, "date_paid", now);
    if let Some(lines) = row["line_items"].as_array_mut() {
        relate(lines, parts.len(), &plugin);
    }
    let ids: Vec<Value> = row["line_items"].as_array().into_iter().flatten().map(|line| line["id"].clone()).collect();
    store.put("orders", &id.to_string(), row);
    Ok(Reply::json(201, &json!({"id": id, "line_items": ids})))
}

fn line(store: &Store, sent: &Value) -> Result<Line, String> {
    let sku = text(sent, "sku");
    let product = products::by_sku(store, sku).ok_or_else(|| format!("bundles: the shop has no \"{sku}\""))?;
    let price = sent.get("price").and_then(decimal);
    Ok(Line {
        name: text(product, "name").into(),
        product_id: product["id"].as_i64().unwrap_or_default(),
        sku: sku.into(),
        tax_class: text(product, "tax_class").into(),
        taxable: true,
        quantity: sent.get("quantity").and_then(whole).unwrap_or(1),
        price: price.unwrap_or_else(|| product.get("price").and_then(decimal).unwrap_or_default()),
        ..Line::default()
    })
}

/// The first line is the container, so many after it are its parts.
fn relate(lines: &mut [Value], parts: usize, plugin: &Plugin) {
    let ids: Vec<Value> = lines.iter().map(|line| line["id"].clone()).collect();
    let key = |at: usize| format!("{:032x}", ids[at].as_i64().unwrap_or_default());
    for (at, line) in lines.iter_mut().enumerate() {
        line[plugin.of_part] = json!("");
        line[plugin.of_container] = json!([]);
        let mut meta = Map::new();
        if at == 0 {
            line[plugin.of_container] = json!(ids[1..=parts]);
            meta.insert(plugin.meta_list.into(), json!((1..=parts).map(key).collect::<Vec<_>>()));
            meta.insert(plugin.meta_key.into(), json!(key(0)));
        } else if at <= parts {
            line[plugin.of_part] = ids[0].clone();
            let priced = line["total"].as_str().and_then(|text| text.parse().ok()).unwrap_or(Decimal::ZERO);
            meta.insert(plugin.meta_part.into(), json!(key(0)));
            meta.insert(plugin.meta_item.into(), json!(at.to_string()));
            meta.insert(plugin.meta_key.into(), json!(key(at)));
            let individually = if priced.is_zero() { "no" } else { "yes" };
            meta.insert(
                format!("{}_priced_individually", plugin.meta_item.trim_end_matches("_id")),
                json!(individually),
            );
        }
        let rows = meta.into_iter().enumerate().map(|(number, (key, value))| {
            let id = ids[at].as_i64().unwrap_or_default() * 100 + i64::try_from(number).unwrap_or_default();
            json!({"id": id, "key": key, "value": value, "display_key": key, "display_value": value})
        });
        line["meta_data"] = rows.collect();
    }
}
