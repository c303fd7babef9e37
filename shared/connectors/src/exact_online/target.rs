//! Exact Online as a system that documents are written to, and products as items.
//!
//! * `items.rs`: products and their variations, each an item
//! * `native.rs`: one item, made and compared
//! * `prices.rs`: its sales price
//! * `lists.rs`: what an item points at

mod items;
pub(super) mod lists;
mod native;
mod prices;

use std::collections::BTreeMap;

use async_trait::async_trait;
use koppel_core::connection::Connection;
use koppel_core::document::{DocumentType, Entity};
use koppel_core::message::CustomerDecision;
use koppel_core::ports::target::{Change, Existing, Found, Wanted};
use koppel_core::ports::{Asked, Calls, Candidate, CustomerLink, Finding, PERIOD_CLOSED, Reference, Sent, Target};
use koppel_core::system::{Lookup, MatchField};
use koppel_core::{Cause, Failure, NonEmpty};
use serde_json::{Map, Value};

use super::documents::{REFERENCE, Shape};
use super::{ExactOnline, FACTS};
use super::{credit, customers, diagnose, lookups, odata};

#[async_trait]
impl Target for ExactOnline {
    async fn find_documents(
        &self,
        document: DocumentType,
        keys: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Found>, Failure> {
        self.find_documents_by(document, REFERENCE, keys, calls).await
    }

    async fn find_documents_by(
        &self,
        document: DocumentType,
        field: &str,
        keys: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Found>, Failure> {
        let shape = Shape::of(document);
        let is_number = FACTS.search_fields(document).iter().any(|known| known.name == field && known.is_number);
        // The value that Exact keeps of each key. What is no number cannot stand in a field of numbers.
        let stored = |key: &NonEmpty| match is_number {
            true => key.as_str().parse::<i32>().ok().map(|number| number.to_string()),
            false => Some(key.as_str().to_owned()),
        };
        let wanted: BTreeMap<String, &NonEmpty> = keys.iter().filter_map(|key| Some((stored(key)?, key))).collect();
        if wanted.is_empty() {
            return Ok(BTreeMap::new());
        }
        let literal = |value: String| if is_number { value } else { odata::text(&value) };
        let literals: Vec<String> = keys.iter().filter_map(stored).map(literal).collect();
        let mut rows =
            self.client.search(shape.entity, &[field], &literals, &shape.search_select(field), calls).await?;
        // Nothing in Exact keeps a reference unique; of several the one with the lowest number was the first.
        rows.sort_by_key(|row| {
            let number = shape.number(row);
            (number.len(), number, odata::field(row, shape.id))
        });
        let mut found = BTreeMap::new();
        for row in &rows {
            // The database may compare without case, so the exact comparison happens here.
            let key = odata::field(row, field).and_then(|value| wanted.get(&value).copied());
            if let (Some(key), Some(id)) = (key, odata::field(row, shape.id)) {
                found.entry(key.clone()).or_insert_with(|| Found { id, number: shape.number(row) });
            }
        }
        Ok(found)
    }

    async fn find_customers(
        &self,
        emails: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, CustomerLink>, Failure> {
        customers::find(&self.client, emails, calls).await
    }

    async fn find_candidates(
        &self,
        by: MatchField,
        values: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Vec<Candidate>>, Failure> {
        customers::candidates(&self.client, by, values, calls).await
    }

    async fn look_up(
        &self,
        list: Lookup,
        codes: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Reference>, Failure> {
        lookups::look_up(&self.client, list, codes, calls).await
    }

    async fn list_codes(&self, list: Lookup, calls: &Calls) -> Result<Vec<Reference>, Failure> {
        lookups::list_codes(&self.client, list, calls).await
    }

    async fn send_customer(
        &self,
        decision: &CustomerDecision,
        known: Option<&CustomerLink>,
        calls: &Calls,
    ) -> Result<CustomerLink, Failure> {
        customers::send(&self.client, decision, known, calls).await
    }

    async fn send_order(
        &self,
        document: DocumentType,
        payload: &Value,
        customer: &CustomerLink,
        delivery_key: Option<&str>,
        calls: &Calls,
    ) -> Result<Sent, Failure> {
        let shape = Shape::of(document);
        let mut body = shape.body(payload, customer, delivery_key)?;
        self.credit_lines.turn(&mut body, shape.lines);
        let answer = match self.client.create(shape.entity, body.clone(), calls).await {
            // An account that was found as a prospect may come here straight from the search. Exact refuses it until it
            // is a customer; a refusal changed nothing, so the same document is posted once more.
            Err(Failure::Reject(cause)) if cause.code != PERIOD_CLOSED && customers::is_no_customer_yet(customer) => {
                customers::promote(&self.client, &mut customer.clone(), calls).await?;
                self.client.create(shape.entity, body.clone(), calls).await?
            }
            other => other?,
        };
        Ok(credit::answered(&body, shape.sent(payload, &answer)?))
    }

    async fn find_records(
        &self,
        entity: Entity,
        keys: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Vec<Existing>>, Failure> {
        let fields = Map::new();
        let wanted: Vec<Wanted<'_>> = keys.iter().map(|key| Wanted { key, fields: &fields }).collect();
        self.find_wanted(entity, &wanted, calls).await
    }

    async fn find_wanted(
        &self,
        entity: Entity,
        wanted: &[Wanted<'_>],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Vec<Existing>>, Failure> {
        match entity {
            Entity::Products => items::find(self, wanted, calls).await,
            entity => Err(cannot(entity)),
        }
    }

    async fn send_records(
        &self,
        entity: Entity,
        changes: &[Change],
        calls: &Calls,
    ) -> Result<Vec<Result<Sent, Failure>>, Failure> {
        match entity {
            Entity::Products => items::send(self, changes, calls).await,
            entity => Err(cannot(entity)),
        }
    }

    async fn test_connection(&self, calls: &Calls) -> Result<String, Failure> {
        self.client.introduce(calls).await
    }

    async fn diagnose(&self, asked: &Asked, calls: &Calls) -> Result<Vec<Finding>, Failure> {
        diagnose::diagnose(&self.client, asked, calls).await
    }
}

fn cannot(entity: Entity) -> Failure {
    Failure::settings(
        Cause::new("not_supported", format!("{entity} cannot be kept in step in Exact Online"))
            .advice("koppel systems shows what each system can do"),
    )
}

/// The option `unknown_item_group`.
pub(super) fn refuses_unknown_groups(connection: &Connection) -> Result<bool, Failure> {
    match connection.option("unknown_item_group").as_deref() {
        None | Some("usual") => Ok(false),
        Some("refuse") => Ok(true),
        Some(other) => Err(Failure::settings(
            Cause::new("bad_option", format!("«{other}» does not say what to do with an unknown item group"))
                .advice("use usual or refuse")
                .in_row("unknown_item_group")
                .at_connection(&connection.name),
        )),
    }
}
