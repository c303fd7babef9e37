//! Webhooks: verifying deliveries, and registering them over the API.
//!
//! The shop makes a key for each webhook and signs its deliveries with it. So what is kept as the secret of a connection is a
//! list of what the shop made: `event key address`, a line each. The key that fits tells the event; nothing in the body is
//! used but the id of the record.

use async_trait::async_trait;
use koppel_core::connection::Connection;
use koppel_core::document::Entity;
use koppel_core::ports::webhook::{Delivery, Hint, Hook, HookState, MAX_DELIVERY_BYTES, Refused};
use koppel_core::ports::{Calls, WebhookAdmin, WebhookReceiver};
use koppel_core::{Failure, NonEmpty};
use ring::{digest, hmac};
use serde_json::{Value, json};

use super::auth::{hex, unhex};
use super::client::{CcvShopClient, unexpected};
use super::native::{self, is_yes, text};
use crate::http::Deps;

const SIGNATURE: &str = "x-hash";

/// Events of an order that a flow of orders wants to hear of.
const ORDER_TOPICS: &[&str] = &[
    "orders.created",
    "orders.updated.ispaid",
    "orders.updated.status",
    "orders.updated.trackandtrace",
    "orders.deleted",
];
/// Events of a product.
const PRODUCT_TOPICS: &[&str] = &["products.created", "products.updated", "products.deleted"];

/// A webhook as deliveries are verified by it.
struct Known {
    topic: String,
    key: hmac::Key,
    address: String,
}

/// Verifies deliveries of one shop.
pub struct Receiver {
    known: Vec<Known>,
}

impl Receiver {
    /// A receiver for what [`Admin`] gave as the secret.
    pub fn new(secret: &str) -> Self {
        let known = |line: &str| {
            let (topic, rest) = line.trim().split_once(' ')?;
            let (key, address) = rest.split_once(' ')?;
            let key = hmac::Key::new(hmac::HMAC_SHA512, key.as_bytes());
            Some(Known { topic: topic.to_owned(), key, address: address.to_owned() })
        };
        Self { known: secret.lines().filter_map(known).collect() }
    }
}

impl WebhookReceiver for Receiver {
    fn verify(&self, delivery: &Delivery) -> Result<Hint, Refused> {
        if delivery.body.len() > MAX_DELIVERY_BYTES {
            return Err(refused(413, "too_large"));
        }
        let Some(signature) = delivery.one(SIGNATURE)? else { return Err(refused(401, "no_signature")) };
        let signature = unhex(signature.trim()).ok_or_else(|| refused(401, "wrong_signature"))?;
        let known = self.known.iter().find(|known| known.signed(&delivery.body, &signature));
        let known = known.ok_or_else(|| refused(401, "wrong_signature"))?;
        let body: Value = serde_json::from_slice(&delivery.body).map_err(|_| refused(400, "not_json"))?;
        let read = [Entity::Orders, Entity::Products];
        let Some(entity) = read.into_iter().find(|entity| topics(*entity).contains(&known.topic.as_str())) else {
            return Ok(Hint::Ignored { why: "topic" });
        };
        let key = native::id(&body).filter(|id| *id > 0).and_then(|id| NonEmpty::new(id.to_string()));
        // Deliveries have no id. What is told twice in the same words is one delivery: it holds the moment of the event.
        let digest = digest::digest(&digest::SHA256, &[known.topic.as_bytes(), b"|", &delivery.body].concat());
        match (key, NonEmpty::new(&hex(digest.as_ref())[..32])) {
            (Some(key), Some(delivery)) => Ok(Hint::Record { entity, key, delivery }),
            _ => Ok(Hint::Ignored { why: "no_id" }),
        }
    }
}

impl Known {
    /// The signature covers the address and the body; the body alone is as good, because only the shop has the key.
    fn signed(&self, body: &[u8], signature: &[u8]) -> bool {
        let with_address = [self.address.as_bytes(), b"|", body].concat();
        hmac::verify(&self.key, &with_address, signature).is_ok() || hmac::verify(&self.key, body, signature).is_ok()
    }
}

/// Topics that together tell every change of which the shop tells at all.
fn topics(entity: Entity) -> &'static [&'static str] {
    match entity {
        Entity::Orders => ORDER_TOPICS,
        Entity::Products => PRODUCT_TOPICS,
        _ => &[],
    }
}

fn refused(status: u16, reason: &'static str) -> Refused {
    Refused { status, reason }
}

/// Registers webhooks in one shop.
#[derive(Debug)]
pub struct Admin {
    client: CcvShopClient,
}

impl Admin {
    /// For a connection.
    pub fn new(connection: &Connection, deps: &Deps) -> Result<Self, Failure> {
        Ok(Self { client: CcvShopClient::new(connection, deps)? })
    }
}

#[async_trait]
impl WebhookAdmin for Admin {
    fn topics(&self, entity: Entity) -> &'static [&'static str] {
        topics(entity)
    }

    async fn list(&self, calls: &Calls) -> Result<Vec<Hook>, Failure> {
        Ok(self.client.webhooks(calls).await?.iter().filter_map(hook).collect())
    }

    async fn register(&self, topic: &str, url: &str, _secret: &str, calls: &Calls) -> Result<Hook, Failure> {
        let body = json!({ "event": topic, "address": url, "is_active": true });
        if let Some(hook) = self.client.create_webhook(body, calls).await?.as_ref().and_then(hook) {
            return Ok(hook);
        }
        // It was made without saying as what.
        let hooks = self.list(calls).await?;
        let made = hooks.into_iter().rev().find(|hook| hook.topic == topic && hook.url == url);
        made.ok_or_else(|| unexpected("the webhook that was made"))
    }

    async fn enable(&self, id: &str, _secret: &str, calls: &Calls) -> Result<Hook, Failure> {
        self.client.change(&format!("webhooks/{id}"), json!({ "is_active": true }), calls).await?;
        let hooks = self.list(calls).await?;
        hooks.into_iter().find(|hook| hook.id == id).ok_or_else(|| unexpected("the webhook that was changed"))
    }

    async fn issued_secret(&self, url: &str, calls: &Calls) -> Result<Option<String>, Failure> {
        let rows = self.client.webhooks(calls).await?;
        let line = |row: &Value| {
            let (topic, key, address) = (text(&row["event"]), text(&row["key"]), text(&row["address"]));
            let known = address == url && !topic.is_empty() && !key.is_empty();
            known.then(|| format!("{topic} {key} {address}"))
        };
        let lines: Vec<String> = rows.iter().filter_map(line).collect();
        Ok((!lines.is_empty()).then(|| lines.join("\n")))
    }
}

/// A webhook as the shop shows it; `None` for a row of another form.
fn hook(row: &Value) -> Option<Hook> {
    let (topic, url) = (text(&row["event"]), text(&row["address"]));
    let state = if is_yes(&row["is_active"]) { HookState::Active } else { HookState::Disabled };
    (!topic.is_empty()).then_some(Hook { id: native::id(row)?.to_string(), topic, url, state })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "https://in.example/webhook/main/shop";

    fn receiver() -> Receiver {
        Receiver::new(&format!(
            "orders.created key-1 {ADDRESS}\norders.updated.status key-2 {ADDRESS}\nproducts.updated key-3 {ADDRESS}\n\
             categories.created key-4 {ADDRESS}\nnonsense"
        ))
    }

    fn signed(key: &str, message: &str, body: &str) -> Delivery {
        let key = hmac::Key::new(hmac::HMAC_SHA512, key.as_bytes());
        let signature = hex(hmac::sign(&key, message.as_bytes()).as_ref());
        Delivery { headers: vec![("X-Hash".into(), signature)], body: body.as_bytes().to_vec() }
    }

    fn told(key: &str, body: &str) -> Result<Hint, Refused> {
        receiver().verify(&signed(key, &format!("{ADDRESS}|{body}"), body))
    }

    /// The documented delivery of a changed status.
    const STATUS: &str = include_str!("fixtures/webhook-status.json");

    #[test]
    fn a_delivery_tells_which_record_by_its_key_and_its_id() {
        let Ok(Hint::Record { entity, key, delivery }) = told("key-2", STATUS) else { panic!("not let in") };
        assert_eq!((entity, key.as_str(), delivery.as_str().len()), (Entity::Orders, "1001", 32));
        let again = told("key-2", STATUS).unwrap();
        assert!(matches!(again, Hint::Record { delivery: again, .. } if again == delivery), "the same delivery");
        let product = told("key-3", "{\"id\": \"7\"}").unwrap();
        assert!(matches!(product, Hint::Record { entity: Entity::Products, .. }));
        // The body alone may be signed as well.
        assert!(matches!(receiver().verify(&signed("key-1", STATUS, STATUS)), Ok(Hint::Record { .. })));
        assert_eq!(told("key-4", "{\"id\": 7}"), Ok(Hint::Ignored { why: "topic" }));
        assert_eq!(told("key-1", "{\"ordernumber\": 7}"), Ok(Hint::Ignored { why: "no_id" }));
    }

    #[test]
    fn what_is_not_signed_by_the_shop_is_refused() {
        let reason = |result: Result<Hint, Refused>| {
            let refused = result.unwrap_err();
            (refused.status, refused.reason)
        };
        assert_eq!(reason(told("key-9", STATUS)), (401, "wrong_signature"));
        let other = signed("key-2", &format!("https://other.example|{STATUS}"), STATUS);
        assert_eq!(reason(receiver().verify(&other)), (401, "wrong_signature"));
        let mut changed = signed("key-2", &format!("{ADDRESS}|{STATUS}"), STATUS);
        for at in 0..changed.body.len() {
            changed.body[at] ^= 1;
            assert_eq!(reason(receiver().verify(&changed)), (401, "wrong_signature"), "byte {at}");
            changed.body[at] ^= 1;
        }
        assert!(receiver().verify(&changed).is_ok());
        changed.headers[0].1 = "xyz".into();
        assert_eq!(reason(receiver().verify(&changed)), (401, "wrong_signature"));
        let twice =
            Delivery { headers: vec![("x-hash".into(), "a".into()), ("X-HASH".into(), "b".into())], ..changed.clone() };
        assert_eq!(reason(receiver().verify(&twice)), (400, "header_twice"));
        assert_eq!(reason(receiver().verify(&Delivery { headers: Vec::new(), ..changed })), (401, "no_signature"));
        assert_eq!(reason(told("key-1", "<html>")), (400, "not_json"));
        let large = "x".repeat(MAX_DELIVERY_BYTES + 1);
        assert_eq!(reason(told("key-1", &large)), (413, "too_large"));
        assert_eq!(
            reason(Receiver::new("a secret of our own").verify(&signed("a", "b", "{}"))),
            (401, "wrong_signature")
        );
    }
}
