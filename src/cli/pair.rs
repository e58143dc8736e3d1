//! `sluice pair …`: who may be on the link.
//!
//! Everything but `show` works on the authority's directory at central; `docs/pairing.md` tells the story.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::clock::WallTime;
use crate::link::pki::{Authority, Bundle, DIRECTORY, EdgeIdentity, PkiError};

/// Arguments of `sluice pair`.
#[derive(Args, Debug)]
pub struct PairArgs {
    /// The authority's directory at central.
    #[arg(long, global = true, default_value = DIRECTORY)]
    directory: PathBuf,
    #[command(subcommand)]
    command: PairCommand,
}

/// What can be done about pairing.
#[derive(Subcommand, Debug)]
enum PairCommand {
    /// Make this operator's authority and central's certificate; once.
    Init {
        /// Central's name: letters a-z, digits and '-'.
        #[arg(long, default_value = "central")]
        name: String,
        /// Where edges reach central, as host:port; several are tried in turn.
        #[arg(long = "address", required = true)]
        addresses: Vec<String>,
    },
    /// Enrol an edge and write the bundle to carry there.
    Enrol {
        /// The edge's name, as in its configuration.
        edge: String,
        #[command(flatten)]
        given: Given,
    },
    /// Give an edge, or central, a new certificate before the old one ends.
    Renew {
        /// The edge's name.
        #[arg(required_unless_present = "central", conflicts_with = "central")]
        edge: Option<String>,
        /// Renew central's own certificate; a running central takes it up by itself.
        #[arg(long)]
        central: bool,
        /// How long the edge's former certificate is still good.
        #[arg(long, value_parser = humantime::parse_duration, default_value = "14days")]
        grace: Duration,
        #[command(flatten)]
        given: Given,
    },
    /// Take an edge's certificates away; central cuts it off within a second or two.
    Revoke {
        /// The edge's name.
        edge: String,
        /// Why, for the list and for the edge's log.
        #[arg(long)]
        because: Option<String>,
    },
    /// List everything that was given to edges.
    List {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Tell what a bundle holds, at the edge or anywhere.
    Show {
        /// The bundle.
        bundle: PathBuf,
    },
}

/// What a new certificate is like.
#[derive(Args, Debug)]
struct Given {
    /// The bundle's file; NAME.pair in this directory if not given. It must not be there yet.
    #[arg(long)]
    out: Option<PathBuf>,
    /// How long the certificate is good.
    #[arg(long, value_parser = humantime::parse_duration, default_value = "1095days")]
    valid_for: Duration,
}

/// Why `sluice pair` came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// Pairing itself.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The bundle's file is there already.
    #[error("{} is there already; name another file with --out, or move it away", file.display())]
    BundleExists {
        /// Which.
        file: PathBuf,
    },
    /// A certificate was made, and its bundle could not be written.
    #[error(
        "{edge} is enrolled, but its bundle was lost: {source}; run `sluice pair renew {edge} --grace 0s --out FILE` with a file that can be written"
    )]
    BundleLost {
        /// The edge.
        edge: String,
        /// Why.
        source: Box<PkiError>,
    },
    /// The output cannot be written.
    #[error("writing the output failed: {0}")]
    Output(#[from] io::Error),
}

/// Runs `sluice pair`.
pub fn run(args: PairArgs, now: WallTime, out: &mut dyn Write) -> Result<(), PairError> {
    let directory = args.directory;
    match args.command {
        PairCommand::Init { name, addresses } => {
            let authority = Authority::init(&directory, &name, &addresses, now)?;
            writeln!(
                out,
                "made an authority and the certificate of central {} in {}\n\
                 Keep a backup of that directory in a safe place: with it anybody can enrol edges.\n\
                 Next: sluice pair enrol EDGE",
                authority.central(),
                directory.display()
            )?;
        }
        PairCommand::Enrol { edge, given } => {
            let file = bundle_file(&edge, given.out)?;
            let bundle = Authority::open(&directory)?.enrol(&edge, given.valid_for, now)?;
            save(&bundle, &file)?;
            told(out, "enrolled", &bundle, &file)?;
        }
        PairCommand::Renew {
            edge: Some(edge),
            grace,
            given,
            ..
        } => {
            let file = bundle_file(&edge, given.out)?;
            let bundle = Authority::open(&directory)?.renew(&edge, given.valid_for, grace, now)?;
            save(&bundle, &file)?;
            told(out, "renewed", &bundle, &file)?;
            writeln!(
                out,
                "Its former certificate ends {}.",
                match grace {
                    Duration::ZERO => String::from("now"),
                    grace => format!("in {}", humantime::format_duration(grace)),
                }
            )?;
        }
        PairCommand::Renew {
            edge: None, given, ..
        } => {
            let facts = Authority::open(&directory)?.renew_central(given.valid_for, now)?;
            writeln!(
                out,
                "renewed {} until {}; a running central takes it up by itself",
                facts.owner, facts.until
            )?;
        }
        PairCommand::Revoke { edge, because } => {
            let count = Authority::open(&directory)?.revoke(&edge, because.as_deref(), now)?;
            match count {
                0 => writeln!(out, "{edge} was revoked before; nothing changed")?,
                1 => writeln!(out, "revoked {edge}; central cuts it off within seconds")?,
                more => writeln!(
                    out,
                    "revoked {edge} with its {more} certificates; central cuts it off within seconds"
                )?,
            }
        }
        PairCommand::List { json } => list(&Authority::open(&directory)?, json, now, out)?,
        PairCommand::Show { bundle } => show(&bundle, now, out)?,
    }
    Ok(())
}

fn bundle_file(edge: &str, out: Option<PathBuf>) -> Result<PathBuf, PairError> {
    let file = out.unwrap_or_else(|| PathBuf::from(format!("{edge}.pair")));
    // Asked before anything is signed; `save` refuses once more.
    match file.exists() {
        true => Err(PairError::BundleExists { file }),
        false => Ok(file),
    }
}

fn save(bundle: &Bundle, file: &Path) -> Result<(), PairError> {
    bundle.save(file).map_err(|source| PairError::BundleLost {
        edge: bundle.edge.clone(),
        source: Box::new(source),
    })
}

fn told(out: &mut dyn Write, done: &str, bundle: &Bundle, file: &Path) -> io::Result<()> {
    writeln!(
        out,
        "{done} {}; its bundle is {}\n\
         Carry it to the edge over a channel you trust, name it there as `bundle` in [link], and keep no copy.",
        bundle.edge,
        file.display()
    )
}

fn list(
    authority: &Authority,
    as_json: bool,
    now: WallTime,
    out: &mut dyn Write,
) -> Result<(), PairError> {
    let listed = authority.list(now);
    if as_json {
        let lines: Vec<_> = listed
            .iter()
            .map(|one| {
                let of = &one.enrolled;
                json!({
                    "edge": of.edge,
                    "standing": one.standing.as_str(),
                    "serial": of.serial,
                    "issued": of.issued.to_string(),
                    "expires": of.expires.to_string(),
                    "retires": of.retires.map(|at| at.to_string()),
                    "revoked": of.revoked.map(|at| at.to_string()),
                    "because": of.because,
                })
            })
            .collect();
        let all = json!({ "central": authority.central(), "addresses": authority.addresses(), "certificates": lines });
        writeln!(out, "{all:#}")?;
        return Ok(());
    }
    writeln!(
        out,
        "central {} at {}",
        authority.central(),
        authority.addresses().join(", ")
    )?;
    if listed.is_empty() {
        writeln!(out, "no edge is enrolled")?;
    }
    for one in &listed {
        let of = &one.enrolled;
        let (verb, at) = match (of.revoked, of.retires) {
            (Some(at), _) => ("since", at),
            (None, Some(at)) => ("until", at),
            (None, None) => ("until", of.expires),
        };
        let because = match &of.because {
            Some(why) => format!("  {why}"),
            None => String::new(),
        };
        writeln!(
            out,
            "{:<31}  {:<8}  {verb} {at}  {}{because}",
            of.edge,
            one.standing.as_str(),
            of.serial
        )?;
    }
    Ok(())
}

fn show(file: &Path, now: WallTime, out: &mut dyn Write) -> Result<(), PairError> {
    let edge = EdgeIdentity::load(file, None)?;
    let facts = edge.facts();
    writeln!(
        out,
        "edge {} of central {} at {}\ncertificate {} is good from {} until {}",
        edge.name(),
        edge.central(),
        edge.addresses().join(", "),
        facts.serial,
        facts.from,
        facts.until
    )?;
    if let Some(worry) = edge.worry(now) {
        writeln!(out, "{worry}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::link::pki::{CERTIFICATE_LIFE, RENEWAL_GRACE};
    use clap::Parser;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        pair: PairArgs,
    }

    struct Place {
        home: tempfile::TempDir,
        now: WallTime,
    }

    impl Place {
        fn new() -> Self {
            Self {
                home: tempfile::tempdir().unwrap(),
                now: Clock::system().wall(),
            }
        }

        fn file(&self, name: &str) -> String {
            self.home.path().join(name).display().to_string()
        }

        fn pair(&self, words: &[&str]) -> Result<String, String> {
            let directory = self.file("pki");
            let begin = ["pair", "--directory", &directory];
            let program = Program::try_parse_from(begin.iter().chain(words))
                .map_err(|error| error.to_string())?;
            let mut out = Vec::new();
            run(program.pair, self.now, &mut out).map_err(|error| error.to_string())?;
            Ok(String::from_utf8(out).unwrap())
        }
    }

    #[test]
    fn the_defaults_said_are_the_defaults_meant() {
        let program = Program::parse_from(["pair", "enrol", "oslo"]);
        let PairCommand::Enrol { given, .. } = program.pair.command else {
            unreachable!("that is what was asked for")
        };
        assert_eq!(given.valid_for, CERTIFICATE_LIFE);
        let program = Program::parse_from(["pair", "renew", "oslo"]);
        let PairCommand::Renew { grace, .. } = program.pair.command else {
            unreachable!("that is what was asked for")
        };
        assert_eq!(grace, RENEWAL_GRACE);
    }

    #[test]
    fn an_operator_pairs_renews_revokes_and_looks() {
        let place = Place::new();
        let said = place.pair(&["list"]).unwrap_err();
        assert!(said.contains("sluice pair init"), "{said}");
        let said = place.pair(&["init"]).unwrap_err();
        assert!(said.contains("--address"), "{said}");

        let said = place
            .pair(&[
                "init",
                "--name",
                "main",
                "--address",
                "sms.example.net:25500",
            ])
            .unwrap();
        assert!(
            said.contains("central main") && said.contains("backup"),
            "{said}"
        );
        assert!(said.contains("sluice pair enrol"), "{said}");
        let said = place.pair(&["list"]).unwrap();
        assert_eq!(
            said,
            "central main at sms.example.net:25500\nno edge is enrolled\n"
        );

        let first = place.file("first");
        let said = place.pair(&["enrol", "oslo", "--out", &first]).unwrap();
        assert!(
            said.contains("enrolled oslo") && said.contains(&first),
            "{said}"
        );
        let said = place
            .pair(&["enrol", "bergen", "--out", &first])
            .unwrap_err();
        assert!(
            said.contains("there already") && said.contains("--out"),
            "{said}"
        );
        let said = place.pair(&["show", &first]).unwrap();
        assert!(said.starts_with("edge oslo of central main at sms.example.net:25500\n"));
        assert_eq!(said.lines().count(), 2, "{said}");

        let second = place.file("second");
        let said = place
            .pair(&["renew", "oslo", "--valid-for", "20days", "--out", &second])
            .unwrap();
        assert!(
            said.contains("renewed oslo") && said.contains("ends in 14days"),
            "{said}"
        );
        let said = place.pair(&["show", &second]).unwrap();
        assert!(said.contains("sluice pair renew oslo"), "{said}");
        let said = place.pair(&["renew", "--central"]).unwrap();
        assert!(said.contains("renewed central main until"), "{said}");

        let said = place
            .pair(&["revoke", "oslo", "--because", "the rack was sold"])
            .unwrap();
        assert!(
            said.contains("revoked oslo with its 2 certificates"),
            "{said}"
        );
        let said = place.pair(&["revoke", "oslo"]).unwrap();
        assert!(said.contains("nothing changed"), "{said}");
        let said = place.pair(&["list"]).unwrap();
        assert_eq!(said.matches("revoked").count(), 2, "{said}");
        assert_eq!(said.matches("the rack was sold").count(), 2, "{said}");
        let json: serde_json::Value =
            serde_json::from_str(&place.pair(&["list", "--json"]).unwrap()).unwrap();
        assert_eq!(json["certificates"][1]["standing"], "revoked");
        assert_eq!(json["certificates"][1]["because"], "the rack was sold");
    }

    #[test]
    fn a_bundle_that_cannot_be_written_says_how_to_get_another() {
        let place = Place::new();
        place
            .pair(&["init", "--address", "127.0.0.1:25500"])
            .unwrap();
        let nowhere = place.file("missing/oslo.pair");
        let said = place
            .pair(&["enrol", "oslo", "--out", &nowhere])
            .unwrap_err();
        assert!(said.contains("pair renew oslo --grace 0s --out"), "{said}");
        assert!(said.contains("missing/oslo.pair"), "{said}");
        let there = place.file("oslo.pair");
        let said = place
            .pair(&["renew", "oslo", "--grace", "0s", "--out", &there])
            .unwrap();
        assert!(said.contains("ends now"), "{said}");
        let said = place.pair(&["renew", "paris"]).unwrap_err();
        assert!(said.contains("enrolled are oslo"), "{said}");
    }
}
