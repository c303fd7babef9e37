//! CCV Shop as a system that products, stock and customers are kept in step in. The shop takes one record a call.
//!
//! * `find.rs`: what the shop has, as the rows write it
//! * `products.rs`, `variations.rs`, `stock.rs`, `customers.rs`: one file for what is written
//! * `groups.rs`: prices for groups of users
//! * `prices.rs`, `options.rs`, `properties.rs`, `pictures.rs`: what has to be worked out or resolved first

mod customers;
mod find;
mod groups;
mod options;
mod pictures;
mod prices;
mod products;
mod properties;
mod stock;
mod values;
mod variations;

use std::collections::BTreeMap;

use async_trait::async_trait;
use koppel_core::connection::Connection;
use koppel_core::document::Entity;
use koppel_core::error::RetryReason;
use koppel_core::ports::target::{Change, Existing, Wanted, cannot_write};
use koppel_core::ports::{Asked, Calls, Finding, Sent, Target};
use koppel_core::{Cause, Failure, NonEmpty};
use tokio::sync::OnceCell;

use super::FACTS;
use super::categories::Categories;
use super::client::CcvShopClient;
use super::diagnose::diagnose;
use super::properties::Properties;
use super::shop::Shop;
use super::source::who_answers;
use crate::http::Deps;
use customers::Users;
use find::Catalogue;
use groups::Groups;
use options::Options;
use pictures::Pictures;
use values::TextLimits;

/// What became of each record, in the order of what was sent.
type Results = Vec<Result<Sent, Failure>>;

/// Writes to one shop.
#[derive(Debug)]
pub struct CcvShopTarget {
    client: CcvShopClient,
    shop: Shop,
    categories: Categories,
    catalogue: Catalogue,
    options: Options,
    pictures: Pictures,
    properties: Properties,
    users: Users,
    groups: Groups,
    texts: TextLimits,
    /// The shop's package for new products: what the connection says, or the first.
    package: Option<String>,
    package_id: OnceCell<u64>,
}

impl CcvShopTarget {
    /// A target for a connection.
    pub fn new(connection: &Connection, deps: &Deps) -> Result<Self, Failure> {
        Ok(Self {
            shop: Shop::new(connection),
            categories: Categories::default(),
            catalogue: Catalogue::default(),
            options: Options::new(connection),
            pictures: Pictures::new(connection, deps),
            properties: Properties::new(connection)?,
            users: Users::default(),
            groups: Groups::default(),
            texts: TextLimits::of(connection)?,
            package: connection.option("package"),
            package_id: OnceCell::new(),
            client: CcvShopClient::new(connection, deps)?,
        })
    }
}

#[async_trait]
impl Target for CcvShopTarget {
    fn system(&self) -> &'static str {
        FACTS.name
    }

    async fn find_records(
        &self,
        entity: Entity,
        keys: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Vec<Existing>>, Failure> {
        match entity {
            Entity::Products | Entity::Stock => self.find_products(entity, keys, calls).await,
            Entity::Customers => self.find_users(keys, calls).await,
            Entity::Prices => self.find_prices(keys, calls).await,
            _ => Err(cannot_write(entity.name(), FACTS.name)),
        }
    }

    async fn find_wanted(
        &self,
        entity: Entity,
        wanted: &[Wanted<'_>],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Vec<Existing>>, Failure> {
        let keys: Vec<NonEmpty> = wanted.iter().map(|one| one.key.clone()).collect();
        let mut found = self.find_records(entity, &keys, calls).await?;
        if entity == Entity::Products {
            for one in wanted {
                for existing in found.get_mut(one.key).into_iter().flatten() {
                    self.settle_properties(one.fields, existing, calls).await?;
                }
            }
        }
        Ok(found)
    }

    async fn send_records(&self, entity: Entity, changes: &[Change], calls: &Calls) -> Result<Results, Failure> {
        match entity {
            Entity::Products => self.send_products(changes, calls).await,
            Entity::Stock => self.send_stock(changes, calls).await,
            Entity::Customers => self.send_users(changes, calls).await,
            Entity::Prices => self.send_prices(changes, calls).await,
            _ => Err(cannot_write(entity.name(), FACTS.name)),
        }
    }

    async fn test_connection(&self, calls: &Calls) -> Result<String, Failure> {
        who_answers(&self.client, calls).await
    }

    async fn diagnose(&self, asked: &Asked, calls: &Calls) -> Result<Vec<Finding>, Failure> {
        diagnose(&self.client, &self.shop, asked, calls).await
    }
}

/// Adds the result of one record. What is wrong with the connection ends the rest too: they would only cost calls. Nothing
/// follows when this says so.
fn gather(results: &mut Results, all: usize, result: Result<Sent, Failure>) -> Result<bool, Failure> {
    match result {
        Err(failure @ (Failure::Retry { .. } | Failure::Auth(_))) => {
            if results.is_empty() && !is_unknown(&failure) {
                return Err(failure);
            }
            // Only of this one it is not known whether it was written.
            let rest = match &failure {
                Failure::Retry { reason: RetryReason::OutcomeUnknown, after, cause } => {
                    Failure::Retry { reason: RetryReason::Unavailable, after: *after, cause: cause.clone() }
                }
                other => other.clone(),
            };
            results.push(Err(failure));
            while results.len() < all {
                results.push(Err(rest.clone()));
            }
            Ok(false)
        }
        result => {
            results.push(result);
            Ok(true)
        }
    }
}

fn is_unknown(failure: &Failure) -> bool {
    matches!(failure, Failure::Retry { reason: RetryReason::OutcomeUnknown, .. })
}

/// Something of a new record has been written: whoever tries again must look for it first.
fn half_written(failure: Failure) -> Failure {
    match failure {
        Failure::Retry { after, cause, .. } => Failure::Retry { after, reason: RetryReason::OutcomeUnknown, cause },
        other => other,
    }
}

fn no_id(change: &Change) -> Failure {
    let cause = Cause::new("no_id", format!("the shop did not say what became of «{}»", change.key));
    Failure::retry(RetryReason::OutcomeUnknown, None, cause)
}
