//! What the installation tells of itself: business objects, tables, fields, book years.

use chrono::Datelike;
use serde_json::{Value, json};

use super::dictionary::{Field, Table};
use super::errors::{Refusal, unknown_object};
use super::filter::param;
use super::{Tx, read};
use crate::message::{Call, Reply};

/// `GET /accountviewsystembusinessobjects`.
pub(super) fn objects(tx: &Tx<'_>) -> Result<Reply, Refusal> {
    refused(tx)?;
    let list = tx.dictionary.objects.iter().filter(|object| !tx.switches.forbidden_objects.contains(&object.code));
    let shown = list.map(|object| {
        let blocked = tx.switches.no_xml_upd.contains(&object.table);
        json!({"Code": object.code, "Description": object.description, "InsertAllowed": object.insert && !blocked,
            "UpdateAllowed": object.update && !blocked, "DeleteAllowed": false})
    });
    Ok(Reply::json(200, &Value::Array(shown.collect())))
}

fn refused(tx: &Tx<'_>) -> Result<(), Refusal> {
    if tx.switches.dictionary_refused {
        return Err(Refusal::new("U heeft geen rechten om de gegevenswoordenboek-tabellen te lezen."));
    }
    Ok(())
}

/// `GET /accountviewsystemdata`.
pub(super) fn data(tx: &Tx<'_>, call: &Call) -> Result<Reply, Refusal> {
    refused(tx)?;
    let pairs = call.pairs();
    let asked = param(&pairs, "BusinessObject").unwrap_or_default().to_uppercase();
    let (table, rows) = match asked.as_str() {
        "FLD" => (table_of_fields(), fields(tx)),
        "DBF" => (table_of_tables(), tables(tx)),
        "ADL" => {
            let table = tx.dictionary.table("ADM_LIST").cloned().ok_or_else(|| unknown_object("ADL"))?;
            (table, years(tx))
        }
        other => return Err(unknown_object(other)),
    };
    if tx.switches.dictionary_padded && param(&pairs, "FilterValue1").is_some_and(|name| name.chars().count() < 8) {
        return read::listed(tx, &pairs, None, &table, Vec::new());
    }
    read::listed(tx, &pairs, None, &table, rows.iter().collect())
}

fn field(name: &str, kind: &str, len: usize) -> Field {
    let made = json!({"name": name, "type": kind, "len": len});
    serde_json::from_value(made).unwrap_or_else(|_| unreachable!())
}

fn table_of_fields() -> Table {
    let fields = [
        ("DCT_FLD_Id", "I", 4),
        ("DBF_NAME", "C", 8),
        ("FIELD_NAME", "C", 10),
        ("FIELD_TYPE", "C", 1),
        ("FIELD_LEN", "N", 3),
        ("FLD_DESC", "C", 60),
        ("INP_MAND", "L", 1),
        ("FLD_FMT", "C", 10),
        ("FLD_MASK", "C", 60),
        ("COM_BLK", "L", 1),
        ("REC_CUST", "L", 1),
        ("PKY_TBL", "C", 8),
        ("CNG_DATE", "T", 8),
        ("CNG_NR", "I", 4),
    ];
    Table { name: "DCT_FLD".into(), fields: fields.map(|(name, kind, len)| field(name, kind, len)).into() }
}

fn fields(tx: &Tx<'_>) -> Vec<Value> {
    let all = tx.dictionary.tables.iter().flat_map(|table| table.fields.iter().map(move |field| (table, field)));
    all.enumerate()
        .map(|(at, (table, field))| {
            json!({"DCT_FLD_Id": at + 1, "DBF_NAME": table.name, "FIELD_NAME": field.name, "FIELD_TYPE": field.kind,
                "FIELD_LEN": field.len, "FLD_DESC": field.desc_nl, "INP_MAND": field.mandatory,
                "FLD_FMT": field.format(), "COM_BLK": field.blocked_for_com, "REC_CUST": field.custom,
                "PKY_TBL": table.name, "CNG_DATE": "2021-06-01T09:00:00", "CNG_NR": 1})
        })
        .collect()
}

fn table_of_tables() -> Table {
    let fields = [
        ("DBF_NAME", "C", 8),
        ("DBF_DESC", "C", 60),
        ("DBF_TYPE", "N", 1),
        ("OBJ_CODE", "C", 10),
        ("TBL_CHILD", "C", 8),
        ("TBL_HDR", "C", 8),
        ("TBL_ACTIVE", "L", 1),
        ("OBJ_ACTIVE", "L", 1),
        ("NO_XML_UPD", "L", 1),
        ("NO_INSERT", "L", 1),
        ("NO_UPDATE", "L", 1),
        ("NO_DELETE", "L", 1),
        ("REC_CUST", "L", 1),
        ("CNG_DATE", "T", 8),
        ("CNG_NR", "I", 4),
    ];
    let mut fields: Vec<Field> = fields.map(|(name, kind, len)| field(name, kind, len)).into();
    // By this one it is paged.
    fields[0].mandatory = true;
    Table { name: "DCT_FILE".into(), fields }
}

fn tables(tx: &Tx<'_>) -> Vec<Value> {
    let row = |table: &Table| {
        let all = &tx.dictionary.objects;
        let own = all.iter().find(|object| object.table == table.name);
        let header = all.iter().find(|object| object.child.as_deref() == Some(table.name.as_str()));
        json!({"DBF_NAME": table.name, "DBF_TYPE": 2, "OBJ_CODE": own.map_or("", |object| object.code.as_str()),
            "TBL_CHILD": own.and_then(|object| object.child.clone()).unwrap_or_default(),
            "TBL_HDR": header.map_or("", |object| object.table.as_str()), "TBL_ACTIVE": true, "OBJ_ACTIVE": true,
            "NO_XML_UPD": tx.switches.no_xml_upd.contains(&table.name), "NO_INSERT": false, "NO_UPDATE": false,
            "NO_DELETE": false, "REC_CUST": false, "CNG_DATE": "2021-06-01T09:00:00", "CNG_NR": 1})
    };
    tx.dictionary.tables.iter().map(row).collect()
}

/// An administration for each year with books.
fn years(tx: &Tx<'_>) -> Vec<Value> {
    let last = tx.switches.last_book_year.unwrap_or_else(|| tx.now.year() + 1);
    let row = |year: i32| json!({"ADM_CODE": year.to_string(), "REC_ID": format!("ADM{year}")});
    (tx.switches.first_book_year..=last).map(row).collect()
}
