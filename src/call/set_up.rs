//! From an INVITE to the answer: targets tried in order, phones rung together, the first to answer wins.

use crate::base::time::Now;
use crate::call::exchange::{Exchange, LegKey, Timer};
use crate::call::failure::{Failure, sip_reason};
use crate::call::leg::{End, Leg, Media, Said, Stage as LegStage, description_of};
use crate::call::negotiate;
use crate::call::record::{EndedBy, LegRecord};
use crate::call::state::{Call, Stage};
use crate::config::settings::Settings;
use crate::dialplan::route::Target;
use crate::media::command::Clip;
use crate::sip::agent::{Ending, Failure as SipFailure, Invite};
use crate::sip::digest::ClientCredentials;
use crate::sip::flow::Flow;
use crate::wire::description::Direction;
use crate::wire::sip::{Message, Name};
use std::sync::Arc;
use std::time::Duration;
use tandem_codecs::Codec;

/// Where one leg goes, and what it is told of the caller.
struct Destination {
    flow: Flow,
    uri: String,
    to: String,
    from: String,
    contact_user: String,
    codecs: Vec<Codec>,
    ptime_ms: Option<u32>,
    credentials: Option<ClientCredentials>,
    no_response: Option<Duration>,
}

/// What a leg needs once its port is open.
pub struct Dialling(Box<Destination>);

impl Call {
    /// The caller's port is open, or none is needed yet: tries the first target.
    pub fn start(&mut self, exchange: &mut Exchange, now: Now) {
        self.stage = Stage::Trying;
        if !self.can_be_answered() {
            let failure = Failure::new(488, "Not Acceptable Here");
            return self.refuse_caller(exchange, now, failure, EndedBy::Gateway);
        }
        self.try_next(exchange, now);
    }

    /// Whether the caller's offer has something to speak, without which nobody need be called.
    fn can_be_answered(&self) -> bool {
        match (&self.caller.offer, &self.legs[0].media) {
            (Some(offer), Some(media)) => negotiate::codecs_of(offer).iter().any(|codec| media.codecs.contains(codec)),
            _ => true,
        }
    }

    /// Tries targets until one is under way; the last failure is the caller's when none is left.
    pub fn try_next(&mut self, exchange: &mut Exchange, now: Now) {
        let mut last = self.failure.take();
        while let Some(target) = self.targets.pop_front() {
            match self.try_target(exchange, now, &target) {
                Ok(()) => {
                    self.target = Some(target);
                    return;
                }
                Err(failure) => last = Some((failure.status, failure)),
            }
        }
        let (_, failure) = last.unwrap_or_else(|| (404, Failure::new(404, "Not Found")));
        let by = if self.legs.len() > 1 { EndedBy::Callee } else { EndedBy::Gateway };
        self.refuse_caller(exchange, now, failure, by);
    }

    fn try_target(&mut self, exchange: &mut Exchange, now: Now, target: &Target) -> Result<(), Failure> {
        match target {
            Target::User { name } => self.ring_user(exchange, now, name),
            Target::Trunk { name, number, .. } => self.call_trunk(exchange, now, name, number),
            Target::Echo => self.answer_with(exchange, now, End::Echo, "echo"),
            Target::Play { file, repeat } => {
                let end = End::Clip { clip: None, repeat: *repeat };
                let leg = self.add_local(exchange, now, end, &format!("play:{file}"));
                exchange.load(leg, file.clone());
                Ok(())
            }
            Target::Reject { status, reason } => Err(Failure::new(*status, reason.clone())),
        }
    }

    fn ring_user(&mut self, exchange: &mut Exchange, now: Now, name: &str) -> Result<(), Failure> {
        let accounts = Arc::clone(&exchange.accounts);
        let Some(account) = accounts.find(name) else { return Err(Failure::new(404, "Not Found")) };
        let bindings = exchange.registrar.bindings(now, &account.name);
        if bindings.is_empty() {
            return Err(Failure::new(480, "Temporarily Unavailable"));
        }
        let settings = Arc::clone(&exchange.settings);
        let domain = &settings.sip.domain;
        let codecs = self.offered_codecs(&settings, None);
        for binding in bindings {
            let destination = Destination {
                flow: binding.flow,
                uri: binding.uri.clone(),
                to: format!("<sip:{}@{domain}>", account.name),
                from: self.shown_caller(&self.caller.number, domain),
                contact_user: contact_user(&self.caller.number),
                codecs: codecs.clone(),
                ptime_ms: None,
                credentials: None,
                no_response: None,
            };
            self.dial(exchange, now, destination, format!("user:{}", account.name), account.name.clone(), None);
        }
        exchange.timers.set(Timer::Ring(self.key), now.time + settings.sip.ring_timeout);
        Ok(())
    }

    fn call_trunk(&mut self, exchange: &mut Exchange, now: Now, name: &str, number: &str) -> Result<(), Failure> {
        let settings = Arc::clone(&exchange.settings);
        let Some(trunk) = exchange.trunks.by_name(name) else { return Err(Failure::new(500, "Unknown Trunk")) };
        if trunk.is_full() {
            return Err(Failure::new(503, "Trunk Full"));
        }
        let Some(flow) = trunk.flow() else { return Err(Failure::new(503, "Trunk Not Found")) };
        // A trunk that is silent is passed over while another way is left.
        if !trunk.is_up() && !self.targets.is_empty() {
            return Err(Failure::new(503, "Trunk Down"));
        }
        let domain = trunk.domain();
        let our_domain =
            if trunk.settings.credentials.is_some() { domain.clone() } else { settings.sip.domain.clone() };
        let destination = Destination {
            flow,
            uri: trunk.uri(number),
            to: format!("<sip:{number}@{domain}>"),
            from: self.shown_caller(&self.caller.number, &our_domain),
            contact_user: trunk
                .settings
                .credentials
                .as_ref()
                .map_or_else(|| contact_user(&self.caller.number), |credentials| contact_user(&credentials.username)),
            codecs: self.offered_codecs(&settings, Some(&trunk.settings.codecs)),
            ptime_ms: Some(trunk.settings.ptime_ms),
            credentials: trunk.credentials(),
            no_response: Some(settings.sip.trunk_timeout),
        };
        self.dial(exchange, now, destination, format!("trunk:{name}"), number.to_owned(), Some(name));
        exchange.timers.set(Timer::Ring(self.key), now.time + settings.sip.ring_timeout);
        Ok(())
    }

    /// A trunk's own list is offered as it stands; otherwise what the caller also has comes first.
    fn offered_codecs(&self, settings: &Settings, chosen: Option<&Vec<Codec>>) -> Vec<Codec> {
        match chosen.filter(|chosen| !chosen.is_empty()) {
            Some(chosen) => chosen.clone(),
            None => {
                let theirs = self.caller.offer.as_ref().map(negotiate::codecs_of).unwrap_or_default();
                negotiate::order(&settings.media.codecs, &theirs)
            }
        }
    }

    fn shown_caller(&self, number: &str, domain: &str) -> String {
        let user = contact_user(number);
        let name = self.caller.display_name.as_deref().unwrap_or_default();
        if name.is_empty() {
            return format!("<sip:{user}@{domain}>");
        }
        let name: String = name.chars().filter(|letter| !letter.is_control()).collect();
        format!("\"{}\" <sip:{user}@{domain}>", name.replace('\\', "\\\\").replace('"', "\\\""))
    }

    /// Adds a leg and asks for its port; the INVITE follows when that is open.
    fn dial(
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
        let media = Media::open(exchange, key, self.worker, to.flow.local.ip(), to.codecs.clone(), to.ptime_ms);
        let record =
            LegRecord { target, number, address: to.flow.to_string(), started: now.wall, ..LegRecord::default() };
        let end = End::Sip { flow: to.flow, session: None };
        self.add_leg(
            Leg {
                key,
                end,
                stage: LegStage::Preparing,
                trunk: None,
                media: Some(media),
                dialling: Some(Dialling(Box::new(to))),
            },
            record,
        );
        if let Some(trunk) = trunk {
            self.hold_trunk(exchange, index, trunk);
        }
        exchange.keep(&self.record);
    }

    /// The worker has opened a leg's port.
    pub fn port_opened(&mut self, exchange: &mut Exchange, now: Now, leg: usize, number: u16) {
        let Some(flow) = self.legs[leg].flow() else { return };
        if let Some(media) = &mut self.legs[leg].media {
            media.opened(exchange, flow, number);
        }
        match (self.stage, leg) {
            (Stage::Preparing, 0) => self.start(exchange, now),
            (Stage::Trying, 1..) if self.legs[leg].stage == LegStage::Preparing => self.invite(exchange, now, leg),
            _ => {}
        }
    }

    pub fn port_failed(&mut self, exchange: &mut Exchange, now: Now, leg: usize) {
        let failure = Failure::new(503, "No Media Port");
        match self.stage {
            Stage::Preparing => self.refuse_caller(exchange, now, failure, EndedBy::Gateway),
            Stage::Trying if leg > 0 => self.leg_failed(exchange, now, leg, 503, failure),
            _ => {}
        }
    }

    fn invite(&mut self, exchange: &mut Exchange, now: Now, index: usize) {
        let leg = &mut self.legs[index];
        let (Some(Dialling(to)), Some(media)) = (leg.dialling.take(), leg.media.as_mut()) else { return };
        let body = media.offer(&to.codecs, Direction::SendRecv);
        let session = exchange.agent.invite(
            now,
            Invite {
                contact_user: to.contact_user,
                body,
                credentials: to.credentials,
                max_forwards: self.caller.max_forwards,
                no_response: to.no_response,
                ..Invite::new(to.flow, to.uri, to.from, to.to)
            },
        );
        leg.stage = LegStage::Trying;
        leg.end = End::Sip { flow: to.flow, session: Some(session) };
        exchange.own_session(session, leg.key);
        if let Some(call_id) = exchange.agent.call_id(session).map(str::to_owned) {
            exchange.note_placed(&call_id);
            self.record.legs[index].call_id = call_id;
        }
    }

    /// A called side is being alerted, perhaps with sound.
    pub fn progressed(&mut self, exchange: &mut Exchange, now: Now, leg: usize, message: &Message) {
        if self.stage != Stage::Trying {
            return;
        }
        if self.record.ringing.is_none() {
            self.record.ringing = Some(now.wall);
        }
        self.record.legs[leg].ringing.get_or_insert(now.wall);
        let status = message.status();
        let sound = self.early_sound(leg, message);
        let body = if sound { self.answer_caller_early(leg) } else { None };
        let told = (status, body.is_some());
        let news = match self.caller.told {
            None => true,
            Some((before, _)) if body.is_none() => status != before && status == 180,
            Some(before) => before != told,
        };
        let Some(session) = self.caller_session().filter(|_| news && status != 199) else { return };
        self.caller.told = Some(told);
        let has_body = body.is_some();
        exchange.agent.progress(now, session, status, message.reason_phrase(), Vec::new(), body);
        if has_body {
            self.wire(exchange, leg);
        }
    }

    /// Takes the media of a provisional answer; only one leg at a time is heard before the answer.
    fn early_sound(&mut self, leg: usize, message: &Message) -> bool {
        let taken = (1..self.legs.len())
            .any(|other| other != leg && self.legs[other].is_live() && self.legs[other].codec().is_some());
        let Said::Media(description) = description_of(message) else { return false };
        let Some(media) = self.legs[leg].media.as_mut().filter(|_| !taken) else { return false };
        media.accept(&description, true).is_ok()
    }

    /// The caller's answer for early media; the same one stands in the final response.
    fn answer_caller_early(&mut self, leg: usize) -> Option<crate::sip::flow::Body> {
        let towards = self.legs[leg].codec();
        let wish = self.legs[leg].wish();
        let offer = self.caller.offer.as_ref()?;
        self.legs[0].media.as_mut()?.answer(offer, wish, towards).ok()
    }

    /// A called side has answered: the others are told so, and the two are joined.
    pub fn answered(&mut self, exchange: &mut Exchange, now: Now, leg: usize, message: &Message) {
        let Some(session) = self.legs[leg].session() else { return };
        exchange.agent.ack(now, session, None);
        if self.stage != Stage::Trying {
            exchange.agent.bye(now, session, Some(sip_reason(200, "Call completed elsewhere")));
            return;
        }
        self.record.legs[leg].status = message.status();
        self.record.legs[leg].reason = message.reason_phrase().to_owned();
        self.record.legs[leg].answered = Some(now.wall);
        if let Err(why) = self.take_answer(leg, message) {
            exchange.agent.bye(now, session, Some(sip_reason(488, &why)));
            self.leg_failed(exchange, now, leg, 488, Failure::new(488, "Not Acceptable Here"));
            return;
        }
        self.join(exchange, now, leg);
    }

    fn take_answer(&mut self, leg: usize, message: &Message) -> Result<(), String> {
        let Some(media) = self.legs[leg].media.as_mut() else { return Err("no media".to_owned()) };
        match description_of(message) {
            Said::Media(description) => media.accept(&description, false).map_err(|why| why.text().to_owned()),
            Said::Nothing if media.agreed.is_some() => {
                media.withdraw();
                Ok(())
            }
            Said::Nothing => Err("an answer without SDP".to_owned()),
            Said::Unreadable(why) => Err(why),
            Said::Foreign(content_type) => Err(format!("an answer in {content_type}")),
        }
    }

    /// Answers the caller's leg and joins it with `leg`.
    fn join(&mut self, exchange: &mut Exchange, now: Now, leg: usize) {
        let body = match self.final_answer(leg) {
            Ok(body) => body,
            Err(why) => {
                self.hang_up_leg(exchange, now, leg, Some(sip_reason(488, why)));
                self.refuse_caller(exchange, now, Failure::new(488, "Not Acceptable Here"), EndedBy::Gateway);
                return;
            }
        };
        self.dismiss_others(exchange, now, leg);
        exchange.timers.cancel(Timer::Ring(self.key));
        self.legs[leg].stage = LegStage::Talking;
        self.legs[0].stage = LegStage::Talking;
        self.stage = Stage::Talking { with: leg };
        self.answered_at = Some(now.time);
        self.record.answered = Some(now.wall);
        self.record.status = 200;
        self.record.legs[0].status = 200;
        self.record.legs[0].answered = Some(now.wall);
        exchange.keep(&self.record);
        if let Some(session) = self.caller_session() {
            exchange.agent.answer(now, session, Vec::new(), body);
        }
        self.wire(exchange, leg);
        self.plan_probe(exchange, now);
        exchange.notice(crate::call::io::Notice::CallAnswered {
            id: self.record.id.clone(),
            target: self.record.legs[leg].target.clone(),
        });
    }

    /// The media of our 200: the answer to the caller's offer, or our own offer where the caller left it to us.
    fn final_answer(&mut self, leg: usize) -> Result<Option<crate::sip::flow::Body>, &'static str> {
        let (towards, wish) = (self.legs[leg].codec(), self.legs[leg].wish());
        let Some(media) = self.legs[0].media.as_mut() else { return Err("no media port") };
        match &self.caller.offer {
            Some(_) if media.agreed.is_some() => Ok(media.repeated()),
            Some(offer) => media.answer(offer, wish, towards).map(Some).map_err(|why| why.text()),
            None => {
                let theirs: Vec<Codec> = towards.into_iter().collect();
                let codecs = negotiate::order(&media.codecs, &theirs);
                Ok(media.offer(&codecs, wish))
            }
        }
    }

    /// The other phones stop ringing and learn that the call was taken (RFC 3326 §3.1).
    fn dismiss_others(&mut self, exchange: &mut Exchange, now: Now, winner: usize) {
        let others: Vec<usize> = self.hopefuls().filter(|&leg| leg != winner).collect();
        for other in others {
            self.record.legs[other].reason = "answered elsewhere".to_owned();
            self.hang_up_leg(exchange, now, other, Some(sip_reason(200, "Call completed elsewhere")));
        }
    }

    /// A leg got a final answer that isn't a success, before anyone answered.
    pub fn leg_refused(&mut self, exchange: &mut Exchange, now: Now, leg: usize, message: &Message) {
        let reasons: Vec<String> = message.values(Name::Reason).map(str::to_owned).collect();
        let failure = Failure::translated(message.status(), message.reason_phrase(), &reasons);
        self.record.legs[leg].reason = message.reason_phrase().to_owned();
        self.leg_failed(exchange, now, leg, message.status(), failure);
    }

    pub fn leg_unreachable(&mut self, exchange: &mut Exchange, now: Now, leg: usize, cause: SipFailure) {
        let (status, reason) = match cause {
            SipFailure::Timeout => (408, "Request Timeout"),
            SipFailure::Transport => (503, "Unreachable"),
            SipFailure::Limit => (503, "Too Many Transactions"),
        };
        self.record.legs[leg].reason = reason.to_owned();
        self.leg_failed(exchange, now, leg, status, Failure::translated(status, reason, &[]));
    }

    pub fn leg_failed(&mut self, exchange: &mut Exchange, now: Now, leg: usize, seen: u16, failure: Failure) {
        self.record.legs[leg].status = seen;
        if self.record.legs[leg].reason.is_empty() {
            self.record.legs[leg].reason.clone_from(&failure.reason);
        }
        self.drop_leg(exchange, leg);
        if let Some(trunk) = self.record.legs[leg].target.strip_prefix("trunk:")
            && let Some(trunk) = exchange.trunks.by_name_mut(trunk)
        {
            trunk.last_answer = Some((seen, now.wall));
        }
        if self.stage != Stage::Trying {
            return;
        }
        let better = self.failure.as_ref().is_none_or(|(_, best)| failure.rank() < best.rank());
        if better {
            self.failure = Some((seen, failure));
        }
        if (600..700).contains(&seen) {
            self.dismiss_all(exchange, now);
        }
        if self.hopefuls().next().is_none() {
            self.target_failed(exchange, now);
        }
    }

    fn dismiss_all(&mut self, exchange: &mut Exchange, now: Now) {
        let hopefuls: Vec<usize> = self.hopefuls().collect();
        for leg in hopefuls {
            self.record.legs[leg].reason = "declined elsewhere".to_owned();
            self.hang_up_leg(exchange, now, leg, None);
        }
    }

    /// All legs of a target have failed: the next target is tried where the answer leads on.
    fn target_failed(&mut self, exchange: &mut Exchange, now: Now) {
        exchange.timers.cancel(Timer::Ring(self.key));
        let Some((seen, failure)) = self.failure.clone() else { return self.try_next(exchange, now) };
        let leads_on = self.target.as_ref().is_some_and(|target| target.leads_on(seen));
        if leads_on && !self.targets.is_empty() {
            self.try_next(exchange, now);
        } else {
            self.refuse_caller(exchange, now, failure, EndedBy::Callee);
        }
    }

    /// Nobody answered in time.
    pub fn rang_out(&mut self, exchange: &mut Exchange, now: Now) {
        if self.stage != Stage::Trying {
            return;
        }
        let hopefuls: Vec<usize> = self.hopefuls().collect();
        for leg in hopefuls {
            self.record.legs[leg].status = 408;
            self.record.legs[leg].reason = "no answer".to_owned();
            self.hang_up_leg(exchange, now, leg, Some(sip_reason(480, "No answer")));
        }
        self.failure = Some((408, Failure::new(480, "No Answer")));
        self.target_failed(exchange, now);
    }

    /// Answers the caller with an end of our own: an echo, a clip.
    fn answer_with(&mut self, exchange: &mut Exchange, now: Now, end: End, target: &str) -> Result<(), Failure> {
        let key = self.add_local(exchange, now, end, target);
        self.join(exchange, now, key.leg);
        Ok(())
    }

    fn add_local(&mut self, exchange: &mut Exchange, now: Now, end: End, target: &str) -> LegKey {
        let key = self.leg_key(self.legs.len());
        let record = LegRecord { target: target.to_owned(), started: now.wall, ..LegRecord::default() };
        self.add_leg(Leg { key, end, stage: LegStage::Preparing, trunk: None, media: None, dialling: None }, record);
        exchange.keep(&self.record);
        key
    }

    /// A sound file is there, or can't be read.
    pub fn loaded(&mut self, exchange: &mut Exchange, now: Now, leg: usize, result: Result<Arc<Clip>, String>) {
        if self.stage != Stage::Trying {
            return;
        }
        match (result, &mut self.legs[leg].end) {
            (Ok(loaded), End::Clip { clip, .. }) => {
                *clip = Some(loaded);
                self.join(exchange, now, leg);
            }
            (Ok(_), _) => {}
            (Err(why), _) => {
                self.record.legs[leg].reason = why;
                self.leg_failed(exchange, now, leg, 500, Failure::new(500, "Announcement Not Found"));
            }
        }
    }

    /// A leg ended of itself: the call is over if it was one of the two that talk.
    pub fn leg_ended(&mut self, exchange: &mut Exchange, now: Now, leg: usize, by: Ending) {
        match (self.stage, &by) {
            (Stage::Talking { with }, _) if leg == 0 || leg == with => self.side_left(exchange, now, leg, by),
            (Stage::Trying, Ending::Cancelled { .. }) | (Stage::Ending, _) | (Stage::Talking { .. }, _) => {
                self.drop_leg(exchange, leg)
            }
            (_, _) if leg == 0 => self.caller_gave_up(exchange, now, None),
            (_, _) if self.legs[leg].is_live() => {
                self.leg_failed(exchange, now, leg, 480, Failure::new(480, "Temporarily Unavailable"));
            }
            _ => {}
        }
    }
}

/// A number or name as the user part of a URI (RFC 3261 §25.1): what doesn't belong there is escaped.
fn contact_user(text: &str) -> String {
    let mut user = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,/".contains(&byte) {
            user.push(byte as char);
        } else {
            user.push_str(&format!("%{byte:02X}"));
        }
    }
    user
}
