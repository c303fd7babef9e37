//! The shops: how one connects, an order of each, and how its articles are seen from inside.

use koppel_sandbox::{Handle, Inspector};
use rust_decimal::Decimal;
use serde_json::Value;

/// A shop.
pub struct Shop {
    /// Id.
    pub system: &'static str,
    /// Switches of the stand-in.
    pub switches: &'static str,
    /// Options of the connection.
    pub options: fn(&Handle) -> String,
    /// A plain order from the Netherlands.
    pub order_id: &'static str,
    /// What was paid for it.
    pub order_total: &'static str,
    /// Its reference, by the number that the shop shows.
    pub reference: fn(&str) -> String,
    /// Articles with a number.
    pub article: fn(&Inspector, &str) -> Vec<Shown>,
}

/// An article as the shop shows it.
#[derive(Debug)]
pub struct Shown {
    pub name: String,
    pub stock: Option<Decimal>,
}

fn number(value: &Value) -> Option<Decimal> {
    value.to_string().trim_matches('"').parse::<Decimal>().ok().map(|number| number.normalize())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub const WOOCOMMERCE: Shop = Shop {
    system: "woocommerce",
    switches: "{}",
    options: |sandbox| {
        format!(
            r#"
system: woocommerce
url: {}
credentials: {{ key: ck_40e6269f8e005c6da0b6f94b649bc5b85f8294e1, secret: cs_68568b8871d2d70d583699ea3665e0297f6ebe28 }}
"#,
            sandbox.woocommerce_url()
        )
    },
    order_id: "23",
    order_total: "80.46",
    reference: |number| format!("WC-{number}"),
    article: |shop, sku| {
        let rows = shop.documents("products");
        let rows = rows.iter().filter(|row| row["sku"] == sku && row["status"] != "trash");
        rows.map(|row| Shown { name: text(&row["name"]), stock: number(&row["stock_quantity"]) }).collect()
    },
};

pub const CCV_SHOP: Shop = Shop {
    system: "ccv-shop",
    switches: r#"{ "overall_minute_limit": null, "resource_limits": false }"#,
    options: |sandbox| {
        format!(
            r#"
system: ccv-shop
url: {}
credentials: {{ public_key: kp9x27wq3m1dzt6r, secret_key: Vq8sL2nX0cT5rJ7bW1yE4uH6gM9aZ3kD }}
"#,
            sandbox.ccv_shop_url()
        )
    },
    order_id: "23",
    order_total: "0",
    reference: |number| format!("CCV-{number}"),
    article: |shop, sku| {
        let rows = shop.documents("products");
        let rows = rows.iter().filter(|row| row["productnumber"] == sku);
        rows.map(|row| Shown { name: text(&row["name"]), stock: number(&row["stock"]) }).collect()
    },
};

pub const MIJNWEBWINKEL: Shop = Shop {
    system: "mijnwebwinkel",
    switches: r#"{ "minute_limit": null }"#,
    options: |sandbox| {
        format!(
            r#"
system: mijnwebwinkel
url: {}
credentials: {{ token: 5b0c3f6e9d2a47c18e7f0a1b2c3d4e5f, partner_token: kpl-partner-4f1d2c7a9be84a5f }}
"#,
            sandbox.url("mijnwebwinkel")
        )
    },
    order_id: "2001",
    order_total: "0",
    reference: |number| format!("MWW-{number}"),
    article: |shop, sku| {
        let rows = shop.documents("articles");
        let rows = rows.iter().filter(|row| row["sku"] == sku);
        rows.map(|row| Shown { name: text(&row["name"]), stock: number(&row["stock"]) }).collect()
    },
};
