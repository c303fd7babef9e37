//! Which references exist already.
//!
//! * A reference that is the number of its document is asked for by its number.
//! * Invoices and credit notes have a filter, and every answer is compared: a filter that Visma Net does not know gives
//!   everything.
//! * For the reference of an order, or of a booking, there is no filter. What was changed during the last days is read once;
//!   from then on a process only reads what came after that. What is known from an earlier look is looked at once more.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::document::DocumentType;
use koppel_core::ports::Calls;
use koppel_core::ports::target::Found;
use koppel_core::{Cause, Failure, NonEmpty};
use serde_json::Value;
use tokio::sync::Mutex;

use super::{CREDIT_NOTE, INVOICE, JOURNAL, Shape, may_be_credit, orders};
use crate::http::request::encode;
use crate::visma_net::FACTS;
use crate::visma_net::client::{Client, List};
use crate::visma_net::options::DocumentOptions;
use crate::visma_net::wire;

/// Clocks differ, and a list may show a change late.
const OVERLAP: TimeDelta = TimeDelta::minutes(15);
/// Orders a page.
const ORDERS_A_PAGE: u32 = 100;
/// References that are remembered in memory.
const SEEN_MAX: usize = 50_000;
/// The customer's own number of an order, which may hold the reference too.
const CUSTOMER_ORDER: &str = "customer.order";
/// Most pages of one look.
const PAGES_MAX: u32 = 200;

/// What was seen of references, in memory: orders by type, and bookings.
#[derive(Default)]
pub(in crate::visma_net) struct Search(Mutex<BTreeMap<String, Seen>>);

#[derive(Default)]
struct Seen {
    /// Everything that was changed before this moment has been read.
    until: Option<DateTime<Utc>>,
    by_reference: BTreeMap<String, Found>,
}

/// Documents of this type with these references.
pub(in crate::visma_net) async fn find(
    client: &Client,
    options: &DocumentOptions,
    search: &Search,
    document: DocumentType,
    field: &str,
    keys: &[NonEmpty],
    calls: &Calls,
) -> Result<BTreeMap<NonEmpty, Found>, Failure> {
    let mut fields = FACTS.search_fields(document).iter().map(|known| known.name);
    let usual = fields.clone().next();
    let field = fields.find(|known| *known == field).ok_or_else(|| not_searched(field))?;
    if options.own_numbers && usual != Some(field) {
        let message = format!("documents are known by their numbers, so they are not looked for by {field}");
        let cause = Cause::new("numbers_are_keys", message);
        let cause = cause.advice("take own_numbers out of the connection, or exists_field out of the flow");
        return Err(Failure::settings(cause.in_row("settings.exists_field")));
    }
    let mut found = BTreeMap::new();
    for credit in [false, true] {
        // What gives back is a kind of document of its own; a booking is the same either way.
        let one_kind = document == DocumentType::FinancialEntry;
        let wanted = |key: &&NonEmpty| !credit || (!one_kind && may_be_credit(key.as_str()));
        let keys: Vec<&NonEmpty> = keys.iter().filter(|key| !found.contains_key(*key)).filter(wanted).collect();
        if keys.is_empty() {
            continue;
        }
        let kind = match document {
            DocumentType::SalesInvoice => Kind::Erp(if credit { &CREDIT_NOTE } else { &INVOICE }),
            DocumentType::FinancialEntry => Kind::Erp(&JOURNAL),
            DocumentType::SalesOrder | DocumentType::DirectInvoice => {
                match (orders::order_type(options, document, credit), credit) {
                    (Ok(order_type), _) => Kind::Order(order_type),
                    // Nothing was ever given back.
                    (Err(_), true) => continue,
                    (Err(failure), false) => return Err(failure),
                }
            }
        };
        let look = Look { client, options, search, field, calls };
        found.extend(look.at(kind, &keys).await?);
    }
    Ok(found)
}

#[derive(Clone, Copy)]
enum Kind<'a> {
    Order(&'a str),
    Erp(&'static Shape),
}

struct Look<'a> {
    client: &'a Client,
    options: &'a DocumentOptions,
    search: &'a Search,
    /// The field that holds the reference.
    field: &'static str,
    calls: &'a Calls,
}

impl Look<'_> {
    async fn at(&self, kind: Kind<'_>, keys: &[&NonEmpty]) -> Result<BTreeMap<NonEmpty, Found>, Failure> {
        let mut found = BTreeMap::new();
        match kind {
            _ if self.options.own_numbers => {
                for key in keys {
                    if let Some(one) = self.by_number(kind, key.as_str()).await? {
                        found.insert((*key).clone(), one);
                    }
                }
            }
            Kind::Erp(shape) if shape.number == INVOICE.number => {
                for key in keys {
                    if let Some(one) = self.by_filter(shape, key.as_str()).await? {
                        found.insert((*key).clone(), one);
                    }
                }
            }
            kind => return self.by_looking(kind, keys).await,
        }
        Ok(found)
    }

    /// The document whose number is the reference.
    async fn by_number(&self, kind: Kind<'_>, number: &str) -> Result<Option<Found>, Failure> {
        let (row, field, id) = match kind {
            Kind::Order(order_type) => {
                let path = orders::path(order_type, number);
                let row = self.client.get_order(&path, orders::ENDPOINT, self.calls).await?;
                (row.map(|(row, _)| row), "orderId", format!("{order_type}/{number}"))
            }
            Kind::Erp(shape) => {
                let path = format!("{}/{}", shape.read, wire::path_key(number));
                (self.client.get(&path, shape.endpoint, self.calls).await?, shape.number, number.to_owned())
            }
        };
        // Some lists answer an unknown key with an empty record.
        let same = row.is_some_and(|row| wire::field(&row, field).as_deref() == Some(number));
        Ok(same.then(|| Found { id, number: number.to_owned() }))
    }

    /// The document with this reference among what a filter gives. Both fields may hold it: they are shown in one box.
    async fn by_filter(&self, shape: &Shape, reference: &str) -> Result<Option<Found>, Failure> {
        let list = List::of(shape.read, shape.endpoint).with(self.field, reference);
        for number in 1..=PAGES_MAX {
            let page = self.client.page(&list, number, self.calls).await?;
            let has = |row: &&Value| {
                ["customerRefNumber", "externalReference"]
                    .iter()
                    .any(|name| wire::field(row, name).as_deref() == Some(reference))
            };
            // Of several the one with the lowest number was the first.
            let numbers = page.rows.iter().filter(has).filter_map(|row| wire::field(row, shape.number));
            if let Some(first) = numbers.min_by_key(|number| (number.len(), number.clone())) {
                return Ok(Some(Found { id: first.clone(), number: first }));
            }
            if page.rows.is_empty() || !page.more {
                return Ok(None);
            }
        }
        Err(too_many(shape.endpoint))
    }

    /// The documents with these references among what was changed lately.
    async fn by_looking(&self, kind: Kind<'_>, keys: &[&NonEmpty]) -> Result<BTreeMap<NonEmpty, Found>, Failure> {
        let name = match kind {
            Kind::Order(order_type) => order_type,
            Kind::Erp(shape) => shape.endpoint,
        };
        // One look at a time: the others wait for what it brings.
        let mut all = self.search.0.lock().await;
        let seen = all.entry(format!("{name} {}", self.field)).or_default();
        let now = self.client.now();
        let window = now - TimeDelta::days(i64::from(self.options.search_days));
        let since = seen.until.map_or(window, |until| until.max(window));
        let fresh = match kind {
            Kind::Order(order_type) => self.changed_orders(order_type, since - OVERLAP).await?,
            Kind::Erp(_) => self.changed_batches(since - OVERLAP).await?,
        };
        seen.until = Some(now);
        if seen.by_reference.len() > SEEN_MAX {
            // Begins anew with the days that are looked back.
            *seen = Seen { until: None, by_reference: fresh.clone() };
        }
        let just_seen: BTreeSet<String> = fresh.keys().cloned().collect();
        seen.by_reference.extend(fresh);
        let mut found = BTreeMap::new();
        for key in keys {
            let Some(known) = seen.by_reference.get(key.as_str()).cloned() else { continue };
            // What was seen a while ago may have been deleted since.
            if just_seen.contains(key.as_str()) || self.is_there(kind, &known).await? {
                found.insert((*key).clone(), known);
            } else {
                seen.by_reference.remove(key.as_str());
            }
        }
        Ok(found)
    }

    async fn is_there(&self, kind: Kind<'_>, known: &Found) -> Result<bool, Failure> {
        Ok(match kind {
            Kind::Order(order_type) => {
                let path = orders::path(order_type, &known.number);
                self.client.get_order(&path, orders::ENDPOINT, self.calls).await?.is_some()
            }
            Kind::Erp(shape) => {
                let path = format!("{}/{}", shape.read, wire::path_key(&known.number));
                self.client.get(&path, shape.endpoint, self.calls).await?.is_some()
            }
        })
    }

    async fn changed_orders(&self, order_type: &str, since: DateTime<Utc>) -> Result<BTreeMap<String, Found>, Failure> {
        let path = format!("api/v3/SalesOrders/{}", encode(order_type));
        let list = List::of(&path, orders::ENDPOINT)
            .with("modifiedSince", wire::moment(since))
            .with("orderBy", "created desc");
        let mut found = BTreeMap::new();
        for index in 0..PAGES_MAX {
            let page = self.client.order_page(&list, index, ORDERS_A_PAGE, self.calls).await?;
            for row in &page.rows {
                let reference = if self.field == CUSTOMER_ORDER { "customerOrder" } else { "customerRefNo" };
                let (Some(reference), Some(number)) = (wire::field(row, reference), wire::field(row, "orderId")) else {
                    continue;
                };
                let one = Found { id: format!("{order_type}/{number}"), number };
                // The newest come first; of several with one reference the first was the first.
                found.insert(reference, one);
            }
            if !page.more {
                return Ok(found);
            }
        }
        Err(too_many("SalesOrders"))
    }

    /// Pages of this list count lines, and one booking may stand on two of them.
    async fn changed_batches(&self, since: DateTime<Utc>) -> Result<BTreeMap<String, Found>, Failure> {
        let list = List::of(JOURNAL.read, JOURNAL.endpoint)
            .with("lastModifiedDateTime", wire::moment(since))
            .with("module", "GL");
        let mut found = BTreeMap::new();
        for row in self.client.list(&list, self.calls).await? {
            let Some(number) = wire::field(&row, JOURNAL.number) else { continue };
            for line in row.get(JOURNAL.lines).and_then(Value::as_array).into_iter().flatten() {
                if let Some(reference) = wire::field(line, "referenceNumber") {
                    let one = Found { id: number.clone(), number: number.clone() };
                    found.entry(reference).or_insert(one);
                }
            }
        }
        Ok(found)
    }
}

fn not_searched(field: &str) -> Failure {
    let cause = Cause::new("not_searchable", format!("Visma Net cannot look for this document by «{field}»"));
    Failure::settings(cause.advice("correct exists_field of the flow").in_row("settings.exists_field"))
}

fn too_many(what: &str) -> Failure {
    Failure::settings(
        Cause::new("too_many_to_search", format!("there are too many {what} to look through for a reference"))
            .advice("set own_numbers: true with a manually numbered order type, or a smaller search_days")
            .in_row("search_days"),
    )
}
