//! Webhooks: what a shop tells by itself. A delivery is a hint that a record has changed; what has changed is read from
//! the source, so a lost, late, repeated or forged delivery can never bring in a wrong document.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Calls;
use crate::document::Entity;
use crate::error::Failure;
use crate::keys::{NonEmpty, RecordKey};

/// Largest body that is looked at.
pub const MAX_DELIVERY_BYTES: usize = 1024 * 1024;

/// One delivery as it came in: the raw bytes, because they are what was signed.
#[derive(Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Headers in the order they came, names in any case.
    pub headers: Vec<(String, String)>,
    /// Body, byte for byte.
    pub body: Vec<u8>,
}

// Deliveries hold orders with names and addresses.
impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Delivery({} headers, {} bytes)", self.headers.len(), self.body.len())
    }
}

impl Delivery {
    /// All values of a header.
    pub fn values<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The one value of a header; refused when there are several, because it is not clear which one counts.
    pub fn one(&self, name: &str) -> Result<Option<&str>, Refused> {
        let mut values = self.values(name);
        let first = values.next();
        match values.next() {
            None => Ok(first),
            Some(_) => Err(Refused { status: 400, reason: "header_twice" }),
        }
    }
}

/// What a genuine delivery says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// The system tries whether anybody is there. Not signed, so nothing may follow from it.
    Ping,
    /// Nothing that a flow could act on.
    Ignored {
        /// Why, in one word for counts: `topic`, `no_id`.
        why: &'static str,
    },
    /// A record has changed.
    Record {
        /// Kind of record.
        entity: Entity,
        /// Its id.
        key: RecordKey,
        /// Id of the delivery, to recognise a repeated one.
        delivery: NonEmpty,
    },
}

/// A delivery that is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("refused with {status}: {reason}")]
pub struct Refused {
    /// HTTP status of the answer.
    pub status: u16,
    /// Why, in one word for counts, such as `wrong_signature`.
    pub reason: &'static str,
}

/// Tells genuine deliveries of one connection from others. Pure: no call, no clock.
pub trait WebhookReceiver: Send + Sync {
    /// Verifies the raw bytes, and only then looks into them.
    fn verify(&self, delivery: &Delivery) -> Result<Hint, Refused>;
}

/// Whether the system delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookState {
    /// It delivers.
    Active,
    /// Somebody has paused it.
    Paused,
    /// The system has given up after failures.
    Disabled,
}

/// A webhook as the system has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Id in the system.
    pub id: String,
    /// What it tells.
    pub topic: String,
    /// Where it delivers to.
    pub url: String,
    /// Whether it delivers.
    pub state: HookState,
}

/// Registers and mends webhooks in a system.
#[async_trait]
pub trait WebhookAdmin: Send + Sync {
    /// Topics that together tell every change of an entity; empty when the system tells none.
    fn topics(&self, entity: Entity) -> &'static [&'static str];

    /// All webhooks of the system, those of others included.
    async fn list(&self, calls: &Calls) -> Result<Vec<Hook>, Failure>;

    /// Makes a webhook.
    async fn register(&self, topic: &str, url: &str, secret: &str, calls: &Calls) -> Result<Hook, Failure>;

    /// Lets a webhook deliver (again), signed with this secret.
    async fn enable(&self, id: &str, secret: &str, calls: &Calls) -> Result<Hook, Failure>;

    /// What deliveries to `url` are verified with, where the system makes that itself; `None` where it takes ours.
    async fn issued_secret(&self, _url: &str, _calls: &Calls) -> Result<Option<String>, Failure> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_is_there_twice_is_refused_whatever_its_case() {
        let pair = |name: &str| (name.to_owned(), "x".to_owned());
        let delivery = Delivery { headers: vec![pair("X-A"), pair("X-B"), pair("x-a")], body: Vec::new() };
        assert_eq!(delivery.one("x-b"), Ok(Some("x")));
        assert_eq!(delivery.one("x-c"), Ok(None));
        assert_eq!(delivery.one("X-A"), Err(Refused { status: 400, reason: "header_twice" }));
    }
}
