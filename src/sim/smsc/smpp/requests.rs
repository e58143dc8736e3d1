//! Requests of an ESME: binds, probes, questions; submits have a page of their own.

use super::{Bound, SmppSession, State, status_of};
use crate::codec::smpp::{
    BindResp, BindView, CommandId, Empty, Frame, IdResp, Named, Pdu, PduView, Status, Tag, Time,
    TlvList, VERSION_3_3,
};
use crate::codec::smpp::{COctets, QueryResp};
use crate::sim::event::Event;
use crate::sim::fault::Point;
use crate::sim::network::{LoginRefusal, Network, Now};
use crate::sim::smsc::play::Play;

/// What is done with a request, and what is answered; `Ok` holds the response, and the name it gives to a message.
type Outcome = Result<(Pdu, Option<String>), Status>;

const fn point_of(id: CommandId) -> Option<Point> {
    Some(match id {
        CommandId::BIND_RECEIVER | CommandId::BIND_TRANSMITTER | CommandId::BIND_TRANSCEIVER => {
            Point::Login
        }
        CommandId::SUBMIT_SM | CommandId::DATA_SM => Point::Submit,
        CommandId::ENQUIRE_LINK => Point::Alive,
        CommandId::UNBIND => Point::Logout,
        CommandId::QUERY_SM | CommandId::CANCEL_SM | CommandId::REPLACE_SM => Point::Query,
        _ => return None,
    })
}

impl SmppSession {
    pub(super) fn request(&mut self, now: Now, network: &mut Network, frame: &Frame) {
        self.asked = frame.sequence;
        let beyond = self.watch(now, network, frame);
        let Some(point) = point_of(frame.id) else {
            network.odd(now, self.number, || format!("{} is not served", frame.id));
            self.nack(
                now,
                network,
                frame,
                Point::Query,
                Status::INVALID_COMMAND_ID,
            );
            return;
        };
        let play = self.play(now, network, point);
        if play.drop_unseen {
            self.outlet.close("dropped before a request was seen");
            return;
        }
        if play.unseen {
            return;
        }
        self.disturb(now, &play);
        if let Some(code) = play.nack {
            let status = code.map_or(Status::SYSTEM_ERROR, Status);
            self.nack(now, network, frame, point, status);
            return;
        }
        let outcome = match play.refused {
            Some(refused) => Err(status_of(refused)),
            None if beyond => Err(Status::THROTTLED),
            None => self.serve(now, network, frame),
        };
        self.count(network, point, &outcome);
        if point == Point::Submit
            && let State::Bound(bound) = self.state
            && network.account(bound.account).reports.before_answer
        {
            self.pump(now, network);
        }
        let refused_bind = point == Point::Login && matches!(self.state, State::Open);
        let (outcome, id) = match outcome {
            Ok((pdu, id)) => (Ok(pdu), id),
            Err(status) => (Err(status), None),
        };
        self.answer(now, network, frame, point, &play, outcome, id);
        if refused_bind || (point == Point::Logout && !play.silent) {
            self.close_after_answer(now, network, point, &play);
        }
    }

    /// Counts a request; whether it is refused because too many are unanswered.
    fn watch(&mut self, now: Now, network: &mut Network, frame: &Frame) -> bool {
        let (window, refuse) = match self.state {
            State::Open => (1, false),
            State::Bound(bound) => {
                let account = network.account(bound.account);
                (account.window, account.refuse_beyond_window)
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
                frame.id, frame.sequence
            ),
        );
        refuse && point_of(frame.id) == Some(Point::Submit)
    }

    fn count(&self, network: &mut Network, point: Point, outcome: &Outcome) {
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
    }

    fn close_after_answer(&mut self, now: Now, network: &mut Network, point: Point, play: &Play) {
        let why = match point {
            Point::Logout => {
                network.record(now, self.number, || Event::Logout);
                "unbound"
            }
            _ => "refused",
        };
        let wait = self.config.centre.answer_after + play.wait;
        self.outlet.close_after(now.moment, wait, why);
    }

    fn serve(&mut self, now: Now, network: &mut Network, frame: &Frame) -> Outcome {
        let view = frame.view().map_err(|why| {
            network.odd(now, self.number, || format!("{}: {why}", frame.id));
            Status::INVALID_COMMAND_LENGTH
        })?;
        let bound = match (&view, self.state) {
            (
                PduView::BindReceiver(bind)
                | PduView::BindTransmitter(bind)
                | PduView::BindTransceiver(bind),
                _,
            ) => return self.bind(now, network, frame.id, bind),
            (PduView::EnquireLink(_), _) => return Ok((Pdu::EnquireLinkResp(Empty), None)),
            (_, State::Open) => return Err(Status::WRONG_BIND_STATE),
            (_, State::Bound(bound)) => bound,
        };
        match view {
            PduView::Unbind(_) => Ok((Pdu::UnbindResp(Empty), None)),
            PduView::SubmitSm(message) if bound.submits => {
                let id = self.submit(now, network, bound.account, &message)?;
                Ok((Pdu::SubmitSmResp(named(&id)), Some(shown(&id))))
            }
            PduView::DataSm(data) if bound.submits => {
                let id = self.submit_data(now, network, bound.account, &data)?;
                Ok((Pdu::DataSmResp(named(&id)), Some(shown(&id))))
            }
            PduView::QuerySm(query) if bound.submits => {
                let style = network.account(bound.account).reports.id_in_answer;
                let state = style
                    .read(query.message_id)
                    .and_then(|id| network.query(now, bound.account, id))
                    .ok_or(Status::QUERY_FAILED)?;
                let resp = QueryResp {
                    message_id: COctets::new("message_id", query.message_id)
                        .map_err(|_too_long| Status::INVALID_MESSAGE_ID)?,
                    final_date: state
                        .done
                        .map_or(Time::NONE, |done| Time::absolute(done, 0)),
                    message_state: state.state.number(),
                    error_code: u8::try_from(state.error).unwrap_or(u8::MAX),
                    tlvs: TlvList::new(),
                };
                Ok((Pdu::QuerySmResp(resp), None))
            }
            PduView::CancelSm(cancel) if bound.submits => {
                let style = network.account(bound.account).reports.id_in_answer;
                let id = style.read(cancel.message_id);
                let count = network.cancel(now, bound.account, |report| {
                    if cancel.message_id.is_empty() {
                        report.source.octets == cancel.source.octets
                            && report.destination.octets == cancel.destination.octets
                    } else {
                        Some(report.id) == id
                    }
                });
                match count {
                    0 => Err(Status::CANCEL_FAILED),
                    _ => Ok((Pdu::CancelSmResp(Empty), None)),
                }
            }
            // Like many carriers, this one replaces nothing.
            PduView::ReplaceSm(_) if bound.submits => Err(Status::REPLACE_FAILED),
            _ => Err(Status::WRONG_BIND_STATE),
        }
    }

    fn bind(
        &mut self,
        now: Now,
        network: &mut Network,
        id: CommandId,
        bind: &BindView<'_>,
    ) -> Outcome {
        let name = String::from_utf8_lossy(bind.system_id).into_owned();
        let outcome = self.try_bind(network, id, &name, bind);
        let code = outcome.as_ref().err().map_or(0, |status| status.0);
        network.record(now, self.number, || Event::Login {
            account: name,
            code,
        });
        outcome
    }

    fn try_bind(
        &mut self,
        network: &mut Network,
        id: CommandId,
        name: &str,
        bind: &BindView<'_>,
    ) -> Outcome {
        if let State::Bound(_) = self.state {
            if !self.serial {
                return Err(Status::ALREADY_BOUND);
            }
            // On a serial line nothing else tells that the session before has ended.
            self.reset(network);
        }
        let password = String::from_utf8_lossy(bind.password);
        let account =
            network
                .login(self.number, name, &password)
                .map_err(|refusal| match refusal {
                    LoginRefusal::Name => Status::INVALID_SYSTEM_ID,
                    LoginRefusal::Password => Status::INVALID_PASSWORD,
                    LoginRefusal::Sessions => Status::ALREADY_BOUND,
                })?;
        self.state = State::Bound(Bound {
            account,
            submits: id != CommandId::BIND_RECEIVER,
            receives: id != CommandId::BIND_TRANSMITTER,
        });
        let mut resp = BindResp::default();
        let length = self.config.centre.name.len().min(15);
        let name = self.config.centre.name.as_bytes();
        resp.system_id = Named(COctets::new("system_id", &name[..length]).unwrap_or_default());
        if bind.interface_version > VERSION_3_3 {
            resp.tlvs
                .octet(Tag::SC_INTERFACE_VERSION, self.settings.version);
        }
        let pdu = match id {
            CommandId::BIND_RECEIVER => Pdu::BindReceiverResp(resp),
            CommandId::BIND_TRANSMITTER => Pdu::BindTransmitterResp(resp),
            _ => Pdu::BindTransceiverResp(resp),
        };
        Ok((pdu, None))
    }
}

fn named(id: &[u8]) -> IdResp {
    IdResp {
        message_id: Named(COctets::new("message_id", id).expect("our ids are short digits")),
        tlvs: TlvList::new(),
    }
}

fn shown(id: &[u8]) -> String {
    String::from_utf8_lossy(id).into_owned()
}
