//! A person who asks to be forgotten is: nothing that is kept names them any more.

use koppel_core::NonEmpty;
use koppel_core::outcome::Outcome;
use koppel_flows::runs::{self, Scope};
use koppel_flows::{erase, trail, waiting};
use serde_json::json;

use super::world::{FLOW, World, yaml};

#[tokio::test]
async fn nothing_that_is_kept_names_the_person_any_more_and_the_others_stay() {
    let world = World::new(yaml).await;
    let (engine, tenant) = (&world.embedded.engine, &world.tenant);
    let shop = world.sandbox.woocommerce();
    // An order of the same person that waits.
    let mut order = shop.documents("orders").into_iter().find(|o| o["id"] == 24).expect("order 24");
    let email = order["billing"]["email"].as_str().expect("an address").to_owned();
    order["id"] = 40.into();
    order["number"] = "2026-40".into();
    order["line_items"][0]["sku"] = json!("ONBEKEND");
    assert!(shop.inspect("POST", "orders", &order).0 < 300);
    let run = runs::start(engine, tenant, FLOW, Scope::default()).await.expect("a run starts").expect("none is open");
    let ended = world.finish(run.clone()).await;
    assert_eq!(ended.funnel.count(Outcome::Created), 6);
    let id = |text: &str| NonEmpty::new(text).expect("an id");

    let erased = erase::erase(engine, tenant, &format!(" {} ", email.to_uppercase())).await.expect("erased");
    let ids: Vec<&str> = erased.records.iter().map(|(_, id)| id.as_str()).collect();
    assert!(ids.contains(&"24") && ids.contains(&"40") && !ids.contains(&"26"), "{ids:?}");
    assert_eq!((erased.customer_links, erased.customer_claims, erased.waiting_labels), (2, 1, 1), "{erased:?}");
    assert_eq!(erased.report_details, ids.len(), "{erased:?}");
    assert!(erased.trail_entries >= 2 * ids.len() - 1, "{erased:?}");

    assert!(trail::read(engine, tenant, FLOW, &id("24")).await.expect("trail").is_empty());
    assert!(!trail::read(engine, tenant, FLOW, &id("26")).await.expect("trail").is_empty());
    let (results, _) = runs::results(engine, tenant, FLOW, &run).await.expect("results");
    assert!(results.iter().all(|result| !ids.contains(&result.key.as_str())), "{results:#?}");
    assert!(results.iter().any(|result| result.label == "26"));
    assert!(runs::funnel(engine, tenant, FLOW, &run).await.expect("funnel").adds_up(), "the counts stay");
    let list = waiting::list(engine, tenant, FLOW).await.expect("list");
    assert_eq!((list.len(), list[0].label.as_str(), &list[0].cause.place.record), (1, "40", &None));

    let again = erase::erase(engine, tenant, &email).await.expect("erased");
    assert_eq!(again, erase::Erased::default(), "nothing is left to erase");
    // What was delivered is still known, so nothing arrives twice.
    let ended = world.run_scope(Scope { since: None, ids: vec![id("24")] }).await;
    assert_eq!(ended.labels(Outcome::Unchanged), ["24"]);
    assert!(erase::erase(engine, tenant, "nobody").await.is_err());
}
