//! The report: rows of what was measured beside their goals, as a table and as JSON.

use std::fmt::Write as _;
use std::path::Path;

use rust_decimal::Decimal;
use serde::Serialize;

use crate::failed::Failed;
use crate::machine;

/// A goal.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// Not more than this.
    AtMost(Decimal),
    /// Not less than this.
    AtLeast(Decimal),
    /// Only told.
    None,
}

impl Goal {
    /// Not more than `text` says.
    pub fn at_most(text: &str) -> Self {
        text.parse().map_or(Self::None, Self::AtMost)
    }

    /// Not less than `text` says.
    pub fn at_least(text: &str) -> Self {
        text.parse().map_or(Self::None, Self::AtLeast)
    }

    fn is_kept(self, measured: Decimal) -> Option<bool> {
        match self {
            Self::AtMost(limit) => Some(measured <= limit),
            Self::AtLeast(limit) => Some(measured >= limit),
            Self::None => None,
        }
    }
}

#[derive(Debug, Serialize)]
struct Row {
    section: &'static str,
    name: String,
    measured: Option<Decimal>,
    limit: Option<String>,
    unit: &'static str,
    /// `ok`, `not ok`, `told` (no goal), `left out`, `failed`.
    verdict: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    note: String,
}

/// All rows, and where they were measured.
#[derive(Debug, Serialize)]
pub struct Report {
    at: String,
    machine: machine::Machine,
    build: &'static str,
    rows: Vec<Row>,
    #[serde(skip)]
    section: &'static str,
}

impl Report {
    /// An empty report about this machine.
    pub fn new() -> Self {
        Self {
            at: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            machine: machine::Machine::this(),
            build: if cfg!(debug_assertions) {
                "without optimisation: times say nothing"
            } else {
                "profile bench-run: as release, but opt-level 2, without link-time optimisation"
            },
            rows: Vec::new(),
            section: "",
        }
    }

    /// The rows that follow belong to this section.
    pub fn begin(&mut self, section: &'static str) {
        self.section = section;
    }

    /// A measured value.
    pub fn row(&mut self, name: impl Into<String>, measured: Decimal, goal: Goal, unit: &'static str) {
        self.noted(name, measured, goal, unit, "");
    }

    /// A measured value with a word about it.
    pub fn noted(
        &mut self,
        name: impl Into<String>,
        measured: Decimal,
        goal: Goal,
        unit: &'static str,
        note: impl Into<String>,
    ) {
        let verdict = match goal.is_kept(measured) {
            Some(true) => "ok",
            Some(false) => "not ok",
            None => "told",
        };
        let limit = match goal {
            Goal::AtMost(limit) => Some(format!("≤ {limit}")),
            Goal::AtLeast(limit) => Some(format!("≥ {limit}")),
            Goal::None => None,
        };
        let measured = Some(shortened(measured));
        self.push(Row { section: "", name: name.into(), measured, limit, unit, verdict, note: note.into() });
    }

    /// Something that cannot be measured here, and why.
    pub fn left_out(&mut self, name: impl Into<String>, why: impl Into<String>) {
        let (name, note) = (name.into(), why.into());
        self.push(Row { section: "", name, measured: None, limit: None, unit: "", verdict: "left out", note });
    }

    /// The section ended early.
    pub fn failed(&mut self, why: String) {
        let name = "could not be measured".to_owned();
        self.push(Row { section: "", name, measured: None, limit: None, unit: "", verdict: "failed", note: why });
    }

    fn push(&mut self, row: Row) {
        self.rows.push(Row { section: self.section, ..row });
    }

    /// A goal was missed.
    pub fn missed(&self) -> bool {
        self.rows.iter().any(|row| row.verdict == "not ok")
    }

    /// Writes the report as JSON.
    pub fn write(&self, path: &Path) -> Result<(), Failed> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(Failed::file(folder))?;
        }
        std::fs::write(path, serde_json::to_string_pretty(self)? + "\n").map_err(Failed::file(path))
    }

    /// The report as a person reads it.
    pub fn table(&self) -> String {
        let mut text = format!("\n{}; {}; load {}\n", self.build, self.machine.cpu, self.machine.load);
        let width = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        let mut section = "";
        for row in &self.rows {
            if row.section != section {
                section = row.section;
                let _ = writeln!(text, "\n{section}");
            }
            let measured = row.measured.map(|value| value.to_string()).unwrap_or_default();
            let limit = row.limit.as_deref().unwrap_or("");
            let pad = width - row.name.chars().count();
            let _ = write!(
                text,
                "  {}{:pad$}  {measured:>12}  {limit:>9}  {:<14} {:<8}",
                row.name, "", row.unit, row.verdict
            );
            let _ = writeln!(text, " {}", row.note);
        }
        text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
    }
}

/// Four significant digits say all that can be measured.
fn shortened(value: Decimal) -> Decimal {
    value.round_sf(4).unwrap_or(value).normalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(measured: &str, goal: Goal) -> &'static str {
        let mut report = Report::new();
        report.row("x", measured.parse().unwrap(), goal, "");
        report.rows[0].verdict
    }

    #[test]
    fn a_goal_is_kept_up_to_and_with_its_limit() {
        assert_eq!(verdict("1.15", Goal::at_most("1.15")), "ok");
        assert_eq!(verdict("1.1501", Goal::at_most("1.15")), "not ok");
        assert_eq!(verdict("95", Goal::at_least("95")), "ok");
        assert_eq!(verdict("94.999", Goal::at_least("95")), "not ok");
        assert_eq!(verdict("7", Goal::None), "told");
    }

    #[test]
    fn rounding_for_display_does_not_decide() {
        let mut report = Report::new();
        report.row("x", "2.40001".parse().unwrap(), Goal::at_most("2.4"), "");
        assert!(report.missed());
        assert_eq!(report.rows[0].measured, Some("2.4".parse().unwrap()));
    }
}
