//! The field by which an order is looked for is one of the flow's settings: what somebody typed in is found by it, and what was
//! posted without an answer too.

use koppel_core::outcome::Outcome;
use koppel_flows::config;
use koppel_sandbox::{FaultAction, FaultRule, Handle};
use serde_json::json;

use super::world::{World, yaml};

fn by(sandbox: &Handle, field: &str) -> String {
    let text = yaml(sandbox).replacen("    settings:\n", &format!("    settings:\n      exists_field: {field}\n"), 1);
    // Numbers of orders of their own begin above those that Exact gives.
    let numbers = "    map: { reference: '\"9000\" ~ source.number' }\n";
    if field == "OrderNumber" { text + numbers } else { text }
}

/// What the shop's order 23 is known by.
fn key(field: &str) -> serde_json::Value {
    if field == "OrderNumber" { json!(900_023) } else { json!("WC-23") }
}

#[tokio::test]
async fn an_order_that_was_typed_in_is_found_by_each_field_and_skipped_with_its_number() {
    for field in ["Description", "PaymentReference", "OrderNumber"] {
        let world = World::new(|sandbox| by(sandbox, field)).await;
        // A clerk typed it in, with a reference of his own.
        let typed =
            json!({"OrderID": "0b5f3a52-2f3c-4b7e-9c1a-5d6e7f809010", "OrderNumber": 770, "YourRef": "by hand"});
        let mut typed = typed.as_object().unwrap().clone();
        typed.insert(field.to_owned(), key(field));
        let number = typed["OrderNumber"].to_string();
        let (status, answer) = world.sandbox.exact().inspect("POST", "rows/salesorder/SalesOrders", &typed.into());
        assert!(status < 300, "{answer}");
        let ended = world.run().await;
        assert_eq!(ended.labels(Outcome::Skipped), ["23"], "{field}: {:#?}", ended.by_label);
        assert!(ended.cause("23").contains(&format!("already has it as {number}")), "{}", ended.cause("23"));
        assert_eq!(ended.funnel.count(Outcome::Created), 5, "{field}: {:#?}", ended.by_label);
        assert_eq!(world.sandbox.exact().documents("SalesOrders").len(), 6, "{field}");
        for order in world.sandbox.exact().documents("SalesOrders") {
            let text = order[field].to_string();
            assert!(
                text.contains("WC-") || text.starts_with("90000") || text.starts_with("9000"),
                "{field}: {order:#?}"
            );
        }
    }
}

#[tokio::test]
async fn an_order_whose_answer_was_lost_is_searched_by_the_same_field() {
    for field in ["Description", "OrderNumber"] {
        let world = World::new(|sandbox| by(sandbox, field)).await;
        let lost = FaultRule::new(FaultAction::AnswerLost).method("POST").path("SalesOrders").count(3);
        world.sandbox.exact().fault(lost).expect("a rule");
        let ended = world.run().await;
        assert_eq!(ended.funnel.count(Outcome::Created), 6, "{field}: {:#?}", ended.by_label);
        let orders = world.sandbox.exact().documents("SalesOrders");
        assert_eq!(orders.len(), 6, "{field}");
        let log = world.sandbox.exact().log();
        let searched = log.iter().filter(|call| call.path.contains("SalesOrders") && call.method == "GET");
        assert!(searched.clone().count() > 3 && searched.clone().all(|call| call.query.contains(field)), "{field}");
    }
}

#[tokio::test]
async fn what_cannot_be_searched_is_refused_with_the_nearest_field() {
    let world = World::new(yaml).await;
    let causes = |text: &str| {
        let config = config::parse("koppel.yaml", text).unwrap();
        let causes = config::validate(&*world.embedded.engine.systems, &config, "koppel.yaml");
        causes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let told = causes(&by(&world.sandbox, "Discription"));
    assert!(told.contains("cannot look for a sales-order by «Discription»"), "{told}");
    assert!(told.contains("did you mean «Description»?"), "{told}");
    let entry = by(&world.sandbox, "Description").replace("document: sales-order", "document: financial-entry");
    assert!(causes(&entry).contains("use one of YourRef"), "{}", causes(&entry));
    let taken = by(&world.sandbox, "Description") + "    map: { target.Description: order.number }\n";
    assert!(causes(&taken).contains("the row target.Description puts something else there"), "{}", causes(&taken));
    assert_eq!(causes(&by(&world.sandbox, "YourRef")), "");
}
