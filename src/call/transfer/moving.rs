//! A leg moves from one call into another, with its session: its media begins anew on a port of the other call, of which
//! its peer is told in an offer or answer. The record of each call keeps what the leg did there.

use crate::base::time::Now;
use crate::call::errand::Errand;
use crate::call::exchange::{CallKey, Exchange, Timer};
use crate::call::failure::Failure;
use crate::call::leg::{End, Leg, Stage as LegStage};
use crate::call::media::Media;
use crate::call::media::stream::{self, Bond, Repertoire};
use crate::call::party::Party;
use crate::call::party::brought::Brought;
use crate::call::reason::sip_reason;
use crate::call::record::LegRecord;
use crate::call::state::{Call, PATIENCE, Stage};
use crate::sip::agent::SessionId;
use crate::sip::flow::{Body, Flow};
use crate::wire::description::{Description, Kind, Media as MediaLine};
use crate::wire::sip::reason_phrase;
use std::net::IpAddr;

/// A leg that is to come from another call, once its port here is open.
pub struct Arrival {
    pub from: CallKey,
    /// The leg whose place it takes.
    pub instead_of: usize,
    /// As the other side may be shown it.
    pub shown: Party,
}

/// A leg of another call that is expected in this one.
pub struct Guest {
    pub arrival: Arrival,
    pub flow: Flow,
    /// Our address for its media.
    pub local: IpAddr,
    pub speaks: Repertoire,
    pub lines: Vec<(MediaLine, Option<Bond>)>,
    /// What the books will say of it.
    pub record: LegRecord,
}

/// A leg on its way.
pub struct Moved {
    session: SessionId,
    /// What the books say of it where it comes from.
    record: LegRecord,
    flow: Flow,
    trunk: Option<String>,
    /// The description's session and version, which go on (RFC 3264 §8).
    lineage: Option<(u64, u64)>,
    /// Its lines as they are by now: none of them is ever taken back.
    shapes: Vec<MediaLine>,
    is_placed: bool,
    brought: Brought,
    state: Moving,
}

enum Moving {
    Answered,
    /// An INVITE that waits for our answer, and its offer.
    Invited(Option<Description>),
}

impl Call {
    /// How a leg may be shown to others.
    pub fn shown(&self, exchange: &Exchange, leg: usize) -> Party {
        if leg == 0 {
            return self.caller.shown.clone();
        }
        let record = &self.record.legs[leg];
        let account = record.target.strip_prefix("user:").and_then(|name| exchange.accounts.by_name(name));
        let known = self.legs[leg].brought.party.clone();
        known.unwrap_or_else(|| match account {
            Some(account) => Party {
                user: account.number.clone().unwrap_or_else(|| account.name.clone()),
                display_name: account.display_name.clone(),
                is_asserted: true,
                ..Party::default()
            },
            None => Party { user: record.number.clone(), ..Party::default() },
        })
    }

    /// Our address for the media of a leg, wherever it goes: of the family that it has.
    pub fn media_address_of(&self, exchange: &Exchange, leg: usize, flow: Flow) -> IpAddr {
        let offer = self.caller.offer.as_ref().filter(|_| leg == 0);
        let present = self.legs[leg].media.as_ref().map(Media::local);
        present.unwrap_or_else(|| exchange.media_address(flow, offer))
    }

    /// What a leg may speak, wherever it goes.
    pub fn repertoire_of(&self, exchange: &Exchange, leg: usize) -> Repertoire {
        let usual = || Repertoire::of(exchange.settings.media.codecs.clone(), exchange.settings.sip.srtp);
        self.legs[leg].media.as_ref().map_or_else(usual, |media| media.speaks.clone())
    }

    /// The lines of a leg in their order, as it brings them into another call: its sound, and there whatever else has a
    /// fellow in `others`; the rest is refused, since no line is ever taken back (RFC 3264 §8).
    pub fn lines_of(&self, leg: usize, speaks: &Repertoire, others: &[(Kind, Bond)]) -> Vec<(MediaLine, Option<Bond>)> {
        let mut others = others.to_vec();
        let mut bond_of = |is_sound: bool, is_open: bool, line: &MediaLine| {
            if !is_open {
                return None;
            }
            if is_sound {
                return Some(Bond::SOUND);
            }
            let fellow = others.iter().position(|(kind, bond)| *kind == line.kind && *bond != Bond::SOUND)?;
            Some(others.swap_remove(fellow).1)
        };
        match (&self.legs[leg].media, &self.caller.offer) {
            (Some(media), _) if media.is_agreed() || self.caller.offer.is_none() => {
                let lines = media.streams.iter();
                lines
                    .map(|stream| {
                        let shape = stream.theirs().unwrap_or(stream.shape()).clone();
                        let bond = bond_of(stream.is_sound(), stream.port.is_some(), &shape);
                        (shape, bond)
                    })
                    .collect()
            }
            (_, Some(offer)) => {
                let sound = speaks.sound_line(offer);
                let lines = offer.media.iter().enumerate();
                let open = |line: &MediaLine| !line.is_refused();
                lines.map(|(index, line)| (line.clone(), bond_of(sound == Some(index), open(line), line))).collect()
            }
            (_, None) => vec![(stream::sound_shape(), Some(Bond::SOUND))],
        }
    }

    /// The open lines of a leg, for those of another to be joined to.
    pub fn bonds_of(&self, leg: usize) -> Vec<(Kind, Bond)> {
        let streams = self.legs[leg].media.iter().flat_map(|media| &media.streams);
        streams
            .filter(|stream| stream.port.is_some())
            .map(|stream| (stream.shape().kind.clone(), stream.bond))
            .collect()
    }

    /// What the books say of a leg that goes on elsewhere.
    pub fn record_of_guest(&self, now: Now, leg: usize, reason: String) -> LegRecord {
        let record = &self.record.legs[leg];
        LegRecord {
            target: record.target.clone(),
            number: record.number.clone(),
            call_id: record.call_id.clone(),
            address: record.address.clone(),
            session_id: record.session_id.clone(),
            started: now.wall,
            reason,
            ..LegRecord::default()
        }
    }

    /// Makes room for a leg of another call.
    pub fn expect(&mut self, exchange: &mut Exchange, now: Now, guest: Guest) {
        let Guest { arrival, flow, local, speaks, lines, record } = guest;
        let key = self.leg_key(self.legs.len());
        let media = Media::open(exchange, key, self.worker, local, speaks, lines);
        let leg = Leg {
            media: Some(media),
            arrival: Some(Box::new(arrival)),
            ..Leg::new(key, End::Sip { flow, session: None }, LegStage::Preparing)
        };
        self.add_leg(leg, record);
        exchange.timers.set(Timer::Patience(self.key), now.time + PATIENCE);
        exchange.keep(&self.record);
    }

    /// A leg's port is there, or isn't: it may come, or its call is told that it can't.
    pub fn arrival_ready(&self, exchange: &mut Exchange, leg: usize) {
        exchange.errands.push_back(Errand::MoveIn { to: self.leg_key(leg) });
    }

    /// Nobody may move in any more.
    pub fn turn_away(&mut self, exchange: &mut Exchange, status: u16, reason: &str) {
        for leg in 0..self.legs.len() {
            self.arrival_failed(exchange, leg, status, reason);
        }
    }

    pub fn arrival_failed(&mut self, exchange: &mut Exchange, leg: usize, status: u16, reason: &str) {
        if let Some(arrival) = self.legs[leg].arrival.take() {
            let (call, onward, reason) = (arrival.from, self.key, reason.to_owned());
            let outcome = if reason.is_empty() { reason_phrase(status) } else { &reason };
            self.record.legs[leg].reason = outcome.to_owned();
            self.drop_leg(exchange, leg);
            exchange.errands.push_back(Errand::Tell { call, onward, status, reason });
        }
    }

    /// A call from which a leg was to come is over.
    pub fn given_up(&mut self, exchange: &mut Exchange, now: Now, from: CallKey) {
        for leg in 0..self.legs.len() {
            if self.legs[leg].arrival.take_if(|arrival| arrival.from == from).is_some() {
                self.record.legs[leg].reason = "it hung up before it was transferred".to_owned();
                self.drop_leg(exchange, leg);
            }
        }
        if self.origin.as_ref().is_some_and(|origin| origin.from == from) && self.caller_session().is_none() {
            self.record.status = 487;
            self.record.legs[0].status = 487;
            let reason = Some(sip_reason(487, "Request Terminated"));
            self.abandon(exchange, now, "the transferred side hung up", reason);
        }
    }

    /// Lets a leg go elsewhere. What remains of it here is its place in the books; what it was offered here isn't offered
    /// again.
    pub fn give_up(&mut self, exchange: &mut Exchange, now: Now, leg: usize) -> Option<Moved> {
        // Where it goes, it may ask for the same again.
        self.abandon_change(exchange, now, 491);
        let state = match self.stage {
            Stage::Talking { .. } => Moving::Answered,
            Stage::Trying if leg == 0 && self.origin.is_none() => Moving::Invited(self.caller.offer.take()),
            _ => return None,
        };
        let End::Sip { flow, session } = &mut self.legs[leg].end else { return None };
        let (flow, session) = (*flow, session.take()?);
        exchange.agent.withdraw(now, session);
        let trunk = self.legs[leg].trunk.clone();
        let media = self.legs[leg].media.as_ref();
        let (lineage, shapes) = (media.map(Media::lineage), media.map(Media::shapes).unwrap_or_default());
        let is_placed = std::mem::take(&mut self.legs[leg].is_placed);
        let brought = self.legs[leg].brought.clone();
        self.drop_leg(exchange, leg);
        let record = self.record.legs[leg].clone();
        Some(Moved { session, record, flow, trunk, lineage, shapes, is_placed, brought, state })
    }

    /// Takes a leg's session in.
    pub fn seat(&mut self, exchange: &mut Exchange, leg: usize, moved: Moved) {
        let Moved { session, record, flow, trunk, lineage, shapes, is_placed, brought, .. } = moved;
        exchange.own_session(session, self.leg_key(leg));
        // Somebody else may have taken the place of whoever was expected.
        let LegRecord { target, number, call_id, address, session_id, .. } = record;
        let entry = &mut self.record.legs[leg];
        *entry = LegRecord { target, number, call_id, address, session_id, ..std::mem::take(entry) };
        self.legs[leg].end = End::Sip { flow, session: Some(session) };
        self.legs[leg].is_placed = is_placed;
        self.legs[leg].brought = brought;
        if let Some(media) = self.legs[leg].media.as_mut() {
            media.go_on(lineage, &shapes);
        }
        if let Some(trunk) = trunk {
            self.hold_trunk(exchange, leg, &trunk);
        }
    }

    /// The leg that was expected is here: it takes the place that it came for.
    pub fn move_in(&mut self, exchange: &mut Exchange, now: Now, leg: usize, mut moved: Moved) -> Result<(), Failure> {
        let arrival = self.legs[leg].arrival.take();
        let state = std::mem::replace(&mut moved.state, Moving::Answered);
        let session = moved.session;
        self.seat(exchange, leg, moved);
        let result = match arrival {
            Some(arrival) => self.take_place(exchange, now, leg, &arrival, &state),
            None => Err(Failure::new(481, "")),
        };
        if let Err(failure) = &result {
            self.record.legs[leg].status = failure.status;
            match state {
                Moving::Answered => exchange.agent.bye(now, session, None),
                Moving::Invited(_) => {
                    exchange.agent.refuse(now, session, failure.status, &failure.reason, failure.headers.clone());
                }
            }
            self.drop_leg(exchange, leg);
        }
        result
    }

    fn take_place(
        &mut self,
        exchange: &mut Exchange,
        now: Now,
        leg: usize,
        arrival: &Arrival,
        state: &Moving,
    ) -> Result<(), Failure> {
        let gone = arrival.instead_of;
        let is_ringing = self.stage == Stage::Trying && gone > 0 && self.legs[gone].is_live();
        let other = if is_ringing { Some(0) } else { self.other(gone) };
        let Some(other) = other else { return Err(Failure::new(481, "")) };
        // Whom the one that leaves was asked by, or has asked, may ask the newcomer.
        self.abandon_change(exchange, now, 491);
        self.end_one_way(exchange, now);
        self.greet(exchange, now, leg, other, state)?;
        self.legs[leg].stage = LegStage::Talking;
        if is_ringing {
            self.join(exchange, now, leg);
            return Ok(());
        }
        self.record.legs[leg].status = 200;
        self.record.legs[leg].answered = Some(now.wall);
        let newcomer = self.record.legs[leg].target.clone();
        self.record.legs[gone].reason = format!("its place was taken by {newcomer}");
        self.passed = None;
        self.answer_for(exchange, now, gone);
        let vacated = gone;
        let (leg, gone) = self.change_places(exchange, leg, gone);
        if let Some(onward) = &mut self.onward {
            onward.inherit(vacated, leg);
        }
        if leg == 0 {
            self.caller.shown.clone_from(&arrival.shown);
            self.caller.identity = self.identity_of(exchange, 0);
        }
        self.hang_up_leg(exchange, now, gone, Some(sip_reason(200, "Call transferred")));
        exchange.timers.cancel(Timer::Patience(self.key));
        exchange.keep(&self.record);
        self.offers = 0;
        if let Stage::Talking { with } = self.stage {
            self.wire(exchange, with);
        }
        self.pass_on(exchange, now, leg);
        Ok(())
    }

    /// Tells a newcomer where its sound goes from now on.
    fn greet(
        &mut self,
        exchange: &mut Exchange,
        now: Now,
        leg: usize,
        other: usize,
        state: &Moving,
    ) -> Result<(), Failure> {
        let mut opposites = self.heard_of(exchange, other);
        // Before its answer the other side speaks what it offered first.
        for opposite in
            opposites.iter_mut().filter(|opposite| opposite.bond == Bond::SOUND && opposite.format.is_none())
        {
            let mut offered = opposite.line.iter().flat_map(|line| &line.formats);
            opposite.format = offered.find(|format| format.codec().is_some()).cloned();
        }
        let Some(session) = self.legs[leg].session() else { return Err(Failure::new(481, "")) };
        let Some(media) = self.legs[leg].media.as_mut() else { return Err(Failure::new(503, "No Media Port")) };
        let body = match state {
            Moving::Invited(Some(offer)) => match media.answer(offer, &opposites) {
                Ok(body) => Some(body),
                Err(why) => return Err(Failure::new(488, "").because(why.text())),
            },
            _ => media.offer(&opposites),
        };
        let headers = self.introduce(exchange, now, leg, other);
        match state {
            Moving::Invited(_) => exchange.agent.answer(now, session, headers, body),
            Moving::Answered => self.reoffer_moved(exchange, now, leg, body),
        }
        Ok(())
    }

    /// Offers a leg its new port, now or as soon as an exchange in progress is over.
    pub fn reoffer_moved(&mut self, exchange: &mut Exchange, now: Now, leg: usize, body: Option<Body>) {
        let Some(session) = self.legs[leg].session() else { return };
        exchange.agent.withdraw(now, session);
        if exchange.agent.reoffer(now, session, body).is_err()
            && let Some(media) = self.legs[leg].media.as_mut()
        {
            media.unsay();
            media.change_due = true;
        }
    }

    /// The caller's side stands first: a newcomer in its place changes places with it. Says where both are then.
    fn change_places(&mut self, exchange: &mut Exchange, leg: usize, gone: usize) -> (usize, usize) {
        if gone > 0 {
            self.stage = Stage::Talking { with: leg };
            return (leg, gone);
        }
        self.legs.swap(0, leg);
        self.record.legs.swap(0, leg);
        for index in [0, leg] {
            let key = self.leg_key(index);
            self.legs[index].key = key;
            if let Some(session) = self.legs[index].session().filter(|_| self.legs[index].is_live()) {
                exchange.own_session(session, key);
            }
            if let Some(media) = self.legs[index].media.as_mut() {
                media.belongs_to(key);
                media.ports().for_each(|port| exchange.own_port(port, key));
            }
        }
        (0, leg)
    }
}
