//! Writing, against the sandbox, and against a small server where something has to go wrong.

mod customers;
mod pictures;
mod prices;
mod products;
mod server;
mod stock;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use koppel_core::document::Entity;
use koppel_core::message::Action;
use koppel_core::ports::target::{Change, Existing};
use koppel_core::ports::{Calls, Clock, Target};
use koppel_core::{Failure, NonEmpty};
use koppel_sandbox::{Handle, Options, Sandbox};
use serde_json::{Value, json};

use crate::http::testing::{connection, world};
use crate::woocommerce::WooCommerceTarget;

const SANDBOX_KEYS: [(&str, &str); 2] =
    [("key", "ck_40e6269f8e005c6da0b6f94b649bc5b85f8294e1"), ("secret", "cs_68568b8871d2d70d583699ea3665e0297f6ebe28")];

struct SandboxClock(koppel_sandbox::Clock);

impl Clock for SandboxClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.now()
    }
}

/// A shop of the sandbox, and who writes to it.
struct World {
    sandbox: Handle,
    target: WooCommerceTarget,
    calls: Calls,
}

impl World {
    async fn new() -> Self {
        Self::with(json!({})).await
    }

    /// With options beside the address.
    async fn with(mut connecting: Value) -> Self {
        let options = Options { ports: [("woocommerce".to_owned(), 0)].into(), ..Options::default() };
        let sandbox = Sandbox::start(options).await.unwrap();
        let (_, _, mut deps) = world();
        deps.clock = Arc::new(SandboxClock(sandbox.clock().clone()));
        connecting["url"] = json!(sandbox.woocommerce_url());
        let connection = connection("woocommerce", connecting, &SANDBOX_KEYS);
        let target = WooCommerceTarget::new(&connection, &deps).unwrap();
        Self { sandbox, target, calls: Calls::default() }
    }

    async fn find(&self, entity: Entity, key: &str) -> Vec<Existing> {
        let wanted = NonEmpty::new(key).unwrap();
        let mut found = self.target.find_records(entity, std::slice::from_ref(&wanted), &self.calls).await.unwrap();
        found.remove(&wanted).unwrap_or_default()
    }

    /// Sends, and how many calls it took.
    async fn send(&self, entity: Entity, changes: &[Change]) -> (Vec<Result<String, Failure>>, usize) {
        let before = self.calls.count();
        let results = self.target.send_records(entity, changes, &self.calls).await.unwrap();
        assert_eq!(results.len(), changes.len());
        let ids = results.into_iter().map(|result| result.map(|sent| sent.id)).collect();
        (ids, self.calls.count() - before)
    }

    fn row(&self, table: &str, id: u64) -> Value {
        let rows = self.sandbox.woocommerce().documents(table);
        rows.into_iter().find(|row| row["id"] == json!(id)).unwrap()
    }
}

fn change(key: &str, id: Option<&str>, fields: Value) -> Change {
    Change {
        key: NonEmpty::new(key).unwrap(),
        action: id.map_or(Action::Create, |id| Action::Update { id: id.to_owned() }),
        fields: fields.as_object().cloned().unwrap(),
        pictures: Vec::new(),
    }
}
