//! The documents that an order can become: how each is found again, what is posted of it, and how the answer is read.
//!
//! Both are lines on ledger accounts, without articles or quantities. A new invoice is a concept, which has an id but no
//! number, so the reference stands where a search can find it: in the description of an invoice, in the source document
//! number of an entry.

use std::collections::BTreeMap;

use koppel_core::document::DocumentType;
use koppel_core::error::RetryReason;
use koppel_core::ports::target::Found;
use koppel_core::ports::{Calls, CustomerLink, Sent};
use koppel_core::{Cause, Failure, NonEmpty};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::client::Client;
use super::options::{EntryVat, Settings};
use super::{lines, native};

/// Most pages of documents whose reference holds the one that is looked for.
const PAGES_MAX: usize = 20;
/// Most characters of a reference on every document; see [`Shape::reference_max_chars`] for each.
pub(super) const REFERENCE_MAX_CHARS: usize = 60;

/// One document type.
#[derive(Debug)]
pub(super) struct Shape {
    /// Last part of the path.
    pub path: &'static str,
    /// The field that holds the reference.
    pub reference: &'static str,
    /// The filter on it.
    filter: &'static str,
    /// Most characters that the field is trusted with. Lengths are not published.
    pub reference_max_chars: usize,
}

const INVOICE: Shape = Shape {
    path: "salesinvoiceswithlines",
    reference: "description",
    filter: "Description",
    reference_max_chars: REFERENCE_MAX_CHARS,
};

const ENTRY: Shape = Shape {
    path: "journalentrieswithlines",
    reference: "sourceDocumentNumber",
    filter: "SourceDocumentNumber",
    reference_max_chars: 20,
};

/// Fields of the header that must be filled besides the customer and the lines.
const REQUIRED: [&str; 4] = ["bookyear", "bookperiod", "date", "journalId"];

impl Shape {
    /// The shape of a document type.
    pub fn of(document: DocumentType) -> Result<&'static Self, Failure> {
        match document {
            DocumentType::SalesInvoice => Ok(&INVOICE),
            DocumentType::FinancialEntry => Ok(&ENTRY),
            DocumentType::SalesOrder | DocumentType::DirectInvoice => Err(Failure::settings(
                Cause::new(
                    "not_supported",
                    format!(
                        "a {} cannot be written to Asperion: what its API takes for it is not published",
                        document.name()
                    ),
                )
                .advice("choose document: sales-invoice or financial-entry")
                .in_row("document"),
            )),
        }
    }

    fn is_entry(&self) -> bool {
        self.path == ENTRY.path
    }

    /// Documents by reference. There is no filter for several values, so each is a call of its own, for entries one
    /// for each book year.
    pub async fn find(
        &self,
        client: &Client,
        settings: &Settings,
        keys: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Found>, Failure> {
        let comparison = format!("{}_comparison", self.filter);
        let fields = format!("id,{}{}", self.reference, if self.is_entry() { "" } else { ",invoiceNumber" });
        let mut found = BTreeMap::new();
        for key in keys {
            let base = [(self.filter, key.as_str()), (comparison.as_str(), "Equals"), ("fields", fields.as_str())];
            let mut rows = Vec::new();
            if self.is_entry() {
                for year in years(client, settings) {
                    let year = year.to_string();
                    let query: Vec<(&str, &str)> = base.into_iter().chain([("BookYear", year.as_str())]).collect();
                    rows.extend(self.page_of_matches(client, &query, key, calls).await?);
                }
            } else {
                rows = self.page_of_matches(client, &base, key, calls).await?;
            }
            // Filters find a part of a text unless the server knows the comparison: what counts is compared here. Nothing
            // keeps a reference unique; of several the lowest id was the first.
            rows.retain(|row| native::field(row, self.reference).as_deref() == Some(key.as_str()));
            rows.sort_by_key(|row| native::decimal(row, "id"));
            if let Some((row, id)) = rows.first().and_then(|row| Some((row, native::field(row, "id")?))) {
                found.insert(key.clone(), Found { number: self.number(row, &id), id });
            }
        }
        Ok(found)
    }

    /// The rows of a search; one that shows what was not asked for means that the filter is not known, and then a search
    /// proves nothing.
    async fn page_of_matches(
        &self,
        client: &Client,
        query: &[(&str, &str)],
        key: &NonEmpty,
        calls: &Calls,
    ) -> Result<Vec<Value>, Failure> {
        let wanted = key.as_str().to_lowercase();
        let (mut found, mut link) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let (rows, next) = client.page(self.path, query, link.as_deref(), calls).await?;
            let holds = |row: &Value| {
                native::field(row, self.reference).is_some_and(|text| text.to_lowercase().contains(&wanted))
            };
            if rows.iter().any(|row| !holds(row)) {
                return Err(Failure::settings(
                    Cause::new(
                        "filter_unknown",
                        format!("Asperion does not search {} by {}: it answers others too", self.path, self.filter),
                    )
                    .advice(
                        "tell this to whoever maintains Koppel; without the search a document could be written twice",
                    ),
                ));
            }
            found.extend(rows);
            match next {
                Some(next) => link = Some(next),
                None => return Ok(found),
            }
        }
        // One reference is a part of so many others only when it is as good as none.
        Err(Failure::reject(
            Cause::new("reference_too_common", format!("too many documents hold «{key}» in their {}", self.reference))
                .advice("map a longer reference, such as one with a prefix for the shop")
                .in_row("reference"),
        ))
    }

    /// The number that a person sees. A concept has none, so its id says which it is.
    fn number(&self, row: &Value, id: &str) -> String {
        match native::field(row, "invoiceNumber") {
            Some(number) => number,
            None if self.is_entry() => id.to_owned(),
            None => format!("concept {id}"),
        }
    }

    /// The body to post: what the rows made, completed with the customer. What a user's own rows fill stays.
    pub fn body(
        &self,
        made: &Value,
        customer: &CustomerLink,
        settings: &Settings,
        client: &Client,
    ) -> Result<Value, Failure> {
        self.check_currency(made, settings)?;
        lines::check_vat_dates(made)?;
        let mut body = native::filled(made);
        self.check(&body)?;
        let posted = lines::amounts(&body)?;
        lines::check_total(made, &posted)?;
        if self.is_entry() {
            self.check_year(&body, client, settings)?;
            let lines = lines::of_entry(&body, &posted, customer, settings)?;
            body.insert("lines".into(), json!({ "_data": lines }));
        } else {
            let number = NonEmpty::new(&customer.code).ok_or_else(no_debtor)?;
            body.entry("debtorCustomerNumber").or_insert_with(|| json!(number.as_str()));
            let lines = lines::of_invoice(&body, &posted, settings);
            body.insert("lines".into(), json!({ "_data": lines }));
        }
        Ok(Value::Object(body))
    }

    /// The API has no field for a currency, so every amount is in that of the administration.
    fn check_currency(&self, made: &Value, settings: &Settings) -> Result<(), Failure> {
        match native::field(made, "_currency") {
            Some(currency) if !currency.eq_ignore_ascii_case(&settings.currency) => Err(Failure::reject(
                Cause::new(
                    "foreign_currency",
                    format!("the order is in {currency}; the administration keeps its books in {}", settings.currency),
                )
                .advice("leave orders in other currencies out with filter.where, or book them by hand")
                .in_row("currency"),
            )),
            _ => Ok(()),
        }
    }

    fn check(&self, body: &Map<String, Value>) -> Result<(), Failure> {
        let wanted = REQUIRED.iter().chain([&self.reference]);
        if let Some(name) = wanted.into_iter().find(|name| !body.contains_key(**name)) {
            let advice = if *name == "journalId" {
                "set settings.journal to the code of a journal"
            } else {
                "give it a value in the settings or the target rows of the flow"
            };
            return Err(Failure::reject(
                Cause::new("mandatory_missing", format!("{} needs {name}", self.path)).advice(advice).in_row(*name),
            ));
        }
        let row = Value::Object(body.clone());
        let reference = native::field(&row, self.reference).unwrap_or_default();
        let (chars, most) = (reference.chars().count(), self.reference_max_chars);
        if chars > most {
            return Err(Failure::reject(
                Cause::new(
                    "reference_too_long",
                    format!(
                        "the reference «{reference}» has {chars} characters; {} is trusted with {most}",
                        self.reference
                    ),
                )
                .advice("shorten the prefix of the reference; it is never cut, because a cut key finds the wrong order")
                .in_row(self.reference),
            ));
        }
        match body.get("lines") {
            Some(Value::Array(lines)) if !lines.is_empty() => Ok(()),
            _ => Err(Failure::reject(
                Cause::new("no_lines", format!("{} needs at least one line", self.path))
                    .advice("check the lines of the order and the list in the target rows")
                    .in_row("lines"),
            )),
        }
    }

    /// An entry in a year that is not searched could never be found again.
    fn check_year(&self, body: &Map<String, Value>, client: &Client, settings: &Settings) -> Result<(), Failure> {
        let row = Value::Object(body.clone());
        let year = native::field(&row, "bookyear").and_then(|year| year.parse::<i32>().ok()).unwrap_or_default();
        let searched = years(client, settings);
        if searched.contains(&year) {
            return Ok(());
        }
        let list: Vec<String> = searched.iter().map(ToString::to_string).collect();
        Err(Failure::settings(
            Cause::new(
                "year_not_searched",
                format!("the entry is for book year {year}, and entries are only looked for in {}", list.join(", ")),
            )
            .advice("raise search_years of the connection, or map bookyear to an open year")
            .in_row("bookyear"),
        ))
    }

    /// Reads the answer of a creation. A reference that came back different is told to the operator: the document
    /// exists, so the record has not failed, but a search will not find it under its key.
    pub fn sent(&self, posted: &Value, answer: &Value) -> Result<Sent, Failure> {
        let id = native::field(answer, "id").filter(|id| id != "0").ok_or_else(|| {
            let message = format!("{} accepted the document but answered no id", self.path);
            Failure::retry(RetryReason::OutcomeUnknown, None, Cause::new("no_id_answered", message))
        })?;
        let number = self.number(answer, &id);
        let (wanted, got) = (native::field(posted, self.reference), native::field(answer, self.reference));
        if got.is_some() && got != wanted {
            tracing::warn!(entity = self.path, %id, ?wanted, ?got, "the reference came back different");
        }
        let amount = |name: &str| -> Option<Decimal> { native::decimal(answer, name).filter(|_| !self.is_entry()) };
        Ok(Sent { id, number, net: amount("amountExclVat"), total: amount("amountInclVat") })
    }
}

/// Book years that entries are looked for in: the list must be asked for one year at a time.
fn years(client: &Client, settings: &Settings) -> Vec<i32> {
    use chrono::Datelike as _;
    let this = client.local_now().year();
    (0..settings.search_years).map(|back| this - back).collect()
}

/// Where entries put their VAT, for the doctor.
pub(super) fn needs_vat_account(settings: &Settings) -> bool {
    settings.entry_vat == EntryVat::OwnLine && settings.vat_account.is_none()
}

pub(super) fn no_debtor() -> Failure {
    Failure::reject(
        Cause::new("no_debtor", "the debtor of the document has no number").advice("deliver the record again"),
    )
}
