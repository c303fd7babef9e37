//! The recorded orders through the real Lambda binaries, SQS, DynamoDB, KMS and EventBridge of the emulator.

use std::collections::BTreeMap;
use std::time::Duration;

use koppel_core::keys::Tenant;
use koppel_core::outcome::Outcome;
use koppel_flows::runs::{self, Scope};
use koppel_flows::steps;
use koppel_hosting::aws::Stack;
use koppel_sandbox::{Options, Sandbox};

use crate::aws_ports::Emulator;
use crate::chain::consent;
use crate::chain::world::{FLOW, apply_to, yaml};

/// One test, because the stack takes longer to come up than the orders to arrive.
#[tokio::test]
async fn aws_functions_deliver_the_recorded_orders_once_to_the_cent() {
    let sandbox = Sandbox::start(Options::default()).await.expect("the sandbox starts");
    let emulator = Emulator::up();
    let stack = emulator.stack().await;
    let tenant = Tenant::default();
    apply_to(&stack.engine, &tenant, &yaml(&sandbox)).await;
    consent::give_to(&stack.engine, &tenant, "books").await;

    let (outcomes, causes) = run(&stack, &tenant, Scope::default()).await;
    assert_eq!((outcomes[&Outcome::Created], outcomes[&Outcome::Filtered]), (6, 3), "{causes:#?}");
    let mut totals = BTreeMap::new();
    for order in sandbox.exact().documents("SalesOrders") {
        let reference = order["YourRef"].as_str().unwrap_or_default().to_owned();
        let total: rust_decimal::Decimal = order["AmountDC"].to_string().trim_matches('"').parse().expect("an amount");
        assert!(totals.insert(reference, total.normalize().to_string()).is_none(), "an order is there twice");
    }
    let paid = [
        ("WC-23", "64.53"),
        ("WC-24", "56.69"),
        ("WC-25", "119.8"),
        ("WC-26", "995"),
        ("WC-27", "91.63"),
        ("WC-31", "24.2"),
    ];
    assert_eq!(totals, paid.map(|(r, t)| (r.to_owned(), t.to_owned())).into());

    let again = Scope { since: Some(chrono::DateTime::UNIX_EPOCH), ids: Vec::new() };
    let (outcomes, causes) = run(&stack, &tenant, again).await;
    assert_eq!((outcomes.get(&Outcome::Created), outcomes[&Outcome::Unchanged]), (None, 6), "{causes:#?}");
    assert_eq!(sandbox.exact().documents("SalesOrders").len(), 6);
}

/// Starts a run and waits for the functions to bring it to its end.
async fn run(stack: &Stack, tenant: &Tenant, scope: Scope) -> (BTreeMap<Outcome, u64>, Vec<String>) {
    let engine = &stack.engine;
    let id = runs::start(engine, tenant, FLOW, scope).await.expect("a run starts").expect("no run is open");
    for _ in 0..600 {
        // The schedule function ends runs each minute; the command line does not wait for it either.
        steps::end_run(engine, tenant, FLOW).await.expect("readable");
        let run = runs::load(engine, tenant, FLOW, &id).await.expect("readable").expect("kept");
        if run.finished_at.is_some() {
            assert!(run.funnel.adds_up(), "{}", run.funnel);
            let (results, _) = runs::results(engine, tenant, FLOW, &id).await.expect("results");
            let causes = results.iter().filter_map(|r| r.cause.as_ref()).map(ToString::to_string).collect();
            return (run.funnel.outcomes, causes);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let funnel = runs::funnel(engine, tenant, FLOW, &id).await.expect("funnel");
    panic!("the run did not end: {funnel}");
}
