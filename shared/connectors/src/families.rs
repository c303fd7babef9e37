//! Articles that together are one product: what it is called, and what its variations differ by. How a system tells which
//! belong together is its own.

use serde_json::Value;

/// The words that all names begin with; the first name when they share none.
pub fn common_name(names: impl IntoIterator<Item = String>) -> String {
    let names: Vec<String> = names.into_iter().collect();
    let Some(first) = names.first() else { return String::new() };
    let words: Vec<&str> = first.split_whitespace().collect();
    let shared = |count: &usize| {
        let mut others = names.iter().map(|name| name.split_whitespace().take(*count));
        others.all(|other| other.eq(words.iter().take(*count).copied()))
    };
    match (1..=words.len()).take_while(shared).last() {
        Some(count) => words[..count].join(" "),
        None => first.clone(),
    }
}

/// The attributes of a product with variations: what the product itself has, and every choice with all its values. Each is
/// `{ name, values, varies }`.
pub fn attributes_of_all(own: &Value, variations: &[Value]) -> Vec<Value> {
    let mut all: Vec<Value> =
        own.as_array().into_iter().flatten().filter(|one| one["varies"] == false).cloned().collect();
    for choice in variations.iter().flat_map(|article| article["attributes"].as_array().into_iter().flatten()) {
        if choice["varies"] == false {
            continue;
        }
        let known = all.iter_mut().find(|one| one["name"] == choice["name"] && one["varies"] == true);
        let Some(values) = known.and_then(|one| one["values"].as_array_mut()) else {
            all.push(choice.clone());
            continue;
        };
        for value in choice["values"].as_array().into_iter().flatten() {
            if !values.contains(value) {
                values.push(value.clone());
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_product_is_called_by_the_words_its_variations_share() {
        let named = |names: &[&str]| common_name(names.iter().map(|name| (*name).to_owned()));
        assert_eq!(named(&["Trui rood S", "Trui rood M", "Trui blauw S"]), "Trui");
        assert_eq!(named(&["Rode trui", "Blauwe trui"]), "Rode trui");
        assert_eq!((named(&["Trui"]), named(&[])), ("Trui".to_owned(), String::new()));
    }

    #[test]
    fn choices_are_put_together_and_leave_the_features_alone() {
        let article = |colour: &str| {
            json!({ "attributes": [
                { "name": "Merk", "values": ["N"], "varies": false },
                { "name": "Kleur", "values": [colour], "varies": true },
            ]})
        };
        assert_eq!(
            attributes_of_all(&article("Rood")["attributes"], &[article("Rood"), article("Blauw"), article("Rood")]),
            [
                json!({ "name": "Merk", "values": ["N"], "varies": false }),
                json!({ "name": "Kleur", "values": ["Rood", "Blauw"], "varies": true })
            ]
        );
    }
}
