//! Completes a mapped price by the flow's settings: which class of the target it is for, and with or without tax.

use koppel_core::document::Price;
use koppel_core::error::{Cause, Failure};
use rust_decimal::Decimal;

use crate::config::PriceSettings;
use crate::products::with_or_without_tax;

/// Completes a price; gives the reason when the settings leave it out.
pub fn complete(price: &mut Price, settings: &PriceSettings) -> Result<Option<Cause>, Failure> {
    if price.sku.trim().is_empty() {
        return Err(Failure::reject(
            Cause::new("empty_key", "the price belongs to no article, and an empty key is never a key").in_row("sku"),
        ));
    }
    let class = price.price_class.trim();
    if class.is_empty() {
        let cause = Cause::new("no_price_class", "it is a price for everybody, which belongs to the article");
        return Ok(Some(cause.in_row("price_class")));
    }
    if !settings.classes.is_empty() {
        let Some(named) = settings.classes.get(class) else {
            let cause =
                Cause::new("price_class", format!("the price class «{class}» is not in settings.price.classes"));
            return Ok(Some(cause.in_row("settings.price.classes")));
        };
        price.price_class.clone_from(named);
    }
    if price.price.is_sign_negative() || price.breaks.iter().any(|one| one.price.is_sign_negative()) {
        let cause = Cause::new("negative_price", format!("«{}» has a price below zero", price.sku)).in_row("price");
        return Err(Failure::reject(cause));
    }
    if settings.leave_breaks {
        price.breaks.clear();
    }
    price.breaks.sort_by_key(|one| one.from_quantity);
    // A break from the first piece on is the price itself.
    price.breaks.retain(|one| one.from_quantity > Decimal::ONE);
    match settings.prices_include_tax.filter(|wanted| *wanted != price.includes_tax) {
        Some(wanted) => convert(price, wanted).map(|()| None),
        None => Ok(None),
    }
}

fn convert(price: &mut Price, wanted: bool) -> Result<(), Failure> {
    let is_nothing = price.price.is_zero() && price.breaks.iter().all(|one| one.price.is_zero());
    if !is_nothing {
        let convert = with_or_without_tax(&price.sku, price.vat_percent, wanted)?;
        price.price = convert(price.price);
        price.breaks.iter_mut().for_each(|one| one.price = convert(one.price));
    }
    price.includes_tax = wanted;
    Ok(())
}

#[cfg(test)]
mod tests {
    use koppel_core::document::PriceBreak;

    use super::*;

    fn price() -> Price {
        let from = |quantity: i64, price: i64| PriceBreak {
            from_quantity: Decimal::from(quantity),
            price: Decimal::from(price),
        };
        Price {
            sku: "MOK-WIT".into(),
            price_class: "DEALER".into(),
            price: Decimal::from(8),
            vat_percent: Some(Decimal::from(21)),
            breaks: vec![from(50, 6), from(1, 8), from(10, 7)],
            ..Price::default()
        }
    }

    #[test]
    fn classes_are_renamed_and_what_has_no_name_is_left_out() {
        let settings: PriceSettings = serde_saphyr::from_str("{ classes: { DEALER: wholesale_customer } }").unwrap();
        let mut dealer = price();
        assert_eq!(complete(&mut dealer, &settings).unwrap(), None);
        assert_eq!(dealer.price_class, "wholesale_customer");
        let mut other = Price { price_class: "VIP".into(), ..price() };
        let reason = complete(&mut other, &settings).unwrap().unwrap();
        assert!(reason.to_string().contains("«VIP» is not in settings.price.classes"), "{reason}");
        // Without names of one's own a class is called the same on both sides.
        let mut same = price();
        complete(&mut same, &PriceSettings::default()).unwrap();
        assert_eq!(same.price_class, "DEALER");
    }

    #[test]
    fn a_price_for_everybody_and_one_below_zero_are_told_apart() {
        let mut base = Price { price_class: String::new(), ..price() };
        assert_eq!(complete(&mut base, &PriceSettings::default()).unwrap().unwrap().code, "no_price_class");
        let mut negative = Price { price: Decimal::NEGATIVE_ONE, ..price() };
        assert_eq!(complete(&mut negative, &PriceSettings::default()).unwrap_err().cause().code, "negative_price");
        let mut nothing = Price { sku: " ".into(), ..price() };
        assert_eq!(complete(&mut nothing, &PriceSettings::default()).unwrap_err().cause().code, "empty_key");
    }

    #[test]
    fn breaks_rise_and_take_the_tax_of_the_price() {
        let settings = PriceSettings { prices_include_tax: Some(true), ..PriceSettings::default() };
        let mut with = price();
        complete(&mut with, &settings).unwrap();
        let breaks: Vec<String> = with.breaks.iter().map(|b| format!("{} {}", b.from_quantity, b.price)).collect();
        assert_eq!((with.price.to_string(), breaks), ("9.68".into(), vec!["10 8.47".into(), "50 7.26".into()]));
        let mut left = price();
        complete(&mut left, &PriceSettings { leave_breaks: true, ..PriceSettings::default() }).unwrap();
        assert!(left.breaks.is_empty());
        let mut unknown = Price { vat_percent: None, ..price() };
        assert_eq!(complete(&mut unknown, &settings).unwrap_err().cause().code, "unknown_vat_percent");
    }
}
