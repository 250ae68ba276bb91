//! A party of a call: who it is by whose word, and how the other side is told of it (RFC 3323, RFC 3325).

pub(super) mod brought;
pub(super) mod diversion;
pub(super) mod privacy;

use crate::call::admission::Identity;
use crate::call::exchange::Exchange;
use crate::call::party::privacy::Privacy;
use crate::config::identity::{CallerIn, TrunkIdentity};
use crate::sip::flow::Headers;
use crate::wire::sip::{Message, Name, NameAddr, Scheme, Uri, escape_user, quote};
use std::net::IpAddr;

/// RFC 3323 §4.1.1.3.
const ANONYMOUS: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
/// A rule with `caller = "anonymous"` keeps the caller's number from the called side.
const WITHHELD: &str = "anonymous";

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Party {
    /// A number or a name.
    pub user: String,
    /// The domain of a stranger's name; none where the name or number is ours, or a number of the telephone network.
    pub host: Option<String>,
    pub display_name: Option<String>,
    /// We know it ourselves, or a trunk that is trusted says so.
    pub is_asserted: bool,
    /// It is told to nobody outside of our trust domain.
    pub is_private: bool,
}

/// Who is told of a party.
#[derive(Clone, Copy)]
pub enum Audience<'a> {
    Phone,
    Trunk(&'a TrunkIdentity),
    Stranger,
}

/// On which side of the call a party is, as Remote-Party-ID names it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Calling,
    Called,
}

impl Party {
    /// Who is calling. A user is who the account says, whatever is in From; the word of a trunk that is trusted counts;
    /// any other trunk's From is shown and no more; a stranger keeps its domain, so that it isn't taken for one of us.
    pub fn calling(exchange: &Exchange, message: &Message, identity: &Identity) -> Party {
        let said = Party::from_header(message);
        let is_private = Privacy::of(message).caller || is_anonymous(message);
        match identity {
            Identity::User { name, number, .. } => {
                let account = exchange.accounts.by_name(name);
                let display_name = account.and_then(|account| account.display_name.clone());
                let number = number.clone().filter(|_| !prefers(message, name));
                Party {
                    user: number.unwrap_or_else(|| name.clone()),
                    host: None,
                    display_name: display_name.or(said.display_name.filter(|_| !is_private)),
                    is_asserted: true,
                    is_private,
                }
            }
            Identity::Trunk { name, .. } => {
                let said = Party { host: None, is_private, ..said };
                let trusted = exchange.trunks.by_name(name).is_some_and(|trunk| trunk.settings.identity.trusted);
                if !trusted {
                    return said;
                }
                match Party::asserted(message) {
                    Some(party) => Party { is_private: party.is_private || is_private, ..party },
                    None => Party { is_asserted: !is_anonymous(message), ..said },
                }
            }
            Identity::Stranger => {
                let host = said.host.filter(|host| !host.is_empty() && !is_number(&said.user));
                Party { host, is_private, ..said }
            }
        }
    }

    /// Who a trusted trunk says that it speaks for: P-Asserted-Identity, whose telephone number counts for more than its
    /// name (RFC 3325 §9.1), or else Remote-Party-ID, which came before it.
    pub fn asserted(message: &Message) -> Option<Party> {
        let is_private = Privacy::of(message).caller;
        let asserted = message.addresses(Name::PAssertedIdentity).take(2).flatten();
        let parties: Vec<Party> = asserted.filter_map(|address| Party::of(&address)).collect();
        let best = parties.iter().find(|party| is_number(&party.user)).or(parties.first()).cloned();
        if let Some(party) = best {
            return Some(Party { is_asserted: true, is_private, ..party });
        }
        let remote = message.address(Name::RemotePartyId).ok()?;
        let hidden = |value: &str| !value.eq_ignore_ascii_case("off");
        let is_private = is_private || remote.param("privacy").flatten().is_some_and(hidden);
        Some(Party { is_asserted: true, is_private, ..Party::of(&remote)? })
    }

    /// Shown with another number, as a rule of the plan says, whose word is ours.
    pub fn shown_as(self, number: String) -> Party {
        match number.eq_ignore_ascii_case(WITHHELD) {
            true => Party { is_private: true, ..self },
            false => Party { user: number, host: None, is_asserted: true, ..self },
        }
    }

    /// As records and rules have it.
    pub fn text(&self) -> String {
        match &self.host {
            Some(host) => format!("{}@{host}", self.user),
            None => self.user.clone(),
        }
    }

    /// The user part of our Contact.
    pub fn contact_user(&self) -> String {
        match self.user.as_str() {
            "" => WITHHELD.to_owned(),
            _ if self.is_private => WITHHELD.to_owned(),
            user => escape_user(user).into_owned(),
        }
    }

    /// The value of From.
    pub fn from(&self, domain: &str, audience: Audience<'_>) -> String {
        let account = match audience {
            Audience::Trunk(trunk) => trunk.from_user.as_deref(),
            _ => None,
        };
        match account {
            // It says whose account is used, and nothing of who calls.
            Some(account) => {
                let name = self.display_name.as_deref().filter(|_| !self.is_private);
                name_addr(name, &format!("{}@{domain}", escape_user(account)))
            }
            None if self.is_private => ANONYMOUS.to_owned(),
            None => self.name_addr(domain),
        }
    }

    /// The header fields that tell of the party, and Privacy. What is private passes to who is trusted, and to nobody else.
    pub fn headers(&self, domain: &str, audience: Audience<'_>, side: Side) -> Headers {
        let mut headers = Headers::new();
        let (form, trusted) = match audience {
            Audience::Phone => (CallerIn::Asserted, false),
            Audience::Trunk(trunk) => (trunk.caller_in, trunk.trusted),
            Audience::Stranger => (CallerIn::From, false),
        };
        if !self.user.is_empty() && (trusted || !self.is_private) {
            match form {
                CallerIn::Asserted if self.is_asserted => {
                    headers.push((Name::PAssertedIdentity, self.name_addr(domain)));
                }
                // A wish of a user's own: what we know of a called side is none.
                CallerIn::Preferred if side == Side::Calling => {
                    headers.push((Name::PPreferredIdentity, self.name_addr(domain)));
                }
                CallerIn::RemoteParty => headers.push((Name::RemotePartyId, self.remote_party(domain, side))),
                _ => {}
            }
        }
        if self.is_private {
            headers.push((Name::Privacy, "id".to_owned()));
        }
        headers
    }

    fn remote_party(&self, domain: &str, side: Side) -> String {
        let party = if side == Side::Calling { "calling" } else { "called" };
        let screen = if self.is_asserted { "yes" } else { "no" };
        let privacy = if self.is_private { "full" } else { "off" };
        format!("{};party={party};screen={screen};privacy={privacy}", self.name_addr(domain))
    }

    /// A number or name in a domain of ours, or a stranger's own address, which is never mistaken for one of us.
    fn name_addr(&self, domain: &str) -> String {
        let host = match self.host.as_deref() {
            // An address of a machine tells where the caller is, and is no name that could be called back.
            Some(host) if host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() => "anonymous.invalid",
            Some(host) => host,
            None => domain,
        };
        let user = if self.user.is_empty() { WITHHELD.into() } else { escape_user(&self.user) };
        name_addr(self.display_name.as_deref(), &format!("{user}@{host}"))
    }

    fn from_header(message: &Message) -> Party {
        let from = message.from().ok();
        let uri = from.as_ref().and_then(|from| from.parse_uri().ok());
        Party {
            user: uri.as_ref().map(|uri| uri.user_decoded().into_owned()).unwrap_or_default(),
            host: uri.as_ref().map(|uri| uri.host().to_owned()),
            display_name: from.as_ref().and_then(|from| from.display()).map(|name| name.into_owned()),
            ..Party::default()
        }
    }

    /// None for an address of a kind that nobody can be called at.
    fn of(address: &NameAddr<'_>) -> Option<Party> {
        let uri = address.parse_uri().ok()?;
        let user = uri.user_decoded().into_owned();
        let is_callable = matches!(uri.scheme, Scheme::Sip | Scheme::Sips | Scheme::Tel) && !user.is_empty();
        let display_name = address.display().map(|name| name.into_owned());
        is_callable.then(|| Party { user, display_name, ..Party::default() })
    }
}

fn name_addr(display_name: Option<&str>, address: &str) -> String {
    match display_name {
        Some(name) if !name.is_empty() => format!("{} <sip:{address}>", quote(name)),
        _ => format!("<sip:{address}>"),
    }
}

/// Whether From keeps its sender's name (RFC 3323 §4.1.1.3), or says what carriers say for that.
fn is_anonymous(message: &Message) -> bool {
    let Ok(from) = message.from() else { return false };
    let Ok(uri) = from.parse_uri() else { return false };
    let user = uri.user_decoded();
    uri.host().eq_ignore_ascii_case("anonymous.invalid")
        || ["anonymous", "restricted"].iter().any(|word| user.eq_ignore_ascii_case(word))
}

/// Whether a user with a number and a name wants to be shown by the name (RFC 3325 §9.2). Anybody else's is no hint.
fn prefers(message: &Message, name: &str) -> bool {
    let preferred = message.address(Name::PPreferredIdentity).ok();
    let uri = preferred.as_ref().and_then(|address| Uri::parse(address.uri()).ok());
    uri.is_some_and(|uri| uri.user_decoded() == name)
}

pub fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    digits.len() >= 3 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn message(fields: &str) -> Message {
        Message::parse(Bytes::from(format!("INVITE sip:b@h SIP/2.0\r\n{fields}\r\n"))).unwrap()
    }

    fn alice(is_private: bool) -> Party {
        Party {
            user: "+15550100001".into(),
            host: None,
            display_name: Some("Alice".into()),
            is_asserted: true,
            is_private,
        }
    }

    fn fields(party: &Party, trunk: &TrunkIdentity) -> Vec<String> {
        let headers = party.headers("d", Audience::Trunk(trunk), Side::Calling);
        headers.into_iter().map(|(name, value)| format!("{name}: {value}")).collect()
    }

    #[test]
    fn the_number_counts_for_more_than_the_name() {
        let asserted = |fields: &str| Party::asserted(&message(fields)).unwrap();
        let both = asserted("P-Asserted-Identity: \"A\" <sip:alice@h>, <tel:+1-555-0100>\r\n");
        assert_eq!((both.user.as_str(), both.is_asserted), ("+15550100", true));
        assert_eq!(asserted("P-Asserted-Identity: \"A\" <sip:alice@h>\r\n").display_name.as_deref(), Some("A"));
        let remote = asserted("Remote-Party-ID: <sip:0155@h>;party=calling;privacy=full\r\n");
        assert_eq!((remote.user.as_str(), remote.is_private), ("0155", true));
        assert!(asserted("P-Asserted-Identity: <sip:1555@h>\r\nPrivacy: id\r\n").is_private);
        assert_eq!(Party::asserted(&message("P-Asserted-Identity: <urn:x:y>, nonsense\r\n")), None);
    }

    #[test]
    fn each_form_of_the_identity() {
        let of = |caller_in, trusted| TrunkIdentity { caller_in, trusted, ..TrunkIdentity::default() };
        let shown = "\"Alice\" <sip:+15550100001@d>";
        assert_eq!(fields(&alice(false), &of(CallerIn::From, false)), [""; 0]);
        let asserted = of(CallerIn::Asserted, false);
        assert_eq!(fields(&alice(false), &asserted), [format!("P-Asserted-Identity: {shown}")]);
        assert_eq!(fields(&alice(true), &asserted), ["Privacy: id"]);
        let trusted = of(CallerIn::Asserted, true);
        assert_eq!(fields(&alice(true), &trusted), [format!("P-Asserted-Identity: {shown}"), "Privacy: id".into()]);
        let remote = of(CallerIn::RemoteParty, false);
        let off = format!("Remote-Party-ID: {shown};party=calling;screen=yes;privacy=off");
        assert_eq!(fields(&alice(false), &remote), [off]);
        let claimed = Party { is_asserted: false, ..alice(false) };
        assert_eq!(fields(&claimed, &trusted), [""; 0]);
        let preferred = of(CallerIn::Preferred, false);
        assert_eq!(fields(&claimed, &preferred), [format!("P-Preferred-Identity: {shown}")]);
    }

    #[test]
    fn from_keeps_what_is_private() {
        let account = TrunkIdentity { from_user: Some("4711".into()), ..TrunkIdentity::default() };
        assert_eq!(alice(true).from("d", Audience::Phone), ANONYMOUS);
        assert_eq!(alice(true).from("d", Audience::Trunk(&account)), "<sip:4711@d>");
        assert_eq!(alice(false).from("d", Audience::Trunk(&account)), "\"Alice\" <sip:4711@d>");
        assert_eq!(alice(true).contact_user(), "anonymous");
        assert!(alice(false).shown_as("Anonymous".into()).is_private);
    }
}
