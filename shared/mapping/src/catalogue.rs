//! What fields a record has: names, types, which are required. Used on both sides of a mapping, to check the paths a
//! cell reads and to check and convert the values a row gives.

use indexmap::IndexMap;

use crate::finding::{Finding, FindingCode, nearest};
use crate::rows::read_yaml;
use crate::value::Value;

/// The type of a field. A row's value is converted to it and checked, last of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FieldType {
    /// Not looked at.
    #[default]
    Any,
    /// Text of at most so many characters. Longer text is an error, it is never cut.
    Text {
        /// The most characters, if there is a limit.
        max: Option<usize>,
    },
    /// A short text that names something in the system, never empty text.
    Code {
        /// The most characters, if there is a limit.
        max: Option<usize>,
    },
    /// An amount.
    Money,
    /// A number of things, whole or not.
    Quantity,
    /// A whole number.
    Integer,
    /// A date, `yyyy-mm-dd`.
    Date,
    /// A date with time, `yyyy-mm-ddThh:mm:ss`, with the zone if there is one.
    DateTime,
    /// Yes or no.
    YesNo,
    /// A list.
    List,
    /// A group.
    Group,
}

/// One field, with what is inside it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Field {
    /// The type.
    pub kind: FieldType,
    /// Whether it must be there and not empty.
    pub required: bool,
    pub(crate) fields: IndexMap<String, Field>,
    pub(crate) element: Option<Box<Field>>,
    /// Whether there may be other fields inside than those named.
    pub(crate) open: bool,
}

/// The fields of one kind of record, by dotted path: `billing.city`, `lines[].sku`, `custom.*`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldCatalogue {
    pub(crate) root: Field,
}

/// The answer to «is there such a field?».
pub(crate) enum Found<'a> {
    Field(&'a Field),
    /// Nothing is known about what is inside.
    Open,
    Missing(Option<&'a str>),
}

impl Field {
    /// A field of this type with nothing known inside.
    pub(crate) fn child(&self, name: &str) -> Found<'_> {
        match self.fields.get(name) {
            Some(field) => Found::Field(field),
            None if self.open || self.fields.is_empty() => Found::Open,
            None => Found::Missing(nearest(name, self.fields.keys().map(String::as_str))),
        }
    }

    /// The field at a path below this one, made if it is not there yet.
    fn reach(&mut self, path: &str) -> &mut Field {
        let mut here = self;
        for part in path.split('.') {
            let name = part.trim_end_matches("[]");
            if name == "*" {
                here.open = true;
                return here;
            }
            if !name.is_empty() {
                if here.kind == FieldType::Any {
                    here.kind = FieldType::Group;
                }
                here = here.fields.entry(name.to_owned()).or_default();
            }
            for _ in 0..(part.len() - name.len()) / 2 {
                here.kind = FieldType::List;
                here = here.element.get_or_insert_default();
            }
        }
        here
    }

    fn of_value(value: &Value) -> Field {
        let mut field = Field::default();
        match value {
            Value::Group(fields) => {
                field.kind = FieldType::Group;
                field.fields = fields.iter().map(|(name, value)| (name.clone(), Field::of_value(value))).collect();
            }
            Value::List(items) => {
                field.kind = FieldType::List;
                let mut element = Field::default();
                items.iter().for_each(|item| element.merge(Field::of_value(item)));
                field.element = Some(Box::new(element));
            }
            _ => {}
        }
        field
    }

    fn merge(&mut self, other: Field) {
        if self.kind == FieldType::Any {
            self.kind = other.kind;
        }
        for (name, field) in other.fields {
            self.fields.entry(name).or_default().merge(field);
        }
        if let Some(element) = other.element {
            self.element.get_or_insert_default().merge(*element);
        }
    }
}

impl FieldCatalogue {
    /// A catalogue without fields, to which [`FieldCatalogue::field`] adds.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field by its path. The groups and lists around it come into being with it; `*` as last name means that
    /// there may be others.
    #[must_use]
    pub fn field(mut self, path: &str, kind: FieldType, required: bool) -> Self {
        self.insert(path, kind, required);
        self
    }

    fn insert(&mut self, path: &str, kind: FieldType, required: bool) {
        let field = self.root.reach(path);
        if path == "*" || path.ends_with(".*") {
            return;
        }
        field.required = required;
        // A group or list whose inside came first keeps being one.
        if kind != FieldType::Any {
            field.kind = kind;
        }
    }

    /// The paths of a record, each of any type.
    pub fn from_paths<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        paths.into_iter().fold(Self::new(), |catalogue, path| catalogue.field(path, FieldType::Any, false))
    }

    /// The paths of an example of the record.
    pub fn from_sample(sample: &Value) -> Self {
        FieldCatalogue { root: Field::of_value(sample) }
    }

    /// Reads a catalogue file: a mapping of path to `text(30)`, `money required`, … or to
    /// `{ type: text, max: 30, required: true }`, where `label` and `note` may be added for people.
    pub fn parse(file: &str, yaml: &str) -> Result<Self, Vec<Finding>> {
        let fail = |row: &str, message: String, suggestion: Option<&str>| Finding {
            code: FindingCode::File,
            file: file.to_owned(),
            row: row.to_owned(),
            columns: None,
            message,
            suggestion: suggestion.map(str::to_owned),
        };
        let json = read_yaml(file, yaml).map_err(|finding| vec![finding])?;
        let serde_json::Value::Object(entries) = json else {
            return Err(vec![fail("", "a field catalogue is a list of «path: type»".to_owned(), None)]);
        };
        let mut catalogue = Self::new();
        let mut findings = Vec::new();
        for (path, entry) in &entries {
            match spec(entry) {
                Ok((kind, required)) => catalogue.insert(path, kind, required),
                Err((message, suggestion)) => findings.push(fail(path, message, suggestion)),
            }
        }
        if findings.is_empty() { Ok(catalogue) } else { Err(findings) }
    }

    /// The field at a path such as `lines[].sku`.
    pub fn get(&self, path: &str) -> Option<&Field> {
        let mut here = &self.root;
        for part in path.split('.') {
            let name = part.trim_end_matches("[]");
            if !name.is_empty() {
                here = here.fields.get(name)?;
            }
            for _ in 0..(part.len() - name.len()) / 2 {
                here = here.element.as_deref()?;
            }
        }
        Some(here)
    }

    /// All fields with their paths, in order.
    pub fn fields(&self) -> Vec<(String, &Field)> {
        fn walk<'a>(field: &'a Field, path: &str, found: &mut Vec<(String, &'a Field)>) {
            for (name, inner) in &field.fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                found.push((path.clone(), inner));
                walk(inner, &path, found);
            }
            if let Some(element) = &field.element {
                walk(element, &format!("{path}[]"), found);
            }
        }
        let mut found = Vec::new();
        walk(&self.root, "", &mut found);
        found
    }
}

const TYPES: [&str; 11] =
    ["any", "text", "code", "money", "quantity", "integer", "date", "datetime", "yes_no", "list", "group"];

type Spec = Result<(FieldType, bool), (String, Option<&'static str>)>;

fn spec(entry: &serde_json::Value) -> Spec {
    match entry {
        serde_json::Value::String(text) => {
            let (text, required) = match text.trim().strip_suffix("required") {
                Some(kind) => (kind.trim(), true),
                None => (text.trim(), false),
            };
            let (name, max) = match text.strip_suffix(')').and_then(|text| text.split_once('(')) {
                Some((name, max)) => (name, Some(max.parse().map_err(|_| (format!("«{max}» is not a length"), None))?)),
                None => (text, None),
            };
            field_type(name.trim(), max).map(|kind| (kind, required))
        }
        serde_json::Value::Object(keys) => {
            const KEYS: [&str; 5] = ["type", "max", "required", "label", "note"];
            if let Some(key) = keys.keys().find(|key| !KEYS.contains(&key.as_str())) {
                return Err((format!("unknown key «{key}»"), nearest(key, KEYS)));
            }
            let max = match keys.get("max") {
                None => None,
                Some(max) => match max.as_u64() {
                    Some(max) => Some(max as usize),
                    None => return Err((format!("max: {max} is not a length"), None)),
                },
            };
            let required = match keys.get("required") {
                None => false,
                Some(required) => required.as_bool().ok_or(("required must be true or false".to_owned(), None))?,
            };
            let name = keys.get("type").map_or(Some("any"), serde_json::Value::as_str);
            field_type(name.ok_or(("type must be a word".to_owned(), None))?, max).map(|kind| (kind, required))
        }
        other => Err((format!("{other} is not a type"), None)),
    }
}

fn field_type(name: &str, max: Option<usize>) -> Result<FieldType, (String, Option<&'static str>)> {
    let kind = match name {
        "any" => FieldType::Any,
        "text" => FieldType::Text { max },
        "code" => FieldType::Code { max },
        "money" => FieldType::Money,
        "quantity" => FieldType::Quantity,
        "integer" => FieldType::Integer,
        "date" => FieldType::Date,
        "datetime" => FieldType::DateTime,
        "yes_no" => FieldType::YesNo,
        "list" => FieldType::List,
        "group" => FieldType::Group,
        _ => return Err((format!("unknown type «{name}»"), nearest(name, TYPES))),
    };
    if max.is_some() && !matches!(kind, FieldType::Text { .. } | FieldType::Code { .. }) {
        return Err((format!("{name} has no length"), None));
    }
    Ok(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_be_short_or_long() {
        let yaml = "reference: text(30) required\nlines[].sku: { type: code, max: 20, required: true, label: Item }\ncustom.*: any\nbillTo.city: text";
        let catalogue = FieldCatalogue::parse("fields.yaml", yaml).unwrap();
        let field = |path: &str| catalogue.get(path).map(|field| (field.kind, field.required));
        assert_eq!(field("reference"), Some((FieldType::Text { max: Some(30) }, true)));
        assert_eq!(field("lines[].sku"), Some((FieldType::Code { max: Some(20) }, true)));
        assert_eq!(field("lines"), Some((FieldType::List, false)));
        assert_eq!(field("billTo"), Some((FieldType::Group, false)));
        assert!(matches!(catalogue.get("custom").map(|custom| custom.child("anything")), Some(Found::Open)));
        assert!(matches!(
            catalogue.get("billTo").map(|group| group.child("citty")),
            Some(Found::Missing(Some("city")))
        ));
        assert_eq!(catalogue.fields().len(), 6);
    }

    #[test]
    fn mistakes_name_the_field_and_the_nearest_word() {
        let findings =
            FieldCatalogue::parse("f.yaml", "a: txt\nb: { typ: text }\nc: money(3)\nd: text(x)").unwrap_err();
        let said: Vec<_> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(said[0], "f.yaml: a: unknown type «txt»: did you mean «text»?");
        assert_eq!(said[1], "f.yaml: b: unknown key «typ»: did you mean «type»?");
        assert_eq!(said.len(), 4);
    }
}
