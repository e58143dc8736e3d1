//! Messages: what sources bring, and what their contents tell.

use std::time::Duration;

use bytes::Bytes;
use sluice::clock::WallTime;
use sluice::lane::Sequence;
use sluice::link::is_lost_placeholder;
use sluice::message::{
    Body, Coding, DeliveryKey, Item, Outcome, PhoneNumber, Refusal, ShortCode, ShortMessage,
    SmscId, UserDataHeader,
};
use sluice::ring::{Array, Misstep, Parcel, StoreError};

use super::{Found, World};
use crate::end::at_once;

fn key(number: u64) -> DeliveryKey {
    let mut key = [0; 24];
    key[..8].copy_from_slice(&number.to_le_bytes());
    DeliveryKey(key)
}

fn parcel(ring: usize, number: u64, octets: usize) -> Parcel {
    let mut text = format!("{ring}/{number}/").into_bytes();
    text.resize(text.len().max(octets), b'.');
    let body = Body::new(Coding::Octets, UserDataHeader::NONE, Bytes::from(text)).unwrap();
    let message = ShortMessage::new(
        PhoneNumber::new("358401234567").unwrap().into(),
        ShortCode::new("12345").unwrap().into(),
        body,
    );
    let at = WallTime::from_unix_ms(1_000_000 + number * 7);
    let parcel = Parcel::pack(&Item::Message(message), at, key(number)).unwrap();
    if number.is_multiple_of(37) {
        // Now and then one that needs several packets.
        let long: Bytes = [&parcel.octets()[..], &vec![b'~'; 2500][..]]
            .concat()
            .into();
        let sum = sluice::codec::checksum::crc32c(&long);
        return Parcel::received(long, sum, at, key(number)).unwrap();
    }
    parcel
}

/// The source's number of a message, from its content.
fn number_of(ring: usize, parcel: &Parcel) -> Result<u64, String> {
    let octets = parcel.octets();
    let text = String::from_utf8_lossy(octets);
    let start = format!("{ring}/");
    // The text begins after the parties; numbers of parties hold no slash.
    let from = text.find(&start).ok_or("a message of another ring")?;
    let rest = &text[from + start.len()..];
    let number = rest.split('/').next().unwrap_or_default();
    number
        .parse()
        .map_err(|_| format!("no number in {number:?}"))
}

impl World {
    /// The source brings its next message, as an SMSC does: again if it heard no answer.
    pub(super) fn offer(&mut self, ring: usize) {
        let end = Self::origin(ring);
        let way = &self.ways[ring];
        if !self.ends[end].is_up() || way.accepted >= way.total || way.next_offer > self.now {
            return;
        }
        if self.ends[end].rings[ring].fence().is_some() {
            return;
        }
        let pause = self.pace_us / 2 + self.chance.below(self.pace_us);
        let number = self.ways[ring].accepted + 1;
        let octets = self.chance.below(130) as usize;
        let origin = &self.ends[end].rings[ring];
        let known = origin.look(|array| array.recent_keys().take(4).any(|it| it == key(number)));
        let stored = if known {
            Ok(Sequence::NONE)
        } else {
            at_once(origin.append(parcel(ring, number, octets)))
        };
        self.ways[ring].next_offer = self.now + Duration::from_micros(pause);
        match stored {
            Ok(_) => {
                self.ways[ring].accepted = number;
                self.changed(end, ring);
            }
            Err(StoreError::Full(_)) => {
                self.ways[ring].next_offer = self.now + Duration::from_micros(pause + 20_000);
            }
            Err(_) => self.power_fails(end),
        }
    }

    /// The goal takes the mirror's next message.
    pub(super) fn hand_on(&mut self, ring: usize) -> Found {
        let end = 1 - Self::origin(ring);
        if !self.ends[end].is_up() || self.ways[ring].next_hand_on > self.now {
            return Ok(());
        }
        let mirror = self.ends[end].rings[ring].clone();
        if mirror.fence().is_some() {
            return Ok(());
        }
        let Some(sequence) = mirror.look(Array::next_to_process) else {
            return Ok(());
        };
        let pause = self.chance.below(self.pace_us);
        self.ways[ring].next_hand_on = self.now + Duration::from_micros(pause);
        let parcel = mirror.look(|array| array.get(sequence).cloned());
        let parcel = parcel.expect("what is next has content");
        if is_lost_placeholder(&parcel) {
            return Ok(());
        }
        let number = number_of(ring, &parcel)?;
        self.arrive(ring, end, sequence, number)?;
        let outcome = match number % 5 {
            0 => {
                Outcome::Accepted(SmscId::new(format!("id-{number}").into_bytes().into()).unwrap())
            }
            1 => Outcome::Refused(Refusal::new(Some(number as u32), "no")),
            _ => Outcome::Accepted(SmscId::NONE),
        };
        self.ways[ring].decided.insert(sequence, outcome.clone());
        match mirror.process_with(sequence, outcome) {
            Ok(_) => self.changed(end, ring),
            // The disk is gone; the goal has it, and will be asked again.
            Err(Misstep::Stopped) => self.power_fails(end),
            Err(why) => return Err(format!("processing failed: {why}")),
        }
        Ok(())
    }
}
