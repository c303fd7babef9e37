//! Plans of records that are kept in step: the differences field by field, and that a run then writes those fields.

use std::collections::BTreeMap;

use koppel_core::outcome::Outcome;
use koppel_flows::config;
use koppel_flows::plan::{Change, Plan, Planner};
use koppel_flows::runs::Scope;
use koppel_sandbox::Handle;
use serde_json::json;

use super::world::{FLOW, World, yaml};

async fn plan(world: &World) -> Plan {
    let engine = &world.embedded.engine;
    let stored = config::load_current(&*engine.store, &world.tenant).await.unwrap().unwrap();
    let planner = Planner::new(engine, &world.tenant, &stored, FLOW, Scope::default(), None).await.unwrap();
    while planner.next().await.unwrap() {}
    planner.finish().await.unwrap()
}

/// The configuration of the world with a flow of its own.
fn with_flow(sandbox: &Handle, flow: &str) -> String {
    let text = yaml(sandbox);
    let connections = text.split("flows:").next().unwrap();
    let shop = connections.split("  books:").next().unwrap().split("  shop:\n").nth(1).unwrap();
    format!("{connections}  copy:\n{shop}flows:\n  web-orders:\n{flow}")
}

#[tokio::test]
async fn a_change_is_shown_with_what_is_there_and_what_would_be() {
    // The shop is its own target: without rows of one's own nothing differs, and with one exactly that field does.
    let flow = "    from: shop\n    to: copy\n    entity: products\n    map:\n      \
                target.name: product.name ~ \" (nieuw)\"\n";
    let world = World::new(|sandbox| with_flow(sandbox, flow)).await;
    let before = world.sandbox.woocommerce().documents("products");
    let planned = plan(&world).await;
    let updated: Vec<_> = planned.records.iter().filter(|r| r.result.outcome == Outcome::Updated).collect();
    assert!(updated.len() > 2, "{:#?}", planned.records);
    for record in &updated {
        let name = record.changes.iter().find(|change| change.field == "name").unwrap();
        assert!(name.after.as_str().unwrap().ends_with(" (nieuw)"), "{name:?}");
        assert_eq!(record.payload["name"], name.after);
        assert!(!record.result.target_number.is_empty());
    }
    let mug = &planned.record("MOK-WIT").unwrap().changes;
    let (field, is, would_be) = ("name".to_owned(), json!("Mok wit"), json!("Mok wit (nieuw)"));
    assert_eq!(mug, &[Change { field, before: is, after: would_be }]);
    assert_eq!(world.sandbox.woocommerce().documents("products"), before);
    assert_eq!(planned.totals.documents, 0, "an article is booked nowhere");

    let ended = world.run().await;
    assert_eq!(planned.funnel, ended.funnel);
    let fields: BTreeMap<&str, &Vec<String>> =
        updated.iter().map(|r| (r.result.label.as_str(), &r.result.fields)).collect();
    for (label, fields) in fields {
        assert_eq!(&ended.by_label[label].fields, fields, "{label}");
    }
    assert_ne!(world.sandbox.woocommerce().documents("products"), before);
}

#[tokio::test]
async fn a_key_of_two_articles_is_not_guessed() {
    let flow = "    from: shop\n    to: copy\n    entity: products\n";
    let world = World::new(|sandbox| with_flow(sandbox, flow)).await;
    assert!(world.sandbox.woocommerce().inspect("POST", "catalogue", &json!(null)).0 < 300);
    let planned = plan(&world).await;
    let refused: Vec<_> = planned.records.iter().filter(|r| r.result.outcome == Outcome::Rejected).collect();
    assert!(refused.iter().any(|r| r.result.cause.as_ref().unwrap().message.contains("THEEPOT")), "{refused:#?}");
    assert_eq!(planned.funnel, world.run().await.funnel);
}

#[tokio::test]
async fn customers_of_the_shop_become_debtors_or_stay_as_they_are() {
    let flow = "    from: shop\n    to: books\n    entity: customers\n    settings:\n      \
                payment_terms: { default: \"30\" }\n";
    let world = World::new(|sandbox| with_flow(sandbox, flow)).await;
    let accounts = world.sandbox.exact().documents("Accounts");
    let planned = plan(&world).await;
    assert!(planned.funnel.count(Outcome::Created) > 0, "{}", planned.funnel);
    assert_eq!(world.sandbox.exact().documents("Accounts"), accounts);
    let ended = world.run().await;
    assert_eq!(planned.funnel, ended.funnel);
    for record in &planned.records {
        assert_eq!(record.result.outcome, ended.by_label[&record.result.label].outcome, "{}", record.result.label);
    }
    let again = plan(&world).await;
    assert_eq!(again.funnel.count(Outcome::Created), 0, "{}", again.funnel);
}
