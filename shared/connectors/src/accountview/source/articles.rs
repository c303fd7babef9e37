//! Articles: each a product of its own, or those of one parent a product with variations.
//!
//! Without variations a read goes page by page. With them all articles are read when one has changed: what belongs
//! together may stand on any page.

use std::collections::{BTreeMap, BTreeSet};

use koppel_core::keys::RecordKey;
use koppel_core::message::SourceRecord;
use koppel_core::ports::{Calls, FetchPage, FetchQuery};
use koppel_core::{Failure, NonEmpty};
use serde_json::{Map, Value, json};

use crate::accountview::AccountView;
use crate::accountview::body::json_number;
use crate::accountview::client::{Door, List, decimal, field, flag};
use crate::accountview::foxpro::Filter;
use crate::accountview::lookups::search;
use crate::accountview::profile::Part;
use crate::families::{attributes_of_all, common_name};
use crate::http::PageToken;

/// Before the code of a parent, in the key of a product with variations: it need not be an article itself.
const PARENT: &str = "variants of ";
const ROLES: [&str; 10] = [
    "description",
    "group",
    "selling_price",
    "vat_code",
    "barcode",
    "long_description",
    "weight_kg",
    "blocked",
    "web",
    "changed",
];

/// One page of products that changed.
pub(super) async fn page(av: &AccountView, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure> {
    let part = av.profile.part("article");
    let all = list(av, calls).await?;
    let mut changed = all.clone();
    av.since(&mut changed, part, query.since);
    if av.variants.is_none() {
        let last: Option<String> = query.page.as_deref().map(PageToken::unpack).transpose()?;
        let (mut rows, next) = av.client.page(Door::Data, &changed, last.as_deref(), calls).await?;
        rows.retain(|row| av.changed_since(row, part, query.since));
        let records = records(av, rows, None, calls).await?;
        let next = next.map(|key| PageToken::pack(&key)).transpose()?;
        return Ok(FetchPage { records, gone: Vec::new(), next });
    }
    let mut rows = av.client.all(Door::Data, &changed, calls).await?;
    rows.retain(|row| av.changed_since(row, part, query.since));
    if rows.is_empty() {
        return Ok(FetchPage::default());
    }
    let wanted = rows.iter().filter_map(|row| product_of(av, row)).collect();
    let rows = av.client.all(Door::Data, &all, calls).await?;
    Ok(FetchPage { records: records(av, rows, Some(&wanted), calls).await?, ..FetchPage::default() })
}

/// One product, by the code of its article or of its parent.
pub(super) async fn one(av: &AccountView, key: &RecordKey, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
    let mut list = list(av, calls).await?;
    let code = key.as_str().strip_prefix(PARENT).unwrap_or(key.as_str());
    if av.variants.is_none() {
        list.filters.push(Filter::equal(&list.key, code));
    }
    let mut rows = av.client.all(Door::Data, &list, calls).await?;
    if av.variants.is_none() {
        rows.retain(|row| field(row, &list.key).as_deref() == Some(code));
    }
    let found = records(av, rows, Some(&BTreeSet::from([code.to_owned()])), calls).await?;
    Ok(found.into_iter().find(|record| record.key == *key))
}

async fn list(av: &AccountView, calls: &Calls) -> Result<List, Failure> {
    let part = av.profile.part("article");
    let mut more: Vec<String> = av.attributes.fields().collect();
    more.extend(av.variants.field().map(str::to_owned));
    av.list_of(part, &ROLES, &more, calls).await
}

fn code_of(av: &AccountView, row: &Value) -> Option<String> {
    field(row, av.profile.part("article").key.as_deref()?)
}

/// The code of the product that an article belongs to.
fn product_of(av: &AccountView, row: &Value) -> Option<String> {
    let code = code_of(av, row)?;
    Some(av.variants.parent(row, &code).unwrap_or(code))
}

/// What is sold under one code: the article itself, and those that name it as their parent.
#[derive(Default)]
struct Family {
    own: Option<Value>,
    variations: BTreeMap<String, Value>,
}

async fn records(
    av: &AccountView,
    rows: Vec<Value>,
    wanted: Option<&BTreeSet<String>>,
    calls: &Calls,
) -> Result<Vec<SourceRecord>, Failure> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for row in rows {
        let Some(code) = code_of(av, &row) else { continue };
        match av.variants.parent(&row, &code) {
            Some(parent) => families.entry(parent).or_default().variations.insert(code, row),
            None => families.entry(code).or_default().own.replace(row),
        };
    }
    families.retain(|code, _| wanted.is_none_or(|wanted| wanted.contains(code)));
    if families.is_empty() {
        return Ok(Vec::new());
    }
    let around = Around::read(av, calls).await?;
    Ok(families.iter().filter_map(|(code, family)| around.record(code, family)).collect())
}

/// What a record is made with: rates of VAT codes, names of groups.
struct Around<'a> {
    av: &'a AccountView,
    part: &'a Part,
    percents: BTreeMap<String, Value>,
    groups: BTreeMap<String, String>,
}

impl<'a> Around<'a> {
    async fn read(av: &'a AccountView, calls: &Calls) -> Result<Self, Failure> {
        let part = av.profile.part("article");
        let mut made = Self { av, part, percents: BTreeMap::new(), groups: BTreeMap::new() };
        let vat = av.profile.part("vat_code");
        if let (Some(_), Some(key), Some(percent)) = (part.role("vat_code"), &vat.key, vat.role("percent")) {
            for row in search(av, vat, &["percent"], Vec::new(), calls).await? {
                if let (Some(code), Some(rate)) = (field(&row, key), decimal(&row, percent).and_then(json_number)) {
                    made.percents.insert(code, rate);
                }
            }
        }
        let groups = av.profile.part("article_group");
        if let (Some(_), Some(key), Some(name)) = (part.role("group"), &groups.key, groups.role("name")) {
            for row in search(av, groups, &["name"], Vec::new(), calls).await? {
                if let Some(code) = field(&row, key) {
                    let name = field(&row, name).unwrap_or_else(|| code.clone());
                    made.groups.insert(code, name);
                }
            }
        }
        Ok(made)
    }

    fn record(&self, code: &str, family: &Family) -> Option<SourceRecord> {
        let base = family.own.as_ref().or_else(|| family.variations.values().next())?;
        let mut raw = self.article(base, family.own.as_ref().and(Some(code)));
        let mut key = code.to_owned();
        if !family.variations.is_empty() {
            let one = |(code, row): (&String, &Value)| Value::Object(self.article(row, Some(code)));
            let variations: Vec<Value> = family.variations.iter().map(one).collect();
            if family.own.is_none() {
                let names = variations.iter().filter_map(|one| one["description"].as_str().map(str::to_owned));
                raw.insert("description".into(), json!(common_name(names)));
                // What belongs to one variation is not the product's.
                raw.insert("barcode".into(), Value::Null);
            }
            raw.insert("code".into(), json!(code));
            raw.insert("attributes".into(), Value::Array(attributes_of_all(&raw["attributes"], &variations)));
            raw.insert("is_active".into(), json!(variations.iter().any(|one| one["is_active"] == true)));
            raw.insert("variations".into(), Value::Array(variations));
            key = format!("{PARENT}{code}");
        }
        let changed = family.own.iter().chain(family.variations.values());
        Some(SourceRecord {
            key: NonEmpty::new(key)?,
            label: code.to_owned(),
            partition: code.to_owned(),
            modified_at: changed.filter_map(|row| self.av.modified(row, self.part)).max(),
            raw: Value::Object(raw),
        })
    }

    /// An article by roles, with its own fields beside them.
    fn article(&self, row: &Value, code: Option<&str>) -> Map<String, Value> {
        let name = |role: &str| self.part.role(role);
        let text = |role: &str| name(role).and_then(|name| field(row, name));
        let number = |role: &str| name(role).and_then(|name| decimal(row, name)).and_then(json_number);
        let yes = |role: &str| name(role).and_then(|name| flag(row, name));
        let vat_code = text("vat_code");
        let percent = vat_code.as_ref().and_then(|code| self.percents.get(code)).cloned();
        let group = text("group").map(|code| {
            let name = self.groups.get(&code).unwrap_or(&code).clone();
            json!({"code": code, "name": name})
        });
        let trimmed = |(name, value): (&String, &Value)| match value {
            Value::String(text) => (name.clone(), json!(text.trim())),
            other => (name.clone(), other.clone()),
        };
        // What ties the rows of one answer together differs from answer to answer.
        let is_own = |(name, _): &(&String, &Value)| *name != "EXT_KEY" && !name.ends_with("_Id");
        let fields: Map<String, Value> = row.as_object().into_iter().flatten().filter(is_own).map(trimmed).collect();
        let made = json!({
            "code": code,
            "description": text("description"),
            "long_description": text("long_description"),
            "selling_price": number("selling_price"),
            "price_includes_tax": self.av.prices_with_vat,
            "currency": self.av.posting.currency,
            "vat_code": vat_code,
            "vat_percent": percent,
            "barcode": text("barcode"),
            "weight_kg": number("weight_kg"),
            "is_active": yes("blocked") != Some(true) && yes("web") != Some(false),
            "groups": group.into_iter().collect::<Vec<_>>(),
            "attributes": self.av.attributes.values(row),
            "fields": fields,
        });
        made.as_object().cloned().unwrap_or_default()
    }
}
