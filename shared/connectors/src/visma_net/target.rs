//! Visma Net as a system that documents are written to.

use std::collections::BTreeMap;

use async_trait::async_trait;
use koppel_core::document::{DocumentType, Entity};
use koppel_core::message::CustomerDecision;
use koppel_core::ports::target::{Change, Existing, Found};
use koppel_core::ports::{Asked, Calls, CustomerLink, Finding, Period, Reference, Sent, Target};
use koppel_core::system::Lookup;
use koppel_core::{Failure, NonEmpty};
use serde_json::Value;

use super::{FACTS, VismaNet, customers, diagnose, documents, kept, lookups};

#[async_trait]
impl Target for VismaNet {
    async fn find_documents(
        &self,
        document: DocumentType,
        keys: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Found>, Failure> {
        let usual = FACTS.search_fields(document).first().map_or("", |usual| usual.name);
        self.find_documents_by(document, usual, keys, calls).await
    }

    async fn find_documents_by(
        &self,
        document: DocumentType,
        field: &str,
        keys: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Found>, Failure> {
        documents::find(&self.client, &self.documents, &self.search, document, field, keys, calls).await
    }

    async fn find_customers(
        &self,
        emails: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, CustomerLink>, Failure> {
        customers::find(&self.client, &self.customers, emails, calls).await
    }

    async fn look_up(
        &self,
        list: Lookup,
        codes: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Reference>, Failure> {
        lookups::look_up(self, list, codes, calls).await
    }

    async fn list_codes(&self, list: Lookup, calls: &Calls) -> Result<Vec<Reference>, Failure> {
        lookups::list_codes(self, list, calls).await
    }

    async fn list_periods(&self, document: DocumentType, calls: &Calls) -> Result<Option<Vec<Period>>, Failure> {
        lookups::periods(&self.client, document, calls).await.map(Some)
    }

    async fn send_customer(
        &self,
        decision: &CustomerDecision,
        known: Option<&CustomerLink>,
        calls: &Calls,
    ) -> Result<CustomerLink, Failure> {
        customers::send(&self.client, &self.customers, decision, known, calls).await
    }

    async fn send_order(
        &self,
        document: DocumentType,
        payload: &Value,
        customer: &CustomerLink,
        // The order itself says where the goods go.
        _delivery_key: Option<&str>,
        calls: &Calls,
    ) -> Result<Sent, Failure> {
        let options = (&self.documents, &self.customers);
        documents::send(&self.client, options, document, payload, customer, calls).await
    }

    async fn find_records(
        &self,
        entity: Entity,
        keys: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Vec<Existing>>, Failure> {
        kept::find(&self.client, entity, keys, calls).await
    }

    async fn send_records(
        &self,
        entity: Entity,
        changes: &[Change],
        calls: &Calls,
    ) -> Result<Vec<Result<Sent, Failure>>, Failure> {
        kept::send(&self.client, &self.customers, entity, changes, calls).await
    }

    async fn test_connection(&self, calls: &Calls) -> Result<String, Failure> {
        diagnose::introduce(&self.client, calls).await
    }

    async fn diagnose(&self, asked: &Asked, calls: &Calls) -> Result<Vec<Finding>, Failure> {
        diagnose::diagnose(self, asked, calls).await
    }
}
