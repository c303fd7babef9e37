//! From YAML to cells.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::{Map, Value as Json};

use super::{Block, Cell, Content, Item, RowFile};
use crate::finding::{Finding, FindingCode, nearest};
use crate::limits;
use crate::value::Value;

/// The name of an element when a block does not give one.
const ELEMENT: &str = "line";

/// Reads YAML (JSON is YAML too). Only `true` and `false` are yes/no: the country code `NO` stays a text.
pub(crate) fn read_yaml(file: &str, yaml: &str) -> Result<Json, Finding> {
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    serde_saphyr::from_str_with_options(yaml, options)
        .map_err(|error| finding(file, FindingCode::File, "", format!("this is not YAML: {error}")))
}

fn finding(file: &str, code: FindingCode, row: &str, message: impl Into<String>) -> Finding {
    Finding {
        code,
        file: file.to_owned(),
        row: row.to_owned(),
        columns: None,
        message: message.into(),
        suggestion: None,
    }
}

/// Reads cells, gathering what is wrong instead of stopping at the first.
pub(super) struct Reader<'a> {
    pub origin: Arc<str>,
    pub findings: &'a mut Vec<Finding>,
}

pub(super) fn row_file(file: &str, yaml: &str) -> Result<RowFile, Vec<Finding>> {
    let json = read_yaml(file, yaml).map_err(|finding| vec![finding])?;
    let Json::Object(keys) = json else {
        return Err(vec![finding(
            file,
            FindingCode::File,
            "",
            "a row file has the keys mapping, version, let, lists and fields",
        )]);
    };
    let mut findings = Vec::new();
    let origin: Arc<str> = file.into();
    let mut reader = Reader { origin: origin.clone(), findings: &mut findings };
    reader.known_keys("", &keys, &["mapping", "version", "let", "lists", "fields"]);
    let name = match keys.get("mapping") {
        Some(Json::String(name)) => name.clone(),
        _ => {
            reader.report("mapping", "the name of the mapping is missing");
            String::new()
        }
    };
    let version = keys.get("version").map_or(Some(1), Json::as_u64).unwrap_or_default();
    if version != 1 {
        reader.report("version", "only version 1 is known");
    }
    let lets = reader.lets("", keys.get("let"));
    let lists = reader.group("", keys.get("lists"), 0);
    let fields = reader.group("", keys.get("fields"), 0);
    if !keys.contains_key("fields") {
        reader.report("fields", "there are no fields");
    }
    if findings.is_empty() { Ok(RowFile { file: origin, name, version, lets, lists, fields }) } else { Err(findings) }
}

impl Reader<'_> {
    fn report(&mut self, row: &str, message: impl Into<String>) {
        self.findings.push(finding(&self.origin, FindingCode::File, row, message));
    }

    fn known_keys(&mut self, row: &str, keys: &Map<String, Json>, known: &[&str]) {
        for key in keys.keys().filter(|key| !known.contains(&key.as_str())) {
            let mut unknown = finding(&self.origin, FindingCode::File, row, format!("unknown key «{key}»"));
            unknown.suggestion = nearest(key, known.iter().copied()).map(str::to_owned);
            self.findings.push(unknown);
        }
    }

    fn lets(&mut self, row: &str, json: Option<&Json>) -> Vec<(String, Cell)> {
        let Some(json) = json else { return Vec::new() };
        let Json::Object(lets) = json else {
            self.report(row, "let holds names with their cells");
            return Vec::new();
        };
        let named = |name: &str| if row.is_empty() { format!("let {name}") } else { format!("{row}: let {name}") };
        lets.iter().map(|(name, cell)| (name.clone(), self.cell(&named(name), cell, 0))).collect()
    }

    fn group(&mut self, row: &str, json: Option<&Json>, depth: usize) -> IndexMap<String, Cell> {
        let Some(json) = json else { return IndexMap::new() };
        let Json::Object(fields) = json else {
            self.report(row, "names with their cells are expected here");
            return IndexMap::new();
        };
        fields.iter().map(|(name, cell)| (name.clone(), self.cell(&below(row, name), cell, depth + 1))).collect()
    }

    /// A text is an expression, a bare number or true/false a constant, `const` any constant, `each` a block of rows,
    /// anything else a group or a list of cells.
    pub(super) fn cell(&mut self, row: &str, json: &Json, depth: usize) -> Cell {
        if depth > limits::NESTING {
            self.findings.push(finding(
                &self.origin,
                FindingCode::TooLarge,
                row,
                format!("nested more than {} levels deep", limits::NESTING),
            ));
            return self.make(Content::Constant(Value::Empty));
        }
        let content = match json {
            Json::String(text) => Content::Text(text.clone()),
            Json::Null | Json::Bool(_) | Json::Number(_) => Content::Constant(Value::from_json(json)),
            Json::Object(fields) => match fields.get("const") {
                Some(constant) if fields.len() == 1 => Content::Constant(Value::from_json(constant)),
                _ if fields.contains_key("each") => {
                    Content::Items(vec![Item::Block(Box::new(self.block(row, fields, depth)))])
                }
                _ => Content::Group(self.group(row, Some(json), depth)),
            },
            Json::Array(items) => {
                let mut read = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    let row = format!("{row}: block {}", index + 1);
                    read.push(match item {
                        Json::Object(fields) if fields.contains_key("each") => {
                            Item::Block(Box::new(self.block(&row, fields, depth)))
                        }
                        other => Item::One(self.cell(&row, other, depth + 1)),
                    });
                }
                Content::Items(read)
            }
        };
        self.make(content)
    }

    fn make(&self, content: Content) -> Cell {
        Cell { origin: self.origin.clone(), content }
    }

    fn block(&mut self, row: &str, keys: &Map<String, Json>, depth: usize) -> Block {
        self.known_keys(row, keys, &["each", "as", "when", "let", "fields", "value"]);
        let mut expression = |key: &str| match keys.get(key) {
            Some(Json::String(_)) => {}
            Some(_) => self.report(row, format!("{key} is an expression")),
            None => {}
        };
        expression("each");
        expression("when");
        let name = match keys.get("as") {
            None => ELEMENT.to_owned(),
            Some(Json::String(name)) if !name.is_empty() => name.clone(),
            Some(_) => {
                self.report(row, "as gives one name to the elements");
                ELEMENT.to_owned()
            }
        };
        let each = self.cell(&format!("{row}: each"), keys.get("each").unwrap_or(&Json::Null), depth + 1);
        let when = keys.get("when").map(|when| self.cell(&format!("{row}: when"), when, depth + 1));
        let lets = self.lets(row, keys.get("let"));
        let body = match (keys.get("fields"), keys.get("value")) {
            (Some(fields), None) => {
                let fields = self.group(row, Some(fields), depth);
                self.make(Content::Group(fields))
            }
            (None, Some(value)) => self.cell(row, value, depth + 1),
            _ => {
                self.report(row, "a block has fields, or value for a list without fields");
                self.make(Content::Constant(Value::Empty))
            }
        };
        Block { each, name, when, lets, body }
    }
}

/// The row inside a group, or inside a block (whose name ends in a colon).
pub(crate) fn below(row: &str, name: &str) -> String {
    if row.is_empty() {
        name.to_owned()
    } else if row.rsplit(": ").next().is_some_and(|last| last.starts_with("block ")) {
        format!("{row}: {name}")
    } else {
        format!("{row}.{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structure_mistakes_are_all_named() {
        let yaml = "mapping: a\nversion: 2\nfeilds: {}\nlists:\n  lines:\n    - each: source.x\n      wen: true\n";
        let said: Vec<_> = RowFile::parse("r.yaml", yaml).unwrap_err().iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|s| s == "r.yaml: unknown key «feilds»: did you mean «fields»?"), "{said:#?}");
        assert!(
            said.iter().any(|s| s.contains("lines: block 1: unknown key «wen»: did you mean «when»?")),
            "{said:#?}"
        );
        assert!(said.iter().any(|s| s.contains("only version 1")), "{said:#?}");
        assert!(RowFile::parse("r.yaml", "[1, 2").is_err());
        assert!(RowFile::parse("r.yaml", "mapping: a\nfields: { a: 1, a: 2 }").is_err());
    }

    #[test]
    fn words_of_yaml_are_not_taken_for_yes_and_no() {
        let json = read_yaml("r.yaml", "{ country: NO, size: y, on: off }").unwrap();
        assert_eq!(json.to_string(), r#"{"country":"NO","size":"y","on":"off"}"#);
    }

    #[test]
    fn json_is_read_too() {
        let rows = RowFile::parse("r.json", r#"{"mapping": "a", "fields": {"b": {"const": [1, "x"]}}}"#).unwrap();
        assert_eq!(rows.fields.len(), 1);
    }
}
