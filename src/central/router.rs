//! Which lane a message to a phone takes. A machine without I/O.
//!
//! By destination a message has a **route**: the one with the longest prefix of the recipient's number. A route names
//! lanes, or an operator whose lanes these are, and lanes in reserve. Among the lanes of its route a message takes the
//! one that has the least under way for its weight, of those that are up and have room for all its parts; the
//! reserve counts only while none of the route's own lanes is up.
//!
//! Order is kept for each pair of sender and recipient: as long as a pair has messages under way, its next one takes
//! the same lane, or waits for it. Only when that lane has been down for longer than the order is worth (the router's
//! `patience`) does the pair move to another.
//!
//! | the pair | its lane | the message |
//! |---|---|---|
//! | has nothing under way | | takes the best lane, or waits for one |
//! | has something under way | is up and has room | takes it |
//! | has something under way | is up and full | waits |
//! | has something under way | is down, not for long | waits |
//! | has something under way | has been down for `patience` | takes the best lane; the pair moves |

use std::collections::HashMap;
use std::time::Duration;

use crate::clock::Moment;
use crate::lane::{Lane, SLOTS};
use crate::message::{Party, PhoneNumber};

/// A lane, by its place in the list that the router was given.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LaneId(pub usize);

/// A route, by its place in the list that the router was given.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RouteId(pub usize);

/// A lane as the router is told of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LaneSpec {
    /// Which.
    pub lane: Lane,
    /// Whose network it leads to; empty if that is of no interest.
    pub operator: String,
    /// Its share among lanes of the same route; zero takes it out of all routes (it is still drained).
    pub weight: u32,
}

/// Where messages for some numbers go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteSpec {
    /// The beginning of the numbers, digits only; empty for all that have no other route.
    pub prefix: String,
    /// All lanes of this operator, and
    pub operator: Option<String>,
    /// these lanes.
    pub lanes: Vec<Lane>,
    /// Lanes that serve while none of the others is up.
    pub reserve: Vec<Lane>,
}

/// What becomes of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choice {
    /// It takes this lane; say [`Router::took`].
    Take(LaneId),
    /// It waits.
    Wait(Why),
}

/// What a message waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// None of its route's lanes is up.
    NoLaneUp,
    /// None of those that are up has room.
    Full,
    /// An earlier message of the same pair is under way on a lane that is down or full.
    Order,
}

#[derive(Clone, Debug)]
struct LaneState {
    spec: LaneSpec,
    down_since: Option<Moment>,
    room: u64,
    under_way: u64,
    given: u64,
}

impl LaneState {
    /// Less is better: what it has under way for each unit of its weight, then what it was given so far.
    fn load(&self) -> (u64, u64) {
        let weight = u64::from(self.spec.weight.max(1));
        let scaled = |count: u64| count.saturating_mul(1000) / weight;
        (scaled(self.under_way), scaled(self.given))
    }
}

#[derive(Clone, Debug)]
struct Route {
    prefix: String,
    lanes: Vec<LaneId>,
    reserve: Vec<LaneId>,
}

type Pair = (Party, Party);

#[derive(Clone, Copy, Debug)]
struct Bound {
    lane: LaneId,
    /// How many of its parts are under way there.
    parts: u64,
}

/// Chooses lanes.
#[derive(Debug)]
pub struct Router {
    lanes: Vec<LaneState>,
    routes: Vec<Route>,
    /// By length of prefix, the longest first.
    by_length: Vec<RouteId>,
    /// Pairs that have something under way; at most one for each slot of each lane.
    pairs: HashMap<Pair, Bound>,
    patience: Duration,
}

impl Router {
    /// A router of these lanes, all down and empty. Lanes that a route names and that are none are left out; who read
    /// the configuration has told of them.
    pub fn new(lanes: Vec<LaneSpec>, routes: &[RouteSpec], patience: Duration) -> Self {
        let lanes: Vec<LaneState> = lanes
            .into_iter()
            .map(|spec| LaneState {
                spec,
                down_since: Some(Moment::START),
                room: 0,
                under_way: 0,
                given: 0,
            })
            .collect();
        let mut router = Self {
            lanes,
            routes: Vec::new(),
            by_length: Vec::new(),
            pairs: HashMap::new(),
            patience,
        };
        router.reroute(routes);
        router
    }

    /// Takes other routes; what is under way stays where it is.
    pub fn reroute(&mut self, routes: &[RouteSpec]) {
        let find = |lane: &Lane| {
            let place = self.lanes.iter().position(|state| state.spec.lane == *lane);
            place.map(LaneId)
        };
        self.routes = routes
            .iter()
            .map(|spec| {
                let mut lanes: Vec<LaneId> = spec.lanes.iter().filter_map(find).collect();
                if let Some(operator) = &spec.operator {
                    let theirs =
                        |(_, state): &(usize, &LaneState)| state.spec.operator == *operator;
                    let all = self.lanes.iter().enumerate().filter(theirs);
                    lanes.extend(all.map(|(place, _)| LaneId(place)));
                }
                lanes.sort_unstable();
                lanes.dedup();
                Route {
                    prefix: spec.prefix.clone(),
                    lanes,
                    reserve: spec.reserve.iter().filter_map(find).collect(),
                }
            })
            .collect();
        let mut by_length: Vec<RouteId> = (0..self.routes.len()).map(RouteId).collect();
        by_length.sort_by_key(|&RouteId(place)| std::cmp::Reverse(self.routes[place].prefix.len()));
        self.by_length = by_length;
    }

    /// Changes a lane's operator and weight; say [`Router::reroute`] afterwards.
    pub fn respecify(&mut self, lane: LaneId, spec: LaneSpec) {
        self.lanes[lane.0].spec = spec;
    }

    /// The route of a number; `None` if no prefix fits.
    pub fn route(&self, recipient: &PhoneNumber) -> Option<RouteId> {
        let fits = |&&RouteId(place): &&RouteId| {
            recipient.digits().starts_with(&self.routes[place].prefix)
        };
        self.by_length.iter().find(fits).copied()
    }

    /// How many routes there are.
    pub const fn routes(&self) -> usize {
        self.routes.len()
    }

    /// A lane's name.
    pub fn lane(&self, lane: LaneId) -> &Lane {
        &self.lanes[lane.0].spec.lane
    }

    /// Whether a lane counts as up.
    pub fn is_up(&self, lane: LaneId) -> bool {
        self.lanes[lane.0].down_since.is_none()
    }

    /// A lane is up (its link stands, its ring is open, it moves), or is not.
    pub fn set_up(&mut self, now: Moment, lane: LaneId, up: bool) {
        let state = &mut self.lanes[lane.0];
        if up {
            state.down_since = None;
        } else if state.down_since.is_none() {
            state.down_since = Some(now);
        }
    }

    /// How many more messages a lane's ring takes.
    pub fn set_room(&mut self, lane: LaneId, room: u64) {
        self.lanes[lane.0].room = room;
    }

    /// Whether any lane that is up has room; if not, there is no use in asking.
    pub fn may_take(&self, route: RouteId) -> bool {
        let route = &self.routes[route.0];
        let ready = |lane: &&LaneId| {
            let state = &self.lanes[lane.0];
            state.down_since.is_none() && state.room > 0
        };
        route
            .lanes
            .iter()
            .chain(&route.reserve)
            .any(|lane| ready(&lane))
    }

    /// Which lane a message of so many parts takes. All parts of a message take the same one.
    pub fn choose(&self, now: Moment, route: RouteId, pair: &Pair, parts: u64) -> Choice {
        if let Some(bound) = self.pairs.get(pair) {
            let state = &self.lanes[bound.lane.0];
            match state.down_since {
                None if state.room >= parts => return Choice::Take(bound.lane),
                None => return Choice::Wait(Why::Order),
                Some(since) if now - since < self.patience => return Choice::Wait(Why::Order),
                Some(_) => {}
            }
        }
        let route = &self.routes[route.0];
        let up = |lanes: &[LaneId]| -> Vec<LaneId> {
            let is_up = |lane: &LaneId| {
                let state = &self.lanes[lane.0];
                state.down_since.is_none() && state.spec.weight > 0
            };
            lanes.iter().copied().filter(is_up).collect()
        };
        let mut candidates = up(&route.lanes);
        if candidates.is_empty() {
            candidates = up(&route.reserve);
        }
        if candidates.is_empty() {
            return Choice::Wait(Why::NoLaneUp);
        }
        candidates
            .into_iter()
            .filter(|lane| self.lanes[lane.0].room >= parts)
            .min_by_key(|lane| self.lanes[lane.0].load())
            .map_or(Choice::Wait(Why::Full), Choice::Take)
    }

    /// A message of so many parts was put on a lane; also said of all that is found there at a start.
    pub fn took(&mut self, lane: LaneId, pair: Pair, parts: u64) {
        let state = &mut self.lanes[lane.0];
        state.under_way += parts;
        state.given += parts;
        state.room = state.room.saturating_sub(parts);
        let bound = self.pairs.entry(pair).or_insert(Bound { lane, parts: 0 });
        if bound.lane == lane {
            bound.parts += parts;
        } else {
            // It moved: what it left behind is not waited for.
            *bound = Bound { lane, parts };
        }
    }

    /// One part of a pair's messages was processed.
    pub fn done(&mut self, lane: LaneId, pair: &Pair) {
        let state = &mut self.lanes[lane.0];
        state.under_way = state.under_way.saturating_sub(1);
        if let Some(bound) = self.pairs.get_mut(pair)
            && bound.lane == lane
        {
            bound.parts = bound.parts.saturating_sub(1);
            if bound.parts == 0 {
                self.pairs.remove(pair);
            }
        }
    }

    /// How many parts a lane has under way.
    pub fn under_way(&self, lane: LaneId) -> u64 {
        self.lanes[lane.0].under_way
    }

    /// How many pairs are bound to a lane.
    pub fn pairs(&self) -> usize {
        self.pairs.len()
    }

    /// The most parts that a message may have: more would never find room.
    pub const MOST_PARTS: u64 = SLOTS;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::ShortCode;

    const PATIENCE: Duration = Duration::from_secs(600);

    fn lane(name: &str) -> Lane {
        name.parse().unwrap()
    }

    fn spec(name: &str, operator: &str, weight: u32) -> LaneSpec {
        LaneSpec {
            lane: lane(name),
            operator: operator.into(),
            weight,
        }
    }

    fn route(prefix: &str, operator: Option<&str>, lanes: &[&str], reserve: &[&str]) -> RouteSpec {
        let all = |names: &[&str]| names.iter().map(|name| lane(name)).collect();
        RouteSpec {
            prefix: prefix.into(),
            operator: operator.map(Into::into),
            lanes: all(lanes),
            reserve: all(reserve),
        }
    }

    fn at(seconds: u64) -> Moment {
        Moment::START + Duration::from_secs(seconds)
    }

    fn phone(number: &str) -> PhoneNumber {
        PhoneNumber::new(number).unwrap()
    }

    fn pair(number: &str) -> Pair {
        (
            ShortCode::new("17000").unwrap().into(),
            phone(number).into(),
        )
    }

    /// Two lanes in Oslo, one in Turku, all up with room.
    fn router() -> Router {
        let lanes = vec![
            spec("oslo/a", "north", 3),
            spec("oslo/b", "north", 1),
            spec("turku/c", "east", 1),
        ];
        let routes = [
            route("47", Some("north"), &[], &["turku/c"]),
            route("358", None, &["turku/c"], &[]),
            route("4790", None, &["oslo/b"], &[]),
        ];
        let mut router = Router::new(lanes, &routes, PATIENCE);
        for place in 0..3 {
            router.set_up(at(0), LaneId(place), true);
            router.set_room(LaneId(place), SLOTS);
        }
        router
    }

    #[test]
    fn the_longest_prefix_wins() {
        let router = router();
        assert_eq!(router.route(&phone("+4791234567")), Some(RouteId(0)));
        assert_eq!(router.route(&phone("+4790123456")), Some(RouteId(2)));
        assert_eq!(router.route(&phone("+358401234567")), Some(RouteId(1)));
        assert_eq!(router.route(&phone("+15551234567")), None);
    }

    #[test]
    fn lanes_share_by_weight() {
        let mut router = router();
        let mut given = [0; 3];
        for number in 0..400 {
            let pair = pair(&format!("+4791{number:06}"));
            let Choice::Take(lane) = router.choose(at(0), RouteId(0), &pair, 1) else {
                break;
            };
            given[lane.0] += 1;
            router.took(lane, pair, 1);
        }
        // 255 find room on the first; the other has a third of that.
        assert_eq!(given, [255, 145, 0]);
    }

    #[test]
    fn weights_hold_while_lanes_are_idle() {
        let mut router = router();
        let mut given = [0; 3];
        for number in 0..400 {
            let pair = pair(&format!("+4791{number:06}"));
            let Choice::Take(lane) = router.choose(at(0), RouteId(0), &pair, 1) else {
                panic!("there is room");
            };
            given[lane.0] += 1;
            router.took(lane, pair.clone(), 1);
            router.done(lane, &pair);
            router.set_room(lane, SLOTS);
        }
        assert!((295..=305).contains(&given[0]), "{given:?}");
    }

    #[test]
    fn a_pair_keeps_its_lane_while_it_has_messages_under_way() {
        let mut router = router();
        let pair = pair("+4791000001");
        let Choice::Take(first) = router.choose(at(0), RouteId(0), &pair, 1) else {
            panic!("there is room");
        };
        router.took(first, pair.clone(), 1);
        router.set_room(first, 0);
        // Others have room, and still it waits.
        assert_eq!(
            router.choose(at(0), RouteId(0), &pair, 1),
            Choice::Wait(Why::Order)
        );
        router.set_room(first, 1);
        assert_eq!(
            router.choose(at(0), RouteId(0), &pair, 1),
            Choice::Take(first)
        );
        assert_eq!(
            router.choose(at(0), RouteId(0), &pair, 2),
            Choice::Wait(Why::Order)
        );
        router.done(first, &pair);
        assert_eq!(router.pairs(), 0);
        assert!(matches!(
            router.choose(at(0), RouteId(0), &pair, 2),
            Choice::Take(other) if other != first
        ));
    }

    #[test]
    fn a_lane_that_is_down_is_passed_by_and_the_reserve_serves() {
        let mut router = router();
        router.set_up(at(10), LaneId(0), false);
        let pair = pair("+4791000001");
        assert_eq!(
            router.choose(at(10), RouteId(0), &pair, 1),
            Choice::Take(LaneId(1))
        );
        router.set_up(at(10), LaneId(1), false);
        assert_eq!(
            router.choose(at(10), RouteId(0), &pair, 1),
            Choice::Take(LaneId(2))
        );
        router.set_up(at(10), LaneId(2), false);
        assert_eq!(
            router.choose(at(10), RouteId(0), &pair, 1),
            Choice::Wait(Why::NoLaneUp)
        );
        assert!(!router.may_take(RouteId(0)));
    }

    #[test]
    fn a_pair_leaves_a_dead_lane_when_its_order_is_not_worth_it_any_more() {
        let mut router = router();
        let pair = pair("+4791000001");
        router.took(LaneId(0), pair.clone(), 2);
        router.set_up(at(100), LaneId(0), false);
        assert_eq!(
            router.choose(at(699), RouteId(0), &pair, 1),
            Choice::Wait(Why::Order)
        );
        assert_eq!(
            router.choose(at(700), RouteId(0), &pair, 1),
            Choice::Take(LaneId(1))
        );
        router.took(LaneId(1), pair.clone(), 1);
        // What it left behind, processed late, frees nothing of the other lane.
        router.done(LaneId(0), &pair);
        assert_eq!(router.pairs(), 1);
        router.done(LaneId(1), &pair);
        assert_eq!(router.pairs(), 0);
    }

    #[test]
    fn a_weight_of_nothing_drains_a_lane() {
        let mut router = router();
        router.respecify(LaneId(1), spec("oslo/b", "north", 0));
        let pair = pair("+4790000001");
        assert_eq!(
            router.choose(at(0), RouteId(2), &pair, 1),
            Choice::Wait(Why::NoLaneUp)
        );
        // Who is bound to it still takes it.
        router.took(LaneId(1), pair.clone(), 1);
        assert_eq!(
            router.choose(at(0), RouteId(2), &pair, 1),
            Choice::Take(LaneId(1))
        );
    }

    #[test]
    fn routes_change_while_messages_are_under_way() {
        let mut router = router();
        let pair = pair("+4791000001");
        router.took(LaneId(0), pair.clone(), 1);
        router.reroute(&[route("", None, &["turku/c"], &[])]);
        let route = router.route(&phone("+4791000001")).unwrap();
        assert_eq!(
            router.choose(at(0), route, &pair, 1),
            Choice::Take(LaneId(0))
        );
        router.done(LaneId(0), &pair);
        assert_eq!(
            router.choose(at(0), route, &pair, 1),
            Choice::Take(LaneId(2))
        );
    }
}
