//! MijnWebwinkel as a system that articles, stock and customers are kept in step in.
//!
//! * `find.rs`: what the shop has, as the rows write it
//! * `products.rs`, `stock.rs`, `customers.rs`: one file for what is written
//! * `lists.rs`, `pictures.rs`: what has to be resolved first

mod customers;
mod find;
mod lists;
mod pictures;
mod products;
mod stock;

use std::collections::BTreeMap;

use async_trait::async_trait;
use koppel_core::connection::Connection;
use koppel_core::document::Entity;
use koppel_core::message::Action;
use koppel_core::ports::target::{Change, Existing, cannot_write};
use koppel_core::ports::{Asked, Calls, Finding, Sent, Target};
use koppel_core::{Cause, Failure, NonEmpty};

use super::FACTS;
use super::categories::Categories;
use super::client::MijnWebwinkelClient;
use super::diagnose::diagnose;
use super::index::ArticleIndex;
use super::options::Options;
use super::source::ShopFacts;
use crate::http::Deps;
use pictures::Memory;

/// What became of each record, in the order of what was sent.
type Results = Vec<Result<Sent, Failure>>;

/// Writes to one shop.
#[derive(Debug)]
pub struct MijnWebwinkelTarget {
    client: MijnWebwinkelClient,
    options: Options,
    index: ArticleIndex,
    categories: Categories,
    memory: Memory,
    shop: super::source::Shop,
}

impl MijnWebwinkelTarget {
    /// A target for a connection.
    pub fn new(connection: &Connection, deps: &Deps) -> Result<Self, Failure> {
        let options = Options::of(connection)?;
        Ok(Self {
            client: MijnWebwinkelClient::new(connection, &options, deps)?,
            options,
            index: ArticleIndex::new(connection, deps),
            categories: Categories::default(),
            memory: Memory::new(connection, deps),
            shop: Default::default(),
        })
    }

    async fn facts(&self, calls: &Calls) -> Result<&ShopFacts, Failure> {
        self.shop.facts(&self.client, calls).await
    }
}

#[async_trait]
impl Target for MijnWebwinkelTarget {
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
            Entity::Products | Entity::Stock => self.find_articles(entity, keys, calls).await,
            Entity::Customers => self.find_accounts(keys, calls).await,
            other => Err(cannot_send(other)),
        }
    }

    async fn send_records(&self, entity: Entity, changes: &[Change], calls: &Calls) -> Result<Results, Failure> {
        match entity {
            Entity::Products => self.send_articles(changes, calls).await,
            Entity::Stock => self.send_stock(changes, calls).await,
            Entity::Customers => self.send_accounts(changes, calls).await,
            other => Err(cannot_send(other)),
        }
    }

    async fn test_connection(&self, calls: &Calls) -> Result<String, Failure> {
        super::source::introduce(&self.client, calls).await
    }

    async fn diagnose(&self, asked: &Asked, calls: &Calls) -> Result<Vec<Finding>, Failure> {
        diagnose(&self.client, &self.options, asked, calls).await
    }
}

fn cannot_send(entity: Entity) -> Failure {
    match entity {
        Entity::Prices => Failure::settings(
            Cause::new("not_supported", "MijnWebwinkel has no prices per class or group of customers in its API")
                .advice("bring the one price of each article over with a flow of products; an action price goes in the row target.price.action"),
        ),
        other => cannot_write(other.name(), FACTS.name),
    }
}

/// A failure of one record stays with it; any other ends the whole, and what follows would fail the same way.
fn is_of_record(failure: &Failure) -> bool {
    matches!(failure, Failure::Reject(_) | Failure::Settings(_))
}

fn sent(change: &Change, id: String) -> Sent {
    Sent { id, number: change.key.to_string(), ..Sent::default() }
}

/// The id of what is changed; None to create.
fn id_of(change: &Change) -> Option<&str> {
    match &change.action {
        Action::Create => None,
        Action::Update { id } => Some(id),
    }
}
