//! Articles, one call each: there is no batch. Lists replace what the article has, so categories and pictures are always
//! sent as a whole.

use koppel_core::error::{RetryReason, nearest};
use koppel_core::ports::target::Change;
use koppel_core::ports::{Calls, Sent};
use koppel_core::{Cause, Failure};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Map, Value, json};

use super::find::PLAIN;
use super::stock::wrong;
use super::{MijnWebwinkelTarget, Results, id_of, is_of_record, sent};
use crate::mijnwebwinkel::index::Spot;
use crate::mijnwebwinkel::judge::GONE;
use crate::mijnwebwinkel::native::{decimal, group, many, text};

/// Longest article number and name that are sure to be taken.
const LONGEST: usize = 255;
/// Parts of a price.
const PRICES: [&str; 3] = ["default", "action", "purchase"];

impl MijnWebwinkelTarget {
    /// Creates and changes articles.
    pub(super) async fn send_articles(&self, changes: &[Change], calls: &Calls) -> Result<Results, Failure> {
        let mut results = Results::with_capacity(changes.len());
        for change in changes {
            match self.send_article(change, calls).await {
                Err(failure) if !is_of_record(&failure) && results.is_empty() => return Err(failure),
                Err(failure) if !is_of_record(&failure) => {
                    // What follows would fail the same way, and costs calls of which there are too few.
                    results.resize(changes.len(), Err(failure));
                    break;
                }
                done => results.push(done),
            }
        }
        Ok(results)
    }

    async fn send_article(&self, change: &Change, calls: &Calls) -> Result<Sent, Failure> {
        let fields = spoken_of(&change.fields);
        let state = match id_of(change).map(Spot::parse) {
            // A variant has no fields of its own: name, price and pictures are those of its article.
            Some(spot) if spot.variant.is_some() => return Ok(sent(change, spot.text())),
            Some(spot) => {
                let needs = ["_categories", "status", "_lists", "_variations", "_pictures"];
                let needed = needs.iter().any(|name| fields.contains_key(*name));
                let row = if needed { self.client.article(&spot.article, calls).await? } else { None };
                if needed && row.is_none() {
                    return Err(Failure::reject(
                        Cause::new(GONE, format!("the shop no longer has «{}»", change.key))
                            .advice("try again: what is missing is made anew"),
                    ));
                }
                Some((spot.article, row.unwrap_or_default()))
            }
            None => None,
        };
        let body = self.body(change, &fields, state.as_ref().map(|(_, row)| row), calls).await?;
        let pictures = fields.get("_pictures").map(many);
        match state {
            Some((id, row)) => {
                let row = if body.is_empty() {
                    row
                } else {
                    let row = self.client.update_article(&id, Value::Object(body), calls).await?;
                    self.index.learn(&row, &self.options).await?;
                    row
                };
                if let Some(wanted) = pictures {
                    self.send_pictures(&id, &row, &wanted, &change.pictures, calls).await?;
                }
                Ok(sent(change, id))
            }
            None => {
                let row = self.client.create_article(Value::Object(body), calls).await?;
                let id = text(&row["id"]);
                // From here on it exists: whatever fails, nobody may make a second one.
                let rest = async {
                    self.index.learn(&row, &self.options).await?;
                    match pictures.filter(|wanted| !wanted.is_empty()) {
                        Some(wanted) => self.send_pictures(&id, &row, &wanted, &change.pictures, calls).await,
                        None => Ok(()),
                    }
                };
                rest.await.map_err(half_done)?;
                Ok(sent(change, id))
            }
        }
    }

    async fn body(
        &self,
        change: &Change,
        fields: &Map<String, Value>,
        state: Option<&Value>,
        calls: &Calls,
    ) -> Result<Map<String, Value>, Failure> {
        let mut body = Map::new();
        let (mut visible, mut invisible) = (Map::new(), Map::new());
        for (name, value) in fields {
            match name.as_str() {
                "price" => {
                    body.insert(name.clone(), prices(value)?);
                }
                "name" | "sku" => {
                    let text = text(value);
                    if text.chars().count() > LONGEST {
                        return Err(wrong(name, &text, &format!("a text of at most {LONGEST} characters")));
                    }
                    body.insert(name.clone(), json!(text));
                }
                "taxable" => {
                    let flag = value.as_bool().ok_or_else(|| wrong(name, &text(value), "yes or no"))?;
                    body.insert(name.clone(), json!(flag));
                }
                "delivery_days" => {
                    let days = decimal(value).filter(|days| days.fract().is_zero()).and_then(|days| days.to_i64());
                    body.insert(name.clone(), json!(days.ok_or_else(|| wrong(name, &text(value), "a whole number"))?));
                }
                "_price_includes_tax" => self.check_tax(change, fields, value, calls).await?,
                "_barcode" => {
                    invisible.insert(self.options.barcode_field.clone(), json!(text(value)));
                }
                "_weight" => {
                    decimal(value)
                        .filter(|weight| !weight.is_sign_negative())
                        .ok_or_else(|| wrong("_weight", &text(value), "a weight"))?;
                    invisible.insert(self.options.weight_field.clone(), json!(text(value)));
                }
                "_features" => {
                    let of = many(value).into_iter().map(|one| (text(&one["name"]), json!(text(&one["value"]))));
                    visible.extend(of.filter(|(name, _)| !name.is_empty()));
                }
                "extra" => {
                    let of =
                        |side: &str| group(&value[side]).into_iter().map(|(name, value)| (name, json!(text(&value))));
                    visible.extend(of("visible"));
                    invisible.extend(of("invisible"));
                }
                "_lists" => {
                    let lists = self.lists_of(value, state.unwrap_or(&Value::Null), calls).await?;
                    body.insert("lists".into(), lists);
                }
                "_variations" => self.check_variations(change, fields, state.unwrap_or(&Value::Null))?,
                "_categories" | "status" | "_pictures" => {}
                name if PLAIN.contains(&name) || name == "meta_description" => {
                    body.insert(name.to_owned(), json!(text(value)));
                }
                name => return Err(unknown(name)),
            }
        }
        let mut extra = Map::new();
        for (side, values) in [("visible", visible), ("invisible", invisible)] {
            if !values.is_empty() {
                extra.insert(side.into(), Value::Object(values));
            }
        }
        if !extra.is_empty() {
            body.insert("extra".into(), Value::Object(extra));
        }
        if let Some(links) = self.links(change, fields, state, calls).await? {
            body.insert("categories".into(), links);
        }
        Ok(body)
    }

    /// All links to categories: whether a part would replace the rest is not told.
    async fn links(
        &self,
        change: &Change,
        fields: &Map<String, Value>,
        state: Option<&Value>,
        calls: &Calls,
    ) -> Result<Option<Value>, Failure> {
        let status = fields.get("status").map(text);
        if let Some(word) = status.as_deref().filter(|word| !["active", "inactive"].contains(word)) {
            return Err(wrong("status", word, "one of active, inactive"));
        }
        let before = state.map(|row| many(&row["categories"])).unwrap_or_default();
        let is_active = match status.as_deref() {
            Some(word) => word == "active",
            None => state.is_none_or(crate::mijnwebwinkel::native::article::is_published),
        };
        let mut ids: Vec<String> = Vec::new();
        match fields.get("_categories") {
            Some(paths) => {
                for path in many(paths) {
                    let path: Vec<String> = many(&path).iter().map(text).collect();
                    let id = self.categories.make(&self.client, &path, calls).await?;
                    ids.extend(id.filter(|id| !ids.contains(id)));
                }
            }
            None if status.is_some() => ids.extend(before.iter().map(|link| text(&link["category_id"]))),
            None => {}
        }
        if ids.is_empty() {
            if state.is_none() {
                return Err(Failure::settings(
                    Cause::new(
                        "no_category",
                        format!("«{}» has no category, and an article of MijnWebwinkel needs one", change.key),
                    )
                    .advice("set settings.product.fallback_category: [\"…\"] in the flow")
                    .in_row("settings.product.fallback_category"),
                ));
            }
            return Ok(None);
        }
        let main = before.iter().find(|link| link["is_main"] == true).map(|link| text(&link["category_id"]));
        let main = main.filter(|id| ids.contains(id)).unwrap_or_else(|| ids[0].clone());
        let link = |id: &String| json!({"category_id": id.parse::<u64>().unwrap_or_default(), "is_active": is_active, "is_main": *id == main});
        Ok(Some(ids.iter().map(link).collect()))
    }

    /// A price in the wrong terms would be off by the VAT.
    async fn check_tax(
        &self,
        change: &Change,
        fields: &Map<String, Value>,
        with_tax: &Value,
        calls: &Calls,
    ) -> Result<(), Failure> {
        let shop = self.facts(calls).await?.prices_include_tax;
        if !fields.contains_key("price") || with_tax.as_bool() == Some(shop) {
            return Ok(());
        }
        let words = |with: bool| if with { "with" } else { "without" };
        Err(Failure::settings(
            Cause::new(
                "price_terms",
                format!("prices of this shop are {} VAT, that of «{}» is {}", words(shop), change.key, words(!shop)),
            )
            .advice(format!("set settings.product.prices_include_tax: {shop} in the flow"))
            .in_row("settings.product.prices_include_tax"),
        ))
    }
}

/// Fields without what rows leave empty.
pub(super) fn spoken_of(fields: &Map<String, Value>) -> Map<String, Value> {
    let kept = fields.iter().filter(|(_, value)| !value.is_null());
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Prices are texts with a point.
fn prices(value: &Value) -> Result<Value, Failure> {
    let mut made = Map::new();
    for (name, value) in group(value) {
        if !PRICES.contains(&name.as_str()) {
            return Err(unknown_of(&format!("price.{name}"), &name, &PRICES));
        }
        let shown = text(&value);
        // An empty action price ends the action.
        let price = match decimal(&value) {
            _ if value.is_null() => continue,
            None if shown.is_empty() && name == "action" => String::new(),
            Some(price) if !price.is_sign_negative() => two_decimals(price),
            _ => return Err(wrong(&format!("price.{name}"), &shown, "a price")),
        };
        made.insert(name, json!(price));
    }
    Ok(Value::Object(made))
}

fn two_decimals(price: Decimal) -> String {
    let price = price.normalize();
    if price.scale() < 2 { format!("{price:.2}") } else { price.to_string() }
}

fn unknown(name: &str) -> Failure {
    let mut known: Vec<&str> = PLAIN.to_vec();
    known.extend(["meta_description", "price", "status", "extra"]);
    unknown_of(name, name, &known)
}

fn unknown_of(path: &str, name: &str, known: &[&str]) -> Failure {
    let advice = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean «{near}»?"),
        None => format!("there are: {}", known.join(", ")),
    };
    let cause =
        Cause::new("unknown_field", format!("an article of MijnWebwinkel has no field «{path}» that can be written"));
    Failure::settings(cause.advice(advice).in_row(format!("target.{path}")))
}

/// The record was made and what belongs to it was not: whoever comes next looks first, and adds what is missing.
pub(super) fn half_done(failure: Failure) -> Failure {
    match failure {
        Failure::Retry { after, cause, .. } => Failure::Retry { after, reason: RetryReason::OutcomeUnknown, cause },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_texts_and_nothing_else_is_taken() {
        assert_eq!(
            prices(&json!({"default": 12.5, "action": "", "purchase": null})).unwrap(),
            json!({"default": "12.50", "action": ""})
        );
        assert_eq!(prices(&json!({"default": "9.950413"})).unwrap(), json!({"default": "9.950413"}));
        for bad in [json!({"default": "-1"}), json!({"default": "10,5"}), json!({"default": ""})] {
            assert_eq!(prices(&bad).unwrap_err().cause().code, "bad_value", "{bad}");
        }
        let failure = prices(&json!({"defualt": "1"})).unwrap_err();
        assert!(failure.to_string().contains("did you mean «default»?"), "{failure}");
        assert!(unknown("discription").to_string().contains("did you mean «description»?"));
    }

    #[test]
    fn a_record_that_was_half_made_is_looked_for_first() {
        let busy = Failure::retry(RetryReason::Throttled, None, Cause::new("throttled", "slow"));
        assert!(matches!(half_done(busy), Failure::Retry { reason: RetryReason::OutcomeUnknown, .. }));
        assert!(matches!(half_done(Failure::reject(Cause::new("refused", "no"))), Failure::Reject(_)));
    }
}
