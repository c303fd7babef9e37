//! From the wire to a stored row and back. Stored: GUIDs in lower case, moments as naive local ISO text, numbers
//! with their exact text. On the wire: `/Date(ms)/` of local wall time, padded codes.

use chrono::{NaiveDate, NaiveDateTime};
use serde_json::{Value, json};
use uuid::Uuid;

use super::errors::stream;
use super::metadata::{Edm, Entity, Prop};
use crate::message::Reply;
use crate::text::{decimal, number, whole};

const STORED: &str = "%Y-%m-%dT%H:%M:%S%.f";

/// A moment from stored text, a literal or a body.
pub(super) fn moment(text: &str) -> Option<NaiveDateTime> {
    let text = text.trim();
    if let Some(ms) = text.strip_prefix("/Date(").and_then(|rest| rest.strip_suffix(")/")) {
        return chrono::DateTime::from_timestamp_millis(ms.parse().ok()?).map(|at| at.naive_utc());
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return date.and_hms_opt(0, 0, 0);
    }
    let bare = text.strip_suffix('Z').unwrap_or(text);
    [STORED, "%Y-%m-%dT%H:%M"].iter().find_map(|form| NaiveDateTime::parse_from_str(bare, form).ok())
}

/// A moment as it is stored.
pub(super) fn stored(at: NaiveDateTime) -> Value {
    json!(at.format(STORED).to_string())
}

/// A sent value as it is stored; an error names the property and the type.
pub(super) fn accept(prop: &Prop, value: &Value) -> Result<Value, Reply> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    let kind = match prop.kind {
        Edm::Guid => "Guid",
        Edm::String => "String",
        Edm::Double => "Double",
        Edm::Int => "Int32",
        Edm::Int64 => "Int64",
        Edm::Byte => "Byte",
        Edm::Boolean => "Boolean",
        Edm::DateTime => "DateTime",
        Edm::Binary => "Binary",
        Edm::Collection => return Ok(value.clone()),
    };
    let read = match prop.kind {
        Edm::Guid => value.as_str().and_then(|text| Uuid::parse_str(text).ok()).map(|id| json!(id.to_string())),
        Edm::String | Edm::Binary => value.is_string().then(|| value.clone()),
        // Numbers may come as text, with a dot.
        Edm::Double => decimal(value).map(number),
        Edm::Int | Edm::Int64 => whole(value).map(|number| json!(number)),
        Edm::Byte => whole(value).filter(|number| (0..=255).contains(number)).map(|number| json!(number)),
        Edm::Boolean => match value {
            Value::Bool(_) => Some(value.clone()),
            Value::String(text) => text.to_lowercase().parse::<bool>().ok().map(|yes| json!(yes)),
            _ => None,
        },
        Edm::DateTime => value.as_str().and_then(moment).map(stored),
        Edm::Collection => None,
    };
    read.ok_or_else(|| {
        stream(&format!(
            "Error encountered in converting the value from request payload for property '{}' to type '{kind}', which is \
             the property's expected type. See inner exception for more detail.",
            prop.name
        ))
    })
}

/// A stored text with the blanks the wire has around it.
pub(super) fn padded(prop: &Prop, text: &str) -> String {
    match prop.pad {
        Some((width, true)) => format!("{text:>width$}"),
        Some((width, false)) => format!("{text:<width$}"),
        None => text.into(),
    }
}

/// A stored value as it goes over the wire.
pub(super) fn give(prop: &Prop, value: &Value, long_as_text: bool) -> Value {
    match (&prop.kind, value) {
        (_, Value::Null) => Value::Null,
        (Edm::DateTime, Value::String(text)) => match moment(text) {
            Some(at) => json!(format!("/Date({})/", at.and_utc().timestamp_millis())),
            None => Value::Null,
        },
        (Edm::String, Value::String(text)) => json!(padded(prop, text)),
        (Edm::Int64, value) if long_as_text => json!(value.to_string()),
        (_, value) => value.clone(),
    }
}

/// How a key stands in an address.
pub(super) fn key_text(entity: &Entity, key: &str) -> String {
    match entity.prop(&entity.key).map(|prop| &prop.kind) {
        Some(Edm::Guid) => format!("guid'{key}'"),
        Some(Edm::String) => format!("'{key}'"),
        Some(Edm::Int64) => format!("{key}L"),
        _ => key.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exact_online::metadata::metadata;

    #[test]
    fn dates_are_local_wall_time_written_as_if_it_were_utc() {
        let orders = metadata().find("salesorder/SalesOrders").unwrap();
        let date = orders.prop("OrderDate").unwrap();
        let at = accept(date, &json!("2026-06-25T16:28:10")).unwrap();
        assert_eq!(give(date, &at, true), json!("/Date(1782404890000)/"));
        assert!(accept(date, &json!("25-06-2026")).is_err());
    }

    #[test]
    fn a_comma_is_no_decimal_and_a_text_is_no_guid() {
        let lines = metadata().find("salesorder/SalesOrderLines").unwrap();
        let price = lines.prop("NetPrice").unwrap();
        assert_eq!(accept(price, &json!("9.95")).unwrap().to_string(), "9.95");
        assert!(accept(price, &json!("9,95")).is_err());
        let reply = accept(lines.prop("Item").unwrap(), &json!("MOK-WIT")).unwrap_err();
        assert!(String::from_utf8_lossy(&reply.body).contains("for property 'Item' to type 'Guid'"));
    }
}
