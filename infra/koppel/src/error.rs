//! How a command ends: exit codes, and errors that name the place and the next step.

use std::process::ExitCode;

use koppel_core::error::RetryReason;
use koppel_core::{Cause, Failure};
use serde_json::json;

/// How a command ended. The numbers are part of the command line's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Wrong usage or configuration.
    Settings = 2,
    /// Done, but records were rejected or wait.
    Attention = 3,
    /// A connection needs consent or other credentials.
    Consent = 4,
    /// The other side could not be reached, or a limit was reached.
    Unreachable = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The exit codes as `--help` shows them.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed
  2  wrong usage or configuration
  3  done, but records need attention (rejected or waiting)
  4  a connection needs consent
  5  the other side could not be reached";

/// Why a command did not do what was asked: one cause or several, each a line of its own.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", self.text())]
pub struct CliError {
    /// What is wrong, the most important first.
    pub causes: Vec<Cause>,
    /// How the command ends.
    pub exit: Exit,
    /// Lines below the cause of the same place in the list, such as a cell with a mark under its mistake.
    pub snippets: Vec<Option<String>>,
}

impl CliError {
    /// One cause.
    pub fn new(exit: Exit, cause: Cause) -> Self {
        Self { causes: vec![cause], exit, snippets: Vec::new() }
    }

    /// Wrong usage or configuration.
    pub fn settings(cause: Cause) -> Self {
        Self::new(Exit::Settings, cause)
    }

    /// Adds to every cause.
    #[must_use]
    pub fn map_causes(mut self, change: impl Fn(Cause) -> Cause) -> Self {
        self.causes = self.causes.into_iter().map(change).collect();
        self
    }

    /// Shows something below every cause.
    #[must_use]
    pub fn with_snippets(mut self, snippet: impl Fn(&Cause) -> Option<String>) -> Self {
        self.snippets = self.causes.iter().map(snippet).collect();
        self
    }

    /// One line for each cause, and what is shown below it.
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        for (index, cause) in self.causes.iter().enumerate() {
            lines.push(format!("error: {cause}"));
            lines.extend(self.snippets.get(index).cloned().flatten());
        }
        lines.join("\n")
    }

    /// The error as one JSON document.
    pub fn to_json(&self) -> serde_json::Value {
        let first = self.causes.first().map(cause_json).unwrap_or_default();
        if self.causes.len() < 2 {
            return json!({ "error": first });
        }
        json!({ "error": first, "errors": self.causes.iter().map(cause_json).collect::<Vec<_>>() })
    }
}

fn cause_json(cause: &Cause) -> serde_json::Value {
    json!({ "code": cause.code, "message": cause.message, "advice": cause.advice, "place": cause.place })
}

impl From<Failure> for CliError {
    fn from(failure: Failure) -> Self {
        let exit = match &failure {
            Failure::Retry { reason: RetryReason::Busy, .. } => Exit::Failed,
            Failure::Retry { .. } => Exit::Unreachable,
            Failure::Reject(_) => Exit::Failed,
            Failure::Settings(_) => Exit::Settings,
            Failure::Auth(_) => Exit::Consent,
        };
        Self::new(exit, failure.cause().clone())
    }
}

impl From<Vec<Cause>> for CliError {
    fn from(causes: Vec<Cause>) -> Self {
        Self { causes, exit: Exit::Settings, snippets: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_of_a_failure_decides_the_exit_code() {
        let cause = Cause::new("x", "y");
        let exit = |failure: Failure| CliError::from(failure).exit;
        assert_eq!(exit(Failure::auth(cause.clone())), Exit::Consent);
        assert_eq!(exit(Failure::settings(cause.clone())), Exit::Settings);
        assert_eq!(exit(Failure::retry(RetryReason::Unavailable, None, cause.clone())), Exit::Unreachable);
        assert_eq!(exit(Failure::reject(cause)), Exit::Failed);
    }

    #[test]
    fn json_names_all_causes_and_the_first_by_itself() {
        let error = CliError::from(vec![Cause::new("a", "one").advice("do"), Cause::new("b", "two")]);
        let json = error.to_json();
        assert_eq!(json["error"]["code"], "a");
        assert_eq!(json["errors"][1]["message"], "two");
        assert_eq!(error.text(), "error: one. To do: do\nerror: two");
    }
}
