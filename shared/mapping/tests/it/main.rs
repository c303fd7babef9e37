//! The mapper from outside: whole mappings, mistakes, attacks, properties, and the comparison with Jinja.

// Helpers of tests stop on surprise, as the tests themselves do.
#![allow(clippy::unwrap_used)]

mod attacks;
mod findings;
mod jinja;
mod lists;
mod order;
mod properties;
mod silent_mistakes;
mod support;
