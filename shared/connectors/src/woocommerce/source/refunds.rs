//! Refunds. WooCommerce 9.0 lists them over all orders: one call for up to a hundred of them, and one for their orders. A
//! shop that is older only lists them order by order; a refund changes its order, so those of changed orders are read.

use std::collections::{BTreeMap, BTreeSet};

use koppel_core::Failure;
use koppel_core::keys::RecordKey;
use koppel_core::message::SourceRecord;
use koppel_core::ports::{Calls, FetchPage, FetchQuery};
use serde_json::Value;

use super::paging::Place;
use super::{Token, WooCommerceSource};
use crate::http::PageToken;
use crate::http::request::encode;
use crate::woocommerce::client::{DECIMALS, Listed};
use crate::woocommerce::judge::NO_ROUTE;
use crate::woocommerce::native;

impl WooCommerceSource {
    /// A page of refunds that were made since.
    pub(super) async fn refunds(&self, query: &FetchQuery, token: Token, calls: &Calls) -> Result<FetchPage, Failure> {
        if token.by_order {
            return self.refunds_by_order(query, token.place, calls).await;
        }
        let page = match self.pager.page(&self.client, Listed::Refunds, Some(query.since), token.place, calls).await {
            Ok(page) => page,
            Err(Failure::Settings(cause)) if cause.code == NO_ROUTE => {
                return self.refunds_by_order(query, Place::default(), calls).await;
            }
            Err(failure) => return Err(failure),
        };
        let ids: BTreeSet<u64> = page.records.iter().filter_map(|raw| native::number(&raw["parent_id"])).collect();
        let mut orders = BTreeMap::new();
        if !ids.is_empty() {
            let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
            let asked = [("include", ids.join(",")), ("dp", DECIMALS.to_owned())];
            let asked = asked.each_ref().map(|(name, value)| (*name, value.as_str()));
            let list = self.client.all("orders", &asked, calls).await?;
            orders = list.into_iter().filter_map(|raw| Some((native::id(&raw)?, raw))).collect();
        }
        let mut records = Vec::with_capacity(page.records.len());
        for raw in page.records {
            // One of an order that was thrown away is not there any more either.
            let Some(order) = native::number(&raw["parent_id"]).and_then(|id| orders.get(&id)) else { continue };
            records.extend(self.with_order(raw, order.clone())?);
        }
        let next = page.next.map(|place| PageToken::pack(&Token { place, ..Token::default() })).transpose()?;
        Ok(FetchPage { records, gone: Vec::new(), next })
    }

    async fn refunds_by_order(&self, query: &FetchQuery, place: Place, calls: &Calls) -> Result<FetchPage, Failure> {
        let page = self.pager.page(&self.client, Listed::Orders, Some(query.since), place, calls).await?;
        let mut records = Vec::new();
        for order in page.records.into_iter().filter(|order| !native::list(&order["refunds"]).is_empty()) {
            let Some(id) = native::id(&order) else { continue };
            let list = self.client.all(&format!("orders/{id}/refunds"), &[("dp", DECIMALS)], calls).await?;
            for raw in list {
                records.extend(self.with_order(raw, order.clone())?);
            }
        }
        let next =
            page.next.map(|place| PageToken::pack(&Token { place, by_order: true, ..Token::default() })).transpose()?;
        Ok(FetchPage { records, gone: Vec::new(), next })
    }

    /// One refund with its order.
    pub(super) async fn refund(&self, key: &RecordKey, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
        let Some((order, refund)) = key.as_str().split_once('/') else { return Ok(None) };
        let Some(raw) = self.client.order(order, calls).await? else { return Ok(None) };
        let path = format!("orders/{}/refunds/{}", encode(order), encode(refund));
        let Some(refund) = self.client.one(&path, &[("dp", DECIMALS)], calls).await? else { return Ok(None) };
        self.with_order(refund, raw)
    }

    fn with_order(&self, refund: Value, order: Value) -> Result<Option<SourceRecord>, Failure> {
        let mut record = native::refund::record(refund, order, &self.vat_keys)?;
        if let Some(record) = &mut record {
            native::bundle::link_by(&mut record.raw["order"], &self.bundle_keys);
        }
        Ok(record)
    }
}
