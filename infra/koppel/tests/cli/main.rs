//! Command-level tests: the built binary against the sandbox, as a person uses it.
//!
//! What commands say is held to `messages.txt`, whole. Renew it with `KOPPEL_BLESS=1 cargo test -p koppel`.

// Helpers of tests are tests too: a panic is how they say what is wrong.
#![allow(clippy::unwrap_used)]

mod ahead;
mod behaviour;
mod bench;
mod crash;
mod init;
mod settings;
mod transcript;
