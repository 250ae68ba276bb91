//! The engine's steps of ten milliseconds: what is heard is decoded, tapped and encoded for those who send it.

use super::{EVENT_LIMIT, Engine};
use crate::base::time::Time;
use crate::media::audio::clip::Player;
use crate::media::audio::hearing::{Hearing, STEP, STEP_SAMPLES, STEPS_LIMIT};
use crate::media::audio::keys::{Key, Keys};
use crate::media::audio::tap::Tapped;
use crate::media::audio::transcode::{Frame, PAYLOAD_BYTES, Transcoder, encoder_rate, opus_rate};
use crate::media::batch::{Batch, Slot};
use crate::media::command::{Clip, Event, PortId, Source, Tap};
use crate::media::counters::Reason;
use crate::media::side::{Side, Way};
use crate::media::stream::receive::Heard;
use crate::media::stream::send::{Exit, Send};
use std::sync::Arc;
use tandem_codecs::Codec;
use tandem_codecs::comfort::Colour;

/// What digits need, in Hz.
const KEYS_RATE: u32 = 8_000;

/// The step that is made, and when it is.
#[derive(Clone, Copy)]
struct Moment {
    due: Time,
    now: Time,
}

/// A step of sound at `rate` Hz.
#[derive(Clone, Copy)]
struct Spoken<'a> {
    pcm: &'a [i16],
    rate: u32,
    is_pause: bool,
}

/// Keys that are heard in one step at most: digits and pauses are longer.
const KEYS_IN_STEP: usize = 4;

impl Engine {
    /// Makes the codecs that a side's sound needs, as far as they aren't there. Called for orders and on a tick, never on
    /// a packet's way.
    pub(super) fn prepare(&mut self, slot: Slot) {
        let Some(side) = self.sides.get_mut(slot.0) else { return };
        side.unprepared = false;
        self.prepare_player(slot);
        self.prepare_tones(slot);
        let Some(side) = self.sides.get(slot.0) else { return };
        let Some(codec) = side.receive.codec() else { return };
        let transcoding = |listener: &Slot| {
            let sink = self.sides.get(listener.0)?;
            let origin = side.origin_for(*listener);
            let sending = sink.send.settings().filter(|_| sink.way_for(codec, origin) == Way::Transcode)?;
            Some((*listener, encoder_rate(sending, codec.sample_rate())))
        };
        let tap_rate = side.tap.as_ref().map(|tap| tap.rate());
        let room_rate = self.room_rate(side);
        let rates = side.listeners.iter().filter_map(transcoding).map(|(_, rate)| rate);
        let keys_rate = side.hears_keys.then_some(KEYS_RATE);
        let wanted = rates.chain(tap_rate).chain(room_rate).chain(keys_rate).max();
        let fits = side.hearing.as_ref().is_some_and(|hearing| {
            hearing.codec() == codec && (codec != Codec::Opus || hearing.rate() >= opus_rate(wanted.unwrap_or(0)))
        });
        let made = match wanted {
            Some(rate) if !fits => Some(Hearing::new(codec, opus_rate(rate)).ok().map(Box::new)),
            Some(_) => None,
            None => Some(None),
        };
        let Some(side) = self.sides.get_mut(slot.0) else { return };
        if let Some(hearing) = made {
            let before = std::mem::replace(&mut side.hearing, hearing);
            self.hears_at(slot, before.map_or(0, |before| before.missing()));
        }
        let Some(side) = self.sides.get_mut(slot.0) else { return };
        if side.keys.is_some() && (side.hearing.is_none() || !side.hears_keys) {
            side.keys = None;
            self.release_keys(slot);
        }
        let Some(side) = self.sides.get_mut(slot.0) else { return };
        let Some(rate) = side.hearing.as_ref().map(|hearing| hearing.rate()) else { return };
        if let Some(tap) = &mut side.tap {
            tap.prepare(rate);
        }
        if side.hears_keys && side.keys.as_ref().is_none_or(|keys| keys.rate() != rate) {
            side.keys = Some(Box::new(Keys::new(rate)));
        }
        for index in 0..side.listeners.len() {
            let Some(side) = self.sides.get(slot.0) else { return };
            let Some(&listener) = side.listeners.get(index) else { return };
            let (origin, hears_keys) = (side.origin_for(listener), side.hears_keys);
            let Some(sink) = self.sides.get_mut(listener.0) else { continue };
            if hears_keys {
                sink.send.await_keys();
            }
            if sink.way_for(codec, origin) == Way::Transcode {
                sink.prepare_transcoder(rate);
            }
        }
    }

    fn prepare_player(&mut self, slot: Slot) {
        let Some(side) = self.sides.get_mut(slot.0) else { return };
        if let Some(rate) = side.player.as_ref().map(|player| player.rate()) {
            side.prepare_transcoder(rate);
        }
    }

    /// Tones need an encoder where the sound is relayed.
    fn prepare_tones(&mut self, slot: Slot) {
        let Some(side) = self.sides.get_mut(slot.0) else { return };
        if side.tones.as_ref().is_some_and(|tones| tones.is_active()) && side.transcoder.is_none() {
            let rate = side
                .send
                .codec()
                .map_or(KEYS_RATE, |codec| if codec == Codec::Opus { 16_000 } else { codec.sample_rate() });
            side.prepare_transcoder(rate);
        }
    }

    /// Sees to it that tones which wait are heard from the next step on.
    pub(super) fn sound_tones(&mut self, now: Time, slot: Slot) {
        let Some(side) = self.sides.get_mut(slot.0) else { return };
        if side.tones.as_ref().is_some_and(|tones| tones.is_active()) {
            side.unprepared |= side.transcoder.is_none();
            side.begin_sound(now);
            self.reschedule(slot);
        }
    }

    /// Begins a clip.
    pub(super) fn play(&mut self, now: Time, slot: Slot, clip: Arc<Clip>, repeat: bool) {
        let Some(side) = self.sides.get_mut(slot.0) else { return };
        side.player = Some(Box::new(Player::new(clip, repeat)));
        side.begin_sound(now);
        self.prepare_player(slot);
        self.turn(slot, Way::Transcode);
        self.reschedule(slot);
    }

    pub(super) fn tap(&mut self, now: Time, port: PortId, tap: Tap) {
        let Some(slot) = self.ordered(port) else { return };
        if let Some(side) = self.sides.get_mut(slot.0) {
            side.tap = Some(Box::new(Tapped::new(tap)));
            side.begin_sound(now);
        }
        self.prepare(slot);
        self.reschedule(slot);
    }

    /// Puts a packet where it waits for its turn.
    pub(super) fn hear(&mut self, now: Time, slot: Slot, codec: Codec, heard: &Heard<'_>) {
        let Some(side) = self.sides.get_mut(slot.0) else { return };
        let result = match side.hearing.as_mut().filter(|hearing| hearing.codec() == codec) {
            Some(hearing) => hearing.push(now, heard),
            None => {
                side.unprepared = true;
                Err(Reason::Unprepared)
            }
        };
        if let Err(reason) = result {
            self.counters.count_drop(reason);
            side.dropped += 1;
        }
        if result == Err(Reason::Late) {
            side.receive.discard(heard);
        }
        side.begin_sound(now);
        self.reschedule(slot);
    }

    /// Makes the steps of sound that are due.
    pub(super) fn step_sound(&mut self, now: Time, slot: Slot, batch: &mut Batch) {
        let Some(mut due) = self.sides.get(slot.0).map(|side| side.sound_due) else { return };
        for _ in 0..STEPS_LIMIT {
            if due > now {
                break;
            }
            self.step(due, now, slot, batch);
            due += STEP;
        }
        let Some(side) = self.sides.get_mut(slot.0) else { return };
        while due <= now {
            if let Some(tap) = &mut side.tap {
                tap.push(None, 0);
            }
            self.counters.missed_ticks.add(1);
            due += STEP;
        }
        side.sound_due = if side.sounds() { due } else { Time::NEVER };
    }

    fn step(&mut self, due: Time, now: Time, slot: Slot, batch: &mut Batch) {
        let mut pcm = [0; STEP_SAMPLES];
        let at = Moment { due, now };
        self.hear_on(at, slot, &mut pcm, batch);
        let Some(side) = self.sides.get_mut(slot.0) else { return };
        if side.tap.as_ref().is_some_and(|tap| tap.is_abandoned()) {
            side.tap = None;
            // What only the tap needed goes at the next tick.
            side.unprepared = true;
        }
        self.play_on(at, slot, &mut pcm, batch);
        self.tone_on(at, slot, &mut pcm, batch);
    }

    /// Hands a step of what a side hears to those who send it.
    fn hear_on(&mut self, at: Moment, slot: Slot, pcm: &mut [i16; STEP_SAMPLES], batch: &mut Batch) {
        let Some(side) = self.sides.get_mut(slot.0) else { return };
        let Side { hearing, tap, keys, .. } = &mut **side;
        let Some(hearing) = hearing else {
            if let Some(tap) = tap {
                tap.push(None, 0);
            }
            return;
        };
        let (samples, rate) = (hearing.step(), hearing.rate());
        let Some(pcm) = pcm.get_mut(..samples) else { return };
        let mut active = hearing.pull(at.due, pcm);
        let is_pause = hearing.is_pause();
        if let Some(tap) = tap {
            tap.push(active.then_some(&*pcm), rate);
        }
        let mut pressed = [None; KEYS_IN_STEP];
        if let Some(keys) = keys.as_mut().filter(|keys| keys.rate() == rate) {
            let mut room = pressed.iter_mut();
            active = keys.hear(pcm, active, |key| {
                if let Some(place) = room.next() {
                    *place = Some(key);
                }
            });
        }
        for key in pressed.into_iter().flatten() {
            self.pressed(slot, key);
        }
        let heard = active.then_some(Spoken { pcm, rate, is_pause });
        let mut index = 0;
        while let Some(&listener) = self.sides.get(slot.0).and_then(|side| side.listeners.get(index)) {
            self.speak(at, listener, heard, batch);
            index += 1;
        }
    }

    /// Tells of a key that was heard in the sound, and passes it on.
    fn pressed(&mut self, slot: Slot, key: Key) {
        let Some(side) = self.sides.get(slot.0) else { return };
        if let Key::LetGo { digit, duration } = key
            && self.events.len() < EVENT_LIMIT
        {
            self.events.push_back(Event::Digit { port: side.id, digit, duration });
        }
        let mut index = 0;
        while let Some(&listener) = self.sides.get(slot.0).and_then(|side| side.listeners.get(index)) {
            if let Some(sink) = self.sides.get_mut(listener.0).filter(|_| listener != slot) {
                sink.send.press(key);
                self.reschedule(listener);
            }
            index += 1;
        }
    }

    /// Nobody hears any more when a key is let go of.
    fn release_keys(&mut self, slot: Slot) {
        let mut index = 0;
        while let Some(&listener) = self.sides.get(slot.0).and_then(|side| side.listeners.get(index)) {
            if let Some(sink) = self.sides.get_mut(listener.0) {
                sink.send.release_key();
            }
            index += 1;
        }
    }

    /// Sends a step of the clip that a side plays.
    fn play_on(&mut self, at: Moment, slot: Slot, pcm: &mut [i16; STEP_SAMPLES], batch: &mut Batch) {
        let Some(side) = self.sides.get_mut(slot.0) else { return };
        let Some(player) = &mut side.player else { return };
        let (samples, rate) = (player.step(), player.rate());
        let Some(pcm) = pcm.get_mut(..samples) else { return };
        let goes_on = player.pull(pcm);
        self.speak(at, slot, Some(Spoken { pcm, rate, is_pause: false }), batch);
        if goes_on {
            return;
        }
        let Some(side) = self.sides.get_mut(slot.0) else { return };
        let to = side.port.rtp_destination();
        let Side { send, transcoder, player, source, id, security, .. } = &mut **side;
        let mut exit = Exit { batch, slot, to, counters: &self.counters, security };
        if let Some(transcoder) = transcoder {
            transcoder.finish(|frame| encode(at.now, send, &mut exit, frame));
        }
        (*player, *source) = (None, Source::Nothing);
        self.events.push_back(Event::Finished { port: *id });
        self.turn(slot, Way::Idle);
    }

    /// Sends a step of the digits that a side's peer takes as tones.
    fn tone_on(&mut self, at: Moment, slot: Slot, pcm: &mut [i16; STEP_SAMPLES], batch: &mut Batch) {
        let Some(side) = self.sides.get_mut(slot.0) else { return };
        let to = side.port.rtp_destination();
        let Side { send, transcoder, tones, unprepared, way, security, .. } = &mut **side;
        let mut exit = Exit { batch, slot, to, counters: &self.counters, security };
        let Some(tones) = tones.as_mut().filter(|tones| tones.is_active()) else { return };
        let Some(transcoder) = transcoder else {
            *unprepared = true;
            return;
        };
        let rate = transcoder.from();
        let Some(pcm) = pcm.get_mut(..rate as usize / 100) else { return };
        let goes_on = tones.pull(at.due, rate, pcm);
        transcoder.push(pcm, |frame| encode(at.now, send, &mut exit, frame));
        // What is transcoded goes on in the same packet.
        if !goes_on && *way != Way::Transcode {
            transcoder.finish(|frame| encode(at.now, send, &mut exit, frame));
        }
    }

    /// Encodes a step of sound for a side that doesn't get it relayed; none where there is silence, which isn't sent.
    fn speak(&mut self, at: Moment, slot: Slot, spoken: Option<Spoken<'_>>, batch: &mut Batch) {
        let Some(side) = self.sides.get_mut(slot.0).filter(|side| side.way == Way::Transcode) else { return };
        let to = side.port.rtp_destination();
        let Side { send, transcoder: Some(transcoder), tones, security, .. } = &mut **side else { return };
        let mut exit = Exit { batch, slot, to, counters: &self.counters, security };
        // A digit is heard instead of the sound.
        if tones.as_ref().is_some_and(|tones| tones.covers(at.due)) {
            return;
        }
        match spoken {
            Some(Spoken { pcm, rate, is_pause }) if transcoder.from() == rate && !send.signals() => {
                let rests = is_pause && send.noise().is_some();
                transcoder.push(pcm, |frame| match rests {
                    true => rest(at.now, send, &mut exit, &frame),
                    false => encode(at.now, send, &mut exit, frame),
                });
            }
            _ => transcoder.pause(),
        }
    }
}

impl Side {
    /// Makes what encodes sound of `from` Hz for the peer.
    fn prepare_transcoder(&mut self, from: u32) {
        let Some((sending, codec)) = self.send.settings().and_then(|sending| Some((sending, sending.coding.codec()?)))
        else {
            return;
        };
        if !self.transcoder.as_ref().is_some_and(|transcoder| transcoder.suits(sending, from)) {
            self.transcoder = Transcoder::new(sending, codec, from).ok().map(Box::new);
        }
    }
}

fn encode(now: Time, send: &mut Send, exit: &mut Exit<'_>, frame: Frame<'_>) {
    let Frame { encoder, pcm, units, follows } = frame;
    send.encoded(now, exit, units, follows, |room| encoder.encode(pcm, room.get_mut(..PAYLOAD_BYTES)?).ok());
}

/// Describes a packet's sound in place of sending it.
fn rest(now: Time, send: &mut Send, exit: &mut Exit<'_>, frame: &Frame<'_>) {
    let colour = Colour::of(frame.pcm);
    // A colour is told for the clock's rate (RFC 3389 §4).
    let fits = frame.encoder.rate() == send.clock_rate();
    let colour = if fits { colour } else { Colour::white(colour.below_overload_db) };
    send.rest(now, exit, frame.units, frame.follows, &colour);
}
