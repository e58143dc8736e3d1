//! What is refused, and which element is named.

use std::fmt::Write;
use std::time::Duration;

use sluice::presence::xml;
use sluice::presence::{
    Address, Authorise, Chosen, Config, MAX_CLIENTS, MAX_VALUES, PresValue, Refusal, RefusalKind,
};

use crate::support::{World, chosen, client, name, user};

fn update(world: &mut World, json: &str) -> Result<(), Refusal> {
    let value = PresValue::from_json(json.as_bytes())?;
    let anna = user("anna");
    world
        .call(|service, now| service.update(now, &anna, None, &anna, &[value]))
        .0
}

#[test]
fn values_that_do_not_fit_are_refused_with_their_element() {
    let mut world = World::new(Config::default());
    update(
        &mut world,
        r#"{"name":"sluice:mood","value":"there","time":"2026-11-24T07:00:00Z"}"#,
    )
    .unwrap();
    let long = format!(r#"{{"name":"sluice:mood","value":"{}"}}"#, "x".repeat(1025));
    let many: Vec<String> = (0..65).map(|one| format!("\"user:u{one}\"")).collect();
    let list = format!(r#"{{"name":"sluice:mood","allowed":[{}]}}"#, many.join(","));
    let rule = r#"{"value":"x","calendar":{"zone":"UTC"}}"#;
    let rules = format!(
        r#"{{"name":"sluice:mood","value":"x","rules":[{}]}}"#,
        [rule; 9].join(",")
    );
    for (kind, element, json) in [
        ("malformed", "presvalue", "{"),
        ("malformed", "presvalue", r#"{"name":"mood","value":"x"}"#),
        ("malformed", "presvalue", r#"{"value":"x"}"#),
        (
            "malformed",
            "presvalue",
            r#"{"name":"sluice:mood","value":"x","colour":"red"}"#,
        ),
        (
            "malformed",
            "presvalue",
            r#"{"name":"sluice:mood","value":7}"#,
        ),
        ("malformed", "value", &long),
        ("malformed", "value", r#"{"name":"acme:new"}"#),
        (
            "malformed",
            "value",
            r#"{"name":"sluice:mood","value":"bell\u0007"}"#,
        ),
        (
            "malformed",
            "value",
            r#"{"name":"sluice:availability","value":"perhaps"}"#,
        ),
        (
            "malformed",
            "value",
            r#"{"name":"sluice:location","value":"here"}"#,
        ),
        (
            "malformed",
            "value",
            r#"{"name":"sluice:location","value":"geo:91,0"}"#,
        ),
        (
            "malformed",
            "value",
            r#"{"name":"sluice:mood","until":"2026-11-25T08:00:00Z"}"#,
        ),
        (
            "malformed",
            "class",
            r#"{"name":"sluice:mood","value":"x","class":"location"}"#,
        ),
        (
            "malformed",
            "format",
            r#"{"name":"sluice:mood","value":"x","format":"integer"}"#,
        ),
        (
            "malformed",
            "scope",
            r#"{"name":"sluice:mood","value":"x","scope":"client"}"#,
        ),
        (
            "malformed",
            "validity",
            r#"{"name":"sluice:mood","value":"x","validity":"valid"}"#,
        ),
        (
            "malformed",
            "time",
            r#"{"name":"sluice:mood","value":"x","time":"2026-11-24T09:00:00Z"}"#,
        ),
        (
            "stale",
            "time",
            r#"{"name":"sluice:mood","value":"x","time":"2026-11-24T06:00:00Z"}"#,
        ),
        (
            "stale",
            "until",
            r#"{"name":"sluice:mood","value":"x","until":"2026-11-24T08:00:00Z"}"#,
        ),
        (
            "malformed",
            "until",
            r#"{"name":"sluice:mood","value":"x","until":"2126-11-24T08:00:00Z"}"#,
        ),
        (
            "malformed",
            "fades",
            r#"{"name":"sluice:mood","value":"x","fades":0}"#,
        ),
        (
            "malformed",
            "fades",
            r#"{"name":"sluice:mood","value":"x","fades":4000000000}"#,
        ),
        (
            "malformed",
            "rules",
            r#"{"name":"sluice:mood","value":"x","rules":[{"value":"y"}]}"#,
        ),
        (
            "malformed",
            "rules",
            r#"{"name":"sluice:availability","value":"busy","rules":[{"value":"asleep","calendar":{"zone":"UTC"}}]}"#,
        ),
        (
            "malformed",
            "place",
            r#"{"name":"sluice:mood","value":"x","rules":[{"value":"y","place":{"latitude":0,"longitude":0,"radius":0}}]}"#,
        ),
        ("too-many", "rules", &rules),
        ("too-many", "allowed", &list),
        (
            "missing",
            "operation",
            r#"{"operation":"remove","name":"sluice:place"}"#,
        ),
        (
            "exists",
            "operation",
            r#"{"operation":"create","name":"sluice:mood","value":"x"}"#,
        ),
        (
            "read-only",
            "value",
            r#"{"name":"sluice:reachability","value":"reachable"}"#,
        ),
        (
            "read-only",
            "value",
            r#"{"operation":"remove","name":"sluice:reachability"}"#,
        ),
        (
            "foreign",
            "client",
            r#"{"name":"sluice:mood","value":"x","client":"other"}"#,
        ),
    ] {
        let why = update(&mut world, json).expect_err(json);
        assert_eq!(
            (why.kind.word(), &*why.element),
            (kind, element),
            "{json}: {why}"
        );
    }
    let anna = user("anna");
    let seen = world
        .call(|service, now| service.presence(now, &anna, &anna, &Chosen::All))
        .0;
    assert_eq!(seen.len(), 1, "nothing of all that has happened");
    assert_eq!(seen[0].value.as_deref(), Some("there"));
}

#[test]
fn values_that_depend_on_one_another_are_refused() {
    let mut world = World::new(Config::default());
    let depends = |one: &str, other: &str| {
        format!(
            r#"{{"name":"acme:{one}","value":"x","rules":[{{"value":"y","while":{{"name":"acme:{other}","is":"x"}}}}]}}"#
        )
    };
    let own = update(&mut world, &depends("a", "a")).unwrap_err();
    assert_eq!((own.kind, &*own.element), (RefusalKind::Circular, "rules"));
    for (one, other) in [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")] {
        update(&mut world, &depends(one, other)).unwrap();
    }
    update(&mut world, r#"{"name":"acme:e","value":"x"}"#).unwrap();
    for (one, other) in [("e", "a"), ("z", "a")] {
        let why = update(&mut world, &depends(one, other)).unwrap_err();
        assert_eq!(why.kind, RefusalKind::Circular, "{one} on {other}");
    }
    let place = r#"{"name":"sluice:location","value":"geo:1,1","rules":[{"value":"geo:2,2","place":{"latitude":1,"longitude":1,"radius":9}}]}"#;
    assert_eq!(
        update(&mut world, place).unwrap_err().kind,
        RefusalKind::Circular
    );
}

#[test]
fn xml_that_could_harm_is_refused_without_being_expanded() {
    let value = |inside: &str| format!("<presvalue><name>sluice:mood</name>{inside}</presvalue>");
    let mut bomb = String::from("<!DOCTYPE b [<!ENTITY a \"aaaaaaaaaa\">");
    for level in 0..9 {
        writeln!(
            bomb,
            "<!ENTITY a{level} \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">"
        )
        .unwrap();
    }
    bomb.push_str("]>");
    bomb.push_str(&value("<value>&a8;</value>"));
    let deep = "<presvalue>".repeat(2000);
    let long = value(&format!("<value>{}</value>", "x".repeat(2000)));
    let huge = value(&"<!-- -->".repeat(10_000));
    let many = format!("<presence>{}</presence>", value("").repeat(65));
    let rules = value(&"<rule value='x'><while name='a:b' is='c'/></rule>".repeat(9));
    for (element, written) in [
        ("xml", &*bomb),
        (
            "xml",
            "<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><presence/>",
        ),
        ("value", &value("<value>&xxe;</value>")),
        ("value", &value("<value>&#0;</value>")),
        ("xml", &value("<?php x ?>")),
        ("presvalue", &deep),
        ("value", &long),
        ("presence", &huge),
        ("presvalue", &many),
        ("rule", &rules),
        ("presvalue", &value("loose text")),
        ("value", &value("<value><b>x</b></value>")),
        ("value", &value("<value>x</value><value>y</value>")),
        ("colour", &value("<colour>red</colour>")),
        ("value", &value("<value lang='fi'>x</value>")),
        ("rule", &value("<rule/>")),
        (
            "rule",
            &value("<rule value='&xxe;'><while name='a:b' is='c'/></rule>"),
        ),
        (
            "calendar",
            &value("<rule value='x'><calendar zone='Mars'/></rule>"),
        ),
        (
            "calendar",
            &value("<rule value='x'><calendar zone='UTC' year='1'/></rule>"),
        ),
        (
            "place",
            &value("<rule value='x'><place latitude='NaN' longitude='0' radius='1'/></rule>"),
        ),
        ("name", "<presvalue/>"),
        ("owner", "<presence owner='no one'/>"),
        ("presence", "<presence colour='red'/>"),
        ("presence", "<presence>"),
        ("presence", ""),
        ("html", "<html/>"),
        // From the fuzzer: an element without a name.
        ("xml", "  < >`\0"),
        (
            "presvalue",
            "<presvalue><name>a:b</name></presvalue><presvalue/>",
        ),
        ("xml", "<presence></presvalue>"),
    ] {
        let why = xml::read(written).expect_err(written);
        assert_eq!(why.element, element, "{why}: {written:.200}");
    }
}

#[test]
fn limits_are_kept() {
    let config = Config {
        max_watched: 3,
        max_watchers: 2,
        ..Config::default()
    };
    let mut world = World::new(config);
    let anna = user("anna");
    let values = |from: usize, to: usize| -> Vec<PresValue> {
        (from..to)
            .map(|one| PresValue::set(name(&format!("acme:a{one}")), "x"))
            .collect()
    };
    let put = |world: &mut World, values: &[PresValue]| {
        world
            .call(|service, now| service.update(now, &anna, None, &anna, values))
            .0
    };
    put(&mut world, &values(0, MAX_VALUES)).unwrap();
    let why = put(&mut world, &values(90, 91)).unwrap_err();
    assert_eq!((why.kind, &*why.element), (RefusalKind::TooMany, "values"));
    let twice = [values(0, 1), values(0, 1)].concat();
    let why = put(&mut world, &twice).unwrap_err();
    assert_eq!(&*why.element, "name");

    let hour = Duration::from_secs(3600);
    let subscribe = |world: &mut World, watcher: &str, owner: &str, time: Duration| {
        let (me, other) = (user(watcher), user(owner));
        world
            .call(|service, now| service.subscribe(now, &me, &other, &Chosen::All, time))
            .0
    };
    for owner in ["a", "b", "c"] {
        subscribe(&mut world, "bob", owner, hour).unwrap();
    }
    assert_eq!(
        subscribe(&mut world, "bob", "d", hour).unwrap_err().kind,
        RefusalKind::TooMany
    );
    subscribe(&mut world, "bob", "a", hour).unwrap();
    subscribe(&mut world, "carl", "a", hour).unwrap();
    assert_eq!(
        subscribe(&mut world, "dora", "a", hour).unwrap_err().kind,
        RefusalKind::TooMany
    );
    for time in [
        Duration::ZERO,
        Duration::from_secs(59),
        Duration::from_secs(401 * 86_400),
        Duration::MAX,
    ] {
        assert_eq!(
            &*subscribe(&mut world, "dora", "b", time)
                .unwrap_err()
                .element,
            "duration"
        );
    }

    let eve = user("eve");
    for one in 0..100 {
        let owner = user(&format!("stranger{one}"));
        let asked = world
            .call(|service, now| service.request_authorisation(now, &eve, &owner, &Chosen::All));
        asked.0.unwrap();
    }
    let asked = world
        .call(|service, now| service.request_authorisation(now, &eve, &anna, &Chosen::All))
        .0;
    assert_eq!(asked.unwrap_err().kind, RefusalKind::TooMany);
    assert!(Chosen::names((0..65).map(|one| name(&format!("a:b{one}"))).collect()).is_err());
}

#[test]
fn one_client_more_takes_the_place_of_the_one_that_was_gone_the_longest() {
    let mut world = World::new(Config::default());
    let anna = user("anna");
    for one in 0..MAX_CLIENTS + 3 {
        let at = client(&format!("device {one:02}"));
        world
            .call(|service, now| service.point_up(now, &anna, &at, 7))
            .0
            .unwrap();
        world.pass(Duration::from_secs(1));
        world.call(|service, now| service.point_gone(now, &anna, 7));
    }
    let names = chosen(&["sluice:reachability"]);
    let seen = world
        .call(|service, now| service.presence(now, &anna, &anna, &names))
        .0;
    let clients: Vec<&str> = seen
        .iter()
        .filter_map(|value| value.client.as_ref())
        .map(|one| one.as_str())
        .collect();
    assert_eq!(clients.len(), MAX_CLIENTS);
    assert_eq!(clients.first(), Some(&"device 03"));
    world.sync();
    assert_eq!(world.disk.len(), MAX_CLIENTS + 1);
}

#[test]
fn nothing_is_left_when_all_is_over() {
    let mut world = World::new(Config::default());
    let (anna, bob) = (user("anna"), user("bob"));
    for _ in 0..3 {
        let (names, hour) = (chosen(&["sluice:mood"]), Duration::from_secs(3600));
        world
            .call(|service, now| service.point_up(now, &bob, &client("pc"), 1))
            .0
            .unwrap();
        world
            .call(|service, now| service.subscribe(now, &bob, &anna, &names, hour))
            .0
            .unwrap();
        world
            .call(|service, now| {
                service.update(
                    now,
                    &anna,
                    None,
                    &anna,
                    &[PresValue::set(name("sluice:mood"), "x")],
                )
            })
            .0
            .unwrap();
        let grant = Authorise {
            grant: Chosen::All,
            ..Authorise::to(Address::User(bob.clone()))
        };
        world
            .call(|service, now| service.authorise(now, &anna, &grant))
            .0
            .unwrap();
        while world.notice().is_some() {}
        world.call(|service, now| service.forget_user(now, &anna));
        world.call(|service, now| service.forget_user(now, &bob));
        while world.notice().is_some() {}
        world.sync();
        assert_eq!(world.service.counts(), sluice::presence::Counts::default());
        assert!(world.disk.is_empty(), "{:?}", world.disk);
    }
}
