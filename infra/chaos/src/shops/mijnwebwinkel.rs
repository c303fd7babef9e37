//! MijnWebwinkel: orders that only tell of a changed status, credit orders, accounts by special access, no webhooks.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use koppel_sandbox::mijnwebwinkel::{PARTNER_TOKEN, STORE_ID, STORE_TOKEN, generate_orders};
use koppel_sandbox::{FaultAction, FaultRule, Handle, Inspector};
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Value, json};

use super::{Buyer, ShopSide, Shown, Sold, number, text, told, with_notes, with_vat};
use crate::ChaosError;
use crate::dice::Dice;
use crate::weather::{Weather, with};

/// Statuses that the flow of the world lets pass.
const STATUSES: [i64; 3] = [2, 3, 6];
const NEW: i64 = 1;
/// The status of a credit order.
const CREDITED: i64 = 10;

/// The shop.
pub struct MijnWebwinkel;

fn stamp(at: DateTime<Utc>) -> Value {
    json!(at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// Of the Netherlands, and all of it at the high rate: costs and discounts at a rate of their own fit no line of an order
/// whose VAT is that of its article.
fn is_home(order: &Value) -> bool {
    let rates = order["price"]["tax"].as_array().map(Vec::as_slice).unwrap_or_default();
    order["tax_region"] == "NL" && rates.len() == 1 && number(&rates[0]["rate"]) == Decimal::from(21)
}

fn passes(order: &Value) -> bool {
    let status = order["status"].as_i64();
    order["credited_order_number"].is_null()
        && status.is_some_and(|status| STATUSES.contains(&status))
        && number(&order["price"]["total"]) > Decimal::ZERO
}

impl ShopSide for MijnWebwinkel {
    fn system(&self) -> &'static str {
        "mijnwebwinkel"
    }

    fn switches(&self, limits: bool) -> Value {
        let limit = if limits { json!(60) } else { json!(null) };
        json!({ "minute_limit": limit, "special_rights": ["customers"] })
    }

    fn connection(&self, _seed: u64, limits: bool, sandbox: &Handle) -> String {
        let (url, calls) = (sandbox.url("mijnwebwinkel"), if limits { 60 } else { 6_000 });
        format!(
            "    system: mijnwebwinkel\n    url: {url}\n    customers: accounts\n    calls_per_minute: {calls}\n    credentials: {{ token: \"{STORE_TOKEN}\", partner_token: \"{PARTNER_TOKEN}\" }}"
        )
    }

    fn order_filter(&self) -> (&'static str, &'static str) {
        ("[\"2\", \"3\", \"6\"]", "source.total | number > 0")
    }

    fn home(&self, source: &str) -> String {
        format!(
            "({source}.tax_region == \"NL\" and {source}.tax_rates[1] == none and ({source}.tax_rates[0].rate | number) == 21)"
        )
    }

    fn number_field(&self) -> Option<&'static str> {
        Some("comments.internal")
    }

    fn noted(&self, shop: &Inspector) -> BTreeMap<String, String> {
        let orders = shop.documents("orders").into_iter();
        let noted = orders.map(|order| (text(&order["number"]), text(&order["comments"]["internal"])));
        noted.filter(|(_, remarks)| !remarks.is_empty()).collect()
    }

    fn article_settings(&self) -> &'static str {
        "    settings:\n      product: { prices_include_tax: true, fallback_category: [\"Assortiment\"] }\n"
    }

    fn customer_filter(&self) -> &'static str {
        "source.email != \"\""
    }

    fn orders(&self, seed: u64, n: usize, dice: &mut Dice) -> Vec<Value> {
        generate_orders(seed, n).into_iter().map(|order| vary(order, dice)).collect()
    }

    /// The recorded orders lie in the future of most worlds, and so do the recorded accounts of those who bought.
    fn clear(&self, shop: &Inspector) -> Result<(), ChaosError> {
        shop.documents("orders").iter().try_for_each(|order| {
            told(shop.inspect("DELETE", &format!("orders/{}", text(&order["number"])), &Value::Null))
        })
    }

    fn dated(&self, order: &mut Value, at: DateTime<Utc>) {
        // A new order has no change of its status.
        (order["_created"], order["_status_changed"]) = (stamp(at), Value::Null);
    }

    fn unpaid(&self, order: &mut Value) {
        order["status"] = json!(NEW);
    }

    fn paid(&self, order: &mut Value, at: DateTime<Utc>) {
        (order["status"], order["_status_changed"]) = (json!(3), stamp(at));
    }

    fn completed(&self, order: &mut Value, at: DateTime<Utc>) {
        if order["status"] != 6 {
            (order["status"], order["_status_changed"]) = (json!(6), stamp(at));
        }
    }

    fn put(&self, shop: &Inspector, orders: &[Value]) -> Result<(), ChaosError> {
        told(shop.inspect("POST", "orders", &with_notes(shop, orders, "number", "comments")))
    }

    /// A credit order with one piece of the first line, at a part of its price.
    fn give_back(&self, shop: &Inspector, order: &Value, amount: Decimal, at: DateTime<Utc>) -> Result<(), ChaosError> {
        let there = shop.documents("orders").into_iter().find(|row| row["number"] == order["number"]);
        let Some(mut order) = there.filter(|order| passes(order) && amount < number(&order["price"]["total"])) else {
            return Ok(());
        };
        let lines = order["orderlines"].as_array().cloned().unwrap_or_default();
        let Some(mut line) = lines.into_iter().find(|line| line["type"] == "article") else { return Ok(()) };
        let rate = number(&line["price"][0]["rate"]);
        let net = (amount * Decimal::ONE_HUNDRED / (Decimal::ONE_HUNDRED + rate))
            .round_dp_with_strategy(6, RoundingStrategy::MidpointAwayFromZero);
        let id = 900_000 + shop.documents("orders").len();
        let credit_number = id.to_string();
        line["_of"] = line["id"].clone();
        line["id"] = json!(format!("00000011-0000-4000-8000-{id:012}"));
        line["quantity"] = json!(-1);
        line["price"] = json!([{ "rate": rate.to_string(), "amount": format!("{:.6}", -net),
            "amount_including_tax": format!("{:.2}", -amount) }]);
        let mut credit = order.clone();
        (credit["number"], credit["status"]) = (json!(credit_number), json!(CREDITED));
        credit["uuid"] = Value::Null;
        credit["credited_order_number"] = order["number"].clone();
        credit["credit_order_numbers"] = json!([]);
        (credit["_created"], credit["_status_changed"]) = (stamp(at), stamp(at));
        credit["discountcode"] = Value::Null;
        credit["orderlines"] = json!([line]);
        credit["price"] = json!({ "total": format!("{:.2}", -amount),
            "tax": [{ "rate": rate.to_string(), "amount": format!("{:.2}", net - amount) }] });
        if let Some(credits) = order["credit_order_numbers"].as_array_mut() {
            credits.push(json!(credit_number));
        }
        told(shop.inspect("POST", "orders", &json!([order, credit])))
    }

    fn open_articles(&self, shop: &Inspector, which: &Value) -> Result<(), ChaosError> {
        told(shop.inspect("POST", "articles/generate", which))
    }

    fn open_customers(&self, shop: &Inspector, persons: &[usize], _: DateTime<Utc>) -> Result<(), ChaosError> {
        for person in persons {
            let id = format!("000000c0-0000-4000-8000-{:012}", 10_000 + person);
            let address = json!({ "id": format!("000000ad-0000-4000-8000-{:012}", 10_000 + person), "firstName": "Klaas",
                "lastName": format!("Klant {person}"), "street": "Dorpsstraat", "streetNumber": (person + 1).to_string(),
                "zipCode": "1234 AB", "city": "Ons Dorp", "countryCode": "NL", "company": null, "gender": null,
                "phone": null, "taxNumber": null, "iban": null, "isDefaultForDelivery": true,
                "isDefaultForInvoice": true });
            let row = json!({ "id": id, "storeId": STORE_ID, "email": format!("klant{person}@example.test"),
                "firstName": "Klaas", "lastName": format!("Klant {person}"), "dateOfBirth": null, "description": null,
                "addresses": [address] });
            told(shop.inspect("POST", &format!("rows/customers/{id}"), &row))?;
        }
        Ok(())
    }

    fn customer_rows(&self, shop: &Inspector) -> Vec<Value> {
        shop.documents("customers")
    }

    fn moved(&self, shop: &Inspector, mut customer: Value, city: &str, _: DateTime<Utc>) -> Result<(), ChaosError> {
        if customer["addresses"][0].is_object() {
            customer["addresses"][0]["city"] = json!(city);
        }
        told(shop.inspect("POST", &format!("rows/customers/{}", text(&customer["id"])), &customer))
    }

    fn eligible(&self, shop: &Inspector) -> Vec<(Sold, bool)> {
        let orders = shop.documents("orders");
        let sold = |order: &Value| {
            let record = text(&order["number"]);
            Sold { reference: format!("MWW-{record}"), record, amount: number(&order["price"]["total"]) }
        };
        orders.iter().filter(|order| passes(order)).map(|order| (sold(order), is_home(order))).collect()
    }

    fn given_back(&self, shop: &Inspector) -> Vec<(Sold, bool)> {
        let orders: BTreeMap<String, bool> =
            self.eligible(shop).into_iter().map(|(sold, home)| (sold.record, home)).collect();
        let refund = |row: &Value| {
            let order = text(row.get("credited_order_number").filter(|number| !number.is_null())?);
            let home = *orders.get(&order)?;
            let record = text(&row["number"]);
            let reference = format!("MWW-{order}-R{record}");
            Some((Sold { record, reference, amount: -(number(&row["price"]["total"])) }, home))
        };
        shop.documents("orders").iter().filter_map(refund).collect()
    }

    fn buyers(&self, shop: &Inspector) -> Vec<Buyer> {
        let buyer = |row: &Value| {
            let (email, city) = (text(&row["email"]).to_lowercase(), &row["addresses"][0]["city"]);
            (!email.is_empty() && city.is_string()).then(|| Buyer { email, city: text(city) })
        };
        shop.documents("customers").iter().filter_map(buyer).collect()
    }

    fn shown(&self, shop: &Inspector) -> Vec<Shown> {
        let shown = |row: &Value| Shown {
            number: text(&row["sku"]),
            name: text(&row["name"]),
            price: number(&row["price"]["default"]),
            stock: text(&row["stock"]),
        };
        shop.documents("articles").iter().map(shown).collect()
    }

    fn price(&self, price: Decimal) -> Decimal {
        with_vat(price)
    }

    fn wire(&self, weather: &mut Weather<'_>) -> Vec<FaultRule> {
        let lost = |method: &str| FaultRule::new(FaultAction::AnswerLost).method(method).path("articles");
        let throttled = FaultRule::new(FaultAction::Status).status(429).nth(weather.dice.between(5, 60)).count(2);
        vec![with(lost("POST"), weather.percent(8)), with(lost("PATCH"), weather.percent(4)), throttled]
    }
}

/// What generated orders lack: addresses in capitals, private persons of a company, goods to a place where they are
/// fetched.
fn vary(mut order: Value, dice: &mut Dice) -> Value {
    if dice.percent(10) {
        let shouted = text(&order["debtor"]["email"]).to_uppercase();
        order["debtor"]["email"] = json!(format!(" {shouted}"));
    }
    if dice.percent(8) && order["tax_region"] == "NL" {
        order["debtor"]["company"] = json!("");
        order["debtor"]["address"]["invoice"]["company"] = json!("");
        order["debtor"]["address"]["delivery"]["company"] = json!("");
    }
    if dice.percent(15) {
        order["debtor"]["address"]["delivery"]["street"] = json!(format!("Afhaalpunt {}", dice.between(1, 9)));
    }
    order
}
