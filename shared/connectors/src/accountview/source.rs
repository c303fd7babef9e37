//! AccountView as a system that records are read from. What changed is told by the change date of each row, as far as
//! the profile says how to ask for it; it is compared here once more, on the clock of the installation.

mod articles;
mod debtors;
pub(super) mod families;
mod stock;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDateTime, TimeDelta, TimeZone, Utc};
use koppel_core::document::Entity;
use koppel_core::keys::RecordKey;
use koppel_core::message::SourceRecord;
use koppel_core::ports::{Asked, Calls, FetchPage, FetchQuery, Finding, Source};
use koppel_core::{Cause, Failure};
use serde_json::Value;

use super::AccountView;
use super::client::{List, moment};
use super::diagnose;
use super::foxpro::{self, Filter};
use super::names::Use;
use super::profile::{How, Part};
use crate::wall_clock;

/// The clock of the installation may be off by so much.
const OVERLAP: TimeDelta = TimeDelta::minutes(10);

#[async_trait]
impl Source for AccountView {
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
        self.introduce(calls).await
    }
}

fn cannot(entity: Entity) -> Failure {
    Failure::settings(
        Cause::new("not_supported", format!("{entity} cannot be read from AccountView"))
            .advice("koppel systems shows what each system can do"),
    )
}

impl AccountView {
    /// The list of a part with these roles and these fields besides, every name of it confirmed.
    async fn list_of(&self, part: &Part, roles: &[&str], more: &[String], calls: &Calls) -> Result<List, Failure> {
        let (object, table, key) = part.required()?;
        let mut fields: Vec<String> =
            std::iter::once(key).chain(roles.iter().filter_map(|role| part.role(role))).map(str::to_owned).collect();
        fields.extend(more.iter().cloned());
        fields.sort();
        fields.dedup();
        let pairs: Vec<(&str, &str)> = fields.iter().map(|name| (table, name.as_str())).collect();
        self.names.ready(&self.client, &self.profile, part, &pairs, Use::Read, calls).await?;
        Ok(List { object: object.into(), table: table.into(), key: key.into(), fields, ..List::default() })
    }

    /// Asks only for what changed since a moment, where the profile says how. Days are asked for: whether a literal may
    /// have a time is not known.
    fn since(&self, list: &mut List, part: &Part, since: DateTime<Utc>) {
        let Some(changed) = part.role("changed") else { return };
        let day = foxpro::day(self.wall_clock(since).date());
        let how = self.profile.changed_since();
        match how.how {
            How::Operator => list.filters.push(Filter {
                field: changed.into(),
                operator: how.operator.clone(),
                value_type: how.value_type.clone(),
                value: day,
            }),
            How::Expression => list.expression = Some(format!("{changed}>={day}")),
            How::Off => {}
        }
    }

    /// The row changed since then, or does not say when it did.
    fn changed_since(&self, row: &Value, part: &Part, since: DateTime<Utc>) -> bool {
        let changed = part.role("changed").and_then(|name| moment(row, name));
        changed.is_none_or(|changed| changed >= self.wall_clock(since))
    }

    /// A moment on the clock of the installation, somewhat earlier.
    fn wall_clock(&self, at: DateTime<Utc>) -> NaiveDateTime {
        wall_clock::asked(self.zone, at.checked_sub_signed(OVERLAP).unwrap_or(at))
    }

    /// When a row was changed.
    fn modified(&self, row: &Value, part: &Part) -> Option<DateTime<Utc>> {
        let local = moment(row, part.role("changed")?)?;
        self.zone.from_local_datetime(&local).earliest().map(|at| at.with_timezone(&Utc))
    }
}
