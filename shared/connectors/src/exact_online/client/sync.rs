//! The sync endpoints: rows by row version, a thousand a page, and the row version of a moment.
//!
//! A row version is never kept between two runs: each run asks for the one that belongs to its moment. So nothing goes
//! wrong when a division is moved and all row versions begin anew, except for a run that is on its way right then.

use chrono::{DateTime, NaiveDateTime, TimeZone, Utc};
use koppel_core::ports::Calls;
use koppel_core::{Cause, Failure};
use serde_json::Value;

use super::Client;
use crate::exact_online::odata;
use crate::http::Request;
use crate::wall_clock;

/// Before the first row: everything there is.
pub(in crate::exact_online) const FROM_THE_START: i64 = 1;
/// Rows of a full page.
const PAGE_ROWS: usize = 1_000;
const SYNC_TIMESTAMP: &str = "read/sync/Sync/SyncTimestamp";

/// A page of rows.
#[derive(Debug)]
pub(in crate::exact_online) struct SyncPage {
    /// The rows.
    pub rows: Vec<Value>,
    /// The highest row version on the page.
    pub last: i64,
    /// There may be more.
    pub more: bool,
}

impl Client {
    /// The row version after which everything stands that was changed at `since` or later. No call when that is all.
    pub(in crate::exact_online) async fn row_version(
        &self,
        entity: &'static str,
        since: DateTime<Utc>,
        calls: &Calls,
    ) -> Result<i64, Failure> {
        if since <= DateTime::UNIX_EPOCH {
            return Ok(FROM_THE_START);
        }
        let name = entity.strip_prefix("sync/").unwrap_or(entity);
        let request = Request::get(self.path(SYNC_TIMESTAMP)?)
            .query("modified", odata::moment(self.wall_clock(since)))
            .query("endPoint", odata::text(name))
            .query("$select", "TimeStampAsBigInt");
        let rows = self.pages(request.endpoint(SYNC_TIMESTAMP), SYNC_TIMESTAMP, calls).await?;
        rows.first().and_then(|row| number(row, "TimeStampAsBigInt")).ok_or_else(|| self.without_version(entity))
    }

    /// The rows after a row version, at most a page of them.
    pub(in crate::exact_online) async fn sync_page(
        &self,
        entity: &'static str,
        select: &str,
        after: i64,
        calls: &Calls,
    ) -> Result<SyncPage, Failure> {
        let request = self.get(entity, &format!("Timestamp gt {after}L"), select)?;
        let answer = self.send(request, entity, calls).await?;
        let (rows, next) = odata::rows(&answer).ok_or_else(|| self.without_version(entity))?;
        let more = next.is_some() || rows.len() >= PAGE_ROWS;
        let last = rows.iter().filter_map(|row| number(row, "Timestamp")).max();
        // A page that does not go on would be read for ever.
        let last = match last {
            Some(last) if last > after => last,
            _ if rows.is_empty() => return Ok(SyncPage { rows: Vec::new(), last: after, more: false }),
            _ => return Err(self.without_version(entity)),
        };
        Ok(SyncPage { rows: rows.into_iter().cloned().collect(), last, more })
    }

    /// The clock on the wall of the site, as it is asked for what changed since a moment.
    pub(in crate::exact_online) fn wall_clock(&self, moment: DateTime<Utc>) -> NaiveDateTime {
        wall_clock::asked(self.zone, moment)
    }

    /// The moment of a time on the wall of the site. Of the hour that comes twice the earlier one.
    pub(in crate::exact_online) fn utc(&self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        self.zone.from_local_datetime(&local).earliest().map(|moment| moment.with_timezone(&Utc))
    }

    fn without_version(&self, entity: &str) -> Failure {
        let cause = Cause::new("no_row_version", format!("{entity} answered rows without a row version"));
        Failure::retry(koppel_core::error::RetryReason::Unavailable, None, self.at(cause))
    }
}

/// A 64-bit number, which may come as text.
fn number(row: &Value, name: &str) -> Option<i64> {
    odata::field(row, name)?.parse().ok()
}
