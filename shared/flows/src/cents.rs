//! Proof of cents: what will be posted, recomputed with the target's own rounding, equals what was paid.
//!
//! The shop's own sums are checked first. Then every line gets the unit price that the target will keep, the target's
//! total is computed the way the target does it, and a difference goes on a rounding line when the flow allows it.
//! A difference that is too large for that and comes from unit prices alone is taken out by posting the line in two
//! parts of the same article ([`pieces`]). Otherwise the order is rejected with the sums shown: nothing is posted that
//! does not add up.

mod pieces;

use std::collections::BTreeMap;

use koppel_core::document::{Line, LineKind, Order};
use koppel_core::error::{Cause, Failure};
use koppel_core::money::round;
use koppel_core::system::{Lookup, RoundingModel, TaxRounding};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::config::Rounding;

/// How the target makes a total of what is posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Its rounding.
    pub model: RoundingModel,
    /// Lines are posted as amounts, not as quantity and price.
    pub amounts: bool,
}

/// The calculation, kept in the trail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sheet {
    /// What the customer paid.
    pub paid: Decimal,
    /// Net of the lines as the target will compute it, rounding line included.
    pub net: Decimal,
    /// Tax as the target will compute it.
    pub tax: Decimal,
    /// Put on a rounding line.
    pub rounding: Decimal,
    /// Lines that are posted in two parts, because no one unit price gives their amount.
    #[serde(default)]
    pub split: usize,
}

/// Proves the order, sets the unit prices, and adds the rounding line when one is needed and allowed.
pub fn prove(order: &mut Order, posting: Posting, rounding: Option<&Rounding>) -> Result<Sheet, Failure> {
    check_source_sums(order)?;
    for line in &mut order.lines {
        line.unit_price = Some(round(line.unit_net(), posting.model.unit_price_decimals));
        // Without a quantity the net itself is posted as one piece.
        if line.quantity.is_zero() && !line.net.is_zero() {
            line.quantity = Decimal::ONE;
        }
    }
    let paid = order.currency.round(order.total);
    let (mut net, mut tax) = target_sums(order, posting);
    let rule = rounding.filter(|rule| rule.line);
    let allowed = rule.map_or(Decimal::ZERO, |rule| rule.max_in(order.currency));
    let mut split = 0;
    if (paid - net - tax).abs() > allowed {
        split = pieces::split(order, posting, paid);
        (net, tax) = target_sums(order, posting);
    }
    let difference = paid - net - tax;
    if difference.is_zero() {
        return Ok(Sheet { paid, net, tax, rounding: Decimal::ZERO, split });
    }
    let Some(rule) = rule else {
        return Err(Failure::reject(
            Cause::new("cents_differ", sums(order, net, tax, paid))
                .advice("allow a rounding line: settings.rounding: { line: true, item: \"…\", vat_code: \"…\", max: \"0.05\" }")
                .in_row("settings.rounding"),
        ));
    };
    // A target whose prices are coarser than the currency cannot take the rest on any line.
    let postable = posting.amounts || round(difference, posting.model.unit_price_decimals) == difference;
    if !postable {
        return Err(Failure::reject(
            Cause::new(
                "cents_differ",
                format!("{}; the target's prices have too few decimals for that", sums(order, net, tax, paid)),
            )
            .in_row("settings.rounding"),
        ));
    }
    if difference.abs() > allowed {
        return Err(Failure::reject(
            Cause::new(
                "cents_differ",
                format!(
                    "{}; more than the {} that settings.rounding.max allows",
                    sums(order, net, tax, paid),
                    allowed.normalize()
                ),
            )
            .advice(
                "compare the order in the shop with its lines; raise max only when the difference is really rounding",
            )
            .in_row("settings.rounding.max"),
        ));
    }
    order.lines.push(rounding_line(difference, rule)?);
    // Computed again with the line in it: the proof is what is posted, not what was meant.
    let (net, tax) = target_sums(order, posting);
    if net + tax != paid {
        return Err(Failure::reject(Cause::new("cents_differ", sums(order, net, tax, paid))));
    }
    Ok(Sheet { paid, net, tax, rounding: difference, split })
}

/// The shop's own lines and tax must give the shop's own total, within the rounding of its lines.
fn check_source_sums(order: &Order) -> Result<(), Failure> {
    let sum = order.net() + order.total_tax;
    // Each amount may be off by half a unit of the currency, because the shop rounded it on its own.
    let amounts = Decimal::from(order.lines.len() as u64 + order.taxes.len() as u64 + 1);
    let tolerance = order.currency.unit() * amounts / Decimal::TWO;
    if (sum - order.total).abs() <= tolerance {
        return Ok(());
    }
    Err(Failure::reject(
        Cause::new(
            "source_sums_differ",
            format!(
                "the shop's own sums differ: lines {} + tax {} = {}, but the total is {}",
                order.net().normalize(),
                order.total_tax.normalize(),
                sum.normalize(),
                order.total.normalize()
            ),
        )
        .advice("look for a plugin that changes totals without a line, or a mapping row that drops lines"),
    ))
}

/// Net and tax as the target computes them from the posted lines.
fn target_sums(order: &Order, posting: Posting) -> (Decimal, Decimal) {
    let decimals = order.currency.decimals();
    let mut net = Decimal::ZERO;
    let mut tax = Decimal::ZERO;
    let mut per_code: BTreeMap<(&str, Decimal), Decimal> = BTreeMap::new();
    for line in &order.lines {
        let amount = posted_amount(line, posting, decimals);
        let rate = line.rate_percent().normalize();
        net += amount;
        match posting.model.tax {
            TaxRounding::PerLine => tax += round(amount * rate / Decimal::ONE_HUNDRED, decimals),
            TaxRounding::PerVatCode => {
                let code = line.codes.get(Lookup::VatCode.name()).map_or("", String::as_str);
                *per_code.entry((code, rate)).or_default() += amount;
            }
        }
    }
    for ((_, rate), amount) in per_code {
        tax += round(amount * rate / Decimal::ONE_HUNDRED, decimals);
    }
    (net, tax)
}

fn posted_amount(line: &Line, posting: Posting, decimals: u32) -> Decimal {
    if posting.amounts {
        return round(line.net, decimals);
    }
    round(line.unit_price.unwrap_or_else(|| line.unit_net()) * line.quantity, decimals)
}

fn rounding_line(difference: Decimal, rule: &Rounding) -> Result<Line, Failure> {
    let missing = |key: &str| {
        Failure::settings(
            Cause::new(
                "rounding_incomplete",
                format!("a rounding line of {difference} is needed, but {key} is not set"),
            )
            .advice(format!("set settings.rounding.{key}"))
            .in_row(format!("settings.rounding.{key}")),
        )
    };
    let mut line = Line {
        id: "rounding".to_owned(),
        kind: LineKind::Rounding,
        description: "Rounding".to_owned(),
        quantity: Decimal::ONE,
        net: difference,
        net_before_discount: difference,
        unit_price: Some(difference),
        ..Line::default()
    };
    if rule.item.is_none() && rule.account.is_none() {
        return Err(missing("item"));
    }
    let vat_code = rule.vat_code.as_ref().ok_or_else(|| missing("vat_code"))?;
    line.codes.insert(Lookup::VatCode.name().to_owned(), vat_code.0.clone());
    for (lookup, code) in [(Lookup::Item, &rule.item), (Lookup::RevenueAccount, &rule.account)] {
        if let Some(code) = code {
            line.codes.insert(lookup.name().to_owned(), code.0.clone());
        }
    }
    Ok(line)
}

fn sums(order: &Order, net: Decimal, tax: Decimal, paid: Decimal) -> String {
    let text = |amount: Decimal| order.currency.text(amount);
    format!(
        "posted, this would be net {} + tax {} = {}, but {} {} was paid (difference {})",
        text(net),
        text(tax),
        text(net + tax),
        text(paid),
        order.currency,
        text(paid - net - tax)
    )
}

#[cfg(test)]
mod tests {
    use koppel_core::document::LineTax;
    use proptest::prelude::*;

    use super::*;
    use crate::config::Code;
    use crate::testing::{order, product_line};

    const EXACT: Posting =
        Posting { model: RoundingModel { unit_price_decimals: 4, tax: TaxRounding::PerVatCode }, amounts: false };

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn rounding() -> Rounding {
        Rounding {
            line: true,
            item: Some(Code("AFRONDING".into())),
            account: None,
            vat_code: Some(Code("0".into())),
            max: d("0.05"),
        }
    }

    #[test]
    fn a_cent_of_difference_goes_on_its_own_line() {
        // The shop taxes every line apart (18.81 + 1.46 + 0.53); the books tax the sum of them (20.79).
        let lines = vec![
            product_line("89.55", "18.81", "21", "10"),
            product_line("6.95", "1.46", "21", "1"),
            product_line("2.50", "0.53", "21", "1"),
        ];
        let mut order = order(lines, "119.80", "20.80");
        let sheet = prove(&mut order, EXACT, Some(&rounding())).unwrap();
        assert_eq!(sheet, Sheet { paid: d("119.80"), net: d("99.01"), tax: d("20.79"), rounding: d("0.01"), split: 0 });
        let last = order.lines.last().unwrap();
        assert_eq!((last.kind, last.unit_price), (LineKind::Rounding, Some(d("0.01"))));
        assert_eq!(order.lines[0].unit_price, Some(d("8.955")));
    }

    #[test]
    fn without_a_rounding_line_the_order_is_rejected_with_the_sums() {
        let lines = vec![product_line("89.55", "18.81", "21", "10"), product_line("9.45", "1.99", "21", "1")];
        let mut order = order(lines, "119.80", "20.80");
        let failure = prove(&mut order, EXACT, None).unwrap_err();
        assert!(matches!(failure, Failure::Reject(_)));
        let text = failure.to_string();
        assert!(text.contains("net 99.00 + tax 20.79 = 119.79, but 119.80 EUR was paid (difference 0.01)"), "{text}");
        let small = Rounding { max: d("0.005"), ..rounding() };
        assert!(
            prove(&mut order.clone(), EXACT, Some(&small)).unwrap_err().to_string().contains("settings.rounding.max")
        );
    }

    const COARSE: Posting =
        Posting { model: RoundingModel { unit_price_decimals: 2, tax: TaxRounding::PerVatCode }, amounts: false };

    fn parts(order: &Order) -> Vec<(String, String)> {
        let text = |number: Decimal| number.normalize().to_string();
        order.lines.iter().map(|line| (text(line.quantity), text(line.unit_price.unwrap()))).collect()
    }

    #[test]
    fn a_line_is_split_only_when_the_order_would_be_rejected() {
        // 40 pieces for 133.40: at 3.34 each they are 133.60, at 3.33 they are 133.20.
        let whole = || order(vec![product_line("133.40", "28.01", "21", "40")], "161.41", "28.01");
        let mut split = whole();
        let sheet = prove(&mut split, COARSE, Some(&rounding())).unwrap();
        assert_eq!((sheet.net, sheet.tax, sheet.rounding, sheet.split), (d("133.40"), d("28.01"), d("0"), 1));
        assert_eq!(parts(&split), [("20".into(), "3.33".into()), ("20".into(), "3.34".into())]);
        assert_eq!(split.lines.iter().map(|l| l.net).sum::<Decimal>(), d("133.40"));
        assert_eq!(split.lines.iter().map(|l| l.tax).sum::<Decimal>(), d("28.01"));
        // With prices of four decimals one line is enough.
        let mut fine = whole();
        prove(&mut fine, EXACT, Some(&rounding())).unwrap();
        assert_eq!(parts(&fine), [("40".into(), "3.335".into())]);
        // A cent goes on the rounding line, and the article stays one line.
        let mut three = order(vec![product_line("10.00", "2.10", "21", "3")], "12.10", "2.10");
        prove(&mut three, COARSE, Some(&rounding())).unwrap();
        assert_eq!(three.lines.len(), 2);
        assert_eq!(three.lines[1].kind, LineKind::Rounding);
    }

    #[test]
    fn a_part_of_a_piece_is_split_off_as_one_whole_piece() {
        let mut cloth = order(vec![product_line("333.27", "69.99", "21", "100.5")], "403.26", "69.99");
        let sheet = prove(&mut cloth, COARSE, Some(&rounding())).unwrap();
        assert_eq!((sheet.net, sheet.split), (d("333.27"), 1));
        assert_eq!(parts(&cloth), [("99.5".into(), "3.32".into()), ("1".into(), "2.93".into())]);
    }

    #[test]
    fn amounts_that_are_posted_as_they_are_need_no_price() {
        let whole = order(vec![product_line("133.40", "28.01", "21", "40")], "161.41", "28.01");
        let sheet = prove(&mut whole.clone(), Posting { amounts: true, ..COARSE }, None).unwrap();
        assert_eq!((sheet.net, sheet.rounding, sheet.split), (d("133.40"), d("0"), 0));
        // 150 pieces at 0.6667 would be 100.01: a cent that only documents with prices have.
        let many = order(vec![product_line("100.00", "21.00", "21", "150")], "121.00", "21.00");
        assert_eq!(prove(&mut many.clone(), EXACT, Some(&rounding())).unwrap().rounding, d("-0.01"));
        assert_eq!(prove(&mut many.clone(), Posting { amounts: true, ..EXACT }, None).unwrap().rounding, d("0"));
    }

    #[test]
    fn what_is_allowed_counts_in_the_smallest_unit_of_the_currency() {
        let yen = koppel_core::Currency::new("JPY").unwrap();
        let lines = vec![product_line("105", "10", "9.5", "1"), product_line("105", "10", "9.5", "1")];
        let mut order = order(lines, "230", "20");
        order.currency = yen;
        let sheet = prove(&mut order, COARSE, Some(&rounding())).unwrap();
        assert_eq!((sheet.net, sheet.tax, sheet.rounding), (d("210") + d("0"), d("20"), d("0")));
        assert_eq!(rounding().max_in(yen), d("5"));
        assert_eq!(rounding().max_in(koppel_core::Currency::new("KWD").unwrap()), d("0.005"));
        assert_eq!(rounding().max_in(koppel_core::Currency::EUR), d("0.05"));
    }

    #[test]
    fn sums_that_the_shop_itself_does_not_keep_are_rejected() {
        let mut order = order(vec![product_line("10.00", "2.10", "21", "1")], "13.10", "2.10");
        let text = prove(&mut order, EXACT, Some(&rounding())).unwrap_err().to_string();
        assert!(text.contains("lines 10 + tax 2.1 = 12.1, but the total is 13.1"), "{text}");
    }

    /// A line as a shop makes it: a net amount, a rate, and tax rounded on the line.
    fn shop_line() -> impl Strategy<Value = (i64, u32, i64)> {
        (-2_000_i64..50_000, prop::sample::select(vec![0_u32, 6, 9, 19, 21]), 1_i64..40)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn what_is_posted_is_what_was_paid_or_nothing_is_posted(lines in prop::collection::vec(shop_line(), 1..12)) {
            let mut total = Decimal::ZERO;
            let mut total_tax = Decimal::ZERO;
            let lines: Vec<Line> = lines.into_iter().map(|(cents, rate, quantity)| {
                let net = Decimal::new(cents, 2);
                let tax = round(net * Decimal::from(rate) / Decimal::ONE_HUNDRED, 2);
                total += net + tax;
                total_tax += tax;
                let rate = Decimal::from(rate);
                let mut line = product_line("0", "0", "0", "1");
                line.net = net;
                line.tax = tax;
                line.quantity = Decimal::from(quantity);
                line.taxes = vec![LineTax { rate_id: String::new(), rate_percent: rate, amount: tax }];
                line.codes.insert("vat_code".into(), rate.to_string());
                line
            }).collect();
            let mut order = order(lines, "0", "0");
            order.total = total;
            order.total_tax = total_tax;
            match prove(&mut order, EXACT, Some(&rounding())) {
                Ok(_) => prop_assert_eq!(books_total(&order), total),
                // Only a difference that is larger than allowed may stop an order whose own sums are right.
                Err(failure) => prop_assert_eq!(&failure.cause().code, "cents_differ"),
            }
        }
    }

    /// The total as the books make it, written apart from the code above: amounts per line, tax per VAT code.
    fn books_total(order: &Order) -> Decimal {
        let mut by_rate: std::collections::HashMap<String, Decimal> = std::collections::HashMap::new();
        let mut sum = Decimal::ZERO;
        for line in &order.lines {
            let amount = (line.unit_price.unwrap() * line.quantity)
                .round_dp_with_strategy(2, rust_decimal::RoundingStrategy::MidpointAwayFromZero);
            sum += amount;
            let rate = line.taxes.first().map_or(Decimal::ZERO, |t| t.rate_percent);
            *by_rate.entry(format!("{}|{rate}", line.codes["vat_code"])).or_default() += amount;
        }
        for (key, amount) in by_rate {
            let rate: Decimal = key.split('|').nth(1).unwrap().parse().unwrap();
            sum += (amount * rate / Decimal::ONE_HUNDRED)
                .round_dp_with_strategy(2, rust_decimal::RoundingStrategy::MidpointAwayFromZero);
        }
        sum
    }
}
