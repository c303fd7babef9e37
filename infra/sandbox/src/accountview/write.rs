//! Writing: the positional body, and what holds for every table. The rules of single objects are in `rules.rs`.

use serde_json::{Map, Value, json};

use super::dictionary::{Field, Table};
use super::errors::{Refusal, mandatory, unknown_field};
use super::{Tx, rules, values};
use crate::message::{Call, Reply};

/// Fields of a row.
pub(super) type Fields = Map<String, Value>;

/// Keys that the system gives, so a creation need not fill them.
const ASSIGNED: &[&str] = &["PAGE_NR", "REC_ID", "SRC_ID", "SRC_TYPE"];

/// A header with its lines.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub header: Fields,
    pub lines: Vec<Fields>,
}

/// A member in any case.
fn member<'v>(value: &'v Value, name: &str) -> &'v Value {
    static NONE: Value = Value::Null;
    let fields = value.as_object().into_iter().flatten();
    fields.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or(&NONE, |(_, value)| value)
}

fn shape(what: &str) -> Refusal {
    Refusal::new(format!("De aanvraag kan niet worden gelezen ({what})."))
}

/// The code of the object a body is about.
pub(super) fn object_of(body: &Value) -> &str {
    member(body, "BusinessObject").as_str().unwrap_or_default()
}

/// `POST`.
pub(super) fn post(tx: &mut Tx<'_>, call: &Call) -> Result<Reply, Refusal> {
    let body = call.json().map_err(|_| shape("JSON"))?;
    let object = tx.object(object_of(&body))?;
    if !object.insert {
        return Err(Refusal::new(format!("Toevoegen is niet toegestaan voor '{}'.", object.code)));
    }
    writable(tx, &object.table)?;
    book_date(tx, &body)?;
    let (header, child) = tables(tx, &object.table, object.child.as_deref())?;
    let sent = read(tx, &body, header, child, true)?;
    let posted: Vec<String> = sent.header.keys().cloned().collect();
    let (key, number) = rules::create(tx, object, sent)?;
    let row = tx.store.get(&tx.table(&header.name), &key).cloned().unwrap_or_default();
    let mut shown = Map::new();
    for field in &header.fields {
        let wanted = field.name == number || tx.switches.post_answer == "posted" && posted.contains(&field.name);
        if wanted || field.name == "PAGE_NR" && tx.switches.post_answer == "posted" {
            shown.insert(field.name.clone(), values::shown(field, row.get(&field.name), tx.switches));
        }
    }
    Ok(Reply::json(200, &json!({ header.name.as_str(): [shown] })))
}

/// `PUT`: like a creation, with the key in `id`; only the given fields change.
pub(super) fn put(tx: &mut Tx<'_>, call: &Call) -> Result<Reply, Refusal> {
    let body = call.json().map_err(|_| shape("JSON"))?;
    let object = tx.object(object_of(&body))?;
    if !object.update {
        return Err(Refusal::new(format!("Wijzigen is niet toegestaan voor '{}'.", object.code)));
    }
    writable(tx, &object.table)?;
    book_date(tx, &body)?;
    let id = member(&body, "id").as_str().map(str::trim).filter(|id| !id.is_empty()).ok_or_else(|| shape("id"))?;
    let (header, _) = tables(tx, &object.table, None)?;
    let sent = read(tx, &body, header, None, false)?;
    rules::change(tx, object, id, sent.header)?;
    let row = tx.store.get(&tx.table(&header.name), &id.to_uppercase()).cloned().unwrap_or_default();
    let key = header.paging_key("ART_CODE");
    let shown = header.field(&key).map(|field| values::shown(field, row.get(&key), tx.switches));
    Ok(Reply::json(200, &json!({ header.name.as_str(): [{ key: shown }] })))
}

fn writable(tx: &Tx<'_>, table: &str) -> Result<(), Refusal> {
    if tx.switches.no_xml_upd.iter().any(|name| name == table) {
        return Err(Refusal::new(format!("Mutaties in tabel '{table}' via de web API zijn niet toegestaan.")));
    }
    Ok(())
}

fn book_date(tx: &Tx<'_>, body: &Value) -> Result<(), Refusal> {
    match member(body, "BookDate").as_str().filter(|date| !date.is_empty()) {
        Some(date) => tx.book_year(date),
        None => tx.book_year(&tx.today().to_string()),
    }
}

type Tables = (&'static Table, Option<&'static Table>);

fn tables(tx: &Tx<'_>, header: &str, child: Option<&str>) -> Result<Tables, Refusal> {
    let find = |name: &str| tx.dictionary.table(name).ok_or_else(|| shape(name));
    Ok((find(header)?, child.map(find).transpose()?))
}

/// The header and the lines below it, each row checked against the dictionary.
fn read(tx: &Tx<'_>, body: &Value, header: &Table, child: Option<&Table>, new: bool) -> Result<Sent, Refusal> {
    let (table, data) = (member(body, "Table"), member(body, "TableData"));
    let definition = member(table, "Definition");
    let mut headers = rows(tx, definition, member(data, "Data"), header, new)?;
    if headers.len() != 1 {
        return Err(shape("TableData.Data.Rows"));
    }
    let (row_id, _, fields) = headers.remove(0);
    let mut sent = Sent { header: fields, lines: Vec::new() };
    let empty = Vec::new();
    let definitions = member(table, "DetailDefinitions").as_array().unwrap_or(&empty);
    let details = member(data, "DetailData").as_array().unwrap_or(&empty);
    if definitions.len() != details.len() || definitions.len() > 1 || child.is_none() && !definitions.is_empty() {
        return Err(shape("DetailDefinitions"));
    }
    if let (Some(child), Some(definition), Some(detail)) = (child, definitions.first(), details.first()) {
        let mut known = Vec::new();
        for (id, header_id, fields) in rows(tx, definition, detail, child, new)? {
            if header_id.is_none() || header_id != row_id || id.is_none() || known.contains(&id) {
                return Err(shape("RowId, HeaderId"));
            }
            known.push(id);
            sent.lines.push(fields);
        }
    }
    Ok(sent)
}

/// `RowId`, `HeaderId` and the fields of each row.
type Row = (Option<String>, Option<String>, Fields);

fn rows(tx: &Tx<'_>, definition: &Value, data: &Value, table: &Table, new: bool) -> Result<Vec<Row>, Refusal> {
    if !member(definition, "Name").as_str().is_some_and(|name| name.eq_ignore_ascii_case(&table.name)) {
        return Err(shape("Definition.Name"));
    }
    let columns = member(definition, "Fields").as_array().ok_or_else(|| shape("Fields"))?;
    let columns = columns.iter().map(|column| column_of(table, column, new)).collect::<Result<Vec<_>, _>>()?;
    let mut found = Vec::new();
    for row in member(data, "Rows").as_array().ok_or_else(|| shape("Rows"))? {
        let values = member(row, "Values").as_array().ok_or_else(|| shape("Values"))?;
        if values.len() != columns.len() {
            return Err(shape(&format!("{} velden, {} waarden", columns.len(), values.len())));
        }
        let (mut row_id, mut header_id, mut fields) = (None, None, Fields::new());
        for (column, value) in columns.iter().zip(values) {
            let id = || value.as_str().map(str::to_owned).ok_or_else(|| shape("RowId"));
            match column {
                Column::RowId => row_id = Some(id()?),
                Column::HeaderId => header_id = Some(id()?),
                Column::Field(field) => {
                    fields.insert(field.name.clone(), values::accept(field, value, tx.switches)?);
                }
            }
        }
        check_mandatory(table, &fields, new)?;
        found.push((row_id, header_id, fields));
    }
    Ok(found)
}

enum Column<'a> {
    RowId,
    HeaderId,
    Field(&'a Field),
}

fn column_of<'a>(table: &'a Table, column: &Value, new: bool) -> Result<Column<'a>, Refusal> {
    let name = member(column, "Name").as_str().ok_or_else(|| shape("Name"))?;
    let kind = member(column, "FieldType").as_str().unwrap_or_default();
    for (pseudo, made) in [("RowId", Column::RowId), ("HeaderId", Column::HeaderId)] {
        if name.eq_ignore_ascii_case(pseudo) {
            return if kind == "C" { Ok(made) } else { Err(shape(pseudo)) };
        }
    }
    let field = table.field(name).ok_or_else(|| unknown_field(&table.name, name))?;
    if kind != field.written_as() {
        return Err(Refusal::new(format!("Veldtype '{kind}' past niet bij veld '{name}'.")));
    }
    // A key is blocked too, but must be given when its row is made.
    if field.blocked_for_com && !(new && field.mandatory) {
        return Err(Refusal::new(format!("Veld '{name}' kan niet worden gewijzigd.")));
    }
    Ok(Column::Field(field))
}

fn check_mandatory(table: &Table, fields: &Fields, new: bool) -> Result<(), Refusal> {
    let of_page = |name: &str| table.name == "DJ_LINE" && ["DJ_CODE", "TRN_DATE"].contains(&name);
    for field in table.fields.iter().filter(|field| field.mandatory) {
        let own = ASSIGNED.contains(&field.name.as_str()) || of_page(&field.name);
        // The number of a debtor is judged by its own rule.
        let judged = table.name == "CONTACT" && field.name == "SUB_NR";
        let given = fields.contains_key(&field.name);
        if !own && !judged && !filled(fields, &field.name) && (new || given) {
            return Err(mandatory(&field.name));
        }
    }
    Ok(())
}

/// The field is there and holds something.
pub(super) fn filled(fields: &Fields, name: &str) -> bool {
    match fields.get(name) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(_) => true,
    }
}

/// Text of a field, "" when it is not there.
pub(super) fn field<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or_default()
}
