//! Products: which items changed, and those items with all that belongs to them.
//!
//! What changed is told by two feeds of row versions (items, prices), by deletions, and by dates that have come. The
//! items themselves are read by id, a few of them, or in bulk when there are many.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use koppel_core::keys::RecordKey;
use koppel_core::message::SourceRecord;
use koppel_core::ports::{Calls, FetchPage, FetchQuery};
use koppel_core::{Cause, Failure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::families::{self, Families};
use super::feeds::{self, PAGES_MAX};
use crate::exact_online::ExactOnline;
use crate::exact_online::client::sync::FROM_THE_START;
use crate::exact_online::odata;
use crate::http::PageToken;

const ITEMS: &str = "logistics/Items";
const ITEMS_IN_BULK: &str = "bulk/Logistics/Items";
const ITEM_FEED: &str = "sync/Logistics/Items";
const PRICE_FEED: &str = "sync/Logistics/SalesItemPrices";
/// `EntityType` of items in the feed of deletions.
const DELETED_ITEM: &str = "9";

/// With more changed items than this all are read in bulk: by id that would be more than fifteen calls.
const BY_ID_MAX: usize = 250;

/// Where a first read goes on.
#[derive(Debug, Serialize, Deserialize)]
struct Token {
    link: String,
}

/// Items by id.
type Items = BTreeMap<String, Value>;

/// One page of products that changed.
pub(super) async fn page(exact: &ExactOnline, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure> {
    if let Some(token) = &query.page {
        let Token { link } = PageToken::unpack(token)?;
        return first_read(exact, Some(&link), calls).await;
    }
    let Some(changed) = changed_since(exact, query.since, calls).await? else {
        return first_read(exact, None, calls).await;
    };
    let records = if changed.ids.is_empty() {
        Vec::new()
    } else {
        let items = if changed.ids.len() > BY_ID_MAX {
            all_items(exact, calls).await?
        } else {
            with_siblings(exact, &changed.ids, calls).await?
        };
        let mut families = Families::of(&exact.variants, items);
        families.keep_those_with(&changed.ids);
        families::records(exact, families, calls).await?
    };
    Ok(FetchPage { records, gone: changed.gone, next: None })
}

/// One product, by the id of its item or, for one with variations, by its own code.
pub(super) async fn one(exact: &ExactOnline, key: &RecordKey, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
    let items = match odata::guid(key.as_str()) {
        Ok(_) => with_siblings(exact, &BTreeSet::from([key.as_str().to_owned()]), calls).await?,
        Err(_) => match key.as_str().strip_prefix(families::PARENT) {
            Some(parent) => siblings(exact, &BTreeSet::from([parent.to_owned()]), calls).await?,
            None => return Ok(None),
        },
    };
    let families = Families::of(&exact.variants, items);
    let records = families::records(exact, families, calls).await?;
    Ok(records.into_iter().find(|record| record.key == *key))
}

/// Everything there is. Page by page when every item stands alone; at once when variations must be put together.
async fn first_read(exact: &ExactOnline, link: Option<&str>, calls: &Calls) -> Result<FetchPage, Failure> {
    if !exact.variants.is_none() {
        let families = Families::of(&exact.variants, all_items(exact, calls).await?);
        return Ok(FetchPage { records: families::records(exact, families, calls).await?, ..FetchPage::default() });
    }
    let (rows, next) = exact.client.page(ITEMS_IN_BULK, &families::select(), link, calls).await?;
    let families = Families::of(&exact.variants, by_id(rows));
    let records = families::records(exact, families, calls).await?;
    let next = next.map(|link| PageToken::pack(&Token { link })).transpose()?;
    Ok(FetchPage { records, gone: Vec::new(), next })
}

async fn all_items(exact: &ExactOnline, calls: &Calls) -> Result<Items, Failure> {
    let (mut items, mut link) = (Items::new(), None);
    for _ in 0..PAGES_MAX {
        let (rows, next) = exact.client.page(ITEMS_IN_BULK, &families::select(), link.as_deref(), calls).await?;
        items.extend(by_id(rows));
        match next {
            Some(next) => link = Some(next),
            None => return Ok(items),
        }
    }
    Err(Failure::settings(
        Cause::new("too_many_items", format!("there are more than {PAGES_MAX} pages of a thousand items"))
            .advice("leave the option `variants` of the connection out, then items are read page by page"),
    ))
}

/// The items with these ids and, when they are variations, the others of the same product.
async fn with_siblings(exact: &ExactOnline, ids: &BTreeSet<String>, calls: &Calls) -> Result<Items, Failure> {
    let literals = ids.iter().map(|id| odata::guid(id)).collect::<Result<Vec<_>, _>>()?;
    let mut items = by_id(exact.client.search(ITEMS, &["ID"], &literals, &families::select(), calls).await?);
    if exact.variants.is_none() {
        return Ok(items);
    }
    let parent = |item: &Value| {
        let code = odata::field(item, "Code")?;
        // An item that stands alone may be the parent's own one.
        Some(exact.variants.parent(item, &code).unwrap_or(code))
    };
    let parents = items.values().filter_map(parent).collect();
    items.extend(siblings(exact, &parents, calls).await?);
    Ok(items)
}

/// All items of these parents, their own ones included.
async fn siblings(exact: &ExactOnline, parents: &BTreeSet<String>, calls: &Calls) -> Result<Items, Failure> {
    let terms: Vec<Vec<String>> = parents.iter().filter_map(|parent| exact.variants.terms(parent)).collect();
    Ok(by_id(exact.client.search_terms(ITEMS, &terms, &families::select(), calls).await?))
}

fn by_id(rows: Vec<Value>) -> Items {
    rows.into_iter().filter_map(|row| Some((odata::field(&row, "ID")?.to_lowercase(), row))).collect()
}

/// What changed since a moment.
#[derive(Default)]
struct Changed {
    ids: BTreeSet<String>,
    gone: Vec<RecordKey>,
}

/// `None` when that is everything.
async fn changed_since(exact: &ExactOnline, since: DateTime<Utc>, calls: &Calls) -> Result<Option<Changed>, Failure> {
    let client = &exact.client;
    let of_items = client.row_version(ITEM_FEED, since, calls).await?;
    if of_items == FROM_THE_START {
        return Ok(None);
    }
    let of_prices = client.row_version(PRICE_FEED, since, calls).await?;
    let mut changed = Changed::default();
    let id = |row: &Value, name: &str| odata::field(row, name).map(|id| id.to_lowercase());
    for row in feeds::rows(exact, ITEM_FEED, "Timestamp,ID", of_items, calls).await? {
        changed.ids.extend(id(&row, "ID"));
    }
    for row in feeds::rows(exact, PRICE_FEED, "Timestamp,Item,Account", of_prices, calls).await? {
        // What was agreed with one customer is no price of the shop.
        if id(&row, "Account").is_none() {
            changed.ids.extend(id(&row, "Item"));
        }
    }
    changed.ids.extend(dates_that_have_come(exact, since, calls).await?);
    for gone in feeds::deleted(exact, DELETED_ITEM, since, of_items.max(of_prices), calls).await? {
        changed.ids.remove(gone.as_str());
        changed.gone.push(gone);
    }
    Ok(Some(changed))
}

/// Items whose first day of sale has come or whose last has passed: no row changes on such a day.
async fn dates_that_have_come(
    exact: &ExactOnline,
    since: DateTime<Utc>,
    calls: &Calls,
) -> Result<Vec<String>, Failure> {
    let (then, today) = (exact.client.wall_clock(since).date(), exact.client.local_now().date());
    if then >= today {
        return Ok(Vec::new());
    }
    let day = |date: NaiveDate| odata::moment(date.and_time(chrono::NaiveTime::MIN));
    let filter = format!(
        "StartDate gt {} and StartDate le {} or EndDate ge {} and EndDate lt {}",
        day(then),
        day(today),
        day(then - TimeDelta::days(1)),
        day(today)
    );
    let rows = exact.client.filtered(ITEMS_IN_BULK, &filter, "ID", calls).await?;
    Ok(rows.iter().filter_map(|row| odata::field(row, "ID").map(|id| id.to_lowercase())).collect())
}
