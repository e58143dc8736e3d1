//! What the router is told of a configuration: lanes with their weights, routes with their prefixes.

use std::collections::BTreeSet;

use super::config::{CentralConfig, LaneSection};
use super::router::{LaneSpec, RouteSpec};
use crate::lane::{Direction, Lane};
use crate::ring::Ring;

/// A lane as it is configured, but for an operator's word that it is to run empty.
pub(super) fn lane_spec(config: &CentralConfig, drained: &BTreeSet<Lane>, ring: &Ring) -> LaneSpec {
    let lane = ring.name().lane.clone();
    let section = config
        .lanes()
        .find_map(|(name, section)| (name == lane).then_some(section));
    LaneSpec {
        operator: section
            .and_then(|section| section.operator.clone())
            .unwrap_or_default(),
        weight: section.map_or(0, |section| match drained.contains(&lane) {
            true => 0,
            false => section.weight,
        }),
        lane,
    }
}

/// The routes of a configuration; one over all lanes if it has none.
pub(super) fn routes(config: &CentralConfig) -> Vec<RouteSpec> {
    let carries = |(lane, section): (Lane, &LaneSection)| section.mt.then_some(lane);
    if config.routes.is_empty() {
        return vec![RouteSpec {
            prefix: String::new(),
            operator: None,
            lanes: config.lanes().filter_map(carries).collect(),
            reserve: Vec::new(),
        }];
    }
    let all = [String::new()];
    config
        .routes
        .iter()
        .flat_map(|route| {
            let prefixes = if route.prefixes.is_empty() {
                &all[..]
            } else {
                &route.prefixes[..]
            };
            prefixes.iter().map(|prefix| RouteSpec {
                prefix: prefix.trim_start_matches('+').to_owned(),
                operator: route.operator.clone(),
                lanes: route.lanes.clone(),
                reserve: route.reserve.clone(),
            })
        })
        .collect()
}

/// The MT origins among rings.
pub(super) fn origins(rings: &[Ring]) -> Vec<Ring> {
    rings
        .iter()
        .filter(|ring| ring.name().direction == Direction::Mt)
        .cloned()
        .collect()
}
