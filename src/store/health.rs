//! How the store stands: what status shows of it, and what raises an alarm.

use std::path::PathBuf;

use crate::clock::WallTime;

/// Something that a human must look at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Alarm {
    /// The database could not be used and was restored from an export.
    Restored {
        /// What was wrong.
        why: String,
        /// The export's time.
        from: WallTime,
        /// How many durable batches came after the export and are lost; `None` if that is not known.
        lost: Option<u64>,
        /// Where the database lies now; `None` if it was gone.
        aside: Option<PathBuf>,
    },
    /// The file that tells silent loss could not be read; a loss before now would not be noticed.
    GenerationUnknown,
    /// A write or sync failed: nothing is taken before the store is opened anew.
    Failed {
        /// What failed.
        why: String,
    },
    /// Little room is left; nothing new is taken.
    NoRoom {
        /// Octets that are free.
        free: u64,
        /// Octets that must be.
        least: u64,
    },
    /// The database takes much more room than what it holds.
    Bloated {
        /// Octets on disk.
        on_disk: u64,
        /// Octets of what it holds.
        logical: u64,
    },
    /// No export could be written.
    ExportFailed {
        /// Why.
        why: String,
    },
}

impl std::fmt::Display for Alarm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Restored {
                why,
                from,
                lost,
                aside,
            } => {
                write!(f, "the store could not be used ({why}) and was restored from the export of {from}")?;
                match lost {
                    Some(0) => f.write_str("; nothing that was acknowledged is lost")?,
                    Some(lost) => write!(f, "; the {lost} batches acknowledged after it are lost")?,
                    None => f.write_str("; what was acknowledged after it is lost")?,
                }
                match aside {
                    Some(aside) => write!(f, "; the damaged one lies in {}", aside.display()),
                    None => Ok(()),
                }
            }
            Self::GenerationUnknown => f.write_str(
                "the file that tells of silent loss was damaged and was written anew; a loss before now would not be \
                 noticed",
            ),
            Self::Failed { why } => {
                write!(f, "the store takes nothing more until central is restarted: {why}")
            }
            Self::NoRoom { free, least } => write!(
                f,
                "the store takes nothing new: {free} octets are free, {least} are kept in reserve; make room"
            ),
            Self::Bloated { on_disk, logical } => write!(
                f,
                "the store takes {on_disk} octets on disk for {logical} octets of content; from ten times on it is \
                 rebuilt when central starts"
            ),
            Self::ExportFailed { why } => write!(f, "the store could not be exported: {why}"),
        }
    }
}

/// How the store stands.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Health {
    /// Number of the last durable batch.
    pub generation: u64,
    /// Octets that the database takes on disk.
    pub on_disk: u64,
    /// Octets of all keys and values, as of the last export.
    pub logical: Option<u64>,
    /// Octets free on its file system.
    pub free: Option<u64>,
    /// When it was exported last.
    pub exported_at: Option<WallTime>,
    /// What a human must look at.
    pub alarms: Vec<Alarm>,
}
