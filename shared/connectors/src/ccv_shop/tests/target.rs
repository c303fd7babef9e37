//! Products, stock and customers written to the stand-in.

use koppel_core::error::RetryReason;
use koppel_core::message::Action;
use koppel_core::ports::target::{Change, Existing, Picture};
use koppel_core::ports::{Sent, Target};
use koppel_sandbox::{FaultAction, FaultRule};

use super::*;
use crate::ccv_shop::CcvShopTarget;

mod prices;
mod products;
mod properties;
mod stock;
mod users;

struct Shop {
    world: World,
    target: CcvShopTarget,
}

impl Shop {
    async fn new(switches: Value, options: Value) -> Self {
        let world = World::new(switches, options).await;
        let target = CcvShopTarget::new(&world.connection, &world.deps).unwrap();
        Self { world, target }
    }

    async fn find(&self, entity: Entity, name: &str) -> Vec<Existing> {
        let found = self.target.find_records(entity, &[key(name)], &self.world.calls).await.unwrap();
        found.into_values().next().unwrap_or_default()
    }

    /// What became of each, and the calls it took.
    async fn send(&self, entity: Entity, changes: &[Change]) -> (Vec<Result<Sent, Failure>>, usize) {
        let before = self.world.calls.count();
        let results = self.target.send_records(entity, changes, &self.world.calls).await.unwrap();
        (results, self.world.calls.count() - before)
    }

    async fn one(&self, entity: Entity, change: Change) -> Result<Sent, Failure> {
        self.send(entity, &[change]).await.0.remove(0)
    }

    fn row(&self, table: &str, field: &str, value: &Value) -> Value {
        let rows = self.world.sandbox.ccv_shop().documents(table);
        rows.into_iter().find(|row| row[field] == *value).unwrap_or_default()
    }

    fn count(&self, table: &str) -> usize {
        self.world.sandbox.ccv_shop().documents(table).len()
    }
}

fn change(name: &str, id: Option<&str>, fields: Value) -> Change {
    let action = id.map_or(Action::Create, |id| Action::Update { id: id.to_owned() });
    Change { key: key(name), action, fields: fields.as_object().cloned().unwrap(), pictures: Vec::new() }
}

fn code(result: Result<Sent, Failure>) -> String {
    match result {
        Ok(sent) => format!("id {}", sent.id),
        Err(failure) => format!("{} {}", failure.class(), failure.cause().code),
    }
}
