//! The XML form of presence values, both ways. `docs/presence.md` has its schema.
//!
//! The reader takes what the schema lists, and nothing else: no document type, no entity beyond the five of XML itself, no
//! processing instruction. Nothing is expanded, so what comes out is never larger than what came in.

use std::fmt::{Display, Write};
use std::sync::Arc;

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::escape::escape;
use quick_xml::events::{BytesStart, Event};

use super::calendar::{Calendar, CalendarWritten};
use super::name::{Address, AttributeName, ClientName};
use super::place::Place;
use super::refusal::{Refusal, shown};
use super::rule::{MAX_RULES, Rule, While};
use super::value::{MAX_ADDRESSES, MAX_VALUE, PresValue};
use super::words::{Class, Format, Operation, Privacy, Scope, Validity};
use crate::message::UserName;

/// Longest document, in octets.
pub const MAX_XML: usize = 64 * 1024;

/// Most values in a document: as many as an owner has.
pub const MAX_XML_VALUES: usize = 64;

/// A document: values, and whose they are if it says so.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Document {
    /// Whose values.
    pub owner: Option<UserName>,
    /// The values, in order.
    pub values: Vec<PresValue>,
}

fn bad(element: &str, reason: impl Into<String>) -> Refusal {
    Refusal::malformed(element.to_string(), reason)
}

/// Reads `<presence>`, or a single `<presvalue>`.
pub fn read(written: &str) -> Result<Document, Refusal> {
    if written.len() > MAX_XML {
        return Err(bad(
            "presence",
            format!("has {} octets; {MAX_XML} are allowed", written.len()),
        ));
    }
    let mut source = Source::new(written);
    let mut document = Document::default();
    match source.open(None)? {
        Some(Tag { name, attributes }) if name == "presence" => {
            for (key, value) in attributes {
                if key != "owner" || document.owner.is_some() {
                    return Err(bad("presence", format!("has no attribute {}", shown(&key))));
                }
                let owner = UserName::new(&value).map_err(|why| bad("owner", why.to_string()))?;
                document.owner = Some(owner);
            }
            while let Some(tag) = source.open(Some("presence"))? {
                if tag.name != "presvalue" {
                    return Err(unknown(&tag.name, "presence"));
                }
                if document.values.len() >= MAX_XML_VALUES {
                    return Err(Refusal::too_many("presvalue", MAX_XML_VALUES));
                }
                document.values.push(presvalue(&mut source, &tag)?);
            }
        }
        Some(tag) if tag.name == "presvalue" => document.values.push(presvalue(&mut source, &tag)?),
        Some(tag) => return Err(bad(&tag.name, "is neither presence nor presvalue")),
        None => return Err(bad("presence", "is missing")),
    }
    match source.open(None)? {
        None => Ok(document),
        Some(tag) => Err(bad(&tag.name, "stands behind the end of the document")),
    }
}

fn unknown(name: &str, within: &str) -> Refusal {
    let short: String = name.chars().take(40).collect();
    bad(&short, format!("is no element of {within}"))
}

struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    fn without_attributes(&self) -> Result<(), Refusal> {
        match self.attributes.first() {
            None => Ok(()),
            Some((key, _)) => Err(bad(&self.name, format!("has no attribute {}", shown(key)))),
        }
    }

    /// Takes an attribute.
    fn take(&mut self, key: &str) -> Option<String> {
        let place = self.attributes.iter().position(|(one, _)| one == key)?;
        Some(self.attributes.swap_remove(place).1)
    }

    fn need(&mut self, key: &str) -> Result<String, Refusal> {
        self.take(key)
            .ok_or_else(|| bad(&self.name, format!("lacks the attribute {key}")))
    }
}

/// The document's events, as the schema's reader wants them: elements without their white space.
struct Source<'a> {
    reader: Reader<&'a [u8]>,
}

impl<'a> Source<'a> {
    fn new(written: &'a str) -> Self {
        let mut reader = Reader::from_str(written);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.check_comments = true;
        Self { reader }
    }

    fn event(&mut self) -> Result<Event<'a>, Refusal> {
        loop {
            let event = self
                .reader
                .read_event()
                .map_err(|why| bad("xml", why.to_string()))?;
            match event {
                Event::DocType(_) => return Err(bad("xml", "a document type is not allowed")),
                Event::PI(_) => return Err(bad("xml", "a processing instruction is not allowed")),
                Event::Decl(_) | Event::Comment(_) => {}
                event => return Ok(event),
            }
        }
    }

    /// The next element within this one, or its end.
    fn open(&mut self, within: Option<&str>) -> Result<Option<Tag>, Refusal> {
        let here = within.unwrap_or("xml");
        loop {
            match self.event()? {
                Event::Start(start) => return tag(&start).map(Some),
                Event::End(_) => return Ok(None),
                Event::Eof if within.is_none() => return Ok(None),
                Event::Eof => return Err(bad(here, "has no end")),
                Event::Text(text) if text.xml10_content().trim().is_empty() => {}
                _ => return Err(bad(here, "has no text of its own")),
            }
        }
    }

    /// The text of an element, up to its end.
    fn text(&mut self, element: &str) -> Result<String, Refusal> {
        let mut read = String::new();
        loop {
            match self.event()? {
                Event::End(_) => return Ok(read),
                Event::Text(text) => read.push_str(&text.xml10_content()),
                Event::CData(text) => read.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => {
                    let character = match &*reference {
                        "lt" => '<',
                        "gt" => '>',
                        "amp" => '&',
                        "quot" => '"',
                        "apos" => '\'',
                        _ => reference
                            .resolve_char_ref()
                            .map_err(|why| bad(element, why.to_string()))?
                            .ok_or_else(|| bad(element, "an entity is not allowed"))?,
                    };
                    read.push(character);
                }
                Event::Eof => return Err(bad(element, "has no end")),
                _ => return Err(bad(element, "has text only")),
            }
            if read.len() > MAX_VALUE {
                return Err(bad(element, format!("has more than {MAX_VALUE} octets")));
            }
        }
    }
}

/// Most attributes of an element: the calendar's seven.
const MAX_ATTRIBUTES: usize = 7;

fn tag(start: &BytesStart<'_>) -> Result<Tag, Refusal> {
    let name = start.name();
    let name: &str = name.as_ref();
    if name.is_empty() {
        return Err(bad("xml", "has an element without a name"));
    }
    let short: String = name.chars().take(40).collect();
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|why| bad(&short, why.to_string()))?;
        if attributes.len() >= MAX_ATTRIBUTES {
            return Err(Refusal::too_many(short, MAX_ATTRIBUTES));
        }
        let key: &str = attribute.key.as_ref();
        // Entities other than the five are an error of this.
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|why| bad(&short, why.to_string()))?;
        attributes.push((key.to_string(), value.into_owned()));
    }
    Ok(Tag {
        name: short,
        attributes,
    })
}

fn once<T>(place: &mut Option<T>, element: &str, value: T) -> Result<(), Refusal> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(bad(element, "stands there twice")),
    }
}

fn presvalue(source: &mut Source<'_>, tag: &Tag) -> Result<PresValue, Refusal> {
    tag.without_attributes()?;
    let mut name = None;
    // Its name follows; what is read meanwhile has to be kept somewhere.
    let mut value = PresValue::named(AttributeName::new("unknown:unknown")?);
    while let Some(tag) = source.open(Some("presvalue"))? {
        if tag.name == "rule" {
            if value.rules.len() >= MAX_RULES {
                return Err(Refusal::too_many("rule", MAX_RULES));
            }
            value.rules.push(rule(source, tag)?);
            continue;
        }
        tag.without_attributes()?;
        let element = tag.name.as_str();
        let text = source.text(element)?;
        match element {
            "operation" => once(&mut value.operation, element, Operation::from_word(&text)?)?,
            "name" => once(&mut name, element, AttributeName::new(&text)?)?,
            "class" => once(&mut value.class, element, Class::from_word(&text)?)?,
            "scope" => once(&mut value.scope, element, Scope::from_word(&text)?)?,
            "client" => once(&mut value.client, element, ClientName::new(&text)?)?,
            "format" => once(&mut value.format, element, Format::from_word(&text)?)?,
            "value" => once(&mut value.value, element, Arc::from(text))?,
            "privacy" => once(&mut value.privacy, element, Privacy::from_word(&text)?)?,
            "allowed" => addresses(&mut value.allowed, element, &text)?,
            "restricted" => addresses(&mut value.restricted, element, &text)?,
            "time" => once(&mut value.time, element, parsed(element, &text)?)?,
            "until" => once(&mut value.until, element, parsed(element, &text)?)?,
            "fades" => once(&mut value.fades, element, parsed(element, &text)?)?,
            "validity" => once(&mut value.validity, element, Validity::from_word(&text)?)?,
            _ => return Err(unknown(element, "presvalue")),
        }
    }
    value.name = name.ok_or_else(|| bad("name", "is missing"))?;
    Ok(value)
}

fn parsed<T: std::str::FromStr<Err: Display>>(element: &str, text: &str) -> Result<T, Refusal> {
    text.parse()
        .map_err(|why: T::Err| bad(element, why.to_string()))
}

/// An empty element says that there is none, which differs from saying nothing.
fn addresses(list: &mut Option<Vec<Address>>, element: &str, text: &str) -> Result<(), Refusal> {
    let list = list.get_or_insert_default();
    if text.is_empty() {
        return Ok(());
    }
    if list.len() >= MAX_ADDRESSES {
        return Err(Refusal::too_many(element.to_string(), MAX_ADDRESSES));
    }
    list.push(Address::new(text).map_err(|why| bad(element, why.reason))?);
    Ok(())
}

fn rule(source: &mut Source<'_>, mut tag: Tag) -> Result<Rule, Refusal> {
    let value = tag.need("value")?;
    tag.without_attributes()?;
    let mut rule = Rule {
        value: value.into(),
        calendar: None,
        place: None,
        while_is: None,
    };
    while let Some(mut tag) = source.open(Some("rule"))? {
        match tag.name.as_str() {
            "calendar" => {
                let words = |text: Option<String>| -> Vec<String> {
                    let text = text.unwrap_or_default();
                    text.split_whitespace().map(String::from).collect()
                };
                let written = CalendarWritten {
                    zone: tag.need("zone")?,
                    days: words(tag.take("days")),
                    from: tag.take("from"),
                    to: tag.take("to"),
                    first: tag.take("first"),
                    last: tag.take("last"),
                    except: words(tag.take("except")),
                };
                once(&mut rule.calendar, "calendar", Calendar::try_from(written)?)?;
            }
            "place" => {
                let (latitude, longitude) = (tag.need("latitude")?, tag.need("longitude")?);
                let place = Place::read(&latitude, &longitude, &tag.need("radius")?)?;
                once(&mut rule.place, "place", place)?;
            }
            "while" => {
                let while_is = While {
                    name: AttributeName::new(&tag.need("name")?)?,
                    is: tag.need("is")?.into(),
                };
                once(&mut rule.while_is, "while", while_is)?;
            }
            other => return Err(unknown(other, "rule")),
        }
        tag.without_attributes()?;
        if source.open(Some(&tag.name))?.is_some() {
            return Err(bad(&tag.name, "has no elements"));
        }
    }
    Ok(rule)
}

/// Writes one value.
pub fn write_value(value: &PresValue) -> String {
    let mut out = String::with_capacity(512);
    put_value(&mut out, value, "");
    out
}

/// Writes `<presence>` with its values.
pub fn write(document: &Document) -> String {
    let mut out = String::with_capacity(64 + 512 * document.values.len());
    out.push_str("<presence");
    if let Some(owner) = &document.owner {
        attribute(&mut out, "owner", owner.as_str());
    }
    out.push_str(">\n");
    for value in &document.values {
        put_value(&mut out, value, "  ");
    }
    out.push_str("</presence>\n");
    out
}

fn attribute(out: &mut String, key: &str, value: impl Display) {
    // Line ends and tabs in attributes survive as references only.
    let text = value.to_string();
    let escaped = escape(text.as_str())
        .replace('\n', "&#10;")
        .replace('\t', "&#9;");
    write!(out, " {key}=\"{escaped}\"").expect("a string takes everything");
}

fn put_value(out: &mut String, value: &PresValue, indent: &str) {
    writeln!(out, "{indent}<presvalue>").expect("a string takes everything");
    let mut put = |element: &str, text: &str| {
        let text = escape(text);
        writeln!(out, "{indent}  <{element}>{text}</{element}>")
            .expect("a string takes everything");
    };
    if let Some(operation) = value.operation {
        put("operation", operation.word());
    }
    put("name", value.name.as_str());
    let words = [
        ("class", value.class.map(Class::word)),
        ("scope", value.scope.map(Scope::word)),
        ("client", value.client.as_ref().map(ClientName::as_str)),
        ("format", value.format.map(Format::word)),
        ("value", value.value.as_deref()),
        ("privacy", value.privacy.map(Privacy::word)),
    ];
    for (element, word) in words {
        if let Some(word) = word {
            put(element, word);
        }
    }
    for (element, list) in [
        ("allowed", &value.allowed),
        ("restricted", &value.restricted),
    ] {
        match list.as_deref() {
            None => {}
            Some([]) => put(element, ""),
            Some(list) => list.iter().for_each(|one| put(element, &one.to_string())),
        }
    }
    for (element, time) in [("time", value.time), ("until", value.until)] {
        if let Some(time) = time {
            put(element, &time.to_string());
        }
    }
    if let Some(fades) = value.fades {
        put("fades", &fades.to_string());
    }
    for rule in &value.rules {
        out.push_str(&rule_text(rule, indent));
    }
    if let Some(validity) = value.validity {
        writeln!(out, "{indent}  <validity>{validity}</validity>")
            .expect("a string takes everything");
    }
    writeln!(out, "{indent}</presvalue>").expect("a string takes everything");
}

fn rule_text(rule: &Rule, indent: &str) -> String {
    let mut out = format!("{indent}  <rule");
    attribute(&mut out, "value", &rule.value);
    out.push('>');
    if let Some(calendar) = &rule.calendar {
        let written = CalendarWritten::from(calendar.clone());
        out.push_str("<calendar");
        attribute(&mut out, "zone", &written.zone);
        let lists = [("days", written.days), ("except", written.except)];
        for (key, list) in lists.iter().filter(|(_, list)| !list.is_empty()) {
            attribute(&mut out, key, list.join(" "));
        }
        let single = [
            ("from", written.from),
            ("to", written.to),
            ("first", written.first),
            ("last", written.last),
        ];
        for (key, text) in single {
            if let Some(text) = text {
                attribute(&mut out, key, text);
            }
        }
        out.push_str("/>");
    }
    if let Some(place) = &rule.place {
        out.push_str("<place");
        attribute(&mut out, "latitude", place.latitude);
        attribute(&mut out, "longitude", place.longitude);
        attribute(&mut out, "radius", place.radius);
        out.push_str("/>");
    }
    if let Some(while_is) = &rule.while_is {
        out.push_str("<while");
        attribute(&mut out, "name", &while_is.name);
        attribute(&mut out, "is", &while_is.is);
        out.push_str("/>");
    }
    out.push_str("</rule>\n");
    out
}
