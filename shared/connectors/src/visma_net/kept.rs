//! Customers as records that are kept in step: read in the form that the rows write, so that both can be compared.

use std::collections::BTreeMap;

use koppel_core::document::Entity;
use koppel_core::message::Action;
use koppel_core::ports::target::{Change, Existing};
use koppel_core::ports::{Calls, Sent};
use koppel_core::{Cause, Failure, NonEmpty};
use serde_json::{Map, Value, json};

use super::client::Client;
use super::customers;
use super::options::CustomerOptions;
use super::wire;

/// Customers with these addresses. One that several have gives them all: the caller refuses to guess.
pub(super) async fn find(
    client: &Client,
    entity: Entity,
    keys: &[NonEmpty],
    calls: &Calls,
) -> Result<BTreeMap<NonEmpty, Vec<Existing>>, Failure> {
    only_customers(entity)?;
    let rows = customers::rows_of(client, keys, calls).await?;
    Ok(rows.into_iter().map(|(email, rows)| (email, rows.iter().filter_map(existing).collect())).collect())
}

/// Creates and changes customers, one call each: there is no call for many.
pub(super) async fn send(
    client: &Client,
    options: &CustomerOptions,
    entity: Entity,
    changes: &[Change],
    calls: &Calls,
) -> Result<Vec<Result<Sent, Failure>>, Failure> {
    only_customers(entity)?;
    let mut results = Vec::with_capacity(changes.len());
    for change in changes {
        let made = change.fields.get(customers::CUSTOMER).cloned().unwrap_or(Value::Null);
        let number = match &change.action {
            Action::Create => customers::create(client, options, &made, calls).await.map(|link| link.id),
            Action::Update { id } => customers::change(client, id, &made, calls).await.map(|()| id.clone()),
        };
        results.push(number.map(|number| Sent { id: number.clone(), number, ..Sent::default() }));
    }
    Ok(results)
}

fn only_customers(entity: Entity) -> Result<(), Failure> {
    if entity == Entity::Customers {
        return Ok(());
    }
    Err(Failure::settings(
        Cause::new("not_supported", format!("{entity} cannot be written to Visma Net"))
            .advice("koppel systems shows what each system can do"),
    ))
}

/// A customer as the rows write it.
fn existing(row: &Value) -> Option<Existing> {
    let number = wire::field(row, "number")?;
    let mut customer = Map::new();
    for name in ["name", "vatRegistrationId", "corporateId", "status", "currencyId"] {
        customer.insert(name.into(), row.get(name).cloned().unwrap_or_default());
    }
    for (name, path) in
        [("customerClassId", "customerClass"), ("creditTermsId", "creditTerms"), ("priceClassId", "priceClass")]
    {
        customer.insert(name.into(), json!(wire::key_of(row, path, "id")));
    }
    for name in ["mainAddress", "invoiceAddress", "deliveryAddress"] {
        if let Some(address) = row.get(name).filter(|address| address.is_object()) {
            let mut fields = Map::new();
            for field in ["addressLine1", "addressLine2", "addressLine3", "postalCode", "city"] {
                fields.insert(field.into(), address.get(field).cloned().unwrap_or_default());
            }
            fields.insert("countryId".into(), json!(wire::key_of(address, "country", "id")));
            customer.insert(name.into(), Value::Object(fields));
        }
    }
    for name in ["mainContact", "invoiceContact", "deliveryContact"] {
        if let Some(contact) = row.get(name).filter(|contact| contact.is_object()) {
            let fields = ["name", "attention", "email", "phone1"]
                .map(|f| (f.to_owned(), contact.get(f).cloned().unwrap_or_default()));
            customer.insert(name.into(), Value::Object(fields.into_iter().collect()));
        }
    }
    let fields = Map::from_iter([(customers::CUSTOMER.to_owned(), Value::Object(customer))]);
    Some(Existing { id: number.clone(), label: number, fields })
}
