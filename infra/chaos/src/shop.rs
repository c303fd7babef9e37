//! The shop while it is being read: orders that are there, orders that come in, and orders that change.

use chrono::{DateTime, TimeDelta, Utc};
use koppel_sandbox::Inspector;
use rust_decimal::Decimal;
use serde_json::Value;

use crate::ChaosError;
use crate::dice::Dice;
use crate::shops::ShopSide;

/// Time between two batches of new orders.
const PAUSE: TimeDelta = TimeDelta::minutes(4);

/// What the shop still has to come.
pub struct Shop {
    side: &'static dyn ShopSide,
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
    pub fn open(
        side: &'static dyn ShopSide,
        seed: u64,
        n: usize,
        shop: &Inspector,
        now: DateTime<Utc>,
    ) -> Result<Self, ChaosError> {
        let mut dice = Dice::new(seed, "shop");
        let orders = side.orders(seed, n, &mut dice);
        let first = orders.len() * 6 / 10;
        let mut batches: Vec<Vec<Value>> = orders[first..].chunks((n / 25).max(2)).map(<[Value]>::to_vec).collect();
        batches.reverse();
        let mut there = orders[..first].to_vec();
        let count = i64::try_from(first).unwrap_or_default();
        for (at, order) in (0..).zip(there.iter_mut()) {
            side.dated(order, now - TimeDelta::seconds(37 * (count - at)));
        }
        side.clear(shop)?;
        side.put(shop, &there)?;
        Ok(Self { side, dice, batches, next: now + PAUSE, unpaid: Vec::new(), known: there, changed: Vec::new() })
    }

    /// Nothing comes in any more.
    pub fn is_closed(&self) -> bool {
        self.batches.is_empty() && self.unpaid.is_empty()
    }

    /// The next batch, when its time has come: new orders, payments of unpaid ones, changes of old ones.
    pub fn live(&mut self, shop: &Inspector, now: DateTime<Utc>) -> Result<(), ChaosError> {
        if now < self.next || self.is_closed() {
            return Ok(());
        }
        self.next = now + PAUSE + TimeDelta::seconds(self.dice.signed(0, 300));
        let mut changed: Vec<Value> = std::mem::take(&mut self.unpaid);
        for order in &mut changed {
            self.side.paid(order, now);
        }
        for _ in 0..3 {
            let at = self.dice.index(self.known.len());
            if let Some(order) = self.known.get_mut(at) {
                self.side.completed(order, now);
                changed.push(order.clone());
            }
        }
        for mut order in self.batches.pop().unwrap_or_default() {
            self.side.dated(&mut order, now);
            if self.dice.percent(15) {
                self.unpaid.push(order.clone());
                self.side.unpaid(&mut order);
            } else {
                self.known.push(order.clone());
            }
            changed.push(order);
        }
        self.side.put(shop, &changed)?;
        self.changed.extend(changed);
        self.give_back(shop, now)
    }

    /// Some of what was paid is paid back: a part of it, so that the order stays what it was.
    fn give_back(&mut self, shop: &Inspector, now: DateTime<Utc>) -> Result<(), ChaosError> {
        for _ in 0..2 {
            if self.known.is_empty() {
                continue;
            }
            // From now on nobody changes this order: what is stored knows of its refund.
            let order = self.known.swap_remove(self.dice.index(self.known.len()));
            let cents = self.dice.signed(1, 500);
            self.side.give_back(shop, &order, Decimal::new(cents, 2), now)?;
        }
        Ok(())
    }
}
