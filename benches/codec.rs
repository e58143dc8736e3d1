//! What the protocols cost: `cargo bench --bench codec`.

mod support;

mod codec {
    pub(super) mod cimd2;
    pub(super) mod session;
    pub(super) mod smpp;
}

fn main() {
    codec::cimd2::run();
    codec::smpp::run();
    codec::session::run();
}
