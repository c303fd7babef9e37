//! Functions that are killed while orders flow, on the emulated AWS: every order arrives once and to the cent.

mod hunter;

use std::collections::BTreeMap;
use std::time::Duration;

use koppel_chaos::shops::woocommerce::eligible;
use koppel_core::NonEmpty;
use koppel_core::keys::Tenant;
use koppel_core::message::Step;
use koppel_core::outcome::Outcome;
use koppel_flows::ledger::{self, State};
use koppel_flows::runs::{self, Run, Scope};
use koppel_flows::{Engine, steps, waiting};
use koppel_hosting::ReceivingQueue;
use koppel_hosting::aws::Stack;
use koppel_sandbox::woocommerce::generate_orders;
use koppel_sandbox::{Handle, Options, Sandbox};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::aws_ports::Emulator;
use crate::chain::consent;
use crate::chain::world::{FLOW, apply_to, yaml};
use hunter::Hunter;

/// Orders beside the six of the recorded shop.
const ORDERS: usize = 24;
/// The claims of killed writers live for a minute and a half each.
const AT_MOST: Duration = Duration::from_secs(480);

#[tokio::test]
async fn aws_functions_that_are_killed_lose_nothing_and_repeat_nothing() {
    let sandbox = Sandbox::start(Options::default()).await.expect("the sandbox starts");
    fill(&sandbox);
    let emulator = Emulator::up();
    emulator.messages_return_after(3);
    let stack = emulator.stack().await;
    let tenant = Tenant::default();
    let codes = r#"NL/21: "4", NL/9: "2", NL/0: "0", DE/19: "12", DE/0: "0", BE/21: "13", BE/0: "0", exempt: "7""#;
    let text = yaml(&sandbox).replace(r#"NL/21: "4", NL/9: "2", DE/19: "12", BE/0/exempt: "7""#, codes);
    let text = text.replace("document: sales-order\n", "document: sales-order\n    lanes: 6\n");
    apply_to(&stack.engine, &tenant, &text).await;
    consent::give_to(&stack.engine, &tenant, "books").await;

    let mut hunter = Hunter::begin(emulator.process(), &sandbox);
    let (run, left_claimed) = chase(&stack, &tenant, &mut hunter).await;
    let killed = hunter.end();
    assert!(run.funnel.adds_up(), "{}", run.funnel);
    let created = run.funnel.count(Outcome::Created);
    eprintln!("killed: {killed:?}; {left_claimed} after the order and before its ledger; {}", run.funnel);

    // The hunt was one: every step lost a process, and the worst moment was among them.
    for step in Step::QUEUED {
        assert!(killed.get(step.name()).is_some_and(|times| *times > 0), "no {step} was killed: {killed:?}");
    }
    assert!(left_claimed > 0, "no writer was killed between its order and its ledger");

    let expected = eligible(&sandbox.woocommerce());
    assert_eq!(created, expected.len() as u64, "{}", run.funnel);
    assert_once_to_the_cent(&sandbox, &expected);
    assert_customers_once(&sandbox);
    assert!(waiting::list(&stack.engine, &tenant, FLOW).await.expect("the list").is_empty());
    for step in Step::QUEUED {
        assert_eq!(stack.queues.dead_letters(step, 10).await.expect("readable").len(), 0, "{step}");
    }

    // The ledger knows all of it: read again, nothing is written.
    let scope = Scope { since: Some(chrono::DateTime::UNIX_EPOCH), ids: Vec::new() };
    let id = runs::start(&stack.engine, &tenant, FLOW, scope).await.expect("a run starts").expect("no run is open");
    let again = loop {
        if let Some(run) = ended(&stack.engine, &tenant, &id).await {
            break run;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(again.funnel.count(Outcome::Unchanged), created, "{}", again.funnel);
    assert_once_to_the_cent(&sandbox, &expected);
}

/// Puts orders into the shop that the configuration of the recorded shop can book.
fn fill(sandbox: &Handle) {
    let has_reduced_rate_of_germany = |order: &Value| {
        let at = |tax: &Value| tax["rate_percent"].to_string().trim_matches('"').starts_with('7');
        order["tax_lines"].as_array().is_some_and(|taxes| taxes.iter().any(at))
    };
    let has_fees = |order: &Value| order["fee_lines"].as_array().is_some_and(|fees| !fees.is_empty());
    let mut orders: Vec<Value> = generate_orders(5, 2 * ORDERS);
    orders.retain(|order| !has_reduced_rate_of_germany(order) && !has_fees(order));
    orders.truncate(ORDERS);
    assert_eq!(orders.len(), ORDERS);
    for order in &mut orders {
        order["number"] = json!(order["id"].to_string());
    }
    let (status, answer) = sandbox.woocommerce().inspect("POST", "orders", &Value::Array(orders));
    assert!(status < 300, "{answer}");
}

/// Runs the flow under the hunter. Also tells how many records were found claimed, their writer dead and their order there.
async fn chase(stack: &Stack, tenant: &Tenant, hunter: &mut Hunter) -> (Run, usize) {
    let engine = &stack.engine;
    let id = runs::start(engine, tenant, FLOW, Scope::default()).await.expect("a run starts").expect("no run is open");
    let mut left_claimed = 0;
    for _ in 0..AT_MOST.as_millis() / 100 {
        for number in hunter.orders_of_killed_writers() {
            let record = NonEmpty::new(&number).expect("a number");
            let known = ledger::entries(engine, tenant, FLOW, &[record]).await.expect("readable").remove(0);
            left_claimed += usize::from(known.is_some_and(|known| known.entry.state == State::Claimed));
        }
        if let Some(run) = ended(engine, tenant, &id).await {
            return (run, left_claimed);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the run did not end: {}", runs::funnel(engine, tenant, FLOW, &id).await.expect("funnel"));
}

async fn ended(engine: &Engine, tenant: &Tenant, id: &str) -> Option<Run> {
    // The schedule function ends runs each minute; nobody here waits for it.
    steps::end_run(engine, tenant, FLOW).await.expect("readable");
    runs::load(engine, tenant, FLOW, id).await.expect("readable").filter(|run| run.finished_at.is_some())
}

fn assert_once_to_the_cent(sandbox: &Handle, expected: &[(String, Decimal)]) {
    let mut booked: BTreeMap<String, Vec<Decimal>> = BTreeMap::new();
    for order in sandbox.exact().documents("SalesOrders") {
        let total: Decimal = order["AmountDC"].to_string().trim_matches('"').parse().expect("an amount");
        booked.entry(order["YourRef"].as_str().unwrap_or_default().to_owned()).or_default().push(total.normalize());
    }
    let paid = expected.iter().map(|(number, total)| (format!("WC-{number}"), vec![total.normalize()])).collect();
    assert_eq!(booked, paid);
}

fn assert_customers_once(sandbox: &Handle) {
    let accounts = sandbox.exact().documents("Accounts");
    let mut emails: Vec<String> = accounts
        .iter()
        .filter_map(|account| account["Email"].as_str())
        .map(str::to_lowercase)
        .filter(|e| !e.is_empty())
        .collect();
    emails.sort();
    let all = emails.clone();
    emails.dedup();
    assert_eq!(all, emails, "a customer is there twice");
}
