//! What `/metrics` shows, in Prometheus' text format. The parts of the gateway set plain numbers; no label has a value
//! that a stranger can choose.

use crate::base::time::Wall;
mod sound;

use crate::admin::metrics::sound::Sound;
use crate::call::listening::EndedLeg;
use prometheus::core::Collector;
use prometheus::{
    CounterVec, Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

/// All numbers of one gateway. May be set from any thread.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    calls: IntGauge,
    accepting: IntGauge,
    attempts: IntCounterVec,
    registrations: IntGauge,
    trunk_up: IntGaugeVec,
    trunk_calls: IntGaugeVec,
    trunk_addresses: IntGaugeVec,
    trunk_addresses_out: IntGaugeVec,
    trunk_lookup_failing: IntGaugeVec,
    rtp_packets: IntCounterVec,
    rtp_drops: IntCounterVec,
    worker_busy: GaugeVec,
    workers: IntGaugeVec,
    media_load: GaugeVec,
    media_refused: IntCounter,
    rooms: IntGauge,
    room_members: IntGauge,
    room_mixed: IntCounter,
    room_missing: IntCounter,
    sip_messages: IntCounterVec,
    sip_damaged: IntCounter,
    sip_transactions: IntGauge,
    media_ports: IntGauge,
    certificates: GaugeVec,
    subscriptions: IntGauge,
    publications: IntGauge,
    stored_messages: IntGauge,
    records_pending: IntGauge,
    records_lost: IntCounter,
    sound: Sound,
    started: Gauge,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl Metrics {
    pub fn new() -> Metrics {
        let registry = Registry::new();
        let kept = Keeper(&registry);
        let metrics = Metrics {
            calls: kept.gauge("tandem_calls", "Calls that are up now"),
            accepting: kept.gauge("tandem_accepting", "1 while new calls are taken"),
            attempts: kept.counters("tandem_call_attempts_total", "Attempts to call by their final answer", "status"),
            registrations: kept.gauge("tandem_registrations", "Contacts that are registered with us"),
            trunk_up: kept.gauges("tandem_trunk_up", "1 while a trunk is registered or answers", "trunk"),
            trunk_addresses: kept.gauges("tandem_trunk_addresses", "Addresses that a trunk's name leads to", "trunk"),
            trunk_addresses_out: kept.gauges(
                "tandem_trunk_addresses_out",
                "Addresses of a trunk that failed and are left alone for a while",
                "trunk",
            ),
            trunk_lookup_failing: kept.gauges(
                "tandem_trunk_lookup_failing",
                "1 while a trunk's name can't be looked up",
                "trunk",
            ),
            trunk_calls: kept.gauges("tandem_trunk_calls", "Calls that are up on a trunk", "trunk"),
            rtp_packets: kept.counters("tandem_rtp_packets_total", "RTP packets by direction", "direction"),
            rtp_drops: kept.counters("tandem_rtp_drops_total", "RTP packets that were dropped, by reason", "reason"),
            worker_busy: kept.ratios("tandem_worker_busy_ratio", "Share of its time that a worker works", "worker"),
            workers: kept.gauges("tandem_media_workers", "Media workers by how they move packets", "io"),
            media_load: kept.ratios(
                "tandem_media_load_ratio",
                "Share of a core that a worker's calls take, measured and expected",
                "worker",
            ),
            media_refused: kept.counter(
                "tandem_media_refused_calls_total",
                "Calls refused because the media workers can carry no more",
            ),
            rooms: kept.gauge("tandem_rooms", "Conference rooms in which somebody is"),
            room_members: kept.gauge("tandem_room_members", "Calls that are in conference rooms"),
            room_mixed: kept
                .counter("tandem_room_mixed_frames_total", "Frames of 10 ms that were mixed in conference rooms"),
            room_missing: kept.counter(
                "tandem_room_missing_frames_total",
                "Frames of 10 ms that members of conference rooms sent and that weren't there in time",
            ),
            sip_messages: kept.counters("tandem_sip_messages_total", "SIP messages by direction", "direction"),
            sip_damaged: kept.counter("tandem_sip_damaged_total", "Datagrams and frames that were no SIP message"),
            sip_transactions: kept.gauge("tandem_sip_transactions", "SIP transactions that aren't over yet"),
            media_ports: kept.gauge("tandem_media_ports", "Pairs of ports that calls have for their media"),
            certificates: kept.ratios(
                "tandem_certificate_expiry_seconds",
                "Seconds until a certificate of ours ends; negative afterwards",
                "certificate",
            ),
            subscriptions: kept.gauge("tandem_subscriptions", "Subscriptions to events that are in force"),
            publications: kept.gauge("tandem_publications", "Documents of presence that are published with us"),
            stored_messages: kept.gauge("tandem_stored_messages", "Text messages kept for users who are away"),
            records_pending: kept.gauge("tandem_records_pending", "Call records that the store doesn't have yet"),
            records_lost: kept.counter("tandem_records_lost_total", "Call records that no disk and no memory took"),
            sound: Sound::new(&kept),
            started: kept.keep(Gauge::new("process_start_time_seconds", "Start, in seconds since 1970-01-01 UTC")),
            registry: registry.clone(),
        };
        let build = kept.gauges("tandem_build_info", "The version that runs", "version");
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        metrics
    }

    pub fn set_started(&self, wall: Wall) {
        self.started.set(wall.micros() as f64 / 1e6);
    }

    pub fn set_calls(&self, calls: usize) {
        self.calls.set(signed(calls as u64));
    }

    pub fn set_accepting(&self, accepting: bool) {
        self.accepting.set(i64::from(accepting));
    }

    /// Counts one attempt, at its end, under the final status that the caller was given.
    pub fn count_attempt(&self, status: u16) {
        self.attempts.with_label_values(&[status.to_string().as_str()]).inc();
    }

    pub fn set_registrations(&self, contacts: usize) {
        self.registrations.set(signed(contacts as u64));
    }

    pub fn set_trunk(&self, trunk: &str, up: bool, calls: usize) {
        self.trunk_up.with_label_values(&[trunk]).set(i64::from(up));
        self.trunk_calls.with_label_values(&[trunk]).set(signed(calls as u64));
    }

    /// Where a trunk is: how many addresses, how many of them are left alone, and whether DNS fails.
    pub fn set_trunk_addresses(&self, trunk: &str, known: usize, out: usize, lookup_failing: bool) {
        self.trunk_addresses.with_label_values(&[trunk]).set(signed(known as u64));
        self.trunk_addresses_out.with_label_values(&[trunk]).set(signed(out as u64));
        self.trunk_lookup_failing.with_label_values(&[trunk]).set(i64::from(lookup_failing));
    }

    /// After a reload that took a trunk away.
    pub fn forget_trunk(&self, trunk: &str) {
        // One that was never set has nothing to forget.
        let _ = self.trunk_up.remove_label_values(&[trunk]);
        let _ = self.trunk_calls.remove_label_values(&[trunk]);
        self.sound.forget_trunk(trunk);
        for gauges in [&self.trunk_addresses, &self.trunk_addresses_out, &self.trunk_lookup_failing] {
            let _ = gauges.remove_label_values(&[trunk]);
        }
    }

    /// The totals of all workers since the start.
    pub fn set_rtp_packets(&self, received: u64, sent: u64) {
        raise(&self.rtp_packets.with_label_values(&["received"]), received);
        raise(&self.rtp_packets.with_label_values(&["sent"]), sent);
    }

    /// The total of all workers since the start.
    pub fn set_rtp_drops(&self, reason: &'static str, total: u64) {
        raise(&self.rtp_drops.with_label_values(&[reason]), total);
    }

    /// `ratio` is in 0.0 to 1.0.
    pub fn set_worker_busy(&self, worker: usize, ratio: f64) {
        self.worker_busy.with_label_values(&[worker.to_string().as_str()]).set(ratio);
    }

    /// `ratio` is of one core.
    pub fn set_media_load(&self, worker: usize, ratio: f64) {
        self.media_load.with_label_values(&[worker.to_string().as_str()]).set(ratio);
    }

    /// The total since the start.
    pub fn set_media_refused(&self, total: u64) {
        raise(&self.media_refused, total);
    }

    /// Rooms and members now; frames since the start.
    pub fn set_rooms(&self, rooms: u64, members: u64, mixed: u64, missing: u64) {
        self.rooms.set(signed(rooms));
        self.room_members.set(signed(members));
        raise(&self.room_mixed, mixed);
        raise(&self.room_missing, missing);
    }

    /// How many workers move packets in this way.
    pub fn set_workers(&self, io: &'static str, workers: usize) {
        self.workers.with_label_values(&[io]).set(signed(workers as u64));
    }

    pub fn count_sip_received(&self, messages: u64) {
        self.sip_messages.with_label_values(&["received"]).inc_by(messages);
    }

    pub fn count_sip_sent(&self, messages: u64) {
        self.sip_messages.with_label_values(&["sent"]).inc_by(messages);
    }

    pub fn count_sip_damaged(&self, messages: u64) {
        self.sip_damaged.inc_by(messages);
    }

    /// What calls hold. Both fall to zero when nobody talks and the last answers can't be asked for again.
    pub fn set_held(&self, transactions: usize, media_ports: usize) {
        self.sip_transactions.set(signed(transactions as u64));
        self.media_ports.set(signed(media_ports as u64));
    }

    /// `whose` is sip, http or trunk:NAME.
    pub fn set_certificate(&self, whose: &str, seconds_left: f64) {
        self.certificates.with_label_values(&[whose]).set(seconds_left);
    }

    /// After a reload that took a certificate away.
    pub fn forget_certificate(&self, whose: &str) {
        let _ = self.certificates.remove_label_values(&[whose]);
    }

    pub fn set_events(&self, subscriptions: usize, publications: usize, stored_messages: usize) {
        self.subscriptions.set(signed(subscriptions as u64));
        self.publications.set(signed(publications as u64));
        self.stored_messages.set(signed(stored_messages as u64));
    }

    pub fn set_records(&self, pending: u64, lost: u64) {
        self.records_pending.set(signed(pending));
        raise(&self.records_lost, lost);
    }

    /// Calls of which one side isn't heard now, and the total since the start.
    pub fn set_one_way(&self, calls: usize, total: u64) {
        self.sound.set_one_way(calls, total);
    }

    /// Counts what a leg of a call was like that is over.
    pub fn count_leg(&self, leg: &EndedLeg) {
        self.sound.count_leg(leg);
    }

    /// The text format, version 0.0.4.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// Makes metrics and registers them.
struct Keeper<'a>(&'a Registry);

#[allow(clippy::expect_used, reason = "names and labels are literals, which a test builds")]
impl Keeper<'_> {
    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.keep(IntGauge::new(name, help))
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.keep(IntCounter::new(name, help))
    }

    fn gauges(&self, name: &str, help: &str, label: &str) -> IntGaugeVec {
        self.keep(IntGaugeVec::new(Opts::new(name, help), &[label]))
    }

    fn counters(&self, name: &str, help: &str, label: &str) -> IntCounterVec {
        self.keep(IntCounterVec::new(Opts::new(name, help), &[label]))
    }

    /// A total that isn't whole.
    fn sums(&self, name: &str, help: &str, label: &str) -> CounterVec {
        self.keep(CounterVec::new(Opts::new(name, help), &[label]))
    }

    /// `buckets` are upper bounds, in rising order.
    fn histograms(&self, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
        self.keep(HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels))
    }

    fn ratios(&self, name: &str, help: &str, label: &str) -> GaugeVec {
        self.keep(GaugeVec::new(Opts::new(name, help), &[label]))
    }

    fn keep<M: Collector + Clone + 'static>(&self, made: prometheus::Result<M>) -> M {
        let metric = made.expect("a metric's name is legal");
        self.0.register(Box::new(metric.clone())).expect("a metric's name is there once");
        metric
    }
}

/// Brings a counter up to a total that is counted elsewhere.
fn raise(counter: &IntCounter, total: u64) {
    counter.inc_by(total.saturating_sub(counter.get()));
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_holds_what_was_set() {
        let metrics = Metrics::new();
        metrics.set_calls(3);
        metrics.count_attempt(200);
        metrics.count_attempt(486);
        metrics.set_trunk("acme", true, 2);
        metrics.set_trunk("gone", true, 0);
        metrics.forget_trunk("gone");
        metrics.set_rtp_packets(10, 20);
        metrics.set_rtp_packets(15, 20);
        metrics.set_rtp_drops("stranger", 4);
        metrics.set_worker_busy(0, 0.25);
        metrics.set_records(7, 0);
        metrics.set_rooms(2, 9, 400, 3);
        metrics.set_certificate("sip", -3.0);
        metrics.set_events(5, 4, 3);
        let text = metrics.text().unwrap();
        for line in [
            "tandem_calls 3",
            "tandem_call_attempts_total{status=\"486\"} 1",
            "tandem_trunk_up{trunk=\"acme\"} 1",
            "tandem_rtp_packets_total{direction=\"received\"} 15",
            "tandem_rtp_drops_total{reason=\"stranger\"} 4",
            "tandem_worker_busy_ratio{worker=\"0\"} 0.25",
            "tandem_records_pending 7",
            "tandem_rooms 2",
            "tandem_room_members 9",
            "tandem_room_mixed_frames_total 400",
            "tandem_room_missing_frames_total 3",
            "tandem_certificate_expiry_seconds{certificate=\"sip\"} -3",
            "tandem_subscriptions 5",
            "tandem_stored_messages 3",
            concat!("tandem_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("gone"));
    }
}
