//! The real connectors, so that they are only looked through: reading ends at a limit, and writing is refused.
//!
//! Every method of both ports stands here, also those with a default: one that is not passed on would make a plan decide
//! by less than a run. A test compares them with the ports.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use koppel_core::connection::Connection;
use koppel_core::document::{DocumentType, Entity};
use koppel_core::error::{Cause, Failure};
use koppel_core::keys::{NonEmpty, RecordKey};
use koppel_core::message::{CustomerDecision, SourceRecord};
use koppel_core::ports::target::Found;
use koppel_core::ports::{
    Asked, Budget, Calls, Candidate, Change, Changed, CustomerLink, DocumentNumber, Existing, FetchPage, FetchQuery,
    Finding, Period, Picture, Reference, Sent, Source, Systems, Target, VatNumbers, Wanted, Window,
};
use koppel_core::system::{Lookup, MatchField, SourceList, SystemFacts};

/// What the steps have seen on both sides.
#[derive(Default)]
pub struct Seen {
    read: Mutex<BTreeSet<RecordKey>>,
    existing: Mutex<BTreeMap<NonEmpty, Vec<Existing>>>,
}

impl Seen {
    /// Takes as many records as the limit leaves; a page that is read again counts once.
    fn take(&self, limit: Option<usize>, page: FetchPage) -> FetchPage {
        let Some(limit) = limit else { return page };
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fits = |record: &SourceRecord| {
            read.contains(&record.key) || (read.len() < limit && read.insert(record.key.clone()))
        };
        let records: Vec<SourceRecord> = page.records.into_iter().filter(|record| fits(record)).collect();
        let next = page.next.filter(|_| read.len() < limit);
        FetchPage { records, next, ..page }
    }

    fn note(&self, found: &BTreeMap<NonEmpty, Vec<Existing>>) {
        let mut existing = self.existing.lock().unwrap_or_else(PoisonError::into_inner);
        existing.extend(found.iter().map(|(key, records)| (key.clone(), records.clone())));
    }

    /// The record of the target under a natural key, when there is exactly one.
    pub fn existing(&self, key: &NonEmpty) -> Option<Existing> {
        let existing = self.existing.lock().unwrap_or_else(PoisonError::into_inner);
        match existing.get(key)?.as_slice() {
            [one] => Some(one.clone()),
            _ => None,
        }
    }
}

/// The connectors of a plan.
pub struct Looking {
    /// The real ones. They keep tokens and budgets in the real store, because the calls are real.
    pub systems: Arc<dyn Systems>,
    /// What was seen.
    pub seen: Arc<Seen>,
    /// No more records are read than this.
    pub limit: Option<usize>,
}

impl Systems for Looking {
    fn facts(&self, system: &str) -> Option<&'static SystemFacts> {
        self.systems.facts(system)
    }

    fn ids(&self) -> Vec<&'static str> {
        self.systems.ids()
    }

    fn source(&self, connection: &Connection) -> Result<Arc<dyn Source>, Failure> {
        let source = self.systems.source(connection)?;
        Ok(Arc::new(LimitedSource { source, seen: self.seen.clone(), limit: self.limit }))
    }

    fn target(&self, connection: &Connection) -> Result<Arc<dyn Target>, Failure> {
        Ok(Arc::new(ReadOnlyTarget { target: self.systems.target(connection)?, seen: self.seen.clone() }))
    }

    fn budget(&self, connection: &Connection) -> Result<Option<Arc<dyn Budget>>, Failure> {
        self.systems.budget(connection)
    }

    fn vat_numbers(&self, url: Option<&str>) -> Result<Option<Arc<dyn VatNumbers>>, Failure> {
        self.systems.vat_numbers(url)
    }
}

struct LimitedSource {
    source: Arc<dyn Source>,
    seen: Arc<Seen>,
    limit: Option<usize>,
}

#[async_trait]
impl Source for LimitedSource {
    async fn fetch_page(&self, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure> {
        Ok(self.seen.take(self.limit, self.source.fetch_page(query, calls).await?))
    }

    async fn fetch_one(&self, entity: Entity, key: &RecordKey, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
        self.source.fetch_one(entity, key, calls).await
    }

    async fn list_changed(&self, window: &Window, calls: &Calls) -> Result<Option<Vec<Changed>>, Failure> {
        self.source.list_changed(window, calls).await
    }

    async fn diagnose(&self, asked: &Asked, calls: &Calls) -> Result<Vec<Finding>, Failure> {
        self.source.diagnose(asked, calls).await
    }

    async fn note_numbers(
        &self,
        _entity: Entity,
        _field: &str,
        _numbers: &[DocumentNumber],
        _calls: &Calls,
    ) -> Result<Vec<Result<(), Failure>>, Failure> {
        Err(refused())
    }

    async fn list_values(&self, list: SourceList, calls: &Calls) -> Result<Vec<Reference>, Failure> {
        self.source.list_values(list, calls).await
    }

    async fn fetch_picture(&self, url: &str, calls: &Calls) -> Result<Option<Picture>, Failure> {
        self.source.fetch_picture(url, calls).await
    }

    async fn test_connection(&self, calls: &Calls) -> Result<String, Failure> {
        self.source.test_connection(calls).await
    }
}

struct ReadOnlyTarget {
    target: Arc<dyn Target>,
    seen: Arc<Seen>,
}

#[async_trait]
impl Target for ReadOnlyTarget {
    fn system(&self) -> &'static str {
        self.target.system()
    }

    async fn find_documents(
        &self,
        document: DocumentType,
        keys: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Found>, Failure> {
        self.target.find_documents(document, keys, calls).await
    }

    async fn find_documents_by(
        &self,
        document: DocumentType,
        field: &str,
        keys: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Found>, Failure> {
        self.target.find_documents_by(document, field, keys, calls).await
    }

    async fn find_customers(
        &self,
        emails: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, CustomerLink>, Failure> {
        self.target.find_customers(emails, calls).await
    }

    async fn find_candidates(
        &self,
        by: MatchField,
        values: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Vec<Candidate>>, Failure> {
        self.target.find_candidates(by, values, calls).await
    }

    async fn look_up(
        &self,
        list: Lookup,
        codes: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Reference>, Failure> {
        self.target.look_up(list, codes, calls).await
    }

    async fn list_codes(&self, list: Lookup, calls: &Calls) -> Result<Vec<Reference>, Failure> {
        self.target.list_codes(list, calls).await
    }

    async fn list_periods(&self, document: DocumentType, calls: &Calls) -> Result<Option<Vec<Period>>, Failure> {
        self.target.list_periods(document, calls).await
    }

    async fn find_records(
        &self,
        entity: Entity,
        keys: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Vec<Existing>>, Failure> {
        let found = self.target.find_records(entity, keys, calls).await?;
        self.seen.note(&found);
        Ok(found)
    }

    async fn find_wanted(
        &self,
        entity: Entity,
        wanted: &[Wanted<'_>],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Vec<Existing>>, Failure> {
        let found = self.target.find_wanted(entity, wanted, calls).await?;
        self.seen.note(&found);
        Ok(found)
    }

    async fn send_customer(
        &self,
        _decision: &CustomerDecision,
        _known: Option<&CustomerLink>,
        _calls: &Calls,
    ) -> Result<CustomerLink, Failure> {
        Err(refused())
    }

    async fn send_order(
        &self,
        _document: DocumentType,
        _payload: &serde_json::Value,
        _customer: &CustomerLink,
        _delivery_key: Option<&str>,
        _calls: &Calls,
    ) -> Result<Sent, Failure> {
        Err(refused())
    }

    async fn send_records(
        &self,
        _entity: Entity,
        _changes: &[Change],
        _calls: &Calls,
    ) -> Result<Vec<Result<Sent, Failure>>, Failure> {
        Err(refused())
    }

    async fn test_connection(&self, calls: &Calls) -> Result<String, Failure> {
        self.target.test_connection(calls).await
    }

    async fn diagnose(&self, asked: &Asked, calls: &Calls) -> Result<Vec<Finding>, Failure> {
        self.target.diagnose(asked, calls).await
    }
}

/// A plan never comes here; it could not write if it did.
fn refused() -> Failure {
    Failure::settings(Cause::new("plan_writes_nothing", "a plan writes nothing"))
}

#[cfg(test)]
mod tests {
    /// The methods that a text declares.
    fn methods(text: &str) -> Vec<&str> {
        text.split("    async fn ").skip(1).filter_map(|rest| rest.split('(').next()).collect()
    }

    #[test]
    fn every_method_of_a_connector_is_passed_on() {
        let here = include_str!("looking.rs");
        let (source, target) = here.split_once("struct ReadOnlyTarget").unwrap();
        for (port, wrapper) in [
            (include_str!("../../../core/src/ports/source.rs"), source),
            (include_str!("../../../core/src/ports/target.rs"), target),
        ] {
            let (wanted, there) = (methods(port), methods(wrapper));
            assert!(wanted.len() > 4, "the methods were not found: {wanted:?}");
            let missing: Vec<_> = wanted.iter().filter(|name| !there.contains(name)).collect();
            assert!(missing.is_empty(), "not passed on: {missing:?}");
        }
    }
}
