//! What the protocols cost: `cargo bench --bench codec`.

mod support;

mod codec {
    pub(super) mod smpp;
}

fn main() {
    codec::smpp::run();
}
