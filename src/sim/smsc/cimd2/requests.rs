//! Requests of an application: login, alive, questions; submits have a page of their own.

use std::time::Duration;

use bytes::Bytes;

use super::{Cimd2Session, Manner, State, first_number, renumbered, spoiled, stamp};
use crate::clock::Moment;
use crate::codec::cimd2::{
    Address, Bounded, CancelView, DeliveryMode, DeliveryRequestView, EnquireView, Enquired,
    ErrorCode, Field, GetView, LoginView, Negative, Number, Operation, Packet, Parameter, Plain,
    SetView, SmscTime, StatusCode, StatusError, TimeStamp, WaitingCount, Write,
};
use crate::codec::smpp::TimeView;
use crate::sim::config::Kind;
use crate::sim::event::Event;
use crate::sim::fault::Point;
use crate::sim::network::{LoginRefusal, Network, Now};
use crate::sim::report::Report;
use crate::sim::smsc::play::{Play, Refused};

/// What is answered, and the name that it gives to a message; or why the request is refused.
type Outcome = Result<(Bytes, Option<String>), ErrorCode>;

const fn point_of(operation: Operation) -> Point {
    match operation {
        Operation::LOGIN => Point::Login,
        Operation::LOGOUT => Point::Logout,
        Operation::SUBMIT => Point::Submit,
        Operation::ALIVE => Point::Alive,
        _ => Point::Query,
    }
}

/// A positive answer under the number of its request.
fn fine(request: &Packet, answer: impl Write) -> Outcome {
    Ok((answer.to_bytes(request.number()), None))
}

impl Cimd2Session {
    pub(super) fn request(&mut self, now: Now, network: &mut Network, packet: &Packet) {
        let number = packet.number();
        let login = packet.operation() == Operation::LOGIN;
        let expected = if login { Number::LOGIN } else { self.expected };
        // On a serial line, a login always begins a new session.
        let repeated = number == self.expected.previous() && !(login && self.serial);
        if repeated && self.answered_before(packet) {
            return;
        }
        if number != expected && !repeated {
            network.odd(now, self.number, || {
                format!(
                    "{} {number} came, {expected} was expected",
                    packet.operation()
                )
            });
            self.nack(expected);
            return;
        }
        let beyond = self.watch(now, network, packet);
        let point = point_of(packet.operation());
        let play = self.play(now, network, point);
        if play.drop_unseen {
            self.outlet.close("dropped before a request was seen");
            return;
        }
        if play.unseen {
            self.unseen = Some(packet.octets().clone());
            return;
        }
        self.disturb(now, &play);
        if let Some(code) = play.nack {
            self.play_nack(now, network, number, point, code);
            return;
        }
        self.unseen = None;
        self.expected = number.next();
        self.done(now, network, packet, &play, beyond);
    }

    /// Answers a repetition of the last request, if it is one; it is not done again.
    fn answered_before(&mut self, packet: &Packet) -> bool {
        let Some((request, answer)) = &self.last else {
            return false;
        };
        if request != packet.octets() {
            return false;
        }
        if !self.outlet.is_waiting() {
            let answer = answer.clone();
            self.outlet
                .answer(Moment::START, Duration::ZERO, answer, Manner::Whole, None);
        }
        true
    }

    /// Counts a request; whether it is refused because too many are unanswered.
    fn watch(&mut self, now: Now, network: &mut Network, packet: &Packet) -> bool {
        if self.unseen.as_ref() == Some(packet.octets()) {
            return false;
        }
        let (window, refuse) = match self.state {
            State::Open => (1, false),
            State::LoggedIn { account, window } => {
                (window, network.account(account).refuse_beyond_window)
            }
        };
        let before = self.outlet.asked();
        if before < window {
            return false;
        }
        network.breach(
            now,
            self.number,
            format!(
                "{} {} came while {before} unanswered, {window} allowed",
                packet.operation(),
                packet.number()
            ),
        );
        refuse && packet.operation() == Operation::SUBMIT
    }

    /// A packet that was damaged on its way, as the SMSC says: with its own number, the same octets are asked for;
    /// with another, all that follows counts on from there.
    fn play_nack(
        &mut self,
        now: Now,
        network: &Network,
        number: Number,
        point: Point,
        code: Option<u32>,
    ) {
        let told = code
            .and_then(|code| u16::try_from(code).ok())
            .and_then(Number::new)
            .unwrap_or(number);
        self.expected = told;
        let octets = Plain::NACK.to_bytes(told);
        let event = network.is_observed().then(|| Event::Answer {
            to: point,
            number: number.get().into(),
            code: Operation::NACK.0.into(),
            id: None,
        });
        let wait = self.config.centre.answer_after;
        self.outlet
            .answer(now.moment, wait, octets, Manner::Whole, event);
    }

    fn done(
        &mut self,
        now: Now,
        network: &mut Network,
        packet: &Packet,
        play: &Play,
        beyond: bool,
    ) {
        let (number, operation) = (packet.number(), packet.operation());
        let point = point_of(operation);
        let outcome = match (play.refused, play.general_error) {
            (_, Some(code)) => Err(ErrorCode(u16::try_from(code).unwrap_or(6))),
            (Some(refused), None) => Err(code_of(refused)),
            (None, None) if beyond => Err(ErrorCode::CONGESTION),
            (None, None) => self.serve(now, network, packet),
        };
        let counts = network.counts_mut();
        match (point, outcome.is_ok()) {
            (Point::Submit, good) => {
                counts.submits += 1;
                counts.refused += u64::from(!good);
            }
            (Point::Login, true) => counts.logins += 1,
            (Point::Login, false) => counts.logins_refused += 1,
            (Point::Alive, _) => counts.alives += 1,
            _ => {}
        }
        if point == Point::Submit
            && let State::LoggedIn { account, .. } = self.state
            && network.account(account).reports.before_answer
        {
            self.pump(now, network);
        }
        let code = outcome.as_ref().err().map_or(0, |code| u32::from(code.0));
        let refused_login = point == Point::Login && code != 0;
        let (octets, id) = match outcome {
            Ok((octets, id)) => (octets, id),
            Err(code) => (refusal(operation, play, code).to_bytes(number), None),
        };
        self.last = Some((packet.octets().clone(), octets.clone()));
        let mut sent = octets;
        if play.wrong_number {
            sent = renumbered(&sent, number.next());
        }
        if play.wrong_checksum {
            sent = spoiled(&sent);
        }
        let wait = self.config.centre.answer_after + play.wait;
        if !play.silent {
            let event = network.is_observed().then_some(Event::Answer {
                to: point,
                number: number.get().into(),
                code,
                id,
            });
            self.outlet
                .answer(now.moment, wait, sent, play.manner, event);
        }
        if point == Point::Logout && code == 0 {
            network.record(now, self.number, || Event::Logout);
            self.reset(network);
        }
        let logged_out = point == Point::Logout && code == 0 && !play.silent;
        if (logged_out || refused_login) && !self.serial {
            let why = if logged_out { "logged out" } else { "refused" };
            self.outlet.close_after(now.moment, wait, why);
        }
    }

    fn serve(&mut self, now: Now, network: &mut Network, packet: &Packet) -> Outcome {
        let operation = packet.operation();
        if operation == Operation::LOGIN {
            return self.login(now, network, packet);
        }
        let State::LoggedIn { account, .. } = self.state else {
            return Err(ErrorCode::UNEXPECTED_OPERATION);
        };
        match operation {
            Operation::LOGOUT => fine(packet, Plain::LOGGED_OUT),
            Operation::ALIVE => fine(packet, Plain::ALIVE_TOO),
            Operation::SUBMIT => {
                let (submitted, id) = self.submit(now, network, account, packet)?;
                Ok((submitted.to_bytes(packet.number()), Some(id)))
            }
            Operation::ENQUIRE => enquire(now, network, account, packet),
            Operation::DELIVERY_REQUEST => self.delivery_request(network, account, packet),
            Operation::CANCEL => cancel(now, network, account, packet),
            Operation::SET => set(network, account, packet),
            Operation::GET => get(now, packet),
            // Those of newer releases, those of the SMSC's side, and those that do not exist.
            _ => {
                network.odd(now, self.number, || format!("{operation} is not served"));
                Err(ErrorCode::UNEXPECTED_OPERATION)
            }
        }
    }

    fn login(&mut self, now: Now, network: &mut Network, packet: &Packet) -> Outcome {
        if let State::LoggedIn { .. } = self.state {
            if !self.serial {
                return Err(ErrorCode::UNEXPECTED_OPERATION);
            }
            // On a serial line nothing else tells that the session before has ended.
            self.reset(network);
            self.expected = Number::LOGIN.next();
        }
        let login = LoginView::read(packet).map_err(|_malformed| ErrorCode::SYNTAX)?;
        let text = |field: Option<Field<'_>>| field.map(|field| field.printable());
        let name = text(login.user).unwrap_or_default();
        let outcome = self.try_login(network, packet, &name, &login);
        let code = outcome.as_ref().err().map_or(0, |code| u32::from(code.0));
        network.record(now, self.number, || Event::Login {
            account: name,
            code,
        });
        outcome
    }

    fn try_login(
        &mut self,
        network: &mut Network,
        packet: &Packet,
        name: &str,
        login: &LoginView<'_>,
    ) -> Outcome {
        if let Some(subaddress) = login.subaddress {
            subaddress
                .integer()
                .map_err(|_malformed| ErrorCode::SUBADDRESS)?;
        }
        let asked = match login.window {
            None => None,
            Some(field) => Some(
                field
                    .integer()
                    .ok()
                    .and_then(|window| usize::try_from(window).ok())
                    .ok_or(ErrorCode::WINDOW_SIZE)?,
            ),
        };
        let password = login.password.map(|field| field.printable());
        let account = network
            .login(self.number, name, &password.unwrap_or_default())
            .map_err(|refusal| match refusal {
                LoginRefusal::Name | LoginRefusal::Password => ErrorCode::LOGIN_INVALID,
                LoginRefusal::Sessions => ErrorCode::TOO_MANY_SESSIONS,
            })?;
        let allowed = network.account(account).window;
        let window = match asked {
            None | Some(1) => 1,
            Some(asked) if asked <= allowed => asked,
            Some(_) => {
                network.logout(self.number, account);
                return Err(if allowed == 1 {
                    ErrorCode::WINDOWING_DISABLED
                } else {
                    ErrorCode::WINDOW_SIZE
                });
            }
        };
        self.state = State::LoggedIn { account, window };
        self.next = first_number();
        fine(packet, Plain::LOGGED_IN)
    }

    fn delivery_request(&mut self, network: &Network, account: usize, packet: &Packet) -> Outcome {
        let view = DeliveryRequestView::read(packet).map_err(|_malformed| ErrorCode::SYNTAX)?;
        let mode = match view.mode {
            None => DeliveryMode::One,
            Some(field) => field
                .octet()
                .ok()
                .and_then(DeliveryMode::from_number)
                .ok_or(ErrorCode::DELIVERY_MODE)?,
        };
        let waiting = network.waiting(account);
        if mode == DeliveryMode::Count {
            let count = u16::try_from(waiting).unwrap_or(u16::MAX).min(999);
            let count = Bounded::new("message count", count).expect("999 at most");
            return fine(packet, WaitingCount { count });
        }
        if network.account(account).kind != Kind::Querying {
            return Err(ErrorCode::UNEXPECTED_OPERATION);
        }
        self.asked_for = match mode {
            DeliveryMode::All => waiting,
            DeliveryMode::One | DeliveryMode::Count => 1.min(waiting),
        };
        fine(packet, Plain::DELIVERY_FOLLOWS)
    }
}

fn refusal(operation: Operation, play: &Play, code: ErrorCode) -> Negative {
    // An operation that has no name has no response of its own.
    let refusal = if play.general_error.is_some() || operation.name().is_none() {
        Negative::general(code)
    } else {
        Negative::to(operation, code)
    };
    match code.name() {
        Some(text) => refusal.with_text(text),
        None => refusal,
    }
}

/// What a fault's refusal is in this protocol.
fn code_of(refused: Refused) -> ErrorCode {
    match refused {
        Refused::Throttled => ErrorCode::CONGESTION,
        Refused::QueueFull => ErrorCode::FAILED,
        Refused::Code(code) => match u16::try_from(code) {
            Ok(code @ 1..=999) => ErrorCode(code),
            _ => ErrorCode::SYSTEM,
        },
    }
}

fn address(field: Option<Field<'_>>) -> Option<Address> {
    field.and_then(|field| Address::new(field.value).ok())
}

/// A time stamp as the SMSC gave it.
fn time_stamp(field: Option<Field<'_>>) -> Option<TimeStamp> {
    field.and_then(|field| TimeStamp::new(field.value).ok())
}

/// The seconds of the SMSC's clock that a time stamp shows.
fn seconds(time_stamp: &TimeStamp) -> Option<u64> {
    match TimeView::parse(time_stamp.digits())? {
        TimeView::Absolute(civil) => Some(civil.to_wall(0)?.as_unix_ms() / 1000),
        TimeView::Relative(_) => None,
    }
}

fn is_for(report: &Report, destination: &Address) -> bool {
    let plain = |octets: &[u8]| octets.strip_prefix(b"+").unwrap_or(octets).to_vec();
    plain(&report.destination.octets) == plain(destination.octets())
}

fn enquire(now: Now, network: &Network, account: usize, packet: &Packet) -> Outcome {
    let view = EnquireView::read(packet).map_err(|_malformed| ErrorCode::SYNTAX)?;
    let destination = address(view.destination).ok_or(ErrorCode::ENQUIRE_ADDRESS)?;
    let time_stamp = time_stamp(view.time_stamp).ok_or(ErrorCode::ENQUIRE_TIME_STAMP)?;
    let mut answer = Enquired {
        destination,
        time_stamp,
        status: StatusCode::UNKNOWN,
        error: None,
        discharged: None,
    };
    let state = seconds(&time_stamp)
        .and_then(|seconds| network.query_by_stamp(now, account, destination.octets(), seconds));
    // Without a wish for reports nobody has kept the state.
    if let Some(state) = state.filter(|state| state.reported) {
        answer.status = Report::status_of(state.state, state.cancelled);
        answer.error = (state.error != 0).then_some(StatusError(state.error));
        answer.discharged = state.done.map(TimeStamp::of);
    }
    fine(packet, answer)
}

fn cancel(now: Now, network: &mut Network, account: usize, packet: &Packet) -> Outcome {
    let view = CancelView::read(packet).map_err(|_malformed| ErrorCode::SYNTAX)?;
    let mode = view.mode.and_then(|field| field.octet().ok());
    let destination = address(view.destination);
    let count = match (mode, destination) {
        (Some(0), Some(to)) => network.cancel(now, account, |report| is_for(report, &to)),
        (Some(1), _) => network.cancel(now, account, |_| true),
        (Some(2), Some(to)) => {
            let time_stamp = time_stamp(view.time_stamp).ok_or(ErrorCode::CANCEL_TIME_STAMP)?;
            network.cancel(now, account, |report| {
                is_for(report, &to) && stamp(report.stamp) == time_stamp
            })
        }
        (Some(0 | 2), None) => return Err(ErrorCode::CANCEL_ADDRESS),
        _ => return Err(ErrorCode::CANCEL_MODE),
    };
    match count {
        0 => Err(ErrorCode::NOT_FOUND),
        _ => fine(packet, Plain::CANCELLED),
    }
}

fn set(network: &mut Network, account: usize, packet: &Packet) -> Outcome {
    let view = SetView::read(packet).map_err(|_malformed| ErrorCode::SYNTAX)?;
    let password = view.password.map(|field| field.printable());
    match password {
        Some(password) if !password.is_empty() => {
            if !network.account(account).may_change_password {
                return Err(ErrorCode::PASSWORD_FIXED);
            }
            network.set_password(account, &password);
            fine(packet, Plain::SET)
        }
        _ => Err(ErrorCode::PASSWORD_NOT_CHANGED),
    }
}

fn get(now: Now, packet: &Packet) -> Outcome {
    let view = GetView::read(packet).map_err(|_malformed| ErrorCode::SYNTAX)?;
    let item = view.item.and_then(|field| field.integer().ok());
    if item == Some(i32::from(Parameter::SMSC_TIME.0)) {
        let time = TimeStamp::of(now.wall);
        return fine(packet, SmscTime { time });
    }
    Err(ErrorCode::ITEM_NOT_SUPPORTED)
}
