//! Makes the customer of a document exist, once, whoever else is creating it at the same time.

use koppel_core::error::{Failure, RetryReason};
use koppel_core::keys::NonEmpty;
use koppel_core::message::{CustomerDecision, Header, Step};
use koppel_core::outcome::Outcome;
use koppel_core::ports::target::CustomerLink;
use koppel_core::ports::{Calls, Target};

use crate::Engine;
use crate::ledger::{self, Claim, State};
use crate::links::{self, StoredLink};
use crate::loaded::LoadedFlow;

/// Delivery addresses that are remembered of one customer.
const MOST_ADDRESSES: usize = 500;

/// The customer's link, with contact and delivery address as far as the document needs them.
pub async fn ensure(
    engine: &Engine,
    flow: &LoadedFlow,
    target: &dyn Target,
    header: &Header,
    wanted: &CustomerDecision,
    calls: &Calls,
) -> Result<CustomerLink, Failure> {
    let connection = &flow.flow.to;
    // Read again: another record of this chunk may have created the customer a moment ago.
    let hashes = std::slice::from_ref(&wanted.key_hash);
    let stored = links::customers(engine, &flow.tenant, connection, hashes).await?.remove(&wanted.key_hash);
    let known = merge(stored.as_ref().and_then(|s| s.link.clone()), wanted.link.clone());
    let current = stored.as_ref().is_some_and(|s| s.has(&wanted.content_hash));
    if let Some(link) = &known
        && has_all(link, wanted)
        && (current || !wanted.update)
    {
        if stored.is_none() {
            remember(engine, flow, wanted, link, None, false).await?;
        }
        return Ok(link.clone());
    }
    let key = links::customer_claim_key(&flow.tenant, connection, &wanted.key_hash);
    let claim = match ledger::claim(engine, key, header).await? {
        Ok(claim) => claim,
        Err(_) => return Err(ledger::busy_for_a_moment()),
    };
    match create(engine, flow, target, wanted, &claim, calls).await {
        Ok(Made { link, before, written }) => {
            remember(engine, flow, wanted, &link, before.as_ref(), written).await?;
            finish(engine, claim, header).await?;
            Ok(link)
        }
        Err(failure) => {
            // Whatever failed, parts of the customer may exist by now (the debtor without its contact, say), so the
            // next one searches before it creates.
            ledger::leave_open(engine, claim, header).await?;
            // For the document nothing is unknown: it was not sent yet.
            Err(match failure {
                Failure::Retry { reason: RetryReason::OutcomeUnknown, after, cause } => {
                    Failure::Retry { reason: RetryReason::Unavailable, after, cause }
                }
                other => other,
            })
        }
    }
}

/// A customer that exists by now.
struct Made {
    link: CustomerLink,
    /// What was known of it.
    before: Option<StoredLink>,
    /// It has what the source says of it; otherwise only what was missing was added.
    written: bool,
}

/// The claimed part. What is known is read again first: whoever held the claim before may have created the customer
/// after this one had looked.
async fn create(
    engine: &Engine,
    flow: &LoadedFlow,
    target: &dyn Target,
    wanted: &CustomerDecision,
    claim: &Claim,
    calls: &Calls,
) -> Result<Made, Failure> {
    let hashes = std::slice::from_ref(&wanted.key_hash);
    let stored = links::customers(engine, &flow.tenant, &flow.flow.to, hashes).await?.remove(&wanted.key_hash);
    let mut known = merge(stored.as_ref().and_then(|s| s.link.clone()), wanted.link.clone());
    if known.is_none()
        && claim.search_first
        && let Some(email) = NonEmpty::new(&wanted.email)
    {
        known = target.find_customers(std::slice::from_ref(&email), calls).await?.remove(&email);
    }
    let link = target.send_customer(wanted, known.as_ref(), calls).await?;
    Ok(Made { link, written: known.is_none() || wanted.update, before: stored })
}

/// The link has everything that the document needs.
fn has_all(link: &CustomerLink, wanted: &CustomerDecision) -> bool {
    let contact_needed = !wanted.email.is_empty() && wanted.payload.get("contact").is_some_and(|c| !c.is_null());
    let delivery_known = wanted.delivery_key.as_ref().is_none_or(|key| link.addresses.contains_key(key));
    (!contact_needed || link.contact.is_some()) && delivery_known
}

/// What is stored knows more than what check saw; the debtor of a fixed code is what check resolved.
fn merge(stored: Option<CustomerLink>, checked: Option<CustomerLink>) -> Option<CustomerLink> {
    match (stored, checked) {
        (Some(stored), Some(checked)) => Some(CustomerLink { id: checked.id, code: checked.code, ..stored }),
        (stored, checked) => stored.or(checked),
    }
}

async fn remember(
    engine: &Engine,
    flow: &LoadedFlow,
    wanted: &CustomerDecision,
    link: &CustomerLink,
    before: Option<&StoredLink>,
    written: bool,
) -> Result<(), Failure> {
    let mut link = link.clone();
    // One debtor for all guests has as many delivery addresses as guests, and a stored item has its size. What is
    // forgotten here is found again by the target.
    if link.addresses.len() > MOST_ADDRESSES {
        link.addresses.retain(|key, _| Some(key) == wanted.delivery_key.as_ref());
    }
    // What was not written stays what it was: it is not what the target has.
    let (content_hash, written) = match before {
        Some(before) if !written && !before.content_hash.is_empty() => (before.content_hash.clone(), before.written),
        _ => (wanted.content_hash.clone(), written),
    };
    let stored = StoredLink { link: Some(link), content_hash, written };
    links::remember_customer(engine, &flow.tenant, &flow.flow.to, &wanted.key_hash, &stored).await
}

/// Ends the claim: the claim is only a lock, the link is kept apart.
async fn finish(engine: &Engine, claim: Claim, header: &Header) -> Result<(), Failure> {
    let now = engine.clock.now();
    ledger::commit(engine, claim, ledger::without_target(State::Exists, Outcome::Created, Step::Write, header, now))
        .await
}
