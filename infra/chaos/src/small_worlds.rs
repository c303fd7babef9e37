//! A small world of each pair, in which everything goes wrong that can.

use crate::{Report, pairs, tell};

/// Faults of which even the smallest world sees some.
const KINDS: [&str; 5] =
    ["answer of the store lost", "crash after a write", "http: answer lost", "message duplicated", "store throttled"];

async fn is_told(pair: &str, seed: u64, orders: usize) -> Report {
    let pair = pairs::named(pair).expect("a pair")[0];
    let report = tell(pair, seed, orders).await.expect("the world is told");
    let zeros =
        [report.lost, report.duplicated, report.customers_duplicated, report.cent_mismatches, report.unexplained];
    assert_eq!(zeros, [0; 5], "\n{}", report.table());
    assert!(report.orders >= 12 && report.refunds >= 2 && report.kept >= 10, "\n{}", report.table());
    let missing: Vec<&&str> = KINDS.iter().filter(|kind| !report.faults_by_kind.contains_key(**kind)).collect();
    assert!(missing.is_empty(), "no {missing:?} in\n{}", report.table());
    report
}

#[tokio::test]
async fn woocommerce_exact_online() {
    is_told("woocommerce--exact-online", 5, 24).await;
}

#[tokio::test]
async fn woocommerce_visma_net() {
    is_told("woocommerce--visma-net", 4, 24).await;
}

/// A small one: this shop is asked for every order by itself.
#[tokio::test]
async fn ccv_shop_visma_net() {
    is_told("ccv-shop--visma-net", 4, 14).await;
}

#[tokio::test]
async fn mijnwebwinkel_accountview() {
    is_told("mijnwebwinkel--accountview", 5, 24).await;
}

#[tokio::test]
async fn woocommerce_asperion() {
    is_told("woocommerce--asperion", 4, 24).await;
}

#[test]
fn a_pair_that_is_not_there_is_named_with_those_that_are() {
    let error = pairs::named("woocommerce--exact").err().expect("an error").to_string();
    assert!(error.contains("«woocommerce--exact»") && error.contains("mijnwebwinkel--accountview"), "{error}");
    assert_eq!(pairs::named("all").expect("all").len(), 5);
}
