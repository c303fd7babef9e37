//! The last step of a row: the value becomes what the target field is, or the row stops.

use rust_decimal::Decimal;

use crate::catalogue::{Field, FieldType};
use crate::value::{Kind, Value, quoted};
use crate::{dates, number};

/// Where inside the value it went wrong (empty for the value itself), and why.
pub(crate) type Misfit = (String, String);

/// Converts a value, and what is inside it, to the types of the target.
pub(crate) fn convert(value: Value, field: &Field) -> Result<Value, Misfit> {
    let value = convert_one(value, field.kind).map_err(|why| (String::new(), why))?;
    if value.is_empty() {
        return if field.required {
            Err((String::new(), "this field is required and it is empty".to_owned()))
        } else {
            Ok(value)
        };
    }
    match value {
        Value::Group(mut fields) if !field.fields.is_empty() => {
            for (name, inner) in &field.fields {
                let inside = |(path, why): Misfit| (join(name, &path), why);
                match fields.get_mut(name) {
                    Some(slot) => *slot = convert(std::mem::take(slot), inner).map_err(inside)?,
                    None if inner.required => {
                        return Err(inside((String::new(), "this field is required and it is not there".to_owned())));
                    }
                    None => {}
                }
            }
            Ok(Value::Group(fields))
        }
        Value::List(items) => {
            let Some(element) = field.element.as_deref() else { return Ok(Value::List(items)) };
            let items = items.into_iter().enumerate().map(|(index, item)| {
                convert(item, element).map_err(|(path, why)| (join(&format!("[{index}]"), &path), why))
            });
            items.collect::<Result<_, _>>().map(Value::List)
        }
        value => Ok(value),
    }
}

fn join(name: &str, rest: &str) -> String {
    if rest.is_empty() || rest.starts_with('[') { format!("{name}{rest}") } else { format!("{name}.{rest}") }
}

fn convert_one(value: Value, kind: FieldType) -> Result<Value, String> {
    if value.is_empty() {
        return Ok(value);
    }
    match kind {
        FieldType::Any => Ok(value),
        FieldType::Text { max } => text(value, max),
        FieldType::Code { max } => {
            let text = text(value, max)?;
            match text.as_text().map(str::trim) {
                Some("") => Err("a code cannot be an empty text: put | null_if_empty behind it".to_owned()),
                _ => Ok(text),
            }
        }
        FieldType::Money | FieldType::Quantity => number_of(&value).map(Value::Number),
        FieldType::Integer => {
            let number = number_of(&value)?;
            if number.fract().is_zero() {
                Ok(Value::Number(number.trunc()))
            } else {
                Err(format!("{} is not a whole number", value.shown()))
            }
        }
        FieldType::Date => dates::parse(text_of(&value, "a date")?).map(|moment| Value::Text(moment.date())),
        FieldType::DateTime => dates::parse(text_of(&value, "a date")?).map(|moment| Value::Text(moment.datetime())),
        FieldType::YesNo => yes_no(&value).map(Value::Bool),
        FieldType::List => only(value, Kind::List, "a list"),
        FieldType::Group => only(value, Kind::Group, "a group"),
    }
}

fn only(value: Value, kind: Kind, word: &str) -> Result<Value, String> {
    if value.kind() == kind { Ok(value) } else { Err(format!("{} is not {word}", value.shown())) }
}

fn text(value: Value, max: Option<usize>) -> Result<Value, String> {
    let text = match value {
        Value::Text(text) => text,
        Value::Number(number) => number.to_string(),
        other => return Err(format!("{} is not a text", other.shown())),
    };
    let length = text.chars().count();
    match max {
        Some(max) if length > max => {
            Err(format!("{} has {length} characters, the field takes {max}: | left({max}) cuts it", quoted(&text)))
        }
        _ => Ok(Value::Text(text)),
    }
}

fn text_of<'a>(value: &'a Value, word: &str) -> Result<&'a str, String> {
    value.as_text().ok_or_else(|| format!("{} is not {word}", value.shown()))
}

fn number_of(value: &Value) -> Result<Decimal, String> {
    match value {
        Value::Number(number) => Ok(*number),
        Value::Text(text) => {
            number::parse_lossy(text.trim()).ok_or_else(|| format!("{} is not a number", quoted(text)))
        }
        other => Err(format!("{} is not a number", other.shown())),
    }
}

fn yes_no(value: &Value) -> Result<bool, String> {
    let known = match value {
        Value::Bool(yes) => Some(*yes),
        Value::Text(text) => match text.trim().to_lowercase().as_str() {
            "yes" | "true" | "1" => Some(true),
            "no" | "false" | "0" => Some(false),
            _ => None,
        },
        Value::Number(number) if *number == Decimal::ONE => Some(true),
        Value::Number(number) if number.is_zero() => Some(false),
        _ => None,
    };
    known.ok_or_else(|| format!("{} is neither yes nor no", value.shown()))
}

/// Whether a value of a known kind can never become a field of this type.
pub(crate) fn never_fits(kind: Kind, field: FieldType) -> bool {
    match field {
        _ if matches!(kind, Kind::Any | Kind::Empty) => false,
        FieldType::Any => false,
        FieldType::Text { .. }
        | FieldType::Code { .. }
        | FieldType::Money
        | FieldType::Quantity
        | FieldType::Integer => !matches!(kind, Kind::Text | Kind::Number),
        FieldType::Date | FieldType::DateTime => kind != Kind::Text,
        FieldType::YesNo => matches!(kind, Kind::List | Kind::Group),
        FieldType::List => kind != Kind::List,
        FieldType::Group => kind != Kind::Group,
    }
}

/// The words for a type in messages.
pub(crate) fn type_word(kind: FieldType) -> String {
    let sized = |word: &str, max: Option<usize>| match max {
        Some(max) => format!("{word} of at most {max} characters"),
        None => word.to_owned(),
    };
    match kind {
        FieldType::Any => "any value".to_owned(),
        FieldType::Text { max } => sized("a text", max),
        FieldType::Code { max } => sized("a code", max),
        FieldType::Money => "an amount".to_owned(),
        FieldType::Quantity => "a quantity".to_owned(),
        FieldType::Integer => "a whole number".to_owned(),
        FieldType::Date => "a date".to_owned(),
        FieldType::DateTime => "a date with time".to_owned(),
        FieldType::YesNo => "yes or no".to_owned(),
        FieldType::List => "a list".to_owned(),
        FieldType::Group => "a group".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(kind: FieldType, json: serde_json::Value) -> Result<String, String> {
        let field = Field { kind, ..Field::default() };
        convert(Value::from(json), &field).map(|value| value.to_json().to_string()).map_err(|(_, why)| why)
    }

    #[test]
    fn each_type_takes_its_forms_and_no_other() {
        use serde_json::json;
        let text = FieldType::Text { max: Some(3) };
        assert_eq!(to(text, json!("éèê")), Ok("\"éèê\"".into()));
        assert_eq!(to(text, json!(12)), Ok("\"12\"".into()));
        assert!(to(text, json!("abcd")).unwrap_err().contains("4 characters, the field takes 3"));
        assert!(to(text, json!(true)).is_err());
        assert_eq!(to(FieldType::Money, json!("12.50")), Ok("12.50".into()));
        assert!(to(FieldType::Money, json!("12,50")).unwrap_err().contains("«12,50» is not a number"));
        assert_eq!(to(FieldType::Integer, json!("3.00")), Ok("3".into()));
        assert!(to(FieldType::Integer, json!(2.5)).is_err());
        assert_eq!(to(FieldType::Date, json!("2026-10-17T14:03:52")), Ok("\"2026-10-17\"".into()));
        assert!(to(FieldType::Date, json!("17-10-2026")).is_err());
        assert_eq!(to(FieldType::DateTime, json!("2026-10-17")), Ok("\"2026-10-17T00:00:00\"".into()));
        assert_eq!(to(FieldType::YesNo, json!("Yes")), Ok("true".into()));
        assert_eq!(to(FieldType::YesNo, json!(0)), Ok("false".into()));
        assert!(to(FieldType::YesNo, json!("")).is_err());
        assert!(to(FieldType::Code { max: None }, json!(" ")).is_err());
        assert!(to(FieldType::List, json!({})).is_err());
        assert!(to(FieldType::Group, json!([])).is_err());
        assert_eq!(to(FieldType::Money, json!(null)), Ok("null".into()));
    }
}
