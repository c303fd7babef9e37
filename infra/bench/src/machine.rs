//! The machine, and what a process used of it.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use rust_decimal::Decimal;
use serde::Serialize;

use crate::failed::Failed;

/// Where the numbers come from.
#[derive(Debug, Serialize)]
pub struct Machine {
    /// Processor and how many of it.
    pub cpu: String,
    /// Load of the last minute: others may have had their share of the time.
    pub load: String,
}

impl Machine {
    /// This one.
    pub fn this() -> Self {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown processor");
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Self {
            cpu: format!("{cores} × {}", model.trim_start_matches([' ', '\t', ':'])),
            load: load.split(' ').next().unwrap_or_default().to_owned(),
        }
    }
}

/// CPU time of this process, its threads included.
pub fn cpu_time() -> Result<Duration, Failed> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).map_err(|errno| Failed::io("getrusage")(errno.into()))?;
    Ok(duration(usage.user_time()) + duration(usage.system_time()))
}

/// Most memory this process ever had resident, in KiB.
pub fn peak_memory() -> Result<u64, Failed> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).map_err(|errno| Failed::io("getrusage")(errno.into()))?;
    Ok(usage.max_rss().unsigned_abs())
}

/// Resident memory of another process now, in KiB.
pub fn resident_memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn duration(time: TimeVal) -> Duration {
    let micros = u32::try_from(time.tv_usec()).unwrap_or(0);
    Duration::new(time.tv_sec().unsigned_abs(), micros * 1000)
}

/// Whole microseconds as a number to count with.
pub fn micros(time: Duration) -> Decimal {
    Decimal::from(time.as_micros())
}

/// Seconds as a number to count with.
pub fn seconds(time: Duration) -> Decimal {
    micros(time) / Decimal::from(1_000_000)
}

/// The middle one.
pub fn median<T: Ord + Clone>(values: &[T]) -> Option<T> {
    let mut sorted = values.to_vec();
    sorted.sort();
    sorted.get(sorted.len() / 2).cloned()
}
