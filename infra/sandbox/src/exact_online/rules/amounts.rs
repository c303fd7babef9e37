//! Amounts as Exact Online computes them: per line in cents, VAT per VAT code over the whole document in cents.

use std::collections::BTreeMap;

use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::Value;

use crate::exact_online::Tx;
use crate::message::Reply;
use crate::text::{amount, parse_decimal, text};

/// Rounds to cents, halves away from zero.
pub(super) fn cents(value: Decimal) -> Decimal {
    value.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}

/// What one of a currency is worth in the currency of the administration; refused when it is not known there.
pub(super) fn worth(tx: &Tx<'_>, name: &str, code: &str) -> Result<Decimal, Reply> {
    let known = tx.switches.currencies.get(code.trim());
    known.and_then(|worth| parse_decimal(worth)).ok_or_else(|| tx.words().invalid(name))
}

/// Totals of a document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub without_vat: Decimal,
    pub vat: Decimal,
    pub with_vat: Decimal,
}

/// VAT in an amount: on top of it, or inside it for a code of type I.
pub(super) fn vat_of(base: Decimal, fraction: Decimal, including: bool) -> (Decimal, Decimal) {
    if including {
        let net = cents(base / (Decimal::ONE + fraction));
        (net, base - net)
    } else {
        (base, cents(base * fraction))
    }
}

/// A VAT code's fraction, and whether prices with it include VAT.
pub(super) fn code(tx: &Tx<'_>, vat_code: &str) -> (Decimal, bool) {
    match tx.first("vat/VATCodes", "Code", vat_code.trim()) {
        Some(row) => (amount(row, "Percentage"), text(row, "Type") == "I"),
        None => (Decimal::ZERO, false),
    }
}

/// Totals over lines `(VAT code, AmountFC, own VAT amount)`; `discount` is a fraction of the whole document.
pub(super) fn totals(tx: &Tx<'_>, lines: &[(String, Decimal, Option<Decimal>)], discount: Decimal) -> Totals {
    let mut per_code: BTreeMap<&str, Decimal> = BTreeMap::new();
    let mut totals = Totals::default();
    for (vat_code, base, own_vat) in lines {
        match own_vat {
            // Only bookings may bring their own VAT.
            Some(vat) => {
                let (_, including) = code(tx, vat_code);
                totals.without_vat += if including { *base - *vat } else { *base };
                totals.vat += *vat;
            }
            None => *per_code.entry(vat_code.trim()).or_default() += *base,
        }
    }
    for (vat_code, base) in per_code {
        let (fraction, including) = code(tx, vat_code);
        let base = if discount.is_zero() { base } else { cents(base * (Decimal::ONE - discount)) };
        let (net, vat) = vat_of(base, fraction, including);
        totals.without_vat += net;
        totals.vat += vat;
    }
    totals.with_vat = totals.without_vat + totals.vat;
    totals
}

/// Lines of a document as [`totals`] takes them.
pub(super) fn of_rows(rows: &[Value]) -> Vec<(String, Decimal, Option<Decimal>)> {
    rows.iter().map(|row| (text(row, "VATCode").to_owned(), amount(row, "AmountFC"), None)).collect()
}
