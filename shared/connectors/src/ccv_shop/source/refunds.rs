//! Reading credits: invoices of the type «credit». Invoices are made once, so those since the cursor's day are listed, and for
//! each credit its rows, its order and the rows of that are read.
//!
//! Returns are no credits: they say what a customer wants to send back, not what was given back for it.

use chrono::{NaiveTime, TimeDelta};
use koppel_core::Failure;
use koppel_core::error::RetryReason;
use koppel_core::message::SourceRecord;
use koppel_core::ports::{Calls, FetchPage, FetchQuery};
use serde_json::Value;

use super::{CcvShopSource, Token};
use crate::ccv_shop::native::refund::{is_credit, order_link, record};
use crate::ccv_shop::native::{self, id_in, moment, text};
use crate::http::PageToken;
use crate::http::request::encode;

/// Credits that are handed out at once: each takes three calls.
const HANDED_OUT: usize = 15;
/// Clocks differ a little.
const OVERLAP: TimeDelta = TimeDelta::minutes(5);
/// Records a page of rows.
const ROWS_PAGE: u64 = 250;

impl CcvShopSource {
    /// A page of credits that were made since.
    pub(super) async fn refunds(&self, query: &FetchQuery, token: Token, calls: &Calls) -> Result<FetchPage, Failure> {
        let from = (query.since.date_naive() - TimeDelta::days(1)).to_string();
        let asked = [("min_create_date", from)];
        let page = self.client.page("invoices", &asked, token.start, self.client.page_size(), calls).await?;
        let page = page.unwrap_or_default();
        let is_new = |invoice: &&Value| {
            let id = native::id(invoice).unwrap_or_default();
            let made = moment(&invoice["create_date"]);
            // A date without a time may be any time of that day.
            let late = made.is_none_or(|made| {
                let since = if made.time() == NaiveTime::MIN { query.since - TimeDelta::days(1) } else { query.since };
                made >= since - OVERLAP
            });
            is_credit(invoice) && late && id > token.after
        };
        let mut credits: Vec<&Value> = page.items.iter().filter(is_new).collect();
        credits.sort_by_key(|invoice| native::id(invoice));
        let (mut records, mut after) = (Vec::new(), token.after);
        let mut stopped = false;
        for invoice in &credits {
            if records.len() >= HANDED_OUT {
                stopped = true;
                break;
            }
            match self.credit((*invoice).clone(), calls).await {
                Ok(found) => records.extend(found),
                Err(Failure::Retry { reason: RetryReason::Throttled, .. }) if !records.is_empty() => {
                    stopped = true;
                    break;
                }
                Err(failure) => return Err(failure),
            }
            after = native::id(invoice).unwrap_or(after);
        }
        let next = if stopped {
            Some(Token { after, ..token })
        } else {
            page.next.map(|start| Token { start, ..Token::default() })
        };
        Ok(FetchPage { records, gone: Vec::new(), next: next.map(|token| PageToken::pack(&token)).transpose()? })
    }

    /// One credit with its order.
    pub(super) async fn refund(&self, key: &str, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
        let Some((_, invoice)) = key.split_once('/') else { return Ok(None) };
        let invoice = self.client.one(&format!("invoices/{}", encode(invoice)), &[], calls).await?;
        match invoice.filter(is_credit) {
            Some(invoice) => Ok(self.credit(invoice, calls).await?.filter(|found| found.key.as_str() == key)),
            None => Ok(None),
        }
    }

    /// A credit with its rows and its order; `None` when the order is not there any more.
    async fn credit(&self, invoice: Value, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
        let id = text(&invoice["id"]);
        let Some(order) = self.order_of(&invoice, calls).await? else { return Ok(None) };
        let order_rows = self.read_rows(&text(&order["id"]), calls).await?;
        let path = format!("invoices/{}/invoicerows", encode(&id));
        let mut rows = self.client.all(&path, &[], ROWS_PAGE, calls).await?;
        rows.sort_by_key(native::id);
        let paymethods = self.paymethods(calls).await?;
        let around = self.around(&order, &paymethods).await;
        record(invoice, rows, order, order_rows, &around).map(Some)
    }

    /// The order of an invoice: by its address, else by its number.
    async fn order_of(&self, invoice: &Value, calls: &Calls) -> Result<Option<Value>, Failure> {
        let link = order_link(invoice);
        if let Some(id) = id_in(link).filter(|_| text(link).contains('/')) {
            return self.client.one(&format!("orders/{id}"), &[], calls).await;
        }
        let number = text(&invoice["ordernumber"]);
        if number.is_empty() {
            return Ok(None);
        }
        let found = self.client.all("orders", &[("ordernumber", number)], ROWS_PAGE, calls).await?;
        // The number may be there with another prefix.
        let full = native::order_number(invoice);
        Ok(found.into_iter().find(|order| native::order_number(order) == full))
    }
}
