//! Customers, as they are, with what tells a company from a private person: Visma Net has no field for that.

use koppel_core::Failure;
use koppel_core::NonEmpty;
use koppel_core::keys::RecordKey;
use koppel_core::message::SourceRecord;
use koppel_core::ports::{Calls, FetchPage, FetchQuery};
use serde_json::{Value, json};

use super::changed_page;
use crate::visma_net::client::List;
use crate::visma_net::{VismaNet, customers::CUSTOMER, wire};

const PATH: &str = "v1/customer";

/// One page of customers that changed.
pub(super) async fn page(visma: &VismaNet, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure> {
    let (rows, next) = changed_page(&visma.client, List::of(PATH, CUSTOMER), "number", query, calls).await?;
    let records = rows.into_iter().filter_map(|row| record(visma, row)).collect();
    Ok(FetchPage { records, gone: Vec::new(), next })
}

/// One customer by number.
pub(super) async fn one(visma: &VismaNet, key: &RecordKey, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
    let path = format!("{PATH}/{}", wire::path_key(key.as_str()));
    let row = visma.client.get(&path, CUSTOMER, calls).await?;
    Ok(row.and_then(|row| record(visma, row)).filter(|record| record.key == *key))
}

fn record(visma: &VismaNet, mut row: Value) -> Option<SourceRecord> {
    let number = wire::field(&row, "number")?;
    let class = wire::key_of(&row, "customerClass", "id");
    let registered = ["vatRegistrationId", "corporateId"].iter().any(|name| wire::field(&row, name).is_some());
    // A class of its own decides; without one who is in a register is a company.
    let is_company = match &visma.customers.person_class {
        Some(person) => class.as_ref() != Some(person),
        None => registered,
    };
    let email = wire::field(&row, "mainContact.email").unwrap_or_default().to_lowercase();
    let modified_at = wire::time(&row, "lastModifiedDateTime");
    if let Some(fields) = row.as_object_mut() {
        fields.remove("metadata");
        fields.insert("is_company".into(), json!(is_company));
    }
    Some(SourceRecord {
        key: NonEmpty::new(&number)?,
        partition: if email.is_empty() { number.clone() } else { email },
        label: number,
        modified_at,
        raw: row,
    })
}
