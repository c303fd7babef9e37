//! Customers: accounts by e-mail address, for partners with special access. An address is changed where it is the usual
//! one for invoices; which address is the usual one cannot be set.

use std::collections::BTreeMap;

use koppel_core::ports::Calls;
use koppel_core::ports::Sent;
use koppel_core::ports::target::{Change, Existing};
use koppel_core::{Cause, Failure, NonEmpty};
use serde_json::{Map, Value, json};

use super::products::{half_done, spoken_of};
use super::{MijnWebwinkelTarget, Results, id_of, is_of_record, sent};
use crate::mijnwebwinkel::native::customer::invoice_address;
use crate::mijnwebwinkel::native::text;

/// Fields of an account that can be changed; the e-mail address cannot.
const FIELDS: [&str; 4] = ["firstName", "lastName", "dateOfBirth", "description"];

impl MijnWebwinkelTarget {
    /// Accounts with these addresses, one call each. The search may match in part, so addresses are compared here.
    pub(super) async fn find_accounts(
        &self,
        keys: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Vec<Existing>>, Failure> {
        let mut found: BTreeMap<NonEmpty, Vec<Existing>> = BTreeMap::new();
        for key in keys {
            for account in self.client.customers(Some(key.as_str()), calls).await? {
                let email = text(&account["email"]).to_lowercase();
                if email != key.as_str().to_lowercase() {
                    continue;
                }
                let mut fields: Map<String, Value> =
                    FIELDS.iter().map(|name| ((*name).to_owned(), account[*name].clone())).collect();
                fields.insert("email".into(), json!(email));
                fields.insert("_invoice".into(), invoice_address(&account).unwrap_or_default());
                let existing = Existing { id: text(&account["id"]), label: email, fields };
                found.entry(key.clone()).or_default().push(existing);
            }
        }
        Ok(found)
    }

    /// Creates and changes accounts.
    pub(super) async fn send_accounts(&self, changes: &[Change], calls: &Calls) -> Result<Results, Failure> {
        let mut results = Results::with_capacity(changes.len());
        for change in changes {
            match self.send_account(change, calls).await {
                Err(failure) if !is_of_record(&failure) && results.is_empty() => return Err(failure),
                Err(failure) if !is_of_record(&failure) => {
                    results.resize(changes.len(), Err(failure));
                    break;
                }
                done => results.push(done),
            }
        }
        Ok(results)
    }

    async fn send_account(&self, change: &Change, calls: &Calls) -> Result<Sent, Failure> {
        let fields = spoken_of(&change.fields);
        let mut body = Map::new();
        for (name, value) in fields.iter().filter(|(name, _)| !name.starts_with('_') && *name != "email") {
            if !FIELDS.contains(&name.as_str()) {
                let cause = Cause::new(
                    "unknown_field",
                    format!("a customer of MijnWebwinkel has no field «{name}» that can be written"),
                );
                let near = koppel_core::error::nearest(name, FIELDS);
                let advice = near.map_or_else(
                    || format!("there are: {}", FIELDS.join(", ")),
                    |near| format!("did you mean «{near}»?"),
                );
                return Err(Failure::settings(cause.advice(advice).in_row(format!("target.{name}"))));
            }
            body.insert(name.clone(), value.clone());
        }
        let address = fields.get("_invoice").and_then(Value::as_object).map(spoken_of).filter(is_address);
        let Some(id) = id_of(change) else { return self.create_account(change, body, address, calls).await };
        if !body.is_empty() {
            self.client.update_customer(id, Value::Object(body), calls).await?;
        }
        if let Some(address) = address {
            let account = self.client.customer(id, calls).await?.unwrap_or_default();
            let known = invoice_address(&account).map(|known| text(&known["id"])).filter(|id| !id.is_empty());
            self.client.write_address(id, known.as_deref(), Value::Object(address), calls).await?;
        }
        Ok(sent(change, id.to_owned()))
    }

    async fn create_account(
        &self,
        change: &Change,
        mut body: Map<String, Value>,
        address: Option<Map<String, Value>>,
        calls: &Calls,
    ) -> Result<Sent, Failure> {
        // A new account takes names only; the rest is changed afterwards.
        let later: Map<String, Value> = ["dateOfBirth", "description"]
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), body.remove(*name)?)))
            .collect();
        body.insert("email".into(), json!(change.key.as_str().to_lowercase()));
        let account = self.client.create_customer(Value::Object(body), calls).await?;
        let id = text(&account["id"]);
        let rest = async {
            if !later.is_empty() {
                self.client.update_customer(&id, Value::Object(later), calls).await?;
            }
            if let Some(address) = address {
                self.client.write_address(&id, None, Value::Object(address), calls).await?;
            }
            Ok(())
        };
        rest.await.map_err(half_done)?;
        Ok(sent(change, id))
    }
}

/// Something says where it is.
fn is_address(fields: &Map<String, Value>) -> bool {
    ["street", "city", "zipCode"].iter().any(|name| fields.get(*name).is_some_and(|value| !text(value).is_empty()))
}
