//! The target's arithmetic, written apart from the code that is tested: whole numbers only, no decimal library.

use koppel_core::document::Line;
use rust_decimal::Decimal;

/// A number as a whole count of 10^-scale.
#[derive(Clone, Copy, Debug)]
struct Fixed {
    count: i128,
    scale: u32,
}

impl Fixed {
    fn of(number: Decimal) -> Self {
        Self { count: number.mantissa(), scale: number.scale() }
    }

    fn times(self, other: Self) -> Self {
        Self { count: self.count * other.count, scale: self.scale + other.scale }
    }

    /// Rounded half away from zero, as a count of 10^-scale.
    fn round(self, scale: u32) -> i128 {
        if self.scale <= scale {
            return self.count * 10_i128.pow(scale - self.scale);
        }
        divide(self.count, 10_i128.pow(self.scale - scale))
    }
}

/// Divides and rounds half away from zero.
fn divide(count: i128, by: i128) -> i128 {
    let negative = (count < 0) != (by < 0);
    let (count, by) = (count.abs(), by.abs());
    let whole = (2 * count + by) / (2 * by);
    if negative { -whole } else { whole }
}

/// How the books are set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Books {
    /// Decimals of the currency.
    pub decimals: u32,
    /// Decimals of a price.
    pub price_decimals: u32,
    /// Tax is rounded on every line.
    pub tax_per_line: bool,
    /// Lines are booked as amounts.
    pub amounts: bool,
}

impl Books {
    /// The total of posted lines in the smallest unit of the currency.
    pub fn total(&self, lines: &[Line]) -> i128 {
        self.sum(lines.iter().map(|line| {
            let price = line.unit_price.map(Fixed::of).unwrap_or(Fixed { count: 0, scale: 0 });
            // A price with more decimals than the books keep is rounded by them.
            let kept = Fixed { count: price.round(self.price_decimals), scale: self.price_decimals };
            (line, if self.amounts { Fixed::of(line.net) } else { kept.times(Fixed::of(line.quantity)) })
        }))
    }

    /// The total of lines as the shop has them, each at its own rounded price and without anything done about cents.
    pub fn plain_total(&self, lines: &[Line]) -> i128 {
        self.sum(lines.iter().map(|line| {
            let (net, quantity) = (Fixed::of(line.net), Fixed::of(line.quantity));
            if self.amounts || quantity.count == 0 {
                let price = Fixed { count: net.round(self.price_decimals), scale: self.price_decimals };
                return (line, if self.amounts { net } else { price });
            }
            let above = net.count * 10_i128.pow(quantity.scale + self.price_decimals);
            let price = divide(above, quantity.count * 10_i128.pow(net.scale));
            (line, Fixed { count: price, scale: self.price_decimals }.times(quantity))
        }))
    }

    fn sum<'a>(&self, lines: impl Iterator<Item = (&'a Line, Fixed)>) -> i128 {
        let mut total = 0;
        let mut by_code: Vec<(&str, i128, u32, i128)> = Vec::new();
        for (line, amount) in lines {
            let amount = amount.round(self.decimals);
            total += amount;
            let rates: Vec<Fixed> = line.taxes.iter().map(|tax| Fixed::of(tax.rate_percent)).collect();
            let scale = rates.iter().map(|rate| rate.scale).max().unwrap_or(0);
            let rate: i128 = rates.iter().map(|rate| rate.count * 10_i128.pow(scale - rate.scale)).sum();
            if self.tax_per_line {
                total += tax(amount, rate, scale);
                continue;
            }
            let code = line.codes.get("vat_code").map_or("", String::as_str);
            match by_code.iter_mut().find(|(known, ..)| *known == code) {
                Some((_, _, _, sum)) => *sum += amount,
                None => by_code.push((code, rate, scale, amount)),
            }
        }
        total + by_code.into_iter().map(|(_, rate, scale, amount)| tax(amount, rate, scale)).sum::<i128>()
    }
}

/// Tax of an amount at a rate in percent, in the unit of the amount.
fn tax(amount: i128, rate: i128, scale: u32) -> i128 {
    divide(amount * rate, 100 * 10_i128.pow(scale))
}
