//! Products beside the seeds: those of the demonstration, and made-up ones by the thousand.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{seeds, totals};
use crate::catalogue::{Article, asked, told};
use crate::message::Reply;
use crate::state::Store;
use crate::text::dec;

/// A price with 21 % in it, when the prices of the shop are so.
fn shop_price(price: Decimal, including: bool) -> String {
    let price = if including { totals::cents(price * dec("1.21")) } else { price };
    price.normalize().to_string()
}

/// `POST /_sandbox/catalogue`: products the flows stumble over: one number twice, one in the trash, one that is the
/// books' too but with other stock.
pub(super) fn seeds(store: &mut Store, including: bool) -> Reply {
    for (id, number, name, price, extra) in [
        (60, "THEEPOT", "Theepot", "24.95", json!({})),
        (61, "THEEPOT", "Theepot (kopie)", "24.95", json!({})),
        (62, "KANDELAAR", "Kandelaar oud", "12.5", json!({"_trashed": true})),
        (
            63,
            "VAAS-GROEN",
            "Vaas groen",
            "17.5",
            json!({"stockenabled": true, "stock": 2, "eannumber": "8710000000222"}),
        ),
    ] {
        let row = seeds::product(id, number, name, &shop_price(dec(price), including), &extra);
        store.put("products", &id.to_string(), row);
    }
    Reply::empty(204)
}

/// Puts made-up products into the shop: `{"seed":1,"n":1000,"differs_percent":50}`. One that is there keeps its id.
pub(super) fn generate(store: &mut Store, body: &Value, including: bool, now: DateTime<Utc>) -> Result<Reply, String> {
    let articles = asked(body)?;
    for article in &articles {
        let known = store.find("products", "productnumber", &article.sku).and_then(|rows| rows.first()?["id"].as_i64());
        let id = known.unwrap_or_else(|| store.next_number("products", 101));
        store.put("products", &id.to_string(), product(id, article, including, now));
    }
    Ok(Reply::json(201, &told(&articles)))
}

fn product(id: i64, article: &Article, including: bool, now: DateTime<Utc>) -> Value {
    let at = now.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let extra = json!({"stockenabled": true, "stock": article.shop_stock, "eannumber": article.ean,
        "createdate": at, "modifydate": at});
    seeds::product(id, &article.sku, &article.name, &shop_price(article.price, including), &extra)
}
