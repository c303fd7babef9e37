//! Reading orders so that none is missed.
//!
//! The shop can only filter by «modified after» and page by offset, while orders keep changing:
//!
//! * The filter is exclusive and knows whole seconds, so the query starts a minute early. Orders read twice are
//!   recognised by their content.
//! * The list is sorted by id. An order that changes during the run stays in the list (its date only grows); one that
//!   enters the list at a lower id than already read is not handed out now, but is modified after the start of this run,
//!   where the next run's cursor stands.
//! * An order that leaves the list (trashed, deleted) moves all later ones forward by one place, over the edge of a page
//!   that was read. So each page begins with the last order of the page before. When that one is not there, the reader
//!   steps back until it meets an id it knows. One record in a hundred is read twice, none is missed.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use chrono::TimeDelta;
use koppel_core::connection::Connection;
use koppel_core::document::Entity;
use koppel_core::error::RetryReason;
use koppel_core::keys::RecordKey;
use koppel_core::message::SourceRecord;
use koppel_core::ports::{Calls, Changed, FetchPage, FetchQuery, Source, Window};
use koppel_core::{Cause, Failure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::client::{List, Part, WooCommerceClient};
use super::native;
use crate::http::{Deps, PageToken};

/// The filter is exclusive and clocks differ a little.
const OVERLAP: TimeDelta = TimeDelta::seconds(60);
/// Records a page, when nothing else is set.
const PAGE_SIZE: u32 = 100;
/// A shop that cannot answer this many is down, not slow.
const SMALLEST_PAGE: u32 = 25;
/// Most reads for one page, steps back included.
const MOST_READS: u32 = 50;

/// Most orders that are listed without their content.
const MOST_LISTED: usize = 1000;

/// Where the next page begins.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Place {
    /// Records to pass over.
    offset: u64,
    /// The last id that was handed out.
    last: u64,
    /// Records on the page before.
    length: u64,
    /// The page before showed nothing, though the list goes on: there is no id to begin with.
    blind: bool,
}

/// A page that does not join on to what was read.
struct Lost {
    offset: u64,
    empty: bool,
    /// Where the list goes on behind an empty page.
    next: Option<String>,
}

/// Reads from one shop.
#[derive(Debug)]
pub struct WooCommerceSource {
    client: WooCommerceClient,
    /// Shrinks when the shop cannot answer so many at once, and stays small as long as the process lives.
    page_size: AtomicU32,
    /// The shop's own meta keys of a VAT number.
    vat_keys: Vec<String>,
}

impl WooCommerceSource {
    /// A source for a connection.
    pub fn new(connection: &Connection, deps: &Deps) -> Result<Self, Failure> {
        let size = page_size(connection)?;
        let client = WooCommerceClient::new(connection, deps)?;
        Ok(Self { client, page_size: AtomicU32::new(size), vat_keys: vat_keys(connection) })
    }

    /// Reads one part; a shop that breaks on it gets smaller ones.
    async fn read(&self, query: &FetchQuery, offset: u64, calls: &Calls) -> Result<(List, u32), Failure> {
        loop {
            let size = self.page_size.load(Ordering::Relaxed);
            let part = Part { modified_after: query.since - OVERLAP, offset, size };
            match self.client.orders(&part, calls).await {
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

    /// The new orders of a part, and where the next one begins: with the last order of this one.
    fn page(&self, list: List, size: u32, place: &Place) -> Result<FetchPage, Failure> {
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
            if native::is_order(&raw) {
                records.push(native::order(raw, &self.vat_keys)?);
            }
        }
        let next = match length {
            0 => Place { offset: place.offset + u64::from(size), last, length: u64::from(size), blind: true },
            _ => Place { offset: place.offset + (length - 1).max(1), last, length, blind: false },
        };
        let next = if more { Some(PageToken::pack(&next)?) } else { None };
        Ok(FetchPage { records, gone: Vec::new(), next })
    }
}

#[async_trait]
impl Source for WooCommerceSource {
    async fn fetch_page(&self, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure> {
        only_orders(query.entity)?;
        let mut place = match &query.page {
            Some(token) => PageToken::unpack(token)?,
            None => Place::default(),
        };
        // The page that did not begin with a known id, while the reader is a step behind it.
        let mut lost: Option<Lost> = None;
        let mut trusted = place.offset == 0 || place.blind;
        for _ in 0..MOST_READS {
            let (list, size) = self.read(query, place.offset, calls).await?;
            let ids: Vec<u64> = list.records.iter().filter_map(native::id).collect();
            if !trusted && place.offset > 0 && ids.first().is_none_or(|first| *first > place.last) {
                // Something left the list: go back until a known id shows that nothing lies in between.
                let next = if ids.is_empty() { self.page(list, size, &place)?.next } else { None };
                lost = Some(Lost { offset: place.offset, empty: ids.is_empty(), next });
                place.offset = place.offset.saturating_sub(place.length.max(1));
                continue;
            }
            let anything_new = ids.iter().any(|id| *id > place.last);
            match lost.take() {
                // Nothing lies before the empty page: go on behind it.
                Some(lost) if !anything_new && lost.empty => {
                    return Ok(FetchPage { next: lost.next, ..FetchPage::default() });
                }
                // Nothing lies between the known ids and that page: it can be read as it is.
                Some(lost) if !anything_new && place.offset + place.length.max(1) == lost.offset => {
                    place.offset = lost.offset;
                    trusted = true;
                    continue;
                }
                _ => {}
            }
            return self.page(list, size, &place);
        }
        Err(Failure::retry(
            RetryReason::Unavailable,
            None,
            Cause::new("list_unstable", "the list of orders changes faster than it can be read")
                .advice("look for a plugin that changes the REST API, or try again when the shop is quieter"),
        ))
    }

    async fn fetch_one(&self, entity: Entity, key: &RecordKey, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
        only_orders(entity)?;
        match self.client.order(key.as_str(), calls).await? {
            Some(raw) if native::is_order(&raw) => native::order(raw, &self.vat_keys).map(Some),
            _ => Ok(None),
        }
    }

    async fn list_changed(&self, window: &Window, calls: &Calls) -> Result<Option<Vec<Changed>>, Failure> {
        only_orders(window.entity)?;
        let list = self.client.changed_orders(window, MOST_LISTED, calls).await?;
        Ok(Some(list.iter().filter(|raw| native::is_order(raw)).filter_map(native::changed).collect()))
    }

    async fn test_connection(&self, calls: &Calls) -> Result<String, Failure> {
        let status = self.client.system_status(calls).await?;
        let part = |path: &str| status.pointer(path).and_then(|value| value.as_str()).unwrap_or("?").to_owned();
        Ok(format!(
            "WooCommerce {} on WordPress {}, {} ({})",
            part("/environment/version"),
            part("/environment/wp_version"),
            part("/environment/site_url"),
            part("/settings/currency"),
        ))
    }
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

fn only_orders(entity: Entity) -> Result<(), Failure> {
    if entity == Entity::Orders {
        return Ok(());
    }
    Err(Failure::settings(
        Cause::new("not_supported", format!("{entity} cannot be read from WooCommerce yet"))
            .advice("koppel systems shows what each system can do"),
    ))
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

/// The option `vat_number_meta`: a list, or texts with commas.
fn vat_keys(connection: &Connection) -> Vec<String> {
    let texts: Vec<&str> = match connection.options.get("vat_number_meta") {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(text)) => text.split(',').collect(),
        _ => Vec::new(),
    };
    texts.into_iter().map(str::trim).filter(|key| !key.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
