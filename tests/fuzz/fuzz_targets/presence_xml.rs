//! Any text as an XML document of presence values: no panic, nothing expanded, and what is read is written and read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice::presence::xml;

fuzz_target!(|text: &str| {
    match xml::read(text) {
        Ok(document) => {
            let inside: usize = document
                .values
                .iter()
                .map(|value| value.value.as_deref().map_or(0, str::len))
                .sum();
            assert!(inside <= text.len(), "nothing is expanded");
            let written = xml::write(&document);
            let again = xml::read(&written).unwrap_or_else(|why| panic!("{why}: {written}"));
            assert_eq!(again, document, "{written}");
            // Places have numbers, whose last binary digit JSON's reader may lose.
            for value in document.values.iter().filter(|value| value.rules.iter().all(|rule| rule.place.is_none())) {
                let json = value.to_json();
                let again = sluice::presence::PresValue::from_json(json.as_bytes());
                assert_eq!(again.as_ref(), Ok(value), "{json}");
            }
        }
        Err(why) => assert!(!why.element.is_empty() && !why.reason.is_empty()),
    }
});
