//! Stand-in of VIES, the service of the European Commission that checks VAT numbers, as far as its REST API is known:
//! `POST /check-vat-number`, `GET /ms/{country}/vat/{number}` and `GET /check-status`, below `/taxation_customs/vies/rest-api`.
//!
//! An error has status 200 and says so in the body only, as in the real one.

use std::sync::{Arc, Mutex};

use chrono::SecondsFormat;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::host::System;
use crate::message::{Call, Reply};
use crate::registry::Start;
use crate::{SandboxError, lock};

/// Where the service lies below its host.
pub const BASE: &str = "/taxation_customs/vies/rest-api";

/// Countries whose numbers it knows: EL is Greece, XI Northern Ireland.
const COUNTRIES: [&str; 28] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "EL", "ES", "FI", "FR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK", "XI",
];

/// What can be switched.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switches {
    /// Nothing is answered but SERVICE_UNAVAILABLE.
    pub down: bool,
    /// So many of a hundred questions find too many others: MS_MAX_CONCURRENT_REQ.
    pub throttled_percent: u32,
    /// Countries that do not answer: MS_UNAVAILABLE.
    pub resting: Vec<String>,
    /// Numbers that are valid, with their prefix; all others are not.
    pub valid: Vec<String>,
}

impl Default for Switches {
    fn default() -> Self {
        let valid = ["BE0123456789", "DE123456789", "EL094014201", "FR40303265045", "NL123456789B01", "XI123456789"];
        Self { down: false, throttled_percent: 0, resting: Vec::new(), valid: valid.map(str::to_owned).into() }
    }
}

struct Inner {
    switches: Switches,
    /// Questions that were asked, for the share that is throttled.
    asked: u32,
}

/// The stand-in. It keeps nothing: a restart has the switches it is started with.
pub struct Vies {
    inner: Mutex<Inner>,
    clock: Clock,
}

/// Starts the stand-in.
pub fn build(start: Start<'_>) -> Result<Arc<dyn System>, SandboxError> {
    let inner = Inner { switches: Switches::default(), asked: 0 };
    let vies = Vies { inner: Mutex::new(inner), clock: start.clock };
    if let Some(values) = start.switches {
        vies.set_switches(values).map_err(|error| SandboxError::Settings(format!("vies: {error}")))?;
    }
    Ok(Arc::new(vies))
}

/// What becomes of a question.
enum Said {
    Valid,
    Invalid,
    Error(&'static str),
}

impl Inner {
    fn check(&mut self, country: &str, number: &str) -> Said {
        let letters = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '+' || c == '*');
        if !COUNTRIES.contains(&country) || number.is_empty() || number.len() > 12 || !letters(number) {
            return Said::Error("INVALID_INPUT");
        }
        if self.switches.down {
            return Said::Error("SERVICE_UNAVAILABLE");
        }
        if self.switches.resting.iter().any(|resting| resting == country) {
            return Said::Error("MS_UNAVAILABLE");
        }
        // Spread evenly, the first of them throttled: 50 is every second one.
        let share = |asked: u32| (u64::from(asked) * u64::from(self.switches.throttled_percent)).div_ceil(100);
        let is_throttled = share(self.asked + 1) > share(self.asked);
        self.asked = self.asked.wrapping_add(1);
        if is_throttled {
            return Said::Error("MS_MAX_CONCURRENT_REQ");
        }
        let full = format!("{country}{number}");
        if self.switches.valid.contains(&full) { Said::Valid } else { Said::Invalid }
    }
}

fn failed(code: &str) -> Reply {
    Reply::json(200, &json!({"actionSucceed": false, "errorWrappers": [{"error": code}]}))
}

/// Who it is, where the member state tells: here all tell nothing of a number that is not valid.
fn trader(valid: bool) -> (&'static str, &'static str) {
    if valid { ("VOORBEELD BV", "STATIONSSTRAAT 1\n2000 ANTWERPEN") } else { ("---", "---") }
}

impl Vies {
    fn post(&self, call: &Call) -> Reply {
        let Ok(body) = call.json() else { return failed("INVALID_INPUT") };
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let (country, number) = (text("countryCode"), text("vatNumber"));
        let valid = match lock(&self.inner).check(&country, &number) {
            Said::Error(code) => return failed(code),
            Said::Valid => true,
            Said::Invalid => false,
        };
        let (name, address) = trader(valid);
        Reply::json(
            200,
            &json!({"countryCode": country, "vatNumber": number, "requestDate": self.now(), "valid": valid,
                "requestIdentifier": "", "name": name, "address": address, "traderName": "---", "traderStreet": "---",
                "traderPostalCode": "---", "traderCity": "---", "traderCompanyType": "---",
                "traderNameMatch": "NOT_PROCESSED", "traderStreetMatch": "NOT_PROCESSED",
                "traderPostalCodeMatch": "NOT_PROCESSED", "traderCityMatch": "NOT_PROCESSED",
                "traderCompanyTypeMatch": "NOT_PROCESSED"}),
        )
    }

    fn get(&self, country: &str, number: &str) -> Reply {
        let (valid, code) = match lock(&self.inner).check(country, number) {
            Said::Error(code) => (false, code),
            Said::Valid => (true, "VALID"),
            Said::Invalid => (false, "INVALID"),
        };
        let (name, address) = trader(valid);
        Reply::json(
            200,
            &json!({"isValid": valid, "requestDate": self.now(), "userError": code, "name": name, "address": address,
                "requestIdentifier": "", "originalVatNumber": number, "vatNumber": number,
                "viesApproximate": {"name": "---", "street": "---", "postalCode": "---", "city": "---",
                    "companyType": "---", "matchName": 3, "matchStreet": 3, "matchPostalCode": 3, "matchCity": 3,
                    "matchCompanyType": 3}}),
        )
    }

    fn status(&self) -> Reply {
        let switches = &lock(&self.inner).switches;
        let availability = |country: &&str| match switches.down || switches.resting.iter().any(|one| one == country) {
            true => "Unavailable",
            false => "Available",
        };
        let countries: Vec<Value> = COUNTRIES
            .iter()
            .map(|country| json!({"countryCode": country, "availability": availability(country)}))
            .collect();
        Reply::json(200, &json!({"vow": {"available": !switches.down}, "countries": countries}))
    }

    fn now(&self) -> String {
        self.clock.now().to_rfc3339_opts(SecondsFormat::Millis, true)
    }
}

impl System for Vies {
    fn endpoint(&self, call: &Call) -> String {
        let rest = call.path.strip_prefix(BASE).unwrap_or(&call.path).trim_start_matches('/');
        rest.split('/').next().unwrap_or_default().to_owned()
    }

    fn answer(&self, call: &Call) -> Reply {
        let Some(rest) = call.path.strip_prefix(BASE) else { return Reply::empty(404) };
        let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
        match (call.method.as_str(), parts.as_slice()) {
            ("POST", ["check-vat-number"]) => self.post(call),
            ("GET", ["ms", country, "vat", number]) => self.get(country, number),
            ("GET", ["check-status"]) => self.status(),
            (_, ["check-vat-number" | "check-status"] | ["ms", _, "vat", _]) => Reply::empty(405),
            _ => Reply::empty(404),
        }
    }

    /// It has no articles: what the others add for the demonstration is nothing here.
    fn inspect(&self, call: &Call, path: &[&str]) -> Option<Reply> {
        (call.method == "POST" && path == ["catalogue"]).then(|| Reply::empty(204))
    }

    fn tables(&self) -> Vec<String> {
        Vec::new()
    }

    fn table(&self, _name: &str) -> Option<Vec<Value>> {
        None
    }

    fn switches(&self) -> Value {
        json!(lock(&self.inner).switches)
    }

    fn set_switches(&self, values: &Value) -> Result<(), String> {
        let mut inner = lock(&self.inner);
        let merged = crate::text::merged(&json!(inner.switches), values)?;
        let switches: Switches = serde_json::from_value(merged).map_err(|error| format!("switches: {error}"))?;
        if switches.throttled_percent > 100 {
            return Err("switches: throttled_percent is more than 100".into());
        }
        inner.switches = switches;
        Ok(())
    }

    fn reset(&self) -> Result<(), String> {
        *lock(&self.inner) = Inner { switches: Switches::default(), asked: 0 };
        Ok(())
    }
}
