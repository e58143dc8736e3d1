//! Places: where somebody is, how well that is known as time goes by, and how much of it lies within a circle.

use std::f64::consts::PI;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::refusal::{Refusal, shown};
use super::words::Validity;

/// Metres of uncertainty that each second adds: somebody walks.
const DRIFT: f64 = 1.5;
/// So long a speed and heading are believed.
const CARRY: f64 = 600.0;
/// Beyond this radius nobody knows where it is.
const LOST: f64 = 100_000.0;
/// A location is told anew when its radius has grown by half, or by so many metres if that is more.
const LEAST_STEP: f64 = 25.0;
/// The radius of a location whose sender says none.
const UNSAID: f64 = 100.0;
/// Nobody on earth is faster, in metres a second.
const FASTEST: f64 = 1000.0;

const EARTH: f64 = 6_371_008.8;

/// Where somebody was at the time of a value.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Location {
    latitude: f64,
    longitude: f64,
    /// In metres: it may be anywhere within.
    uncertainty: f64,
    /// In metres a second.
    speed: f64,
    /// In degrees from north, clockwise.
    heading: Option<f64>,
}

/// A location some time later.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Carried {
    /// Where it is by then.
    pub location: Location,
    /// When it is to be looked at again, as an age of the original.
    pub until: Duration,
}

fn number(element: &'static str, written: &str, least: f64, most: f64) -> Result<f64, Refusal> {
    written
        .parse()
        .ok()
        .filter(|number: &f64| (least..=most).contains(number))
        .ok_or_else(|| {
            Refusal::malformed(
                element,
                format!("{} is no number from {least} to {most}", shown(written)),
            )
        })
}

impl Location {
    /// From a geo URI (RFC 5870).
    pub fn new(written: &str) -> Result<Self, Refusal> {
        let rest = written.strip_prefix("geo:").ok_or_else(|| {
            Refusal::malformed(
                "value",
                format!(
                    "{} is no location; write geo:60.17,24.94;u=50",
                    shown(written)
                ),
            )
        })?;
        let mut pieces = rest.split(';');
        let mut numbers = pieces.next().unwrap_or_default().split(',');
        let mut next = |most: f64| number("value", numbers.next().unwrap_or_default(), -most, most);
        let (latitude, longitude) = (next(90.0)?, next(180.0)?);
        if let Some(altitude) = numbers.next() {
            number("value", altitude, -20_000.0, 1e9)?;
        }
        if numbers.next().is_some() {
            return Err(Refusal::malformed(
                "value",
                "a location has two or three numbers",
            ));
        }
        let mut location = Self {
            latitude,
            longitude,
            uncertainty: UNSAID,
            speed: 0.0,
            heading: None,
        };
        for piece in pieces {
            match piece.split_once('=') {
                Some(("u", radius)) => location.uncertainty = number("value", radius, 0.0, LOST)?,
                Some(("speed", speed)) => location.speed = number("value", speed, 0.0, FASTEST)?,
                Some(("heading", to)) => location.heading = Some(number("value", to, 0.0, 360.0)?),
                Some(("crs", "wgs84")) => {}
                _ => {
                    return Err(Refusal::malformed(
                        "value",
                        format!(
                            "{} says nothing of a location; u, speed and heading do",
                            shown(piece)
                        ),
                    ));
                }
            }
        }
        Ok(location)
    }

    /// What is known of it at this age: nothing, once it may be anywhere.
    pub fn carried(&self, age: Duration) -> Option<Carried> {
        let age = age.as_secs_f64();
        let growth = DRIFT + self.speed / 2.0;
        let (mut radius, mut begin) = (self.uncertainty, 0.0);
        loop {
            if radius > LOST {
                return None;
            }
            let later = radius + (radius / 2.0).max(LEAST_STEP);
            let end = (later - self.uncertainty) / growth;
            if age < end {
                return Some(self.step(begin, end, later));
            }
            (radius, begin) = (later, end);
        }
    }

    /// As it is shown between two ages: the middle of its way, and around it all that it may reach by then.
    fn step(&self, begin: f64, end: f64, radius: f64) -> Carried {
        let mut location = Self {
            uncertainty: radius,
            ..*self
        };
        if let Some(heading) = self.heading {
            let (from, to) = (begin.min(CARRY) * self.speed, end.min(CARRY) * self.speed);
            location.uncertainty += (to - from) / 2.0;
            location.shift(heading, f64::midpoint(from, to));
        } else {
            // It may have gone anywhere.
            location.uncertainty += end.min(CARRY) * self.speed;
        }
        (location.speed, location.heading) = (0.0, None);
        // Rounded up to a whole millisecond, so that looking again then finds the next step.
        let ms = (end * 1000.0).ceil() as u64;
        Carried {
            location,
            until: Duration::from_millis(ms + 1),
        }
    }

    /// Moves it along a heading.
    fn shift(&mut self, heading: f64, metres: f64) {
        let (north, east) = (heading.to_radians().cos(), heading.to_radians().sin());
        let parallel = self.latitude.to_radians().cos().max(1e-6);
        self.latitude = (self.latitude + (north * metres / EARTH).to_degrees()).clamp(-90.0, 90.0);
        let longitude = self.longitude + (east * metres / EARTH / parallel).to_degrees();
        self.longitude = (longitude + 180.0).rem_euclid(360.0) - 180.0;
    }

    /// How likely it lies within a place: the share of the area where it may be.
    pub fn share_within(&self, place: &Place) -> f64 {
        let distance = self.distance(place.latitude, place.longitude);
        share(distance, self.uncertainty.max(0.1), place.radius)
    }

    fn distance(&self, latitude: f64, longitude: f64) -> f64 {
        let (one, other) = (self.latitude.to_radians(), latitude.to_radians());
        let up = ((other - one) / 2.0).sin().powi(2);
        let along = ((longitude - self.longitude).to_radians() / 2.0)
            .sin()
            .powi(2);
        let haversine = (one.cos() * other.cos()).mul_add(along, up);
        2.0 * EARTH * haversine.sqrt().min(1.0).asin()
    }
}

/// The share of a disc of radius `own` that a disc of radius `other` at this distance covers.
fn share(distance: f64, own: f64, other: f64) -> f64 {
    if distance >= own + other {
        return 0.0;
    }
    if distance + own <= other {
        return 1.0;
    }
    let area = PI * own * own;
    if distance + other <= own {
        return PI * other * other / area;
    }
    // The lens of two circles.
    let angle = |a: f64, b: f64| {
        let cosine = (distance * distance + a * a - b * b) / (2.0 * distance * a);
        cosine.clamp(-1.0, 1.0).acos()
    };
    let (at_own, at_other) = (angle(own, other), angle(other, own));
    let segment = |radius: f64, angle: f64| radius * radius * (angle - (2.0 * angle).sin() / 2.0);
    ((segment(own, at_own) + segment(other, at_other)) / area).clamp(0.0, 1.0)
}

impl fmt::Display for Location {
    /// As a geo URI; a radius is rounded up.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "geo:{:.5},{:.5};u={}",
            self.latitude,
            self.longitude,
            self.uncertainty.ceil()
        )
    }
}

/// A circle on the earth.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// In degrees.
    #[schemars(range(min = -90, max = 90))]
    pub latitude: f64,
    /// In degrees.
    #[schemars(range(min = -180, max = 180))]
    pub longitude: f64,
    /// In metres.
    #[schemars(range(min = 1, max = 100_000))]
    pub radius: f64,
}

impl Place {
    /// From its three numbers as text.
    pub(super) fn read(latitude: &str, longitude: &str, radius: &str) -> Result<Self, Refusal> {
        let read = |written| number("place", written, f64::MIN, f64::MAX);
        let place = Self {
            latitude: read(latitude)?,
            longitude: read(longitude)?,
            radius: read(radius)?,
        };
        place.check()?;
        Ok(place)
    }

    /// Whether it is one.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        let fits = (-90.0..=90.0).contains(&self.latitude)
            && (-180.0..=180.0).contains(&self.longitude)
            && (1.0..=LOST).contains(&self.radius);
        if fits {
            return Ok(());
        }
        Err(Refusal::malformed(
            "place",
            "has a latitude (-90 to 90), a longitude (-180 to 180) and a radius (1 to 100000 m)",
        ))
    }
}

/// Whether somebody is at a place, and how sure that is.
pub(super) fn is_within(location: &Location, place: &Place) -> (bool, Validity) {
    let share = location.share_within(place);
    if share >= 0.5 {
        (true, Validity::of(share))
    } else {
        (false, Validity::of(1.0 - share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Place = Place {
        latitude: 60.0,
        longitude: 25.0,
        radius: 200.0,
    };

    #[test]
    fn a_location_grows_uncertain_and_is_lost() {
        let location = Location::new("geo:60,25;u=50").unwrap();
        let mut age = Duration::ZERO;
        let mut radius = 0.0;
        let mut steps = 0;
        while let Some(carried) = location.carried(age) {
            assert!(carried.location.uncertainty > radius);
            assert!(carried.until > age);
            radius = carried.location.uncertainty;
            // It shows no less than what may be at the end of the step.
            assert!(radius + 0.01 >= 50.0 + DRIFT * carried.until.as_secs_f64());
            age = carried.until;
            steps += 1;
        }
        assert!((15..30).contains(&steps), "{steps}");
        assert!(age > Duration::from_hours(12) && age < Duration::from_hours(24));
    }

    #[test]
    fn a_location_is_carried_along_its_heading() {
        let location = Location::new("geo:60,25;u=10;speed=10;heading=90").unwrap();
        let carried = location.carried(Duration::from_mins(10)).unwrap().location;
        let gone = carried.distance(60.0, 25.0);
        assert!((5_500.0..6_100.0).contains(&gone), "{gone}");
        assert!(carried.longitude > 25.0 && (carried.latitude - 60.0).abs() < 0.001);
    }

    #[test]
    fn the_share_within_a_place_is_that_of_areas() {
        assert_eq!(share(0.0, 50.0, 200.0), 1.0);
        assert_eq!(share(300.0, 50.0, 200.0), 0.0);
        assert_eq!(share(0.0, 200.0, 100.0), 0.25);
        // Two equal circles, each through the other's middle.
        let lens = share(1.0, 1.0, 1.0);
        assert!((lens - 0.391).abs() < 0.001, "{lens}");
        let at = Location::new("geo:60,25;u=50").unwrap();
        assert_eq!(is_within(&at, &HOME), (true, Validity::VALID));
    }

    #[test]
    fn what_is_no_location_is_refused() {
        for wrong in [
            "60,25",
            "geo:",
            "geo:60",
            "geo:91,0",
            "geo:0,NaN",
            "geo:1,2,3,4",
            "geo:1,2;u=-1",
            "geo:1,2;u=inf",
            "geo:1,2;speed=2000",
            "geo:1,2;colour=red",
        ] {
            assert_eq!(
                Location::new(wrong).unwrap_err().element,
                "value",
                "{wrong}"
            );
        }
        assert!(Location::new("geo:1,2,30;crs=wgs84;u=3").is_ok());
        assert!(Place::read("60", "25", "0").is_err());
    }
}
