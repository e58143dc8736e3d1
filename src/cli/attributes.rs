//! The attributes of presence that an operator adds: files that the configuration names.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use crate::im::config::Config;
use crate::presence::{BadRegistry, Registry};

/// A file with attributes cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AttributesError {
    /// It cannot be read.
    #[error("[im.presence] registry: {}: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
    /// It holds no attributes.
    #[error("[im.presence] registry: {}: {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: BadRegistry,
    },
}

/// Reads the files that the section names, and puts their attributes beside those of the program.
pub(super) fn read(section: &mut Config) -> Result<(), AttributesError> {
    let mut attributes = Registry::base();
    for path in &section.presence.registry {
        let text = fs::read_to_string(path).map_err(|why| AttributesError::Unreadable {
            path: path.clone(),
            why,
        })?;
        attributes
            .add(&text)
            .map_err(|why| AttributesError::Malformed {
                path: path.clone(),
                why,
            })?;
    }
    section.attributes = Arc::new(attributes);
    Ok(())
}
