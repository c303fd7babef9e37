//! Customers that are not certain: nobody guesses, a person decides once, and what waited goes on, exactly once.

use koppel_core::outcome::Outcome;
use koppel_core::{Cause, NonEmpty};
use koppel_flows::config::load_current;
use koppel_flows::review::{self, Case, Verdict};
use koppel_sandbox::{FaultAction, FaultRule};
use serde_json::{Value, json};

use super::world::{FLOW, World, yaml};

/// Order 23 of the shop is of a registered customer.
const ORDER: &str = "23";

/// The configuration with other rules.
async fn world(rules: &str) -> World {
    let rules = rules.to_owned();
    World::new(move |sandbox| {
        yaml(sandbox).replace("    settings:\n", &format!("    settings:\n      customer: {rules}\n"))
    })
    .await
}

fn order(world: &World, number: &str) -> Value {
    let orders = world.sandbox.woocommerce().documents("orders");
    orders.into_iter().find(|order| order["number"] == number || order["id"].to_string() == number).expect("the order")
}

/// The customer of the books.
fn account(world: &World, name: &str, fields: &Value) -> String {
    let mut body = json!({ "Name": name, "Status": "C" });
    for (field, value) in fields.as_object().unwrap() {
        body[field] = value.clone();
    }
    let (status, made) = world.sandbox.exact().inspect("POST", "rows/crm/Accounts", &body);
    assert!((200..300).contains(&status), "{status} {made}");
    made["ID"].as_str().unwrap_or_else(|| panic!("no id: {made}")).to_owned()
}

fn accounts_with(world: &World, email: &str) -> Vec<Value> {
    world.sandbox.exact().documents("Accounts").into_iter().filter(|row| row["Email"] == email).collect()
}

async fn cases(world: &World) -> Vec<Case> {
    review::list(&world.embedded.engine, &world.tenant, FLOW).await.unwrap()
}

async fn decide(world: &World, case: &Case, verdict: &Verdict) -> Vec<(String, String)> {
    let (engine, tenant) = (&world.embedded.engine, &world.tenant);
    let stored = load_current(&*engine.store, tenant).await.unwrap().unwrap();
    review::decide(engine, tenant, &stored.config, case, verdict).await.unwrap()
}

/// What is due goes by itself, as on every host.
async fn by_itself(world: &World) {
    koppel_flows::steps::schedule(&world.embedded.engine).await.unwrap();
    world.drain().await;
    koppel_flows::steps::schedule(&world.embedded.engine).await.unwrap();
}

#[tokio::test]
async fn see() {
    let world = World::new(yaml).await;
    for order in world.sandbox.woocommerce().documents("orders") {
        println!(
            "{} {} {} {} {}",
            order["id"], order["number"], order["status"], order["customer_id"], order["billing"]
        );
    }
    let (status, made) =
        world.sandbox.exact().inspect("POST", "rows/crm/Accounts", &json!({"Name": "x", "Status": "C"}));
    println!("{status} {made}");
    println!(
        "{:#?}",
        world
            .sandbox
            .exact()
            .documents("Accounts")
            .iter()
            .map(|a| format!("{} {} {} {}", a["Code"], a["Name"], a["Email"], a["VATNumber"]))
            .collect::<Vec<_>>()
    );
    let _ = (Outcome::Created, FaultAction::Status, FaultRule::new, Cause::new("a", "b"), NonEmpty::new("a"), ORDER);
    let _ = (order(&world, "23"), account, accounts_with, decide, by_itself, cases(&world).await);
    panic!("see");
}
