//! Alerts by e-mail: one plain message to everybody, encrypted unless the mail server is this machine.

use std::collections::BTreeMap;

use async_trait::async_trait;
use koppel_core::{Cause, Failure};
use koppel_flows::alerts::{Message, Severity};
use koppel_flows::config::{EMAIL_PASSWORD, EmailConfig, SmtpServer};
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use super::{Channel, TIMEOUT, unavailable};

/// A mail server and who gets mail.
pub struct Email {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
    server: SmtpServer,
}

impl Email {
    /// Over the server of a configuration, with the password from `secrets`.
    pub fn new(config: &EmailConfig, secrets: &BTreeMap<String, String>) -> Result<Self, Failure> {
        let server = config.server().map_err(Failure::settings)?;
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&server.host)
            .port(server.port)
            .timeout(Some(TIMEOUT))
            .tls(encryption(&server)?);
        if let Some(user) = &server.user {
            let password = secrets.get(EMAIL_PASSWORD).cloned().ok_or_else(|| {
                Failure::settings(
                    Cause::new("missing_password", "the password of the mail server is not stored")
                        .advice("run koppel apply again")
                        .in_row("alerts.email.password"),
                )
            })?;
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        let to = config.to.iter().map(|to| mailbox(to, "alerts.email.to")).collect::<Result<_, _>>()?;
        Ok(Self { transport: builder.build(), from: mailbox(&config.from, "alerts.email.from")?, to, server })
    }

    fn message(&self, message: &Message) -> Result<lettre::Message, Failure> {
        let mut builder: MessageBuilder = lettre::Message::builder()
            .from(self.from.clone())
            .subject(message.subject.clone())
            .header(ContentType::TEXT_PLAIN)
            .message_id(None);
        if message.severity == Severity::Critical {
            builder =
                builder.raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Importance"), "high".to_owned()));
        }
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        builder
            .body(message.text.clone())
            .map_err(|error| Failure::settings(Cause::new("bad_mail", format!("the mail cannot be written: {error}"))))
    }
}

#[async_trait]
impl Channel for Email {
    fn name(&self) -> String {
        let to: Vec<String> = self.to.iter().map(|to| to.email.to_string()).collect();
        format!("email to {} by {}:{}", to.join(", "), self.server.host, self.server.port)
    }

    async fn send(&self, message: &Message) -> Result<(), Failure> {
        let mail = self.message(message)?;
        self.transport.send(mail).await.map(|_| ()).map_err(|error| {
            let place = format!("{}:{}", self.server.host, self.server.port);
            let cause = Cause::new("mail_refused", format!("the mail server {place} did not take the mail: {error}"));
            let advice = if error.is_permanent() {
                "look at user, password, sender and receivers in alerts.email"
            } else {
                "look at alerts.email.smtp, and whether the server can be reached from here"
            };
            unavailable(cause.advice(advice))
        })
    }
}

fn encryption(server: &SmtpServer) -> Result<Tls, Failure> {
    if !server.tls && server.is_loopback() {
        return Ok(Tls::None);
    }
    let parameters = TlsParameters::new(server.host.clone()).map_err(|error| {
        Failure::settings(Cause::new("tls_unavailable", format!("TLS cannot be set up for mail: {error}")))
    })?;
    Ok(if server.tls { Tls::Wrapper(parameters) } else { Tls::Required(parameters) })
}

fn mailbox(text: &str, row: &str) -> Result<Mailbox, Failure> {
    text.parse().map_err(|_| {
        let what = format!("«{text}» is not an e-mail address");
        Failure::settings(Cause::new("bad_address", what).in_row(row))
    })
}
