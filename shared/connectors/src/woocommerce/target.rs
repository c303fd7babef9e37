//! WooCommerce as a system that products, stock, customers and prices are kept in step in.
//!
//! * `batch.rs`: many records a call, each with a result of its own
//! * `find.rs`: what the shop has, as the rows write it
//! * `products.rs`, `variations.rs`, `stock.rs`, `customers.rs`, `prices.rs`: one file for what is written
//! * `attributes.rs`, `pictures.rs`: what has to be resolved first

mod attributes;
pub(super) mod batch;
mod customers;
mod find;
mod pictures;
mod prices;
mod products;
mod refused;
mod stock;
mod values;
mod variations;

use std::collections::BTreeMap;

use async_trait::async_trait;
use koppel_core::connection::Connection;
use koppel_core::document::Entity;
use koppel_core::ports::target::{Change, Existing, cannot_write};
use koppel_core::ports::{Asked, Calls, Finding, Sent, Target};
use koppel_core::{Failure, NonEmpty};

use super::FACTS;
use super::categories::Categories;
use super::client::{WooCommerceClient, WordPressUser};
use super::diagnose::diagnose;
use super::weight::WeightUnit;
use crate::http::Deps;
use attributes::Attributes;
use batch::Batches;
use pictures::Pictures;

/// What became of each record, in the order of what was sent.
type Results = Vec<Result<Sent, Failure>>;

/// Writes to one shop.
#[derive(Debug)]
pub struct WooCommerceTarget {
    client: WooCommerceClient,
    batches: Batches,
    categories: Categories,
    attributes: Attributes,
    pictures: Pictures,
    weight: WeightUnit,
    /// For roles and pictures.
    user: Option<WordPressUser>,
    /// Meta keys of a customer's VAT number; the first is written.
    vat_keys: Vec<String>,
    /// The shop has the premium edition of Wholesale Prices.
    wholesale_premium: bool,
}

impl WooCommerceTarget {
    /// A target for a connection.
    pub fn new(connection: &Connection, deps: &Deps) -> Result<Self, Failure> {
        let user = WordPressUser::of(connection);
        Ok(Self {
            batches: Batches::new(connection)?,
            attributes: Attributes::new(connection)?,
            pictures: Pictures::new(connection, user.clone()),
            weight: WeightUnit::of(connection)?,
            client: WooCommerceClient::new(connection, deps)?,
            categories: Categories::default(),
            user,
            vat_keys: customers::vat_keys(connection),
            wholesale_premium: prices::is_premium(connection)?,
        })
    }
}

#[async_trait]
impl Target for WooCommerceTarget {
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
            Entity::Customers => self.find_accounts(keys, calls).await,
            Entity::Prices => self.find_prices(keys, calls).await,
            _ => Err(cannot_write(entity.name(), FACTS.name)),
        }
    }

    async fn send_records(&self, entity: Entity, changes: &[Change], calls: &Calls) -> Result<Results, Failure> {
        match entity {
            Entity::Products => self.send_products(changes, calls).await,
            Entity::Stock => self.send_stock(changes, calls).await,
            Entity::Customers => self.send_accounts(changes, calls).await,
            Entity::Prices => self.send_prices(changes, calls).await,
            _ => Err(cannot_write(entity.name(), FACTS.name)),
        }
    }

    async fn test_connection(&self, calls: &Calls) -> Result<String, Failure> {
        super::source::introduce(&self.client, calls).await
    }

    async fn diagnose(&self, asked: &Asked, calls: &Calls) -> Result<Vec<Finding>, Failure> {
        diagnose(&self.client, asked, calls).await
    }
}
