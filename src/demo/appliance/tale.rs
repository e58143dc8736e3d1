//! The story: what is done, what is seen, and whether it ended well.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use super::baseline;
use super::stage::{CODE, PATIENCE, Stage, seconds, shown};
use crate::central::Caller;
use crate::central::talk::{Entry, Hand, Reply, Request, What};
use crate::demo::DemoError;

/// The phone of the conversation, and those of the crowd.
const BEN: &str = "+358401111111";
const CROWD: usize = 8;

/// How long the SMSC is spoken to one message at a time.
const SEQUENTIAL: Duration = Duration::from_millis(3500);

/// How long the line is silent.
const OUTAGE: Duration = Duration::from_secs(4);

/// Texts that are handed in with one breath.
const BREATH: usize = 200;

/// The inbox, read over as many conversations as it takes.
#[derive(Default)]
struct Inbox {
    caller: Option<Caller>,
    entries: Vec<Entry>,
}

impl Inbox {
    /// Reads what is there, and waits a moment for more.
    fn read(&mut self, stage: &Stage) -> Result<(), DemoError> {
        let last = self.entries.last().map_or(0, |entry| entry.number);
        let caller = match &mut self.caller {
            Some(caller) => caller,
            none => {
                let mut caller = stage.desk()?;
                if caller.say(&Request::Inbox { after: last }).is_err() {
                    return Ok(());
                }
                none.insert(caller)
            }
        };
        loop {
            match caller.hear_within(Duration::from_millis(5)) {
                Ok(Some(Reply::Entry(entry))) => self.entries.push(entry),
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(_central_is_gone) => {
                    self.caller = None;
                    return Ok(());
                }
            }
        }
    }

    fn messages(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().filter_map(|entry| match &entry.what {
            What::Message { from, text, .. } => Some((from.as_str(), text.as_str())),
            What::Fate { .. } => None,
        })
    }
}

/// What was counted out at one end.
#[derive(Default)]
struct Tally {
    /// By phone, in order.
    by_phone: BTreeMap<String, Vec<String>>,
    count: usize,
}

impl Tally {
    fn add(&mut self, phone: &str, text: &str) {
        let texts = self.by_phone.entry(phone.to_owned()).or_default();
        texts.push(text.to_owned());
        self.count += 1;
    }
}

/// The story as it is told.
pub(super) struct Tale<'a> {
    stage: Stage,
    out: &'a mut dyn Write,
    inbox: Inbox,
    /// To phones, and from phones.
    handed: Tally,
    written: Tally,
    keys: usize,
}

impl<'a> Tale<'a> {
    pub(super) fn new(stage: Stage, out: &'a mut dyn Write) -> Self {
        Self {
            stage,
            out,
            inbox: Inbox::default(),
            handed: Tally::default(),
            written: Tally::default(),
            keys: 0,
        }
    }

    fn line(&mut self, text: &str) -> Result<(), DemoError> {
        writeln!(self.out, "{text}")
            .and_then(|()| self.out.flush())
            .map_err(DemoError::Telling)
    }

    /// Clears up, but for what an operator would want to look at.
    pub(super) fn end(mut self, told: Result<(), DemoError>) -> Result<(), DemoError> {
        self.stage.edge = None;
        self.stage.central = None;
        if told.is_ok() {
            self.stage.clear();
        } else if !matches!(told, Err(DemoError::Telling(_))) {
            let kept = shown(&self.stage.folder);
            self.line(&format!("The files and logs are kept in {kept}."))?;
        }
        told
    }

    pub(super) fn tell(&mut self) -> Result<(), DemoError> {
        let begun = self.stage.clock.now();
        self.opening()?;
        self.conversation()?;
        self.rate()?;
        self.outage()?;
        self.kills()?;
        self.reckoning()?;
        let took = self.stage.since(begun);
        self.line(&format!("The whole story took {took}."))
    }

    fn opening(&mut self) -> Result<(), DemoError> {
        let scene = self.stage.scene;
        let protocol = if scene.cimd2 { "CIMD2" } else { "SMPP" };
        let folder = shown(&self.stage.folder);
        self.line(&format!(
            "A carrier's SMSC (simulated, {protocol}); an edge beside it; central far away, {} ms there and back, \
             {} % of packets lost each way.",
            scene.round_trip.as_millis(),
            scene.loss_percent
        ))?;
        self.line(&format!(
            "Edge and central are processes of their own, with sockets, rings and a store in {folder}."
        ))?;
        let begun = self.stage.clock.now();
        self.stage.edge = Some(self.stage.start("edge")?);
        self.stage.central = Some(self.stage.start("central")?);
        self.stage.desk()?;
        self.write(BEN, "Anna? Are you there?");
        self.await_inbox("the first message from a phone")?;
        let took = self.stage.since(begun);
        self.line(&format!(
            "{took} after their start, the edge first, the first message from a phone lies in the inbox."
        ))
    }

    fn conversation(&mut self) -> Result<(), DemoError> {
        self.line("")?;
        self.line("1. Two people talk: Anna at a computer, Ben with a phone.")?;
        for (anna, ben) in [
            ("I am here. Where are you?", "On the ferry. Back at seven."),
            ("Then I'll cook. Fish or fish?", "Fish."),
        ] {
            let begun = self.stage.clock.now();
            self.hand_in(&[(BEN, anna)])?;
            self.await_phones("the text at the phone")?;
            let took = self.stage.since(begun);
            self.line(&format!("   Anna: {anna}   (on the phone after {took})"))?;
            let begun = self.stage.clock.now();
            self.write(BEN, ben);
            self.await_inbox("the answer in the inbox")?;
            let took = self.stage.since(begun);
            self.line(&format!("   Ben:  {ben}   (in the inbox after {took})"))?;
        }
        let long = "Once upon a time there was a message that was longer than a message may be. "
            .repeat(5);
        let long = long.trim_end();
        self.write(BEN, long);
        self.await_inbox("the long message")?;
        self.line(&format!(
            "   Ben wrote {} characters; the carrier sent them in 3 parts, and Anna read one text.",
            long.len()
        ))
    }

    fn rate(&mut self) -> Result<(), DemoError> {
        self.line("")?;
        self.line("2. The rate.")?;
        let alone = baseline::measure(&self.stage, SEQUENTIAL)?;
        let alone_rate = alone.rate();
        self.line(&format!(
            "   The same SMSC over the same line, one message at a time as its protocol wants it: {:.1} a second \
             ({} in {}).",
            alone_rate,
            alone.messages,
            seconds(alone.time)
        ))?;
        let window = 255.0 / self.stage.scene.round_trip.as_secs_f64().max(0.01);
        let count = (window * 3.0).clamp(200.0, 3000.0) as usize;
        let texts = crowd("hello", count);
        let begun = self.stage.clock.now();
        self.hand_in(&borrowed(&texts))?;
        self.await_phones("all texts at the phones")?;
        let time = self.stage.clock.now() - begun;
        let rate = count as f64 / time.as_secs_f64();
        let times = if alone_rate > 0.0 {
            rate / alone_rate
        } else {
            f64::INFINITY
        };
        self.line(&format!(
            "   By way of central and the edge: {count} texts in {}: {rate:.0} a second, {times:.0} times as many.",
            seconds(time)
        ))
    }

    fn outage(&mut self) -> Result<(), DemoError> {
        self.line("")?;
        self.line(&format!(
            "3. The line is dead for {} seconds. Both sides go on writing.",
            OUTAGE.as_secs()
        ))?;
        self.stage.wan.change(|weather| weather.down = true);
        let (before, arrived) = (self.stage.smsc.counts(), self.inbox.messages().count());
        let begun = self.stage.clock.now();
        let texts = crowd("during the outage", 400);
        self.hand_in(&borrowed(&texts))?;
        for (phone, text) in crowd("from the ferry", 400) {
            self.write(&phone, &text);
        }
        while self.stage.clock.now() - begun < OUTAGE {
            self.inbox.read(&self.stage)?;
        }
        let taken = self.stage.smsc.counts().deliveries_taken - before.deliveries_taken;
        let held = self.inbox.messages().count() - arrived;
        self.line(&format!(
            "   400 phones' messages: {taken} are safe at the edge and confirmed to the SMSC, {} wait at the SMSC, {held} came through.",
            400 - taken.min(400)
        ))?;
        self.line(
            "   400 texts from computers: all are safe at central, and wait there for the line.",
        )?;
        self.stage.wan.change(|weather| weather.down = false);
        let back = self.stage.clock.now();
        let known = self.inbox.messages().count();
        while self.inbox.messages().count() == known {
            if self.stage.clock.now() - back > PATIENCE {
                break;
            }
            self.inbox.read(&self.stage)?;
        }
        let first = self.stage.since(back);
        self.await_inbox("what phones wrote during the outage")?;
        self.await_phones("what computers wrote during the outage")?;
        let all = self.stage.since(back);
        self.line(&format!(
            "   The line is back: the first message after {first}, all 800 after {all}."
        ))
    }

    fn kills(&mut self) -> Result<(), DemoError> {
        self.line("")?;
        self.line("4. Edge and central are killed (SIGKILL) while busy.")?;
        let known = self.inbox.messages().count();
        for (phone, text) in crowd("around the kill", 600) {
            self.write(&phone, &text);
        }
        let begun = self.stage.clock.now();
        while self.inbox.messages().count() < known + 60
            && self.stage.clock.now() - begun < PATIENCE
        {
            self.inbox.read(&self.stage)?;
        }
        let done = self.inbox.messages().count() - known;
        if let Some(edge) = self.stage.edge.take() {
            edge.kill();
        }
        self.stage.edge = Some(self.stage.start("edge")?);
        let again = self.stage.clock.now();
        self.await_inbox("what phones wrote around the kill of the edge")?;
        let took = self.stage.since(again);
        self.line(&format!(
            "   The edge, after {done} of 600 messages from phones: started again, all 600 in the inbox {took} later."
        ))?;
        let texts = crowd("around the other kill", 600);
        let before = self.stage.smsc.received().len();
        self.hand_in(&borrowed(&texts))?;
        let begun = self.stage.clock.now();
        while self.stage.smsc.received().len() < before + 60
            && self.stage.clock.now() - begun < PATIENCE
        {
            std::thread::sleep(Duration::from_millis(2));
        }
        let done = self.stage.smsc.received().len() - before;
        if let Some(central) = self.stage.central.take() {
            central.kill();
        }
        self.stage.central = Some(self.stage.start("central")?);
        let again = self.stage.clock.now();
        self.await_phones("what computers wrote around the kill of central")?;
        let took = self.stage.since(again);
        self.line(&format!(
            "   Central, after {done} of 600 texts for phones: started again, all 600 on the phones {took} later."
        ))
    }

    /// Everything is counted: once each, and in the order of each pair.
    fn reckoning(&mut self) -> Result<(), DemoError> {
        // Something that comes twice may come late.
        let begun = self.stage.clock.now();
        while self.stage.clock.now() - begun < Duration::from_millis(500) {
            self.inbox.read(&self.stage)?;
        }
        let mut got = Tally::default();
        for received in self.stage.smsc.received() {
            if received.from.trim_start_matches('+') == CODE {
                got.add(&plus(&received.to), &received.text());
            }
        }
        let mut read = Tally::default();
        for (from, text) in self.inbox.messages() {
            read.add(from, text);
        }
        let mut broken = Vec::new();
        for (what, sent, came) in [
            ("texts for phones", &self.handed, &got),
            ("messages from phones", &self.written, &read),
        ] {
            for (phone, texts) in &sent.by_phone {
                let theirs = came.by_phone.get(phone).cloned().unwrap_or_default();
                if *texts != theirs {
                    let first = texts
                        .iter()
                        .zip(&theirs)
                        .position(|(one, other)| one != other);
                    broken.push(format!(
                        "{what}: {} were sent and {} came, the first difference at {:?}",
                        texts.len(),
                        theirs.len(),
                        first.map_or(texts.len().min(theirs.len()), |at| at)
                    ));
                }
            }
            if sent.count != came.count {
                broken.push(format!(
                    "{what}: {} were sent, {} came",
                    sent.count, came.count
                ));
            }
        }
        broken.extend(self.stage.smsc.breaches());
        let (handed, written) = (self.handed.count, self.written.count);
        let passed = self.stage.wan.passed();
        let doubts = self
            .stage
            .log("edge")
            .matches("that the SMSC may have seen")
            .count();
        self.line("")?;
        if let Some(first) = broken.first() {
            for one in &broken {
                self.line(&format!("  BROKEN: {one}"))?;
            }
            return Err(DemoError::Broken {
                count: broken.len(),
                first: first.clone(),
                kept: shown(&self.stage.folder),
            });
        }
        self.line(&format!(
            "{handed} texts for phones and {written} messages from phones: each arrived once, in its order. {}",
            match doubts {
                0 => String::from("None was in doubt."),
                many => format!("{many} were in doubt and offered again; the SMSC had not seen them."),
            }
        ))?;
        self.line(&format!(
            "The line lost {} of {} packets; what was in them was sent again. The SMSC counted no breach of its one-at-a-time rule.",
            passed.datagrams_lost, passed.datagrams
        ))
    }

    /// A phone writes.
    fn write(&mut self, phone: &str, text: &str) {
        self.stage.smsc.phone_sends(phone, CODE, text);
        self.written.add(phone, text);
    }

    /// Texts are handed in at the desk, until each is durable.
    fn hand_in(&mut self, texts: &[(&str, &str)]) -> Result<(), DemoError> {
        for (to, text) in texts {
            self.handed.add(to, text);
        }
        let first = self.keys;
        self.keys += texts.len();
        let mut done = 0;
        let begun = self.stage.clock.now();
        while done < texts.len() {
            if self.stage.clock.now() - begun > PATIENCE {
                return Err(DemoError::Ended(String::from(
                    "central does not take texts",
                )));
            }
            let mut caller = self.stage.desk()?;
            while done < texts.len() {
                let breath = &texts[done..texts.len().min(done + BREATH)];
                let said = breath.iter().zip(first + done..).all(|((to, text), key)| {
                    let hand = Hand {
                        key: Some(format!("demo-{key}")),
                        from: Some(CODE.into()),
                        to: (*to).into(),
                        text: (*text).into(),
                        report: false,
                        validity: None,
                    };
                    caller.say(&Request::Send(hand)).is_ok()
                });
                let heard = said
                    && breath.iter().all(|_| {
                        matches!(caller.hear_within(PATIENCE), Ok(Some(Reply::Stored { .. })))
                    });
                if !heard {
                    break;
                }
                done += breath.len();
            }
        }
        Ok(())
    }

    /// Waits until all that phones wrote is in the inbox.
    fn await_inbox(&mut self, what: &str) -> Result<(), DemoError> {
        let begun = self.stage.clock.now();
        while self.inbox.messages().count() < self.written.count {
            if self.stage.clock.now() - begun > PATIENCE {
                return Err(self.missing(what));
            }
            self.inbox.read(&self.stage)?;
        }
        Ok(())
    }

    /// Waits until all that was handed in is at the phones.
    fn await_phones(&mut self, what: &str) -> Result<(), DemoError> {
        let begun = self.stage.clock.now();
        let count = |stage: &Stage| {
            let ours = |from: &str| from.trim_start_matches('+') == CODE;
            let received = stage.smsc.received();
            received
                .iter()
                .filter(|received| ours(&received.from))
                .count()
        };
        while count(&self.stage) < self.handed.count {
            if self.stage.clock.now() - begun > PATIENCE {
                return Err(self.missing(what));
            }
            std::thread::sleep(Duration::from_millis(4));
        }
        Ok(())
    }

    fn missing(&self, what: &str) -> DemoError {
        DemoError::Ended(format!(
            "{what} did not come within {} s",
            PATIENCE.as_secs()
        ))
    }
}

/// So many texts, each to or from a phone of the crowd in turn, numbered.
fn crowd(words: &str, count: usize) -> Vec<(String, String)> {
    (0..count)
        .map(|number| {
            let phone = format!("+4670000000{}", number % CROWD);
            (phone, format!("{words} {number}"))
        })
        .collect()
}

fn borrowed(texts: &[(String, String)]) -> Vec<(&str, &str)> {
    texts
        .iter()
        .map(|(to, text)| (to.as_str(), text.as_str()))
        .collect()
}

fn plus(number: &str) -> String {
    format!("+{}", number.trim_start_matches('+'))
}
