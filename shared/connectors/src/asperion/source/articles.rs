//! Articles: read whole, by names that are assumed, when the connection allows it.

use koppel_core::keys::RecordKey;
use koppel_core::message::SourceRecord;
use koppel_core::ports::{Calls, FetchPage, FetchQuery};
use koppel_core::{Cause, Failure};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::families::{self, Around, Families};
use crate::asperion::{Asperion, errors, native};
use crate::http::PageToken;

/// Where a read goes on.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Token {
    pub link: String,
}

/// An article, its properties under the names of the rows.
pub(super) type Article = Map<String, Value>;

/// Refuses to read by assumed names unless the connection allows it.
pub(super) fn check_allowed(asperion: &Asperion) -> Result<(), Failure> {
    if asperion.settings.articles {
        return Ok(());
    }
    Err(Failure::settings(
        Cause::new(
            "not_confirmed",
            "articles and stock are read from Asperion by names that are assumed, which is switched off",
        )
        .advice("set assume_articles: true on the connection, and compare a few articles before the flow goes live")
        .in_row("assume_articles"),
    ))
}

/// One page of products. With variations all articles are read at once: they may stand on any page.
pub(super) async fn page(asperion: &Asperion, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure> {
    check_allowed(asperion)?;
    let around = around(asperion, calls).await?;
    if asperion.variants.is_none() {
        let link = query.page.as_deref().map(PageToken::unpack::<Token>).transpose()?.map(|token| token.link);
        let (articles, next) = list_page(asperion, &[], link.as_deref(), calls).await?;
        let records = families::records(&around, Families::of(&asperion.variants, articles));
        let next = next.map(|link| PageToken::pack(&Token { link })).transpose()?;
        return Ok(FetchPage { records, gone: Vec::new(), next });
    }
    let articles = all(asperion, &[], calls).await?;
    let records = families::records(&around, Families::of(&asperion.variants, articles));
    Ok(FetchPage { records, ..FetchPage::default() })
}

/// One product, by the code of its article or of the parent of its variations.
pub(super) async fn one(asperion: &Asperion, key: &RecordKey, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
    check_allowed(asperion)?;
    let code = key.as_str().strip_prefix(families::PARENT).unwrap_or(key.as_str());
    let filter = asperion.profile.name("articles.code_filter").to_owned();
    // No filter on free fields is known, so a parent that stands in one is found by reading all.
    let query: Vec<(&str, &str)> =
        if asperion.variants.field().is_some() { Vec::new() } else { vec![(filter.as_str(), code)] };
    let articles = all(asperion, &query, calls).await?;
    let around = around(asperion, calls).await?;
    let records = families::records(&around, Families::of(&asperion.variants, articles));
    Ok(records.into_iter().find(|record| record.key == *key))
}

/// What is looked up for articles: sales types tell the VAT code, VAT codes the percentage.
async fn around<'a>(asperion: &'a Asperion, calls: &Calls) -> Result<Around<'a>, Failure> {
    let profile = &asperion.profile;
    let types = match asperion.client.list(profile.name("sales_types.path"), &[], calls).await {
        // Then the percentage stays unknown, and only prices that must be converted are held up.
        Err(failure) if failure.cause().code == errors::NOT_OFFERED => return Ok(Around::new(asperion, Vec::new())),
        other => other?,
    };
    let rates = asperion.client.list("vatcodes", &[], calls).await?;
    let percent = |row: &Value| {
        let sales_type = native::field(row, profile.name("sales_types.id"))?;
        let code = native::field(row, profile.name("sales_types.vatCode"))?;
        let rate = rates.iter().find(|rate| native::field(rate, "id").as_deref() == Some(&code))?;
        Some((sales_type, code, native::decimal(rate, "percentage")?))
    };
    Ok(Around::new(asperion, types.iter().filter_map(percent).collect()))
}

/// All articles that a query finds.
pub(super) async fn all(asperion: &Asperion, query: &[(&str, &str)], calls: &Calls) -> Result<Vec<Article>, Failure> {
    let path = asperion.profile.name("articles.path").to_owned();
    let rows = asperion.client.list(&path, &with_state(asperion, query), calls).await?;
    Ok(rows.iter().map(|row| asperion.profile.article(row)).collect())
}

/// One page of articles.
pub(super) async fn list_page(
    asperion: &Asperion,
    query: &[(&str, &str)],
    link: Option<&str>,
    calls: &Calls,
) -> Result<(Vec<Article>, Option<String>), Failure> {
    let path = asperion.profile.name("articles.path").to_owned();
    let (rows, next) = asperion.client.page(&path, &with_state(asperion, query), link, calls).await?;
    Ok((rows.iter().map(|row| asperion.profile.article(row)).collect(), next))
}

/// Articles that are not active are only listed when their state is asked for, by a value that is not published.
fn with_state<'a>(asperion: &'a Asperion, query: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let states = asperion.profile.name("articles.all_states");
    let mut query = query.to_vec();
    if !states.is_empty() {
        query.push((asperion.profile.name("articles.state_filter"), states));
    }
    query
}
