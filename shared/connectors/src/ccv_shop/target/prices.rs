//! Prices of variations: the shop has none of their own. Each costs the price of the product, and for each of its choices what
//! that choice costs on top. So prices are taken apart, or refused when they cannot be.

use std::collections::BTreeMap;

use koppel_core::{Cause, Failure};
use rust_decimal::Decimal;

/// Decimals of a part.
const DECIMALS: u32 = 4;

/// Name of an option and of one of its values, in small letters.
pub type Choice = (String, String);

/// A variation: its article number, its price, its choices.
#[derive(Clone, Debug, PartialEq)]
pub struct Priced {
    pub sku: String,
    pub price: Decimal,
    pub choices: Vec<Choice>,
}

/// Prices taken apart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parts {
    /// Price of the product.
    pub base: Decimal,
    /// What each choice costs on top; the cheapest of each option costs nothing.
    pub extra: BTreeMap<Choice, Decimal>,
}

/// Takes prices apart, so that every sum is the price of its variation.
pub fn take_apart(variations: &[Priced]) -> Result<Parts, Failure> {
    let mut columns: Vec<Choice> = Vec::new();
    for choice in variations.iter().flat_map(|one| &one.choices) {
        if !columns.contains(choice) {
            columns.push(choice.clone());
        }
    }
    let values = solve(variations, &columns);
    let mut parts = Parts { base: values[columns.len()], extra: BTreeMap::new() };
    // The cheapest value of each option is in the price of the product.
    let mut least: BTreeMap<&str, Decimal> = BTreeMap::new();
    for ((option, _), value) in columns.iter().zip(&values) {
        let known = least.entry(option).or_insert(*value);
        *known = (*known).min(*value);
    }
    parts.base += least.values().copied().sum::<Decimal>();
    for (choice, value) in columns.iter().zip(&values) {
        let extra = *value - least.get(choice.0.as_str()).copied().unwrap_or_default();
        parts.extra.insert(choice.clone(), extra.round_dp(DECIMALS).normalize());
    }
    parts.base = parts.base.round_dp(DECIMALS).normalize();
    for one in variations {
        let sum = parts.base + one.choices.iter().filter_map(|choice| parts.extra.get(choice)).sum::<Decimal>();
        if sum != one.price.round_dp(DECIMALS) || parts.base.is_sign_negative() && !parts.base.is_zero() {
            return Err(not_additive(one, sum));
        }
    }
    Ok(parts)
}

/// Elimination: one equation a variation, one unknown a choice, and one for the price of the product. What the equations leave
/// open is nothing.
fn solve(variations: &[Priced], columns: &[Choice]) -> Vec<Decimal> {
    let width = columns.len() + 1;
    let row = |one: &Priced| {
        let mut row: Vec<Decimal> = columns
            .iter()
            .map(|choice| if one.choices.contains(choice) { Decimal::ONE } else { Decimal::ZERO })
            .collect();
        row.extend([Decimal::ONE, one.price]);
        row
    };
    let mut rows: Vec<Vec<Decimal>> = variations.iter().map(row).collect();
    let mut pivots: Vec<usize> = Vec::new();
    // The price of the product first, so that it stands for the first variation and choices stay differences to it.
    let order: Vec<usize> = std::iter::once(width - 1).chain(0..width - 1).collect();
    for column in order {
        let from = pivots.len();
        let Some(at) = (from..rows.len()).find(|at| !rows[*at][column].is_zero()) else { continue };
        rows.swap(from, at);
        let factor = rows[from][column];
        rows[from].iter_mut().for_each(|cell| *cell /= factor);
        let pivot = rows[from].clone();
        for (at, row) in rows.iter_mut().enumerate() {
            let factor = row[column];
            if at != from && !factor.is_zero() {
                row.iter_mut().zip(&pivot).for_each(|(cell, pivot)| *cell -= factor * *pivot);
            }
        }
        pivots.push(column);
    }
    let mut values = vec![Decimal::ZERO; width];
    for (row, column) in rows.iter().zip(&pivots) {
        values[*column] = row[width];
    }
    values
}

fn not_additive(one: &Priced, sum: Decimal) -> Failure {
    let choices: Vec<String> = one.choices.iter().map(|(option, value)| format!("{option}: {value}")).collect();
    Failure::reject(
        Cause::new(
            "prices_not_additive",
            format!(
                "«{}» ({}) costs {}, but by the prices of its choices it would cost {}",
                one.sku,
                choices.join(", "),
                one.price.normalize(),
                sum.normalize()
            ),
        )
        .advice(
            "CCV Shop has no price of a variation: a choice costs the same on top in all of them. Give them such prices, or \
             bring them over as products of their own",
        )
        .in_row("target._variations"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn priced(list: &[(&str, &[(&str, &str)])]) -> Vec<Priced> {
        let choice = |(option, value): &(&str, &str)| ((*option).to_owned(), (*value).to_owned());
        list.iter()
            .map(|(price, choices)| Priced {
                sku: format!("P{price}"),
                price: price.parse().unwrap(),
                choices: choices.iter().map(choice).collect(),
            })
            .collect()
    }

    fn extra(parts: &Parts) -> Vec<(String, String)> {
        parts.extra.iter().map(|((_, value), extra)| (value.clone(), extra.to_string())).collect()
    }

    fn pair(value: &str, extra: &str) -> (String, String) {
        (value.into(), extra.into())
    }

    #[test]
    fn one_option_can_have_any_prices() {
        let parts =
            take_apart(&priced(&[("12.50", &[("size", "m")]), ("10", &[("size", "s")]), ("19.95", &[("size", "l")])]))
                .unwrap();
        assert_eq!(parts.base, "10".parse().unwrap());
        assert_eq!(extra(&parts), [pair("l", "9.95"), pair("m", "2.5"), pair("s", "0")]);
    }

    #[test]
    fn several_options_add_up_or_are_refused() {
        let shirts = |last: &str| {
            take_apart(&priced(&[
                ("10", &[("size", "s"), ("colour", "red")]),
                ("12", &[("size", "m"), ("colour", "red")]),
                ("11", &[("size", "s"), ("colour", "blue")]),
                (last, &[("size", "m"), ("colour", "blue")]),
            ]))
        };
        let parts = shirts("13").unwrap();
        assert_eq!(
            (parts.base, extra(&parts)),
            ("10".parse().unwrap(), vec![pair("blue", "1"), pair("red", "0"), pair("m", "2"), pair("s", "0")])
        );
        let failure = shirts("14").unwrap_err();
        assert_eq!(failure.cause().code, "prices_not_additive");
        assert!(failure.to_string().contains("«P14»") && failure.to_string().contains("would cost"), "{failure}");
    }

    #[test]
    fn what_the_prices_leave_open_is_nothing_and_all_sums_are_right() {
        // Not every combination is there, and three options that only differ together.
        let parts = take_apart(&priced(&[
            ("5", &[("a", "1"), ("b", "1"), ("c", "1")]),
            ("9", &[("a", "2"), ("b", "2"), ("c", "1")]),
            ("7", &[("a", "2"), ("b", "1"), ("c", "2")]),
            ("8", &[("a", "1"), ("b", "2"), ("c", "2")]),
        ]))
        .unwrap();
        assert_eq!(parts.base, "5".parse().unwrap());
        assert!(parts.extra.values().all(|extra| !extra.is_sign_negative()));
        assert_eq!(take_apart(&priced(&[("3", &[])])).unwrap().base, "3".parse().unwrap());
        assert_eq!(take_apart(&[]).unwrap(), Parts::default());
        assert!(take_apart(&priced(&[("3", &[("a", "1")]), ("4", &[("a", "1")])])).is_err());
    }
}
