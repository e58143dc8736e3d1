//! Times (7.1.1): `YYMMDDhhmmsstnnp`, absolute with an offset from UTC or relative, and the shorter forms of receipts.

use std::time::Duration;

use super::field::{COctets, Cursor, Field, Sketch};
use crate::clock::WallTime;
use crate::codec::Malformed;

/// The longest relative time that is written, in days: two digits of days that every SMSC takes for such. Months and
/// years would be vague.
const MOST_DAYS: u64 = 31;

/// A time to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Time(COctets<17>);

impl Time {
    /// None: at once, or as long as the SMSC likes.
    pub const NONE: Self = Self(COctets::EMPTY);

    /// So long from now, in whole seconds rounded up, at least one and at most 31 days.
    pub fn relative(wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let seconds = seconds.clamp(1, MOST_DAYS * 86_400);
        Self::written(&format!(
            "0000{:02}{:02}{:02}{:02}000R",
            seconds / 86_400,
            seconds / 3_600 % 24,
            seconds / 60 % 60,
            seconds % 60
        ))
    }

    /// That time, written as a clock shows it so many quarters of an hour (at most 12 h) ahead of UTC.
    pub fn absolute(time: WallTime, quarters: i8) -> Self {
        let quarters = quarters.clamp(-48, 48);
        let civil = Civil::of(time, quarters);
        Self::written(&format!(
            "{}{}{:02}{}",
            civil.digits(),
            civil.tenths,
            quarters.unsigned_abs(),
            if quarters < 0 { '-' } else { '+' }
        ))
    }

    fn written(time: &str) -> Self {
        Self(COctets::new("time", time.as_bytes()).expect("a time has 16 digits and signs"))
    }

    /// As it is written.
    pub fn octets(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl Field for Time {
    type Raw<'a> = &'a [u8];
    fn raw(&self) -> &[u8] {
        self.octets()
    }
    fn take<'a>(from: &mut Cursor<'a>, field: &'static str) -> Result<&'a [u8], Malformed> {
        COctets::<17>::take(from, field)
    }
    fn put(raw: &[u8], out: &mut Vec<u8>) {
        COctets::<17>::put(raw, out);
    }
    fn sketch(raw: &[u8]) -> Sketch {
        Sketch::Octets(raw.len())
    }
}

/// A received time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimeView {
    /// So long after it was sent; a month counts 30 days, a year 365.
    Relative(Duration),
    /// What a clock shows then.
    Absolute(Civil),
}

impl TimeView {
    /// Reads 16 characters, or the 14 (with the century), 12 or 10 digits of receipts and answers.
    pub fn parse(octets: &[u8]) -> Option<Self> {
        let digits = |range: std::ops::Range<usize>| {
            octets.get(range)?.iter().try_fold(0_u16, |number, digit| {
                digit
                    .is_ascii_digit()
                    .then(|| number * 10 + u16::from(digit - b'0'))
            })
        };
        let two = |at: usize| digits(at..at + 2);
        let (year, rest) = match octets.len() {
            14 => (digits(0..4)?, 4),
            16 | 12 | 10 => (2000 + two(0)?, 2),
            _ => return None,
        };
        let seconds = if octets.len() == 10 {
            0
        } else {
            two(rest + 8)?
        };
        let mut civil = Civil {
            year,
            month: two(rest)?,
            day: two(rest + 2)?,
            hour: two(rest + 4)?,
            minute: two(rest + 6)?,
            second: seconds,
            tenths: 0,
            quarters: None,
        };
        if octets.len() == 16 {
            civil.tenths = digits(12..13)?;
            let quarters = i8::try_from(two(13)?)
                .ok()
                .filter(|quarters| *quarters <= 48)?;
            match octets[15] {
                b'R' => return Some(Self::Relative(civil.as_wait())),
                b'+' => civil.quarters = Some(quarters),
                b'-' => civil.quarters = Some(-quarters),
                _ => return None,
            }
        }
        civil.is_valid().then_some(Self::Absolute(civil))
    }
}

/// What a clock shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Civil {
    pub year: u16,
    pub month: u16,
    pub day: u16,
    pub hour: u16,
    pub minute: u16,
    pub second: u16,
    pub tenths: u16,
    /// How many quarters of an hour the clock is ahead of UTC; `None` when only the SMSC knows.
    pub quarters: Option<i8>,
}

impl Civil {
    /// What a clock shows that is so many quarters of an hour ahead of UTC.
    pub fn of(time: WallTime, quarters: i8) -> Self {
        let tenths = i128::from(time.as_unix_ms() / 100) + i128::from(quarters) * 9_000;
        let tenths = u64::try_from(tenths).unwrap_or(0);
        let seconds = tenths / 10;
        let (year, month, day) = civil_of_days(seconds / 86_400);
        let part = |number: u64| u16::try_from(number).expect("a part of a day is small");
        Self {
            year,
            month,
            day,
            hour: part(seconds / 3_600 % 24),
            minute: part(seconds / 60 % 60),
            second: part(seconds % 60),
            tenths: part(tenths % 10),
            quarters: Some(quarters),
        }
    }

    /// The same as civil time; `quarters` are taken where the time itself has none. `None` before 1970.
    pub fn to_wall(self, quarters: i8) -> Option<WallTime> {
        let days = days_of_civil(self.year, self.month, self.day)?;
        let seconds =
            i64::from(self.hour) * 3_600 + i64::from(self.minute) * 60 + i64::from(self.second);
        let seconds = days * 86_400 + seconds - i64::from(self.quarters.unwrap_or(quarters)) * 900;
        let ms = u64::try_from(seconds).ok()? * 1_000 + u64::from(self.tenths) * 100;
        Some(WallTime::from_unix_ms(ms))
    }

    /// `YYMMDDhhmmss`; the first ten are what receipts have.
    pub fn digits(&self) -> String {
        format!(
            "{:02}{:02}{:02}{:02}{:02}{:02}",
            self.year % 100,
            self.month,
            self.day,
            self.hour,
            self.minute,
            self.second
        )
    }

    const fn is_valid(&self) -> bool {
        self.month >= 1
            && self.month <= 12
            && self.day >= 1
            && self.day <= 31
            && self.hour <= 23
            && self.minute <= 59
            && self.second <= 60
    }

    fn as_wait(self) -> Duration {
        let days =
            u64::from(self.year - 2000) * 365 + u64::from(self.month) * 30 + u64::from(self.day);
        let hours = days * 24 + u64::from(self.hour);
        Duration::from_secs((hours * 60 + u64::from(self.minute)) * 60 + u64::from(self.second))
    }
}

/// Days since 1970 of a date in the Gregorian calendar; a year begins in March here, so that the leap day is its last.
fn days_of_civil(year: u16, month: u16, day: u16) -> Option<i64> {
    let year = i64::from(year) - i64::from(month <= 2);
    let month = (i64::from(month) + 9) % 12;
    let in_year = (153 * month + 2) / 5 + i64::from(day) - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + in_year - 719_468;
    (days >= 0).then_some(days)
}

/// The date of so many days since 1970.
fn civil_of_days(days: u64) -> (u16, u16, u16) {
    let days = days + 719_468;
    let era = days / 146_097;
    let in_era = days % 146_097;
    let year = (in_era - in_era / 1_460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * in_year + 2) / 153;
    let day = in_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + year + u64::from(month <= 2);
    let small = |number: u64| u16::try_from(number).unwrap_or(u16::MAX);
    (small(year), small(month), small(day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_times_are_written_in_days_and_below() {
        let days = |days: u64| Duration::from_secs(days * 86_400);
        assert_eq!(Time::relative(days(2)).octets(), b"000002000000000R");
        assert_eq!(
            Time::relative(Duration::from_millis(90_061_001)).octets(),
            b"000001010102000R"
        );
        assert_eq!(Time::relative(Duration::ZERO).octets(), b"000000000001000R");
        assert_eq!(Time::relative(days(400)).octets(), b"000031000000000R");
        assert_eq!(
            TimeView::parse(b"000002000000000R"),
            Some(TimeView::Relative(days(2)))
        );
    }

    #[test]
    fn absolute_times_go_both_ways() {
        let time = WallTime::from_unix_ms(1_795_248_785_100); // 2026-11-21T08:13:05.1Z
        assert_eq!(Time::absolute(time, 0).octets(), b"261121081305100+");
        assert_eq!(Time::absolute(time, 8).octets(), b"261121101305108+");
        assert_eq!(Time::absolute(time, -36).octets(), b"261120231305136-");
        for quarters in [-48, -1, 0, 7, 48] {
            let Some(TimeView::Absolute(civil)) =
                TimeView::parse(Time::absolute(time, quarters).octets())
            else {
                panic!("it is absolute");
            };
            assert_eq!(civil.to_wall(0), Some(time));
        }
    }

    #[test]
    fn shorter_times_are_the_smscs_local_ones() {
        let time = WallTime::from_unix_ms(1_795_248_785_000);
        for (written, seconds) in [
            (&b"20261121101305"[..], 5),
            (b"261121101305", 5),
            (b"2611211013", 0),
        ] {
            let Some(TimeView::Absolute(civil)) = TimeView::parse(written) else {
                panic!("it is absolute");
            };
            assert_eq!((civil.quarters, civil.second), (None, seconds));
            assert_eq!(
                civil.to_wall(8).map(|wall| wall.as_unix_ms() / 60_000),
                Some(time.as_unix_ms() / 60_000)
            );
        }
        for odd in [
            &b""[..],
            b"26112110130",
            b"261321101305",
            b"2611211013xx",
            b"261121081305100*",
            b"261121081305149+",
        ] {
            assert_eq!(TimeView::parse(odd), None);
        }
    }

    #[test]
    fn every_day_of_four_centuries_comes_back() {
        for day in 0..146_097 {
            let (year, month, date) = civil_of_days(day);
            assert_eq!(days_of_civil(year, month, date), Some(day as i64));
        }
    }
}
