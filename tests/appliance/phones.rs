//! A phone as a client, by SMS: what it writes goes from the carrier through edge, link and central to the IM service, and
//! its answers come back the same way. The dialogues stand in `phone.txt` and `absent.txt`.

use serde_json::{Value, json};

use crate::people::{PHONE, Town, at_the_phone, unasked};
use crate::world::Setting;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g17_a_phone_does_by_sms_what_a_client_does() {
    play("phone.txt", include_str!("phone.txt"), Setting::default()).await;
}

/// A phone that is away for a while: what its carrier says of it on the way to the end of a message.
fn away(error: &str) -> String {
    format!("[[phone]]\nnumber = '{PHONE}'\naway = '3s'\n{error}\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sees_a_phone_s_reachability_sees_what_its_smpp_carrier_reports() {
    let setting = Setting {
        script: away(""),
        ..Setting::default()
    };
    play("absent.txt", include_str!("absent.txt"), setting).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sees_a_phone_s_reachability_sees_what_its_cimd2_carrier_reports() {
    let setting = Setting {
        cimd2: true,
        script: away("error = 81"),
        ..Setting::default()
    };
    let story = include_str!("absent.txt").replace(": absent", ": phone-off");
    play("absent.txt", &story, setting).await;
}

/// Plays a dialogue through simulator, edge and central.
async fn play(name: &str, story: &str, setting: Setting) {
    let mut town = Town::new(&["alice"], setting);
    let central = town.world.start("central");
    let edge = town.world.start("edge");
    let (mut alice, _) = town.sign_in("alice").await;
    let mut came = 0;
    let mut answer = Value::Null;
    for (number, line) in story.lines().enumerate() {
        let place = format!("{name}:{}: {line}", number + 1);
        if line.is_empty() || line.starts_with('#') {
            continue;
        } else if let Some(written) = line.strip_prefix("> ") {
            let (code, text) = written.split_once(": ").expect("> NUMBER: TEXT");
            let told = town.world.smsc.ask(&format!("send {PHONE} {code} {text}"));
            assert_eq!(told, "sent", "{place}");
        } else if let Some(wanted) = line.strip_prefix("< ") {
            let texts = at_the_phone(&town.world, came + 1);
            let (from, text) = &texts[came];
            came += 1;
            assert_eq!(format!("{from}: {text}"), wanted, "{place}");
        } else if let Some(text) = line.strip_prefix("alice > ") {
            let message = json!({"to": {"phone": PHONE}, "saying": {"text": text}});
            answer = alice.ask("Message", message).await.expect("an answer");
        } else if let Some(text) = line.strip_prefix("alice asks for a report: ") {
            let message = json!({
                "to": {"phone": PHONE}, "saying": {"text": text}, "report": true,
            });
            answer = alice.ask("Message", message).await.expect("an answer");
        } else if let Some(asked) = line.strip_prefix("alice asks ") {
            let (primitive, elements) = asked.split_once(' ').expect("PRIMITIVE ELEMENTS");
            let elements = serde_json::from_str(elements).expect("JSON");
            answer = alice.ask(primitive, elements).await.expect("an answer");
            let code = answer["elements"]["code"].as_u64().unwrap_or(200);
            assert_eq!(code, 200, "{place}: {answer}");
        } else if let Some(wanted) = line.strip_prefix("alice < ") {
            let heard = loop {
                let heard = unasked(&mut alice).await;
                if heard["primitive"] == "Message" {
                    break heard;
                }
            };
            assert_eq!(heard["elements"]["saying"]["text"], wanted, "{place}");
        } else if let Some(seen) = line.strip_prefix("alice sees ") {
            let (what, wanted) = seen.split_once(": ").expect("VALUE of USER: TEXT");
            let (name, user) = what.split_once(" of ").expect("VALUE of USER");
            let get = json!({"user": user, "values": [name]});
            answer = alice.ask("GetPresence", get).await.expect("an answer");
            assert_eq!(
                answer["elements"]["values"][0]["value"], wanted,
                "{place}: {answer}"
            );
        } else if let Some(seen) = line.strip_prefix("alice hears ") {
            let (what, wanted) = seen.split_once(": ").expect("VALUE of USER: TEXT");
            let (name, user) = what.split_once(" of ").expect("VALUE of USER");
            loop {
                let heard = unasked(&mut alice).await;
                let elements = &heard["elements"];
                if heard["primitive"] == "Presence" && elements["user"] == user {
                    let values = elements["values"].as_array().expect("values");
                    let value = values.iter().find(|value| value["name"] == name);
                    let value = value.map(|value| &value["value"]);
                    assert_eq!(value, Some(&json!(wanted)), "{place}: {heard}");
                    break;
                }
            }
        } else if let Some(code) = line.strip_prefix("alice is refused ") {
            let code: u64 = code.parse().expect("a code");
            assert_eq!(answer["elements"]["code"], code, "{place}: {answer}");
        } else {
            panic!("{place}: nobody knows how");
        }
    }
    assert_eq!(at_the_phone(&town.world, came).len(), came, "and no more");
    central.terminate();
    edge.terminate();
    for program in ["central", "edge"] {
        let log = town.world.log(program);
        assert!(!log.contains("ERROR"), "{log}");
        assert!(!log.contains("401234567"), "a number stands in the log");
    }
}
