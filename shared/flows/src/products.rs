//! Completes a mapped product by the flow's settings, and refuses one that could damage what the target has.

use std::collections::BTreeSet;

use koppel_core::document::{Category, Product, ProductKind};
use koppel_core::error::{Cause, Failure};
use rust_decimal::Decimal;

use crate::config::{ProductSettings, Setting};
use crate::settings;

/// Decimals of a price that was computed from one with or without tax.
const PRICE_DECIMALS: u32 = 4;

/// Categories and prices by the settings. A product without an article number, or with one number twice, is rejected.
pub fn complete(product: &mut Product, settings: &ProductSettings) -> Result<(), Failure> {
    check_numbers(product)?;
    for category in &mut product.categories {
        if let Some(names) = settings.category_names.get(&category.code) {
            category.path.clone_from(names);
        }
    }
    product.categories.retain(|category| category.path.iter().any(|name| !name.trim().is_empty()));
    if product.categories.is_empty() && !settings.fallback_category.is_empty() {
        let path = settings.fallback_category.clone();
        product.categories.push(Category { code: String::new(), path });
    }
    match settings.prices_include_tax {
        Some(wanted) => convert_prices(product, wanted),
        None => Ok(()),
    }
}

/// An empty article number is never a key, and two articles under one number would overwrite each other.
fn check_numbers(product: &Product) -> Result<(), Failure> {
    if product.sku.trim().is_empty() {
        return Err(Failure::reject(
            Cause::new(
                "empty_key",
                format!("«{}» has no article number, and an empty key is never a key", product.name),
            )
            .advice("give it an article number in the source, or leave it out with filter.where")
            .in_row("sku"),
        ));
    }
    if product.kind == ProductKind::Variable && product.variations.is_empty() {
        return Err(Failure::reject(
            Cause::new("no_variations", format!("«{}» has no variations to sell", product.sku)).in_row("variations"),
        ));
    }
    let mut seen = BTreeSet::from([product.sku.trim()]);
    for (number, variation) in product.variations.iter().enumerate() {
        let sku = variation.sku.trim();
        let cause = if sku.is_empty() {
            Cause::new("empty_key", format!("variation {} of «{}» has no article number", number + 1, product.sku))
                .advice("give every variation an article number in the source")
        } else if !seen.insert(sku) {
            Cause::new("duplicate_key", format!("the article number «{sku}» is there twice in «{}»", product.sku))
                .advice("give each variation, and the product itself, a number of its own")
        } else {
            continue;
        };
        return Err(Failure::reject(cause.in_row("variations.sku")));
    }
    Ok(())
}

/// The VAT code of the target in the place of the tax class of the source, where the settings have one for it.
pub fn choose_tax_class(product: &mut Product, setting: &Setting) {
    let classes = std::slice::from_ref(&product.tax_class);
    if let Some((code, _)) = settings::decide(setting, classes, None, "") {
        product.tax_class = code;
    }
}

fn convert_prices(product: &mut Product, wanted: bool) -> Result<(), Failure> {
    if product.price_includes_tax == wanted {
        return Ok(());
    }
    let prices = || product.price.iter().chain(product.variations.iter().filter_map(|v| v.price.as_ref()));
    if prices().all(|price| price.is_zero()) {
        product.price_includes_tax = wanted;
        return Ok(());
    }
    let convert = with_or_without_tax(&product.sku, product.vat_percent, wanted)?;
    product.price = product.price.map(&convert);
    for variation in &mut product.variations {
        variation.price = variation.price.map(&convert);
    }
    product.price_includes_tax = wanted;
    Ok(())
}

/// What makes a price with tax (`wanted`) of one without, or the other way round. Its VAT must be known.
pub fn with_or_without_tax(
    sku: &str,
    vat_percent: Option<Decimal>,
    wanted: bool,
) -> Result<impl Fn(Decimal) -> Decimal, Failure> {
    let percent = vat_percent.ok_or_else(|| {
        let (has, should) = if wanted { ("without", "with") } else { ("with", "without") };
        Failure::reject(
            Cause::new(
                "unknown_vat_percent",
                format!("the price of «{sku}» is {has} tax and should be {should}, but its VAT is not known"),
            )
            .advice("give the article a VAT code in the source, or map vat_percent")
            .in_row("vat_percent"),
        )
    })?;
    let factor = Decimal::ONE + percent / Decimal::ONE_HUNDRED;
    Ok(move |price: Decimal| {
        let converted = if wanted { price * factor } else { price / factor };
        converted.round_dp(PRICE_DECIMALS).normalize()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use koppel_core::document::Variation;

    fn product() -> Product {
        let variation =
            |sku: &str| Variation { sku: sku.into(), price: Some(Decimal::from(20)), ..Variation::default() };
        Product {
            sku: "TRUI".into(),
            kind: ProductKind::Variable,
            price: Some(Decimal::TEN),
            vat_percent: Some(Decimal::from(21)),
            variations: vec![variation("TRUI-S"), variation("TRUI-M")],
            ..Product::default()
        }
    }

    fn code(failure: Failure) -> String {
        failure.cause().code.clone()
    }

    #[test]
    fn a_number_that_is_empty_or_there_twice_is_refused() {
        let settings = ProductSettings::default();
        let mut empty = Product { sku: " ".into(), ..product() };
        assert_eq!(code(complete(&mut empty, &settings).unwrap_err()), "empty_key");
        let mut twice = product();
        twice.variations[1].sku = "TRUI-S".into();
        assert_eq!(code(complete(&mut twice, &settings).unwrap_err()), "duplicate_key");
        let mut parent = product();
        parent.variations[1].sku = "TRUI".into();
        assert_eq!(code(complete(&mut parent, &settings).unwrap_err()), "duplicate_key");
        assert!(complete(&mut product(), &settings).is_ok());
    }

    #[test]
    fn prices_are_converted_with_the_vat_of_the_article_or_refused() {
        let settings = ProductSettings { prices_include_tax: Some(true), ..ProductSettings::default() };
        let mut done = product();
        complete(&mut done, &settings).unwrap();
        assert_eq!(
            (done.price, done.variations[0].price),
            (Some("12.1".parse().unwrap()), Some("24.2".parse().unwrap()))
        );
        let mut unknown = Product { vat_percent: None, ..product() };
        assert_eq!(code(complete(&mut unknown, &settings).unwrap_err()), "unknown_vat_percent");
        let back = ProductSettings { prices_include_tax: Some(false), ..settings };
        complete(&mut done, &back).unwrap();
        assert_eq!(done.price, Some(Decimal::TEN));
    }

    #[test]
    fn a_tax_class_becomes_the_code_that_the_settings_have_for_it() {
        let setting: Setting = serde_saphyr::from_str("{ table: { standard: \"4\" } }").unwrap();
        let mut known = Product { tax_class: "standard".into(), ..product() };
        choose_tax_class(&mut known, &setting);
        assert_eq!(known.tax_class, "4");
        let mut unknown = Product { tax_class: "zero-rate".into(), ..product() };
        choose_tax_class(&mut unknown, &setting);
        assert_eq!(unknown.tax_class, "zero-rate");
    }

    #[test]
    fn categories_are_renamed_by_code_and_what_has_none_gets_the_fallback() {
        let settings: ProductSettings = serde_saphyr::from_str(
            "{ fallback_category: [\"Other\"], category_names: { \"001\": [\"Clothes\", \"Jumpers\"] } }",
        )
        .unwrap();
        let mut none = product();
        complete(&mut none, &settings).unwrap();
        assert_eq!(none.categories[0].path, ["Other"]);
        let mut named = product();
        named.categories = vec![Category { code: "001".into(), path: vec!["Truien".into()] }];
        complete(&mut named, &settings).unwrap();
        assert_eq!(named.categories[0].path, ["Clothes", "Jumpers"]);
    }
}
