//! What happens in a peer's calls, and what it does in them.

use super::talk::{Side, Stage, Talk};
use super::update::{EARLY, update};
use super::{Errand, Peer, Role};
use crate::ledger::{Final, Ledger, NO_CALL, Speech};
use crate::network::below;
use crate::script::{Offer, Ringing, Step, Taking, Then};
use crate::sound::Tag;
use crate::voice::Voice;
use std::time::Duration;
use tandem::base::time::{Now, Time};
use tandem::sip::agent::{Ending, SessionEvent, SessionId};
use tandem::wire::description::Direction;
use tandem::wire::sip::{Message, Method, Name, NameAddr};

const INSPECTION: Duration = Duration::from_secs(8);
/// An inspection takes so long, with time to spare.
const LAST_INSPECTION: Duration = Duration::from_millis(500);
/// A word is so many packets, said at once, and then there is a pause.
const WORD: usize = 3;
const PAUSE: Duration = Duration::from_millis(1_500);

impl Peer {
    /// Its sides of some calls that are answered; none where it couldn't hear and speak ever since `since`.
    pub fn sides(&self, calls: &[usize], since: Time) -> Option<Vec<Side<'_>>> {
        let talks = self.talks.values().filter(|talk| calls.contains(&talk.call));
        let sides: Vec<Side<'_>> = talks.filter_map(|talk| talk.side(self.user())).collect();
        (sides.is_empty() || since >= self.deaf_until).then_some(sides)
    }

    pub(super) fn invited(&mut self, now: Now, id: SessionId, message: Message, ledger: &mut Ledger) {
        if let Role::Provider(provider) = &mut self.role
            && let Some((status, headers)) = provider.challenges(now, &message, &self.name, ledger)
        {
            return self.agent.refuse(now, id, status, "", headers);
        }
        let named = ledger.call_of(message.call_id()).or_else(|| number_of(&message));
        let unknown = ledger.has_strangers.then_some(NO_CALL);
        let Some(call) = named.filter(|&call| call < ledger.stories.len()).or(unknown) else {
            ledger.violation(now.time, None, format!("{} was called by nobody known", self.name));
            return self.agent.refuse(now, id, 404, "", Vec::new());
        };
        ledger.invited(now.time, call, &self.name, message.call_id());
        let terms = self.terms(true);
        if let Some((status, headers)) = self.agent.agree(now, id, terms, None) {
            ledger.violation(now.time, Some(call), format!("{} had to answer {status}", self.name));
            return self.agent.refuse(now, id, status, "", headers);
        }
        let taking = Taking::draw(&mut self.chance, &self.manners);
        let tag = Tag { call, is_caller: false };
        let voice = Voice::new(self.port(), taking.codecs.clone(), taking.shows.clone(), tag);
        if !voice.suits(&message) {
            if let Some(leg) = ledger.leg(call, message.call_id()) {
                leg.refused = Some(488);
                leg.over = Some((now.time, "refused 488".to_owned()));
            }
            return self.agent.refuse(now, id, 488, "", Vec::new());
        }
        if let Some((after, _)) = taking.ring {
            self.errands.set(Errand::Ring(id), now.time + after.min(taking.after));
        }
        self.errands.set(Errand::Decide(id), now.time + taking.after);
        let talk = Talk {
            call,
            call_id: message.call_id().to_owned(),
            is_caller: false,
            stage: Stage::Alerting,
            tags: None,
            voice,
            talking: taking.talk.clone(),
            offer: Offer::InInvite,
            taking: Some(taking),
            asked: Some(message),
            early: None,
            is_described: false,
            changed: now.time,
            asking: false,
            updating: None,
            is_behind: false,
            is_updated: false,
        };
        self.talks.insert(id, talk);
    }

    pub(super) fn ring(&mut self, now: Now, id: SessionId, ledger: &mut Ledger) {
        let Some(talk) = self.talks.get_mut(&id).filter(|talk| talk.stage == Stage::Alerting) else { return };
        let Some((_, ringing)) = talk.taking.as_ref().and_then(|taking| taking.ring) else { return };
        if let Some(leg) = ledger.leg(talk.call, &talk.call_id) {
            leg.rang = Some(now.time);
        }
        match (ringing, talk.asked.take()) {
            (Ringing::EarlyMedia, Some(invite)) => {
                let body = talk.voice.answer(&invite);
                talk.asked = Some(invite);
                match body {
                    Ok(body) => {
                        talk.early = Some(body.clone());
                        talk.speak(now.time, ledger);
                        self.agent.progress(now, id, 183, "", Vec::new(), Some(body));
                    }
                    Err(why) => ledger.violation(now.time, Some(talk.call), format!("offer to {}: {why}", self.name)),
                }
            }
            (_, asked) => {
                talk.asked = asked;
                self.agent.progress(now, id, 180, "", Vec::new(), None);
            }
        }
    }

    /// The called side answers or refuses.
    pub(super) fn decide(&mut self, now: Now, id: SessionId, ledger: &mut Ledger) {
        let Some(talk) = self.talks.get_mut(&id).filter(|talk| talk.stage == Stage::Alerting) else { return };
        if talk.asking {
            return self.errands.set(Errand::Decide(id), now.time + Duration::from_millis(300));
        }
        let (Some(taking), Some(invite)) = (&talk.taking, talk.asked.take()) else { return };
        let body = match taking.then {
            Then::Never => {
                talk.asked = Some(invite);
                return;
            }
            Then::Refuse(status) => {
                let headers = match status {
                    302 => vec![(Name::Contact, "<sip:elsewhere@198.51.100.250>".to_owned())],
                    _ => Vec::new(),
                };
                if let Some(leg) = ledger.leg(talk.call, &talk.call_id) {
                    leg.refused = Some(status);
                    leg.over = Some((now.time, format!("refused {status}")));
                }
                self.talks.remove(&id);
                return self.agent.refuse(now, id, status, "", headers);
            }
            Then::AnswerWithoutMedia => None,
            // What the first answer said isn't so any more, and needs no repetition.
            Then::Answer if talk.is_updated => None,
            Then::Answer => match talk.early.take().map_or_else(|| talk.voice.answer(&invite), Ok) {
                Ok(body) => Some(body),
                Err(why) => {
                    ledger.violation(now.time, Some(talk.call), format!("offer to {}: {why}", self.name));
                    None
                }
            },
        };
        if let Some(leg) = ledger.leg(talk.call, &talk.call_id) {
            leg.answered = Some(now.time);
        }
        talk.stage = Stage::Up;
        talk.changed = now.time;
        self.agent.answer(now, id, Vec::new(), body);
        self.schedule(now.time, id);
    }

    /// The caller has waited for long enough.
    pub(super) fn give_up(&mut self, now: Now, id: SessionId, ledger: &mut Ledger) {
        let Some(talk) = self.talks.get_mut(&id).filter(|talk| talk.stage == Stage::Calling) else { return };
        if let Some(story) = ledger.stories.get_mut(talk.call) {
            story.gave_up = Some(now.time);
        }
        self.agent.cancel(now, id, None);
    }

    /// Says a word.
    pub(super) fn speak(&mut self, now: Now, id: SessionId, ledger: &mut Ledger) {
        let is_deaf = self.is_deaf(now.time);
        let Some(talk) = self.talks.get_mut(&id).filter(|talk| talk.stage == Stage::Up) else { return };
        if !is_deaf {
            talk.speak(now.time, ledger);
        }
        self.errands.set(Errand::Speak(id), now.time + PAUSE);
    }

    /// Has its media looked at: now and then, and at last right before it hangs up.
    pub(super) fn inspect(&mut self, now: Now, id: SessionId, ledger: &mut Ledger) {
        let Some(talk) = self.talks.get(&id).filter(|talk| talk.stage == Stage::Up) else { return };
        ledger.inspections.push(talk.call);
        let Some(end) = self.errands.deadline(Errand::HangUp(id)) else { return };
        let last = Time::from_nanos(end.nanos().saturating_sub(LAST_INSPECTION.as_nanos() as u64));
        if now.time < last {
            self.errands.set(Errand::Inspect(id), last.min(now.time + INSPECTION));
        }
    }

    pub(super) fn hang_up(&mut self, now: Now, id: SessionId, ledger: &mut Ledger) {
        let Some(talk) = self.talks.get_mut(&id).filter(|talk| talk.stage == Stage::Up) else { return };
        talk.stage = Stage::Leaving;
        match talk.is_caller {
            true => ledger.stories[talk.call].hung_up = Some(now.time),
            false => {
                if let Some(leg) = ledger.leg(talk.call, &talk.call_id) {
                    leg.hung_up = Some(now.time);
                }
            }
        }
        self.agent.bye(now, id, None);
    }

    pub(super) fn step(&mut self, now: Now, id: SessionId, step: usize, ledger: &mut Ledger) {
        let Some(talk) = self.talks.get_mut(&id).filter(|talk| talk.stage == Stage::Up) else { return };
        let Some(&(_, what)) = talk.talking.steps.get(step) else { return };
        let again = now.time + Duration::from_secs(1) + below(&mut self.chance, Duration::from_secs(1));
        if talk.asking || talk.asked.is_some() {
            return self.errands.set(Errand::Step(id, step), again);
        }
        let wish = talk.voice.wish;
        let body = match what {
            Step::Hold => Some(talk.voice.offer(Direction::SendOnly, false)),
            Step::Freeze => Some(talk.voice.offer(Direction::Inactive, false)),
            Step::HoldByZeros => Some(talk.voice.offer(Direction::SendOnly, true)),
            Step::Resume => Some(talk.voice.offer(Direction::SendRecv, false)),
            Step::Show | Step::Hide => {
                let voice = &mut talk.voice;
                if what == Step::Show {
                    voice.show()
                } else {
                    voice.hide()
                }
                Some(voice.offer(wish, false))
            }
            Step::Empty => None,
            Step::Transfer => return self.transfer(now, id, ledger),
            Step::Ask => return self.ask_in_call(now, id),
        };
        match body {
            Some(body) if talk.talking.updates => {
                talk.updating = update(&mut self.agent, now, id, body).map(|ask| (ask, step));
                talk.asking = talk.updating.is_some();
            }
            body => talk.asking = self.agent.reoffer(now, id, body).is_ok(),
        }
        if talk.asking {
            talk.changed = now.time;
        } else {
            talk.voice.withdraw();
            self.errands.set(Errand::Step(id, step), again);
        }
    }

    /// The session's time has to be renewed by an offer that changes nothing.
    fn refresh(&mut self, now: Now, id: SessionId) {
        let Some(talk) = self.talks.get_mut(&id).filter(|talk| talk.stage == Stage::Up && !talk.asking) else { return };
        let body = talk.voice.offer(talk.voice.wish, false);
        match self.agent.reoffer(now, id, Some(body)) {
            Ok(()) => (talk.asking, talk.changed) = (true, now.time),
            Err(_) => talk.voice.withdraw(),
        }
    }

    /// Answers the gateway's re-INVITE.
    pub(super) fn reanswer(&mut self, now: Now, id: SessionId, ledger: &mut Ledger) {
        let Some(talk) = self.talks.get_mut(&id) else { return };
        let Some(offer) = talk.asked.take() else { return };
        talk.changed = now.time;
        match talk.voice.answer(&offer) {
            Ok(body) => {
                talk.is_behind = false;
                self.agent.reanswer(now, id, 200, "", Vec::new(), Some(body));
                // No line is ever taken back (RFC 3264 §8).
                if talk.voice.has_outgrown_its_offer() && self.agent.withdraw(now, id) {
                    talk.asking = false;
                    talk.voice.withdraw();
                }
            }
            Err(why) => {
                ledger.violation(now.time, Some(talk.call), format!("re-INVITE to {}: {why}", self.name));
                self.agent.reanswer(now, id, 488, "", Vec::new(), None);
            }
        }
    }

    /// The peer knows nothing of the call any more, and tells nobody.
    pub(super) fn vanish(&mut self, now: Now, id: SessionId, ledger: &mut Ledger) {
        let Some(talk) = self.talks.remove(&id) else { return };
        talk.abandon(now.time, ledger);
        self.forgotten.insert(talk.call_id);
        self.agent.bye(now, id, None);
    }

    pub(super) fn session(&mut self, now: Now, id: SessionId, event: SessionEvent, ledger: &mut Ledger) {
        let Some(talk) = self.talks.get_mut(&id) else {
            // Of a call that it has forgotten.
            return match event {
                SessionEvent::Answered { .. } => {
                    self.agent.ack(now, id, None);
                    self.agent.bye(now, id, None);
                }
                SessionEvent::Reoffered { .. } => self.agent.reanswer(now, id, 481, "", Vec::new(), None),
                _ => {}
            };
        };
        let call = talk.call;
        match event {
            SessionEvent::Progress { message } => {
                ledger.stories[call].heard_ringing = true;
                if message.rseq().is_some() && !message.body().is_empty() && !talk.is_described {
                    talk.is_described = true;
                    if let Err(why) = talk.voice.accept(&message) {
                        ledger.violation(now.time, Some(call), format!("early media of {}: {why}", self.name));
                    }
                }
                if talk.is_described && talk.talking.updates {
                    self.errands.set(Errand::Early(id), now.time + below(&mut self.chance, EARLY));
                }
                if message.status() == 199 {
                    ledger.violation(now.time, Some(call), "199 was passed to the caller");
                }
            }
            SessionEvent::Answered { message } => self.answered(now, id, &message, ledger),
            SessionEvent::Refused { message } => {
                let (status, reason) = (message.status(), message.reason_phrase().to_owned());
                self.conclude(now.time, id, Final::Refused { status, reason }, ledger);
            }
            SessionEvent::Failed { .. } => self.conclude(now.time, id, Final::Failed, ledger),
            SessionEvent::Acked { .. } => {
                if talk.call == NO_CALL
                    && let Some(call) = ledger.call_of(&talk.call_id)
                {
                    (talk.call, talk.voice.tag.call) = (call, call);
                }
                if let Some(leg) = ledger.leg(call, &talk.call_id) {
                    leg.acked = true;
                }
            }
            SessionEvent::Pracked { .. } if talk.talking.updates => {
                self.errands.set(Errand::Early(id), now.time + below(&mut self.chance, EARLY));
            }
            SessionEvent::Pracked { .. } | SessionEvent::Settled | SessionEvent::Withdrawn => {}
            SessionEvent::RefreshDue => self.refresh(now, id),
            SessionEvent::ReAcked { .. } => talk.changed = now.time,
            SessionEvent::Reoffered { message } => self.reoffered(now, id, message, ledger),
            SessionEvent::Reanswered { message } => {
                (talk.asking, talk.changed) = (false, now.time);
                // The answer to an offer of the gateway's belongs in the ACK, which this phone doesn't know.
                let is_late = message.body().is_empty() || !talk.voice.has_offered();
                if !is_late && let Err(why) = talk.voice.accept(&message) {
                    ledger.violation(now.time, Some(call), format!("answer to {}'s re-INVITE: {why}", self.name));
                }
            }
            SessionEvent::Rerefused { .. } => {
                (talk.asking, talk.changed) = (false, now.time);
                talk.voice.withdraw();
            }
            SessionEvent::Asked { id, message } => {
                let status = if *message.method() == Method::Refer { 403 } else { 200 };
                self.agent.respond(now, id, status, "", Vec::new(), None);
            }
            SessionEvent::Replied { id: ask, message } => self.updated(now, id, ask, Some(&message), ledger),
            SessionEvent::Unanswered { id: ask, .. } => self.updated(now, id, ask, None, ledger),
            SessionEvent::Cancelled { .. } => self.leave(now.time, id, "cancelled".to_owned(), ledger),
            SessionEvent::Ended { by: Ending::Cancelled { status }, .. } if talk.stage == Stage::Calling => {
                self.conclude(now.time, id, Final::Cancelled { status }, ledger);
            }
            // Its BYE came before the answer on which it rests.
            SessionEvent::Ended { by, .. } if talk.stage == Stage::Calling => {
                self.conclude(now.time, id, Final::Answered, ledger);
                ledger.stories[call].ended = Some((now.time, format!("{by:?}")));
            }
            SessionEvent::Ended { by, .. } => self.leave(now.time, id, format!("{by:?}"), ledger),
        }
    }

    /// The caller's call was answered.
    fn answered(&mut self, now: Now, id: SessionId, message: &Message, ledger: &mut Ledger) {
        let Some(talk) = self.talks.get_mut(&id) else { return };
        (talk.stage, talk.changed) = (Stage::Up, now.time);
        let tag = |name: Result<NameAddr<'_>, _>| Some(name.ok()?.tag()?.to_owned());
        talk.tags = tag(message.from()).zip(tag(message.to()));
        let call = talk.call;
        let taken = match talk.offer {
            Offer::Late => talk.voice.answer(message).map(Some),
            Offer::LateUnanswered => Ok(None),
            _ if talk.is_described && message.body().is_empty() => Ok(None),
            _ => talk.voice.accept(message).map(|()| None),
        };
        let body = taken.unwrap_or_else(|why| {
            ledger.violation(now.time, Some(call), format!("answer to {}: {why}", self.name));
            None
        });
        self.agent.ack(now, id, body);
        ledger.concluded(now.time, call, Final::Answered);
        self.schedule(now.time, id);
    }

    fn reoffered(&mut self, now: Now, id: SessionId, message: Message, ledger: &mut Ledger) {
        let Some(talk) = self.talks.get_mut(&id) else { return };
        talk.changed = now.time;
        if talk.updating.is_some() {
            return self.agent.reanswer(now, id, 491, "", Vec::new(), None);
        }
        if !talk.is_up() {
            return self.answer_early(now, id, &message, ledger);
        }
        if !talk.talking.stubborn {
            talk.asked = Some(message);
            return self.errands.set(Errand::Reanswer(id), now.time);
        }
        if self.chance.below(2) == 0 {
            talk.is_behind = true;
            return self.agent.reanswer(now, id, 488, "", Vec::new(), None);
        }
        talk.asked = Some(message);
        let later = now.time + below(&mut self.chance, Duration::from_secs(3));
        self.errands.set(Errand::Reanswer(id), later);
    }

    fn conclude(&mut self, at: Time, id: SessionId, how: Final, ledger: &mut Ledger) {
        if let Some(talk) = self.talks.remove(&id) {
            ledger.concluded(at, talk.call, how);
        }
    }

    /// The session is gone.
    fn leave(&mut self, at: Time, id: SessionId, how: String, ledger: &mut Ledger) {
        let Some(talk) = self.talks.remove(&id) else { return };
        talk.tell_traffic(ledger);
        if talk.is_caller {
            let story = &mut ledger.stories[talk.call];
            if let Some(before) = story.ended.replace((at, how.clone())) {
                let what = format!("the caller's session ended twice: {before:?}, {how}");
                ledger.violation(at, Some(talk.call), what);
            }
        } else if let Some(leg) = ledger.leg(talk.call, &talk.call_id) {
            leg.over = Some((at, how));
        }
    }

    /// What it will do in an answered call.
    fn schedule(&mut self, now: Time, id: SessionId) {
        let Some(talk) = self.talks.get(&id) else { return };
        let end = now + talk.talking.stay;
        self.errands.set(Errand::HangUp(id), end);
        self.errands.set(Errand::Speak(id), now + PAUSE / 8);
        self.errands.set(Errand::Inspect(id), now);
        for (index, &(after, _)) in talk.talking.steps.iter().enumerate() {
            self.errands.set(Errand::Step(id, index), now + after);
        }
        if let Some(after) = talk.talking.vanish {
            self.errands.set(Errand::Vanish(id), now + after);
        }
    }
}

impl Talk {
    fn speak(&mut self, now: Time, ledger: &mut Ledger) {
        for _ in 0..WORD {
            let Some((to, packet)) = self.voice.say(now) else { return };
            ledger.spoken.push(Speech { from: self.voice.public, to, packet });
        }
    }
}

/// The call's number, which its caller wrote beside its name.
fn number_of(message: &Message) -> Option<usize> {
    message.from().ok()?.display()?.strip_prefix('c')?.parse().ok()
}
