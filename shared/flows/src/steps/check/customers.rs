//! Customers of a chunk: known by link, else searched by the rules of the flow, all at once. Who is not certain is left to
//! a person.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use koppel_core::document::{Address, Customer, Order};
use koppel_core::error::Failure;
use koppel_core::keys::{NonEmpty, RecordKey, normalize_email};
use koppel_core::message::{CustomerDecision, Matched};
use koppel_core::ports::target::CustomerLink;
use koppel_core::ports::{Calls, Candidate, Target};
use koppel_core::system::{Lookup, MatchField};
use koppel_mapping::{Scope, TracedRow, Value};

use super::references::References;
use crate::Engine;
use crate::links::{self, StoredLink};
use crate::loaded::LoadedFlow;
use crate::matching::{Identity, Policy};
use crate::privacy::content_hash;
use crate::review::{self, Choice};
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
    /// Those of which a person must decide who they are.
    unclear: BTreeMap<String, Unclear>,
}

/// Why it is not certain which customer of the target it is, and which ones may be it.
struct Unclear {
    why: String,
    choices: Vec<Choice>,
}

impl Customers {
    /// Looks up every one of these: first what is kept, then rule by rule, each with one question for all.
    pub async fn resolve(
        engine: &Engine,
        flow: &LoadedFlow,
        target: &dyn Target,
        buyers: &[Buyer<'_>],
        calls: &Calls,
    ) -> Result<Self, Failure> {
        let policy = Policy::of(&flow.flow.settings.customer);
        let mut people: BTreeMap<String, (Buyer<'_>, Identity)> = BTreeMap::new();
        for buyer in buyers {
            let identity = identity(flow, &policy, buyer);
            people.entry(identity.key_hash.clone()).or_insert((*buyer, identity));
        }
        let hashes: BTreeSet<String> =
            people.values().flat_map(|(_, of)| [Some(of.key_hash.clone()), of.alias_hash.clone()]).flatten().collect();
        let hashes: Vec<String> = hashes.into_iter().collect();
        let stored = links::customers(engine, &flow.tenant, &flow.flow.to, &hashes).await?;
        let mut this = Self::default();
        let mut open: BTreeSet<&String> = BTreeSet::new();
        let mut doubted: BTreeSet<&String> = BTreeSet::new();
        for (hash, (buyer, of)) in &people {
            match stored.get(hash).or_else(|| stored.get(of.alias_hash.as_ref()?)) {
                Some(known) => {
                    // It may have another VAT number by now, which may be that of another customer.
                    if known.link.is_some() && !of.vat_hash.is_empty() && known.vat != of.vat_hash {
                        doubted.insert(hash);
                    }
                    this.known.insert(hash.clone(), known.clone());
                    this.from_memory.insert(hash.clone());
                }
                None if buyer.fixed.is_none() => {
                    open.insert(hash);
                }
                None => {}
            }
        }
        for rule in &policy.rules {
            let asks =
                |hash: &&String| open.contains(*hash) || (*rule == MatchField::VatNumber && doubted.contains(*hash));
            let asked: BTreeMap<&String, NonEmpty> = people
                .iter()
                .filter(|(hash, _)| asks(hash))
                .filter_map(|(hash, (buyer, _))| Some((hash, policy.value(*rule, buyer.customer)?)))
                .collect();
            let values: BTreeSet<NonEmpty> = asked.values().cloned().collect();
            if values.is_empty() {
                continue;
            }
            let values: Vec<NonEmpty> = values.into_iter().collect();
            let found = target.find_candidates(*rule, &values, calls).await?;
            for (hash, value) in asked {
                let Some(found) = found.get(&value).filter(|found| !found.is_empty()) else { continue };
                if open.remove(hash) {
                    match policy.choose(*rule, people[hash].0.customer, found) {
                        Ok(one) => {
                            this.known
                                .insert(hash.clone(), StoredLink { link: Some(one.link), ..StoredLink::default() });
                        }
                        Err(why) => {
                            this.unclear.insert(hash.clone(), Unclear { why, choices: review::choices(found) });
                        }
                    }
                } else if let Some(linked) = this.known.get(hash).and_then(|known| known.link.clone())
                    && found.iter().all(|candidate| candidate.link.id != linked.id)
                {
                    let why = "it was linked to one customer, and its VAT number is that of another".to_owned();
                    let mut may_be = found.clone();
                    may_be.push(Candidate { link: linked, ..Candidate::default() });
                    this.unclear.insert(hash.clone(), Unclear { why, choices: review::choices(&may_be) });
                }
            }
        }
        Ok(this)
    }

    /// The customer was known from before.
    pub fn is_from_memory(&self, flow: &LoadedFlow, buyer: &Buyer<'_>) -> bool {
        let policy = Policy::of(&flow.flow.settings.customer);
        self.from_memory.contains(&identity(flow, &policy, buyer).key_hash)
    }

    /// Notes for the review list who the customer of a record may be, when that is what it failed with.
    pub async fn note_review(
        &self,
        engine: &Engine,
        flow: &LoadedFlow,
        record: &RecordKey,
        buyer: &Buyer<'_>,
        failure: &Failure,
    ) -> Result<(), Failure> {
        let of = identity(flow, &Policy::of(&flow.flow.settings.customer), buyer);
        let Some(unclear) = self.unclear.get(&of.key_hash).filter(|_| failure.cause().code == review::CODE) else {
            return Ok(());
        };
        let open = review::Open {
            key_hash: of.key_hash,
            person: of.person_hash,
            vat: of.vat_hash,
            choices: unclear.choices.clone(),
        };
        review::note(engine, &flow.tenant, &flow.name, record, &open).await
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
        let policy = Policy::of(&flow.flow.settings.customer);
        let of = identity(flow, &policy, buyer);
        if let Some(unclear) = self.unclear.get(&of.key_hash) {
            return Err(Failure::settings(review::cause(&unclear.why, &unclear.choices, flow.target_facts.name)));
        }
        let stored = self.known.get(&of.key_hash);
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
        let is_new = stored.is_some_and(|stored| stored.create);
        let matched = Matched {
            alias_hash: of.alias_hash,
            claim_hash: of.person_hash,
            vat_hash: of.vat_hash,
            create: is_new,
            not: stored.map(|stored| stored.not.clone()).unwrap_or_default(),
            confirm: is_new || !policy.is_by_address(),
            name: buyer.customer.debtor_name(),
            postcode: buyer.customer.billing.postcode.clone(),
        };
        Ok(Some(CustomerDecision {
            key_hash: of.key_hash,
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
            matched: if fixed.is_some() { Matched::default() } else { matched },
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

/// Fixed debtors are known by their code, everybody else by what the rules of the flow look at.
fn identity(flow: &LoadedFlow, policy: &Policy, buyer: &Buyer<'_>) -> Identity {
    match buyer.fixed {
        Some(code) => {
            let key_hash = flow.keyed_hash.of("debtor", code);
            Identity { person_hash: key_hash.clone(), key_hash, alias_hash: None, vat_hash: String::new() }
        }
        None => policy.identity(&flow.keyed_hash, &flow.flow.from, buyer.customer),
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
