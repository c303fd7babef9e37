//! VIES, when a flow checks VAT numbers: asked once how it is, without any number.

use std::collections::BTreeMap;
use std::sync::Arc;

use koppel_core::ports::{Calls, Finding};

use super::warned;
use crate::Engine;
use crate::loaded::LoadedFlow;
use crate::vat_numbers;

/// Asks each service that the flows name, once.
pub(super) async fn look(engine: &Engine, flows: &[Arc<LoadedFlow>], calls: &Calls) -> Vec<Finding> {
    let mut services: BTreeMap<Option<&str>, &str> = BTreeMap::new();
    for flow in flows.iter().filter(|flow| vat_numbers::is_on(&flow.config, &flow.flow)) {
        let url = vat_numbers::settings_of(&flow.config, &flow.flow).url.as_deref();
        services.entry(url).or_insert(&flow.name);
    }
    let mut findings = Vec::new();
    for (url, flow) in services {
        let service = match engine.systems.vat_numbers(url) {
            Ok(Some(service)) => service,
            Ok(None) => continue,
            Err(failure) => {
                findings.push(Finding::from(failure).map_cause(|cause| cause.in_flow(flow)));
                continue;
            }
        };
        let found = match service.resting_countries(calls).await {
            Ok(resting) if resting.is_empty() => continue,
            Ok(resting) => warned(
                "vies_country_unavailable",
                format!("VIES cannot be asked about VAT numbers of {} at this moment", resting.join(", ")),
                "settings.vat_number.unknown decides about such orders until it can".to_owned(),
            ),
            Err(failure) => failure.into(),
        };
        findings.push(found.map_cause(|cause| cause.in_flow(flow)));
    }
    findings
}
