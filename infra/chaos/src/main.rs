//! `koppel-chaos --pair all --seeds 1,2,3 --worlds 3 --orders 1500`: tells many worlds and fails when one of them ends badly.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use clap::Parser;
use koppel_chaos::{ChaosError, Pair, Report, pairs, report};
use serde::Serialize;

/// Tells worlds of orders under faults and compares the books with the shop.
#[derive(Parser)]
struct Arguments {
    /// The pair of systems, or `all`.
    #[arg(long, default_value = pairs::PAIRS[0].name)]
    pair: String,
    /// Seeds, with commas or spaces between them.
    #[arg(long, default_value = "1 2 3 4")]
    seeds: String,
    /// Worlds of each seed.
    #[arg(long, default_value_t = 150)]
    worlds: u64,
    /// The first of these worlds, to tell one again.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Orders of each world.
    #[arg(long, default_value_t = 135)]
    orders: usize,
    /// Worlds at the same time.
    #[arg(long, default_value_t = 3)]
    jobs: usize,
    /// Where the report goes.
    #[arg(long, default_value = "target/chaos/report.json")]
    report: PathBuf,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// What is stored: every pair on its own.
#[derive(Serialize)]
struct Reports {
    duration_ms: u64,
    pairs: Vec<Report>,
}

fn run(arguments: &Arguments) -> Result<bool, ChaosError> {
    let begun = Instant::now();
    let pairs = pairs::named(&arguments.pair)?;
    let mut worlds: Vec<(usize, u64)> = Vec::new();
    for text in arguments.seeds.split([',', ' ']).filter(|text| !text.is_empty()) {
        let seed: u64 = text.parse().map_err(|error| ChaosError::of(&format!("seed «{text}»"), error))?;
        // Worlds of one seed are of every kind, and no two seeds share a world.
        for world in arguments.first..arguments.first + arguments.worlds {
            worlds.extend((0..pairs.len()).map(|pair| (pair, seed * 1_000 + world)));
        }
    }
    let next = AtomicUsize::new(0);
    let empty = |pair: &&Pair| Report { pair: pair.name.to_owned(), ..Report::default() };
    let sum: Mutex<(Vec<Report>, Option<ChaosError>)> = Mutex::new((pairs.iter().map(empty).collect(), None));
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(|| {
                while let Some((pair, seed)) = worlds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let told = world(pairs[*pair], *seed, arguments.orders);
                    let Ok(mut sum) = sum.lock() else { return };
                    let name = pairs[*pair].name;
                    match told {
                        Ok(report) => {
                            println!(
                                "{name} world {seed}: {} orders, {} faults, {} s{}",
                                report.orders,
                                report.faults_injected,
                                report.duration_ms / 1_000,
                                if report.is_clean() { "" } else { ": NOT CLEAN" }
                            );
                            sum.0[*pair].add(report);
                        }
                        Err(error) => {
                            // The others go on: one world that cannot be told hides nothing of them.
                            println!("{name} world {seed}: NOT TOLD: {error}");
                            sum.1 = Some(ChaosError::of(&format!("{name} world {seed}"), error));
                        }
                    }
                }
            });
        }
    });
    let (mut pairs, error) = sum.into_inner().map_err(|error| ChaosError::of("a world", error))?;
    let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    for report in &mut pairs {
        report.seeds.sort_unstable();
        report.duration_ms = duration_ms;
    }
    println!("{}", report::table(&pairs.iter().collect::<Vec<_>>()));
    let is_clean = pairs.iter().all(Report::is_clean);
    let text = serde_json::to_string_pretty(&Reports { duration_ms, pairs })
        .map_err(|error| ChaosError::of("the report", error))?;
    let stored = || {
        if let Some(folder) = arguments.report.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&arguments.report, text + "\n")
    };
    stored().map_err(|error| ChaosError::of("the report", error))?;
    match error {
        Some(error) => Err(error),
        None => Ok(is_clean),
    }
}

fn world(pair: &'static Pair, seed: u64, orders: usize) -> Result<Report, ChaosError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| ChaosError::of("a runtime", error))?.block_on(koppel_chaos::tell(pair, seed, orders))
}
