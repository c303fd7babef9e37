//! Reading a list so that no record is missed.
//!
//! The shop can only filter by «modified after» and page by offset, while records keep changing:
//!
//! * The filter is exclusive and knows whole seconds, so the query starts a minute early. Records read twice are
//!   recognised by their content.
//! * The list is sorted by id. A record that changes during the run stays in the list (its date only grows); one that
//!   enters the list at a lower id than already read is not handed out now, but is modified after the start of this run,
//!   where the next run's cursor stands.
//! * A record that leaves the list (trashed, deleted) moves all later ones forward by one place, over the edge of a page
//!   that was read. So each page begins with the last record of the page before. When that one is not there, the reader
//!   steps back until it meets an id it knows. One record in a hundred is read twice, none is missed.

use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::connection::Connection;
use koppel_core::error::RetryReason;
use koppel_core::ports::Calls;
use koppel_core::{Cause, Failure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::woocommerce::client::{List, Listed, Part, WooCommerceClient};
use crate::woocommerce::native;

/// The filter is exclusive and clocks differ a little.
pub const OVERLAP: TimeDelta = TimeDelta::seconds(60);
/// Records a page, when nothing else is set.
const PAGE_SIZE: u32 = 100;
/// A shop that cannot answer this many is down, not slow.
const SMALLEST_PAGE: u32 = 25;
/// Most reads for one page, steps back included.
const MOST_READS: u32 = 50;

/// Where the next page begins.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Place {
    /// Records to pass over.
    offset: u64,
    /// The last id that was handed out.
    last: u64,
    /// Records on the page before.
    length: u64,
    /// The page before showed nothing, though the list goes on: there is no id to begin with.
    blind: bool,
}

/// Records that were not handed out before, and where the next page begins.
#[derive(Debug)]
pub struct Page {
    /// The records.
    pub records: Vec<Value>,
    /// `None` at the end.
    pub next: Option<Place>,
}

/// A page that does not join on to what was read.
struct Lost {
    offset: u64,
    empty: bool,
    /// Where the list goes on behind an empty page.
    next: Option<Place>,
}

/// Reads lists page by page.
#[derive(Debug)]
pub struct Pager {
    /// Shrinks when the shop cannot answer so many at once, and stays small as long as the process lives.
    page_size: AtomicU32,
}

impl Pager {
    /// With the option `page_size`.
    pub fn new(connection: &Connection) -> Result<Self, Failure> {
        Ok(Self { page_size: AtomicU32::new(page_size(connection)?) })
    }

    /// The page at `place` of what was changed since; everything when there is no such filter.
    pub async fn page(
        &self,
        client: &WooCommerceClient,
        listed: Listed,
        since: Option<DateTime<Utc>>,
        mut place: Place,
        calls: &Calls,
    ) -> Result<Page, Failure> {
        // The page that did not begin with a known id, while the reader is a step behind it.
        let mut lost: Option<Lost> = None;
        let mut trusted = place.offset == 0 || place.blind;
        for _ in 0..MOST_READS {
            let (list, size) = self.read(client, listed, since, place.offset, calls).await?;
            let ids: Vec<u64> = list.records.iter().filter_map(native::id).collect();
            if !trusted && place.offset > 0 && ids.first().is_none_or(|first| *first > place.last) {
                // Something left the list: go back until a known id shows that nothing lies in between.
                let next = if ids.is_empty() { take(list, size, &place).next } else { None };
                lost = Some(Lost { offset: place.offset, empty: ids.is_empty(), next });
                place.offset = place.offset.saturating_sub(place.length.max(1));
                continue;
            }
            let anything_new = ids.iter().any(|id| *id > place.last);
            match lost.take() {
                // Nothing lies before the empty page: go on behind it.
                Some(lost) if !anything_new && lost.empty => {
                    return Ok(Page { records: Vec::new(), next: lost.next });
                }
                // Nothing lies between the known ids and that page: it can be read as it is.
                Some(lost) if !anything_new && place.offset + place.length.max(1) == lost.offset => {
                    place.offset = lost.offset;
                    trusted = true;
                    continue;
                }
                _ => {}
            }
            return Ok(take(list, size, &place));
        }
        Err(Failure::retry(
            RetryReason::Unavailable,
            None,
            Cause::new("list_unstable", "the list changes faster than it can be read")
                .advice("look for a plugin that changes the REST API, or try again when the shop is quieter"),
        ))
    }

    /// Reads one part; a shop that breaks on it gets smaller ones.
    async fn read(
        &self,
        client: &WooCommerceClient,
        listed: Listed,
        since: Option<DateTime<Utc>>,
        offset: u64,
        calls: &Calls,
    ) -> Result<(List, u32), Failure> {
        loop {
            let size = self.page_size.load(Ordering::Relaxed);
            let part = Part { modified_after: since.map(|since| since - OVERLAP), offset, size };
            match client.part(listed, &part, calls).await {
                Ok(list) => return Ok((list, size)),
                Err(failure) if size > SMALLEST_PAGE && is_too_much(&failure) => {
                    let smaller = (size / 2).max(SMALLEST_PAGE);
                    tracing::info!(size, smaller, error = %failure, "the shop cannot answer a page this large");
                    self.page_size.store(smaller, Ordering::Relaxed);
                }
                Err(failure) => return Err(failure),
            }
        }
    }
}

/// The new records of a part, and where the next one begins: with the last record of this one.
fn take(list: List, size: u32, place: &Place) -> Page {
    let length = list.records.len() as u64;
    let more = has_more(&list, place.offset, size);
    let mut last = place.last;
    let mut records = Vec::with_capacity(list.records.len());
    for raw in list.records {
        let id = native::id(&raw);
        if id.is_some_and(|id| id <= place.last) {
            continue;
        }
        last = last.max(id.unwrap_or_default());
        records.push(raw);
    }
    let next = match length {
        0 => Place { offset: place.offset + u64::from(size), last, length: u64::from(size), blind: true },
        _ => Place { offset: place.offset + (length - 1).max(1), last, length, blind: false },
    };
    Page { records, next: more.then_some(next) }
}

/// More records lie behind this page: by the shop's own count where it gives one, else because the page is full.
///
/// A page may hold less than was asked for: hosts cap it, and plugins hide orders that still count. So an empty page is
/// the end only when the count does not say otherwise.
fn has_more(list: &List, offset: u64, size: u32) -> bool {
    let read = list.records.len() as u64;
    match list.total {
        Some(total) if read == 0 => offset + u64::from(size) < total,
        Some(total) if total > 0 => offset + read < total,
        _ => read > 0 && read >= u64::from(size),
    }
}

/// The shop was reached but broke on the request: too slow, too much memory, or half an answer.
fn is_too_much(failure: &Failure) -> bool {
    let broken = ["system_unavailable", "no_answer", "connection_lost", "answer_is_not_json"];
    matches!(failure, Failure::Retry { reason: RetryReason::Unavailable, cause, .. } if broken.contains(&cause.code.as_str()))
}

fn page_size(connection: &Connection) -> Result<u32, Failure> {
    let Some(text) = connection.option("page_size") else { return Ok(PAGE_SIZE) };
    match text.parse::<u32>() {
        Ok(size) if (2..=PAGE_SIZE).contains(&size) => Ok(size),
        _ => Err(Failure::settings(
            Cause::new("bad_option", format!("«{text}» is not a page size"))
                .advice("give a number from 2 to 100")
                .in_row("page_size")
                .at_connection(&connection.name),
        )),
    }
}
