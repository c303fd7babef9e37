//! Refunds as shops make them: whole lines, parts of them, amounts of a line without a quantity, amounts without lines.

use koppel_core::document::{Line, LineKind, LineTax, Order, Refund};
use koppel_core::money::round;
use koppel_flows::config::Bundles;
use koppel_flows::refunds::credit;
use rust_decimal::Decimal;

use super::shop::{Dice, Sold};

/// What credits an order of the shop; `meddled` when its amount is not what its lines say.
pub fn of(sold: Sold, dice: &mut Dice) -> Sold {
    let mut original = sold.order;
    original.reference = format!("WC-{}", original.number);
    let mut lines = Vec::new();
    if dice.chance(60) {
        let chosen: Vec<&Line> = original.lines.iter().filter(|_| dice.chance(50)).collect();
        lines = chosen.into_iter().map(|line| given_back(line, &original, dice)).collect();
    }
    let from_lines = -lines.iter().map(|line: &Line| line.net + line.tax).sum::<Decimal>();
    let mut total = original.currency.round(from_lines);
    let mut meddled = false;
    if total > Decimal::ZERO {
        meddled = dice.chance(2);
        if meddled {
            total += original.currency.unit() * Decimal::from(dice.between(50, 5_000));
        }
    } else {
        lines.clear();
        let whole = original.total.max(original.currency.unit());
        let part = if dice.chance(30) { 100 } else { dice.between(1, 100) };
        total =
            original.currency.round(whole * Decimal::from(part) / Decimal::ONE_HUNDRED).max(original.currency.unit());
    }
    let refund = Refund { id: "1".into(), total, lines, ..Refund::default() };
    // It has a reference, so it can be credited; if not, the books would show the amount of the order.
    let mut order = credit(original.clone(), refund, Bundles::AsIs).map_or(original, |(order, _)| order);
    // As the settings decide: one code for each rate.
    for line in order.lines.iter_mut().filter(|line| line.kind == LineKind::Refund) {
        let rate = line.rate_percent().normalize().to_string();
        line.codes.insert("vat_code".into(), rate);
    }
    Sold { order, meddled }
}

fn given_back(line: &Line, order: &Order, dice: &mut Dice) -> Line {
    let (part, quantity) = match dice.between(1, 3) {
        1 => (Decimal::ONE, line.quantity),
        2 if line.quantity > Decimal::ONE => {
            let pieces = Decimal::from(dice.between(1, 3)).min(line.quantity);
            (pieces / line.quantity, pieces)
        }
        _ => (Decimal::new(dice.between(1, 100), 2), Decimal::ZERO),
    };
    let decimals = order.currency.decimals();
    // What a person types has whole cents; what the shop takes over may have more.
    let of = |amount: Decimal| if part == Decimal::ONE { -amount } else { -round(amount * part, decimals) };
    let taxes = line.taxes.iter().map(|tax| LineTax { amount: of(tax.amount), ..tax.clone() });
    Line {
        id: line.id.clone(),
        quantity: -quantity,
        net: of(line.net),
        tax: of(line.tax),
        taxes: taxes.collect(),
        ..Line::default()
    }
}
