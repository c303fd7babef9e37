//! Customers of a chunk: known by link, else searched by e-mail, all at once.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use koppel_core::document::{Customer, Order};
use koppel_core::error::Failure;
use koppel_core::keys::{NonEmpty, normalize_email};
use koppel_core::message::CustomerDecision;
use koppel_core::ports::target::CustomerLink;
use koppel_core::ports::{Calls, Target};
use koppel_core::system::Lookup;
use koppel_mapping::Scope;

use super::references::References;
use crate::Engine;
use crate::links::{self, StoredLink};
use crate::loaded::LoadedFlow;
use crate::privacy::content_hash;
use crate::rows::row_cause;

/// What is known about the customers of a chunk, by keyed hash.
#[derive(Default)]
pub struct Customers {
    known: BTreeMap<String, StoredLink>,
    /// Those whose link was stored before.
    from_memory: BTreeSet<String>,
}

impl Customers {
    /// Looks up every customer of these orders.
    pub async fn resolve(
        engine: &Engine,
        flow: &LoadedFlow,
        target: &dyn Target,
        orders: &[&Order],
        calls: &Calls,
    ) -> Result<Self, Failure> {
        let mut hashes = BTreeSet::new();
        let mut emails: BTreeMap<NonEmpty, String> = BTreeMap::new();
        for order in orders {
            let hash = key_hash(flow, order);
            if fixed_debtor(order).is_none()
                && let Some(email) = normalize_email(&order.customer.email)
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
                    known.insert(hash.clone(), StoredLink { link: Some(link), content_hash: String::new() });
                }
            }
        }
        Ok(Self { known, from_memory })
    }

    /// The customer of this order was known from before.
    pub fn is_from_memory(&self, flow: &LoadedFlow, order: &Order) -> bool {
        self.from_memory.contains(&key_hash(flow, order))
    }

    /// Decides what the write step does about the customer of one order.
    pub fn decide(
        &self,
        flow: &LoadedFlow,
        order: &Order,
        references: &References,
        now: DateTime<Utc>,
    ) -> Result<Option<CustomerDecision>, Failure> {
        let Some(rows) = &flow.customer_rows else { return Ok(None) };
        let key_hash = key_hash(flow, order);
        let stored = self.known.get(&key_hash);
        let fixed = fixed_debtor(order);
        let customer = as_posted(order, fixed.is_some());
        let elsewhere = delivers_elsewhere(&customer, fixed.is_some());
        let mut json = serde_json::to_value(&customer).unwrap_or_default();
        if let Some(fields) = json.as_object_mut() {
            fields.insert("deliver_elsewhere".into(), elsewhere.into());
            fields.insert("refs".into(), references.refs_of(flow, &customer.codes)?);
        }
        let view = super::view(&json);
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
        let changed = stored.is_some_and(|s| !s.content_hash.is_empty() && s.content_hash != hash);
        Ok(Some(CustomerDecision {
            key_hash,
            email: if fixed.is_some() {
                String::new()
            } else {
                normalize_email(&order.customer.email).map(String::from).unwrap_or_default()
            },
            link,
            delivery_key: elsewhere.then(|| flow.keyed_hash.of("place", &receiver_and_place(&customer))),
            payload,
            content_hash: hash,
            update: flow.flow.settings.customer.update && fixed.is_none() && changed,
        }))
    }
}

fn fixed_debtor(order: &Order) -> Option<&str> {
    order.codes.get(Lookup::DefaultCustomer.name()).map(String::as_str)
}

/// Persons are known by a keyed hash of their address, fixed debtors by their code.
fn key_hash(flow: &LoadedFlow, order: &Order) -> String {
    match fixed_debtor(order) {
        Some(code) => flow.keyed_hash.of("debtor", code),
        None => {
            flow.keyed_hash.of("email", normalize_email(&order.customer.email).as_ref().map_or("", NonEmpty::as_str))
        }
    }
}

/// On a fixed debtor the goods always go elsewhere, to where this order says.
fn as_posted(order: &Order, fixed: bool) -> Customer {
    let mut customer = order.customer.clone();
    if fixed || customer.shipping.is_empty() {
        customer.shipping = order.ship_to().clone();
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
