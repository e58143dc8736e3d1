//! The languages in which phones are answered that an operator adds: files that the configuration names.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use crate::im::config::Config;
use crate::im::sms::{LanguageRefused, Languages};
use crate::message::Refused;

/// A file with a language cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LanguagesError {
    /// It cannot be read.
    #[error("[im.phones] language_files: {}: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
    /// It holds no language.
    #[error("[im.phones] language_files: {}: {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: LanguageRefused,
    },
    /// None of them is the one that phones get.
    #[error("[im] {0}")]
    Missing(Refused),
}

/// Reads the files that the section names, and puts their languages beside those of the program.
pub(super) fn read(section: &mut Config) -> Result<(), LanguagesError> {
    let Some(phones) = &mut section.phones else {
        return Ok(());
    };
    let mut languages = Languages::shipped();
    for path in &phones.language_files {
        let text = fs::read_to_string(path).map_err(|why| LanguagesError::Unreadable {
            path: path.clone(),
            why,
        })?;
        languages
            .add(&text)
            .map_err(|why| LanguagesError::Malformed {
                path: path.clone(),
                why,
            })?;
    }
    phones.languages = Arc::new(languages);
    phones.check_language().map_err(LanguagesError::Missing)
}
