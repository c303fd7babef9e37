//! Articles of the shop beside the seeds: those of the demonstration, and made-up ones by the thousand.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::switches::Switches;
use super::{dates, seeds, totals};
use crate::catalogue::{Article, asked, told};
use crate::message::Reply;
use crate::state::Store;
use crate::text::dec;

/// `POST /_sandbox/catalogue`: articles the flows stumble over: one number twice, one with other stock than the books.
pub(super) fn add(store: &mut Store) -> Reply {
    let at = seeds::start();
    let mut rows = [
        seeds::article(560, "THEEPOT", "Theepot", "30.19", at),
        seeds::article(561, "THEEPOT", "Theepot (kopie)", "30.19", at),
        seeds::article(563, "VAAS-GROEN", "Vaas groen", "21.18", at),
    ];
    rows[2]["stock"] = json!(2);
    rows[2]["extra"]["invisible"]["barcode"] = json!("8710000000222");
    for row in rows {
        store.put("articles", &row["id"].to_string(), row);
    }
    Reply::empty(204)
}

/// Puts made-up articles into the shop: `{"seed":1,"n":1000,"differs_percent":50}`. One that is there keeps its number.
pub(super) fn generate(
    store: &mut Store,
    switches: &Switches,
    body: &Value,
    now: DateTime<Utc>,
) -> Result<Reply, String> {
    let articles = asked(body)?;
    for article in &articles {
        let known = store.find("articles", "sku", &article.sku).and_then(|rows| rows.first()?["id"].as_i64());
        let id = known.unwrap_or_else(|| store.next_number("article", 601));
        store.put("articles", &id.to_string(), row(id, article, switches, now));
    }
    Ok(Reply::json(201, &told(&articles)))
}

fn row(id: i64, article: &Article, switches: &Switches, now: DateTime<Utc>) -> Value {
    let price = if switches.prices_include_tax { totals::with_tax(article.price, dec("21")) } else { article.price };
    let mut row = seeds::article(id, &article.sku, &article.name, &format!("{price:.2}"), now);
    row["stock"] = json!(article.shop_stock);
    row["extra"]["invisible"]["barcode"] = json!(article.ean);
    row["_changed"] = dates::kept(now);
    row
}
