//! Reading orders, refunds, products and customers. How no record is missed is told at the head of `paging.rs`.
//!
//! * Orders and products are filtered by the moment of their change.
//! * A refund carries its order: see `refunds.rs`.
//! * A product carries its variations. Where the shop lists variations by their change (10.3), products whose variations
//!   changed are read after those that changed themselves.
//! * The list of customers has no filter for changes at all: every read goes through all of them, and what is unchanged
//!   is recognised by its content.

mod lists;
mod paging;
mod pictures;
mod products;
mod refunds;
mod shop;

use async_trait::async_trait;
use koppel_core::connection::Connection;
use koppel_core::document::Entity;
use koppel_core::keys::RecordKey;
use koppel_core::message::SourceRecord;
use koppel_core::ports::target::Picture;
use koppel_core::ports::{
    Asked, Calls, Changed, DocumentNumber, FetchPage, FetchQuery, Finding, Reference, Source, Window,
};
use koppel_core::system::SourceList;
use koppel_core::{Cause, Failure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::categories::Categories;
use super::client::{Listed, WooCommerceClient};
use super::diagnose::diagnose;
use super::native;
use super::native::bundle::Pair;
use super::target::batch::Batches;
use super::weight::WeightUnit;
use crate::http::request::encode;
use crate::http::{Deps, PageToken};
use paging::{Pager, Place};
use shop::Shop;
pub(super) use shop::ShopFacts;

/// Most records that are listed without their content.
const MOST_LISTED: usize = 1000;

/// Where the next page begins, and in which list.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Token {
    place: Place,
    /// The changed products have been read; what is left are products whose variations changed.
    #[serde(default)]
    variations: bool,
    /// The shop lists refunds by their orders only.
    #[serde(default)]
    by_order: bool,
}

/// Reads from one shop.
#[derive(Debug)]
pub struct WooCommerceSource {
    client: WooCommerceClient,
    pager: Pager,
    categories: Categories,
    shop: Shop,
    weight: WeightUnit,
    /// The shop's own meta keys of a VAT number.
    vat_keys: Vec<String>,
    /// Meta keys by which other plugins say what a line is a part of.
    bundle_keys: Vec<Pair>,
    batches: Batches,
}

impl WooCommerceSource {
    /// A source for a connection.
    pub fn new(connection: &Connection, deps: &Deps) -> Result<Self, Failure> {
        Ok(Self {
            pager: Pager::new(connection)?,
            weight: WeightUnit::of(connection)?,
            client: WooCommerceClient::new(connection, deps)?,
            categories: Categories::default(),
            shop: Shop::default(),
            vat_keys: vat_keys(connection),
            bundle_keys: native::bundle::pairs(connection)?,
            batches: Batches::new(connection)?,
        })
    }

    async fn records(&self, entity: Entity, raws: Vec<Value>, calls: &Calls) -> Result<Vec<SourceRecord>, Failure> {
        match entity {
            Entity::Products => self.products(raws, calls).await,
            Entity::Customers => {
                let buyers = raws.into_iter().filter(native::customer::is_buyer);
                buyers.map(|raw| native::customer::record(raw, &self.vat_keys)).collect()
            }
            _ => {
                let orders = raws.into_iter().filter(native::is_order);
                orders.map(|raw| self.order(raw)).collect()
            }
        }
    }

    fn order(&self, raw: Value) -> Result<SourceRecord, Failure> {
        let mut record = native::order(raw, &self.vat_keys)?;
        native::bundle::link_by(&mut record.raw, &self.bundle_keys);
        Ok(record)
    }
}

#[async_trait]
impl Source for WooCommerceSource {
    async fn fetch_page(&self, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure> {
        let listed = listed(query.entity)?;
        let token: Token = match &query.page {
            Some(token) => PageToken::unpack(token)?,
            None => Token::default(),
        };
        if token.variations {
            return self.changed_variations(query, token.place, calls).await;
        }
        if listed == Listed::Refunds {
            return self.refunds(query, token, calls).await;
        }
        let since = (listed != Listed::Customers).then_some(query.since);
        let page = self.pager.page(&self.client, listed, since, token.place, calls).await?;
        let next = match page.next {
            Some(place) => Some(Token { place, ..Token::default() }),
            None => (listed == Listed::Products).then(|| Token { variations: true, ..Token::default() }),
        };
        let next = next.map(|token| PageToken::pack(&token)).transpose()?;
        let records = self.records(query.entity, page.records, calls).await?;
        Ok(FetchPage { records, gone: Vec::new(), next })
    }

    async fn fetch_one(&self, entity: Entity, key: &RecordKey, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
        let raw = match listed(entity)? {
            Listed::Products | Listed::Variations => self.product(key.as_str(), calls).await?,
            Listed::Refunds => return self.refund(key, calls).await,
            Listed::Customers => self.client.one(&format!("customers/{}", encode(key.as_str())), &[], calls).await?,
            Listed::Orders => self.client.order(key.as_str(), calls).await?,
        };
        let records = self.records(entity, raw.into_iter().collect(), calls).await?;
        Ok(records.into_iter().next())
    }

    async fn list_changed(&self, window: &Window, calls: &Calls) -> Result<Option<Vec<Changed>>, Failure> {
        let (fields, is_wanted): (_, fn(&Value) -> bool) = match window.entity {
            Entity::Orders => ("id,number,status,date_modified_gmt", native::is_order),
            Entity::Products => ("id,sku,type,status,date_modified_gmt", native::product::is_sold),
            _ => return Ok(None),
        };
        let list = self.client.changed(listed(window.entity)?, window, fields, MOST_LISTED, calls).await?;
        Ok(Some(list.iter().filter(|raw| is_wanted(raw)).filter_map(native::changed).collect()))
    }

    async fn fetch_picture(&self, url: &str, calls: &Calls) -> Result<Option<Picture>, Failure> {
        pictures::fetch(&self.client, url, calls).await
    }

    async fn note_numbers(
        &self,
        _entity: Entity,
        field: &str,
        numbers: &[DocumentNumber],
        calls: &Calls,
    ) -> Result<Vec<Result<(), Failure>>, Failure> {
        super::numbers::note(&self.client, &self.batches, field, numbers, calls).await
    }

    async fn list_values(&self, list: SourceList, calls: &Calls) -> Result<Vec<Reference>, Failure> {
        self.values(list, calls).await
    }

    async fn test_connection(&self, calls: &Calls) -> Result<String, Failure> {
        introduce(&self.client, calls).await
    }

    async fn diagnose(&self, asked: &Asked, calls: &Calls) -> Result<Vec<Finding>, Failure> {
        diagnose(&self.client, asked, calls).await
    }
}

/// Who answers: versions, address and currency of the shop.
pub(super) async fn introduce(client: &WooCommerceClient, calls: &Calls) -> Result<String, Failure> {
    let status = client.system_status(calls).await?;
    let part = |path: &str| status.pointer(path).and_then(|value| value.as_str()).unwrap_or("?").to_owned();
    Ok(format!(
        "WooCommerce {} on WordPress {}, {} ({})",
        part("/environment/version"),
        part("/environment/wp_version"),
        part("/environment/site_url"),
        part("/settings/currency"),
    ))
}

fn listed(entity: Entity) -> Result<Listed, Failure> {
    match entity {
        Entity::Orders => Ok(Listed::Orders),
        Entity::Refunds => Ok(Listed::Refunds),
        Entity::Products => Ok(Listed::Products),
        Entity::Customers => Ok(Listed::Customers),
        _ => Err(Failure::settings(
            Cause::new("not_supported", format!("{entity} cannot be read from WooCommerce"))
                .advice("koppel systems shows what each system can do"),
        )),
    }
}

/// The option `vat_number_meta`: a list, or texts with commas.
pub(super) fn vat_keys(connection: &Connection) -> Vec<String> {
    let texts: Vec<&str> = match connection.options.get("vat_number_meta") {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(text)) => text.split(',').collect(),
        _ => Vec::new(),
    };
    texts.into_iter().map(str::trim).filter(|key| !key.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
