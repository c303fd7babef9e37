//! Lines whose amount no single unit price gives: 40 pieces for 133.40 cannot be posted with prices of two decimals.
//!
//! Such a line is posted in two parts of the same article. The quantity stays what was sold, because stock and cost of
//! sales follow it; the amount becomes what was paid. Whole pieces get the two prices next to the exact one (largest
//! remainder), a fractional quantity gives off one piece that takes the rest.

use koppel_core::document::{Line, Order};
use koppel_core::money::round;
use rust_decimal::Decimal;

use super::{Posting, posted_amount, target_sums};

/// Price and quantity of one part.
type Part = (Decimal, Decimal);

/// Splits the lines whose posted amount is not their own net, when that brings the order nearer to what was paid.
/// Returns how many were split.
pub fn split(order: &mut Order, posting: Posting, paid: Decimal) -> usize {
    let decimals = order.currency.decimals();
    let mut lines = Vec::with_capacity(order.lines.len() + 1);
    let mut count = 0;
    for line in &order.lines {
        match parts(line, posting, decimals) {
            Some(parts) => {
                lines.extend(shares(line, parts, decimals));
                count += 1;
            }
            None => lines.push(line.clone()),
        }
    }
    if count == 0 {
        return 0;
    }
    let off = |order: &Order| {
        let (net, tax) = target_sums(order, posting);
        (paid - net - tax).abs()
    };
    let before = off(order);
    let whole = std::mem::replace(&mut order.lines, lines);
    if off(order) >= before {
        order.lines = whole;
        return 0;
    }
    count
}

/// Two parts that together are posted as the line's net; `None` when the line is right as it is, or cannot be split.
fn parts(line: &Line, posting: Posting, decimals: u32) -> Option<[Part; 2]> {
    let wanted = round(line.net, decimals);
    let quantity = line.quantity;
    let price_decimals = posting.model.unit_price_decimals;
    if posted_amount(line, posting, decimals) == wanted || quantity.abs() <= Decimal::ONE {
        return None;
    }
    let fits = |parts: &[Part; 2]| parts.iter().map(|(price, n)| round(price * n, decimals)).sum::<Decimal>() == wanted;
    two_prices(wanted, quantity, price_decimals)
        .filter(fits)
        .or_else(|| one_piece(line, wanted, price_decimals, decimals).filter(fits))
}

/// Whole pieces at the price below and the price above the exact one.
fn two_prices(wanted: Decimal, quantity: Decimal, price_decimals: u32) -> Option<[Part; 2]> {
    if !quantity.fract().is_zero() {
        return None;
    }
    let low = (wanted / quantity).trunc_with_scale(price_decimals);
    let mut step = Decimal::new(1, price_decimals);
    step.set_sign_negative((wanted.is_sign_negative()) != (quantity.is_sign_negative()));
    // How many pieces must cost one step more.
    let dear = round((wanted - low * quantity) / step, 0);
    let cheap = quantity - dear;
    if dear.is_zero() || cheap.is_zero() || dear.abs() > quantity.abs() {
        return None;
    }
    Some([(low, cheap), (low + step, dear)])
}

/// All but one piece at the rounded price, and one that takes the rest.
fn one_piece(line: &Line, wanted: Decimal, price_decimals: u32, decimals: u32) -> Option<[Part; 2]> {
    let mut one = Decimal::ONE;
    one.set_sign_negative(line.quantity.is_sign_negative());
    let others = line.quantity - one;
    let price = round(line.unit_net(), price_decimals);
    let rest = (wanted - round(price * others, decimals)) * one;
    (round(rest, price_decimals) == rest).then_some([(price, others), (rest, one)])
}

/// The line as its two parts; every amount of the line is divided without a remainder.
fn shares(line: &Line, parts: [Part; 2], decimals: u32) -> [Line; 2] {
    let [(price, quantity), (other_price, other_quantity)] = parts;
    let part = quantity / line.quantity;
    let share = |whole: Decimal| round(whole * part, decimals);
    let net = round(price * quantity, decimals);
    let mut first = Line {
        quantity,
        net,
        net_before_discount: share(line.net_before_discount),
        unit_price: Some(price),
        tax: share(line.tax),
        ..line.clone()
    };
    for tax in &mut first.taxes {
        tax.amount = share(tax.amount);
    }
    let mut second = Line {
        id: format!("{}/2", line.id),
        quantity: other_quantity,
        net: line.net - first.net,
        net_before_discount: line.net_before_discount - first.net_before_discount,
        unit_price: Some(other_price),
        tax: line.tax - first.tax,
        ..line.clone()
    };
    for (tax, given) in second.taxes.iter_mut().zip(&first.taxes) {
        tax.amount -= given.amount;
    }
    [first, second]
}
