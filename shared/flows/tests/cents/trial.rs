//! One order through the proof of cents, judged by the independent books.

use koppel_core::document::{Line, LineKind};
use koppel_core::error::Failure;
use koppel_core::system::{RoundingModel, TaxRounding};
use koppel_flows::cents::{Posting, prove};
use koppel_flows::config::{Code, Rounding};
use rust_decimal::Decimal;

use super::books::Books;
use super::refund;
use super::shop::{self, Dice, Sold};

/// How an order ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ended {
    /// Posted as it is.
    Exact,
    /// Posted with lines in two parts.
    Split,
    /// Posted with a rounding line.
    Rounded,
    /// Rejected: the difference is more than is allowed.
    TooMuch,
    /// Rejected: the flow has no rounding line, and there is a difference.
    NoLine,
    /// Rejected: the shop's own sums do not hold, because a plugin changed them.
    SumsDiffer,
}

/// One trial.
pub struct Trial {
    /// The books it was posted to.
    pub books: Books,
    /// How it ended, or what is wrong.
    pub ended: Result<Ended, String>,
}

/// Tries the order of this number.
pub fn run(seed: u64, number: u64) -> Trial {
    judge(shop::order(seed, number), &mut Dice::new(!seed, number))
}

/// Tries a refund of the order of this number.
pub fn run_refund(seed: u64, number: u64) -> Trial {
    let mut dice = Dice::new(!seed, number);
    let given_back = refund::of(shop::order(seed, number), &mut dice);
    judge(given_back, &mut dice)
}

fn judge(sold: Sold, dice: &mut Dice) -> Trial {
    let currency = sold.order.currency;
    let books = Books {
        decimals: currency.decimals(),
        price_decimals: dice.one(&[2, 4, 4, 6]),
        tax_per_line: dice.chance(40),
        amounts: dice.chance(15),
    };
    let rounding = dice.chance(90).then(|| Rounding {
        line: true,
        item: Some(Code("AFRONDING".into())),
        account: None,
        vat_code: Some(Code("none".into())),
        max: Decimal::new(5, 2),
    });
    let tax = if books.tax_per_line { TaxRounding::PerLine } else { TaxRounding::PerVatCode };
    let model = RoundingModel { unit_price_decimals: books.price_decimals, tax };
    let posting = Posting { model, amounts: books.amounts };
    let before = sold.order.lines.clone();
    let mut order = sold.order;
    let unit = currency.unit();
    let in_units = |amount: Decimal| {
        (currency.round(amount) / unit).mantissa() / 10_i128.pow((currency.round(amount) / unit).scale())
    };
    let paid = in_units(order.total);
    let plain = (paid - books.plain_total(&before)).abs();
    // Five smallest units: what a maximum of 0.05 means in any currency.
    let allowed = if rounding.is_some() { 5 } else { 0 };
    // Prices that are coarser than the currency leave nothing to put a rest on.
    let fine_enough = books.amounts || books.price_decimals >= books.decimals;
    let ended = match prove(&mut order, posting, rounding.as_ref()) {
        Ok(sheet) => {
            check_posted(&before, &order.lines, books, paid, allowed).map(|rounded| match (rounded, sheet.split) {
                (true, _) => Ended::Rounded,
                (false, 0) => Ended::Exact,
                (false, _) => Ended::Split,
            })
        }
        Err(Failure::Reject(cause)) => {
            let shown = order.total.normalize().to_string();
            match cause.code.as_str() {
                _ if !cause.message.contains(&shown) => Err(format!("the sums are not shown: {cause}")),
                "source_sums_differ" if sold.meddled => Ok(Ended::SumsDiffer),
                "source_sums_differ" => Err(format!("a right order was rejected: {cause}")),
                "cents_differ" if plain <= allowed && fine_enough => {
                    Err(format!("rejected without need ({plain} units): {cause}"))
                }
                "cents_differ" if rounding.is_some() => Ok(Ended::TooMuch),
                "cents_differ" => Ok(Ended::NoLine),
                _ => Err(format!("an unknown rejection: {cause}")),
            }
        }
        Err(other) => Err(format!("not a rejection: {other}")),
    };
    Trial { books, ended }
}

/// What is posted gives what was paid, keeps every quantity and amount, and says whether a rounding line was added.
fn check_posted(before: &[Line], after: &[Line], books: Books, paid: i128, allowed: i128) -> Result<bool, String> {
    let total = books.total(after);
    if total != paid {
        return Err(format!("posted {total}, paid {paid}"));
    }
    let (extra, goods): (Vec<&Line>, Vec<&Line>) = after.iter().partition(|line| line.kind == LineKind::Rounding);
    if extra.len() > 1 {
        return Err("more than one rounding line".into());
    }
    let by = extra.first().map_or(0, |line| (line.net.abs() / Decimal::new(1, books.decimals)).mantissa());
    let scale = extra.first().map_or(0, |line| (line.net.abs() / Decimal::new(1, books.decimals)).scale());
    if by > allowed * 10_i128.pow(scale) {
        return Err(format!("{by} units were rounded, {allowed} are allowed"));
    }
    if goods.iter().any(|line| line.unit_price.is_none_or(|price| price.normalize().scale() > books.price_decimals)) {
        return Err("a price has more decimals than the books keep".into());
    }
    for line in before {
        let parts: Vec<&&Line> = goods.iter().filter(|part| part.id.split('/').next() == Some(&line.id)).collect();
        let sum = |of: fn(&Line) -> Decimal| parts.iter().map(|part| of(part)).sum::<Decimal>();
        let quantity = sum(|part| part.quantity);
        let no_quantity = line.quantity.is_zero() && (quantity.is_zero() || quantity == Decimal::ONE);
        if quantity != line.quantity && !no_quantity {
            return Err(format!("line {}: {} became {quantity} pieces", line.id, line.quantity));
        }
        let taxes = |of: &Line| of.taxes.iter().map(|tax| tax.amount).sum::<Decimal>();
        if sum(|part| part.net) != line.net
            || sum(|part| part.tax) != line.tax
            || sum(|part| part.net_before_discount) != line.net_before_discount
            || parts.iter().map(|part| taxes(part)).sum::<Decimal>() != taxes(line)
            || parts.iter().any(|part| part.codes != line.codes || part.rate_percent() != line.rate_percent())
        {
            return Err(format!("line {}: an amount or a code changed", line.id));
        }
    }
    Ok(!extra.is_empty())
}
