//! What a failed connection means: nobody there, nobody known by that name, a certificate that does not hold, or an
//! answer that got lost.

use std::error::Error;
use std::io;

use koppel_core::error::RetryReason;
use koppel_core::{Cause, Failure};

use super::Request;

/// Turns a transport error into a decision. A write that may have reached the other side has an unknown outcome.
pub(super) fn failure(request: &Request, host: &str, error: &reqwest::Error) -> Failure {
    let facts = facts(error);
    if let Some(certificate) = facts.certificate {
        return Failure::settings(
            Cause::new("certificate_refused", format!("the certificate of {host} is not accepted: {certificate}"))
                .advice("renew the certificate, or name the private authority's file in ca_file"),
        );
    }
    let retry = |reason, code: &str, text: String| Failure::retry(reason, None, Cause::new(code, text));
    if error.is_connect() {
        let (code, text) = if facts.dns {
            ("unknown_host", format!("no address is known for {host}: check the url, or try again when DNS works"))
        } else if error.is_timeout() {
            ("no_connection", format!("{host} does not accept a connection in time"))
        } else {
            ("no_connection", format!("{host} does not accept a connection ({})", facts.last))
        };
        return retry(RetryReason::Unavailable, code, text);
    }
    let reason = if request.writes() { RetryReason::OutcomeUnknown } else { RetryReason::Unavailable };
    if error.is_timeout() {
        return retry(reason, "no_answer", format!("{host} did not answer in time"));
    }
    retry(reason, "connection_lost", format!("the connection to {host} was lost ({})", facts.last))
}

struct Facts {
    dns: bool,
    certificate: Option<String>,
    last: String,
}

/// Walks down the chain of causes. An `io::Error` hides its inner error from `source()`, hence the second look.
fn facts(error: &reqwest::Error) -> Facts {
    let mut facts = Facts { dns: false, certificate: None, last: String::new() };
    let mut next: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = next {
        facts.look(error);
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    facts
}

impl Facts {
    fn look(&mut self, error: &(dyn Error + 'static)) {
        let text = error.to_string();
        self.dns |= text.contains("dns error") || text.contains("failed to lookup address");
        if let Some(rustls::Error::InvalidCertificate(why)) = error.downcast_ref::<rustls::Error>() {
            self.certificate = Some(match why {
                rustls::CertificateError::UnknownIssuer => "its authority is not known".to_owned(),
                rustls::CertificateError::Expired | rustls::CertificateError::ExpiredContext { .. } => {
                    "it has expired".to_owned()
                }
                rustls::CertificateError::NotValidForName | rustls::CertificateError::NotValidForNameContext { .. } => {
                    "it belongs to another host name".to_owned()
                }
                other => format!("{other:?}"),
            });
        }
        self.last = text;
    }
}
