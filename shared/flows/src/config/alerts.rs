//! Where alerts go: e-mail, a chat channel, the topic of the stack, and when the daily digest is sent.

use std::str::FromStr;

use chrono::NaiveTime;
use chrono_tz::Tz;
use koppel_core::error::Cause;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the secrets of alerts are sealed: no connection can have this name.
pub const ALERT_SECRETS: &str = "#alerts";
/// Name of the password of the mail server among the secrets.
pub const EMAIL_PASSWORD: &str = "email.password";
/// Name of the address of the chat channel among the secrets.
pub const SLACK_URL: &str = "slack.url";

/// Where alerts go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AlertsConfig {
    /// By e-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailConfig>,
    /// Into a chat channel, by an incoming webhook as Slack has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slack: Option<SlackConfig>,
    /// To the topic of the stack. Without this key they go there wherever there is a topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sns: Option<bool>,
    /// One summary a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<DigestConfig>,
}

/// A mail server and who gets mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// `smtps://user@host:465`, or `smtp://host:587`, which is encrypted by STARTTLS except on this machine.
    pub smtp: String,
    /// Sender.
    pub from: String,
    /// Receivers.
    pub to: Vec<String>,
    /// Password of the user: `${env:NAME}`, sealed when the configuration is applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// A chat channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlackConfig {
    /// Address of the incoming webhook, which is a secret: `${env:NAME}`.
    pub url: String,
}

/// When the daily digest is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DigestConfig {
    /// Time of day, `HH:MM`.
    pub at: String,
    /// Time zone of that time, and of all times in alerts; default UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
}

/// A mail server, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpServer {
    /// Encrypted from the first byte; else by STARTTLS, which is only left out on this machine.
    pub tls: bool,
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
    /// User, when the server wants one.
    pub user: Option<String>,
}

impl SmtpServer {
    /// The server is this machine, so nothing travels.
    pub fn is_loopback(&self) -> bool {
        matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "::1")
    }
}

impl EmailConfig {
    /// The mail server.
    pub fn server(&self) -> Result<SmtpServer, Cause> {
        let wrong = |why: &str| {
            Cause::new("bad_smtp", format!("«smtp» is not an address of a mail server: {why}"))
                .advice("write smtps://user@mail.example:465, or smtp://127.0.0.1:25 for this machine")
                .in_row("alerts.email.smtp")
        };
        let (tls, rest) = match self.smtp.trim().split_once("://") {
            Some(("smtps", rest)) => (true, rest),
            Some(("smtp", rest)) => (false, rest),
            _ => return Err(wrong("it begins with neither smtps:// nor smtp://")),
        };
        let (user, place) = match rest.trim_end_matches('/').rsplit_once('@') {
            Some((user, place)) => (Some(user.replace("%40", "@")), place),
            None => (None, rest.trim_end_matches('/')),
        };
        if user.as_ref().is_some_and(|user| user.contains(':')) {
            return Err(wrong("the password does not belong here").advice("put it in password: ${env:NAME}"));
        }
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && !port.ends_with(']') => {
                (host, port.parse().map_err(|_| wrong("the port is not a number"))?)
            }
            _ => (place, if tls { 465 } else { 25 }),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() || host.contains(['/', ' ', '?']) {
            return Err(wrong("there is no host in it"));
        }
        Ok(SmtpServer { tls, host, port, user })
    }
}

impl DigestConfig {
    /// The time of day.
    pub fn time(&self) -> Result<NaiveTime, Cause> {
        NaiveTime::parse_from_str(self.at.trim(), "%H:%M").map_err(|_| {
            Cause::new("bad_time", format!("«{}» is not a time of day", self.at))
                .advice("write at: \"07:30\"")
                .in_row("alerts.digest.at")
        })
    }

    /// The time zone.
    pub fn zone(&self) -> Result<Tz, Cause> {
        let name = self.timezone.as_deref().unwrap_or("UTC");
        Tz::from_str(name).map_err(|_| {
            Cause::new("unknown_timezone", format!("«{name}» is not a time zone"))
                .advice("use a name such as Europe/Amsterdam")
                .in_row("alerts.digest.timezone")
        })
    }
}

impl AlertsConfig {
    /// Time zone of times in alerts.
    pub fn zone(&self) -> Tz {
        self.digest.as_ref().and_then(|digest| digest.zone().ok()).unwrap_or(Tz::UTC)
    }

    /// Secrets by name, as they are written in the file.
    pub fn secrets(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let password = self.email.as_ref().and_then(|email| email.password.as_ref());
        let url = self.slack.as_ref().map(|slack| &slack.url);
        password.map(|text| (EMAIL_PASSWORD, text)).into_iter().chain(url.map(|text| (SLACK_URL, text)))
    }

    /// The same, to be changed.
    pub(super) fn secrets_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let password = self.email.as_mut().and_then(|email| email.password.as_mut());
        password.into_iter().chain(self.slack.as_mut().map(|slack| &mut slack.url))
    }

    /// Everything that is wrong.
    pub fn check(&self) -> Vec<Cause> {
        let mut causes = Vec::new();
        if let Some(email) = &self.email {
            match email.server() {
                Ok(server) if server.user.is_some() && email.password.is_none() => causes.push(
                    Cause::new("missing_key", "the mail server has a user and no password")
                        .advice("add password: ${env:NAME}")
                        .in_row("alerts.email.password"),
                ),
                Ok(_) => {}
                Err(cause) => causes.push(cause),
            }
            if email.to.is_empty() {
                causes.push(Cause::new("missing_key", "nobody gets the mail").in_row("alerts.email.to"));
            }
            for (row, address) in
                email.to.iter().map(|to| ("alerts.email.to", to)).chain([("alerts.email.from", &email.from)])
            {
                if !address.contains('@') || address.chars().any(char::is_control) {
                    let what = format!("«{address}» is not an e-mail address");
                    causes.push(Cause::new("bad_address", what).in_row(row));
                }
            }
        }
        for (name, text) in self.secrets() {
            if !(text.starts_with("${") && text.ends_with('}')) {
                causes.push(
                    Cause::new("secret_in_file", "this is a secret, and it does not belong in the file")
                        .advice("put it in an environment variable and write ${env:NAME}")
                        .in_row(format!("alerts.{name}")),
                );
            }
        }
        if let Some(digest) = &self.digest {
            causes.extend(digest.time().err());
            causes.extend(digest.zone().err());
        }
        causes
    }
}

#[cfg(test)]
mod tests {
    use super::super::{parse, resolve_secrets};
    use super::*;

    const GOOD: &str = r#"
alerts:
  email: { smtp: "smtps://shop%40example.test@mail.example.test:465", from: koppel@example.test, to: [a@example.test], password: "${env:MAIL}" }
  slack: { url: "${env:CHAT}" }
  sns: false
  digest: { at: "07:30", timezone: Europe/Amsterdam }
"#;

    fn causes(text: &str) -> String {
        let config = parse("koppel.yaml", text).unwrap();
        config.alerts.unwrap().check().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_whole_section_is_read_and_its_secrets_come_from_the_environment() {
        let config = parse("koppel.yaml", GOOD).unwrap();
        let alerts = config.alerts.clone().unwrap();
        assert!(alerts.check().is_empty(), "{:?}", alerts.check());
        let server = alerts.email.unwrap().server().unwrap();
        assert_eq!((server.tls, server.host.as_str(), server.port), (true, "mail.example.test", 465));
        assert_eq!(server.user.as_deref(), Some("shop@example.test"));
        let secrets = resolve_secrets(&config, |name| Some(format!("secret of {name}"))).unwrap();
        assert_eq!(secrets[ALERT_SECRETS][EMAIL_PASSWORD], "secret of MAIL");
        assert_eq!(secrets[ALERT_SECRETS][SLACK_URL], "secret of CHAT");
        let cause = resolve_secrets(&config, |name| (name == "MAIL").then(String::new)).unwrap_err().to_string();
        assert!(cause.contains("alerts.") && cause.contains("is not set"), "{cause}");
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let cause = parse("koppel.yaml", &GOOD.replace("digest:", "digst:")).unwrap_err().to_string();
        assert!(cause.contains("line 6") && cause.contains("did you mean «digest»?"), "{cause}");
        for (from, to, said) in [
            ("smtps://", "http://", "neither smtps:// nor smtp://"),
            ("shop%40example.test@", "user:pw@", "the password does not belong here"),
            ("\"${env:CHAT}\"", "https://chat.test/x", "alerts.slack.url"),
            ("07:30", "7 o'clock", "not a time of day"),
            ("Europe/Amsterdam", "Ons Dorp", "not a time zone"),
            (", password: \"${env:MAIL}\"", "", "no password"),
            ("[a@example.test]", "[]", "nobody gets the mail"),
            ("from: koppel@example.test", "from: koppel", "not an e-mail address"),
        ] {
            let found = causes(&GOOD.replace(from, to));
            assert!(found.contains(said), "{to}: {found}");
        }
    }

    #[test]
    fn a_mail_server_of_this_machine_needs_no_more_than_its_port() {
        let email = |smtp: &str| EmailConfig {
            smtp: smtp.to_owned(),
            from: "a@b.test".into(),
            to: vec!["c@d.test".into()],
            password: None,
        };
        let server = email("smtp://[::1]:2525").server().unwrap();
        assert!(server.is_loopback() && !server.tls && server.port == 2525, "{server:?}");
        assert_eq!(email("smtp://mail.test").server().unwrap().port, 25);
        assert!(email("smtp://").server().is_err());
    }
}
