//! What a world has shown, added up over worlds, as a table and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

/// Most findings that are told in words.
const FINDINGS: usize = 60;

/// Numbers of one or more worlds. All of the five zeros must be zero.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The pair it was told of; of several pairs `all`.
    pub pair: String,
    /// Seeds.
    pub seeds: Vec<u64>,
    /// Orders that had to arrive.
    pub orders: u64,
    /// Refunds that had to arrive.
    pub refunds: u64,
    /// Articles, with their stock, and customers that had to be kept in step.
    pub kept: u64,
    /// Faults that were injected.
    pub faults_injected: u64,
    /// The same by kind.
    pub faults_by_kind: BTreeMap<String, u64>,
    /// What is not where it must be, or not as it must be: orders, refunds, articles, customers.
    pub lost: u64,
    /// Orders, refunds and articles that are there more than once.
    pub duplicated: u64,
    /// Customers that are there more than once.
    pub customers_duplicated: u64,
    /// Orders with another total than was paid.
    pub cent_mismatches: u64,
    /// Everything that is left over and cannot be.
    pub unexplained: u64,
    /// Steps that were run to their end or their death.
    pub steps: u64,
    /// Side effects at which the harness decided.
    pub gates: u64,
    /// Runs of the flow.
    pub runs: u64,
    /// Customers in the books.
    pub customers: u64,
    /// Times that a refresh token was lost with its host and a person had to consent.
    pub consents: u64,
    /// Calls that the books answered.
    pub target_calls: u64,
    /// Time.
    pub duration_ms: u64,
    /// The first findings in words, with their seed.
    pub findings: Vec<String>,
}

impl Report {
    /// An empty report of one world.
    pub fn of(pair: &str, seed: u64, counts: BTreeMap<&'static str, u64>) -> Self {
        Self {
            pair: pair.to_owned(),
            seeds: vec![seed],
            faults_injected: counts.values().sum(),
            faults_by_kind: counts.into_iter().map(|(kind, count)| (kind.to_owned(), count)).collect(),
            ..Self::default()
        }
    }

    fn tell(&mut self, seed: u64, what: String) {
        if self.findings.len() < FINDINGS {
            self.findings.push(format!("{} seed {seed}: {what}", self.pair));
        }
    }

    /// Something is not there, or is not as it should be.
    pub fn lost(&mut self, seed: u64, what: String) {
        self.lost += 1;
        self.tell(seed, what);
    }

    /// Something is there more than once.
    pub fn duplicated(&mut self, seed: u64, what: String) {
        self.duplicated += 1;
        self.tell(seed, what);
    }

    /// A customer is there more than once.
    pub fn customer_duplicated(&mut self, seed: u64, what: String) {
        self.customers_duplicated += 1;
        self.tell(seed, what);
    }

    /// A total differs.
    pub fn cents(&mut self, seed: u64, what: String) {
        self.cent_mismatches += 1;
        self.tell(seed, what);
    }

    /// Something is left over.
    pub fn unexplained(&mut self, seed: u64, what: String) {
        self.unexplained += 1;
        self.tell(seed, what);
    }

    /// All that must be zero is zero.
    pub fn is_clean(&self) -> bool {
        self.lost + self.duplicated + self.customers_duplicated + self.cent_mismatches + self.unexplained == 0
    }

    /// Adds another report. Time is not added: worlds may run side by side.
    pub fn add(&mut self, other: Self) {
        if self.pair.is_empty() {
            self.pair.clone_from(&other.pair);
        } else if self.pair != other.pair {
            "all".clone_into(&mut self.pair);
        }
        self.seeds.extend(other.seeds);
        for (kind, count) in other.faults_by_kind {
            *self.faults_by_kind.entry(kind).or_default() += count;
        }
        for (sum, one) in [
            (&mut self.orders, other.orders),
            (&mut self.refunds, other.refunds),
            (&mut self.kept, other.kept),
            (&mut self.faults_injected, other.faults_injected),
            (&mut self.lost, other.lost),
            (&mut self.duplicated, other.duplicated),
            (&mut self.customers_duplicated, other.customers_duplicated),
            (&mut self.cent_mismatches, other.cent_mismatches),
            (&mut self.unexplained, other.unexplained),
            (&mut self.steps, other.steps),
            (&mut self.gates, other.gates),
            (&mut self.runs, other.runs),
            (&mut self.customers, other.customers),
            (&mut self.consents, other.consents),
            (&mut self.target_calls, other.target_calls),
        ] {
            *sum += one;
        }
        let room = FINDINGS.saturating_sub(self.findings.len());
        self.findings.extend(other.findings.into_iter().take(room));
    }

    /// The report for a person.
    pub fn table(&self) -> String {
        table(&[self])
    }

    /// All its numbers by name: first the faults by kind, in the order of `kinds`.
    fn rows<'a>(&self, kinds: &[&'a str]) -> Vec<(&'a str, u64)> {
        let of_kind = |kind: &&'a str| (*kind, self.faults_by_kind.get(*kind).copied().unwrap_or_default());
        let mut rows: Vec<(&str, u64)> = kinds.iter().map(of_kind).collect();
        rows.extend([
            ("faults in all", self.faults_injected),
            ("gates", self.gates),
            ("steps", self.steps),
            ("runs", self.runs),
            ("calls to the books", self.target_calls),
            ("consents given again", self.consents),
            ("customers in the books", self.customers),
            ("worlds", self.seeds.len() as u64),
            ("orders that had to arrive", self.orders),
            ("refunds that had to arrive", self.refunds),
            ("articles and customers in step", self.kept),
            ("lost, or not as they should be", self.lost),
            ("there twice", self.duplicated),
            ("customers there twice", self.customers_duplicated),
            ("other totals", self.cent_mismatches),
            ("unexplained", self.unexplained),
            ("seconds", self.duration_ms / 1_000),
        ]);
        rows
    }
}

/// Reports for a person, a column for each pair.
pub fn table(reports: &[&Report]) -> String {
    let mut kinds: Vec<&str> =
        reports.iter().flat_map(|report| report.faults_by_kind.keys()).map(String::as_str).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut text = String::new();
    let mut row = |name: &str, cells: Vec<String>| {
        let _ = write!(text, "  {name:<34}");
        for (cell, report) in cells.iter().zip(reports) {
            let _ = write!(text, " {cell:>width$}", width = report.pair.len().max(10));
        }
        text.push('\n');
    };
    row("pair", reports.iter().map(|report| report.pair.clone()).collect());
    let columns: Vec<Vec<(&str, u64)>> = reports.iter().map(|report| report.rows(&kinds)).collect();
    for (at, (name, _)) in columns.first().into_iter().flatten().enumerate() {
        row(name, columns.iter().map(|column| column[at].1.to_string()).collect());
    }
    for finding in reports.iter().flat_map(|report| &report.findings) {
        let _ = writeln!(text, "  ! {finding}");
    }
    text
}
