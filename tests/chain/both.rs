//! What tests of flows between shop and books share, whichever way they go.

use chrono::TimeDelta;
use koppel_core::NonEmpty;
use koppel_core::document::Entity;
use koppel_core::message::Action;
use koppel_core::ports::target::Change;
use koppel_core::ports::{Calls, Sent};
use koppel_flows::{config, connections};
use koppel_hosting::embedded;
use koppel_sandbox::{Handle, Inspector, Options};
use serde_json::{Value, json};

use super::world::{World, connections_yaml};

/// The articles of the sandbox tell their parent, colour and size in free fields.
pub const BOOKS: &str = r#"    variants: { field: FreeTextField_01 }
    attributes: { Kleur: FreeTextField_03, Maat: FreeTextField_04 }
    features: { Merk: Class_01 }
"#;

/// Both systems with the catalogue of the demonstration, and these flows between them.
pub async fn world(flows: &'static str) -> World {
    let options = Options::default().switch("exact-online", json!({ "minute_limit": null }));
    let yaml = move |sandbox: &Handle| format!("{}{BOOKS}\nflows:\n{flows}", connections_yaml(sandbox));
    let world = World::with(options, std::path::Path::new(embedded::IN_MEMORY), yaml).await;
    for system in [world.sandbox.exact(), world.sandbox.woocommerce()] {
        assert_eq!(system.inspect("POST", "catalogue", &json!({})).0, 204);
    }
    pass(&world);
    world
}

/// Every run looks back five minutes: what was there long before is not read twice.
pub fn pass(world: &World) {
    world.sandbox.clock().advance(TimeDelta::minutes(9));
}

/// Calls that could have changed something, but for tokens, since the counters were set back.
pub fn writes(system: Inspector) -> Vec<String> {
    let calls = system.calls().into_iter().filter(|(call, _)| !call.starts_with("GET") && !call.contains("oauth2"));
    calls.map(|(call, count)| format!("{count} {call}")).collect()
}

/// Sets the counters of both systems back.
pub fn forget_calls(world: &World) {
    world.sandbox.exact().reset_calls();
    world.sandbox.woocommerce().reset_calls();
}

/// A merchant writes a record of the shop; `id` is `None` for a new one.
pub async fn merchant(world: &World, entity: Entity, id: Option<&str>, key: &str, fields: Value) -> Sent {
    let engine = &world.embedded.engine;
    let stored = config::load_current(&*engine.store, &world.tenant).await.unwrap().unwrap();
    let shop = connections::target(engine, &world.tenant, &stored.config, "shop").await.unwrap();
    let change = Change {
        key: NonEmpty::new(key).unwrap(),
        action: id.map_or(Action::Create, |id| Action::Update { id: id.to_owned() }),
        fields: fields.as_object().cloned().unwrap(),
        pictures: Vec::new(),
    };
    shop.send_records(entity, &[change], &Calls::default()).await.unwrap().remove(0).unwrap()
}

/// Somebody changes a row of the books.
pub fn put_row(world: &World, resource: &str, row: &Value, changes: Value) {
    let mut row = row.clone();
    for (name, value) in changes.as_object().expect("fields") {
        row[name] = value.clone();
    }
    let known = row.as_object_mut().expect("a row");
    known.retain(|name, _| !["Timestamp", "Modified"].contains(&name.as_str()));
    let (status, answer) = world.sandbox.exact().inspect("POST", &format!("rows/{resource}"), &row);
    assert!(status < 300, "{answer}");
}

/// The one row with this code.
pub fn row(world: &World, table: &str, code: &str) -> Value {
    let rows = world.sandbox.exact().documents(table);
    let mut found = rows.into_iter().filter(|row| row["Code"] == code);
    let first = found.next().unwrap_or_else(|| panic!("no {code} in {table}"));
    assert!(found.next().is_none(), "{code} is there twice");
    first
}

/// The one record of the shop with this value.
pub fn shown(world: &World, table: &str, field: &str, value: &str) -> Value {
    let rows = world.sandbox.woocommerce().documents(table).into_iter();
    let mut found = rows.filter(|row| row[field] == value && row["status"] != "trash");
    let first = found.next().unwrap_or_else(|| panic!("no {value} in {table}"));
    assert!(found.next().is_none(), "{value} is there twice");
    first
}
