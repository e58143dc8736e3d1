//! What waits for a lane: for each route the first messages of the backlog, in their order. A machine without I/O.
//!
//! The backlog is durable and may be long; here is only its head. Each route has a window of its own, so that a route
//! whose lanes are down holds up nobody else, however much waits for it. Whoever reads the backlog fills a window when
//! [`Waiting::wants`] says so, and says [`Waiting::more`] when something has come.

use std::collections::{HashSet, VecDeque};

use super::router::{Choice, RouteId, Router, Why};
use crate::clock::{Moment, WallTime};
use crate::message::Party;

/// How many messages of a route are kept in memory: several times what all rings of a route of 16 lanes take in a round
/// trip. A text has at most 2,448 characters, so a window holds 10 MiB at the very most, and mostly one.
pub const WINDOW: usize = 4096;

/// How many messages that wait for their order are passed by in one look; behind so many, others of the same route wait
/// too. It bounds what a look costs.
const PASSED_BY: usize = 512;

/// One message that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry<T> {
    /// Sender and recipient.
    pub pair: (Party, Party),
    /// How many parts it has.
    pub parts: u64,
    /// After this time it is of no use.
    pub valid_until: Option<WallTime>,
    /// What its owner knows it by.
    pub tag: T,
}

/// What is to be done with a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next<T> {
    /// Put it on this lane. The router has been told.
    Send(super::router::LaneId, Entry<T>),
    /// Its validity ended while it waited.
    Expired(Entry<T>),
}

#[derive(Debug)]
struct Window<T> {
    entries: VecDeque<Entry<T>>,
    /// Whether all of the backlog is here.
    complete: bool,
    waits_for: Option<Why>,
}

/// The heads of all routes.
#[derive(Debug)]
pub struct Waiting<T> {
    windows: Vec<Window<T>>,
    /// Which route is looked at first; by turns, so that none starves.
    turn: usize,
}

impl<T> Waiting<T> {
    /// Empty windows for so many routes, which have seen nothing of the backlog yet.
    pub fn new(routes: usize) -> Self {
        let window = |_| Window {
            entries: VecDeque::new(),
            complete: false,
            waits_for: None,
        };
        Self {
            windows: (0..routes).map(window).collect(),
            turn: 0,
        }
    }

    /// How many more of its messages this route should be given out of the backlog, if any.
    pub fn wants(&self, route: RouteId) -> Option<usize> {
        let window = &self.windows[route.0];
        (!window.complete && window.entries.len() < WINDOW / 2)
            .then(|| WINDOW - window.entries.len())
    }

    /// Gives a route the next of its messages out of the backlog; `complete` says that there are no more.
    pub fn fill(
        &mut self,
        route: RouteId,
        entries: impl IntoIterator<Item = Entry<T>>,
        complete: bool,
    ) {
        let window = &mut self.windows[route.0];
        window.entries.extend(entries);
        window.complete = complete;
    }

    /// Something has come to the end of the backlog: each route looks there again.
    pub fn more(&mut self) {
        for window in &mut self.windows {
            window.complete = false;
        }
    }

    /// Puts messages back to where they were taken from: they come first, in this order.
    pub fn put_back(&mut self, route: RouteId, entries: Vec<Entry<T>>) {
        let window = &mut self.windows[route.0];
        for entry in entries.into_iter().rev() {
            window.entries.push_front(entry);
        }
    }

    /// Whether a route has seen all that is in the backlog.
    pub fn is_complete(&self, route: RouteId) -> bool {
        self.windows[route.0].complete
    }

    /// How many are here.
    pub fn len(&self) -> usize {
        self.windows.iter().map(|window| window.entries.len()).sum()
    }

    /// Whether none is here.
    pub fn is_empty(&self) -> bool {
        self.windows.iter().all(|window| window.entries.is_empty())
    }

    /// Why the first message of a route waits, as of the last look.
    pub fn waits_for(&self, route: RouteId) -> Option<Why> {
        self.windows[route.0].waits_for
    }

    /// The next message that can go, by turns of the routes; `None` if all have to wait. The order of each pair is
    /// kept: behind one that waits, none of the same pair goes.
    pub fn next(
        &mut self,
        router: &mut Router,
        now: Moment,
        wall: WallTime,
    ) -> Option<(RouteId, Next<T>)> {
        let routes = self.windows.len();
        for step in 0..routes {
            let place = (self.turn + step) % routes;
            let route = RouteId(place);
            // The last window may be of messages that no route leads to; its owner takes those out.
            if place >= router.routes() {
                continue;
            }
            if let Some(next) = self.windows[place].next(route, router, now, wall) {
                self.turn = (place + 1) % routes;
                return Some((route, next));
            }
        }
        None
    }

    /// Takes the first message of a route out, whatever it waits for.
    pub fn take_first(&mut self, route: RouteId) -> Option<Entry<T>> {
        self.windows[route.0].entries.pop_front()
    }
}

impl<T> Window<T> {
    fn next(
        &mut self,
        route: RouteId,
        router: &mut Router,
        now: Moment,
        wall: WallTime,
    ) -> Option<Next<T>> {
        let mut held: HashSet<&(Party, Party)> = HashSet::new();
        let mut found = None;
        self.waits_for = None;
        for (place, entry) in self.entries.iter().enumerate().take(PASSED_BY) {
            if entry.valid_until.is_some_and(|until| until <= wall) {
                found = Some((place, None));
                break;
            }
            if held.contains(&entry.pair) {
                continue;
            }
            match router.choose(now, route, &entry.pair, entry.parts) {
                Choice::Take(lane) => {
                    found = Some((place, Some(lane)));
                    break;
                }
                Choice::Wait(why) => {
                    self.waits_for.get_or_insert(why);
                    // Nobody behind it finds room either, unless bound to a lane that has some; those are few, and the
                    // lane that they are bound to is up.
                    if why != Why::Order && !router.may_take(route) {
                        break;
                    }
                    held.insert(&entry.pair);
                }
            }
        }
        let (place, lane) = found?;
        let entry = self.entries.remove(place)?;
        Some(match lane {
            Some(lane) => {
                router.took(lane, entry.pair.clone(), entry.parts);
                Next::Send(lane, entry)
            }
            None => Next::Expired(entry),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::router::{LaneId, LaneSpec, RouteSpec};
    use super::*;
    use crate::message::{PhoneNumber, ShortCode};
    use std::time::Duration;

    const NOW: Moment = Moment::START;
    const WALL: WallTime = WallTime::from_unix_ms(1_000_000);

    fn pair(number: u32) -> (Party, Party) {
        let phone = PhoneNumber::new(&format!("+3584{number:07}")).unwrap();
        (ShortCode::new("17000").unwrap().into(), phone.into())
    }

    fn entry(number: u32, tag: u32) -> Entry<u32> {
        Entry {
            pair: pair(number),
            parts: 1,
            valid_until: None,
            tag,
        }
    }

    /// Two routes with a lane each.
    fn router() -> Router {
        let lanes = ["oslo/a", "turku/b"].map(|name| LaneSpec {
            lane: name.parse().unwrap(),
            operator: String::new(),
            weight: 1,
        });
        let routes = [("", "oslo/a"), ("46", "turku/b")].map(|(prefix, lane)| RouteSpec {
            prefix: prefix.into(),
            operator: None,
            lanes: vec![lane.parse().unwrap()],
            reserve: Vec::new(),
        });
        let mut router = Router::new(lanes.into(), &routes, Duration::from_secs(600));
        for lane in [LaneId(0), LaneId(1)] {
            router.set_up(NOW, lane, true);
            router.set_room(lane, 255);
        }
        router
    }

    fn sent(waiting: &mut Waiting<u32>, router: &mut Router) -> Vec<(usize, u32)> {
        std::iter::from_fn(|| waiting.next(router, NOW, WALL))
            .filter_map(|(_, next)| match next {
                Next::Send(lane, entry) => Some((lane.0, entry.tag)),
                Next::Expired(_) => None,
            })
            .collect()
    }

    #[test]
    fn routes_take_turns_and_each_keeps_its_order() {
        let (mut waiting, mut router) = (Waiting::new(2), router());
        waiting.fill(RouteId(0), (0..3).map(|n| entry(n, n)), true);
        waiting.fill(RouteId(1), (10..13).map(|n| entry(n, n)), true);
        assert_eq!(
            sent(&mut waiting, &mut router),
            [(0, 0), (1, 10), (0, 1), (1, 11), (0, 2), (1, 12)]
        );
        assert!(waiting.is_empty());
    }

    #[test]
    fn a_route_that_stands_holds_up_nobody() {
        let (mut waiting, mut router) = (Waiting::new(2), router());
        router.set_up(NOW, LaneId(0), false);
        waiting.fill(RouteId(0), (0..WINDOW as u32).map(|n| entry(n, n)), false);
        waiting.fill(RouteId(1), [entry(1, 100)], true);
        assert_eq!(sent(&mut waiting, &mut router), [(1, 100)]);
        assert_eq!(waiting.waits_for(RouteId(0)), Some(Why::NoLaneUp));
        assert_eq!(waiting.wants(RouteId(0)), None);
        assert_eq!(waiting.len(), WINDOW);
    }

    #[test]
    fn a_pair_that_waits_for_its_order_is_passed_by_whole() {
        let (mut waiting, mut router) = (Waiting::new(2), router());
        // A long message has no room, what others wrote has.
        router.set_room(LaneId(0), 2);
        let long = Entry {
            parts: 3,
            ..entry(1, 1)
        };
        waiting.fill(
            RouteId(0),
            [long, entry(1, 2), entry(2, 3), entry(3, 4), entry(4, 5)],
            true,
        );
        assert_eq!(sent(&mut waiting, &mut router), [(0, 3), (0, 4)]);
        router.set_room(LaneId(0), 255);
        assert_eq!(sent(&mut waiting, &mut router), [(0, 1), (0, 2), (0, 5)]);
    }

    #[test]
    fn what_was_valid_once_expires_in_its_turn() {
        let (mut waiting, mut router) = (Waiting::new(2), router());
        let old = Entry {
            valid_until: Some(WallTime::from_unix_ms(999_999)),
            ..entry(1, 1)
        };
        router.set_up(NOW, LaneId(0), false);
        waiting.fill(RouteId(0), [old.clone(), entry(2, 2)], true);
        // Also while nothing can go.
        assert_eq!(
            waiting.next(&mut router, NOW, WALL),
            Some((RouteId(0), Next::Expired(old)))
        );
        assert_eq!(waiting.next(&mut router, NOW, WALL), None);
        assert_eq!(waiting.len(), 1);
    }

    #[test]
    fn a_window_is_filled_when_half_of_it_is_gone_and_asks_again_when_something_comes() {
        let (mut waiting, mut router) = (Waiting::new(1), router());
        let route = RouteId(0);
        assert_eq!(waiting.wants(route), Some(WINDOW));
        waiting.fill(route, (0..WINDOW as u32).map(|n| entry(n, n)), false);
        assert_eq!(waiting.wants(route), None);
        while waiting.len() >= WINDOW / 2 {
            let Some((_, Next::Send(lane, sent))) = waiting.next(&mut router, NOW, WALL) else {
                panic!("there is room");
            };
            router.done(lane, &sent.pair);
            router.set_room(lane, 255);
        }
        assert_eq!(waiting.wants(route), Some(WINDOW / 2 + 1));
        waiting.fill(route, [], true);
        assert_eq!(waiting.wants(route), None);
        waiting.more();
        assert_eq!(waiting.wants(route), Some(WINDOW / 2 + 1));
    }

    #[test]
    fn what_could_not_be_put_on_its_lane_comes_first_again() {
        let (mut waiting, mut router) = (Waiting::new(1), router());
        let route = RouteId(0);
        waiting.fill(route, (3..5).map(|n| entry(n, n)), true);
        waiting.put_back(route, vec![entry(1, 1), entry(2, 2)]);
        let order: Vec<u32> = sent(&mut waiting, &mut router)
            .into_iter()
            .map(|(_, tag)| tag)
            .collect();
        assert_eq!(order, [1, 2, 3, 4]);
    }
}
