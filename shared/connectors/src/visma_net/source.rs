//! Visma Net as a system that records are read from: items, stock, customers, and prices of price classes.
//!
//! Filters on moments take no time zone, and none is documented. Moments are sent in UTC: a company whose clock is ahead
//! of it gives the changes of an hour or two once more, and nothing is missed. Records read twice are recognised by their
//! content.

mod customers;
mod families;
mod pictures;
mod prices;
mod products;
mod stock;
pub(super) mod variants;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::document::Entity;
use koppel_core::keys::RecordKey;
use koppel_core::message::SourceRecord;
use koppel_core::ports::target::Picture;
use koppel_core::ports::{Asked, Calls, FetchPage, FetchQuery, Finding, Source};
use koppel_core::{Cause, Failure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::client::{Client, List};
use super::{VismaNet, diagnose, wire};
use crate::http::PageToken;

/// Clocks differ, and a list may show a change late.
const OVERLAP: TimeDelta = TimeDelta::minutes(5);

/// Where a list goes on.
#[derive(Debug, Serialize, Deserialize)]
struct Place {
    page: u32,
    /// Key of the first row of the page before: a list that does not turn its pages gives it again.
    first: Option<String>,
}

impl Place {
    fn of(query: &FetchQuery, begin: u32) -> Result<Self, Failure> {
        match &query.page {
            Some(token) => PageToken::unpack(token),
            None => Ok(Self { page: begin, first: None }),
        }
    }
}

/// One page of what was changed, and the token of the next.
async fn changed_page(
    client: &Client,
    list: List<'_>,
    key: &str,
    query: &FetchQuery,
    calls: &Calls,
) -> Result<(Vec<Value>, Option<String>), Failure> {
    let place = Place::of(query, 1)?;
    let list = since(list, "lastModifiedDateTime", "lastModifiedDateTimeCondition", query.since);
    let page = client.page(&list, place.page, calls).await?;
    let first = page.rows.first().and_then(|row| wire::field(row, key));
    if first.is_some() && first == place.first {
        return Ok((Vec::new(), None));
    }
    let next = page.more && !page.rows.is_empty();
    let next = next.then(|| PageToken::pack(&Place { page: place.page + 1, first })).transpose()?;
    Ok((page.rows, next))
}

/// Only what was changed from a moment on. Both parts of the filter go together; without a moment all is read.
fn since<'a>(list: List<'a>, name: &'static str, condition: &'static str, since: DateTime<Utc>) -> List<'a> {
    let from = since - OVERLAP;
    // A first read begins before there was such a system.
    if from.timestamp() < 946_684_800 {
        return list;
    }
    list.with(name, wire::moment(from)).with(condition, ">=")
}

#[async_trait]
impl Source for VismaNet {
    async fn fetch_page(&self, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure> {
        match query.entity {
            Entity::Products => products::page(self, query, calls).await,
            Entity::Stock => stock::page(self, query, calls).await,
            Entity::Customers => customers::page(self, query, calls).await,
            Entity::Prices => prices::page(self, query, calls).await,
            entity => Err(cannot(entity)),
        }
    }

    async fn fetch_one(&self, entity: Entity, key: &RecordKey, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
        match entity {
            Entity::Products => products::one(self, key, calls).await,
            Entity::Stock => stock::one(self, key, calls).await,
            Entity::Customers => customers::one(self, key, calls).await,
            Entity::Prices => prices::one(self, key, calls).await,
            entity => Err(cannot(entity)),
        }
    }

    async fn fetch_picture(&self, url: &str, calls: &Calls) -> Result<Option<Picture>, Failure> {
        pictures::fetch(&self.client, url, calls).await
    }

    async fn diagnose(&self, asked: &Asked, calls: &Calls) -> Result<Vec<Finding>, Failure> {
        diagnose::diagnose(self, asked, calls).await
    }

    async fn test_connection(&self, calls: &Calls) -> Result<String, Failure> {
        diagnose::introduce(&self.client, calls).await
    }
}

fn cannot(entity: Entity) -> Failure {
    Failure::settings(
        Cause::new("not_supported", format!("{entity} cannot be read from Visma Net"))
            .advice("koppel systems shows what each system can do"),
    )
}
