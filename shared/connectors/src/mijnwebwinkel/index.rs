//! Which article has which number. The API has no filter for article numbers, so every article is read once, a hundred a
//! call, and kept in the store; from then on only what changed is read. What is gone is noticed by reading all anew once
//! a day, and by asking for the articles themselves before anything is written.
//!
//! Articles lie in a fixed number of buckets by their number, so that looking up a chunk reads a few items. Reading all
//! of a large shop may take longer than one step has: what was read of it is kept page by page, and the next try goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use koppel_core::connection::Connection;
use koppel_core::error::RetryReason;
use koppel_core::ports::store::partition;
use koppel_core::ports::{Calls, Condition, Item, Key, Store, StoreError};
use koppel_core::{Cause, Failure, NonEmpty, Tenant};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::client::MijnWebwinkelClient;
use super::native::article::variants;
use super::native::text;
use super::options::Options;
use super::paging::{Place, page};
use crate::http::Deps;

/// Parts that the numbers are divided over.
const BUCKETS: u64 = 64;
/// Tries of a conditional write before somebody else is let go first.
const TRIES: usize = 5;
/// Items read from the store at once.
const MOST_ITEMS: usize = 100;

/// Where a number belongs: an article, or a variant of one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Spot {
    /// Id of the article.
    pub article: String,
    /// Id of the variant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Spot {
    /// As text: `506`, `506/7101`.
    pub fn text(&self) -> String {
        match &self.variant {
            Some(variant) => format!("{}/{variant}", self.article),
            None => self.article.clone(),
        }
    }

    /// Reads what [`Spot::text`] wrote.
    pub fn parse(text: &str) -> Self {
        match text.split_once('/') {
            Some((article, variant)) => Self { article: article.into(), variant: Some(variant.into()) },
            None => Self { article: text.into(), variant: None },
        }
    }
}

/// What is known of the whole.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct About {
    /// When all was read.
    scanned_at: DateTime<Utc>,
    /// From here on what changed is to be read.
    changed_since: DateTime<Utc>,
    /// By which rule numbers of variants were made.
    rule: String,
}

/// A reading of all that has not come to its end.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Scan {
    begun_at: DateTime<Utc>,
    rule: String,
    place: Place,
    parts: usize,
}

type Bucket = Vec<(String, Spot)>;

/// The numbers of one shop.
pub struct ArticleIndex {
    store: Arc<dyn Store>,
    tenant: Tenant,
    connection: String,
}

impl std::fmt::Debug for ArticleIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArticleIndex").field("connection", &self.connection).finish_non_exhaustive()
    }
}

/// All numbers of an article: its own, and those of its variants.
pub fn numbers(article: &Value, options: &Options) -> Bucket {
    let id = text(&article["id"]);
    let spot = |variant: Option<String>| Spot { article: id.clone(), variant };
    let mut all = vec![(text(&article["sku"]), spot(None))];
    if options.sku.is_joined() {
        let of = variants(article).into_iter().map(|one| (one.sku(article, &options.sku), spot(Some(one.id))));
        all.extend(of);
    }
    all.retain(|(sku, _)| !sku.is_empty());
    all
}

impl ArticleIndex {
    /// The index of a connection.
    pub fn new(connection: &Connection, deps: &Deps) -> Self {
        Self { store: Arc::clone(&deps.store), tenant: connection.tenant.clone(), connection: connection.name.clone() }
    }

    /// Where these numbers are, up to date.
    pub async fn find(
        &self,
        client: &MijnWebwinkelClient,
        options: &Options,
        keys: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Vec<Spot>>, Failure> {
        let about = self.fresh(client, options, calls).await?;
        let found = self.look_up(keys).await?;
        if keys.iter().all(|key| found.contains_key(key)) {
            return Ok(found);
        }
        // Whether a new article counts as a changed one is not told, and a second one must not be made.
        let filter = [("created_start_date", options.filter(about.changed_since))];
        if self.take_in(client, options, &filter, calls).await? {
            return self.look_up(keys).await;
        }
        Ok(found)
    }

    /// Adds what was just written.
    pub async fn learn(&self, article: &Value, options: &Options) -> Result<(), Failure> {
        self.merge(std::slice::from_ref(article), options).await
    }

    async fn fresh(&self, client: &MijnWebwinkelClient, options: &Options, calls: &Calls) -> Result<About, Failure> {
        let now = client.now();
        let about = self.read::<About>("about").await?.map(|(about, _)| about);
        let Some(about) =
            about.filter(|about| about.rule == options.sku.mark() && now - about.scanned_at < options.rescan)
        else {
            return self.scan(client, options, calls).await;
        };
        let filter = [("changed_start_date", options.filter(about.changed_since))];
        self.take_in(client, options, &filter, calls).await?;
        let about = About { changed_since: now, ..about };
        self.put("about", &about, Condition::Always).await?;
        Ok(about)
    }

    /// Reads what a filter gives and adds it; false when there was nothing.
    async fn take_in(
        &self,
        client: &MijnWebwinkelClient,
        options: &Options,
        filter: &[(&str, String)],
        calls: &Calls,
    ) -> Result<bool, Failure> {
        let (mut place, mut any) = (Place::default(), false);
        loop {
            let page = page(&place, |row| text(&row["id"]), |offset| client.articles(filter, offset, calls)).await?;
            any |= !page.records.is_empty();
            self.merge(&page.records, options).await?;
            match page.next {
                Some(next) => place = next,
                None => return Ok(any),
            }
        }
    }

    /// Reads all articles, going on where an earlier try ended.
    async fn scan(&self, client: &MijnWebwinkelClient, options: &Options, calls: &Calls) -> Result<About, Failure> {
        let rule = options.sku.mark();
        let begun = self.read::<Scan>("scan").await?.map(|(scan, _)| scan);
        let mut scan = begun
            .filter(|scan| scan.rule == rule && client.now() - scan.begun_at < options.rescan)
            .unwrap_or_else(|| Scan { begun_at: client.now(), rule: rule.clone(), ..Scan::default() });
        loop {
            let page = page(&scan.place, |row| text(&row["id"]), |offset| client.articles(&[], offset, calls)).await?;
            let part: Bucket = page.records.iter().flat_map(|row| numbers(row, options)).collect();
            self.put(&format!("part-{:06}", scan.parts), &part, Condition::Always).await?;
            scan.parts += 1;
            match page.next {
                Some(next) => {
                    scan.place = next;
                    self.put("scan", &scan, Condition::Always).await?;
                }
                None => break,
            }
        }
        let mut buckets: BTreeMap<u64, BTreeSet<(String, Spot)>> =
            (0..BUCKETS).map(|at| (at, BTreeSet::new())).collect();
        for at in 0..scan.parts {
            for (sku, spot) in
                self.read::<Bucket>(&format!("part-{at:06}")).await?.map(|(part, _)| part).unwrap_or_default()
            {
                buckets.entry(bucket_of(&sku)).or_default().insert((sku, spot));
            }
        }
        for (at, bucket) in buckets {
            let bucket: Bucket = bucket.into_iter().collect();
            self.put(&bucket_name(at), &bucket, Condition::Always).await?;
        }
        // What changed while it was read is read again.
        let about = About { scanned_at: client.now(), changed_since: scan.begun_at, rule };
        self.put("about", &about, Condition::Always).await?;
        for at in 0..scan.parts {
            self.store.delete(&self.key(&format!("part-{at:06}")), Condition::Always).await.map_err(failed)?;
        }
        self.store.delete(&self.key("scan"), Condition::Always).await.map_err(failed)?;
        Ok(about)
    }

    /// Adds the numbers of some articles. One that an article no longer has stays until all is read anew: whoever uses it
    /// looks at the article first.
    async fn merge(&self, articles: &[Value], options: &Options) -> Result<(), Failure> {
        let mut by_bucket: BTreeMap<u64, Bucket> = BTreeMap::new();
        for (sku, spot) in articles.iter().flat_map(|row| numbers(row, options)) {
            by_bucket.entry(bucket_of(&sku)).or_default().push((sku, spot));
        }
        for (at, entries) in by_bucket {
            self.merge_bucket(at, &entries).await?;
        }
        Ok(())
    }

    async fn merge_bucket(&self, at: u64, entries: &Bucket) -> Result<(), Failure> {
        for _ in 0..TRIES {
            let known = self.read::<Bucket>(&bucket_name(at)).await?;
            let condition = known.as_ref().map_or(Condition::Absent, |(_, version)| Condition::Version(*version));
            let known = known.map(|(bucket, _)| bucket).unwrap_or_default();
            let mut merged: BTreeSet<(String, Spot)> = known.iter().cloned().collect();
            let before = merged.len();
            merged.extend(entries.iter().cloned());
            if merged.len() == before {
                return Ok(());
            }
            let merged: Bucket = merged.into_iter().collect();
            match self.put_if(&bucket_name(at), &merged, condition).await? {
                true => return Ok(()),
                false => continue,
            }
        }
        Err(Failure::retry(
            RetryReason::Busy,
            None,
            Cause::new("index_busy", "the list of article numbers is being written"),
        ))
    }

    async fn look_up(&self, keys: &[NonEmpty]) -> Result<BTreeMap<NonEmpty, Vec<Spot>>, Failure> {
        let buckets: BTreeSet<u64> = keys.iter().map(|key| bucket_of(key.as_str())).collect();
        let names: Vec<Key> = buckets.into_iter().map(|at| self.key(&bucket_name(at))).collect();
        let mut found: BTreeMap<NonEmpty, Vec<Spot>> = BTreeMap::new();
        let wanted: BTreeSet<&str> = keys.iter().map(NonEmpty::as_str).collect();
        for part in names.chunks(MOST_ITEMS) {
            for item in self.store.batch_get(part).await.map_err(failed)?.into_iter().flatten() {
                for (sku, spot) in parsed::<Bucket>(&item)?.into_iter().filter(|(sku, _)| wanted.contains(sku.as_str()))
                {
                    if let Some(key) = NonEmpty::new(&sku) {
                        found.entry(key).or_default().push(spot);
                    }
                }
            }
        }
        Ok(found)
    }

    fn key(&self, name: &str) -> Key {
        Key { partition: partition(&self.tenant, &["article-index", &self.connection]), sort: name.to_owned() }
    }

    async fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<(T, u64)>, Failure> {
        let item = self.store.get(&self.key(name)).await.map_err(failed)?;
        item.map(|item| Ok((parsed(&item)?, item.version))).transpose()
    }

    async fn put<T: Serialize>(&self, name: &str, value: &T, condition: Condition) -> Result<(), Failure> {
        self.put_if(name, value, condition).await.map(|_| ())
    }

    /// False when somebody else was first.
    async fn put_if<T: Serialize>(&self, name: &str, value: &T, condition: Condition) -> Result<bool, Failure> {
        let text = serde_json::to_string(value).map_err(|error| broken(&error.to_string()))?;
        match self.store.put(&self.key(name), &text, condition, None).await {
            Ok(_) => Ok(true),
            Err(StoreError::ConditionFailed) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }
}

fn parsed<T: DeserializeOwned>(item: &Item) -> Result<T, Failure> {
    serde_json::from_str(&item.value).map_err(|error| broken(&error.to_string()))
}

fn broken(why: &str) -> Failure {
    Failure::retry(
        RetryReason::Unavailable,
        None,
        Cause::new("index_unreadable", format!("the list of article numbers: {why}")),
    )
}

fn failed(error: StoreError) -> Failure {
    error.into()
}

fn bucket_name(at: u64) -> String {
    format!("bucket-{at:02}")
}

/// FNV: the same on every machine and in every version.
fn bucket_of(sku: &str) -> u64 {
    let hash = sku
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    hash % BUCKETS
}
