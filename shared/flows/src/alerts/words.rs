//! What an alert says: what, where, since when, how many, what to do, and what happens meanwhile. Never a person's
//! data but the number of an order, and never a secret.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use koppel_core::keys::Tenant;

use super::{Alert, Detail, Kind, Severity};

/// Longest subject.
const SUBJECT: usize = 150;

/// A message to the people who look after the flows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// One line.
    pub subject: String,
    /// Text.
    pub text: String,
    /// How much it matters.
    pub severity: Severity,
    /// Why it is told.
    pub kind: Kind,
}

/// The message about an alert.
pub(super) fn message(alert: &Alert, kind: Kind, now: DateTime<Utc>, zone: Tz, tenant: &Tenant) -> Message {
    let lasted = lasting(now - alert.since);
    let title = alert.title.clone();
    let subject = match kind {
        Kind::Over => format!("Solved: {title}"),
        Kind::Again => format!("Still, for {lasted}: {title}"),
        Kind::First | Kind::More | Kind::Digest => title.clone(),
    };
    let mut lines = vec![title];
    let since = moment(alert.since, zone);
    if kind == Kind::Over {
        let gone = alert.gone_at.unwrap_or(now);
        lines.push(String::new());
        lines.push(format!(
            "This is over since {}. It had lasted {}, from {since}.",
            moment(gone, zone),
            lasting(gone - alert.since)
        ));
        lines.push("Nothing has to be done.".to_owned());
    } else {
        lines.push(format!("Since {since}, {lasted} ago."));
        for (number, detail) in alert.details.iter().enumerate() {
            lines.push(String::new());
            lines.extend(of_detail(number, alert.details.len(), detail));
        }
        if !alert.meanwhile.is_empty() {
            lines.push(String::new());
            lines.push(format!("Meanwhile: {}", alert.meanwhile));
        }
    }
    lines.push(String::new());
    lines.push(format!("Koppel, tenant {tenant}. All open alerts: koppel alerts"));
    let subject: String = format!("Koppel: {}", without_personal(&subject)).replace(['\n', '\r', '\t'], " ");
    let subject = match subject.char_indices().nth(SUBJECT) {
        Some((at, _)) => format!("{}…", &subject[..at]),
        None => subject,
    };
    Message { subject, text: without_personal(&lines.join("\n")), severity: alert.severity, kind }
}

fn of_detail(number: usize, of: usize, detail: &Detail) -> Vec<String> {
    let numbered = if of > 1 { format!("{}. ", number + 1) } else { String::new() };
    let mut lines = vec![format!("{numbered}What is wrong: {}", detail.what)];
    if !detail.records.is_empty() {
        let left = detail.count.saturating_sub(detail.records.len() as u64);
        let more = if left > 0 { format!(" and {left} more") } else { String::new() };
        lines.push(format!("   Which: {}{more}", detail.records.join(", ")));
    }
    if let Some(todo) = &detail.todo {
        lines.push(format!("   To do: {todo}"));
    }
    lines
}

/// A moment as a merchant reads it.
pub(super) fn moment(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%a %-d %b %Y %H:%M %Z").to_string()
}

fn lasting(time: TimeDelta) -> String {
    let counted = |n: i64, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    match (time.num_days(), time.num_hours(), time.num_minutes()) {
        (2.., ..) => counted(time.num_days(), "day"),
        (_, 2.., _) => counted(time.num_hours(), "hour"),
        (_, _, 1..) => counted(time.num_minutes(), "minute"),
        _ => "less than a minute".to_owned(),
    }
}

/// Masks what has no place outside: e-mail addresses, keys, tokens, and passwords in addresses.
pub fn without_personal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    for c in text.chars() {
        // Parentheses and quotes end a word; what is left may be an address, a key or an ordinary word.
        if c.is_whitespace() || "«»\"'(),;<>[]{}`".contains(c) {
            out.push_str(&masked(&word));
            word.clear();
            out.push(c);
        } else {
            word.push(c);
        }
    }
    out.push_str(&masked(&word));
    out
}

fn masked(word: &str) -> String {
    if let Some((before, address)) = word.split_once("://") {
        // A password of an address, and everything behind the question mark.
        let place = address.split_once('?').map_or(address, |(place, _)| place);
        let host_at = place.split('/').next().and_then(|host| host.rfind('@')).map_or(0, |at| at + 1);
        let cut = if place.len() < address.len() { "?…" } else { "" };
        let path: Vec<String> = place[host_at..]
            .split('/')
            .map(|part| if is_secret(part) { "…".to_owned() } else { part.to_owned() })
            .collect();
        return format!("{before}://{}{cut}", path.join("/"));
    }
    if let Some((name, domain)) = word.split_once('@')
        && !name.is_empty()
        && domain.contains('.')
    {
        return "(e-mail address)".to_owned();
    }
    match word.split_once(['=', ':']) {
        Some((name, value)) if is_secret(value) => format!("{name}=…"),
        _ if is_secret(word) => "…".to_owned(),
        _ => word.to_owned(),
    }
}

/// Looks like a key or a token: their usual beginnings, or long and of mixed characters as no word is.
fn is_secret(word: &str) -> bool {
    const BEGINNINGS: [&str; 7] = ["ck_", "cs_", "xoxb-", "xoxp-", "eyJ", "Bearer", "Basic"];
    if word.len() >= 12 && BEGINNINGS.iter().any(|beginning| word.starts_with(beginning)) {
        return true;
    }
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "_-+/=.~".contains(c));
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let letters = word.chars().filter(char::is_ascii_alphabetic).count();
    plain && word.len() >= 24 && digits >= 4 && letters >= 4 && !word.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_place_outside_is_masked_and_the_rest_stays() {
        for (text, shown) in [
            ("the customer jan.de.vries@example.test is unknown", "the customer (e-mail address) is unknown"),
            ("«jan@example.nl», order 23", "«(e-mail address)», order 23"),
            ("key ck_0123456789abcdef is refused", "key … is refused"),
            ("token=eyJhbGciOiJIUzI1NiJ9.abc", "token=…"),
            ("https://jan:geheim@shop.test/wp-json?consumer_secret=cs_1", "https://shop.test/wp-json?…"),
            ("https://hooks.test/services/T0/B0/abcdefgh12345678ijklmnop", "https://hooks.test/services/T0/B0/…"),
            ("SKU «MOK-WIT-2026» is not in Exact Online", "SKU «MOK-WIT-2026» is not in Exact Online"),
            (
                "koppel.yaml line 15, row flows.web-orders.settings.vat_code",
                "koppel.yaml line 15, row flows.web-orders.settings.vat_code",
            ),
            ("run 20261122T050804123Z", "run 20261122T050804123Z"),
        ] {
            assert_eq!(without_personal(text), shown);
        }
    }

    #[test]
    fn an_alert_says_what_where_since_when_how_many_and_what_to_do() {
        let since: DateTime<Utc> = "2026-11-22T05:08:00Z".parse().unwrap();
        let title = "web-orders: 3 orders wait: SKU «MOK» is not in Exact Online";
        let alert = Alert::new("waiting/web-orders/unknown_sku".into(), Severity::Warning, title.into(), since)
            .counting(3)
            .with(vec![Detail {
                what: "SKU «MOK» is not in Exact Online".into(),
                todo: Some("create the item or set default_item".into()),
                records: vec!["23".into(), "24".into()],
                count: 3,
            }])
            .meanwhile("They are tried again by themselves.");
        let tenant = Tenant("main".into());
        let said = message(&alert, Kind::Again, since + TimeDelta::hours(4), Tz::Europe__Amsterdam, &tenant);
        assert_eq!(said.subject, format!("Koppel: Still, for 4 hours: {title}"));
        assert_eq!(
            said.text,
            "web-orders: 3 orders wait: SKU «MOK» is not in Exact Online\n\
             Since Sun 22 Nov 2026 06:08 CET, 4 hours ago.\n\n\
             What is wrong: SKU «MOK» is not in Exact Online\n   Which: 23, 24 and 1 more\n   \
             To do: create the item or set default_item\n\n\
             Meanwhile: They are tried again by themselves.\n\n\
             Koppel, tenant main. All open alerts: koppel alerts"
        );
        let over = Alert { gone_at: Some(since + TimeDelta::minutes(5)), ..alert };
        let said = message(&over, Kind::Over, since + TimeDelta::minutes(6), Tz::UTC, &tenant);
        assert!(said.subject.starts_with("Koppel: Solved: web-orders: 3 orders"), "{said:?}");
        assert!(said.text.contains("It had lasted 5 minutes"), "{said:?}");
    }
}
