//! WooCommerce: recorded orders beside those of the world, refunds without lines, webhooks.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Europe::Amsterdam;
use koppel_core::ports::webhook::Delivery;
use koppel_sandbox::woocommerce::{generate_orders, webhook_signature};
use koppel_sandbox::{FaultAction, FaultRule, Handle, Inspector};
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Value, json};

use super::{Buyer, ShopSide, Shown, Sold, number, text, told, with_notes};
use crate::ChaosError;
use crate::dice::Dice;
use crate::weather::{Weather, with};

const KEY: &str = "ck_40e6269f8e005c6da0b6f94b649bc5b85f8294e1";
const SECRET: &str = "cs_68568b8871d2d70d583699ea3665e0297f6ebe28";
/// Statuses that the flow of the world lets pass.
const STATUSES: [&str; 3] = ["processing", "completed", "on-hold"];

/// The shop.
pub struct WooCommerce;

impl ShopSide for WooCommerce {
    fn system(&self) -> &'static str {
        "woocommerce"
    }

    fn switches(&self, _limits: bool) -> Value {
        json!({})
    }

    fn connection(&self, seed: u64, _limits: bool, sandbox: &Handle) -> String {
        let (url, page) = (sandbox.woocommerce_url(), if seed % 5 == 3 { 30 } else { 100 });
        format!(
            "    system: woocommerce\n    url: \"{url}\"\n    page_size: {page}\n    credentials: {{ key: \"{KEY}\", secret: \"{SECRET}\" }}"
        )
    }

    fn order_filter(&self) -> (&'static str, &'static str) {
        ("[processing, completed, on-hold]", "source.total | number > 0")
    }

    fn home(&self, source: &str) -> String {
        format!("{source}.billing.country == \"NL\"")
    }

    fn number_field(&self) -> Option<&'static str> {
        Some("erp_number")
    }

    fn noted(&self, shop: &Inspector) -> BTreeMap<String, String> {
        let number = |order: &Value| {
            let found = order["meta_data"].as_array()?.iter().find(|row| row["key"] == "erp_number")?;
            Some((text(&order["id"]), text(&found["value"])))
        };
        shop.documents("orders").iter().filter_map(number).collect()
    }

    fn customer_filter(&self) -> &'static str {
        "source.billing.country == \"NL\""
    }

    fn orders(&self, seed: u64, n: usize, dice: &mut Dice) -> Vec<Value> {
        generate_orders(seed, n).into_iter().map(|order| vary(order, dice)).collect()
    }

    fn dated(&self, order: &mut Value, at: DateTime<Utc>) {
        for field in ["date_created", "date_modified", "date_paid", "date_completed"] {
            if !order[field].is_null() {
                moment(order, field, at);
            }
        }
    }

    fn unpaid(&self, order: &mut Value) {
        order["status"] = json!("pending");
    }

    fn paid(&self, order: &mut Value, at: DateTime<Utc>) {
        order["status"] = json!("processing");
        moment(order, "date_paid", at);
        moment(order, "date_modified", at);
    }

    fn completed(&self, order: &mut Value, at: DateTime<Utc>) {
        order["status"] = json!("completed");
        moment(order, "date_completed", at);
        moment(order, "date_modified", at);
    }

    fn put(&self, shop: &Inspector, orders: &[Value]) -> Result<(), ChaosError> {
        told(shop.inspect("POST", "orders", &with_notes(shop, orders, "id", "meta_data")))
    }

    fn give_back(&self, shop: &Inspector, order: &Value, amount: Decimal, _: DateTime<Utc>) -> Result<(), ChaosError> {
        let total: Decimal = text(&order["total"]).parse().unwrap_or_default();
        if amount >= total {
            return Ok(());
        }
        let path = format!("orders/{}/refunds", text(&order["id"]));
        told(shop.inspect(
            "POST",
            &path,
            &json!({ "amount": amount.to_string(), "reason": "Kras", "api_refund": false }),
        ))
    }

    fn open_articles(&self, shop: &Inspector, which: &Value) -> Result<(), ChaosError> {
        told(shop.inspect("POST", "products/generate", which))
    }

    fn open_customers(&self, shop: &Inspector, persons: &[usize], at: DateTime<Utc>) -> Result<(), ChaosError> {
        let customers: Vec<Value> = persons.iter().map(|person| customer(*person, at)).collect();
        told(shop.inspect("POST", "customers", &json!(customers)))
    }

    fn customer_rows(&self, shop: &Inspector) -> Vec<Value> {
        shop.documents("customers")
    }

    fn moved(&self, shop: &Inspector, mut customer: Value, city: &str, at: DateTime<Utc>) -> Result<(), ChaosError> {
        customer["billing"]["city"] = json!(city);
        moment(&mut customer, "date_modified", at);
        told(shop.inspect("POST", "customers", &json!([customer])))
    }

    fn eligible(&self, shop: &Inspector) -> Vec<(Sold, bool)> {
        let sold = |order: &Value| {
            let (number, total) = passes(order)?;
            let sold = Sold { record: text(&order["id"]), reference: format!("WC-{number}"), amount: cents(total) };
            Some((sold, order["billing"]["country"] == "NL"))
        };
        shop.documents("orders").iter().filter_map(sold).collect()
    }

    fn given_back(&self, shop: &Inspector) -> Vec<(Sold, bool)> {
        let orders: BTreeMap<String, bool> =
            self.eligible(shop).into_iter().map(|(sold, home)| (sold.reference, home)).collect();
        let refund = |row: &Value| {
            let order = format!("WC-{}", text(&row["parent_id"]));
            let home = *orders.get(&order)?;
            let amount: Decimal = text(&row["amount"]).parse().ok()?;
            let id = text(&row["id"]);
            Some((Sold { record: id.clone(), reference: format!("{order}-R{id}"), amount }, home))
        };
        shop.documents("refunds").iter().filter_map(refund).collect()
    }

    fn buyers(&self, shop: &Inspector) -> Vec<Buyer> {
        let buyer = |row: &Value| {
            let (email, city) = (text(&row["email"]).to_lowercase(), text(&row["billing"]["city"]));
            // Recorded customers stand beside those of this world; the flow takes those of the Netherlands.
            (row["billing"]["country"] == "NL" && !email.is_empty()).then_some(Buyer { email, city })
        };
        shop.documents("customers").iter().filter_map(buyer).collect()
    }

    fn shown(&self, shop: &Inspector) -> Vec<Shown> {
        let shown = |row: &Value| Shown {
            number: text(&row["sku"]),
            name: text(&row["name"]),
            price: number(&row["regular_price"]),
            stock: text(&row["stock_quantity"]),
        };
        shop.documents("products").iter().map(shown).collect()
    }

    fn has_hooks(&self) -> bool {
        true
    }

    fn hook(&self, shop: &Inspector) -> Option<Value> {
        shop.documents("webhooks").into_iter().next()
    }

    fn delivery(&self, hook: &Value, order: &Value, number: u64) -> Delivery {
        let body = order.to_string().into_bytes();
        let headers = [
            ("Content-Type", "application/json".to_owned()),
            ("X-WC-Webhook-Topic", "order.updated".to_owned()),
            ("X-WC-Webhook-Resource", "order".to_owned()),
            ("X-WC-Webhook-Event", "updated".to_owned()),
            ("X-WC-Webhook-Signature", webhook_signature(&text(&hook["secret"]), &body)),
            ("X-WC-Webhook-ID", "1".to_owned()),
            ("X-WC-Webhook-Delivery-ID", format!("{number:032x}")),
        ];
        Delivery { headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(), body }
    }

    /// Batches of the shop take longest, so their answers are lost most.
    fn wire(&self, weather: &mut Weather<'_>) -> Vec<FaultRule> {
        let batch = |action| FaultRule::new(action).method("POST").path("batch");
        vec![
            with(batch(FaultAction::AnswerLost), weather.percent(8)),
            with(batch(FaultAction::ConnectionReset), weather.percent(4)),
        ]
    }
}

/// Number and total of an order that must be in the books.
fn passes(order: &Value) -> Option<(String, Decimal)> {
    let status = order["status"].as_str()?;
    let total: Decimal = text(&order["total"]).parse().ok()?;
    (STATUSES.contains(&status) && total > Decimal::ZERO).then(|| (text(&order["number"]), total))
}

/// Number and total of every order of the shop that must be in the books.
pub fn eligible(shop: &Inspector) -> Vec<(String, Decimal)> {
    shop.documents("orders").iter().filter_map(passes).collect()
}

fn cents(total: Decimal) -> Decimal {
    total.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}

/// What generated orders lack: addresses in capitals, and customers that order for a company and for themselves.
fn vary(mut order: Value, dice: &mut Dice) -> Value {
    order["number"] = json!(order["id"].to_string());
    if dice.percent(10) {
        let shouted = order["billing"]["email"].as_str().unwrap_or_default().to_uppercase();
        order["billing"]["email"] = json!(format!(" {shouted}"));
    }
    if dice.percent(8) && order["billing"]["country"] == "NL" {
        order["billing"]["company"] = json!("");
        order["shipping"]["company"] = json!("");
    }
    if dice.percent(15) {
        order["shipping"]["address_1"] = json!(format!("Afhaalpunt {}", dice.between(1, 9)));
    }
    order
}

/// A customer as the shop keeps it; its orders have the same address of e-mail.
fn customer(person: usize, now: DateTime<Utc>) -> Value {
    let address = |email: bool| {
        let mut address = json!({ "first_name": "Klaas", "last_name": format!("Klant {person}"), "company": "",
            "address_1": format!("Dorpsstraat {}", person + 1), "address_2": "", "city": "Ons Dorp", "state": "",
            "postcode": "1234 AB", "country": "NL", "phone": "" });
        if email {
            address["email"] = json!(format!("klant{person}@example.test"));
        }
        address
    };
    let mut row = json!({ "id": 1000 + person, "email": format!("klant{person}@example.test"), "first_name": "Klaas",
        "last_name": format!("Klant {person}"), "role": "customer", "username": format!("klant{person}"),
        "billing": address(true), "shipping": address(false), "is_paying_customer": true, "avatar_url": "",
        "meta_data": [] });
    moment(&mut row, "date_created", now);
    moment(&mut row, "date_modified", now);
    row
}

fn moment(row: &mut Value, field: &str, at: DateTime<Utc>) {
    row[field] = json!(at.with_timezone(&Amsterdam).format("%Y-%m-%dT%H:%M:%S").to_string());
    let utc = at.to_rfc3339_opts(SecondsFormat::Secs, true);
    row[format!("{field}_gmt")] = json!(utc.trim_end_matches('Z'));
}
