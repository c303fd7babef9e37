//! Stock: one call for each article, with all of its variants that changed. There is no batch, so a thousand articles are
//! a thousand calls; what the time of a chunk does not allow for follows in the next one.

use std::collections::BTreeMap;

use koppel_core::ports::Calls;
use koppel_core::ports::target::Change;
use koppel_core::{Cause, Failure};
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Map, Value, json};

use super::{MijnWebwinkelTarget, Results, id_of, is_of_record, sent};
use crate::mijnwebwinkel::index::Spot;
use crate::mijnwebwinkel::native::{decimal, text};

impl MijnWebwinkelTarget {
    /// Sets quantities. Stock is never created: it belongs to an article.
    pub(super) async fn send_stock(&self, changes: &[Change], calls: &Calls) -> Result<Results, Failure> {
        let mut results: Vec<Option<Result<_, Failure>>> = vec![None; changes.len()];
        let mut bodies: BTreeMap<String, (Map<String, Value>, Vec<usize>)> = BTreeMap::new();
        for (at, change) in changes.iter().enumerate() {
            match quantity(change) {
                Ok(None) => results[at] = Some(Ok(sent(change, id_of(change).unwrap_or_default().to_owned()))),
                Ok(Some((spot, stock))) => {
                    let (body, places) = bodies.entry(spot.article).or_default();
                    match spot.variant {
                        None => {
                            body.insert("stock".into(), stock);
                        }
                        Some(variant) => {
                            let list = body.entry("variants").or_insert_with(|| json!([]));
                            if let Some(list) = list.as_array_mut() {
                                list.push(json!({"id": variant.parse::<u64>().unwrap_or_default(), "stock": stock}));
                            }
                        }
                    }
                    places.push(at);
                }
                Err(failure) => results[at] = Some(Err(failure)),
            }
        }
        let mut any_known = results.iter().any(Option::is_some);
        for (article, (body, places)) in bodies {
            let answer = self.client.update_article(&article, Value::Object(body), calls).await;
            match answer {
                Err(failure) if !is_of_record(&failure) && !any_known => return Err(failure),
                Err(failure) if !is_of_record(&failure) => {
                    let open = results.iter_mut().filter(|result| result.is_none());
                    open.for_each(|result| *result = Some(Err(failure.clone())));
                    break;
                }
                answer => {
                    any_known = true;
                    for at in places {
                        let change = &changes[at];
                        let done = answer.as_ref().map(|_| sent(change, id_of(change).unwrap_or_default().to_owned()));
                        results[at] = Some(done.map_err(Clone::clone));
                    }
                }
            }
        }
        Ok(results.into_iter().flatten().collect())
    }
}

/// Where the stock belongs and what it is; null stops the count. Nothing when the change speaks of none.
fn quantity(change: &Change) -> Result<Option<(Spot, Value)>, Failure> {
    let Some(id) = id_of(change) else {
        return Err(Failure::reject(
            Cause::new("not_in_target", format!("the shop does not have «{}»", change.key))
                .advice("bring the article over with a flow of products"),
        ));
    };
    let spot = Spot::parse(id);
    let value = |name: &str| change.fields.get(name).filter(|value| !value.is_null());
    if value("manage_stock") == Some(&json!(false)) {
        if spot.variant.is_some() {
            return Err(Failure::reject(
                Cause::new(
                    "variant_stock_is_counted",
                    format!("the stock of a variant («{}») is always counted", change.key),
                )
                .advice("set settings.stock.manage_stock: true, or leave the article out with filter.where"),
            ));
        }
        return Ok(Some((spot, Value::Null)));
    }
    let Some(quantity) = value("stock_quantity") else {
        if value("manage_stock").is_none() {
            return Ok(None);
        }
        return Err(wrong("stock_quantity", "", "a whole number"));
    };
    let whole = decimal(quantity).filter(|number| number.fract().is_zero()).and_then(|number| number.to_i64());
    let whole = whole.ok_or_else(|| wrong("stock_quantity", &text(quantity), "a whole number"))?;
    Ok(Some((spot, json!(whole))))
}

pub(super) fn wrong(field: &str, value: &str, what: &str) -> Failure {
    Failure::reject(Cause::new("bad_value", format!("«{value}» is not {what}")).in_row(format!("target.{field}")))
}
