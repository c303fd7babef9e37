//! Customers: users by e-mail address. The shop has no filter for it, so all of them are read, and kept for a moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::message::Action;
use koppel_core::ports::target::{Change, Existing};
use koppel_core::ports::{Calls, Sent};
use koppel_core::{Cause, Failure, NonEmpty};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use super::values::spoken_of;
use super::{CcvShopTarget, Results, gather, no_id};
use crate::ccv_shop::auth::hex;
use crate::ccv_shop::judge::NOT_UNIQUE;
use crate::ccv_shop::native::customer::email;
use crate::ccv_shop::native::{self, text};

/// The list is used for this long. Who is not in it is looked for in a new one.
const KEPT: TimeDelta = TimeDelta::minutes(5);

/// By address: the users that have it.
type ByAddress = BTreeMap<String, Vec<Value>>;

/// The users of one shop.
#[derive(Debug, Default)]
pub struct Users(Mutex<Option<(DateTime<Utc>, Arc<ByAddress>)>>);

impl CcvShopTarget {
    /// Users with these addresses.
    pub(super) async fn find_users(
        &self,
        keys: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Vec<Existing>>, Failure> {
        let wanted: BTreeMap<String, &NonEmpty> = keys.iter().map(|key| (key.as_str().to_lowercase(), key)).collect();
        let users = self.users_with(&wanted.keys().map(String::as_str).collect(), calls).await?;
        let mut found = BTreeMap::new();
        for (address, key) in wanted {
            let existing = users.get(&address).into_iter().flatten().filter_map(|user| {
                Some(Existing { id: native::id(user)?.to_string(), label: address.clone(), fields: fields_of(user) })
            });
            let existing: Vec<Existing> = existing.collect();
            if !existing.is_empty() {
                found.insert(key.clone(), existing);
            }
        }
        Ok(found)
    }

    async fn users_with(&self, addresses: &BTreeSet<&str>, calls: &Calls) -> Result<Arc<ByAddress>, Failure> {
        let mut kept = self.users.0.lock().await;
        if let Some((read, users)) = kept.as_ref()
            && self.client.now() - *read < KEPT
            && addresses.iter().all(|address| users.contains_key(*address))
        {
            return Ok(Arc::clone(users));
        }
        let at = self.client.now();
        let rows = self.client.all("users", &[("orderby", "id".into())], self.client.page_size(), calls).await?;
        let mut users = ByAddress::new();
        for row in rows {
            let address = email(&row);
            if !address.is_empty() {
                users.entry(address).or_default().push(row);
            }
        }
        let users = Arc::new(users);
        *kept = Some((at, Arc::clone(&users)));
        Ok(users)
    }

    /// Creates and changes users.
    pub(super) async fn send_users(&self, changes: &[Change], calls: &Calls) -> Result<Results, Failure> {
        let mut results = Results::new();
        for change in changes {
            let result = self.send_user(change, calls).await;
            if !gather(&mut results, changes.len(), result)? {
                break;
            }
        }
        *self.users.0.lock().await = None;
        Ok(results)
    }

    async fn send_user(&self, change: &Change, calls: &Calls) -> Result<Sent, Failure> {
        let mut fields = spoken_of(&change.fields);
        fields.retain(|name, value| !name.starts_with('_') && value.as_object().is_none_or(|inner| !inner.is_empty()));
        let id = match &change.action {
            Action::Update { id } => {
                self.change_user(id, fields, calls).await?;
                id.clone()
            }
            Action::Create => self.create_user(change, fields, calls).await?,
        };
        Ok(Sent { id, number: change.key.to_string(), ..Sent::default() })
    }

    async fn change_user(&self, id: &str, mut fields: Map<String, Value>, calls: &Calls) -> Result<(), Failure> {
        // The name is what a customer logs in with: it is given once.
        fields.remove("username");
        let path = format!("users/{id}");
        if let Some(wanted) = fields.remove("userinfo") {
            // The details are replaced as a whole, so what rows do not speak of goes along.
            let user = self.client.one(&path, &[], calls).await?;
            let user = user.ok_or_else(|| {
                Failure::reject(
                    Cause::new(crate::ccv_shop::judge::GONE, format!("the shop no longer has the user {id}"))
                        .advice("try again: what is missing is made anew"),
                )
            })?;
            let mut info = user["userinfo"].clone();
            merge(&mut info, &wanted);
            fields.insert("userinfo".into(), without_links(info));
        }
        if fields.is_empty() {
            return Ok(());
        }
        self.client.change(&path, Value::Object(fields), calls).await
    }

    async fn create_user(
        &self,
        change: &Change,
        mut fields: Map<String, Value>,
        calls: &Calls,
    ) -> Result<String, Failure> {
        let name = fields.get("username").map(text).unwrap_or_default();
        if name.trim().is_empty() {
            return Err(Failure::reject(
                Cause::new("bad_value", format!("«{}» has no user name", change.key)).in_row("target.username"),
            ));
        }
        if !fields.contains_key("password") {
            // Nobody knows it: the customer asks for one of their own.
            fields.insert("password".into(), json!(password()?));
        }
        let answer = self.client.create("users", Value::Object(fields), calls).await;
        let answer = answer.map_err(|failure| match failure {
            Failure::Reject(cause) if cause.code == NOT_UNIQUE => Failure::reject(
                Cause::new(
                    "duplicate_username",
                    format!("the user name «{name}» belongs to another user: {}", cause.message),
                )
                .advice("look for it in the shop: it may have another e-mail address in its details")
                .in_row("target.username"),
            ),
            other => other,
        })?;
        if let Some(id) = answer.as_ref().and_then(native::id) {
            return Ok(id.to_string());
        }
        // It was made without saying as what.
        *self.users.0.lock().await = None;
        let address = change.key.as_str().to_lowercase();
        let users = self.users_with(&BTreeSet::from([address.as_str()]), calls).await.map_err(super::half_written)?;
        let ids = users.get(&address).into_iter().flatten().filter_map(native::id);
        ids.max().map(|id| id.to_string()).ok_or_else(|| no_id(change))
    }
}

fn fields_of(user: &Value) -> Map<String, Value> {
    let mut fields = user.as_object().cloned().unwrap_or_default();
    // The name that somebody logs in with is nothing to keep in step.
    fields.insert("username".into(), json!(email(user)));
    let mut info = user["userinfo"].clone();
    if info.is_object() {
        info["email"] = json!(email(user));
    }
    fields.insert("userinfo".into(), info);
    fields
}

/// Lays what is wanted over what is there.
fn merge(there: &mut Value, wanted: &Value) {
    match (there.as_object_mut(), wanted) {
        (Some(there), Value::Object(wanted)) => {
            for (name, value) in wanted {
                merge(there.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        _ => *there = wanted.clone(),
    }
}

/// What is empty or shows the way elsewhere is not sent back.
fn without_links(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(name, value)| !name.ends_with("href") && !value.is_null());
            Value::Object(kept.map(|(name, value)| (name, without_links(value))).collect())
        }
        other => other,
    }
}

fn password() -> Result<String, Failure> {
    let mut fresh = [0_u8; 18];
    SystemRandom::new().fill(&mut fresh).map_err(|_| {
        let cause = Cause::new("no_randomness", "the machine gave no random bytes");
        Failure::retry(koppel_core::error::RetryReason::Unavailable, None, cause)
    })?;
    // Letters of both cases, digits and a sign, for whatever the shop wants of a password.
    Ok(format!("Kp-{}", hex(&fresh)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rows_do_not_speak_of_stays_in_the_details() {
        let mut info = json!({ "email": "a@b.test", "iban": "NL1", "billingaddress": { "city": "Delft", "fax": "1" }, "deliveryaddress": null });
        merge(&mut info, &json!({ "billingaddress": { "city": "Leiden" }, "deliveryaddress": { "city": "Gouda" } }));
        assert_eq!(
            without_links(info),
            json!({ "email": "a@b.test", "iban": "NL1", "billingaddress": { "city": "Leiden", "fax": "1" }, "deliveryaddress": { "city": "Gouda" } })
        );
        let (one, other) = (password().unwrap(), password().unwrap());
        assert!(one != other && one.len() == 39);
    }
}
