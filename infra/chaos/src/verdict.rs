//! The verdict: the books and the shop compared with one another, and everything that is left compared with nothing.

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
use crate::kept::is_ours;
use crate::report::Report;
use crate::shop::{eligible, given_back, text};
use crate::world::{FLOW, FLOWS};
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
    articles(drive, &mut report);
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
    let refunds = given_back(&sandbox.woocommerce());
    report.refunds += refunds.len() as u64;
    for (reference, amount) in refunds {
        match booked.remove(&reference).unwrap_or_default().as_slice() {
            [] => report.lost(seed, format!("refund {reference} is not in the books")),
            [booked] if booked.normalize() == -amount.normalize() => {}
            [booked] => {
                report.cents(seed, format!("refund {reference}: {amount} was paid back, {booked} is in the books"))
            }
            several => report.duplicated(seed, format!("refund {reference} is there {} times", several.len())),
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
    for (email, times) in accounts.iter().filter(|(_, times)| **times > 1) {
        report.customer_duplicated(drive.world.seed, format!("{email} is there {times} times"));
    }
    let rows = drive.world.sandbox.exact().documents("Accounts");
    for customer in drive.world.sandbox.woocommerce().documents("customers") {
        // Recorded customers stand beside those of this world; the flow takes those of the Netherlands.
        let (email, city) = (text(&customer["email"]).to_lowercase(), text(&customer["billing"]["city"]));
        if customer["billing"]["country"] != "NL" || email.is_empty() {
            continue;
        }
        report.kept += 1;
        let there: Vec<String> = rows
            .iter()
            .filter(|row| text(&row["Email"]).to_lowercase() == email)
            .map(|row| text(&row["City"]))
            .collect();
        if there.first() != Some(&city) {
            report.lost(drive.world.seed, format!("customer {email} lives in {city}; the books say {there:?}"));
        }
    }
}

/// Every article of the books is in the shop once, with the name, price and stock that it has in the books.
fn articles(drive: &Drive, report: &mut Report) {
    let (seed, sandbox) = (drive.world.seed, &drive.world.sandbox);
    let mut shown: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for product in sandbox.woocommerce().documents("products") {
        shown.entry(text(&product["sku"])).or_default().push(product);
    }
    let mut stock: BTreeMap<String, Decimal> = BTreeMap::new();
    for row in sandbox.exact().documents("ItemWarehouses") {
        *stock.entry(text(&row["Item"])).or_default() += number(&row["CurrentStock"]);
    }
    for item in sandbox.exact().documents("Items").iter().filter(|item| is_ours(item)) {
        report.kept += 1;
        let code = text(&item["Code"]);
        let product = match shown.get(&code).map(Vec::as_slice) {
            None | Some([]) => {
                report.lost(seed, format!("article {code} is not in the shop"));
                continue;
            }
            Some([product]) => product,
            Some(several) => {
                report.duplicated(seed, format!("article {code} is in the shop {} times", several.len()));
                continue;
            }
        };
        let is = (text(&product["name"]), number(&product["regular_price"]), text(&product["stock_quantity"]));
        let quantity = stock.get(&text(&item["ID"])).copied().unwrap_or_default();
        let shall = (text(&item["Description"]), number(&item["StandardSalesPrice"]), quantity.normalize().to_string());
        if is != shall {
            report.lost(seed, format!("article {code} is {shall:?} in the books and {is:?} in the shop"));
        }
    }
}

fn number(value: &Value) -> Decimal {
    text(value).parse::<Decimal>().unwrap_or(Decimal::NEGATIVE_ONE).normalize()
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
    for flow in FLOWS {
        for record in waiting::list(engine, &world.tenant, flow).await? {
            let what = format!("{flow}: {} waits ({:?}): {}", record.label, record.reason, record.cause);
            report.unexplained(seed, what);
        }
        runs_that_do_not_add_up(drive, flow, report).await?;
    }
    for step in Step::QUEUED {
        for letter in world.embedded.queue.dead_letters(step, 100).await? {
            report.unexplained(seed, format!("a dead letter of {step} after {} attempts", letter.attempts));
        }
    }
    Ok(())
}

async fn runs_that_do_not_add_up(drive: &Drive, flow: &str, report: &mut Report) -> Result<(), ChaosError> {
    let world = &drive.world;
    let (seed, engine) = (world.seed, &world.embedded.engine);
    for item in items::all(engine, &partition(&world.tenant, &["run", flow]), "").await? {
        let run: Run = serde_json::from_str(&item.value).map_err(|error| ChaosError::of("a run", error))?;
        report.runs += 1;
        // A crash between storing a run and opening it leaves one that nobody works on and nobody waits for.
        let opened = koppel_flows::runs::state(engine, &world.tenant, flow).await?.open_run;
        if run.finished_at.is_none() && !run.fetched_all && opened.as_ref() != Some(&run.id) {
            continue;
        }
        let problem = match (&run.finished_at, &run.incomplete) {
            (None, _) => "has no end",
            (_, Some(cause)) if cause.code == "run_incomplete" => "was given up",
            _ if !run.funnel.adds_up() => "does not add up",
            _ => continue,
        };
        let open = open_records(drive, flow, &run.id).await?.join(", ");
        report.unexplained(seed, format!("{flow}: run {} {problem}: {}; without an end: {open}", run.id, run.funnel));
    }
    Ok(())
}

/// Records of a run that no step has told the end of, with the steps that told of their chunk.
async fn open_records(drive: &Drive, flow: &str, run: &str) -> Result<Vec<String>, ChaosError> {
    let world = &drive.world;
    let (mut taken, mut ended) = (BTreeMap::new(), BTreeSet::new());
    let mut steps: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let reports = items::all(&world.embedded.engine, &partition(&world.tenant, &["report", flow, run]), "").await?;
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
