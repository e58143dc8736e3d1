//! Times: twelve digits of the SMSC's local time, and the relative code of GSM 03.40.

use std::fmt;
use std::time::Duration;

use super::packet::Field;
use crate::clock::WallTime;
use crate::codec::Malformed;
use crate::message::Refused;

/// `yymmddhhmmss`, a local time of the SMSC without zone. The protocol gives it meaning only as part of a message's
/// name, so it is a key rather than a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeStamp([u8; 12]);

impl TimeStamp {
    /// From twelve digits.
    pub fn new(digits: &[u8]) -> Result<Self, Refused> {
        <[u8; 12]>::try_from(digits)
            .ok()
            .filter(|digits| digits.iter().all(u8::is_ascii_digit))
            .map(Self)
            .ok_or_else(|| Refused::new("time stamp", "is not twelve digits, yymmddhhmmss"))
    }

    /// The second of a civil time, in UTC.
    pub fn of(time: WallTime) -> Self {
        let seconds = time.as_unix_ms() / 1000;
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil(days);
        let pairs = [
            year % 100,
            month,
            day,
            second / 3600,
            second / 60 % 60,
            second % 60,
        ];
        let mut digits = [0; 12];
        for (place, pair) in digits.chunks_exact_mut(2).zip(pairs) {
            let pair = u8::try_from(pair).expect("each pair is below 100");
            place.copy_from_slice(&[b'0' + pair / 10, b'0' + pair % 10]);
        }
        Self(digits)
    }

    /// The twelve digits.
    pub const fn digits(&self) -> &[u8; 12] {
        &self.0
    }
}

impl fmt::Display for TimeStamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for TimeStamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Year, month and day of a day counted from 1970-01-01. Years are counted from March, so that the day that comes and
/// goes is the last one.
const fn civil(days: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097;
    // From 0000-03-01, which begins an era of 400 years.
    let shifted = days + 719_468;
    let day_of_era = shifted % ERA;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / (ERA - 1)) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = shifted / ERA * 400 + year_of_era + (month <= 2) as u64;
    (year, month, day)
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;

/// Parameter 050: how long a message is of use, in the relative code of GSM 03.40 (9.2.3.12.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RelativeTime(pub u8);

impl RelativeTime {
    /// The longest: 63 weeks.
    pub const LONGEST: Self = Self(255);

    /// The shortest code that covers a period. The steps are 5 minutes up to 12 hours, then half hours up to a day,
    /// days up to 30, weeks up to 63; what is longer becomes the longest. Rounding goes up, since a message that
    /// lives a little too long does less harm than one that is thrown away before its time.
    pub fn covering(period: Duration) -> Self {
        let seconds = period
            .as_secs()
            .saturating_add(u64::from(period.subsec_nanos() > 0));
        let code = if seconds <= 12 * HOUR {
            seconds.div_ceil(5 * MINUTE).max(1) - 1
        } else if seconds <= DAY {
            143 + (seconds - 12 * HOUR).div_ceil(30 * MINUTE)
        } else if seconds <= 30 * DAY {
            166 + seconds.div_ceil(DAY)
        } else {
            // 31 to 34 days need the first code of this range, which says five weeks.
            192 + seconds.div_ceil(WEEK).max(5)
        };
        Self(u8::try_from(code).unwrap_or(Self::LONGEST.0))
    }

    /// How long that is.
    pub const fn period(self) -> Duration {
        let code = self.0 as u64;
        Duration::from_secs(match self.0 {
            0..=143 => (code + 1) * 5 * MINUTE,
            144..=167 => 12 * HOUR + (code - 143) * 30 * MINUTE,
            168..=196 => (code - 166) * DAY,
            197..=255 => (code - 192) * WEEK,
        })
    }

    /// The period that a parameter writes; -1 (the SMSC's own choice) is `None`.
    pub fn read(field: &Field<'_>) -> Result<Option<Self>, Malformed> {
        match field.integer()? {
            -1 => Ok(None),
            code => u8::try_from(code)
                .map(|code| Some(Self(code)))
                .map_err(|_| field.complain("is not a relative time, -1 to 255")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stamps_are_civil_times() {
        let stamp = |ms| TimeStamp::of(WallTime::from_unix_ms(ms)).to_string();
        assert_eq!(stamp(0), "700101000000");
        assert_eq!(stamp(1_795_248_785_123), "261121081305");
        // The leap day of 2000, and the last second before a March without one.
        assert_eq!(stamp(951_782_400_000), "000229000000");
        assert_eq!(stamp(4_107_542_399_999), "000228235959");
        assert!(TimeStamp::new(b"26112108130").is_err());
        assert!(TimeStamp::new(b"2611210813xx").is_err());
    }

    #[test]
    fn relative_times_are_those_of_gsm_03_40() {
        let hours = |code| RelativeTime(code).period().as_secs_f64() / 3600.0;
        assert_eq!([hours(11), hours(143), hours(144)], [1.0, 12.0, 12.5]);
        assert_eq!([hours(167), hours(168), hours(196)], [24.0, 48.0, 720.0]);
        assert_eq!([hours(197), hours(255)], [5.0 * 168.0, 63.0 * 168.0]);
    }

    #[test]
    fn each_code_covers_its_own_period_and_nothing_shorter() {
        for code in 0..=255 {
            let period = RelativeTime(code).period();
            assert_eq!(RelativeTime::covering(period), RelativeTime(code));
            let over = period + Duration::from_nanos(1);
            assert_eq!(
                RelativeTime::covering(over).0,
                code.saturating_add(1),
                "just past {code}"
            );
        }
        assert_eq!(RelativeTime::covering(Duration::ZERO), RelativeTime(0));
        assert_eq!(RelativeTime::covering(Duration::MAX), RelativeTime::LONGEST);
    }
}
