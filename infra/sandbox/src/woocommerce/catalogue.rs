//! Products of the shop beside the recorded ones: those of the demonstration, and made-up ones by the thousand.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::orders::set_moment;
use super::render::RECORDED_SITE;
use crate::catalogue::{Article, asked, told};
use crate::message::Reply;
use crate::state::Store;

/// A simple product as the shop keeps it.
fn simple(id: i64, name: &str, sku: &str, price: &str, at: DateTime<Utc>) -> Value {
    let slug = super::words::slug(name);
    let mut row = json!({"id": id, "name": name, "slug": slug, "permalink": format!("{RECORDED_SITE}/product/{slug}/"),
        "date_created": null, "date_created_gmt": null, "date_modified": null, "date_modified_gmt": null,
        "type": "simple", "status": "publish", "featured": false, "catalog_visibility": "visible", "description": "",
        "short_description": "", "sku": sku, "price": price, "regular_price": price, "sale_price": "",
        "date_on_sale_from": null, "date_on_sale_from_gmt": null, "date_on_sale_to": null, "date_on_sale_to_gmt": null,
        "on_sale": false, "purchasable": true, "total_sales": 0, "virtual": false, "downloadable": false,
        "tax_status": "taxable", "tax_class": "", "manage_stock": false, "stock_quantity": null, "backorders": "no",
        "backorders_allowed": false, "backordered": false, "low_stock_amount": null, "sold_individually": false,
        "weight": "", "dimensions": {"length": "", "width": "", "height": ""}, "shipping_class": "",
        "shipping_class_id": 0, "parent_id": 0, "categories": [super::product_fields::uncategorized()], "brands": [],
        "tags": [], "images": [], "attributes": [], "default_attributes": [], "variations": [], "menu_order": 0,
        "meta_data": [], "stock_status": "instock", "has_options": false, "global_unique_id": "",
        "_links": {"self": [{"href": format!("{RECORDED_SITE}/wp-json/wc/v3/products/{id}")}],
            "collection": [{"href": format!("{RECORDED_SITE}/wp-json/wc/v3/products")}]}});
    set_moment(&mut row, "date_created", at);
    set_moment(&mut row, "date_modified", at);
    row
}

/// `POST /_sandbox/catalogue`: products the flows stumble over: one SKU twice, one in the trash, one that is the books' too but with other stock.
pub(super) fn seeds(store: &mut Store) -> Reply {
    let at = DateTime::from_timestamp(1_795_324_080, 0).unwrap_or_default(); // with the recorded ones
    let mut rows = vec![
        simple(60, "Theepot", "THEEPOT", "24.95", at),
        simple(61, "Theepot (kopie)", "THEEPOT", "24.95", at),
        simple(62, "Kandelaar oud", "KANDELAAR", "12.5", at),
        simple(63, "Vaas groen", "VAAS-GROEN", "17.5", at),
    ];
    rows[2]["status"] = json!("trash");
    rows[3]["manage_stock"] = json!(true);
    rows[3]["stock_quantity"] = json!(2);
    rows[3]["global_unique_id"] = json!("8710000000222");
    for row in rows {
        store.put("products", &row["id"].to_string(), row);
    }
    Reply::empty(204)
}

/// Puts made-up products into the shop: `{"seed":1,"n":1000,"differs_percent":50}`. One that is there keeps its number.
pub(super) fn generate(store: &mut Store, body: &Value, now: DateTime<Utc>) -> Result<Reply, String> {
    let articles = asked(body)?;
    for article in &articles {
        let known = store.find("products", "sku", &article.sku).and_then(|rows| rows.first()?["id"].as_i64());
        let id = known.unwrap_or_else(|| store.next_number("post", 100));
        store.put("products", &id.to_string(), product(id, article, now));
    }
    Ok(Reply::json(201, &told(&articles)))
}

fn product(id: i64, article: &Article, now: DateTime<Utc>) -> Value {
    let mut row = simple(id, &article.name, &article.sku, &article.price.normalize().to_string(), now);
    row["manage_stock"] = json!(true);
    row["stock_quantity"] = json!(article.shop_stock);
    row["stock_status"] = json!(super::product_fields::status_of(&row, article.shop_stock));
    row["global_unique_id"] = json!(article.ean);
    row
}
