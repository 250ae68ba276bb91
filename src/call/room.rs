//! Conference rooms: calls that meet under a name. A room is there from the first that comes to the last that leaves, and
//! all of it is on one media worker.

use crate::base::time::{Now, Wall};
use crate::call::exchange::{CallKey, Exchange, Timer};
use crate::call::failure::Failure;
use crate::call::leg::End;
use crate::call::reason::sip_reason;
use crate::call::record::EndedBy;
use crate::call::state::{Call, PATIENCE, Stage};
use crate::call::switch::Switch;
use crate::call::tape::Tape;
use crate::call::view::{MemberView, RoomView};
use crate::dialplan::route::Target;
use crate::media::command::{Meter, PortId, RoomId, Seat, Source};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The gain that an operator may give a member, in dB.
pub const GAIN_DB: std::ops::RangeInclusive<i8> = -30..=20;

#[derive(Default)]
pub struct Rooms {
    by_name: BTreeMap<String, Room>,
    /// The room of each call that is in one, or on its way there.
    calls: HashMap<CallKey, String>,
    last: u64,
    /// Recordings so far.
    tapes: u64,
}

struct Room {
    id: RoomId,
    worker: usize,
    /// Since when somebody has been there.
    since: Wall,
    /// Calls whose port is on the room's worker, and which may come.
    expected: BTreeSet<CallKey>,
    members: BTreeMap<CallKey, Member>,
    tape: Option<Tape>,
}

struct Member {
    since: Wall,
    muted: bool,
    deaf: bool,
    gain_db: i8,
    meter: Arc<Meter>,
    /// The port of which a recording is made.
    taped: Option<PortId>,
}

/// What an operator wants of a member; what isn't said stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Steering {
    pub muted: Option<bool>,
    pub deaf: Option<bool>,
    /// Within [`GAIN_DB`].
    pub gain_db: Option<i8>,
    /// The member is taken out of the room, and its call ends.
    pub kick: bool,
}

impl Rooms {
    /// The worker that a room is on, where there is one.
    pub fn worker(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).map(|room| room.worker)
    }

    pub fn count(&self) -> usize {
        self.by_name.len()
    }

    pub fn members(&self) -> usize {
        self.by_name.values().map(|room| room.members.len()).sum()
    }

    /// A call on this worker may come to a room, which is there from now on unless there are too many.
    pub fn expect(&mut self, name: &str, call: CallKey, worker: usize, limit: usize) {
        if self.calls.get(&call).is_some_and(|before| before != name) {
            self.leave(call);
        }
        if let Some(room) = self.open(name, worker, limit) {
            room.expected.insert(call);
            self.calls.insert(call, name.to_owned());
        }
    }

    fn open(&mut self, name: &str, worker: usize, limit: usize) -> Option<&mut Room> {
        if !self.by_name.contains_key(name) {
            if self.by_name.len() >= limit {
                return None;
            }
            self.last += 1;
            let room = Room {
                id: RoomId(self.last),
                worker,
                since: Wall::default(),
                expected: BTreeSet::new(),
                members: BTreeMap::new(),
                tape: None,
            };
            self.by_name.insert(name.to_owned(), room);
        }
        self.by_name.get_mut(name)
    }

    /// Lets a call in.
    fn enter(
        &mut self,
        now: Now,
        name: &str,
        call: CallKey,
        worker: usize,
        limits: (usize, usize),
    ) -> Result<(), Failure> {
        let (rooms, members) = limits;
        if self.calls.get(&call).is_some_and(|expected| expected != name) {
            self.leave(call);
        }
        let busy = |reason: &str| Failure::new(503, reason);
        let Some(room) = self.open(name, worker, rooms) else {
            return Err(busy("Too Many Rooms").because("as many conference rooms are open as [limits] rooms allows"));
        };
        if room.worker != worker {
            return Err(busy("Room Elsewhere").because("the conference room is on another media worker than the call"));
        }
        if room.members.len() >= members {
            return Err(Failure::new(486, "Room Full").because("the conference room has [limits] room_members already"));
        }
        if room.members.is_empty() {
            room.since = now.wall;
        }
        room.expected.remove(&call);
        let meter = Arc::new(Meter::default());
        let member = Member { since: now.wall, muted: false, deaf: false, gain_db: 0, meter, taped: None };
        room.members.insert(call, member);
        self.calls.insert(call, name.to_owned());
        Ok(())
    }

    /// A call is over, or goes elsewhere.
    pub fn leave(&mut self, call: CallKey) {
        let Some(name) = self.calls.remove(&call) else { return };
        let Some(room) = self.by_name.get_mut(&name) else { return };
        room.expected.remove(&call);
        room.members.remove(&call);
        if room.members.is_empty() {
            room.tape = None;
            if room.expected.is_empty() {
                self.by_name.remove(&name);
            }
        }
    }

    /// What a member hears and says. Who holds is not heard: it might be music.
    pub fn source(&self, call: CallKey, is_held: bool, talkers: usize) -> Option<Source> {
        let room = self.by_name.get(self.calls.get(&call)?)?;
        let member = room.members.get(&call)?;
        Some(Source::Room(Arc::new(Seat {
            room: room.id,
            talkers,
            muted: member.muted || is_held,
            deaf: member.deaf,
            gain_db: member.gain_db,
            meter: Arc::clone(&member.meter),
        })))
    }

    fn steer(&mut self, call: CallKey, steering: &Steering) {
        let room = self.calls.get(&call).and_then(|name| self.by_name.get_mut(name));
        let Some(member) = room.and_then(|room| room.members.get_mut(&call)) else { return };
        member.muted = steering.muted.unwrap_or(member.muted);
        member.deaf = steering.deaf.unwrap_or(member.deaf);
        let gain_db = steering.gain_db.unwrap_or(member.gain_db);
        member.gain_db = gain_db.clamp(*GAIN_DB.start(), *GAIN_DB.end());
    }

    /// Has a room recorded from now on, or no longer; says whose sound is to be, where it is new.
    fn record(&mut self, now: Now, name: &str, on: bool) -> Recording {
        let Some(room) = self.by_name.get_mut(name).filter(|room| !room.members.is_empty()) else {
            return Recording::AsItWas;
        };
        match (&room.tape, on) {
            (None, true) => {
                self.tapes += 1;
                room.tape = Some(Tape::new(now.wall, name, self.tapes, room.id, room.worker));
                room.members.values_mut().for_each(|member| member.taped = None);
                Recording::Begun
            }
            (Some(_), false) => room.tape.take().map_or(Recording::AsItWas, Recording::Ended),
            _ => Recording::AsItWas,
        }
    }

    /// The recording that a member's port belongs on, where it isn't yet.
    fn untaped(&mut self, call: CallKey, port: PortId) -> Option<&mut Tape> {
        let room = self.by_name.get_mut(self.calls.get(&call)?)?;
        let is_alone = room.members.len() == 1;
        let member = room.members.get_mut(&call)?;
        let tape = room.tape.as_mut().filter(|_| member.taped != Some(port))?;
        // With the port of the only member the worker's room has gone, and its recording with it.
        if is_alone && member.taped.is_some() {
            tape.begin_again();
        }
        member.taped = Some(port);
        Some(tape)
    }

    /// A worker didn't take an order to record a call: it is given again.
    pub fn untape(&mut self, call: CallKey) {
        let Some(room) = self.calls.get(&call).and_then(|name| self.by_name.get_mut(name)) else { return };
        if let Some(member) = room.members.get_mut(&call) {
            member.taped = None;
        }
    }

    /// The same for the recording of a whole room; says who may give it again.
    pub fn untape_room(&mut self, id: RoomId) -> Option<CallKey> {
        let room = self.by_name.values_mut().find(|room| room.id == id)?;
        room.tape.as_mut()?.begin_again();
        let (&call, member) = room.members.iter_mut().next()?;
        member.taped = None;
        Some(call)
    }
}

enum Recording {
    AsItWas,
    Begun,
    Ended(Tape),
}

impl Call {
    /// Leads the caller into a room.
    pub fn enter_room(&mut self, exchange: &mut Exchange, now: Now, name: &str, record: bool) -> Result<(), Failure> {
        let settings = Arc::clone(&exchange.settings);
        if !exchange.capacity.bears(self.worker, settings.limits.media_load_percent) {
            exchange.capacity.refused += 1;
            return Err(Failure::new(503, "Media Overloaded"));
        }
        if self.moves_to_room(exchange, now, name, record) {
            return Ok(());
        }
        let limits = (settings.limits.rooms, settings.limits.room_members);
        if let Err(failure) = exchange.rooms.enter(now, name, self.key, self.worker, limits) {
            exchange.rooms.leave(self.key);
            return Err(failure);
        }
        if record {
            exchange.rooms.record(now, name, true);
        }
        let leg = self.add_local(exchange, now, End::Room, &format!("conference:{name}"));
        self.join(exchange, now, leg.leg);
        Ok(())
    }

    /// Where a room is on another worker than the call, the caller's ports are opened there, and then the room is tried
    /// again. Whoever was told of a port already can't be moved.
    fn moves_to_room(&mut self, exchange: &mut Exchange, now: Now, name: &str, record: bool) -> bool {
        let Some(worker) = exchange.rooms.worker(name).filter(|&worker| worker != self.worker) else { return false };
        if self.hopefuls().next().is_some() {
            return false;
        }
        let Some(media) = self.legs.first_mut().and_then(|leg| leg.media.as_mut()) else { return false };
        if !media.move_to(exchange, worker) {
            return false;
        }
        self.worker = worker;
        exchange.capacity.move_to(self.key, worker);
        exchange.rooms.expect(name, self.key, worker, exchange.settings.limits.rooms);
        self.targets.push_front(Target::Conference { name: name.to_owned(), record });
        self.stage = Stage::Preparing;
        exchange.timers.set(Timer::Patience(self.key), now.time + PATIENCE);
        true
    }

    /// Has what the caller says recorded, where that is wished of the room.
    pub fn tape(&self, exchange: &mut Exchange) {
        // Nothing is heard of whoever has agreed on nothing yet, and in the worker there may be no room.
        let sound =
            self.legs.first().and_then(|leg| leg.media.as_ref()?.sound()).filter(|sound| sound.agreed.is_some());
        let Some(port) = sound.and_then(|sound| sound.port) else { return };
        let Some(tape) = exchange.rooms.untaped(self.key, port) else { return };
        let outputs = tape.whole().into_iter().chain(tape.member(&self.record.id, port));
        exchange.outputs.extend(outputs);
    }

    fn member_view(&self, member: &Member) -> MemberView {
        MemberView {
            id: self.record.id.clone(),
            who: self.record.legs.first().map(|leg| leg.target.clone()).unwrap_or_default(),
            from: self.caller.shown.text(),
            since: member.since,
            talks: member.meter.talks(),
            level_db: -i16::from(member.meter.level_below_db()),
            muted: member.muted,
            deaf: member.deaf,
            gain_db: member.gain_db,
            missing_frames: member.meter.missing(),
        }
    }
}

impl Switch {
    /// The rooms in which somebody is, by their names.
    pub fn rooms(&self) -> Vec<RoomView> {
        let rooms = self.exchange.rooms.by_name.iter().filter(|(_, room)| !room.members.is_empty());
        rooms.map(|(name, room)| self.room_view(name, room)).collect()
    }

    pub fn room(&self, name: &str) -> Option<RoomView> {
        let room = self.exchange.rooms.by_name.get(name).filter(|room| !room.members.is_empty())?;
        Some(self.room_view(name, room))
    }

    fn room_view(&self, name: &str, room: &Room) -> RoomView {
        let members = room.members.iter();
        let mut members: Vec<MemberView> =
            members.filter_map(|(call, member)| Some(self.calls.get(call)?.member_view(member))).collect();
        members.sort_by(|one, two| one.since.cmp(&two.since).then_with(|| one.id.cmp(&two.id)));
        RoomView {
            name: name.to_owned(),
            since: room.since,
            worker: room.worker,
            recording: room.tape.as_ref().map(|tape| tape.folder().to_owned()),
            members,
        }
    }

    /// Whether a call is in this room.
    pub fn has_member(&self, room: &str, id: &str) -> bool {
        let call = self.ids.get(id);
        let room = self.exchange.rooms.by_name.get(room);
        call.zip(room).is_some_and(|(call, room)| room.members.contains_key(call))
    }

    pub(super) fn steer(&mut self, now: Now, id: &str, steering: &Steering) {
        let Some(&call) = self.ids.get(id) else { return };
        self.exchange.rooms.steer(call, steering);
        self.with_call(call, |call, exchange| match steering.kick {
            true => {
                let reason = sip_reason(200, "Ended by an operator");
                call.end(exchange, now, EndedBy::Gateway, "taken out of the room by an operator", Some(reason));
            }
            false => call.rewire(exchange),
        });
    }

    pub(super) fn record_room(&mut self, now: Now, name: &str, on: bool) {
        match self.exchange.rooms.record(now, name, on) {
            Recording::AsItWas => {}
            Recording::Ended(tape) => self.exchange.outputs.push_back(tape.end()),
            Recording::Begun => {
                let room = self.exchange.rooms.by_name.get(name);
                let members: Vec<CallKey> = room.map(|room| room.members.keys().copied().collect()).unwrap_or_default();
                for call in members {
                    self.with_call(call, |call, exchange| {
                        if matches!(call.stage, Stage::Talking { .. }) {
                            call.tape(exchange);
                        }
                    });
                }
            }
        }
    }
}
