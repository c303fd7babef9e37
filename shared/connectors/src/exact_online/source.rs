//! Exact Online as a system that records are read from. What changed is told by the sync endpoints (`client/sync.rs`);
//! what they leave out is read in as few calls as filters allow.

pub(super) mod attributes;
mod customers;
pub(super) mod families;
mod feeds;
mod pictures;
pub(super) mod price_class;
mod products;
mod stock;
pub(super) mod variants;

use async_trait::async_trait;
use koppel_core::document::Entity;
use koppel_core::keys::RecordKey;
use koppel_core::message::SourceRecord;
use koppel_core::ports::target::Picture;
use koppel_core::ports::{Asked, Calls, FetchPage, FetchQuery, Finding, Source};
use koppel_core::{Cause, Failure};

use super::{ExactOnline, diagnose};

#[async_trait]
impl Source for ExactOnline {
    async fn fetch_page(&self, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure> {
        match query.entity {
            Entity::Products => products::page(self, query, calls).await,
            Entity::Customers => customers::page(self, query, calls).await,
            Entity::Stock => stock::page(&self.client, &self.variants, query, calls).await,
            entity => Err(cannot(entity)),
        }
    }

    async fn fetch_one(&self, entity: Entity, key: &RecordKey, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
        match entity {
            Entity::Products => products::one(self, key, calls).await,
            Entity::Customers => customers::one(self, key, calls).await,
            Entity::Stock => stock::one(&self.client, &self.variants, key, calls).await,
            entity => Err(cannot(entity)),
        }
    }

    async fn fetch_picture(&self, url: &str, calls: &Calls) -> Result<Option<Picture>, Failure> {
        pictures::fetch(&self.client, url, calls).await
    }

    async fn diagnose(&self, asked: &Asked, calls: &Calls) -> Result<Vec<Finding>, Failure> {
        diagnose::diagnose(&self.client, asked, calls).await
    }

    async fn test_connection(&self, calls: &Calls) -> Result<String, Failure> {
        self.client.introduce(calls).await
    }
}

fn cannot(entity: Entity) -> Failure {
    Failure::settings(
        Cause::new("not_supported", format!("{entity} cannot be read from Exact Online"))
            .advice("koppel systems shows what each system can do"),
    )
}
