//! What is found out about a shop before it goes live.

use koppel_core::ports::{Asked, Target};

use super::*;
use crate::ccv_shop::CcvShopTarget;

async fn codes(world: &World, asked: &Asked) -> Vec<String> {
    let target = CcvShopTarget::new(&world.connection, &world.deps).unwrap();
    let findings = target.diagnose(asked, &world.calls).await.unwrap();
    findings.into_iter().map(|finding| format!("{} {}", finding.severity.name(), finding.cause.code)).collect()
}

fn asked(entities: &[Entity]) -> Asked {
    Asked { entities: entities.to_vec(), writes: true, currencies: vec!["EUR".into()] }
}

#[tokio::test]
async fn the_shop_of_the_sandbox_is_looked_through() {
    let world = World::new(json!({}), json!({})).await;
    let source = world.source();
    assert!(source.test_connection(&world.calls).await.unwrap().contains("«Koppel Sandbox»"));
    // One product has no number; prices are with tax.
    assert_eq!(codes(&world, &asked(&[Entity::Orders])).await, ["warning prices_include_tax", "warning empty_sku"]);
    assert_eq!(codes(&world, &asked(&[Entity::Customers])).await, Vec::<String>::new());
    let foreign = World { connection: connection(world.sandbox.ccv_shop_url(), json!({ "country": "SE" })), ..world };
    let mut foreign = foreign;
    let pair = koppel_sandbox::ccv_shop::keys()[1];
    foreign.connection.secrets.insert("public_key".into(), pair.public.into());
    foreign.connection.secrets.insert("secret_key".into(), pair.secret.into());
    let found = codes(&foreign, &asked(&[Entity::Products])).await;
    assert_eq!(found, ["error no_tariffs", "warning empty_sku"]);
}

#[tokio::test]
async fn a_clock_that_is_wrong_and_a_full_shop_are_told() {
    let world = World::new(json!({ "product_limit": 8 }), json!({})).await;
    let found = codes(&world, &asked(&[Entity::Products])).await;
    assert!(found.contains(&"error product_limit".to_owned()), "{found:?}");
    // A machine whose clock is an hour behind.
    let late = testing::HandClock::at("2026-11-23T09:00:00Z");
    let store = Arc::new(MemoryStore::new(late.clone()));
    let deps = Deps { store, vault: Arc::new(MarkingVault), clock: late };
    let target = CcvShopTarget::new(&world.connection, &deps).unwrap();
    let findings = target.diagnose(&asked(&[Entity::Customers]), &world.calls).await.unwrap();
    let clock = findings.iter().find(|finding| finding.cause.code == "clock_wrong").unwrap();
    assert!(clock.cause.message.contains("behind"), "{}", clock.cause.message);
}

#[tokio::test]
async fn keys_of_another_shop_need_attention() {
    let mut world = World::new(json!({}), json!({})).await;
    world.connection.secrets.insert("secret_key".into(), "wrong".into());
    let failure = world.source().test_connection(&world.calls).await.unwrap_err();
    assert!(matches!(&failure, Failure::Auth(cause) if cause.code == "keys_or_clock_refused"), "{failure:?}");
}
