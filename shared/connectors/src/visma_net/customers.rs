//! Customers: found by e-mail address, created with their class, VAT zone and contact in one call, changed in one.
//!
//! The address of the goods stands in the order itself, so a new place costs no call. A contact person of a company stands
//! in the main contact of the customer; rows that make a `contact` get one of its own as well.

use std::collections::{BTreeMap, BTreeSet};

use koppel_core::message::CustomerDecision;
use koppel_core::ports::{Calls, CustomerLink};
use koppel_core::{Cause, Failure, NonEmpty};
use serde_json::{Map, Value};

use super::client::{Client, List};
use super::options::CustomerOptions;
use super::{payload, wire};

pub(super) const CUSTOMER: &str = "customer";
const CONTACT: &str = "contact";
const PATH: &str = "v1/customer";
/// So few addresses are asked one by one, without looking how many customers there are.
const FEW: usize = 3;
/// Most pages that are read of an answer whose filter is not obeyed.
const PAGES_MAX: u32 = 40;
/// Who may buy, the best first. Nobody else is used.
const STATUSES: [&str; 4] = ["Active", "OneTime", "CreditHold", "OnHold"];
/// Where a customer's own e-mail address may stand.
const EMAILS: [&str; 3] = ["mainContact.email", "invoiceContact.email", "deliveryContact.email"];
/// Fields that only a creation takes.
const NOT_IN_UPDATES: [&str; 3] = ["number", "overrideNumberSeries", "overrideWithClassValues"];

/// Customers by e-mail address. Addresses are asked one by one, or the whole list is read, whatever takes fewer calls.
pub(super) async fn find(
    client: &Client,
    options: &CustomerOptions,
    emails: &[NonEmpty],
    calls: &Calls,
) -> Result<BTreeMap<NonEmpty, CustomerLink>, Failure> {
    let mut found: BTreeMap<NonEmpty, CustomerLink> = BTreeMap::new();
    for (email, rows) in rows_of(client, emails, calls).await? {
        if let Some(best) = best(rows.iter()) {
            found.insert(email, link(best));
        }
    }
    if options.search_contacts {
        for email in emails.iter().filter(|email| !found.contains_key(*email)).cloned().collect::<Vec<_>>() {
            if let Some(link) = of_contact(client, &email, calls).await? {
                found.insert(email, link);
            }
        }
    }
    Ok(found)
}

/// All customers with each of these addresses.
pub(super) async fn rows_of(
    client: &Client,
    emails: &[NonEmpty],
    calls: &Calls,
) -> Result<BTreeMap<NonEmpty, Vec<Value>>, Failure> {
    let mut rows: BTreeMap<String, Value> = BTreeMap::new();
    let mut open: BTreeSet<&NonEmpty> = emails.iter().collect();
    let all = List::of(PATH, CUSTOMER);
    if open.len() > FEW {
        // The first page is of use either way, and tells how many there are.
        let first = client.page(&all, 1, calls).await?;
        let (size, total) = (first.rows.len() as u64, first.total.unwrap_or(u64::MAX));
        keep(&mut rows, first.rows);
        let pages = total.div_ceil(size.max(1));
        if !first.more || pages.saturating_sub(1) <= open.len() as u64 {
            for number in 2..=u32::try_from(pages).unwrap_or(1) {
                keep(&mut rows, client.page(&all, number, calls).await?.rows);
            }
            open.clear();
        }
    }
    for email in open {
        let list = List::of(PATH, CUSTOMER).with("email", email);
        keep(&mut rows, matching(client, &list, |row| has_email(row, email), calls).await?);
    }
    let mut found: BTreeMap<NonEmpty, Vec<Value>> = BTreeMap::new();
    for row in rows.into_values() {
        for email in emails.iter().filter(|email| has_email(&row, email)) {
            found.entry(email.clone()).or_default().push(row.clone());
        }
    }
    Ok(found)
}

fn keep(rows: &mut BTreeMap<String, Value>, more: Vec<Value>) {
    rows.extend(more.into_iter().filter_map(|row| Some((wire::field(&row, "number")?, row))));
}

/// The rows of a filtered list that really are what was asked for. A filter that Visma Net does not obey gives everything:
/// then everything is looked through, as far as that goes.
async fn matching(
    client: &Client,
    list: &List<'_>,
    wanted: impl Fn(&Value) -> bool,
    calls: &Calls,
) -> Result<Vec<Value>, Failure> {
    for number in 1..=PAGES_MAX {
        let page = client.page(list, number, calls).await?;
        let more = page.more && !page.rows.is_empty();
        let found: Vec<Value> = page.rows.into_iter().filter(&wanted).collect();
        if !found.is_empty() || !more {
            return Ok(found);
        }
    }
    Err(Failure::settings(
        Cause::new("filter_not_obeyed", format!("Visma Net does not filter the list of {}", list.endpoint)).advice(
            "tell who keeps this connector; until then give customers a fixed debtor (settings.default_customer)",
        ),
    ))
}

fn has_email(row: &Value, email: &NonEmpty) -> bool {
    let email = email.as_str().to_lowercase();
    EMAILS.iter().any(|path| wire::field(row, path).is_some_and(|found| found.to_lowercase() == email))
}

/// The customer of a contact person with this address.
async fn of_contact(client: &Client, email: &NonEmpty, calls: &Calls) -> Result<Option<CustomerLink>, Failure> {
    let list = List::of("v1/contact", CONTACT).with("email", email);
    let rows = client.whole(&list, calls).await?;
    let same = |row: &&Value| {
        let address = wire::field(row, "email").map(|found| found.to_lowercase());
        address == Some(email.as_str().to_lowercase()) && wire::flag(row, "active") != Some(false)
    };
    let mut contacts: Vec<&Value> = rows.iter().filter(same).collect();
    contacts.sort_by_key(|row| wire::field(row, "contactId").and_then(|id| id.parse::<u64>().ok()));
    for contact in contacts {
        let Some(number) = wire::field(contact, "businessAccount") else { continue };
        let path = format!("{PATH}/{}", wire::path_key(&number));
        // A contact may belong to a supplier.
        if let Some(row) = client.get(&path, CUSTOMER, calls).await?
            && let Some(customer) = best([&row].into_iter())
        {
            return Ok(Some(CustomerLink { contact: wire::field(contact, "contactId"), ..link(customer) }));
        }
    }
    Ok(None)
}

/// The customer to use when several share an address: who may buy best, then the one with the lowest number.
fn best<'a>(rows: impl Iterator<Item = &'a Value>) -> Option<&'a Value> {
    rows.filter_map(|row| {
        let number = wire::field(row, "number")?;
        let status = wire::field(row, "status");
        // Answers without a status are of those who may.
        let rank = status.map_or(Some(0), |status| STATUSES.iter().position(|known| *known == status))?;
        Some(((rank, number.len(), number), row))
    })
    .min_by(|(one, _), (other, _)| one.cmp(other))
    .map(|(_, row)| row)
}

fn link(row: &Value) -> CustomerLink {
    let number = wire::field(row, "number").unwrap_or_default();
    CustomerLink { id: number.clone(), code: number, ..CustomerLink::default() }
}

/// Makes the customer exist with everything the document needs.
pub(super) async fn send(
    client: &Client,
    options: &CustomerOptions,
    decision: &CustomerDecision,
    known: Option<&CustomerLink>,
    calls: &Calls,
) -> Result<CustomerLink, Failure> {
    let part = |name: &str| decision.payload.get(name).cloned().unwrap_or(Value::Null);
    let (customer, contact) = (part(CUSTOMER), payload::group(&part(CONTACT), CONTACT)?);
    let known = known.or(decision.link.as_ref()).filter(|link| !link.id.is_empty());
    // A fixed debtor is shared by many buyers: its own data and contacts are never touched.
    let fixed = decision.email.trim().is_empty();
    let mut link = match known {
        Some(link) => link.clone(),
        None if fixed => {
            return Err(Failure::settings(
                Cause::new("no_debtor", "the order has no e-mail address and no fixed debtor is set")
                    .advice("set default_customer to the number of a customer in Visma Net"),
            ));
        }
        None => create(client, options, &customer, calls).await?,
    };
    if !fixed && known.is_some() && decision.update {
        change(client, &link.id, &customer, calls).await?;
    }
    if !fixed && !contact.is_empty() && link.contact.is_none() {
        link.contact = Some(contact_of(client, &link, contact, known.is_some(), calls).await?);
    }
    // The order itself says where the goods go.
    if let Some(key) = &decision.delivery_key {
        link.addresses.insert(key.clone(), "in the order".to_owned());
    }
    Ok(link)
}

/// The body of a customer: what the rows made, with streets that fit.
fn body(made: &Value) -> Result<Map<String, Value>, Failure> {
    let mut body = payload::group(made, CUSTOMER)?;
    for address in ["mainAddress", "invoiceAddress", "deliveryAddress"] {
        if let Some(address) = body.get_mut(address).and_then(Value::as_object_mut) {
            payload::spread_address(address, ["addressLine1", "addressLine2", "addressLine3"]);
        }
    }
    Ok(body)
}

/// A new customer: with the class that gives it what it needs, and the VAT zone of its country.
pub(super) async fn create(
    client: &Client,
    options: &CustomerOptions,
    made: &Value,
    calls: &Calls,
) -> Result<CustomerLink, Failure> {
    let body = new(options, made)?;
    let created = client.create(PATH, &body, CUSTOMER, calls).await?;
    Ok(CustomerLink { id: created.key.clone(), code: created.key, ..CustomerLink::default() })
}

fn new(options: &CustomerOptions, made: &Value) -> Result<Map<String, Value>, Failure> {
    let mut body = body(made)?;
    if !body.contains_key("name") {
        return Err(Failure::reject(
            Cause::new("mandatory_missing", "the customer has neither a company name nor a person's name")
                .advice("add a name to the order, or give the row customer.name a value")
                .in_row("customer.name"),
        ));
    }
    let is_company = wire::flag(made, "_company") == Some(true);
    if let Some(class) = options.class_of(is_company) {
        payload::fill(&mut body, "customerClassId", class);
    }
    if !body.contains_key("customerClassId") {
        return Err(Failure::settings(
            Cause::new("no_customer_class", "a new customer needs a class, and none is set")
                .advice("set customer_class (and person_class) of the connection to a customer class of Visma Net")
                .in_row("customer_class"),
        ));
    }
    let country = wire::field(made, "mainAddress.countryId").unwrap_or_default();
    let is_business = wire::field(made, "vatRegistrationId").is_some();
    if let Some(zone) = options.zone_of(&country, is_business) {
        payload::fill(&mut body, "vatZoneId", zone);
    }
    // Without this the class gives nothing, and mandatory fields are missing.
    payload::fill(&mut body, "overrideWithClassValues", true);
    Ok(body)
}

/// Changes the fields that the rows make; class and VAT zone stay as they are.
pub(super) async fn change(client: &Client, number: &str, made: &Value, calls: &Calls) -> Result<(), Failure> {
    let mut body = body(made)?;
    body.retain(|name, _| !NOT_IN_UPDATES.contains(&name.as_str()));
    if body.is_empty() {
        return Ok(());
    }
    client.update(&format!("{PATH}/{}", wire::path_key(number)), &body, CUSTOMER, calls).await
}

/// The contact person of a customer: found by address or name, else created.
async fn contact_of(
    client: &Client,
    link: &CustomerLink,
    mut contact: Map<String, Value>,
    look: bool,
    calls: &Calls,
) -> Result<String, Failure> {
    if look {
        let path = format!("{PATH}/{}/contact", wire::path_key(&link.id));
        let wanted = Value::Object(contact.clone());
        let mut rows = client.whole(&List::of(&path, CONTACT), calls).await?;
        rows.retain(|row| wire::flag(row, "active") != Some(false) && same_person(row, &wanted));
        if let Some(id) =
            rows.iter().filter_map(|row| wire::field(row, "contactId")).min_by_key(|id| (id.len(), id.clone()))
        {
            return Ok(id);
        }
    }
    if !contact.contains_key("lastName") {
        let name = contact.get("firstName").cloned().ok_or_else(|| {
            Failure::reject(
                Cause::new("mandatory_missing", "a contact person needs a family name")
                    .advice("give the row contact.lastName a value")
                    .in_row("contact.lastName"),
            )
        })?;
        contact.insert("lastName".into(), name);
    }
    payload::fill(&mut contact, "businessAccount", link.id.clone());
    Ok(client.create("v1/contact", &contact, CONTACT, calls).await?.key)
}

fn same_person(row: &Value, wanted: &Value) -> bool {
    let lower = |value: &Value, name: &str| wire::field(value, name).map(|text| text.to_lowercase());
    match lower(wanted, "email") {
        Some(email) => lower(row, "email") == Some(email),
        None => ["firstName", "lastName"].iter().all(|name| lower(row, name) == lower(wanted, name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing;
    use serde_json::json;

    #[test]
    fn among_several_the_active_one_with_the_lowest_number_wins() {
        let row = |number: &str, status: &str| json!({"number": number, "status": status});
        let rows = [row("9", "OnHold"), row("100", "Active"), row("20", "Active"), row("1", "Inactive")];
        assert_eq!(best(rows.iter()).unwrap()["number"], "20");
        assert_eq!(best(rows[..1].iter()).unwrap()["number"], "9");
        assert!(best(rows[3..].iter()).is_none());
    }

    #[test]
    fn a_new_customer_gets_class_and_zone_and_keeps_what_the_rows_say() {
        let all =
            json!({"customer_class": "10", "person_class": "20", "vat_zones": {"DE/business": "03", "default": "01"}});
        let options = CustomerOptions::of(&testing::connection("visma-net", all, &[])).unwrap();
        let company =
            json!({"name": "Bos", "_company": true, "vatRegistrationId": "DE1", "mainAddress": {"countryId": "DE"}});
        assert_eq!(
            Value::Object(new(&options, &company).unwrap()),
            json!({"name": "Bos", "vatRegistrationId": "DE1", "mainAddress": {"countryId": "DE"}, "customerClassId": "10",
                "vatZoneId": "03", "overrideWithClassValues": true})
        );
        let person = json!({"name": "Jan", "vatZoneId": "77", "mainAddress": {"countryId": "NL"}});
        let person = new(&options, &person).unwrap();
        assert_eq!((&person["customerClassId"], &person["vatZoneId"]), (&json!("20"), &json!("77")));
        let none = new(&CustomerOptions::default(), &json!({"name": "Jan"})).unwrap_err();
        assert_eq!((none.class(), none.cause().code.as_str()), ("settings", "no_customer_class"));
        assert_eq!(new(&options, &json!({})).unwrap_err().cause().code, "mandatory_missing");
    }

    #[test]
    fn addresses_are_compared_without_case() {
        let email = NonEmpty::new("jan@example.test").unwrap();
        assert!(has_email(&json!({"mainContact": {"email": "Jan@Example.Test "}}), &email));
        assert!(has_email(
            &json!({"mainContact": {"email": "x"}, "invoiceContact": {"email": "jan@example.test"}}),
            &email
        ));
        assert!(!has_email(&json!({"mainContact": {"email": "janine@example.test"}}), &email));
    }
}
