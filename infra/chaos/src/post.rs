//! The way of webhooks from the shop: some are never sent, some come twice, all come late.

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::ports::webhook::Delivery;
use koppel_sandbox::woocommerce::webhook_signature;
use serde_json::Value;

use crate::dice::Dice;
use crate::gate::Chaos;

/// Deliveries on their way.
pub struct Post {
    dice: Dice,
    /// The secret they are signed with; without one there are no webhooks in this world.
    secret: Option<String>,
    on_its_way: Vec<(DateTime<Utc>, Delivery)>,
    sent: u64,
}

impl Post {
    /// An empty bag.
    pub fn new(seed: u64, secret: Option<String>) -> Self {
        Self { dice: Dice::new(seed, "post"), secret, on_its_way: Vec::new(), sent: 0 }
    }

    /// Nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.on_its_way.is_empty()
    }

    /// Takes in what the shop has to tell.
    pub fn take_in(&mut self, changed: Vec<Value>, now: DateTime<Utc>, chaos: &Chaos) {
        let Some(secret) = self.secret.clone() else { return };
        for order in changed {
            let times = match self.dice.index(5) {
                0 => {
                    chaos.count("webhook missing", 1);
                    0
                }
                1 => {
                    chaos.count("webhook duplicated", 1);
                    2
                }
                _ => 1,
            };
            self.sent += 1;
            let delivery = delivery(&order, &secret, self.sent);
            for _ in 0..times {
                let late = TimeDelta::seconds(self.dice.signed(0, 240));
                self.on_its_way.push((now + late, delivery.clone()));
            }
        }
    }

    /// One that has arrived, in no order.
    pub fn next(&mut self, now: DateTime<Utc>) -> Option<Delivery> {
        let at = self.on_its_way.iter().position(|(due, _)| *due <= now)?;
        Some(self.on_its_way.swap_remove(at).1)
    }

    /// When the next one arrives.
    pub fn next_due(&self) -> Option<DateTime<Utc>> {
        self.on_its_way.iter().map(|(due, _)| *due).min()
    }
}

fn delivery(order: &Value, secret: &str, number: u64) -> Delivery {
    let body = order.to_string().into_bytes();
    let headers = [
        ("Content-Type", "application/json".to_owned()),
        ("X-WC-Webhook-Topic", "order.updated".to_owned()),
        ("X-WC-Webhook-Resource", "order".to_owned()),
        ("X-WC-Webhook-Event", "updated".to_owned()),
        ("X-WC-Webhook-Signature", webhook_signature(secret, &body)),
        ("X-WC-Webhook-ID", "1".to_owned()),
        ("X-WC-Webhook-Delivery-ID", format!("{number:032x}")),
    ];
    Delivery { headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(), body }
}
