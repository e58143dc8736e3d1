//! What the protocols cost: `cargo bench --bench codec`.

mod support;

fn main() {}
