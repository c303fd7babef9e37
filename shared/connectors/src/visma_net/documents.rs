//! The documents that an order can become, and how each is completed, posted and read back: orders in the service for
//! orders, invoices and credit notes in the ERP API, bookings as journal transactions.

mod journal;
mod orders;
mod search;

use koppel_core::document::DocumentType;
use koppel_core::ports::{Calls, CustomerLink, Sent};
use koppel_core::{Cause, Failure};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::client::Client;
use super::options::{CustomerOptions, DocumentOptions};
use super::{payload, wire};

pub(super) use search::{Search, find};

/// Most characters of a reference: `customer.refNo` of an order.
pub(super) const REFERENCE_MAX_CHARS: usize = 40;
/// Most characters of a reference that becomes the number of its document.
const NUMBER_MAX_CHARS: usize = 15;
/// Marks, among what the rows make, a document that gives back.
const CREDIT: &str = "_credit";

/// One kind of document of the ERP API.
#[derive(Debug)]
struct Shape {
    /// For messages and budgets.
    endpoint: &'static str,
    /// Where it is made.
    create: &'static str,
    /// Where it is read.
    read: &'static str,
    /// Field of the number that a company gives itself.
    number: &'static str,
    /// The list of lines.
    lines: &'static str,
    /// Field of the branch.
    branch: &'static str,
    /// Header fields that must be filled.
    required: &'static [&'static str],
}

const INVOICE: Shape = Shape {
    endpoint: "customerinvoice",
    create: "v2/customerinvoice",
    read: "v1/customerinvoice",
    number: "referenceNumber",
    lines: "invoiceLines",
    branch: "branchNumber",
    required: &["customerRefNumber", "documentDate"],
};

const CREDIT_NOTE: Shape = Shape {
    endpoint: "customerCreditNote",
    create: "v2/customerCreditNote",
    read: "v1/customerCreditNote",
    number: "referenceNumber",
    lines: "lines",
    branch: "branchNumber",
    required: &["customerRefNumber", "documentDate"],
};

const JOURNAL: Shape = Shape {
    endpoint: "journaltransaction",
    create: "v2/journaltransaction",
    read: "v2/journaltransaction",
    number: "batchNumber",
    lines: "journalTransactionLines",
    branch: "branch",
    required: &["transactionDate"],
};

/// The VAT zone of the buyer of a document: what decides about VAT is where this order goes, not what stands on a customer
/// who may be shared by many.
fn zone_of<'a>(made: &Value, zones: &'a CustomerOptions) -> Option<&'a str> {
    let country = payload::private(made, "_country").unwrap_or_default();
    zones.zone_of(&country, wire::flag(made, "_business") == Some(true))
}

/// The payload gives back what another document charged.
fn is_credit(made: &Value) -> bool {
    wire::flag(made, CREDIT) == Some(true)
}

/// A reference that gives back looks like this: that of its order, and `-R` with the number of the refund.
fn may_be_credit(key: &str) -> bool {
    key.rsplit_once("-R").is_some_and(|(order, refund)| !order.is_empty() && !refund.is_empty())
}

/// Creates a document.
pub(super) async fn send(
    client: &Client,
    (options, zones): (&DocumentOptions, &CustomerOptions),
    document: DocumentType,
    made: &Value,
    customer: &CustomerLink,
    calls: &Calls,
) -> Result<Sent, Failure> {
    let sent = match document {
        DocumentType::SalesOrder | DocumentType::DirectInvoice => {
            orders::send(client, (options, zones), document, made, customer, calls).await?
        }
        DocumentType::SalesInvoice => invoice(client, (options, zones), made, customer, calls).await?,
        DocumentType::FinancialEntry => journal::send(client, options, zones, made, calls).await?,
    };
    // Whatever sign an answer shows, what gives back is negative.
    let sign = |amount: Decimal| if is_credit(made) { -amount.abs() } else { amount };
    Ok(Sent { net: sent.net.map(sign), total: sent.total.map(sign), ..sent })
}

/// An invoice of what is delivered otherwise, or a credit note.
async fn invoice(
    client: &Client,
    (options, zones): (&DocumentOptions, &CustomerOptions),
    made: &Value,
    customer: &CustomerLink,
    calls: &Calls,
) -> Result<Sent, Failure> {
    let shape = if is_credit(made) { &CREDIT_NOTE } else { &INVOICE };
    only_without_stock(made, shape)?;
    let mut body = body(made, shape, options)?;
    customer_of(&mut body, "customerNumber", customer)?;
    number_of(&mut body, shape, "customerRefNumber", options)?;
    if let Some(zone) = zone_of(made, zones) {
        payload::fill(&mut body, "customerVatZoneId", zone);
    }
    for line in lines_of(&mut body, shape.lines) {
        line.insert("operation".into(), json!("Insert"));
        if let Some(branch) = &options.branch {
            payload::fill(line, "branchNumber", branch.clone());
        }
    }
    for address in ["billingAddress", "invoiceAddress"] {
        if let Some(address) = body.get_mut(address).and_then(Value::as_object_mut) {
            payload::spread_address(address, ["addressLine1", "addressLine2", "addressLine3"]);
        }
    }
    create(client, options, shape, &body, ("amountInCurrency", "vatTaxableTotalInCurrency"), calls).await
}

/// A line with an item that is kept in stock: Visma Net refuses it on an invoice, in words that do not say what to do.
fn only_without_stock(made: &Value, shape: &Shape) -> Result<(), Failure> {
    let lines = made.get(shape.lines).and_then(Value::as_array).into_iter().flatten();
    let kept = lines.filter(|line| wire::flag(line, "_stock_item") == Some(true));
    let codes: Vec<String> = kept.filter_map(|line| wire::field(line, "inventoryNumber")).collect();
    if codes.is_empty() {
        return Ok(());
    }
    Err(Failure::settings(
        Cause::new("stock_item_on_invoice", format!("an invoice takes no items kept in stock: {}", codes.join(", ")))
            .advice("use document: direct-invoice (an order type that invoices) or document: sales-order for goods")
            .in_row("document"),
    ))
}

/// The body to post: what the rows made, with the branch.
fn body(made: &Value, shape: &Shape, options: &DocumentOptions) -> Result<Map<String, Value>, Failure> {
    let mut body = payload::group(made, shape.endpoint)?;
    if let Some(branch) = &options.branch {
        payload::fill(&mut body, shape.branch, branch.clone());
    }
    for name in shape.required {
        if !body.contains_key(*name) {
            return Err(missing(shape.endpoint, name));
        }
    }
    if !body.get(shape.lines).is_some_and(Value::is_array) {
        return Err(no_lines(shape.endpoint, shape.lines));
    }
    Ok(body)
}

fn missing(what: &str, name: &str) -> Failure {
    Failure::reject(
        Cause::new("mandatory_missing", format!("a {what} needs {name}"))
            .advice("give it a value in the settings or the target rows of the flow")
            .in_row(name),
    )
}

fn no_lines(what: &str, name: &str) -> Failure {
    Failure::reject(
        Cause::new("no_lines", format!("a {what} needs at least one line"))
            .advice("check the lines of the order and the list in the target rows")
            .in_row(name),
    )
}

/// Names the customer.
fn customer_of(body: &mut Map<String, Value>, name: &str, customer: &CustomerLink) -> Result<(), Failure> {
    if customer.id.is_empty() && !body.contains_key(name) {
        return Err(missing("document", name));
    }
    payload::fill(body, name, customer.id.clone());
    Ok(())
}

/// Makes the reference the number of the document, where the connection wants that; refuses one that is too long.
fn number_of(
    body: &mut Map<String, Value>,
    shape: &Shape,
    reference: &str,
    options: &DocumentOptions,
) -> Result<(), Failure> {
    let key = wire::field(&Value::Object(body.clone()), reference).unwrap_or_default();
    check_reference(&key, options)?;
    if options.own_numbers {
        payload::fill(body, shape.number, key);
        payload::fill(body, "overrideNumberSeries", true);
    }
    Ok(())
}

/// A reference is never cut: a cut key finds the wrong document.
fn check_reference(key: &str, options: &DocumentOptions) -> Result<(), Failure> {
    let limit = if options.own_numbers { NUMBER_MAX_CHARS } else { REFERENCE_MAX_CHARS };
    let length = key.chars().count();
    if length <= limit {
        return Ok(());
    }
    let advice = if options.own_numbers {
        "shorten the prefix of the reference, or set own_numbers: false"
    } else {
        "shorten the prefix of the reference"
    };
    Err(Failure::reject(
        Cause::new(
            "reference_too_long",
            format!("the reference «{key}» has {length} characters; Visma Net takes {limit} here"),
        )
        .advice(format!("{advice}; it is never cut, because a cut key finds the wrong document"))
        .in_row("reference"),
    ))
}

/// The lines of a body.
fn lines_of<'a>(body: &'a mut Map<String, Value>, name: &str) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    body.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

/// Posts a document of the ERP API and reads it back where the connection wants that.
async fn create(
    client: &Client,
    options: &DocumentOptions,
    shape: &Shape,
    body: &Map<String, Value>,
    (total, net): (&str, &str),
    calls: &Calls,
) -> Result<Sent, Failure> {
    let created = client.create(shape.create, body, shape.endpoint, calls).await?;
    let mut sent = Sent { id: created.key.clone(), number: created.key, ..Sent::default() };
    if options.read_back {
        let path = format!("{}/{}", shape.read, wire::path_key(&sent.id));
        // The document is there: what goes wrong from here on must not make it a second time.
        match client.get(&path, shape.endpoint, calls).await {
            Ok(Some(row)) => {
                (sent.total, sent.net) = (wire::decimal(&row, total), wire::decimal(&row, net));
            }
            Ok(None) => tracing::warn!(number = sent.number, "a new document is not shown yet"),
            Err(failure) => tracing::warn!(number = sent.number, error = %failure, "a new document cannot be read"),
        }
    }
    Ok(sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gives_back_is_known_by_its_reference() {
        for (key, credit) in
            [("WEB-23-R7", true), ("WEB-23", false), ("-R7", false), ("WEB-R", false), ("A-R-R1", true)]
        {
            assert_eq!(may_be_credit(key), credit, "{key}");
        }
    }
}
