//! What a ladder says of a message of the switch.

use crate::line::rest;
use crate::peer::{Peer, header_objection};
use crate::sdp;
use bytes::Bytes;
use tandem::wire::sip::{Message, Method};

/// `INVITE`, `200`, `200 BYE`.
pub fn is_meant(message: &Message, words: &[&str]) -> bool {
    let method_of = |word: &&str| Method::parse(word);
    match words[0].parse::<u16>() {
        Ok(status) => {
            let method = words.get(1).and_then(method_of);
            message.status() == status && method.is_none_or(|method| *message.method() == method)
        }
        Err(_) => message.is_request() && message.method().as_str() == words[0],
    }
}

/// What comes by itself, and a ladder needn't name.
pub fn is_by_the_way(message: &Message) -> bool {
    message.status() == 100
}

/// What is wrong with a message by one item. `before` is what the switch described to this peer before.
pub fn objection(message: &Message, item: &str, before: Option<&Bytes>) -> Option<String> {
    let description = || tandem::wire::sdp::parse(&message.body()).ok();
    if item == "no sdp" {
        return (!message.body().is_empty()).then(|| "there is a body".to_owned());
    }
    if item == "same sdp" {
        return (Some(&message.body()) != before).then(|| "it is another description than before".to_owned());
    }
    if item == "next sdp" {
        let version = |body: &Bytes| tandem::wire::sdp::parse(body).ok().map(|description| description.version);
        let (now, then) = (version(&message.body()), before.and_then(version));
        return (now != then.map(|then| then + 1)).then(|| format!("its version is {now:?} after {then:?}"));
    }
    if let Some(part) = rest(item, "body !~") {
        let body = String::from_utf8_lossy(&message.body()).into_owned();
        return body.contains(part).then(|| format!("the body is {body}"));
    }
    if let Some(words) = rest(item, "sdp") {
        return match description() {
            Some(description) => sdp::objection(&description, words),
            None => Some("there is no description".to_owned()),
        };
    }
    if let Some(wanted) = rest(item, "body") {
        let body = String::from_utf8_lossy(&message.body()).into_owned();
        let (part, wanted) = wanted.strip_prefix("~ ").map_or((false, wanted), |part| (true, part));
        let fits = if part { body.contains(wanted) } else { body.trim_end() == wanted };
        return (!fits).then(|| format!("the body is {body:?}"));
    }
    if let Some(uri) = rest(item, "uri") {
        return (message.request_uri() != uri).then(|| format!("the URI is {}", message.request_uri()));
    }
    if let Some(reason) = rest(item, "phrase") {
        return (message.reason_phrase() != reason).then(|| format!("the phrase is {}", message.reason_phrase()));
    }
    header_objection(message, item)
}

/// What a message to `to` tells of the others, if anything: their addresses, Call-IDs, tags, programs and own headers, or
/// what the switch says to them alone.
pub fn leak(message: &str, to: &Peer, others: &[Peer]) -> Option<String> {
    // A phone that registers is told of all that its user has.
    let registers = message.contains(" REGISTER\r\n");
    let is_another = |other: &&Peer| {
        // One phone may listen elsewhere than it sends from.
        let is_at_home = other.flow.remote.ip() == to.flow.remote.ip();
        other.name != to.name && !(other.account == to.account && (registers || is_at_home))
    };
    for other in others.iter().filter(is_another) {
        let address = other.flow.remote.ip();
        // Some live at one address.
        let address = (address != to.flow.remote.ip()).then(|| address.to_string());
        let own = [Some(other.mark.as_str()), address.as_deref()];
        let known = own.into_iter().flatten().chain(other.secrets.iter().map(String::as_str));
        for secret in known.filter(|secret| !to.secrets.iter().any(|known| known == secret)) {
            if message.contains(secret) {
                return Some(format!("{} learns `{secret}` of {}", to.name, other.name));
            }
        }
    }
    None
}
