//! Amounts: lines in cents, VAT by zone and category, rounded over the document.

use std::collections::BTreeMap;

use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::Value;

use crate::text::{amount, text};
use crate::visma_net::rows::Tx;

/// Rounds to cents, halves away from zero.
pub(in crate::visma_net) fn cents(value: Decimal) -> Decimal {
    value.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}

/// The VAT that applies to a category in a zone; None: none does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::visma_net) struct Vat {
    pub id: String,
    /// Percent.
    pub rate: Decimal,
    /// Prices include it.
    pub included: bool,
    /// Shown, but the customer does not pay it.
    pub reverse: bool,
}

/// Zone × category → VAT.
pub(in crate::visma_net) fn vat_of(tx: &Tx<'_>, zone: &str, category: &str, date: &str) -> Option<Vat> {
    let listed = |row: &Value, list: &str, field: &str, wanted: &str| {
        row[list].as_array().is_some_and(|rows| rows.iter().any(|one| one[field] == wanted))
    };
    let row = tx
        .store
        .rows("vat")
        .find(|row| listed(row, "zones", "id", zone) && listed(row, "categories", "vatCategoryId", category))?;
    let schedules = row["schedules"].as_array()?.iter();
    let current = schedules
        .filter(|one| text(one, "startDate") <= date)
        .max_by(|one, other| text(one, "startDate").cmp(text(other, "startDate")))?;
    Some(Vat {
        id: text(row, "vatId").into(),
        rate: amount(current, "vatRate"),
        included: text(row, "calculateOn") == "ExtractFromItemAmount",
        reverse: row["reverseVat"] == true,
    })
}

/// One VAT of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::visma_net) struct VatTotal {
    pub vat: Vat,
    pub taxable: Decimal,
    pub amount: Decimal,
}

/// Totals of a document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::visma_net) struct Totals {
    pub lines: Decimal,
    pub taxable: Decimal,
    pub exempt: Decimal,
    pub vat: Decimal,
    pub total: Decimal,
    pub details: Vec<VatTotal>,
}

/// Totals over lines: amount and the VAT that applies to it.
pub(in crate::visma_net) fn totals(tx: &Tx<'_>, lines: &[(Decimal, Option<Vat>)]) -> Totals {
    let mut totals = Totals::default();
    let mut per_vat: BTreeMap<String, Vec<(Decimal, Vat)>> = BTreeMap::new();
    for (line, vat) in lines {
        totals.lines += *line;
        match vat {
            Some(vat) => per_vat.entry(vat.id.clone()).or_default().push((*line, vat.clone())),
            None => {
                totals.exempt += *line;
                totals.total += *line;
            }
        }
    }
    for (_, lines) in per_vat {
        let vat = lines[0].1.clone();
        let bases: Vec<Decimal> = if tx.switches.vat_rounding == "line" {
            lines.iter().map(|(base, _)| *base).collect()
        } else {
            vec![lines.iter().map(|(base, _)| *base).sum()]
        };
        let fraction = vat.rate / Decimal::ONE_HUNDRED;
        let (mut taxable, mut amount) = (Decimal::ZERO, Decimal::ZERO);
        for base in bases {
            let (net, part) = if vat.included {
                let net = cents(base / (Decimal::ONE + fraction));
                (net, base - net)
            } else {
                (base, cents(base * fraction))
            };
            taxable += net;
            amount += part;
        }
        totals.total += taxable;
        if !vat.reverse {
            totals.vat += amount;
            totals.total += amount;
        }
        totals.taxable += taxable;
        totals.details.push(VatTotal { vat, taxable, amount });
    }
    totals
}

/// What a line is worth: quantity, price, and its discount (percent or amount) in cents.
pub(in crate::visma_net) fn line(
    quantity: Decimal,
    price: Decimal,
    percent: Decimal,
    discount: Decimal,
) -> (Decimal, Decimal) {
    let gross = cents(quantity * price);
    let off = if percent.is_zero() { cents(discount) } else { cents(gross * percent / Decimal::ONE_HUNDRED) };
    (gross, off)
}
