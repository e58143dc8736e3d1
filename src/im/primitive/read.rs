//! Reading what a client sent: within limits, and with an answer for whatever is wrong with it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crc::{CRC_64_XZ, Crc};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{FromClient, Status, ToClient};
use crate::im::limits::{MAX_DEPTH, MAX_PRIMITIVE};
use crate::im::names::{SessionId, TransactionId};
use crate::im::status::Code;

/// A primitive from a client, read.
#[derive(Clone, PartialEq, Debug)]
pub struct Request {
    /// What ties the answer to it.
    pub transaction: TransactionId,
    /// Which session it belongs to; left out where the connection has one only.
    pub session: Option<SessionId>,
    /// Recognises the same request when it is sent again.
    pub fingerprint: u64,
    /// The primitive.
    pub primitive: FromClient,
}

/// What could not be read, and the answer to it.
#[derive(Clone, PartialEq, Debug)]
pub struct Unreadable {
    /// The transaction id, if one could be found.
    pub transaction: Option<TransactionId>,
    /// What is wrong.
    pub status: Box<Status>,
}

/// The envelope. Elements are read when the name is known.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(borrow)]
    primitive: Cow<'a, str>,
    transaction: TransactionId,
    session: Option<SessionId>,
    #[serde(borrow)]
    elements: Option<&'a RawValue>,
}

/// What can be saved of an envelope that is none.
#[derive(Deserialize)]
struct Rest<'a> {
    #[serde(borrow)]
    transaction: Option<&'a RawValue>,
}

const FINGERPRINT: Crc<u64> = Crc::<u64>::new(&CRC_64_XZ);

/// How much of an error text is sent back: it may quote what it complains about.
const MAX_WHY: usize = 200;

/// Reads one primitive.
pub fn read(octets: &[u8]) -> Result<Request, Unreadable> {
    if octets.len() > MAX_PRIMITIVE {
        let status = Status::of(Code::TooLarge).within("max_primitive", MAX_PRIMITIVE as u64);
        return Err(Unreadable::without_id(status));
    }
    let Ok(json) = std::str::from_utf8(octets) else {
        let status = Status::saying(Code::NotJson, "This is not JSON: it is not UTF-8.");
        return Err(Unreadable::without_id(status));
    };
    if is_deeper_than(json, MAX_DEPTH) {
        let status = Status::of(Code::TooDeep).within("max_depth", MAX_DEPTH as u64);
        return Err(Unreadable {
            transaction: rest(json).and_then(|rest| rest.id()),
            status: Box::new(status),
        });
    }
    if json.trim_start().starts_with('[') {
        // serde would take the parts of an envelope in their order, too.
        let is_json = serde_json::from_str::<&RawValue>(json).is_ok();
        let code = if is_json {
            Code::NotAPrimitive
        } else {
            Code::NotJson
        };
        return Err(Unreadable::without_id(Status::of(code)));
    }
    let envelope: Envelope<'_> =
        serde_json::from_str(json).map_err(|why| no_envelope(json, &why))?;
    let elements = envelope.elements.map_or("{}", RawValue::get);
    let answer = |status| Unreadable {
        transaction: Some(envelope.transaction.clone()),
        status: Box::new(status),
    };
    if elements.starts_with('[') {
        return Err(answer(Status::bad_element(
            "elements",
            "elements are an object",
        )));
    }
    match FromClient::from_json(&envelope.primitive, elements) {
        Some(Ok(primitive)) => {
            let mut fingerprint = FINGERPRINT.digest();
            fingerprint.update(envelope.primitive.as_bytes());
            fingerprint.update(elements.as_bytes());
            Ok(Request {
                transaction: envelope.transaction,
                session: envelope.session,
                fingerprint: fingerprint.finalize(),
                primitive,
            })
        }
        Some(Err(why)) => Err(answer(wrong_elements(elements, &why))),
        None if ToClient::NAMES.contains(&&*envelope.primitive) => {
            Err(answer(Status::of(Code::NotARequest)))
        }
        None => Err(answer(Status::of(Code::UnknownPrimitive))),
    }
}

impl Unreadable {
    fn without_id(status: Status) -> Self {
        Self {
            transaction: None,
            status: Box::new(status),
        }
    }
}

impl Rest<'_> {
    fn id(&self) -> Option<TransactionId> {
        serde_json::from_str(self.transaction?.get()).ok()
    }
}

fn rest(json: &str) -> Option<Rest<'_>> {
    serde_json::from_str(json).ok()
}

/// Whether brackets nest deeper than that. Counts in one pass, before anything is built.
fn is_deeper_than(json: &str, most: usize) -> bool {
    let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
    for octet in json.bytes() {
        match octet {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                if depth > most {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

fn no_envelope(json: &str, why: &serde_json::Error) -> Unreadable {
    let Some(rest) = rest(json) else {
        // An array or a number is JSON, and no primitive.
        let is_json = why.is_data() && serde_json::from_str::<&RawValue>(json).is_ok();
        let code = if is_json {
            Code::NotAPrimitive
        } else {
            Code::NotJson
        };
        return Unreadable::without_id(Status::saying(
            code,
            format!("{} {}", code.sentence(), shown(why)),
        ));
    };
    let Some(transaction) = rest.id() else {
        return Unreadable::without_id(Status::of(Code::BadTransaction).at("transaction"));
    };
    let code = Code::NotAPrimitive;
    Unreadable {
        transaction: Some(transaction),
        status: Box::new(Status::saying(
            code,
            format!("{} {}", code.sentence(), shown(why)),
        )),
    }
}

fn shown(why: &serde_json::Error) -> String {
    let text = why.to_string();
    // Where it is in the text says little to people; the element's name does.
    let text = text.split(" at line ").next().unwrap_or_default();
    let mut shown: String = text.chars().take(MAX_WHY).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// The `Status` for elements that do not fit.
fn wrong_elements(elements: &str, why: &serde_json::Error) -> Status {
    let text = why.to_string();
    let quoted = |lead: &str| {
        let rest = text.strip_prefix(lead)?;
        rest.strip_prefix('`')?.split('`').next()
    };
    if let Some(name) = quoted("unknown field ") {
        let name: String = name.chars().take(64).collect();
        return Status::of(Code::UnknownElement).at(&name);
    }
    if let Some(name) = quoted("missing field ") {
        return Status::of(Code::MissingElement).at(name);
    }
    let status = Status::saying(Code::BadElement, shown(why));
    match element_at(elements, why) {
        Some(name) => status.at(&name),
        None => status,
    }
}

/// The element that stands where the error was found.
fn element_at(elements: &str, why: &serde_json::Error) -> Option<String> {
    let line_start: usize = elements
        .split_inclusive('\n')
        .take(why.line().saturating_sub(1))
        .map(str::len)
        .sum();
    let at = line_start + why.column();
    let values: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(elements).ok()?;
    values
        .into_iter()
        .map(|(name, value)| {
            let start = value.get().as_ptr() as usize - elements.as_ptr() as usize;
            (start, name)
        })
        .filter(|&(start, _)| start < at)
        .max_by_key(|&(start, _)| start)
        .map(|(_, name)| name.chars().take(64).collect())
}
