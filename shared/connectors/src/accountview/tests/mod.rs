//! Tests of the connector: the calls it makes and what it makes of documented answers, the default rows, and the
//! behaviour against the stand-in in its strictest form.

mod rows;
mod sandbox;
mod sources;
mod wire;
mod world;
