//! Central: the end that all edges connect to.

pub mod config;
