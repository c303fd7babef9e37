//! What a plan says: each record with what would become of it, the differences field by field, and sums.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use koppel_core::document::{Document, Entity};
use koppel_core::error::{Cause, Failure};
use koppel_core::message::{Action, CustomerDecision, Decision};
use koppel_core::outcome::{Funnel, Outcome};
use koppel_core::vat::VatCheck;
use serde::Serialize;
use serde_json::Value;

use super::{Planner, Totals};
use crate::config::ClosedPeriod;
use crate::ledger::{self, State};
use crate::loaded::{LoadedFlow, Way};
use crate::periods::Periods;
use crate::privacy::content_hash;
use crate::runs::RecordResult;
use crate::steps::{describe, outcome_of};

/// What a run would do.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// Flow.
    pub flow: String,
    /// What its records are.
    pub entity: Entity,
    /// Records changed after this moment were read.
    pub since: DateTime<Utc>,
    /// No more were read than this.
    pub limit: Option<usize>,
    /// How the records would end.
    pub funnel: Funnel,
    /// Calls that the plan made, to both systems.
    pub calls: usize,
    /// Customers that would be created for documents; each once, whatever number of documents needs it.
    pub new_customers: usize,
    /// Every record.
    pub records: Vec<PlannedRecord>,
    /// What would be booked.
    pub totals: Totals,
    /// What a plan cannot know.
    pub notes: Vec<String>,
}

/// What would become of one record.
#[derive(Clone, Debug, Serialize)]
pub struct PlannedRecord {
    /// How it would end, with amounts, causes and warnings.
    pub result: RecordResult,
    /// Key by which the target would know it.
    pub natural_key: String,
    /// Who it would be for.
    pub customer: Option<PlannedCustomer>,
    /// What VIES said of the buyer's VAT number, when, and what follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vat_number: Option<String>,
    /// Fields that would change, for records that are compared field by field.
    pub changes: Vec<Change>,
    /// What would be sent; null when nothing would be.
    pub payload: Value,
    /// Hash of it, to compare with what a run has sent.
    pub payload_hash: String,
}

/// A field that would change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Native name.
    pub field: String,
    /// What the target has.
    pub before: Value,
    /// What it would get.
    pub after: Value,
}

/// Who a document would be for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedCustomer {
    /// What would happen.
    pub act: CustomerAct,
    /// Code in the target, when it is there.
    pub code: String,
    /// The goods go to an address that is not known for this customer yet.
    pub new_address: bool,
}

/// What would happen to a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CustomerAct {
    /// It is not there.
    Create,
    /// It is there, and would be changed if it differs.
    Update,
    /// It is there.
    Use,
}

/// Puts the plan together.
pub(super) async fn of(
    planner: &Planner,
    ended: Vec<RecordResult>,
    decisions: Vec<Decision>,
    fetched: u64,
    calls: usize,
) -> Result<Plan, Failure> {
    let flow = &planner.flow;
    let mut records: Vec<PlannedRecord> = ended.into_iter().map(ended_before).collect();
    let new: BTreeSet<&str> = decisions
        .iter()
        .filter_map(|d| d.customer.as_ref())
        .filter(|c| c.link.is_none())
        .map(|c| &*c.key_hash)
        .collect();
    let new_customers = if flow.way() == Way::Documents { new.len() } else { 0 };
    let totals = Totals::of(decisions.iter().map(|decision| &decision.record.document));
    let periods = Periods::remembered(&planner.engine, flow).await?;
    let mut owners = BTreeMap::new();
    let mut untold = BTreeSet::new();
    for decision in &decisions {
        let mut planned = planned(planner, decision);
        if let (Way::Documents, Document::Order(order)) = (flow.way(), &decision.record.document) {
            let day = decision.dated.unwrap_or(order.date);
            untold.extend(Some(day).filter(|day| !periods.is_certain(*day)).map(|day| periods.name_of(day)));
        }
        if flow.way() == Way::Kept
            && let Some(other) = owners.insert(&decision.natural_key, &decision.record.label)
        {
            planned.result.warnings.push(same_key(&decision.natural_key, other));
        }
        if claimed(planner, decision).await? {
            planned.result.warnings.push(search_first(flow.target_facts.name));
        }
        records.push(planned);
    }
    let mut funnel = Funnel { fetched, ..Funnel::default() };
    for record in &records {
        funnel.add(record.result.outcome, 1);
    }
    records.sort_by(|a, b| order_of(&a.result).cmp(&order_of(&b.result)));
    Ok(Plan {
        flow: flow.name.clone(),
        entity: flow.flow.entity,
        since: planner.first.since,
        limit: planner.limit,
        funnel,
        calls,
        new_customers,
        records,
        totals,
        notes: notes(flow.way(), flow.flow.entity).into_iter().chain(unknown_periods(flow, &untold)).collect(),
    })
}

fn ended_before(result: RecordResult) -> PlannedRecord {
    PlannedRecord {
        result,
        natural_key: String::new(),
        customer: None,
        vat_number: None,
        changes: Vec::new(),
        payload: Value::Null,
        payload_hash: String::new(),
    }
}

fn planned(planner: &Planner, decision: &Decision) -> PlannedRecord {
    let record = &decision.record;
    let way = planner.flow.way();
    let existing = planner.seen.existing(&decision.natural_key).filter(|_| way == Way::Kept);
    let outcome = match (way, &decision.action) {
        (Way::Kept, Action::Update { .. }) => Outcome::Updated,
        (Way::Kept, Action::Create) => Outcome::Created,
        _ => outcome_of(decision),
    };
    let sent = decision.payload.as_object().into_iter().flatten();
    let changes: Vec<Change> = match &existing {
        Some(existing) => sent
            .map(|(field, after)| Change {
                field: field.clone(),
                before: existing.fields.get(field).cloned().unwrap_or_default(),
                after: after.clone(),
            })
            .collect(),
        None => Vec::new(),
    };
    let mut result = describe(RecordResult::new(&record.key, &record.label, outcome), record);
    // Named as a run names them.
    result.fields = changes.iter().map(|change| change.field.trim_start_matches('_').to_owned()).collect();
    result.target_number = existing.map(|existing| existing.label).unwrap_or_default();
    if let (Way::Debtors, Some(link)) = (way, decision.customer.as_ref().and_then(|c| c.link.as_ref())) {
        result.target_number.clone_from(&link.code);
    }
    PlannedRecord {
        result,
        natural_key: decision.natural_key.to_string(),
        customer: decision.customer.as_ref().map(customer),
        vat_number: match &record.document {
            Document::Order(order) => order.vat_check.as_ref().map(VatCheck::text),
            _ => None,
        },
        changes,
        payload: decision.payload.clone(),
        payload_hash: content_hash(&decision.payload),
    }
}

fn customer(decision: &CustomerDecision) -> PlannedCustomer {
    let act = match &decision.link {
        None => CustomerAct::Create,
        Some(_) if decision.update => CustomerAct::Update,
        Some(_) => CustomerAct::Use,
    };
    let known = |key: &String| decision.link.as_ref().is_some_and(|link| link.addresses.contains_key(key));
    PlannedCustomer {
        act,
        code: decision.link.as_ref().map(|link| link.code.clone()).unwrap_or_default(),
        new_address: decision.delivery_key.as_ref().is_some_and(|key| !known(key)),
    }
}

/// An earlier attempt has no result: a run would search before it writes.
async fn claimed(planner: &Planner, decision: &Decision) -> Result<bool, Failure> {
    let keys = std::slice::from_ref(&decision.record.key);
    let entries = ledger::entries(&planner.engine, &planner.flow.tenant, &planner.flow.name, keys).await?;
    Ok(entries.iter().flatten().any(|known| known.entry.state == State::Claimed))
}

fn search_first(target: &str) -> Cause {
    Cause::new("search_first", format!("an earlier attempt has no result: {target} is searched before it is written"))
}

fn same_key(key: &koppel_core::NonEmpty, other: &str) -> Cause {
    Cause::new("shared_key", format!("«{key}» is also the key of record {other}: only one of both will be written"))
        .advice("give each of them a key of its own in the source")
}

/// What only writing finds out.
fn notes(way: Way, entity: Entity) -> Vec<String> {
    let notes: &[&str] = match (way, entity) {
        (Way::Documents, _) => &[
            "contacts and delivery addresses are found or created while a document is written",
            "the target computes its own total: a difference is shown by the run, not here",
        ],
        (Way::Debtors, _) => &["which fields of a customer differ is found out while it is written"],
        (Way::Kept, Entity::Products) => &[
            "pictures are loaded, and parents, categories and attributes are made, while a product is written",
            "the target may refuse what it is sent; a plan cannot ask it",
        ],
        (Way::Kept, _) => &["the target may refuse what it is sent; a plan cannot ask it"],
    };
    notes.iter().map(|note| (*note).to_owned()).collect()
}

/// A target that does not tell its periods shows what is closed when the first document is posted.
fn unknown_periods(flow: &LoadedFlow, names: &BTreeSet<String>) -> Option<String> {
    let then = match flow.flow.settings.closed_period {
        ClosedPeriod::Reject => "if so, they are rejected",
        ClosedPeriod::FirstOpenDay => "if so, they get the first open day after it",
    };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let system = flow.target_facts.name;
    (!names.is_empty()).then(|| {
        format!(
            "whether {system} has closed {} is found out when the first document of it is posted; {then}",
            names.join(", ")
        )
    })
}

/// Numbers by their value, other labels after them by their text.
fn order_of(result: &RecordResult) -> (bool, u64, &str) {
    let number = result.label.parse::<u64>().ok();
    (number.is_none(), number.unwrap_or_default(), &result.label)
}

impl PlannedRecord {
    /// The document would be created or changed.
    pub fn would_be_sent(&self) -> bool {
        matches!(self.result.outcome, Outcome::Created | Outcome::Updated)
    }
}

impl Plan {
    /// The record with this label.
    pub fn record(&self, label: &str) -> Option<&PlannedRecord> {
        self.records.iter().find(|record| record.result.label == label)
    }
}
