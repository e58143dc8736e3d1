//! Any text from a phone, to either kind of number, in every language: it means something, what it says is part of it,
//! and every answer that names a piece of it is one SMS.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice::im::sms::{
    Command, Door, Languages, Mood, Person, Place, Reading, Say, Telling, folded, read,
};
use sluice::text::{Cost, Width};

fn is_one(text: &str) -> bool {
    Cost::of(text, Width::Narrow).parts == 1
}

fuzz_target!(|octets: &[u8]| {
    thread_local!(static LANGUAGES: Languages = Languages::shipped());
    let Some((&choice, octets)) = octets.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(octets);
    LANGUAGES.with(|languages| {
        let count = languages.iter().count();
        let language = languages
            .iter()
            .nth(usize::from(choice >> 1) % count)
            .expect("there is one");
        let door = if choice & 1 == 0 {
            Door::Main
        } else {
            Door::Reply
        };
        let is_within = |part: &str| assert!(text.contains(part), "{part:?} was not written");
        let reading = read(&text, door, language, languages);
        let mut names = Vec::new();
        match &reading {
            Reading::Message | Reading::MessageNear(_) | Reading::Incomplete(_) => {}
            Reading::Unknown { word, .. } => {
                is_within(word);
                names.push(word.clone());
            }
            Reading::Addressed { to, text, .. } => {
                assert!(!text.trim().is_empty());
                is_within(text);
                names.push(to.as_str().into());
            }
            Reading::Command(command) => match command {
                Command::ToGroup(group, text) => {
                    is_within(text);
                    is_within(group);
                    names.push(group.clone());
                }
                Command::Add(person, nickname) => {
                    if let Person::Called(name) = person {
                        is_within(name);
                    }
                    names.extend(nickname.clone());
                }
                Command::Allow(Some(Person::Called(name)))
                | Command::Deny(Some(Person::Called(name))) => {
                    is_within(name);
                    names.push(name.clone());
                }
                Command::Join(name) | Command::Leave(name) => names.push(name.clone()),
                Command::Status(Mood::Set {
                    text: Some(text), ..
                }) => {
                    is_within(text);
                    names.push(text.clone());
                }
                _ => {}
            },
        }
        // One kind of answer at a time: what makes them is slower than what reads.
        let kinds = [
            Say::UnknownNear,
            Say::AddedAs,
            Say::Online,
            Say::StatusIs,
            Say::ForWhom,
        ];
        let say = kinds[octets.len() % kinds.len()];
        if let Some(name) = names.first() {
            assert_eq!(folded(&folded(name)), folded(name));
            // Names on lists are names of users and groups.
            let listed: String = name.chars().take(64).collect();
            let mut telling = Telling::new(say).listing(vec![listed; 9]);
            for &place in say.places() {
                telling = telling.with(place, name.clone());
            }
            assert!(is_one(&language.tell(&telling)));
            let behind = Telling::new(Say::NotSentTo).with(Place::Name, name.clone());
            assert!(is_one(&language.tell_both(&telling, &behind)));
        }
    });
});
