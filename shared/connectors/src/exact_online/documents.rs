//! The documents that an order can become: which entity, which fields carry the key, the number, the customer and the
//! totals, and how the answer is read back.

use koppel_core::document::DocumentType;
use koppel_core::ports::{CustomerLink, Sent};
use koppel_core::{Cause, Failure};
use serde_json::{Map, Value};

use super::{odata, payload};

/// Most characters of `YourRef`. Not documented; three clients assume 30, 40 and 50, so the strictest rules.
pub(super) const REFERENCE_MAX_CHARS: usize = 30;
/// The natural key of every document.
pub(super) const REFERENCE: &str = "YourRef";

/// One document type.
#[derive(Debug)]
pub(super) struct Shape {
    /// Entity path.
    pub entity: &'static str,
    /// Key field.
    pub id: &'static str,
    /// Fields that may hold the number a person sees, the best first: a draft invoice has none yet.
    pub numbers: &'static [&'static str],
    /// The list of lines.
    pub lines: &'static str,
    /// Field of the debtor.
    pub customer: &'static str,
    /// Field of the person who ordered.
    pub contact: Option<&'static str>,
    /// Fields of the account and the address that goods go to.
    pub delivery: Option<(&'static str, &'static str)>,
    /// Field of the net total in the answer.
    pub net: Option<&'static str>,
    /// Field of the total with tax in the answer.
    pub total: &'static str,
    /// Header fields that must be filled besides the customer and the lines.
    pub required: &'static [&'static str],
}

const SALES_ORDER: Shape = Shape {
    entity: "salesorder/SalesOrders",
    id: "OrderID",
    numbers: &["OrderNumber"],
    lines: "SalesOrderLines",
    customer: "OrderedBy",
    contact: Some("OrderedByContactPerson"),
    delivery: Some(("DeliverTo", "DeliveryAddress")),
    net: Some("AmountFCExclVat"),
    total: "AmountFC",
    required: &[REFERENCE],
};

const SALES_INVOICE: Shape = Shape {
    entity: "salesinvoice/SalesInvoices",
    id: "InvoiceID",
    numbers: &["InvoiceNumber", "OrderNumber"],
    lines: "SalesInvoiceLines",
    customer: "OrderedBy",
    contact: Some("OrderedByContactPerson"),
    delivery: Some(("DeliverTo", "DeliverToAddress")),
    net: Some("AmountFCExclVat"),
    total: "AmountFC",
    required: &[REFERENCE, "Journal"],
};

const SALES_ENTRY: Shape = Shape {
    entity: "salesentry/SalesEntries",
    id: "EntryID",
    numbers: &["EntryNumber"],
    lines: "SalesEntryLines",
    customer: "Customer",
    contact: None,
    delivery: None,
    net: None,
    total: "AmountFC",
    required: &[REFERENCE, "Journal"],
};

impl Shape {
    /// The shape of a document type.
    pub fn of(document: DocumentType) -> &'static Self {
        match document {
            DocumentType::SalesOrder => &SALES_ORDER,
            DocumentType::SalesInvoice | DocumentType::DirectInvoice => &SALES_INVOICE,
            DocumentType::FinancialEntry => &SALES_ENTRY,
        }
    }

    /// `$select` of the search by a field.
    pub fn search_select(&self, field: &str) -> String {
        let mut names = vec![self.id];
        names.extend(self.numbers.iter().chain([&field]).filter(|name| **name != self.id));
        names.dedup();
        names.join(",")
    }

    /// The number that a person sees.
    pub fn number(&self, row: &Value) -> String {
        self.numbers.iter().find_map(|name| odata::field(row, name).filter(|n| n != "0")).unwrap_or_default()
    }

    /// The body to post: what the rows made, completed with the customer. What a user's own rows fill stays.
    pub fn body(&self, made: &Value, customer: &CustomerLink, delivery_key: Option<&str>) -> Result<Value, Failure> {
        let mut body = payload::group(made, self.entity)?;
        self.check(&body)?;
        odata::guid(&customer.id).map_err(|failure| failure.map_cause(|cause| cause.in_row(self.customer)))?;
        fill(&mut body, self.customer, &customer.id);
        if let (Some(field), Some(contact)) = (self.contact, &customer.contact) {
            fill(&mut body, field, contact);
        }
        if let (Some((account, address)), Some(key)) = (self.delivery, delivery_key) {
            let id = customer.addresses.get(key).ok_or_else(|| {
                Failure::reject(
                    Cause::new("delivery_address_missing", "the delivery address was not created for this customer")
                        .advice("deliver the record again"),
                )
            })?;
            // An address belongs to the account that goods go to, so the two always travel together.
            fill(&mut body, account, &customer.id);
            fill(&mut body, address, id);
        }
        Ok(Value::Object(body))
    }

    fn check(&self, body: &Map<String, Value>) -> Result<(), Failure> {
        for name in self.required {
            if !body.contains_key(*name) {
                return Err(Failure::reject(
                    Cause::new("mandatory_missing", format!("{} needs {name}", self.entity))
                        .advice("give it a value in the settings or the target rows of the flow")
                        .in_row(*name),
                ));
            }
        }
        let reference =
            body.get(REFERENCE).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        let reference = reference.unwrap_or_default();
        if reference.chars().count() > REFERENCE_MAX_CHARS {
            return Err(Failure::reject(
                Cause::new(
                    "reference_too_long",
                    format!(
                        "the reference «{reference}» has {} characters; Exact Online is trusted with {REFERENCE_MAX_CHARS}",
                        reference.chars().count()
                    ),
                )
                .advice("shorten the prefix of the reference; it is never cut, because a cut key finds the wrong order")
                .in_row(REFERENCE),
            ));
        }
        match body.get(self.lines) {
            Some(Value::Array(lines)) if !lines.is_empty() => Ok(()),
            _ => Err(Failure::reject(
                Cause::new("no_lines", format!("{} needs at least one line", self.entity))
                    .advice("check the lines of the order and the list in the target rows")
                    .in_row(self.lines),
            )),
        }
    }

    /// Reads the answer of a creation. A reference that came back different is told to the operator: the document
    /// exists, so the record has not failed, but a search will not find it under its key.
    pub fn sent(&self, posted: &Value, answer: &Value) -> Result<Sent, Failure> {
        let id = odata::field(answer, self.id).ok_or_else(|| {
            Failure::retry(
                koppel_core::error::RetryReason::OutcomeUnknown,
                None,
                Cause::new("no_id_answered", format!("{} accepted the document but answered no id", self.entity)),
            )
        })?;
        let number = self.number(answer);
        let (wanted, got) = (odata::field(posted, REFERENCE), odata::field(answer, REFERENCE));
        if got.is_some() && got != wanted {
            tracing::warn!(entity = self.entity, %id, %number, ?wanted, ?got, "the reference came back different");
        }
        let lines = |value: &Value| {
            let lines = value.get(self.lines)?;
            lines.as_array().or_else(|| lines.get("results")?.as_array()).map(Vec::len)
        };
        if let (Some(sent), Some(kept)) = (lines(posted), lines(answer))
            && sent != kept
        {
            tracing::warn!(entity = self.entity, %id, %number, sent, kept, "the number of lines came back different");
        }
        Ok(Sent {
            id,
            number,
            net: self.net.and_then(|name| odata::decimal(answer, name)),
            total: odata::decimal(answer, self.total),
        })
    }
}

fn fill(body: &mut Map<String, Value>, name: &str, value: &str) {
    body.entry(name).or_insert_with(|| Value::String(value.to_owned()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ACCOUNT: &str = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";

    fn customer() -> CustomerLink {
        CustomerLink {
            id: ACCOUNT.into(),
            contact: Some("c-1".into()),
            addresses: [("home".to_owned(), "addr-1".to_owned())].into(),
            ..CustomerLink::default()
        }
    }

    fn order() -> Value {
        json!({"YourRef":"WC-1","Description":"","Remarks":null,"SalesOrderLines":[{"Item":"i","Notes":" "}],"_expected_total":1})
    }

    #[test]
    fn the_customer_is_filled_in_and_what_is_private_or_empty_stays_home() {
        let body = SALES_ORDER.body(&order(), &customer(), Some("home")).unwrap();
        assert_eq!(
            body,
            json!({
                "YourRef":"WC-1","SalesOrderLines":[{"Item":"i"}],"OrderedBy":ACCOUNT,
                "OrderedByContactPerson":"c-1","DeliverTo":ACCOUNT,"DeliveryAddress":"addr-1"
            })
        );
        let mut own = order();
        own["OrderedByContactPerson"] = json!("mine");
        assert_eq!(SALES_ORDER.body(&own, &customer(), None).unwrap()["OrderedByContactPerson"], "mine");
    }

    #[test]
    fn a_reference_that_is_too_long_is_refused_and_never_cut() {
        let mut long = order();
        long["YourRef"] = json!("é".repeat(30));
        assert!(SALES_ORDER.body(&long, &customer(), None).is_ok());
        long["YourRef"] = json!("é".repeat(31));
        let failure = SALES_ORDER.body(&long, &customer(), None).unwrap_err();
        assert_eq!((failure.class(), failure.cause().code.as_str()), ("reject", "reference_too_long"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let code = |shape: &Shape, body: Value| shape.body(&body, &customer(), None).unwrap_err().cause().code.clone();
        assert_eq!(code(&SALES_ORDER, json!({"SalesOrderLines":[{"Item":"i"}]})), "mandatory_missing");
        assert_eq!(code(&SALES_ORDER, json!({"YourRef":"1","SalesOrderLines":[]})), "no_lines");
        assert_eq!(
            code(&SALES_INVOICE, json!({"YourRef":"1","SalesInvoiceLines":[{"Item":"i"}]})),
            "mandatory_missing"
        );
        let away = SALES_ORDER.body(&order(), &customer(), Some("elsewhere")).unwrap_err();
        assert_eq!(away.cause().code, "delivery_address_missing");
        let nobody = SALES_ORDER.body(&order(), &CustomerLink::default(), None).unwrap_err();
        assert_eq!(nobody.cause().code, "not_a_guid");
    }

    #[test]
    fn the_answer_gives_id_number_and_exact_totals() {
        let answer: Value = serde_json::from_str(
            r#"{"OrderID":"o-1","OrderNumber":10045,"YourRef":"WC-1","AmountFC":121.10,"AmountFCExclVat":100.083}"#,
        )
        .unwrap();
        let sent = SALES_ORDER.sent(&order(), &answer).unwrap();
        assert_eq!((sent.id.as_str(), sent.number.as_str()), ("o-1", "10045"));
        assert_eq!(
            (sent.total.unwrap().to_string(), sent.net.unwrap().to_string()),
            ("121.10".into(), "100.083".into())
        );
        let draft =
            SALES_INVOICE.sent(&order(), &json!({"InvoiceID":"i-1","InvoiceNumber":null,"OrderNumber":7})).unwrap();
        assert_eq!(draft.number, "7");
        assert_eq!(SALES_ORDER.sent(&order(), &json!({"OrderID":null})).unwrap_err().class(), "retry");
    }
}
