//! Timers: a wheel of seven levels, so that arming, moving and disarming cost the same whatever else is armed.
//!
//! Times are milliseconds of whatever clock the wheel is for. A slot of the lowest level is 16 ms wide, one of the next
//! 64 times that, and so on. A timer waits on the level of the highest digit in which its deadline differs from the
//! present, and comes down as that digit is reached; so all on a lower level are due before all on a higher one.
//! A timer fires at its deadline, never before.

/// Milliseconds in a slot of the lowest level, as a power of two.
const FINEST: u32 = 4;
/// Slots a level, as a power of two: as many as a word has bits.
const WIDTH: u32 = 6;
const SLOTS: usize = 1 << WIDTH;
/// Seven levels reach 2,000 years ahead; what lies beyond waits at the end and is placed again then.
const LEVELS: usize = 7;
const REACH: u64 = 1 << (FINEST + WIDTH * LEVELS as u32);
/// The list of those that are due and were not taken yet.
const DUE: usize = LEVELS * SLOTS;
/// No timer.
const NONE: u32 = u32::MAX;

/// One armed timer. It is worth nothing once the timer was taken or disarmed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TimerId(u32);

#[derive(Clone, Debug)]
struct Node<K> {
    deadline: u64,
    key: K,
    before: u32,
    after: u32,
    /// The list that it is in, or [`NONE`] if this place is free (and `after` the next free one).
    list: u32,
}

/// Timers, each with a key that says what it is for.
#[derive(Debug)]
pub(super) struct Wheel<K> {
    nodes: Vec<Node<K>>,
    free: u32,
    heads: Box<[u32]>,
    /// A bit for each slot that is not empty.
    occupied: [u64; LEVELS],
    /// All that was due by then has been moved to the due list.
    now: u64,
    /// No timer outside the due list is due before this.
    soonest: u64,
    armed: usize,
}

impl<K: Copy> Wheel<K> {
    pub(super) fn new(now: u64) -> Self {
        Self {
            nodes: Vec::new(),
            free: NONE,
            heads: vec![NONE; DUE + 1].into_boxed_slice(),
            occupied: [0; LEVELS],
            now,
            soonest: u64::MAX,
            armed: 0,
        }
    }

    /// How many are armed.
    pub(super) const fn armed(&self) -> usize {
        self.armed
    }

    /// Arms a timer.
    pub(super) fn arm(&mut self, deadline: u64, key: K) -> TimerId {
        let node = Node {
            deadline,
            key,
            before: NONE,
            after: NONE,
            list: NONE,
        };
        let id = if self.free == NONE {
            self.nodes.push(node);
            u32::try_from(self.nodes.len() - 1).expect("fewer timers than an address space holds")
        } else {
            let id = self.free;
            self.free = self.nodes[id as usize].after;
            self.nodes[id as usize] = node;
            id
        };
        self.place(id);
        self.armed += 1;
        TimerId(id)
    }

    /// Takes a timer away before it is due.
    pub(super) fn disarm(&mut self, TimerId(id): TimerId) {
        self.unlink(id);
        self.release(id);
    }

    fn release(&mut self, id: u32) {
        let node = &mut self.nodes[id as usize];
        (node.list, node.after) = (NONE, self.free);
        self.free = id;
        self.armed -= 1;
    }

    /// Takes one that is due at this time.
    pub(super) fn take(&mut self, to: u64) -> Option<K> {
        if self.heads[DUE] == NONE && to >= self.soonest {
            self.gather(to);
        }
        let id = self.heads[DUE];
        if id == NONE {
            return None;
        }
        let key = self.nodes[id as usize].key;
        self.disarm(TimerId(id));
        Some(key)
    }

    /// When to look again at the latest; perhaps too early, never too late.
    pub(super) fn next(&self) -> Option<u64> {
        if self.heads[DUE] != NONE {
            return Some(self.now);
        }
        (self.soonest != u64::MAX).then_some(self.soonest)
    }

    /// The clock was set back: all are placed anew.
    pub(super) fn rewind(&mut self, to: u64) {
        self.now = to;
        self.soonest = u64::MAX;
        self.occupied = [0; LEVELS];
        self.heads.fill(NONE);
        for id in 0..self.nodes.len() {
            if self.nodes[id].list != NONE {
                self.place(u32::try_from(id).expect("ids are of this width"));
            }
        }
    }

    /// Moves all that is due to the due list.
    fn gather(&mut self, to: u64) {
        loop {
            let lowest = (0..LEVELS).find(|level| self.occupied[*level] != 0);
            let Some(level) = lowest else {
                self.now = self.now.max(to);
                self.soonest = u64::MAX;
                return;
            };
            let slot = self.occupied[level].trailing_zeros();
            let begin = self.begin(level, slot);
            if begin > to {
                self.now = self.now.max(to);
                self.soonest = begin;
                return;
            }
            self.now = self.now.max(begin);
            let list = level * SLOTS + slot as usize;
            let mut id = std::mem::replace(&mut self.heads[list], NONE);
            self.occupied[level] &= !(1 << slot);
            let mut rest = u64::MAX;
            while id != NONE {
                let node = &self.nodes[id as usize];
                let (after, deadline) = (node.after, node.deadline);
                if level == 0 && deadline <= to {
                    self.link(id, DUE);
                } else if level == 0 {
                    rest = rest.min(deadline);
                    self.link(id, list);
                } else {
                    self.place(id);
                }
                id = after;
            }
            if rest != u64::MAX {
                // The slot of the present: all others come later.
                self.now = self.now.max(to);
                self.soonest = rest;
                return;
            }
        }
    }

    /// When a slot's time begins.
    fn begin(&self, level: usize, slot: u32) -> u64 {
        let shift = FINEST + WIDTH * level as u32;
        let above = shift + WIDTH;
        (self.now >> above << above) | u64::from(slot) << shift
    }

    /// Puts a timer into the slot of its deadline.
    fn place(&mut self, id: u32) {
        let deadline = self.nodes[id as usize].deadline;
        self.soonest = self.soonest.min(deadline);
        // Beyond the reach: the last slot of all.
        let at = deadline.max(self.now).min(self.now | (REACH - 1));
        let differs = (at ^ self.now) >> FINEST;
        let level = match differs.checked_ilog2() {
            None => 0,
            Some(bit) => (bit / WIDTH) as usize,
        };
        let slot = (at >> (FINEST + WIDTH * level as u32)) & (SLOTS as u64 - 1);
        self.link(id, level * SLOTS + slot as usize);
    }

    fn link(&mut self, id: u32, list: usize) {
        let head = std::mem::replace(&mut self.heads[list], id);
        if head != NONE {
            self.nodes[head as usize].before = id;
        }
        let node = &mut self.nodes[id as usize];
        (node.before, node.after) = (NONE, head);
        node.list = u32::try_from(list).expect("there are few lists");
        if list < DUE {
            self.occupied[list / SLOTS] |= 1 << (list % SLOTS);
        }
    }

    fn unlink(&mut self, id: u32) {
        let Node {
            before,
            after,
            list,
            ..
        } = self.nodes[id as usize];
        assert_ne!(list, NONE, "a timer is disarmed once");
        let list = list as usize;
        if before == NONE {
            self.heads[list] = after;
            if after == NONE && list < DUE {
                self.occupied[list / SLOTS] &= !(1 << (list % SLOTS));
            }
        } else {
            self.nodes[before as usize].after = after;
        }
        if after != NONE {
            self.nodes[after as usize].before = before;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small, and the same each time.
    fn chance(state: &mut u64) -> u64 {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        *state >> 33
    }

    #[test]
    fn timers_fire_at_their_time_in_any_order_of_arming() {
        let mut state = 1;
        let mut wheel = Wheel::new(1_000_000);
        let mut now = 1_000_000;
        let mut armed: Vec<(u64, u64, TimerId)> = Vec::new();
        for round in 0..20_000_u64 {
            let far = 1_u64 << (chance(&mut state) % 45);
            let deadline = now + chance(&mut state) % far.max(1);
            armed.push((round, deadline, wheel.arm(deadline, round)));
            if chance(&mut state).is_multiple_of(4) {
                let place = chance(&mut state) as usize % armed.len();
                wheel.disarm(armed.swap_remove(place).2);
            }
            if chance(&mut state).is_multiple_of(3) {
                now += chance(&mut state) % (1 << (chance(&mut state) % 30));
                let mut fired = Vec::new();
                while let Some(key) = wheel.take(now) {
                    fired.push(key);
                }
                let is_due = |one: &(u64, u64, TimerId)| one.1 <= now;
                let mut due: Vec<u64> = armed
                    .extract_if(.., |one| is_due(one))
                    .map(|one| one.0)
                    .collect();
                fired.sort_unstable();
                due.sort_unstable();
                assert_eq!(fired, due, "at {now}");
                let next = armed.iter().map(|one| one.1).min();
                assert!(
                    wheel.next() <= next.or(wheel.next())
                        && wheel.next().is_some() == next.is_some()
                );
            }
            if chance(&mut state).is_multiple_of(500) {
                now -= now / 3;
                wheel.rewind(now);
            }
            assert_eq!(wheel.armed(), armed.len());
        }
    }

    #[test]
    fn what_is_due_and_disarmed_does_not_fire() {
        let mut wheel = Wheel::new(0);
        let (one, _two) = (wheel.arm(5, 1), wheel.arm(5, 2));
        let first = wheel.take(10);
        if first == Some(2) {
            wheel.disarm(one);
        }
        assert_eq!(wheel.take(10).is_some(), first == Some(1));
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn a_time_beyond_the_reach_is_kept() {
        let mut wheel = Wheel::new(7);
        wheel.arm(u64::MAX, ());
        assert_eq!(wheel.take(u64::MAX / 2), None);
        assert_eq!(wheel.take(u64::MAX), Some(()));
    }
}
