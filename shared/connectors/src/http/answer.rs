//! An answer, read completely, with the tolerance that shops on shared hosting need.

use std::time::Duration;

use chrono::{DateTime, Utc};
use koppel_core::Cause;
use koppel_core::ports::target::Picture;
use ring::digest::{SHA256, digest};
use serde_json::Value;

/// Status, headers and body of an answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The status is 200–299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header with this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// A header that holds a number.
    pub fn header_number(&self, name: &str) -> Option<u64> {
        self.header(name)?.trim().parse().ok()
    }

    /// The body as text; bytes that are no UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body is a web page: a maintenance page, a login page, a firewall.
    pub fn is_html(&self) -> bool {
        if self.header("content-type").is_some_and(|kind| kind.to_ascii_lowercase().contains("html")) {
            // Some shops send JSON under the wrong type; only what does not parse is a page.
            return self.json().is_err();
        }
        let start = self.text();
        let start = start.trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
        start.starts_with("<!doctype html") || start.starts_with("<html") || start.starts_with("<head")
    }

    /// The body as JSON.
    ///
    /// A byte-order mark and PHP warnings printed before the JSON are skipped, but only when everything from the first
    /// bracket to the end is JSON: anything less certain is an error.
    pub fn json(&self) -> Result<Value, Cause> {
        let text = self.text();
        let text = text.trim_start_matches('\u{feff}').trim();
        let error = match serde_json::from_str(text) {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let starts = text.char_indices().filter(|(_, c)| matches!(c, '{' | '[')).map(|(at, _)| at);
        for start in starts.take(50) {
            if let Ok(value @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str::<Value>(&text[start..])
                && value.as_array().is_none_or(|list| list.is_empty() || list.iter().all(Value::is_object))
            {
                return Ok(value);
            }
        }
        Err(Cause::new("answer_is_not_json", format!("the answer (status {}) is not JSON: {error}", self.status)))
    }

    /// The body as the picture that lies at `url`, under the name that the address ends with; `None` when it is none.
    pub fn picture(self, url: &str) -> Option<Picture> {
        let media_type = self.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !media_type.starts_with("image/") || self.body.is_empty() {
            return None;
        }
        let path = url.split(['?', '#']).next().unwrap_or_default();
        Some(Picture {
            url: url.to_owned(),
            name: path.rsplit('/').next().unwrap_or_default().to_owned(),
            media_type: media_type.to_owned(),
            sha256: digest(&SHA256, &self.body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
            bytes: self.body,
        })
    }

    /// The wait that `Retry-After` asks for, as seconds or as a date.
    pub fn retry_after(&self, now: DateTime<Utc>) -> Option<Duration> {
        let text = self.header("retry-after")?.trim();
        if let Ok(seconds) = text.parse::<u64>() {
            return Some(Duration::from_secs(seconds));
        }
        let until = DateTime::parse_from_rfc2822(text).ok()?;
        (until.with_timezone(&Utc) - now).to_std().ok()
    }
}

// Bodies hold people, headers hold cookies.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: &str, body: &str) -> Answer {
        Answer { status: 200, headers: vec![("content-type".into(), kind.into())], body: body.into() }
    }

    #[test]
    fn noise_before_json_is_skipped_only_when_json_clearly_follows() {
        let json = serde_json::json!([{"id": 1}]);
        assert_eq!(answer("application/json", "\u{feff}[{\"id\":1}]").json().unwrap(), json);
        assert_eq!(
            answer("text/html", "<b>Warning</b>: x [y] in a.php on line 3<br />\n[{\"id\":1}]").json().unwrap(),
            json
        );
        assert!(answer("text/html", "<html>[1] {x}</html>").json().is_err());
        assert!(answer("application/json", "[{\"id\":1}] trailing").json().is_err());
        assert!(answer("text/plain", "see [1]").json().is_err());
    }

    #[test]
    fn a_page_is_recognised_with_and_without_its_type() {
        assert!(answer("text/html; charset=UTF-8", "<p>Maintenance</p>").is_html());
        assert!(answer("", " <!DOCTYPE html><html>").is_html());
        assert!(!answer("text/html", "{\"a\":1}").is_html());
        assert!(!answer("application/json", "").is_html());
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let now = DateTime::parse_from_rfc3339("2026-11-22T06:00:00Z").unwrap().with_timezone(&Utc);
        let mut answer = answer("", "");
        answer.headers.push(("retry-after".into(), "17".into()));
        assert_eq!(answer.retry_after(now), Some(Duration::from_secs(17)));
        answer.headers[1].1 = "Sun, 22 Nov 2026 06:01:00 GMT".into();
        assert_eq!(answer.retry_after(now), Some(Duration::from_secs(60)));
        answer.headers[1].1 = "Sun, 22 Nov 2026 05:01:00 GMT".into();
        assert_eq!(answer.retry_after(now), None);
    }
}
