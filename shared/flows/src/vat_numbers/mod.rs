//! VAT numbers that decide about reverse charge: asked of VIES before the VAT decision is made.
//!
//! * [`ask`] the answers of a chunk: what is known and not too old, else one question a number
//! * [`decisions`] what was decided for an order, so that it holds for what comes after it
//! * [`follow`] what an answer makes of an order or a customer
//!
//! Only numbers that matter are asked about: those of another member state than the seller's, on an order that stays in the
//! union and was charged no VAT. A service that is down holds up nothing else. "Unknown" is an answer of
//! its own; the flow's policy says what follows, and none of them is 0 % in silence.

mod ask;
mod decisions;
mod follow;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use koppel_core::document::{Customer, Entity, Order};
use koppel_core::error::{Cause, Failure};
use koppel_core::keys::{NonEmpty, RecordKey};
use koppel_core::ports::Calls;
use koppel_core::vat::{VatCheck, VatNumber, vat_prefix};

use crate::Engine;
use crate::config::{Config, FlowConfig, NumberCheck, VatNumberSettings};
use crate::loaded::LoadedFlow;
use crate::refunds;

pub(crate) use decisions::forget;
pub use follow::{apply_to_customer, apply_to_order, warning};

/// What there is to ask about one record.
pub struct Subject {
    /// The record.
    pub record: RecordKey,
    /// The order that is decided about, by its id in the source; `None` for customers, about whom every time is a new one.
    pub order: Option<RecordKey>,
    /// The number that its VAT depends on. Without one only what was decided before can hold.
    pub number: Option<VatNumber>,
    /// Country the goods go to.
    pub ship_to: String,
}

/// How the records of a chunk stand: the check that holds, or why a record cannot go on.
#[derive(Default)]
pub struct Checks {
    by_record: BTreeMap<RecordKey, Result<VatCheck, Failure>>,
    /// Calls that were made.
    pub calls: usize,
}

impl Checks {
    /// What holds for a record; `None` when there is nothing to check.
    pub fn of(&self, record: &RecordKey) -> Result<Option<&VatCheck>, Failure> {
        self.by_record.get(record).map_or(Ok(None), |check| check.as_ref().map(Some).map_err(Clone::clone))
    }
}

/// The settings that hold for a flow. A refund follows what was decided for its order, so those of the flow of orders do.
pub fn settings_of<'a>(config: &'a Config, flow: &'a FlowConfig) -> &'a VatNumberSettings {
    &refunds::followed(config, flow).settings.vat_number
}

/// VIES is asked for records of this flow.
pub fn is_on(config: &Config, flow: &FlowConfig) -> bool {
    matches!(flow.entity, Entity::Orders | Entity::Refunds | Entity::Customers)
        && settings_of(config, flow).check == NumberCheck::Vies
}

/// The prefix of the seller's own numbers: what the settings say, else the country of the books.
pub fn home(config: &Config, flow: &FlowConfig) -> Result<&'static str, Cause> {
    let of_books = || config.connections.get(&flow.to).and_then(|books| books.options.get("country"));
    let said = settings_of(config, flow).country.clone();
    let country = said.or_else(|| of_books().and_then(|country| country.to_json().as_str().map(str::to_owned)));
    let here = |cause: Cause| cause.in_row("settings.vat_number.country");
    let Some(country) = country else {
        let cause = Cause::new("missing_key", "to check VAT numbers it must be known which ones are domestic");
        return Err(here(cause.advice("set settings.vat_number.country: the country of the seller, such as NL")));
    };
    vat_prefix(&country).ok_or_else(|| {
        let cause = Cause::new("bad_value", format!("«{country}» is no member state whose VAT numbers VIES knows"));
        here(cause.advice("give the two letters of the seller's country, such as NL"))
    })
}

/// What is wrong with the settings of a flow.
pub(crate) fn wrong(systems: &dyn koppel_core::ports::Systems, config: &Config, flow: &FlowConfig) -> Vec<Cause> {
    if !is_on(config, flow) {
        return Vec::new();
    }
    let settings = settings_of(config, flow);
    let mut causes: Vec<Cause> = home(config, flow).err().into_iter().collect();
    if let Err(failure) = systems.vat_numbers(settings.url.as_deref()) {
        causes.push(failure.cause().clone());
    }
    for (country, percent) in &settings.percent {
        let row = format!("settings.vat_number.percent.{country}");
        if vat_prefix(country).is_none() || country.chars().any(|c| c.is_ascii_lowercase()) {
            let cause = Cause::new("bad_value", format!("«{country}» is no country of the union"));
            causes.push(cause.advice("give its two letters in capitals, such as BE").in_row(&row));
        }
        if percent.is_sign_negative() || percent.is_zero() || *percent >= rust_decimal::Decimal::ONE_HUNDRED {
            let cause = Cause::new("bad_value", format!("{percent} % is no rate of VAT"));
            causes.push(cause.advice("give a rate such as \"21\", or leave the country out").in_row(&row));
        }
    }
    causes
}

/// The number of an order that its VAT depends on.
pub fn of_order(order: &Order, home: &str) -> Option<VatNumber> {
    let charged_nothing = order.vat_exempt || is_free(order);
    let ship_to = order.ship_to().country.as_str();
    let number = VatNumber::read(order.customer.vat_number.as_deref()?, &order.customer.billing.country)?;
    // What leaves the union is free of VAT whoever buys it; Northern Ireland is in it for goods.
    let stays = vat_prefix(ship_to).is_some() || (number.country() == "XI" && ship_to == "GB");
    (charged_nothing && stays && number.country() != home).then_some(number)
}

/// The subject of an order, or of a refund of it. One that goes to another member state may have been decided about when it
/// still had a number.
pub fn subject_of(record: &RecordKey, order: &Order, home: &str) -> Option<Subject> {
    let number = of_order(order, home);
    let ship_to = order.ship_to().country.clone();
    let may_be_decided = number.is_some() || vat_prefix(&ship_to).is_some_and(|prefix| prefix != home);
    let subject = Subject { record: record.clone(), order: NonEmpty::new(&order.id), number, ship_to };
    may_be_decided.then_some(subject)
}

/// Something was sold, and no VAT was charged on any of it. A voucher beside goods that were charged is no reverse charge.
fn is_free(order: &Order) -> bool {
    order.lines.iter().all(|line| line.rate_percent().is_zero()) && order.lines.iter().any(|line| !line.net.is_zero())
}

/// The number of a customer that the VAT code of its debtor depends on.
pub fn of_customer(customer: &Customer, home: &str) -> Option<VatNumber> {
    let number = VatNumber::read(customer.vat_number.as_deref()?, &customer.billing.country)?;
    (number.country() != home).then_some(number)
}

/// Decides about the numbers of a chunk. With `keep` false nothing is stored: somebody only looks.
pub async fn look(engine: &Engine, flow: &LoadedFlow, subjects: &[Subject], keep: bool) -> Result<Checks, Failure> {
    let mut checks = Checks::default();
    if subjects.is_empty() {
        return Ok(checks);
    }
    let mut open: Vec<(&Subject, &VatNumber)> = Vec::new();
    for (subject, known) in subjects.iter().zip(decisions::known(engine, flow, subjects).await?) {
        match known {
            decisions::Known::Holds(check) => drop(checks.by_record.insert(subject.record.clone(), Ok(check))),
            // It was delivered before anybody checked numbers.
            decisions::Known::Never => {}
            decisions::Known::Open => open.extend(subject.number.as_ref().map(|number| (subject, number))),
        }
    }
    let calls = Calls::new(flow.priority);
    let numbers = open.iter().map(|(_, number)| *number);
    let answers = ask::answers(engine, flow, numbers, keep, &calls, &mut checks.calls).await?;
    let settings = settings_of(&flow.config, &flow.flow);
    for (subject, number) in open {
        let Some(said) = answers.get(number) else { continue };
        let check = follow::check(said, settings, &subject.ship_to);
        if let Ok(check) = &check
            && keep
            && flow.flow.entity == Entity::Orders
            && let Some(order) = &subject.order
        {
            decisions::keep(engine, flow, order, number, check).await?;
        }
        checks.by_record.insert(subject.record.clone(), check);
    }
    Ok(checks)
}

/// A key of what is kept of a number: never the number itself, which may be that of one person.
fn hash_of(flow: &LoadedFlow, number: &VatNumber) -> String {
    let url = settings_of(&flow.config, &flow.flow).url.as_deref().unwrap_or_default();
    // Another service is another truth: what a stand-in said must not hold for the real one.
    flow.keyed_hash.of("vat-number", &format!("{url}\0{}{}", number.country(), number.number()))
}
