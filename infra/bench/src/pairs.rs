//! Calls of every pair: what an order costs at the books, for a customer they know and for one they do not, and what reading a
//! thousand orders costs at the shop.
//!
//! Worlds are those of the chaos runner, without its faults: it knows how orders come into each shop.

use std::time::Duration;

use chrono::{DateTime, Utc};
use koppel_chaos::dice::Dice;
use koppel_chaos::pairs::{FLOW, PAIRS, Pair};
use koppel_chaos::world::World;
use koppel_core::outcome::Outcome;
use koppel_flows::runs::{self, Scope};
use koppel_hosting::local::{Drain, HostSettings, LocalHost};
use rust_decimal::Decimal;

use crate::failed::Failed;
use crate::pump::Pump;
use crate::report::{Goal, Report};
use crate::world::waits;

/// A world without limits and webhooks, in which every customer has an account of his own.
const SEED: u64 = 9;
/// Orders that come one by one.
const SINGLE: usize = 60;
/// Of these, what fills the look-ups and is not counted.
const WARM_UP: usize = 20;
/// Orders that are read at once.
const READ: u64 = 1_000;
/// Of so many orders of a world the first 60 percent are there when it begins.
const OF: usize = 1_667;
/// Nothing here runs longer; one that does hangs.
const LONGEST: Duration = Duration::from_secs(1_800);

/// Calls an order may take, of a new customer and of a known one.
fn goals(books: &str) -> (Goal, Goal) {
    match books {
        "visma-net" => (Goal::at_most("4"), Goal::at_most("2")),
        _ => (Goal::None, Goal::None),
    }
}

/// Calls that reading may take: CCV Shop has the rows of each order in a call of their own, and one look-up.
fn goal_of_reading(shop: &str) -> Goal {
    match shop {
        "woocommerce" => Goal::at_most("11"),
        "ccv-shop" => Goal::at_most("1005"),
        _ => Goal::None,
    }
}

/// Measures all pairs.
pub async fn measure(report: &mut Report) -> Result<(), Failed> {
    for pair in &PAIRS {
        eprintln!("  {} …", pair.name);
        let (new, known) = one_by_one(pair).await?;
        let (goal_new, goal_known) = goals(pair.books.system());
        for (whose, calls, goal) in [("a new", new, goal_new), ("a known", known, goal_known)] {
            let name = format!("{}: calls of the books for an order of {whose} customer", pair.name);
            report.noted(name, median(&calls), goal, "calls/order", told(&calls));
        }
        let (calls, fetched) = at_once(pair).await?;
        let name = format!("{}: calls to read 1,000 orders of the shop", pair.name);
        report.noted(
            name,
            calls.into(),
            goal_of_reading(pair.shop.system()),
            "calls",
            format!("{fetched} orders were read"),
        );
    }
    Ok(())
}

/// Calls of the books for each order: of new customers, of known ones.
async fn one_by_one(pair: &'static Pair) -> Result<(Vec<u64>, Vec<u64>), Failed> {
    let (world, host, _pump) = open(pair, 2).await?;
    let orders = pair.shop.orders(SEED + 1, SINGLE, &mut Dice::new(SEED, "bench"));
    let (mut new, mut known) = (Vec::new(), Vec::new());
    for (at, mut order) in orders.into_iter().enumerate() {
        let now = world.sandbox.clock().now();
        pair.shop.dated(&mut order, now);
        pair.shop.put(&world.in_shop, &[order])?;
        let customers = pair.books.debtors(&world.in_books).len();
        world.in_books.reset_calls();
        let mut created = 0;
        for flow in pair.order_flows() {
            created += run(&world, &host, flow, now).await?;
        }
        let calls = world.in_books.total_calls();
        // One that the flows leave out, or whose look-ups are new, says nothing.
        if created == 1 && at >= WARM_UP {
            let is_new = pair.books.debtors(&world.in_books).len() > customers;
            if is_new { new.push(calls) } else { known.push(calls) }
        }
    }
    Ok((new, known))
}

/// Calls of the shop for a run that reads a thousand orders, and the few that the stand-in was recorded with.
async fn at_once(pair: &'static Pair) -> Result<(u64, u64), Failed> {
    let (world, host, _pump) = open(pair, OF).await?;
    world.in_shop.reset_calls();
    let begin = runs::start(&world.embedded.engine, &world.tenant, FLOW, Scope::default()).await?;
    let fetched = finish(&world, &host, FLOW, begin).await?.fetched;
    if fetched < READ {
        return Err(Failed::NotAsExpected(format!("{}: {fetched} orders were read, not {READ}", pair.name)));
    }
    Ok((world.in_shop.total_calls(), fetched))
}

/// A world whose clock runs fast, and a host for it: its connectors keep to the limits that their systems have for one resource.
async fn open(pair: &'static Pair, orders: usize) -> Result<(World, LocalHost, Pump), Failed> {
    let world = World::build(pair, SEED, orders).await?;
    let pump = Pump::start(world.sandbox.clock().clone());
    let settings = HostSettings { poll: Duration::from_millis(20), waits: waits(), ..HostSettings::default() };
    let host = LocalHost::new(world.embedded.engine.clone(), world.embedded.queue.clone()).with(settings);
    Ok((world, host, pump))
}

/// Runs a flow over what has changed since; returns how many documents were created.
async fn run(world: &World, host: &LocalHost, flow: &str, since: DateTime<Utc>) -> Result<u64, Failed> {
    let scope = Scope { since: Some(since), ..Scope::default() };
    let begun = runs::start(&world.embedded.engine, &world.tenant, flow, scope).await?;
    Ok(finish(world, host, flow, begun).await?.count(Outcome::Created))
}

async fn finish(
    world: &World,
    host: &LocalHost,
    flow: &str,
    run: Option<String>,
) -> Result<koppel_core::outcome::Funnel, Failed> {
    let unexpected = |what: String| Failed::NotAsExpected(format!("{}, {flow}: {what}", world.pair.name));
    let run = run.ok_or_else(|| unexpected("the run before has not ended".into()))?;
    host.drain(&Drain::patient(Duration::from_secs(120)).at_most(LONGEST), std::future::pending()).await?;
    let engine = &world.embedded.engine;
    koppel_flows::steps::end_run(engine, &world.tenant, flow).await?;
    let funnel = runs::funnel(engine, &world.tenant, flow, &run).await?;
    let bad = funnel.count(Outcome::Rejected) + funnel.count(Outcome::Parked);
    if funnel.adds_up() && bad == 0 { Ok(funnel) } else { Err(unexpected(funnel.to_string())) }
}

fn median(calls: &[u64]) -> Decimal {
    let mut sorted = calls.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default().into()
}

fn told(calls: &[u64]) -> String {
    match (calls.iter().min(), calls.iter().max()) {
        (Some(least), Some(most)) => format!("the usual one of {}; {least} to {most}", calls.len()),
        _ => "no such order came".into(),
    }
}
