//! Consent and tokens: the country sites, the two token calls, and what each error of the token endpoint means.
//!
//! A refresh is only accepted from 570 seconds after the last one, a token ends after 600, and every refresh token works
//! once. The keeper of the kit holds the lease; this file only knows Exact's side of it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono_tz::Tz;
use koppel_core::connection::Connection;
use koppel_core::error::nearest;
use koppel_core::ports::Calls;
use koppel_core::system::Limits;
use koppel_core::{Cause, Failure};

use crate::http::oauth2::{CodeGrant, CodeSite, CountsFrom, Refusal, TokenEndpoint, TokenError, TokenKeeper, TokenSet};
use crate::http::{Deps, HttpClient};

/// Age from which a refresh is accepted.
const MIN_AGE: Duration = Duration::from_secs(570);
/// A token is not used during its last seconds.
const MARGIN: Duration = Duration::from_secs(10);
/// From the first second in which a refresh is accepted, whoever comes along renews.
const RENEW_AHEAD: Duration = Duration::from_secs(30);

/// Country, site and time zone of the site.
const SITES: [(&str, &str, Tz); 7] = [
    ("nl", "https://start.exactonline.nl", Tz::Europe__Amsterdam),
    ("be", "https://start.exactonline.be", Tz::Europe__Brussels),
    ("de", "https://start.exactonline.de", Tz::Europe__Berlin),
    ("fr", "https://start.exactonline.fr", Tz::Europe__Paris),
    ("es", "https://start.exactonline.es", Tz::Europe__Madrid),
    ("uk", "https://start.exactonline.co.uk", Tz::Europe__London),
    ("us", "https://start.exactonline.com", Tz::America__New_York),
];

/// Where a connection lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Site {
    /// Base address, without a slash at its end.
    pub base: String,
    /// Zone of the dates in answers.
    pub zone: Tz,
    /// Currency of the country.
    currency: &'static str,
}

impl Site {
    /// The site of the option `country`; `url` and `timezone` take the place of what follows from it.
    pub fn of(connection: &Connection) -> Result<Self, Failure> {
        let url = connection.option("url");
        let country = connection.option("country").map(|country| country.to_lowercase());
        let known = country.as_deref().and_then(|country| SITES.iter().find(|(code, ..)| *code == country));
        if known.is_none() && (country.is_some() || url.is_none()) {
            return Err(unknown_country(country.as_deref()).map_cause(|cause| cause.at_connection(&connection.name)));
        }
        let zone = match connection.option("timezone") {
            Some(name) => name.parse().map_err(|_| {
                let near = nearest(&name, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()));
                Failure::settings(
                    Cause::new("unknown_timezone", format!("«{name}» is not a time zone"))
                        .advice(near.map_or_else(|| "use a name such as Europe/Amsterdam".into(), did_you_mean))
                        .in_row("timezone")
                        .at_connection(&connection.name),
                )
            })?,
            None => known.map_or(Tz::Europe__Amsterdam, |(_, _, zone)| *zone),
        };
        let currency = known.map_or("EUR", |(country, ..)| match *country {
            "uk" => "GBP",
            "us" => "USD",
            _ => "EUR",
        });
        let base = url.or_else(|| known.map(|(_, base, _)| (*base).to_owned())).unwrap_or_default();
        Ok(Self { base: base.trim_end_matches('/').to_owned(), zone, currency })
    }

    /// Currency of sales prices: that of the country, unless the option `currency` says another.
    pub fn currency(&self, connection: &Connection) -> Result<String, Failure> {
        let Some(code) = connection.option("currency") else { return Ok(self.currency.to_owned()) };
        if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Ok(code);
        }
        Err(Failure::settings(
            Cause::new("bad_option", format!("«{code}» is not the code of a currency"))
                .advice("write three capital letters, such as EUR")
                .in_row("currency")
                .at_connection(&connection.name),
        ))
    }
}

fn did_you_mean(name: &str) -> String {
    format!("did you mean «{name}»?")
}

fn unknown_country(country: Option<&str>) -> Failure {
    let codes = SITES.map(|(code, ..)| code);
    let message = match country {
        Some(country) => format!("Exact Online has no country site «{country}»"),
        None => "the country site is missing".to_owned(),
    };
    let near = country.and_then(|country| nearest(country, codes));
    let advice = near.map_or_else(|| format!("set country to one of {}", codes.join(", ")), did_you_mean);
    Failure::settings(Cause::new("unknown_country", message).advice(advice).in_row("country"))
}

/// The keeper of a connection's tokens; also what asks for consent.
pub fn token_keeper(connection: &Connection, deps: &Deps) -> Result<TokenKeeper, Failure> {
    let site = Site::of(connection)?;
    // Token calls are not counted in the budget of a division, so this client has no limits.
    let http = HttpClient::new(connection, &site.base, &Limits::default(), deps)?;
    let endpoint = Endpoint(CodeGrant { connection: connection.clone(), http, site: &CODE_SITE });
    Ok(TokenKeeper::new(connection, Arc::new(endpoint), deps))
}

static CODE_SITE: CodeSite = CodeSite {
    name: "Exact",
    authorize_path: "api/oauth2/auth",
    token_path: "api/oauth2/token",
    credential_advice: "copy it from the app registration at Exact into credentials",
    redirect_advice: "set redirect_uri to exactly the address in the app registration; it begins with https://",
    // An early refresh is refused and counts as an error, while a token that ends a moment sooner than counted is covered
    // by the margin.
    counts_from: CountsFrom::Answer,
    error,
};

struct Endpoint(CodeGrant);

#[async_trait]
impl TokenEndpoint for Endpoint {
    /// Without force_login Exact silently uses whoever is logged in, which is what most people want.
    fn authorize_url(&self, state: &str) -> Result<String, Failure> {
        self.0.authorize_url(&[("state", state)])
    }

    async fn exchange_code(&self, code: &str, calls: &Calls) -> Result<TokenSet, TokenError> {
        self.0.exchange_code(code, Vec::new(), calls).await
    }

    async fn refresh(&self, current: &TokenSet, calls: &Calls) -> Result<TokenSet, TokenError> {
        self.0.refresh(current, calls).await
    }

    fn min_age(&self) -> Duration {
        MIN_AGE
    }

    fn margin(&self) -> Duration {
        MARGIN
    }

    fn renew_ahead(&self) -> Duration {
        RENEW_AHEAD
    }
}

/// What an error body of the token endpoint means.
fn error(refusal: &Refusal, _renews: bool) -> TokenError {
    let said = refusal.description.to_lowercase();
    let told = refusal.told();
    match refusal.error.as_str() {
        error if refusal.reason.contains("tooearly") || (error == "access_denied" && said.contains("not expired")) => {
            TokenError::TooEarly(Cause::new("token_too_young", "the token is too young to be renewed"))
        }
        _ if said.contains("old refresh token") => TokenError::Old(Cause::new(
            "old_refresh_token",
            "the refresh token was already used, and no newer one is known",
        )),
        "invalid_grant" => TokenError::Dead(Cause::new("grant_refused", format!("Exact refused the token ({told})"))),
        _ => TokenError::Failed(Failure::settings(
            Cause::new("token_request_refused", format!("Exact refused the token request ({told})"))
                .advice("compare client_id, client_secret and redirect_uri with the app registration at Exact"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Answer, testing};
    use serde_json::json;

    #[test]
    fn the_country_decides_the_site_and_the_url_takes_its_place() {
        let site = |options| Site::of(&testing::connection("exact-online", options, &[]));
        for (country, base, zone) in [
            ("nl", "https://start.exactonline.nl", "Europe/Amsterdam"),
            ("BE", "https://start.exactonline.be", "Europe/Brussels"),
            ("uk", "https://start.exactonline.co.uk", "Europe/London"),
            ("es", "https://start.exactonline.es", "Europe/Madrid"),
        ] {
            let site = site(json!({ "country": country })).unwrap();
            assert_eq!((site.base.as_str(), site.zone.name()), (base, zone));
        }
        let sandbox = site(json!({"country":"fr","url":"http://127.0.0.1:1/","timezone":"Europe/Madrid"})).unwrap();
        assert_eq!((sandbox.base.as_str(), sandbox.zone.name()), ("http://127.0.0.1:1", "Europe/Madrid"));
        assert_eq!(site(json!({})).unwrap_err().cause().code, "unknown_country");
        assert_eq!(site(json!({"country":"it"})).unwrap_err().class(), "settings");
        let zone = site(json!({"country":"nl","timezone":"Europe/Amsterdm"})).unwrap_err();
        assert!(zone.to_string().contains("Europe/Amsterdam"), "{zone}");
    }

    #[test]
    fn every_error_body_of_the_token_endpoint() {
        let kind = |status, body: &str| {
            let answer = Answer { status, headers: Vec::new(), body: body.into() };
            match error(&Refusal::of(&answer), true) {
                TokenError::TooEarly(_) => "too early",
                TokenError::Old(_) => "old",
                TokenError::Dead(_) => "dead",
                TokenError::Lost(_) => "lost",
                TokenError::Failed(failure) => failure.class(),
            }
        };
        for (status, body, wanted) in [
            (400, include_str!("fixtures/token-too-early.json"), "too early"),
            (401, include_str!("fixtures/token-old.json"), "old"),
            (400, include_str!("fixtures/token-other-chain.json"), "dead"),
            (400, r#"{"error":"invalid_grant"}"#, "dead"),
            (400, r#"{"error":"invalid_request"}"#, "settings"),
            (401, r#"{"error":"unauthorized_client"}"#, "settings"),
        ] {
            assert_eq!(kind(status, body), wanted, "{body}");
        }
        let early = Answer {
            status: 400,
            headers: vec![("reason".into(), "TooEarlyToRefreshTokens: wait".into())],
            body: br#"{"error":"x"}"#.to_vec(),
        };
        assert!(matches!(error(&Refusal::of(&early), true), TokenError::TooEarly(_)));
    }

    #[test]
    fn the_consent_address_holds_what_exact_asks_for() {
        let (_, _, deps) = testing::world();
        let options = json!({"country":"nl","redirect_uri":"https://koppel.example/back"});
        let connection =
            testing::connection("exact-online", options, &[("client_id", "{a-b}"), ("client_secret", "s")]);
        let url = token_keeper(&connection, &deps).unwrap().authorize_url("st/1").unwrap();
        assert_eq!(
            url,
            "https://start.exactonline.nl/api/oauth2/auth?response_type=code&client_id=%7Ba-b%7D\
             &redirect_uri=https%3A%2F%2Fkoppel.example%2Fback&state=st%2F1"
        );
        let bare = testing::connection("exact-online", json!({"country":"nl"}), &[("client_id", "x")]);
        assert_eq!(
            token_keeper(&bare, &deps).unwrap().authorize_url("s").unwrap_err().cause().code,
            "missing_redirect_uri"
        );
    }
}
