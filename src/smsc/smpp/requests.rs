//! Our side's requests: their numbers, and which one is unanswered. There is never more than one, of any kind (G1).

use crate::codec::smpp::{CommandId, Frame};

/// The highest number that our side gives (5.1.4); after it comes 1.
const LAST: u32 = 0x7FFF_FFFF;

/// What our side may ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Request {
    /// Log in, by one of the three commands.
    Bind(CommandId),
    /// Take a message.
    Submit,
    /// Is anybody there?
    Probe,
    /// End the session.
    Unbind,
}

impl Request {
    pub(super) const fn command(self) -> CommandId {
        match self {
            Self::Bind(command) => command,
            Self::Submit => CommandId::SUBMIT_SM,
            Self::Probe => CommandId::ENQUIRE_LINK,
            Self::Unbind => CommandId::UNBIND,
        }
    }
}

/// The request that is unanswered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Outstanding {
    pub(super) request: Request,
    pub(super) sequence: u32,
    /// Whether it was handed to the transport; before that it cannot have been answered, and is not in doubt.
    pub(super) is_out: bool,
}

/// What a response is to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reply {
    /// The answer to this request.
    To(Request),
    /// generic_nack to this request.
    Nack(Request),
    /// Nobody waits for it.
    Stray,
}

/// Our requests on one connection.
#[derive(Debug)]
pub(super) struct Requests {
    next: u32,
    outstanding: Option<Outstanding>,
}

impl Requests {
    /// On a new connection numbers begin at 1.
    pub(super) const fn new() -> Self {
        Self::starting_at(1)
    }

    pub(super) const fn starting_at(next: u32) -> Self {
        Self {
            next,
            outstanding: None,
        }
    }

    /// Begins a request and gives its number.
    pub(super) fn begin(&mut self, request: Request) -> u32 {
        assert!(self.outstanding.is_none(), "one request at a time");
        let sequence = self.next;
        self.next = if sequence >= LAST { 1 } else { sequence + 1 };
        self.outstanding = Some(Outstanding {
            request,
            sequence,
            is_out: false,
        });
        sequence
    }

    /// The request of that number was handed to the transport.
    pub(super) fn went_out(&mut self, sequence: u32) {
        if let Some(outstanding) = &mut self.outstanding
            && outstanding.sequence == sequence
        {
            outstanding.is_out = true;
        }
    }

    /// The unanswered one.
    pub(super) const fn outstanding(&self) -> Option<Outstanding> {
        self.outstanding
    }

    /// Matches a response on number and command; if it is the one that was waited for, nothing is outstanding any more.
    /// A generic_nack of number 0 can only mean the one that is.
    pub(super) fn take_reply(&mut self, frame: &Frame) -> Reply {
        let Some(outstanding) = self.outstanding.filter(|outstanding| outstanding.is_out) else {
            return Reply::Stray;
        };
        let same = frame.sequence == outstanding.sequence;
        let reply = match frame.id {
            CommandId::GENERIC_NACK if same || frame.sequence == 0 => {
                Reply::Nack(outstanding.request)
            }
            id if same && id == outstanding.request.command().response() => {
                Reply::To(outstanding.request)
            }
            _ => return Reply::Stray,
        };
        self.outstanding = None;
        reply
    }

    /// Gives up on the unanswered one.
    pub(super) const fn abandon(&mut self) -> Option<Outstanding> {
        self.outstanding.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::smpp::Status;

    fn frame(id: CommandId, sequence: u32) -> Frame {
        Frame {
            id,
            status: Status::OK,
            sequence,
            body: bytes::Bytes::new(),
        }
    }

    #[test]
    fn numbers_run_to_the_last_and_begin_again() {
        let mut requests = Requests::starting_at(LAST - 1);
        let mut given = Vec::new();
        for _ in 0..4 {
            given.push(requests.begin(Request::Probe));
            requests.abandon();
        }
        assert_eq!(given, [LAST - 1, LAST, 1, 2]);
    }

    #[test]
    fn a_reply_is_known_by_number_and_command() {
        let mut requests = Requests::new();
        let sequence = requests.begin(Request::Submit);
        let answer = frame(CommandId::SUBMIT_SM_RESP, sequence);
        assert_eq!(
            requests.take_reply(&answer),
            Reply::Stray,
            "it has not left yet"
        );
        requests.went_out(sequence);
        assert_eq!(
            requests.take_reply(&frame(CommandId::ENQUIRE_LINK_RESP, sequence)),
            Reply::Stray
        );
        assert_eq!(
            requests.take_reply(&frame(CommandId::SUBMIT_SM_RESP, sequence + 1)),
            Reply::Stray
        );
        assert_eq!(
            requests.take_reply(&frame(CommandId::GENERIC_NACK, sequence + 1)),
            Reply::Stray
        );
        assert_eq!(requests.take_reply(&answer), Reply::To(Request::Submit));
        assert_eq!(requests.take_reply(&answer), Reply::Stray, "it is answered");
        let sequence = requests.begin(Request::Submit);
        requests.went_out(sequence);
        assert_eq!(
            requests.take_reply(&frame(CommandId::GENERIC_NACK, 0)),
            Reply::Nack(Request::Submit)
        );
    }
}
