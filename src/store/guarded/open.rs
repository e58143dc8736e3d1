//! Guard rail 4: opening. What cannot be used is moved aside and restored from the newest export, with an alarm; what
//! cannot be restored is left as it is, and nothing is opened. Never is a store begun anew in silence.
//!
//! | found | done |
//! |---|---|
//! | nothing | made |
//! | a database without our schema, and no batch was ever durable | made: its making was interrupted |
//! | a database that opens, as new as the generation file says | used |
//! | a database that opens and is older (guard rail 6) | restored |
//! | one that refuses, panics, or has no schema | restored |
//! | none, though there are exports or a generation | restored |
//! | the disk is full, or the system refuses | not opened, nothing changed: that says nothing about the database |

use std::cell::Cell;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::exporting::time_of;
use super::files::{self, Files, sync_directory};
use super::generation::{GenerationFile, Told};
use super::room::Outside;
use super::{Applying, Core, GENERATION_KEY, SCHEMA, SCHEMA_KEY, Watched, bounded};
use crate::clock::Clock;
use crate::file_lock::FileLock;
use crate::store::config::StoreConfig;
use crate::store::error::StoreError;
use crate::store::export::{self, Exported};
use crate::store::health::Alarm;

/// sled cannot be opened without writing; on a full disk it refuses, and may refuse for ever.
const LEAST_TO_OPEN: u64 = 16 << 20;

/// sled's own lock outlives its handle by the end of its threads.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Changes of an export that are loaded at once.
const LOADED_AT_ONCE: usize = 1024;

thread_local! {
    static OPENING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is opening a database, and a panic is caught: a hook that ends the process lets it be.
pub fn is_opening() -> bool {
    OPENING.get()
}

/// What may be done about what is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Finding {
    /// What is not there is made, and what is damaged is restored.
    MakeOrRestore,
    /// Nothing is made, moved or restored.
    AsItIs,
}

/// Why a database was not opened.
enum Fault {
    /// The system is in the way; that says nothing about the database.
    Refused(StoreError),
    /// It cannot be used.
    Damaged(String),
}

impl From<StoreError> for Fault {
    fn from(why: StoreError) -> Self {
        Self::Refused(why)
    }
}

/// What the system says when it is the machine that refuses, and not the content: no rights, no room, no handles, no
/// memory, a disk that fails or is gone. To take one of these for damage would put an old export in the place of a store
/// that has everything.
const THE_SYSTEMS: &[i32] = &[
    1,   // EPERM
    5,   // EIO
    6,   // ENXIO
    11,  // EAGAIN
    12,  // ENOMEM
    13,  // EACCES
    16,  // EBUSY
    19,  // ENODEV
    23,  // ENFILE
    24,  // EMFILE
    27,  // EFBIG
    28,  // ENOSPC
    30,  // EROFS
    110, // ETIMEDOUT
    116, // ESTALE
    122, // EDQUOT
];

fn is_the_systems(why: &std::io::Error) -> bool {
    why.raw_os_error()
        .is_some_and(|code| THE_SYSTEMS.contains(&code))
        || matches!(
            why.kind(),
            ErrorKind::PermissionDenied
                | ErrorKind::StorageFull
                | ErrorKind::QuotaExceeded
                | ErrorKind::ReadOnlyFilesystem
        )
}

/// The same of what sled said in a panic: errors of the system stand there as `Os { code: 28, …`.
fn tells_of_the_system(panic: &str) -> Option<std::io::Error> {
    let (_, behind) = panic.split_once("Os { code: ")?;
    let (code, _) = behind.split_once(',')?;
    let why = std::io::Error::from_raw_os_error(code.parse().ok()?);
    is_the_systems(&why).then_some(why)
}

/// Runs what sled may panic in.
fn guarded<T>(path: &Path, mut work: impl FnMut() -> sled::Result<T>) -> Result<T, Fault> {
    for _ in 0..LOCK_TRIES {
        OPENING.set(true);
        let done = catch_unwind(AssertUnwindSafe(&mut work));
        OPENING.set(false);
        return match done {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(sled::Error::Io(why))) if is_the_systems(&why) => {
                Err(StoreError::io(path, "opening the database")(why).into())
            }
            Ok(Err(sled::Error::Io(why))) if why.to_string().contains("acquire lock") => {
                std::thread::sleep(LOCK_PAUSE);
                continue;
            }
            Ok(Err(why)) => Err(Fault::Damaged(why.to_string())),
            Err(panic) => {
                let told = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| panic.downcast_ref::<&str>().copied())
                    .unwrap_or("no reason");
                if let Some(why) = tells_of_the_system(told) {
                    return Err(StoreError::io(path, "opening the database")(why).into());
                }
                Err(Fault::Damaged(format!("sled panicked: {told}")))
            }
        };
    }
    let path = path.parent().unwrap_or(path).to_owned();
    Err(StoreError::InUse { path }.into())
}

/// A database that is open, and the batch that it holds last; no batch if it has no schema.
fn open_db(directory: &Path, config: &StoreConfig) -> Result<(sled::Db, Option<u64>), Fault> {
    // An open that was killed leaves its half-made snapshot, which sled would take for a whole one. The log has it all.
    if let Ok(entries) = fs::read_dir(directory) {
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.extension().is_some_and(|end| end == "generating") {
                fs::remove_file(&path)
                    .map_err(StoreError::io(&path, "removing a half snapshot"))?;
            }
        }
    }
    let (db, schema, generation) = guarded(directory, || {
        let db = bounded(directory, config).open()?;
        let schema = db.get(SCHEMA_KEY)?;
        let generation = db.get(GENERATION_KEY)?;
        Ok((db, schema, generation))
    })?;
    let Some(schema) = schema else {
        return Ok((db, None));
    };
    let number = |octets: &sled::IVec| octets.first_chunk().copied().map(u64::from_le_bytes);
    let generation = generation.as_ref().and_then(number);
    let generation =
        generation.ok_or_else(|| Fault::Damaged("its batches have no number".into()))?;
    match schema.first_chunk().copied().map(u16::from_le_bytes) {
        Some(SCHEMA) => Ok((db, Some(generation))),
        Some(found) => Err(Fault::Refused(StoreError::OtherVersion {
            path: directory.to_owned(),
            found,
            known: SCHEMA,
        })),
        None => Err(Fault::Damaged("its schema is no number".into())),
    }
}

/// Makes a database, or adds our records to one: durable with its directories (guard rail 1).
fn found_db(
    files: &Files,
    directory: &Path,
    db: &sled::Db,
    generation: u64,
    outside: &Outside,
) -> Result<(), StoreError> {
    let failed = super::failed("making the database");
    let mut batch = sled::Batch::default();
    batch.insert(SCHEMA_KEY, &SCHEMA.to_le_bytes());
    batch.insert(GENERATION_KEY, &generation.to_le_bytes());
    db.apply_batch(batch)
        .and_then(|()| db.flush())
        .map_err(failed)?;
    for name in ["db", "conf"] {
        let path = directory.join(name);
        File::open(&path)
            .and_then(|file| (outside.sync)(&file))
            .map_err(StoreError::io(&path, "syncing"))?;
    }
    sync_directory(directory)?;
    files.sync()
}

/// Loads an export into a new database in `db.new`.
fn load(
    files: &Files,
    export: &Path,
    at_least: u64,
    config: &StoreConfig,
    outside: &Outside,
) -> Result<Exported, Fault> {
    // Whole first: what was loaded of half an export is of no use.
    let found = export::replay(export, |_| Ok(()))?;
    let directory = files.new_db();
    files::remove(&directory)?;
    let db = guarded(&directory, || bounded(&directory, config).open())?;
    let mut batch = sled::Batch::default();
    let mut waiting = 0;
    export::replay(export, |change| {
        match &change.value {
            Some(value) => batch.insert(&change.key[..], &value[..]),
            None => batch.remove(&change.key[..]),
        }
        waiting += 1;
        if waiting == LOADED_AT_ONCE {
            waiting = 0;
            db.apply_batch(std::mem::take(&mut batch))
                .map_err(super::failed("loading an export"))?;
        }
        Ok(())
    })?;
    db.apply_batch(batch)
        .map_err(super::failed("loading an export"))?;
    let generation = at_least.max(found.summary.generation) + 1;
    found_db(files, &directory, &db, generation, outside)?;
    Ok(found)
}

/// Restores a store from its newest export that is whole.
fn restore(
    files: &Files,
    why: &str,
    told: Told,
    config: &StoreConfig,
    outside: &Outside,
) -> Result<Alarm, StoreError> {
    let known = match told {
        Told::Batch(generation) => Some(generation),
        Told::Nothing | Told::Damaged => None,
    };
    for export in files.exports()? {
        let exported = match load(files, &export, known.unwrap_or_default(), config, outside) {
            Ok(exported) => exported,
            Err(Fault::Damaged(wrong)) => {
                tracing::error!(export = %export.display(), wrong, "an export could not be loaded");
                continue;
            }
            Err(Fault::Refused(wrong @ StoreError::Export { .. })) => {
                tracing::error!(%wrong, "an export is damaged");
                continue;
            }
            Err(Fault::Refused(refused)) => return Err(refused),
        };
        let aside = match files.db().exists() {
            true => {
                let aside = files.aside(Clock::system().wall());
                files::rename(&files.db(), &aside)?;
                Some(aside)
            }
            false => None,
        };
        files::rename(&files.new_db(), &files.db())?;
        files.sync()?;
        let alarm = Alarm::Restored {
            why: why.into(),
            from: exported.at,
            lost: known.map(|known| known.saturating_sub(exported.summary.generation)),
            aside,
        };
        tracing::error!("{alarm}");
        return Ok(alarm);
    }
    Err(lost(files, why))
}

/// Makes the database anew from an export that was made just now, to give the room back that it wastes.
fn rebuild(
    files: &Files,
    export: &Path,
    config: &StoreConfig,
    outside: &Outside,
) -> Result<(), StoreError> {
    let loaded = load(files, export, 0, config, outside);
    loaded.map_err(|fault| match fault {
        Fault::Refused(why) => why,
        Fault::Damaged(why) => StoreError::Failed(why.into()),
    })?;
    // Should we die between the two, the database is gone and the export, as new as it, is there.
    files::remove(&files.db())?;
    files::rename(&files.new_db(), &files.db())?;
    files.sync()
}

/// The newest export that is whole by its own word; what is inside is looked at when it is needed.
fn newest_export(files: &Files) -> Result<Option<Exported>, StoreError> {
    let newest = files.exports()?.into_iter().next();
    Ok(newest.and_then(|path| {
        let summary = export::summary(&path).ok()?;
        let at = time_of(&path)?;
        Some(Exported { path, at, summary })
    }))
}

/// Opens the store in this directory; makes it if nothing is there.
pub(super) fn open(
    directory: &Path,
    config: &StoreConfig,
    outside: Outside,
    finding: Finding,
) -> Result<Core, StoreError> {
    let files = match finding {
        Finding::MakeOrRestore => Files::make(directory)?,
        Finding::AsItIs => Files::at(directory)?,
    };
    let lock = files.lock()?;
    let room =
        (outside.room)(directory).map_err(StoreError::io(directory, "asking for free room"))?;
    if room.free < LEAST_TO_OPEN {
        return Err(StoreError::NoRoom {
            path: directory.to_owned(),
            free: room.free,
            least: LEAST_TO_OPEN,
        });
    }
    let core = assemble(files, lock, config, outside, finding)?;
    if finding == Finding::AsItIs || !core.is_to_be_rebuilt() {
        return Ok(core);
    }
    let exported = core.export()?;
    let Core {
        files,
        outside,
        db,
        lock,
        ..
    } = core;
    drop(db);
    rebuild(&files, &exported.path, config, &outside)?;
    tracing::warn!("the store was rebuilt, to give room back");
    assemble(files, lock, config, outside, finding)
}

/// Puts an export in the place of a store, which is moved aside.
pub(super) fn import(
    export: &Path,
    directory: &Path,
    replace: bool,
    config: &StoreConfig,
) -> Result<Exported, StoreError> {
    let outside = Outside::default();
    if !replace && Files::at(directory).is_ok() {
        return Err(StoreError::Exists {
            path: directory.to_owned(),
        });
    }
    let files = Files::make(directory)?;
    let _lock = files.lock()?;
    let path = files.generation();
    let (generation_file, told) =
        GenerationFile::open(&path).map_err(StoreError::io(&path, "opening"))?;
    let at_least = match told {
        Told::Batch(generation) => generation,
        Told::Nothing | Told::Damaged => 0,
    };
    let loaded = load(&files, export, at_least, config, &outside).map_err(|fault| match fault {
        Fault::Refused(why) => why,
        Fault::Damaged(why) => StoreError::Failed(why.into()),
    })?;
    if files.db().exists() {
        files::rename(&files.db(), &files.aside(Clock::system().wall()))?;
    }
    files::rename(&files.new_db(), &files.db())?;
    files.sync()?;
    generation_file
        .note(at_least.max(loaded.summary.generation) + 1)
        .and_then(|()| generation_file.sync())
        .map_err(StoreError::io(&path, "writing"))?;
    Ok(loaded)
}

/// Opens what lies in a directory that is locked.
fn assemble(
    files: Files,
    lock: FileLock,
    config: &StoreConfig,
    outside: Outside,
    finding: Finding,
) -> Result<Core, StoreError> {
    if finding == Finding::MakeOrRestore {
        files.tidy()?;
        files::remove(&files.new_db())?;
    }
    let clock = Clock::system();
    let path = files.generation();
    let (generation_file, told) =
        GenerationFile::open(&path).map_err(StoreError::io(&path, "opening"))?;
    let opened = database(&files, told, config, &outside, finding)?;
    generation_file
        .note(opened.generation)
        .and_then(|()| generation_file.sync())
        .map_err(StoreError::io(&path, "writing"))?;
    files.sync()?;
    let path = files.db().join("db");
    let file = File::open(&path).map_err(StoreError::io(&path, "opening"))?;
    let exported = newest_export(&files)?;
    let core = Core {
        config: config.clone(),
        outside,
        clock,
        db: opened.db,
        file,
        committing: Mutex::default(),
        applying: Mutex::new(Applying {
            generation: opened.generation,
            tap: None,
        }),
        generation_file,
        generation_unsynced: AtomicBool::new(false),
        exporting: Mutex::default(),
        watched: Mutex::new(Watched {
            opening: opened.alarm.into_iter().collect(),
            exported,
            ..Watched::default()
        }),
        files,
        lock,
    };
    let due = core.first_export();
    super::locked(&core.watched).export_due = due;
    Ok(core)
}

/// A database that is open.
struct OpenDb {
    db: sled::Db,
    generation: u64,
    alarm: Option<Alarm>,
}

/// The table of this page.
fn database(
    files: &Files,
    told: Told,
    config: &StoreConfig,
    outside: &Outside,
    finding: Finding,
) -> Result<OpenDb, StoreError> {
    let restored = |why: &str| {
        if finding == Finding::AsItIs {
            return Err(StoreError::Damaged {
                path: files.directory.clone(),
                why: why.into(),
            });
        }
        let alarm = restore(files, why, told, config, outside)?;
        match open_db(&files.db(), config) {
            Ok((db, Some(generation))) => Ok(OpenDb {
                db,
                generation,
                alarm: Some(alarm),
            }),
            Ok((_, None)) => Err(lost(files, "what was restored has no schema")),
            Err(Fault::Damaged(why)) => Err(lost(files, &why)),
            Err(Fault::Refused(why)) => Err(why),
        }
    };
    let is_new = told == Told::Nothing && files.exports()?.is_empty();
    if !is_new && !files.db().exists() {
        return restored("its database is gone");
    }
    let (db, generation) = match open_db(&files.db(), config) {
        Ok(opened) => opened,
        Err(Fault::Damaged(why)) => return restored(&why),
        Err(Fault::Refused(why)) => return Err(why),
    };
    match (generation, told) {
        (None, _) if is_new => {
            found_db(files, &files.db(), &db, 1, outside)?;
            Ok(OpenDb {
                db,
                generation: 1,
                alarm: None,
            })
        }
        (None, _) => {
            drop(db);
            restored("it opens, and holds nothing of ours")
        }
        (Some(generation), Told::Batch(told)) if told > generation => {
            drop(db);
            restored(&format!(
                "it ends with batch {generation}, and {told} was durable"
            ))
        }
        (Some(generation), told) => Ok(OpenDb {
            db,
            generation,
            alarm: (!matches!(told, Told::Batch(_))).then_some(Alarm::GenerationUnknown),
        }),
    }
}

fn lost(files: &Files, why: &str) -> StoreError {
    StoreError::Lost {
        path: files.directory.clone(),
        why: why.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_refuses_is_not_taken_for_a_damaged_store() {
        let outcome = |work: fn() -> sled::Result<()>| match guarded(Path::new("/s/db"), work) {
            Ok(()) => String::from("open"),
            Err(Fault::Refused(why)) => format!("refused: {why}"),
            Err(Fault::Damaged(why)) => format!("damaged: {why}"),
        };
        for code in THE_SYSTEMS {
            assert!(is_the_systems(&std::io::Error::from_raw_os_error(*code)));
        }
        let full = outcome(|| Err(sled::Error::Io(std::io::Error::from_raw_os_error(28))));
        assert!(
            full.starts_with("refused: /s/db: opening the database failed: No space left"),
            "{full}"
        );
        // As `unwrap` says it.
        let panicked = outcome(|| panic!("Err: Io({:?})", std::io::Error::from_raw_os_error(27)));
        assert!(
            panicked.starts_with("refused: /s/db: opening the database failed: File too large"),
            "{panicked}"
        );
        // A file that should be there and is not, or what makes no sense, is damage.
        let missing = outcome(|| Err(sled::Error::Io(std::io::Error::from_raw_os_error(2))));
        assert!(missing.starts_with("damaged: "), "{missing}");
        let nonsense = outcome(|| panic!("index out of bounds"));
        assert_eq!(nonsense, "damaged: sled panicked: index out of bounds");
    }
}
