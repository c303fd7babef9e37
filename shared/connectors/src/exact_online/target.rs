//! Exact Online as a system that documents are written to.

use std::collections::BTreeMap;

use async_trait::async_trait;
use koppel_core::document::DocumentType;
use koppel_core::message::CustomerDecision;
use koppel_core::ports::target::Found;
use koppel_core::ports::{Asked, Calls, CustomerLink, Finding, Reference, Sent, Target};
use koppel_core::system::Lookup;
use koppel_core::{Failure, NonEmpty};
use serde_json::Value;

use super::ExactOnline;
use super::documents::{REFERENCE, Shape};
use super::{credit, customers, diagnose, lookups, odata};

#[async_trait]
impl Target for ExactOnline {
    async fn find_documents(
        &self,
        document: DocumentType,
        keys: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Found>, Failure> {
        let shape = Shape::of(document);
        let literals: Vec<String> = keys.iter().map(|key| odata::text(key.as_str())).collect();
        let mut rows = self.client.search(shape.entity, &[REFERENCE], &literals, &shape.search_select(), calls).await?;
        // Nothing in Exact keeps a reference unique; of several the one with the lowest number was the first.
        rows.sort_by_key(|row| {
            let number = shape.number(row);
            (number.len(), number, odata::field(row, shape.id))
        });
        let mut found = BTreeMap::new();
        for row in &rows {
            // The database may compare without case, so the exact comparison happens here.
            let key = odata::field(row, REFERENCE).and_then(NonEmpty::new).filter(|key| keys.contains(key));
            if let (Some(key), Some(id)) = (key, odata::field(row, shape.id)) {
                found.entry(key).or_insert_with(|| Found { id, number: shape.number(row) });
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
            Err(Failure::Reject(_)) if customers::is_no_customer_yet(customer) => {
                customers::promote(&self.client, &mut customer.clone(), calls).await?;
                self.client.create(shape.entity, body.clone(), calls).await?
            }
            other => other?,
        };
        Ok(credit::answered(&body, shape.sent(payload, &answer)?))
    }

    async fn test_connection(&self, calls: &Calls) -> Result<String, Failure> {
        self.client.introduce(calls).await
    }

    async fn diagnose(&self, asked: &Asked, calls: &Calls) -> Result<Vec<Finding>, Failure> {
        diagnose::diagnose(&self.client, asked, calls).await
    }
}
