//! Stock: quantities of the articles. Whether a change of stock changes the date of its article is not known, so every
//! read goes through all of them, page by page; what is unchanged is recognised by its content.

use koppel_core::keys::RecordKey;
use koppel_core::message::SourceRecord;
use koppel_core::ports::{Calls, FetchPage, FetchQuery};
use koppel_core::{Cause, Failure, NonEmpty};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::accountview::AccountView;
use crate::accountview::body::json_number;
use crate::accountview::client::{Door, List, decimal, field};
use crate::accountview::foxpro::Filter;
use crate::http::PageToken;

const ROLES: [&str; 2] = ["free_stock", "technical_stock"];

/// One page of stock.
pub(super) async fn page(av: &AccountView, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure> {
    let list = list(av, calls).await?;
    let last: Option<String> = query.page.as_deref().map(PageToken::unpack).transpose()?;
    let (rows, next) = av.client.page(Door::Data, &list, last.as_deref(), calls).await?;
    let records = rows.iter().filter_map(|row| record(av, row)).collect();
    let next = next.map(|key| PageToken::pack(&key)).transpose()?;
    Ok(FetchPage { records, gone: Vec::new(), next })
}

/// The stock of one article, by its code.
pub(super) async fn one(av: &AccountView, key: &RecordKey, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
    let mut list = list(av, calls).await?;
    list.filters.push(Filter::equal(&list.key, key.as_str()));
    let rows = av.client.all(Door::Data, &list, calls).await?;
    Ok(rows.iter().filter_map(|row| record(av, row)).find(|record| record.key == *key))
}

async fn list(av: &AccountView, calls: &Calls) -> Result<List, Failure> {
    let part = av.profile.part("article");
    if ROLES.iter().all(|role| part.role(role).is_none()) {
        return Err(Failure::settings(
            Cause::new("role_is_off", "the profile names no field for the stock of an article")
                .advice("set profile.article.roles.free_stock or technical_stock")
                .in_row("profile.article.roles.free_stock"),
        ));
    }
    let more: Vec<String> = av.variants.field().map(str::to_owned).into_iter().collect();
    av.list_of(part, &ROLES, &more, calls).await
}

fn record(av: &AccountView, row: &Value) -> Option<SourceRecord> {
    let part = av.profile.part("article");
    let code = field(row, part.key.as_deref()?)?;
    let quantity = |role: &str| part.role(role).map(|name| decimal(row, name).unwrap_or_default());
    let (free, technical) = (quantity("free_stock"), quantity("technical_stock"));
    // What lies there is free or promised. With only one of both known, that one is all there is.
    let on_hand = technical.or(free).unwrap_or_default();
    let reserved = free.map_or(Decimal::ZERO, |free| on_hand - free);
    let parent = av.variants.parent(row, &code);
    Some(SourceRecord {
        key: NonEmpty::new(&code)?,
        label: code.clone(),
        partition: parent.clone().unwrap_or_else(|| code.clone()),
        modified_at: None,
        raw: json!({
            "code": code, "parent": parent,
            // Warehouses are not told apart.
            "positions": [{
                "warehouse": "", "on_hand": json_number(on_hand), "reserved": json_number(reserved),
                "free": free.and_then(json_number),
            }],
        }),
    })
}
