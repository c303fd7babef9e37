//! How rows leave the shop: decimals, `_fields`, PHP's JSON, paging headers.

use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Map, Value};

use super::orders::Paging;
use super::request::Params;
use crate::message::{Call, Reply};
use crate::text::parse_decimal;

/// The address in the recorded rows; it becomes the shop's own on the way out.
pub(super) const RECORDED_SITE: &str = "https://127.0.0.1:8443";

/// JSON as PHP writes it: slashes and everything beyond ASCII escaped.
pub(super) fn php_json(value: &Value) -> String {
    let plain = value.to_string();
    let mut out = String::with_capacity(plain.len() + plain.len() / 8);
    for letter in plain.chars() {
        match letter {
            '/' => out.push_str("\\/"),
            letter if letter.is_ascii() => out.push(letter),
            letter => {
                let mut units = [0; 2];
                for unit in letter.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out
}

/// A JSON answer of the shop.
pub(super) fn json(status: u16, value: &Value) -> Reply {
    Reply::typed(status, "application/json; charset=UTF-8", php_json(value))
}

/// Puts the shop's own address in the place of the recorded one.
pub(super) fn with_site(mut reply: Reply, site: &str) -> Reply {
    let from = RECORDED_SITE.replace('/', "\\/");
    let text = String::from_utf8_lossy(&reply.body);
    if text.contains(&from) {
        reply.body = text.replace(&from, &site.replace('/', "\\/")).into_bytes();
    }
    reply
}

/// A text amount with so many decimals; PHP rounds halves away from zero. What is no number stays as it is.
pub(super) fn with_decimals(text: &str, decimals: u32) -> String {
    match parse_decimal(text) {
        Some(value) => fixed(value, decimals),
        None => text.into(),
    }
}

/// A decimal with exactly so many decimals.
pub(super) fn fixed(value: Decimal, decimals: u32) -> String {
    let mut value = value.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero);
    value.rescale(decimals);
    value.to_string()
}

/// An order or refund with its amounts in so many decimals.
pub(super) fn order(row: &Value, decimals: u32) -> Value {
    const HEAD: &[&str] = &[
        "discount_total",
        "discount_tax",
        "shipping_total",
        "shipping_tax",
        "cart_tax",
        "total",
        "total_tax",
        "amount",
    ];
    const LINE: &[&str] = &["subtotal", "subtotal_tax", "total", "total_tax"];
    const TAX_LINE: &[&str] = &["tax_total", "shipping_tax_total"];
    let mut row = row.clone();
    format(&mut row, HEAD, decimals);
    for (list, fields) in [
        ("line_items", LINE),
        ("shipping_lines", LINE),
        ("fee_lines", LINE),
        ("tax_lines", TAX_LINE),
        ("refunds", LINE),
    ] {
        for line in row.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            format(line, fields, decimals);
            for tax in line.get_mut("taxes").and_then(Value::as_array_mut).into_iter().flatten() {
                format(tax, LINE, decimals);
            }
        }
    }
    row
}

fn format(row: &mut Value, fields: &[&str], decimals: u32) {
    for field in fields {
        if let Some(Value::String(text)) = row.get_mut(*field) {
            *text = with_decimals(text, decimals);
        }
    }
}

/// Keeps the asked fields; only the top level counts.
pub(super) fn select(row: Value, params: &Params) -> Value {
    let fields = params.list("_fields");
    match row {
        Value::Object(map) if !fields.is_empty() => {
            Value::Object(map.into_iter().filter(|(name, _)| fields.contains(name)).collect())
        }
        row => row,
    }
}

/// Keeps the asked paths, of whatever depth (batch answers are trimmed with them).
pub(super) fn select_paths(row: Value, params: &Params) -> Value {
    let fields = params.list("_fields");
    if fields.is_empty() {
        row
    } else {
        keep(row, &fields.iter().map(|path| path.split('.').collect()).collect::<Vec<_>>())
    }
}

fn keep(row: Value, paths: &[Vec<&str>]) -> Value {
    let below = |name: &str| -> Option<Vec<Vec<&str>>> {
        let hits: Vec<Vec<&str>> = paths.iter().filter(|p| p.first() == Some(&name)).map(|p| p[1..].to_vec()).collect();
        if hits.is_empty() { None } else { Some(hits) }
    };
    let part = |name: &str, value: Value| -> Option<Value> {
        below(name).map(|rest| if rest.iter().any(Vec::is_empty) { value } else { keep(value, &rest) })
    };
    match row {
        Value::Object(map) => {
            let kept: Map<String, Value> =
                map.into_iter().filter_map(|(name, value)| part(&name, value).map(|value| (name, value))).collect();
            Value::Object(kept)
        }
        Value::Array(list) => {
            list.into_iter().enumerate().filter_map(|(at, value)| part(&at.to_string(), value)).collect()
        }
        other => other,
    }
}

/// One page of rows, with the counting headers and the links to its neighbours.
pub(super) fn page(
    rows: Vec<&Value>,
    paging: &Paging,
    site: &str,
    call: &Call,
    empty_total: bool,
    finish: impl Fn(&Value) -> Value,
) -> Reply {
    let (page, per_page, offset) = (paging.page, paging.per_page, paging.offset);
    let total = rows.len() as i64;
    let pages = (total + per_page - 1) / per_page.max(1);
    let skip = offset.unwrap_or((page - 1).max(0).saturating_mul(per_page)).max(0);
    let shown: Vec<Value> = rows
        .into_iter()
        .skip(usize::try_from(skip).unwrap_or(usize::MAX))
        .take(per_page.max(0) as usize)
        .map(finish)
        .collect();
    // Past the last page orders lose their count, other lists keep it.
    let past = empty_total && shown.is_empty();
    let (total, pages) = if past { (0, 0) } else { (total, pages) };
    let mut links = Vec::new();
    let link = |to: i64, rel: &str| {
        let mut query: Vec<String> = call
            .query
            .split('&')
            .filter(|part| !part.is_empty() && !part.starts_with("page="))
            .map(Into::into)
            .collect();
        query.push(format!("page={to}"));
        format!("<{site}{}?{}>; rel=\"{rel}\"", call.path, query.join("&"))
    };
    if page > 1 {
        links.push(link((page - 1).min(pages.max(1)), "prev"));
    }
    if page < pages {
        links.push(link(page + 1, "next"));
    }
    let mut reply = json(200, &Value::Array(shown)).with("X-WP-Total", total).with("X-WP-TotalPages", pages);
    if !links.is_empty() {
        reply = reply.with("Link", links.join(", "));
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_reads_as_php_writes_it() {
        assert_eq!(php_json(&json!({"a": "één/twee €"})), r#"{"a":"\u00e9\u00e9n\/twee \u20ac"}"#);
    }

    #[test]
    fn decimals_are_cut_half_away_from_zero() {
        assert_eq!(with_decimals("18.805500", 2), "18.81");
        assert_eq!(with_decimals("-12.1", 6), "-12.100000");
        assert_eq!(with_decimals("", 2), "");
    }
}
