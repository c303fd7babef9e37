//! Debtors as customers. They carry the moment of their last change, but no filter on it is known: all pages are read,
//! and what did not change since then is passed over here.

use chrono_tz::Europe::Amsterdam;
use koppel_core::Failure;
use koppel_core::NonEmpty;
use koppel_core::keys::RecordKey;
use koppel_core::message::SourceRecord;
use koppel_core::ports::{Calls, FetchPage, FetchQuery};
use serde_json::{Value, json};

use super::articles::Token;
use crate::asperion::customers::DEBTORS;
use crate::asperion::{Asperion, native};
use crate::http::PageToken;
use crate::wall_clock;

/// One page of debtors that changed.
pub(super) async fn page(asperion: &Asperion, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure> {
    let link = query.page.as_deref().map(PageToken::unpack::<Token>).transpose()?.map(|token| token.link);
    let (rows, next) = asperion.client.page(DEBTORS, &[], link.as_deref(), calls).await?;
    let since = wall_clock::asked(Amsterdam, query.since);
    // One without a date may have changed at any time.
    let changed = |row: &&Value| native::local(row, "dateLastChange").is_none_or(|at| at >= since);
    let records = rows.iter().filter(changed).filter_map(|row| record(asperion, row)).collect();
    let next = next.map(|link| PageToken::pack(&Token { link })).transpose()?;
    Ok(FetchPage { records, gone: Vec::new(), next })
}

/// One debtor, by its id.
pub(super) async fn one(asperion: &Asperion, key: &RecordKey, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
    let rows = asperion.client.list(DEBTORS, &[("Id", key.as_str())], calls).await?;
    Ok(rows.iter().filter_map(|row| record(asperion, row)).find(|record| record.key == *key))
}

fn record(asperion: &Asperion, row: &Value) -> Option<SourceRecord> {
    let id = native::field(row, "id")?;
    let mut raw = row.as_object().cloned().unwrap_or_default();
    raw.remove("_meta");
    // A change of nothing but this date is no change.
    raw.remove("dateLastChange");
    let settings = &asperion.settings;
    let class = native::field(row, &settings.classification_field);
    // The table is written from the shop's side; here it is read the other way round.
    let shops = class.as_ref().and_then(|class| settings.classifications.iter().find(|(_, own)| *own == class));
    let price_class = shops.map(|(shops, _)| shops.clone()).or(class);
    raw.insert("price_class".into(), price_class.map_or(Value::Null, |class| json!(class)));
    Some(SourceRecord {
        key: NonEmpty::new(&id)?,
        label: native::field(row, "customerNumber").unwrap_or_else(|| id.clone()),
        partition: native::field(row, "emailAddress").map_or(id, |email| email.to_lowercase()),
        modified_at: native::local(row, "dateLastChange").and_then(native::utc),
        raw: Value::Object(raw),
    })
}
