//! Products: which items changed, and those items with all that belongs to them.
//!
//! An item tells when it changed; its pictures tell it apart. There is no word of items that were deleted: they have a
//! status instead, and are then no longer sold.

use std::collections::{BTreeMap, BTreeSet};

use koppel_core::keys::RecordKey;
use koppel_core::message::SourceRecord;
use koppel_core::ports::{Calls, FetchPage, FetchQuery};
use koppel_core::{Cause, Failure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::families::{self, Families};
use super::since;
use crate::http::PageToken;
use crate::visma_net::client::{Client, List};
use crate::visma_net::{VismaNet, wire};

const INVENTORY: &str = "inventory";
const PATH: &str = "v1/inventory";
/// With more parents than this all items are read: one call for each would be more.
const PARENTS_MAX: usize = 20;
/// The two ways in which an item changes.
const FEEDS: [(&str, &str); 2] = [
    ("lastModifiedDateTime", "lastModifiedDateTimeCondition"),
    ("attachmentLastModifiedDateTime", "attachmentLastModifiedDateTimeCondition"),
];

/// Items by number.
type Items = BTreeMap<String, Value>;

#[derive(Debug, Serialize, Deserialize)]
struct Token {
    feed: usize,
    page: u32,
    first: Option<String>,
}

/// The list of items with what a product is made of, and nothing else: what is left out is on by itself, and slow.
fn list() -> List<'static> {
    let mut list = List::of(PATH, INVENTORY);
    for (expand, wanted) in [
        ("expandCrossReference", true),
        ("expandAttachment", true),
        ("expandAttribute", true),
        ("expandWarehouseDetail", false),
        ("expandAccountInformation", false),
        ("expandInventoryUnits", false),
        ("expandSupplierDetails", false),
        ("expandSalesCategories", true),
        ("expandNote", false),
    ] {
        list = list.with(expand, wanted);
    }
    list
}

/// One page of products that changed.
pub(super) async fn page(visma: &VismaNet, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure> {
    let token = match &query.page {
        Some(token) => PageToken::unpack(token)?,
        None => Token { feed: 0, page: 1, first: None },
    };
    let (name, condition) = *FEEDS.get(token.feed).ok_or_else(bad_token)?;
    let whole = since(list(), name, condition, query.since).query.len() == list().query.len();
    // Everything at once: variations of one product may stand on any page.
    if whole && !visma.variants.is_none() {
        let families = Families::of(visma, by_code(visma.client.list(&list(), calls).await?));
        return Ok(FetchPage { records: families::records(visma, families, calls).await?, ..FetchPage::default() });
    }
    let page = visma.client.page(&since(list(), name, condition, query.since), token.page, calls).await?;
    let first = page.rows.first().and_then(|row| wire::field(row, "inventoryNumber"));
    let turned = first.is_none() || first != token.first;
    let items = if turned { by_code(page.rows) } else { Items::new() };
    let codes: BTreeSet<String> = items.keys().cloned().collect();
    let mut families = Families::of(visma, with_siblings(visma, items, calls).await?);
    families.keep_those_with(&codes);
    let records = families::records(visma, families, calls).await?;
    let next = if page.more && turned && first.is_some() {
        Some(Token { feed: token.feed, page: token.page + 1, first })
    } else if !whole && token.feed + 1 < FEEDS.len() {
        Some(Token { feed: token.feed + 1, page: 1, first: None })
    } else {
        None
    };
    Ok(FetchPage { records, gone: Vec::new(), next: next.map(|token| PageToken::pack(&token)).transpose()? })
}

/// One product, by the number of its item or, for one with variations, by that of the parent.
pub(super) async fn one(visma: &VismaNet, key: &RecordKey, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
    let code = key.as_str();
    let items = match code.strip_prefix(families::PARENT) {
        Some(parent) => siblings(visma, &BTreeSet::from([parent.to_owned()]), calls).await?,
        None => {
            let item = by_number(&visma.client, code, calls).await?;
            with_siblings(visma, item.into_iter().map(|item| (code.to_owned(), item)).collect(), calls).await?
        }
    };
    let records = families::records(visma, Families::of(visma, items), calls).await?;
    Ok(records.into_iter().find(|record| record.key == *key))
}

/// The item with this number: by filter, so that an unknown one is an empty answer.
pub(super) async fn by_number(client: &Client, code: &str, calls: &Calls) -> Result<Option<Value>, Failure> {
    let page = client.page(&list().with("inventoryNumber", code), 1, calls).await?;
    Ok(page.rows.into_iter().find(|row| wire::field(row, "inventoryNumber").as_deref() == Some(code)))
}

/// These items and, when they are variations, the others of the same product.
async fn with_siblings(visma: &VismaNet, mut items: Items, calls: &Calls) -> Result<Items, Failure> {
    if visma.variants.is_none() || items.is_empty() {
        return Ok(items);
    }
    // An item that stands alone may be the parent's own one.
    let parents = items.iter().map(|(code, item)| visma.variants.parent(item, code).unwrap_or_else(|| code.clone()));
    let parents: BTreeSet<String> = parents.collect();
    items.extend(siblings(visma, &parents, calls).await?);
    Ok(items)
}

/// All items of these parents, their own ones included.
async fn siblings(visma: &VismaNet, parents: &BTreeSet<String>, calls: &Calls) -> Result<Items, Failure> {
    let Some(attribute) = visma.variants.attribute().filter(|_| parents.len() <= PARENTS_MAX) else {
        // No filter knows the front of a number.
        return Ok(by_code(visma.client.list(&list(), calls).await?));
    };
    let mut items = Items::new();
    for parent in parents {
        let filter = serde_json::json!({ attribute: parent }).to_string();
        let rows = visma.client.list(&list().with("attributes", filter), calls).await?;
        // A filter that is not obeyed gives everything.
        let mine =
            by_code(rows).into_iter().filter(|(code, item)| visma.variants.parent(item, code).as_ref() == Some(parent));
        items.extend(mine);
        if let Some(own) = by_number(&visma.client, parent, calls).await? {
            items.insert(parent.clone(), own);
        }
    }
    Ok(items)
}

fn by_code(rows: Vec<Value>) -> Items {
    rows.into_iter().filter_map(|row| Some((wire::field(&row, "inventoryNumber")?, row))).collect()
}

fn bad_token() -> Failure {
    Failure::reject(Cause::new("bad_page_token", "the page token cannot be read").advice("start the run again"))
}
