//! Command-level tests.
