//! Delivers webhooks: what happened, signed with the key of the webhook. There is no promise that one arrives.
//! What an app of the store is told goes the same way, signed with the secret of the app.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{CcvShop, Ctx, Switches, auth, render};
use crate::lock;
use crate::state::Store;
use crate::text::text;

/// Something that happened, with what is told about it.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub topic: &'static str,
    pub payload: Value,
}

/// One request to make.
#[derive(Debug, Clone)]
struct Out {
    address: String,
    hash: String,
    body: Vec<u8>,
    /// How often it is sent; 0: it is lost on the way.
    times: u32,
}

/// What waits to be sent.
#[derive(Default)]
pub(super) struct Outbox {
    waiting: VecDeque<Out>,
    sending: usize,
    delivered: u64,
    failed: u64,
    /// Wakes the sender.
    pub(super) wake: Arc<Notify>,
    /// For repeatable chance.
    random: u64,
}

impl Outbox {
    /// Queues deliveries for every active webhook of the topic.
    pub(super) fn queue(&mut self, store: &Store, switches: &Switches, events: &[Event], site: &str) {
        for event in events {
            let hooks =
                store.rows("webhooks").filter(|row| row["is_active"] == true && text(row, "event") == event.topic);
            for hook in hooks {
                let body = render::with_site(event.payload.to_string().into_bytes(), site);
                let times = if self.chance(switches.webhook_drop_percent) {
                    0
                } else if self.chance(switches.webhook_duplicate_percent) {
                    2
                } else {
                    1
                };
                let address = text(hook, "address").to_owned();
                let message = webhook_message(&address, &body, switches.webhook_message == "address_body");
                let hash = auth::hmac_hex(text(hook, "key"), &message);
                self.waiting.push_back(Out { address, hash, body, times });
            }
        }
        self.wake.notify_one();
    }

    /// Queues one request that is signed with the secret of an app.
    pub(super) fn queue_signed(&mut self, address: &str, secret: &str, signed_address: &str, body: &Value, site: &str) {
        let body = render::with_site(body.to_string().into_bytes(), site);
        let hash = auth::hmac_hex(secret, &webhook_message(signed_address, &body, true));
        self.waiting.push_back(Out { address: address.to_owned(), hash, body, times: 1 });
        self.wake.notify_one();
    }

    /// What waits and what became of the others, for whoever looks inside.
    pub(super) fn to_json(&self) -> Value {
        json!({"waiting": self.waiting.len(), "sending": self.sending, "delivered": self.delivered,
            "failed": self.failed})
    }

    /// True in so many of a hundred cases.
    fn chance(&mut self, percent: u32) -> bool {
        crate::faults::roll(&mut self.random) % 100 < u64::from(percent)
    }
}

/// What the signature of a webhook covers; the real form is not proven.
pub fn webhook_message(address: &str, body: &[u8], with_address: bool) -> Vec<u8> {
    let mut message = if with_address { format!("{address}|").into_bytes() } else { Vec::new() };
    message.extend(body);
    message
}

/// Sends what waits, until the shop is gone.
pub(super) async fn run(shop: Weak<CcvShop>, wake: Arc<Notify>) {
    loop {
        wake.notified().await;
        loop {
            let Some((empty, delay)) = shop.upgrade().map(|shop| shop.waits()) else { return };
            if empty {
                break;
            }
            if delay > 0 {
                tokio::time::sleep(Duration::from_millis(delay)).await;
            }
            let Some(taken) = shop.upgrade().map(|shop| shop.take()) else { return };
            let Some((out, retries)) = taken else { break };
            let headers = [("x-hash", out.hash), ("Content-Type", "application/json".to_owned())];
            let mut status = 0;
            for _ in 0..out.times {
                for _ in 0..=retries {
                    let answer = crate::fetch::send("POST", &out.address, &headers, &out.body).await;
                    status = answer.map_or(0, |answer| answer.status);
                    if (200..300).contains(&status) {
                        break;
                    }
                }
            }
            let Some(shop) = shop.upgrade() else { return };
            let mut inner = lock(&shop.inner);
            inner.outbox.sending -= 1;
            match status {
                200..300 => inner.outbox.delivered += 1,
                _ => inner.outbox.failed += 1,
            }
        }
    }
}

impl CcvShop {
    fn waits(&self) -> (bool, u64) {
        let inner = lock(&self.inner);
        (inner.outbox.waiting.is_empty(), inner.switches.webhook_delay_ms)
    }

    fn take(&self) -> Option<(Out, u32)> {
        let mut inner = lock(&self.inner);
        let out = inner.outbox.waiting.pop_front()?;
        inner.outbox.sending += 1;
        Some((out, inner.switches.webhook_retries))
    }
}

impl Ctx<'_> {
    /// Tells what happened to an order; `changed` names what was before and what is now.
    pub(super) fn order_event(&mut self, topic: &'static str, id: i64, changed: &Value) {
        let Some(order) = self.store.get("orders", &id.to_string()) else { return };
        let mut payload = json!({"id": id});
        if topic != "orders.created" || self.switches.created_payload == "full" {
            let person = &order["customer"];
            payload = json!({"triggered_at": self.now.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
                "href": render::href(&format!("orders/{id}")), "id": id, "order_number": order["ordernumber"],
                "ordernumber_prefix": order["ordernumber_prefix"], "ordernumber_full": order["ordernumber_full"],
                "total_price": order["total_price"], "customer_email": person["email"],
                "customer_mobile": person["billingaddress"]["mobile"]});
            for (name, value) in changed.as_object().into_iter().flatten() {
                payload[name] = value.clone();
            }
        }
        self.events.push(Event { topic, payload });
    }

    /// Tells that a record was made, changed or removed.
    pub(super) fn event(&mut self, topic: &'static str, id: i64) {
        self.events.push(Event { topic, payload: json!({"id": id}) });
    }
}
