//! Debtors: found by e-mail, created with a number of our own or of AccountView's, changed where the flow says so.

use std::collections::BTreeMap;

use koppel_core::connection::Connection;
use koppel_core::message::CustomerDecision;
use koppel_core::ports::{Calls, Condition, CustomerLink, Key, StoreError};
use koppel_core::{Cause, Failure, NonEmpty};
use serde_json::{Map, Value, json};

use super::AccountView;
use super::body::{Rules, Sheet, is_empty};
use super::client::{Door, List, field, flag};
use super::documents::named;
use super::foxpro::{self, Filter};
use super::lookups::{FILTERS_MAX, search};
use super::names::{Dictionary, Use};

/// Numbers that are tried before a person must look.
const NUMBER_TRIES: usize = 50;
/// Roles that are read of a debtor.
const ROLES: [&str; 4] = ["email", "contact_email", "blocked", "blocked_for_orders"];
/// Roles that a change leaves alone: they tell debtors apart in AccountView.
const NOT_IN_UPDATES: [&str; 2] = ["search_code", "collective_account"];

/// Who numbers new debtors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    /// Koppel, from this number on.
    From(u64),
    /// The option is not set.
    Missing,
    /// AccountView.
    Own,
}

/// Options of a connection about debtors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Debtors {
    numbers: Numbers,
    /// Collective ledger account of new debtors.
    account: Option<String>,
    /// E-mail addresses of contact persons count too.
    search_contacts: bool,
    /// Addresses are compared without case by a raw expression.
    by_expression: bool,
}

impl Debtors {
    /// The options `debtor_numbers`, `first_debtor_number`, `debtor_account`, `search_contacts` and `email_search`.
    pub fn of(connection: &Connection) -> Result<Self, Failure> {
        let bad = |name: &str, value: &str, choices: &str| {
            Failure::settings(
                Cause::new("bad_option", format!("«{value}» is no value of {name}"))
                    .advice(format!("use {choices}"))
                    .in_row(name)
                    .at_connection(&connection.name),
            )
        };
        let numbers = match connection.option("debtor_numbers").as_deref() {
            None | Some("counter") => match connection.option("first_debtor_number") {
                None => Numbers::Missing,
                Some(text) => {
                    let number = text.parse().ok().filter(|_| text.len() <= 10);
                    Numbers::From(
                        number.ok_or_else(|| bad("first_debtor_number", &text, "a number of at most ten digits"))?,
                    )
                }
            },
            Some("accountview") => Numbers::Own,
            Some(other) => return Err(bad("debtor_numbers", other, "counter or accountview")),
        };
        let by_expression = match connection.option("email_search").as_deref() {
            None | Some("equal") => false,
            Some("expression") => true,
            Some(other) => return Err(bad("email_search", other, "equal or expression")),
        };
        Ok(Self {
            numbers,
            account: connection.option("debtor_account"),
            search_contacts: connection.option("search_contacts").is_none() || connection.flag("search_contacts"),
            by_expression,
        })
    }
}

impl Debtors {
    /// What must be set before a debtor can be made.
    pub fn missing(&self) -> Vec<Cause> {
        let mut missing = Vec::new();
        if self.account.is_none() {
            missing.push(missing_account());
        }
        if self.numbers == Numbers::Missing {
            missing.push(missing_number());
        }
        missing
    }
}

fn missing_account() -> Cause {
    Cause::new("missing_debtor_account", "the collective ledger account of new debtors is missing")
        .advice("set debtor_account to the ledger account that debtors hang on")
        .in_row("debtor_account")
}

fn missing_number() -> Cause {
    Cause::new("missing_debtor_number", "nobody numbers new debtors")
        .advice("set first_debtor_number, or debtor_numbers: accountview when AccountView numbers them itself")
        .in_row("first_debtor_number")
}

/// Finds debtors by e-mail, first their own address, then that of the main contact.
pub(super) async fn find(
    av: &AccountView,
    emails: &[NonEmpty],
    calls: &Calls,
) -> Result<BTreeMap<NonEmpty, CustomerLink>, Failure> {
    let mut found = BTreeMap::new();
    let part = av.profile.part("customer");
    part.needed("email")?;
    let contacts = av.debtors.search_contacts && part.role("contact_email").is_some();
    for role in std::iter::once("email").chain(contacts.then_some("contact_email")) {
        let missing: Vec<&NonEmpty> = emails.iter().filter(|email| !found.contains_key(*email)).collect();
        if missing.is_empty() {
            break;
        }
        let rows = with_email(av, role, &missing, calls).await?;
        for email in missing {
            let name = part.role(role).unwrap_or_default();
            let own = rows.iter().filter(|row| same(field(row, name).as_deref(), email.as_str()));
            if let Some(link) = best(av, own) {
                found.insert(email.clone(), link);
            }
        }
    }
    Ok(found)
}

async fn with_email(av: &AccountView, role: &str, emails: &[&NonEmpty], calls: &Calls) -> Result<Vec<Value>, Failure> {
    let part = av.profile.part("customer");
    let name = part.needed(role)?.to_owned();
    if !av.debtors.by_expression {
        let filters = emails.iter().map(|email| Filter::equal(&name, email.as_str())).collect();
        return search(av, part, &ROLES, filters, calls).await;
    }
    let (object, table, key) = part.required()?;
    let fields: Vec<&str> = std::iter::once(key).chain(ROLES.iter().filter_map(|role| part.role(role))).collect();
    let pairs: Vec<(&str, &str)> = fields.iter().map(|name| (table, *name)).collect();
    av.names.ready(&av.client, &av.profile, part, &pairs, Use::Read, calls).await?;
    let mut found = Vec::new();
    for some in emails.chunks(FILTERS_MAX) {
        let terms = some.iter().map(|email| format!("LOWER({name})={}", foxpro::text(&email.as_str().to_lowercase())));
        let list = List {
            object: object.into(),
            table: table.into(),
            key: key.into(),
            fields: fields.iter().map(|name| (*name).to_owned()).collect(),
            expression: Some(terms.collect::<Vec<_>>().join(" OR ")),
            ..List::default()
        };
        found.extend(av.client.all(Door::Data, &list, calls).await?);
    }
    Ok(found)
}

/// The filter of the server is never trusted alone: a text may match what only begins with it.
fn same(found: Option<&str>, wanted: &str) -> bool {
    found.is_some_and(|found| found.to_lowercase() == wanted.to_lowercase())
}

/// Of several debtors with one address the one with the lowest number that may buy.
fn best<'a>(av: &AccountView, rows: impl Iterator<Item = &'a Value>) -> Option<CustomerLink> {
    let part = av.profile.part("customer");
    let is = |row: &Value, role: &str| part.role(role).and_then(|name| flag(row, name)) == Some(true);
    let open = rows.filter(|row| !is(row, "blocked") && !is(row, "blocked_for_orders"));
    let codes = open.filter_map(|row| field(row, part.key.as_deref()?));
    let code = codes.min_by_key(|code| (code.parse::<u64>().unwrap_or(u64::MAX), code.clone()))?;
    Some(link(&code))
}

fn link(code: &str) -> CustomerLink {
    CustomerLink { id: code.to_owned(), code: code.to_owned(), ..CustomerLink::default() }
}

/// Makes the debtor exist. Where the goods go stands on each order, so an address is nothing to be made.
pub(super) async fn send(
    av: &AccountView,
    decision: &CustomerDecision,
    known: Option<&CustomerLink>,
    calls: &Calls,
) -> Result<CustomerLink, Failure> {
    let known = known.or(decision.link.as_ref()).filter(|link| !link.id.is_empty());
    // A fixed debtor is shared by many buyers: its own data is never touched.
    let fixed = decision.email.trim().is_empty();
    let made = decision.payload.as_object().cloned().unwrap_or_default();
    let mut link = match known {
        Some(link) => {
            if decision.update && !fixed {
                update(av, link, made, calls).await?;
            }
            link.clone()
        }
        None if fixed => {
            return Err(Failure::settings(
                Cause::new("no_debtor", "the order has no e-mail address and no fixed debtor is set")
                    .advice("set default_customer to the number of a debtor in AccountView"),
            ));
        }
        None => create(av, made, calls).await?,
    };
    if let Some(key) = &decision.delivery_key {
        link.addresses.entry(key.clone()).or_insert_with(|| "on the order".to_owned());
    }
    Ok(link)
}

async fn create(av: &AccountView, mut made: Map<String, Value>, calls: &Calls) -> Result<CustomerLink, Failure> {
    let part = av.profile.part("customer");
    let (object, table, key) = part.required()?;
    if made.get("name").is_none_or(is_empty) {
        return Err(Failure::reject(
            Cause::new("mandatory_missing", "the customer has neither a company name nor a person's name")
                .advice("add a name to the order, or give the row name a value")
                .in_row("name"),
        ));
    }
    if made.get("collective_account").is_none_or(is_empty) {
        let account = av.debtors.account.as_ref().ok_or_else(|| Failure::settings(missing_account()))?;
        made.insert("collective_account".into(), json!(account));
    }
    let mut fields = named(part, made, false)?;
    let names: Vec<(&str, &str)> = fields.keys().map(|name| (table, name.as_str())).chain([(table, key)]).collect();
    let dictionary = av.names.ready(&av.client, &av.profile, part, &names, Use::Create, calls).await?;
    if fields.get(key).is_none_or(is_empty) {
        match av.debtors.numbers {
            Numbers::Own => drop(fields.remove(key)),
            Numbers::From(first) => {
                // First what needs no number: a record that is refused must not use one up.
                let mut trial = fields.clone();
                trial.insert(key.to_owned(), json!("1"));
                body(av, &dictionary, object, table, trial, None)?;
                fields.insert(key.to_owned(), json!(next_number(av, &dictionary, first, calls).await?));
            }
            Numbers::Missing => return Err(Failure::settings(missing_number())),
        }
    }
    let body = body(av, &dictionary, object, table, fields, None)?;
    let answer = av.client.create(object, table, body, calls).await?;
    let number = field(&answer, key).ok_or_else(|| {
        Failure::retry(
            koppel_core::error::RetryReason::OutcomeUnknown,
            None,
            Cause::new("no_number_answered", "AccountView accepted the debtor but answered no number"),
        )
    })?;
    Ok(link(&number))
}

async fn update(
    av: &AccountView,
    link: &CustomerLink,
    mut made: Map<String, Value>,
    calls: &Calls,
) -> Result<(), Failure> {
    let part = av.profile.part("customer");
    let (object, table, key) = part.required()?;
    made.retain(|role, value| !NOT_IN_UPDATES.contains(&role.as_str()) && !is_empty(value));
    let mut fields = named(part, made, false)?;
    fields.remove(key);
    if fields.is_empty() {
        return Ok(());
    }
    let names: Vec<(&str, &str)> = fields.keys().map(|name| (table, name.as_str())).collect();
    let dictionary = av.names.ready(&av.client, &av.profile, part, &names, Use::Update, calls).await?;
    let body = body(av, &dictionary, object, table, fields, Some(&link.id))?;
    av.client.update(object, body, calls).await
}

fn body(
    av: &AccountView,
    dictionary: &Dictionary,
    object: &str,
    table: &str,
    header: Map<String, Value>,
    id: Option<&str>,
) -> Result<Value, Failure> {
    let part = av.profile.part("customer");
    let keys: Vec<&str> = ["email", "contact_email"].iter().filter_map(|role| part.role(role)).collect();
    let numbered = part.key.as_deref().filter(|_| av.debtors.numbers == Numbers::Own);
    let rules = Rules { dictionary, profile: &av.profile, too_long: av.too_long, keys: &keys, numbered };
    rules.body(&Sheet { object, table, header, lines: None, book_date: None, id })
}

/// The next number that nobody has. The counter is shared by all who write to this connection.
async fn next_number(av: &AccountView, dictionary: &Dictionary, first: u64, calls: &Calls) -> Result<String, Failure> {
    let part = av.profile.part("customer");
    let (object, table, key) = part.required()?;
    // A prospect or a creditor may have the number too.
    let everyone = part.everyone.as_deref().filter(|code| dictionary.has_object(code)).unwrap_or(object);
    for _ in 0..NUMBER_TRIES {
        let number = take_number(av, first).await?.to_string();
        let list = List {
            object: everyone.into(),
            table: table.into(),
            key: key.into(),
            fields: vec![key.into()],
            filters: vec![Filter::equal(key, &number)],
            ..List::default()
        };
        let rows = av.client.all(Door::Data, &list, calls).await?;
        if !rows.iter().any(|row| field(row, key).as_deref() == Some(number.as_str())) {
            return Ok(number);
        }
    }
    Err(Failure::settings(
        Cause::new("no_free_number", format!("{NUMBER_TRIES} debtor numbers in a row are taken"))
            .advice("set first_debtor_number above the highest number in AccountView")
            .in_row("first_debtor_number"),
    ))
}

async fn take_number(av: &AccountView, first: u64) -> Result<u64, Failure> {
    let key: &Key = &av.number_key;
    for _ in 0..NUMBER_TRIES {
        let item = av.store.get(key).await?;
        let last = item.as_ref().and_then(|item| item.value.parse::<u64>().ok());
        let next = last.map_or(first, |last| (last + 1).max(first));
        let condition = item.map_or(Condition::Absent, |item| Condition::Version(item.version));
        match av.store.put(key, &next.to_string(), condition, None).await {
            Ok(_) => return Ok(next),
            Err(StoreError::ConditionFailed) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::retry(
        koppel_core::error::RetryReason::Busy,
        None,
        Cause::new("numbers_busy", "many debtors are numbered at this moment"),
    ))
}
