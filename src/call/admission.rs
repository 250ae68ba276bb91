//! Who is calling: a trunk by its address, a user by digest, or a stranger.

mod silence;

use crate::base::time::Now;
use crate::call::exchange::Exchange;
use crate::call::io::Notice;
use crate::call::party::{Party, is_number};
use crate::call::trunk::Trunk;
use crate::dialplan::route::{Caller, Request};
use crate::sip::announce::Announce;
use crate::sip::digest::{Algorithm, Hashes, Verdict};
use crate::sip::flow::Flow;
use crate::sip::guessing::Standing;
use crate::sip::registrar::Phone;
use crate::wire::sip::{Credentials, Message, Method, Name, Scheme, Uri, challenges};
use std::net::{IpAddr, Ipv4Addr};

/// A caller as the switch keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    User { name: String, number: Option<String>, country: Option<String> },
    Trunk { name: String, country: Option<String> },
    Stranger,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    Admitted(Identity),
    /// To be asked who it is.
    Unknown {
        stale: bool,
    },
    /// It said who it is, and it isn't.
    Denied {
        user: Option<String>,
    },
}

impl Identity {
    pub fn as_caller(&self) -> Caller<'_> {
        match self {
            Identity::User { name, number, country } => {
                Caller::User { name, number: number.as_deref(), country: country.as_deref() }
            }
            Identity::Trunk { name, country } => Caller::Trunk { name, country: country.as_deref() },
            Identity::Stranger => Caller::Stranger,
        }
    }

    /// As records name it.
    pub fn text(&self) -> String {
        match self {
            Identity::User { name, .. } => format!("user:{name}"),
            Identity::Trunk { name, .. } => format!("trunk:{name}"),
            Identity::Stranger => "anyone".to_owned(),
        }
    }
}

/// Judges an INVITE.
pub fn admit(exchange: &mut Exchange, now: Now, flow: Flow, message: &Message) -> Admission {
    let claims_user = claimed_user(exchange, flow, message);
    let signed = is_signed(exchange, message);
    if let Some(trunk) = exchange.trunks.at(flow) {
        return Admission::Admitted(identity_of(trunk));
    }
    // A carrier calls from many ports; a phone that lives at its address says that it is a user of ours.
    if !claims_user
        && !signed
        && let Some(trunk) = exchange.trunks.reaching_from(flow, now.time)
    {
        return Admission::Admitted(identity_of(trunk));
    }
    // Whoever claims our domain is asked to prove it, whether there is such an account or not.
    if !signed && !claims_us(exchange, flow, message) && strangers_may(exchange, now, flow, message) {
        return Admission::Admitted(Identity::Stranger);
    }
    authenticate(exchange, now, message)
}

/// Asks for a user's digest, whatever the method.
pub fn authenticate(exchange: &mut Exchange, now: Now, message: &Message) -> Admission {
    let header = match message.header(Name::Authorization) {
        Some(_) => Name::Authorization,
        None => Name::ProxyAuthorization,
    };
    let given = claim(message, header, &exchange.settings.sip.domain);
    let source = source_of(message);
    if let Some((user, nonce)) = &given
        && exchange.guessing.standing(now.time, source, user, &marks(message, nonce)) == Standing::Waiting
    {
        return Admission::Denied { user: Some(user.clone()) };
    }
    let verdict = judge(exchange, now, message, header, source);
    note_outcome(exchange, now, source, &verdict, message, given);
    match verdict {
        Verdict::Ok { user } => match user_named(exchange, &user) {
            Some(identity) => Admission::Admitted(identity),
            None => Admission::Denied { user: Some(user) },
        },
        Verdict::Missing => Admission::Unknown { stale: false },
        Verdict::Stale | Verdict::Foreign => Admission::Unknown { stale: true },
        Verdict::Wrong { user } => Admission::Denied { user },
    }
}

/// A user of ours.
pub fn user_named(exchange: &Exchange, name: &str) -> Option<Identity> {
    let account = exchange.accounts.by_name(name)?;
    Some(Identity::User {
        name: account.name.clone(),
        number: account.number.clone(),
        country: account.country.clone().or_else(|| exchange.settings.sip.country.clone()),
    })
}

fn judge(exchange: &mut Exchange, now: Now, message: &Message, header: Name, source: IpAddr) -> Verdict {
    let accounts = &exchange.accounts;
    let hashes = |user: &str| -> Option<Hashes> { accounts.by_name(user).map(|account| account.hashes.clone()) };
    exchange.verifier.verify(now.time, message, &exchange.settings.sip.domain, header, source, hashes)
}

/// Tells what guards against guessing how it came out.
fn note_outcome(
    exchange: &mut Exchange,
    now: Now,
    source: IpAddr,
    verdict: &Verdict,
    message: &Message,
    given: Option<(String, String)>,
) {
    let is_missing = |name: &str| !name.is_empty() && exchange.accounts.by_name(name).is_none();
    match (verdict, given) {
        (Verdict::Ok { user }, Some((_, nonce))) => {
            exchange.guessing.proved(now.time, source, user, &marks(message, &nonce));
        }
        (Verdict::Wrong { .. }, Some((user, nonce))) => {
            if is_missing(&user) {
                exchange.guessing.missed(now.time, source, &user);
            }
            if exchange.guessing.wrong(now.time, source, &user, &marks(message, &nonce)) {
                exchange.notice(Notice::Guessing { account: user, source });
            }
        }
        (Verdict::Missing | Verdict::Foreign, _) => {
            let name = claimed_name(message).unwrap_or_default();
            if is_missing(&name) {
                exchange.guessing.missed(now.time, source, &name);
            }
        }
        _ => {}
    }
}

fn nonce_of(challenge: &str) -> Option<String> {
    let mut challenges = challenges(challenge);
    Some(challenges.next()?.ok()?.get("nonce")?.into_owned())
}

/// What tells a phone from others at its address: the nonce that it answers, and the Call-ID that all of its registrations
/// have (RFC 3261 §10.2.4) and that nobody else there knows.
fn marks<'a>(message: &'a Message, nonce: &'a str) -> Vec<&'a str> {
    let is_registration = *message.method() == Method::Register;
    [nonce].into_iter().chain(is_registration.then(|| message.call_id())).collect()
}

/// User and nonce of the credentials that a request has for us.
fn claim(message: &Message, header: Name, realm: &str) -> Option<(String, String)> {
    let mut fields = message.fields().filter(|field| field.kind() == header);
    fields.find_map(|field| {
        let credentials = Credentials::parse(field.value()).ok()?;
        let text = |name: &str| credentials.get(name).map(|value| value.into_owned());
        let is_ours = credentials.is_digest() && credentials.get("realm").as_deref() == Some(realm);
        is_ours.then(|| (text("username").unwrap_or_default(), text("nonce").unwrap_or_default()))
    })
}

/// Where a request came from, as the agent has noted in its top Via.
fn source_of(message: &Message) -> IpAddr {
    let via = message.top_via().ok();
    let address =
        via.and_then(|via| via.received().and_then(|text| text.parse().ok()).or_else(|| via.host.parse().ok()));
    address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

/// The account that a request is from, or for where it registers.
pub fn claimed_name(message: &Message) -> Option<String> {
    let claimed = if *message.method() == Method::Register { message.to() } else { message.from() };
    Some(claimed.ok()?.parse_uri().ok()?.user_decoded().into_owned())
}

/// Challenges for whoever must say who they are.
pub fn challenge(exchange: &mut Exchange, now: Now, message: &Message, stale: bool) -> Vec<(Name, String)> {
    let realm = exchange.settings.sip.domain.clone();
    let source = source_of(message);
    let challenges = match knows_md5_only(message) || seems_known_by_md5_only(exchange, message) {
        true => exchange.verifier.challenge_with(now.time, &realm, stale, source, &[Algorithm::Md5]),
        false => exchange.verifier.challenge(now.time, &realm, stale, source),
    };
    if stale && let Some(nonce) = challenges.first().and_then(|challenge| nonce_of(challenge)) {
        let headers = [Name::Authorization, Name::ProxyAuthorization];
        // Of a nonce that wasn't issued to this source, nothing was judged.
        if let Some((user, before)) = headers.into_iter().find_map(|header| claim(message, header, &realm))
            && exchange.verifier.has_issued(&before, &realm, source)
        {
            exchange.guessing.vouch(now.time, source, &user, &nonce);
        }
    }
    challenges.into_iter().map(|challenge| (Name::WwwAuthenticate, challenge)).collect()
}

/// Whether the account that a request is for has nothing left but an MD5 hash, which can't answer SHA-256. Of the accounts
/// that don't exist, as large a share seems so, always the same ones: a challenge tells nobody which do.
fn seems_known_by_md5_only(exchange: &Exchange, message: &Message) -> bool {
    let accounts = &exchange.accounts;
    let name = claimed_name(message).unwrap_or_default();
    match accounts.by_name(&name) {
        Some(account) => account.hashes.ha1_sha256.is_none(),
        None => exchange.verifier.lot(&name, accounts.len()) < accounts.md5_only(),
    }
}

/// Whether a phone gives up when it sees a challenge for SHA-256, even beside one for MD5, which RFC 8760 §2.4 tells it
/// to skip. baresip did so up to its release 1.1, which Debian still has.
fn knows_md5_only(message: &Message) -> bool {
    let agent = message.header(Name::UserAgent).unwrap_or_default();
    ["baresip v0.", "baresip v1."].iter().any(|known| agent.starts_with(known))
}

/// What was dialled: the user part, or the whole address where the domain isn't ours. A carrier may call us by any name.
pub fn dialled(exchange: &Exchange, flow: Flow, message: &Message, identity: &Identity) -> Option<String> {
    let uri = Uri::parse(message.request_uri()).ok()?;
    match (uri.scheme, identity) {
        (Scheme::Sip | Scheme::Sips, Identity::Trunk { name, .. }) => {
            let user = some(user_of(exchange, flow, &uri))?;
            let credentials = exchange.trunks.by_name(name).and_then(|trunk| trunk.settings.credentials.as_ref());
            let is_contact = credentials.is_some_and(|known| known.username == user);
            Some(called_number(message).filter(|_| is_contact).unwrap_or(user))
        }
        (Scheme::Sip | Scheme::Sips | Scheme::Tel, _) => dialled_uri(exchange, flow, &uri),
        _ => Some(message.request_uri().to_owned()),
    }
}

/// The same of any URI that can be called.
pub fn dialled_uri(exchange: &Exchange, flow: Flow, uri: &Uri<'_>) -> Option<String> {
    let user = some(user_of(exchange, flow, uri))?;
    match uri.scheme {
        Scheme::Tel => Some(user),
        Scheme::Sip | Scheme::Sips if is_ours(exchange, flow, uri.host()) => Some(user),
        Scheme::Sip | Scheme::Sips => Some(format!("{user}@{}", uri.host())),
        _ => None,
    }
}

/// A temporary address of a phone stands for its user.
fn user_of(exchange: &Exchange, flow: Flow, uri: &Uri<'_>) -> String {
    let phone = exchange.registrar.phone_at(uri).filter(|_| is_ours(exchange, flow, uri.host()));
    phone.map_or_else(|| uri.user_decoded().into_owned(), |phone| phone.user)
}

/// The one phone that was dialled (RFC 5627).
pub fn phone_dialled(exchange: &Exchange, message: &Message) -> Option<Phone> {
    phone_at(exchange, &Uri::parse(message.request_uri()).ok()?)
}

/// The same of any URI.
pub fn phone_at(exchange: &Exchange, uri: &Uri<'_>) -> Option<Phone> {
    let Phone { user, instance } = exchange.registrar.phone_at(uri)?;
    Some(Phone { user: exchange.accounts.find(&user)?.name.clone(), instance })
}

/// Carriers that know us by registration call our contact and put the number into `To`.
fn called_number(message: &Message) -> Option<String> {
    let to = message.to().ok()?;
    let user = to.parse_uri().ok()?.user_decoded().into_owned();
    is_number(&user).then_some(user)
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn identity_of(trunk: &Trunk) -> Identity {
    Identity::Trunk { name: trunk.settings.name.clone(), country: trunk.settings.country.clone() }
}

/// Whether `From` names an account of ours in a domain of ours.
fn claimed_user(exchange: &Exchange, flow: Flow, message: &Message) -> bool {
    let Ok(from) = message.from() else { return false };
    let Ok(uri) = from.parse_uri() else { return false };
    exchange.accounts.by_name(&uri.user_decoded()).is_some() && is_ours(exchange, flow, uri.host())
}

/// Whether `From` is in a domain of ours.
fn claims_us(exchange: &Exchange, flow: Flow, message: &Message) -> bool {
    let host = message.from().ok().and_then(|from| from.parse_uri().ok().map(|uri| uri.host().to_owned()));
    host.is_some_and(|host| is_ours(exchange, flow, &host))
}

/// Whether a request has credentials for us; those for others are none of our business.
fn is_signed(exchange: &Exchange, message: &Message) -> bool {
    let names = [Name::Authorization, Name::ProxyAuthorization];
    let mut fields = message.fields().filter(|field| names.contains(&field.kind()));
    fields.any(|field| {
        let credentials = Credentials::parse(field.value()).ok();
        credentials.and_then(|credentials| credentials.get("realm")).as_deref() == Some(&exchange.settings.sip.domain)
    })
}

/// Whether the plan has a rule for unknown callers that takes this call.
fn strangers_may(exchange: &Exchange, now: Now, flow: Flow, message: &Message) -> bool {
    let from = Party::calling(exchange, message, &Identity::Stranger).text();
    let Some(to) = dialled(exchange, flow, message, &Identity::Stranger) else { return false };
    let request = Request { caller: Caller::Stranger, from: &from, to: &to, at: now.wall };
    exchange.plan.route(&request).route.is_some()
}

pub fn is_ours(exchange: &Exchange, flow: Flow, host: &str) -> bool {
    let settings = &exchange.settings;
    if host.eq_ignore_ascii_case(&settings.sip.domain) || host.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let Ok(address) = host.parse::<IpAddr>() else {
        let mut names = settings.trunks.iter().filter_map(|trunk| trunk.contact_host.as_deref());
        return names.any(|name| name.eq_ignore_ascii_case(host));
    };
    let address = address.to_canonical();
    address == flow.local.ip().to_canonical()
        || Announce::signalling(settings).is_public(address)
        || [&settings.sip.udp, &settings.sip.tcp, &settings.sip.tls]
            .into_iter()
            .flatten()
            .any(|listen| listen.ip().to_canonical() == address)
}
