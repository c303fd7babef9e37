//! The proof of cents over many orders, and refunds of some of them:
//! `cargo run --profile cents -p koppel-flows --example cents -- 10000000`.
//!
//! Prints how they ended and writes a report. Ends with 1 when a single posted order differs from what was paid.

#[path = "../tests/cents/books.rs"]
mod books;
#[path = "../tests/cents/refund.rs"]
mod refund;
#[path = "../tests/cents/shop.rs"]
mod shop;
#[path = "../tests/cents/trial.rs"]
mod trial;

use std::collections::BTreeMap;
use std::fs;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use serde_json::json;
use trial::Ended;

/// Of so many orders one is refunded as well.
const REFUNDED: u64 = 10;
/// Orders that a thread takes at a time.
const BATCH: u64 = 20_000;
/// Progress is told so often.
const TOLD_EVERY: u64 = 1_000_000;
/// Most mismatches that are shown.
const SHOWN: usize = 20;

#[derive(Default)]
struct Counts {
    ended: BTreeMap<Ended, u64>,
    /// By the setup of the books: orders, and rejected for their rounding although a rounding line is allowed.
    setups: BTreeMap<String, (u64, u64)>,
    wrong: Vec<String>,
    mismatches: u64,
    /// Refunds that were tried; what is wrong with them counts as a mismatch too.
    refunds: u64,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let orders: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(10_000_000);
    let seed: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1);
    let begun = Instant::now();
    let next = AtomicU64::new(0);
    let all = Mutex::new(Counts::default());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| work(seed, orders, &next, &all, begun));
        }
    });
    let counts = all.into_inner().unwrap_or_default();
    report(&counts, seed, orders, begun)
}

fn work(seed: u64, orders: u64, next: &AtomicU64, all: &Mutex<Counts>, begun: Instant) {
    loop {
        let from = next.fetch_add(BATCH, Ordering::Relaxed);
        if from >= orders {
            return;
        }
        let mut counts = Counts::default();
        for number in from..(from + BATCH).min(orders) {
            let trial = trial::run(seed, number);
            let books = trial.books;
            let setup = format!(
                "{} decimals, {}, tax per {}",
                books.decimals,
                if books.amounts { "amounts".to_owned() } else { format!("prices of {}", books.price_decimals) },
                if books.tax_per_line { "line" } else { "VAT code" }
            );
            let of_setup = counts.setups.entry(setup).or_default();
            of_setup.0 += 1;
            match trial.ended {
                Ok(how) => {
                    of_setup.1 += u64::from(how == Ended::TooMuch);
                    *counts.ended.entry(how).or_default() += 1;
                }
                Err(wrong) => {
                    counts.mismatches += 1;
                    if counts.wrong.len() < SHOWN {
                        counts.wrong.push(format!("order {number} of seed {seed} with {books:?}: {wrong}"));
                    }
                }
            }
        }
        for number in (from..(from + BATCH).min(orders)).filter(|number| number % REFUNDED == 0) {
            counts.refunds += 1;
            let trial = trial::run_refund(seed, number);
            if let Err(wrong) = trial.ended {
                counts.mismatches += 1;
                counts.wrong.push(format!("refund {number} of seed {seed} with {:?}: {wrong}", trial.books));
            }
        }
        counts.wrong.truncate(SHOWN);
        let Ok(mut all) = all.lock() else { return };
        all.refunds += counts.refunds;
        for (how, count) in counts.ended {
            *all.ended.entry(how).or_default() += count;
        }
        for (setup, (orders, rejected)) in counts.setups {
            let known = all.setups.entry(setup).or_default();
            known.0 += orders;
            known.1 += rejected;
        }
        all.mismatches += counts.mismatches;
        all.wrong.extend(counts.wrong);
        let done = all.setups.values().map(|(orders, _)| orders).sum::<u64>();
        if done % TOLD_EVERY == 0 {
            println!("{done} orders, {} mismatches, {} s", all.mismatches, begun.elapsed().as_secs());
        }
    }
}

fn report(counts: &Counts, seed: u64, orders: u64, begun: Instant) -> ExitCode {
    let of = |how: Ended| counts.ended.get(&how).copied().unwrap_or(0);
    let rejected = of(Ended::TooMuch) + of(Ended::NoLine) + of(Ended::SumsDiffer);
    let seconds = begun.elapsed().as_secs();
    println!("orders      {orders}");
    println!("  exact     {}", of(Ended::Exact));
    println!("  split     {} (a line in two parts)", of(Ended::Split));
    println!("  rounded   {} (a rounding line)", of(Ended::Rounded));
    println!("rejected    {rejected}");
    println!("  too much  {} (more than rounding.max 0.05)", of(Ended::TooMuch));
    println!("  no line   {} (no rounding line allowed)", of(Ended::NoLine));
    println!("  sums      {} (the shop's own sums differ)", of(Ended::SumsDiffer));
    println!("refunds     {} (of one order in {REFUNDED})", counts.refunds);
    println!("mismatches  {}", counts.mismatches);
    println!("seconds     {seconds}");
    for wrong in counts.wrong.iter().take(SHOWN) {
        println!("{wrong}");
    }
    let setups: BTreeMap<&String, serde_json::Value> = counts
        .setups
        .iter()
        .map(|(setup, (orders, rejected))| (setup, json!({ "orders": orders, "rejected_too_much": rejected })))
        .collect();
    let report = json!({
        "seed": seed, "orders": orders, "exact": of(Ended::Exact), "split": of(Ended::Split),
        "rounded": of(Ended::Rounded), "rejected": rejected, "rejected_too_much": of(Ended::TooMuch),
        "rejected_no_rounding_line": of(Ended::NoLine), "rejected_source_sums": of(Ended::SumsDiffer),
        "refunds": counts.refunds,
        "mismatches": counts.mismatches, "seconds": seconds, "books": setups,
    });
    let folder = std::path::Path::new("target/cents");
    let written =
        fs::create_dir_all(folder).and_then(|()| fs::write(folder.join("report.json"), format!("{report:#}\n")));
    if let Err(error) = written {
        println!("the report cannot be written: {error}");
        return ExitCode::FAILURE;
    }
    if counts.mismatches == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
