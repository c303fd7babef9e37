//! Lines that a shop taxes at several rates: a reduction on the whole basket is spread over the rates in it. The books want
//! one VAT code a line, so such a line is posted in one part for each rate.

use koppel_core::document::{Line, LineTax, Order};
use koppel_core::money::round;
use rust_decimal::Decimal;

/// Splits every line whose rates apply to different parts of it.
///
/// Rates that all apply to the whole (a federal and a provincial tax) are one rate, their sum, and such a line stays whole.
/// Which of the two it is, the amounts tell: each tax divided by its rate gives the part that it was charged on.
pub fn split(order: &mut Order) {
    let decimals = order.currency.decimals();
    let lines = std::mem::take(&mut order.lines);
    order.lines = lines.into_iter().flat_map(|line| parts(&line, decimals).unwrap_or_else(|| vec![line])).collect();
}

/// The parts of a line, or `None` when it stays whole.
fn parts(line: &Line, decimals: u32) -> Option<Vec<Line>> {
    let taxes: Vec<&LineTax> =
        line.taxes.iter().filter(|tax| !tax.rate_percent.is_zero() && !tax.amount.is_zero()).collect();
    // A quantity cannot be divided among rates: only what is there once can be.
    if taxes.len() < 2 || line.net.is_zero() || line.quantity.abs() != Decimal::ONE {
        return None;
    }
    let unit = Decimal::new(1, decimals);
    let charged_on = |tax: &LineTax| tax.amount * Decimal::ONE_HUNDRED / tax.rate_percent;
    // An amount of tax is off by half a unit at most; what that is of the part depends on the rate.
    let off: Decimal =
        taxes.iter().map(|tax| unit / Decimal::TWO * Decimal::ONE_HUNDRED / tax.rate_percent).sum::<Decimal>() + unit;
    let sum: Decimal = taxes.iter().map(|tax| charged_on(tax)).sum();
    if (sum - line.net).abs() > off {
        return None;
    }
    let (mut net, mut before, mut tax_left) = (line.net, line.net_before_discount, line.tax);
    let last = taxes.len() - 1;
    let part = |(number, tax): (usize, &&LineTax)| {
        let share = charged_on(tax) / sum;
        let of = |whole: Decimal, left: &mut Decimal| {
            let mine = if number == last { *left } else { round(whole * share, decimals) };
            *left -= mine;
            mine
        };
        let (net, before) = (of(line.net, &mut net), of(line.net_before_discount, &mut before));
        let amount = if number == last { tax_left } else { round(tax.amount, decimals) };
        tax_left -= amount;
        let id = if number == 0 { line.id.clone() } else { format!("{}/{}", line.id, number + 1) };
        Line { id, net, net_before_discount: before, tax: amount, taxes: vec![(*tax).clone()], ..line.clone() }
    };
    Some(taxes.iter().enumerate().map(part).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{order, product_line};

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn line(net: &str, tax: &str, taxes: &[(&str, &str)]) -> Line {
        let tax_of = |(rate, amount): &(&str, &str)| LineTax {
            rate_id: (*rate).into(),
            rate_percent: d(rate),
            amount: d(amount),
        };
        Line { id: "7".into(), taxes: taxes.iter().map(tax_of).collect(), ..product_line(net, tax, "21", "1") }
    }

    fn after(line: Line) -> Vec<(String, Decimal, Decimal, Decimal)> {
        let mut order = order(vec![line], "0", "0");
        split(&mut order);
        order.lines.iter().map(|l| (l.id.clone(), l.net, l.tax, l.rate_percent())).collect()
    }

    #[test]
    fn a_reduction_over_two_rates_becomes_a_line_for_each_and_loses_nothing() {
        // 7.00 of it on goods at 21 %, 3.00 at 9 %.
        assert_eq!(
            after(line("-10.00", "-1.74", &[("21", "-1.47"), ("9", "-0.27")])),
            [("7".into(), d("-7.00"), d("-1.47"), d("21")), ("7/2".into(), d("-3.00"), d("-0.27"), d("9"))]
        );
        let parts = after(line("-9.99", "-1.51", &[("21", "-1.066"), ("9", "-0.442")]));
        assert_eq!(parts.iter().map(|part| part.1).sum::<Decimal>(), d("-9.99"));
        assert_eq!(parts.iter().map(|part| part.2).sum::<Decimal>(), d("-1.51"));
    }

    #[test]
    fn rates_that_all_apply_to_the_whole_stay_one_rate() {
        // 5 % federal and 7 % provincial, both on 100.
        assert_eq!(after(line("100.00", "12.00", &[("5", "5.00"), ("7", "7.00")])).len(), 1);
        assert_eq!(after(line("100.00", "21.00", &[("21", "21.00")])).len(), 1);
    }
}
