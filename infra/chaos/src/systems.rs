//! The real connectors with gates before them: a host may die or fall asleep before a call and after it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use koppel_core::Failure;
use koppel_core::connection::Connection;
use koppel_core::document::{DocumentType, Entity};
use koppel_core::keys::{NonEmpty, RecordKey};
use koppel_core::message::{CustomerDecision, SourceRecord};
use koppel_core::ports::source::{Changed, DocumentNumber, Window};
use koppel_core::ports::{
    Budget, Calls, Candidate, Change, Consent, CustomerLink, Existing, FetchPage, FetchQuery, Found, Period, Picture,
    Reference, Sent, Source, Systems, Target, VatNumbers, Wanted, WebhookAdmin, WebhookReceiver,
};
use koppel_core::system::{Lookup, MatchField, SystemFacts};

use crate::gate::{Chaos, Effect};

/// All systems, with gates.
pub struct FaultySystems {
    inner: Arc<dyn Systems>,
    chaos: Arc<Chaos>,
}

impl FaultySystems {
    /// Gates before `inner`.
    pub fn new(inner: Arc<dyn Systems>, chaos: Arc<Chaos>) -> Self {
        Self { inner, chaos }
    }
}

impl Systems for FaultySystems {
    fn facts(&self, system: &str) -> Option<&'static SystemFacts> {
        self.inner.facts(system)
    }

    fn ids(&self) -> Vec<&'static str> {
        self.inner.ids()
    }

    fn source(&self, connection: &Connection) -> Result<Arc<dyn Source>, Failure> {
        Ok(Arc::new(Gated { inner: self.inner.source(connection)?, chaos: self.chaos.clone() }))
    }

    fn target(&self, connection: &Connection) -> Result<Arc<dyn Target>, Failure> {
        Ok(Arc::new(Gated { inner: self.inner.target(connection)?, chaos: self.chaos.clone() }))
    }

    fn consent(&self, connection: &Connection) -> Result<Option<Arc<dyn Consent>>, Failure> {
        self.inner.consent(connection)
    }

    fn budget(&self, connection: &Connection) -> Result<Option<Arc<dyn Budget>>, Failure> {
        self.inner.budget(connection)
    }

    fn webhook_receiver(
        &self,
        connection: &Connection,
        secret: &str,
    ) -> Result<Option<Arc<dyn WebhookReceiver>>, Failure> {
        self.inner.webhook_receiver(connection, secret)
    }

    fn webhook_admin(&self, connection: &Connection) -> Result<Option<Arc<dyn WebhookAdmin>>, Failure> {
        self.inner.webhook_admin(connection)
    }

    fn vat_numbers(&self, url: Option<&str>) -> Result<Option<Arc<dyn VatNumbers>>, Failure> {
        self.inner.vat_numbers(url)
    }
}

struct Gated<T: ?Sized> {
    inner: Arc<T>,
    chaos: Arc<Chaos>,
}

impl<T: ?Sized> Gated<T> {
    async fn call<R>(&self, effect: Effect, call: impl Future<Output = R>) -> R {
        let fate = self.chaos.before(effect).await;
        let result = call.await;
        self.chaos.after(fate).await;
        result
    }
}

#[async_trait]
impl Source for Gated<dyn Source> {
    async fn fetch_page(&self, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure> {
        self.call(Effect::Source, self.inner.fetch_page(query, calls)).await
    }

    async fn fetch_one(&self, entity: Entity, key: &RecordKey, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
        self.call(Effect::Source, self.inner.fetch_one(entity, key, calls)).await
    }

    async fn list_changed(&self, window: &Window, calls: &Calls) -> Result<Option<Vec<Changed>>, Failure> {
        self.call(Effect::Source, self.inner.list_changed(window, calls)).await
    }

    async fn fetch_picture(&self, url: &str, calls: &Calls) -> Result<Option<Picture>, Failure> {
        self.call(Effect::Source, self.inner.fetch_picture(url, calls)).await
    }

    async fn note_numbers(
        &self,
        entity: Entity,
        field: &str,
        numbers: &[DocumentNumber],
        calls: &Calls,
    ) -> Result<Vec<Result<(), Failure>>, Failure> {
        self.call(Effect::Source, self.inner.note_numbers(entity, field, numbers, calls)).await
    }

    async fn test_connection(&self, calls: &Calls) -> Result<String, Failure> {
        self.inner.test_connection(calls).await
    }
}

#[async_trait]
impl Target for Gated<dyn Target> {
    fn system(&self) -> &'static str {
        self.inner.system()
    }

    async fn find_documents(
        &self,
        document: DocumentType,
        keys: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Found>, Failure> {
        self.call(Effect::Target, self.inner.find_documents(document, keys, calls)).await
    }

    async fn find_documents_by(
        &self,
        document: DocumentType,
        field: &str,
        keys: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Found>, Failure> {
        self.call(Effect::Target, self.inner.find_documents_by(document, field, keys, calls)).await
    }

    async fn find_customers(
        &self,
        emails: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, CustomerLink>, Failure> {
        self.call(Effect::Target, self.inner.find_customers(emails, calls)).await
    }

    async fn find_candidates(
        &self,
        by: MatchField,
        values: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Vec<Candidate>>, Failure> {
        self.call(Effect::Target, self.inner.find_candidates(by, values, calls)).await
    }

    async fn look_up(
        &self,
        list: Lookup,
        codes: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Reference>, Failure> {
        self.call(Effect::Target, self.inner.look_up(list, codes, calls)).await
    }

    async fn list_periods(&self, document: DocumentType, calls: &Calls) -> Result<Option<Vec<Period>>, Failure> {
        self.call(Effect::Target, self.inner.list_periods(document, calls)).await
    }

    async fn send_customer(
        &self,
        decision: &CustomerDecision,
        known: Option<&CustomerLink>,
        calls: &Calls,
    ) -> Result<CustomerLink, Failure> {
        self.call(Effect::Target, self.inner.send_customer(decision, known, calls)).await
    }

    async fn send_order(
        &self,
        document: DocumentType,
        payload: &serde_json::Value,
        customer: &CustomerLink,
        delivery_key: Option<&str>,
        calls: &Calls,
    ) -> Result<Sent, Failure> {
        self.call(Effect::Target, self.inner.send_order(document, payload, customer, delivery_key, calls)).await
    }

    async fn find_records(
        &self,
        entity: Entity,
        keys: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Vec<Existing>>, Failure> {
        self.call(Effect::Target, self.inner.find_records(entity, keys, calls)).await
    }

    async fn find_wanted(
        &self,
        entity: Entity,
        wanted: &[Wanted<'_>],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Vec<Existing>>, Failure> {
        self.call(Effect::Target, self.inner.find_wanted(entity, wanted, calls)).await
    }

    async fn send_records(
        &self,
        entity: Entity,
        changes: &[Change],
        calls: &Calls,
    ) -> Result<Vec<Result<Sent, Failure>>, Failure> {
        self.call(Effect::Target, self.inner.send_records(entity, changes, calls)).await
    }

    async fn test_connection(&self, calls: &Calls) -> Result<String, Failure> {
        self.inner.test_connection(calls).await
    }
}
