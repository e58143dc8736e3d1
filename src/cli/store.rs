//! `sluice store …`: exports, imports and checks central's state while central is stopped.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::{Exit, Failure};
use crate::store::{Exported, Guarded, Outside, StoreConfig, StoreError};

/// What can be done with a store.
#[derive(Subcommand)]
pub(super) enum StoreCommand {
    /// Write everything that a store holds to one file.
    ///
    /// Central does so by itself every hour, and when it stops; those exports lie in the store's own directory.
    Export {
        /// The store's directory.
        directory: PathBuf,
        /// The file to make; without it, the export joins those in the directory.
        file: Option<PathBuf>,
    },
    /// Make a store of an export.
    Import {
        /// The export.
        file: PathBuf,
        /// The store's directory.
        directory: PathBuf,
        /// Move a store that is there already aside, and keep it.
        #[arg(long)]
        replace: bool,
    },
    /// Read everything in a store and in its exports: exit code 0 sound, 1 an export is damaged, 74 the store is.
    Check {
        /// The store's directory.
        directory: PathBuf,
    },
}

/// Runs one.
pub(super) fn run(command: StoreCommand, out: &mut dyn Write) -> Result<Exit, Failure> {
    let config = StoreConfig::default();
    match command {
        StoreCommand::Export { directory, file } => {
            if let Some(file) = &file
                && file.exists()
            {
                let there = std::io::ErrorKind::AlreadyExists.into();
                return Err(failed(file, "making the export", there).into());
            }
            let store = Guarded::open_as_it_is(&directory, &config, Outside::default())?;
            let mut exported = store.export()?;
            if let Some(file) = file {
                carry(&exported.path, &file)?;
                exported.path = file;
            }
            tell(out, "exported", &exported)?;
            Ok(Exit::Good)
        }
        StoreCommand::Import {
            file,
            directory,
            replace,
        } => {
            let imported = Guarded::import(&file, &directory, replace, &config)?;
            tell(out, "imported", &imported)?;
            Ok(Exit::Good)
        }
        StoreCommand::Check { directory } => check(&directory, &config, out),
    }
}

fn tell(out: &mut dyn Write, done: &str, export: &Exported) -> Result<(), Failure> {
    let Exported { path, at, summary } = export;
    writeln!(
        out,
        "{done} {}: {} records, {} octets, batch {}, of {at}",
        path.display(),
        summary.records,
        summary.octets,
        summary.generation
    )?;
    Ok(())
}

fn failed(file: &Path, doing: &'static str, source: std::io::Error) -> StoreError {
    StoreError::Io {
        path: file.to_owned(),
        doing,
        source: std::sync::Arc::new(source),
    }
}

/// Copies an export to where it was asked for, durably.
fn carry(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::copy(from, to).map_err(|why| failed(to, "copying the export", why))?;
    fs::File::open(to)
        .and_then(|file| file.sync_all())
        .map_err(|why| failed(to, "syncing the export", why))?;
    Ok(())
}

fn check(directory: &Path, config: &StoreConfig, out: &mut dyn Write) -> Result<Exit, Failure> {
    let mut exit = Exit::Good;
    for export in Guarded::exports(directory)? {
        match export {
            Ok(export) => tell(out, "whole:", &export)?,
            Err(why) => {
                exit = Exit::Degraded;
                writeln!(out, "damaged: {why}")?;
            }
        }
    }
    let store = Guarded::open_as_it_is(directory, config, Outside::default())?;
    let (records, octets) = store.check()?;
    writeln!(out, "sound: {records} records, {octets} octets")?;
    Ok(exit)
}
