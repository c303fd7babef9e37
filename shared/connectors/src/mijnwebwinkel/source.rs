//! Reading orders, credit orders, articles and customers.
//!
//! * There is no filter for changed orders. New ones are found by their date, older ones by the change of their status:
//!   two lists, one after the other, which do not overlap. A change that leaves the status of an older order as it is
//!   cannot be seen.
//! * A credit order is an order; it is read with those and handed out as a refund, together with what it credits.
//! * Articles are filtered by the moment of their change.
//! * Buyers are known from their orders. Accounts, where they may be read, have no filter at all: every read goes through
//!   all of them, and what is unchanged is recognised by its content.

mod lists;
mod orders;
mod shop;

use async_trait::async_trait;
use koppel_core::connection::Connection;
use koppel_core::document::Entity;
use koppel_core::keys::RecordKey;
use koppel_core::message::SourceRecord;
use koppel_core::ports::target::Picture;
use koppel_core::ports::{Asked, Calls, DocumentNumber, FetchPage, FetchQuery, Finding, Reference, Source};
use koppel_core::system::SourceList;
use koppel_core::{Cause, Failure};
use serde_json::Value;

use super::FACTS;
use super::categories::Categories;
use super::client::MijnWebwinkelClient;
use super::diagnose::diagnose;
use super::native::{self, many, text};
use super::options::Options;
use super::paging::{Place, page};
use crate::http::{Deps, PageToken};
pub(super) use shop::{Shop, ShopFacts};

/// Reads from one shop.
#[derive(Debug)]
pub struct MijnWebwinkelSource {
    client: MijnWebwinkelClient,
    options: Options,
    categories: Categories,
    shop: Shop,
}

impl MijnWebwinkelSource {
    /// A source for a connection.
    pub fn new(connection: &Connection, deps: &Deps) -> Result<Self, Failure> {
        let options = Options::of(connection)?;
        Ok(Self {
            client: MijnWebwinkelClient::new(connection, &options, deps)?,
            options,
            categories: Categories::default(),
            shop: Shop::default(),
        })
    }

    async fn articles(&self, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure> {
        let place: Place = match &query.page {
            Some(token) => PageToken::unpack(token)?,
            None => Place::default(),
        };
        let filter = [("changed_start_date", self.options.filter(query.since))];
        let page = page(&place, |row| text(&row["id"]), |offset| self.client.articles(&filter, offset, calls)).await?;
        let next = page.next.map(|place| PageToken::pack(&place)).transpose()?;
        Ok(FetchPage { records: self.article_records(page.records, calls).await?, gone: Vec::new(), next })
    }

    async fn article_records(&self, rows: Vec<Value>, calls: &Calls) -> Result<Vec<SourceRecord>, Failure> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let needed: Vec<String> =
            rows.iter().flat_map(|row| many(&row["categories"])).map(|link| text(&link["category_id"])).collect();
        let tree = self.categories.tree(&self.client, &needed, calls).await?;
        let shop = self.shop.facts(&self.client, calls).await?;
        rows.into_iter().map(|raw| native::article::record(raw, &tree, shop, &self.options)).collect()
    }

    async fn customers(&self, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure> {
        if !self.options.accounts {
            return self.buyers(query, calls).await;
        }
        let accounts = self.client.customers(None, calls).await?;
        let records = accounts.into_iter().map(native::customer::of_account).collect::<Result<_, _>>()?;
        Ok(FetchPage { records, gone: Vec::new(), next: None })
    }
}

#[async_trait]
impl Source for MijnWebwinkelSource {
    async fn fetch_page(&self, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure> {
        match query.entity {
            Entity::Orders => self.orders(query, calls).await,
            Entity::Refunds => self.refunds(query, calls).await,
            Entity::Products => self.articles(query, calls).await,
            Entity::Customers => self.customers(query, calls).await,
            other => Err(cannot_read(other)),
        }
    }

    async fn fetch_one(&self, entity: Entity, key: &RecordKey, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
        match entity {
            Entity::Orders => self.order(key, calls).await,
            Entity::Refunds => self.refund(key, calls).await,
            Entity::Products => {
                let row = self.client.article(key.as_str(), calls).await?;
                Ok(self.article_records(row.into_iter().collect(), calls).await?.into_iter().next())
            }
            Entity::Customers if self.options.accounts => {
                let account = self.client.customer(key.as_str(), calls).await?;
                account.map(native::customer::of_account).transpose()
            }
            Entity::Customers => {
                let newest = self.client.newest_of(key.as_str(), calls).await?;
                match newest.into_iter().next() {
                    Some(order) => native::customer::of_order(order, &self.options),
                    None => Ok(None),
                }
            }
            other => Err(cannot_read(other)),
        }
    }

    async fn fetch_picture(&self, url: &str, calls: &Calls) -> Result<Option<Picture>, Failure> {
        // Tokens go to the API and nowhere else, so pictures on other hosts are left alone.
        let below = url.strip_prefix(self.client.base()).is_some_and(|rest| rest.starts_with('/'));
        if !below {
            return Ok(None);
        }
        Ok(self.client.file(url, calls).await?.and_then(|answer| answer.picture(url)))
    }

    async fn note_numbers(
        &self,
        _entity: Entity,
        field: &str,
        numbers: &[DocumentNumber],
        calls: &Calls,
    ) -> Result<Vec<Result<(), Failure>>, Failure> {
        let note = |number| super::numbers::note(&self.client, field, number, calls);
        Ok(crate::numbers::one_by_one(numbers, note).await)
    }

    async fn list_values(&self, list: SourceList, calls: &Calls) -> Result<Vec<Reference>, Failure> {
        self.values(list, calls).await
    }

    async fn test_connection(&self, calls: &Calls) -> Result<String, Failure> {
        introduce(&self.client, calls).await
    }

    async fn diagnose(&self, asked: &Asked, calls: &Calls) -> Result<Vec<Finding>, Failure> {
        diagnose(&self.client, &self.options, asked, calls).await
    }
}

/// Who answers: name, address, package and currency of the shop.
pub(super) async fn introduce(client: &MijnWebwinkelClient, calls: &Calls) -> Result<String, Failure> {
    let store = client.store(calls).await?;
    let part = |name: &str| Some(text(&store[name])).filter(|text| !text.is_empty()).unwrap_or_else(|| "?".into());
    Ok(format!(
        "MijnWebwinkel «{}», {} ({}, {})",
        part("name"),
        part("primary_domain"),
        part("version"),
        part("currency")
    ))
}

fn cannot_read(entity: Entity) -> Failure {
    Failure::settings(
        Cause::new("not_supported", format!("{entity} cannot be read from {}", FACTS.name))
            .advice("koppel systems shows what each system can do"),
    )
}
