//! A request as a connector describes it, before it is bound to a host. Query pairs keep their order and are encoded
//! by RFC 3986, because OAuth 1.0a signs exactly that text.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encodes a query part or a path segment by RFC 3986.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// HTTP methods that connectors use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates (or asks, where a system reads by POST; see [`Request::reads`]).
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    /// The method's name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// What a request carries.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// JSON, sent with `Content-Type: application/json`.
    Json(Value),
    /// Form pairs, sent with `Content-Type: application/x-www-form-urlencoded`.
    Form(Vec<(String, String)>),
    /// A file, sent with its own media type.
    File {
        /// Media type, such as `image/jpeg`.
        media_type: String,
        /// Content.
        bytes: Vec<u8>,
    },
}

/// A request without a host.
#[derive(Clone, PartialEq)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Path below the connection's base address (segments already encoded), or an absolute address on the same host.
    pub path: String,
    /// Query pairs, in order, not encoded.
    pub query: Vec<(String, String)>,
    /// Extra headers; they are never logged or recorded.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Body,
    writes: bool,
    endpoint: Option<String>,
}

impl Request {
    /// A request with this method.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::Empty,
            writes: method != Method::Get,
            endpoint: None,
        }
    }

    /// A GET.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::Get, path)
    }

    /// A POST.
    pub fn post(path: impl Into<String>) -> Self {
        Self::new(Method::Post, path)
    }

    /// A PUT.
    pub fn put(path: impl Into<String>) -> Self {
        Self::new(Method::Put, path)
    }

    /// A DELETE.
    pub fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::Delete, path)
    }

    /// Adds a query pair.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.query.push((name.into(), value.to_string()));
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a bearer token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", format!("Bearer {token}"))
    }

    /// Sends JSON.
    #[must_use]
    pub fn json(mut self, body: Value) -> Self {
        self.body = Body::Json(body);
        self
    }

    /// Sends a form.
    #[must_use]
    pub fn form<N: Into<String>, V: Into<String>>(mut self, pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        self.body = Body::Form(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect());
        self
    }

    /// Sends a file.
    #[must_use]
    pub fn file(mut self, media_type: impl Into<String>, bytes: Vec<u8>) -> Self {
        self.body = Body::File { media_type: media_type.into(), bytes };
        self
    }

    /// Marks a POST (or PUT) that changes nothing, so that a lost answer is simply asked again.
    #[must_use]
    pub fn reads(mut self) -> Self {
        self.writes = false;
        self
    }

    /// Names the endpoint whose error answers are counted together; the default is the path without ids.
    #[must_use]
    pub fn endpoint(mut self, name: impl Into<String>) -> Self {
        self.endpoint = Some(name.into());
        self
    }

    /// The request may change something on the other side.
    pub fn writes(&self) -> bool {
        self.writes
    }

    /// Name under which error answers are counted: what was given, else the path with ids left out.
    pub fn endpoint_name(&self) -> String {
        if let Some(name) = &self.endpoint {
            return name.clone();
        }
        let path = self.path.split('?').next().unwrap_or_default();
        let path = path.split_once("://").map_or(path, |(_, rest)| rest.split_once('/').map_or("", |(_, path)| path));
        let parts: Vec<&str> = path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(|part| part.split('(').next().unwrap_or_default())
            .map(|part| if part.bytes().any(|b| b.is_ascii_digit()) && !is_version(part) { "*" } else { part })
            .collect();
        format!("{} /{}", self.method.name(), parts.join("/"))
    }

    /// The query as sent, without the question mark.
    pub fn query_text(&self) -> String {
        let pairs: Vec<String> =
            self.query.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        pairs.join("&")
    }
}

/// `v1`, `v3`: part of the address, not an id.
fn is_version(part: &str) -> bool {
    part.strip_prefix('v').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}

// Headers hold credentials, bodies hold people: neither belongs in a `{:?}`.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method.name())
            .field("endpoint", &self.endpoint_name())
            .field("headers", &self.headers.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_is_encoded_by_rfc_3986() {
        let request = Request::get("orders").query("a b", "c+d/é~").query("include[0]", 1);
        assert_eq!(request.query_text(), "a%20b=c%2Bd%2F%C3%A9~&include%5B0%5D=1");
    }

    #[test]
    fn ids_do_not_make_another_endpoint() {
        assert_eq!(Request::get("wp-json/wc/v3/orders/31").endpoint_name(), "GET /wp-json/wc/v3/orders/*");
        assert_eq!(
            Request::get("https://x.test/api/v1/123/crm/Accounts(guid'1')?$top=1").endpoint_name(),
            "GET /api/v1/*/crm/Accounts"
        );
        assert_eq!(Request::post("x/1").endpoint("orders").endpoint_name(), "orders");
    }

    #[test]
    fn debug_shows_no_credentials() {
        let text = format!("{:?}", Request::get("x").bearer("s3cret").query("consumer_secret", "s3cret"));
        assert!(!text.contains("s3cret"), "{text}");
    }
}
