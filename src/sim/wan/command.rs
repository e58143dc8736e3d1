//! Commands to a running line, one a line.

use std::str::FromStr;
use std::time::Duration;

use super::{Rate, Share, Wan, Weather};
use crate::sim::command::{Reply, json};

/// What can be typed.
const HELP: &str = "\
delay DURATION        how long each packet takes, one way
jitter DURATION       up to so much more, drawn for each packet
loss SHARE            which part is lost, each way, as in 1%
duplication SHARE     which part of the datagrams comes twice
rate RATE             bits a second, each way, as in 50k; or none
queue DURATION        how long the queue before the slow part may grow
down, up              nothing passes, in silence; it passes again
udp off, udp on       datagrams are swallowed; they pass again
rebind                the target sees other UDP addresses from now on
cut                   all TCP streams are reset
weather               what the line is like
passed                what passed so far
quit                  ends the line
";

/// Does what a line says.
pub(super) fn obey(wan: &Wan, line: &str) -> Reply {
    let line = line.trim();
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let mut weather = wan.weather();
    let changed = match (word, rest.trim()) {
        ("", _) => return Reply::Text(String::new()),
        ("quit", "") => return Reply::Quit,
        ("help", "") => return Reply::Text(HELP.into()),
        ("weather", "") => return Reply::Text(format!("{weather}\n")),
        ("passed", "") => return Reply::Text(json(&wan.passed())),
        ("rebind", "") => {
            wan.rebind();
            return Reply::Text("done\n".into());
        }
        ("cut", "") => {
            wan.cut();
            return Reply::Text("done\n".into());
        }
        (word, rest) => alter(&mut weather, word, rest),
    };
    if let Err(why) = changed {
        return Reply::Text(format!("{why}\n"));
    }
    wan.change(|now| *now = weather);
    Reply::Text(format!("{weather}\n"))
}

fn alter(weather: &mut Weather, word: &str, rest: &str) -> Result<(), String> {
    match (word, rest) {
        ("delay", _) => weather.delay = duration(rest)?,
        ("jitter", _) => weather.jitter = duration(rest)?,
        ("loss", _) => weather.loss = Share::from_str(rest)?,
        ("duplication", _) => weather.duplication = Share::from_str(rest)?,
        ("rate", _) => weather.rate = Rate::from_str(rest)?,
        ("queue", _) => weather.queue = duration(rest)?,
        ("down", "") => weather.down = true,
        ("up", "") => weather.down = false,
        ("udp", "off") => weather.udp_blocked = true,
        ("udp", "on") => weather.udp_blocked = false,
        _ => {
            let typed = [word, rest].join(" ");
            return Err(format!("{} is no command; help lists them", typed.trim()));
        }
    }
    Ok(())
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|why| format!("{text}: {why}; write a duration as 150ms"))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    #[test]
    fn commands_change_the_weather_and_mistakes_do_not() {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let wan = Wan::open(loopback, loopback, Weather::default(), 1).unwrap();
        let told = |line: &str| match obey(&wan, line) {
            Reply::Text(text) => text,
            Reply::Quit => "quit".into(),
        };
        for line in [
            "delay 150ms",
            "jitter 5ms",
            "loss 1%",
            " rate  50k ",
            "udp off",
            "down",
        ] {
            told(line);
        }
        let expected = "delay 150ms, jitter 5ms, loss 1%, duplication 0%, rate 50k, queue 1s, \
                        down, udp off\n";
        assert_eq!(told("weather"), expected);
        assert_eq!(
            told("loss 300"),
            "300 is no share; write it as 1% or 0.01\n"
        );
        assert_eq!(told("udp of"), "udp of is no command; help lists them\n");
        assert_eq!(
            told("down now"),
            "down now is no command; help lists them\n"
        );
        assert_eq!(told("weather"), expected);
        for line in HELP.lines() {
            let command = line.split(',').next().unwrap();
            let command = command.split("  ").next().unwrap();
            let answer = told(command);
            assert!(!answer.contains("no command"), "{command}: {answer}");
        }
        assert_eq!(told("quit"), "quit");
    }
}
