//! A native user made ready for rows: `email` is added, the address by which it is known.

use koppel_core::message::SourceRecord;
use koppel_core::{Cause, Failure, NonEmpty};
use serde_json::Value;

use super::text;

/// The address by which a user is known: that of the details, else a user name that is one.
pub fn email(raw: &Value) -> String {
    let email = text(&raw["userinfo"]["email"]).trim().to_lowercase();
    if email.contains('@') {
        return email;
    }
    Some(text(&raw["username"]).trim().to_lowercase()).filter(|name| name.contains('@')).unwrap_or_default()
}

/// Makes a source record of a native user.
pub fn record(mut raw: Value) -> Result<SourceRecord, Failure> {
    let Some(key) = NonEmpty::new(text(&raw["id"])) else {
        return Err(Failure::reject(Cause::new("customer_without_id", "the shop answered a user without an id")));
    };
    let email = email(&raw);
    raw["email"] = Value::String(email.clone());
    let partition = if email.is_empty() { format!("customer:{key}") } else { email };
    // Labels are shown and kept in the clear: the number in the shop, not the address.
    Ok(SourceRecord { label: key.to_string(), key, partition, modified_at: None, raw })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_user_is_known_by_the_address_in_its_details_or_by_its_name() {
        let of = |raw: Value| record(raw).unwrap().partition;
        assert_eq!(of(json!({"id": 1, "username": "jan", "userinfo": {"email": "Jan@B.test "}})), "jan@b.test");
        assert_eq!(of(json!({"id": 1, "username": "Jan@C.test", "userinfo": {"email": ""}})), "jan@c.test");
        assert_eq!(of(json!({"id": 1, "username": "jan", "userinfo": null})), "customer:1");
        let named = record(json!({"id": 7, "username": "jan@b.test", "userinfo": null})).unwrap();
        assert_eq!(named.label, "7", "a label is no address");
    }
}
