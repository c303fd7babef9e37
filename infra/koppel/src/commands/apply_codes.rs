//! Whether the codes of a configuration exist, before it is put in force.

use koppel_core::ports::{Calls, Priority};
use koppel_core::{Cause, Failure};
use koppel_flows::catalogue::{Checked, check_codes};
use koppel_flows::config::{Config, Secrets};
use koppel_flows::connections;
use serde_json::{Value, json};

use crate::output::{Output, count};
use crate::place::Place;

/// What became of all codes.
#[derive(Debug, Default)]
pub struct Codes {
    checked: Checked,
    skipped: bool,
}

impl Codes {
    /// Nothing is looked up.
    pub fn skipped() -> Self {
        Self { skipped: true, ..Self::default() }
    }

    /// Looks up the codes of every flow. Those that are wrong are the error; who cannot be asked is only told.
    pub async fn check(place: &Place, config: &Config, secrets: &Secrets, file: &str) -> Result<Self, Vec<Cause>> {
        let one = |failure: Failure| vec![failure.cause().clone()];
        let mut checked = Checked::default();
        let connection_of = |name: &str| {
            let settings = config.connections.get(name)?;
            let secrets = secrets.get(name).cloned().unwrap_or_default();
            Some(connections::assemble(&place.tenant, name, settings, secrets))
        };
        for (name, flow) in &config.flows {
            let (engine, tenant, calls) = (&place.engine, &place.tenant, Calls::new(Priority::Customers));
            check_codes(engine, tenant, (name, flow), connection_of, &calls, &mut checked).await.map_err(one)?;
        }
        if !checked.wrong.is_empty() {
            return Err(checked.wrong.into_iter().map(|cause| cause.in_file(file)).collect());
        }
        Ok(Self { checked, skipped: false })
    }

    /// Says what was checked and what was not.
    pub fn tell(&self, output: Output) {
        if self.checked.codes > 0 {
            output.note(&format!("{} looked up and found", count(self.checked.codes, "code", "codes")));
        }
        for (connection, cause) in &self.checked.not_asked {
            output.note(&format!(
                "codes of {connection} were not checked, because {}; the first run checks them",
                cause.message
            ));
        }
        if self.skipped {
            output.note("codes were not checked, this was --no-codes; the first run checks them");
        }
    }

    /// The same for programs.
    pub fn to_json(&self) -> Value {
        let not_checked: Vec<Value> = self
            .checked
            .not_asked
            .iter()
            .map(
                |(connection, cause)| json!({ "connection": connection, "code": cause.code, "message": cause.message }),
            )
            .collect();
        json!({ "found": self.checked.codes, "not_checked": not_checked, "skipped": self.skipped })
    }
}
