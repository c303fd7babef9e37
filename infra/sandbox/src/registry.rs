//! The systems there are. A new one is a folder and a line here.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::clock::Clock;
use crate::host::System;
use crate::{SandboxError, accountview, asperion, ccv_shop, exact_online, mijnwebwinkel, vies, visma_net, woocommerce};

/// What a system gets to start with.
pub struct Start<'a> {
    /// Its own address, without a slash at the end.
    pub url: &'a str,
    /// The clock of the sandbox.
    pub clock: Clock,
    /// Where its state is kept; None: in memory.
    pub folder: Option<&'a Path>,
    /// Switches that differ from their default.
    pub switches: Option<&'a Value>,
}

/// A line of the registry.
pub struct Registration {
    /// Name, as in the configuration of Koppel.
    pub name: &'static str,
    /// Port when none is chosen.
    pub port: u16,
    /// Makes the stand-in.
    pub build: fn(Start<'_>) -> Result<Arc<dyn System>, SandboxError>,
}

/// All systems.
pub const SYSTEMS: &[Registration] = &[
    Registration { name: "woocommerce", port: 18081, build: woocommerce::build },
    Registration { name: "ccv-shop", port: 18083, build: ccv_shop::build },
    Registration { name: "exact-online", port: 18082, build: exact_online::build },
    Registration { name: "mijnwebwinkel", port: 18085, build: mijnwebwinkel::build },
    Registration { name: "accountview", port: 18086, build: accountview::build },
    Registration { name: "asperion", port: 18087, build: asperion::build },
    Registration { name: "visma-net", port: 18084, build: visma_net::build },
    Registration { name: "vies", port: 18088, build: vies::build },
];

/// The line of a system.
pub fn find(name: &str) -> Result<&'static Registration, SandboxError> {
    SYSTEMS.iter().find(|line| line.name == name).ok_or_else(|| {
        let known = SYSTEMS.iter().map(|line| line.name).collect::<Vec<_>>().join(", ");
        SandboxError::Settings(format!("unknown system \"{name}\"; there are: {known}"))
    })
}
