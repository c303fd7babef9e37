//! A user's own rows over those of a row file.

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::read::Reader;
use super::{Cell, Content, Item, RowFile};
use crate::finding::{Finding, FindingCode};

pub(super) fn lay(file: &mut RowFile, rows: &[(String, Json)], origin: &str) -> Result<(), Vec<Finding>> {
    let mut findings = Vec::new();
    for (path, json) in rows {
        let cell = Reader { origin: origin.into(), findings: &mut findings }.cell(path, json, 0);
        let parts: Vec<&str> = path.split('.').collect();
        let placed = if parts.iter().any(|part| part.is_empty()) {
            Err(format!("«{path}» is not the path of a field"))
        } else {
            place(file, &parts, cell)
        };
        if let Err(message) = placed {
            findings.push(Finding {
                code: FindingCode::Override,
                file: origin.to_owned(),
                row: path.clone(),
                columns: None,
                message,
                suggestion: None,
            });
        }
    }
    if findings.is_empty() { Ok(()) } else { Err(findings) }
}

fn place(file: &mut RowFile, parts: &[&str], cell: Cell) -> Result<(), String> {
    // A list can be meant by its own name even where the field that takes it is called otherwise.
    if let [name, inside @ ..] = parts
        && !inside.is_empty()
        && !file.fields.contains_key(*name)
        && let Some(list) = file.lists.get_mut(*name)
    {
        return into_cell(list, inside, cell, &mut IndexMap::new());
    }
    into_fields(&mut file.fields, parts, cell, &mut file.lists)
}

fn into_fields(
    fields: &mut IndexMap<String, Cell>,
    parts: &[&str],
    cell: Cell,
    lists: &mut IndexMap<String, Cell>,
) -> Result<(), String> {
    let Some((name, inside)) = parts.split_first() else { return Ok(()) };
    if inside.is_empty() {
        fields.insert((*name).to_owned(), cell);
        return Ok(());
    }
    match fields.get_mut(*name) {
        Some(known) => into_cell(known, inside, cell, lists),
        None => {
            let mut group = IndexMap::new();
            let origin = cell.origin.clone();
            into_fields(&mut group, inside, cell, lists)?;
            fields.insert((*name).to_owned(), Cell { origin, content: Content::Group(group) });
            Ok(())
        }
    }
}

fn into_cell(known: &mut Cell, inside: &[&str], cell: Cell, lists: &mut IndexMap<String, Cell>) -> Result<(), String> {
    match &mut known.content {
        Content::Group(fields) => into_fields(fields, inside, cell, lists),
        Content::Items(items) => {
            for item in items {
                let body = match item {
                    Item::One(element) => element,
                    Item::Block(block) => &mut block.body,
                };
                into_cell(body, inside, cell.clone(), &mut IndexMap::new())?;
            }
            Ok(())
        }
        // The field takes a list by its name: the row belongs in the blocks of that list.
        Content::Text(text) if lists.contains_key(text.trim()) => match lists.get_mut(text.trim()) {
            Some(list) => into_cell(list, inside, cell, &mut IndexMap::new()),
            None => Ok(()),
        },
        Content::Text(text) => Err(format!(
            "this cannot be replaced in part: the row above it is one expression, {text}; replace that row as a whole"
        )),
        Content::Constant(_) => Err("this cannot be replaced in part: the row above it is a constant".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn file() -> RowFile {
        let yaml = "mapping: m\nlists:\n  rules:\n    - { each: source.a, fields: { sku: line.sku, extra: { a: '1' } } }\n    - { each: source.b, fields: { sku: line.sku } }\nfields:\n  reference: source.number\n  ship: { city: source.city }\n  whole: source.whole\n  lines: rules";
        RowFile::parse("rows/order.yaml", yaml).unwrap()
    }

    fn lay_one(path: &str) -> Result<RowFile, Vec<Finding>> {
        let mut file = file();
        file.override_rows(&[(path.to_owned(), json!("1"))], "koppel.yaml").map(|()| file)
    }

    fn count(file: &RowFile) -> usize {
        format!("{file:?}").matches("koppel.yaml").count()
    }

    #[test]
    fn rows_are_replaced_or_added_where_they_belong() {
        for (path, hits) in [
            ("reference", 1),
            ("ship.city", 1),
            ("ship.street", 1),
            ("lines.sku", 2),
            ("rules.description", 2),
            ("lines.extra.b", 3),
            ("custom.foo", 2),
            ("lines", 1),
        ] {
            assert_eq!(count(&lay_one(path).unwrap()), hits, "{path}");
        }
    }

    #[test]
    fn half_an_expression_cannot_be_replaced() {
        let said = lay_one("whole.city").unwrap_err()[0].to_string();
        assert!(said.starts_with("koppel.yaml: whole.city: this cannot be replaced in part"), "{said}");
        assert!(lay_one("a..b").is_err());
    }
}
