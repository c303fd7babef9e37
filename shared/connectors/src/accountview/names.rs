//! The names of the profile against the data dictionary of the installation: which exist, with their types and lengths.
//!
//! The dictionary is read once and kept with the connection; it is read again when the profile changes, after a week, and
//! whenever a person tests the connection. Nothing is written under a name that it does not have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::connection::Connection;
use koppel_core::error::nearest;
use koppel_core::ports::{Calls, Condition, Key, Store};
use koppel_core::{Cause, Failure};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;

use super::client::{Client, Door, List, decimal, field, flag};
use super::errors::QUERY_REFUSED;
use super::foxpro::Filter;
use super::profile::{PLACEHOLDER, Part, Profile};
use crate::http::Deps;

/// A dictionary that was read so long ago is read again.
const OLD: TimeDelta = TimeDelta::days(7);

/// One field, as the installation has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Field {
    /// Letter of Visual FoxPro.
    pub kind: String,
    /// Length of a text, digits of a number; 0 when it is not known.
    pub len: usize,
    /// Stored in upper case: a code.
    pub upper: bool,
    /// Must be filled.
    pub mandatory: bool,
    /// Cannot be written.
    pub blocked: bool,
}

/// One table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Table {
    /// Cannot be written through the API.
    pub closed: bool,
    /// Fields by name.
    pub fields: BTreeMap<String, Field>,
}

/// What may be done with an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Rights {
    insert: bool,
    update: bool,
}

/// What was found out about one installation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Dictionary {
    /// Of the profile that it was read for, and of the company.
    fingerprint: String,
    /// When.
    read_at: DateTime<Utc>,
    /// The installation told it; otherwise it is what the profile says.
    pub told: bool,
    /// One of several filters may suffice: this was seen to work.
    pub match_any: bool,
    objects: BTreeMap<String, Rights>,
    tables: BTreeMap<String, Table>,
    /// Object → its table and that of its lines.
    of_objects: BTreeMap<String, (String, String)>,
}

/// What a part of the profile is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Read,
    Create,
    Update,
}

impl Dictionary {
    /// A table.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(name)
    }

    /// A field of a table.
    pub fn field(&self, table: &str, name: &str) -> Option<&Field> {
        self.tables.get(table)?.fields.get(name)
    }

    /// The user may read this business object.
    pub fn has_object(&self, code: &str) -> bool {
        self.told && self.objects.contains_key(code)
    }

    /// What keeps a part of the profile from such a use: nothing, or each name that is not as it should be.
    pub fn objections(&self, part: &Part, fields: &[(&str, &str)], wanted: Use) -> Vec<Cause> {
        let mut found = Vec::new();
        let (Some(object), Some(table)) = (&part.object, &part.table) else { return found };
        let path = |what: &str| format!("profile.{}.{what}", part.name);
        let rights = match self.objects.get(object) {
            Some(rights) => *rights,
            None => {
                let near = nearest(object, self.objects.keys().map(String::as_str));
                let text = format!("AccountView has no business object «{object}» for this user");
                found.push(Cause::new("name_not_confirmed", text).advice(advice(near)).in_row(path("object")));
                return found;
            }
        };
        for (needed, allowed, verb) in
            [(Use::Create, rights.insert, "adding"), (Use::Update, rights.update, "changing")]
        {
            if wanted == needed && !allowed {
                let text = format!("AccountView does not allow {verb} with business object {object}");
                let cause = Cause::new("not_allowed", text).advice("give the user the rights for it in AccountView");
                found.push(cause.in_row(path("object")));
            }
        }
        let own = self.of_objects.get(object);
        for (name, what, proposed) in [
            (Some(table), "table", own.map(|(table, _)| table.as_str())),
            (part.lines.as_ref(), "lines", own.map(|(_, lines)| lines.as_str())),
        ] {
            let Some(name) = name else { continue };
            match self.tables.get(name) {
                None => {
                    let proposed = proposed.filter(|name| !name.is_empty());
                    let text = format!("AccountView has no table «{name}»");
                    found.push(Cause::new("name_not_confirmed", text).advice(advice(proposed)).in_row(path(what)));
                }
                Some(table) if table.closed && wanted != Use::Read => {
                    let text = format!("AccountView takes no changes of table {name} through the web API");
                    found.push(Cause::new("not_allowed", text).in_row(path(what)));
                }
                Some(_) => {}
            }
        }
        for (table, name) in fields {
            // Of a table that is not there nothing more is said.
            let Some(known) = self.tables.get(*table) else { continue };
            if !known.fields.contains_key(*name) {
                let near = nearest(name, known.fields.keys().map(String::as_str));
                let text = format!("table {table} has no field «{name}»");
                let near = near.filter(|_| !name.starts_with(PLACEHOLDER));
                found.push(Cause::new("name_not_confirmed", text).advice(advice(near)).in_row(path("roles")));
            }
        }
        found
    }

    /// Mandatory fields of a new record that no role fills and AccountView does not either: a row must.
    pub fn unfilled(&self, part: &Part, profile: &Profile) -> Vec<(String, String)> {
        let filled = part.fields();
        let tables = part.table.iter().chain(&part.lines);
        let fields = tables.flat_map(|table| {
            let known = self.tables.get(table).into_iter().flat_map(|known| &known.fields);
            known.filter(|(_, field)| field.mandatory).map(move |(name, _)| (table.as_str(), name.as_str()))
        });
        fields
            .filter(|pair| !filled.contains(pair) && !profile.is_assigned(pair.0, pair.1))
            .map(|(table, name)| (table.to_owned(), name.to_owned()))
            .collect()
    }

    /// How many names of a part are confirmed, and how many there are.
    pub fn count(&self, part: &Part) -> (usize, usize) {
        let fields = part.fields();
        let there = fields.iter().filter(|(table, name)| self.field(table, name).is_some()).count();
        (there, fields.len())
    }

    /// The dictionary as the profile has it, where the installation does not tell.
    fn assumed(profile: &Profile) -> Self {
        let mut made = Self::default();
        for part in profile.parts() {
            let rights = Rights { insert: true, update: true };
            made.objects.insert(part.object.clone().unwrap_or_default(), rights);
            for (table, name) in part.fields() {
                let field = profile.known(table, name).unwrap_or_default();
                made.tables.entry(table.to_owned()).or_default().fields.insert(name.to_owned(), field);
            }
        }
        made
    }
}

fn advice(proposed: Option<&str>) -> String {
    match proposed {
        Some(name) => format!("set it to «{name}»"),
        None => "set it to the name of this installation, or to null to leave it out".to_owned(),
    }
}

/// Keeps the dictionary of one connection.
pub(super) struct Names {
    key: Key,
    store: Arc<dyn Store>,
    connection: String,
    company: String,
    by_hand: bool,
    known: Mutex<Option<Arc<Dictionary>>>,
}

impl Names {
    /// For a connection; nothing is read yet.
    pub fn new(connection: &Connection, deps: &Deps) -> Self {
        Self {
            key: Key::new(&connection.tenant, &["dictionary"], &connection.name),
            store: Arc::clone(&deps.store),
            connection: connection.name.clone(),
            company: connection.option("company").unwrap_or_default(),
            by_hand: connection.flag("names_by_hand"),
            known: Mutex::default(),
        }
    }

    /// A part, ready to be used in this way with these fields; or what must be changed first.
    pub async fn ready(
        &self,
        client: &Client,
        profile: &Profile,
        part: &Part,
        fields: &[(&str, &str)],
        wanted: Use,
        calls: &Calls,
    ) -> Result<Arc<Dictionary>, Failure> {
        part.required()?;
        let dictionary = self.dictionary(client, profile, calls).await?;
        if !dictionary.told {
            // Reading under a wrong name is refused by AccountView itself; writing is not tried.
            if wanted == Use::Read || self.by_hand {
                return Ok(dictionary);
            }
            return Err(Failure::settings(
                Cause::new("names_not_confirmed", "the data dictionary of AccountView cannot be read")
                    .advice("give the user the rights to read it; or compare the profile by hand and set names_by_hand: true")
                    .in_row("names_by_hand")
                    .at_connection(&self.connection),
            ));
        }
        let mut objections = dictionary.objections(part, fields, wanted);
        if objections.is_empty() {
            return Ok(dictionary);
        }
        let others = objections.len() - 1;
        let mut cause = objections.remove(0);
        if others > 0 {
            cause.message = format!("{} (and {others} more: run koppel doctor)", cause.message);
        }
        Err(Failure::settings(cause.at_connection(&self.connection)))
    }

    /// What is known, read when it is not known yet.
    pub async fn dictionary(
        &self,
        client: &Client,
        profile: &Profile,
        calls: &Calls,
    ) -> Result<Arc<Dictionary>, Failure> {
        let wanted = self.fingerprint(profile);
        let good = |known: &Dictionary| known.fingerprint == wanted && client.now() - known.read_at < OLD;
        let mut known = self.known.lock().await;
        if let Some(dictionary) = known.as_ref().filter(|known| good(known)) {
            return Ok(Arc::clone(dictionary));
        }
        if let Some(item) = self.store.get(&self.key).await?
            && let Ok(stored) = serde_json::from_str::<Dictionary>(&item.value)
            && good(&stored)
        {
            let stored = Arc::new(stored);
            *known = Some(Arc::clone(&stored));
            return Ok(stored);
        }
        self.read_into(&mut known, client, profile, calls).await
    }

    /// Reads it afresh, whatever is known.
    pub async fn read(&self, client: &Client, profile: &Profile, calls: &Calls) -> Result<Arc<Dictionary>, Failure> {
        let mut known = self.known.lock().await;
        self.read_into(&mut known, client, profile, calls).await
    }

    async fn read_into(
        &self,
        known: &mut Option<Arc<Dictionary>>,
        client: &Client,
        profile: &Profile,
        calls: &Calls,
    ) -> Result<Arc<Dictionary>, Failure> {
        let told = match told(client, profile, calls).await {
            Ok(told) => told,
            // No rights, or a version without it: then the names count as not confirmed.
            Err(Failure::Settings(cause))
                if ["forbidden", QUERY_REFUSED, "not_found"].contains(&cause.code.as_str()) =>
            {
                None
            }
            Err(failure) => return Err(failure),
        };
        let mut dictionary = told.unwrap_or_else(|| Dictionary::assumed(profile));
        dictionary.fingerprint = self.fingerprint(profile);
        dictionary.read_at = client.now();
        // One that could not be read is not kept: rights may be given any moment.
        if dictionary.told {
            let text = serde_json::to_string(&dictionary).unwrap_or_default();
            self.store.put(&self.key, &text, Condition::Always, None).await?;
        }
        let dictionary = Arc::new(dictionary);
        *known = Some(Arc::clone(&dictionary));
        Ok(dictionary)
    }

    fn fingerprint(&self, profile: &Profile) -> String {
        format!("{}/{}", profile.fingerprint(), self.company)
    }
}

/// What the installation tells; `None` when it tells nothing.
async fn told(client: &Client, profile: &Profile, calls: &Calls) -> Result<Option<Dictionary>, Failure> {
    let mut made = Dictionary { told: true, ..Dictionary::default() };
    for row in client.objects(calls).await? {
        let Some(code) = field(&row, "Code") else { continue };
        let may = |name: &str| flag(&row, name).unwrap_or(false);
        made.objects.insert(code.to_uppercase(), Rights { insert: may("InsertAllowed"), update: may("UpdateAllowed") });
    }
    let (mut tables, mut objects) = (BTreeSet::new(), BTreeSet::new());
    for part in profile.parts() {
        tables.extend(part.table.iter().chain(&part.lines).cloned());
        objects.extend(part.object.iter().cloned());
    }
    let files = files(client, &mut made, &tables, &objects, calls).await?;
    if made.objects.is_empty() || files.is_empty() {
        return Ok(None);
    }
    for row in files {
        let Some(name) = field(&row, "DBF_NAME") else { continue };
        if let Some(object) = field(&row, "OBJ_CODE") {
            made.of_objects.insert(object, (name.clone(), field(&row, "TBL_CHILD").unwrap_or_default()));
        }
        let is_active = flag(&row, "TBL_ACTIVE") != Some(false);
        if tables.contains(&name) && is_active {
            let closed = flag(&row, "NO_XML_UPD") == Some(true) || flag(&row, "NO_INSERT") == Some(true);
            made.tables.insert(name, Table { closed, fields: BTreeMap::new() });
        }
    }
    let names: Vec<String> = made.tables.keys().cloned().collect();
    for name in names {
        let fields = fields(client, &name, calls).await?;
        if let Some(table) = made.tables.get_mut(&name) {
            table.fields = fields;
        }
    }
    Ok(Some(made))
}

fn of_dictionary(object: &str, table: &str, key: &str, filters: Vec<Filter>, any: bool) -> List {
    List { object: object.into(), table: table.into(), key: key.into(), filters, any, ..List::default() }
}

/// The tables of the profile, and those of its objects: with one question, or one by one where that finds nothing.
async fn files(
    client: &Client,
    made: &mut Dictionary,
    tables: &BTreeSet<String>,
    objects: &BTreeSet<String>,
    calls: &Calls,
) -> Result<Vec<Value>, Failure> {
    let by_table = tables.iter().map(|name| Filter::equal("DBF_NAME", &padded(name)));
    let by_object = objects.iter().map(|code| Filter::equal("OBJ_CODE", code));
    let filters: Vec<Filter> = by_table.chain(by_object).collect();
    let list = |filters: Vec<Filter>, any| of_dictionary("dbf", "DCT_FILE", "DBF_NAME", filters, any);
    match client.all(Door::System, &list(filters.clone(), true), calls).await {
        Ok(rows) if !rows.is_empty() => {
            made.match_any = true;
            return Ok(rows);
        }
        Ok(_) => {}
        Err(Failure::Settings(cause)) if cause.code == QUERY_REFUSED => {}
        Err(failure) => return Err(failure),
    }
    let mut found = Vec::new();
    for filter in filters {
        found.extend(client.all(Door::System, &list(vec![filter], false), calls).await?);
    }
    Ok(found)
}

/// The fields of a table.
async fn fields(client: &Client, table: &str, calls: &Calls) -> Result<BTreeMap<String, Field>, Failure> {
    let filters = vec![Filter::equal("DBF_NAME", &padded(table))];
    let list = of_dictionary("fld", "DCT_FLD", "DCT_FLD_Id", filters, false);
    let rows = client.all(Door::System, &list, calls).await?;
    let read = |row: &Value| {
        let len = decimal(row, "FIELD_LEN").and_then(|len| len.to_string().parse().ok()).unwrap_or_default();
        let known = Field {
            kind: field(row, "FIELD_TYPE").unwrap_or_default(),
            len,
            upper: field(row, "FLD_FMT").is_some_and(|format| format.contains('!')),
            mandatory: flag(row, "INP_MAND").unwrap_or(false),
            blocked: flag(row, "COM_BLK").unwrap_or(false),
        };
        Some((field(row, "FIELD_NAME")?, known))
    };
    // The filter may match what begins with the name.
    let own = rows.iter().filter(|row| field(row, "DBF_NAME").as_deref() == Some(table));
    Ok(own.filter_map(read).collect())
}

/// As wide as the field: some installations compare the whole width.
fn padded(table: &str) -> String {
    format!("{table:<8}")
}
