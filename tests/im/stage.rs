//! A stage for stories: the service, a shelf in memory, points by name, a clock that only the story moves.
//!
//! A line that begins with `>` is sent: `> alice: Message {…}`, under a transaction id of the point's own count, or
//! under one that is named: `> alice [t3]: …`. A line with `!` happens behind the scenes. What follows, indented, is what
//! points and phones get. Ids are shown as `id-1`, secrets as `secret-1`, and may be written so.

mod signing;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use sluice::clock::{Moment, WallTime};
use sluice::im::chance::Chance;
use sluice::im::config::Config;
use sluice::im::effects::{Effects, Now};
use sluice::im::memory::MemoryShelf;
use sluice::im::names::{ConnectionId, TextId};
use sluice::im::phone::{OnceKey, TextFate, TextFromPhone, TextToPhone};
use sluice::im::primitive::{Contact, Fate, read};
use sluice::im::register;
use sluice::im::service::Service;
use sluice::message::{Party, PhoneNews, PhoneNumber, ShortCode, UserName};
use sluice::private::Private;

use self::signing::sign_up_elements;

/// The morning on which all stories begin.
const BEGINNING: u64 = 1_795_510_800_000;

/// One point, or a connection that is going to be one.
#[derive(Default)]
struct Line {
    connection: Option<ConnectionId>,
    user: String,
    session: String,
    token: String,
    count: u32,
    position: u64,
    challenge: Value,
}

pub(super) struct Stage {
    pub(super) service: Service,
    pub(super) shelf: MemoryShelf,
    pub(super) config: Config,
    pub(super) wall: WallTime,
    moment: Moment,
    chance: Chance,
    lives: u8,
    connections: u64,
    lines: BTreeMap<String, Line>,
    client_ids: BTreeMap<String, String>,
    texts: Vec<TextToPhone>,
    names: Vec<(String, String)>,
    written: u64,
    out: Vec<String>,
    /// Primitives and codes that were seen.
    pub(super) seen: Vec<String>,
    store_fails: bool,
}

/// As registered for every user of a story.
pub(super) fn password(user: &str) -> String {
    format!("{user}'s secret")
}

pub(super) fn usual() -> Config {
    toml::from_str(
        "password_memory_kib = 8
         password_passes = 1
         sign_up = true
         [phones]
         number = '17000'
         reply_first = '17100'
         reply_count = 2",
    )
    .unwrap()
}

impl Stage {
    pub(super) fn new(config: Config) -> Self {
        Self {
            service: Service::new(config.clone(), [3; 32], [4; 32]).unwrap(),
            shelf: MemoryShelf::new(),
            config,
            wall: WallTime::from_unix_ms(BEGINNING),
            moment: Moment::from_micros(1_000_000),
            chance: Chance::new([5; 32]),
            lives: 0,
            connections: 0,
            lines: BTreeMap::new(),
            client_ids: BTreeMap::new(),
            texts: Vec::new(),
            names: Vec::new(),
            written: 0,
            out: Vec::new(),
            seen: Vec::new(),
            store_fails: false,
        }
    }

    pub(super) const fn now(&self) -> Now {
        Now {
            moment: self.moment,
            wall: self.wall,
        }
    }

    /// Plays a line; gives what came of it.
    pub(super) fn play(&mut self, line: &str) -> Vec<String> {
        self.out.clear();
        if let Some(sent) = line.strip_prefix("> ") {
            let (who, what) = sent.split_once(": ").expect("> NAME: PRIMITIVE");
            let (who, transaction) = match who.split_once(" [") {
                Some((who, id)) => (who, Some(id.trim_end_matches(']').to_owned())),
                None => (who, None),
            };
            let (primitive, elements) = what.split_once(' ').unwrap_or((what, ""));
            self.send(who, transaction, primitive, elements);
        } else if let Some(happens) = line.strip_prefix("! ") {
            self.happens(happens);
        }
        self.out.clone()
    }

    fn send(&mut self, who: &str, transaction: Option<String>, primitive: &str, elements: &str) {
        let transaction = transaction.unwrap_or_else(|| {
            let line = self.lines.get_mut(who).expect("a point of this name");
            line.count += 1;
            format!("t{}", line.count)
        });
        let (session, elements) = match elements.strip_prefix("as ") {
            Some(rest) => {
                let (session, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                (format!(r#","session":"{session}""#), rest)
            }
            None => (String::new(), elements),
        };
        let elements = if elements.is_empty() {
            String::new()
        } else {
            format!(r#","elements":{elements}"#)
        };
        let json = format!(
            r#"{{"primitive":"{primitive}","transaction":"{transaction}"{session}{elements}}}"#
        );
        self.seen.push(format!("> {primitive}"));
        let json = self.real(&json);
        self.send_raw(who, json.as_bytes());
    }

    pub(super) fn send_raw(&mut self, who: &str, octets: &[u8]) {
        let connection = self.lines[who].connection.expect("it is connected");
        let request = read(octets);
        let now = self.now();
        self.shelf.fail(self.store_fails);
        let effects = self.service.handle(now, &self.shelf, connection, request);
        self.release(effects);
    }

    /// As a door does: changes first, then what goes out; then what is due.
    fn release(&mut self, effects: Effects) {
        self.let_out(effects);
        while self.service.poll_timeout() <= self.moment {
            let effects = self.service.handle_timeout(self.now(), &self.shelf);
            self.let_out(effects);
        }
    }

    fn let_out(&mut self, effects: Effects) {
        self.shelf.apply_all(&effects.changes);
        for text in effects.to_phones {
            self.texts.push(text.clone());
            let Party::ShortCode(sender) = &text.sender else {
                panic!("texts come from numbers");
            };
            let report = if text.report { ", with a report" } else { "" };
            let until = text
                .valid_until
                .map_or_else(String::new, |until| format!(", until {until}"));
            self.out.push(format!(
                "  text {} to +{} from {}{report}{until}: {}",
                self.texts.len(),
                text.recipient.digits(),
                sender.digits(),
                text.text.expose()
            ));
        }
        for (connection, outgoing) in effects.sends {
            let json = outgoing.to_json();
            self.arrives(connection, &json);
        }
        for connection in effects.closes {
            if let Some((name, line)) = self.line_of(connection) {
                line.connection = None;
                let name = name.clone();
                self.out.push(format!("  {name} is closed"));
                let gone = self.service.disconnected(self.now(), connection);
                self.let_out(gone);
            } else {
                self.out.push("  an older connection is closed".into());
                let gone = self.service.disconnected(self.now(), connection);
                self.let_out(gone);
            }
        }
    }

    fn line_of(&mut self, connection: ConnectionId) -> Option<(&String, &mut Line)> {
        self.lines
            .iter_mut()
            .find(|(_, line)| line.connection == Some(connection))
    }

    fn arrives(&mut self, connection: ConnectionId, json: &str) {
        let value: Value = serde_json::from_str(json).expect("what is sent is JSON");
        let primitive = value["primitive"].as_str().unwrap().to_owned();
        self.seen.push(format!("< {primitive}"));
        let elements = &value["elements"];
        if primitive == "Status" {
            self.seen.push(format!("code {}", elements["code"]));
        }
        let Some((name, line)) = self.line_of(connection) else {
            return;
        };
        if let Some(position) = value["position"].as_u64()
            && value["session"].is_null()
        {
            assert!(position <= line.position + 1, "{name} missed an entry");
            line.position = line.position.max(position);
        }
        if primitive == "SignedIn" {
            line.position = elements["log"]["fed_from"].as_u64().unwrap();
            line.session = elements["session"].as_str().unwrap().into();
            if let Some(token) = elements["token"].as_str() {
                line.token = token.into();
            }
        }
        if elements["challenge"].is_object() {
            line.challenge = elements["challenge"].clone();
        }
        let mut shown = format!("  {name} < {primitive}");
        if let Some(transaction) = value["transaction"].as_str() {
            shown += &format!(" [{transaction}]");
        }
        if let Some(session) = value["session"].as_str() {
            shown += &format!(" as {session}");
        }
        let position = value["position"].as_u64();
        let is_said = |position: u64| value["transaction"] == format!("p{position}");
        if let Some(position) = position.filter(|&position| !is_said(position)) {
            shown += &format!(" @{position}");
        }
        shown += &format!(" {elements}");
        let shown = self.shown(&shown);
        self.out.push(shown);
    }

    /// With names in place of what nobody can read.
    fn shown(&mut self, text: &str) -> String {
        let mut shown = String::new();
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
        for piece in text.split_inclusive(|c: char| !is_part(c)) {
            let word = piece.trim_end_matches(|c: char| !is_part(c));
            shown += &self.name_of(word);
            shown += &piece[word.len()..];
        }
        shown
    }

    fn name_of(&mut self, word: &str) -> String {
        let is_id = word.len() == 32 && word.bytes().all(|c| c.is_ascii_hexdigit());
        let is_secret = word.len() >= 40;
        if !is_id && !is_secret {
            return word.to_owned();
        }
        if let Some((name, _)) = self.names.iter().find(|(_, real)| real == word) {
            return name.clone();
        }
        let kind = if is_id { "id" } else { "secret" };
        let count = self
            .names
            .iter()
            .filter(|(name, _)| name.starts_with(kind))
            .count();
        let name = format!("{kind}-{}", count + 1);
        self.names.push((name.clone(), word.to_owned()));
        name
    }

    fn real(&self, text: &str) -> String {
        let mut real = text.to_owned();
        // Longer numbers first, so that id-1 is not found in id-12.
        for (name, value) in self.names.iter().rev() {
            real = real.replace(&format!("\"{name}\""), &format!("\"{value}\""));
        }
        real
    }

    fn happens(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match &words[..] {
            ["users", users @ ..] => users.iter().for_each(|user| self.add_user(user)),
            [who, "connects"] => self.connect(who, ""),
            [user, "signs", "in"] => self.sign_in(user, user, ""),
            [user, "signs", "in", "as", name] => self.sign_in(user, name, ""),
            [user, "signs", "in", "as", name, "with", elements] => {
                self.sign_in(user, name, elements)
            }
            [who, "proves", "by", scheme, "as", user, "at", client] => {
                self.prove(who, user, client, scheme, &password(user), None);
            }
            [
                who,
                "proves",
                "again",
                "as",
                user,
                "at",
                client,
                "with",
                nonce,
            ] => {
                let nonce = self
                    .real(&format!("\"{nonce}\""))
                    .trim_matches('"')
                    .to_owned();
                self.prove(
                    who,
                    user,
                    client,
                    "argon2id-hmac-sha-256",
                    &password(user),
                    Some(nonce),
                );
            }
            [who, "guesses", guess, "as", user, "at", client] => {
                self.prove(who, user, client, "argon2id-hmac-sha-256", guess, None);
            }
            [who, "goes"] => {
                let line = self.lines.get_mut(*who).expect("a point of this name");
                let connection = line.connection.take().expect("it is connected");
                let effects = self.service.disconnected(self.now(), connection);
                self.release(effects);
            }
            [who, "resumes"] => self.resume(who, true),
            [who, "resumes", "from", "what", "it", "confirmed"] => self.resume(who, false),
            [who, "confirms"] => {
                let position = self.lines[*who].position;
                self.send(
                    who,
                    None,
                    "Received",
                    &json!({ "position": position }).to_string(),
                );
            }
            [who, "proves", "the", "phone", number] => {
                let text = self.texts.last().expect("a text with a code").text.expose();
                let (code, _) = text.split_once(' ').unwrap();
                let elements = json!({"phone": number, "code": code}).to_string();
                self.send(who, None, "ProvePhone", &elements);
            }
            [who, "signs", "up", user, "at", client] => {
                let elements = sign_up_elements(user, client).to_string();
                self.send(who, None, "SignUp", &elements);
                self.client_ids.insert((*client).into(), "id".into());
            }
            [
                "text",
                number,
                "is",
                fate,
                "since",
                "the",
                "phone",
                "is",
                state,
            ] => {
                self.fate(number.parse().unwrap(), fate, &[], Some(news(state)));
            }
            ["text", number, "is", fate, reason @ ..] => {
                let said = (*fate == "delivered").then_some(PhoneNews::Reached);
                self.fate(number.parse().unwrap(), fate, reason, said);
            }
            ["phone", number, "writes", "to", code, ..] => {
                let (_, text) = line.split_once(": ").unwrap_or((line, ""));
                self.phone_writes(number, code, text, None);
            }
            [
                "the",
                "same",
                "text",
                "from",
                number,
                "to",
                code,
                "comes",
                "again:",
                ..,
            ] => {
                let (_, text) = line.split_once(": ").unwrap();
                self.phone_writes(number, code, text, Some(self.written));
            }
            ["the", "service", "restarts"] => self.restart(),
            ["the", "service", "closes"] => self.service.close(),
            ["the", "store", "fails"] => self.store_fails = true,
            ["the", "store", "works"] => {
                self.store_fails = false;
                self.shelf.fail(false);
            }
            ["the", "operator", "shuts", user] => {
                let user = UserName::new(user).unwrap();
                let changes = register::shut_user(&self.shelf, &user, true).unwrap();
                let effects = self
                    .service
                    .operator_changes(self.now(), &self.shelf, changes);
                self.release(effects);
            }
            ["the", "operator", "opens", user] => {
                let user = UserName::new(user).unwrap();
                let changes = register::shut_user(&self.shelf, &user, false).unwrap();
                let effects = self
                    .service
                    .operator_changes(self.now(), &self.shelf, changes);
                self.release(effects);
            }
            ["the", "carrier", "says", "that", number, "is", state] => {
                let phone = PhoneNumber::new(number).unwrap();
                let effects =
                    self.service
                        .phone_reported(self.now(), &self.shelf, &phone, news(state));
                self.release(effects);
            }
            ["the", "buddies", "of", user] => {
                let user = UserName::new(user).unwrap();
                let seen = self
                    .service
                    .buddies_present(self.now(), &self.shelf, &user)
                    .unwrap();
                for buddy in seen {
                    let who = match &buddy.buddy {
                        Contact::User(user) => user.as_str().to_owned(),
                        Contact::Phone(phone) => format!("+{}", phone.digits()),
                    };
                    let word = |word: Option<std::sync::Arc<str>>| {
                        word.map_or_else(|| "not shown".to_owned(), |word| word.to_string())
                    };
                    let (one, other) = (word(buddy.reachability), word(buddy.availability));
                    self.out.push(format!("  {who}: {one}, {other}"));
                }
            }
            ["with", ..] => {
                let toml = line.strip_prefix("with ").unwrap().replace(" ; ", "\n");
                self.config = toml::from_str(&toml).unwrap();
                self.config.password_memory_kib = 8;
                self.config.password_passes = 1;
                self.restart();
            }
            [time, "passes"] => {
                let time: Duration = humantime::parse_duration(time).unwrap();
                self.pass(time);
            }
            [who, "sends", "something", "of", count, "octets"] => {
                let octets = vec![b' '; count.parse().unwrap()];
                self.send_raw(who, &octets);
            }
            [who, "sends", "something", "of", "depth", depth] => {
                let depth: usize = depth.parse().unwrap();
                let json = format!(r#"{{"transaction":"deep","x":{}"#, "[".repeat(depth));
                self.send_raw(who, json.as_bytes());
            }
            [who, "sends", ..] => {
                let raw = line.split_once(" sends ").unwrap().1.to_owned();
                self.send_raw(who, raw.as_bytes());
            }
            other => panic!("nobody knows how to {other:?}"),
        }
    }

    /// All texts that went to phones.
    pub(super) fn texts(&self) -> &[TextToPhone] {
        &self.texts
    }

    /// The key of the last text that a phone wrote.
    pub(super) const fn written(&self) -> u64 {
        self.written
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.moment = self.moment + time;
        self.wall = self.wall + time;
        let effects = self.service.handle_timeout(self.now(), &self.shelf);
        self.release(effects);
    }

    fn restart(&mut self) {
        self.lives += 1;
        let seed = [100 + self.lives; 32];
        self.service = Service::new(self.config.clone(), [3; 32], seed).unwrap();
        let now = self.now();
        let kept: Vec<_> = self.shelf.presence().cloned().collect();
        self.service
            .load_presence::<()>(now, |take| {
                kept.into_iter().for_each(take);
                Ok(())
            })
            .unwrap();
        for line in self.lines.values_mut() {
            line.connection = None;
        }
    }

    fn connect(&mut self, name: &str, user: &str) {
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        self.service
            .connected(connection, "192.0.2.1".parse().unwrap());
        let line = self.lines.entry(name.into()).or_default();
        line.connection = Some(connection);
        line.user = user.into();
    }

    fn fate(&mut self, number: usize, fate: &str, reason: &[&str], said: Option<PhoneNews>) {
        let text = &self.texts[number - 1];
        let id: TextId = text.id;
        let phone = said.map(|news| (text.recipient.clone(), news));
        let fate = match fate {
            "delivered" => Fate::Delivered,
            "accepted" => Fate::Accepted,
            "expired" => Fate::Expired,
            "failed" => Fate::Failed,
            "doubtful" => Fate::Doubtful,
            other => panic!("{other} is no fate"),
        };
        let reason = (!reason.is_empty()).then(|| reason.join(" "));
        let fate = TextFate {
            id,
            fate,
            reason,
            phone,
        };
        let effects = self.service.fate(self.now(), &self.shelf, fate).unwrap();
        self.release(effects);
    }

    pub(super) fn phone_writes(&mut self, number: &str, code: &str, text: &str, key: Option<u64>) {
        let key = key.unwrap_or(self.written + 1);
        self.written = key;
        let text = TextFromPhone {
            sender: PhoneNumber::new(number).unwrap(),
            recipient: ShortCode::new(code.trim_end_matches(':')).unwrap(),
            text: Private::new(text.into()),
            key: OnceKey::new(&format!("key {key}")).unwrap(),
        };
        let effects = self
            .service
            .from_phone(self.now(), &self.shelf, text)
            .unwrap();
        self.release(effects);
    }
}

/// What a carrier says of a phone.
fn news(state: &str) -> PhoneNews {
    match state {
        "off" => PhoneNews::Off,
        "absent" => PhoneNews::Absent,
        "there" => PhoneNews::Reached,
        other => panic!("no phone is {other}"),
    }
}
