//! Tests of the whole: the layers, and the chain from shop to ERP on the embedded engine and on the emulated AWS.
#![allow(clippy::unwrap_used, reason = "all of this is test code, helpers included")]

mod aws_chain;
mod aws_chaos;
mod aws_ports;
mod chain;
mod chaos;
mod features;
mod layering;
mod pairs;
