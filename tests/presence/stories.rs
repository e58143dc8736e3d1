//! Dialogues, as stories: a line at the margin is what somebody does, the lines below it are what comes of it.
//!
//! Each file in `stories` is played, and must come out as it is written. With `SLUICE_TELL=1` the files are written anew;
//! read what changed before you keep it.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use sluice::presence::{
    Address, Authorise, Chosen, Config, Notice, PhoneState, PresValue, Query, QuestionId, Refusal,
    Validity,
};

use crate::support::{World, chosen, client, name, user};

/// `AuthorizePres`, as the stories write it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    question: Option<QuestionId>,
    to: Option<Address>,
    grant: Option<Chosen>,
    refuse: Option<Chosen>,
    forget: Option<Chosen>,
}

fn value(value: &PresValue) -> String {
    let mut told = format!(
        "{} = {:?}",
        value.name,
        value.value.as_deref().unwrap_or_default()
    );
    if let Some(client) = &value.client {
        write!(told, " at {}", client.as_str()).unwrap();
    }
    match value.validity {
        None | Some(Validity::VALID) => {}
        Some(validity) => write!(told, " ({validity})").unwrap(),
    }
    told
}

fn picture(values: &[PresValue]) -> String {
    if values.is_empty() {
        return "empty".into();
    }
    let told: Vec<String> = values.iter().map(value).collect();
    told.join(", ")
}

fn names(chosen: &Chosen) -> String {
    match chosen {
        Chosen::All => "all".into(),
        Chosen::Names(names) => {
            let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
            names.join(" ")
        }
    }
}

fn notice(notice: &Notice) -> String {
    match notice {
        Notice::Presence {
            to,
            owner,
            picture: values,
        } => format!(
            "{} <- Presence of {}: {}",
            to.as_str(),
            owner.as_str(),
            picture(values)
        ),
        Notice::Question {
            to,
            id,
            from,
            chosen,
        } => {
            let (to, from) = (to.as_str(), from.as_str());
            format!(
                "{to} <- RequestPresAuth {id} from {from}: {}",
                names(chosen)
            )
        }
        Notice::Settled { to, id } => format!("{} <- question {id} is settled", to.as_str()),
    }
}

fn status<T>(done: Result<T, Refusal>, well: impl FnOnce(T) -> String) -> String {
    match done {
        Ok(done) => format!("Status ok{}", well(done)),
        Err(why) => format!("Status {} at {}: {}", why.kind, why.element, why.reason),
    }
}

fn duration(written: &str) -> Duration {
    humantime::parse_duration(written).unwrap()
}

/// Does what a line says; gives what is answered.
fn act(world: &mut World, line: &str) -> Option<String> {
    if let Some(wait) = line.strip_suffix(" pass") {
        world.pass(duration(wait));
        return Some(world.wall.to_string());
    }
    if let Some(back) = line.strip_prefix("the clock is set back by ") {
        let ms = u64::try_from(duration(back).as_millis()).unwrap();
        world.wall = sluice::clock::WallTime::from_unix_ms(world.wall.as_unix_ms() - ms);
        world.tick();
        return Some(world.wall.to_string());
    }
    if line == "central is killed and starts again" {
        world.sync();
        world.crash();
        return None;
    }
    let mut words = line.split(' ');
    let who = words.next().unwrap();
    let (who, device) = who
        .split_once('@')
        .map_or((who, None), |(who, device)| (who, Some(device)));
    let rest = line.split_once(' ').unwrap().1;
    let me = user(who);
    let at = device.map(client);
    if let Some(group) = rest
        .strip_prefix("joins ")
        .or(rest.strip_prefix("leaves group "))
    {
        let key = (group.to_string(), who.to_string());
        if rest.starts_with("joins") {
            world.groups.0.insert(key);
        } else {
            world.groups.0.remove(&key);
        }
        world.call(|service, now| service.membership_changed(now, &me));
        return None;
    }
    let point = device.map_or(0, |device| device.bytes().map(u64::from).sum());
    match rest {
        "connects" => {
            let done = world
                .call(|service, now| service.point_up(now, &me, &at.unwrap(), point))
                .0;
            done.unwrap();
            return None;
        }
        "is idle" | "is active" => {
            world.call(|service, now| service.point_idle(now, &me, point, rest == "is idle"));
            return None;
        }
        "is heard" => {
            world.call(|service, now| service.point_heard(now, &me, point));
            return None;
        }
        "goes" => {
            world.call(|service, now| service.point_gone(now, &me, point));
            return None;
        }
        "is deleted" => {
            world.call(|service, now| service.forget_user(now, &me));
            return None;
        }
        "keeps out of searches" => {
            world.call(|service, _| service.keep_out_of_searches(&me, true));
            return None;
        }
        _ => {}
    }
    if let Some(report) = rest.strip_prefix("is reported ") {
        let state = match report {
            "reached" => PhoneState::Reached,
            "off" => PhoneState::Off,
            "absent" => PhoneState::Absent,
            _ => panic!("{report}"),
        };
        world.call(|service, now| service.phone_reported(now, &me, &at.unwrap(), state));
        return None;
    }
    let request = rest
        .strip_prefix("-> ")
        .unwrap_or_else(|| panic!("what is {line:?}?"));
    let (primitive, elements) = request.split_once(' ').unwrap_or((request, ""));
    let words: Vec<&str> = elements.split(' ').collect();
    let answer = match primitive {
        "UpdatePresence" => {
            let (owner, json) = match elements.split_once(' ') {
                Some((owner, json)) if !owner.starts_with(['{', '[']) => (user(owner), json),
                _ => (me.clone(), elements),
            };
            let values: Result<Vec<PresValue>, Refusal> = if json.starts_with('[') {
                serde_json::from_str(json)
                    .map_err(|why| Refusal::malformed("presvalue", why.to_string()))
            } else {
                PresValue::from_json(json.as_bytes()).map(|value| vec![value])
            };
            let done = values.and_then(|values| {
                let update = world
                    .call(|service, now| service.update(now, &me, at.as_ref(), &owner, &values));
                update.0
            });
            status(done, |()| String::new())
        }
        "GetPresence" => {
            let (owner, names) = (user(words[0]), chosen(&words[1..]));
            let seen = world
                .call(|service, now| service.presence(now, &me, &owner, &names))
                .0;
            format!("Presence of {}: {}", owner.as_str(), picture(&seen))
        }
        "RequestPresAuth" => {
            let (owner, names) = (user(words[0]), chosen(&words[1..]));
            let done = world
                .call(|service, now| service.request_authorisation(now, &me, &owner, &names))
                .0;
            status(done, |()| String::new())
        }
        "AuthorizePres" => {
            let written: Written = serde_json::from_str(elements).unwrap();
            let said = Authorise {
                question: written.question,
                to: written.to,
                grant: written.grant.unwrap_or_else(Chosen::none),
                refuse: written.refuse.unwrap_or_else(Chosen::none),
                forget: written.forget.unwrap_or_else(Chosen::none),
            };
            status(
                world
                    .call(|service, now| service.authorise(now, &me, &said))
                    .0,
                |()| String::new(),
            )
        }
        "SubsPresence" => {
            let (owner, names) = (user(words[0]), chosen(&words[2..]));
            let time = duration(words[1]);
            let done = world
                .call(|service, now| service.subscribe(now, &me, &owner, &names, time))
                .0;
            status(done, |until| {
                until.map_or_else(String::new, |until| format!(" until {until}"))
            })
        }
        "UnsubsPresence" => {
            let owner = user(words[0]);
            status(
                world.call(|service, _| service.unsubscribe(&me, &owner)).0,
                |()| String::new(),
            )
        }
        "SearchUsers" => {
            let conditions = words.iter().map(|word| {
                let (attribute, text) = word.split_once('=').unwrap();
                (name(attribute), Arc::from(text))
            });
            let query = Query {
                conditions: conditions.collect(),
                limit: 10,
                after: None,
            };
            status(
                world
                    .call(|service, now| service.search_users(now, &me, &query))
                    .0,
                |found| {
                    let users: Vec<&str> = found.users.iter().map(|user| user.as_str()).collect();
                    format!(": [{}]", users.join(", "))
                },
            )
        }
        other => panic!("what is {other}?"),
    };
    Some(format!("{who} <- {answer}"))
}

/// Plays a story, and writes down what comes of it.
fn tell(story: &str) -> String {
    let mut world = World::new(Config::default());
    let mut told = String::new();
    for line in story.lines().filter(|line| !line.starts_with(' ')) {
        writeln!(told, "{line}").unwrap();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(answer) = act(&mut world, line) {
            writeln!(told, "    {answer}").unwrap();
        }
        let mut notices = Vec::new();
        while let Some(one) = world.notice() {
            notices.push(one);
        }
        for one in notices {
            writeln!(told, "    {}", notice(&one)).unwrap();
        }
    }
    told
}

#[test]
fn every_story_comes_out_as_it_is_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/presence/stories");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 10);
    let mut wrong = Vec::new();
    for file in files {
        let written = std::fs::read_to_string(&file).unwrap();
        let told = tell(&written);
        if told == written {
            continue;
        }
        if std::env::var_os("SLUICE_TELL").is_some() {
            std::fs::write(&file, told).unwrap();
            continue;
        }
        let differs = told
            .lines()
            .zip(written.lines())
            .position(|(told, written)| told != written);
        let at = differs.unwrap_or(0);
        let line = |story: &str| story.lines().nth(at).unwrap_or("the end").to_string();
        wrong.push(format!(
            "{}, line {}:\n  written: {}\n  told:    {}",
            file.display(),
            at + 1,
            line(&written),
            line(&told)
        ));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
