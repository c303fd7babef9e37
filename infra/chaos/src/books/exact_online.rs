//! Exact Online: sales orders, limits of a minute, a day and an endpoint, tokens that rotate.

use std::collections::BTreeMap;

use koppel_sandbox::exact_online::{CLIENT_ID, CLIENT_SECRET};
use koppel_sandbox::{FaultAction, FaultRule, Handle, Inspector};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{Article, Booked, BooksSide, Debtor, OURS, lost_posts};
use crate::ChaosError;
use crate::shops::{number, text, told};
use crate::weather::Weather;

/// The books.
pub struct ExactOnline;

impl BooksSide for ExactOnline {
    fn system(&self) -> &'static str {
        "exact-online"
    }

    fn switches(&self, seed: u64, limits: bool) -> Value {
        let (minute, day) = if limits { (json!(2_000), json!(60_000)) } else { (json!(null), json!(null)) };
        json!({ "minute_limit": minute, "day_limit": day, "refresh_grace": seed.is_multiple_of(2) })
    }

    fn connection(&self, limits: bool, _abroad: bool, sandbox: &Handle) -> String {
        let (minute, day) = if limits { (1_800, 50_000) } else { (100_000, 10_000_000) };
        format!(
            r#"    system: exact-online
    country: nl
    division: 123456
    url: {}
    calls_per_minute: {minute}
    calls_per_day: {day}
    redirect_uri: http://127.0.0.1:8976/callback
    credentials: {{ client_id: "{CLIENT_ID}", client_secret: "{CLIENT_SECRET}" }}"#,
            sandbox.exact_online_url()
        )
    }

    fn document(&self) -> &'static str {
        "sales-order"
    }

    fn settings(&self, guests: &str) -> String {
        format!(
            r#"      vat_code:
        table: {{ NL/21: "4", NL/9: "2", NL/0: "0", DE/19: "12", DE/7: "14", DE/0: "0", BE/21: "13", BE/0: "0", exempt: "7" }}
      payment_terms: {{ table: {{ bacs: "30" }}, default: "00" }}
      {guests}
      default_item: "DIVERS"
      shipping_item: "VERZENDKOSTEN"
      fee_item: "TOESLAG"
      discount_item: "KORTING"
      rounding: {{ line: true, item: "AFRONDING", vat_code: "0", max: "0.25" }}"#
        )
    }

    fn customer_settings(&self) -> &'static str {
        "      vat_code: { default: \"4\" }\n      payment_terms: { default: \"30\" }"
    }

    fn code_fields(&self) -> (&'static str, &'static str) {
        ("Code", "ItemCode")
    }

    fn articles(&self, books: &Inspector) -> Vec<Article> {
        let mut stock: BTreeMap<String, Decimal> = BTreeMap::new();
        for row in books.documents("ItemWarehouses") {
            *stock.entry(text(&row["Item"])).or_default() += number(&row["CurrentStock"]);
        }
        let rows = books.documents("Items").into_iter();
        rows.filter(|row| row["Code"].as_str().is_some_and(|code| code.starts_with(OURS)))
            .map(|row| Article {
                code: text(&row["Code"]),
                name: text(&row["Description"]),
                price: number(&row["StandardSalesPrice"]),
                stock: stock.get(&text(&row["ID"])).copied().unwrap_or_default(),
                row,
            })
            .collect()
    }

    fn change_article(&self, books: &Inspector, article: &Article, name: &str, price: u64) -> Result<(), ChaosError> {
        let mut row = article.row.clone();
        (row["Description"], row["StandardSalesPrice"]) = (json!(name), json!(price));
        if let Some(fields) = row.as_object_mut() {
            fields.retain(|name, _| !["Timestamp", "Modified"].contains(&name.as_str()));
        }
        told(books.inspect("POST", "rows/logistics/Items", &row))
    }

    fn count(&self, books: &Inspector, article: &Article, quantity: u64) -> Result<(), ChaosError> {
        let level = json!({ "item": article.code, "warehouse": "1", "current": quantity });
        told(books.inspect("POST", "stock", &level))
    }

    fn booked(&self, books: &Inspector) -> Vec<Booked> {
        let booked = |row: &Value| Booked {
            reference: text(&row["YourRef"]),
            amount: number(&row["AmountDC"]),
            id: text(&row["OrderID"]),
        };
        books.documents("SalesOrders").iter().map(booked).collect()
    }

    fn debtors(&self, books: &Inspector) -> Vec<Debtor> {
        let debtor = |row: &Value| Debtor {
            email: row["Email"].as_str().unwrap_or_default().trim().to_lowercase(),
            city: text(&row["City"]),
        };
        books.documents("Accounts").iter().map(debtor).collect()
    }

    fn wire(&self, weather: &mut Weather<'_>) -> Vec<FaultRule> {
        let mut rules = lost_posts(weather, &["SalesOrders", "Accounts", "Contacts", "Addresses"]);
        rules.push(throttled(weather));
        rules
    }
}

/// The limit of a minute, or once in a while that of a day or of an endpoint.
fn throttled(weather: &mut Weather<'_>) -> FaultRule {
    let now = weather.chaos.clock.now();
    let (header, seconds) = match weather.dice.index(8) {
        0 => (Some("X-RateLimit-Reset"), 7_200),
        1 => (None, 0),
        _ => (Some("X-RateLimit-Minutely-Reset"), 40),
    };
    let mut rule = FaultRule::new(FaultAction::Status).status(429).nth(weather.dice.between(5, 60)).count(2);
    if let Some(name) = header {
        let reset = (now + chrono::TimeDelta::seconds(seconds)).timestamp_millis();
        rule.headers = vec![(name.to_owned(), reset.to_string())];
    }
    rule
}
