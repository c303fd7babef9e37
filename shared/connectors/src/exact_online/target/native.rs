//! One item as Exact takes it: what rows say in other words becomes fields, and fields are compared with what is there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use koppel_core::ports::target::Picture;
use koppel_core::{Cause, Failure};
use ring::digest::{SHA256, digest};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::lists::Lists;
use crate::exact_online::source::variants::Variants;
use crate::exact_online::{ExactOnline, odata, payload};

pub(super) const ITEMS: &str = "logistics/Items";
/// Characters of the hash that a picture is known by.
const MARK_CHARS: usize = 16;
/// What an item keeps once it is there: its code, and whether it keeps stock.
const ONLY_NEW: [&str; 2] = ["Code", "IsStockItem"];
/// What a unit of weight is in kilograms.
const UNITS: [(&str, Decimal); 2] = [("kg", Decimal::ONE), ("g", Decimal::from_parts(1, 0, 0, false, 3))];

/// What an item should be.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Native {
    /// Fields of the item.
    pub body: Map<String, Value>,
    /// Its general sales price.
    pub price: Option<Decimal>,
    weight_kg: Option<Decimal>,
    picture: Option<Mark>,
}

/// The picture that an item should have.
#[derive(Clone, Debug, PartialEq)]
struct Mark {
    url: String,
    /// The name that a picture gets in Exact: which one it was, and in which version.
    name: String,
}

/// What fields are made with.
pub(super) struct Around<'a> {
    pub exact: &'a ExactOnline,
    pub lists: &'a Lists,
}

impl Around<'_> {
    /// The item of these fields. `parent` is the article number of the product that a variation belongs to.
    pub fn native(&self, fields: &Map<String, Value>, parent: Option<&str>) -> Result<Native, Failure> {
        let mut made = Native::default();
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            match name.as_str() {
                "StandardSalesPrice" => made.price = Some(price(value)?),
                "_weight_kg" => made.weight_kg = Some(number("_weight_kg", value)?),
                "_currency" => self.check_currency(value)?,
                "_item_groups" => {
                    if let Some(group) = self.group(value)? {
                        made.body.insert("ItemGroup".into(), json!(group));
                    }
                }
                "_attributes" => {
                    for (field, value) in self.attributes(value)? {
                        made.body.insert(field, value);
                    }
                }
                "_picture" => made.picture = mark(value),
                "_pictures" => made.picture = value.as_array().and_then(|list| mark(list.first()?)),
                "SalesVatCode" => {
                    let code = text(fields, name).unwrap_or_default();
                    self.lists.vat(&code)?;
                    made.body.insert(name.clone(), json!(code));
                }
                name if name.starts_with('_') => {}
                name => {
                    made.body.insert(name.to_owned(), value.clone());
                }
            }
        }
        if let (Some(parent), Some(field)) = (parent, self.exact.variants.field()) {
            made.body.insert(field.to_owned(), json!(parent));
        }
        payload::check_lengths(ITEMS, &made.body)?;
        Ok(made)
    }

    /// A price that is with tax where it should be without, or the other way round, is never written.
    pub fn check_tax(&self, fields: &Map<String, Value>, vat_code: Option<&str>) -> Result<(), Failure> {
        let wanted = fields.get("_price_includes_tax").and_then(Value::as_bool);
        let (Some(wanted), Some(there)) = (wanted, self.lists.includes_tax(vat_code)) else { return Ok(()) };
        let has_price = fields.get("StandardSalesPrice").is_some_and(|price| !price.is_null());
        if wanted == there || !has_price { Ok(()) } else { Err(other_tax(wanted)) }
    }

    fn check_currency(&self, value: &Value) -> Result<(), Failure> {
        let (currency, own) = (value.as_str().unwrap_or_default(), &self.exact.currency);
        if currency.is_empty() || currency == own {
            return Ok(());
        }
        Err(Failure::reject(
            Cause::new("foreign_currency", format!("the price is in {currency}, and sales prices are kept in {own}"))
                .advice("leave such articles out with filter.where, or map a price in the currency of the division")
                .in_row("currency"),
        ))
    }

    /// The first of these names that is an item group.
    fn group(&self, names: &Value) -> Result<Option<String>, Failure> {
        let names: Vec<&str> = names.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let found = names.iter().find_map(|name| self.lists.group(name));
        let first = names.first().copied().unwrap_or_default();
        if found.is_some() || first.is_empty() || !self.exact.refuse_unknown_groups {
            return Ok(found.map(str::to_owned));
        }
        let advice = match self.lists.nearest_group(first) {
            Some(near) => format!("did you mean «{near}»? else name it in settings.product.category_names"),
            None => "name it in settings.product.category_names, or create the group in Exact Online".to_owned(),
        };
        Err(Failure::reject(
            Cause::new("unknown_item_group", format!("Exact Online has no item group «{}»", names.join("», «")))
                .advice(advice)
                .in_row("target._item_groups"),
        ))
    }

    /// The free fields that the connection names for these attributes. What it does not name has no place in Exact.
    fn attributes(&self, wanted: &Value) -> Result<Map<String, Value>, Failure> {
        let mut fields = Map::new();
        for attribute in wanted.as_array().into_iter().flatten() {
            let name = attribute["name"].as_str().unwrap_or_default();
            let values = attribute["values"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let text = values.collect::<Vec<_>>().join(", ");
            let Some(field) = self.exact.attributes.field_of(name).filter(|_| !text.trim().is_empty()) else {
                continue;
            };
            fields.insert(field.to_owned(), free_value(field, name, text.trim(), self.lists)?);
        }
        Ok(fields)
    }
}

/// A text as the kind of a free field wants it.
fn free_value(field: &str, name: &str, text: &str, lists: &Lists) -> Result<Value, Failure> {
    let wrong = |code: &str, what: String| {
        Failure::reject(
            Cause::new(code, format!("«{text}» of «{name}» is {what}"))
                .advice(format!("correct it in the source, or choose another field than {field} in the connection"))
                .in_row("target._attributes"),
        )
    };
    if field.starts_with("Class_") {
        let code = lists.assortments.code_of(field, text);
        return code.map(Value::from).ok_or_else(|| {
            wrong("unknown_property", format!("no property of the assortment behind {field} in Exact Online"))
        });
    }
    if field.starts_with("FreeNumberField_") {
        return number(field, &json!(text)).map(exact_number).map_err(|_| wrong("bad_value", "no number".into()));
    }
    if field.starts_with("FreeBoolField_") {
        return match text.to_lowercase().as_str() {
            "true" | "1" | "yes" | "ja" | "oui" => Ok(json!(true)),
            "false" | "0" | "no" | "nee" | "nein" | "non" => Ok(json!(false)),
            _ => Err(wrong("bad_value", "neither yes nor no".into())),
        };
    }
    if field.starts_with("FreeDateField_") {
        let day = text.get(..10).and_then(|day| day.parse::<chrono::NaiveDate>().ok());
        return day.map(|day| json!(day)).ok_or_else(|| wrong("bad_value", "no date".into()));
    }
    Ok(json!(text))
}

impl Native {
    /// What a new item is posted with.
    pub fn to_create(&self, pictures: &[Picture]) -> Map<String, Value> {
        let mut body = self.body.clone();
        self.weigh(&mut body, None);
        self.show(&mut body, pictures);
        body
    }

    /// All of it, for an item of which only what differs is given.
    pub fn to_update(&self, pictures: &[Picture]) -> Map<String, Value> {
        let mut body = self.to_create(pictures);
        body.retain(|name, _| !ONLY_NEW.contains(&name.as_str()));
        body
    }

    /// The fields in which an item that is there differs.
    pub fn to_change(&self, row: &Value, pictures: &[Picture]) -> Map<String, Value> {
        let mut body = self.body.clone();
        body.retain(|name, wanted| !ONLY_NEW.contains(&name.as_str()) && !is_there(wanted, row, name));
        if !self.weighs_the_same(row) {
            self.weigh(&mut body, Some(row));
        }
        if !self.shows_the_same(row) {
            self.show(&mut body, pictures);
        }
        body
    }

    /// Nothing of it differs from an item that is there.
    pub fn is_all_there(&self, row: &Value) -> bool {
        let fields = self.to_change(row, &[]);
        fields.is_empty() && self.shows_the_same(row) && self.price_is_there(row)
    }

    /// The general price is the wanted one.
    pub fn price_is_there(&self, row: &Value) -> bool {
        self.price.is_none_or(|price| odata::decimal(row, "StandardSalesPrice").unwrap_or_default() == price)
    }

    fn weighs_the_same(&self, row: &Value) -> bool {
        self.weight_kg.is_none_or(|weight| weight_kg(row) == Some(weight))
    }

    /// In the unit that the item has, when that is one of weight.
    fn weigh(&self, body: &mut Map<String, Value>, row: Option<&Value>) {
        let Some(weight) = self.weight_kg else { return };
        let unit = row.and_then(|row| odata::field(row, "NetWeightUnit"));
        let (unit, size) = UNITS.iter().find(|(name, _)| Some(*name) == unit.as_deref()).unwrap_or(&UNITS[0]);
        body.insert("NetWeight".into(), exact_number(weight / size));
        body.insert("NetWeightUnit".into(), json!(unit));
    }

    fn shows_the_same(&self, row: &Value) -> bool {
        let name = odata::field(row, "PictureName").unwrap_or_default();
        self.picture.as_ref().is_none_or(|mark| name.split('.').next() == Some(mark.name.as_str()))
    }

    /// A picture that could not be read is left out: it comes with the next change.
    fn show(&self, body: &mut Map<String, Value>, pictures: &[Picture]) {
        let Some(mark) = &self.picture else { return };
        if let Some(picture) = pictures.iter().find(|picture| picture.url == mark.url) {
            let ending = picture.media_type.trim_start_matches("image/");
            body.insert("Picture".into(), json!(STANDARD.encode(&picture.bytes)));
            body.insert("PictureName".into(), json!(format!("{}.{ending}", mark.name)));
        }
    }
}

/// Two values mean the same in a field of an item.
fn is_there(wanted: &Value, row: &Value, name: &str) -> bool {
    let there = odata::field(row, name);
    match wanted {
        Value::Bool(flag) => odata::flag(row, name).unwrap_or_default() == *flag,
        Value::Number(number) => {
            let wanted = number.to_string().parse::<Decimal>().ok();
            let flag = odata::flag(row, name).map(|flag| Decimal::from(u8::from(flag)));
            wanted == odata::decimal(row, name).or(flag).or(Some(Decimal::ZERO))
        }
        Value::String(text) => {
            let text = text.trim();
            let there = there.unwrap_or_default();
            let day = |at: chrono::NaiveDateTime| at.date().to_string();
            there == text
                || there.eq_ignore_ascii_case(text) && uuid::Uuid::try_parse(text).is_ok()
                || odata::local(row, name).map(day).is_some_and(|day| day == text)
                || matches!((there.parse::<Decimal>(), text.parse::<Decimal>()), (Ok(a), Ok(b)) if a == b && is_money(name))
        }
        _ => false,
    }
}

/// Texts of numbers, which a row of one's own may write.
fn is_money(name: &str) -> bool {
    name.starts_with("FreeNumberField_") || name.starts_with("CostPrice") || name.ends_with("Weight")
}

/// The weight of an item in kilograms; `None` when its unit is not known.
pub(super) fn weight_kg(row: &Value) -> Option<Decimal> {
    let weight = odata::decimal(row, "NetWeight")?;
    let unit = odata::field(row, "NetWeightUnit")?;
    UNITS.iter().find(|(name, _)| *name == unit).map(|(_, size)| weight * size)
}

/// The choice of a variation must lead back to its product, or the books would tear the product apart.
pub(super) fn check_variation(variants: &Variants, parent: &str, code: &str) -> Result<(), Failure> {
    let Variants::CodePrefix(separator) = variants else { return Ok(()) };
    if variants.parent(&Value::Null, code).as_deref() == Some(parent) {
        return Ok(());
    }
    Err(Failure::reject(
        Cause::new("variation_code", format!("«{code}» is no variation of «{parent}» by its article number"))
            .advice(format!("number it «{parent}{separator}…», or tell parents by a field (option variants)"))
            .in_row("variations.sku"),
    ))
}

/// What to say of a price with the other kind of tax.
pub(super) fn other_tax(includes: bool) -> Failure {
    let (is, should) = if includes { ("with", "without") } else { ("without", "with") };
    Failure::reject(
        Cause::new("price_tax_differs", format!("the price is {is} tax, and by its VAT code it should be {should}"))
            .advice(format!("set settings.product.prices_include_tax: {}, or choose another VAT code", !includes))
            .in_row("settings.product.prices_include_tax"),
    )
}

fn mark(picture: &Value) -> Option<Mark> {
    let url = picture["url"].as_str().filter(|url| !url.trim().is_empty())?;
    let version = picture["version"].as_str().unwrap_or_default();
    let hash = digest(&SHA256, format!("{url}\n{version}").as_bytes());
    let digits: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).take(MARK_CHARS / 2).collect();
    Some(Mark { url: url.to_owned(), name: format!("koppel-{digits}") })
}

fn price(value: &Value) -> Result<Decimal, Failure> {
    let price = number("StandardSalesPrice", value)?;
    if price.is_sign_negative() && !price.is_zero() {
        return Err(Failure::reject(
            Cause::new("bad_value", format!("«{price}» is no sales price")).in_row("target.StandardSalesPrice"),
        ));
    }
    Ok(price)
}

fn number(name: &str, value: &Value) -> Result<Decimal, Failure> {
    let text = value.as_str().map_or_else(|| value.to_string(), |text| text.trim().to_owned());
    text.parse().map_err(|_| {
        Failure::reject(
            Cause::new("bad_value", format!("«{text}» is not a number"))
                .advice("see the row of this field")
                .in_row(format!("target.{name}")),
        )
    })
}

/// A text of these fields; blank is none.
pub(super) fn text(fields: &Map<String, Value>, name: &str) -> Option<String> {
    fields.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A decimal as a number of JSON, exactly.
pub(super) fn exact_number(number: Decimal) -> Value {
    number.normalize().to_string().parse().map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_as_the_field_means_them() {
        let row = json!({"Description":"Mok wit ","IsSalesItem":true,"IsWebshopItem":1,"Barcode":"0871","Class_01":null,
            "StartDate":"/Date(1577836800000)/","ItemGroup":"AAAAAAAA-0000-4000-8000-000000000001","FreeNumberField_01":2.50});
        for (name, wanted, same) in [
            ("Description", json!("Mok wit"), true),
            ("Description", json!("Mok"), false),
            ("IsSalesItem", json!(true), true),
            ("IsWebshopItem", json!(0), false),
            ("IsWebshopItem", json!(1), true),
            ("Barcode", json!("871"), false),
            ("StartDate", json!("2020-01-01"), true),
            ("StartDate", json!("2020-01-02"), false),
            ("ItemGroup", json!("aaaaaaaa-0000-4000-8000-000000000001"), true),
            ("FreeNumberField_01", json!("2.5"), true),
            ("Class_01", json!(""), true),
        ] {
            assert_eq!(is_there(&wanted, &row, name), same, "{name} {wanted}");
        }
    }

    #[test]
    fn a_weight_is_written_in_the_unit_that_the_item_has() {
        let wanted = Native { weight_kg: Some(Decimal::new(6, 1)), ..Native::default() };
        let grams = json!({"NetWeight":600,"NetWeightUnit":"g"});
        assert!(wanted.is_all_there(&grams));
        let lighter = json!({"NetWeight":500,"NetWeightUnit":"g"});
        assert_eq!(Value::Object(wanted.to_change(&lighter, &[])), json!({"NetWeight":600,"NetWeightUnit":"g"}));
        assert_eq!(Value::Object(wanted.to_create(&[])), json!({"NetWeight":0.6,"NetWeightUnit":"kg"}));
    }

    #[test]
    fn a_picture_is_sent_once_for_each_version() {
        let picture = |version: &str| mark(&json!({"url":"https://shop/a.png","version":version}));
        let wanted = Native { picture: picture("1"), ..Native::default() };
        let content = Picture {
            url: "https://shop/a.png".into(),
            name: "a.png".into(),
            media_type: "image/png".into(),
            sha256: String::new(),
            bytes: b"png".to_vec(),
        };
        let body = wanted.to_create(std::slice::from_ref(&content));
        assert_eq!(body["Picture"], "cG5n");
        let row = json!({ "PictureName": body["PictureName"] });
        assert!(wanted.is_all_there(&row));
        assert!(wanted.to_change(&row, std::slice::from_ref(&content)).is_empty());
        let newer = Native { picture: picture("2"), ..Native::default() };
        assert!(!newer.is_all_there(&row));
        assert!(newer.to_change(&row, &[]).is_empty(), "a picture that could not be read");
        assert_eq!(mark(&json!({"url":""})), None);
    }

    #[test]
    fn a_variation_leads_back_to_its_product() {
        let prefix = Variants::CodePrefix("-".into());
        assert!(check_variation(&prefix, "TRUI", "TRUI-S").is_ok());
        assert!(check_variation(&prefix, "TRUI", "T-S").is_err());
        assert!(check_variation(&prefix, "TRUI", "TRUI-ROOD-S").is_err());
        assert!(check_variation(&Variants::Field("Class_01".into()), "TRUI", "X").is_ok());
    }
}
