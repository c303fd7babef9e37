//! Customers: accounts that can buy, with their main contact and the addresses that are main ones.
//!
//! What changed is told by the feeds of accounts, contacts and addresses, and by deletions. A few accounts are read by id,
//! many in bulk. A prospect, a blocked account and one that has ended cannot buy: those are no customers.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDateTime, Utc};
use koppel_core::keys::{RecordKey, normalize_email};
use koppel_core::message::SourceRecord;
use koppel_core::ports::{Calls, FetchPage, FetchQuery};
use koppel_core::{Failure, NonEmpty};
use serde_json::{Map, Value, json};

use super::feeds;
use super::price_class::Classes;
use crate::exact_online::client::sync::FROM_THE_START;
use crate::exact_online::{ExactOnline, customers, odata};

const ACCOUNTS: &str = "crm/Accounts";
const CONTACTS: &str = "crm/Contacts";
const ADDRESSES: &str = "crm/Addresses";
const ACCOUNTS_IN_BULK: &str = "bulk/CRM/Accounts";
const CONTACTS_IN_BULK: &str = "bulk/CRM/Contacts";
const ADDRESSES_IN_BULK: &str = "bulk/CRM/Addresses";
const ACCOUNT_FEED: &str = "sync/CRM/Accounts";
const CONTACT_FEED: &str = "sync/CRM/Contacts";
const ADDRESS_FEED: &str = "sync/CRM/Addresses";
/// `EntityType` of accounts in the feed of deletions.
const DELETED_ACCOUNT: &str = "2";

const ACCOUNT_SELECT: &str = "ID,Code,Name,Email,Phone,Website,Status,Blocked,StartDate,EndDate,Created,Modified,\
    MainContact,AddressLine1,AddressLine2,AddressLine3,Postcode,City,State,Country,Language,VATNumber,ChamberOfCommerce,\
    PriceList,Classification1,Classification2,Classification3,Classification4,Classification5,Classification6,\
    Classification7,Classification8,PaymentConditionSales,SalesVATCode,SalesCurrency,DiscountSales,SearchCode,Remarks";
const CONTACT_SELECT: &str = "ID,Account,FirstName,MiddleName,LastName,FullName,Email,BusinessEmail,Phone,BusinessPhone,\
    Mobile,BusinessMobile,Language,JobTitleDescription,EndDate,Modified";
const ADDRESS_SELECT: &str =
    "ID,Account,Type,Main,AddressLine1,AddressLine2,AddressLine3,Postcode,City,State,Country,Phone,Modified";

/// With more changed accounts than this all are read in bulk: by id that would be more than fifteen calls.
const BY_ID_MAX: usize = 250;

const INVOICE: &str = "3";
const DELIVERY: &str = "4";

/// All customers that changed, at once: their contacts and addresses stand on any page of their own lists.
pub(super) async fn page(exact: &ExactOnline, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure> {
    let Some(changed) = changed_since(exact, query.since, calls).await? else {
        let records = all(exact, calls).await?.records(exact, calls).await?;
        return Ok(FetchPage { records, ..FetchPage::default() });
    };
    let records = if changed.ids.is_empty() {
        Vec::new()
    } else if changed.ids.len() > BY_ID_MAX {
        let mut all = all(exact, calls).await?;
        all.accounts.retain(|id, _| changed.ids.contains(id));
        all.records(exact, calls).await?
    } else {
        by_id(exact, &changed.ids, calls).await?.records(exact, calls).await?
    };
    Ok(FetchPage { records, gone: changed.gone, next: None })
}

/// One customer, by the id of its account.
pub(super) async fn one(exact: &ExactOnline, key: &RecordKey, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
    odata::guid(key.as_str())?;
    let read = by_id(exact, &BTreeSet::from([key.as_str().to_lowercase()]), calls).await?;
    Ok(read.records(exact, calls).await?.into_iter().next())
}

/// What changed since a moment.
#[derive(Default)]
struct Changed {
    ids: BTreeSet<String>,
    gone: Vec<RecordKey>,
}

/// `None` when that is everything.
async fn changed_since(exact: &ExactOnline, since: DateTime<Utc>, calls: &Calls) -> Result<Option<Changed>, Failure> {
    let newest = exact.client.row_version(ACCOUNT_FEED, since, calls).await?;
    if newest == FROM_THE_START {
        return Ok(None);
    }
    let mut changed = Changed::default();
    for row in feeds::rows(exact, ACCOUNT_FEED, "Timestamp,ID", newest, calls).await? {
        changed.ids.extend(feeds::id(&row, "ID"));
    }
    for feed in [CONTACT_FEED, ADDRESS_FEED] {
        let after = exact.client.row_version(feed, since, calls).await?;
        for row in feeds::rows(exact, feed, "Timestamp,ID,Account", after, calls).await? {
            changed.ids.extend(feeds::id(&row, "Account"));
        }
    }
    for gone in feeds::deleted(exact, DELETED_ACCOUNT, since, newest, calls).await? {
        changed.ids.remove(gone.as_str());
        changed.gone.push(gone);
    }
    Ok(Some(changed))
}

/// Accounts by id, with what belongs to them.
#[derive(Default)]
struct Read {
    accounts: BTreeMap<String, Value>,
    /// By their own id.
    contacts: BTreeMap<String, Value>,
    /// Main ones, by account and type.
    addresses: BTreeMap<(String, String), Value>,
}

impl Read {
    fn new(exact: &ExactOnline, accounts: Vec<Value>) -> Self {
        let today = exact.client.local_now();
        let buyers = accounts.into_iter().filter(|row| can_buy(row, today));
        Self { accounts: buyers.filter_map(|row| Some((feeds::id(&row, "ID")?, row))).collect(), ..Self::default() }
    }

    fn add_contacts(&mut self, rows: Vec<Value>, today: NaiveDateTime) {
        let there = rows.into_iter().filter(|row| !customers::ended(row, today));
        self.contacts = there.filter_map(|row| Some((feeds::id(&row, "ID")?, row))).collect();
    }

    fn add_addresses(&mut self, rows: Vec<Value>) {
        let main = rows.into_iter().filter(|row| odata::flag(row, "Main") == Some(true));
        let keyed = |row: Value| Some(((feeds::id(&row, "Account")?, odata::field(&row, "Type")?), row));
        self.addresses = main.filter_map(keyed).collect();
    }

    /// One record for each account, the oldest first: of two with one e-mail address the older one keeps it.
    async fn records(self, exact: &ExactOnline, calls: &Calls) -> Result<Vec<SourceRecord>, Failure> {
        let classes = Classes::read(exact, self.accounts.values(), calls).await?;
        let mut ordered: Vec<(&String, &Value)> = self.accounts.iter().collect();
        ordered.sort_by_key(|(id, row)| {
            let created = odata::local(row, "Created");
            (created.is_none(), created, (*id).clone())
        });
        Ok(ordered.into_iter().filter_map(|(id, row)| self.record(exact, id, row, &classes)).collect())
    }

    fn record(&self, exact: &ExactOnline, id: &str, row: &Value, classes: &Classes) -> Option<SourceRecord> {
        let contact = feeds::id(row, "MainContact").and_then(|id| self.contacts.get(&id));
        let address = |kind: &str| self.addresses.get(&(id.to_owned(), kind.to_owned()));
        let shown = |row: Option<&Value>| row.map_or(Value::Null, |row| Value::Object(dated(row)));
        let mut raw = dated(row);
        let (first, last) = person(row, contact);
        raw.insert("contact".into(), shown(contact));
        raw.insert("delivery_address".into(), shown(address(DELIVERY)));
        raw.insert("invoice_address".into(), shown(address(INVOICE)));
        raw.insert("is_company".into(), json!(is_company(row, contact)));
        raw.insert("first_name".into(), json!(first));
        raw.insert("last_name".into(), json!(last));
        raw.insert("price_class".into(), json!(classes.of(row)));
        let parts = [Some(row), contact, address(DELIVERY), address(INVOICE)];
        let modified = parts.into_iter().flatten().filter_map(|row| odata::local(row, "Modified")).max();
        let emails = [(Some(row), "Email"), (contact, "Email"), (contact, "BusinessEmail")];
        let email = emails.into_iter().find_map(|(row, name)| odata::field(row?, name));
        // Accounts with one address go one after the other, so that the second is told from the first.
        let email = email.and_then(|email| normalize_email(&email));
        Some(SourceRecord {
            key: NonEmpty::new(id)?,
            label: odata::field(row, "Code").unwrap_or_else(|| id.to_owned()),
            partition: email.map_or_else(|| format!("account:{id}"), String::from),
            modified_at: modified.and_then(|local| exact.client.utc(local)),
            raw: Value::Object(raw),
        })
    }
}

/// Everything there is.
async fn all(exact: &ExactOnline, calls: &Calls) -> Result<Read, Failure> {
    let client = &exact.client;
    let accounts = client.filtered(ACCOUNTS_IN_BULK, "Status eq 'C'", ACCOUNT_SELECT, calls).await?;
    let mut read = Read::new(exact, accounts);
    if !read.accounts.is_empty() {
        read.add_contacts(client.list(CONTACTS_IN_BULK, CONTACT_SELECT, calls).await?, client.local_now());
        read.add_addresses(client.filtered(ADDRESSES_IN_BULK, "Main eq true", ADDRESS_SELECT, calls).await?);
    }
    Ok(read)
}

async fn by_id(exact: &ExactOnline, ids: &BTreeSet<String>, calls: &Calls) -> Result<Read, Failure> {
    let client = &exact.client;
    let literals =
        |ids: &mut dyn Iterator<Item = String>| ids.map(|id| odata::guid(&id)).collect::<Result<Vec<_>, _>>();
    let wanted = literals(&mut ids.iter().cloned())?;
    let mut read = Read::new(exact, client.search(ACCOUNTS, &["ID"], &wanted, ACCOUNT_SELECT, calls).await?);
    if read.accounts.is_empty() {
        return Ok(read);
    }
    // By their own id: whether contacts may be filtered by anything else is not known for certain.
    let mains: BTreeSet<String> = read.accounts.values().filter_map(|row| feeds::id(row, "MainContact")).collect();
    let mains = literals(&mut mains.into_iter())?;
    read.add_contacts(client.search(CONTACTS, &["ID"], &mains, CONTACT_SELECT, calls).await?, client.local_now());
    let owners = literals(&mut read.accounts.keys().cloned())?;
    read.add_addresses(client.search(ADDRESSES, &["Account"], &owners, ADDRESS_SELECT, calls).await?);
    Ok(read)
}

/// A customer today, and not blocked.
fn can_buy(row: &Value, today: NaiveDateTime) -> bool {
    let begun = odata::local(row, "StartDate").is_none_or(|from| from.date() <= today.date());
    let is_customer = odata::field(row, "Status").as_deref() == Some("C");
    is_customer && begun && odata::flag(row, "Blocked") != Some(true) && !customers::ended(row, today)
}

/// A row without padding, its moments readable.
fn dated(row: &Value) -> Map<String, Value> {
    let mut fields = feeds::plain(row);
    for name in ["StartDate", "EndDate"] {
        if let Some(local) = odata::local(row, name) {
            fields.insert(name.into(), json!(local.date()));
        }
    }
    for name in ["Created", "Modified"] {
        if let Some(local) = odata::local(row, name) {
            fields.insert(name.into(), json!(local));
        }
    }
    fields
}

/// Exact has no flag for it. A person's account bears the person's name and has neither a VAT number nor a number in the
/// trade register.
fn is_company(row: &Value, contact: Option<&Value>) -> bool {
    let has_number = ["VATNumber", "ChamberOfCommerce"].iter().any(|name| odata::field(row, name).is_some());
    let words = |text: String| text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let name = odata::field(row, "Name").map(words);
    has_number || contact.is_some_and(|contact| Some(words(full_name(contact))) != name)
}

fn full_name(contact: &Value) -> String {
    let parts = ["FirstName", "MiddleName", "LastName"].iter().filter_map(|name| odata::field(contact, name));
    parts.collect::<Vec<_>>().join(" ")
}

/// Given and family name: of the contact, else the words of a person's account.
fn person(row: &Value, contact: Option<&Value>) -> (String, String) {
    if let Some(contact) = contact {
        let family = ["MiddleName", "LastName"].iter().filter_map(|name| odata::field(contact, name));
        let family = family.collect::<Vec<_>>().join(" ");
        return (odata::field(contact, "FirstName").unwrap_or_default(), family);
    }
    if is_company(row, None) {
        return (String::new(), String::new());
    }
    let name = odata::field(row, "Name").unwrap_or_default();
    match name.split_once(' ') {
        Some((first, rest)) => (first.to_owned(), rest.trim().to_owned()),
        None => (String::new(), name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_company_is_told_by_a_number_or_by_a_contact_of_another_name() {
        let contact = json!({"FirstName":"Noor","MiddleName":"van","LastName":"Dam"});
        let named = |name: &str| json!({ "Name": name });
        assert!(is_company(&named("De Linde B.V."), Some(&contact)));
        assert!(!is_company(&named("Noor  van dam"), Some(&contact)));
        assert!(!is_company(&named("De Linde B.V."), None), "nothing says so");
        assert!(is_company(&json!({"Name":"De Linde","VATNumber":"NL1"}), None));
        assert!(is_company(&json!({"Name":"Noor van Dam","ChamberOfCommerce":"1"}), Some(&contact)));
        assert_eq!(person(&named("x"), Some(&contact)), ("Noor".into(), "van Dam".into()));
        assert_eq!(person(&named("Sanne de Bakker"), None), ("Sanne".into(), "de Bakker".into()));
        assert_eq!(person(&named("Prins"), None), (String::new(), "Prins".into()));
    }

    #[test]
    fn only_who_can_buy_today_is_a_customer() {
        let today: NaiveDateTime = "2026-06-15T12:00:00".parse().unwrap();
        let account = |changes: Value| {
            let mut row = json!({"Status":"C","Blocked":false,"EndDate":null});
            row.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            can_buy(&row, today)
        };
        assert!(account(json!({})));
        assert!(account(json!({"EndDate":"2026-06-15T00:00:00"})));
        for no in [
            json!({"Status":"P"}),
            json!({"Blocked":true}),
            json!({"EndDate":"2026-06-14T00:00:00"}),
            json!({"StartDate":"2026-06-16T00:00:00"}),
        ] {
            assert!(!account(no.clone()), "{no}");
        }
    }
}
