//! Credit notes: invoices of the types that give back.
//!
//! The document of a refund has negative quantities. Which sign the lines of a credit note take in Exact is not documented;
//! the usual belief is that the type alone says that it gives back, and that its lines are positive. Sales orders and sales
//! entries have no such type: there the sign of the amounts makes the difference.

use koppel_core::connection::Connection;
use koppel_core::ports::Sent;
use koppel_core::{Cause, Failure};
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::odata;

/// Credit note, and the one that takes stock back.
const TYPES: [&str; 2] = ["8021", "8024"];
const QUANTITY: &str = "Quantity";

/// Which sign the lines of a credit note have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sign {
    /// As on an invoice: the type says that it gives back.
    #[default]
    Positive,
    /// Negative, as on an order that gives back.
    Negative,
}

impl Sign {
    /// The option `credit_lines`.
    pub fn of(connection: &Connection) -> Result<Self, Failure> {
        match connection.option("credit_lines").as_deref() {
            None | Some("positive") => Ok(Self::Positive),
            Some("negative") => Ok(Self::Negative),
            Some(other) => Err(Failure::settings(
                Cause::new("bad_option", format!("«{other}» is not a sign of credit lines"))
                    .advice("use positive or negative")
                    .in_row("credit_lines")
                    .at_connection(&connection.name),
            )),
        }
    }

    /// Gives the lines of a credit note this sign; every other document stays as it is.
    pub fn turn(self, body: &mut Value, lines: &str) {
        if self == Self::Negative || !is_credit_note(body) {
            return;
        }
        let lines = body.get_mut(lines).and_then(Value::as_array_mut).into_iter().flatten();
        for line in lines.filter_map(Value::as_object_mut) {
            negate(line, QUANTITY);
        }
    }
}

/// The answer as what is given back, whatever sign Exact shows it with.
pub(super) fn answered(body: &Value, sent: Sent) -> Sent {
    if !is_credit_note(body) {
        return sent;
    }
    let given_back = |amount: Decimal| -amount.abs();
    Sent { net: sent.net.map(given_back), total: sent.total.map(given_back), ..sent }
}

fn is_credit_note(body: &Value) -> bool {
    odata::field(body, "Type").is_some_and(|kind| TYPES.contains(&kind.as_str()))
}

fn negate(line: &mut Map<String, Value>, name: &str) {
    let number = line.get(name).and_then(|value| match value {
        Value::Number(number) => number.to_string().parse::<Decimal>().ok(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    });
    if let Some(turned) = number.and_then(|number| serde_json::from_str(&(-number).to_string()).ok()) {
        line.insert(name.to_owned(), turned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn turned(sign: Sign, kind: u32) -> Value {
        let mut body =
            json!({"Type": kind, "L": [{"Quantity": -2, "NetPrice": 10}, {"Quantity": "1.5", "NetPrice": -1}]});
        sign.turn(&mut body, "L");
        body["L"].clone()
    }

    #[test]
    fn only_lines_of_credit_notes_are_turned() {
        let as_they_are = json!([{"Quantity": -2, "NetPrice": 10}, {"Quantity": "1.5", "NetPrice": -1}]);
        let other = json!([{"Quantity": 2, "NetPrice": 10}, {"Quantity": -1.5, "NetPrice": -1}]);
        assert_eq!(turned(Sign::Positive, 8021).to_string(), other.to_string());
        assert_eq!(turned(Sign::Positive, 8024).to_string(), other.to_string());
        assert_eq!(turned(Sign::Positive, 8020), as_they_are);
        assert_eq!(turned(Sign::Negative, 8021), as_they_are);
    }

    #[test]
    fn the_answer_is_what_is_given_back_whatever_its_sign() {
        let sent = |total: i64| Sent { total: Some(Decimal::from(total)), ..Sent::default() };
        let body = json!({"Type": 8021});
        assert_eq!(answered(&body, sent(12)).total, Some(Decimal::from(-12)));
        assert_eq!(answered(&body, sent(-12)).total, Some(Decimal::from(-12)));
        assert_eq!(answered(&json!({"Type": 8020}), sent(12)).total, Some(Decimal::from(12)));
    }
}
