//! Postal addresses, with the house number apart from the street.

use serde::{Deserialize, Serialize};

/// A postal address and who receives there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Address {
    /// Company at this address.
    pub company: String,
    /// Given name of the receiver.
    pub first_name: String,
    /// Family name of the receiver.
    pub last_name: String,
    /// The street line as the source wrote it, number included.
    pub line1: String,
    /// Second address line.
    pub line2: String,
    /// Street without the number.
    pub street: String,
    /// House number.
    pub house_number: String,
    /// What follows the number (`b`, `2 hoog`).
    pub house_number_addition: String,
    /// Postal code.
    pub postcode: String,
    /// City.
    pub city: String,
    /// State or province code.
    pub state: String,
    /// ISO 3166 alpha-2 country code.
    pub country: String,
    /// Telephone number at this address.
    pub phone: String,
}

impl Address {
    /// Neither a street nor a city is given.
    pub fn is_empty(&self) -> bool {
        self.line1.trim().is_empty() && self.street.trim().is_empty() && self.city.trim().is_empty()
    }

    /// The same place, whoever receives there: compares without case and repeated spaces.
    pub fn same_place(&self, other: &Self) -> bool {
        self.place_key() == other.place_key()
    }

    /// A comparable form of the place, for caches of addresses that the target already has.
    pub fn place_key(&self) -> String {
        [&self.line1, &self.line2, &self.postcode, &self.city, &self.state, &self.country]
            .map(|part| part.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase())
            .join("|")
    }

    /// Given and family name in one.
    pub fn full_name(&self) -> String {
        format!("{} {}", self.first_name.trim(), self.last_name.trim()).trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_spaces_do_not_make_another_place() {
        let one = Address { line1: "Dorpsstraat  12b".into(), city: "Ons Dorp".into(), ..Address::default() };
        let two = Address { line1: "dorpsstraat 12B ".into(), city: "ons dorp".into(), ..Address::default() };
        assert!(one.same_place(&two));
        assert!(!one.is_empty());
        assert!(Address { country: "NL".into(), ..Address::default() }.is_empty());
    }
}
