//! WooCommerce's webhooks: verifying deliveries, and registering them over the REST API.
//!
//! The signature covers the body and nothing else. So what a header says decides at most which record is read again from
//! the shop; a header that was tampered with can cost a call, never bring in a document.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use koppel_core::connection::Connection;
use koppel_core::document::Entity;
use koppel_core::error::RetryReason;
use koppel_core::ports::webhook::{Delivery, Hint, Hook, HookState, MAX_DELIVERY_BYTES, Refused};
use koppel_core::ports::{Calls, WebhookAdmin, WebhookReceiver};
use koppel_core::{Cause, Failure, NonEmpty};
use ring::hmac;
use serde_json::{Value, json};

use super::client::WooCommerceClient;
use crate::http::Deps;

const SIGNATURE: &str = "X-WC-Webhook-Signature";
const TOPIC: &str = "X-WC-Webhook-Topic";
const RESOURCE: &str = "X-WC-Webhook-Resource";
const EVENT: &str = "X-WC-Webhook-Event";
const DELIVERY: &str = "X-WC-Webhook-Delivery-ID";
const CONTENT_TYPE: &str = "Content-Type";

/// Events of an order that a flow of orders wants to hear of.
const ORDER_TOPICS: &[&str] = &["order.created", "order.updated", "order.deleted", "order.restored"];
/// Events of a product, and of its variations.
const PRODUCT_TOPICS: &[&str] = &["product.created", "product.updated", "product.deleted", "product.restored"];
/// Events of an account.
const CUSTOMER_TOPICS: &[&str] = &["customer.created", "customer.updated", "customer.deleted"];
/// Most pages of webhooks that are looked through: a shop with more has another problem.
const MOST_PAGES: u32 = 20;

/// Verifies deliveries of one shop.
pub struct Receiver {
    key: hmac::Key,
}

impl Receiver {
    /// A receiver for deliveries signed with `secret`.
    pub fn new(secret: &str) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()) }
    }
}

impl WebhookReceiver for Receiver {
    fn verify(&self, delivery: &Delivery) -> Result<Hint, Refused> {
        if delivery.body.len() > MAX_DELIVERY_BYTES {
            return Err(refused(413, "too_large"));
        }
        let content_type = delivery.one(CONTENT_TYPE)?.unwrap_or_default().to_ascii_lowercase();
        let Some(signature) = delivery.one(SIGNATURE)? else {
            return if is_ping(delivery, &content_type) { Ok(Hint::Ping) } else { Err(refused(401, "no_signature")) };
        };
        // `verify` compares in constant time.
        let signature = STANDARD.decode(signature.trim()).map_err(|_| refused(401, "wrong_signature"))?;
        hmac::verify(&self.key, &delivery.body, &signature).map_err(|_| refused(401, "wrong_signature"))?;

        if content_type.split(';').next().map(str::trim) != Some("application/json") {
            return Err(refused(400, "not_json"));
        }
        let body: Value = serde_json::from_slice(&delivery.body).map_err(|_| refused(400, "not_json"))?;
        let (topic, resource, event) =
            (required(delivery, TOPIC)?, required(delivery, RESOURCE)?, required(delivery, EVENT)?);
        if topic.split_once('.') != Some((resource, event)) {
            return Err(refused(400, "bad_header"));
        }
        let id = required(delivery, DELIVERY)?;
        if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(refused(400, "bad_header"));
        }
        let read = [Entity::Orders, Entity::Products, Entity::Customers];
        let Some(entity) = read.into_iter().find(|entity| topics(*entity).contains(&topic)) else {
            return Ok(Hint::Ignored { why: "topic" });
        };
        // A variation is told by itself, and read with its product.
        let key = match entity {
            Entity::Products => super::native::product::owner(&body),
            _ => super::native::id(&body),
        };
        // A record that was deleted before the delivery went out leaves an error in its place, without an id: nothing
        // can be asked for. A deletion in time leaves only the id, and reading it finds that it is gone.
        match (key.map(|id| id.to_string()).and_then(NonEmpty::new), NonEmpty::new(id)) {
            (Some(key), Some(delivery)) => Ok(Hint::Record { entity, key, delivery }),
            _ => Ok(Hint::Ignored { why: "no_id" }),
        }
    }
}

/// Topics that together tell every change.
fn topics(entity: Entity) -> &'static [&'static str] {
    match entity {
        Entity::Orders => ORDER_TOPICS,
        Entity::Products => PRODUCT_TOPICS,
        Entity::Customers => CUSTOMER_TOPICS,
        _ => &[],
    }
}

/// The form the shop posts when a webhook is made: unsigned, and without any header of its own.
fn is_ping(delivery: &Delivery, content_type: &str) -> bool {
    let number = delivery.body.strip_prefix(b"webhook_id=").unwrap_or_default();
    let own_header = |name: &str| name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("x-wc-"));
    content_type.split(';').next().map(str::trim) == Some("application/x-www-form-urlencoded")
        && (1..=20).contains(&number.len())
        && number.iter().all(u8::is_ascii_digit)
        && !delivery.headers.iter().any(|(name, _)| own_header(name))
}

fn required<'a>(delivery: &'a Delivery, name: &str) -> Result<&'a str, Refused> {
    let value = delivery.one(name)?.map(str::trim).filter(|value| !value.is_empty());
    value.ok_or_else(|| refused(400, "no_header"))
}

fn refused(status: u16, reason: &'static str) -> Refused {
    Refused { status, reason }
}

/// Registers webhooks in one shop. Needs a key that may write.
#[derive(Debug)]
pub struct Admin {
    client: WooCommerceClient,
}

impl Admin {
    /// For a connection.
    pub fn new(connection: &Connection, deps: &Deps) -> Result<Self, Failure> {
        Ok(Self { client: WooCommerceClient::new(connection, deps)? })
    }
}

#[async_trait]
impl WebhookAdmin for Admin {
    fn topics(&self, entity: Entity) -> &'static [&'static str] {
        topics(entity)
    }

    async fn list(&self, calls: &Calls) -> Result<Vec<Hook>, Failure> {
        let mut hooks = Vec::new();
        for page in 1..=MOST_PAGES {
            let rows = self.client.webhooks(page, calls).await?;
            if rows.is_empty() {
                break;
            }
            hooks.extend(rows.iter().filter_map(hook));
        }
        Ok(hooks)
    }

    async fn register(&self, topic: &str, url: &str, secret: &str, calls: &Calls) -> Result<Hook, Failure> {
        let body = json!({
            "name": format!("Koppel {topic}"), "topic": topic, "delivery_url": url, "secret": secret, "status": "active",
        });
        known(&self.client.create_webhook(body, calls).await?)
    }

    async fn enable(&self, id: &str, secret: &str, calls: &Calls) -> Result<Hook, Failure> {
        known(&self.client.update_webhook(id, json!({ "status": "active", "secret": secret }), calls).await?)
    }
}

/// A webhook as the shop shows it; `None` for a row of another form.
fn hook(row: &Value) -> Option<Hook> {
    let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
    let state = match row.get("status").and_then(Value::as_str)? {
        "active" => HookState::Active,
        "paused" => HookState::Paused,
        _ => HookState::Disabled,
    };
    Some(Hook { id: super::native::id(row)?.to_string(), topic: text("topic")?, url: text("delivery_url")?, state })
}

fn known(row: &Value) -> Result<Hook, Failure> {
    hook(row).ok_or_else(|| {
        let cause = Cause::new("unexpected_answer", "the shop did not answer a webhook");
        Failure::retry(RetryReason::Unavailable, None, cause.advice("look for a plugin that changes the REST API"))
    })
}

#[cfg(test)]
mod tests;
