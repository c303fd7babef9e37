//! Makes the customer of a document exist, once, whoever else is creating it at the same time.

use koppel_core::error::{Failure, RetryReason};
use koppel_core::keys::NonEmpty;
use koppel_core::message::{CustomerDecision, Header, Step};
use koppel_core::outcome::Outcome;
use koppel_core::ports::target::CustomerLink;
use koppel_core::ports::{Calls, Target};
use koppel_core::system::MatchField;

use crate::Engine;
use crate::ledger::{self, Claim, State};
use crate::links::{self, StoredLink};
use crate::loaded::LoadedFlow;
use crate::matching::is_confirmed;
use crate::review;

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
    let kept = kept(engine, flow, wanted).await?;
    let (stored, is_own) = (kept.link, kept.is_own);
    let known = merge(stored.as_ref().and_then(|s| s.link.clone()), wanted.link.clone());
    let current = stored.as_ref().is_some_and(|s| s.has(&wanted.content_hash));
    if let Some(link) = &known
        && has_all(link, wanted)
        && (current || !wanted.update)
    {
        let as_kept =
            |stored: &StoredLink| stored.person == wanted.matched.claim_hash && stored.vat == wanted.matched.vat_hash;
        if !is_own || stored.as_ref().is_none_or(|stored| stored.link.is_none() || !as_kept(stored)) {
            remember(engine, flow, wanted, link, stored.as_ref(), false).await?;
        }
        return Ok(link.clone());
    }
    // By the address, which customers with and without a number in the shop have: whoever creates one keeps the other waiting.
    let claimed = if wanted.matched.claim_hash.is_empty() { &wanted.key_hash } else { &wanted.matched.claim_hash };
    let key = links::customer_claim_key(&flow.tenant, connection, claimed);
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

/// What is kept of a customer.
struct Kept {
    link: Option<StoredLink>,
    /// Under its own name, not only under the other one.
    is_own: bool,
}

async fn kept(engine: &Engine, flow: &LoadedFlow, wanted: &CustomerDecision) -> Result<Kept, Failure> {
    let hashes: Vec<String> =
        std::iter::once(wanted.key_hash.clone()).chain(wanted.matched.alias_hash.clone()).collect();
    let mut known = links::customers(engine, &flow.tenant, &flow.flow.to, &hashes).await?;
    match known.remove(&wanted.key_hash) {
        Some(own) => Ok(Kept { link: Some(own), is_own: true }),
        None => {
            Ok(Kept { link: wanted.matched.alias_hash.as_ref().and_then(|alias| known.remove(alias)), is_own: false })
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
    let stored = kept(engine, flow, wanted).await?.link;
    let mut known = merge(stored.as_ref().and_then(|s| s.link.clone()), wanted.link.clone());
    if known.is_none()
        && claim.search_first
        && let Some(email) = NonEmpty::new(&wanted.email)
    {
        known = made_before(flow, target, wanted, &email, calls).await?;
    }
    let link = target.send_customer(wanted, known.as_ref(), calls).await?;
    Ok(Made { link, written: known.is_none() || wanted.update, before: stored })
}

/// What an earlier attempt has made: it has the address, and is none of those that were there before.
async fn made_before(
    flow: &LoadedFlow,
    target: &dyn Target,
    wanted: &CustomerDecision,
    email: &NonEmpty,
    calls: &Calls,
) -> Result<Option<CustomerLink>, Failure> {
    let matched = &wanted.matched;
    let found = target.find_candidates(MatchField::Email, std::slice::from_ref(email), calls).await?.remove(email);
    let mut found = found.unwrap_or_default();
    found.retain(|one| !matched.not.contains(&one.link.id));
    // A target that does not say names is only asked by address.
    if matched.confirm && flow.target_facts.customers.tells_all {
        found.retain(|one| is_confirmed(one, &matched.name, &matched.postcode));
    }
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one.link.clone())),
        several => {
            let why = format!("{} customers have its e-mail address", several.len());
            Err(Failure::settings(review::cause(&why, &review::choices(several), flow.target_facts.name)))
        }
    }
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
    let stored = StoredLink {
        link: Some(link),
        content_hash,
        written,
        person: wanted.matched.claim_hash.clone(),
        vat: wanted.matched.vat_hash.clone(),
        decided: before.is_some_and(|before| before.decided),
        ..StoredLink::default()
    };
    let (tenant, connection) = (&flow.tenant, &flow.flow.to);
    links::remember_customer(engine, tenant, connection, &wanted.key_hash, &stored).await?;
    // Of one that somebody chose, the same address alone does not say that it is this one.
    let Some(alias) = wanted.matched.alias_hash.as_ref().filter(|_| !stored.decided) else { return Ok(()) };
    let other = links::customers(engine, tenant, connection, std::slice::from_ref(alias)).await?.remove(alias);
    let id_of = |stored: &StoredLink| stored.link.as_ref().map(|link| link.id.clone());
    if other.is_none_or(|other| other.link.is_none() || id_of(&other) == id_of(&stored)) {
        links::remember_customer(engine, tenant, connection, alias, &stored).await?;
    }
    Ok(())
}

/// Ends the claim: the claim is only a lock, the link is kept apart.
async fn finish(engine: &Engine, claim: Claim, header: &Header) -> Result<(), Failure> {
    let now = engine.clock.now();
    ledger::commit(engine, claim, ledger::without_target(State::Exists, Outcome::Created, Step::Write, header, now))
        .await
}
