//! AccountView as a system that documents are written to.

use std::collections::BTreeMap;

use async_trait::async_trait;
use koppel_core::document::DocumentType;
use koppel_core::error::RetryReason;
use koppel_core::message::CustomerDecision;
use koppel_core::ports::target::Found;
use koppel_core::ports::{Asked, Calls, CustomerLink, Finding, Reference, Sent, Target};
use koppel_core::system::Lookup;
use koppel_core::{Cause, Failure, NonEmpty};
use serde_json::Value;

use super::AccountView;
use super::body::{Rules, Sheet};
use super::client::field;
use super::foxpro::Filter;
use super::names::Use;
use super::profile::Part;
use super::{customers, diagnose, lookups};

#[async_trait]
impl Target for AccountView {
    async fn find_documents(
        &self,
        document: DocumentType,
        keys: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Found>, Failure> {
        let part = self.profile.document(document)?;
        part.required()?;
        let reference = part.needed("reference")?;
        let is_entry = document == DocumentType::FinancialEntry;
        if is_entry && self.posting.sales_journals.is_empty() {
            return Err(missing_journals());
        }
        let dictionary = self.names.dictionary(&self.client, &self.profile, calls).await?;
        let table = part.table.as_deref().unwrap_or_default();
        let upper = dictionary.field(table, reference).is_some_and(|field| field.upper);
        let stored = |key: &NonEmpty| if upper { key.as_str().to_uppercase() } else { key.as_str().to_owned() };
        let filters = keys.iter().map(|key| Filter::equal(reference, &stored(key))).collect();
        let roles: &[&str] = if is_entry { &["reference", "journal"] } else { &["reference"] };
        let mut rows = lookups::search(self, part, roles, filters, calls).await?;
        // A purchase may have the same number: only the journals of sales count.
        if let Some(journal) = part.role("journal").filter(|_| is_entry) {
            rows.retain(|row| field(row, journal).is_some_and(|code| self.posting.sales_journals.contains(&code)));
        }
        // Nothing keeps a reference unique; of several the one with the lowest number was the first.
        rows.sort_by_key(|row| {
            let number = number(part, row);
            (number.len(), number)
        });
        let mut found = BTreeMap::new();
        for row in &rows {
            let own = field(row, reference).unwrap_or_default();
            for key in keys.iter().filter(|key| stored(key) == own) {
                let number = number(part, row);
                found.entry(key.clone()).or_insert_with(|| Found { id: id(part, row, &own), number });
            }
        }
        Ok(found)
    }

    async fn find_customers(
        &self,
        emails: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, CustomerLink>, Failure> {
        customers::find(self, emails, calls).await
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

    async fn send_customer(
        &self,
        decision: &CustomerDecision,
        known: Option<&CustomerLink>,
        calls: &Calls,
    ) -> Result<CustomerLink, Failure> {
        customers::send(self, decision, known, calls).await
    }

    async fn send_order(
        &self,
        document: DocumentType,
        payload: &Value,
        customer: &CustomerLink,
        delivery_key: Option<&str>,
        calls: &Calls,
    ) -> Result<Sent, Failure> {
        let part = self.profile.document(document)?;
        let (object, table, key) = part.required()?;
        if document == DocumentType::FinancialEntry && self.posting.sales_journals.is_empty() {
            return Err(missing_journals());
        }
        let made = self.posting.document(document, part, payload, customer, delivery_key)?;
        let lines = part.lines.as_deref().ok_or_else(|| part_without_lines(part))?;
        let own = made.header.keys().map(|name| (table, name.as_str()));
        let below = made.lines.iter().flat_map(|line| line.keys().map(|name| (lines, name.as_str())));
        let names: Vec<(&str, &str)> = own.chain(below).chain([(table, key)]).collect();
        let dictionary = self.names.ready(&self.client, &self.profile, part, &names, Use::Create, calls).await?;
        let reference = part.needed("reference")?;
        let keys = [reference];
        let rules = Rules {
            dictionary: &dictionary,
            profile: &self.profile,
            too_long: self.too_long,
            keys: &keys,
            numbered: None,
        };
        let body = rules.body(&Sheet {
            object,
            table,
            header: made.header,
            lines: Some((lines, made.lines)),
            book_date: made.date,
            id: None,
        })?;
        let answer = self.client.create(object, table, body, calls).await;
        let answer = answer.map_err(|failure| self.closed_period.name(failure))?;
        let upper = dictionary.field(table, reference).is_some_and(|field| field.upper);
        let stored = if upper { made.reference.to_uppercase() } else { made.reference.clone() };
        self.sent(part, &answer, &stored, document)
    }

    async fn test_connection(&self, calls: &Calls) -> Result<String, Failure> {
        self.introduce(calls).await
    }

    async fn diagnose(&self, asked: &Asked, calls: &Calls) -> Result<Vec<Finding>, Failure> {
        diagnose::diagnose(self, asked, calls).await
    }
}

impl AccountView {
    /// Reads the answer of a creation.
    fn sent(&self, part: &Part, answer: &Value, reference: &str, document: DocumentType) -> Result<Sent, Failure> {
        let number = number(part, answer);
        let told = part.role("reference").and_then(|name| field(answer, name));
        // A page is known by its reference; an order by the number that it got.
        let is_entry = document == DocumentType::FinancialEntry;
        if number.is_empty() && !(is_entry && told.is_some()) {
            return Err(Failure::retry(
                RetryReason::OutcomeUnknown,
                None,
                Cause::new("no_number_answered", "AccountView accepted the document but answered no number"),
            ));
        }
        if told.as_deref().is_some_and(|told| told != reference) {
            tracing::warn!(%number, ?told, wanted = reference, "the reference came back different");
        }
        let id = if is_entry { reference.to_owned() } else { number.clone() };
        let number = if number.is_empty() { reference.to_owned() } else { number };
        Ok(Sent { id, number, net: None, total: None })
    }
}

fn number(part: &Part, row: &Value) -> String {
    part.key.as_deref().and_then(|key| field(row, key)).unwrap_or_default()
}

/// Orders are known by their number, journal pages by their reference: numbers of pages begin anew in each journal.
fn id(part: &Part, row: &Value, reference: &str) -> String {
    match part.name.as_str() {
        "journal_page" => reference.to_owned(),
        _ => number(part, row),
    }
}

fn missing_journals() -> Failure {
    Failure::settings(
        Cause::new("missing_sales_journals", "the journals that entries go to are not named")
            .advice("set sales_journals to their codes, with commas: entries are only looked for in those")
            .in_row("sales_journals"),
    )
}

fn part_without_lines(part: &Part) -> Failure {
    Failure::settings(
        Cause::new("no_line_table", format!("the profile names no table of lines for {}", part.name))
            .advice(format!("set profile.{}.lines", part.name))
            .in_row(format!("profile.{}.lines", part.name)),
    )
}
