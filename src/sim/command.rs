//! Commands to a running simulator, one a line: what phones do, what goes wrong, what was seen.

use super::config::Config;
use super::fault::Fault;
use super::simulator::Simulator;

/// What can be typed.
const HELP: &str = "\
send FROM TO TEXT     a phone writes
fault TOML            adds a fault, as in: fault kind = \"late\", on = \"submit\", wait = \"2s\"
clear                 takes all faults out
received              what phones have received
counts                how often what happened
breaches              how the one-at-a-time rule was broken
logout                ends all sessions as their protocols say
quit                  stops the simulator
";

/// What a command leads to.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Reply {
    /// Something to be shown.
    Text(String),
    /// The end.
    Quit,
}

/// Does what a line says.
pub(super) fn obey(simulator: &Simulator, line: &str) -> Reply {
    let line = line.trim();
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    // Silence would leave open whether the command was heard.
    let lines = |lines: Vec<String>, none: &str| match lines.as_slice() {
        [] => format!("{none}\n"),
        lines => lines.join("\n") + "\n",
    };
    Reply::Text(match word {
        "" => String::new(),
        "send" => {
            let mut words = rest.trim().splitn(3, char::is_whitespace);
            match (words.next(), words.next(), words.next()) {
                (Some(from), Some(to), Some(text)) => {
                    if !simulator.phone_sends(from, to, text) {
                        format!("nobody has the number {to}\n")
                    } else if simulator.is_attended(to) {
                        "sent\n".into()
                    } else {
                        format!("kept until the account of {to} logs in\n")
                    }
                }
                _ => "send FROM TO TEXT\n".into(),
            }
        }
        "fault" => match fault(rest)
            .and_then(|fault| simulator.fault(fault).map_err(|why| why.to_string()))
        {
            Ok(()) => "added\n".into(),
            Err(why) => format!("{why}\n"),
        },
        "clear" => {
            simulator.clear_faults();
            "cleared\n".into()
        }
        "received" => lines(
            simulator
                .received()
                .iter()
                .map(|received| {
                    format!("{} -> {}: {}", received.from, received.to, received.text())
                })
                .collect(),
            "nothing yet",
        ),
        "counts" => json(&simulator.counts()),
        "breaches" => lines(simulator.breaches(), "none"),
        "logout" => {
            simulator.logout_all();
            "done\n".into()
        }
        "quit" => return Reply::Quit,
        "help" => HELP.into(),
        other => format!("{other} is no command; help lists them\n"),
    })
}

/// A value as one line of JSON.
pub(super) fn json(value: &impl serde::Serialize) -> String {
    let written = serde_json::to_string(value).expect("plain values can be written");
    written + "\n"
}

/// A fault from the inside of an inline table.
pub(super) fn fault(text: &str) -> Result<Fault, String> {
    let script = format!("fault = [{{ {text} }}]");
    let config: Config = toml::from_str(&script).map_err(|why| why.message().to_owned())?;
    config
        .faults
        .into_iter()
        .next()
        .ok_or_else(|| "no fault".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::fault::{Kind, Point};

    #[test]
    fn faults_are_typed_as_they_are_written() {
        let typed = fault("kind = 'late', on = 'submit', wait = '2s', every = 3").unwrap();
        assert_eq!((typed.kind, typed.on), (Kind::Late, Point::Submit));
        assert_eq!(typed.every, 3);
        assert!(
            fault("kind = 'lte', on = 'submit'")
                .unwrap_err()
                .contains("lte")
        );
    }
}
