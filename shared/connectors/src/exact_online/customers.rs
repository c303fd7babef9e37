//! Customers: found by e-mail on the account or on its contacts; created as a debtor with, for a company, its contact
//! person, and with a delivery address when the goods go elsewhere.
//!
//! Every part is looked for before it is created, so that a repetition after a lost answer adds nothing twice.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use koppel_core::message::CustomerDecision;
use koppel_core::ports::{Calls, Candidate, CustomerLink};
use koppel_core::system::MatchField;
use koppel_core::{Cause, Failure, NonEmpty};
use serde_json::{Map, Value, json};

use super::client::Client;
use super::{odata, payload};

const ACCOUNTS: &str = "crm/Accounts";
const CONTACTS: &str = "crm/Contacts";
const ADDRESSES: &str = "crm/Addresses";

/// What is read of an account.
pub(super) const ACCOUNT_SELECT: &str =
    "ID,Code,Name,Email,Status,Blocked,EndDate,Created,Postcode,VATNumber,ChamberOfCommerce";
const CONTACT_SELECT: &str = "ID,Account,Email,BusinessEmail,FirstName,LastName,EndDate";

/// The fields that an update of an account must leave alone: an unchanged code is refused as «already exists».
const NOT_IN_UPDATES: [&str; 2] = ["Code", "ID"];

/// Finds customers by e-mail; of several the one that is used when nobody is asked.
pub(super) async fn find(
    client: &Client,
    emails: &[NonEmpty],
    calls: &Calls,
) -> Result<BTreeMap<NonEmpty, CustomerLink>, Failure> {
    let found = candidates(client, MatchField::Email, emails, calls).await?;
    Ok(found.into_iter().filter_map(|(key, found)| Some((key, found.into_iter().next()?.link))).collect())
}

/// All usable customers with these values, the oldest first. Who is no customer yet is none beside one who is.
pub(super) async fn candidates(
    client: &Client,
    by: MatchField,
    values: &[NonEmpty],
    calls: &Calls,
) -> Result<BTreeMap<NonEmpty, Vec<Candidate>>, Failure> {
    match by {
        MatchField::Email => by_email(client, values, calls).await,
        MatchField::VatNumber => by_number(client, "VATNumber", values, calls).await,
        MatchField::ChamberNumber => by_number(client, "ChamberOfCommerce", values, calls).await,
    }
}

/// By a number on the account. It is asked as it is posted; what people wrote with dots in Exact is not found.
async fn by_number(
    client: &Client,
    field: &str,
    values: &[NonEmpty],
    calls: &Calls,
) -> Result<BTreeMap<NonEmpty, Vec<Candidate>>, Failure> {
    let literals: Vec<String> = values.iter().map(|value| odata::text(value.as_str())).collect();
    let rows = client.search(ACCOUNTS, &[field], &literals, ACCOUNT_SELECT, calls).await?;
    let plain = |text: String| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
    };
    let mut found = BTreeMap::new();
    for value in values {
        let same = |row: &&Value| odata::field(row, field).map(plain).as_deref() == Some(value.as_str());
        let own = usable(rows.iter().filter(same), client.local_now());
        if !own.is_empty() {
            found.insert(value.clone(), own.into_iter().map(|row| candidate(row, None)).collect());
        }
    }
    Ok(found)
}

/// First on accounts, then on contacts.
async fn by_email(
    client: &Client,
    emails: &[NonEmpty],
    calls: &Calls,
) -> Result<BTreeMap<NonEmpty, Vec<Candidate>>, Failure> {
    let today = client.local_now();
    let literals = |emails: &[&NonEmpty]| emails.iter().map(|e| odata::text(e.as_str())).collect::<Vec<_>>();
    let asked: Vec<&NonEmpty> = emails.iter().collect();
    let accounts = client.search(ACCOUNTS, &["Email"], &literals(&asked), ACCOUNT_SELECT, calls).await?;
    let mut found: BTreeMap<NonEmpty, Vec<Candidate>> = BTreeMap::new();
    for email in emails {
        let own = usable(accounts.iter().filter(|row| same_email(row, "Email", email)), today);
        if !own.is_empty() {
            found.insert(email.clone(), own.into_iter().map(|row| candidate(row, None)).collect());
        }
    }
    let missing: Vec<&NonEmpty> = emails.iter().filter(|email| !found.contains_key(*email)).collect();
    if missing.is_empty() || !client.searches_contacts() {
        return Ok(found);
    }
    let fields = ["Email", "BusinessEmail"];
    let mut contacts = client.search(CONTACTS, &fields, &literals(&missing), CONTACT_SELECT, calls).await?;
    contacts.retain(|row| !ended(row, today) && odata::field(row, "Account").is_some());
    // The same contact may come with two chunks, and the order of an answer is nobody's promise.
    contacts.sort_by_key(|row| odata::field(row, "ID"));
    let mut ids: Vec<String> = contacts.iter().filter_map(|row| odata::field(row, "Account")).collect();
    ids.sort();
    ids.dedup();
    let ids = ids.iter().map(|id| odata::guid(id)).collect::<Result<Vec<_>, _>>()?;
    let accounts = client.search(ACCOUNTS, &["ID"], &ids, ACCOUNT_SELECT, calls).await?;
    for email in missing {
        let theirs: Vec<&Value> =
            contacts.iter().filter(|row| fields.iter().any(|field| same_email(row, field, email))).collect();
        let account_of = |contact: &Value| odata::field(contact, "Account");
        let own = accounts.iter().filter(|account| theirs.iter().any(|c| account_of(c) == odata::field(account, "ID")));
        let own: Vec<Candidate> = usable(own, today)
            .into_iter()
            .map(|account| {
                let id = odata::field(account, "ID");
                let contact = theirs.iter().find(|c| account_of(c) == id).and_then(|c| odata::field(c, "ID"));
                candidate(account, contact)
            })
            .collect();
        if !own.is_empty() {
            found.insert(email.clone(), own);
        }
    }
    Ok(found)
}

fn candidate(row: &Value, contact: Option<String>) -> Candidate {
    Candidate {
        link: CustomerLink { contact, ..link(row) },
        name: odata::field(row, "Name").unwrap_or_default(),
        postcode: odata::field(row, "Postcode").unwrap_or_default(),
    }
}

fn same_email(row: &Value, field: &str, email: &NonEmpty) -> bool {
    odata::field(row, field).is_some_and(|found| found.to_lowercase() == email.as_str().to_lowercase())
}

/// The end date is past. Exact keeps dates as local midnight; the day itself still counts.
pub(super) fn ended(row: &Value, today: NaiveDateTime) -> bool {
    odata::local(row, "EndDate").is_some_and(|end| end.date() < today.date())
}

/// The accounts that may be used, the oldest first: customers, or, where there is none, who is no customer yet.
fn usable<'a>(rows: impl Iterator<Item = &'a Value>, today: NaiveDateTime) -> Vec<&'a Value> {
    let mut usable: Vec<&Value> = rows
        .filter(|row| odata::field(row, "ID").is_some())
        .filter(|row| odata::flag(row, "Blocked") != Some(true) && !ended(row, today))
        .collect();
    if usable.iter().any(|row| is_customer(row)) {
        usable.retain(|row| is_customer(row));
    }
    usable.sort_by_key(|row| {
        let created = odata::local(row, "Created");
        (created.is_none(), created, odata::field(row, "ID"))
    });
    // The same account may come with two questions.
    usable.dedup_by_key(|row| odata::field(row, "ID"));
    usable
}

fn is_customer(row: &Value) -> bool {
    odata::field(row, "Status").as_deref() == Some("C")
}

/// The link to an account that was read.
fn link(row: &Value) -> CustomerLink {
    CustomerLink {
        id: odata::field(row, "ID").unwrap_or_default(),
        code: odata::field(row, "Code").unwrap_or_default(),
        contact: None,
        not_yet_customer: !is_customer(row),
        addresses: BTreeMap::new(),
    }
}

/// The three parts of the payload that the customer rows make.
struct Parts {
    account: Map<String, Value>,
    contact: Map<String, Value>,
    delivery: Map<String, Value>,
}

impl Parts {
    fn of(made: &Value) -> Result<Self, Failure> {
        let part = |name: &str, entity: &str| -> Result<Map<String, Value>, Failure> {
            let mut body = payload::group(made.get(name).unwrap_or(&Value::Null), entity)?;
            payload::spread_address(&mut body, entity);
            payload::check_lengths(entity, &body)?;
            Ok(body)
        };
        Ok(Self {
            account: part("account", ACCOUNTS)?,
            contact: part("contact", CONTACTS)?,
            delivery: part("delivery_address", ADDRESSES)?,
        })
    }

    /// A contact needs a name; without one it is no contact.
    fn has_contact(&self) -> bool {
        ["FirstName", "LastName"].iter().any(|name| self.contact.contains_key(*name))
    }
}

/// Makes the customer exist with everything the document needs.
pub(super) async fn send(
    client: &Client,
    decision: &CustomerDecision,
    known: Option<&CustomerLink>,
    calls: &Calls,
) -> Result<CustomerLink, Failure> {
    let parts = Parts::of(&decision.payload)?;
    let known = known.or(decision.link.as_ref()).filter(|link| !link.id.is_empty());
    // A fixed debtor is shared by many buyers: its own data and contacts are never touched.
    let fixed = decision.email.trim().is_empty();
    let mut link = match known {
        Some(link) => link.clone(),
        None if fixed => {
            return Err(Failure::settings(
                Cause::new("no_debtor", "the order has no e-mail address and no fixed debtor is set")
                    .advice("set default_customer to the code of a debtor in Exact Online"),
            ));
        }
        None => create_account(client, &parts.account, calls).await?,
    };
    if !fixed && known.is_some() {
        if decision.update && !parts.account.is_empty() {
            update_account(client, &link, &parts.account, calls).await?;
            link.not_yet_customer = false;
        } else {
            promote(client, &mut link, calls).await?;
        }
    }
    if !fixed && parts.has_contact() {
        let there = match link.contact.clone() {
            Some(id) => Some(id),
            None if known.is_some() => find_contact(client, &link, &parts, calls).await?,
            None => None,
        };
        link.contact = Some(match there {
            // What this very call created is as it should be; what was there before may hold older data.
            Some(id) => {
                if decision.update {
                    update_contact(client, &id, &parts.contact, calls).await?;
                }
                id
            }
            None => create_contact(client, &link, &parts, calls).await?,
        });
    }
    if let Some(key) = &decision.delivery_key
        && !parts.delivery.is_empty()
        && !link.addresses.contains_key(key)
    {
        let id = delivery_address(client, &link, &parts.delivery, known.is_some(), calls).await?;
        link.addresses.insert(key.clone(), id);
    }
    Ok(link)
}

/// The account was found as a prospect or suspect, and nobody has made it a customer since.
pub(super) fn is_no_customer_yet(link: &CustomerLink) -> bool {
    link.not_yet_customer
}

/// Makes a prospect or suspect a customer: an order cannot name it before.
pub(super) async fn promote(client: &Client, link: &mut CustomerLink, calls: &Calls) -> Result<(), Failure> {
    if is_no_customer_yet(link) {
        client.update(ACCOUNTS, &link.id, json!({ "Status": "C" }), calls).await?;
        link.not_yet_customer = false;
    }
    Ok(())
}

async fn create_account(client: &Client, account: &Map<String, Value>, calls: &Calls) -> Result<CustomerLink, Failure> {
    if !account.contains_key("Name") {
        return Err(Failure::reject(
            Cause::new("mandatory_missing", "the customer has neither a company name nor a person's name")
                .advice("add a name to the order, or give the row account.Name a value")
                .in_row("account.Name"),
        ));
    }
    let mut body = account.clone();
    body.insert("Status".to_owned(), Value::from("C"));
    let answer = client.create(ACCOUNTS, Value::Object(body), calls).await?;
    Ok(CustomerLink { addresses: BTreeMap::new(), ..link(&with_id(answer, ACCOUNTS)?) })
}

async fn update_account(
    client: &Client,
    link: &CustomerLink,
    account: &Map<String, Value>,
    calls: &Calls,
) -> Result<(), Failure> {
    let mut body = account.clone();
    body.retain(|name, _| !NOT_IN_UPDATES.contains(&name.as_str()));
    body.insert("Status".to_owned(), Value::from("C"));
    client.update(ACCOUNTS, &link.id, Value::Object(body), calls).await
}

/// The contact of the account, by e-mail or, without one, by name. A brand-new account has none.
async fn find_contact(
    client: &Client,
    link: &CustomerLink,
    parts: &Parts,
    calls: &Calls,
) -> Result<Option<String>, Failure> {
    let body = Value::Object(parts.contact.clone());
    let today = client.local_now();
    let account = odata::guid(&link.id)?;
    // Only the account is in the filter: it is the one field of contacts that surely may be filtered on.
    let mut rows = client.search(CONTACTS, &["Account"], &[account], CONTACT_SELECT, calls).await?;
    rows.sort_by_key(|row| odata::field(row, "ID"));
    let same = rows.iter().find(|row| !ended(row, today) && same_person(row, &body));
    Ok(same.and_then(|row| odata::field(row, "ID")))
}

async fn update_contact(client: &Client, id: &str, contact: &Map<String, Value>, calls: &Calls) -> Result<(), Failure> {
    let mut body = contact.clone();
    // The account is a field of creations only.
    body.retain(|name, _| name != "Account" && !NOT_IN_UPDATES.contains(&name.as_str()));
    // Shops have no field of their own for what stands before a family name: there it is a part of it, and it must not
    // stand there twice.
    if body.contains_key("LastName") && !body.contains_key("MiddleName") {
        body.insert("MiddleName".to_owned(), Value::from(""));
    }
    client.update(CONTACTS, id, Value::Object(body), calls).await
}

async fn create_contact(client: &Client, link: &CustomerLink, parts: &Parts, calls: &Calls) -> Result<String, Failure> {
    let mut body = parts.contact.clone();
    body.insert("Account".to_owned(), Value::from(link.id.clone()));
    let answer = client.create(CONTACTS, Value::Object(body), calls).await?;
    Ok(odata::field(&with_id(answer, CONTACTS)?, "ID").unwrap_or_default())
}

fn same_person(row: &Value, wanted: &Value) -> bool {
    let lower = |value: &Value, name: &str| odata::field(value, name).map(|text| text.to_lowercase());
    let emails = |value: &Value| [lower(value, "Email"), lower(value, "BusinessEmail")];
    let wanted_emails: Vec<String> = emails(wanted).into_iter().flatten().collect();
    if wanted_emails.is_empty() {
        return ["FirstName", "LastName"].iter().all(|name| lower(row, name) == lower(wanted, name));
    }
    emails(row).into_iter().flatten().any(|email| wanted_emails.contains(&email))
}

/// A delivery address. Exact itself answers an existing one when it is posted again; a connection may ask for a look
/// before it, which costs one call for customers that are known already.
async fn delivery_address(
    client: &Client,
    link: &CustomerLink,
    address: &Map<String, Value>,
    search: bool,
    calls: &Calls,
) -> Result<String, Failure> {
    if search && client.searches_addresses() {
        let account = odata::guid(&link.id)?;
        let mut rows = client.delivery_addresses(&account, calls).await?;
        rows.sort_by_key(|row| odata::field(row, "ID"));
        if let Some(id) = rows.iter().find(|row| same_place(row, address)).and_then(|row| odata::field(row, "ID")) {
            return Ok(id);
        }
    }
    let mut body = address.clone();
    body.insert("Account".to_owned(), Value::from(link.id.clone()));
    body.insert("Type".to_owned(), Value::from(4));
    // A one-off address must not become the address that all later orders go to.
    body.insert("Main".to_owned(), Value::from(false));
    let answer = client.create(ADDRESSES, Value::Object(body), calls).await?;
    Ok(odata::field(&with_id(answer, ADDRESSES)?, "ID").unwrap_or_default())
}

fn same_place(row: &Value, address: &Map<String, Value>) -> bool {
    let wanted = Value::Object(address.clone());
    let part = |value: &Value, name: &str| {
        let text = odata::field(value, name).unwrap_or_default().to_lowercase();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    ["AddressLine1", "AddressLine2", "AddressLine3", "Postcode", "City", "Country"]
        .iter()
        .all(|name| part(row, name) == part(&wanted, name))
}

fn with_id(answer: Value, entity: &str) -> Result<Value, Failure> {
    if odata::field(&answer, "ID").is_some() {
        return Ok(answer);
    }
    Err(Failure::retry(
        koppel_core::error::RetryReason::OutcomeUnknown,
        None,
        Cause::new("no_id_answered", format!("{entity} accepted the record but answered no id")),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn today() -> NaiveDateTime {
        "2026-06-15T12:00:00".parse().unwrap()
    }

    fn account(id: &str, status: &str, created: &str) -> Value {
        json!({"ID":id,"Code":"                 7","Status":status,"Created":created,"Blocked":false,"EndDate":null})
    }

    #[test]
    fn of_several_accounts_the_oldest_comes_first_and_prospects_do_not_count_beside_a_customer() {
        let best = |rows: &[Value]| usable(rows.iter(), today()).into_iter().cloned().collect::<Vec<_>>();
        let rows = [
            account("prospect", "P", "/Date(1000)/"),
            account("young", "C", "/Date(3000)/"),
            account("old", "C", "/Date(2000)/"),
        ];
        let ids =
            |rows: &[Value]| best(rows).iter().map(|row| row["ID"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(ids(&rows), ["old", "young"]);
        let turned: Vec<Value> = rows.iter().rev().cloned().collect();
        assert_eq!(ids(&turned), ["old", "young"]);
        assert_eq!(ids(&rows[..1]), ["prospect"]);
        assert_eq!(ids(&[rows[2].clone(), rows[2].clone()]), ["old"]);
    }

    #[test]
    fn blocked_and_ended_accounts_are_not_used() {
        let mut blocked = account("blocked", "C", "/Date(1)/");
        blocked["Blocked"] = json!(true);
        let mut over = account("over", "C", "/Date(1)/");
        // 2026-06-14 at midnight, then the 15th itself.
        over["EndDate"] = json!("/Date(1781395200000)/");
        assert!(usable([&blocked, &over].into_iter(), today()).is_empty());
        over["EndDate"] = json!("/Date(1781481600000)/");
        assert_eq!(usable([&blocked, &over].into_iter(), today())[0]["ID"], "over");
    }

    #[test]
    fn a_prospect_is_marked_until_it_is_a_customer() {
        let prospect = link(&account("p", "P", "/Date(1)/"));
        assert_eq!((prospect.code.as_str(), prospect.not_yet_customer), ("7", true));
        assert!(!link(&account("c", "C", "/Date(1)/")).not_yet_customer);
    }

    #[test]
    fn a_contact_is_the_same_person_by_either_address_else_by_name() {
        let row = json!({"Email":null,"BusinessEmail":"Jan@Example.test ","FirstName":"Jan","LastName":"Bos"});
        assert!(same_person(&row, &json!({"Email":"jan@example.test","FirstName":"J."})));
        assert!(!same_person(&row, &json!({"Email":"piet@example.test","FirstName":"Jan","LastName":"Bos"})));
        assert!(same_person(&row, &json!({"FirstName":"jan","LastName":"bos"})));
        assert!(!same_person(&row, &json!({"LastName":"bos"})));
    }
}
