//! What a command says: text for people, or one JSON document; never both on standard output.

pub mod progress;
mod reasons;
pub mod style;
pub mod table;

use std::io::{self, ErrorKind, IsTerminal, Write};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Serialize;

pub use progress::Progress;
pub use reasons::reasons;
pub use style::Style;
pub use table::Table;

/// Where a command's words go.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// One JSON document on standard output.
    pub json: bool,
    /// Nothing but what was asked for.
    pub quiet: bool,
    /// Colours on standard output.
    pub style: Style,
    /// Standard output is a terminal: tables are made to fit.
    pub terminal: bool,
    /// Standard error is a terminal: somebody watches.
    pub watched: bool,
}

impl Output {
    /// Output as the options and the terminal ask for.
    pub fn new(json: bool, quiet: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        Self { json, quiet, style: Style::detect(terminal), terminal, watched: io::stderr().is_terminal() }
    }

    /// Text that was asked for.
    pub fn text(&self, text: &str) {
        if !self.json {
            put(&format!("{}\n", text.trim_end_matches('\n')));
        }
    }

    /// A remark along the way: left out under `--quiet` and `--json`.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.text(text);
        }
    }

    /// The one document under `--json`.
    pub fn document<T: Serialize>(&self, value: &T) {
        if self.json {
            // Reports are made of texts, numbers and lists: they always serialise.
            put(&format!("{}\n", serde_json::to_string_pretty(value).unwrap_or_default()));
        }
    }

    /// A remark on standard error, for people who wait.
    pub fn aside(&self, text: &str) {
        if !self.quiet && !self.json {
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// A table that was asked for.
    pub fn table(&self, table: &Table) {
        self.text(&table.render(self.style, self.terminal));
    }
}

/// Writes to standard output. A reader that went away (`koppel … | head`) is not an error.
pub fn put(text: &str) {
    let mut out = io::stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        let code = if error.kind() == ErrorKind::BrokenPipe { 0 } else { 1 };
        std::process::exit(code);
    }
}

/// Writes to standard error; there is nobody left to tell when that fails.
pub fn put_error(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// An amount with at least two decimals.
pub fn amount(amount: Option<Decimal>) -> String {
    amount.map_or_else(String::new, |amount| {
        let mut amount = amount.normalize();
        if amount.scale() < 2 {
            amount.rescale(2);
        }
        amount.to_string()
    })
}

/// A moment as people read it.
pub fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `1 flow`, `2 flows`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_two_decimals_and_lose_none() {
        assert_eq!(amount("995".parse().ok()), "995.00");
        assert_eq!(amount("-0.5".parse().ok()), "-0.50");
        assert_eq!(amount("1.2345".parse().ok()), "1.2345");
        assert_eq!(amount(None), "");
    }
}
