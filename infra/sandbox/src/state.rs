//! Rows of one system, in memory, with an append-only journal when a state folder is given.
//!
//! Every request is one transaction: its changes become one line of the journal before the answer goes out, or are
//! rolled back. A line that was cut off by a killed process is ignored when the journal is read again, so a change is
//! either there completely or not at all. Opening compacts the journal into a snapshot.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// Rows of one kind, in the order they were first put.
#[derive(Debug, Default)]
struct Table {
    rows: BTreeMap<u64, (String, Value)>,
    by_key: HashMap<String, u64>,
    next: u64,
    index: HashMap<(&'static str, String), BTreeSet<u64>>,
}

#[derive(Debug)]
struct Change {
    table: String,
    key: String,
    before: Option<(u64, Value)>,
}

/// All rows of one system.
#[derive(Debug, Default)]
pub struct Store {
    tables: BTreeMap<String, Table>,
    indexed: &'static [&'static str],
    changes: Vec<Change>,
    journal: Option<File>,
    path: Option<PathBuf>,
}

impl Store {
    /// Opens the store: empty in memory, or what `folder/name.jsonl` holds. `indexed` fields make `find` quick.
    pub fn open(folder: Option<&Path>, name: &str, indexed: &'static [&'static str]) -> std::io::Result<Self> {
        let mut store = Self { indexed, ..Self::default() };
        if let Some(folder) = folder {
            let path = folder.join(format!("{name}.jsonl"));
            if path.exists() {
                store.replay(&path)?;
            }
            store.path = Some(path);
            store.snapshot()?;
        }
        Ok(store)
    }

    /// True when nothing was ever stored.
    pub fn is_empty(&self) -> bool {
        self.tables.values().all(|table| table.rows.is_empty())
    }

    /// Names of the tables.
    pub fn tables(&self) -> Vec<String> {
        self.tables.keys().cloned().collect()
    }

    /// One row.
    pub fn get(&self, table: &str, key: &str) -> Option<&Value> {
        let table = self.tables.get(table)?;
        table.rows.get(table.by_key.get(key)?).map(|(_, row)| row)
    }

    /// All rows of a table.
    pub fn rows(&self, table: &str) -> impl DoubleEndedIterator<Item = &Value> + use<'_> {
        self.tables.get(table).into_iter().flat_map(|table| table.rows.values().map(|(_, row)| row))
    }

    /// Names of the rows of a table with the rows.
    pub fn entries(&self, table: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.tables.get(table).into_iter().flat_map(|table| table.rows.values().map(|(key, row)| (key.as_str(), row)))
    }

    /// Number of rows of a table.
    pub fn len(&self, table: &str) -> usize {
        self.tables.get(table).map_or(0, |table| table.rows.len())
    }

    /// Rows whose indexed field equals the value (texts: whatever case, blanks around it ignored; whole numbers: in
    /// digits), in the order of the table. None: no index.
    pub fn find(&self, table: &str, field: &str, value: &str) -> Option<Vec<&Value>> {
        self.find_any(table, &[(field, value)])
    }

    /// Rows for which at least one of these equalities holds, each row once. None: a field has no index.
    pub fn find_any(&self, table: &str, pairs: &[(&str, &str)]) -> Option<Vec<&Value>> {
        let mut places: BTreeSet<u64> = BTreeSet::new();
        let known = self.tables.get(table);
        for (field, value) in pairs {
            let field = self.indexed.iter().find(|known| **known == *field)?;
            if let Some(found) = known.and_then(|table| table.index.get(&(*field, fold(value)))) {
                places.extend(found);
            }
        }
        let Some(rows) = known.map(|table| &table.rows) else { return Some(Vec::new()) };
        Some(places.iter().filter_map(|at| rows.get(at)).map(|(_, row)| row).collect())
    }

    /// Inserts or replaces a row.
    pub fn put(&mut self, table: &str, key: &str, row: Value) {
        let before = self.place(table, key, Some(row));
        self.changes.push(Change { table: table.into(), key: key.into(), before });
    }

    /// Removes a row.
    pub fn delete(&mut self, table: &str, key: &str) -> Option<Value> {
        let before = self.place(table, key, None);
        let row = before.as_ref().map(|(_, row)| row.clone());
        self.changes.push(Change { table: table.into(), key: key.into(), before });
        row
    }

    /// The next number of a sequence that starts at `first`.
    pub fn next_number(&mut self, sequence: &str, first: i64) -> i64 {
        let last = self.get("_sequences", sequence).and_then(Value::as_i64);
        let next = last.map_or(first, |last| last + 1);
        self.put("_sequences", sequence, json!(next));
        next
    }

    /// Lets a sequence go on after `used`.
    pub fn reserve_number(&mut self, sequence: &str, used: i64) {
        if self.get("_sequences", sequence).and_then(Value::as_i64).is_none_or(|last| last < used) {
            self.put("_sequences", sequence, json!(used));
        }
    }

    /// Makes the changes since the last commit durable, as one line.
    pub fn commit(&mut self) -> std::io::Result<()> {
        let changes = std::mem::take(&mut self.changes);
        let Some(mut file) = self.journal.take() else { return Ok(()) };
        let mut seen = BTreeSet::new();
        let mut line = Vec::new();
        for change in &changes {
            if seen.insert((&change.table, &change.key)) {
                line.push(json!([change.table, change.key, self.get(&change.table, &change.key)]));
            }
        }
        let written =
            if line.is_empty() { Ok(()) } else { file.write_all(format!("{}\n", Value::Array(line)).as_bytes()) };
        self.journal = Some(file);
        written
    }

    /// Takes back the changes since the last commit.
    pub fn rollback(&mut self) {
        for change in std::mem::take(&mut self.changes).into_iter().rev() {
            match change.before {
                None => {
                    self.place(&change.table, &change.key, None);
                }
                Some((at, row)) => self.restore(&change.table, &change.key, at, row),
            }
        }
    }

    /// Forgets every row.
    pub fn clear(&mut self) -> std::io::Result<()> {
        self.tables.clear();
        self.changes.clear();
        self.snapshot()
    }

    fn place(&mut self, table: &str, key: &str, row: Option<Value>) -> Option<(u64, Value)> {
        let indexed = self.indexed;
        if !self.tables.contains_key(table) {
            self.tables.insert(table.into(), Table::default());
        }
        let table = self.tables.get_mut(table)?;
        let known = table.by_key.get(key).copied();
        let before = known.and_then(|at| table.rows.remove(&at).map(|(_, row)| (at, row)));
        if let Some((at, old)) = &before {
            table.unlink(indexed, *at, old);
        }
        match row {
            Some(row) => {
                let at = known.unwrap_or(table.next);
                table.next = table.next.max(at + 1);
                table.link(indexed, at, &row);
                table.by_key.insert(key.into(), at);
                table.rows.insert(at, (key.into(), row));
            }
            None => {
                table.by_key.remove(key);
            }
        }
        before
    }

    fn restore(&mut self, name: &str, key: &str, at: u64, row: Value) {
        self.place(name, key, None);
        let indexed = self.indexed;
        if let Some(table) = self.tables.get_mut(name) {
            table.link(indexed, at, &row);
            table.by_key.insert(key.into(), at);
            table.rows.insert(at, (key.into(), row));
        }
    }

    fn replay(&mut self, path: &Path) -> std::io::Result<()> {
        let text = std::fs::read(path)?;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            if line.last() != Some(&b'\n') {
                break; // cut off by a killed process: that change never happened
            }
            let changes: Vec<(String, String, Option<Value>)> = serde_json::from_slice(line)?;
            for (table, key, row) in changes {
                self.place(&table, &key, row);
            }
        }
        Ok(())
    }

    fn snapshot(&mut self) -> std::io::Result<()> {
        let Some(path) = self.path.clone() else { return Ok(()) };
        let fresh = path.with_extension("tmp");
        let mut file = std::io::BufWriter::new(File::create(&fresh)?);
        for (name, table) in &self.tables {
            for (key, row) in table.rows.values() {
                writeln!(file, "{}", json!([[name, key, row]]))?;
            }
        }
        file.into_inner().map_err(|error| error.into_error())?.sync_all()?;
        std::fs::rename(&fresh, &path)?;
        self.journal = Some(OpenOptions::new().append(true).open(&path)?);
        Ok(())
    }
}

impl Table {
    fn link(&mut self, indexed: &[&'static str], at: u64, row: &Value) {
        for field in indexed {
            if let Some(key) = row.get(field).and_then(index_key) {
                self.index.entry((field, key)).or_default().insert(at);
            }
        }
    }

    fn unlink(&mut self, indexed: &[&'static str], at: u64, row: &Value) {
        for field in indexed {
            if let Some(key) = row.get(field).and_then(index_key) {
                let key = (*field, key);
                if let Some(set) = self.index.get_mut(&key) {
                    set.remove(&at);
                    if set.is_empty() {
                        self.index.remove(&key);
                    }
                }
            }
        }
    }
}

/// How a value stands in an index; lists, objects and yes/no are not looked up.
fn index_key(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(fold(text)),
        Value::Number(number) => number.as_i64().map(|number| number.to_string()),
        _ => None,
    }
}

fn fold(value: &str) -> String {
    value.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rolled_back_change_leaves_rows_and_index_as_they_were() {
        let mut store = Store::open(None, "x", &["Code"]).unwrap();
        store.put("items", "1", json!({"Code": "A"}));
        store.commit().unwrap();
        store.put("items", "1", json!({"Code": "B"}));
        store.put("items", "2", json!({"Code": "C"}));
        store.next_number("orders", 10);
        store.rollback();
        assert_eq!(store.get("items", "1"), Some(&json!({"Code": "A"})));
        assert_eq!(store.find("items", "Code", " a ").unwrap().len(), 1);
        assert!(store.find("items", "Code", "C").unwrap().is_empty());
        assert_eq!(store.next_number("orders", 10), 10);
    }

    #[test]
    fn equalities_are_looked_up_for_texts_and_whole_numbers_and_give_a_row_once() {
        let mut store = Store::open(None, "x", &["Code", "parent_id"]).unwrap();
        store.put("items", "1", json!({"Code": "A", "parent_id": 7}));
        store.put("items", "2", json!({"Code": "B", "parent_id": 7}));
        let codes = |pairs: &[(&str, &str)]| {
            let rows = store.find_any("items", pairs)?;
            Some(rows.into_iter().map(|row| row["Code"].as_str().unwrap().to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(codes(&[("parent_id", "7"), ("Code", "b")]), Some(vec!["A".into(), "B".into()]));
        assert_eq!(codes(&[("Code", "c")]), Some(Vec::new()));
        assert_eq!(codes(&[("Code", "a"), ("Name", "x")]), None, "a field without an index");
        assert!(store.find("nothing", "Code", "a").unwrap().is_empty());
        assert!(store.find("nothing", "Name", "a").is_none());
    }

    #[test]
    fn a_line_cut_off_by_a_killed_process_is_no_change() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(Some(folder.path()), "x", &[]).unwrap();
        store.put("t", "1", json!({"n": 1}));
        store.commit().unwrap();
        store.put("t", "2", json!({"n": 2}));
        drop(store); // never committed
        let path = folder.path().join("x.jsonl");
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(br#"[["t","3",{"n":"#).unwrap();
        let mut store = Store::open(Some(folder.path()), "x", &[]).unwrap();
        assert_eq!(store.rows("t").cloned().collect::<Vec<_>>(), [json!({"n": 1})]);
        store.put("t", "4", json!({"n": 4}));
        store.commit().unwrap();
        let store = Store::open(Some(folder.path()), "x", &[]).unwrap();
        assert_eq!(store.len("t"), 2);
    }
}
