//! The positional body of a write: definitions of fields, and rows of values in the same order.
//!
//! Types, lengths and marks come from the data dictionary. A text that does not fit is refused, or cut where the
//! connection says so; what other records are found by is never cut.

use chrono::NaiveDate;
use koppel_core::connection::Connection;
use koppel_core::error::nearest;
use koppel_core::{Cause, Failure};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::names::{Dictionary, Field};
use super::profile::Profile;

/// Fields with their values, by native name.
pub(super) type Fields = Map<String, Value>;

/// What happens to a text that is too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum TooLong {
    /// The record is refused, with field, length and limit.
    #[default]
    Reject,
    /// The text is cut at its end.
    Cut,
}

impl TooLong {
    /// The option `too_long`.
    pub fn of(connection: &Connection) -> Result<Self, Failure> {
        match connection.option("too_long").as_deref() {
            None | Some("reject") => Ok(Self::Reject),
            Some("cut") => Ok(Self::Cut),
            Some(other) => Err(Failure::settings(
                Cause::new("bad_option", format!("«{other}» is not what can be done with long texts"))
                    .advice("use reject or cut")
                    .in_row("too_long")
                    .at_connection(&connection.name),
            )),
        }
    }
}

/// The rules that a body is made by.
pub(super) struct Rules<'a> {
    pub dictionary: &'a Dictionary,
    pub profile: &'a Profile,
    pub too_long: TooLong,
    /// Fields that are never cut: what records are found by.
    pub keys: &'a [&'a str],
    /// A number that AccountView gives itself, because the connection says so.
    pub numbered: Option<&'a str>,
}

/// A header with the lines below it.
pub(super) struct Sheet<'a> {
    pub object: &'a str,
    pub table: &'a str,
    pub header: Fields,
    /// Table of the lines, and the lines.
    pub lines: Option<(&'a str, Vec<Fields>)>,
    /// The day that chooses the book year.
    pub book_date: Option<NaiveDate>,
    /// Key of the record that is changed; none: it is new.
    pub id: Option<&'a str>,
}

/// The row id of the one header.
const HEADER_ID: &str = "1";

impl Rules<'_> {
    /// The body.
    pub fn body(&self, sheet: &Sheet<'_>) -> Result<Value, Failure> {
        let is_new = sheet.id.is_none();
        let header = self.rows(sheet.table, std::slice::from_ref(&sheet.header), is_new, None)?;
        let mut body = json!({
            "BusinessObject": sheet.object,
            "Table": {"Definition": header.definition},
            "TableData": {"Data": {"Rows": header.rows}},
        });
        // Noon: the same day in every time zone of the country.
        if let Some(day) = sheet.book_date {
            body["BookDate"] = json!(format!("{day}T12:00:00.000Z"));
        }
        if let Some((table, lines)) = &sheet.lines {
            let lines = self.rows(table, lines, is_new, Some(HEADER_ID))?;
            body["Table"]["DetailDefinitions"] = json!([lines.definition]);
            body["TableData"]["DetailData"] = json!([{"Rows": lines.rows}]);
        }
        if let Some(id) = sheet.id {
            body["id"] = json!(id);
        }
        Ok(body)
    }

    /// All rows share one list of fields; what a row does not have is null.
    fn rows(&self, table: &str, rows: &[Fields], is_new: bool, header: Option<&str>) -> Result<Rows, Failure> {
        let mut names: Vec<&String> = Vec::new();
        for name in rows.iter().flat_map(Map::keys) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let mut columns = vec![json!({"Name": "RowId", "FieldType": "C"})];
        if header.is_some() {
            columns.push(json!({"Name": "HeaderId", "FieldType": "C"}));
        }
        let mut fields = Vec::new();
        for name in &names {
            let field = self.field(table, name, is_new)?;
            columns.push(json!({"Name": name, "FieldType": letter(field)}));
            fields.push((name.as_str(), field));
        }
        let mut made = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            let mut values = vec![json!((at + 1).to_string())];
            values.extend(header.map(|id| json!(id)));
            for (name, field) in &fields {
                values.push(self.value(table, name, field, row.get(*name).unwrap_or(&Value::Null))?);
            }
            if is_new {
                self.check_mandatory(table, row)?;
            }
            made.push(json!({ "Values": values }));
        }
        Ok(Rows { definition: json!({"Name": table, "Fields": columns}), rows: made })
    }

    fn field(&self, table: &str, name: &str, is_new: bool) -> Result<&Field, Failure> {
        let known = self.dictionary.table(table);
        let field = known.and_then(|table| table.fields.get(name));
        let Some(field) = field else {
            let names = known.into_iter().flat_map(|table| table.fields.keys().map(String::as_str));
            let near = nearest(name, names).map(|near| format!("did you mean «{near}»?"));
            return Err(Failure::settings(
                Cause::new("unknown_field", format!("table {table} of AccountView has no field «{name}»"))
                    .advice(near.unwrap_or_else(|| "correct the name in the target rows or in the profile".into()))
                    .in_row(name),
            ));
        };
        // The key of a new row is blocked for changes, and must be given all the same.
        if field.blocked && !(is_new && field.mandatory) {
            return Err(Failure::settings(
                Cause::new("field_blocked", format!("field {name} of {table} cannot be written through the web API"))
                    .advice("leave it out of the target rows")
                    .in_row(name),
            ));
        }
        Ok(field)
    }

    /// What is mandatory in this installation must be filled, unless AccountView does it.
    fn check_mandatory(&self, table: &str, row: &Fields) -> Result<(), Failure> {
        let fields = self.dictionary.table(table).into_iter().flat_map(|table| &table.fields);
        for (name, _) in fields.filter(|(_, field)| field.mandatory) {
            let filled = row.get(name).is_some_and(|value| !is_empty(value));
            if filled || self.profile.is_assigned(table, name) || self.numbered == Some(name.as_str()) {
                continue;
            }
            let cause = Cause::new("mandatory_missing", format!("field {name} of {table} must be filled")).in_row(name);
            // A row that gave nothing lacks something in the record; no row at all is a matter of settings.
            return Err(if row.contains_key(name) {
                Failure::reject(cause.advice("complete the record, or give the row another value"))
            } else {
                Failure::settings(cause.advice(format!(
                    "give it a value in the target rows of the flow; or, when AccountView fills it, name it under profile.assigned.{table}"
                )))
            });
        }
        Ok(())
    }

    fn value(&self, table: &str, name: &str, field: &Field, value: &Value) -> Result<Value, Failure> {
        if is_empty(value) {
            return Ok(Value::Null);
        }
        let wrong = |what: &str| {
            // The value itself is not shown: it may be the name of a person.
            let text = format!("field {name} of {table} takes {what}, and this is none");
            Failure::reject(Cause::new("wrong_type", text).advice("correct the row").in_row(name))
        };
        match letter(field) {
            "C" => self.text(table, name, field, value),
            "L" => match value {
                Value::Bool(flag) => Ok(json!(flag)),
                _ => Err(wrong("yes or no")),
            },
            "T" => {
                match value.as_str().filter(|text| text.get(..10).is_some_and(|day| day.parse::<NaiveDate>().is_ok())) {
                    Some(text) => Ok(json!(text)),
                    None => Err(wrong("a date")),
                }
            }
            _ => {
                let number = number_of(value).ok_or_else(|| wrong("a number"))?.normalize();
                let digits = number.trunc().abs().to_string().len() + number.scale() as usize;
                // Currency has four decimals; a numeric field is as wide as its digits.
                if field.kind == "Y" && number.scale() > 4 || field.kind == "N" && field.len > 0 && digits > field.len {
                    return Err(wrong(&format!("a number of {} digits", field.len)));
                }
                if field.kind == "I" && number.scale() > 0 {
                    return Err(wrong("a whole number"));
                }
                json_number(number).ok_or_else(|| wrong("a number"))
            }
        }
    }

    fn text(&self, table: &str, name: &str, field: &Field, value: &Value) -> Result<Value, Failure> {
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            other => other.to_string(),
        };
        let length = text.chars().count();
        if field.kind == "M" || field.len == 0 || length <= field.len {
            return Ok(json!(text));
        }
        // Codes and keys are never cut: a cut one finds, or is, another record.
        let may_cut = self.too_long == TooLong::Cut && !field.upper && !self.keys.contains(&name);
        if may_cut {
            let cut: String = text.chars().take(field.len).collect();
            return Ok(json!(cut.trim_end()));
        }
        let is_key = field.upper || self.keys.contains(&name);
        let advice = if is_key {
            "make it shorter in the source or in the target rows; it is never cut, because a cut key finds another record"
        } else {
            "make it shorter in the source or in the target rows, or set too_long: cut in the connection"
        };
        Err(Failure::reject(
            Cause::new(
                "too_long",
                format!("{name} of {table} takes {} characters and this one has {length}", field.len),
            )
            .advice(advice)
            .in_row(name),
        ))
    }
}

struct Rows {
    definition: Value,
    rows: Vec<Value>,
}

/// The letter of a write: dates are `T`, every amount is `N`, memos are `C`.
fn letter(field: &Field) -> &'static str {
    match field.kind.as_str() {
        "D" | "T" => "T",
        "N" | "Y" | "B" => "N",
        "L" => "L",
        "I" => "I",
        _ => "C",
    }
}

pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

/// A number, or a text that is one.
pub(super) fn number_of(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(number) => number.to_string().parse().ok(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A number in its shortest form, exactly.
pub(super) fn json_number(number: Decimal) -> Option<Value> {
    serde_json::from_str(&number.normalize().to_string()).ok().map(Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::connection;

    fn dictionary() -> Dictionary {
        let field = |kind: &str, len: usize, marks: &str| {
            json!({"kind": kind, "len": len, "upper": marks.contains('!'), "mandatory": marks.contains('m'),
                "blocked": marks.contains('b')})
        };
        let fields = json!({"DJ_CODE": field("C", 3, "!mb"), "INV_NR": field("C", 12, "!"), "HDR_DESC": field("C", 20, "m"),
            "COMMENT1": field("M", 4, ""), "TRN_DATE": field("D", 8, ""), "GROSS_FLG": field("L", 1, ""),
            "CRED_DAYS": field("N", 3, ""), "PAGE_AMT": field("Y", 8, "b"), "PAGE_NR": field("C", 10, "!mb"),
            "MAIL": field("C", 10, "")});
        let lines = json!({"ACCT_NR": field("C", 10, "!m"), "AMOUNT": field("Y", 8, ""), "NR": field("I", 4, "")});
        serde_json::from_value(json!({"fingerprint": "", "read_at": "2026-06-01T00:00:00Z", "told": true,
            "match_any": true, "objects": {}, "of_objects": {},
            "tables": {"DJ_PAGE": {"closed": false, "fields": fields}, "DJ_LINE": {"closed": false, "fields": lines}}}))
        .unwrap()
    }

    fn made(header: Value, lines: &[Value], too_long: TooLong) -> Result<Value, Failure> {
        let profile = Profile::of(&connection("accountview", json!({}), &[])).unwrap();
        let (dictionary, object) = (dictionary(), |value: &Value| value.as_object().unwrap().clone());
        let rules = Rules { dictionary: &dictionary, profile: &profile, too_long, keys: &["MAIL"], numbered: None };
        rules.body(&Sheet {
            object: "DJ2",
            table: "DJ_PAGE",
            header: object(&header),
            lines: Some(("DJ_LINE", lines.iter().map(object).collect())),
            book_date: "2026-06-01".parse().ok(),
            id: None,
        })
    }

    #[test]
    fn the_documented_shape_is_made() {
        let header = json!({"DJ_CODE": "70", "HDR_DESC": " Web order 1001 ", "INV_NR": "", "TRN_DATE": "2026-06-01",
            "GROSS_FLG": false, "CRED_DAYS": 14});
        let lines = [json!({"ACCT_NR": 8000, "AMOUNT": "-100.0500"}), json!({"ACCT_NR": "1300", "NR": 2})];
        let mut body = made(header, &lines, TooLong::Reject).unwrap();
        // The order of the fields is free, as long as values follow it.
        let columns = |definition: &Value| -> Vec<String> {
            let fields = definition["Fields"].as_array().unwrap();
            fields
                .iter()
                .map(|f| format!("{} {}", f["Name"].as_str().unwrap(), f["FieldType"].as_str().unwrap()))
                .collect()
        };
        let at = |definition: &Value, name: &str| {
            columns(definition).iter().position(|column| column.split(' ').next() == Some(name)).unwrap()
        };
        let definition = body["Table"]["Definition"].take();
        let values = body["TableData"]["Data"]["Rows"][0]["Values"].take();
        assert_eq!((definition["Name"].as_str(), columns(&definition)[0].as_str()), (Some("DJ_PAGE"), "RowId C"));
        for (name, wanted) in [
            ("DJ_CODE", json!("70")),
            ("HDR_DESC", json!("Web order 1001")),
            ("INV_NR", Value::Null),
            ("TRN_DATE", json!("2026-06-01")),
            ("GROSS_FLG", json!(false)),
            ("CRED_DAYS", json!(14)),
        ] {
            assert_eq!(values[at(&definition, name)], wanted, "{name}");
        }
        for column in ["TRN_DATE T", "GROSS_FLG L", "CRED_DAYS N", "INV_NR C"] {
            assert!(columns(&definition).contains(&column.to_owned()), "{column}");
        }
        let lines = &body["Table"]["DetailDefinitions"][0];
        assert_eq!(columns(lines)[..2], ["RowId C", "HeaderId C"]);
        let rows = &body["TableData"]["DetailData"][0]["Rows"];
        assert_eq!(
            (&rows[0]["Values"][0], &rows[1]["Values"][0], &rows[1]["Values"][1]),
            (&json!("1"), &json!("2"), &json!("1"))
        );
        assert_eq!(rows[0]["Values"][at(lines, "ACCT_NR")], "8000");
        assert_eq!(rows[0]["Values"][at(lines, "AMOUNT")].to_string(), "-100.05");
        assert_eq!(rows[0]["Values"][at(lines, "NR")], Value::Null, "all rows share one list of fields");
        assert_eq!(body["BookDate"], "2026-06-01T12:00:00.000Z");
    }

    #[test]
    fn a_long_text_is_refused_or_cut_and_a_key_is_never_cut() {
        let header = |name: &str, value: &str| {
            let mut header = json!({"DJ_CODE": "70", "HDR_DESC": "x"});
            header[name] = json!(value);
            header
        };
        let line = [json!({"ACCT_NR": "8000"})];
        let long = "é".repeat(21);
        let failure = made(header("HDR_DESC", &long), &line, TooLong::Reject).unwrap_err();
        assert_eq!((failure.class(), failure.cause().code.as_str()), ("reject", "too_long"));
        assert!(
            failure.to_string().contains("takes 20 characters and this one has 21")
                && !failure.to_string().contains('é')
        );
        assert!(made(header("HDR_DESC", &long), &line, TooLong::Cut).is_ok());
        assert!(made(header("COMMENT1", &"x".repeat(5_000)), &line, TooLong::Reject).is_ok(), "a memo has no length");
        for key in ["INV_NR", "MAIL"] {
            let failure = made(header(key, "WEB-100000001"), &line, TooLong::Cut).unwrap_err();
            assert!(failure.to_string().contains("never cut"), "{failure}");
        }
    }

    #[test]
    fn what_does_not_fit_the_dictionary_is_named() {
        let line = [json!({"ACCT_NR": "8000"})];
        let base = |name: &str, value: Value| {
            let mut header = json!({"DJ_CODE": "70", "HDR_DESC": "x"});
            header[name] = value;
            header
        };
        for (header, class, words) in [
            (base("HDR_DSC", json!("x")), "settings", "did you mean «HDR_DESC»"),
            (base("PAGE_AMT", json!(1)), "settings", "cannot be written"),
            (base("HDR_DESC", json!(" ")), "reject", "must be filled"),
            (json!({"DJ_CODE": "70"}), "settings", "profile.assigned.DJ_PAGE"),
            (base("TRN_DATE", json!("1 juni")), "reject", "a date"),
            (base("GROSS_FLG", json!("no")), "reject", "yes or no"),
            (base("CRED_DAYS", json!(1234)), "reject", "3 digits"),
            (base("CRED_DAYS", json!("x")), "reject", "a number"),
        ] {
            let failure = made(header, &line, TooLong::Reject).unwrap_err();
            assert!(failure.class() == class && failure.to_string().contains(words), "{words}: {failure}");
        }
        let failure = made(base("HDR_DESC", json!("x")), &[json!({"AMOUNT": 1})], TooLong::Reject).unwrap_err();
        assert!(failure.to_string().contains("ACCT_NR of DJ_LINE"), "{failure}");
    }
}
