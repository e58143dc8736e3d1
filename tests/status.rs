//! The status socket, its documents, its screen, and what people type to get at them.

mod status {
    mod commands;
    mod documents;
    mod metrics;
    mod server;
    mod stage;
    mod views;
}
