//! Central's configuration: `central.toml`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error};

use crate::config::{Document, Effect, Effects, Findings};
use crate::lane::{Direction, Lane, RingName, Side, checked};
use crate::link::transport::ListenerConfig;
use crate::log::config::LogConfig;
use crate::message::{Party, PhoneNumber, ShortCode};
use crate::status::config::{MetricsConfig, StatusConfig};
use crate::store::StoreConfig;

/// Everything that can be set at central. Its name is that of its authority (`sluice pair init --name`).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CentralConfig {
    /// Where the rings are kept.
    pub rings: RingsConfig,
    /// Where users, inboxes and backlog are kept.
    pub store: StoreConfig,
    /// How edges get in.
    pub link: ListenerConfig,
    /// The edges and their lanes.
    #[serde(rename = "edge")]
    pub edges: Vec<EdgeSection>,
    /// Which lanes carry texts to which phones.
    #[serde(rename = "route")]
    pub routes: Vec<RouteConfig>,
    /// What waits for a lane.
    pub backlog: BacklogConfig,
    /// What is known of messages that are done with.
    pub tracking: TrackingConfig,
    /// Long messages.
    pub parts: PartsConfig,
    /// Where programs on this machine hand in texts.
    pub desk: DeskConfig,
    /// The IM service. Without this section there is none, and all that phones write comes to the desk.
    pub im: Option<crate::im::config::Config>,
    /// The status socket.
    pub status: StatusConfig,
    /// Metrics over HTTP.
    pub metrics: MetricsConfig,
    /// Logs.
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
            directory: PathBuf::from("/var/lib/sluice/rings"),
        }
    }
}

/// The `[desk]` section: where programs on this machine hand in texts and fetch what came. Every key may be left out.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeskConfig {
    /// The socket. Default `/run/sluice/desk.sock`.
    pub socket: PathBuf,
    /// Who may use it, as `chmod` writes it. Default `0660`.
    #[serde(deserialize_with = "crate::status::config::mode")]
    pub mode: u32,
    /// How many may be connected at once. Default 32.
    pub connections: usize,
}

impl Default for DeskConfig {
    fn default() -> Self {
        Self {
            socket: PathBuf::from(crate::status::config::RUN).join("desk.sock"),
            mode: 0o660,
            connections: 32,
        }
    }
}

/// One `[[edge]]`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdgeSection {
    /// Its name, as it was enrolled.
    pub name: String,
    /// Its lanes, as they are called there.
    #[serde(rename = "lane", default)]
    pub lanes: Vec<LaneSection>,
}

/// One `[[edge.lane]]`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneSection {
    /// Its name within the edge.
    pub name: String,
    /// Whether it takes what phones write. Default yes.
    #[serde(default = "yes")]
    pub mo: bool,
    /// Whether it carries texts to phones. Default yes.
    #[serde(default = "yes")]
    pub mt: bool,
    /// The mobile operator behind it, for routes that name operators. Default none.
    pub operator: Option<String>,
    /// Its share among the lanes of a route, 0 to 1000; with 0 it gets nothing new. Default 1.
    #[serde(default = "one")]
    pub weight: u32,
    /// The numbers that the carrier gave it: what phones write to, and what they see as the sender. The first one is the
    /// sender of texts that have none of their own. What phones write to other numbers is kept and shown, not passed on.
    /// Those of the IM service need not be among them. Default none: whatever comes is passed on.
    #[serde(default, deserialize_with = "short_codes")]
    pub short_codes: Vec<Party>,
}

const fn yes() -> bool {
    true
}

const fn one() -> u32 {
    1
}

fn short_codes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Party>, D::Error> {
    Vec::<String>::deserialize(from)?
        .iter()
        .map(|written| {
            let party = match written.strip_prefix('+') {
                Some(_) => PhoneNumber::new(written).map(Party::Phone),
                None => ShortCode::new(written).map(Party::ShortCode),
            };
            party.map_err(|why| {
                D::Error::custom(format!(
                    "{written:?} {}; write a short code, as in \"12345\", or a whole number, as in \"+4759440000\"",
                    why.reason
                ))
            })
        })
        .collect()
}

/// One `[[route]]`: of all whose prefix fits a number, the one with the longest counts; of equals the first.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// Beginnings of international numbers, as in `+4790`. Default none: every number.
    #[serde(default)]
    pub prefixes: Vec<String>,
    /// All lanes with this operator.
    pub operator: Option<String>,
    /// Lanes by name, as `edge/lane`.
    #[serde(default, deserialize_with = "lanes")]
    pub lanes: Vec<Lane>,
    /// Lanes that are used only while all of the others are down.
    #[serde(default, deserialize_with = "lanes")]
    pub reserve: Vec<Lane>,
}

fn lanes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Lane>, D::Error> {
    Vec::<String>::deserialize(from)?
        .iter()
        .map(|written| {
            written
                .parse()
                .map_err(|why| D::Error::custom(format!("{written:?} is no lane: {why}")))
        })
        .collect()
}

/// The `[backlog]` section. Every key may be left out.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BacklogConfig {
    /// Most messages that wait; beyond that senders are told that it is full. Default 10,000,000: some 4 GB.
    pub limit: u64,
    /// How long a text is worth sending that does not say so itself. Default 2days.
    #[serde(deserialize_with = "crate::smsc::duration::deserialize")]
    pub validity: Duration,
    /// How long a lane with messages in its ring may stand still before others take its share; and how long it must have
    /// been down for those to leave it whose order depends on it: sender and recipient with a message in its ring. That one
    /// stays there, and may come later. Default 2min.
    #[serde(deserialize_with = "crate::smsc::duration::deserialize")]
    pub fail_over_after: Duration,
}

impl Default for BacklogConfig {
    fn default() -> Self {
        Self {
            limit: 10_000_000,
            validity: Duration::from_hours(48),
            fail_over_after: Duration::from_mins(2),
        }
    }
}

/// The `[tracking]` section. Every key may be left out.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrackingConfig {
    /// How long a message can be asked for after it is done with. Default 7days.
    #[serde(deserialize_with = "crate::smsc::duration::deserialize")]
    pub retention: Duration,
    /// How long a report is waited for. Default 3days, as long as SMSCs try.
    #[serde(deserialize_with = "crate::smsc::duration::deserialize")]
    pub report_timeout: Duration,
}

impl Default for TrackingConfig {
    fn default() -> Self {
        Self {
            retention: Duration::from_hours(7 * 24),
            report_timeout: Duration::from_hours(3 * 24),
        }
    }
}

/// The `[parts]` section. Every key may be left out.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PartsConfig {
    /// How long the rest of a phone's long message is waited for; then what came is shown with its gaps. Default 10min.
    #[serde(deserialize_with = "crate::smsc::duration::deserialize")]
    pub timeout: Duration,
}

impl Default for PartsConfig {
    fn default() -> Self {
        Self {
            timeout: Duration::from_mins(10),
        }
    }
}

impl CentralConfig {
    /// The file with the rings.
    pub fn ring_file(&self) -> PathBuf {
        self.rings.directory.join("central.ring")
    }

    /// All lanes with their sections.
    pub fn lanes(&self) -> impl Iterator<Item = (Lane, &LaneSection)> {
        self.edges.iter().flat_map(|edge| {
            edge.lanes.iter().filter_map(|section| {
                // The check has seen both names.
                Some((Lane::new(&edge.name, &section.name).ok()?, section))
            })
        })
    }

    /// The rings of all lanes.
    pub fn rings(&self) -> Vec<RingName> {
        let mut rings = Vec::new();
        for (lane, section) in self.lanes() {
            if section.mo {
                rings.push(RingName::new(lane.clone(), Direction::Mo, Side::Mirror));
            }
            if section.mt {
                rings.push(RingName::new(lane, Direction::Mt, Side::Origin));
            }
        }
        rings
    }

    fn check_routes(&self, findings: &mut Findings<'_>) {
        let mt: BTreeSet<Lane> = self
            .lanes()
            .filter_map(|(lane, section)| section.mt.then_some(lane))
            .collect();
        let known: BTreeSet<Lane> = self.lanes().map(|(lane, _)| lane).collect();
        let operators: BTreeSet<&str> = self
            .lanes()
            .filter_map(|(_, section)| section.operator.as_deref())
            .collect();
        findings.each("route", &self.routes, |findings, route| {
            for prefix in &route.prefixes {
                let digits = prefix.strip_prefix('+').unwrap_or_default();
                let fits = (1..=15).contains(&digits.len())
                    && digits.bytes().all(|digit| digit.is_ascii_digit());
                if !fits {
                    findings.refuse(
                        "prefixes",
                        format!("{prefix:?} does not begin a number; write it as in \"+4790\""),
                    );
                }
            }
            if route.operator.is_none() && route.lanes.is_empty() {
                findings.refuse(
                    "",
                    "leads nowhere; name `lanes`, or an `operator` that lanes have",
                );
            }
            if let Some(operator) = &route.operator
                && !operators.contains(operator.as_str())
            {
                findings.refuse("operator", format!("no lane has operator {operator:?}"));
            }
            for (key, lanes) in [("lanes", &route.lanes), ("reserve", &route.reserve)] {
                for lane in lanes {
                    if !known.contains(lane) {
                        findings.refuse(
                            key,
                            format!(
                                "there is no lane {lane}; it is named by [[edge]] and [[edge.lane]]"
                            ),
                        );
                    } else if !mt.contains(lane) {
                        findings.refuse(
                            key,
                            format!("lane {lane} carries no texts to phones (mt = false)"),
                        );
                    }
                }
            }
        });
        if self.routes.is_empty() && !mt.is_empty() {
            findings.warn(
                "",
                "there is no [[route]], so every lane carries texts to every phone, by weight",
            );
        }
    }
}

impl CentralConfig {
    fn check_im(&self, findings: &mut Findings<'_>) {
        let Some(im) = &self.im else { return };
        findings.within("im", |findings| {
            findings.take_deep(im.check());
            findings.within("door", |findings| findings.take(im.door.check()));
            findings.within("presence", |findings| {
                if im.presence.registry.iter().any(|file| !file.is_absolute()) {
                    findings.refuse(
                        "registry",
                        "depends on where the service is started; write whole paths",
                    );
                }
            });
            let Some(phones) = &im.phones else { return };
            let number = Party::ShortCode(phones.number.clone());
            findings.within("phones", |findings| {
                if self.lanes().all(|(_, lane)| !lane.mt) {
                    findings.warn("", "no lane carries texts to phones, so none is reached");
                }
                let has_codes = |lane: &LaneSection| !lane.short_codes.is_empty();
                let lanes: Vec<_> = self.lanes().filter(|(_, lane)| lane.mo).collect();
                if !lanes.is_empty()
                    && lanes.iter().all(|(_, lane)| has_codes(lane))
                    && lanes.iter().all(|(_, lane)| !lane.short_codes.contains(&number))
                {
                    findings.warn(
                        "number",
                        format!(
                            "{:?} is none of the short codes of any lane; is it a number that a carrier gave you?",
                            phones.number.digits()
                        ),
                    );
                }
            });
        });
    }
}

impl Document for CentralConfig {
    const MODE: &'static str = "central";
    const OTHER: (&'static str, &'static [&'static str]) = ("edge", &["lane"]);
    const EFFECTS: Effects = &[
        ("route", Effect::AtOnce),
        ("edge.*.lane.*.weight", Effect::AtOnce),
        ("edge.*.lane.*.operator", Effect::AtOnce),
        ("edge.*.lane.*.short_codes", Effect::AtOnce),
        ("backlog", Effect::AtOnce),
        ("tracking", Effect::AtOnce),
        ("parts", Effect::AtOnce),
        ("log.filter", Effect::AtOnce),
        ("log.access", Effect::AtOnce),
    ];

    fn check(&self, findings: &mut Findings<'_>) {
        findings.within("store", |findings| {
            if self.store.least_free_percent > 99 {
                findings.refuse(
                    "least_free_percent",
                    "is not between 0 and 99, so there would never be room",
                );
            }
        });
        let mut names = BTreeSet::new();
        findings.each("edge", &self.edges, |findings, edge| {
            if let Err(why) = checked(&edge.name) {
                findings.refuse("name", why.to_string());
            }
            if !names.insert(&edge.name) {
                findings.refuse("name", format!("{:?} is there twice", edge.name));
            }
            if edge.lanes.is_empty() {
                findings.warn(
                    "",
                    "the edge has no lane here, so none of its lanes can open; add [[edge.lane]]",
                );
            }
            let mut lanes = BTreeSet::new();
            findings.each("lane", &edge.lanes, |findings, lane| {
                if let Err(why) = checked(&lane.name) {
                    findings.refuse("name", why.to_string());
                }
                if !lanes.insert(&lane.name) {
                    findings.refuse("name", format!("{:?} is there twice", lane.name));
                }
                if !lane.mo && !lane.mt {
                    findings.refuse(
                        "mo",
                        "neither mo nor mt is on, so the lane would carry nothing",
                    );
                }
                if lane.weight > 1000 {
                    findings.refuse("weight", "is not between 0 and 1000");
                }
            });
        });
        if self.edges.is_empty() {
            findings.warn("", "there is no [[edge]], so no edge can open a lane");
        }
        self.check_routes(findings);
        for (section, directory) in [
            ("rings", &self.rings.directory),
            ("store", &self.store.directory),
            ("link", &self.link.directory),
        ] {
            findings.within(section, |findings| {
                if !directory.is_absolute() {
                    findings.refuse(
                        "directory",
                        "depends on where the service is started; write the whole path",
                    );
                }
            });
        }
        findings.within("backlog", |findings| {
            if self.backlog.limit == 0 {
                findings.refuse("limit", "is 0, so nothing could wait for a lane");
            }
            if !(Duration::from_mins(1)..=Duration::from_hours(63 * 7 * 24))
                .contains(&self.backlog.validity)
            {
                findings.refuse("validity", "is not between 1min and 63 weeks");
            }
        });
        findings.within("tracking", |findings| {
            for (key, time) in [
                ("retention", self.tracking.retention),
                ("report_timeout", self.tracking.report_timeout),
            ] {
                if !(Duration::from_mins(1)..=Duration::from_hours(366 * 24)).contains(&time) {
                    findings.refuse(key, "is not between 1min and 366 days");
                }
            }
        });
        self.check_im(findings);
        findings.within("parts", |findings| {
            if !(Duration::from_secs(1)..=Duration::from_hours(7 * 24))
                .contains(&self.parts.timeout)
            {
                findings.refuse("timeout", "is not between 1s and 7 days");
            }
        });
        findings.within("status", |findings| findings.take(self.status.check()));
        findings.within("metrics", |findings| findings.take(self.metrics.check()));
        findings.within("log", |findings| findings.take(self.log.check()));
    }
}
