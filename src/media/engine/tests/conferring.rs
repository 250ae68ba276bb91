//! Rooms: who hears whom, how it begins and ends, and what is encoded once for all.

use super::*;
use crate::media::command::{Meter, RoomId, Seat};

const ROOM: RoomId = RoomId(7);

/// Phones in one room, each with a tone of its own where it says anything.
struct Company {
    bench: Bench,
    phones: Vec<(Slot, Phone, Arc<Meter>)>,
    /// What each has been sent.
    sent: Vec<Vec<Sent>>,
}

impl Company {
    fn new(codecs: &[Codec]) -> Company {
        let mut company = Company { bench: Bench::new(), phones: Vec::new(), sent: Vec::new() };
        codecs.iter().for_each(|&codec| company.enter(codec));
        company
    }

    fn enter(&mut self, codec: Codec) {
        let n = self.phones.len();
        let slot = self.bench.open(n as u64, settings(n as u8 + 1, codec, 20));
        let mut phone = Phone::new(n as u8 + 1, codec, 20);
        phone.frequency = frequency(n);
        self.phones.push((slot, phone, Arc::new(Meter::default())));
        self.sent.push(Vec::new());
        self.seat(n, |_| ());
    }

    fn seat(&mut self, n: usize, change: impl FnOnce(&mut Seat)) {
        let meter = Arc::clone(&self.phones[n].2);
        let mut seat = Seat { room: ROOM, talkers: 8, muted: false, deaf: false, gain_db: 0, meter };
        change(&mut seat);
        self.bench.connect(n as u64, Source::Room(Arc::new(seat)));
    }

    fn leave(&mut self, n: usize) {
        self.bench.connect(n as u64, Source::Nothing);
    }

    /// These talk for a while, the others say nothing.
    fn talk(&mut self, talkers: &[usize], ms: u64) {
        for _ in 0..ms / 20 {
            for &n in talkers {
                let (slot, phone, _) = &mut self.phones[n];
                let packet = phone.packet();
                self.bench.receive(*slot, phone.address, &packet);
            }
            self.bench.run(20);
            for (n, sent) in self.sent.iter_mut().enumerate() {
                sent.extend(self.bench.heard_by(self.phones[n].0));
            }
        }
    }

    /// What each has heard since the last time, decoded.
    fn heard(&mut self, n: usize) -> Vec<i16> {
        listen(self.phones[n].1.codec, &std::mem::take(&mut self.sent[n]))
    }

    fn forget(&mut self) {
        self.sent.iter_mut().for_each(Vec::clear);
    }

    fn level(&mut self, n: usize, pcm: &[i16], of: usize) -> f64 {
        tone(pcm, self.phones[n].1.codec.sample_rate(), frequency(of)).0
    }
}

/// Whole periods fit into a packet.
fn frequency(n: usize) -> f64 {
    300.0 + 150.0 * n as f64
}

fn greatest_step(pcm: &[i16]) -> i32 {
    pcm.windows(2).map(|pair| (i32::from(pair[0]) - i32::from(pair[1])).abs()).max().unwrap_or(0)
}

#[test]
fn each_hears_all_others_and_not_themself() {
    for codecs in [
        [Codec::Pcmu, Codec::Pcmu, Codec::Pcma],
        [Codec::Pcmu, Codec::G722, Codec::Pcma],
        [Codec::Opus, Codec::G722, Codec::Pcmu],
    ] {
        let mut company = Company::new(&codecs);
        company.talk(&[0, 1, 2], 300);
        company.forget();
        company.talk(&[0, 1, 2], 400);
        for n in 0..3 {
            let pcm = company.heard(n);
            let rate = codecs[n].sample_rate() as usize;
            assert_eq!(pcm.len(), rate * 4 / 10, "{:?} is sent a packet each 20 ms", codecs[n]);
            for of in 0..3 {
                let level = company.level(n, &pcm[rate / 10..], of);
                match of == n {
                    true => assert!(level < LEVEL * 0.06, "{codecs:?} {n} hears themself at {level}"),
                    false => assert!((0.7..1.2).contains(&(level / LEVEL)), "{codecs:?} {n} hears {of} at {level}"),
                }
            }
        }
        assert_eq!(company.bench.counters.rooms.value(), 1);
        assert_eq!(company.bench.counters.room_members.value(), 3);
    }
}

#[test]
fn whoever_is_alone_is_sent_silence() {
    let mut company = Company::new(&[Codec::Pcmu]);
    company.talk(&[0], 500);
    assert_continuous(&company.sent[0], 160);
    assert!(company.heard(0).iter().all(|sample| sample.abs() < 20));
    company.leave(0);
    company.talk(&[0], 100);
    assert!(company.heard(0).is_empty());
    assert_eq!(company.bench.counters.rooms.value(), 0);
}

#[test]
fn listeners_share_an_encoder() {
    for codec in [Codec::Opus, Codec::G722, Codec::Pcmu] {
        let mut company = Company::new(&[codec; 4]);
        company.talk(&[0], 500);
        company.forget();
        company.talk(&[0], 200);
        let [one, two] = [1, 2].map(|n| company.sent[n].iter().map(|sent| sent.rtp().payload.to_vec()));
        assert!(one.eq(two), "{codec:?}");
        assert_eq!(company.sent[1].len(), 10);
        let ssrcs: std::collections::HashSet<u32> = (0..4).map(|n| company.sent[n][0].rtp().header.ssrc).collect();
        assert_eq!(ssrcs.len(), 4);
        // One for the three who listen, and one for who talks.
        let (_, room) = company.bench.engine.rooms.iter().next().unwrap();
        assert_eq!(room.voices.iter().filter(|(_, voice)| voice.users > 0).count(), 2);
        assert_eq!(room.voice(1).unwrap().users, 3);
    }
}

#[test]
fn a_listener_who_begins_to_talk_hears_on_without_a_break() {
    for codec in [Codec::Pcmu, Codec::G722, Codec::Opus] {
        let mut company = Company::new(&[codec; 3]);
        company.talk(&[0], 500);
        company.forget();
        company.talk(&[0], 400);
        let calm = greatest_step(&company.heard(1));
        company.talk(&[0, 1], 400);
        company.talk(&[0], 2_000);
        assert_continuous(&company.sent[1], codec.clock_rate() / 50);
        let pcm = company.heard(1);
        assert!(greatest_step(&pcm) < calm * 5 / 4, "{codec:?} {} after {calm}", greatest_step(&pcm));
        let quiet = pcm.chunks(codec.sample_rate() as usize / 50).skip(2);
        let least = quiet.map(|frame| frame.iter().map(|s| s.unsigned_abs()).max().unwrap()).min();
        // Opus has to find the sound again.
        assert!(least > Some(if codec == Codec::Opus { 4_000 } else { 6_000 }), "{codec:?}: a frame of {least:?}");
    }
}

#[test]
fn talkers_come_and_go_without_a_click() {
    let mut company = Company::new(&[Codec::Pcmu, Codec::Pcmu, Codec::G722, Codec::Pcma]);
    company.talk(&[0], 400);
    company.forget();
    // Not at a zero crossing.
    for n in 1..4 {
        company.phones[n].1.sample = 5;
    }
    let steepest: f64 = (0..3).map(|n| LEVEL * frequency(n) * std::f64::consts::TAU / 8_000.0).sum();
    company.talk(&[0, 1], 200);
    company.talk(&[0, 1, 2], 200);
    company.leave(1);
    company.talk(&[0, 2], 200);
    company.seat(0, |seat| seat.muted = true);
    company.talk(&[0, 2], 200);
    company.seat(0, |seat| seat.gain_db = -6);
    company.talk(&[0, 2], 200);
    let pcm = company.heard(3);
    assert!(f64::from(greatest_step(&pcm)) < steepest * 1.1, "{} of {steepest}", greatest_step(&pcm));
    let level = company.level(3, &pcm[pcm.len() - 800..], 0);
    assert!((0.4..0.6).contains(&(level / LEVEL)), "{level}");
}

#[test]
fn eight_loud_talkers_are_not_cut_off() {
    let mut company = Company::new(&[Codec::Pcmu; 10]);
    let all: Vec<usize> = (0..10).collect();
    company.talk(&all, 1_000);
    let meters = company.phones.iter().filter(|(_, _, meter)| meter.talks()).count();
    assert_eq!(meters, 8, "no more than may");
    company.forget();
    company.talk(&all, 400);
    let listener = (0..10).find(|&n| !company.phones[n].2.talks()).unwrap();
    let pcm = company.heard(listener);
    assert!(pcm.iter().all(|sample| sample.unsigned_abs() < 31_000));
    let clipped = pcm.windows(3).filter(|three| three.iter().all(|s| s.unsigned_abs() > 24_500)).count();
    assert!(clipped < 10, "{clipped}");
}

#[test]
fn members_are_muted_deafened_and_made_louder() {
    let mut company = Company::new(&[Codec::Pcmu; 3]);
    company.seat(0, |seat| seat.muted = true);
    company.seat(1, |seat| seat.deaf = true);
    company.seat(2, |seat| seat.gain_db = 6);
    company.phones[2].1.frequency = 600.0;
    company.talk(&[0, 1], 400);
    company.forget();
    company.talk(&[0, 1], 400);
    for sent in &company.sent {
        assert_continuous(sent, 160);
    }
    let [muted, deaf, third] = [0, 1, 2].map(|n| company.heard(n));
    assert!(company.level(0, &muted, 1) > LEVEL * 0.9, "who is muted hears on");
    assert!(deaf.iter().all(|sample| sample.abs() < 20), "who is deaf hears nothing");
    assert!(company.level(2, &third, 0) < 20.0 && company.level(2, &third, 1) > LEVEL * 0.9);
    company.talk(&[2], 400);
    company.forget();
    company.talk(&[2], 400);
    let loud = company.heard(0);
    let level = tone(&loud[800..], 8_000, 600.0).0;
    assert!((1.9..2.1).contains(&(level / LEVEL)), "{level}");
    // All is given back.
    company.seat(0, |_| ());
    company.seat(1, |_| ());
    company.talk(&[0], 400);
    company.forget();
    company.talk(&[0], 400);
    let pcm = company.heard(1);
    assert!(company.level(1, &pcm, 0) > LEVEL * 0.9);
}

#[test]
fn missing_frames_are_counted_and_silence_is_not() {
    let mut company = Company::new(&[Codec::Pcmu; 2]);
    company.talk(&[0, 1], 500);
    // Two packets are lost.
    company.phones[0].1.packet();
    company.phones[0].1.packet();
    company.talk(&[0, 1], 500);
    // One says nothing for a while and means it: the next packet has the next number.
    company.talk(&[0], 600);
    company.phones[1].1.header.timestamp += 600 * 8;
    company.talk(&[0, 1], 500);
    assert_eq!((company.phones[0].2.missing(), company.phones[1].2.missing()), (4, 0));
}

#[test]
fn a_member_on_hold_is_sent_nothing_and_comes_back() {
    let mut company = Company::new(&[Codec::G722, Codec::Pcmu]);
    company.talk(&[0, 1], 300);
    let held = PortSettings { send: None, ..settings(1, Codec::G722, 20) };
    company.bench.configure(0, held);
    company.forget();
    company.talk(&[0, 1], 300);
    assert!(company.sent[0].is_empty() && company.sent[1].len() == 15);
    company.bench.configure(0, settings(1, Codec::G722, 20));
    company.talk(&[1], 300);
    company.forget();
    company.talk(&[1], 300);
    let pcm = company.heard(0);
    let level = company.level(0, &pcm[1_600..], 1);
    assert!(level > LEVEL * 0.8, "{level}");
    company.bench.close(0);
    company.bench.close(1);
    assert_eq!(company.bench.counters.rooms.value(), 0);
    assert_eq!(company.bench.engine.next_due(), Time::NEVER);
}

#[test]
fn a_room_is_recorded_and_each_talker() {
    let mut company = Company::new(&[Codec::Pcmu, Codec::G722]);
    let (samples, mut whole) = rtrb::RingBuffer::new(20_000);
    company.bench.order(Command::TapRoom { room: ROOM, tap: Box::new(Tap { samples, rate: 16_000 }) });
    let (samples, mut one) = rtrb::RingBuffer::new(20_000);
    company.bench.order(Command::Tap { port: PortId(0), tap: Box::new(Tap { samples, rate: 8_000 }) });
    company.talk(&[0, 1], 600);
    let take = |ring: &mut rtrb::Consumer<i16>| {
        let count = ring.slots();
        ring.read_chunk(count).unwrap().into_iter().collect::<Vec<i16>>()
    };
    let (whole, one) = (take(&mut whole), take(&mut one));
    assert_eq!((whole.len() / 160, one.len() / 80), (60, 60));
    for of in 0..2 {
        assert!(tone(&whole[6_400..], 16_000, frequency(of)).0 > LEVEL * 0.9);
    }
    assert!(tone(&one[3_200..], 8_000, frequency(0)).1 > 0.98);
}

#[test]
fn a_recording_goes_on_when_the_room_gets_wider() {
    let mut company = Company::new(&[Codec::Pcmu]);
    let (samples, mut whole) = rtrb::RingBuffer::new(40_000);
    company.bench.order(Command::TapRoom { room: ROOM, tap: Box::new(Tap { samples, rate: 16_000 }) });
    company.talk(&[0], 400);
    company.enter(Codec::Opus);
    company.talk(&[0, 1], 800);
    let count = whole.slots();
    let pcm: Vec<i16> = whole.read_chunk(count).unwrap().into_iter().collect();
    assert!(count.abs_diff(120 * 160) <= 160, "{count}");
    for of in 0..2 {
        assert!(tone(&pcm[12_800..], 16_000, frequency(of)).0 > LEVEL * 0.8, "{of}");
    }
}

#[test]
fn digits_are_no_loss() {
    let mut company = Company::new(&[Codec::Pcmu, Codec::Pcmu]);
    company.talk(&[0, 1], 400);
    for event in 0..20u16 {
        let (slot, phone, _) = &mut company.phones[0];
        let mut packet = phone.header;
        packet.payload_type = 101;
        packet.timestamp = phone.header.timestamp;
        let mut bytes = packet.bytes().to_vec();
        bytes.extend(dtmf::Event { code: 5, end: event > 16, volume: 10, duration: 160 * (event + 1) }.bytes());
        phone.header.sequence = phone.header.sequence.wrapping_add(1);
        let (slot, from) = (*slot, phone.address);
        company.bench.receive(slot, from, &bytes);
        company.talk(&[1], 20);
    }
    let (_, phone, _) = &mut company.phones[0];
    phone.header.timestamp = phone.header.timestamp.wrapping_add(20 * 160);
    company.talk(&[0, 1], 2_000);
    assert_eq!(company.phones[0].2.missing(), 0);
}

#[test]
fn a_full_batch_is_emptied_and_nothing_is_left_out() {
    let mut company = Company::new(&[Codec::Pcmu; 40]);
    company.bench.batch = Batch::new(64);
    company.talk(&[0, 1], 400);
    for sent in &company.sent {
        assert!((19..=20).contains(&sent.len()), "{}", sent.len());
        assert_continuous(sent, 160);
    }
    assert_eq!(company.bench.counters.dropped(Reason::NoRoom), 0);
}
