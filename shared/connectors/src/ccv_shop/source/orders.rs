//! Reading orders.
//!
//! The shop has no filter for changes: neither a new status nor a payment can be asked for. So the heads of all orders that are
//! not older than `look_back_days` are listed in every run, 250 a call, and the rows are read only of those that were seen to
//! change since the flow's cursor (`marks.rs`), one call each. A first run reads those that were placed since its beginning.
//!
//! * Lists are in the order of ids. An order that goes away moves later ones to the page before. Among recent orders that heals
//!   by itself, because the next run lists them again and knows no mark of them. Older ones are listed once, so there each
//!   page begins with the last order of the page before; when that one is not there, the reader steps back until it meets it.
//! * The rows of a page take many calls. When the calls of the minute are used up half-way, what was read is handed out, and the
//!   next page goes on behind it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use koppel_core::error::RetryReason;
use koppel_core::message::SourceRecord;
use koppel_core::ports::{Calls, Changed, FetchPage, FetchQuery, Window};
use koppel_core::{Cause, Failure, NonEmpty};
use serde_json::Value;

use super::{CcvShopSource, Token};
use crate::ccv_shop::client::Page;
use crate::ccv_shop::marks::Head;
use crate::ccv_shop::native::{self, fingerprint, moment};
use crate::http::PageToken;
use crate::http::request::encode;

/// Orders that are handed out at once: each needs a call for its rows.
const HANDED_OUT: usize = 50;
/// A page that was listed is used for this long; after that it is listed again.
const PAGE_KEPT: TimeDelta = TimeDelta::minutes(5);
/// Rows of an order whose head has not changed are used again for this long.
const ROWS_KEPT: TimeDelta = TimeDelta::minutes(15);
/// Orders whose rows are kept in memory.
const MOST_ROWS: usize = 2_000;
/// Most steps back to find where a list goes on.
const MOST_STEPS: u32 = 50;
/// Most orders that are listed without their rows.
const MOST_LISTED: usize = 1_000;
/// Records a page of rows.
const ROWS_PAGE: u64 = 250;

/// What is kept in memory so that nothing is asked for twice within a run.
#[derive(Debug, Default)]
pub struct Remembered {
    page: Mutex<Option<Listed>>,
    rows: Mutex<BTreeMap<u64, Kept>>,
}

/// Rows of an order, and the head that they were read with.
#[derive(Debug)]
struct Kept {
    fingerprint: String,
    at: DateTime<Utc>,
    rows: Vec<Value>,
}

/// Which page.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Which {
    from: NaiveDate,
    status: usize,
    start: u64,
    joins: Option<u64>,
}

/// A page of heads with the moment since when each is as it is.
#[derive(Clone, Debug)]
struct Listed {
    which: Which,
    at: DateTime<Utc>,
    page: Page,
    since: BTreeMap<u64, DateTime<Utc>>,
}

impl CcvShopSource {
    /// A page of orders that were placed or changed since.
    pub(super) async fn orders(&self, query: &FetchQuery, token: Token, calls: &Calls) -> Result<FetchPage, Failure> {
        let now = self.client.now();
        // The filter knows days.
        let from = query.since.min(now - self.look_back).date_naive() - TimeDelta::days(1);
        let which = Which { from, status: token.status, start: token.start, joins: token.joins };
        let listed = self.listed(which, token.after > 0, query.since, calls).await?;
        let changed = |head: &&Value| {
            let id = native::id(head).unwrap_or_default();
            id > token.after && listed.since.get(&id).is_some_and(|since| *since >= query.since)
        };
        let mut open = listed.page.items.iter().filter(changed).peekable();
        let paymethods = if open.peek().is_some() { self.paymethods(calls).await? } else { Vec::new() };
        let (mut records, mut after) = (Vec::new(), token.after);
        while let Some(head) = open.peek().filter(|_| records.len() < HANDED_OUT) {
            let rows = match self.rows(head, calls).await {
                Ok(rows) => rows,
                // What was read is not read again.
                Err(Failure::Retry { reason: RetryReason::Throttled, .. }) if !records.is_empty() => break,
                Err(failure) => return Err(failure),
            };
            let around = self.around(head, &paymethods).await;
            records.push(native::order((*head).clone(), rows, &around)?);
            after = native::id(head).unwrap_or(after);
            open.next();
        }
        let next = match open.peek() {
            Some(_) => Some(Token { after, ..token }),
            None => self.behind(&listed, &token, now),
        };
        Ok(FetchPage { records, gone: Vec::new(), next: next.map(|token| PageToken::pack(&token)).transpose()? })
    }

    /// Where the list goes on behind a page; `None` behind the last page of the last status.
    fn behind(&self, listed: &Listed, token: &Token, now: DateTime<Utc>) -> Option<Token> {
        let status = token.status;
        match listed.page.next {
            Some(start) => {
                let last = listed.page.items.last();
                let boundary = now - self.look_back;
                let is_old = last.is_some_and(|last| moment(&last["create_date"]).is_some_and(|at| at < boundary));
                let joins = last.and_then(native::id).filter(|_| is_old && start > token.start + 1);
                let start = if joins.is_some() { start - 1 } else { start };
                Some(Token { start, joins, status, ..Token::default() })
            }
            None if status + 1 < self.statuses.len() => Some(Token { status: status + 1, ..Token::default() }),
            None => None,
        }
    }

    /// A page of heads: listed now, or a moment ago when a part of it was handed out then.
    async fn listed(
        &self,
        which: Which,
        goes_on: bool,
        asked: DateTime<Utc>,
        calls: &Calls,
    ) -> Result<Listed, Failure> {
        let now = self.client.now();
        let kept = self.remembered.page.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(kept) = kept.filter(|kept| goes_on && kept.which == which && now - kept.at < PAGE_KEPT) {
            return Ok(kept);
        }
        let page = self.heads(&which, calls).await?;
        let mark = |head: &Value| {
            let (fingerprint, placed) = (fingerprint(head), moment(&head["create_date"]));
            Some(Head { id: native::id(head)?, fingerprint, placed })
        };
        let heads: Vec<Head> = page.items.iter().filter_map(mark).collect();
        let since = self.marks.observe(&heads, asked, now).await?;
        let listed = Listed { which, at: now, page, since };
        *self.remembered.page.lock().unwrap_or_else(PoisonError::into_inner) = Some(listed.clone());
        Ok(listed)
    }

    async fn heads(&self, which: &Which, calls: &Calls) -> Result<Page, Failure> {
        let mut query = vec![("orderby", "id".to_owned()), ("min_create_date", which.from.to_string())];
        if let Some(status) = self.statuses.get(which.status) {
            query.push(("status", status.to_string()));
        }
        if self.only_paid {
            query.push(("is_paid", "true".to_owned()));
        }
        let size = self.client.page_size();
        let mut start = which.start;
        for _ in 0..MOST_STEPS {
            let page = self.client.page("orders", &query, start, size, calls).await?.unwrap_or_default();
            let Some(last) = which.joins else { return Ok(page) };
            let joins = page.items.iter().any(|head| native::id(head).is_some_and(|id| id <= last));
            if joins || start == 0 {
                let is_new = |head: &Value| native::id(head).is_none_or(|id| id > last);
                return Ok(Page { items: page.items.into_iter().filter(is_new).collect(), next: page.next });
            }
            // Something went away: what lies between is on the page before.
            start = start.saturating_sub(size.max(1));
        }
        Err(Failure::retry(
            RetryReason::Unavailable,
            None,
            Cause::new("list_unstable", "the list of orders changes faster than it can be read")
                .advice("try again when the shop is quieter"),
        ))
    }

    /// The rows of an order whose head was listed.
    async fn rows(&self, head: &Value, calls: &Calls) -> Result<Vec<Value>, Failure> {
        let id = native::id(head).unwrap_or_default();
        let (now, mark) = (self.client.now(), fingerprint(head));
        {
            let kept = self.remembered.rows.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(kept) = kept.get(&id).filter(|kept| kept.fingerprint == mark && now - kept.at < ROWS_KEPT) {
                return Ok(kept.rows.clone());
            }
        }
        let rows = self.read_rows(&id.to_string(), calls).await?;
        let mut kept = self.remembered.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST_ROWS {
            kept.retain(|_, kept| now - kept.at < ROWS_KEPT);
        }
        if kept.len() < MOST_ROWS {
            kept.insert(id, Kept { fingerprint: mark, at: now, rows: rows.clone() });
        }
        Ok(rows)
    }

    pub(super) async fn read_rows(&self, order: &str, calls: &Calls) -> Result<Vec<Value>, Failure> {
        let path = format!("orders/{}/orderrows", encode(order));
        let mut rows = self.client.all(&path, &[], ROWS_PAGE, calls).await?;
        // The shop promises no order, and the same rows must look the same every time.
        rows.sort_by_key(native::id);
        Ok(rows)
    }

    /// One order, as it is now.
    pub(super) async fn order(&self, id: &str, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
        let Some(head) = self.client.one(&format!("orders/{}", encode(id)), &[], calls).await? else {
            return Ok(None);
        };
        let rows = self.read_rows(id, calls).await?;
        let paymethods = self.paymethods(calls).await?;
        native::order(head.clone(), rows, &self.around(&head, &paymethods).await).map(Some)
    }

    /// Orders that were placed in the window, without their rows. The shop cannot tell which were changed.
    pub(super) async fn placed(&self, window: &Window, calls: &Calls) -> Result<Vec<Changed>, Failure> {
        let statuses: Vec<Option<u64>> = match window.statuses.as_slice() {
            [] if self.statuses.is_empty() => vec![None],
            [] => self.statuses.iter().copied().map(Some).collect(),
            words => words.iter().filter_map(|word| native::status_id(word)).map(Some).collect(),
        };
        let mut placed = Vec::new();
        for status in statuses {
            let mut query = vec![
                ("orderby", "id".to_owned()),
                ("min_create_date", (window.since.date_naive() - TimeDelta::days(1)).to_string()),
                ("max_create_date", (window.until.date_naive() + TimeDelta::days(1)).to_string()),
            ];
            query.extend(status.map(|status| ("status", status.to_string())));
            if self.only_paid {
                query.push(("is_paid", "true".to_owned()));
            }
            let heads = self.client.all("orders", &query, self.client.page_size(), calls).await?;
            placed.extend(heads.iter().filter_map(|head| {
                let at = moment(&head["create_date"]).filter(|at| *at > window.since && *at < window.until)?;
                let key = NonEmpty::new(native::text(&head["id"]))?;
                Some(Changed { label: native::order_number(head).unwrap_or_else(|| key.to_string()), key, at })
            }));
            if placed.len() >= MOST_LISTED {
                break;
            }
        }
        Ok(placed)
    }
}
