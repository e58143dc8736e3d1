//! How messages that a mirror passed on ended, kept on disk until the origin has been told.

use bytes::Bytes;

use super::page::{Broken, OUTCOME, Place, VERSION, is_empty};
use crate::codec::Reader;
use crate::codec::checksum::{is_sealed, seal_padded};
use crate::lane::Sequence;
use crate::message::{Outcome, Refusal, SmscId};

const MAGIC: &[u8; 4] = b"ROC1";

/// A record of 512 octets, see `docs/ring-file.md` section 5.
pub(super) fn encode(place: Place, sequence: Sequence, outcome: &Outcome) -> [u8; OUTCOME] {
    let (code, text): (Option<u32>, &[u8]) = match outcome {
        Outcome::Accepted(id) => (None, id.octets()),
        Outcome::Refused(refusal) => (refusal.code, refusal.text().as_bytes()),
        Outcome::Expired | Outcome::Doubtful | Outcome::Lost => (None, &[]),
    };
    let mut record = Vec::with_capacity(OUTCOME);
    record.extend_from_slice(MAGIC);
    record.extend_from_slice(&VERSION.to_le_bytes());
    record.extend_from_slice(&place.ring.to_le_bytes());
    record.extend_from_slice(&place.epoch.get().to_le_bytes());
    record.extend_from_slice(&sequence.get().to_le_bytes());
    record.extend_from_slice(&[outcome.number(), 0, 0, 0]);
    record.extend_from_slice(&u32::from(code.is_some()).to_le_bytes());
    record.extend_from_slice(&code.unwrap_or_default().to_le_bytes());
    record.push(u8::try_from(text.len()).expect("ids and texts have at most 64 octets"));
    record.extend_from_slice(text);
    let mut whole = [0; OUTCOME];
    whole[..record.len()].copy_from_slice(&record);
    seal_padded(&mut whole, record.len());
    whole
}

/// The outcome that a record tells, and whose; `Ok(None)` for zeros.
pub(super) fn decode(record: &Bytes, place: Place) -> Result<Option<(Sequence, Outcome)>, Broken> {
    if is_empty(record) {
        return Ok(None);
    }
    if !is_sealed(record) {
        return Err(Broken::Checksum);
    }
    parse(Reader::new(record.clone()), place).map(Some)
}

fn parse(mut reader: Reader, place: Place) -> Result<(Sequence, Outcome), Broken> {
    let field = |name: &'static str| move |_malformed| Broken::Field(name);
    if reader.take("magic", 4).map_err(field("magic"))? != MAGIC[..] {
        return Err(Broken::Magic);
    }
    let version = reader.u16_le("version").map_err(field("version"))?;
    if version != VERSION {
        return Err(Broken::Version(version));
    }
    if reader.u16_le("ring").map_err(field("ring"))? != place.ring {
        return Err(Broken::Foreign("ring"));
    }
    if reader.u64_le("epoch").map_err(field("epoch"))? != place.epoch.get() {
        return Err(Broken::Foreign("epoch"));
    }
    let sequence = Sequence::new(reader.u64_le("sequence").map_err(field("sequence"))?);
    if sequence.is_none() {
        return Err(Broken::Field("sequence"));
    }
    let kind = reader.octet("kind").map_err(field("kind"))?;
    reader.take("spare", 3).map_err(field("spare"))?;
    let has_code = reader.u32_le("code").map_err(field("code"))? != 0;
    let code = reader.u32_le("code").map_err(field("code"))?;
    let text = reader.short_string("text").map_err(field("text"))?;
    let outcome = match kind {
        1 => Outcome::Accepted(SmscId::new(text).map_err(|_refused| Broken::Field("id"))?),
        2 => {
            let text = std::str::from_utf8(&text).map_err(|_not_text| Broken::Field("text"))?;
            Outcome::Refused(Refusal::new(has_code.then_some(code), text))
        }
        3 => Outcome::Expired,
        4 => Outcome::Doubtful,
        5 => Outcome::Lost,
        _ => return Err(Broken::Field("kind")),
    };
    Ok((sequence, outcome))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lane::Epoch;

    #[test]
    fn outcomes_come_back_and_damaged_ones_are_noticed() {
        let place = Place {
            ring: 3,
            epoch: Epoch::new(0xABCD).unwrap(),
        };
        let sequence = Sequence::new(700);
        for outcome in [
            Outcome::Accepted(SmscId::new(Bytes::from_static(b"00ABCDEF")).unwrap()),
            Outcome::Accepted(SmscId::NONE),
            Outcome::Refused(Refusal::new(Some(0x45), "submit failed")),
            Outcome::Refused(Refusal::new(None, "cannot be written in this alphabet")),
            Outcome::Expired,
            Outcome::Doubtful,
            Outcome::Lost,
        ] {
            let record = encode(place, sequence, &outcome);
            let read = decode(&Bytes::copy_from_slice(&record), place);
            assert_eq!(read, Ok(Some((sequence, outcome))));
            for bit in 0..record.len() * 8 {
                let mut flipped = record;
                flipped[bit / 8] ^= 1 << (bit % 8);
                let read = decode(&Bytes::copy_from_slice(&flipped), place);
                assert_eq!(read, Err(Broken::Checksum));
            }
        }
        assert_eq!(decode(&Bytes::from_static(&[0; OUTCOME]), place), Ok(None));
    }
}
