//! Debtors as customers. There is no mark that tells a company from a person: who has a contact person, a VAT number or
//! a number in the trade register is a company.

use koppel_core::keys::RecordKey;
use koppel_core::message::SourceRecord;
use koppel_core::ports::{Calls, FetchPage, FetchQuery};
use koppel_core::{Failure, NonEmpty};
use serde_json::{Map, Value, json};

use crate::accountview::AccountView;
use crate::accountview::client::{Door, field, flag};
use crate::accountview::foxpro::Filter;
use crate::http::PageToken;

const ROLES: [&str; 16] = [
    "name",
    "contact_name",
    "email",
    "contact_email",
    "phone",
    "street",
    "postcode",
    "city",
    "country",
    "language",
    "vat_number",
    "register_number",
    "payment_terms",
    "price_list",
    "blocked",
    "changed",
];

/// One page of debtors that changed.
pub(super) async fn page(av: &AccountView, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure> {
    let part = av.profile.part("customer");
    let mut list = av.list_of(part, &ROLES, &[], calls).await?;
    av.since(&mut list, part, query.since);
    let last: Option<String> = query.page.as_deref().map(PageToken::unpack).transpose()?;
    let (mut rows, next) = av.client.page(Door::Data, &list, last.as_deref(), calls).await?;
    rows.retain(|row| av.changed_since(row, part, query.since) && !is_blocked(av, row));
    let records = rows.iter().filter_map(|row| record(av, row)).collect();
    let next = next.map(|key| PageToken::pack(&key)).transpose()?;
    Ok(FetchPage { records, gone: Vec::new(), next })
}

/// One debtor, by number.
pub(super) async fn one(av: &AccountView, key: &RecordKey, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
    let mut list = av.list_of(av.profile.part("customer"), &ROLES, &[], calls).await?;
    list.filters.push(Filter::equal(&list.key, key.as_str()));
    let rows = av.client.all(Door::Data, &list, calls).await?;
    let open = rows.iter().filter(|row| !is_blocked(av, row));
    Ok(open.filter_map(|row| record(av, row)).find(|record| record.key == *key))
}

/// Nothing is sold to who is blocked.
fn is_blocked(av: &AccountView, row: &Value) -> bool {
    av.profile.part("customer").role("blocked").and_then(|name| flag(row, name)) == Some(true)
}

fn record(av: &AccountView, row: &Value) -> Option<SourceRecord> {
    let part = av.profile.part("customer");
    let number = field(row, part.key.as_deref()?)?;
    let text = |role: &str| part.role(role).and_then(|name| field(row, name));
    let mut raw: Map<String, Value> =
        ROLES.iter().filter(|role| **role != "changed").map(|role| ((*role).to_owned(), json!(text(role)))).collect();
    let is_company = ["contact_name", "vat_number", "register_number"].iter().any(|role| text(role).is_some());
    let person = if is_company { text("contact_name") } else { text("name") }.unwrap_or_default();
    let (first, last) = person.split_once(char::is_whitespace).unwrap_or(("", person.as_str()));
    raw.insert("number".into(), json!(number));
    raw.insert("is_company".into(), json!(is_company));
    raw.insert("person".into(), json!({"first_name": first.trim(), "last_name": last.trim()}));
    Some(SourceRecord {
        key: NonEmpty::new(&number)?,
        label: number.clone(),
        partition: number.clone(),
        modified_at: av.modified(row, part),
        raw: Value::Object(raw),
    })
}
