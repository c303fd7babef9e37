//! A native article made ready for rows:
//!
//! * `variations`: its variants with `sku`, `price` and `choices`, made of its lists: variants have none of their own
//! * `choices` (its lists) and `features` (visible fields of its own)
//! * `categories[].path`: the names from the root
//! * `barcode`, `weight_kg`, `vat_percent`, `currency`, `prices_include_tax`, `published`, `pictures`, `modified_at`

use koppel_core::message::SourceRecord;
use koppel_core::{Cause, Failure, NonEmpty};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{decimal, flag, group, many, plain, text};
use crate::mijnwebwinkel::categories::Tree;
use crate::mijnwebwinkel::options::{Options, SkuRule};
use crate::mijnwebwinkel::source::ShopFacts;

/// One choice of a variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Name of the list: what is chosen.
    pub list: String,
    /// Name of the option.
    pub option: String,
    /// What it adds to the price.
    pub surcharge: Decimal,
}

/// One variant of an article.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Its id.
    pub id: String,
    /// Its choices, in the order of the article's lists.
    pub choices: Vec<Choice>,
    /// Pieces; null when they are not counted.
    pub stock: Value,
}

impl Variant {
    /// Its article number by the rule.
    pub fn sku(&self, article: &Value, rule: &SkuRule) -> String {
        let names: Vec<String> = self.choices.iter().map(|choice| choice.option.clone()).collect();
        rule.of(&text(&article["sku"]), &names)
    }

    /// Its price: that of the article and what its options add.
    pub fn price(&self, article: &Value) -> Option<Decimal> {
        let surcharges: Decimal = self.choices.iter().map(|choice| choice.surcharge).sum();
        decimal(&article["price"]["default"]).map(|price| price + surcharges)
    }
}

/// The variants of an article, in either form of their options: a list of ids, or names by the id of their list.
pub fn variants(article: &Value) -> Vec<Variant> {
    let lists = many(&article["lists"]);
    let of = |variant: &Value| {
        let given = &variant["options"];
        let choices = lists.iter().filter_map(|list| {
            let id = text(&list["id"]);
            let by_list = given.as_array().and_then(|all| all.iter().find(|one| text(&one["list_id"]) == id));
            let wanted = match (given, by_list) {
                (Value::Object(names), _) => text(names.get(&id)?),
                (_, Some(one)) => text(&one["name"]),
                _ => return None,
            };
            let option_id = by_list.map(|one| text(&one["option_id"])).unwrap_or_default();
            let options = many(&list["options"]);
            let known = options.iter().find(|one| {
                !option_id.is_empty() && text(&one["id"]) == option_id
                    || option_id.is_empty() && text(&one["name"]) == wanted
            });
            Some(Choice {
                list: text(&list["name"]),
                option: if wanted.is_empty() {
                    known.map(|one| text(&one["name"])).unwrap_or_default()
                } else {
                    wanted
                },
                surcharge: known.and_then(|one| decimal(&one["price"])).unwrap_or_default(),
            })
        });
        Variant { id: text(&variant["id"]), choices: choices.collect(), stock: variant["stock"].clone() }
    };
    many(&article["variants"]).iter().map(of).filter(|variant| !variant.choices.is_empty()).collect()
}

/// A field of the article's own, wherever it stands.
pub fn field(article: &Value, name: &str) -> String {
    let sides = ["invisible", "visible"];
    let of = |side: &&str| text(group(&article["extra"][*side]).get(name).unwrap_or(&Value::Null));
    sides.iter().map(of).find(|text| !text.is_empty()).unwrap_or_default()
}

/// Somebody can see it: it is active in at least one category.
pub fn is_published(article: &Value) -> bool {
    many(&article["categories"]).iter().any(|link| link.get("is_active").is_none_or(flag))
}

/// The address of a picture in full size; addresses come as an object, or as a list of them.
pub fn picture_url(image: &Value) -> String {
    let full = many(&image["urls"]).iter().map(|urls| text(&urls["full"])).find(|url| !url.is_empty());
    full.unwrap_or_else(|| text(&image["url"]))
}

/// Makes a source record of a native article.
pub fn record(mut raw: Value, tree: &Tree, shop: &ShopFacts, options: &Options) -> Result<SourceRecord, Failure> {
    let Some(key) = NonEmpty::new(text(&raw["id"])) else {
        return Err(Failure::reject(Cause::new("article_without_id", "the shop answered an article without an id")));
    };
    let sku = text(&raw["sku"]);
    let modified = options.moment(&text(&raw["updated_date"]), &text(&raw["updated_time"]));
    let categories = many(&raw["categories"]).into_iter().map(|mut link| {
        let id = text(&link["category_id"]);
        link["path"] = json!(tree.path(&id).unwrap_or_default());
        link
    });
    raw["categories"] = categories.collect();
    let variants = variants(&raw);
    raw["variations"] = variants
        .iter()
        .map(|variant| {
            let choices = variant.choices.iter().map(|one| json!({"name": one.list, "option": one.option}));
            json!({"id": format!("{key}/{}", variant.id), "sku": variant.sku(&raw, &options.sku), "stock": variant.stock,
                "price": variant.price(&raw).map_or(Value::Null, plain), "choices": choices.collect::<Vec<_>>()})
        })
        .collect();
    let lists = many(&raw["lists"]).into_iter().map(|list| {
        let names: Vec<String> = many(&list["options"]).iter().map(|option| text(&option["name"])).collect();
        json!({"name": text(&list["name"]), "options": names})
    });
    raw["choices"] = lists.collect();
    let hidden = [&options.barcode_field, &options.weight_field];
    let features = group(&raw["extra"]["visible"]).into_iter().filter(|(name, _)| !hidden.contains(&name));
    raw["features"] = features.map(|(name, value)| json!({"name": name, "value": text(&value)})).collect();
    raw["barcode"] = json!(field(&raw, &options.barcode_field));
    raw["weight_kg"] = decimal(&json!(field(&raw, &options.weight_field))).map_or(Value::Null, plain);
    raw["pictures"] = many(&raw["images"])
        .iter()
        .map(
            |image| json!({"url": picture_url(image), "name": text(&image["original_name"]), "id": text(&image["id"])}),
        )
        .collect();
    raw["published"] = json!(is_published(&raw));
    raw["vat_percent"] = shop.percent(&text(&raw["uuid"])).map_or(Value::Null, plain);
    raw["currency"] = json!(shop.currency);
    raw["prices_include_tax"] = json!(shop.prices_include_tax);
    let (label, partition) =
        if sku.is_empty() { (key.to_string(), format!("product:{key}")) } else { (sku.clone(), sku) };
    Ok(SourceRecord { key, label, partition, modified_at: modified, raw })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::connection;

    #[test]
    fn variants_are_known_in_both_forms() {
        let lists = json!([{"id": 31, "name": "Kleur", "options": [{"id": 311, "name": "Rood", "price": "0.00"}]},
            {"id": 32, "name": "Maat", "options": [{"id": 321, "name": "S", "price": "1.50"}, {"id": 322, "name": "M", "price": "0.00"}]}]);
        let rule = Options::of(&connection("mijnwebwinkel", json!({}), &[])).unwrap().sku;
        for options in [
            json!({"32": "S", "31": "Rood"}),
            json!([{"list_id": 32, "option_id": 321, "name": "S"}, {"list_id": 31, "option_id": 311, "name": "Rood"}]),
        ] {
            let article = json!({"sku": "TSHIRT", "price": {"default": 24.14}, "lists": lists, "variants": [{"id": 7101, "options": options, "stock": 3}]});
            let made = variants(&article);
            assert_eq!(
                (made[0].sku(&article, &rule), made[0].price(&article)),
                ("TSHIRT-ROOD-S".into(), Some(Decimal::new(2564, 2)))
            );
            assert_eq!(made[0].choices[1].list, "Maat");
        }
        assert!(variants(&json!({"lists": [], "variants": []})).is_empty());
    }

    #[test]
    fn fields_stand_on_either_side_and_pictures_in_either_form() {
        let article =
            json!({"extra": {"visible": [], "invisible": {"barcode": "871"}}, "categories": [{"is_active": false}]});
        assert_eq!((field(&article, "barcode"), field(&article, "weight")), ("871".into(), String::new()));
        assert!(!is_published(&article) && is_published(&json!({"categories": [{"category_id": 1}]})));
        assert_eq!(picture_url(&json!({"urls": [{"full": "https://a/1"}]})), "https://a/1");
        assert_eq!(picture_url(&json!({"url": "https://a/2", "urls": []})), "https://a/2");
    }
}
