//! After a crash: from what is found on disk to what is done about it. A table, without I/O.
//!
//! The cases carry the letters of `docs/ring-file.md` section 7. Recovery never guesses: what was promised to
//! somebody is kept, or named as damaged, or the ring is fenced; what nobody was told of may go.

use std::fmt;

use super::array::{Array, Imprints};
use super::bits::Bits;
use super::marks::Marks;
use super::page::{Broken, Fence, Found, State};
use crate::lane::{Address, Epoch, SLOTS, Sequence, Side};
use crate::message::DeliveryKey;

/// What lies in a slot, seen from the window of 255 sequences after *processed*.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finding {
    /// Valid, with the window's sequence.
    Live,
    /// Valid, of an earlier lap.
    Old,
    /// Zeros.
    Empty,
    /// Anything else.
    Broken,
}

/// What the marks say of a sequence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expected {
    /// Processed ahead of the pointer.
    Done,
    /// Somebody was told that it is safe.
    Acknowledged,
    /// Beyond all that the marks tell.
    Unknown,
}

/// What else decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Besides {
    /// Which end.
    pub side: Side,
    /// Something valid lies behind it in the window.
    pub live_behind: bool,
    /// Every message before it in the window is acknowledged or live.
    pub no_gap_before: bool,
}

/// The rows of the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[expect(
    missing_docs,
    reason = "the letters are explained in docs/ring-file.md and below"
)]
pub enum Case {
    A,
    B,
    C,
    D,
    E,
    F,
    G,
    H,
    I,
    J,
}

/// What is done about a case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The message stays.
    Keep,
    /// Zeros are written before anything else is accepted.
    Wipe,
    /// Nothing to do.
    Free,
    /// The message waits for repair; its address is not used again.
    Damaged,
    /// The ring stays shut.
    Fence,
}

impl Case {
    /// The row that fits. Each combination meets exactly one; a test walks them all.
    pub const fn of(found: Finding, expected: Expected, besides: Besides) -> Self {
        match (found, expected) {
            (Finding::Live, Expected::Acknowledged) => Self::A,
            (Finding::Live, Expected::Unknown) => match besides.side {
                Side::Mirror => Self::B,
                Side::Origin if besides.no_gap_before => Self::B,
                Side::Origin => Self::C,
            },
            (Finding::Old | Finding::Empty, Expected::Unknown) => Self::D,
            (Finding::Broken, Expected::Unknown) => Self::E,
            (Finding::Broken, Expected::Acknowledged) => Self::F,
            (Finding::Old | Finding::Empty, Expected::Acknowledged) => {
                if besides.live_behind {
                    Self::G
                } else {
                    Self::H
                }
            }
            (Finding::Live | Finding::Old | Finding::Empty, Expected::Done) => Self::I,
            (Finding::Broken, Expected::Done) => Self::J,
        }
    }

    /// What is done.
    pub const fn verdict(self) -> Verdict {
        match self {
            Self::A | Self::B => Verdict::Keep,
            Self::C | Self::E | Self::J => Verdict::Wipe,
            Self::D | Self::I => Verdict::Free,
            Self::F | Self::G => Verdict::Damaged,
            Self::H => Verdict::Fence,
        }
    }
}

/// One slot that an operator should hear of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remark {
    /// The message that lies there, or would.
    pub sequence: Sequence,
    /// Which row of the table.
    pub case: Case,
    /// What was wrong with the page, if it was broken.
    pub broken: Option<Broken>,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slot {}: ", self.sequence.address())?;
        let sequence = self.sequence;
        match self.case {
            Case::C => write!(
                f,
                "message {sequence} was being written when the power went, nobody was told of it; wiped"
            )?,
            Case::E | Case::J => {
                f.write_str("unreadable, but no message lived there; wiped")?;
            }
            Case::F => write!(
                f,
                "message {sequence} is damaged; it waits for the far end's copy"
            )?,
            Case::G => write!(
                f,
                "message {sequence} is missing though it was stored; it waits for the far end's copy"
            )?,
            Case::H => write!(
                f,
                "message {sequence} was promised and this file ends before it; the ring stays shut, \
                 see `sluice ring renew`"
            )?,
            Case::A | Case::B | Case::D | Case::I => write!(f, "message {sequence} is in order")?,
        }
        match &self.broken {
            Some(why) => write!(f, " ({why})"),
            None => Ok(()),
        }
    }
}

/// All that was found of one ring.
pub struct Evidence {
    /// Which end it is.
    pub side: Side,
    /// Its epoch, from the directory.
    pub epoch: Epoch,
    /// The state pages A and B.
    pub states: [Option<State>; 2],
    /// The live record.
    pub live: Option<State>,
    /// The slots by address − 1.
    pub slots: Vec<Found>,
}

/// What recovery made of it.
#[derive(Debug)]
pub struct Recovered {
    /// The ring as it was.
    pub array: Array,
    /// Slots to be wiped before anything is accepted.
    pub wipe: Vec<Address>,
    /// The number of the next state page.
    pub next_state: u64,
    /// Why the ring must stay shut, if it must.
    pub fence: Option<Fence>,
    /// Whether that reason does not stand in both state pages yet.
    pub fence_unwritten: bool,
    /// Whether it had been stopped in order.
    pub clean: bool,
    /// Kept messages of whose answer nothing is known (case B).
    pub unanswered: Vec<Sequence>,
    /// What an operator should hear of, by address.
    pub remarks: Vec<Remark>,
}

/// Recovers one ring.
///
/// # Panics
/// If there are not 255 slots.
pub fn recover(evidence: Evidence) -> Recovered {
    assert_eq!(evidence.slots.len() as u64, SLOTS, "a ring has 255 slots");
    let marks = merge_marks(&evidence);
    let findings: Vec<Finding> = evidence
        .slots
        .iter()
        .zip(Address::all())
        .map(|(found, address)| finding(found, marks.in_window(address)))
        .collect();
    let mut recovered = walk(&evidence, marks, &findings);
    let states = evidence.states.iter().flatten();
    recovered.next_state = states
        .clone()
        .map(|state| state.number + 1)
        .max()
        .unwrap_or(1);
    let newest = states.max_by_key(|state| state.number);
    recovered.clean = newest.is_some_and(|state| state.clean);
    recovered.fence = recovered.fence.or(newest.and_then(|state| state.fence));
    let told = |state: &Option<State>| state.is_some_and(|state| state.fence.is_some());
    recovered.fence_unwritten = recovered.fence.is_some() && !evidence.states.iter().all(told);
    recovered
}

fn merge_marks(evidence: &Evidence) -> Marks {
    let mut marks = Marks::default();
    for state in evidence.states.iter().chain([&evidence.live]).flatten() {
        marks.merge(&state.marks);
    }
    for found in &evidence.slots {
        if let Found::Slot(slot) = found {
            marks.merge(&slot.marks);
            // Its address was free: the message before it there had been processed.
            marks.processed.raise(slot.sequence.lap_before());
        }
    }
    marks.close();
    marks
}

const fn finding(found: &Found, expected: Sequence) -> Finding {
    match found {
        Found::Empty => Finding::Empty,
        Found::Broken(_) => Finding::Broken,
        Found::Slot(slot) if slot.sequence.get() == expected.get() => Finding::Live,
        Found::Slot(_) => Finding::Old,
    }
}

fn walk(evidence: &Evidence, mut marks: Marks, findings: &[Finding]) -> Recovered {
    let known = marks.retrieved;
    let first = marks.processed.up_to().next();
    let window = (0..SLOTS).map(|step| first.plus(step));
    let last_live = window
        .clone()
        .rfind(|sequence| findings[sequence.address().index()] == Finding::Live)
        .unwrap_or(Sequence::NONE);

    let mut slots = vec![None; SLOTS as usize].into_boxed_slice();
    let mut damaged = Bits::NONE;
    let mut recovered = Recovered {
        array: Array::new(evidence.side, evidence.epoch),
        wipe: Vec::new(),
        next_state: 1,
        fence: None,
        fence_unwritten: false,
        clean: false,
        unanswered: Vec::new(),
        remarks: Vec::new(),
    };
    let mut no_gap_before = true;
    for sequence in window {
        let address = sequence.address();
        let found = findings[address.index()];
        let expected = if marks.processed.has(sequence) {
            Expected::Done
        } else if known.has(sequence) {
            Expected::Acknowledged
        } else {
            Expected::Unknown
        };
        let case = Case::of(
            found,
            expected,
            Besides {
                side: evidence.side,
                live_behind: sequence < last_live,
                no_gap_before,
            },
        );
        if expected == Expected::Unknown && found != Finding::Live {
            no_gap_before = false;
        }
        match case.verdict() {
            Verdict::Keep => {
                if let Found::Slot(slot) = &evidence.slots[address.index()] {
                    slots[address.index()] = Some(slot.parcel.clone());
                }
                if case == Case::B {
                    marks.retrieved.set(sequence);
                    recovered.unanswered.push(sequence);
                }
            }
            Verdict::Wipe => recovered.wipe.push(address),
            Verdict::Free => {}
            Verdict::Damaged => {
                damaged.set(address);
            }
            Verdict::Fence => recovered.fence = Some(Fence::OlderCopy),
        }
        if !matches!(case, Case::A | Case::B | Case::D | Case::I) {
            let broken = match &evidence.slots[address.index()] {
                Found::Broken(why) => Some(*why),
                Found::Empty | Found::Slot(_) => None,
            };
            recovered.remarks.push(Remark {
                sequence,
                case,
                broken,
            });
        }
    }
    if evidence.side == Side::Mirror {
        // What is here has crossed the link.
        marks.sent.merge(&marks.retrieved);
    }
    recovered
        .remarks
        .sort_by_key(|remark| remark.sequence.address());
    recovered.array = Array::recovered(
        evidence.side,
        evidence.epoch,
        marks,
        slots,
        keys(evidence, marks.retrieved.highest()),
        imprints(evidence, marks.retrieved.highest()),
        damaged,
    );
    recovered
}

/// The keys of messages that were stored. One that is wiped was not: its source will bring it again, and must not hear
/// that it is here.
fn keys(evidence: &Evidence, last: Sequence) -> Box<[DeliveryKey]> {
    evidence
        .slots
        .iter()
        .map(|found| match found {
            Found::Slot(slot) if slot.sequence <= last => slot.parcel.key,
            Found::Slot(_) | Found::Empty | Found::Broken(_) => DeliveryKey::NONE,
        })
        .collect()
}

/// The imprints of messages that were stored.
fn imprints(evidence: &Evidence, last: Sequence) -> Imprints {
    evidence
        .slots
        .iter()
        .map(|found| match found {
            Found::Slot(slot) if slot.sequence <= last => (slot.sequence, slot.parcel.imprint()),
            Found::Slot(_) | Found::Empty | Found::Broken(_) => (Sequence::NONE, 0),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of `docs/ring-file.md`, written a second time as the conditions of each row.
    fn rows(found: Finding, expected: Expected, besides: Besides) -> Vec<Case> {
        use Expected::{Acknowledged, Done, Unknown};
        use Finding::{Broken, Empty, Live, Old};
        let unread = matches!(found, Old | Empty);
        let mirror = besides.side == Side::Mirror;
        [
            (Case::A, found == Live && expected == Acknowledged),
            (
                Case::B,
                found == Live && expected == Unknown && (mirror || besides.no_gap_before),
            ),
            (
                Case::C,
                found == Live && expected == Unknown && !mirror && !besides.no_gap_before,
            ),
            (Case::D, unread && expected == Unknown),
            (Case::E, found == Broken && expected == Unknown),
            (Case::F, found == Broken && expected == Acknowledged),
            (
                Case::G,
                unread && expected == Acknowledged && besides.live_behind,
            ),
            (
                Case::H,
                unread && expected == Acknowledged && !besides.live_behind,
            ),
            (Case::I, found != Broken && expected == Done),
            (Case::J, found == Broken && expected == Done),
        ]
        .into_iter()
        .filter_map(|(case, holds)| holds.then_some(case))
        .collect()
    }

    #[test]
    fn each_combination_meets_exactly_one_row() {
        let mut met = std::collections::BTreeSet::new();
        for found in [Finding::Live, Finding::Old, Finding::Empty, Finding::Broken] {
            for expected in [Expected::Done, Expected::Acknowledged, Expected::Unknown] {
                for side in [Side::Origin, Side::Mirror] {
                    for live_behind in [false, true] {
                        for no_gap_before in [false, true] {
                            let besides = Besides {
                                side,
                                live_behind,
                                no_gap_before,
                            };
                            let rows = rows(found, expected, besides);
                            assert_eq!(rows, [Case::of(found, expected, besides)]);
                            met.extend(rows);
                        }
                    }
                }
            }
        }
        assert_eq!(met.len(), 10, "every row is met by something");
    }

    #[test]
    fn nothing_promised_is_ever_wiped_or_freed() {
        for found in [Finding::Live, Finding::Old, Finding::Empty, Finding::Broken] {
            for live_behind in [false, true] {
                for no_gap_before in [false, true] {
                    for side in [Side::Origin, Side::Mirror] {
                        let besides = Besides {
                            side,
                            live_behind,
                            no_gap_before,
                        };
                        let verdict = Case::of(found, Expected::Acknowledged, besides).verdict();
                        assert!(!matches!(verdict, Verdict::Wipe | Verdict::Free));
                    }
                }
            }
        }
    }
}
