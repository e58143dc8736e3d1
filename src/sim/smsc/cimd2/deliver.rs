//! What the SMSC delivers, and what the application answers to that.

use bytes::Bytes;

use super::{Asked, Awaited, Cimd2Session, MOST_TRIES, Manner, State, renumbered, stamp};
use crate::codec::cimd2::{
    Address, Deliver, ErrorCode, Number, Operation, Packet, Parameter, StatusError, StatusReport,
    TimeStamp, UserData, Write, Writer,
};
use crate::codec::smpp::TextForm;
use crate::message::{Body, Coding, Refused};
use crate::sim::config::{Kind, Silence};
use crate::sim::event::Event;
use crate::sim::fault::Point;
use crate::sim::network::{FromPhone, Letter, Network, Now, Waiting};
use crate::sim::report::{Report, Style};
use crate::sim::smsc::delivery_event;

impl Cimd2Session {
    pub(super) fn may_deliver(&self, network: &Network) -> bool {
        let State::LoggedIn { account, .. } = self.state else {
            return false;
        };
        let account = network.account(account);
        let asked = match account.kind {
            Kind::Receiving => true,
            Kind::Querying => self.asked_for > 0,
            Kind::SendOnly => false,
        };
        let count = |what: fn(&Asked) -> bool| {
            self.awaited
                .iter()
                .filter(|awaited| what(&awaited.what))
                .count()
        };
        let letters = count(|what| matches!(what, Asked::Letter { .. }));
        let others = count(|what| !matches!(what, Asked::Letter { .. }));
        // An SMSC that asks for something else waits for that first.
        asked && others == 0 && !self.outlet.is_closing() && letters < account.delivery_window
    }

    /// Delivers what waits, as far as the window goes.
    pub(super) fn pump(&mut self, now: Now, network: &mut Network) {
        while self.may_deliver(network) && !self.outlet.is_frozen(now.moment) {
            let State::LoggedIn { account, .. } = self.state else {
                return;
            };
            let Some(waiting) = network.take(now, account) else {
                return;
            };
            self.asked_for = self.asked_for.saturating_sub(1);
            self.deliver(now, network, account, waiting);
        }
    }

    fn deliver(&mut self, now: Now, network: &mut Network, account: usize, waiting: Waiting) {
        let point = match &waiting.letter {
            Letter::FromPhone(_) => Point::Delivery,
            Letter::Report(_) => Point::Report,
        };
        let play = self.play(now, network, point);
        self.disturb(now, &play);
        let (octets, request) = match &waiting.letter {
            Letter::FromPhone(letter) => (
                message(letter).map(|deliver| deliver.to_bytes(self.next)),
                Operation::DELIVER,
            ),
            Letter::Report(told) => (
                report(told, &network.account(account).reports)
                    .map(|report| report.to_bytes(self.next)),
                Operation::DELIVER_STATUS_REPORT,
            ),
        };
        let octets = match octets {
            Ok(octets) if play.malformed => without_addresses(octets, request, self.next),
            Ok(octets) => octets,
            Err(why) => {
                network.odd(now, self.number, || format!("cannot be delivered: {why}"));
                return;
            }
        };
        let event = network.is_observed().then(|| {
            let number = self.next.get().into();
            delivery_event(number, &waiting, |report| {
                format!("{}/{}", report.destination.text(), stamp(report.stamp))
            })
        });
        let counts = network.counts_mut();
        match point {
            Point::Report => counts.reports += 1,
            _ => counts.deliveries += 1,
        }
        let what = Asked::Letter {
            duplicate: play.duplicate,
            waiting,
        };
        self.ask(now, octets, request.response(), what, &play, event);
    }

    pub(super) fn response(&mut self, now: Now, network: &mut Network, packet: &Packet) {
        let number = packet.number();
        let found = self
            .awaited
            .iter()
            .position(|awaited| awaited.number == number);
        let fits = |awaited: &Awaited| {
            awaited
                .response
                .is_none_or(|response| response == packet.operation())
        };
        let Some(index) = found.filter(|index| fits(&self.awaited[*index])) else {
            let what = format!("{} {number} answers nothing", packet.operation());
            if self.misled {
                network.odd(now, self.number, || what);
            } else {
                network.breach(now, self.number, what);
            }
            return;
        };
        let is_letter = |awaited: &Awaited| matches!(awaited.what, Asked::Letter { .. });
        let passed = self.awaited.range(..index);
        if is_letter(&self.awaited[index]) && passed.into_iter().any(is_letter) {
            network.breach(
                now,
                self.number,
                format!("{} {number} is out of turn", packet.operation()),
            );
        }
        let Some(awaited) = self.awaited.remove(index) else {
            return;
        };
        match awaited.what {
            Asked::Letter { waiting, duplicate } => {
                self.taken(now, network, packet, waiting, duplicate);
            }
            Asked::Logout => {
                self.reset(network);
                if !self.serial {
                    self.outlet.close("logged out by the SMSC");
                }
            }
            Asked::Alive | Asked::Nothing => {}
        }
    }

    fn taken(
        &mut self,
        now: Now,
        network: &mut Network,
        packet: &Packet,
        waiting: Waiting,
        duplicate: bool,
    ) {
        let State::LoggedIn { account, .. } = self.state else {
            return;
        };
        // 700 tells that it went well.
        let refusal = packet
            .failure()
            .map(|failure| failure.code.unwrap_or(ErrorCode::DELIVERY_FAILED))
            .filter(|code| *code != ErrorCode::DELIVERY_OK);
        network.record(now, self.number, || Event::Taken {
            number: packet.number().get().into(),
            code: refusal.map_or(0, |code| code.0.into()),
        });
        let counts = network.counts_mut();
        match (&waiting.letter, refusal) {
            (Letter::FromPhone(_), None) => counts.deliveries_taken += 1,
            (Letter::Report(_), None) => counts.reports_taken += 1,
            (_, Some(_)) => counts.deliveries_refused += 1,
        }
        match refusal {
            None if duplicate => network.give_back(account, waiting),
            None => {}
            Some(ErrorCode::DELIVERY_FAILED) => {
                network.give_back_for_later(now, account, waiting);
            }
            Some(code) => network.odd(now, self.number, || {
                format!("a delivery was refused for good: {code}")
            }),
        }
        let play = self.play(now, network, Point::Taken);
        self.disturb(now, &play);
    }

    /// The application nacked what we sent: it tells the number that it expects.
    pub(super) fn nacked(&mut self, now: Now, network: &mut Network, told: Number) {
        match self.awaited.front() {
            None => network.odd(now, self.number, || format!("99 {told} nacks nothing")),
            Some(awaited) if matches!(awaited.what, Asked::Nothing) => {
                self.awaited.pop_front();
            }
            Some(awaited) if told.is_odd() || awaited.number == told => {
                self.send_again(now, network);
            }
            Some(_) => {
                // All that is unanswered counts on from there.
                let mut number = told;
                for awaited in &mut self.awaited {
                    awaited.number = number;
                    awaited.octets = renumbered(&awaited.octets, number);
                    number = number.next();
                }
                self.next = number;
                self.send_again(now, network);
            }
        }
    }

    /// Sends the oldest unanswered request again, the same octets, three times at most.
    pub(super) fn send_again(&mut self, now: Now, network: &mut Network) {
        let Some(awaited) = self.awaited.front_mut() else {
            return;
        };
        if awaited.tries >= MOST_TRIES {
            network.odd(now, self.number, || "sent three times in vain".into());
            self.outlet.close("sent three times in vain");
            return;
        }
        awaited.tries += 1;
        awaited.sent = now.moment;
        let octets = awaited.octets.clone();
        self.outlet.write(octets, Manner::Alone);
    }

    /// No answer in time.
    pub(super) fn silence(&mut self, now: Now, network: &mut Network) {
        match self.settings.on_silence {
            Silence::Retransmit => self.send_again(now, network),
            Silence::Drop => self.outlet.close("no answer in time"),
        }
    }
}

fn message(letter: &FromPhone) -> Result<Deliver, Refused> {
    let content = &letter.content;
    let coding = match content.form {
        TextForm::Ucs2 => Coding::Ucs2,
        TextForm::Octets => Coding::Octets,
        TextForm::Gsm7 | TextForm::Gsm7Packed | TextForm::Latin1 | TextForm::Ascii => Coding::Gsm7,
    };
    let body = Body::new(coding, content.header.clone(), content.data.clone())?;
    Ok(Deliver {
        destination: Address::new(letter.to.as_bytes())?,
        originator: Address::new(format!("+{}", letter.from).as_bytes())?,
        time_stamp: stamp(letter.stamp),
        imsi: None,
        visited_msc: None,
        protocol: None,
        service_centre: None,
        user_data: Some(UserData::new(body)?),
    })
}

fn report(told: &Report, style: &Style) -> Result<StatusReport, Refused> {
    let originator = match style.originator {
        true => Address::new(&told.source.octets).ok(),
        false => None,
    };
    Ok(StatusReport {
        destination: Address::new(&style.plus.write(&told.destination.octets))?,
        time_stamp: stamp(told.stamp),
        status: told.status(),
        error: (told.error != 0).then_some(StatusError(told.error)),
        discharged: TimeStamp::of(told.done),
        originator,
    })
}

/// The same packet without its addresses, which it must have.
fn without_addresses(octets: Bytes, operation: Operation, number: Number) -> Bytes {
    let packet = Packet::read(octets).expect("it was just written");
    let mut out = Vec::new();
    let mut writer = Writer::begin(&mut out, operation, number);
    for field in packet.fields().map_while(Result::ok) {
        if !matches!(
            field.parameter,
            Parameter::DESTINATION | Parameter::ORIGINATOR
        ) {
            writer.field(&field);
        }
    }
    writer.end();
    out.into()
}
