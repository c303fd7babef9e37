//! `koppel-chaos --seeds 1,2,3 --worlds 3 --orders 1500`: tells many worlds and fails when one of them ends badly.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use clap::Parser;
use koppel_chaos::{ChaosError, Report};

/// Tells worlds of orders under faults and compares the books with the shop.
#[derive(Parser)]
struct Arguments {
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

fn run(arguments: &Arguments) -> Result<bool, ChaosError> {
    let begun = Instant::now();
    let mut seeds = Vec::new();
    for text in arguments.seeds.split([',', ' ']).filter(|text| !text.is_empty()) {
        let seed: u64 = text.parse().map_err(|error| ChaosError::of(&format!("seed «{text}»"), error))?;
        // Worlds of one seed are of every kind, and no two seeds share a world.
        seeds.extend((arguments.first..arguments.first + arguments.worlds).map(|world| seed * 1_000 + world));
    }
    let next = AtomicUsize::new(0);
    let sum: Mutex<(Report, Option<ChaosError>)> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let told = world(*seed, arguments.orders);
                    let Ok(mut sum) = sum.lock() else { return };
                    match told {
                        Ok(report) => {
                            println!(
                                "world {seed}: {} orders, {} faults, {} s{}",
                                report.orders,
                                report.faults_injected,
                                report.duration_ms / 1_000,
                                if report.is_clean() { "" } else { ": NOT CLEAN" }
                            );
                            sum.0.add(report);
                        }
                        Err(error) => sum.1 = Some(ChaosError::of(&format!("world {seed}"), error)),
                    }
                }
            });
        }
    });
    let (mut report, error) = sum.into_inner().map_err(|error| ChaosError::of("a world", error))?;
    report.seeds.sort_unstable();
    report.duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    println!("{}", report.table());
    let text = serde_json::to_string_pretty(&report).map_err(|error| ChaosError::of("the report", error))?;
    let stored = || {
        if let Some(folder) = arguments.report.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&arguments.report, text + "\n")
    };
    stored().map_err(|error| ChaosError::of("the report", error))?;
    match error {
        Some(error) => Err(error),
        None => Ok(report.is_clean()),
    }
}

fn world(seed: u64, orders: usize) -> Result<Report, ChaosError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| ChaosError::of("a runtime", error))?.block_on(koppel_chaos::tell(seed, orders))
}
