//! The way of webhooks from the shop: some are never sent, some come twice, all come late.

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::ports::webhook::Delivery;
use serde_json::Value;

use crate::dice::Dice;
use crate::gate::Chaos;
use crate::shops::ShopSide;

/// Deliveries on their way.
pub struct Post {
    shop: &'static dyn ShopSide,
    dice: Dice,
    /// The webhook they come of; without one there are no webhooks in this world.
    hook: Option<Value>,
    on_its_way: Vec<(DateTime<Utc>, Delivery)>,
    sent: u64,
}

impl Post {
    /// An empty bag.
    pub fn new(shop: &'static dyn ShopSide, seed: u64, hook: Option<Value>) -> Self {
        Self { shop, dice: Dice::new(seed, "post"), hook, on_its_way: Vec::new(), sent: 0 }
    }

    /// Nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.on_its_way.is_empty()
    }

    /// Takes in what the shop has to tell.
    pub fn take_in(&mut self, changed: Vec<Value>, now: DateTime<Utc>, chaos: &Chaos) {
        let Some(hook) = self.hook.clone() else { return };
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
            let delivery = self.shop.delivery(&hook, &order, self.sent);
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
