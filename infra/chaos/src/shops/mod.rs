//! The shops: how one connects, what happens in it, and what is seen of it from inside.
//!
//! One file a system. What the seed decides is decided in `shop.rs` and `kept.rs`; here stands how a shop does it.

pub mod ccv_shop;
pub mod mijnwebwinkel;
pub mod woocommerce;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use koppel_core::ports::webhook::Delivery;
use koppel_sandbox::{FaultRule, Handle, Inspector};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::ChaosError;
use crate::dice::Dice;
use crate::weather::Weather;

/// An order or a refund that must be in the books.
pub struct Sold {
    /// The key of its record.
    pub record: String,
    /// The reference that its document must have.
    pub reference: String,
    /// What was paid, or paid back.
    pub amount: Decimal,
}

/// A customer of the shop that the flow of customers takes.
pub struct Buyer {
    /// In small letters.
    pub email: String,
    /// Where he lives.
    pub city: String,
}

/// An article as the shop shows it.
pub struct Shown {
    /// Article number.
    pub number: String,
    /// Name.
    pub name: String,
    /// Price, as the shop keeps it.
    pub price: Decimal,
    /// Stock as text; whatever is not counted is no number.
    pub stock: String,
}

/// What a world needs of a shop.
pub trait ShopSide: Sync {
    /// Id of the system.
    fn system(&self) -> &'static str;
    /// Switches of the stand-in.
    fn switches(&self, limits: bool) -> Value;
    /// Options of the connection, each line with four spaces before it.
    fn connection(&self, seed: u64, limits: bool, sandbox: &Handle) -> String;
    /// Statuses that the flows of orders let pass, as a list of YAML, and the condition on the order itself.
    fn order_filter(&self) -> (&'static str, &'static str);
    /// The condition on `source` for orders that books can take as a document with articles, if not all of them are.
    fn home(&self, source: &str) -> String;
    /// It charges the VAT of where its customers live.
    fn charges_abroad(&self) -> bool {
        true
    }
    /// The field of its orders that gets the number of the document.
    fn number_field(&self) -> Option<&'static str> {
        None
    }
    /// What stands in that field, by the key of the order's record.
    fn noted(&self, _shop: &Inspector) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
    /// Settings of the flow of articles, with the line above them; each line ends.
    fn article_settings(&self) -> &'static str {
        ""
    }
    /// The condition of the flow of customers.
    fn customer_filter(&self) -> &'static str;

    /// Orders of a seed, as they were on the day they were made, with what generated ones lack.
    fn orders(&self, seed: u64, n: usize, dice: &mut Dice) -> Vec<Value>;
    /// Takes away what the world has no use for, before the first order comes.
    fn clear(&self, _shop: &Inspector) -> Result<(), ChaosError> {
        Ok(())
    }
    /// The order comes in at this moment.
    fn dated(&self, order: &mut Value, at: DateTime<Utc>);
    /// It comes in without having been paid.
    fn unpaid(&self, order: &mut Value);
    /// It is paid.
    fn paid(&self, order: &mut Value, at: DateTime<Utc>);
    /// It is sent and done with.
    fn completed(&self, order: &mut Value, at: DateTime<Utc>);
    /// Puts orders into the shop, new ones and changed ones.
    fn put(&self, shop: &Inspector, orders: &[Value]) -> Result<(), ChaosError>;
    /// Pays back an amount of an order; nothing happens when the order is not worth it.
    fn give_back(&self, shop: &Inspector, order: &Value, amount: Decimal, at: DateTime<Utc>) -> Result<(), ChaosError>;
    /// Puts made-up articles into the shop.
    fn open_articles(&self, shop: &Inspector, which: &Value) -> Result<(), ChaosError>;
    /// Puts customers into the shop, the same persons as those of the orders.
    fn open_customers(&self, shop: &Inspector, persons: &[usize], at: DateTime<Utc>) -> Result<(), ChaosError>;
    /// Rows of all customers.
    fn customer_rows(&self, shop: &Inspector) -> Vec<Value>;
    /// One of them moves to another city.
    fn moved(&self, shop: &Inspector, customer: Value, city: &str, at: DateTime<Utc>) -> Result<(), ChaosError>;

    /// Orders that must be in the books, and whether they are of those of [`ShopSide::home`].
    fn eligible(&self, shop: &Inspector) -> Vec<(Sold, bool)>;
    /// Refunds of orders that must be in the books, with the same mark of their order.
    fn given_back(&self, shop: &Inspector) -> Vec<(Sold, bool)>;
    /// Customers that the flow of customers takes.
    fn buyers(&self, shop: &Inspector) -> Vec<Buyer>;
    /// Articles.
    fn shown(&self, shop: &Inspector) -> Vec<Shown>;
    /// The price that the shop shows for one of the books.
    fn price(&self, price: Decimal) -> Decimal {
        price
    }

    /// What signs its webhooks, once they are registered; None: it has none.
    fn hook(&self, _shop: &Inspector) -> Option<Value> {
        None
    }
    /// The shop tells of webhooks at all.
    fn has_hooks(&self) -> bool {
        false
    }
    /// What it tells of a changed order.
    fn delivery(&self, _hook: &Value, _order: &Value, _number: u64) -> Delivery {
        Delivery { headers: Vec::new(), body: Vec::new() }
    }
    /// Faults on the wire that are its own, besides those of everybody.
    fn wire(&self, weather: &mut Weather<'_>) -> Vec<FaultRule>;
}

/// Orders as they change at a screen: what has been noted at them since they were made stays.
pub fn with_notes(shop: &Inspector, orders: &[Value], id: &str, notes: &str) -> Value {
    let there: BTreeMap<String, Value> =
        shop.documents("orders").into_iter().map(|mut row| (text(&row[id]), row[notes].take())).collect();
    let kept = |order: &Value| {
        let mut order = order.clone();
        if let Some(known) = there.get(&text(&order[id])) {
            order[notes] = known.clone();
        }
        order
    };
    orders.iter().map(kept).collect()
}

/// A value as its text.
pub fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| text.trim().to_owned())
}

/// A value as a number; what is none is below zero.
pub fn number(value: &Value) -> Decimal {
    text(value).parse::<Decimal>().unwrap_or(Decimal::NEGATIVE_ONE).normalize()
}

/// Passes on an answer of the inspection door that says no.
pub fn told((status, answer): (u16, Value)) -> Result<(), ChaosError> {
    if status < 300 { Ok(()) } else { Err(ChaosError::Other(format!("a system refused to change: {answer}"))) }
}

/// A price with Dutch VAT in it, to the cent.
pub fn with_vat(price: Decimal) -> Decimal {
    let with = price * Decimal::new(121, 2);
    with.round_dp_with_strategy(2, rust_decimal::RoundingStrategy::MidpointAwayFromZero).normalize()
}
