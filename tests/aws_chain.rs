//! Orders, and everything else that an example moves, through the real Lambda binaries, SQS, DynamoDB, KMS and EventBridge of the
//! emulator.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use koppel_core::keys::Tenant;
use koppel_core::outcome::Outcome;
use koppel_flows::runs::{self, Scope};
use koppel_flows::steps;
use koppel_hosting::aws::Stack;
use koppel_hosting::embedded::IN_MEMORY;
use koppel_sandbox::{Inspector, Options, Sandbox};

use crate::aws_ports::Emulator;
use crate::chain::consent;
use crate::chain::world::{FLOW, World, apply_to, yaml};
use crate::pairs::{examples, writes};

/// One test, because the stack takes longer to come up than the orders to arrive.
#[tokio::test]
async fn aws_functions_deliver_orders_once_to_the_cent_and_end_every_flow_of_an_example() {
    let sandbox = Sandbox::start(Options::default()).await.expect("the sandbox starts");
    let emulator = Emulator::up();
    let stack = emulator.stack().await;
    let tenant = Tenant::default();
    apply_to(&stack.engine, &tenant, &yaml(&sandbox)).await;
    consent::give_to(&stack.engine, &tenant, "books").await;

    let (outcomes, causes) = run(&stack, &tenant, FLOW, Scope::default()).await;
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
    let (outcomes, causes) = run(&stack, &tenant, FLOW, again).await;
    assert_eq!((outcomes.get(&Outcome::Created), outcomes[&Outcome::Unchanged]), (None, 6), "{causes:#?}");
    assert_eq!(sandbox.exact().documents("SalesOrders").len(), 6);

    every_flow_of_an_example_ends_as_on_one_machine(&stack).await;
}

/// Articles, stock, customers, refunds, four kinds of documents, in both directions: every flow ends as it does in one process, and
/// a second time neither side is written.
async fn every_flow_of_an_example_ends_as_on_one_machine(stack: &Stack) {
    let text = examples::text_of("woocommerce--exact-online");
    let machine = World::with(examples::options(), Path::new(IN_MEMORY), |sandbox| examples::at(&text, sandbox)).await;
    let sandbox = Sandbox::start(examples::options()).await.expect("the sandbox starts");
    for system in [machine.sandbox.woocommerce(), machine.sandbox.exact(), sandbox.woocommerce(), sandbox.exact()] {
        assert_eq!(system.inspect("POST", "catalogue", &serde_json::json!({})).0, 204);
    }
    // Whose data it is keeps it apart from what the stack has moved before.
    let tenant = Tenant("example".into());
    // The functions have a schedule of their own; here one flow goes after the other. Their clock is the real one: a limit of calls a
    // minute would take minutes.
    let unscheduled: Vec<&str> = text.lines().filter(|line| !line.trim().starts_with("schedule:")).collect();
    let unlimited =
        unscheduled.join("\n").replace("    country: nl\n", "    country: nl\n    calls_per_minute: 6000\n");
    apply_to(&stack.engine, &tenant, &examples::at(&unlimited, &sandbox)).await;
    consent::give_to(&stack.engine, &tenant, "books").await;
    for round in ["the first time", "a second time"] {
        [sandbox.woocommerce(), sandbox.exact()].iter().for_each(Inspector::reset_calls);
        for flow in examples::turn(&text) {
            machine.sandbox.clock().advance(chrono::TimeDelta::minutes(2));
            if flow == "stock" {
                // What changes seconds after a flow has written it may be dated by another clock and counts as its echo. On one
                // machine the clock is moved; here that time has to pass.
                tokio::time::sleep(Duration::from_secs(12)).await;
            }
            let expected = machine.run_flow_scope(&flow, examples::whole()).await;
            let (outcomes, causes) = run(stack, &tenant, &flow, examples::whole()).await;
            assert_eq!(outcomes, expected.funnel.outcomes, "{flow}, {round}: {causes:#?}");
        }
    }
    assert_eq!([sandbox.woocommerce(), sandbox.exact()].each_ref().map(writes), [0, 0]);
}

/// Starts a run and waits for the functions to bring it to its end.
async fn run(stack: &Stack, tenant: &Tenant, flow: &str, scope: Scope) -> (BTreeMap<Outcome, u64>, Vec<String>) {
    let engine = &stack.engine;
    let id = runs::start(engine, tenant, flow, scope).await.expect("a run starts").expect("no run is open");
    for _ in 0..600 {
        // The schedule function ends runs each minute; the command line does not wait for it either.
        steps::end_run(engine, tenant, flow).await.expect("readable");
        let run = runs::load(engine, tenant, flow, &id).await.expect("readable").expect("kept");
        if run.finished_at.is_some() {
            assert!(run.funnel.adds_up(), "{}", run.funnel);
            let (results, _) = runs::results(engine, tenant, flow, &id).await.expect("results");
            let causes = results.iter().filter_map(|r| r.cause.as_ref()).map(ToString::to_string).collect();
            return (run.funnel.outcomes, causes);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let funnel = runs::funnel(engine, tenant, flow, &id).await.expect("funnel");
    panic!("the run did not end: {funnel}");
}
