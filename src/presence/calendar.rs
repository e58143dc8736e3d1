//! Calendars: hours of days in a time zone.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::refusal::{Refusal, shown};
use crate::clock::WallTime;

/// Most exceptions of a calendar: a year of school holidays, twice.
pub const MAX_EXCEPTIONS: usize = 200;

/// So many days ahead the next change is looked for; a calendar that has none by then is looked at again.
const AHEAD: i64 = 8;

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

const MINUTES: u16 = 24 * 60;

/// Hours of days in a time zone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "CalendarWritten", into = "CalendarWritten")]
pub struct Calendar {
    zone: TimeZone,
    /// One bit a day, Monday first.
    days: u8,
    /// Minutes after midnight; `to` may lie before `from`, and then is the next day's. They differ.
    from: u16,
    to: u16,
    first: Option<Date>,
    last: Option<Date>,
    /// In order.
    except: Vec<Date>,
}

/// A calendar as it is written.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Calendar")]
pub struct CalendarWritten {
    /// A time zone by its name in the IANA data base: `Europe/Helsinki`.
    pub zone: String,
    /// `mon` to `sun`; all if there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<String>,
    /// `00:00` to `23:59`; from midnight if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// `00:00` to `24:00`; to midnight if left out. Before `from` it is the next day's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The first day, as 2026-11-24.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// The last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// Days that are not meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_EXCEPTIONS))]
    pub except: Vec<String>,
}

fn wrong(what: &str, written: &str, right: &str) -> Refusal {
    Refusal::malformed(
        "calendar",
        format!("{what} {} is not {right}", shown(written)),
    )
}

fn minutes(written: &str) -> Result<u16, Refusal> {
    let read = || {
        let (hours, minutes) = written.split_once(':')?;
        let number = |digits: &str| -> Option<u16> {
            let plain = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
            plain.then(|| digits.parse().ok()).flatten()
        };
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        (minutes < 60 && hours * 60 + minutes <= MINUTES).then_some(hours * 60 + minutes)
    };
    read().ok_or_else(|| wrong("time", written, "00:00 to 24:00"))
}

fn date(written: &str) -> Result<Date, Refusal> {
    let wrong = || wrong("day", written, "a day, as 2026-11-24");
    if written.len() != "2026-11-24".len() {
        return Err(wrong());
    }
    written.parse().map_err(|_| wrong())
}

impl TryFrom<CalendarWritten> for Calendar {
    type Error = Refusal;

    fn try_from(written: CalendarWritten) -> Result<Self, Refusal> {
        let zone = TimeZone::get(&written.zone)
            .map_err(|_| wrong("zone", &written.zone, "a time zone, as Europe/Helsinki"))?;
        let mut days = 0;
        for day in &written.days {
            let place = DAYS
                .iter()
                .position(|(word, _)| word == day)
                .ok_or_else(|| wrong("day", day, "mon, tue, wed, thu, fri, sat or sun"))?;
            days |= 1 << place;
        }
        if written.except.len() > MAX_EXCEPTIONS {
            return Err(Refusal::too_many("calendar", MAX_EXCEPTIONS));
        }
        let mut except = written
            .except
            .iter()
            .map(|day| date(day))
            .collect::<Result<Vec<_>, _>>()?;
        except.sort_unstable();
        let calendar = Self {
            zone,
            days: if days == 0 { 0x7f } else { days },
            from: written.from.as_deref().map_or(Ok(0), minutes)?,
            to: written.to.as_deref().map_or(Ok(MINUTES), minutes)?,
            first: written.first.as_deref().map(date).transpose()?,
            last: written.last.as_deref().map(date).transpose()?,
            except,
        };
        if calendar.from == calendar.to || calendar.from == MINUTES {
            return Err(Refusal::malformed(
                "calendar",
                "begins when it ends; from and to have to differ",
            ));
        }
        if calendar
            .first
            .zip(calendar.last)
            .is_some_and(|(first, last)| first > last)
        {
            return Err(Refusal::malformed(
                "calendar",
                "its last day lies before its first",
            ));
        }
        Ok(calendar)
    }
}

impl From<Calendar> for CalendarWritten {
    fn from(calendar: Calendar) -> Self {
        let time = |minutes: u16| Some(format!("{:02}:{:02}", minutes / 60, minutes % 60));
        let days = DAYS.iter().enumerate();
        Self {
            zone: calendar.zone.iana_name().unwrap_or("UTC").into(),
            days: if calendar.days == 0x7f {
                Vec::new()
            } else {
                days.filter(|(place, _)| calendar.days & 1 << place != 0)
                    .map(|(_, (word, _))| (*word).into())
                    .collect()
            },
            from: if calendar.from == 0 {
                None
            } else {
                time(calendar.from)
            },
            to: if calendar.to == MINUTES {
                None
            } else {
                time(calendar.to)
            },
            first: calendar.first.map(|day| day.to_string()),
            last: calendar.last.map(|day| day.to_string()),
            except: calendar.except.iter().map(Date::to_string).collect(),
        }
    }
}

impl fmt::Debug for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        CalendarWritten::from(self.clone()).fmt(f)
    }
}

impl Calendar {
    /// Whether this time is within it, and when to look again at the latest.
    pub fn look(&self, at: WallTime) -> (bool, Option<WallTime>) {
        // A time beyond all calendars is in none of them.
        self.try_look(at).unwrap_or((false, None))
    }

    fn try_look(&self, at: WallTime) -> Option<(bool, Option<WallTime>)> {
        let at = Timestamp::from_millisecond(i64::try_from(at.as_unix_ms()).ok()?).ok()?;
        let today = self.zone.to_datetime(at).date();
        let mut is_within = false;
        let mut next: Option<Timestamp> = None;
        let mut day = today.yesterday().ok()?;
        for _ in -1..AHEAD {
            if self.covers(day) {
                let begin = self.instant(day, self.from)?;
                let ends_on = if self.to > self.from {
                    day
                } else {
                    day.tomorrow().ok()?
                };
                let end = self.instant(ends_on, self.to)?;
                is_within |= begin <= at && at < end;
                for edge in [begin, end] {
                    if edge > at && next.is_none_or(|next| edge < next) {
                        next = Some(edge);
                    }
                }
            }
            day = day.tomorrow().ok()?;
        }
        if next.is_none() && self.last.is_none_or(|last| day <= last) {
            next = self.instant(day, 0).filter(|next| *next > at);
        }
        let next = next.and_then(|next| u64::try_from(next.as_millisecond()).ok());
        Some((is_within, next.map(WallTime::from_unix_ms)))
    }

    fn covers(&self, day: Date) -> bool {
        let place = DAYS
            .iter()
            .position(|(_, weekday)| *weekday == day.weekday());
        place.is_some_and(|place| self.days & 1 << place != 0)
            && self.first.is_none_or(|first| first <= day)
            && self.last.is_none_or(|last| day <= last)
            && self.except.binary_search(&day).is_err()
    }

    /// Minutes after a day's midnight, by the clock on the wall of that zone.
    fn instant(&self, day: Date, minutes: u16) -> Option<Timestamp> {
        let civil = if minutes == MINUTES {
            DateTime::from_parts(day.tomorrow().ok()?, Time::midnight())
        } else {
            let (hour, minute) = (
                i8::try_from(minutes / 60).ok()?,
                i8::try_from(minutes % 60).ok()?,
            );
            day.at(hour, minute, 0, 0)
        };
        self.zone.to_timestamp(civil).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(json: &str) -> Calendar {
        serde_json::from_str(json).unwrap()
    }

    fn at(written: &str) -> WallTime {
        written.parse().unwrap()
    }

    /// All changes from one time to another.
    fn changes(calendar: &Calendar, from: &str, to: &str) -> Vec<(String, bool)> {
        let (mut now, end) = (at(from), at(to));
        let (mut is, mut next) = calendar.look(now);
        let mut changes = Vec::new();
        while let Some(then) = next.filter(|then| *then < end) {
            assert!(then > now);
            now = then;
            let (later, after) = calendar.look(now);
            if later != is {
                changes.push((now.to_string(), later));
            }
            (is, next) = (later, after);
        }
        changes
    }

    #[test]
    fn office_hours_follow_the_clock_on_the_wall() {
        let office = calendar(
            r#"{"zone":"Europe/Helsinki","days":["fri","mon"],"from":"09:00","to":"17:00"}"#,
        );
        // Summer time ends on Sunday, 25 October 2026.
        let found = changes(&office, "2026-10-23T00:00:00Z", "2026-10-27T00:00:00Z");
        let expected = [
            ("2026-10-23T06:00:00.000Z", true),
            ("2026-10-23T14:00:00.000Z", false),
            ("2026-10-26T07:00:00.000Z", true),
            ("2026-10-26T15:00:00.000Z", false),
        ];
        assert_eq!(found, expected.map(|(time, is)| (time.to_string(), is)));
    }

    #[test]
    fn a_night_goes_over_midnight_and_exceptions_are_left_out() {
        let night = calendar(
            r#"{"zone":"UTC","from":"22:00","to":"06:00","first":"2026-01-01","last":"2026-01-03","except":["2026-01-02"]}"#,
        );
        let found = changes(&night, "2025-12-20T00:00:00Z", "2026-02-01T00:00:00Z");
        let expected = [
            ("2026-01-01T22:00:00.000Z", true),
            ("2026-01-02T06:00:00.000Z", false),
            ("2026-01-03T22:00:00.000Z", true),
            ("2026-01-04T06:00:00.000Z", false),
        ];
        assert_eq!(found, expected.map(|(time, is)| (time.to_string(), is)));
        assert_eq!(night.look(at("2026-02-01T00:00:00Z")), (false, None));
    }

    #[test]
    fn a_day_that_lacks_its_hour_has_it_later() {
        let early = calendar(r#"{"zone":"Europe/Berlin","from":"02:15","to":"02:45"}"#);
        let found = changes(&early, "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z");
        let expected = [
            ("2026-03-29T01:15:00.000Z", true),
            ("2026-03-29T01:45:00.000Z", false),
        ];
        assert_eq!(found, expected.map(|(time, is)| (time.to_string(), is)));
    }

    #[test]
    fn all_day_is_always() {
        let always = calendar(r#"{"zone":"UTC"}"#);
        assert!(changes(&always, "2026-03-28T12:00:00Z", "2026-05-29T12:00:00Z").is_empty());
        assert!(always.look(at("2026-03-28T12:00:00Z")).0);
        assert_eq!(always.look(WallTime::from_unix_ms(u64::MAX)), (false, None));
    }

    #[test]
    fn what_is_no_calendar_is_refused() {
        for wrong in [
            r#"{"zone":"Mars/Olympus"}"#,
            r#"{"zone":"UTC","days":["someday"]}"#,
            r#"{"zone":"UTC","from":"24:00"}"#,
            r#"{"zone":"UTC","from":"09:00","to":"09:00"}"#,
            r#"{"zone":"UTC","from":"9:00"}"#,
            r#"{"zone":"UTC","from":"+9:00"}"#,
            r#"{"zone":"UTC","first":"2026-02-30"}"#,
            r#"{"zone":"UTC","first":"2026-02-03","last":"2026-02-01"}"#,
            r#"{"zone":"UTC","until":"2026-02-03"}"#,
        ] {
            assert!(serde_json::from_str::<Calendar>(wrong).is_err(), "{wrong}");
        }
    }
}
