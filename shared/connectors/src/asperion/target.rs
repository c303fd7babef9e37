//! Asperion as a system that documents are written to.

use std::collections::BTreeMap;

use async_trait::async_trait;
use koppel_core::document::DocumentType;
use koppel_core::message::CustomerDecision;
use koppel_core::ports::target::Found;
use koppel_core::ports::{Asked, Calls, CustomerLink, Finding, Reference, Sent, Target};
use koppel_core::system::Lookup;
use koppel_core::{Failure, NonEmpty};
use serde_json::Value;

use super::documents::Shape;
use super::{Asperion, customers, diagnose, lookups};

#[async_trait]
impl Target for Asperion {
    async fn find_documents(
        &self,
        document: DocumentType,
        keys: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Found>, Failure> {
        Shape::of(document)?.find(&self.client, &self.settings, keys, calls).await
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
        customers::send(&self.client, &self.settings, &self.profile, decision, known, calls).await
    }

    async fn send_order(
        &self,
        document: DocumentType,
        payload: &Value,
        customer: &CustomerLink,
        _delivery_key: Option<&str>,
        calls: &Calls,
    ) -> Result<Sent, Failure> {
        let shape = Shape::of(document)?;
        let body = shape.body(payload, customer, &self.settings, &self.client)?;
        let answer = self.client.create(shape.path, body, calls).await?;
        shape.sent(payload, &answer)
    }

    async fn test_connection(&self, calls: &Calls) -> Result<String, Failure> {
        self.client.introduce(calls).await
    }

    async fn diagnose(&self, asked: &Asked, calls: &Calls) -> Result<Vec<Finding>, Failure> {
        diagnose::diagnose(self, asked, calls).await
    }
}
