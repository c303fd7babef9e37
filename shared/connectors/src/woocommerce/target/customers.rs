//! Customers: accounts by e-mail address.

use std::collections::{BTreeMap, BTreeSet};

use koppel_core::connection::Connection;
use koppel_core::message::Action;
use koppel_core::ports::target::{Change, Existing};
use koppel_core::ports::{Calls, Sent};
use koppel_core::{Cause, Failure, NonEmpty};
use serde_json::{Map, Value, json};

use super::batch::Item;
use super::products::add_meta;
use super::refused::is_taken_email;
use super::values::spoken_of;
use super::{Results, WooCommerceTarget};
use crate::http::Request;
use crate::woocommerce::native::{self, text};

const FIELDS: &str = "id,email,first_name,last_name,role,billing,shipping,meta_data";
/// Where the VAT number stands when the connection does not say so: the field of the plugin that WooCommerce sells.
const VAT_KEY: &str = "billing_vat_number";
/// So few addresses are asked one by one, without looking how many customers there are.
const FEW: usize = 3;
const PAGE: u64 = 100;

/// Meta keys of a customer's VAT number. On customers the keys of orders mostly stand without their first underscore.
pub fn vat_keys(connection: &Connection) -> Vec<String> {
    let keys = super::super::source::vat_keys(connection);
    let keys: Vec<String> = keys.iter().map(|key| key.trim_start_matches('_').to_owned()).collect();
    if keys.is_empty() { vec![VAT_KEY.to_owned()] } else { keys }
}

impl WooCommerceTarget {
    /// Accounts with these addresses. There is no filter for many at once: either each is asked for, or the whole list is
    /// read, whatever takes fewer calls.
    pub(super) async fn find_accounts(
        &self,
        keys: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Vec<Existing>>, Failure> {
        let wanted: BTreeMap<String, &NonEmpty> = keys.iter().map(|key| (key.as_str().to_lowercase(), key)).collect();
        let mut rows = BTreeMap::new();
        let mut keep =
            |list: Vec<Value>| rows.extend(list.into_iter().filter_map(|row| Some((native::id(&row)?, row))));
        let mut open: BTreeSet<&str> = wanted.keys().map(String::as_str).collect();
        if open.len() > FEW {
            // The first page is of use either way, and tells how many there are.
            let query =
                [("role", "all"), ("_fields", FIELDS), ("orderby", "id"), ("order", "asc"), ("per_page", "100")];
            let first = self.client.get_list("customers", &query, calls).await?;
            let pages = first.total.map(|total| total.div_ceil(PAGE));
            let emails: BTreeSet<String> = first.records.iter().map(email).collect();
            open.retain(|wanted| !emails.contains(*wanted));
            keep(first.records);
            match pages {
                Some(0 | 1) => open.clear(),
                Some(pages) if pages <= open.len() as u64 => {
                    keep(self.client.all("customers", &[("role", "all"), ("_fields", FIELDS)], calls).await?);
                    open.clear();
                }
                _ => {}
            }
        }
        for address in open {
            keep(self.accounts_of(address, calls).await?);
        }
        let mut found: BTreeMap<NonEmpty, Vec<Existing>> = BTreeMap::new();
        for (id, row) in rows {
            let address = email(&row);
            if let Some(key) = wanted.get(&address) {
                let existing = Existing { id: id.to_string(), label: address, fields: self.account_fields(&row) };
                found.entry((*key).clone()).or_default().push(existing);
            }
        }
        Ok(found)
    }

    async fn accounts_of(&self, address: &str, calls: &Calls) -> Result<Vec<Value>, Failure> {
        let query = [("email", address), ("role", "all"), ("_fields", FIELDS)];
        Ok(self.client.get_list("customers", &query, calls).await?.records)
    }

    fn account_fields(&self, row: &Value) -> Map<String, Value> {
        let mut fields = Map::new();
        for name in ["first_name", "last_name", "role", "billing", "shipping"] {
            fields.insert(name.into(), row[name].clone());
        }
        fields.insert("email".into(), json!(email(row)));
        let meta = native::meta(row);
        let vat_number = self.vat_keys.iter().map(|key| text(&meta[key])).find(|number| !number.trim().is_empty());
        fields.insert("_vat_number".into(), json!(vat_number));
        fields
    }

    /// Creates and changes accounts.
    pub(super) async fn send_accounts(&self, changes: &[Change], calls: &Calls) -> Result<Results, Failure> {
        let mut answers: Vec<Option<Result<u64, Failure>>> = Vec::with_capacity(changes.len());
        let (mut places, mut items) = (Vec::new(), Vec::new());
        for (at, change) in changes.iter().enumerate() {
            answers.push(match self.account(change) {
                Ok(Item { id: Some(id), body, .. }) if body.is_empty() => Some(Ok(id)),
                Ok(item) => {
                    places.push(at);
                    items.push(item);
                    None
                }
                Err(failure) => Some(Err(failure)),
            });
        }
        if !items.is_empty() {
            let sent = self.batches.send(&self.client, "customers/batch", &items, &[], calls).await;
            let sent = match sent {
                Err(failure) if places.len() < changes.len() => items.iter().map(|_| Err(failure.clone())).collect(),
                other => other?,
            };
            for ((at, item), answer) in places.into_iter().zip(items).zip(sent) {
                let answer = match answer {
                    Err(failure) if item.id.is_none() && is_taken_email(&failure) => {
                        self.change_instead(item, failure, calls).await
                    }
                    Ok(answer) => native::id(&answer).ok_or_else(|| no_id(&changes[at])),
                    Err(failure) => Err(failure),
                };
                answers[at] = Some(answer);
            }
        }
        let mut results = Results::with_capacity(changes.len());
        for (change, answer) in changes.iter().zip(answers) {
            results.push(match answer.unwrap_or_else(|| Err(no_id(change))) {
                Ok(id) => self.set_role(change, id, calls).await,
                Err(failure) => Err(failure),
            });
        }
        Ok(results)
    }

    fn account(&self, change: &Change) -> Result<Item, Failure> {
        let id = match &change.action {
            Action::Create => None,
            Action::Update { id } => Some(super::find::Id::parse(id)?.record),
        };
        let mut body = Map::new();
        for (name, value) in spoken_of(&change.fields) {
            match name.as_str() {
                // Read-only here; see `set_role`.
                "role" => {}
                "_vat_number" => {
                    let key = self.vat_keys.first().map_or(VAT_KEY, String::as_str);
                    add_meta(&mut body, json!([{ "key": key, "value": value }]));
                }
                "meta_data" => add_meta(&mut body, value),
                name if name.starts_with('_') => {}
                _ if value.as_object().is_some_and(Map::is_empty) => {}
                _ => {
                    body.insert(name, value);
                }
            }
        }
        if id.is_none() && !text(body.get("email").unwrap_or(&Value::Null)).contains('@') {
            return Err(Failure::reject(
                Cause::new("bad_value", format!("«{}» is no e-mail address", change.key)).in_row("target.email"),
            ));
        }
        Ok(Item { id, body, label: change.key.to_string() })
    }

    /// Somebody made the account since it was looked for: it is changed.
    async fn change_instead(&self, item: Item, failure: Failure, calls: &Calls) -> Result<u64, Failure> {
        let rows = self.accounts_of(&item.label.to_lowercase(), calls).await?;
        let Some(id) = rows.first().and_then(native::id).filter(|_| rows.len() == 1) else { return Err(failure) };
        let item = Item { id: Some(id), ..item };
        let mut answers = self.batches.send(&self.client, "customers/batch", &[item], &[], calls).await?;
        answers.pop().unwrap_or(Err(failure)).map(|_| id)
    }

    /// Roles are not written with the keys of WooCommerce: a WordPress user has to do it.
    async fn set_role(&self, change: &Change, id: u64, calls: &Calls) -> Result<Sent, Failure> {
        let role = change.fields.get("role").map(text).filter(|role| !role.is_empty());
        if let Some(role) = role {
            let Some(user) = &self.user else {
                return Err(Failure::settings(
                    Cause::new(
                        "no_application_password",
                        "a role is written with an application password, and there is none",
                    )
                    .advice("give wp_user and wp_application_password, or take the row target.role out")
                    .in_row("target.role"),
                ));
            };
            let request = Request::post(format!("wp-json/wp/v2/users/{id}"))
                .query("_fields", "id")
                .json(json!({ "roles": [role] }));
            self.client.wordpress(user, request, calls).await?;
        }
        Ok(Sent { id: id.to_string(), number: change.key.to_string(), ..Sent::default() })
    }
}

fn email(row: &Value) -> String {
    text(&row["email"]).trim().to_lowercase()
}

fn no_id(change: &Change) -> Failure {
    Failure::reject(Cause::new("refused", format!("the shop gave «{}» no id", change.key)))
}
