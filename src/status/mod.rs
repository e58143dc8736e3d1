//! What a running edge or central shows of itself, and the orders that it takes (A2).

pub mod config;
