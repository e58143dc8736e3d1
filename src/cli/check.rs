//! `sluice check`: whether a configuration will work, found out with the code that runs it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::{Exit, Failure};
use crate::central::config::CentralConfig;
use crate::clock::{Clock, WallTime};
use crate::config::{Document, load_with};
use crate::edge::config::{EdgeConfig, LaneConfig};
use crate::im::door::check_certificate;
use crate::im::door::config::DoorConfig;
use crate::lane::RingName;
use crate::link::pki::{CentralIdentity, EdgeIdentity};
use crate::link::transport::Connector;
use crate::ring::inspect::{Depth, inspect};
use crate::ring::page::file_length;
use crate::smsc::probe::probe;
use crate::smsc::transport::{Endpoint, resolves};

/// Where credentials lie before systemd hands them over.
const CREDENTIALS: &str = "/etc/sluice/credentials";

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Mode {
    /// What stands beside an SMSC.
    Edge,
    /// What all edges connect to.
    Central,
}

#[derive(Args)]
pub(super) struct CheckArgs {
    /// Which configuration.
    mode: Mode,
    /// The file. Default /etc/sluice/edge.toml or central.toml.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where credentials lie; systemd hands them over from here.
    #[arg(long, value_name = "DIRECTORY", default_value = CREDENTIALS)]
    credentials: PathBuf,
    /// At an edge: log in to each SMSC and greet central. Not while the service runs: an SMSC may end its session.
    #[arg(long)]
    probe: bool,
}

/// Tells as it goes; remembers the worst.
struct Report<'o> {
    out: &'o mut dyn Write,
    worst: Exit,
    now: WallTime,
}

impl Report<'_> {
    fn good(&mut self, what: &str) -> io::Result<()> {
        writeln!(self.out, "ok       {what}")
    }

    fn worth_knowing(&mut self, what: &str) -> io::Result<()> {
        if self.worst == Exit::Good {
            self.worst = Exit::Degraded;
        }
        writeln!(self.out, "warning  {what}")
    }

    fn wrong(&mut self, what: &str) -> io::Result<()> {
        self.worst = Exit::Configuration;
        writeln!(self.out, "WRONG    {what}")
    }
}

pub(super) fn run(args: &CheckArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    let mut report = Report {
        out,
        worst: Exit::Good,
        now: Clock::system().wall(),
    };
    match args.mode {
        Mode::Edge => {
            if let Some(config) = configuration::<EdgeConfig>(args, &mut report)? {
                edge(&config, args.probe, &mut report)?;
            }
        }
        Mode::Central => {
            if let Some(config) = configuration::<CentralConfig>(args, &mut report)? {
                central(&config, &mut report)?;
            }
        }
    }
    Ok(report.worst)
}

fn configuration<D: Document>(args: &CheckArgs, report: &mut Report<'_>) -> io::Result<Option<D>> {
    let usual = || Path::new("/etc/sluice").join(format!("{}.toml", D::MODE));
    let file = args.config.clone().unwrap_or_else(usual);
    let credentials = args
        .credentials
        .is_dir()
        .then_some(args.credentials.as_path());
    let loaded = match load_with::<D>(&file, credentials) {
        Ok(loaded) => loaded,
        Err(why) => {
            for line in why.to_string().lines() {
                report.wrong(line)?;
            }
            return Ok(None);
        }
    };
    let files: Vec<String> = loaded
        .files()
        .map(|file| file.display().to_string())
        .collect();
    report.good(&format!(
        "{}: every key is known and every value makes sense",
        files.join(", ")
    ))?;
    for warning in &loaded.warnings {
        report.worth_knowing(&warning.to_string())?;
    }
    Ok(Some(loaded.config))
}

fn edge(config: &EdgeConfig, is_probing: bool, report: &mut Report<'_>) -> io::Result<()> {
    let identity = match EdgeIdentity::load(&config.link.bundle, Some(&config.name)) {
        Ok(identity) => {
            match identity.worry(report.now) {
                Some(worry) => report.worth_knowing(&worry)?,
                None => report.good(&format!(
                    "{}: edge {} is paired with central {}",
                    config.link.bundle.display(),
                    identity.name(),
                    identity.central()
                ))?,
            }
            let addresses = match config.link.addresses.is_empty() {
                true => identity.addresses(),
                false => config.link.addresses.clone(),
            };
            for address in addresses {
                name_of_central(&address, report)?;
            }
            Some(identity)
        }
        Err(why) => {
            report.wrong(&why.to_string())?;
            None
        }
    };
    rings(&config.ring_file(), &config.rings(), report)?;
    for lane in &config.lanes {
        endpoint(lane, report)?;
    }
    if is_probing {
        probes(config, identity, report)?;
    }
    Ok(())
}

fn name_of_central(address: &str, report: &mut Report<'_>) -> io::Result<()> {
    let found = match address
        .rsplit_once(':')
        .map(|(host, port)| (host, port.parse()))
    {
        Some((host, Ok(port))) => resolves(host.trim_matches(['[', ']']), port),
        _ => {
            return report.wrong(&format!(
                "{address:?} is no address of central; write host:port"
            ));
        }
    };
    match found {
        Ok(()) => report.good(&format!("central {address} has an address")),
        Err(why) => report.worth_knowing(&format!(
            "central {address}: the name has no address now: {why}"
        )),
    }
}

/// The ring file: sound, with the rings that are configured; or room for it.
fn rings(file: &Path, wanted: &[RingName], report: &mut Report<'_>) -> io::Result<()> {
    let shown = file.display();
    let directory = file.parent().unwrap_or(Path::new("/"));
    let is_there = match file.try_exists() {
        Ok(is_there) => is_there,
        Err(why) => return unseen(file, &why, report),
    };
    if is_there {
        let seen = match inspect(file, Depth::Slots) {
            Ok(seen) => seen,
            Err(why) => return report.wrong(&why.to_string()),
        };
        if seen.is_sound() {
            let waiting: u64 = seen.rings.iter().map(|ring| ring.waiting).sum();
            report.good(&format!(
                "{shown}: sound, {} rings, {waiting} messages wait",
                seen.rings.len()
            ))?;
        } else {
            report.worth_knowing(&format!(
                "{shown}: not all is well; `sluice ring verify {shown}` tells what"
            ))?;
        }
        for ring in &seen.rings {
            let is_wanted = wanted.iter().any(|name| name.to_string() == ring.name);
            if !is_wanted && ring.waiting > 0 {
                report.worth_knowing(&format!(
                    "{shown}: ring {} holds {} messages, and no lane of the configuration has it",
                    ring.name, ring.waiting
                ))?;
            }
        }
    } else {
        report.good(&format!("{shown}: not there yet, the first start makes it"))?;
    }
    let there = fs::metadata(file).map_or(0, |there| there.len());
    let needed = file_length(u16::try_from(wanted.len()).unwrap_or(u16::MAX));
    let missing = needed.saturating_sub(there);
    if !directory.is_dir() {
        return report.wrong(&format!(
            "{}: there is no such directory; make it, or let the package do so (`systemd-tmpfiles --create`)",
            directory.display()
        ));
    }
    room(directory, missing, report)
}

/// What this user may not look at says nothing of how it is.
fn unseen(path: &Path, why: &io::Error, report: &mut Report<'_>) -> io::Result<()> {
    report.wrong(&format!(
        "{}: {why}; run this as root, or as the service does: `runuser -u sluice -- sluice check …`",
        path.display()
    ))
}

/// Whether the disk of a directory has room for so much, and some to spare. The directory itself may have to be made yet.
fn room(directory: &Path, octets: u64, report: &mut Report<'_>) -> io::Result<()> {
    let shown = directory.display();
    let mut nearest = Some(directory);
    let disk = loop {
        let Some(place) = nearest else {
            return report.wrong(&format!("{shown}: there is no such place"));
        };
        match rustix::fs::statvfs(place) {
            Ok(disk) => break disk,
            Err(rustix::io::Errno::NOENT) => nearest = place.parent(),
            Err(why) => return unseen(directory, &why.into(), report),
        }
    };
    const SPARE: u64 = 200 << 20;
    let free = disk.f_bavail * disk.f_frsize;
    let missing = match nearest == Some(directory) {
        true => "",
        false => "not there yet, the first start makes it; ",
    };
    let needed = match octets {
        0 => String::new(),
        octets => format!(", {} are needed for rings", octets.div_ceil(1 << 20)),
    };
    let told = format!("{shown}: {missing}{} MiB are free{needed}", free >> 20);
    if free < octets {
        report.wrong(&told)
    } else if free < octets + SPARE {
        report.worth_knowing(&told)
    } else {
        report.good(&told)
    }
}

fn endpoint(lane: &LaneConfig, report: &mut Report<'_>) -> io::Result<()> {
    let name = &lane.name;
    match &lane.smsc {
        Endpoint::Tcp { host, port } | Endpoint::Tls { host, port, .. } => match resolves(host, *port) {
            Ok(()) => report.good(&format!("lane {name}: {host} has an address"))?,
            Err(why) => report.worth_knowing(&format!("lane {name}: {host} has no address now: {why}"))?,
        },
        Endpoint::Serial { device, .. } => match fs::metadata(device) {
            Ok(_) => report.good(&format!("lane {name}: {} is there", device.display()))?,
            Err(why) => report.wrong(&format!(
                "lane {name}: {}: {why}; firmware-config/udev/70-sluice.rules gives serial ports steady names",
                device.display()
            ))?,
        },
    }
    if let Err(why) = lane.smsc.certificates() {
        report.wrong(&format!("lane {name}: {why}"))?;
    }
    Ok(())
}

fn probes(
    config: &EdgeConfig,
    identity: Option<EdgeIdentity>,
    report: &mut Report<'_>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for lane in &config.lanes {
        let name = &lane.name;
        let mut session = match lane.session(0) {
            Ok(session) => session,
            Err(why) => {
                report.wrong(&format!("lane {name}: {why}"))?;
                continue;
            }
        };
        match runtime.block_on(probe(session.as_mut(), &lane.smsc)) {
            Ok(peer) => report.good(&format!(
                "lane {name}: logged in to the SMSC ({peer}) and out again"
            ))?,
            Err(why) => report.wrong(&format!("lane {name}: no session with the SMSC: {why}"))?,
        }
    }
    if let Some(identity) = identity {
        let central = identity.central();
        let connected = runtime.block_on(async {
            let connection = Connector::new(identity, config.link.clone())
                .connect()
                .await?;
            let told = format!(
                "{} by {}",
                connection.remote_address(),
                connection.carrier()
            );
            connection.close("only a look");
            connection.flushed().await;
            Ok::<_, crate::link::transport::ConnectError>(told)
        });
        match connected {
            Ok(told) => report.good(&format!("central {central} greeted us, {told}"))?,
            Err(why) => report.wrong(&format!("central {central} does not greet us: {why}"))?,
        }
    }
    Ok(())
}

fn central(config: &CentralConfig, report: &mut Report<'_>) -> io::Result<()> {
    let directory = &config.link.directory;
    match CentralIdentity::load(directory) {
        Ok(identity) => {
            match identity.worry(report.now) {
                Some(worry) => report.worth_knowing(&worry)?,
                None => report.good(&format!(
                    "{}: central {}",
                    directory.display(),
                    identity.name()
                ))?,
            }
            let enrolled = match crate::link::pki::Authority::open(directory) {
                Ok(authority) => authority.list(report.now),
                Err(why) => {
                    report.wrong(&why.to_string())?;
                    Vec::new()
                }
            };
            for edge in &config.edges {
                if !enrolled
                    .iter()
                    .any(|listed| listed.enrolled.edge == edge.name)
                {
                    let name = &edge.name;
                    report.worth_knowing(&format!(
                        "edge {name} is not enrolled; `sluice pair enrol {name}` does it"
                    ))?;
                }
            }
        }
        Err(why) => report.wrong(&why.to_string())?,
    }
    rings(&config.ring_file(), &config.rings(), report)?;
    room(&config.store.directory, 0, report)?;
    match &config.im {
        Some(im) => {
            let mut im = im.clone();
            if let Err(why) = super::attributes::read(&mut im) {
                report.wrong(&why.to_string())?;
            }
            if let Err(why) = super::languages::read(&mut im) {
                report.wrong(&why.to_string())?;
            }
            im_door(&im.door, report)?;
            report.good(&match &im.phones {
                Some(phones) => {
                    let number = phones.number.digits();
                    let replies = match &phones.reply_first {
                        Some(first) => {
                            format!("at {} numbers from {}", phones.reply_count, first.digits())
                        }
                        None => String::from("to whoever wrote last"),
                    };
                    format!("phones write to the IM service at {number}, and reply {replies}")
                }
                None => String::from("the IM service reaches no phones; [im.phones] is not there"),
            })
        }
        None => Ok(()),
    }
}

/// Whether clients of the IM service will be able to come in.
fn im_door(door: &DoorConfig, report: &mut Report<'_>) -> io::Result<()> {
    let address = door.listen;
    match (check_certificate(door), &door.certificate) {
        (Err(why), _) => report.wrong(&why.to_string()),
        (Ok(()), Some(certificate)) => report.good(&format!(
            "IM clients come in at {address} with TLS, as {} says",
            certificate.display()
        )),
        (Ok(()), None) => report.good(&format!(
            "IM clients come in at {address}, from this machine only"
        )),
    }
}
