//! The link's driver: both ends over real sockets, with real certificates and ring files.

#[path = "../support/mod.rs"]
mod support;

mod damage;
mod flow;
mod lines;
mod refusals;
mod world;
