//! Names of the resources that one stack consists of.

use std::collections::BTreeMap;

use koppel_core::message::Step;
use koppel_core::{Cause, Failure};

/// Resource names, from the environment of a function or from the outputs of a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    values: BTreeMap<&'static str, String>,
}

/// Environment variable and stack output of each resource.
const KNOWN: [(&str, &str); 12] = [
    ("KOPPEL_TABLE", "TableName"),
    ("KOPPEL_BUS", "BusName"),
    ("KOPPEL_KMS_KEY", "KeyArn"),
    ("KOPPEL_TOPIC", "TopicArn"),
    ("KOPPEL_QUEUE_FETCH", "FetchQueueUrl"),
    ("KOPPEL_QUEUE_MAP", "MapQueueUrl"),
    ("KOPPEL_QUEUE_CHECK", "CheckQueueUrl"),
    ("KOPPEL_QUEUE_WRITE", "WriteQueueUrl"),
    ("KOPPEL_DEAD_LETTERS_FETCH", "FetchDeadLettersUrl"),
    ("KOPPEL_DEAD_LETTERS_MAP", "MapDeadLettersUrl"),
    ("KOPPEL_DEAD_LETTERS_CHECK", "CheckDeadLettersUrl"),
    ("KOPPEL_DEAD_LETTERS_WRITE", "WriteDeadLettersUrl"),
];

impl Names {
    /// From the environment; what is absent is only missed when it is used.
    pub fn from_env() -> Self {
        Self::from_lookup(|variable, _| std::env::var(variable).ok())
    }

    /// From the outputs of a stack.
    pub fn from_outputs(outputs: &BTreeMap<String, String>) -> Self {
        Self::from_lookup(|_, output| outputs.get(output).cloned())
    }

    fn from_lookup(lookup: impl Fn(&str, &str) -> Option<String>) -> Self {
        let values = KNOWN
            .iter()
            .filter_map(|(variable, output)| Some((*variable, lookup(variable, output)?)))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        Self { values }
    }

    fn get(&self, variable: &str) -> Result<&str, Failure> {
        self.values.get(variable).map(String::as_str).ok_or_else(|| {
            let output = KNOWN.iter().find(|(known, _)| *known == variable).map_or("", |(_, output)| output);
            Failure::settings(
                Cause::new("resource_not_named", format!("{variable} is not set and the stack has no output {output}"))
                    .advice("deploy the stack from template.yaml again"),
            )
        })
    }

    /// The table.
    pub fn table(&self) -> Result<&str, Failure> {
        self.get("KOPPEL_TABLE")
    }

    /// The event bus.
    pub fn bus(&self) -> Result<&str, Failure> {
        self.get("KOPPEL_BUS")
    }

    /// The key that data keys are made with.
    pub fn key(&self) -> Result<&str, Failure> {
        self.get("KOPPEL_KMS_KEY")
    }

    /// The topic for alerts.
    pub fn topic(&self) -> Result<&str, Failure> {
        self.get("KOPPEL_TOPIC")
    }

    /// URL of the queue in front of a step.
    pub fn queue(&self, step: Step) -> Result<&str, Failure> {
        self.get(match step {
            Step::Fetch => "KOPPEL_QUEUE_FETCH",
            Step::Map => "KOPPEL_QUEUE_MAP",
            Step::Check => "KOPPEL_QUEUE_CHECK",
            Step::Write => "KOPPEL_QUEUE_WRITE",
            Step::Schedule => return Err(no_queue(step)),
        })
    }

    /// URL of the dead-letter queue of a step.
    pub fn dead_letters(&self, step: Step) -> Result<&str, Failure> {
        self.get(match step {
            Step::Fetch => "KOPPEL_DEAD_LETTERS_FETCH",
            Step::Map => "KOPPEL_DEAD_LETTERS_MAP",
            Step::Check => "KOPPEL_DEAD_LETTERS_CHECK",
            Step::Write => "KOPPEL_DEAD_LETTERS_WRITE",
            Step::Schedule => return Err(no_queue(step)),
        })
    }
}

fn no_queue(step: Step) -> Failure {
    Failure::settings(Cause::new("no_queue", format!("the step {step} has no queue")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_resource_is_named_in_both_words() {
        let outputs = BTreeMap::from([("TableName".to_owned(), "t".to_owned()), ("BusName".to_owned(), String::new())]);
        let names = Names::from_outputs(&outputs);
        assert_eq!(names.table(), Ok("t"));
        let message = names.bus().unwrap_err().to_string();
        assert!(message.contains("KOPPEL_BUS") && message.contains("BusName"), "{message}");
        assert!(names.queue(Step::Schedule).is_err());
    }
}
