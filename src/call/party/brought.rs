//! What the messages of a leg bring for the other side, beside media: who is there, the session's name, and the header
//! fields that may pass. Everything else stays on its leg.

use crate::base::time::Now;
use crate::call::admission::Identity;
use crate::call::exchange::Exchange;
use crate::call::party::diversion;
use crate::call::party::privacy::Privacy;
use crate::call::party::{Audience, Party, Side};
use crate::call::state::Call;
use crate::config::identity::HeaderPatterns;
use crate::sip::flow::Headers;
use crate::wire::sip::{Message, Name, SessionPair, Uuid};

/// Longer values don't pass.
const FIELD_BYTES: usize = 1_024;
/// RFC 3261 §20.26, and RFC 7090 §3 for calls back from emergency services.
const PRIORITIES: [&str; 5] = ["emergency", "urgent", "normal", "non-urgent", "psap-callback"];

#[derive(Clone, Debug, Default)]
pub struct Brought {
    /// Who is at the far end, as far as that is known.
    pub party: Option<Party>,
    /// What this end calls the session (RFC 7989); where it doesn't say, a name is made for it.
    pub session: Uuid,
    /// Names and values that a rule may let pass.
    fields: Vec<(String, String)>,
}

impl Brought {
    pub fn of(party: Option<Party>) -> Brought {
        Brought { party, ..Brought::default() }
    }

    /// The session's name and the fields that `wanted` takes.
    pub fn read(exchange: &mut Exchange, message: &Message, wanted: impl Fn(&str) -> bool) -> Brought {
        let most = exchange.settings.limits.passed_headers;
        let fields = message.fields().filter(|field| field.value().len() <= FIELD_BYTES && wanted(field.name()));
        let fields = fields.take(most).map(|field| (field.name().to_owned(), field.value().to_owned())).collect();
        let named = message.header(Name::SessionId).and_then(SessionPair::parse).map(|pair| pair.local);
        let session = named.filter(|name| !name.is_nil()).unwrap_or_else(|| exchange.new_uuid());
        Brought { party: None, session, fields }
    }

    /// Subject and Priority, which a caller writes for whom it calls.
    fn end_to_end(&self, is_private: bool) -> Headers {
        let value = |wanted: &str| self.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        let subject = value("Subject").or_else(|| value("s")).filter(|_| !is_private);
        let priority = value("Priority").filter(|(_, value)| PRIORITIES.iter().any(|p| p.eq_ignore_ascii_case(value)));
        let subject = subject.map(|(_, value)| (Name::Subject, value.clone()));
        subject.into_iter().chain(priority.map(|(_, value)| (Name::Priority, value.clone()))).collect()
    }
}

/// The fields of the caller's INVITE that may pass to anyone, by rule of the plan or of some trunk.
pub fn of_interest<'a>(exchange: &Exchange, rule: &HeaderPatterns, message: &'a Message) -> Vec<&'a str> {
    let trunks = exchange.settings.trunks.iter().map(|trunk| &trunk.identity.pass_headers);
    let rules: Vec<&HeaderPatterns> = trunks.chain([rule]).filter(|rule| !rule.is_empty()).collect();
    let always = |name: &str| ["Subject", "s", "Priority"].iter().any(|known| name.eq_ignore_ascii_case(known));
    let names = message.fields().map(|field| field.name());
    names.filter(|name| always(name) || rules.iter().any(|rule| rule.takes(name))).collect()
}

impl Call {
    /// Takes what an answer of a leg brings.
    pub fn note_answer(&mut self, exchange: &mut Exchange, leg: usize, message: &Message) {
        let known = std::mem::take(&mut self.legs[leg].brought);
        let passing = |name: &str| self.passes(exchange, leg, name);
        let wanted: Vec<String> =
            message.fields().map(|field| field.name()).filter(|name| passing(name)).map(str::to_owned).collect();
        let mut brought = Brought::read(exchange, message, |name| wanted.iter().any(|wanted| wanted == name));
        let says = message.header(Name::SessionId).is_some();
        if !says && !known.session.is_nil() {
            brought.session = known.session;
        }
        let trunk = self.legs[leg].trunk.as_deref().and_then(|name| exchange.trunks.by_name(name));
        brought.party = match trunk {
            Some(trunk) if trunk.settings.identity.trusted => Party::asserted(message).or(known.party),
            Some(_) => None,
            None => {
                let is_private = Privacy::of(message).caller;
                known.party.map(|party| Party { is_private, ..party })
            }
        };
        self.record.legs[leg].session_id = Some(brought.session.to_string());
        self.legs[leg].brought = brought;
    }

    /// What our answers tell the caller of the leg that they are about: who is there (RFC 3325 §5), the session's name on
    /// both sides, and what passes.
    pub fn told_caller(&mut self, exchange: &mut Exchange, leg: usize) -> Headers {
        let local = self.session_name(exchange, leg);
        let brought = &self.legs[leg].brought;
        let (domain, audience) = match &self.caller.identity {
            Identity::User { .. } => (exchange.settings.sip.domain.clone(), Audience::Phone),
            Identity::Trunk { name, .. } => match exchange.trunks.by_name(name) {
                Some(trunk) => (trunk.own_domain(&exchange.settings), Audience::Trunk(&trunk.settings.identity)),
                None => (String::new(), Audience::Stranger),
            },
            Identity::Stranger => (String::new(), Audience::Stranger),
        };
        let party = brought.party.as_ref().map(|party| party.headers(&domain, audience, Side::Called));
        let mut headers = party.unwrap_or_default();
        let pair = SessionPair { local, remote: self.legs[0].brought.session };
        headers.push((Name::SessionId, pair.to_string()));
        headers.extend(self.passing(exchange, leg, brought));
        headers
    }

    /// What the far end of a leg calls the session, or what it is called for it (RFC 7989 §6).
    fn session_name(&mut self, exchange: &mut Exchange, leg: usize) -> Uuid {
        let name = &mut self.legs[leg].brought.session;
        if name.is_nil() {
            *name = exchange.new_uuid();
            self.record.legs[leg].session_id = Some(name.to_string());
        }
        *name
    }

    /// Two legs that talked to others before are told what each calls the session (RFC 7989 §9). Answers what the answer to
    /// an INVITE of `leg` says of it.
    pub fn introduce(&mut self, exchange: &mut Exchange, now: Now, leg: usize, other: usize) -> Headers {
        let [one, two] = [leg, other].map(|leg| self.session_name(exchange, leg));
        for (leg, name) in [(leg, two), (other, one)] {
            if let Some(session) = self.legs[leg].session() {
                exchange.agent.rename(now, session, name);
            }
        }
        vec![(Name::SessionId, SessionPair { local: two, remote: one }.to_string())]
    }

    /// What a message of `leg` says that may pass to the other side, while the two talk.
    pub fn passing_on(&self, exchange: &Exchange, leg: usize, message: &Message) -> Headers {
        let called = if leg == 0 { self.other(0) } else { Some(leg) };
        let Some(called) = called.filter(|&called| self.other(called).is_some()) else { return Headers::new() };
        let most = exchange.settings.limits.passed_headers;
        let fields = message.fields().filter(|field| field.value().len() <= FIELD_BYTES);
        let fields = fields.filter(|field| self.passes(exchange, called, field.name())).take(most);
        fields.map(|field| (Name::Other, format!("{}: {}", field.name(), field.value()))).collect()
    }

    /// Takes what the BYE of one side says to the other.
    pub fn note_bye(&mut self, exchange: &Exchange, leg: usize, bye: Option<&Message>) {
        self.parting = bye.map(|bye| self.passing_on(exchange, leg, bye)).unwrap_or_default();
    }

    /// Of who refuses, the caller is told what passes, and the session's name.
    pub fn told_of_refusal(&mut self, exchange: &mut Exchange, leg: usize) -> Headers {
        let mut headers = self.told_caller(exchange, leg);
        headers.retain(|(name, _)| matches!(name, Name::SessionId | Name::Other));
        headers
    }

    /// What our INVITE on a leg tells of the caller.
    pub fn told_callee(&self, exchange: &Exchange, leg: usize) -> Headers {
        let settings = &exchange.settings;
        let trunk = self.legs[leg].trunk.as_deref().and_then(|name| exchange.trunks.by_name(name));
        let (domain, audience) = match trunk {
            Some(trunk) => (trunk.own_domain(settings), Audience::Trunk(&trunk.settings.identity)),
            None => (settings.sip.domain.clone(), Audience::Phone),
        };
        let caller = &self.legs[0].brought;
        let shown = &self.caller.shown;
        let mut headers = shown.headers(&domain, audience, Side::Calling);
        let target = self.legs[leg].brought.party.as_ref().map(|party| party.user.as_str());
        let target = target.unwrap_or(&self.record.legs[leg].number);
        headers.extend(diversion::headers(&self.diversions, target, &domain, audience));
        let pair = SessionPair { local: caller.session, remote: Uuid::NIL };
        headers.push((Name::SessionId, pair.to_string()));
        headers.extend(caller.end_to_end(shown.is_private));
        headers.extend(self.passing(exchange, leg, caller));
        headers
    }

    /// The fields of `brought` that pass between the caller and a leg.
    fn passing(&self, exchange: &Exchange, leg: usize, brought: &Brought) -> Headers {
        let fields = brought.fields.iter().filter(|(name, _)| self.passes(exchange, leg, name));
        fields.map(|(name, value)| (Name::Other, format!("{name}: {value}"))).collect()
    }

    /// Whether a field may pass between the caller and a leg: where the rule says so, or where every trunk on the way does.
    fn passes(&self, exchange: &Exchange, leg: usize, name: &str) -> bool {
        if self.pass_headers.takes(name) {
            return true;
        }
        let trunks = [&self.legs[0], &self.legs[leg]].into_iter().filter_map(|leg| leg.trunk.as_deref());
        let mut patterns =
            trunks.filter_map(|name| Some(&exchange.trunks.by_name(name)?.settings.identity.pass_headers));
        let Some(first) = patterns.next() else { return false };
        first.takes(name) && patterns.all(|pattern| pattern.takes(name))
    }
}
