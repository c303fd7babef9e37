//! Products with their variations.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use koppel_core::Failure;
use koppel_core::message::SourceRecord;
use koppel_core::ports::{Calls, FetchPage, FetchQuery};
use serde_json::Value;

use super::paging::{OVERLAP, Place};
use super::{Token, WooCommerceSource};
use crate::http::PageToken;
use crate::http::request::encode;
use crate::woocommerce::client::Listed;
use crate::woocommerce::judge::NO_ROUTE;
use crate::woocommerce::native;

impl WooCommerceSource {
    /// Source records of native products, each with its variations.
    pub(super) async fn products(&self, raws: Vec<Value>, calls: &Calls) -> Result<Vec<SourceRecord>, Failure> {
        let raws: Vec<Value> = raws.into_iter().filter(native::product::is_sold).collect();
        if raws.is_empty() {
            return Ok(Vec::new());
        }
        let shop = self.shop.facts(&self.client, calls).await?;
        let categories = |raw: &Value| native::list(&raw["categories"]);
        let needed: BTreeSet<u64> = raws.iter().flat_map(categories).filter_map(|row| native::id(&row)).collect();
        let tree = self.categories.tree(&self.client, &needed, calls).await?;
        let mut records = Vec::with_capacity(raws.len());
        for raw in raws {
            let variations = match native::id(&raw) {
                Some(id) if native::product::is_variable(&raw) => {
                    self.client.all(&format!("products/{id}/variations"), &[], calls).await?
                }
                _ => Vec::new(),
            };
            records.push(native::product::record(raw, variations, &tree, shop, self.weight)?);
        }
        Ok(records)
    }

    /// One product; the id of a variation gives the product that it belongs to.
    pub(super) async fn product(&self, id: &str, calls: &Calls) -> Result<Option<Value>, Failure> {
        let Some(raw) = self.client.one(&format!("products/{}", encode(id)), &[], calls).await? else {
            return Ok(None);
        };
        match native::product::owner(&raw) {
            Some(owner) if native::id(&raw) != Some(owner) => {
                self.client.one(&format!("products/{owner}"), &[], calls).await
            }
            _ => Ok(Some(raw)),
        }
    }

    /// A page of products whose variations changed, though they did not change themselves. Shops older than
    /// WooCommerce 10.3 do not list variations by themselves.
    pub(super) async fn changed_variations(
        &self,
        query: &FetchQuery,
        place: Place,
        calls: &Calls,
    ) -> Result<FetchPage, Failure> {
        let page = match self.pager.page(&self.client, Listed::Variations, Some(query.since), place, calls).await {
            Ok(page) => page,
            Err(Failure::Settings(cause)) if cause.code == NO_ROUTE => return Ok(FetchPage::default()),
            Err(failure) => return Err(failure),
        };
        let parents: BTreeSet<u64> =
            page.records.iter().filter_map(|row| native::number(&row["parent_id"])).filter(|id| *id > 0).collect();
        let mut raws = Vec::new();
        if !parents.is_empty() {
            let ids: Vec<String> = parents.iter().map(u64::to_string).collect();
            raws = self.client.all("products", &[("include", &ids.join(","))], calls).await?;
            raws.retain(|raw| !was_read(raw, query.since));
        }
        let records = self.products(raws, calls).await?;
        let next = page
            .next
            .map(|place| PageToken::pack(&Token { place, variations: true, ..Token::default() }))
            .transpose()?;
        Ok(FetchPage { records, gone: Vec::new(), next })
    }
}

/// The product itself has changed since then, so it was on the list of changed products.
fn was_read(raw: &Value, since: DateTime<Utc>) -> bool {
    native::utc(&raw["date_modified_gmt"]).is_some_and(|changed| changed > since - OVERLAP)
}
