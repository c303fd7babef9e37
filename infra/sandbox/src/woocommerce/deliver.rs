//! Webhooks on their way out, as the shop's own queue does it: late, in no fixed order, with the state at delivery; what
//! is queued for the same record and webhook already is not queued again; what fails is lost, and seven failures in a row
//! disable the webhook.
//!
//! Only addresses of this machine are called.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{Switches, WooCommerce, products, render};
use crate::lock;
use crate::state::Store;
use crate::text::text;

const USER_AGENT: &str = "WooCommerce/11.0.1 Hookshot (WordPress/7.1)";
/// The test of the real one is «more than five before this one», so the seventh failure in a row disables.
const MOST_FAILURES: i64 = 5;

/// Something that happened to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Happened {
    /// `order`, `product` or `customer`.
    pub resource: &'static str,
    /// `created`, `updated`, `deleted`.
    pub event: &'static str,
    /// Id of the record.
    pub id: i64,
}

/// What waits to be sent.
#[derive(Default)]
pub(super) struct Outbox {
    /// Webhook and record: the same pair waits once.
    waiting: BTreeSet<(i64, i64)>,
    /// Webhooks to ping.
    pings: BTreeSet<i64>,
    /// How many requests are on their way.
    sending: usize,
    /// Wakes the sender.
    pub(super) wake: Arc<Notify>,
    /// For repeatable chance.
    random: u64,
}

impl Outbox {
    /// Queues deliveries for every active webhook of the topic.
    pub(super) fn queue(&mut self, store: &Store, happened: &[Happened]) {
        for one in happened {
            let topic = format!("{}.{}", one.resource, one.event);
            for hook in store.rows("webhooks") {
                if text(hook, "status") == "active" && text(hook, "topic") == topic {
                    self.waiting.insert((hook["id"].as_i64().unwrap_or_default(), one.id));
                }
            }
        }
        self.wake.notify_one();
    }

    /// What waits and what is on its way, for whoever looks inside.
    pub(super) fn to_json(&self) -> Value {
        json!({"waiting": self.waiting.len() + self.pings.len(), "sending": self.sending})
    }

    /// Queues a ping.
    pub(super) fn ping(&mut self, hook: i64) {
        self.pings.insert(hook);
        self.wake.notify_one();
    }

    /// True in so many of a hundred cases.
    fn chance(&mut self, percent: u32) -> bool {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % 100 < u64::from(percent)
    }
}

/// One request to make.
struct Out {
    hook: i64,
    url: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    ping: bool,
    /// How often it is sent; 0: it is lost on the way, and the shop does not know.
    times: u32,
}

/// Sends what waits, until the shop is gone.
pub(super) async fn run(shop: Weak<WooCommerce>, wake: Arc<Notify>) {
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
            let Some(batch) = shop.upgrade().map(|shop| shop.take()) else { return };
            for out in batch {
                let mut status = 0;
                for _ in 0..out.times {
                    status = send(&out).await.unwrap_or(0);
                    tracing::debug!(hook = out.hook, ping = out.ping, status, "webhook");
                }
                let Some(shop) = shop.upgrade() else { return };
                shop.sent(&out, status);
            }
        }
    }
}

impl WooCommerce {
    fn waits(&self) -> (bool, u64) {
        let inner = lock(&self.inner);
        (inner.outbox.waiting.is_empty() && inner.outbox.pings.is_empty(), inner.switches.webhook_delay_ms)
    }

    /// Everything that waits, with the state of this moment.
    fn take(&self) -> Vec<Out> {
        let mut inner = lock(&self.inner);
        let inner = &mut *inner;
        let site = inner.switches.site_url.clone().unwrap_or_else(|| self.site.clone());
        let mut batch = Vec::new();
        for hook in std::mem::take(&mut inner.outbox.pings) {
            let Some(row) = inner.store.get("webhooks", &hook.to_string()) else { continue };
            let headers = vec![
                ("User-Agent", USER_AGENT.to_owned()),
                ("Content-Type", "application/x-www-form-urlencoded".to_owned()),
            ];
            let body = format!("webhook_id={hook}").into_bytes();
            batch.push(Out { hook, url: text(row, "delivery_url").into(), headers, body, ping: true, times: 1 });
        }
        for (hook, record) in std::mem::take(&mut inner.outbox.waiting) {
            let Some(row) = inner.store.get("webhooks", &hook.to_string()).cloned() else { continue };
            if text(&row, "status") == "active" {
                let times = times(&mut inner.outbox, &inner.switches);
                batch.push(delivery(&inner.store, &row, record, &site, times));
            }
        }
        inner.outbox.sending = batch.len();
        batch
    }

    /// Takes down how a request ended.
    fn sent(&self, out: &Out, status: u16) {
        let mut inner = lock(&self.inner);
        let inner = &mut *inner;
        inner.outbox.sending = inner.outbox.sending.saturating_sub(1);
        if out.times == 0 {
            return;
        }
        let key = out.hook.to_string();
        let Some(mut row) = inner.store.get("webhooks", &key).cloned() else { return };
        if out.ping {
            row["pending_ping"] = json!(status != 200);
        } else if (200..=302).contains(&status) {
            row["failure_count"] = json!(0);
        } else {
            let failures = row["failure_count"].as_i64().unwrap_or_default();
            if failures > MOST_FAILURES {
                row["status"] = json!("disabled");
            } else {
                row["failure_count"] = json!(failures + 1);
            }
        }
        // Every save of a webhook that never got an answer to its ping pings again.
        if !out.ping && row["pending_ping"] == true {
            inner.outbox.ping(out.hook);
        }
        inner.store.put("webhooks", &key, row);
        if let Err(error) = inner.store.commit() {
            tracing::error!(%error, "the state could not be stored");
        }
    }
}

/// How often a delivery is sent, by the switches.
fn times(outbox: &mut Outbox, switches: &Switches) -> u32 {
    if outbox.chance(switches.webhook_drop_percent) {
        0
    } else if outbox.chance(switches.webhook_duplicate_percent) {
        2
    } else {
        1
    }
}

fn delivery(store: &Store, hook: &Value, record: i64, site: &str, times: u32) -> Out {
    let (resource, event) = (text(hook, "resource"), text(hook, "event"));
    let key = record.to_string();
    let found = match resource {
        "order" => store.get("orders", &key).map(|row| render::order(row, 2)),
        "product" => products::find(store, &key),
        _ => store.get("customers", &key).cloned(),
    };
    let gone = match resource {
        "order" => "woocommerce_rest_shop_order_invalid_id",
        "product" => "woocommerce_rest_product_invalid_id",
        _ => "wc_user_invalid_id",
    };
    // A record that is gone gives an error in a normal, signed delivery.
    let body = match found {
        _ if event == "deleted" => json!({ "id": record }),
        Some(row) => row,
        None => json!({"code": gone, "message": "Invalid ID.", "data": {"status": 404}}),
    };
    let body = render::with_site(render::json(200, &body), site).body;
    let headers = vec![
        ("User-Agent", USER_AGENT.to_owned()),
        ("Content-Type", "application/json".to_owned()),
        ("X-WC-Webhook-Source", format!("{site}/")),
        ("X-WC-Webhook-Topic", text(hook, "topic").to_owned()),
        ("X-WC-Webhook-Resource", resource.to_owned()),
        ("X-WC-Webhook-Event", event.to_owned()),
        ("X-WC-Webhook-Signature", webhook_signature(text(hook, "secret"), &body)),
        ("X-WC-Webhook-ID", hook["id"].to_string()),
        ("X-WC-Webhook-Delivery-ID", uuid::Uuid::new_v4().simple().to_string()),
    ];
    let url = text(hook, "delivery_url").to_owned();
    Out { hook: hook["id"].as_i64().unwrap_or_default(), url, headers, body, ping: false, times }
}

/// How the shop signs a body.
pub fn webhook_signature(secret: &str, body: &[u8]) -> String {
    STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body))
}

/// Status of the answer; None when none came, or the address is not one of this machine.
async fn send(out: &Out) -> Option<u16> {
    crate::fetch::send("POST", &out.url, &out.headers, &out.body).await.map(|answer| answer.status)
}
