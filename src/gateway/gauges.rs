//! Brings what the loop knows to the metrics, once a second.

use crate::admin::metrics::Metrics;
use crate::base::time::Wall;
use crate::call::switch::Switch;
use crate::config::settings::Io;
use crate::media::counters::Reason;
use crate::shell::drive::World;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub struct Gauges {
    metrics: Arc<Metrics>,
    /// What was counted the last time, of sums that the metrics add up.
    received: u64,
    sent: u64,
    damaged: u64,
    busy_ns: Vec<u64>,
    at_ns: u64,
    trunks: BTreeSet<String>,
    certificates: BTreeSet<String>,
}

impl Gauges {
    pub fn new(metrics: Arc<Metrics>, started: Wall) -> Gauges {
        metrics.set_started(started);
        Gauges {
            metrics,
            received: 0,
            sent: 0,
            damaged: 0,
            busy_ns: Vec::new(),
            at_ns: 0,
            trunks: BTreeSet::new(),
            certificates: BTreeSet::new(),
        }
    }

    pub fn update(&mut self, switch: &mut Switch, world: &mut World) {
        let now = world.clock.now();
        let counts = switch.counts();
        self.metrics.set_calls(counts.calls);
        self.metrics.set_accepting(switch.closed().is_none());
        self.metrics.set_registrations(counts.registrations);
        self.metrics.set_held(counts.transactions, counts.ports);
        self.metrics.set_events(counts.subscriptions, counts.publications, counts.stored_messages);
        for (status, ended) in world.take_endings() {
            for _ in 0..ended {
                self.metrics.count_attempt(status);
            }
        }
        self.metrics.set_one_way(counts.one_way, counts.one_way_total);
        self.trunks(switch, now);
        self.legs(switch);
        self.certificates(world, now.wall);
        let messages = world.messages;
        self.metrics.count_sip_received(messages.received - self.received);
        self.metrics.count_sip_sent(messages.sent - self.sent);
        self.metrics.count_sip_damaged(messages.damaged - self.damaged);
        (self.received, self.sent, self.damaged) = (messages.received, messages.sent, messages.damaged);
        if let Some(journal) = world.journal() {
            let watch = journal.watch();
            self.metrics.set_records(watch.pending(), watch.lost());
        }
        self.media(world, now.time.nanos());
        for (worker, load) in switch.media_loads().enumerate() {
            self.metrics.set_media_load(worker, load as f64 / 1_000.0);
        }
        self.metrics.set_media_refused(counts.refused_for_media);
    }

    fn trunks(&mut self, switch: &Switch, now: crate::base::time::Now) {
        let mut present = BTreeSet::new();
        for trunk in switch.trunks(now) {
            self.metrics.set_trunk(&trunk.name, trunk.up, trunk.calls);
            let out = trunk.addresses.iter().filter(|address| address.out_for_s.is_some()).count();
            self.metrics.set_trunk_addresses(&trunk.name, trunk.addresses.len(), out, trunk.lookup_failing);
            present.insert(trunk.name);
        }
        for gone in self.trunks.difference(&present) {
            self.metrics.forget_trunk(gone);
        }
        self.trunks = present;
    }

    /// Those of a trunk that a reload took away count for nobody.
    fn legs(&self, switch: &mut Switch) {
        for leg in switch.take_ended_legs() {
            if leg.trunk.as_ref().is_none_or(|trunk| self.trunks.contains(trunk)) {
                self.metrics.count_leg(&leg);
            }
        }
    }

    fn certificates(&mut self, world: &World, now: Wall) {
        let current = world.tls();
        let current = current.load();
        let mut present = BTreeSet::new();
        for (whose, ends) in current.iter().flat_map(|tls| tls.expiries()) {
            self.metrics.set_certificate(whose, (ends.micros() - now.micros()) as f64 / 1e6);
            present.insert(whose.clone());
        }
        for gone in self.certificates.difference(&present) {
            self.metrics.forget_certificate(gone);
        }
        self.certificates = present;
    }

    fn media(&mut self, world: &World, at_ns: u64) {
        let span = at_ns.saturating_sub(self.at_ns).max(1) as f64;
        self.at_ns = at_ns;
        for io in [Io::IoUring, Io::Epoll] {
            let workers = world.workers.iter().filter(|worker| worker.io() == io).count();
            self.metrics.set_workers(io.name(), workers);
        }
        self.busy_ns.resize(world.workers.len(), 0);
        let (mut received, mut sent) = (0, 0);
        let mut rooms = [0; 4];
        let mut drops = BTreeMap::new();
        for (index, worker) in world.workers.iter().enumerate() {
            let counters = worker.counters();
            received += counters.received_packets.value();
            sent += counters.sent_packets.value();
            let figures = [&counters.rooms, &counters.room_members, &counters.mixed_frames, &counters.missing_frames];
            rooms.iter_mut().zip(figures).for_each(|(sum, figure)| *sum += figure.value());
            for reason in Reason::ALL {
                *drops.entry(reason.name()).or_insert(0) += counters.dropped(reason);
            }
            let busy_ns = counters.busy_ns.value();
            let busy = busy_ns.saturating_sub(self.busy_ns[index]);
            self.busy_ns[index] = busy_ns;
            self.metrics.set_worker_busy(index, (busy as f64 / span).min(1.0));
        }
        self.metrics.set_rtp_packets(received, sent);
        let [count, members, mixed, missing] = rooms;
        self.metrics.set_rooms(count, members, mixed, missing);
        for (reason, count) in drops {
            self.metrics.set_rtp_drops(reason, count);
        }
    }
}
