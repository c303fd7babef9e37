//! A clock that tests can move: tokens expire, limits reset and orders age without waiting.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Duration, Utc};

use crate::lock;

/// What the clock does between two moves.
#[derive(Debug, Clone, Copy)]
enum Mode {
    /// Real time plus an offset.
    Running(Duration),
    /// Stands still until moved.
    Fixed(DateTime<Utc>),
}

/// The time of one sandbox; all its systems share it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Clock {
    mode: Arc<Mutex<Mode>>,
    file: Option<PathBuf>,
}

impl Clock {
    /// A running clock that shows `start` now (real time when none is given); `file` keeps moves over a restart.
    pub fn new(start: Option<DateTime<Utc>>, file: Option<PathBuf>) -> Self {
        let stored = file.as_ref().and_then(|f| std::fs::read_to_string(f).ok());
        let mode = match (start, stored) {
            (Some(start), _) => Mode::Running(start - Utc::now()),
            (None, Some(text)) => parse(&text).unwrap_or(Mode::Running(Duration::zero())),
            (None, None) => Mode::Running(Duration::zero()),
        };
        let clock = Self { mode: Arc::new(Mutex::new(mode)), file };
        clock.keep();
        clock
    }

    /// The time of the sandbox.
    pub fn now(&self) -> DateTime<Utc> {
        match *lock(&self.mode) {
            Mode::Running(offset) => Utc::now() + offset,
            Mode::Fixed(at) => at,
        }
    }

    /// Moves the clock forward (or back, when negative).
    pub fn advance(&self, by: Duration) {
        {
            let mut mode = lock(&self.mode);
            *mode = match *mode {
                Mode::Running(offset) => Mode::Running(offset + by),
                Mode::Fixed(at) => Mode::Fixed(at + by),
            };
        }
        self.keep();
    }

    /// Sets the time; the clock runs on from there.
    pub fn set(&self, to: DateTime<Utc>) {
        *lock(&self.mode) = Mode::Running(to - Utc::now());
        self.keep();
    }

    /// Sets the time and lets the clock stand still.
    pub fn freeze(&self, at: DateTime<Utc>) {
        *lock(&self.mode) = Mode::Fixed(at);
        self.keep();
    }

    /// True when the clock stands still.
    pub fn is_frozen(&self) -> bool {
        matches!(*lock(&self.mode), Mode::Fixed(_))
    }

    fn keep(&self) {
        let Some(file) = &self.file else { return };
        let text = match *lock(&self.mode) {
            Mode::Running(offset) => format!("running {}", offset.num_milliseconds()),
            Mode::Fixed(at) => format!("fixed {}", at.to_rfc3339()),
        };
        let fresh = file.with_extension("tmp");
        let done = std::fs::write(&fresh, text).and_then(|()| std::fs::rename(&fresh, file));
        if let Err(error) = done {
            tracing::error!(%error, file = %file.display(), "the clock could not be stored");
        }
    }
}

fn parse(text: &str) -> Option<Mode> {
    let (word, value) = text.trim().split_once(' ')?;
    match word {
        "running" => value.parse().ok().map(|ms| Mode::Running(Duration::milliseconds(ms))),
        "fixed" => DateTime::parse_from_rfc3339(value).ok().map(|at| Mode::Fixed(at.with_timezone(&Utc))),
        _ => None,
    }
}
