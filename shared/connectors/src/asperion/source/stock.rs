//! Stock: what lies there of each article. Reservations are not known, so what is promised elsewhere is not taken off.

use koppel_core::Failure;
use koppel_core::NonEmpty;
use koppel_core::keys::RecordKey;
use koppel_core::message::SourceRecord;
use koppel_core::ports::{Calls, FetchPage, FetchQuery};
use serde_json::{Value, json};

use super::articles::{self, Article, Token};
use crate::asperion::{Asperion, native};
use crate::http::PageToken;

/// One page of articles with their stock.
pub(super) async fn page(asperion: &Asperion, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure> {
    articles::check_allowed(asperion)?;
    let link = query.page.as_deref().map(PageToken::unpack::<Token>).transpose()?.map(|token| token.link);
    let fields = fields(asperion);
    let (rows, next) = articles::list_page(asperion, &[("fields", &fields)], link.as_deref(), calls).await?;
    let next = next.map(|link| PageToken::pack(&Token { link })).transpose()?;
    Ok(FetchPage { records: rows.iter().filter_map(|row| record(asperion, row)).collect(), gone: Vec::new(), next })
}

/// The stock of one article, by its code.
pub(super) async fn one(asperion: &Asperion, key: &RecordKey, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
    articles::check_allowed(asperion)?;
    let (filter, fields) = (asperion.profile.name("articles.code_filter").to_owned(), fields(asperion));
    let query = [(filter.as_str(), key.as_str()), ("fields", fields.as_str())];
    let rows = articles::all(asperion, &query, calls).await?;
    // The filter finds codes that contain this one, too.
    Ok(rows.iter().filter_map(|row| record(asperion, row)).find(|record| record.key == *key))
}

/// Only what is needed, under the names that the API has for it.
fn fields(asperion: &Asperion) -> String {
    let names = ["code", "currentStock"].into_iter().chain(asperion.variants.field());
    names.map(|name| asperion.profile.of_article(name)).collect::<Vec<_>>().join(",")
}

/// An article without a stock keeps none, so there is nothing to tell of it.
fn record(asperion: &Asperion, article: &Article) -> Option<SourceRecord> {
    let article = Value::Object(article.clone());
    let code = native::field(&article, "code")?;
    let stock = native::decimal(&article, "currentStock")?;
    let parent = asperion.variants.parent(&article, &code);
    Some(SourceRecord {
        key: NonEmpty::new(&code)?,
        label: code.clone(),
        partition: parent.clone().unwrap_or_else(|| code.clone()),
        modified_at: None,
        raw: json!({"code": code, "parent_code": parent, "currentStock": native::number(stock)}),
    })
}
