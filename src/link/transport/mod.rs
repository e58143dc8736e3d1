//! Carries packets.
