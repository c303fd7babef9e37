//! Lists of options, from which an article gets its variants. The API makes no list: each attribute that varies is given
//! the list that somebody made in the shop. Options that a list lacks are added to it.

use koppel_core::ports::Calls;
use koppel_core::ports::target::Change;
use koppel_core::{Cause, Failure};
use serde_json::{Map, Value, json};

use super::MijnWebwinkelTarget;
use crate::mijnwebwinkel::native::article::variants;
use crate::mijnwebwinkel::native::{decimal, many, text};

fn refused(code: &str, message: String, advice: &str) -> Failure {
    Failure::reject(Cause::new(code, message).advice(advice.to_owned()))
}

impl MijnWebwinkelTarget {
    /// `lists` of an article as the shop takes it. `state` is the article as it is: pictures of options stay.
    pub(super) async fn lists_of(&self, wanted: &Value, state: &Value, calls: &Calls) -> Result<Value, Failure> {
        let mut made = Vec::new();
        for one in many(wanted) {
            let name = text(&one["name"]);
            let options: Vec<String> =
                many(&one["options"]).iter().map(text).filter(|option| !option.is_empty()).collect();
            let used = many(&state["lists"]).into_iter().find(|list| text(&list["name"]) == name);
            let id = used.as_ref().map(|list| text(&list["id"])).or_else(|| self.options.lists.get(&name).cloned());
            let Some(id) = id else {
                return Err(Failure::settings(
                    Cause::new("no_list", format!("MijnWebwinkel makes no lists by its API, and there is none for «{name}»"))
                        .advice(format!(
                            "make the list «{name}» in the shop and name it in article_lists: {{ {name}: \"<its id>\" }}, or let \
                             every variation be an article of its own"
                        ))
                        .in_row("article_lists"),
                ));
            };
            let list = self.client.article_list(&id, calls).await?.ok_or_else(|| {
                let cause = Cause::new("no_list", format!("the shop has no list {id}, which is that of «{name}»"));
                Failure::settings(cause.advice("look the list up in the shop").in_row("article_lists"))
            })?;
            let known = |list: &Value, name: &str| {
                many(&list["options"]).into_iter().find(|option| text(&option["name"]).eq_ignore_ascii_case(name))
            };
            let missing: Vec<String> = options.iter().filter(|name| known(&list, name).is_none()).cloned().collect();
            let list = if missing.is_empty() { list } else { self.client.add_options(&id, &missing, calls).await? };
            let shown = |option: &Value| {
                let used = used.iter().flat_map(|list| many(&list["options"]));
                let images = used.into_iter().find(|one| text(&one["id"]) == text(&option["id"]));
                images.map_or_else(|| json!([]), |one| json!(many(&one["image_ids"])))
            };
            let options: Vec<Value> = options
                .iter()
                .filter_map(|name| known(&list, name))
                .map(|option| json!({"id": option["id"], "image_ids": shown(&option)}))
                .collect();
            made.push(json!({"id": list["id"], "options": options}));
        }
        Ok(Value::Array(made))
    }

    /// Variations must be what the shop makes of lists: every number by the rule, and the price of the article with the
    /// surcharges of its options.
    pub(super) fn check_variations(
        &self,
        change: &Change,
        fields: &Map<String, Value>,
        state: &Value,
    ) -> Result<(), Failure> {
        let sku = fields.get("sku").map(text).unwrap_or_else(|| text(&state["sku"]));
        let sku = if sku.is_empty() { change.key.to_string() } else { sku };
        let own = decimal(&state["price"]["default"]);
        let price = fields.get("price").and_then(|price| decimal(&price["default"])).or(own);
        let there = variants(state);
        for one in fields.get("_variations").map(many).unwrap_or_default() {
            let options: Vec<String> = many(&one["choices"]).iter().map(|choice| text(&choice["option"])).collect();
            let (wanted, by_rule) = (text(&one["sku"]), self.options.sku.of(&sku, &options));
            if wanted != by_rule {
                return Err(refused(
                    "variant_number",
                    format!(
                        "variants have no number of their own: «{wanted}» would be known as «{by_rule}» in the shop"
                    ),
                    "name it in variant_numbers, set variant_separator and variant_letters, or let it be an article of its own",
                ));
            }
            let known = there.iter().find(|variant| variant.sku(state, &self.options.sku) == wanted);
            let surcharge = known.and_then(|variant| Some(variant.price(state)? - own?)).unwrap_or_default();
            if let (Some(price), Some(asked)) = (price, decimal(&one["price"]))
                && price + surcharge != asked
            {
                return Err(refused(
                    "one_price",
                    format!(
                        "«{wanted}» would cost {} in the shop, not {}: variants have the price of their article and the \
                         surcharges of their options",
                        (price + surcharge).normalize(),
                        asked.normalize()
                    ),
                    "set surcharges on the options of the list in the shop, or let every variation be an article of its own",
                ));
            }
        }
        Ok(())
    }
}
