//! Writing to a system: find, look up, send.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::Calls;
use super::diagnosis::{Asked, Finding};
use crate::document::{DocumentType, Entity};
use crate::error::{Cause, Failure};
use crate::keys::NonEmpty;
use crate::message::{Action, CustomerDecision};
use crate::system::{Lookup, MatchField};

/// A document that the target already has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Id in the target.
    pub id: String,
    /// Number the target shows.
    pub number: String,
}

/// A resolved code.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// Id in the target.
    pub id: String,
    /// Code as the target writes it.
    pub code: String,
    /// Name.
    pub name: String,
    /// Facts that rows and checks use: `percent` of a VAT code, `blocked`, `fraction_allowed`, …
    #[serde(default)]
    pub attributes: serde_json::Map<String, serde_json::Value>,
}

/// A customer in the target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerLink {
    /// Id of the debtor.
    pub id: String,
    /// Code the target shows.
    #[serde(default)]
    pub code: String,
    /// Id of the contact person, for companies.
    #[serde(default)]
    pub contact: Option<String>,
    /// The target has it, but not as one who can buy (a prospect): it must be made a customer first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_yet_customer: bool,
    /// Delivery addresses that exist: keyed hash of the place → id.
    #[serde(default)]
    pub addresses: BTreeMap<String, String>,
}

/// A customer of the target that may be the wanted one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// It.
    pub link: CustomerLink,
    /// Its name; empty when the target does not say.
    pub name: String,
    /// Postcode of its address; empty when the target does not say.
    pub postcode: String,
}

/// Code of the failure that says: the date of the document lies in a period that is closed. Nothing was written.
pub const PERIOD_CLOSED: &str = "period_closed";

/// A period of the books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// What the target calls it.
    pub name: String,
    /// First day.
    pub start: NaiveDate,
    /// Last day.
    pub end: NaiveDate,
    /// Documents may be dated in it.
    pub open: bool,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sent {
    /// Id in the target.
    pub id: String,
    /// Number the target shows.
    pub number: String,
    /// Net amount the target computed, when it answers one.
    #[serde(default)]
    pub net: Option<rust_decimal::Decimal>,
    /// Total the target computed, tax included, when it answers one.
    #[serde(default)]
    pub total: Option<rust_decimal::Decimal>,
}

/// A record that the target has, of an entity that is kept in step (products, stock, customers, prices).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Existing {
    /// Id in the target.
    pub id: String,
    /// What the target shows for it: a code, an article number, an address.
    pub label: String,
    /// Its fields as the target's rows write them, so that both can be compared field by field. What has no field of its
    /// own in the target's answer (categories by name, variations, pictures) stands under a name with `_` before it.
    pub fields: serde_json::Map<String, serde_json::Value>,
}

/// A record that is wanted in the target, with the fields that rows make of it.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Natural key.
    pub key: &'a NonEmpty,
    /// Fields as the target's rows name them.
    pub fields: &'a serde_json::Map<String, serde_json::Value>,
}

/// A record to create or change, of an entity that is kept in step.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Natural key.
    pub key: NonEmpty,
    /// Create, or change what has this id.
    pub action: Action,
    /// Fields as the target's rows name them: all of them to create, those that differ to change.
    pub fields: serde_json::Map<String, serde_json::Value>,
    /// Pictures that `fields` speaks of and the target does not have yet.
    pub pictures: Vec<Picture>,
}

/// A picture with its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Where the source has it: the name by which fields speak of it.
    pub url: String,
    /// File name.
    pub name: String,
    /// Media type, such as `image/jpeg`.
    pub media_type: String,
    /// SHA-256 of the content, in hexadecimal digits.
    pub sha256: String,
    /// The content.
    pub bytes: Vec<u8>,
}

/// A system that documents are written to.
#[async_trait]
pub trait Target: Send + Sync {
    /// Name of the system, for what it cannot do. One that takes no documents, as a shop, only says this and leaves the
    /// methods for documents as they are.
    fn system(&self) -> &'static str {
        "this system"
    }

    /// Which of these natural keys exist as a document of this type. Asked for a whole chunk at once.
    async fn find_documents(
        &self,
        document: DocumentType,
        _keys: &[NonEmpty],
        _calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Found>, Failure> {
        Err(cannot_write(document.name(), self.system()))
    }

    /// As `find_documents`, by one of the fields that the system declares for this type of document. A system that
    /// declares one has nothing to choose.
    async fn find_documents_by(
        &self,
        document: DocumentType,
        _field: &str,
        keys: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Found>, Failure> {
        self.find_documents(document, keys, calls).await
    }

    /// Customers by e-mail address (lower case). Asked for a whole chunk at once.
    async fn find_customers(
        &self,
        _emails: &[NonEmpty],
        _calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, CustomerLink>, Failure> {
        Err(cannot_write("a debtor", self.system()))
    }

    /// All usable customers with these values of a field: numbers in capitals without blanks and dots, addresses in lower
    /// case. Asked for a whole chunk at once. A target that cannot tell several apart gives the one it would use.
    async fn find_candidates(
        &self,
        by: MatchField,
        values: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Vec<Candidate>>, Failure> {
        if by != MatchField::Email {
            return Err(cannot_write(&format!("a search by {}", by.label()), self.system()));
        }
        let found = self.find_customers(values, calls).await?;
        Ok(found.into_iter().map(|(key, link)| (key, vec![Candidate { link, ..Candidate::default() }])).collect())
    }

    /// References of codes in a list; codes that the target does not have are absent from the answer.
    async fn look_up(
        &self,
        list: Lookup,
        _codes: &[NonEmpty],
        _calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Reference>, Failure> {
        Err(cannot_write(list.label(), self.system()))
    }

    /// The whole list, for a person to choose from. Long lists take a call for each page.
    async fn list_codes(&self, list: Lookup, _calls: &Calls) -> Result<Vec<Reference>, Failure> {
        Err(Failure::settings(Cause::new("not_supported", format!("this system does not list a {}", list.label()))))
    }

    /// The periods of the books, as far as documents of this type are concerned. `None`: the target does not tell, and
    /// what is closed is only known by a refusal with [`PERIOD_CLOSED`].
    async fn list_periods(&self, _document: DocumentType, _calls: &Calls) -> Result<Option<Vec<Period>>, Failure> {
        Ok(None)
    }

    /// Makes the customer exist with everything the document needs (debtor, contact, delivery address).
    ///
    /// With a known link only what is missing is added (or, when `decision.update` is set, changed). Safe to repeat
    /// after a lost answer: parts that exist are found before they are created.
    async fn send_customer(
        &self,
        _decision: &CustomerDecision,
        _known: Option<&CustomerLink>,
        _calls: &Calls,
    ) -> Result<CustomerLink, Failure> {
        Err(cannot_write("a debtor", self.system()))
    }

    /// Creates an order document. Not safe to repeat by itself: the caller claims and searches first.
    async fn send_order(
        &self,
        document: DocumentType,
        _payload: &serde_json::Value,
        _customer: &CustomerLink,
        _delivery_key: Option<&str>,
        _calls: &Calls,
    ) -> Result<Sent, Failure> {
        Err(cannot_write(document.name(), self.system()))
    }

    /// Records by natural key, with the fields that rows write. Asked for a whole chunk at once. A key that several
    /// records have gives them all: the caller refuses to guess.
    async fn find_records(
        &self,
        entity: Entity,
        _keys: &[NonEmpty],
        _calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Vec<Existing>>, Failure> {
        Err(cannot_write(entity.name(), self.system()))
    }

    /// As `find_records`, in view of what is wanted: for a target in which a product and its variations are records of
    /// their own, or that can only say whether a picture is the one that is wanted.
    async fn find_wanted(
        &self,
        entity: Entity,
        wanted: &[Wanted<'_>],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Vec<Existing>>, Failure> {
        let keys: Vec<NonEmpty> = wanted.iter().map(|one| one.key.clone()).collect();
        self.find_records(entity, &keys, calls).await
    }

    /// Creates and changes records, with as few calls as the target allows; one result for each change, in their order.
    /// An error of the whole means that nothing is known of any of them that has no result.
    ///
    /// Changes may be repeated: they hold values, never differences. Creating is not safe to repeat by itself: the
    /// caller claims and searches first.
    async fn send_records(
        &self,
        entity: Entity,
        _changes: &[Change],
        _calls: &Calls,
    ) -> Result<Vec<Result<Sent, Failure>>, Failure> {
        Err(cannot_write(entity.name(), self.system()))
    }

    /// Reaches the system with the credentials and says who answers (name, version, administration).
    async fn test_connection(&self, calls: &Calls) -> Result<String, Failure>;

    /// Looks for what would hold up its flows; reads only. A failure is what stopped it from looking.
    async fn diagnose(&self, _asked: &Asked, calls: &Calls) -> Result<Vec<Finding>, Failure> {
        self.test_connection(calls).await?;
        Ok(Vec::new())
    }
}

/// What to say of what a system does not take.
pub fn cannot_write(what: &str, system: &str) -> Failure {
    Failure::settings(
        Cause::new("not_supported", format!("{what} cannot be written to {system}"))
            .advice("koppel systems shows what each system can do"),
    )
}
