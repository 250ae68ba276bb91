//! A new INVITE: who calls, whether the call is taken, and where it goes.

use crate::base::time::Now;
use crate::call::admission::{self, Admission, Identity};
use crate::call::exchange::{LegKey, Timer};
use crate::call::failure::Failure;
use crate::call::io::Notice;
use crate::call::leg::{End, Leg, Said, Stage as LegStage, description_of};
use crate::call::media::stream::{self, Bond, Repertoire};
use crate::call::media::{Media, SDP};
use crate::call::party::Party;
use crate::call::party::brought::{Brought, of_interest};
use crate::call::party::diversion::{self, Diversion};
use crate::call::party::privacy::Privacy;
use crate::call::record::{CallRecord, EndedBy, LegRecord, State};
use crate::call::state::{Call, CallerSide, PATIENCE};
use crate::call::switch::Switch;
use crate::call::trunk::Trunk;
use crate::call::view::Closed;
use crate::config::identity::HeaderPatterns;
use crate::config::settings::Dtmf;
use crate::dialplan::route::{Decision, Request, Target};
use crate::sip::agent::SessionId;
use crate::sip::flow::Flow;
use crate::sip::registrar::Phone;
use crate::wire::description::{Description, Media as MediaLine};
use crate::wire::sip::{Message, Name, Replaces};
use std::collections::VecDeque;

/// What is answered to a caller who may come back, in seconds.
const RETRY_AFTER: &str = "10";
/// RFC 3261 §8.1.1.6.
const MAX_FORWARDS: u32 = 70;

/// An INVITE of someone who is known, or let in.
struct Invitation<'a> {
    session: SessionId,
    flow: Flow,
    message: &'a Message,
    identity: Identity,
    calling: Party,
    dialled: String,
    offer: Option<Description>,
    speaks: Repertoire,
    /// The one phone that was dialled.
    phone: Option<Phone>,
    /// Why the call is not taken; it has a record all the same.
    refusal: Option<Failure>,
    /// The dialog whose place it wants.
    replaces: Option<Replaces>,
}

impl Switch {
    pub(in crate::call) fn invited(&mut self, now: Now, session: SessionId, flow: Flow, message: &Message) {
        if self.records_failing.is_some() {
            let headers = vec![(Name::RetryAfter, RETRY_AFTER.to_owned())];
            return self.exchange.agent.turn_away(now, session, 503, "No Records", headers);
        }
        let identity = match admission::admit(&mut self.exchange, now, flow, message) {
            Admission::Admitted(identity) => identity,
            Admission::Unknown { stale } => {
                let headers = admission::challenge(&mut self.exchange, now, message, stale);
                return self.exchange.agent.turn_away(now, session, 401, "", headers);
            }
            Admission::Denied { user } => {
                self.exchange.notice(Notice::Denied { user, flow, what: "INVITE" });
                return self.exchange.agent.turn_away(now, session, 403, "", Vec::new());
            }
        };
        let trunk = match &identity {
            Identity::Trunk { name, .. } => Some(name.as_str()),
            _ => None,
        };
        let terms = self.exchange.terms(trunk);
        let credentials = trunk.and_then(|name| self.exchange.trunks.by_name(name)?.credentials());
        let disagreement = self.exchange.agent.agree(now, session, terms, credentials);
        // Like a challenge, it is answered by another attempt.
        if let Some((422, headers)) = disagreement {
            return self.exchange.agent.refuse(now, session, 422, "", headers);
        }
        self.attempts += 1;
        let dialled = admission::dialled(&self.exchange, flow, message, &identity);
        let (offer, unreadable) = match offer_of(message) {
            Ok(offer) => (offer, None),
            Err(failure) => (None, Some(failure)),
        };
        let (replaces, unclear) = match replaces_of(message) {
            Ok(replaces) => (replaces, None),
            Err(failure) => (None, Some(failure)),
        };
        let incomplete = dialled.is_none().then(|| Failure::new(484, ""));
        let disagreement = disagreement.map(|(status, headers)| Failure { headers, ..Failure::new(status, "") });
        let refusal = self.unwilling(message, &identity).or(disagreement).or(unreadable).or(unclear).or(incomplete);
        let speaks = self.caller_speaks(&identity);
        let calling = Party::calling(&self.exchange, message, &identity);
        let dialled = dialled.unwrap_or_else(|| message.request_uri().to_owned());
        let phone = admission::phone_dialled(&self.exchange, message);
        let invitation =
            Invitation { session, flow, message, identity, calling, dialled, offer, speaks, phone, refusal, replaces };
        self.begin(now, invitation);
    }

    /// Reasons to take no call at all, whoever calls whom.
    fn unwilling(&mut self, message: &Message, identity: &Identity) -> Option<Failure> {
        let busy = |reason: &str| Failure::new(503, reason).with(Name::RetryAfter, RETRY_AFTER);
        match self.closed() {
            Some(Closed::Draining) => return Some(busy("Draining")),
            Some(Closed::Full) => return Some(busy("Too Many Calls")),
            Some(Closed::NoRecords) | None => {}
        }
        if !self.exchange.capacity.has_room(self.exchange.settings.limits.media_load_percent) {
            self.exchange.capacity.refused += 1;
            return Some(busy("Media Overloaded"));
        }
        // Who sends our own INVITE back, by whatever way, is told what a proxy tells (RFC 3261 §16.3 step 4).
        if self.exchange.is_placed(message.call_id()) {
            return Some(Failure::new(482, ""));
        }
        match identity {
            Identity::Trunk { name, .. } => {
                let trunk = self.exchange.trunks.by_name(name);
                trunk.is_some_and(|trunk| trunk.is_full()).then(|| busy("Trunk Full"))
            }
            _ => None,
        }
    }

    /// What the caller's leg may speak.
    fn caller_speaks(&self, identity: &Identity) -> Repertoire {
        let trunk = match identity {
            Identity::Trunk { name, .. } => self.exchange.trunks.by_name(name).map(|trunk| &trunk.settings),
            _ => None,
        };
        match trunk {
            Some(trunk) if trunk.lists_codecs() => Repertoire::of_trunk(trunk),
            _ => {
                let settings = &self.exchange.settings;
                let srtp = trunk.map_or(settings.sip.srtp, |trunk| trunk.srtp);
                let ptime_ms = trunk.map(|trunk| trunk.ptime_ms);
                let events = trunk.is_none_or(|trunk| trunk.dtmf != Dtmf::Inband);
                Repertoire { ptime_ms, events, ..Repertoire::of(settings.media.codecs.clone(), srtp) }
            }
        }
    }

    /// Opens the record, and then the caller's port, unless the call ends here.
    fn begin(&mut self, now: Now, mut invitation: Invitation<'_>) {
        let decision = self.decide(now, &invitation);
        let is_full = matches!(&invitation.identity, Identity::Trunk { name, .. }
            if self.exchange.trunks.by_name(name).is_some_and(Trunk::is_full));
        let targets = decision.route.as_ref().map(|route| route.targets.as_slice()).unwrap_or_default();
        let (key, id, worker) = self.exchange.new_call(if is_full { &[] } else { targets });
        let refusal = invitation.refusal.take();
        let record = open_record(now, id.clone(), &invitation, &decision);
        let pass_headers = decision.route.as_ref().map(|route| route.pass_headers.clone()).unwrap_or_default();
        let brought = self.brought_by_caller(&invitation, &pass_headers);
        let caller = caller_side(&mut invitation, &decision);
        let mut call = Call {
            replaces: invitation.replaces.take().map(Box::new),
            targets: match decision.route {
                // A trunk's limit counts both ways.
                Some(_) if is_full => VecDeque::from([Target::Reject { status: 503, reason: "Trunk Full".to_owned() }]),
                route => route.map(|route| VecDeque::from(route.targets)).unwrap_or_default(),
            },
            pass_headers,
            diversions: self.diversions_of(&invitation),
            forwards_before: diversion::read(invitation.message, 0).1,
            ..Call::new(key, worker, record, caller)
        };
        // Nothing is opened where nobody can be heard, and nobody is called where nothing could be said.
        let is_silent = call.targets.iter().all(Target::is_silent);
        let refusal = refusal.or_else(|| {
            let offer = call.caller.offer.as_ref().filter(|_| !is_silent)?;
            let disagreement = invitation.speaks.suits(offer).err()?;
            Some(Failure::new(488, "").because(disagreement.text()))
        });
        let lines = self.caller_lines(&call, &invitation.speaks);
        let speaks = invitation.speaks.clone();
        let leg = LegKey { call: key, leg: 0 };
        let Invitation { session, flow, message, identity, dialled, .. } = invitation;
        self.exchange.own_session(session, leg);
        let media = (!is_silent && refusal.is_none()).then(|| {
            let local = self.exchange.media_address(flow, call.caller.offer.as_ref());
            Media::open(&mut self.exchange, leg, worker, local, speaks, lines)
        });
        let is_ready = media.is_none();
        let media = media.map(|media| media.described(call.caller.offer.as_ref()));
        let record = LegRecord {
            target: identity.text(),
            number: dialled.clone(),
            call_id: message.call_id().to_owned(),
            address: flow.to_string(),
            started: now.wall,
            session_id: Some(brought.session.to_string()),
            ..LegRecord::default()
        };
        let end = End::Sip { flow, session: Some(session) };
        call.add_leg(Leg { media, brought, ..Leg::new(leg, end, LegStage::Trying) }, record);
        if let Identity::Trunk { name, .. } = &identity {
            call.hold_trunk(&mut self.exchange, 0, name);
        }
        self.exchange.keep(&call.record);
        self.exchange.notice(Notice::CallStarted { id: id.clone(), caller: call.record.caller.clone(), dialled });
        self.exchange.timers.set(Timer::Patience(key), now.time + PATIENCE);
        self.calls.insert(key, Box::new(call));
        self.ids.insert(id, key);
        match refusal {
            Some(failure) => self.with_call(key, |call, exchange| call.refuse_caller(exchange, now, failure)),
            None if is_ready => self.with_call(key, |call, exchange| call.start(exchange, now)),
            None => {}
        }
    }

    /// The lines of the caller's leg: those of its offer, or one for sound where it left the offer to us.
    fn caller_lines(&self, call: &Call, speaks: &Repertoire) -> Vec<(MediaLine, Option<Bond>)> {
        match &call.caller.offer {
            Some(offer) => {
                let limit = self.exchange.settings.limits.streams;
                stream::of_offer(&offer.media, speaks.sound_line(offer), limit)
            }
            None => vec![(stream::sound_shape(), Some(Bond::SOUND))],
        }
    }

    fn brought_by_caller(&mut self, invitation: &Invitation<'_>, rule: &HeaderPatterns) -> Brought {
        let wanted = of_interest(&self.exchange, rule, invitation.message);
        Brought::read(&mut self.exchange, invitation.message, |name| wanted.contains(&name))
    }

    /// Over whom the call came, in the word of a trunk that is trusted. Nobody else's is passed on.
    fn diversions_of(&self, invitation: &Invitation<'_>) -> Vec<Diversion> {
        let Identity::Trunk { name, .. } = &invitation.identity else { return Vec::new() };
        if !self.exchange.trunks.by_name(name).is_some_and(|trunk| trunk.settings.identity.trusted) {
            return Vec::new();
        }
        let (mut diversions, _) = diversion::read(invitation.message, self.exchange.settings.limits.forwards);
        let is_private = Privacy::of(invitation.message).history;
        for diversion in diversions.iter_mut().filter(|_| is_private) {
            diversion.by.is_private = true;
        }
        diversions
    }

    fn decide(&self, now: Now, invitation: &Invitation<'_>) -> Decision {
        let Invitation { identity, calling, dialled, refusal, replaces, .. } = invitation;
        if refusal.is_some() || replaces.is_some() {
            return Decision { number: dialled.clone(), route: None, steps: Vec::new() };
        }
        let request = Request { caller: identity.as_caller(), from: &calling.text(), to: dialled, at: now.wall };
        self.exchange.plan.route(&request)
    }
}

fn offer_of(message: &Message) -> Result<Option<Description>, Failure> {
    if !takes_descriptions(message) {
        return Err(Failure::new(406, "").because("the caller takes no session description".to_owned()));
    }
    match description_of(message) {
        Said::Nothing => Ok(None),
        Said::Media(description) => Ok(Some(description)),
        Said::Unreadable(why) => Err(Failure::new(400, "Unreadable SDP").because(why)),
        Said::Foreign(content_type) => {
            Err(Failure::new(415, "").with(Name::Accept, SDP).because(format!("the offer is {content_type}")))
        }
    }
}

/// RFC 3891 §3: there may be one, which has to be readable.
fn replaces_of(message: &Message) -> Result<Option<Replaces>, Failure> {
    let mut fields = message.fields().filter(|field| field.kind() == Name::Replaces);
    match (fields.next(), fields.next()) {
        (None, _) => Ok(None),
        (Some(field), None) => {
            let replaces = Replaces::parse(field.value());
            replaces.map(Some).ok_or_else(|| Failure::new(400, "Unreadable Replaces"))
        }
        _ => Err(Failure::new(400, "More Than One Replaces")),
    }
}

/// Whether what we answer with is among what the caller takes (RFC 3261 §20.1, §21.4.7).
fn takes_descriptions(message: &Message) -> bool {
    let mut ranges =
        message.values(Name::Accept).map(|range| range.split(';').next().unwrap_or_default().trim()).peekable();
    let takes = |range: &str| [SDP, "application/*", "*/*"].iter().any(|known| known.eq_ignore_ascii_case(range));
    ranges.peek().is_none() || ranges.any(takes)
}

fn caller_side(invitation: &mut Invitation<'_>, decision: &Decision) -> CallerSide {
    let chosen = decision.route.as_ref().and_then(|route| route.caller.clone());
    let calling = invitation.calling.clone();
    CallerSide {
        identity: invitation.identity.clone(),
        offer: invitation.offer.take(),
        shown: match chosen {
            Some(number) => calling.shown_as(number),
            None => calling,
        },
        max_forwards: invitation
            .message
            .max_forwards()
            .map_or(MAX_FORWARDS, |hops| hops.saturating_sub(1))
            .min(MAX_FORWARDS),
        speaks: Vec::new(),
        phone: invitation.phone.take(),
        told: None,
    }
}

fn open_record(now: Now, id: String, invitation: &Invitation<'_>, decision: &Decision) -> CallRecord {
    CallRecord {
        id,
        state: State::Open,
        caller: invitation.identity.text(),
        from: invitation.calling.text(),
        dialled: invitation.dialled.clone(),
        number: decision.number.clone(),
        rule: decision.route.as_ref().map(|route| route.rule.clone()),
        started: now.wall,
        ringing: None,
        answered: None,
        ended: None,
        talk_ms: 0,
        legs: Vec::with_capacity(2),
        status: 0,
        ended_by: EndedBy::Nobody,
        cause: String::new(),
    }
}
