//! What is hostile, or wrong: what hides stays hidden, what grows has an end, and nobody is disturbed by others.

use std::time::Duration;

use serde_json::Value;
use sluice::im::change::Change;
use sluice::im::config::Config;
use sluice::im::log::LogHead;
use sluice::im::names::{Cursor, GroupName};
use sluice::im::primitive::{Reach, Settings, schema};
use sluice::im::record::{InviteRecord, UserRecord};
use sluice::im::shelf::Shelf;
use sluice::message::UserName;

use super::stage::{Stage, usual};

fn user(name: &str) -> UserName {
    UserName::new(name).unwrap()
}

/// Changes what is kept of a user.
fn change_user(stage: &mut Stage, name: &str, change: impl FnOnce(&mut UserRecord)) {
    let mut record = stage.shelf.user(&user(name)).unwrap().unwrap();
    change(&mut record);
    stage.shelf.apply(&Change::User(user(name), Some(record)));
}

fn head(stage: &Stage, name: &str) -> LogHead {
    stage.shelf.log(&user(name)).unwrap()
}

/// A user that hides, in each of the ways there are.
fn hide(stage: &mut Stage, name: &str, way: &str) {
    match way {
        "from all but buddies" => change_user(stage, name, |record| {
            record.settings = Settings {
                reach: Reach::Buddies,
                searchable: false,
                groups_searchable: false,
            };
        }),
        "by blocking" => {
            let alice = serde_json::from_str(r#"{"user":"alice"}"#).unwrap();
            stage.shelf.apply(&Change::Blocked(user(name), alice, true));
        }
        "shut out" => change_user(stage, name, |record| record.is_shut = true),
        other => panic!("nobody hides {other}"),
    }
}

/// What alice may send about somebody called `bobby`; all that names a user.
const ABOUT_A_USER: &[&str] = &[
    r#"Message {"to":{"user":"bobby"},"saying":{"text":"Are you there?"},"report":true}"#,
    r#"InviteGroup {"group":"chess","users":["bobby"]}"#,
    r#"SearchGroup {"by":{"owner":"bobby"}}"#,
    r#"SearchGroup {"by":{"member":"bobby"}}"#,
    r#"SearchUsers {"name":"bobby"}"#,
    r#"CreateList {"list":"friends","buddies":[{"user":"bobby"}]}"#,
    r#"ModifyList {"list":"friends","add":[{"user":"bobby"}]}"#,
    r#"ModifyBlocks {"add":[{"user":"bobby"}]}"#,
    r#"ModifyGroup {"group":"chess","unban":["bobby"]}"#,
    r#"UpdatePresence {"user":"bobby","values":[]}"#,
    r#"GetPresence {"user":"bobby","values":["sluice:mood"]}"#,
    r#"RequestPresAuth {"user":"bobby","values":["sluice:mood"]}"#,
    r#"SubsPresence {"user":"bobby","values":"all"}"#,
    r#"UnsubsPresence {"user":"bobby"}"#,
    r#"AuthorizePres {"to":"user:bobby","grant":["sluice:mood"]}"#,
];

/// Those that name a user as well, and why they are not among them.
const TOLD_APART: &[(&str, &str)] = &[
    ("Status", "an answer, which is not answered"),
    ("Login", "a test of its own"),
    (
        "SignUp",
        "a name is taken or not; how often that may be asked is limited",
    ),
];

/// All that a schema refers to.
fn refers_to(schema: &Value, at: &Value, seen: &mut Vec<String>) {
    match at {
        Value::Object(object) => {
            if let Some(Value::String(to)) = object.get("$ref") {
                let name = to.rsplit('/').next().unwrap().to_owned();
                if !seen.contains(&name) {
                    seen.push(name.clone());
                    refers_to(schema, &schema["$defs"][&name], seen);
                }
            }
            object
                .values()
                .for_each(|part| refers_to(schema, part, seen));
        }
        Value::Array(parts) => parts.iter().for_each(|part| refers_to(schema, part, seen)),
        _ => {}
    }
}

#[test]
fn p13_who_hid_looks_like_nobody_to_every_primitive_that_names_a_user() {
    for way in ["from all but buddies", "by blocking", "shut out"] {
        let mut tales = Vec::new();
        // With bobby there, and hidden; and without.
        for is_there in [true, false] {
            let mut stage = Stage::new(usual());
            stage.play("! users alice");
            if is_there {
                stage.play("! users bobby");
                stage.play("! bobby signs in");
                stage.play(
                    r#"> bobby: UpdatePresence {"values":[{"name":"sluice:mood","value":"curious"}]}"#,
                );
                stage.play(r#"> bobby: CreateGroup {"group":"go","kind":"public"}"#);
                hide(&mut stage, "bobby", way);
            }
            stage.play("! alice signs in");
            stage.play(r#"> alice: CreateGroup {"group":"chess","kind":"private"}"#);
            stage.play(r#"> alice: CreateList {"list":"friends"}"#);
            stage.play(r#"> alice: DeleteList {"list":"friends"}"#);
            for about in ABOUT_A_USER {
                let before = stage.shelf.reads();
                let mut told = stage.play(&format!("> alice: {about}"));
                // What bobby hears of it, alice does not.
                told.retain(|line| line.starts_with("  alice"));
                told.push(format!("{about}: {} reads", stage.shelf.reads() - before));
                tales.push(told);
            }
        }
        let (hidden, absent) = tales.split_at(ABOUT_A_USER.len());
        for (hidden, absent) in hidden.iter().zip(absent) {
            assert_eq!(hidden, absent, "hidden {way}");
        }
    }
}

#[test]
fn p13_the_list_of_primitives_that_name_a_user_is_whole() {
    let schema = schema();
    let mut missing = Vec::new();
    for name in sluice::im::primitive::FromClient::NAMES {
        let elements = schema["$defs"]["FromClient"]["oneOf"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|one| one["properties"]["primitive"]["const"] == *name)
            .unwrap_or_else(|| panic!("the schema has no {name}"));
        let mut seen = Vec::new();
        refers_to(&schema, elements, &mut seen);
        let names_users = seen.iter().any(|name| name == "UserName");
        let is_tested = ABOUT_A_USER
            .iter()
            .any(|about| about.split(' ').next() == Some(name));
        let is_apart = TOLD_APART.iter().any(|(apart, _)| apart == name);
        if names_users && !is_tested && !is_apart {
            missing.push(name);
        }
    }
    assert!(
        missing.is_empty(),
        "add to ABOUT_A_USER what names a user: {missing:?}"
    );
}

/// What was told, without what chance made: secrets, and salts of sixteen octets.
fn plain(told: &[String]) -> Vec<String> {
    let mut plain = Vec::new();
    for line in told {
        let is_salt = |part: &str| part.len() == 24 && part.ends_with("==");
        let words =
            line.split('"')
                .map(|part| match part.starts_with("secret-") || is_salt(part) {
                    true => "secret",
                    false => part,
                });
        plain.push(words.collect::<Vec<_>>().join("\""));
    }
    plain
}

#[test]
fn p1_an_unknown_user_is_challenged_and_refused_as_a_known_one_is() {
    let mut tales = Vec::new();
    for is_there in [true, false] {
        let mut stage = Stage::new(usual());
        stage.play("! users eve");
        if is_there {
            stage.play("! users bobby");
        }
        stage.play("! eve connects");
        let mut tale = Vec::new();
        let before = stage.shelf.reads();
        // Until one has to wait, which is so for both.
        for _ in 0..7 {
            tale.extend(stage.play(
                r#"> eve: Login {"user":"bobby","client":"eve-pc","schemes":["argon2id-hmac-sha-256"]}"#,
            ));
            tale.extend(stage.play("! eve guesses something as bobby at eve-pc"));
        }
        tale.push(format!("{} reads", stage.shelf.reads() - before));
        tales.push(plain(&tale));
    }
    assert_eq!(tales[0], tales[1]);
    assert!(tales[0].iter().any(|line| line.contains("\"code\":424")));
    assert!(tales[0].iter().any(|line| line.contains("\"code\":426")));
}

#[test]
fn p13_a_page_that_ends_at_somebody_hidden_does_not_name_it() {
    let mut stage = Stage::new(usual());
    stage.play("! users alice seen");
    let hidden = UserRecord {
        settings: Settings {
            searchable: false,
            ..Settings::default()
        },
        ..stage.shelf.user(&user("alice")).unwrap().unwrap()
    };
    for n in 0..250 {
        let record = hidden.clone();
        let name = user(&format!("se{n:03}"));
        stage.shelf.apply(&Change::User(name, Some(record)));
    }
    stage.play("! alice signs in");
    let mut told = stage.play(r#"> alice: SearchUsers {"name":"se"}"#);
    let mut pages = 1;
    loop {
        assert!(
            !told[0].contains("se0") && !told[0].contains("se1"),
            "{told:?}"
        );
        let Some((_, after)) = told[0].split_once(r#""after":""#) else {
            break;
        };
        pages += 1;
        let after = after.split('"').next().unwrap().to_owned();
        told = stage.play(&format!(
            r#"> alice: SearchUsers {{"name":"se","after":"{after}"}}"#
        ));
    }
    assert_eq!(pages, 3);
    assert!(told[0].contains(r#""users":["seen"]"#), "{told:?}");
    // A name is none.
    let after = Cursor::new("se050").unwrap();
    let told = stage.play(&format!(
        r#"> alice: SearchUsers {{"name":"se","after":"{after}"}}"#
    ));
    assert!(told[0].contains("\"code\":404"), "{told:?}");
}

#[test]
fn p11_who_is_in_a_group_without_a_name_is_not_told_apart_by_inviting() {
    let mut stage = Stage::new(usual());
    stage.play("! users alice bobby");
    stage.play("! alice signs in");
    stage.play("! bobby signs in");
    stage.play(r#"> alice: CreateGroup {"group":"chess","kind":"public"}"#);
    stage.play(r#"> bobby: JoinGroup {"group":"chess","screen_name":"Knight","anonymous":true}"#);
    let invites =
        |name: &str| format!(r#"> alice: InviteGroup {{"group":"chess","users":["{name}"]}}"#);
    // Whoever is reached may have been invited, and is told nothing.
    let told = stage.play(&invites("bobby"));
    assert_eq!(
        told,
        [r#"  alice < Status [t2] {"code":200,"text":"Done."}"#]
    );
    // Who hid looks like nobody, in the group or not.
    hide(&mut stage, "bobby", "from all but buddies");
    let there = stage.play(&invites("bobby"));
    let nobody = stage.play(&invites("nobod"));
    assert!(there[0].contains("441"), "{there:?}");
    assert_eq!(
        there[0].replace("bobby", "nobod").replace("t3", "t4"),
        nobody[0]
    );
}

#[test]
fn p12_a_group_has_one_owner_whatever_is_asked_at_once() {
    let mut stage = Stage::new(usual());
    stage.play("! users alice bob");
    stage.play("! alice signs in");
    stage.play("! bob signs in");
    stage.play(r#"> alice: CreateGroup {"group":"chess","kind":"public"}"#);
    stage.play(r#"> bob: JoinGroup {"group":"chess"}"#);
    let told = stage.play(
        r#"> alice: ModifyGroup {"group":"chess","roles":[{"name":"bob","role":"owner"},{"name":"bob","role":"member"}]}"#,
    );
    assert!(told[0].contains("\"code\":404"), "{told:?}");
    let told = stage.play(r#"> alice: ModifyGroup {"group":"chess","remove":["bob","bob"]}"#);
    assert!(told[0].contains("\"code\":404"), "{told:?}");
    let group = GroupName::new("chess").unwrap();
    let members = stage.shelf.members(&group).unwrap();
    let owners = members
        .iter()
        .filter(|(_, member)| member.role == sluice::im::primitive::Role::Owner);
    assert_eq!(owners.count(), 1);
}

#[test]
fn p11_invitations_that_lapsed_take_no_room() {
    let mut config = usual();
    config.groups.max_invites = 2;
    let mut stage = Stage::new(config);
    stage.play("! users alice bob");
    stage.play("! alice signs in");
    for group in ["one", "two", "three"] {
        stage.play(&format!(
            r#"> alice: CreateGroup {{"group":"{group}","kind":"private"}}"#
        ));
    }
    for group in ["one", "two"] {
        stage.play(&format!(
            r#"> alice: InviteGroup {{"group":"{group}","users":["bob"]}}"#
        ));
    }
    let third = r#"> alice: InviteGroup {"group":"three","users":["bob"]}"#;
    assert!(stage.play(third)[0].contains("442"));
    stage.pass(Duration::from_secs(8 * 24 * 3600));
    assert!(stage.play(third)[0].contains("\"code\":200"));
    let open = stage.shelf.invites_of(&user("bob"), 10).unwrap();
    let open: Vec<&InviteRecord> = open.iter().map(|(_, invite)| invite).collect();
    assert_eq!(open.len(), 1);
}

#[test]
fn who_writes_and_confirms_nothing_can_be_written_to_and_fills_no_disk() {
    let mut stage = Stage::new(Config {
        max_waiting: 8,
        messages_per_second: 1_000_000,
        ..usual()
    });
    stage.play("! users alice bob");
    stage.play("! alice signs in");
    stage.play("! bob signs in");
    let to_bob = r#"> alice: Message {"to":{"user":"bob"},"saying":{"text":"Hello?"}}"#;
    // What she herself wrote is no burden: she is still written to.
    for _ in 0..30 {
        assert!(stage.play(to_bob)[0].contains("Accepted"));
        stage.play("! bob confirms");
    }
    let to_alice = r#"> bob: Message {"to":{"user":"alice"},"saying":{"text":"Yes."}}"#;
    assert!(stage.play(to_alice)[0].contains("Accepted"));
    // What others wrote is hers to confirm; until then she fills her log, and no more than that.
    let refused = (0..30).find_map(|_| {
        let told = stage.play(to_bob);
        stage.play("! bob confirms");
        told[0].contains("446").then(|| told[0].clone())
    });
    let refused = refused.expect("there is an end");
    assert!(refused.contains("max_waiting"), "{refused}");
    let full = head(&stage, "alice");
    assert!(full.last.behind(full.received) <= 9);
    stage.play("! alice confirms");
    assert!(stage.play(to_bob)[0].contains("Accepted"));
}

#[test]
fn a_text_on_which_no_word_came_ends_in_doubt_and_is_forgotten() {
    let mut stage = Stage::new(usual());
    stage.play("! users alice");
    stage.play("! alice signs in");
    let asks = |report| {
        format!(
            r#"> alice: Message {{"to":{{"phone":"358401234567"}},"saying":{{"text":"Well?"}},"report":{report}}}"#
        )
    };
    for n in 0..20 {
        stage.play(&asks(n % 2 == 0));
        stage.play("! alice confirms");
    }
    let long_ago = stage.wall + Duration::from_secs(1);
    // Of those on which nobody wants a report nothing is kept.
    assert_eq!(stage.shelf.texts_before(long_ago, 100).unwrap().len(), 10);
    stage.play("! text 1 is delivered");
    stage.pass(Duration::from_secs(806 * 24 * 3600));
    assert_eq!(stage.shelf.texts_before(long_ago, 100).unwrap().len(), 9);
    let before = head(&stage, "alice").last;
    stage.pass(Duration::from_secs(2 * 24 * 3600));
    assert!(stage.shelf.texts_before(long_ago, 100).unwrap().is_empty());
    let after = head(&stage, "alice").last;
    assert_eq!(after.behind(before), 9, "each sender is told");
    let told = stage.shelf.entries(&user("alice"), before, 1).unwrap();
    let told = told[0].1.elements_json().to_owned();
    assert!(told.contains("doubtful"), "{told}");
}

#[test]
fn codes_that_lapsed_are_not_kept() {
    let mut stage = Stage::new(usual());
    stage.play("! users alice");
    stage.play("! alice signs in");
    for n in 0..12 {
        let told = stage.play(&format!(
            r#"> alice: AddPhone {{"phone":"35840123450{}"}}"#,
            n % 10
        ));
        assert!(
            told.iter().any(|line| line.contains("\"code\":200")),
            "{told:?}"
        );
        stage.pass(Duration::from_secs(3600));
    }
    let kept = stage.shelf.proofs_of(&user("alice"), 100).unwrap();
    assert!(kept.len() <= 2, "{}", kept.len());
}

#[test]
fn what_tells_many_is_counted_as_work_for_many() {
    let mut stage = Stage::new(Config {
        messages_per_second: 10,
        ..usual()
    });
    stage.play("! users alice");
    stage.play("! alice signs in");
    stage.play(r#"> alice: CreateGroup {"group":"crowd","kind":"public"}"#);
    let group = GroupName::new("crowd").unwrap();
    let template = stage.shelf.user(&user("alice")).unwrap().unwrap();
    let own = stage.shelf.members(&group).unwrap();
    let own = own.get(&user("alice")).unwrap().clone();
    for n in 0..500 {
        let name = user(&format!("m{n}"));
        stage
            .shelf
            .apply(&Change::User(name.clone(), Some(template.clone())));
        let mut member = own.clone();
        member.name = sluice::im::names::ScreenName::new(name.as_str()).unwrap();
        member.role = sluice::im::primitive::Role::Member;
        stage
            .shelf
            .apply(&Change::Member(group.clone(), name, Some(member)));
    }
    let mut done = [0, 0];
    for n in 0..20 {
        let text = r#"> alice: Message {"to":{"group":"crowd"},"saying":{"text":"All of you!"}}"#;
        let renames = format!(r#"> alice: ModifyJoin {{"group":"crowd","screen_name":"a{n}"}}"#);
        for (count, asks) in done.iter_mut().zip([text, &renames[..]]) {
            let told = stage.play(asks);
            *count += usize::from(!told[0].contains("445"));
        }
    }
    // A hundred at once, of which each of these is worth fifty.
    assert!(done[0] + done[1] <= 4, "{done:?}");
    // A while later it is as before.
    stage.pass(Duration::from_secs(60));
    let told = stage.play(r#"> alice: ModifyJoin {"group":"crowd","screen_name":"Alice"}"#);
    assert!(told[0].contains("\"code\":200"), "{told:?}");
}

#[test]
fn a_page_of_history_has_an_end_however_long_the_texts() {
    let mut stage = Stage::new(Config {
        messages_per_second: 1_000_000,
        ..usual()
    });
    stage.play("! users alice bob");
    stage.play("! alice signs in");
    let text = "x".repeat(16_000);
    for _ in 0..40 {
        let told = stage.play(&format!(
            r#"> alice: Message {{"to":{{"user":"bob"}},"saying":{{"text":"{text}"}}}}"#
        ));
        assert!(told[0].contains("Accepted"));
    }
    stage.play("! bob signs in");
    let mut heard = Vec::new();
    let mut after = 0;
    while after < 40 {
        let told = stage.play(&format!(r#"> bob: GetHistory {{"after":{after}}}"#));
        assert!(told[0].len() < 128 * 1024, "{}", told[0].len());
        let history = told[0].split_once(" {").unwrap().1;
        let history: Value = serde_json::from_str(&format!("{{{history}")).unwrap();
        for entry in history["entries"].as_array().unwrap() {
            heard.push(entry["position"].as_u64().unwrap());
        }
        after = *heard.last().unwrap();
    }
    assert_eq!(heard, (1..=40).collect::<Vec<_>>());
}
