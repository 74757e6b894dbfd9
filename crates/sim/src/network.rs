//! The network between nodes and clients: delay by place, connections that break, cuts of areas and of single directions.
//!
//! A connection keeps order while it lasts. Between nodes a lost frame breaks the connection: what is in flight may be
//! lost, come late (after frames of the next connection) or come twice. A client's connection is a stream: it loses
//! nothing while it lasts, a cut only holds it up. Payloads are opaque here.

use crate::queue::{MILLI, Micros, SECOND};
use base::{Locality, NodeId, Prng};
use std::collections::BTreeMap;

/// Frames that a connection keeps for a peer that cannot be reached, before it drops them.
const HELD_FRAMES_MAX: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    Node(NodeId),
    Client(u32),
}

/// A set of ends that a cut separates from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Area {
    Node(NodeId),
    Zone(Locality),
    City(String),
    Not(Box<Area>),
}

impl Area {
    fn contains(&self, end: End, place: &Locality) -> bool {
        match self {
            Area::Node(node) => end == End::Node(*node),
            Area::Zone(zone) => place == zone,
            Area::City(city) => place.city == *city,
            Area::Not(area) => !area.contains(end, place),
        }
    }
}

#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// One way, within a zone.
    pub zone_micros: Micros,
    /// One way, between zones of a city.
    pub city_micros: Micros,
    /// One way, between cities that are not in `cities`.
    pub far_micros: Micros,
    /// One way, by pair of cities.
    pub cities: Vec<(String, String, Micros)>,
    /// Delay grows by up to this part of a million, and sometimes much more.
    pub jitter_ppm: u32,
    /// Frames lost, each breaking its connection.
    pub loss_ppm: u32,
    /// Frames in flight on a broken connection that arrive twice.
    pub duplicate_ppm: u32,
    /// A connection that was cut for longer than this is given up.
    pub give_up_micros: Micros,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        NetworkConfig {
            zone_micros: 60,
            city_micros: 400,
            far_micros: 10 * MILLI,
            cities: Vec::new(),
            jitter_ppm: 300_000,
            loss_ppm: 0,
            duplicate_ppm: 100_000,
            give_up_micros: 3 * SECOND,
        }
    }
}

struct Link<P> {
    connection: u32,
    /// Nothing arrives before this: order within the connection.
    last_arrival: Micros,
    /// Being set up until then: frames are lost.
    usable_at: Micros,
    /// Payloads sent, ever: their order.
    sent: u64,
    /// What a cut keeps back, by its order: what was under way when the cut came was sent before what met it at once.
    held: BTreeMap<u64, P>,
    held_since: Micros,
}

impl<P> Default for Link<P> {
    fn default() -> Self {
        Link { connection: 0, last_arrival: 0, usable_at: 0, sent: 0, held: BTreeMap::new(), held_since: 0 }
    }
}

/// One payload on its way; the world hands it to [`Network::arrives`] at its time.
pub struct Delivery<P> {
    pub at: Micros,
    pub from: End,
    pub to: End,
    connection: u32,
    order: u64,
    pub payload: P,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CutId(u64);

pub struct Network<P> {
    config: NetworkConfig,
    places: BTreeMap<End, Locality>,
    links: BTreeMap<(End, End), Link<P>>,
    cuts: Vec<(CutId, Area, Area)>,
    cuts_made: u64,
    /// Extra loss and delay while a fault lasts.
    extra_loss_ppm: u32,
    slow_by: u32,
    prng: Prng,
    pub sent: u64,
    pub lost: u64,
}

impl<P: Clone> Network<P> {
    pub fn new(config: NetworkConfig, prng: Prng) -> Network<P> {
        Network {
            config,
            places: BTreeMap::new(),
            links: BTreeMap::new(),
            cuts: Vec::new(),
            cuts_made: 0,
            extra_loss_ppm: 0,
            slow_by: 1,
            prng,
            sent: 0,
            lost: 0,
        }
    }

    pub fn place(&mut self, end: End, place: Locality) {
        self.places.insert(end, place);
    }

    pub fn place_of(&self, end: End) -> &Locality {
        self.places.get(&end).expect("every end has been placed before it sends")
    }

    /// Cuts one direction.
    pub fn cut(&mut self, from: Area, to: Area) -> CutId {
        self.cuts_made += 1;
        let id = CutId(self.cuts_made);
        self.cuts.push((id, from, to));
        id
    }

    pub fn blocked(&self, from: End, to: End) -> bool {
        if self.cuts.is_empty() {
            return false;
        }
        let (from_place, to_place) = (self.place_of(from), self.place_of(to));
        self.cuts.iter().any(|(_, a, b)| a.contains(from, from_place) && b.contains(to, to_place))
    }

    /// Ends a cut: what connections still held goes on its way.
    pub fn heal(&mut self, cut: CutId, now: Micros, out: &mut Vec<Delivery<P>>) {
        self.cuts.retain(|(id, ..)| *id != cut);
        let open: Vec<(End, End)> = self
            .links
            .iter()
            .filter(|(_, link)| !link.held.is_empty())
            .map(|(ends, _)| *ends)
            .filter(|(a, b)| !self.blocked(*a, *b))
            .collect();
        for (from, to) in open {
            let link = self.links.get_mut(&(from, to)).expect("it was listed just now");
            let held = std::mem::take(&mut link.held);
            let given_up = reliable(from, to) == Reliable::No && now.saturating_sub(link.held_since) > self.config.give_up_micros;
            if given_up {
                self.lost += held.len() as u64;
                self.reset(from, to, now);
                continue;
            }
            for (order, payload) in held {
                self.forward(now, from, to, order, payload, out);
            }
        }
    }

    pub fn degrade(&mut self, extra_loss_ppm: u32, slow_by: u32) {
        self.extra_loss_ppm = extra_loss_ppm;
        self.slow_by = slow_by.max(1);
    }

    /// Breaks the connection of one direction; the next one needs a moment.
    pub fn reset(&mut self, from: End, to: End, now: Micros) {
        let setup = self.base_delay(from, to) * self.prng.between(2, 6);
        let link = self.links.entry((from, to)).or_default();
        link.connection += 1;
        link.usable_at = now + setup;
        link.last_arrival = now + setup;
        link.held.clear();
    }

    /// Breaks every connection of an end, as when its process dies.
    pub fn reset_all(&mut self, end: End, now: Micros) {
        let ends: Vec<(End, End)> = self.links.keys().filter(|(a, b)| *a == end || *b == end).copied().collect();
        for (from, to) in ends {
            self.reset(from, to, now);
        }
    }

    pub fn forget(&mut self, from: End, to: End) {
        self.links.remove(&(from, to));
    }

    pub fn send(&mut self, now: Micros, from: End, to: End, payload: P, out: &mut Vec<Delivery<P>>) {
        self.sent += 1;
        let blocked = self.blocked(from, to);
        let link = self.links.entry((from, to)).or_default();
        link.sent += 1;
        let order = link.sent;
        if blocked {
            self.hold(now, from, to, order, payload);
            return;
        }
        if reliable(from, to) == Reliable::No {
            if now < link.usable_at {
                self.lost += 1;
                return;
            }
            if self.prng.chance_ppm(self.config.loss_ppm + self.extra_loss_ppm) {
                self.lost += 1;
                self.reset(from, to, now);
                return;
            }
        }
        self.forward(now, from, to, order, payload, out);
    }

    fn hold(&mut self, now: Micros, from: End, to: End, order: u64, payload: P) {
        let link = self.links.entry((from, to)).or_default();
        if link.held.is_empty() {
            link.held_since = now;
        }
        if link.held.len() < HELD_FRAMES_MAX {
            link.held.insert(order, payload);
        } else {
            self.lost += 1;
        }
    }

    fn forward(&mut self, now: Micros, from: End, to: End, order: u64, payload: P, out: &mut Vec<Delivery<P>>) {
        let delay = self.delay(from, to);
        let link = self.links.entry((from, to)).or_default();
        let at = (now + delay).max(link.last_arrival + 1);
        link.last_arrival = at;
        out.push(Delivery { at, from, to, connection: link.connection, order, payload });
    }

    /// How often a payload that has come to its time is received: once as a rule; never, once or twice on a connection
    /// that was broken meanwhile; never on a client's connection that is gone, nor through a cut (it is held).
    pub fn arrives(&mut self, now: Micros, delivery: &Delivery<P>) -> u32 {
        let (from, to) = (delivery.from, delivery.to);
        if self.blocked(from, to) {
            self.hold(now, from, to, delivery.order, delivery.payload.clone());
            return 0;
        }
        let current = self.links.get(&(from, to)).is_some_and(|link| link.connection == delivery.connection);
        if current {
            return 1;
        }
        if reliable(from, to) == Reliable::Yes || self.prng.one_in(2) {
            self.lost += 1;
            return 0;
        }
        if self.prng.chance_ppm(self.config.duplicate_ppm) { 2 } else { 1 }
    }

    fn base_delay(&self, from: End, to: End) -> Micros {
        let (a, b) = (self.place_of(from), self.place_of(to));
        if a == b {
            return self.config.zone_micros;
        }
        if a.city == b.city {
            return self.config.city_micros;
        }
        let pair = |x: &str, y: &str| (x == a.city && y == b.city) || (x == b.city && y == a.city);
        self.config.cities.iter().find(|(x, y, _)| pair(x, y)).map_or(self.config.far_micros, |(_, _, micros)| *micros)
    }

    fn delay(&mut self, from: End, to: End) -> Micros {
        let base = self.base_delay(from, to) * u64::from(self.slow_by);
        let jitter = base * self.prng.below(u64::from(self.config.jitter_ppm) + 1) / 1_000_000;
        // A busy switch or a retransmission now and then: order is what `last_arrival` keeps, not the delay.
        let hiccup = if self.prng.one_in(2_000) { self.prng.between(1, 30) * MILLI } else { 0 };
        base + jitter + hiccup
    }
}

#[derive(PartialEq, Eq)]
enum Reliable {
    Yes,
    No,
}

fn reliable(from: End, to: End) -> Reliable {
    match (from, to) {
        (End::Node(_), End::Node(_)) => Reliable::No,
        _ => Reliable::Yes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(city: &str, zone: &str) -> Locality {
        Locality { city: city.into(), zone: zone.into() }
    }

    fn node(id: u32) -> End {
        End::Node(NodeId(id))
    }

    fn network(config: NetworkConfig) -> Network<u32> {
        let mut network = Network::new(config, Prng::new(1));
        network.place(node(1), place("a", "1"));
        network.place(node(2), place("a", "2"));
        network.place(node(3), place("b", "1"));
        network.place(End::Client(1), place("a", "1"));
        network
    }

    fn received(network: &mut Network<u32>, mut sent: Vec<Delivery<u32>>) -> Vec<u32> {
        sent.sort_by_key(|d| d.at);
        sent.iter().flat_map(|d| std::iter::repeat_n(d.payload, network.arrives(d.at, d) as usize)).collect()
    }

    #[test]
    fn a_connection_that_lasts_keeps_order_and_loses_nothing() {
        let mut network = network(NetworkConfig::default());
        let mut sent = Vec::new();
        (0..5_000).for_each(|n| network.send(u64::from(n), node(1), node(2), n, &mut sent));
        assert_eq!(received(&mut network, sent), (0..5_000).collect::<Vec<_>>());
    }

    #[test]
    fn loss_breaks_connections_and_the_rest_goes_on() {
        let mut network = network(NetworkConfig { loss_ppm: 20_000, ..NetworkConfig::default() });
        let mut sent = Vec::new();
        (0..5_000).for_each(|n| network.send(u64::from(n) * 100, node(1), node(2), n, &mut sent));
        let got = received(&mut network, sent);
        assert!(got.len() > 1_000 && got.len() < 5_000 && network.lost > 100);
    }

    #[test]
    fn distance_makes_delay() {
        let mut network = network(NetworkConfig::default());
        let mut sent = Vec::new();
        network.send(0, node(1), node(3), 0, &mut sent);
        network.send(0, node(1), node(2), 0, &mut sent);
        assert!(sent[0].at >= 10 * MILLI && sent[1].at < 10 * MILLI);
    }

    #[test]
    fn one_direction_can_be_cut_and_a_short_cut_only_delays() {
        let mut network = network(NetworkConfig::default());
        let cut = network.cut(Area::Node(NodeId(1)), Area::Not(Box::new(Area::Node(NodeId(1)))));
        let mut sent = Vec::new();
        network.send(0, node(1), node(2), 7, &mut sent);
        assert!(sent.is_empty() && !network.blocked(node(2), node(1)));
        network.heal(cut, SECOND, &mut sent);
        assert_eq!(received(&mut network, sent), vec![7]);
    }

    #[test]
    fn what_was_under_way_when_a_cut_came_stays_before_what_was_sent_later() {
        let mut network = network(NetworkConfig::default());
        let mut sent = Vec::new();
        network.send(0, node(1), End::Client(1), 1, &mut sent);
        let cut = network.cut(Area::Node(NodeId(1)), Area::Not(Box::new(Area::Node(NodeId(1)))));
        network.send(1, node(1), End::Client(1), 2, &mut sent);
        assert!(received(&mut network, std::mem::take(&mut sent)).is_empty());
        network.heal(cut, SECOND, &mut sent);
        assert_eq!(received(&mut network, sent), vec![1, 2]);
    }

    #[test]
    fn a_long_cut_loses_frames_between_nodes_but_not_a_clients_stream() {
        let mut network = network(NetworkConfig::default());
        let zone = Area::Zone(place("a", "2"));
        let cut = network.cut(Area::Not(Box::new(zone.clone())), zone);
        let mut sent = Vec::new();
        network.send(0, node(1), node(2), 7, &mut sent);
        network.send(0, End::Client(1), node(2), 8, &mut sent);
        network.heal(cut, 60 * SECOND, &mut sent);
        assert_eq!(received(&mut network, sent), vec![8]);
    }

    #[test]
    fn what_was_in_flight_when_a_process_died_reaches_no_client() {
        let mut network = network(NetworkConfig::default());
        let mut sent = Vec::new();
        network.send(0, node(2), End::Client(1), 7, &mut sent);
        network.reset_all(node(2), 1);
        assert!(received(&mut network, sent).is_empty());
    }
}
