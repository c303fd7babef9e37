//! A clock of the stand-ins that runs fast, so that limits of a minute do not take a minute.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::TimeDelta;

/// How much faster than real time.
pub const SPEED: i32 = 20;

/// Moves a clock on a thread of its own, so that a busy runtime does not slow it down, until it is dropped.
pub struct Pump {
    stop: Arc<AtomicBool>,
}

impl Pump {
    /// Starts to move it.
    pub fn start(clock: koppel_sandbox::Clock) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let asked = stop.clone();
        std::thread::spawn(move || {
            let (begin, begun) = (clock.now(), Instant::now());
            while !asked.load(Ordering::Relaxed) {
                let passed = TimeDelta::from_std(begun.elapsed()).unwrap_or_default();
                clock.freeze(begin + passed * SPEED);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Self { stop }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
