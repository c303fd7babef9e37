//! What is true of every payload before it is posted: private and empty values stay home, known lengths hold.
//!
//! A street that is too long moves on to the next line, between words; everything else that is too long is refused with
//! its field, its length and the limit. Keys are never cut.

use koppel_core::{Cause, Failure};
use serde_json::{Map, Value};

/// Lengths of the fields of an order. The ERP API documents none; its addresses share these.
const LENGTHS: [(&str, usize); 30] = [
    ("orderId", 15),
    ("currencyId", 5),
    ("description", 255),
    ("note", 2_048),
    ("branchId", 30),
    ("projectId", 30),
    ("salesPersonId", 15),
    ("originalOrderId", 15),
    ("originalOrderType", 2),
    ("customer.order", 40),
    ("customer.refNo", 40),
    ("billing.address.line1", 50),
    ("billing.address.line2", 50),
    ("billing.address.line3", 50),
    ("billing.address.city", 50),
    ("billing.address.postalCode", 20),
    ("billing.address.stateId", 50),
    ("billing.contact.name", 255),
    ("billing.contact.phone1", 50),
    ("shipping.address.line1", 50),
    ("shipping.address.line2", 50),
    ("shipping.address.line3", 50),
    ("shipping.address.city", 50),
    ("shipping.address.postalCode", 20),
    ("shipping.address.stateId", 50),
    ("shipping.contact.name", 255),
    ("shipping.contact.phone1", 50),
    ("shipping.shipViaId", 15),
    ("shipping.preferredWarehouseId", 30),
    ("paymentSettings.paymentReference", 40),
];
/// Lengths of the fields of its lines.
const LINE_LENGTHS: [(&str, usize); 6] = [
    ("description", 256),
    ("note", 2_048),
    ("unitOfMeasure", 6),
    ("discountCode", 10),
    ("salesAccountId", 10),
    ("branchId", 30),
];
/// Most characters of an address line.
const ADDRESS_LINE_MAX_CHARS: usize = 50;

/// The group that the rows made, without what is private (`_…`), null or blank.
pub(super) fn group(made: &Value, what: &str) -> Result<Map<String, Value>, Failure> {
    match clean(made) {
        Some(Value::Object(group)) => Ok(group),
        None => Ok(Map::new()),
        Some(_) => Err(Failure::settings(
            Cause::new("wrong_shape", format!("the rows for a {what} must make a group of fields"))
                .advice("correct the target rows of the flow"),
        )),
    }
}

fn clean(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) if text.trim().is_empty() => None,
        Value::Object(fields) => {
            let kept: Map<String, Value> = fields
                .iter()
                .filter(|(name, _)| !name.starts_with('_'))
                .filter_map(|(name, value)| Some((name.clone(), clean(value)?)))
                .collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Array(items) => {
            let kept: Vec<Value> = items.iter().filter_map(clean).collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        other => Some(other.clone()),
    }
}

/// A private text of what the rows made.
pub(super) fn private(made: &Value, name: &str) -> Option<String> {
    super::wire::field(made, name)
}

/// Refuses values of an order that are longer than the service takes.
pub(super) fn check_order(body: &Map<String, Value>) -> Result<(), Failure> {
    let order = Value::Object(body.clone());
    for (path, limit) in LENGTHS {
        check(&order, path, path, limit)?;
    }
    for (number, line) in body.get("orderLines").and_then(Value::as_array).into_iter().flatten().enumerate() {
        for (path, limit) in LINE_LENGTHS {
            check(line, path, &format!("orderLines[{number}].{path}"), limit)?;
        }
    }
    Ok(())
}

fn check(row: &Value, path: &str, shown: &str, limit: usize) -> Result<(), Failure> {
    let length = super::wire::field(row, path).map_or(0, |text| text.chars().count());
    if length <= limit {
        return Ok(());
    }
    // The value itself is not shown: it may be the name of a person.
    Err(Failure::reject(
        Cause::new("too_long", format!("{shown} takes {limit} characters and this one has {length}"))
            .advice(format!("shorten it in the source, or give the row target.{shown} a shorter value"))
            .in_row(shown),
    ))
}

/// Moves the end of a street that is too long to a free line behind it, without losing anything.
pub(super) fn spread_address(address: &mut Map<String, Value>, lines: [&str; 3]) {
    for (line, next) in [(lines[0], lines[1]), (lines[1], lines[2])] {
        let Some(Value::String(text)) = address.get(line) else { continue };
        if text.chars().count() <= ADDRESS_LINE_MAX_CHARS {
            continue;
        }
        let Some((head, tail)) = split_at_word(text, ADDRESS_LINE_MAX_CHARS) else { return };
        if let Some(occupied) = address.get(next).cloned() {
            // The second line moves to the third when that one is free.
            if next != lines[1] || address.contains_key(lines[2]) || tail.chars().count() > ADDRESS_LINE_MAX_CHARS {
                return;
            }
            address.insert(lines[2].to_owned(), occupied);
        }
        address.insert(line.to_owned(), Value::String(head));
        address.insert(next.to_owned(), Value::String(tail));
    }
}

/// The longest head of whole words within `limit`, and the rest.
fn split_at_word(text: &str, limit: usize) -> Option<(String, String)> {
    let text = text.trim();
    let cut = text.char_indices().take(limit + 1).filter(|(_, c)| c.is_whitespace()).map(|(at, _)| at).last()?;
    let (head, tail) = text.split_at(cut);
    Some((head.trim_end().to_owned(), tail.trim_start().to_owned()))
}

/// Puts a value where the rows have put none.
pub(super) fn fill(body: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    body.entry(name).or_insert_with(|| value.into());
}

/// A group inside a body, made when it is not there.
pub(super) fn inner<'a>(body: &'a mut Map<String, Value>, name: &str) -> Option<&'a mut Map<String, Value>> {
    body.entry(name).or_insert_with(|| Value::Object(Map::new())).as_object_mut()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn private_and_empty_values_stay_home() {
        let made =
            json!({"_x":1,"A":" ","B":null,"C":0,"D":false,"L":[{"E":"","F":"f"}],"G":{"H":null},"S":[{"v":null}]});
        assert_eq!(Value::Object(group(&made, "x").unwrap()), json!({"C":0,"D":false,"L":[{"F":"f"}]}));
        assert!(group(&json!([1]), "x").is_err());
    }

    #[test]
    fn what_is_too_long_is_refused_with_field_length_and_limit() {
        let body = object(json!({"customer": {"refNo": "x".repeat(41)}}));
        let failure = check_order(&body).unwrap_err();
        assert_eq!((failure.class(), failure.cause().place.row.as_deref()), ("reject", Some("customer.refNo")));
        let lines = object(json!({"orderLines": [{"description": "é".repeat(256)}, {"description": "é".repeat(257)}]}));
        let text = check_order(&lines).unwrap_err().to_string();
        assert!(text.contains("orderLines[1].description") && text.contains("256") && text.contains("257"), "{text}");
        assert!(check_order(&object(json!({"description": "x".repeat(255)}))).is_ok());
    }

    #[test]
    fn a_long_street_moves_on_without_losing_a_word() {
        let lines = ["line1", "line2", "line3"];
        let street = "Burgemeester van Karnebeekstraat achter de oude sluis bij het gemaal 112 bis";
        let mut address = object(json!({"line1": street, "line2": "2e verdieping"}));
        spread_address(&mut address, lines);
        let text = |name: &str| address[name].as_str().unwrap().to_owned();
        assert_eq!(format!("{} {}", text("line1"), text("line2")), street);
        assert_eq!(text("line3"), "2e verdieping");
        let full = object(json!({"line1": street, "line2": "b", "line3": "c"}));
        let mut kept = full.clone();
        spread_address(&mut kept, lines);
        assert_eq!(kept, full);
    }
}
