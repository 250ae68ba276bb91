//! The engine's rooms: who enters and leaves, and the steps in which all members are heard, mixed and sent what they hear.

use super::Engine;
use crate::base::time::Time;
use crate::media::audio::hearing::{STEP, STEP_SAMPLES, STEPS_LIMIT, next_step};
use crate::media::audio::tap::Tapped;
use crate::media::audio::transcode::{encoder_rate, is_known_rate, opus_rate};
use crate::media::audio::voice::{self, Packet};
use crate::media::batch::{Batch, Slot};
use crate::media::command::{RoomId, Seat, Tap};
use crate::media::counters::{Counters, Reason};
use crate::media::room::Room;
use crate::media::side::{Place, Side};
use crate::media::stream::send::Exit;
use slab::Slab;
use std::sync::Arc;
use tandem_codecs::Codec;
use tandem_codecs::loudness::Loudness;

/// The rate of a room before it is known who comes.
const LOWEST_RATE: u32 = 8_000;
/// Each member's figures are shown every so many steps.
const SHOWN_EACH: usize = 16;

impl Engine {
    /// Whether a side is in this room already.
    pub(super) fn is_seated(&self, slot: Slot, seat: &Seat) -> bool {
        let place = self.sides.get(slot.0).and_then(|side| side.place);
        place.and_then(|place| self.rooms.get(place.room)).is_some_and(|room| room.id == seat.room)
    }

    /// A member is muted, deafened or made louder, or no longer.
    pub(super) fn change_seat(&mut self, slot: Slot, seat: &Arc<Seat>) {
        let Some(side) = self.sides.get_mut(slot.0) else { return };
        let Some(place) = side.place.as_mut() else { return };
        if let (false, true, Some(hearing)) = (seat.muted, place.muted, &mut side.hearing) {
            // What waited since then is old.
            hearing.clear();
        }
        place.muted = seat.muted;
        let Some(room) = self.rooms.get_mut(place.room) else { return };
        if let Some(member) = room.members.get_mut(place.index) {
            member.seat = Arc::clone(seat);
        }
        if let Some(talk) = room.talks.get_mut(place.index).filter(|_| seat.muted) {
            talk.stop();
        }
    }

    /// Leads a side into a room, which is made for the first one.
    pub(super) fn enter(&mut self, now: Time, slot: Slot, seat: &Arc<Seat>) {
        let known = self.room_ids.get(&seat.room).copied();
        let key = known.unwrap_or_else(|| {
            let due = next_step(now);
            let key = self.rooms.insert(Box::new(Room::new(seat.room, LOWEST_RATE, seat.talkers, due)));
            self.room_ids.insert(seat.room, key);
            self.next = self.next.min(due);
            self.counters.rooms.add(1);
            key
        });
        let (Some(room), Some(side)) = (self.rooms.get_mut(key), self.sides.get_mut(slot.0)) else { return };
        let index = room.enter(slot, Arc::clone(seat));
        side.place = Some(Place { room: key, index, muted: seat.muted });
        side.sound_due = Time::NEVER;
        self.counters.room_members.add(1);
        self.prepare(slot);
        self.prepare_place(slot);
        self.reschedule(slot);
    }

    /// Takes a side out of its room; the last one closes the door.
    pub(super) fn leave(&mut self, slot: Slot) {
        let Some(place) = self.sides.get_mut(slot.0).and_then(|side| side.place.take()) else { return };
        let (Some(room), Some(side)) = (self.rooms.get_mut(place.room), self.sides.get_mut(slot.0)) else { return };
        let mut last = [0; STEP_SAMPLES];
        let hearing = side.hearing.as_mut().filter(|_| !place.muted);
        let last = hearing.and_then(|hearing| {
            let last = last.get_mut(..hearing.step())?;
            hearing.pull(room.due, last).then_some(&*last)
        });
        room.leave(place.index, last);
        self.counters.room_members.subtract(1);
        // The last member has moved to this place.
        if let Some(member) = room.members.get(place.index)
            && let Some(moved) = self.sides.get_mut(member.slot.0)
        {
            moved.place = moved.place.map(|before| Place { index: place.index, ..before });
            // Whoever is where others were sent to already isn't sent this packet.
            if room.sending.is_some_and(|at| at > place.index) {
                moved.send.leave_out();
            }
        }
        if room.members.is_empty() {
            self.room_ids.remove(&room.id);
            self.rooms.remove(place.room);
            self.counters.rooms.subtract(1);
        }
    }

    /// Makes what a member's place in its room needs, after its settings may have changed.
    pub(super) fn prepare_place(&mut self, slot: Slot) {
        let Some(side) = self.sides.get(slot.0) else { return };
        let Some(place) = side.place else { return };
        let (sending, speaks) = (side.send.settings(), side.receive.codec());
        let heard = sending.and_then(|sending| Some(encoder_rate(sending, sending.coding.codec()?.sample_rate())));
        // What Opus has beyond what its own side can play is nobody's loss.
        let said = speaks.map(|codec| match (codec, heard) {
            (Codec::Opus, Some(rate)) => rate,
            _ => codec.sample_rate(),
        });
        let format = sending.and_then(voice::format_of);
        let Some(room) = self.rooms.get_mut(place.room) else { return };
        let before = room.rate;
        for rate in [heard, said].into_iter().flatten().map(opus_rate).filter(|rate| is_known_rate(*rate)) {
            room.raise_rate(rate);
        }
        room.set_format(place.index, format);
        if room.rate > before {
            let slots: Vec<Slot> = room.members.iter().map(|member| member.slot).collect();
            slots.into_iter().for_each(|slot| self.prepare(slot));
        } else {
            self.prepare(slot);
        }
    }

    /// The rate of the room that a side is in, in Hz.
    pub(super) fn room_rate(&self, side: &Side) -> Option<u32> {
        Some(self.rooms.get(side.place?.room)?.rate)
    }

    /// A member has another decoder; before that, `missed` frames were missing.
    pub(super) fn hears_at(&mut self, slot: Slot, missed: u64) {
        let Some(side) = self.sides.get(slot.0) else { return };
        let (Some(place), Some(hearing)) = (side.place, &side.hearing) else { return };
        let Some(room) = self.rooms.get_mut(place.room) else { return };
        room.widen(hearing.step());
        if let Some(member) = room.members.get_mut(place.index) {
            member.missed += missed;
        }
    }

    /// Copies the mix of a room to a ring.
    pub(super) fn tap_room(&mut self, room: RoomId, tap: Tap) {
        let room = self.room_ids.get(&room).and_then(|&key| self.rooms.get_mut(key));
        let Some(room) = room else { return self.counters.count_drop(Reason::NoPort) };
        let mut tapped = Tapped::new(tap);
        tapped.prepare(room.rate);
        room.tap = Some(Box::new(tapped));
    }

    /// When the next room has something to do.
    pub(super) fn rooms_due(&self) -> Time {
        self.rooms.iter().map(|(_, room)| room.due).min().unwrap_or(Time::NEVER)
    }

    /// Makes the steps of all rooms that are due. True where the batch is full before all packets are in it.
    pub(super) fn tick_rooms(&mut self, now: Time, batch: &mut Batch) -> bool {
        let Engine { rooms, sides, counters, .. } = self;
        for (_, room) in rooms.iter_mut() {
            if step_room(room, sides, now, counters, batch) {
                return true;
            }
        }
        false
    }
}

/// True where the batch is full.
fn step_room(room: &mut Room, sides: &mut Slab<Box<Side>>, now: Time, counters: &Counters, batch: &mut Batch) -> bool {
    let late = STEP * STEPS_LIMIT;
    while room.due <= now {
        if room.sending.is_none() {
            if now - room.due > late {
                counters.missed_ticks.add(1);
                room.pause();
                room.due += STEP;
                continue;
            }
            listen(room, sides, counters);
            counters.mixed_frames.add(room.mix() as u64);
            if !room.encode() {
                room.due += STEP;
                continue;
            }
        }
        room.sending = send(room, sides, now, room.sending.unwrap_or(0), counters, batch);
        if room.sending.is_some() {
            return true;
        }
        room.due += STEP;
    }
    false
}

/// Takes what each member says in this step, and how loud it is.
fn listen(room: &mut Room, sides: &mut Slab<Box<Side>>, counters: &Counters) {
    let (due, count) = (room.due, room.count_step());
    let Room { members, talks, heard, stride, .. } = room;
    let places = members.iter_mut().zip(talks).zip(heard.chunks_mut((*stride).max(1)));
    for (index, ((member, talk), heard)) in places.enumerate() {
        member.samples = 0;
        let Some(side) = sides.get_mut(member.slot.0) else { continue };
        if let Some(hearing) = &mut side.hearing
            && (!member.seat.muted || side.tap.is_some())
            && let Some(pcm) = heard.get_mut(..hearing.step())
        {
            member.samples = if hearing.pull(due, pcm) { pcm.len() } else { 0 };
            if let Some(tap) = &mut side.tap {
                tap.push((member.samples > 0).then_some(&*pcm), hearing.rate());
            }
        }
        let audible = heard.get(..member.samples).filter(|pcm| !pcm.is_empty() && !member.seat.muted);
        talk.hear(audible.map_or(0, mean_square));
        if (index + count).is_multiple_of(SHOWN_EACH) {
            let missing = member.missed + side.hearing.as_ref().map_or(0, |hearing| hearing.missing());
            counters.missing_frames.add(missing - member.shown.min(missing));
            member.shown = missing;
            member.seat.meter.set(talk.talks(), talk.level_below_db(), missing);
            if side.tap.as_ref().is_some_and(|tap| tap.is_abandoned()) {
                side.tap = None;
            }
        }
    }
}

fn mean_square(pcm: &[i16]) -> u32 {
    let mean = Loudness::of(pcm).energy / pcm.len().max(1) as u64;
    u32::try_from(mean).unwrap_or(u32::MAX)
}

/// Sends each member from `first` on what this step has completed for it. Says where to go on once the batch has room.
fn send(
    room: &Room,
    sides: &mut Slab<Box<Side>>,
    now: Time,
    first: usize,
    counters: &Counters,
    batch: &mut Batch,
) -> Option<usize> {
    for (index, member) in room.members.iter().enumerate().skip(first) {
        if batch.room() == 0 {
            return Some(index);
        }
        let Some(Packet { payload, units, follows }) = room.voice(index).and_then(|voice| voice.packet()) else {
            continue;
        };
        let Some(side) = sides.get_mut(member.slot.0) else { continue };
        // A digit is heard instead of the sound.
        if side.send.signals() {
            side.send.leave_out();
            continue;
        }
        let to = side.port.rtp_destination();
        let Side { send, security, .. } = &mut **side;
        let mut exit = Exit { batch, slot: member.slot, to, counters, security };
        send.encoded(now, &mut exit, units, follows, |room| {
            room.get_mut(..payload.len())?.copy_from_slice(payload);
            Some(payload.len())
        });
    }
    None
}
