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
/// Values of Path, and their bytes.
const PATH: usize = 10;
const PATH_BYTES: usize = 2_048;
/// Parameters of a contact that we write, whatever the phone says.
const OURS: [&str; 3] = ["expires", "pub-gruu", "temp-gruu"];
const OUTBOUND: &str = "outbound";
const GRUU: &str = "gruu";
/// What a REGISTER may require of us.
pub const EXTENSIONS: [&str; 3] = ["path", OUTBOUND, GRUU];
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
    /// Values of Path, the nearest proxy first.
    pub path: Vec<String>,
    /// Whether flows are kept apart (RFC 5626), and what else the phone understands.
    pub keeps_flows: bool,
    pub knows_gruu: bool,
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
    pub reg_id: Option<u32>,
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
        let path = path_of(message)?;
        let wants_flows = message.has_token(Name::Supported, OUTBOUND) || message.has_token(Name::Require, OUTBOUND);
        let wish = match message.contacts().map_err(|_| Outcome::refuse(400, "Bad Contact"))? {
            Contacts::Star if message.expires() == Some(0) => Wish::RemoveAll,
            Contacts::Star => return Err(Outcome::refuse(400, "Contact * Needs Expires 0")),
            Contacts::List(contacts) if contacts.is_empty() => Wish::List,
            Contacts::List(contacts) if contacts.len() > CONTACTS => {
                return Err(Outcome::refuse(403, "Too Many Contacts"));
            }
            Contacts::List(contacts) => {
                let wanted = contacts.iter().map(|contact| Wanted::read(message, contact, flow, limits, wants_flows));
                Wish::Update(wanted.collect::<Result<_, _>>()?)
            }
        };
        let keeps_flows = match &wish {
            Wish::Update(wanted) => wanted.iter().any(|wanted| wanted.reg_id.is_some()),
            _ => false,
        };
        if keeps_flows && !reaches_back(message, &path) {
            return Err(Outcome::refuse(439, ""));
        }
        let knows_gruu = message.has_token(Name::Supported, GRUU) || message.has_token(Name::Require, GRUU);
        let user_agent = cut(message.header(Name::UserAgent).unwrap_or_default(), USER_AGENT).to_owned();
        Ok(Request { call_id: call_id.to_owned(), cseq, user_agent, flow, wish, path, keeps_flows, knows_gruu })
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
            reg_id: wanted.reg_id,
            path: self.path.clone(),
            epoch: 0,
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
        wants_flows: bool,
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
        let instance = contact.param("+sip.instance").flatten().map(str::to_owned);
        let reg_id = contact.param("reg-id").flatten().and_then(|text| text.parse().ok());
        let reg_id = reg_id.filter(|&id: &u32| wants_flows && instance.is_some() && (1..1 << 31).contains(&id));
        Ok(Wanted {
            uri: contact.uri().to_owned(),
            granted: granted(message, contact, limits)?,
            instance,
            reg_id,
            q: contact.q().unwrap_or(1_000),
            params,
            behind_nat: is_behind_nat(message, &uri, flow),
        })
    }
}

/// RFC 3261 §10.3 step 2.
fn refuse_extensions(message: &Message) -> Result<(), Outcome> {
    let required: Vec<_> =
        message.values(Name::Require).filter(|token| !token.is_empty() && !is_known(token)).collect();
    if required.is_empty() {
        return Ok(());
    }
    Err(Outcome::refuse(420, "").with(Name::Unsupported, required.join(", ")))
}

fn is_known(option: &str) -> bool {
    EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(option))
}

/// RFC 3327 §5.3.
fn path_of(message: &Message) -> Result<Vec<String>, Outcome> {
    let mut path = Vec::new();
    for address in message.addresses(Name::Path) {
        let uri = address.as_ref().ok().and_then(|address| address.parse_uri().ok());
        if uri.is_none_or(|uri| !matches!(uri.scheme, Scheme::Sip | Scheme::Sips)) {
            return Err(Outcome::refuse(400, "Bad Path"));
        }
    }
    for value in message.values(Name::Path) {
        path.push(value.to_owned());
    }
    if path.len() > PATH || path.iter().map(String::len).sum::<usize>() > PATH_BYTES {
        return Err(Outcome::refuse(403, "Path Too Long"));
    }
    Ok(path)
}

/// Whether requests find the way back on the flow of the phone: it is connected to us, or the proxy that it is connected
/// to says that it sees to that (RFC 5626 §6).
fn reaches_back(message: &Message, path: &[String]) -> bool {
    if message.values(Name::Via).nth(1).is_none() {
        return true;
    }
    let nearest_to_phone = path.last().and_then(|value| NameAddr::parse(value).ok());
    let uri = nearest_to_phone.as_ref().and_then(|address| address.parse_uri().ok());
    uri.is_some_and(|uri| uri.param("ob").is_some())
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
    for (name, value) in
        contact.params().iter().filter(|(name, _)| !OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours)))
    {
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
