//! Emulated links between places: round trips, zones that are cut off, single directions that are cut.
//!
//! A cut link loses frames and closes no socket, as a cable does. A setting of the running process, for the demo and for tests;
//! without it every frame passes at once.

use base::{Locality, NodeId};
use rustc_hash::FxHashMap;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;

/// The state of all links at once; what is not named is whole and takes no time.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinkSettings {
    /// Two cities (or one twice) and the milliseconds of a round trip between nodes there.
    pub round_trips: Vec<(String, String, f64)>,
    /// Zones that are cut off from all others and from clients.
    pub cut_zones: BTreeSet<String>,
    /// Zones from which nothing arrives in another.
    pub cut_one_way: BTreeSet<(String, String)>,
}

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    Lost,
    After(Duration),
}

pub struct Links {
    own: Locality,
    state: RwLock<State>,
    /// True while this node is cut off from its clients.
    gate: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    peers: FxHashMap<NodeId, Locality>,
    one_way_times: BTreeMap<(String, String), Duration>,
    cut_zones: BTreeSet<String>,
    cut_one_way: BTreeSet<(String, String)>,
}

impl Links {
    pub fn new(own: Locality) -> Links {
        Links { own, state: RwLock::default(), gate: watch::Sender::new(false) }
    }

    pub fn gate(&self) -> watch::Receiver<bool> {
        self.gate.subscribe()
    }

    pub fn set_peers(&self, peers: impl Iterator<Item = (NodeId, Locality)>) {
        self.state.write().unwrap_or_else(PoisonError::into_inner).peers = peers.collect();
    }

    /// # Errors
    /// If a time is no time.
    pub fn set(&self, settings: LinkSettings) -> Result<(), String> {
        let mut times = BTreeMap::new();
        for (from, to, round_trip_ms) in settings.round_trips {
            let one_way =
                Duration::try_from_secs_f64(round_trip_ms / 2000.0).map_err(|_| format!("{round_trip_ms} is no round trip in ms"))?;
            times.insert((to.clone(), from.clone()), one_way);
            times.insert((from, to), one_way);
        }
        let cut_off = settings.cut_zones.contains(&self.own.zone);
        {
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            state.one_way_times = times;
            state.cut_zones = settings.cut_zones;
            state.cut_one_way = settings.cut_one_way;
        }
        self.gate.send_replace(cut_off);
        Ok(())
    }

    /// A frame that is about to leave for a peer: it takes its time on arrival.
    pub fn is_lost_to(&self, peer: NodeId) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.peers.get(&peer).is_some_and(|place| state.cuts(&self.own, place))
    }

    /// A frame that arrived from a peer.
    pub fn arrival(&self, peer: NodeId) -> Passage {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let Some(place) = state.peers.get(&peer) else { return Passage::After(Duration::ZERO) };
        if state.cuts(place, &self.own) {
            return Passage::Lost;
        }
        if state.one_way_times.is_empty() {
            return Passage::After(Duration::ZERO);
        }
        Passage::After(state.one_way_times.get(&(place.city.clone(), self.own.city.clone())).copied().unwrap_or_default())
    }
}

impl State {
    fn cuts(&self, from: &Locality, to: &Locality) -> bool {
        if from.zone == to.zone || (self.cut_zones.is_empty() && self.cut_one_way.is_empty()) {
            return false;
        }
        self.cut_zones.contains(&from.zone)
            || self.cut_zones.contains(&to.zone)
            || self.cut_one_way.iter().any(|(cut_from, cut_to)| *cut_from == from.zone && *cut_to == to.zone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(city: &str, zone: &str) -> Locality {
        Locality { city: city.into(), zone: zone.into() }
    }

    fn links(settings: &str) -> Links {
        let links = Links::new(place("amber", "a1"));
        links.set_peers([(NodeId(2), place("amber", "a2")), (NodeId(3), place("birch", "b1"))].into_iter());
        links.set(serde_json::from_str(settings).expect("settings")).expect("times");
        links
    }

    #[test]
    fn frames_take_half_a_round_trip() {
        let links = links(r#"{"round_trips": [["amber", "amber", 1], ["birch", "amber", 8.5]]}"#);
        assert_eq!(links.arrival(NodeId(2)), Passage::After(Duration::from_micros(500)));
        assert_eq!(links.arrival(NodeId(3)), Passage::After(Duration::from_micros(4250)));
        assert_eq!(links.arrival(NodeId(9)), Passage::After(Duration::ZERO), "a stranger's place is not known yet");
    }

    #[test]
    fn a_cut_zone_loses_both_directions_and_its_clients() {
        let cut = links(r#"{"cut_zones": ["a1"]}"#);
        assert!(cut.is_lost_to(NodeId(2)) && cut.arrival(NodeId(3)) == Passage::Lost && *cut.gate().borrow());
        let other = links(r#"{"cut_zones": ["b1"]}"#);
        assert!(other.is_lost_to(NodeId(3)) && !other.is_lost_to(NodeId(2)) && !*other.gate().borrow());
    }

    #[test]
    fn one_direction_can_be_cut_alone() {
        let links = links(r#"{"cut_one_way": [["b1", "a1"]]}"#);
        assert_eq!(links.arrival(NodeId(3)), Passage::Lost);
        assert!(!links.is_lost_to(NodeId(3)));
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(serde_json::from_str::<LinkSettings>(r#"{"cut": []}"#).is_err());
        let links = Links::new(place("amber", "a1"));
        assert!(links.set(LinkSettings { round_trips: vec![("a".into(), "b".into(), -1.0)], ..LinkSettings::default() }).is_err());
    }
}
