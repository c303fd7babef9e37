//! Amounts of a line that move to another: net, net before discount and tax, each to the last digit.

use koppel_core::document::{Line, LineTax};
use koppel_core::money::allocate;
use rust_decimal::Decimal;

/// Taxes stand unrounded where the source tells them; shares of them are kept to this many decimals.
const TAX_DECIMALS: u32 = 6;

/// Something is charged, or given back, on the line.
pub fn is_charged(line: &Line) -> bool {
    !line.net.is_zero() || !line.tax.is_zero()
}

/// The rates that a line is charged at. Rates of nothing are none.
pub fn rates(line: &Line) -> Vec<Decimal> {
    let rates = line.taxes.iter().map(|tax| tax.rate_percent.normalize()).filter(|rate| !rate.is_zero());
    let mut rates: Vec<Decimal> = rates.collect();
    rates.sort();
    rates
}

/// The same for a person.
pub fn rates_text(line: &Line) -> String {
    let texts: Vec<String> = rates(line).iter().map(|rate| format!("{rate} %")).collect();
    if texts.is_empty() { "0 %".to_owned() } else { texts.join(" + ") }
}

/// The line at 0.00, with its rates.
pub fn without_amounts(line: &Line) -> Line {
    let taxes = line.taxes.iter().map(|tax| LineTax { amount: Decimal::ZERO, ..tax.clone() }).collect();
    Line {
        net: Decimal::ZERO,
        net_before_discount: Decimal::ZERO,
        tax: Decimal::ZERO,
        taxes,
        unit_price: None,
        ..line.clone()
    }
}

/// Adds the amounts of `other`, which has the same rates. A line that nothing is charged on takes its rates too.
pub fn add(line: &mut Line, other: &Line) {
    if !is_charged(other) {
        line.net_before_discount += other.net_before_discount;
        return;
    }
    if is_charged(line) {
        for tax in &other.taxes {
            let same = |own: &&mut LineTax| own.rate_percent.normalize() == tax.rate_percent.normalize();
            match line.taxes.iter_mut().find(same) {
                Some(own) => own.amount += tax.amount,
                None => line.taxes.push(tax.clone()),
            }
        }
    } else {
        line.taxes.clone_from(&other.taxes);
    }
    line.net += other.net;
    line.net_before_discount += other.net_before_discount;
    line.tax += other.tax;
}

/// The amounts of a line as one share for each weight. Their sum is the line.
pub fn divide(line: &Line, weights: &[Decimal], unit: Decimal) -> Vec<Line> {
    let net = shares(line.net, weights, unit);
    let before = shares(line.net_before_discount, weights, unit);
    let tax = shares(line.tax, weights, unit);
    let fine = Decimal::new(1, TAX_DECIMALS);
    let taxes: Vec<Vec<Decimal>> = line.taxes.iter().map(|tax| shares(tax.amount, weights, fine)).collect();
    (0..weights.len())
        .map(|at| Line {
            net: net[at],
            net_before_discount: before[at],
            tax: tax[at],
            taxes: line
                .taxes
                .iter()
                .zip(&taxes)
                .map(|(tax, shares)| LineTax { amount: shares[at], ..tax.clone() })
                .collect(),
            ..line.clone()
        })
        .collect()
}

/// Whole units by largest remainder; what is less than a unit goes to the heaviest, so that all but one are whole.
fn shares(amount: Decimal, weights: &[Decimal], unit: Decimal) -> Vec<Decimal> {
    let whole = (amount / unit).trunc() * unit;
    let mut shares = allocate(whole, weights, unit);
    let heaviest = (0..weights.len()).rev().max_by_key(|at| weights[*at]).unwrap_or(0);
    if let Some(share) = shares.get_mut(heaviest) {
        *share += amount - whole;
    }
    shares
}
