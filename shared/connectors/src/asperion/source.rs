//! Asperion as a system that records are read from. Nothing tells what changed since a moment (debtors carry a date but
//! no filter on it, articles not even that), so lists are read whole and what did not change is recognised by its
//! content.

mod articles;
pub(super) mod attributes;
mod debtors;
mod families;
mod stock;
pub(super) mod variants;

use async_trait::async_trait;
use koppel_core::document::Entity;
use koppel_core::keys::RecordKey;
use koppel_core::message::SourceRecord;
use koppel_core::ports::{Asked, Calls, FetchPage, FetchQuery, Finding, Source};
use koppel_core::{Cause, Failure};

use super::{Asperion, diagnose};

#[async_trait]
impl Source for Asperion {
    async fn fetch_page(&self, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure> {
        match query.entity {
            Entity::Products => articles::page(self, query, calls).await,
            Entity::Stock => stock::page(self, query, calls).await,
            Entity::Customers => debtors::page(self, query, calls).await,
            entity => Err(cannot(entity)),
        }
    }

    async fn fetch_one(&self, entity: Entity, key: &RecordKey, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
        match entity {
            Entity::Products => articles::one(self, key, calls).await,
            Entity::Stock => stock::one(self, key, calls).await,
            Entity::Customers => debtors::one(self, key, calls).await,
            entity => Err(cannot(entity)),
        }
    }

    async fn diagnose(&self, asked: &Asked, calls: &Calls) -> Result<Vec<Finding>, Failure> {
        diagnose::diagnose(self, asked, calls).await
    }

    async fn test_connection(&self, calls: &Calls) -> Result<String, Failure> {
        self.client.introduce(calls).await
    }
}

fn cannot(entity: Entity) -> Failure {
    Failure::settings(
        Cause::new("not_supported", format!("{entity} cannot be read from Asperion"))
            .advice("koppel systems shows what each system can do"),
    )
}
