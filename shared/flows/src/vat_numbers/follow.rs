//! What follows from an answer: for the record, by the policy of the flow, and for the order or customer itself.

use koppel_core::document::{Customer, LineTax, Order, TaxTotal};
use koppel_core::error::{Cause, Failure, RetryReason};
use koppel_core::vat::{VatAnswer, VatCheck};
use rust_decimal::Decimal;

use super::ask::Said;
use crate::config::{InvalidNumber, UnknownNumber, VatNumberSettings};

/// The check of a record whose goods go to this country, or why it cannot go on.
pub(super) fn check(said: &Said, settings: &VatNumberSettings, ship_to: &str) -> Result<VatCheck, Failure> {
    let counts = match &said.answer {
        VatAnswer::Valid => true,
        VatAnswer::Invalid if settings.invalid == InvalidNumber::Reject => return Err(rejected(said)),
        VatAnswer::Invalid => false,
        VatAnswer::Unknown { why } => match settings.unknown {
            UnknownNumber::Wait => return Err(waits(why)),
            UnknownNumber::AsValid => true,
            UnknownNumber::AsConsumer => false,
        },
    };
    let percent = settings.percent.get(ship_to).copied().filter(|_| !counts);
    Ok(VatCheck { answer: said.answer.clone(), asked_at: said.asked_at, counts, percent })
}

fn rejected(said: &Said) -> Failure {
    let at = said.asked_at.format("%Y-%m-%d %H:%M UTC");
    Failure::reject(
        Cause::new(
            "vat_number_invalid",
            format!("the buyer's VAT number is not valid according to VIES, asked at {at}"),
        )
        .advice("ask the buyer for the right number and correct it in the shop")
        .in_row("settings.vat_number.invalid"),
    )
}

/// Without a time of its own: the wait grows with each try.
fn waits(why: &str) -> Failure {
    let reason = match why {
        "MS_UNAVAILABLE" | "TIMEOUT" => "the member state does not answer",
        "IP_BLOCKED" => "it blocks this address",
        "VAT_BLOCKED" => "it blocks questions about this number",
        busy if busy.contains("MAX_CONCURRENT_REQ") => "too many others ask at this moment",
        _ => "it does not answer",
    };
    let cause = Cause::new(
        "vat_number_unknown",
        format!("VIES could not say whether the buyer's VAT number is valid: {reason} ({why})"),
    );
    Failure::retry(
        RetryReason::Unavailable,
        None,
        cause
            .advice("it is asked again by itself; as_valid or as_consumer here would not wait")
            .in_row("settings.vat_number.unknown"),
    )
}

/// Applies a check to an order before its VAT is decided. Of a number that does not count nothing is left that could make
/// the sale free of VAT.
pub fn apply_to_order(order: &mut Order, check: Option<&VatCheck>) {
    let Some(check) = check else { return };
    order.vat_check = Some(check.clone());
    if check.counts {
        return;
    }
    order.vat_exempt = false;
    order.customer.vat_number = None;
    if let Some(percent) = check.percent {
        take_out(order, percent);
    }
}

/// The buyer has paid no VAT, and it is owed: it is taken out of what was paid, line by line.
fn take_out(order: &mut Order, percent: Decimal) {
    let currency = order.currency;
    let net_of = |gross: Decimal| currency.round(gross * Decimal::ONE_HUNDRED / (Decimal::ONE_HUNDRED + percent));
    let mut owed = Decimal::ZERO;
    for line in order.lines.iter_mut().filter(|line| line.rate_percent().is_zero()) {
        let gross = line.net;
        line.net = net_of(gross);
        line.net_before_discount = net_of(line.net_before_discount);
        line.unit_price = None;
        line.tax = gross - line.net;
        line.taxes = vec![LineTax { rate_id: String::new(), rate_percent: percent, amount: line.tax }];
        owed += line.tax;
    }
    order.total_tax += owed;
    order.taxes.retain(|tax| !tax.rate_percent.is_zero());
    order.taxes.push(TaxTotal { rate_percent: percent, goods: owed, ..TaxTotal::default() });
}

/// Applies a check to a customer before its codes are decided.
pub fn apply_to_customer(customer: &mut Customer, check: Option<&VatCheck>) {
    if check.is_some_and(|check| !check.counts) {
        customer.vat_number = None;
    }
}

/// What a person should know of a check although the record goes on.
pub fn warning(check: Option<&VatCheck>) -> Option<Cause> {
    let check = check.filter(|check| check.answer != VatAnswer::Valid)?;
    let code = match check.answer {
        VatAnswer::Invalid => "vat_number_invalid",
        _ => "vat_number_unknown",
    };
    let advice = match check.answer {
        VatAnswer::Invalid => "ask the buyer for the right number",
        _ => "look at it again when VIES answers",
    };
    Some(Cause::new(code, check.text()).advice(advice).in_row("settings.vat_number"))
}
