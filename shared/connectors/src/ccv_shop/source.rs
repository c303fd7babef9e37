//! Reading orders, credits, products and customers.
//!
//! * Orders: see `orders.rs`; the shop tells no changes, so the heads of the last days are looked at again.
//! * A credit is an invoice that gives back, and carries its order: see `refunds.rs`.
//! * Products come by the moment of their change, the latest first, with what is sold of them.
//! * Customers: the list has no filter at all; every read goes through all of them, and what is unchanged is recognised by its
//!   content.

mod lists;
mod orders;
mod products;
mod refunds;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
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
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;

use super::categories::Categories;
use super::client::CcvShopClient;
use super::diagnose::diagnose;
use super::marks::Marks;
use super::native::{self, Around, text};
use super::properties::Properties;
use super::shop::{Shop, introduce};
use crate::http::request::encode;
use crate::http::{Deps, PageToken};
use orders::Remembered;

/// Days that orders are looked at again, unless the connection says otherwise.
const LOOK_BACK_DAYS: i64 = 14;
/// A merchant may add a way to pay; after this long the list is read again.
const PAYMETHODS_KEPT: TimeDelta = TimeDelta::minutes(15);

/// Where the next page begins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Token {
    /// Records to pass over.
    start: u64,
    /// The last id that was handed out of this page.
    #[serde(default)]
    after: u64,
    /// The page begins with the last record of the one before, which has this id.
    #[serde(default)]
    joins: Option<u64>,
    /// Which of the connection's order statuses is read.
    #[serde(default)]
    status: usize,
}

/// Reads from one shop.
#[derive(Debug)]
pub struct CcvShopSource {
    client: CcvShopClient,
    shop: Shop,
    categories: Categories,
    properties: Properties,
    marks: Marks,
    look_back: TimeDelta,
    /// Only orders in these; empty for all.
    statuses: Vec<u64>,
    only_paid: bool,
    zone: Tz,
    costs_vat_percent: Option<Decimal>,
    paymethods: Mutex<Option<(DateTime<Utc>, Vec<Value>)>>,
    remembered: Remembered,
}

impl CcvShopSource {
    /// A source for a connection.
    pub fn new(connection: &Connection, deps: &Deps) -> Result<Self, Failure> {
        let wrong = |row: &str, message: String, advice: &str| {
            let cause = Cause::new("bad_option", message).advice(advice).in_row(row);
            Failure::settings(cause.at_connection(&connection.name))
        };
        let days = match connection.option("look_back_days") {
            None => LOOK_BACK_DAYS,
            Some(text) => text.parse().ok().filter(|days| (1..=180).contains(days)).ok_or_else(|| {
                wrong("look_back_days", format!("«{text}» is not a number of days"), "give a number from 1 to 180")
            })?,
        };
        let zone = connection.option("time_zone").unwrap_or_else(|| "Europe/Amsterdam".into());
        let zone = zone.parse().map_err(|_| {
            wrong("time_zone", format!("«{zone}» is not a time zone"), "give a name such as Europe/Amsterdam")
        })?;
        let costs_vat_percent = match connection.option("costs_vat_percent") {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| {
                wrong("costs_vat_percent", format!("«{text}» is not a percentage"), "give a number such as 21")
            })?),
        };
        let look_back = TimeDelta::days(days);
        Ok(Self {
            client: CcvShopClient::new(connection, deps)?,
            shop: Shop::new(connection),
            categories: Categories::default(),
            properties: Properties::new(connection)?,
            marks: Marks::new(connection, look_back, deps),
            look_back,
            statuses: statuses(connection)?,
            only_paid: connection.flag("only_paid"),
            zone,
            costs_vat_percent,
            paymethods: Mutex::default(),
            remembered: Remembered::default(),
        })
    }

    /// What an order is read with beside itself.
    async fn around<'a>(&self, order: &Value, paymethods: &'a [Value]) -> Around<'a> {
        let id = native::number(&order["paymethod_id"]);
        let known = paymethods.iter().find(|method| id.is_some() && native::id(method) == id);
        let paymethod = known.and_then(|method| method["combined_name"].as_str()).filter(|name| !name.is_empty());
        Around { zone: self.zone, paymethod, costs_vat_percent: self.costs_vat_percent }
    }

    /// Ways to pay, as the shop lists them.
    async fn paymethods(&self, calls: &Calls) -> Result<Vec<Value>, Failure> {
        let mut kept = self.paymethods.lock().await;
        if let Some((read, list)) = kept.as_ref()
            && self.client.now() - *read < PAYMETHODS_KEPT
        {
            return Ok(list.clone());
        }
        let list = self.client.whole("paymethods", &[], calls).await?;
        *kept = Some((self.client.now(), list.clone()));
        Ok(list)
    }

    async fn customers(&self, token: &Token, calls: &Calls) -> Result<FetchPage, Failure> {
        let (asked, size) = ([("orderby", "id".to_owned())], self.client.page_size());
        let page = self.client.page("users", &asked, token.start, size, calls).await?.unwrap_or_default();
        let records = page.items.into_iter().map(native::customer::record).collect::<Result<_, _>>()?;
        let next = page.next.map(|start| PageToken::pack(&Token { start, ..Token::default() })).transpose()?;
        Ok(FetchPage { records, gone: Vec::new(), next })
    }
}

#[async_trait]
impl Source for CcvShopSource {
    async fn fetch_page(&self, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure> {
        let token: Token = match &query.page {
            Some(token) => PageToken::unpack(token)?,
            None => Token::default(),
        };
        match query.entity {
            Entity::Orders => self.orders(query, token, calls).await,
            Entity::Refunds => self.refunds(query, token, calls).await,
            Entity::Products => self.products(query, &token, calls).await,
            Entity::Customers => self.customers(&token, calls).await,
            other => Err(cannot(other)),
        }
    }

    async fn fetch_one(&self, entity: Entity, key: &RecordKey, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
        match entity {
            Entity::Orders => self.order(key.as_str(), calls).await,
            Entity::Refunds => self.refund(key.as_str(), calls).await,
            Entity::Products => self.product(key.as_str(), calls).await,
            Entity::Customers => {
                let user = self.client.one(&format!("users/{}", encode(key.as_str())), &[], calls).await?;
                user.map(native::customer::record).transpose()
            }
            other => Err(cannot(other)),
        }
    }

    async fn list_changed(&self, window: &Window, calls: &Calls) -> Result<Option<Vec<Changed>>, Failure> {
        match window.entity {
            Entity::Orders => self.placed(window, calls).await.map(Some),
            _ => Ok(None),
        }
    }

    async fn fetch_picture(&self, url: &str, calls: &Calls) -> Result<Option<Picture>, Failure> {
        // Calls go to the shop and nowhere else.
        if !url.strip_prefix(self.client.base()).is_some_and(|rest| rest.starts_with('/')) {
            return Ok(None);
        }
        Ok(self.client.file(url, calls).await?.and_then(|answer| answer.picture(url)))
    }

    async fn note_numbers(
        &self,
        entity: Entity,
        field: &str,
        numbers: &[DocumentNumber],
        calls: &Calls,
    ) -> Result<Vec<Result<(), Failure>>, Failure> {
        let note = |number| super::numbers::note(&self.client, entity, field, number, calls);
        Ok(crate::numbers::one_by_one(numbers, note).await)
    }

    async fn list_values(&self, list: SourceList, calls: &Calls) -> Result<Vec<Reference>, Failure> {
        self.values(list, calls).await
    }

    async fn test_connection(&self, calls: &Calls) -> Result<String, Failure> {
        who_answers(&self.client, calls).await
    }

    async fn diagnose(&self, asked: &Asked, calls: &Calls) -> Result<Vec<Finding>, Failure> {
        diagnose(&self.client, &self.shop, asked, calls).await
    }
}

/// Who answers: the name and the address of the shop.
pub(super) async fn who_answers(client: &CcvShopClient, calls: &Calls) -> Result<String, Failure> {
    let shop = introduce(client, calls).await?;
    let address = if shop.api_root.is_empty() { client.base().to_owned() } else { shop.api_root };
    Ok(format!("CCV Shop «{}», number {}, at {address}", shop.name, shop.id))
}

fn cannot(entity: Entity) -> Failure {
    Failure::settings(
        Cause::new("not_supported", format!("{entity} cannot be read from {}", super::FACTS.name))
            .advice("koppel systems shows what each system can do"),
    )
}

/// The option `order_statuses`: a list, or texts with commas; words or numbers.
fn statuses(connection: &Connection) -> Result<Vec<u64>, Failure> {
    let texts: Vec<String> = match connection.options.get("order_statuses") {
        Some(Value::Array(list)) => list.iter().map(text).collect(),
        Some(other) => text(other).split(',').map(str::to_owned).collect(),
        None => Vec::new(),
    };
    let texts = texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
    let statuses = texts.map(|text| {
        native::status_id(text).ok_or_else(|| {
            let words = native::STATUSES.map(|(_, word)| word);
            let advice = match koppel_core::error::nearest(text, words) {
                Some(near) => format!("did you mean «{near}»?"),
                None => format!("use one of {}", words.join(", ")),
            };
            Failure::settings(
                Cause::new("bad_option", format!("«{text}» is no status of orders"))
                    .advice(advice)
                    .in_row("order_statuses")
                    .at_connection(&connection.name),
            )
        })
    });
    statuses.collect()
}
