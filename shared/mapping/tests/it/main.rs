//! The mapper from outside: whole mappings, mistakes, attacks, properties, and the comparison with Jinja.

mod attacks;
mod findings;
mod jinja;
mod lists;
mod order;
mod properties;
mod silent_mistakes;
mod support;
