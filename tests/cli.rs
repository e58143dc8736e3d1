//! What people read at the command line, as stored transcripts that read like a story.
//!
//! A line that begins with `$` is typed, one with `!` happens behind the scenes; what follows is the answer. What
//! differs from run to run stands there as EPOCH, IDENTITY, TIME. With `SLUICE_TELL=1` the stories are written anew; read
//! the difference before it is kept.

mod support;

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sluice::clock::{Clock, WallTime};
use sluice::lane::{Address, RingName, Sequence};
use sluice::message::{
    Class, Coding, Concat, DeliveryKey, Item, PhoneNumber, ShortCode, ShortMessage, UserDataHeader,
};
use sluice::ring::page::{self, Fence};
use sluice::ring::{Opened, Parcel, RingFile};
use support::messages::wait;

struct Stage {
    folder: tempfile::TempDir,
    held: Option<Opened>,
}

impl Stage {
    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn typed(&self, line: &str) -> String {
        let words = line.split_whitespace().map(|word| match word {
            file if file.starts_with("FILE") => self.path(file).into_os_string(),
            word => OsString::from(word),
        });
        let mut out = Vec::new();
        let ended = sluice::cli::run(words, &mut out);
        let mut told = String::from_utf8(out).unwrap();
        let exit = ended.unwrap_or_else(|failure| {
            told.push_str(&format!("sluice: {failure}\n"));
            failure.exit()
        });
        told.push_str(&format!("[exit {}]\n", exit.code()));
        self.normal(&told)
    }

    fn happens(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match &words[..] {
            ["messages", file, ring] => messages(&self.path(file), ring),
            ["damage", "slot", slot, "of", ring, "in", file] => {
                let (path, index) = (self.path(file), ring.parse().unwrap());
                let address = Address::new(slot.parse().unwrap()).unwrap();
                overwrite(&path, page::slot_offset(index, address) + 300);
            }
            ["damage", "header", "in", file] => overwrite(&self.path(file), 12),
            ["fence", ring, "in", file] => {
                let opened = RingFile::open(&self.path(file)).unwrap();
                let ring = opened.file.ring(&ring.parse().unwrap()).unwrap();
                wait(ring.shut(Fence::FarEndAhead)).unwrap();
            }
            ["cut", file, "at", octets] => File::options()
                .write(true)
                .open(self.path(file))
                .and_then(|file| file.set_len(octets.parse().unwrap()))
                .unwrap(),
            ["start", "a", "gateway", "on", file] => {
                self.held = Some(RingFile::open(&self.path(file)).unwrap());
            }
            ["stop", "the", "gateway"] => {
                let opened = self.held.take().unwrap();
                wait(opened.file.close()).unwrap();
            }
            other => panic!("nobody knows how to {other:?}"),
        }
    }

    fn normal(&self, told: &str) -> String {
        let folder = format!("{}/", self.folder.path().display());
        let told = told.replace(&folder, "");
        let mut out = String::new();
        let mut word = String::new();
        for character in told.chars().chain(['\0']) {
            if character.is_ascii_alphanumeric() || matches!(character, '.' | ':' | '-') {
                word.push(character);
                continue;
            }
            out.push_str(&steady(&word));
            word.clear();
            if character != '\0' {
                out.push(character);
            }
        }
        out
    }
}

/// A word without what differs from run to run.
fn steady(word: &str) -> String {
    let bare = word.trim_end_matches([':', '.']);
    let rest = &word[bare.len()..];
    if bare.len() == 24 && bare.ends_with('Z') && bare[..4].parse::<u16>().is_ok() {
        return format!("TIME{rest}");
    }
    let is_hex = |part: &str| part.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
    let (before, last) = match bare.rsplit_once('-') {
        Some((before, last)) => (format!("{before}-"), last),
        None => (String::new(), bare),
    };
    match last.len() {
        16 if is_hex(last) => format!("{before}EPOCH{rest}"),
        32 if is_hex(last) => format!("{before}IDENTITY{rest}"),
        _ => word.to_owned(),
    }
}

fn overwrite(path: &Path, offset: u64) {
    File::options()
        .write(true)
        .open(path)
        .and_then(|file| file.write_all_at(b"garbage", offset))
        .unwrap();
}

/// Seven messages two days ago: three processed, one of them ahead; two not yet sent.
fn messages(path: &Path, ring: &str) {
    let opened = RingFile::open(path).unwrap();
    let name: RingName = ring.parse().unwrap();
    let ring = opened.file.ring(&name).unwrap();
    let two_days_ago = WallTime::from_unix_ms(
        Clock::system().wall().as_unix_ms()
            - Duration::from_secs(51 * 3600 + 60).as_millis() as u64,
    );
    wait(async {
        for number in 1..=7_u16 {
            let (coding, data) = match number % 3 {
                0 => sluice::text::encode("Hello, Oslo @ 5 €"),
                1 => sluice::text::encode("Привет"),
                _ => (
                    Coding::Octets,
                    bytes::Bytes::from_static(b"\x1b[31m\x00okay"),
                ),
            };
            let header = match number {
                5 => UserDataHeader::concat(Concat {
                    reference: 7,
                    wide: false,
                    total: 3,
                    part: 2,
                }),
                _ => UserDataHeader::NONE,
            };
            let body = sluice::message::Body::new(coding, header, data)
                .unwrap()
                .with_class(Some(Class::from_low_bits(1)));
            let message = ShortMessage::new(
                PhoneNumber::new(&format!("35840123456{number}"))
                    .unwrap()
                    .into(),
                ShortCode::new("12345").unwrap().into(),
                body,
            );
            let item = Item::Message(message);
            let parcel = Parcel::pack(&item, two_days_ago, DeliveryKey::NONE).unwrap();
            ring.append(parcel).await.unwrap();
        }
        for number in [1, 2, 7] {
            ring.process(Sequence::new(number)).unwrap();
        }
        ring.confirm(Sequence::new(3)).unwrap();
        ring.mark_sent(Sequence::new(5)).unwrap();
        opened.file.close().await.unwrap();
    });
}

fn story(name: &str) {
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/cli/{name}.txt"));
    let expected = std::fs::read_to_string(&stored).unwrap();
    let mut stage = Stage {
        folder: tempfile::tempdir().unwrap(),
        held: None,
    };
    let mut told = String::new();
    for line in expected.lines() {
        if let Some(happens) = line.strip_prefix("! ") {
            stage.happens(happens);
        } else if !line.starts_with('$') && !line.starts_with('#') {
            continue;
        }
        if line.starts_with('#') && !told.is_empty() {
            told.push('\n');
        }
        told.push_str(line);
        told.push('\n');
        if let Some(typed) = line.strip_prefix("$ ") {
            told.push_str(&stage.typed(typed));
        }
    }
    if std::env::var_os("SLUICE_TELL").is_some() {
        std::fs::write(&stored, &told).unwrap();
    }
    let kept = std::fs::read_to_string(&stored).unwrap();
    assert!(
        kept == told,
        "the story of tests/cli/{name}.txt goes otherwise now:\n{told}"
    );
}

#[test]
fn a_ring_file_from_making_to_renewal() {
    story("ring");
}

#[test]
fn damage_and_what_to_do_about_it() {
    story("damage");
}

#[test]
fn answers_for_programs() {
    story("json");
}

fn ran(program: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let ran = Command::new(program).args(arguments).output().unwrap();
    (
        ran.status.code(),
        String::from_utf8(ran.stdout).unwrap(),
        String::from_utf8(ran.stderr).unwrap(),
    )
}

#[test]
fn the_binary_complains_in_one_sentence_and_ends_with_the_code_of_the_case() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("sluice");
    std::fs::copy(env!("CARGO_BIN_EXE_sluice"), &program).unwrap();
    let file = folder.path().join("rings");
    let file = file.to_str().unwrap();
    let (code, out, err) = ran(&program, &["ring", "show", file]);
    assert_eq!((code, out.as_str()), (Some(74), ""));
    assert_eq!(
        err,
        format!(
            "sluice: {file}: there is no ring file here; make one with `sluice ring create {file} RING…`\n"
        )
    );
    let (code, _, err) = ran(&program, &["ring", "shwo", file]);
    assert_eq!(code, Some(64));
    assert_eq!(err.lines().count(), 1);
    let (code, out, err) = ran(&program, &["ring", "create", file, "oslo/a:mo:origin"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains("made for 1 ring"));
    overwrite(
        Path::new(file),
        page::slot_offset(0, Address::new(9).unwrap()),
    );
    let (code, out, _) = ran(&program, &["ring", "verify", file]);
    assert_eq!(code, Some(1));
    assert!(out.contains("slot 9: "));
    let (code, out, err) = ran(
        &program,
        &["ring", "exercise", file, "--lanes", "1", "--messages", "20"],
    );
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.ends_with("closed\n"));
}

/// Runs a shell script as root of a namespace of its own, with a small file system in memory at `$1`.
fn in_a_small_world(folder: &Path, script: &str) -> Option<(Option<i32>, String)> {
    let program = folder.join("sluice");
    std::fs::copy(env!("CARGO_BIN_EXE_sluice"), &program).unwrap();
    let disk = folder.join("disk");
    std::fs::create_dir(&disk).unwrap();
    let script = format!("mount -t tmpfs -o size=2m none $1 || exit 99\n{script}");
    let ran = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
        .args([Path::new("sh"), &disk, &program])
        .output();
    match ran {
        Ok(ran) if ran.status.code() != Some(99) && !ran.stderr.starts_with(b"unshare") => {
            let told = [ran.stdout, ran.stderr].concat();
            let told = String::from_utf8(told).unwrap();
            let disk = format!("{}/", disk.display());
            Some((ran.status.code(), told.replace(&disk, "")))
        }
        other => {
            eprintln!("SKIPPED: this machine lets no test mount a file system: {other:?}");
            None
        }
    }
}

#[test]
fn a_full_disk_leaves_what_was_there_and_makes_nothing_new() {
    let folder = tempfile::tempdir().unwrap();
    let script = "\
        $2 ring create $1/rings oslo/a:mo:origin
        $2 ring create $1/more oslo/a:mo:origin
        echo code $?
        ls $1
        $2 ring verify $1/rings
        $2 ring exercise $1/rings --lanes 1
        echo code $?
        $2 ring verify $1/rings";
    let Some((code, told)) = in_a_small_world(folder.path(), script) else {
        return;
    };
    let octets = page::file_length(1);
    assert_eq!(code, Some(0), "{told}");
    // Complaints come after the answers, as they were read.
    let (answers, complaints) = told.split_once("sluice: ").unwrap();
    assert_eq!(
        answers,
        format!(
            "rings: made for 1 ring, {octets} octets, all of them on disk\n\
             code 74\nrings\nrings.live\n\
             rings: sound; 1 ring, 0 messages to be processed\n\
             code 74\n\
             rings: sound; 1 ring, 0 messages to be processed\n"
        )
    );
    assert_eq!(
        complaints,
        format!(
            "more: the disk is full: a file of {octets} octets for 1 rings does not fit; \
             free some room there, then start again what needs it; a service that runs tries by itself \
             (no message was accepted)\n\
             sluice: rings: the disk is full: a file of {} octets for 3 rings does not fit; \
             free some room there, then start again what needs it; a service that runs tries by itself \
             (no message was accepted)\n",
            page::file_length(3)
        )
    );
}

#[test]
fn on_a_disk_that_is_read_only_looking_works_and_writing_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let script = "\
        $2 ring create $1/rings oslo/a:mo:origin
        mount -o remount,ro $1
        $2 ring verify $1/rings
        $2 ring exercise $1/rings --lanes 1
        echo code $?
        $2 ring create $1/more oslo/a:mo:origin
        echo code $?
        $2 ring renew $1/rings --ring oslo/a:mo:origin
        echo code $?";
    let Some((code, told)) = in_a_small_world(folder.path(), script) else {
        return;
    };
    assert_eq!(code, Some(0), "{told}");
    let (answers, complaints) = told.split_once("sluice: ").unwrap();
    assert!(answers.contains("rings: sound; 1 ring,"));
    assert!(answers.ends_with("code 74\ncode 74\ncode 74\n"), "{told}");
    let why = "cannot be written (Read-only file system (os error 30)); check the mount and the owner of the file";
    assert_eq!(
        complaints,
        format!("rings: {why}\nsluice: more: {why}\nsluice: rings: {why}\n")
    );
}
