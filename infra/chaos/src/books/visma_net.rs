//! Visma Net: sales orders and orders that credit, bookings of what is sold abroad, a limit of an hour, no consent.

use std::collections::BTreeMap;

use koppel_sandbox::visma_net::{CLIENT_ID, CLIENT_SECRET, TENANT_ID};
use koppel_sandbox::{FaultAction, FaultRule, Handle, Inspector};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{Article, Booked, BooksSide, Debtor, OURS, lost_posts};
use crate::ChaosError;
use crate::shops::{number, text, told};
use crate::weather::Weather;

/// The books.
pub struct VismaNet;

/// What was paid for bookings stands here.
const CLEARING: &str = "1290";

impl BooksSide for VismaNet {
    fn system(&self) -> &'static str {
        "visma-net"
    }

    fn switches(&self, _seed: u64, limits: bool) -> Value {
        if limits { json!({}) } else { json!({ "hourly_limit": null }) }
    }

    fn connection(&self, limits: bool, abroad: bool, sandbox: &Handle) -> String {
        let (germany, belgium) = if abroad { ("OSS-DE", "OSS-BE") } else { ("NL", "NL") };
        let calls = if limits { 500 } else { 1_000_000 };
        format!(
            r#"    system: visma-net
    url: {}
    tenant_id: {TENANT_ID}
    branch: "1"
    customer_class: ZAKELIJK
    person_class: PART
    credit_order_type: CM
    clearing_account: "{CLEARING}"
    calls_per_hour: {calls}
    vat_zones: {{ NL: NL, DE: {germany}, BE: {belgium}, BE/business: EU, default: EXPORT }}
    credentials: {{ client_id: "{CLIENT_ID}", client_secret: "{CLIENT_SECRET}" }}"#,
            sandbox.visma_net_url()
        )
    }

    fn asks_for_consent(&self) -> bool {
        false
    }

    fn document(&self) -> &'static str {
        "sales-order"
    }

    fn settings(&self, guests: &str) -> String {
        format!(
            r#"      vat_code: {{ table: {{ NL/21: HOOG, NL/9: LAAG, NL/0: NUL }} }}
      payment_terms: {{ table: {{ bacs: "30" }}, default: "00" }}
      {guests}
      default_item: "DIVERS"
      shipping_item: "VERZENDKOSTEN"
      fee_item: "TOESLAG"
      discount_item: "KORTING"
      rounding: {{ line: true, item: "AFRONDING", account: "4990", vat_code: NUL, max: "0.25" }}"#
        )
    }

    fn entry_settings(&self) -> Option<&'static str> {
        Some(
            r#"      journal: "1"
      revenue_account: { by_country: { DE: "8030", BE: "8030" }, default: "8000" }
      vat_code: { table: { "21": HOOG, "19": HOOG, "9": LAAG, "7": LAAG, "6": LAAG, "0": NUL, exempt: NUL } }
      payment_terms: { table: { bacs: "30" }, default: "00" }
      rounding: { line: true, account: "4990", vat_code: NUL, max: "0.25" }"#,
        )
    }

    fn customer_settings(&self) -> &'static str {
        "      payment_terms: { default: \"30\" }"
    }

    fn code_fields(&self) -> (&'static str, &'static str) {
        ("inventoryNumber", "inventoryNumber")
    }

    fn articles(&self, books: &Inspector) -> Vec<Article> {
        let mut stock: BTreeMap<String, Decimal> = BTreeMap::new();
        for row in books.documents("stock") {
            *stock.entry(text(&row["item"])).or_default() += number(&row["onHand"]);
        }
        let rows = books.documents("inventory").into_iter();
        rows.filter(|row| row["inventoryNumber"].as_str().is_some_and(|code| code.starts_with(OURS)))
            .map(|row| {
                let code = text(&row["inventoryNumber"]);
                let stock = stock.get(&code).copied().unwrap_or_default();
                Article { name: text(&row["description"]), price: number(&row["defaultPrice"]), stock, code, row }
            })
            .collect()
    }

    fn change_article(&self, books: &Inspector, article: &Article, name: &str, price: u64) -> Result<(), ChaosError> {
        let fields = json!({ "description": name, "defaultPrice": price });
        told(books.inspect("POST", &format!("rows/inventory/{}", article.code), &fields))
    }

    fn count(&self, books: &Inspector, article: &Article, quantity: u64) -> Result<(), ChaosError> {
        told(books.inspect("POST", "stock", &json!({ "item": article.code, "warehouse": "1", "onHand": quantity })))
    }

    fn booked(&self, books: &Inspector) -> Vec<Booked> {
        let order = |row: &Value| {
            let kind = text(&row["type"]);
            let total = number(&row["totals"]["orderTotal"]);
            let amount = if kind == "CM" { -total } else { total };
            Booked {
                reference: text(&row["customer"]["refNo"]),
                amount,
                id: format!("{kind}/{}", text(&row["orderId"])),
            }
        };
        let entry = |row: &Value| {
            let lines = row["journalTransactionLines"].as_array().cloned().unwrap_or_default();
            let paid = lines.iter().filter(|line| line["accountNumber"] == CLEARING);
            let amount =
                paid.map(|line| number(&line["debitAmountInCurrency"]) - number(&line["creditAmountInCurrency"]));
            let reference = lines.first().map(|line| text(&line["referenceNumber"])).unwrap_or_default();
            Booked { reference, amount: amount.sum(), id: text(&row["batchNumber"]) }
        };
        let (orders, entries) = (books.documents("salesorder"), books.documents("journaltransaction"));
        orders.iter().map(order).chain(entries.iter().map(entry)).collect()
    }

    fn debtors(&self, books: &Inspector) -> Vec<Debtor> {
        let debtor = |row: &Value| Debtor {
            email: row["mainContact"]["email"].as_str().unwrap_or_default().trim().to_lowercase(),
            city: text(&row["mainAddress"]["city"]),
        };
        books.documents("customer").iter().map(debtor).collect()
    }

    fn wire(&self, weather: &mut Weather<'_>) -> Vec<FaultRule> {
        let mut rules = lost_posts(weather, &["SalesOrders", "customer", "journaltransaction"]);
        let mut throttled = FaultRule::new(FaultAction::Status).status(429).nth(weather.dice.between(5, 60)).count(2);
        // Of the hour, or of the moment.
        let wait = if weather.dice.index(8) == 0 { 2_400 } else { 20 };
        throttled.headers = vec![("Retry-After".to_owned(), wait.to_string())];
        rules.push(throttled);
        rules
    }
}
