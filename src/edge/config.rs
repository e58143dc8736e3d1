//! The edge's configuration: `edge.toml`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::config::{Document, Effect, Effects, Findings};
use crate::lane::{Direction, Lane, RingName, Side, checked};
use crate::link::transport::ConnectorConfig;
use crate::log::config::LogConfig;
use crate::message::Refused;
use crate::smsc::courier::{InDoubt, Manner};
use crate::smsc::session::Session;
use crate::smsc::transport::Endpoint;
use crate::smsc::{cimd2, smpp};
use crate::status::config::{MetricsConfig, StatusConfig};

/// Where the rings lie.
const RINGS: &str = "/var/lib/sluice/rings";

/// Everything that can be set at an edge.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdgeConfig {
    /// The edge's name, as central knows it and its bundle says.
    pub name: String,
    /// Where the rings are kept.
    #[serde(default)]
    pub rings: RingsConfig,
    /// How central is reached.
    #[serde(default)]
    pub link: ConnectorConfig,
    /// The SMSC sessions, one or more.
    #[serde(rename = "lane", default)]
    pub lanes: Vec<LaneConfig>,
    /// The status socket.
    #[serde(default)]
    pub status: StatusConfig,
    /// Metrics over HTTP.
    #[serde(default)]
    pub metrics: MetricsConfig,
    /// Logs.
    #[serde(default)]
    pub log: LogConfig,
}

/// The `[rings]` section.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RingsConfig {
    /// Their directory. Default `/var/lib/sluice/rings`.
    pub directory: PathBuf,
}

impl Default for RingsConfig {
    fn default() -> Self {
        Self {
            directory: PathBuf::from(RINGS),
        }
    }
}

/// One `[[lane]]`: an SMSC session and its rings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneConfig {
    /// The lane's name within the edge.
    pub name: String,
    /// Whether it takes what phones write. Default yes.
    #[serde(default = "yes")]
    pub mo: bool,
    /// Whether it carries texts to phones. Default yes.
    #[serde(default = "yes")]
    pub mt: bool,
    /// What becomes of a message that the SMSC may or may not have: `resend`, `hold` or `drop`. Default `resend`.
    #[serde(default)]
    pub in_doubt: InDoubt,
    /// Whether a mark is made durable before the SMSC sees a message, so that doubt is known after a crash too; costs a
    /// sync for each message. Default yes.
    #[serde(default = "yes")]
    pub in_doubt_mark: bool,
    /// Most messages a second that are offered to the SMSC. Default as fast as it answers.
    pub throughput: Option<f64>,
    /// After how long without any progress, though there is something to do and the SMSC is there, the lane's session is
    /// made anew. Default 2min.
    #[serde(
        default = "stuck_after",
        deserialize_with = "crate::smsc::duration::deserialize"
    )]
    pub stuck_after: Duration,
    /// Where the SMSC is.
    pub smsc: Endpoint,
    /// The account, if the SMSC speaks SMPP.
    pub smpp: Option<smpp::Config>,
    /// The account, if the SMSC speaks CIMD2.
    pub cimd2: Option<cimd2::Config>,
}

const fn yes() -> bool {
    true
}

const fn stuck_after() -> Duration {
    Duration::from_secs(120)
}

impl LaneConfig {
    /// How messages are offered.
    pub const fn manner(&self) -> Manner {
        Manner {
            in_doubt: self.in_doubt,
            throughput: self.throughput,
        }
    }

    /// The protocol, in one word.
    pub const fn protocol(&self) -> &'static str {
        if self.smpp.is_some() { "smpp" } else { "cimd2" }
    }

    /// The session's machine; chance (for the times of probes) comes from the seed.
    pub fn session(&self, seed: u64) -> Result<Box<dyn Session>, Refused> {
        Ok(match (&self.smpp, &self.cimd2) {
            (Some(smpp), _) => Box::new(smpp::Session::new(smpp.clone(), seed)?),
            (None, Some(cimd2)) => Box::new(cimd2::Session::new(cimd2.clone())?),
            (None, None) => {
                return Err(Refused::new(
                    "lane",
                    "has neither [lane.smpp] nor [lane.cimd2]",
                ));
            }
        })
    }

    fn check(&self, findings: &mut Findings<'_>) {
        if let Err(why) = checked(&self.name) {
            findings.refuse("name", why.to_string());
        }
        if !self.mo && !self.mt {
            findings.refuse(
                "mo",
                "neither mo nor mt is on, so the lane would carry nothing",
            );
        }
        match (&self.smpp, &self.cimd2) {
            (Some(smpp), None) => {
                findings.within("smpp", |findings| {
                    findings.take(smpp.check());
                    for warning in smpp.warnings() {
                        findings.warn("password", warning);
                    }
                    if self.mo && !smpp.bind.receives() {
                        findings.refuse("bind", "a transmitter takes no messages from phones; set mo = false for this lane");
                    }
                    if self.mt && !smpp.bind.submits() {
                        findings.refuse("bind", "a receiver carries no texts to phones; set mt = false for this lane");
                    }
                });
            }
            (None, Some(cimd2)) => {
                findings.within("cimd2", |findings| findings.take(cimd2.check()))
            }
            (Some(_), Some(_)) => {
                findings.refuse(
                    "cimd2",
                    "a lane speaks one protocol; take out either [lane.smpp] or [lane.cimd2]",
                );
            }
            (None, None) => findings.refuse(
                "",
                "the account is missing: add [lane.smpp] or [lane.cimd2]",
            ),
        }
        if let Some(rate) = self.throughput
            && !(0.1..=100_000.0).contains(&rate)
        {
            findings.refuse(
                "throughput",
                "is not between 0.1 and 100000 messages a second",
            );
        }
        if !(Duration::from_secs(10)..=Duration::from_hours(24)).contains(&self.stuck_after) {
            findings.refuse("stuck_after", "is not between 10s and 1 day");
        }
        findings.within("smsc", |findings| match &self.smsc {
            Endpoint::Tcp { host, port } | Endpoint::Tls { host, port, .. } => {
                if host.is_empty() {
                    findings.refuse("host", "is empty");
                }
                if *port == 0 {
                    findings.refuse("port", "is 0; the carrier gives it");
                }
            }
            Endpoint::Serial { device, .. } => {
                if !device.is_absolute() {
                    findings.refuse("device", "is no whole path, as in /dev/ttyS0");
                }
                if self.smpp.is_some() {
                    findings.warn(
                        "transport",
                        "SMPP over a serial line is unusual; most SMSCs speak CIMD2 there",
                    );
                }
            }
        });
    }
}

impl EdgeConfig {
    /// The file with the rings.
    pub fn ring_file(&self) -> PathBuf {
        self.rings.directory.join("edge.ring")
    }

    /// The rings of all lanes.
    pub fn rings(&self) -> Vec<RingName> {
        let mut rings = Vec::new();
        for config in &self.lanes {
            // The check has seen both names.
            let Ok(lane) = Lane::new(&self.name, &config.name) else {
                continue;
            };
            if config.mo {
                rings.push(RingName::new(lane.clone(), Direction::Mo, Side::Origin));
            }
            if config.mt {
                rings.push(RingName::new(lane, Direction::Mt, Side::Mirror));
            }
        }
        rings
    }
}

impl Document for EdgeConfig {
    const MODE: &'static str = "edge";
    const OTHER: (&'static str, &'static [&'static str]) = (
        "central",
        &["edge", "route", "store", "backlog", "desk", "im"],
    );
    const EFFECTS: Effects = &[
        ("lane.*.throughput", Effect::AtOnce),
        ("lane.*.in_doubt", Effect::AtOnce),
        ("lane.*.stuck_after", Effect::AtOnce),
        ("lane.*.in_doubt_mark", Effect::Session),
        ("lane.*.smsc", Effect::Session),
        ("lane.*.smpp", Effect::Session),
        ("lane.*.cimd2", Effect::Session),
        ("link", Effect::Link),
        ("log.filter", Effect::AtOnce),
        ("log.access", Effect::AtOnce),
    ];

    fn check(&self, findings: &mut Findings<'_>) {
        if let Err(why) = checked(&self.name) {
            findings.refuse("name", why.to_string());
        }
        if self.lanes.is_empty() {
            findings.refuse(
                "",
                "there is no lane; add [[lane]] with the SMSC and the account",
            );
        }
        let mut names = BTreeSet::new();
        findings.each("lane", &self.lanes, |findings, lane| {
            if !names.insert(&lane.name) {
                findings.refuse("name", format!("{:?} is there twice", lane.name));
            }
            lane.check(findings);
        });
        findings.within("rings", |findings| {
            absolute(findings, "directory", &self.rings.directory)
        });
        findings.within("link", |findings| {
            absolute(findings, "bundle", &self.link.bundle)
        });
        findings.within("status", |findings| findings.take(self.status.check()));
        findings.within("metrics", |findings| findings.take(self.metrics.check()));
        findings.within("log", |findings| findings.take(self.log.check()));
    }
}

fn absolute(findings: &mut Findings<'_>, key: &str, path: &std::path::Path) {
    if !path.is_absolute() {
        findings.refuse(
            key,
            "depends on where the service is started; write the whole path",
        );
    }
}
