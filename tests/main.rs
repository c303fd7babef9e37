//! Tests of the whole: the layers, and the chain from shop to ERP on the embedded engine and on the emulated AWS.

mod aws_ports;
mod chain;
mod layering;
