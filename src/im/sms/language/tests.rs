//! Language files that are right, and that are not.

use super::*;
use crate::im::sms::compose::Telling;

fn english() -> String {
    SHIPPED[0].to_owned()
}

fn refused(from: &str, to: &str) -> String {
    let changed = english().replace(from, to);
    assert_ne!(changed, english(), "{from:?} is not in the file");
    Language::read(&changed).unwrap_err().to_string()
}

#[test]
fn all_that_is_shipped_can_be_read_and_is_gsm() {
    for written in SHIPPED {
        let language = Language::read(written).unwrap_or_else(|why| panic!("{why}"));
        assert!(language.is_gsm);
        for &keyword in Keyword::ALL {
            assert!(is_one(language.help(keyword)), "{}", keyword.key());
        }
    }
    assert_eq!(Languages::shipped().iter().count(), SHIPPED.len());
}

#[test]
fn what_is_wrong_in_a_file_is_said_with_its_place() {
    assert_eq!(
        refused("added = \"{name}", "added = \"{nmae}"),
        "language en: answers.added: does not know {nmae}"
    );
    assert!(refused("added = \"", "adddd = \"").contains("there is no \"adddd\""));
    assert!(refused("join = [\"join\"", "join = [\"leave\"").contains("could also be"));
    assert!(refused("join = [\"join\"", "join = [\"add group\"").contains("could also be add"));
    assert!(refused("join = [\"join\"", "join = [\"stop\"").contains("could also be"));
    assert!(refused("added = \"{name}", "added = \"{name").contains("without a }"));
    assert!(refused("added = \"{name}", "added = \"Č {name}").contains("GSM alphabet"));
    let long = format!("added = \"{}{{name}}", "long ".repeat(30));
    assert!(refused("added = \"{name}", &long).contains("does not fit one SMS"));
    assert!(refused("busy = [\"busy\"", "busy = [\"away\"").contains("stands for two things"));
    assert!(Language::read("colour = 'red'").is_err());
}

#[test]
fn an_operator_adds_a_language_or_puts_another_in_its_place() {
    let mut languages = Languages::shipped();
    let other = english()
        .replace("code = \"en\"", "code = \"xx\"")
        .replace("name = \"English\"", "name = \"Xx\"")
        .replace("names = [", "names = [\"exex\", ");
    let taken = languages.add(&other).unwrap_err().to_string();
    assert!(taken.contains("is a name of en"), "{taken}");
    let start = other.find("names = [").unwrap();
    let end = other[start..].find('\n').unwrap() + start;
    let own = format!("{}names = [\"exex\"]{}", &other[..start], &other[end..]);
    languages.add(&own).unwrap();
    assert_eq!(languages.called("EXEX").unwrap().code().as_str(), "xx");
    let code = |code: &str| LanguageCode::new(code).unwrap();
    assert_eq!(languages.of(&code("xx")).code(), &code("xx"));
    assert_eq!(languages.of(&code("yy")).code(), &code("en"));
    languages
        .add(&english().replace("{name} is your", "{name} is now your"))
        .unwrap();
    let told = Telling::new(Say::Added).with(Place::Name, "bob");
    let told = languages.called("english").unwrap().tell(&told);
    assert!(told.starts_with("bob is now your"), "{told}");
}

#[test]
fn a_language_beyond_the_alphabet_has_seventy_characters() {
    let wide = english().replace("code = \"en\"", "code = \"en\"\nbeyond_gsm = true");
    let why = Language::read(&wide).unwrap();
    // English words stay GSM; with a letter beyond, an answer has to be short.
    assert!(!why.is_gsm);
    let wide = wide.replace(
        "added = \"{name}",
        &format!("added = \"Č {}{{name}}", "x ".repeat(30)),
    );
    let why = Language::read(&wide).unwrap_err().to_string();
    assert!(why.contains("does not fit one SMS"), "{why}");
}

#[test]
fn answers_are_one_sms_whatever_they_name() {
    let long = "ž€\u{1F600}long-name".repeat(9);
    for language in Languages::shipped().iter() {
        for &say in Say::ALL {
            let mut telling = Telling::new(say).listing(vec![long.clone(); 50]);
            for &place in say.places() {
                telling = telling.with(place, long.clone());
            }
            let told = language.tell(&telling);
            assert!(
                is_one(&told) && gsm::can_encode(&told),
                "{}: {told}",
                say.key()
            );
            let both = language.tell_both(&telling, &telling);
            assert!(is_one(&both));
        }
    }
}
