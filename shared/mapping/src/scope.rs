//! What a mapping may look at: named values, lookup tables, and the moment of the run.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use indexmap::IndexMap;

use crate::limits;
use crate::value::Value;

/// Lookup tables: table name to code to value.
pub type Tables = BTreeMap<String, BTreeMap<String, Value>>;

/// Everything one evaluation can see. Nothing else can be reached from a cell.
#[derive(Debug, Clone)]
pub struct Scope<'a> {
    variables: Vec<(String, Cow<'a, Value>)>,
    tables: Option<&'a Tables>,
    steps: u64,
}

/// The built-in variable that holds `date`, `time` and `datetime` of the run, in UTC.
pub(crate) const RUN: &str = "run";

impl<'a> Scope<'a> {
    /// A scope with only the moment of the run in it (variable `run`); the mapper has no other clock.
    pub fn new(run: DateTime<Utc>) -> Self {
        let moment = [
            ("date", run.format("%Y-%m-%d").to_string()),
            ("time", run.format("%H:%M:%S").to_string()),
            ("datetime", run.format("%Y-%m-%dT%H:%M:%SZ").to_string()),
        ];
        let moment: IndexMap<_, _> =
            moment.into_iter().map(|(name, text)| (name.to_owned(), Value::Text(text))).collect();
        Scope {
            variables: vec![(RUN.to_owned(), Cow::Owned(Value::Group(moment)))],
            tables: None,
            steps: limits::STEPS,
        }
    }

    /// Adds a variable.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.set(name.into(), Cow::Owned(value.into()));
        self
    }

    /// Adds a variable without copying its value.
    #[must_use]
    pub fn with_ref(mut self, name: impl Into<String>, value: &'a Value) -> Self {
        self.set(name.into(), Cow::Borrowed(value));
        self
    }

    /// The lookup tables.
    #[must_use]
    pub fn with_tables(mut self, tables: &'a Tables) -> Self {
        self.tables = Some(tables);
        self
    }

    /// The steps this record may take, in place of [`limits::STEPS`].
    #[must_use]
    pub fn with_steps(mut self, steps: u64) -> Self {
        self.steps = steps;
        self
    }

    fn set(&mut self, name: String, value: Cow<'a, Value>) {
        self.variables.retain(|(known, _)| *known != name);
        self.variables.push((name, value));
    }

    pub(crate) fn variable(&self, name: &str) -> Option<&Value> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_ref())
    }

    pub(crate) fn table(&self, name: &str) -> Option<&BTreeMap<String, Value>> {
        self.tables?.get(name)
    }

    pub(crate) fn table_names(&self) -> impl Iterator<Item = &str> {
        self.tables.into_iter().flat_map(|tables| tables.keys().map(String::as_str))
    }

    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }
}

/// The steps that are left for this record.
pub(crate) struct Budget(Cell<u64>);

impl Budget {
    pub(crate) fn new(steps: u64) -> Self {
        Budget(Cell::new(steps))
    }

    /// Takes steps; `false` once they are used up.
    pub(crate) fn spend(&self, steps: u64) -> bool {
        let left = self.0.get().checked_sub(steps);
        self.0.set(left.unwrap_or(0));
        left.is_some()
    }
}

/// The names added by `let`, by `each` or by lists, on top of those around them.
pub(crate) struct Frame<'a> {
    pub parent: Option<&'a Frame<'a>>,
    pub names: Vec<(&'a str, Cow<'a, Value>)>,
}

impl Frame<'_> {
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.names.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| value.as_ref())
    }
}
