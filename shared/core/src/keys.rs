//! Keys as types: a key that is empty cannot be built, so an empty SKU or e-mail can never match a record.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Cause;

/// Text that is trimmed and has at least one character.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NonEmpty(String);

impl NonEmpty {
    /// Trims `text`; `None` when nothing is left.
    pub fn new(text: impl AsRef<str>) -> Option<Self> {
        let trimmed = text.as_ref().trim();
        (!trimmed.is_empty()).then(|| Self(trimmed.to_owned()))
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for NonEmpty {
    type Error = Cause;

    fn try_from(text: String) -> Result<Self, Cause> {
        Self::new(&text).ok_or_else(|| Cause::new("empty_key", "an empty text is never a key"))
    }
}

impl From<NonEmpty> for String {
    fn from(value: NonEmpty) -> Self {
        value.0
    }
}

impl fmt::Display for NonEmpty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for NonEmpty {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Identity of one source record inside its flow: the id the source system gave it (not the number it shows).
pub type RecordKey = NonEmpty;

/// Whose data it is. Every stored key starts with it; one stack serves many.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tenant(pub String);

impl Default for Tenant {
    fn default() -> Self {
        Self("main".to_owned())
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An e-mail address made comparable: trimmed and lower-cased; `None` when it is empty or has no `@`.
pub fn normalize_email(text: &str) -> Option<NonEmpty> {
    let key = NonEmpty::new(text.to_lowercase())?;
    key.as_str().contains('@').then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_text_is_never_a_key() {
        assert!(NonEmpty::new("").is_none());
        assert!(NonEmpty::new(" \t\u{a0}").is_none());
        assert!(serde_json::from_str::<NonEmpty>("\"  \"").is_err());
    }

    #[test]
    fn e_mail_addresses_compare_without_case_and_space() {
        assert_eq!(normalize_email(" Jan@Example.test "), NonEmpty::new("jan@example.test"));
        assert_eq!(normalize_email("jan"), None);
    }
}
