//! Nothing is exported: the tests stand in `main.rs`, as one binary.
