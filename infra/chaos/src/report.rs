//! What a world has shown, added up over worlds, as a table and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

/// Most findings that are told in words.
const FINDINGS: usize = 60;

/// Numbers of one or more worlds. All of the five zeros must be zero.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
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
    pub fn of(seed: u64, counts: BTreeMap<&'static str, u64>) -> Self {
        Self {
            seeds: vec![seed],
            faults_injected: counts.values().sum(),
            faults_by_kind: counts.into_iter().map(|(kind, count)| (kind.to_owned(), count)).collect(),
            ..Self::default()
        }
    }

    fn tell(&mut self, seed: u64, what: String) {
        if self.findings.len() < FINDINGS {
            self.findings.push(format!("seed {seed}: {what}"));
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
        let mut text = String::new();
        let mut row = |name: &str, value: u64| {
            let _ = writeln!(text, "  {name:<34} {value:>10}");
        };
        for (kind, count) in &self.faults_by_kind {
            row(kind, *count);
        }
        row("faults in all", self.faults_injected);
        row("gates", self.gates);
        row("steps", self.steps);
        row("runs", self.runs);
        row("calls to the books", self.target_calls);
        row("consents given again", self.consents);
        row("customers in the books", self.customers);
        row("orders that had to arrive", self.orders);
        row("refunds that had to arrive", self.refunds);
        row("articles and customers in step", self.kept);
        row("lost, or not as they should be", self.lost);
        row("there twice", self.duplicated);
        row("customers there twice", self.customers_duplicated);
        row("other totals", self.cent_mismatches);
        row("unexplained", self.unexplained);
        row("seconds", self.duration_ms / 1_000);
        for finding in &self.findings {
            let _ = writeln!(text, "  ! {finding}");
        }
        text
    }
}
