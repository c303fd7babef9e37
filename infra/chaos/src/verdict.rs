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

use crate::books::Booked;
use crate::drive::Drive;
use crate::report::Report;
use crate::shops::{Shown, text};
use crate::{ChaosError, weather};

/// Judges a world that has come to rest (or not: then that is the first finding).
pub async fn judge(drive: &Drive, rested: bool) -> Result<Report, ChaosError> {
    let world = &drive.world;
    weather::settle(world.pair, &world.sandbox, &world.chaos);
    let mut report = Report::of(world.pair.name, world.seed, world.chaos.counts());
    report.steps = drive.steps;
    report.gates = world.chaos.gates();
    report.consents = drive.consents;
    report.target_calls = world.in_books.total_calls();
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
    let (seed, pair) = (drive.world.seed, drive.world.pair);
    let mut booked: BTreeMap<String, Vec<Decimal>> = BTreeMap::new();
    for Booked { reference, amount, .. } in pair.books.booked(&drive.world.in_books) {
        booked.entry(reference).or_default().push(amount);
    }
    let expected = pair.shop.eligible(&drive.world.in_shop);
    report.orders += expected.len() as u64;
    for (sold, _) in expected {
        let (order, paid) = (&sold.reference, sold.amount);
        match booked.remove(order).unwrap_or_default().as_slice() {
            [] => report.lost(seed, format!("order {order} is not in the books")),
            [amount] if amount.normalize() == paid.normalize() => {}
            [amount] => report.cents(seed, format!("order {order}: {paid} was paid, {amount} is in the books")),
            several => report.duplicated(seed, format!("order {order} is there {} times", several.len())),
        }
    }
    // What is booked without articles has no flow of refunds.
    let all = pair.books.entry_settings().is_none();
    let refunds = pair.shop.given_back(&drive.world.in_shop).into_iter().filter(|(_, home)| all || *home);
    for (refund, _) in refunds {
        report.refunds += 1;
        let (reference, amount) = (&refund.reference, refund.amount);
        match booked.remove(reference).unwrap_or_default().as_slice() {
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
    let (seed, pair) = (drive.world.seed, drive.world.pair);
    let mut cities: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for debtor in pair.books.debtors(&drive.world.in_books) {
        if !debtor.email.is_empty() {
            cities.entry(debtor.email).or_default().push(debtor.city);
        }
    }
    report.customers += cities.len() as u64;
    for (email, there) in cities.iter().filter(|(_, there)| there.len() > 1) {
        report.customer_duplicated(seed, format!("{email} is there {} times", there.len()));
    }
    for buyer in pair.shop.buyers(&drive.world.in_shop) {
        report.kept += 1;
        let there = cities.get(&buyer.email).cloned().unwrap_or_default();
        if there.first() != Some(&buyer.city) {
            let (email, city) = (buyer.email, buyer.city);
            report.lost(seed, format!("customer {email} lives in {city}; the books say {there:?}"));
        }
    }
}

/// Every article of the books is in the shop once, with the name, price and stock that it has in the books.
fn articles(drive: &Drive, report: &mut Report) {
    let (seed, pair) = (drive.world.seed, drive.world.pair);
    let mut shown: BTreeMap<String, Vec<Shown>> = BTreeMap::new();
    for article in pair.shop.shown(&drive.world.in_shop) {
        shown.entry(article.number.clone()).or_default().push(article);
    }
    for article in pair.books.articles(&drive.world.in_books) {
        report.kept += 1;
        let code = article.code;
        let seen = match shown.get(&code).map(Vec::as_slice) {
            None | Some([]) => {
                report.lost(seed, format!("article {code} is not in the shop"));
                continue;
            }
            Some([seen]) => seen,
            Some(several) => {
                report.duplicated(seed, format!("article {code} is in the shop {} times", several.len()));
                continue;
            }
        };
        let is = (&seen.name, seen.price.normalize(), &seen.stock);
        let stock = article.stock.normalize().to_string();
        let shall = (&article.name, pair.shop.price(article.price).normalize(), &stock);
        if is != shall {
            report.lost(seed, format!("article {code} is {shall:?} in the books and {is:?} in the shop"));
        }
    }
}

/// Every order in the books has its entry in the ledger: else nothing but the search before a retry keeps it from coming
/// twice.
async fn ledger_of_orders(drive: &Drive, report: &mut Report) -> Result<(), ChaosError> {
    let world = &drive.world;
    let documents: BTreeMap<String, String> =
        world.pair.books.booked(&world.in_books).into_iter().map(|booked| (booked.reference, booked.id)).collect();
    let flows = world.pair.order_flows();
    let noted = world.pair.shop.number_field().map(|_| world.pair.shop.noted(&world.in_shop));
    for (order, home) in world.pair.shop.eligible(&world.in_shop) {
        let Some(document) = documents.get(&order.reference) else { continue };
        let Some(record) = NonEmpty::new(&order.record) else { continue };
        // Of two flows, the second one has what the first one does not take.
        let flow = if home { flows.first() } else { flows.last() }.copied().unwrap_or_default();
        let entries = ledger::entries(&world.embedded.engine, &world.tenant, flow, &[record]).await?;
        let entry = entries.into_iter().flatten().next().map(|known| known.entry);
        let (state, target) = entry.map_or((None, None), |entry| (Some(entry.state), entry.target));
        if state != Some(State::Delivered) || target.as_ref().is_none_or(|target| &target.id != document) {
            let order = order.reference;
            let what = format!("order {order} is in the books as {document}; the ledger says {state:?}, {target:?}");
            report.unexplained(world.seed, what);
            continue;
        }
        let number = target.map(|target| target.number).filter(|number| !number.is_empty());
        if let Some(noted) =
            noted.as_ref().map(|noted| noted.get(&order.record)).filter(|noted| *noted != number.as_ref())
        {
            let order = order.reference;
            report.lost(world.seed, format!("order {order} is {number:?} in the books; the shop has noted {noted:?}"));
        }
    }
    Ok(())
}

/// Only transient faults were injected: nothing may wait, be dead, or not add up when they have ended.
async fn leftovers(drive: &Drive, report: &mut Report) -> Result<(), ChaosError> {
    let world = &drive.world;
    let (seed, engine) = (world.seed, &world.embedded.engine);
    for flow in world.pair.flows() {
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
