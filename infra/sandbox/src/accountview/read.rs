//! Reading: fields, filters, order, pages; answers keyed by table.

use serde_json::{Map, Value, json};

use super::dictionary::{Field, Object, Table};
use super::errors::{Refusal, unknown_field, unknown_object};
use super::filter::{self, param};
use super::{Tx, values};
use crate::message::{Call, Reply};
use crate::text::{text, whole};

const PAGE_SIZE: usize = 20;
const PARAMETERS: &[&str] = &[
    "businessobject",
    "pagesize",
    "lastkey",
    "fields",
    "bookdate",
    "matchanyfilter",
    "filter",
    "sortfields",
    "sortorder",
];
const NUMBERED: &[&str] =
    &["filtercontrolsource", "filteroperator", "filtervaluetype", "filtervalue", "filterislistofvalues"];

/// `GET /accountviewdata`.
pub(super) fn answer(tx: &Tx<'_>, call: &Call) -> Result<Reply, Refusal> {
    let pairs = call.pairs();
    let object = tx.object(param(&pairs, "BusinessObject").unwrap_or_default())?;
    if let Some(date) = param(&pairs, "BookDate") {
        tx.book_year(date)?;
    }
    let table = tx.dictionary.table(&object.table).ok_or_else(|| unknown_object(&object.code))?;
    let of_object = |row: &&Value| match object.code.as_str() {
        "AR1" => row["ACCT_LINK"] == 1,
        "AP1" => row["ACCT_LINK"] == 2,
        _ => true,
    };
    let rows: Vec<&Value> = tx.store.rows(&tx.table(&table.name)).filter(of_object).collect();
    listed(tx, &pairs, Some(object), table, rows)
}

/// The rows that a request wants of these.
pub(super) fn listed(
    tx: &Tx<'_>,
    pairs: &[(String, String)],
    object: Option<&Object>,
    table: &Table,
    rows: Vec<&Value>,
) -> Result<Reply, Refusal> {
    for (name, _) in pairs {
        let name = name.to_lowercase();
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        if !PARAMETERS.contains(&name.as_str()) && !NUMBERED.contains(&stem) {
            return Err(Refusal::new(format!("Parameter '{name}' is onbekend.")));
        }
    }
    let child = object.and_then(|object| object.child.as_deref()).and_then(|child| tx.dictionary.table(child));
    let child = child.filter(|_| object.is_some_and(|object| !object.header_only));
    let (fields, child_fields) = fields(param(pairs, "Fields"), table, child)?;
    let test = filter::of(pairs, table, tx.switches)?;
    let key = table.paging_key(&tx.switches.article_paging_key);
    let mut rows: Vec<&Value> = rows.into_iter().filter(|row| test.holds(row, tx.switches)).collect();
    sort(&mut rows, pairs, table, &key)?;
    if let Some(last) = param(pairs, "LastKey").map(str::trim_end).filter(|last| !last.is_empty()) {
        match rows.iter().position(|row| key_text(row, &key) == last) {
            Some(at) => drop(rows.drain(..=at)),
            // Its row is gone meanwhile: in the order of the key the place is known all the same.
            None => rows.retain(|row| is_after(row, &key, last)),
        }
    }
    let size = match param(pairs, "PageSize") {
        None => PAGE_SIZE,
        Some(size) => {
            size.parse().ok().filter(|size| *size > 0).ok_or_else(|| Refusal::new("PageSize is ongeldig."))?
        }
    };
    rows.truncate(size.min(tx.switches.page_size_max));
    if rows.is_empty() {
        return Ok(nothing(tx, table));
    }
    let mut body = Map::new();
    let mut below = Vec::new();
    let mut shown = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        shown.push(one(tx, table, &fields, row, at, &key, None));
        if let (Some(child), Some(fields)) = (child, &child_fields) {
            let parent = text(row, "REC_ID");
            let lines = tx.store.rows(&tx.table(&child.name)).filter(|line| text(line, "_header") == parent);
            for line in lines {
                let id = below.len();
                below.push(one(tx, child, fields, line, id, "", Some((&table.name, at))));
            }
        }
    }
    body.insert(table.name.clone(), list(tx, shown));
    if let Some(child) = child.filter(|_| child_fields.is_some()) {
        body.insert(child.name.clone(), list(tx, below));
    }
    for sibling in object.into_iter().flat_map(|object| &object.siblings) {
        body.insert(sibling.clone(), json!([]));
    }
    Ok(Reply::json(200, &Value::Object(body)))
}

fn list(tx: &Tx<'_>, mut rows: Vec<Value>) -> Value {
    if tx.switches.single_as_object && rows.len() == 1 {
        return rows.remove(0);
    }
    Value::Array(rows)
}

fn nothing(tx: &Tx<'_>, table: &Table) -> Reply {
    match tx.switches.nothing_found.as_str() {
        "404" => Reply::json(404, &json!({})),
        "missing" => Reply::json(200, &json!({})),
        _ => Reply::json(200, &json!({ table.name.as_str(): [] })),
    }
}

/// A row with the asked fields and the members that tie the tables of an answer together.
fn one(
    tx: &Tx<'_>,
    table: &Table,
    fields: &[&Field],
    row: &Value,
    at: usize,
    key: &str,
    parent: Option<(&str, usize)>,
) -> Value {
    let mut shown = Map::new();
    for field in fields {
        if field.name == key && !tx.switches.paging_key_returned {
            continue;
        }
        shown.insert(field.name.clone(), values::shown(field, row.get(&field.name), tx.switches));
    }
    if !shown.contains_key(&format!("{}_Id", table.name)) {
        shown.insert(format!("{}_Id", table.name), json!(at));
    }
    shown.insert("EXT_KEY".into(), json!(at));
    if let Some((name, at)) = parent {
        shown.insert(format!("{name}_Id"), json!(at));
    }
    Value::Object(shown)
}

/// The fields of a table, and those of its lines when they are wanted.
type Wanted<'a> = (Vec<&'a Field>, Option<Vec<&'a Field>>);

/// Bare names belong to the main table; `*` and nothing at all are everything.
fn fields<'a>(asked: Option<&str>, table: &'a Table, child: Option<&'a Table>) -> Result<Wanted<'a>, Refusal> {
    let asked: Vec<&str> = asked.unwrap_or("*").split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if asked.is_empty() || asked.contains(&"*") {
        return Ok((table.fields.iter().collect(), child.map(|child| child.fields.iter().collect())));
    }
    let (mut own, mut below) = (Vec::new(), Vec::new());
    for name in asked {
        let (of, bare) = name.split_once('.').map_or((table.name.as_str(), name), |(of, bare)| (of, bare));
        let unknown = || unknown_field(of, bare);
        if of.eq_ignore_ascii_case(&table.name) {
            own.push(table.field(bare).ok_or_else(unknown)?);
        } else {
            let child = child.filter(|child| child.name.eq_ignore_ascii_case(of)).ok_or_else(unknown)?;
            below.push(child.field(bare).ok_or_else(unknown)?);
        }
    }
    Ok((own, (!below.is_empty()).then_some(below)))
}

fn sort(rows: &mut [&Value], pairs: &[(String, String)], table: &Table, key: &str) -> Result<(), Refusal> {
    let names: Vec<&str> =
        param(pairs, "SortFields").unwrap_or_default().split(',').map(str::trim).filter(|n| !n.is_empty()).collect();
    for name in &names {
        table.field(name).ok_or_else(|| unknown_field(&table.name, name))?;
    }
    let down = param(pairs, "SortOrder").is_some_and(|order| order.eq_ignore_ascii_case("descending"));
    let mark = |row: &Value| {
        let own: Vec<String> = names.iter().map(|name| sortable(&row[name.to_uppercase()])).collect();
        (own, sortable(&row[key]))
    };
    rows.sort_by_cached_key(|row| mark(row));
    if down {
        rows.reverse();
    }
    Ok(())
}

/// Numbers in the order of their value, texts in that of their bytes.
fn sortable(value: &Value) -> String {
    match whole(value).filter(|_| value.is_number()) {
        Some(number) => format!("{:020}", i128::from(number) + 10_000_000_000_i128),
        None => value.as_str().map_or_else(|| value.to_string(), |text| text.trim_end().to_owned()),
    }
}

fn key_text(row: &Value, key: &str) -> String {
    match &row[key] {
        Value::String(text) => text.trim_end().to_owned(),
        other => other.to_string(),
    }
}

fn is_after(row: &Value, key: &str, last: &str) -> bool {
    match (whole(&row[key]).filter(|_| row[key].is_number()), last.parse::<i64>()) {
        (Some(found), Ok(last)) => found > last,
        _ => key_text(row, key).as_str() > last,
    }
}
