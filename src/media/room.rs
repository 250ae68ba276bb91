//! A conference room: its members, who of them talk, and the encoders for what they hear.
//!
//! ```text
//! each step: members' sound → level → who talks → mix → each encoder, one for all who hear the same → packets
//! ```

use crate::base::time::Time;
use crate::media::audio::hearing::STEP_SAMPLES;
use crate::media::audio::mixer::Mixer;
use crate::media::audio::talkers::{Talk, Talkers};
use crate::media::audio::tap::Tapped;
use crate::media::audio::voice::{Content, Voice};
use crate::media::batch::Slot;
use crate::media::command::{RoomId, Seat, Sending};
use slab::Slab;
use std::sync::Arc;
use tandem_codecs::gain::Gain;
use tandem_codecs::resample::Resampler;

/// Steps for which whoever has talked keeps an encoder of their own: they often go on.
const REST: u16 = 100;
/// What members that have left still contribute, for the step in which they fade away.
const GHOSTS: usize = 4;
const SILENCE: [i16; STEP_SAMPLES] = [0; STEP_SAMPLES];

pub struct Room {
    pub id: RoomId,
    /// In Hz: the highest among the codecs of those who are or were here.
    pub rate: u32,
    /// When the next step is due.
    pub due: Time,
    /// The member whose packet of this step is to be sent next.
    pub sending: Option<usize>,
    pub members: Vec<Member>,
    /// One for each member.
    pub talks: Vec<Talk>,
    /// A step of sound for each member, `stride` samples apart.
    pub heard: Vec<i16>,
    pub stride: usize,
    pub talkers: Talkers,
    pub voices: Slab<Voice>,
    pub tap: Option<Box<Tapped>>,
    mixer: Mixer,
    ghosts: Vec<Ghost>,
    steps: usize,
}

pub struct Member {
    pub slot: Slot,
    pub seat: Arc<Seat>,
    /// What it is to be sent; none while it is to be sent nothing.
    format: Option<Sending>,
    /// Brings what it says to the room's rate; made when it talks for the first time.
    resampler: Option<Box<Resampler>>,
    /// The samples of this step that were heard from it, 0 for none.
    pub samples: usize,
    /// At what gain it stands in the mix after this step, and its part of it.
    loud: f32,
    part: Option<usize>,
    /// How much it hears after this step.
    ear: f32,
    voice: Option<usize>,
    content: Content,
    /// Steps since which it could do without an encoder of its own.
    rested: u16,
    /// Frames that were missing before it had the decoder that it has now, and all that were shown.
    pub missed: u64,
    pub shown: u64,
}

/// The last step of a talker who has left.
struct Ghost {
    pcm: Box<[i16; STEP_SAMPLES]>,
    loud: f32,
}

impl Room {
    pub fn new(id: RoomId, rate: u32, talkers: usize, due: Time) -> Room {
        let talkers = Talkers::new(talkers);
        let mixer = Mixer::new(rate, parts(&talkers));
        Room {
            id,
            rate,
            due,
            sending: None,
            members: Vec::new(),
            talks: Vec::new(),
            heard: Vec::new(),
            stride: mixer.step(),
            talkers,
            voices: Slab::new(),
            tap: None,
            mixer,
            ghosts: Vec::with_capacity(GHOSTS),
            steps: 0,
        }
    }

    /// Takes a member in, and says where.
    pub fn enter(&mut self, slot: Slot, seat: Arc<Seat>) -> usize {
        self.members.push(Member {
            slot,
            seat,
            format: None,
            resampler: None,
            samples: 0,
            loud: 0.0,
            part: None,
            ear: 0.0,
            voice: None,
            content: Content::Silence,
            rested: 0,
            missed: 0,
            shown: 0,
        });
        self.talks.push(Talk::default());
        self.talkers.reserve(self.members.len());
        self.lay_out();
        self.members.len() - 1
    }

    /// Lets a member go; the last one takes its place. `last` is what it says in the step to come, at its own rate.
    pub fn leave(&mut self, index: usize, last: Option<&[i16]>) {
        self.fade_out(index, last);
        self.give_back(index);
        if index < self.members.len() {
            self.members[index].seat.meter.set(false, 127, self.members[index].missed);
            self.members.swap_remove(index);
            self.talks.swap_remove(index);
        }
        self.lay_out();
    }

    fn fade_out(&mut self, index: usize, last: Option<&[i16]>) {
        let step = self.mixer.step();
        let Some(member) = self.members.get_mut(index).filter(|member| member.loud > 0.0) else { return };
        let (Some(last), true) = (last, self.ghosts.len() < GHOSTS) else { return };
        let mut pcm = Box::new(SILENCE);
        member.bring(last, self.rate, &mut pcm[..step]);
        self.ghosts.push(Ghost { pcm, loud: member.loud });
    }

    /// The room's rate is at least `rate` from now on.
    pub fn raise_rate(&mut self, rate: u32) {
        if rate <= self.rate {
            return;
        }
        self.rate = rate;
        self.mixer = Mixer::new(rate, parts(&self.talkers));
        self.ghosts.clear();
        self.voices.iter_mut().for_each(|(_, voice)| voice.change_rate(rate));
        self.members.iter_mut().for_each(|member| member.resampler = None);
        if let Some(tap) = &mut self.tap {
            tap.prepare(rate);
        }
        self.widen(self.mixer.step());
    }

    /// A member's sound has so many samples a step.
    pub fn widen(&mut self, stride: usize) {
        self.stride = self.stride.max(stride).min(STEP_SAMPLES);
        self.lay_out();
    }

    fn lay_out(&mut self) {
        self.heard.resize(self.members.len() * self.stride, 0);
    }

    /// What a member is to be sent from now on.
    pub fn set_format(&mut self, index: usize, format: Option<Sending>) {
        if self.members.get(index).is_some_and(|member| member.format != format) {
            self.give_back(index);
            let member = &mut self.members[index];
            (member.format, member.ear) = (format, 0.0);
        }
    }

    /// Chooses who talks and adds them up, and says how many they are.
    pub fn mix(&mut self) -> usize {
        let Room { members, talks, heard, stride, talkers, mixer, ghosts, rate, .. } = self;
        talkers.choose(talks);
        mixer.begin();
        for ghost in ghosts.drain(..) {
            mixer.add(ghost.loud, 0.0, |part| part.copy_from_slice(&ghost.pcm[..part.len()]));
        }
        let mut count = 0;
        for ((index, member), talk) in members.iter_mut().enumerate().zip(talks.iter()) {
            member.part = None;
            if !talk.talks() && member.loud == 0.0 {
                continue;
            }
            let from = std::mem::replace(&mut member.loud, 0.0);
            if member.samples == 0 {
                continue;
            }
            let to = if talk.talks() { gain(&member.seat) } else { 0.0 };
            let pcm = &heard[index * *stride..][..member.samples];
            member.part = mixer.add(from, to, |part| member.bring(pcm, *rate, part));
            if member.part.is_some() {
                member.loud = to;
            }
            count += usize::from(to > 0.0);
        }
        mixer.finish();
        self.tap.take_if(|tap| tap.is_abandoned());
        if let Some(tap) = &mut self.tap {
            let mut pcm = SILENCE;
            let pcm = &mut pcm[..self.mixer.step()];
            self.mixer.mix(None, pcm);
            tap.push((!self.mixer.is_silent()).then_some(&*pcm), self.rate);
        }
        count
    }

    /// Encodes what each is to hear. False where no packet is complete.
    pub fn encode(&mut self) -> bool {
        for index in 0..self.members.len() {
            self.place(index);
        }
        let mut mix = SILENCE;
        let mix = &mut mix[..self.mixer.step()];
        self.mixer.mix(None, mix);
        let mut any = false;
        for (_, voice) in self.voices.iter_mut().filter(|(_, voice)| voice.users > 0) {
            match voice.content {
                Content::Mix => voice.push(mix),
                Content::Silence => voice.push(&SILENCE[..mix.len()]),
                Content::Own => continue,
            }
            any |= voice.packet().is_some();
        }
        for member in &mut self.members {
            let ear = std::mem::replace(&mut member.ear, if member.seat.deaf { 0.0 } else { 1.0 });
            if member.content != Content::Own {
                continue;
            }
            let Some(voice) = member.voice.and_then(|voice| self.voices.get_mut(voice)) else { continue };
            self.mixer.mix(member.part, mix);
            tandem_codecs::gain::scale(mix, Gain::new(ear), Gain::new(member.ear));
            voice.push(mix);
            any |= voice.packet().is_some();
        }
        any
    }

    /// Gives a member the encoder that suits it in this step: one for all who hear the same, or its own while it is in the
    /// mix, or begins or ceases to hear.
    fn place(&mut self, index: usize) {
        let Some(member) = self.members.get_mut(index) else { return };
        let target = if member.seat.deaf { 0.0 } else { 1.0 };
        let (fades, talks) = (member.ear != target, member.part.is_some() && target > 0.0);
        let needs_own = fades || talks;
        member.rested = match (talks, fades) {
            (true, _) => 0,
            (false, true) => REST,
            (false, false) => member.rested.saturating_add(1),
        };
        let rests = member.rested < REST && target > 0.0 && member.content == Content::Own;
        let content = match () {
            () if needs_own || rests => Content::Own,
            () if target > 0.0 => Content::Mix,
            () => Content::Silence,
        };
        if member.format.is_some() && (member.voice.is_none() || member.content != content) {
            self.change_voice(index, content);
        }
    }

    fn change_voice(&mut self, index: usize, content: Content) {
        let Room { members, voices, rate, .. } = self;
        let Some(member) = members.get_mut(index) else { return };
        let Some((format, codec)) = member.format.as_ref().and_then(|format| Some((format, format.coding.codec()?)))
        else {
            return;
        };
        let of_format = |voice: &Voice| voice.format() == format && voice.users > 0;
        let shared = voices
            .iter()
            .find(|(_, voice)| content != Content::Own && voice.content == content && of_format(voice))
            .map(|(key, _)| key);
        let before = member.voice.filter(|&voice| voices.get(voice).is_some_and(|voice| voice.users == 1));
        let next = match (shared, before) {
            (Some(shared), _) => Some(shared),
            // Nobody else is sent it: what it was becomes what it is to be.
            (None, Some(before)) => Some(before),
            (None, None) => {
                let free = voices.iter().find(|(_, voice)| voice.users == 0 && voice.format() == format);
                let free = free.map(|(key, _)| key).or_else(|| {
                    let voice = Voice::new(format.clone(), codec, *rate, content).ok()?;
                    Some(voices.insert(voice))
                });
                let like = |(key, voice): &(usize, &Voice)| of_format(voice) && Some(*key) != free;
                let model = member.voice.or_else(|| voices.iter().find(like).map(|(key, _)| key));
                if let (Some(free), Some(model)) = (free, model)
                    && let Some((voice, model)) = voices.get2_mut(free, model)
                {
                    match member.voice {
                        Some(_) => voice.follow(model),
                        None => voice.keep_time(model),
                    }
                }
                free
            }
        };
        if next != member.voice {
            self.give_back(index);
        }
        let Some(member) = self.members.get_mut(index) else { return };
        if next.is_none() {
            // Nothing that could be sent can be made; it isn't tried again.
            member.format = None;
        }
        if let Some((key, voice)) = next.and_then(|key| Some((key, self.voices.get_mut(key)?))) {
            voice.content = content;
            voice.users += usize::from(member.voice.is_none());
            (member.voice, member.content) = (Some(key), content);
        }
    }

    /// Takes a member's encoder away; of each format a few are kept, for those who talk next.
    fn give_back(&mut self, index: usize) {
        let Some(key) = self.members.get_mut(index).and_then(|member| member.voice.take()) else { return };
        let Some(voice) = self.voices.get_mut(key) else { return };
        voice.users -= 1;
        if voice.users > 0 {
            return;
        }
        voice.pause();
        let voices = &self.voices;
        let alike = |(_, other): &(usize, &Voice)| other.users == 0 && voices[key].format() == other.format();
        if voices.iter().filter(alike).count() > self.talkers.limit() {
            self.voices.remove(key);
        }
    }

    /// The encoder of a member.
    pub fn voice(&self, index: usize) -> Option<&Voice> {
        let voice = self.members.get(index)?.voice?;
        self.voices.get(voice)
    }

    /// Steps were left out: what comes next joins nothing.
    pub fn pause(&mut self) {
        self.voices.iter_mut().for_each(|(_, voice)| voice.pause());
        self.mixer.begin();
    }

    /// The number of the step.
    pub fn count_step(&mut self) -> usize {
        self.steps = self.steps.wrapping_add(1);
        self.steps
    }
}

impl Member {
    /// Brings a step of its sound to the room's rate.
    fn bring(&mut self, pcm: &[i16], rate: u32, out: &mut [i16]) {
        let from = pcm.len() as u32 * 100;
        if from == rate {
            return out.copy_from_slice(pcm);
        }
        if self.resampler.as_ref().is_none_or(|resampler| (resampler.from(), resampler.to()) != (from, rate)) {
            self.resampler = Resampler::new(from, rate).ok().map(Box::new);
        }
        let made = self.resampler.as_mut().map_or(0, |resampler| resampler.process(pcm, out));
        out[made..].fill(0);
    }
}

/// As many as talk, those who have just ceased, and those who have left.
fn parts(talkers: &Talkers) -> usize {
    2 * talkers.limit() + GHOSTS
}

fn gain(seat: &Seat) -> f32 {
    if seat.gain_db == 0 { 1.0 } else { 10f32.powf(f32::from(seat.gain_db) / 20.0) }
}
