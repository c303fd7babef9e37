//! CCV Shop: orders with rows beside them, credits as invoices, webhooks with a key each.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use koppel_core::ports::webhook::Delivery;
use koppel_sandbox::ccv_shop::{generate_orders, hmac_hex, webhook_message};
use koppel_sandbox::{FaultAction, FaultRule, Handle, Inspector};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{Buyer, ShopSide, Shown, Sold, number, text, told, with_vat};
use crate::ChaosError;
use crate::dice::Dice;
use crate::weather::{Weather, with};

/// Statuses that the flow of the world lets pass: new, in process, sent, delivered, completed.
const STATUSES: [i64; 5] = [1, 2, 5, 6, 7];
const WAITING_FOR_PAYMENT: i64 = 4;

/// The shop.
pub struct CcvShop;

fn stamp(at: DateTime<Utc>) -> Value {
    json!(at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

fn is_home(order: &Value) -> bool {
    order["customer"]["billingaddress"]["country_code"] == "NL"
}

fn passes(order: &Value) -> bool {
    order["paid"] == true && order["status"].as_i64().is_some_and(|status| STATUSES.contains(&status))
}

impl ShopSide for CcvShop {
    fn system(&self) -> &'static str {
        "ccv-shop"
    }

    fn switches(&self, limits: bool) -> Value {
        if limits { json!({}) } else { json!({ "overall_minute_limit": null, "resource_limits": false }) }
    }

    fn connection(&self, seed: u64, limits: bool, sandbox: &Handle) -> String {
        let calls = if limits { 240 } else { 6_000 };
        let (url, page) = (sandbox.ccv_shop_url(), if seed % 5 == 3 { 30 } else { 250 });
        let key = koppel_sandbox::ccv_shop::keys()[0];
        format!(
            "    system: ccv-shop\n    url: {url}\n    page_size: {page}\n    calls_per_minute: {calls}\n    credentials: {{ public_key: {}, secret_key: {} }}",
            key.public, key.secret
        )
    }

    fn order_filter(&self) -> (&'static str, &'static str) {
        ("[new, in_process, sent, delivered, completed]", "source.paid")
    }

    fn home(&self, source: &str) -> String {
        format!("{source}.customer.billingaddress.country_code == \"NL\"")
    }

    /// Too little is sold abroad: it is all sold at Dutch rates.
    fn charges_abroad(&self) -> bool {
        false
    }

    fn article_settings(&self) -> &'static str {
        "    settings:\n      product: { prices_include_tax: true }\n"
    }

    fn customer_filter(&self) -> &'static str {
        "source.userinfo.billingaddress.country_code == \"NL\""
    }

    fn orders(&self, seed: u64, n: usize, dice: &mut Dice) -> Vec<Value> {
        generate_orders(seed, n).into_iter().map(|order| vary(order, dice)).collect()
    }

    /// The recorded orders lie in the future of most worlds.
    fn clear(&self, shop: &Inspector) -> Result<(), ChaosError> {
        shop.documents("orders")
            .iter()
            .try_for_each(|order| told(shop.inspect("DELETE", &format!("orders/{}", text(&order["id"])), &Value::Null)))
    }

    fn dated(&self, order: &mut Value, at: DateTime<Utc>) {
        order["create_date"] = stamp(at);
    }

    fn unpaid(&self, order: &mut Value) {
        (order["status"], order["paid"]) = (json!(WAITING_FOR_PAYMENT), json!(false));
    }

    fn paid(&self, order: &mut Value, _: DateTime<Utc>) {
        (order["status"], order["paid"]) = (json!(1), json!(true));
    }

    fn completed(&self, order: &mut Value, _: DateTime<Utc>) {
        (order["status"], order["paid"]) = (json!(7), json!(true));
    }

    fn put(&self, shop: &Inspector, orders: &[Value]) -> Result<(), ChaosError> {
        for order in orders {
            let state = json!({ "status": order["status"], "paid": order["paid"] });
            let path = format!("orders/{}", text(&order["id"]));
            if shop.inspect("PATCH", &path, &state).0 >= 300 {
                told(shop.inspect("POST", "orders", order))?;
            }
        }
        Ok(())
    }

    /// A credit is an invoice with a row of its own: a part of the price of one piece.
    fn give_back(&self, shop: &Inspector, order: &Value, amount: Decimal, at: DateTime<Utc>) -> Result<(), ChaosError> {
        let there = shop.documents("orders").into_iter().find(|row| row["id"] == order["id"]);
        let Some(order) = there.filter(|order| passes(order) && amount < number(&order["total_price"])) else {
            return Ok(());
        };
        let rows = shop.documents("orderrows");
        let Some(mut row) = rows.into_iter().find(|row| row["order_id"] == order["id"]) else { return Ok(()) };
        let id = 9_000 + shop.documents("invoices").len();
        let rate = number(&row["tax"]);
        let exact = amount * rate / (Decimal::ONE_HUNDRED + rate);
        let tax = exact.round_dp_with_strategy(2, rust_decimal::RoundingStrategy::MidpointAwayFromZero);
        let shown = |value: Decimal| serde_json::from_str::<Value>(&value.normalize().to_string()).unwrap_or_default();
        if let Some(fields) = row.as_object_mut() {
            fields.remove("order_id");
            for name in [
                "original_price",
                "selling_price",
                "price_without_discount",
                "total_price",
                "price",
                "price_without_discount_with_attributes",
                "price_with_attributes",
                "total_price_with_attributes",
            ] {
                fields.insert(name.into(), shown(amount));
            }
        }
        row["orderrow_id"] = row["id"].clone();
        (row["id"], row["invoice_id"]) = (json!(id), json!(id.to_string()));
        (row["count"], row["discount"], row["user_discount"]) = (json!(1), json!(0), json!(0));
        (row["attributes"], row["total_extra_option_price"]) = (json!([]), json!(0));
        let full = format!("C{id}");
        let mut invoice = json!({ "id": id, "_order": order["id"], "invoicenumber_prefix": "C", "invoicenumber": id,
            "invoicenumber_full": full, "create_date": stamp(at), "status": "reimbursed", "type": "credit",
            "status_name": "Terugbetaald", "payment_link_sent": null, "taxes_included": true,
            "invoice_row_taxes_included": true, "shipping_taxes_included": true, "total_shipping": 0,
            "total_discounts": 0, "total_price": shown(amount), "total_tax": shown(tax),
            "total_price_inc_tax": shown(amount), "total_price_exc_tax": shown(amount - tax), "paymethod_costs": 0,
            "credit_point_discount": 0, "extra_costs": 0, "extra_costs_description": "", "extra_payment_option": "",
            "extra_payment_option_price": 0, "discountcoupon": null, "external_reference": null,
            "download_link": "" });
        for field in [
            "ordernumber_prefix",
            "ordernumber",
            "ordernumber_full",
            "is_intra_community_order",
            "shipping_tax_percentage",
            "currency",
            "user",
            "customer",
        ] {
            invoice[field] = order[field].clone();
        }
        // The address of the shop is put in when the row goes out.
        let order_path = format!("http://ccv-shop.invalid/api/rest/v1/orders/{}/", text(&order["id"]));
        invoice["order"] = json!(order_path);
        told(shop.inspect("POST", &format!("rows/invoicerows/{id}"), &row))?;
        told(shop.inspect("POST", &format!("rows/invoices/{id}"), &invoice))
    }

    fn open_articles(&self, shop: &Inspector, which: &Value) -> Result<(), ChaosError> {
        told(shop.inspect("POST", "products/generate", which))
    }

    fn open_customers(&self, shop: &Inspector, persons: &[usize], _: DateTime<Utc>) -> Result<(), ChaosError> {
        let rows = shop.documents("users");
        let pattern = rows.iter().find(|row| row["username"] == "jan@example.test").cloned().unwrap_or_default();
        for person in persons {
            let (id, email) = (1_000 + person, format!("klant{person}@example.test"));
            let mut row = pattern.clone();
            (row["id"], row["username"], row["userinfo"]["email"]) = (json!(id), json!(email), json!(email));
            for place in ["billingaddress", "deliveryaddress"] {
                let address = &mut row["userinfo"][place];
                (address["last_name"], address["full_name"]) =
                    (json!(format!("Klant {person}")), json!(format!("Klaas Klant {person}")));
                (address["first_name"], address["city"]) = (json!("Klaas"), json!("Ons Dorp"));
            }
            told(shop.inspect("POST", &format!("rows/users/{id}"), &row))?;
        }
        Ok(())
    }

    fn customer_rows(&self, shop: &Inspector) -> Vec<Value> {
        shop.documents("users")
    }

    fn moved(&self, shop: &Inspector, mut customer: Value, city: &str, _: DateTime<Utc>) -> Result<(), ChaosError> {
        customer["userinfo"]["billingaddress"]["city"] = json!(city);
        told(shop.inspect("POST", &format!("rows/users/{}", text(&customer["id"])), &customer))
    }

    fn eligible(&self, shop: &Inspector) -> Vec<(Sold, bool)> {
        let orders = shop.documents("orders");
        let sold = |order: &Value| Sold {
            record: text(&order["id"]),
            reference: format!("CCV-{}", text(&order["ordernumber_full"])),
            amount: number(&order["total_price"]),
        };
        orders.iter().filter(|order| passes(order)).map(|order| (sold(order), is_home(order))).collect()
    }

    fn given_back(&self, shop: &Inspector) -> Vec<(Sold, bool)> {
        let orders: BTreeMap<String, (String, bool)> =
            self.eligible(shop).into_iter().map(|(sold, home)| (sold.record, (sold.reference, home))).collect();
        let refund = |row: &Value| {
            let (order, home) = orders.get(&text(&row["_order"])).filter(|_| row["type"] == "credit")?;
            let id = text(&row["id"]);
            let reference = format!("{order}-R{id}");
            Some((Sold { record: id, reference, amount: number(&row["total_price_inc_tax"]) }, *home))
        };
        shop.documents("invoices").iter().filter_map(refund).collect()
    }

    fn buyers(&self, shop: &Inspector) -> Vec<Buyer> {
        let buyer = |row: &Value| {
            let address = &row["userinfo"]["billingaddress"];
            let (email, city) = (text(&row["userinfo"]["email"]).to_lowercase(), text(&address["city"]));
            (address["country_code"] == "NL" && !email.is_empty()).then_some(Buyer { email, city })
        };
        shop.documents("users").iter().filter_map(buyer).collect()
    }

    fn shown(&self, shop: &Inspector) -> Vec<Shown> {
        let shown = |row: &Value| Shown {
            number: text(&row["productnumber"]),
            name: text(&row["name"]),
            price: number(&row["price"]),
            stock: text(&row["stock"]),
        };
        shop.documents("products").iter().map(shown).collect()
    }

    fn price(&self, price: Decimal) -> Decimal {
        with_vat(price)
    }

    fn has_hooks(&self) -> bool {
        true
    }

    fn hook(&self, shop: &Inspector) -> Option<Value> {
        shop.documents("webhooks").into_iter().find(|row| row["event"] == "orders.updated.status")
    }

    fn delivery(&self, hook: &Value, order: &Value, number: u64) -> Delivery {
        let body = json!({ "id": order["id"], "order_number": order["ordernumber"], "status": order["status"],
            "previous_status": 1, "delivery": number });
        let body = body.to_string().into_bytes();
        let message = webhook_message(&text(&hook["address"]), &body, true);
        let headers =
            [("Content-Type", "application/json".to_owned()), ("x-hash", hmac_hex(&text(&hook["key"]), &message))];
        Delivery { headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(), body }
    }

    fn wire(&self, weather: &mut Weather<'_>) -> Vec<FaultRule> {
        let mut throttled = FaultRule::new(FaultAction::Status).status(429).nth(weather.dice.between(5, 60)).count(2);
        let code = ["429.10", "429.11"][weather.dice.index(2)];
        throttled.body =
            Some(json!({ "status": 429, "code": code, "developermessage": "The limit is reached." }).to_string());
        vec![
            with(FaultRule::new(FaultAction::AnswerLost).method("POST").path("products"), weather.percent(8)),
            with(FaultRule::new(FaultAction::AnswerLost).method("PATCH").path("products"), weather.percent(4)),
            throttled,
        ]
    }
}

/// What generated orders lack: addresses in capitals, private persons of a company, goods to a place where they are
/// fetched. The books have one of the two plates.
fn vary(mut order: Value, dice: &mut Dice) -> Value {
    for row in order["orderrows"].as_array_mut().into_iter().flatten() {
        if row["sub_product_number"] == "GRAV-G" {
            row["sub_product_number"] = json!("GRAV-K");
        }
    }
    if dice.percent(10) {
        let shouted = text(&order["customer"]["email"]).to_uppercase();
        order["customer"]["email"] = json!(format!(" {shouted}"));
    }
    if dice.percent(8) && is_home(&order) {
        order["customer"]["billingaddress"]["company"] = json!("");
        order["customer"]["deliveryaddress"]["company"] = json!("");
    }
    let delivery = &mut order["customer"]["deliveryaddress"];
    if dice.percent(15) && delivery["city"] != "" {
        (delivery["street"], delivery["housenumber"]) = (json!("Afhaalpunt"), json!(dice.between(1, 9)));
    }
    order
}
