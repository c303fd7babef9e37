//! Paid orders of the recorded shop arrive in the books: once, to the cent, with the right customer.

use koppel_core::outcome::Outcome;
use koppel_flows::runs::Scope;
use rust_decimal::Decimal;
use serde_json::Value;

use super::world::{World, yaml};

fn money(value: &Value) -> Decimal {
    value.to_string().trim_matches('"').parse().unwrap_or_else(|_| panic!("{value} is not a number"))
}

#[tokio::test]
async fn every_eligible_order_arrives_to_the_cent_and_the_others_say_why() {
    let world = World::new(yaml).await;
    let ended = world.run().await;

    assert_eq!(ended.labels(Outcome::Created), ["23", "24", "25", "26", "27", "31"], "{:#?}", ended.by_label);
    assert_eq!(ended.labels(Outcome::Filtered), ["28", "29", "30"]);
    assert!(ended.cause("28").contains("status «pending» is not one of processing, completed, on-hold"));
    assert!(ended.cause("29").contains("cancelled") && ended.cause("30").contains("failed"));

    let orders = world.sales_orders();
    let paid = [("WC-23", "64.53"), ("WC-24", "56.69"), ("WC-25", "119.80"), ("WC-26", "995"), ("WC-27", "91.63"), ("WC-31", "24.20")];
    assert_eq!(orders.keys().collect::<Vec<_>>(), paid.iter().map(|(r, _)| *r).collect::<Vec<_>>());
    for (reference, total) in paid {
        assert_eq!(money(&orders[reference]["AmountDC"]), total.parse().unwrap(), "{reference}");
    }
}

#[tokio::test]
async fn the_second_run_creates_nothing() {
    let world = World::new(yaml).await;
    world.run().await;
    let before = world.sandbox.exact().documents("SalesOrders");
    let posts = posts(&world);
    // The cursor has moved on: nothing is read again.
    assert_eq!(world.run().await.funnel.fetched, 0);
    // Read again from the beginning, the ledger knows every order.
    let ended = world.run_scope(Scope { since: Some(chrono::DateTime::UNIX_EPOCH), ids: Vec::new() }).await;
    assert_eq!(ended.funnel.count(Outcome::Created), 0);
    assert_eq!(ended.funnel.count(Outcome::Unchanged), 6, "{:#?}", ended.by_label);
    assert_eq!(world.sandbox.exact().documents("SalesOrders"), before);
    assert_eq!(self::posts(&world), posts, "nothing is sent when nothing has changed");
}

fn posts(world: &World) -> u64 {
    world.sandbox.exact().calls().iter().filter(|(call, _)| call.starts_with("POST ")).map(|(_, count)| count).sum()
}
