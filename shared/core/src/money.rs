//! Exact money: currencies with their decimals, rounding half away from zero, and division that loses no cent.

use std::fmt;

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

use crate::error::Cause;

/// An ISO 4217 currency code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// Euro.
    pub const EUR: Self = Self(*b"EUR");

    /// Three Latin letters, in any case.
    pub fn new(code: &str) -> Option<Self> {
        let upper = code.trim().to_ascii_uppercase();
        let bytes: [u8; 3] = upper.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_uppercase).then_some(Self(bytes))
    }

    /// The code, such as `EUR`.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }

    /// Decimals of the smallest unit in circulation on invoices (ISO 4217 exponent).
    pub fn decimals(&self) -> u32 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG" | b"RWF" | b"UGX"
            | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            _ => 2,
        }
    }

    /// Rounds an amount to this currency's decimals, half away from zero.
    pub fn round(&self, amount: Decimal) -> Decimal {
        round(amount, self.decimals())
    }

    /// An amount as people write it, with this currency's decimals: `12.10`.
    pub fn text(&self, amount: Decimal) -> String {
        format!("{:.*}", self.decimals() as usize, self.round(amount))
    }

    /// The smallest amount: 0.01 for the euro, 1 for the yen.
    pub fn unit(&self) -> Decimal {
        Decimal::new(1, self.decimals())
    }
}

impl TryFrom<String> for Currency {
    type Error = Cause;

    fn try_from(code: String) -> Result<Self, Cause> {
        Self::new(&code).ok_or_else(|| Cause::new("unknown_currency", format!("«{code}» is not a currency code")))
    }
}

impl From<Currency> for String {
    fn from(value: Currency) -> Self {
        value.code().to_owned()
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Rounds half away from zero, the commercial rule of the connected systems.
pub fn round(amount: Decimal, decimals: u32) -> Decimal {
    amount.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero)
}

/// Splits `total` over `weights` in units of `unit` so that the parts add up exactly (largest remainder).
///
/// With no weight at all the first part takes everything; an empty list stays empty.
pub fn allocate(total: Decimal, weights: &[Decimal], unit: Decimal) -> Vec<Decimal> {
    let sum: Decimal = weights.iter().map(Decimal::abs).sum();
    if weights.is_empty() || unit.is_zero() {
        return Vec::new();
    }
    if sum.is_zero() {
        let mut parts = vec![Decimal::ZERO; weights.len()];
        parts[0] = total;
        return parts;
    }
    let units = total / unit;
    let exact: Vec<Decimal> = weights.iter().map(|w| units * w.abs() / sum).collect();
    let mut parts: Vec<Decimal> = exact.iter().map(|e| e.trunc()).collect();
    let mut left = units - parts.iter().copied().sum::<Decimal>();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|a, b| (exact[*b].fract().abs()).cmp(&exact[*a].fract().abs()).then(a.cmp(b)));
    let step = if left.is_sign_negative() { -Decimal::ONE } else { Decimal::ONE };
    for index in order {
        if left.abs() < Decimal::ONE {
            break;
        }
        parts[index] += step;
        left -= step;
    }
    // What is below one unit (a total with more decimals than the unit) must not vanish either.
    parts[0] += left;
    parts.into_iter().map(|p| (p * unit).normalize()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn rounds_half_away_from_zero() {
        assert_eq!(round(d("1.005"), 2), d("1.01"));
        assert_eq!(round(d("-1.005"), 2), d("-1.01"));
        assert_eq!(Currency::new("jpy").unwrap().round(d("10.5")), d("11"));
        assert_eq!(Currency::EUR.text(d("12.1")), "12.10");
        assert_eq!(Currency::new("JPY").unwrap().text(d("995.0")), "995");
    }

    #[test]
    fn allocation_adds_up_to_the_cent() {
        let parts = allocate(d("1.00"), &[d("1"), d("1"), d("1")], d("0.01"));
        assert_eq!(parts, vec![d("0.34"), d("0.33"), d("0.33")]);
        let parts = allocate(d("-0.05"), &[d("3"), d("7")], d("0.01"));
        assert_eq!(parts.iter().copied().sum::<Decimal>(), d("-0.05"));
        let parts = allocate(d("0.015"), &[d("1"), d("2")], d("0.01"));
        assert_eq!(parts.iter().copied().sum::<Decimal>(), d("0.015"));
    }
}
