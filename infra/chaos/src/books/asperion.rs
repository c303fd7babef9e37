//! Asperion: sales invoices, also below zero, a limit of a minute, tokens that rotate.

use koppel_sandbox::asperion::{ADMINISTRATION, CLIENT_ID, CLIENT_SECRET};
use koppel_sandbox::{FaultAction, FaultRule, Handle, Inspector};
use serde_json::{Value, json};

use super::{Article, Booked, BooksSide, Debtor, OURS, lost_posts};
use crate::ChaosError;
use crate::shops::{number, text, told};
use crate::weather::Weather;

/// The books.
pub struct Asperion;

impl BooksSide for Asperion {
    fn system(&self) -> &'static str {
        "asperion"
    }

    fn switches(&self, _seed: u64, limits: bool) -> Value {
        if limits { json!({}) } else { json!({ "minute_limit": null }) }
    }

    fn connection(&self, limits: bool, _abroad: bool, sandbox: &Handle) -> String {
        let calls = if limits { 60 } else { 6_000 };
        format!(
            r#"    system: asperion
    url: {}
    administration: {ADMINISTRATION}
    redirect_uri: http://127.0.0.1:8976/callback
    debtor_account: 1300
    vat_account: 1510
    assume_articles: true
    assume_debtor_update: true
    calls_per_minute: {calls}
    debtor_kinds: {{ company: ZAK, person: PART }}
    credentials: {{ client_id: "{CLIENT_ID}", client_secret: "{CLIENT_SECRET}" }}"#,
            sandbox.url("asperion")
        )
    }

    fn document(&self) -> &'static str {
        "sales-invoice"
    }

    fn settings(&self, guests: &str) -> String {
        format!(
            r#"      journal: "71"
      vat_code:
        table: {{ NL/21: "1", NL/9: "2", NL/0: "0", DE/19: "DE1", DE/7: "DE2", DE/0: "0", BE/21: "BE1", BE/6: "BE2", BE/0: "0", exempt: "5" }}
      revenue_account: {{ by_country: {{ DE: "8030" }}, default: "8000" }}
      payment_terms: {{ table: {{ bacs: "30" }}, default: "1" }}
      {guests}
      rounding: {{ line: true, account: "4990", vat_code: "0", max: "0.25" }}"#
        )
    }

    fn refund_settings(&self) -> &'static str {
        ""
    }

    fn customer_settings(&self) -> &'static str {
        "      vat_code: { default: \"1\" }\n      payment_terms: { default: \"30\" }"
    }

    fn code_fields(&self) -> (&'static str, &'static str) {
        ("code", "code")
    }

    fn articles(&self, books: &Inspector) -> Vec<Article> {
        let rows = books.documents("articles").into_iter();
        rows.filter(|row| row["code"].as_str().is_some_and(|code| code.starts_with(OURS)))
            .map(|row| Article {
                code: text(&row["code"]),
                name: text(&row["description"]),
                price: number(&row["price"]),
                stock: number(&row["currentStock"]),
                row,
            })
            .collect()
    }

    fn change_article(&self, books: &Inspector, article: &Article, name: &str, price: u64) -> Result<(), ChaosError> {
        let mut row = article.row.clone();
        (row["description"], row["price"]) = (json!(name), json!(price));
        told(books.inspect("POST", "rows/articles", &row))
    }

    fn count(&self, books: &Inspector, article: &Article, quantity: u64) -> Result<(), ChaosError> {
        told(books.inspect("POST", "stock", &json!({ "item": article.code, "current": quantity })))
    }

    fn booked(&self, books: &Inspector) -> Vec<Booked> {
        let booked = |row: &Value| Booked {
            reference: text(&row["description"]),
            amount: number(&row["amountInclVat"]),
            id: text(&row["id"]),
        };
        books.documents("salesinvoiceswithlines").iter().map(booked).collect()
    }

    fn debtors(&self, books: &Inspector) -> Vec<Debtor> {
        let debtor = |row: &Value| Debtor {
            email: row["emailAddress"].as_str().unwrap_or_default().trim().to_lowercase(),
            city: text(&row["city"]),
        };
        books.documents("debtors").iter().map(debtor).collect()
    }

    fn wire(&self, weather: &mut Weather<'_>) -> Vec<FaultRule> {
        let mut rules = lost_posts(weather, &["salesinvoiceswithlines", "debtors", "token"]);
        rules.push(FaultRule::new(FaultAction::Status).status(429).nth(weather.dice.between(5, 60)).count(2));
        rules
    }
}
