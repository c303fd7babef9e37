//! The shop while it is being read: orders that are there, orders that come in, and orders that change.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Europe::Amsterdam;
use koppel_sandbox::woocommerce::generate_orders;
use koppel_sandbox::{Handle, Inspector};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::ChaosError;
use crate::dice::Dice;

/// Statuses that the flow of the world lets pass.
pub const STATUSES: [&str; 3] = ["processing", "completed", "on-hold"];

/// Time between two batches of new orders.
const PAUSE: TimeDelta = TimeDelta::minutes(4);

/// What the shop still has to come.
pub struct Shop {
    dice: Dice,
    batches: Vec<Vec<Value>>,
    next: DateTime<Utc>,
    /// Orders that came in as pending and are paid later.
    unpaid: Vec<Value>,
    /// Orders in the shop, to change some of them.
    known: Vec<Value>,
    /// Changes that a webhook may tell.
    pub changed: Vec<Value>,
}

impl Shop {
    /// `n` orders of `seed`: more than half of them in the shop at once, the others in batches.
    pub fn open(seed: u64, n: usize, sandbox: &Handle) -> Result<Self, ChaosError> {
        let now = sandbox.clock().now();
        let mut dice = Dice::new(seed, "shop");
        let orders: Vec<Value> = generate_orders(seed, n).into_iter().map(|order| vary(order, &mut dice)).collect();
        let first = orders.len() * 6 / 10;
        let mut batches: Vec<Vec<Value>> = orders[first..].chunks((n / 25).max(2)).map(<[Value]>::to_vec).collect();
        batches.reverse();
        let mut shop =
            Self { dice, batches, next: now + PAUSE, unpaid: Vec::new(), known: Vec::new(), changed: Vec::new() };
        let mut there = orders[..first].to_vec();
        let count = i64::try_from(first).unwrap_or_default();
        for (at, order) in (0..).zip(there.iter_mut()) {
            dated(order, now - TimeDelta::seconds(37 * (count - at)));
        }
        put(&sandbox.woocommerce(), &there)?;
        shop.known = there;
        Ok(shop)
    }

    /// Nothing comes in any more.
    pub fn is_closed(&self) -> bool {
        self.batches.is_empty() && self.unpaid.is_empty()
    }

    /// The next batch, when its time has come: new orders, payments of unpaid ones, changes of old ones.
    pub fn live(&mut self, sandbox: &Handle) -> Result<(), ChaosError> {
        let now = sandbox.clock().now();
        if now < self.next || self.is_closed() {
            return Ok(());
        }
        self.next = now + PAUSE + TimeDelta::seconds(self.dice.signed(0, 300));
        let mut changed: Vec<Value> = std::mem::take(&mut self.unpaid);
        for order in &mut changed {
            order["status"] = json!("processing");
            moment(order, "date_paid", now);
            moment(order, "date_modified", now);
        }
        for _ in 0..3 {
            let at = self.dice.index(self.known.len());
            if let Some(order) = self.known.get_mut(at) {
                order["status"] = json!("completed");
                moment(order, "date_completed", now);
                moment(order, "date_modified", now);
                changed.push(order.clone());
            }
        }
        for mut order in self.batches.pop().unwrap_or_default() {
            dated(&mut order, now);
            if self.dice.percent(15) {
                self.unpaid.push(order.clone());
                order["status"] = json!("pending");
            } else {
                self.known.push(order.clone());
            }
            changed.push(order);
        }
        put(&sandbox.woocommerce(), &changed)?;
        self.changed.extend(changed);
        self.give_back(sandbox)
    }

    /// Some of what was paid is paid back: a part of it, so that the order stays what it was.
    fn give_back(&mut self, sandbox: &Handle) -> Result<(), ChaosError> {
        for _ in 0..2 {
            if self.known.is_empty() {
                continue;
            }
            // From now on nobody changes this order: what is stored knows of its refund.
            let order = self.known.swap_remove(self.dice.index(self.known.len()));
            let total: Decimal = text(&order["total"]).parse().unwrap_or_default();
            let cents = self.dice.signed(1, 500);
            let amount = Decimal::new(cents, 2);
            if amount >= total {
                continue;
            }
            let path = format!("orders/{}/refunds", text(&order["id"]));
            let body = json!({ "amount": amount.to_string(), "reason": "Kras", "api_refund": false });
            let (status, answer) = sandbox.woocommerce().inspect("POST", &path, &body);
            if status >= 300 {
                return Err(ChaosError::Other(format!("the shop refused a refund: {answer}")));
            }
        }
        Ok(())
    }
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

fn dated(order: &mut Value, at: DateTime<Utc>) {
    for field in ["date_created", "date_modified", "date_paid", "date_completed"] {
        if !order[field].is_null() {
            moment(order, field, at);
        }
    }
}

fn moment(order: &mut Value, field: &str, at: DateTime<Utc>) {
    order[field] = json!(at.with_timezone(&Amsterdam).format("%Y-%m-%dT%H:%M:%S").to_string());
    let utc = at.to_rfc3339_opts(SecondsFormat::Secs, true);
    order[format!("{field}_gmt")] = json!(utc.trim_end_matches('Z'));
}

fn put(shop: &Inspector, orders: &[Value]) -> Result<(), ChaosError> {
    let (status, answer) = shop.inspect("POST", "orders", &Value::Array(orders.to_vec()));
    if status < 300 { Ok(()) } else { Err(ChaosError::Other(format!("the shop refused orders: {answer}"))) }
}

/// Number and total of every order that must be in the books.
pub fn eligible(shop: &Inspector) -> Vec<(String, Decimal)> {
    let eligible = |order: &Value| {
        let status = order["status"].as_str()?;
        let total: Decimal = text(&order["total"]).parse().ok()?;
        let passes = STATUSES.contains(&status) && total > Decimal::ZERO;
        passes.then(|| (text(&order["number"]), total))
    };
    shop.documents("orders").iter().filter_map(eligible).collect()
}

/// A value as its text.
pub fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| text.trim().to_owned())
}

/// Reference and amount of every refund that must be in the books.
pub fn given_back(shop: &Inspector) -> Vec<(String, Decimal)> {
    let passes: std::collections::BTreeSet<String> = eligible(shop).into_iter().map(|(number, _)| number).collect();
    let refund = |row: &Value| {
        let order = text(&row["parent_id"]);
        let amount: Decimal = text(&row["amount"]).parse().ok()?;
        passes.contains(&order).then(|| (format!("WC-{order}-R{}", text(&row["id"])), amount))
    };
    shop.documents("refunds").iter().filter_map(refund).collect()
}
