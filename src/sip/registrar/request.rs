//! What a REGISTER asks for, read and checked before anything is changed.

use crate::base::time::Time;
use crate::sip::flow::Flow;
use crate::sip::registrar::{Binding, Outcome, RegistrarLimits};
use crate::wire::sip::{Contacts, Message, Name, NameAddr, Scheme, Uri, is_token};
use std::time::Duration;

/// Bounds of what a binding keeps of a request, in bytes.
const URI: usize = 1_024;
const PARAMS: usize = 1_024;
const CALL_ID: usize = 256;
const USER_AGENT: usize = 128;
/// Contacts in one request.
const CONTACTS: usize = 64;
/// What a malformed expiry counts as (RFC 3261 §20.10, §20.19), and above which a minimum is never asked (§10.3 step 7).
const HOUR: u32 = 3_600;

pub(super) struct Request {
    pub call_id: String,
    pub cseq: u32,
    pub user_agent: String,
    pub flow: Flow,
    pub wish: Wish,
}

pub(super) enum Wish {
    /// No Contact: only tell what is bound.
    List,
    /// `Contact: *`.
    RemoveAll,
    Update(Vec<Wanted>),
}

/// One contact of the request.
pub(super) struct Wanted {
    pub uri: String,
    /// Already within the limits; zero to remove it.
    pub granted: Duration,
    pub instance: Option<String>,
    q: u16,
    params: String,
    behind_nat: bool,
}

impl Request {
    pub fn read(message: &Message, flow: Flow, limits: &RegistrarLimits) -> Result<Request, Outcome> {
        refuse_extensions(message)?;
        let call_id = message.call_id();
        if call_id.is_empty() || call_id.len() > CALL_ID {
            return Err(Outcome::refuse(400, "Bad Call-ID"));
        }
        let cseq = message.cseq().map_err(|_| Outcome::refuse(400, "Bad CSeq"))?.number;
        let wish = match message.contacts().map_err(|_| Outcome::refuse(400, "Bad Contact"))? {
            Contacts::Star if message.expires() == Some(0) => Wish::RemoveAll,
            Contacts::Star => return Err(Outcome::refuse(400, "Contact * Needs Expires 0")),
            Contacts::List(contacts) if contacts.is_empty() => Wish::List,
            Contacts::List(contacts) if contacts.len() > CONTACTS => {
                return Err(Outcome::refuse(403, "Too Many Contacts"));
            }
            Contacts::List(contacts) => {
                let wanted = contacts.iter().map(|contact| Wanted::read(message, contact, flow, limits));
                Wish::Update(wanted.collect::<Result<_, _>>()?)
            }
        };
        let user_agent = cut(message.header(Name::UserAgent).unwrap_or_default(), USER_AGENT).to_owned();
        Ok(Request { call_id: call_id.to_owned(), cseq, user_agent, flow, wish })
    }

    /// Whether the request comes after the one that made `binding`; of different Call-IDs nobody can say, and the later
    /// to arrive wins.
    pub fn is_newer_than(&self, binding: &Binding) -> bool {
        binding.call_id != self.call_id || self.cseq > binding.cseq
    }

    /// The binding that `wanted` asks for, without an id.
    pub fn binding(&self, now: Time, wanted: &Wanted) -> Binding {
        Binding {
            id: 0,
            uri: wanted.uri.clone(),
            flow: self.flow,
            q: wanted.q,
            expires_at: now + wanted.granted,
            refreshed_at: now,
            call_id: self.call_id.clone(),
            cseq: self.cseq,
            user_agent: self.user_agent.clone(),
            instance: wanted.instance.clone(),
            behind_nat: wanted.behind_nat,
            params: wanted.params.clone(),
        }
    }
}

impl Wanted {
    fn read(
        message: &Message,
        contact: &NameAddr<'_>,
        flow: Flow,
        limits: &RegistrarLimits,
    ) -> Result<Wanted, Outcome> {
        let uri = contact.parse_uri().map_err(|_| Outcome::refuse(400, "Bad Contact"))?;
        if !matches!(uri.scheme, Scheme::Sip | Scheme::Sips) {
            // Any scheme may be registered by the RFC, but requests go out over the flow that a REGISTER came by.
            return Err(Outcome::refuse(403, "Contact Not SIP"));
        }
        let params = params_to_keep(contact);
        if contact.uri().len() > URI || params.len() > PARAMS {
            return Err(Outcome::refuse(403, "Contact Too Long"));
        }
        Ok(Wanted {
            uri: contact.uri().to_owned(),
            granted: granted(message, contact, limits)?,
            instance: contact.param("+sip.instance").flatten().map(str::to_owned),
            q: contact.q().unwrap_or(1_000),
            params,
            behind_nat: is_behind_nat(message, &uri, flow),
        })
    }
}

/// RFC 3261 §10.3 step 2: we know no extension that a registration could need.
fn refuse_extensions(message: &Message) -> Result<(), Outcome> {
    let required: Vec<_> = message.values(Name::Require).filter(|token| !token.is_empty()).collect();
    if required.is_empty() {
        return Ok(());
    }
    Err(Outcome::refuse(420, "").with(Name::Unsupported, required.join(", ")))
}

/// How long the contact is bound: as it asks, as the request asks, or the default, and within the limits.
fn granted(message: &Message, contact: &NameAddr<'_>, limits: &RegistrarLimits) -> Result<Duration, Outcome> {
    let of_contact = contact.param("expires").map(|_| contact.expires().unwrap_or(HOUR));
    let of_request = message.header(Name::Expires).map(|_| message.expires().unwrap_or(HOUR));
    let asked = of_contact.or(of_request).map(|seconds| Duration::from_secs(seconds.into()));
    let asked = asked.unwrap_or(limits.default);
    let hour = Duration::from_secs(HOUR.into());
    if !asked.is_zero() && asked < limits.min && asked < hour {
        let min = limits.min.as_secs().to_string();
        return Err(Outcome::refuse(423, "").with(Name::MinExpires, min));
    }
    Ok(asked.min(limits.max))
}

/// What else the contact says, for the answers (RFC 3261 §10.3 step 8) and for those who know it.
fn params_to_keep(contact: &NameAddr<'_>) -> String {
    let mut text = String::new();
    for (name, value) in contact.params().iter().filter(|(name, _)| !name.eq_ignore_ascii_case("expires")) {
        text.extend([";", name]);
        match value {
            Some(value) if is_token(value) => text.extend(["=", value]),
            Some(value) => text.extend(["=\"", value, "\""]),
            None => {}
        }
    }
    text
}

/// Whether the address that the phone gives for itself is another than the one from which its request came. A name tells
/// nothing, and counts as another address.
fn is_behind_nat(message: &Message, contact: &Uri<'_>, flow: Flow) -> bool {
    let remote = flow.remote.ip().to_canonical();
    let Ok(via) = message.top_via() else { return true };
    let via_ip = via.host.parse().ok().map(|ip: std::net::IpAddr| ip.to_canonical());
    // The port of a connection is chance; its Via names the port on which the phone listens.
    let other_port = !flow.transport.is_reliable() && via.port.unwrap_or(5060) != flow.remote.port();
    let contact_ip = contact.host_ip().map(|ip| ip.to_canonical());
    via_ip != Some(remote) || other_port || contact_ip != Some(remote)
}

/// The start of `text`, `bytes` long at most and ending with a whole character.
fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or_default()
}
