//! Reading products: the latest change first, until what was changed before the cursor.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use koppel_core::Failure;
use koppel_core::message::SourceRecord;
use koppel_core::ports::{Calls, FetchPage, FetchQuery};
use serde_json::Value;

use super::{CcvShopSource, Token};
use crate::ccv_shop::native::product::{CHILDREN, PAGE, category_ids, changed_at, record};
use crate::ccv_shop::properties::Mode;
use crate::http::PageToken;
use crate::http::request::encode;

/// Clocks differ a little.
const OVERLAP: TimeDelta = TimeDelta::minutes(1);
/// Products of the page before that are read again: one that is thrown away moves the others forward.
const AGAIN: u64 = 5;

impl CcvShopSource {
    /// A page of products that were changed since. One that is changed while the list is read goes to its front, and moves the
    /// others back: they are read twice, not missed.
    pub(super) async fn products(
        &self,
        query: &FetchQuery,
        token: &Token,
        calls: &Calls,
    ) -> Result<FetchPage, Failure> {
        let asked = [("orderby", "modifydate_desc".to_owned()), ("expand", CHILDREN.to_owned())];
        let page = self.client.page("products", &asked, token.start, PAGE, calls).await?.unwrap_or_default();
        let is_late = |raw: &Value| changed_at(raw).is_none_or(|at| at >= query.since - OVERLAP);
        let at_end = page.items.last().is_some_and(|last| !is_late(last));
        let length = page.items.len() as u64;
        let raws: Vec<Value> = page.items.into_iter().filter(is_late).collect();
        let records = self.product_records(raws, calls).await?;
        let start = page.next.filter(|_| !at_end).map(|next| {
            let again = AGAIN.min(length.saturating_sub(1)).min(next.saturating_sub(token.start + 1));
            next - again
        });
        let next = start.map(|start| PageToken::pack(&Token { start, ..Token::default() })).transpose()?;
        Ok(FetchPage { records, gone: Vec::new(), next })
    }

    /// One product, as it is now.
    pub(super) async fn product(&self, id: &str, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
        let asked = [("expand", CHILDREN.to_owned())];
        let raw = self.client.one(&format!("products/{}", encode(id)), &asked, calls).await?;
        Ok(self.product_records(raw.into_iter().collect(), calls).await?.pop())
    }

    async fn product_records(&self, raws: Vec<Value>, calls: &Calls) -> Result<Vec<SourceRecord>, Failure> {
        if raws.is_empty() {
            return Ok(Vec::new());
        }
        let shop = self.shop.facts(&self.client, calls).await?;
        let needed: BTreeSet<u64> = raws.iter().flat_map(category_ids).collect();
        let tree = self.categories.tree(&self.client, &needed, calls).await?;
        let mut records = Vec::new();
        for raw in raws {
            let properties = if self.properties.mode == Mode::Leave {
                Vec::new()
            } else {
                let own = self.properties.own(&self.client, &raw, calls).await?;
                self.properties.named(&self.client, &own, calls).await?
            };
            records.push(record(raw, &tree, shop, &properties)?);
        }
        Ok(records)
    }
}
