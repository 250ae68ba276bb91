//! What a port hears, as sound: ten milliseconds at a time, whatever came and whenever.

use crate::base::time::Time;
use crate::media::audio::jitter::{Buffer, DELAY_MAX, Head, Lateness};
use crate::media::counters::Reason;
use crate::media::stream::receive::{Accept, Heard};
use std::time::Duration;
use tandem_codecs::comfort::{self, Colour};
use tandem_codecs::{Codec, CodecError, Decoder, MAX_FRAME_SAMPLES};

/// One step of all sound.
pub const STEP: Duration = Duration::from_millis(10);
/// Steps that are made up for after the thread was held up; older ones are left out.
pub const STEPS_LIMIT: u32 = 5;
/// The samples of one step at the highest rate.
pub const STEP_SAMPLES: usize = 480;

/// When nothing comes, concealment goes on for so long before there is silence.
const DRY_LIMIT: Duration = Duration::from_millis(200);
/// The same in a pause that Opus announced; it sends a packet each 400 ms then (RFC 6716 §2.1.9).
const DTX_LIMIT: Duration = Duration::from_millis(600);
/// A break that is longer isn't counted as loss.
const COUNTED_S: i64 = 60;
/// How often the delay is compared with what is needed, in steps.
const WINDOW: u32 = 100;
/// The level of silence, in dB below overload.
const SILENT_DB: u8 = 127;
/// Where the noise of a pause begins.
const SEED: u32 = 0x5EED;

/// When the next step is due, which is the same for all sides and rooms, so that their packets leave together.
pub fn next_step(now: Time) -> Time {
    let step = STEP.as_nanos() as u64;
    Time::from_nanos((now.nanos() / step + 1) * step)
}

pub struct Hearing {
    decoder: Decoder,
    clock_rate: u32,
    buffer: Buffer,
    lateness: Lateness,
    generation: u32,
    pcm: Fifo,
    state: State,
    /// The timestamp of the sample after the last one in `pcm`.
    position: i64,
    /// Samples of the last packet.
    packet: usize,
    /// How long nothing but concealment was made, because there was nothing else.
    dry: Duration,
    pause: bool,
    /// What the source says that its pause sounds like; it lasts until there is sound.
    comfort: comfort::Generator,
    is_comforting: bool,
    /// The number of the last packet that stood in the place of sound, such as a telephone-event.
    beside: Option<u64>,
    /// What was lost or late, in units of the clock.
    missing: u64,
    delay: Delay,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// Until then packets are collected.
    Filling(Time),
    Playing,
}

impl Hearing {
    /// `rate` in Hz is asked of a codec that leaves the choice.
    ///
    /// # Errors
    /// A codec or a rate that isn't there.
    pub fn new(codec: Codec, rate: u32) -> Result<Hearing, CodecError> {
        let decoder = Decoder::new(codec, (codec == Codec::Opus).then_some(rate))?;
        Ok(Hearing {
            pcm: Fifo::new(MAX_FRAME_SAMPLES + 2 * STEP_SAMPLES),
            packet: decoder.rate() as usize / 50,
            decoder,
            clock_rate: codec.clock_rate(),
            buffer: Buffer::new(codec),
            lateness: Lateness::new(codec.clock_rate()),
            generation: 0,
            state: State::Idle,
            position: 0,
            dry: Duration::ZERO,
            pause: false,
            comfort: comfort::Generator::new(Colour::white(SILENT_DB), SEED),
            is_comforting: false,
            beside: None,
            missing: 0,
            delay: Delay::default(),
        })
    }

    pub fn codec(&self) -> Codec {
        self.decoder.codec()
    }

    /// In Hz.
    pub fn rate(&self) -> u32 {
        self.decoder.rate()
    }

    /// The samples of one step.
    pub fn step(&self) -> usize {
        self.rate() as usize / 100
    }

    /// Whether steps bring nothing until the next packet.
    pub fn is_idle(&self) -> bool {
        self.state == State::Idle && self.buffer.is_empty()
    }

    /// How many steps' worth of sound was sent and wasn't here when its turn came. What a sender leaves out on purpose,
    /// since it is silent, doesn't count.
    pub fn missing(&self) -> u64 {
        self.missing * 100 / u64::from(self.clock_rate.max(1))
    }

    /// Forgets what waits; what comes next has nothing to do with what came before.
    pub fn clear(&mut self) {
        self.resynchronise();
        self.pcm.clear();
    }

    /// Keeps a packet until its turn.
    pub fn push(&mut self, now: Time, heard: &Heard<'_>) -> Result<(), Reason> {
        if self.generation != heard.generation {
            self.generation = heard.generation;
            self.resynchronise();
        }
        let (extended, timestamp) = (heard.extended, heard.header.timestamp);
        let timestamp = match heard.accept {
            Accept::Noise => self.buffer.push_noise(extended, timestamp, heard.payload)?,
            _ => self.buffer.push(extended, timestamp, heard.payload)?,
        };
        self.lateness.observe(now, timestamp);
        if self.state == State::Idle {
            self.state = State::Filling(now + self.lateness.target());
        }
        Ok(())
    }

    /// Notes a packet that stands in the place of sound: what follows it follows the sound before it.
    pub fn pass_by(&mut self, heard: &Heard<'_>) {
        self.beside = (self.generation == heard.generation).then_some(heard.extended);
    }

    fn follows(&self, head: &Head<'_>) -> bool {
        head.follows || self.beside.is_some_and(|number| number + 1 == head.extended)
    }

    /// Whether what was pulled last is a pause of the source's: its comfort noise, or Opus' own.
    pub fn is_pause(&self) -> bool {
        self.is_comforting || self.pause
    }

    /// The source's pause is over, whatever comes.
    pub fn end_comfort(&mut self) {
        self.is_comforting = false;
    }

    fn resynchronise(&mut self) {
        self.is_comforting = false;
        self.buffer.reset();
        self.lateness = Lateness::new(self.clock_rate);
        self.state = State::Idle;
        self.dry = Duration::ZERO;
        self.beside = None;
    }

    /// Fills `out`, of [`Hearing::step`] samples, with the next ten milliseconds. False where there is nothing to be
    /// heard; `out` is as it was then.
    pub fn pull(&mut self, now: Time, out: &mut [i16]) -> bool {
        match self.state {
            State::Idle => return false,
            State::Filling(until) if now < until => return false,
            State::Filling(_) => {
                let Some(head) = self.buffer.head() else { return false };
                let (timestamp, follows) = (head.timestamp, self.follows(&head));
                self.judge(timestamp - self.position, follows);
                self.position = timestamp;
                self.state = State::Playing;
                (self.dry, self.pause) = (Duration::ZERO, false);
                self.delay = Delay::default();
                self.pcm.clear();
            }
            State::Playing => {}
        }
        self.shed();
        let wanted = out.len();
        let shorten = self.delay.is_too_long && self.depth() >= 3 * STEP;
        while self.pcm.len() < if shorten { 2 * wanted } else { wanted } {
            if !self.refill() {
                return false;
            }
        }
        match shorten {
            true => self.pcm.take_shortened(out),
            false => self.pcm.take(out),
        }
        let depth = self.depth();
        self.delay.observe(depth, shorten, &mut self.lateness);
        true
    }

    /// How much sound waits, decoded or not.
    fn depth(&self) -> Duration {
        let decoded = self.pcm.len() as u64 * 1_000_000 / u64::from(self.rate().max(1));
        let waiting = u64::try_from(self.end() - self.position).unwrap_or(0);
        Duration::from_micros(decoded + waiting.saturating_mul(1_000_000) / u64::from(self.clock_rate.max(1)))
    }

    /// The timestamp after all that came.
    fn end(&self) -> i64 {
        self.buffer.newest_timestamp().map_or(self.position, |newest| newest + self.units(self.packet))
    }

    /// Throws away what a burst brought beyond all bounds: holes first, then packets.
    fn shed(&mut self) {
        while self.depth() > 2 * DELAY_MAX {
            let Some((extended, timestamp)) = self.buffer.head().map(|head| (head.extended, head.timestamp)) else {
                self.position = self.end();
                return;
            };
            if timestamp > self.position {
                self.position = timestamp;
            } else {
                self.buffer.make_way(extended + 1);
                self.position = timestamp + self.units(self.packet);
            }
        }
    }

    /// Makes more sound: the next packet if its time has come, and concealment otherwise. False once there is nothing more
    /// to be heard.
    fn refill(&mut self) -> bool {
        let units_of_packet = self.units(self.packet);
        let head = self.buffer.head().map(|head| (head.timestamp, self.follows(&head)));
        let Some((timestamp, follows)) = head else { return self.run_dry() };
        let gap = timestamp - self.position;
        self.judge(gap, follows);
        // Where concealment has filled the time of a late packet, it is played all the same: the delay grows by that. A
        // distance of over a second says that the source's clock has jumped.
        if gap <= 0 || gap > i64::from(self.clock_rate) {
            self.position = timestamp;
            return self.decode();
        }
        if follows {
            return self.conceal(gap.min(self.units(self.step())));
        }
        // What is missing now is lost: its turn has come.
        if gap <= units_of_packet && self.recover(gap) {
            return true;
        }
        let lost = gap.min(units_of_packet);
        self.missing += lost.unsigned_abs();
        self.conceal(lost)
    }

    fn decode(&mut self) -> bool {
        let Some(head) = self.buffer.head() else { return self.run_dry() };
        let extended = head.extended;
        let length = head.payload.len();
        if head.is_noise {
            let colour = Colour::read(head.payload).unwrap_or(Colour::white(SILENT_DB));
            self.buffer.make_way(extended + 1);
            return self.begin_comfort(colour);
        }
        self.is_comforting = false;
        let decoded = self.pcm.fill(|room| self.decoder.decode(head.payload, room).ok());
        self.buffer.make_way(extended + 1);
        self.dry = Duration::ZERO;
        match decoded {
            Some(samples) if samples > 0 => {
                self.pause = self.decoder.codec() == Codec::Opus && length <= 2;
                self.packet = samples;
                self.position += self.units(samples);
                true
            }
            // What can't be decoded is as good as lost.
            _ => {
                self.missing += self.units(self.packet).unsigned_abs();
                self.conceal(self.units(self.packet))
            }
        }
    }

    /// A pause begins, or sounds otherwise from now on.
    fn begin_comfort(&mut self, colour: Colour) -> bool {
        // The colour is told for the clock's rate (RFC 3389 §4); at another, the level alone means the same.
        let fits = self.clock_rate == self.decoder.rate();
        self.comfort.set(if fits { colour } else { Colour::white(colour.below_overload_db) });
        self.is_comforting = true;
        self.dry = Duration::ZERO;
        self.conceal(self.units(self.step()))
    }

    /// Counts what was missing while there was no packet, as the one that is here now tells: it came late, others before it
    /// were lost, or its sender was silent. `gap` lies between it and what was made up.
    fn judge(&mut self, gap: i64, follows: bool) {
        let dry = (self.dry.as_micros() as i64) * i64::from(self.clock_rate) / 1_000_000;
        if dry == 0 || self.pause || self.is_comforting {
            return;
        }
        self.dry = Duration::ZERO;
        let longest = i64::from(self.clock_rate) * COUNTED_S;
        let units = match follows {
            true => (-gap).clamp(0, dry),
            // While nothing was made up any more, the rest was lost as well.
            false => dry + if self.state == State::Playing || gap > longest { 0 } else { gap.max(0) },
        };
        self.missing += units.unsigned_abs();
    }

    /// Takes a lost packet out of the copy that the next one brings (RFC 6716 §2.1.7).
    fn recover(&mut self, gap: i64) -> bool {
        let samples = self.samples(gap);
        let Some(head) = self.buffer.head() else { return false };
        let recovered = self.pcm.fill(|room| {
            let room = room.get_mut(..samples)?;
            matches!(self.decoder.decode_fec(head.payload, room), Ok(true)).then_some(samples)
        });
        if recovered.is_some() {
            self.buffer.make_way(head.extended);
            self.position += gap;
        }
        recovered.is_some()
    }

    fn run_dry(&mut self) -> bool {
        if self.is_comforting {
            return self.conceal(self.units(self.step()));
        }
        if self.dry >= if self.pause { DTX_LIMIT } else { DRY_LIMIT } {
            self.state = State::Idle;
            self.pcm.clear();
            return false;
        }
        self.dry += STEP;
        self.conceal(self.units(self.step()))
    }

    /// Makes up for `units` of the clock.
    fn conceal(&mut self, units: i64) -> bool {
        let samples = self.samples(units).clamp(1, MAX_FRAME_SAMPLES);
        let concealed = self.pcm.fill(|room| {
            let room = room.get_mut(..samples)?;
            match self.is_comforting {
                true => self.comfort.fill(room),
                false => self.decoder.conceal(room),
            }
            Some(samples)
        });
        self.position += units;
        concealed.is_some()
    }

    fn units(&self, samples: usize) -> i64 {
        (samples as u64 * u64::from(self.clock_rate) / u64::from(self.decoder.rate().max(1))) as i64
    }

    fn samples(&self, units: i64) -> usize {
        let units = u64::try_from(units).unwrap_or(0);
        (units * u64::from(self.decoder.rate()) / u64::from(self.clock_rate.max(1))) as usize
    }
}

/// Finds out, over a window of steps, whether sound waits longer than the network's jitter demands.
#[derive(Clone, Copy, Debug, Default)]
struct Delay {
    steps: u32,
    least: Option<Duration>,
    is_too_long: bool,
    /// Steps until the next one may be shortened.
    rest: u32,
    excess: Duration,
}

impl Delay {
    fn observe(&mut self, depth: Duration, shortened: bool, lateness: &mut Lateness) {
        self.least = Some(self.least.map_or(depth, |least| least.min(depth)));
        self.steps += 1;
        if shortened {
            self.excess = self.excess.saturating_sub(STEP);
            self.rest = if self.excess > 6 * STEP { 2 } else { 10 };
        }
        self.rest = self.rest.saturating_sub(1);
        if self.steps >= WINDOW {
            // The least that waited is what the worst packet of this window had to spare.
            let delay = self.least.unwrap_or_default() + lateness.take_recent();
            self.excess = delay.saturating_sub(lateness.target());
            (self.steps, self.least) = (0, None);
        }
        self.is_too_long = self.excess > STEP && self.rest == 0;
    }
}

/// Samples between decoding and playing, in a buffer that is made once.
struct Fifo {
    samples: Box<[i16]>,
    begin: usize,
    end: usize,
}

impl Fifo {
    fn new(capacity: usize) -> Fifo {
        Fifo { samples: vec![0; capacity].into_boxed_slice(), begin: 0, end: 0 }
    }

    fn len(&self) -> usize {
        self.end - self.begin
    }

    fn clear(&mut self) {
        (self.begin, self.end) = (0, 0);
    }

    /// Adds what `write` puts into the free room, as many samples as it answers.
    fn fill(&mut self, write: impl FnOnce(&mut [i16]) -> Option<usize>) -> Option<usize> {
        self.samples.copy_within(self.begin..self.end, 0);
        (self.begin, self.end) = (0, self.end - self.begin);
        let room = &mut self.samples[self.end..];
        let capacity = room.len();
        let written = write(room)?.min(capacity);
        self.end += written;
        Some(written)
    }

    fn take(&mut self, out: &mut [i16]) {
        out.copy_from_slice(&self.samples[self.begin..self.begin + out.len()]);
        self.begin += out.len();
    }

    /// Takes twice as many samples as `out` has, fading from the first half to the second.
    fn take_shortened(&mut self, out: &mut [i16]) {
        let count = out.len();
        let (first, second) = self.samples[self.begin..self.begin + 2 * count].split_at(count);
        for (index, (out, (&first, &second))) in out.iter_mut().zip(first.iter().zip(second)).enumerate() {
            let (first, second) = (i64::from(first), i64::from(second));
            *out = ((first * (count - index) as i64 + second * index as i64) / count as i64) as i16;
        }
        self.begin += 2 * count;
    }
}
