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
    if let [part, inside @ ..] = parts
        && !inside.is_empty()
        && let (name, block) = one_block(part)?
        && !file.fields.contains_key(name)
        && let Some(list) = file.lists.get_mut(name)
    {
        return into_cell(list, block, inside, cell, &mut IndexMap::new());
    }
    into_fields(&mut file.fields, parts, cell, &mut file.lists)
}

/// `lines[block 2]` is the second block of `lines`, by the number that messages give it; `lines` is all of them.
fn one_block(part: &str) -> Result<(&str, Option<usize>), String> {
    let Some((name, rest)) = part.split_once('[') else { return Ok((part, None)) };
    let number = rest.strip_prefix("block ").and_then(|rest| rest.strip_suffix(']')).and_then(|n| n.parse().ok());
    match number {
        Some(number) if number > 0 => Ok((name, Some(number))),
        _ => Err(format!("«{part}»: one block of a list is written {name}[block 1]")),
    }
}

fn into_fields(
    fields: &mut IndexMap<String, Cell>,
    parts: &[&str],
    cell: Cell,
    lists: &mut IndexMap<String, Cell>,
) -> Result<(), String> {
    let Some((part, inside)) = parts.split_first() else { return Ok(()) };
    let (name, block) = one_block(part)?;
    if inside.is_empty() && block.is_none() {
        fields.insert(name.to_owned(), cell);
        return Ok(());
    }
    match fields.get_mut(name) {
        Some(known) => into_cell(known, block, inside, cell, lists),
        None if block.is_some() => Err(format!("there is no list «{name}»")),
        None => {
            let mut group = IndexMap::new();
            let origin = cell.origin.clone();
            into_fields(&mut group, inside, cell, lists)?;
            fields.insert(name.to_owned(), Cell { origin, content: Content::Group(group) });
            Ok(())
        }
    }
}

fn into_cell(
    known: &mut Cell,
    block: Option<usize>,
    inside: &[&str],
    cell: Cell,
    lists: &mut IndexMap<String, Cell>,
) -> Result<(), String> {
    match &mut known.content {
        Content::Items(items) => into_items(items, block, inside, &cell),
        // The field takes a list by its name: the row belongs in the blocks of that list.
        Content::Text(text) if lists.contains_key(text.trim()) => match lists.get_mut(text.trim()) {
            Some(list) => into_cell(list, block, inside, cell, &mut IndexMap::new()),
            None => Ok(()),
        },
        _ if block.is_some() => Err("this is not a list of blocks".to_owned()),
        Content::Group(fields) => into_fields(fields, inside, cell, lists),
        Content::Text(text) => Err(format!(
            "this cannot be replaced in part: the row above it is one expression, {text}; replace that row as a whole"
        )),
        Content::Constant(_) => Err("this cannot be replaced in part: the row above it is a constant".to_owned()),
    }
}

fn into_items(items: &mut [Item], block: Option<usize>, inside: &[&str], cell: &Cell) -> Result<(), String> {
    if inside.is_empty() {
        return Err("a block cannot be replaced as a whole: replace its rows, or the list".to_owned());
    }
    let count = items.len();
    if block.is_some_and(|number| number > count) {
        return Err(format!("the list has {count} blocks"));
    }
    for (index, item) in items.iter_mut().enumerate().filter(|(index, _)| block.is_none_or(|block| block == index + 1))
    {
        let body = match item {
            Item::One(element) => element,
            Item::Block(block) => &mut block.body,
        };
        into_cell(body, None, inside, cell.clone(), &mut IndexMap::new())
            .map_err(|why| format!("block {}: {why}", index + 1))?;
    }
    Ok(())
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
            ("lines[block 2].sku", 1),
            ("rules[block 1].extra.a", 1),
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
        for path in [
            "a..b",
            "",
            "lines[0].sku",
            "lines[block 3].sku",
            "lines[block 0].sku",
            "lines[block 1]",
            "ship[block 1].city",
        ] {
            assert!(lay_one(path).is_err(), "{path}");
        }
    }
}
