//! The grammar as a table: text, and what it means.

use super::grammar::{Command, Door, How, Mood, Person, Reading, read};
use super::keyword::Keyword;
use super::language::{Availability, Languages};

/// A reading as one line.
fn shown(reading: &Reading) -> String {
    let person = |person: &Person| person.as_str().to_owned();
    match reading {
        Reading::Message => "message".into(),
        Reading::MessageNear(keyword) => format!("message, near {}", keyword.key()),
        Reading::Incomplete(keyword) => format!("incomplete {}", keyword.key()),
        Reading::Unknown { word, nearest } => {
            format!("unknown {word}, near {}", nearest.map_or("-", Keyword::key))
        }
        Reading::Addressed { to, text, how } => {
            let how = match how {
                How::Sign => "to",
                How::Likely => "likely to",
                How::Perhaps => "perhaps to",
            };
            format!("{how} {}: {text}", person(to))
        }
        Reading::Command(command) => match command {
            Command::Help(None) => "help".into(),
            Command::Help(Some(keyword)) => format!("help {}", keyword.key()),
            Command::Who => "who".into(),
            Command::Buddies => "buddies".into(),
            Command::Groups => "groups".into(),
            Command::SignIn => "sign-in".into(),
            Command::SignOut => "sign-out".into(),
            Command::Stop => "stop".into(),
            Command::Start => "start".into(),
            Command::Add(who, None) => format!("add {}", person(who)),
            Command::Add(who, Some(name)) => format!("add {} as {name}", person(who)),
            Command::Remove(who) => format!("remove {}", person(who)),
            Command::Block(who) => format!("block {}", person(who)),
            Command::Unblock(who) => format!("unblock {}", person(who)),
            Command::Allow(who) => format!("allow {}", who.as_ref().map_or("-".into(), person)),
            Command::Deny(who) => format!("deny {}", who.as_ref().map_or("-".into(), person)),
            Command::Join(group) => format!("join {group}"),
            Command::Leave(group) => format!("leave {group}"),
            Command::ToGroup(group, text) => format!("group {group}: {text}"),
            Command::Language(name) => format!("language {}", name.as_deref().unwrap_or("-")),
            Command::Status(Mood::Show) => "status".into(),
            Command::Status(Mood::Clear) => "status clear".into(),
            Command::Status(Mood::Set { availability, text }) => format!(
                "status {} {}",
                availability.map_or("-", Availability::key),
                text.as_deref().unwrap_or("-")
            ),
        },
    }
}

fn check(language: &str, door: Door, table: &[(&str, &str)]) {
    let languages = Languages::shipped();
    let own = languages.called(language).unwrap();
    let mut wrong = Vec::new();
    for (text, wanted) in table {
        let found = shown(&read(text, door, own, &languages));
        if found != *wanted {
            wrong.push(format!("{text:?} is {found:?}, not {wanted:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn g17_commands_to_the_main_number_are_read_as_phones_write_them() {
    check(
        "en",
        Door::Main,
        &[
            ("allow bob", "allow bob"),
            ("Allow @Bob.", "allow Bob"),
            ("allow +358401234567", "allow +358401234567"),
            ("ALLOW", "allow -"),
            ("deny bob!", "deny bob"),
            ("hide from bob", "deny bob"),
            ("Deny", "deny -"),
            ("Allow me to say this", "perhaps to Allow: me to say this"),
            ("help", "help"),
            ("HELP!", "help"),
            ("Help add", "help add"),
            ("help /add", "help add"),
            ("Help sign in", "help sign-in"),
            ("/help", "help"),
            ("/ Help ", "help"),
            ("who", "who"),
            ("Who is online?", "who"),
            ("who’s online", "who"),
            ("WHO'S  ONLINE ??", "who"),
            ("Buddies.", "buddies"),
            ("my friends", "perhaps to my: friends"),
            ("add bob", "add bob"),
            ("Add @Bob.", "add Bob"),
            ("add “bob”", "add bob"),
            ("add buddy bob", "add bob"),
            ("add +358 40 123-4567", "add +358401234567"),
            ("add 0401234567 as Mum", "add 0401234567 as Mum"),
            ("Add mum +358401234567", "add +358401234567 as mum"),
            ("add bob = bobby", "add bob as bobby"),
            ("remove bob", "remove bob"),
            ("Delete Bob!", "remove Bob"),
            ("block bob", "block bob"),
            ("unblock bob", "unblock bob"),
            ("status", "status"),
            ("Status?", "status"),
            ("Status busy", "status busy -"),
            ("status: Busy, in a meeting", "status busy in a meeting"),
            ("status away back at 5:30", "status away back at 5:30"),
            ("status: Lunch", "status - Lunch"),
            ("status : Lunch", "status - Lunch"),
            ("/status Lunch", "status - Lunch"),
            ("status none", "status clear"),
            ("join chess", "join chess"),
            ("Join #Chess", "join Chess"),
            ("leave chess", "leave chess"),
            ("groups", "groups"),
            ("#chess Your move", "group chess: Your move"),
            ("# chess: Your move", "group chess: Your move"),
            ("send #chess Your move", "group chess: Your move"),
            ("Sign in", "sign-in"),
            ("Log out", "sign-out"),
            ("language", "language -"),
            ("Language: Deutsch", "language Deutsch"),
            ("Sprache deutsch", "language deutsch"),
            ("idioma español", "language español"),
            ("STOP", "stop"),
            ("Stop all", "stop"),
            ("unsubscribe", "stop"),
            ("Start", "start"),
        ],
    );
}

#[test]
fn g17_texts_find_whom_they_are_for() {
    check(
        "en",
        Door::Main,
        &[
            ("@bob Lunch?", "to bob: Lunch?"),
            ("@Bob: Lunch?", "to Bob: Lunch?"),
            ("@ bob - Lunch?", "to bob: Lunch?"),
            ("@bob:Lunch?", "to bob: Lunch?"),
            ("@bob ?", "to bob: ?"),
            ("@bob ... well", "to bob: ... well"),
            ("@bob@example.com Hi", "to bob@example.com: Hi"),
            ("@+358 40 1234567 Hi", "to +358401234567: Hi"),
            ("send bob Lunch?", "likely to bob: Lunch?"),
            ("send @bob Lunch?", "to bob: Lunch?"),
            ("/send bob Lunch?", "to bob: Lunch?"),
            ("Tell bob, I'm late", "likely to bob: I'm late"),
            ("bob: Lunch?", "likely to bob: Lunch?"),
            ("Bob, lunch?", "likely to Bob: lunch?"),
            ("bob Lunch?", "perhaps to bob: Lunch?"),
            ("+358401234567 Lunch?", "perhaps to +358401234567: Lunch?"),
            ("0401234567: Lunch?", "likely to 0401234567: Lunch?"),
            ("@bob", "incomplete send"),
            ("@", "incomplete send"),
            ("@ ?!", "incomplete send"),
            ("#", "incomplete send"),
            ("#chess", "incomplete send"),
            ("/send", "incomplete send"),
            ("/send bob", "incomplete send"),
            ("/add", "incomplete add"),
            ("/add bob and carol", "incomplete add"),
            ("/join", "incomplete join"),
        ],
    );
}

#[test]
fn g17_ordinary_texts_stay_messages() {
    check(
        "en",
        Door::Main,
        &[
            ("", "message"),
            ("  \u{200B} ", "message"),
            (".help", "message"),
            ("\"stop\"", "message"),
            (":)", "message"),
            ("?", "message"),
            ("5 people are coming", "message"),
            ("10:30 is fine", "likely to 10: 30 is fine"),
            ("Yes", "message"),
            ("Stop it now", "perhaps to Stop: it now"),
            ("help me please", "perhaps to help: me please"),
            ("Who is that man?", "perhaps to Who: is that man?"),
            ("Add some salt to it", "perhaps to Add: some salt to it"),
            (
                "Status of the project is fine",
                "perhaps to Status: of the project is fine",
            ),
            (
                "Sign in to the bank tomorrow",
                "perhaps to Sign: in to the bank tomorrow",
            ),
            ("Leave it on the table", "perhaps to Leave: it on the table"),
            ("To be or not", "likely to be: or not"),
            // Something is wrong, and the phone is told.
            ("Leave!", "message, near leave"),
            ("add", "message, near add"),
            ("statsu", "message, near status"),
            ("hlep", "message, near help"),
            ("unblok bob", "message, near unblock"),
            ("shop", "message"),
            ("Held", "message"),
            ("/hlep", "unknown hlep, near help"),
            ("/frobnicate", "unknown frobnicate, near -"),
            ("/", "unknown , near -"),
        ],
    );
}

#[test]
fn g17_what_goes_to_a_person_s_number_goes_to_the_person() {
    check(
        "en",
        Door::Reply,
        &[
            ("help", "message"),
            ("help me please", "message"),
            ("who is online?", "message"),
            ("@bob hello", "message"),
            ("#1!", "message"),
            ("Cancel", "message"),
            ("End", "message"),
            ("Stop!", "message"),
            ("stop it", "message"),
            ("/me waves", "message"),
            ("/", "message"),
            ("STOP", "stop"),
            ("stop.", "stop"),
            ("stopall", "stop"),
            ("/help", "help"),
            ("/hepl", "unknown hepl, near help"),
            ("/who is online", "who"),
        ],
    );
}

#[test]
fn g17_other_languages_have_their_own_words_and_those_that_carriers_demand() {
    check(
        "de",
        Door::Main,
        &[
            ("Hilfe", "help"),
            ("help", "help"),
            ("Wer ist online?", "who"),
            ("hinzufuegen bob", "add bob"),
            ("Hinzufügen bob als Bobby", "add bob as Bobby"),
            ("löschen bob", "remove bob"),
            ("status beschäftigt", "status busy -"),
            ("Status weg im Kino", "status away im Kino"),
            ("abmelden", "sign-out"),
            ("STOP", "stop"),
            ("Stopp", "stop"),
            ("language english", "language english"),
            ("who is online", "perhaps to who: is online"),
        ],
    );
    check(
        "es",
        Door::Main,
        &[
            ("¡Ayuda!", "help"),
            ("¿Quién está conectado?", "who"),
            ("quien esta", "who"),
            ("AÑADIR bob como bobby", "add bob as bobby"),
            ("estado: ocupado", "status busy -"),
            ("salir", "sign-out"),
            ("salir de ajedrez", "leave ajedrez"),
            ("para bob: hola", "likely to bob: hola"),
            ("stop", "stop"),
        ],
    );
}
