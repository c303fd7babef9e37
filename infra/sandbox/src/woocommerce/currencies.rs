//! Currencies an order may be in.

/// Codes the shop knows; a part of its long list.
pub(super) const CODES: &[&str] =
    &["AUD", "BGN", "CAD", "CHF", "CZK", "DKK", "EUR", "GBP", "HUF", "JPY", "NOK", "PLN", "RON", "SEK", "TRY", "USD"];

/// How an amount in it is written.
pub(super) fn symbol(code: &str) -> &str {
    match code {
        "EUR" => "€",
        "GBP" => "£",
        "USD" | "AUD" | "CAD" => "$",
        "JPY" => "¥",
        "PLN" => "zł",
        "CZK" => "Kč",
        "DKK" | "NOK" | "SEK" => "kr",
        other => other,
    }
}
