//! One leg towards a phone or a trunk: its port, then its INVITE.

use crate::base::time::Now;
use crate::call::exchange::{Exchange, Timer};
use crate::call::failure::Failure;
use crate::call::hop::Hop;
use crate::call::leg::{End, Leg, Stage as LegStage};
use crate::call::media::Media;
use crate::call::media::negotiate::{self, Disagreement};
use crate::call::media::stream::{Bond, Repertoire};
use crate::call::party::Party;
use crate::call::party::brought::Brought;
use crate::call::record::LegRecord;
use crate::call::state::{Call, PATIENCE, Stage};
use crate::media::command::PortId;
use crate::sip::agent::Invite;
use crate::sip::digest::ClientCredentials;
use crate::sip::flow::Flow;
use crate::wire::description::Media as MediaLine;
use crate::wire::sip::Name;
use std::collections::VecDeque;
use std::time::Duration;

/// Where one leg goes, and what it is told of the caller.
#[derive(Clone)]
pub struct Destination {
    pub flow: Flow,
    /// Further ways, tried in turn where one fails: other addresses of a trunk (RFC 3263 §4.3), other flows of a phone
    /// (RFC 5626 §5.3).
    pub more: VecDeque<Hop>,
    pub uri: String,
    /// Name-addrs.
    pub to: String,
    pub from: String,
    pub contact_user: String,
    /// Whom we know to be there.
    pub party: Option<Party>,
    pub speaks: Repertoire,
    pub credentials: Option<ClientCredentials>,
    /// The proxies on the way, as values of Route.
    pub route: Vec<String>,
    /// As in [`Hop`].
    pub is_pinned: bool,
    /// How long it may stay without any response.
    pub no_response: Option<Duration>,
}

impl Call {
    /// Adds a leg and asks for its port; the INVITE follows when that is open.
    pub fn dial(
        &mut self,
        exchange: &mut Exchange,
        now: Now,
        to: Destination,
        target: String,
        number: String,
        trunk: Option<&str>,
    ) {
        let index = self.legs.len();
        let key = self.leg_key(index);
        let lines = self.lines_to_offer();
        let media = Media::open(exchange, key, self.worker, to.flow.local.ip(), to.speaks.clone(), lines);
        let record =
            LegRecord { target, number, address: to.flow.to_string(), started: now.wall, ..LegRecord::default() };
        let end = End::Sip { flow: to.flow, session: None };
        let leg = Leg {
            media: Some(media),
            brought: Brought::of(to.party.clone()),
            dialling: Some(Box::new(to)),
            ..Leg::new(key, end, LegStage::Preparing)
        };
        self.add_leg(leg, record);
        if let Some(trunk) = trunk {
            self.hold_trunk(exchange, index, trunk);
        }
        exchange.timers.set(Timer::Patience(self.key), now.time + PATIENCE);
        exchange.keep(&self.record);
    }

    /// A leg failed on its way to one address of its target: tries the next one, by a leg of its own. False where there is
    /// none.
    pub fn dial_next_way(&mut self, exchange: &mut Exchange, now: Now, leg: usize, trunk: Option<&str>) -> bool {
        let Some(mut to) = self.legs[leg].again.take() else { return false };
        if let Some(trunk) = trunk.and_then(|name| exchange.trunks.by_name(name)) {
            // Others may have found out meanwhile that it fails as well.
            to.more.retain(|hop| !trunk.is_resting(now.time, hop.flow));
        }
        let Some(Hop { flow, uri, route, is_pinned }) = to.more.pop_front() else { return false };
        // The last flow of a phone is waited for as any phone is.
        let no_response = to.no_response.filter(|_| trunk.is_some() || !to.more.is_empty());
        let LegRecord { target, number, .. } = self.record.legs[leg].clone();
        self.dial(
            exchange,
            now,
            Destination { flow, uri, route, is_pinned, no_response, ..*to },
            target,
            number,
            trunk,
        );
        true
    }

    /// What the caller's leg has that a called one may have too.
    fn lines_to_offer(&self) -> Vec<(MediaLine, Option<Bond>)> {
        let streams = self.legs[0].media.iter().flat_map(|media| &media.streams);
        let open = streams.filter(|stream| stream.port.is_some());
        // How the caller described its line is nobody's business but its formats.
        open.map(|stream| (negotiate::refused(stream.shape()), Some(stream.bond))).collect()
    }

    /// The worker has opened a leg's port.
    pub fn port_opened(&mut self, exchange: &mut Exchange, now: Now, leg: usize, port: PortId, number: u16) {
        let Some(flow) = self.legs[leg].flow() else { return };
        if let Some(media) = &mut self.legs[leg].media {
            media.opened(exchange, flow, port, number);
        }
        self.ports_settled(exchange, now, leg);
    }

    /// Goes on once no port of a leg is awaited any more.
    fn ports_settled(&mut self, exchange: &mut Exchange, now: Now, leg: usize) {
        if self.legs[leg].media.as_ref().is_some_and(Media::awaits_port) {
            return;
        }
        match (self.stage, leg) {
            (Stage::Preparing, 0) => self.start(exchange, now),
            _ if self.legs[leg].arrival.is_some() => self.arrival_ready(exchange, leg),
            (Stage::Trying, 1..) if self.legs[leg].stage == LegStage::Preparing => self.invite(exchange, now, leg),
            (Stage::Talking { .. }, _) => self.advance_change(exchange, now),
            _ => {}
        }
    }

    /// A port can't be had. Without sound there is no call; without pictures there is.
    pub fn port_failed(&mut self, exchange: &mut Exchange, now: Now, leg: usize, port: PortId, why: &str) {
        let goes_on = self.legs[leg].media.as_mut().is_some_and(|media| media.failed(port));
        if self.legs[leg].arrival.is_some() && !goes_on {
            return self.arrival_failed(exchange, leg, 503, "No Media Port");
        }
        if goes_on || matches!(self.stage, Stage::Talking { .. }) {
            return self.ports_settled(exchange, now, leg);
        }
        self.leg_portless(exchange, now, leg, why);
    }

    fn leg_portless(&mut self, exchange: &mut Exchange, now: Now, leg: usize, why: &str) {
        let failure = Failure::new(503, "No Media Port").because(why);
        match self.stage {
            Stage::Preparing => self.refuse_caller(exchange, now, failure),
            Stage::Trying if leg > 0 && self.legs[leg].is_live() => {
                // Where its phone rings already, it is told.
                if let Some(session) = self.legs[leg].session() {
                    exchange.agent.part(now, session, self.parting.clone());
                }
                self.leg_failed(exchange, now, leg, 503, failure);
            }
            _ => {}
        }
    }

    /// A worker that owes an answer for too long is not waited for.
    pub fn lose_patience(&mut self, exchange: &mut Exchange, now: Now) {
        const WHY: &str = "the media worker does not answer";
        self.turn_away(exchange, 503, WHY);
        match self.stage {
            Stage::Preparing => self.leg_portless(exchange, now, 0, WHY),
            Stage::Trying => {
                for leg in 1..self.legs.len() {
                    if self.legs[leg].awaits_port() {
                        self.leg_portless(exchange, now, leg, WHY);
                    }
                }
            }
            Stage::Talking { .. } => self.abandon_change(exchange, now, 500),
            Stage::Ending => self.forgo_reports(exchange),
        }
    }

    fn invite(&mut self, exchange: &mut Exchange, now: Now, index: usize) {
        let mut headers = self.told_callee(exchange, index);
        // A trunk never sees that a call of ours was transferred to it.
        let origin = self.origin.as_ref().filter(|_| self.legs[index].trunk.is_none());
        let referred_by = origin.and_then(|origin| origin.referred_by.clone());
        headers.extend(referred_by.map(|by| (Name::ReferredBy, by)));
        let caller = self.legs[0].opposites();
        let leg = &mut self.legs[index];
        let (Some(to), Some(media)) = (leg.dialling.take(), leg.media.as_mut()) else { return };
        leg.again = (!to.more.is_empty()).then(|| to.clone());
        let Some(body) = media.offer(&caller) else {
            let why = Disagreement::OnlyRelayed.text();
            self.record.legs[index].reason = why.to_owned();
            return self.leg_failed(exchange, now, index, 488, Failure::new(488, "").because(why));
        };
        let terms = exchange.terms(leg.trunk.as_deref());
        let trunk = leg.trunk.as_deref().and_then(|name| exchange.trunks.by_name(name));
        let contact_host = trunk.and_then(|trunk| trunk.settings.contact_host.clone());
        let session = exchange.agent.invite(
            now,
            Invite {
                contact_user: to.contact_user,
                contact_host,
                headers,
                body: Some(body),
                credentials: to.credentials,
                max_forwards: self.caller.max_forwards,
                no_response: to.no_response,
                route: to.route,
                is_pinned: to.is_pinned,
                terms,
                ..Invite::new(to.flow, to.uri, to.from, to.to)
            },
        );
        leg.stage = LegStage::Trying;
        leg.is_placed = true;
        leg.end = End::Sip { flow: to.flow, session: Some(session) };
        exchange.own_session(session, leg.key);
        if let Some(call_id) = exchange.agent.call_id(session).map(str::to_owned) {
            exchange.note_placed(&call_id);
            self.record.legs[index].call_id = call_id;
        }
    }
}
