//! Customers of a chunk: known by link, else searched by e-mail, all at once.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use koppel_core::document::{Address, Customer, Order};
use koppel_core::error::Failure;
use koppel_core::keys::{NonEmpty, normalize_email};
use koppel_core::message::CustomerDecision;
use koppel_core::ports::target::CustomerLink;
use koppel_core::ports::{Calls, Target};
use koppel_core::system::Lookup;
use koppel_mapping::{Scope, TracedRow, Value};

use super::references::References;
use crate::Engine;
use crate::links::{self, StoredLink};
use crate::loaded::LoadedFlow;
use crate::privacy::content_hash;
use crate::rows::row_cause;

/// Who must exist in the target: the customer of an order, or one of a customer flow.
#[derive(Clone, Copy)]
pub struct Buyer<'a> {
    customer: &'a Customer,
    /// Where the goods of this order go.
    ship_to: &'a Address,
    /// Code of a debtor that stands for the customer.
    fixed: Option<&'a str>,
}

impl<'a> Buyer<'a> {
    /// The customer of an order.
    pub fn of(order: &'a Order) -> Self {
        let fixed = order.codes.get(Lookup::DefaultCustomer.name()).map(String::as_str);
        Self { customer: &order.customer, ship_to: order.ship_to(), fixed }
    }

    /// A customer without an order.
    pub fn alone(customer: &'a Customer) -> Self {
        Self { customer, ship_to: &customer.shipping, fixed: None }
    }
}

/// Whether a customer that exists gets what the source says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Updating {
    /// Never.
    Never,
    /// When it has changed since it was written here.
    Changed,
    /// Also when it was never written here: the source knows best.
    Always,
}

/// What is known about the customers of a chunk, by keyed hash.
#[derive(Default)]
pub struct Customers {
    known: BTreeMap<String, StoredLink>,
    /// Those whose link was stored before.
    from_memory: BTreeSet<String>,
}

impl Customers {
    /// Looks up every one of these.
    pub async fn resolve(
        engine: &Engine,
        flow: &LoadedFlow,
        target: &dyn Target,
        buyers: &[Buyer<'_>],
        calls: &Calls,
    ) -> Result<Self, Failure> {
        let mut hashes = BTreeSet::new();
        let mut emails: BTreeMap<NonEmpty, String> = BTreeMap::new();
        for buyer in buyers {
            let hash = key_hash(flow, buyer);
            if buyer.fixed.is_none()
                && let Some(email) = normalize_email(&buyer.customer.email)
            {
                emails.insert(email, hash.clone());
            }
            hashes.insert(hash);
        }
        let hashes: Vec<String> = hashes.into_iter().collect();
        let mut known = links::customers(engine, &flow.tenant, &flow.flow.to, &hashes).await?;
        let from_memory = known.keys().cloned().collect();
        let unknown: Vec<NonEmpty> =
            emails.iter().filter(|(_, hash)| !known.contains_key(*hash)).map(|(email, _)| email.clone()).collect();
        if !unknown.is_empty() {
            for (email, link) in target.find_customers(&unknown, calls).await? {
                if let Some(hash) = emails.get(&email) {
                    known.insert(hash.clone(), StoredLink { link: Some(link), ..StoredLink::default() });
                }
            }
        }
        Ok(Self { known, from_memory })
    }

    /// The customer was known from before.
    pub fn is_from_memory(&self, flow: &LoadedFlow, buyer: &Buyer<'_>) -> bool {
        self.from_memory.contains(&key_hash(flow, buyer))
    }

    /// Decides what the write step does about one customer.
    pub fn decide(
        &self,
        flow: &LoadedFlow,
        buyer: &Buyer<'_>,
        updating: Updating,
        references: &References,
        now: DateTime<Utc>,
    ) -> Result<Option<CustomerDecision>, Failure> {
        let Some(rows) = &flow.customer_rows else { return Ok(None) };
        let key_hash = key_hash(flow, buyer);
        let stored = self.known.get(&key_hash);
        let fixed = buyer.fixed;
        let customer = as_posted(buyer);
        let elsewhere = delivers_elsewhere(&customer, fixed.is_some());
        let view = view(flow, &customer, elsewhere, references)?;
        let scope = Scope::new(now).with_ref("customer", &view);
        let value = rows.evaluate(&scope).map_err(|error| Failure::reject(row_cause(&error)))?;
        let payload = value.to_json();
        let mut link = stored.and_then(|s| s.link.clone());
        if let Some(code) = fixed {
            let reference = references.get(flow, Lookup::DefaultCustomer, code)?;
            let known = link.unwrap_or_default();
            link = Some(CustomerLink { id: reference.id.clone(), code: reference.code.clone(), ..known });
        }
        // The delivery address is kept per place; a new place is not a changed customer.
        let hash = content_hash(&without_delivery(&payload));
        let changed = match updating {
            Updating::Never => false,
            Updating::Changed => stored.is_some_and(|s| !s.content_hash.is_empty() && s.content_hash != hash),
            // Also for one that nobody knows yet: until it is written, an order may have created it with other content.
            Updating::Always => stored.is_none_or(|s| !s.has(&hash)),
        };
        Ok(Some(CustomerDecision {
            key_hash,
            email: if fixed.is_some() {
                String::new()
            } else {
                normalize_email(&buyer.customer.email).map(String::from).unwrap_or_default()
            },
            link,
            delivery_key: elsewhere.then(|| flow.keyed_hash.of("place", &receiver_and_place(&customer))),
            payload,
            content_hash: hash,
            update: fixed.is_none() && changed,
        }))
    }
}

/// The customer as the target's rows see it.
fn view(flow: &LoadedFlow, customer: &Customer, elsewhere: bool, references: &References) -> Result<Value, Failure> {
    let mut json = serde_json::to_value(customer).unwrap_or_default();
    if let Some(fields) = json.as_object_mut() {
        fields.insert("deliver_elsewhere".into(), elsewhere.into());
        fields.insert("refs".into(), references.refs_of(flow, &customer.codes)?);
    }
    Ok(super::view(&json))
}

/// What the customer rows make of a buyer, with the row that decided each value.
pub fn trace(
    flow: &LoadedFlow,
    buyer: &Buyer<'_>,
    references: &References,
    now: DateTime<Utc>,
) -> Result<Vec<TracedRow>, Failure> {
    let Some(rows) = &flow.customer_rows else { return Ok(Vec::new()) };
    let customer = as_posted(buyer);
    let elsewhere = delivers_elsewhere(&customer, buyer.fixed.is_some());
    let view = view(flow, &customer, elsewhere, references)?;
    let traced = rows.evaluate_traced(&Scope::new(now).with_ref("customer", &view));
    Ok(traced.map_err(|error| Failure::reject(row_cause(&error)))?.rows)
}

/// Persons are known by a keyed hash of their address, fixed debtors by their code.
fn key_hash(flow: &LoadedFlow, buyer: &Buyer<'_>) -> String {
    match buyer.fixed {
        Some(code) => flow.keyed_hash.of("debtor", code),
        None => {
            flow.keyed_hash.of("email", normalize_email(&buyer.customer.email).as_ref().map_or("", NonEmpty::as_str))
        }
    }
}

/// On a fixed debtor the goods always go elsewhere, to where this order says.
fn as_posted(buyer: &Buyer<'_>) -> Customer {
    let mut customer = buyer.customer.clone();
    if buyer.fixed.is_some() || customer.shipping.is_empty() {
        customer.shipping = buyer.ship_to.clone();
    }
    customer
}

fn delivers_elsewhere(customer: &Customer, fixed: bool) -> bool {
    !customer.shipping.is_empty() && (fixed || !customer.shipping.same_place(&customer.billing))
}

/// Two receivers in one house are two delivery addresses: the target prints the name.
fn receiver_and_place(customer: &Customer) -> String {
    let to = &customer.shipping;
    format!("{}|{}|{}", to.company.trim().to_lowercase(), to.full_name().to_lowercase(), to.place_key())
}

fn without_delivery(payload: &serde_json::Value) -> serde_json::Value {
    let mut payload = payload.clone();
    if let Some(fields) = payload.as_object_mut() {
        fields.remove("delivery_address");
    }
    payload
}
