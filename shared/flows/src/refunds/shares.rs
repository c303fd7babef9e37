//! An amount that is given back without saying for which line: divided over the rates of the order, to the cent.

use koppel_core::document::{Line, LineKind, LineTax, Order, Refund};
use koppel_core::money::round;
use rust_decimal::Decimal;

/// What was paid at one rate.
struct AtRate {
    taxes: Vec<LineTax>,
    rate: Decimal,
    net: Decimal,
    gross: Decimal,
}

/// A line for each rate, with its share of the amount: by what was paid at it, the rest by largest remainder.
pub fn of(original: &Order, refund: &Refund) -> Vec<Line> {
    let decimals = original.currency.decimals();
    let mut paid = paid_by_rate(original, decimals);
    if paid.is_empty() {
        // Nothing tells of a rate: it was not taxed.
        paid.push(AtRate { taxes: Vec::new(), rate: Decimal::ZERO, net: Decimal::ONE, gross: Decimal::ONE });
    }
    let weights: Vec<Decimal> = paid.iter().map(|at| at.gross).collect();
    let shares = divide(refund.total, &weights, original.currency.unit());
    let described = if refund.reason.trim().is_empty() { "Refund" } else { refund.reason.trim() };
    let given = paid.iter().zip(shares).enumerate().filter(|(_, (_, share))| !share.is_zero());
    given.map(|(number, (at, share))| line(at, share, decimals, number + 1, described)).collect()
}

fn paid_by_rate(original: &Order, decimals: u32) -> Vec<AtRate> {
    let mut paid: Vec<AtRate> = Vec::new();
    for line in &original.lines {
        let rate = line.rate_percent().normalize();
        match paid.iter_mut().find(|at| at.rate == rate) {
            Some(at) => {
                at.net += line.net;
                at.gross += line.net + line.tax;
            }
            None => {
                paid.push(AtRate { taxes: line.taxes.clone(), rate, net: line.net, gross: line.net + line.tax });
            }
        }
    }
    for at in &mut paid {
        (at.net, at.gross) = (round(at.net, decimals), round(at.gross, decimals));
    }
    paid.retain(|at| at.gross > Decimal::ZERO);
    paid
}

/// Divides an amount by weights, in whole units, without a remainder.
fn divide(amount: Decimal, weights: &[Decimal], unit: Decimal) -> Vec<Decimal> {
    let sum: Decimal = weights.iter().sum();
    let exact: Vec<Decimal> = weights.iter().map(|weight| amount * weight / sum / unit).collect();
    let mut units: Vec<Decimal> = exact.iter().map(Decimal::trunc).collect();
    let mut left = round(amount / unit, 0) - units.iter().sum::<Decimal>();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(exact[*at] - units[*at]));
    for at in order {
        if left <= Decimal::ZERO {
            break;
        }
        units[at] += Decimal::ONE;
        left -= Decimal::ONE;
    }
    units.into_iter().map(|count| count * unit).collect()
}

fn line(at: &AtRate, share: Decimal, decimals: u32, number: usize, described: &str) -> Line {
    let net = if share == at.gross {
        // All that was paid at this rate: its own tax comes back.
        at.net
    } else {
        round(share / (Decimal::ONE + at.rate / Decimal::ONE_HUNDRED), decimals)
    };
    let tax = share - net;
    Line {
        id: format!("refund-{number}"),
        kind: LineKind::Refund,
        description: described.to_owned(),
        quantity: -Decimal::ONE,
        net: -net,
        net_before_discount: -net,
        tax: -tax,
        taxes: taxes(at, tax),
        ..Line::default()
    }
}

/// The rates of the order on this share; of several that apply to the whole each takes its part of the tax.
fn taxes(at: &AtRate, tax: Decimal) -> Vec<LineTax> {
    let part = |of: &LineTax| if at.rate.is_zero() { Decimal::ZERO } else { -tax * of.rate_percent / at.rate };
    at.taxes.iter().map(|of| LineTax { amount: part(of), ..of.clone() }).collect()
}
