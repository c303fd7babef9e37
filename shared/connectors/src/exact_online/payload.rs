//! What is true of every payload before it is posted: private and empty values stay home, known lengths hold.
//!
//! Nothing is ever cut here. A long street may move on to the next address line when not one character is lost; any
//! other value that is too long is refused with its field, its length and the limit.

use koppel_core::{Cause, Failure};
use serde_json::{Map, Value};

/// Known lengths. The vendor documents almost none; these come from the data model of one long-standing client, so a
/// longer value would at best be refused and at worst be cut in silence.
pub(super) const LENGTHS: &[(&str, &str, usize)] = &[
    ("crm/Accounts", "Name", 50),
    ("crm/Accounts", "AddressLine1", 60),
    ("crm/Accounts", "AddressLine2", 60),
    ("crm/Accounts", "AddressLine3", 60),
    ("crm/Accounts", "VATNumber", 35),
    ("crm/Accounts", "ChamberOfCommerce", 60),
    ("crm/Accounts", "Code", 18),
    ("crm/Contacts", "BusinessEmail", 128),
    ("crm/Addresses", "AddressLine1", 60),
    ("crm/Addresses", "AddressLine2", 60),
    ("crm/Addresses", "AddressLine3", 60),
    ("logistics/Items", "Code", 30),
    ("logistics/Items", "Description", 60),
    ("logistics/Items", "ExtraDescription", 255),
    ("logistics/Items", "Barcode", 20),
];

/// The group that the rows made, without what is private (`_…`), null or blank.
pub(super) fn group(made: &Value, entity: &str) -> Result<Map<String, Value>, Failure> {
    match clean(made) {
        Some(Value::Object(group)) => Ok(group),
        None => Ok(Map::new()),
        Some(_) => Err(Failure::settings(
            Cause::new("wrong_shape", format!("the rows for {entity} must make a group of fields"))
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
        Value::Array(items) => Some(Value::Array(items.iter().filter_map(clean).collect())),
        other => Some(other.clone()),
    }
}

/// Refuses values that are longer than the entity takes.
pub(super) fn check_lengths(entity: &str, body: &Map<String, Value>) -> Result<(), Failure> {
    for (_, field, limit) in LENGTHS.iter().filter(|(of, _, _)| *of == entity) {
        let Some(Value::String(text)) = body.get(*field) else { continue };
        let length = text.chars().count();
        if length > *limit {
            return Err(Failure::reject(
                // The value itself is not shown: it may be the name of a person.
                Cause::new(
                    "too_long",
                    format!("{field} of {entity} takes {limit} characters and this one has {length}"),
                )
                .advice(format!("shorten it in the source, or give the row {field} a shorter value"))
                .in_row(*field),
            ));
        }
    }
    Ok(())
}

/// Moves the end of a street line that is too long to a free line behind it, between words, without losing anything.
pub(super) fn spread_address(body: &mut Map<String, Value>, entity: &str) {
    let limit = |field: &str| LENGTHS.iter().find(|(of, name, _)| *of == entity && *name == field).map(|(_, _, n)| *n);
    for (line, next) in [("AddressLine1", "AddressLine2"), ("AddressLine2", "AddressLine3")] {
        let (Some(limit), Some(next_limit)) = (limit(line), limit(next)) else { return };
        let Some(Value::String(text)) = body.get(line) else { continue };
        if text.chars().count() <= limit {
            continue;
        }
        let Some((head, tail)) = split_at_word(text, limit) else { return };
        if body.contains_key(next) {
            // The second line moves to the third when that one is free and the rest then fits between them.
            if next != "AddressLine2" || body.contains_key("AddressLine3") || tail.chars().count() > next_limit {
                return;
            }
            if let Some(second) = body.remove(next) {
                body.insert("AddressLine3".to_owned(), second);
            }
        }
        body.insert(line.to_owned(), Value::String(head));
        body.insert(next.to_owned(), Value::String(tail));
    }
}

/// The longest head of whole words within `limit`, and the rest.
fn split_at_word(text: &str, limit: usize) -> Option<(String, String)> {
    let text = text.trim();
    let cut = text.char_indices().take(limit + 1).filter(|(_, c)| c.is_whitespace()).map(|(at, _)| at).last()?;
    let (head, tail) = text.split_at(cut);
    Some((head.trim_end().to_owned(), tail.trim_start().to_owned()))
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
        let made = json!({"_x":1,"A":" ","B":null,"C":0,"D":false,"L":[{"E":"","F":"f"}],"G":{"H":null}});
        assert_eq!(Value::Object(group(&made, "e").unwrap()), json!({"C":0,"D":false,"L":[{"F":"f"}]}));
        assert!(group(&json!([1]), "e").is_err());
        assert!(group(&Value::Null, "e").unwrap().is_empty());
    }

    #[test]
    fn a_name_that_is_too_long_is_refused_with_field_length_and_limit() {
        let name = "Stichting ".to_owned() + &"x".repeat(50);
        let failure = check_lengths("crm/Accounts", &object(json!({ "Name": name }))).unwrap_err();
        assert_eq!(failure.class(), "reject");
        let text = failure.to_string();
        assert!(text.contains("Name") && text.contains("60") && text.contains("50"), "{text}");
        assert!(check_lengths("crm/Accounts", &object(json!({"Name":"é".repeat(50)}))).is_ok());
    }

    #[test]
    fn a_long_street_moves_on_without_losing_a_word() {
        let street = "Burgemeester van Karnebeekstraat achter de oude sluis bij het gemaal 112 bis";
        let mut body = object(json!({ "AddressLine1": street }));
        spread_address(&mut body, "crm/Accounts");
        let line = |body: &Map<String, Value>, n: &str| body.get(n).and_then(Value::as_str).unwrap_or("").to_owned();
        assert_eq!(format!("{} {}", line(&body, "AddressLine1"), line(&body, "AddressLine2")), street);
        assert!(check_lengths("crm/Accounts", &body).is_ok());

        let mut second = object(json!({ "AddressLine1": street, "AddressLine2": "2e verdieping" }));
        spread_address(&mut second, "crm/Accounts");
        assert_eq!(line(&second, "AddressLine3"), "2e verdieping");
        assert_eq!(format!("{} {}", line(&second, "AddressLine1"), line(&second, "AddressLine2")), street);
        assert!(check_lengths("crm/Accounts", &second).is_ok());

        let full = object(json!({ "AddressLine1": street, "AddressLine2": "b", "AddressLine3": "c" }));
        let mut kept = full.clone();
        spread_address(&mut kept, "crm/Accounts");
        assert_eq!(kept, full);
        assert!(check_lengths("crm/Accounts", &kept).is_err());
    }

    #[test]
    fn a_street_of_three_lines_fills_three_lines_and_one_word_stays_whole() {
        let street = vec!["straatnaam"; 15].join(" ");
        let mut body = object(json!({ "AddressLine1": street }));
        spread_address(&mut body, "crm/Accounts");
        assert!(check_lengths("crm/Accounts", &body).is_ok());
        let joined =
            ["AddressLine1", "AddressLine2", "AddressLine3"].map(|n| body[n].as_str().unwrap().to_owned()).join(" ");
        assert_eq!(joined, street);
        let mut word = object(json!({ "AddressLine1": "x".repeat(70) }));
        spread_address(&mut word, "crm/Accounts");
        assert!(check_lengths("crm/Accounts", &word).is_err());
    }
}
