//! Documented payloads through the connector: rows, calls, limits, and what is written.
