//! A provider's own side: it asks who we are, and knows us once we registered.

use crate::ledger::Ledger;
use crate::office::{self, ACME_USER, PASSWORD};
use std::time::Duration;
use tandem::base::chance::Chance;
use tandem::base::time::{Now, Time};
use tandem::sip::digest::{Hashes, Verdict, Verifier};
use tandem::sip::flow::Headers;
use tandem::wire::sip::{Message, Name};

const REALM: &str = "acme";
/// Within so long a gateway registers anew with a provider that has forgotten it: the time that it asks for, a provider
/// that is silent for a while after its restart, and a few datagrams lost.
const OUTAGE: Duration = Duration::from_secs(200);

pub struct Provider {
    /// None for one that knows us by our address.
    gate: Option<Gate>,
}

struct Gate {
    verifier: Verifier,
    hashes: Hashes,
    /// Where we said that we are, and until when.
    binding: Option<(String, Time)>,
    /// Since when it knows nothing of us.
    lost: Option<Time>,
    /// 407 in place of 401.
    is_proxy: bool,
}

impl Provider {
    pub fn open() -> Provider {
        Provider { gate: None }
    }

    pub fn gated(chance: &mut Chance) -> Provider {
        let hashes = Hashes::from_password(ACME_USER, REALM, PASSWORD);
        let gate = Gate {
            verifier: verifier(chance),
            hashes,
            binding: None,
            lost: Some(Time::ZERO),
            is_proxy: chance.below(2) == 0,
        };
        Provider { gate: Some(gate) }
    }

    pub fn restart(&mut self, now: Time, chance: &mut Chance) {
        if let Some(gate) = &mut self.gate {
            gate.verifier = verifier(chance);
            gate.binding = None;
            gate.lost.get_or_insert(now);
        }
    }

    /// Whether the gateway should have registered long ago.
    pub fn is_forsaken(&self, now: Time) -> bool {
        self.gate.as_ref().and_then(|gate| gate.lost).is_some_and(|lost| now - lost > OUTAGE)
    }

    /// Where it calls us, if we are registered.
    pub fn contact(&self, now: Time) -> Option<String> {
        let (contact, until) = self.gate.as_ref()?.binding.as_ref()?;
        (now < *until).then(|| contact.clone())
    }

    /// Whether it may call us now.
    pub fn may_call(&self, now: Time) -> bool {
        self.gate.is_none() || self.contact(now).is_some()
    }

    /// How a REGISTER is answered.
    pub fn registered(&mut self, now: Now, message: &Message, name: &str, ledger: &mut Ledger) -> (u16, Headers) {
        let Some(gate) = &mut self.gate else { return (403, Headers::new()) };
        if let Some(refusal) = gate.refusal(now, message, false, name, ledger) {
            return refusal;
        }
        let expires = message.expires().unwrap_or(3_600);
        let contact = message.header(Name::Contact).unwrap_or_default();
        let uri = message.contacts().ok().and_then(|contacts| Some(contacts.first()?.uri().to_owned()));
        let until = now.time + Duration::from_secs(u64::from(expires));
        gate.lost = None;
        gate.binding = uri.filter(|_| expires > 0).map(|uri| (uri, until));
        (200, vec![(Name::Contact, format!("{contact};expires={expires}"))])
    }

    /// How an INVITE is refused, until it has credentials.
    pub fn challenges(
        &mut self,
        now: Now,
        message: &Message,
        name: &str,
        ledger: &mut Ledger,
    ) -> Option<(u16, Headers)> {
        let gate = self.gate.as_mut()?;
        let is_proxy = gate.is_proxy;
        gate.refusal(now, message, is_proxy, name, ledger)
    }
}

impl Gate {
    fn refusal(
        &mut self,
        now: Now,
        message: &Message,
        is_proxy: bool,
        name: &str,
        ledger: &mut Ledger,
    ) -> Option<(u16, Headers)> {
        let (header, status, challenge) = match is_proxy {
            true => (Name::ProxyAuthorization, 407, Name::ProxyAuthenticate),
            false => (Name::Authorization, 401, Name::WwwAuthenticate),
        };
        let hashes = self.hashes.clone();
        let source = office::GATEWAY.ip();
        let lookup = |_: &str| Some(hashes.clone());
        let stale = match self.verifier.verify(now.time, message, REALM, header, source, lookup) {
            Verdict::Ok { .. } => return None,
            Verdict::Missing => false,
            Verdict::Stale | Verdict::Foreign => true,
            Verdict::Wrong { .. } => {
                let call = ledger.call_of(message.call_id());
                ledger.violation(now.time, call, format!("wrong credentials for {name}"));
                false
            }
        };
        let challenges = self.verifier.challenge(now.time, REALM, stale, source);
        Some((status, challenges.into_iter().map(|value| (challenge, value)).collect()))
    }
}

fn verifier(chance: &mut Chance) -> Verifier {
    let mut secret = [0; 32];
    secret.fill_with(|| chance.u32() as u8);
    Verifier::new(secret, Duration::from_secs(300))
}
