//! The verdict: the books compared with the shop, and everything that is left compared with nothing.

use std::collections::{BTreeMap, BTreeSet};

use koppel_core::NonEmpty;
use koppel_core::message::Step;
use koppel_core::ports::store::partition;
use koppel_flows::ledger::State;
use koppel_flows::runs::Run;
use koppel_flows::{items, ledger, waiting};
use koppel_hosting::ReceivingQueue;
use rust_decimal::Decimal;
use serde_json::Value;

use crate::drive::Drive;
use crate::report::Report;
use crate::shop::{eligible, text};
use crate::world::FLOW;
use crate::{ChaosError, weather};

/// Judges a world that has come to rest (or not: then that is the first finding).
pub async fn judge(drive: &Drive, rested: bool) -> Result<Report, ChaosError> {
    let world = &drive.world;
    weather::settle(&world.sandbox, &world.chaos);
    let mut report = Report::of(world.seed, world.chaos.counts());
    report.steps = drive.steps;
    report.gates = world.chaos.gates();
    report.consents = drive.consents;
    report.target_calls = world.sandbox.exact().total_calls();
    if !rested {
        report.unexplained(world.seed, "the chain did not come to rest".into());
    }
    books(drive, &mut report);
    customers(drive, &mut report);
    ledger_of_orders(drive, &mut report).await?;
    leftovers(drive, &mut report).await?;
    Ok(report)
}

fn books(drive: &Drive, report: &mut Report) {
    let (seed, sandbox) = (drive.world.seed, &drive.world.sandbox);
    let mut booked: BTreeMap<String, Vec<Decimal>> = BTreeMap::new();
    for order in sandbox.exact().documents("SalesOrders") {
        let amount = text(&order["AmountDC"]).parse().unwrap_or(Decimal::NEGATIVE_ONE);
        booked.entry(text(&order["YourRef"])).or_default().push(amount);
    }
    let expected = eligible(&sandbox.woocommerce());
    report.orders += expected.len() as u64;
    for (number, total) in expected {
        let paid = total.round_dp_with_strategy(2, rust_decimal::RoundingStrategy::MidpointAwayFromZero);
        match booked.remove(&format!("WC-{number}")).unwrap_or_default().as_slice() {
            [] => report.lost(seed, format!("order {number} is not in the books")),
            [amount] if amount.normalize() == paid.normalize() => {}
            [amount] => report.cents(seed, format!("order {number}: {paid} was paid, {amount} is in the books")),
            several => report.duplicated(seed, format!("order {number} is there {} times", several.len())),
        }
    }
    for (reference, amounts) in booked {
        report
            .unexplained(seed, format!("{reference} is in the books {} times and no order of the shop", amounts.len()));
    }
}

fn customers(drive: &Drive, report: &mut Report) {
    let mut accounts: BTreeMap<String, u64> = BTreeMap::new();
    for account in drive.world.sandbox.exact().documents("Accounts") {
        let email = account["Email"].as_str().unwrap_or_default().trim().to_lowercase();
        if !email.is_empty() {
            *accounts.entry(email).or_default() += 1;
        }
    }
    report.customers += accounts.len() as u64;
    for (email, times) in accounts.into_iter().filter(|(_, times)| *times > 1) {
        report.customer_duplicated(drive.world.seed, format!("{email} is there {times} times"));
    }
}

/// Every order in the books has its entry in the ledger: else nothing but the search before a retry keeps it from coming
/// twice.
async fn ledger_of_orders(drive: &Drive, report: &mut Report) -> Result<(), ChaosError> {
    let world = &drive.world;
    let mut documents: BTreeMap<String, String> = BTreeMap::new();
    for order in world.sandbox.exact().documents("SalesOrders") {
        documents.insert(text(&order["YourRef"]), text(&order["OrderID"]));
    }
    for order in world.sandbox.woocommerce().documents("orders") {
        let number = text(&order["number"]);
        let Some(document) = documents.get(&format!("WC-{number}")) else { continue };
        let Some(record) = NonEmpty::new(text(&order["id"])) else { continue };
        let entries = ledger::entries(&world.embedded.engine, &world.tenant, FLOW, &[record]).await?;
        let entry = entries.into_iter().flatten().next().map(|known| known.entry);
        let (state, target) = entry.map_or((None, None), |entry| (Some(entry.state), entry.target));
        if state != Some(State::Delivered) || target.as_ref().is_none_or(|target| &target.id != document) {
            let what = format!("order {number} is in the books as {document}; the ledger says {state:?}, {target:?}");
            report.unexplained(world.seed, what);
        }
    }
    Ok(())
}

/// Only transient faults were injected: nothing may wait, be dead, or not add up when they have ended.
async fn leftovers(drive: &Drive, report: &mut Report) -> Result<(), ChaosError> {
    let world = &drive.world;
    let (seed, engine) = (world.seed, &world.embedded.engine);
    for record in waiting::list(engine, &world.tenant, FLOW).await? {
        report.unexplained(seed, format!("{} waits ({:?}): {}", record.label, record.reason, record.cause));
    }
    for step in Step::QUEUED {
        for letter in world.embedded.queue.dead_letters(step, 100).await? {
            report.unexplained(seed, format!("a dead letter of {step} after {} attempts", letter.attempts));
        }
    }
    for item in items::all(engine, &partition(&world.tenant, &["run", FLOW]), "").await? {
        let run: Run = serde_json::from_str(&item.value).map_err(|error| ChaosError::of("a run", error))?;
        report.runs += 1;
        // A crash between storing a run and opening it leaves one that nobody works on and nobody waits for.
        let opened = koppel_flows::runs::state(engine, &world.tenant, FLOW).await?.open_run;
        if run.finished_at.is_none() && !run.fetched_all && opened.as_ref() != Some(&run.id) {
            continue;
        }
        let problem = match (&run.finished_at, &run.incomplete) {
            (None, _) => "has no end",
            (_, Some(cause)) if cause.code == "run_incomplete" => "was given up",
            _ if !run.funnel.adds_up() => "does not add up",
            _ => continue,
        };
        let open = open_records(drive, &run.id).await?.join(", ");
        report.unexplained(seed, format!("run {} {problem}: {}; without an end: {open}", run.id, run.funnel));
    }
    Ok(())
}

/// Records of a run that no step has told the end of, with the steps that told of their chunk.
async fn open_records(drive: &Drive, run: &str) -> Result<Vec<String>, ChaosError> {
    let world = &drive.world;
    let (mut taken, mut ended) = (BTreeMap::new(), BTreeSet::new());
    let mut steps: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let reports = items::all(&world.embedded.engine, &partition(&world.tenant, &["report", FLOW, run]), "").await?;
    for item in reports {
        let (chunk, step) = item.key.sort.rsplit_once('#').unwrap_or((&item.key.sort, ""));
        steps.entry(chunk.to_owned()).or_default().push(step.to_owned());
        let told: Value = serde_json::from_str(&item.value).map_err(|error| ChaosError::of("a report", error))?;
        for key in told["taken"].as_array().into_iter().flatten() {
            taken.insert((text(key), chunk.to_owned()), ());
        }
        ended.extend(told["ended"].as_object().into_iter().flatten().map(|(key, _)| (key.clone(), chunk.to_owned())));
    }
    let open = taken.into_keys().filter(|place| !ended.contains(place));
    Ok(open.map(|(key, chunk)| format!("{key} of {chunk} ({})", steps[&chunk].join(" "))).collect())
}
