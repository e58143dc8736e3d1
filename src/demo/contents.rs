//! Messages and outcomes as functions of lane and number, so that whoever reads a ring knows what must stand there.

use bytes::Bytes;

use super::chance::Chance;
use crate::clock::WallTime;
use crate::lane::{Lane, Sequence};
use crate::message::{
    Body, Coding, Concat, DeliveryKey, Item, Outcome, PhoneNumber, Refusal, ShortCode,
    ShortMessage, SmscId, UserDataHeader,
};
use crate::ring::Parcel;

fn chance(lane: &Lane, sequence: Sequence) -> Chance {
    // FNV-1a, so that lanes differ.
    let seed = lane
        .as_str()
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325, |hash: u64, octet| {
            (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01B3)
        });
    Chance::new(seed ^ sequence.get().rotate_left(32))
}

/// The message of a lane that has this number, retrieved then.
pub fn parcel(lane: &Lane, sequence: Sequence, retrieved_at: WallTime) -> Parcel {
    let mut chance = chance(lane, sequence);
    let coding = match chance.below(3) {
        0 => Coding::Gsm7,
        1 => Coding::Ucs2,
        _ => Coding::Octets,
    };
    let characters = chance.below(161) as usize;
    let mut data = Vec::with_capacity(2 * characters);
    for _ in 0..characters {
        let number = chance.number().to_le_bytes();
        match coding {
            Coding::Gsm7 => data.push(number[0] & 0x7F),
            // Ordinary letters of several scripts.
            Coding::Ucs2 => data.extend_from_slice(&[number[0] % 6, number[1] | 0x20]),
            Coding::Octets => data.push(number[0]),
        }
    }
    let header = match chance.below(4) {
        0 => UserDataHeader::concat(Concat {
            reference: (sequence.get() % 256) as u16,
            wide: false,
            total: 2,
            part: 1 + (sequence.get() % 2) as u8,
        }),
        _ => UserDataHeader::NONE,
    };
    let body = Body::new(coding, header, Bytes::from(data)).expect("at most 160 characters");
    let sender = format!("35840{:07}", chance.below(10_000_000));
    let recipient = format!("{:05}", chance.below(100_000));
    let message = ShortMessage::new(
        PhoneNumber::new(&sender).expect("twelve digits").into(),
        ShortCode::new(&recipient).expect("five digits").into(),
        body,
    );
    let mut key = [0; 24];
    for part in key.chunks_exact_mut(8) {
        part.copy_from_slice(&chance.number().to_le_bytes());
    }
    Parcel::pack(&Item::Message(message), retrieved_at, DeliveryKey(key))
        .expect("a slot holds 160 characters")
}

/// How the message of that number ends.
pub fn outcome(lane: &Lane, sequence: Sequence) -> Outcome {
    let mut chance = chance(lane, sequence);
    match chance.below(4) {
        0 => Outcome::Refused(Refusal::new(Some(chance.below(256) as u32), "not wanted")),
        1 => Outcome::Expired,
        _ => {
            let id = format!("{:010X}", chance.number() >> 24);
            Outcome::Accepted(SmscId::new(Bytes::from(id)).expect("ten characters"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_message_and_others_have_others() {
        let lane: Lane = "exercise/1".parse().unwrap();
        let at = WallTime::from_unix_ms(5);
        for number in 1..2000 {
            let sequence = Sequence::new(number);
            let message = parcel(&lane, sequence, at);
            assert_eq!(message, parcel(&lane, sequence, at));
            assert_ne!(message.key, parcel(&lane, sequence.next(), at).key);
            assert_eq!(outcome(&lane, sequence), outcome(&lane, sequence));
        }
    }
}
