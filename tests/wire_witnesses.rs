//! Three other SIP parsers read the same messages as ours. Where one differs, `DEPARTURES` says why; a departure that no
//! longer happens fails the test too.

use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use tandem::wire::sip::{Message, Name};

/// What is compared, by name; what a parser can't read is missing.
type Facts = BTreeMap<&'static str, String>;

/// None where it rejects the message.
type Witness = fn(&Bytes) -> Option<Facts>;

const MESSAGES: [(&str, &str); 14] = [
    (
        "plain",
        "INVITE sip:bob@biloxi.example SIP/2.0\r\nVia: SIP/2.0/UDP pc33.atlanta.example:5060;branch=z9hG4bK776asdhds\r\n\
         Max-Forwards: 70\r\nTo: Bob <sip:bob@biloxi.example>\r\nFrom: Alice <sip:alice@atlanta.example>;tag=1928301774\r\n\
         Call-ID: a84b4c76e66710@pc33\r\nCSeq: 314159 INVITE\r\nContact: <sip:alice@pc33.atlanta.example>\r\n\
         Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n",
    ),
    (
        "response",
        "SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx;received=192.0.2.7;rport=5061\r\n\
         From: <sip:a@a.example>;tag=f1\r\nTo: <sip:b@b.example>;tag=t1\r\nCall-ID: r@h\r\nCSeq: 2 INVITE\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "compact",
        "BYE sip:b@b.example SIP/2.0\r\nv: SIP/2.0/TCP h.example;branch=z9hG4bKc\r\nf: <sip:a@a.example>;tag=f2\r\n\
         t: <sip:b@b.example>;tag=t2\r\ni: compact@h\r\nCSeq: 3 BYE\r\nMax-Forwards: 70\r\nl: 0\r\n\r\n",
    ),
    (
        "two Vias in a line",
        "OPTIONS sip:b@b.example SIP/2.0\r\nVia: SIP/2.0/UDP p1.example;branch=z9hG4bKa, SIP/2.0/UDP p2.example;branch=z9hG4bKb\r\n\
         From: <sip:a@a.example>;tag=f3\r\nTo: <sip:b@b.example>\r\nCall-ID: vias@h\r\nCSeq: 4 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "addresses without brackets",
        "OPTIONS sip:b@b.example SIP/2.0\r\nVia: SIP/2.0/UDP h.example;branch=z9hG4bKd\r\nFrom: sip:a@a.example;tag=f4\r\n\
         To: sip:b@b.example\r\nCall-ID: spec@h\r\nCSeq: 5 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "escapes in a display name",
        "OPTIONS sip:b@b.example SIP/2.0\r\nVia: SIP/2.0/UDP h.example;branch=z9hG4bKe\r\n\
         From: \"A \\\"B\\\" \\\\\" <sip:a@a.example>;tag=f5\r\nTo: <sip:b@b.example>\r\nCall-ID: esc@h\r\nCSeq: 6 OPTIONS\r\n\
         Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "a URI in a display name",
        "OPTIONS sip:b@b.example SIP/2.0\r\nVia: SIP/2.0/UDP h.example;branch=z9hG4bKg\r\n\
         From: \"evil <sip:x@evil.example>\" <sip:a@a.example>;tag=f6\r\nTo: <sip:b@b.example>\r\nCall-ID: evil@h\r\nCSeq: 7 OPTIONS\r\n\
         Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "folding",
        "OPTIONS sip:b@b.example SIP/2.0\r\nVia: SIP/2.0/UDP h.example\r\n ;branch=z9hG4bKh\r\nFrom: <sip:a@a.example>\r\n\t;tag=f7\r\n\
         To: <sip:b@b.example>\r\nCall-ID: fold@h\r\nCSeq: 8 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "telephone numbers",
        "INVITE tel:+442079460000 SIP/2.0\r\nVia: SIP/2.0/UDP h.example;branch=z9hG4bKi\r\nFrom: <tel:+442079460001>;tag=f8\r\n\
         To: <tel:+442079460000>\r\nCall-ID: tel@h\r\nCSeq: 9 INVITE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "IPv6",
        "OPTIONS sip:b@[2001:db8::1]:5080 SIP/2.0\r\nVia: SIP/2.0/UDP [2001:db8::2]:5061;branch=z9hG4bKj\r\n\
         From: <sip:a@[2001:db8::2]>;tag=f9\r\nTo: <sip:b@[2001:db8::1]:5080>\r\nCall-ID: six@h\r\nCSeq: 10 OPTIONS\r\n\
         Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "escapes in a URI",
        "INVITE sip:*31%23123@gw.example;user=phone SIP/2.0\r\nVia: SIP/2.0/UDP h.example;branch=z9hG4bKk\r\n\
         From: <sip:+15550100@gw.example>;tag=f10\r\nTo: <sip:*31%23123@gw.example;user=phone>\r\nCall-ID: percent@h\r\nCSeq: 11 INVITE\r\n\
         Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "an unknown method",
        "FOO sip:b@b.example SIP/2.0\r\nVia: SIP/2.0/UDP h.example;branch=z9hG4bKl\r\nFrom: <sip:a@a.example>;tag=f11\r\n\
         To: <sip:b@b.example>\r\nCall-ID: foo@h\r\nCSeq: 12 FOO\r\nMax-Forwards: 70\r\nContent-Length: 4\r\n\r\nbody",
    ),
    (
        "bytes after the body",
        "MESSAGE sip:b@b.example SIP/2.0\r\nVia: SIP/2.0/UDP h.example;branch=z9hG4bKl\r\nFrom: <sip:a@a.example>;tag=f12\r\n\
         To: <sip:b@b.example>\r\nCall-ID: foo@h\r\nCSeq: 13 MESSAGE\r\nMax-Forwards: 70\r\nContent-Length: 4\r\n\r\nbodyrest",
    ),
    (
        "a host with an underscore",
        "MESSAGE sip:b@my_host.example SIP/2.0\r\nVia: SIP/2.0/UDP h.example;branch=z9hG4bKl\r\nFrom: <sip:a@a.example>;tag=f13\r\n\
         To: <sip:b@my_host.example>\r\nCall-ID: foo@h\r\nCSeq: 14 MESSAGE\r\nMax-Forwards: 70\r\nContent-Length: 4\r\n\r\nbody",
    ),
];

/// Witness, message, and the facts on which they differ; none where the witness rejects the message.
const DEPARTURES: &[(&str, &str, &[&str], &str)] = &[
    ("rsip", "compact", &["Call-ID", "From URI", "From tag", "To URI", "To tag", "branch"], "knows no compact forms"),
    ("rsip", "a URI in a display name", &["From URI", "From tag"], "looks for the < without regard to quotes"),
    ("rsip", "folding", &[], "rejects folded lines"),
    ("rsip", "telephone numbers", &[], "knows no tel URI"),
    ("rsip", "IPv6", &[], "knows no IPv6 reference"),
    ("rsip", "an unknown method", &[], "its methods are a closed list"),
    ("rsip", "bytes after the body", &["body"], "takes the whole datagram for the body"),
    ("ezk", "escapes in a display name", &["From URI", "From tag"], "cannot read an escaped quote"),
    ("ezk", "telephone numbers", &[], "knows no tel URI"),
    ("ezk", "a host with an underscore", &[], "keeps to the grammar of host names"),
    (
        "rvoip",
        "addresses without brackets",
        &["From URI", "From tag"],
        "gives the tag to the URI, against RFC 3261 20.10",
    ),
    ("rvoip", "folding", &["branch"], "leaves a folded Via unread"),
    ("rvoip", "escapes in a URI", &["From URI"], "escapes the + on output, which RFC 3261 allows to stand"),
    ("rvoip", "a host with an underscore", &["To URI"], "reads it in the start line, but not in To"),
    ("rvoip", "bytes after the body", &[], "rejects a datagram that RFC 3261 18.3 wants cut"),
];

fn ours(raw: &Bytes) -> Facts {
    let message = Message::parse(raw.clone()).unwrap();
    message.check().unwrap();
    let (from, to) = (message.from().unwrap(), message.to().unwrap());
    facts([
        ("method", Some(message.method().to_string())),
        ("status", Some(message.status().to_string())),
        ("Request-URI", Some(message.request_uri().to_string())),
        ("Call-ID", message.header(Name::CallId).map(str::to_string)),
        ("branch", message.top_via().unwrap().branch().map(str::to_string)),
        ("From URI", Some(from.uri().to_string())),
        ("From tag", from.tag().map(str::to_string)),
        ("To URI", Some(to.uri().to_string())),
        ("To tag", to.tag().map(str::to_string)),
        ("CSeq", Some(message.cseq().unwrap().number.to_string())),
        ("body", Some(format!("{:?}", message.body()))),
    ])
}

fn facts<const N: usize>(pairs: [(&'static str, Option<String>); N]) -> Facts {
    pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn rsip(raw: &Bytes) -> Option<Facts> {
    use rsip::prelude::*;
    let message = rsip::SipMessage::try_from(raw.clone()).ok()?;
    let (method, status, uri) = match &message {
        rsip::SipMessage::Request(request) => (request.method.to_string(), 0, request.uri.to_string()),
        rsip::SipMessage::Response(response) => {
            let cseq = response.cseq_header().ok().and_then(|cseq| cseq.typed().ok());
            (cseq.map(|cseq| cseq.method.to_string()).unwrap_or_default(), response.status_code.code(), String::new())
        }
    };
    let via = message.via_header().ok().and_then(|via| via.typed().ok());
    let from = message.from_header().ok().and_then(|from| from.typed().ok());
    let to = message.to_header().ok().and_then(|to| to.typed().ok());
    let cseq = message.cseq_header().ok().and_then(|cseq| cseq.typed().ok());
    Some(facts([
        ("method", Some(method)),
        ("status", Some(status.to_string())),
        ("Request-URI", Some(uri)),
        ("Call-ID", message.call_id_header().ok().map(|call_id| call_id.value().to_string())),
        ("branch", via.and_then(|via| via.branch().map(|branch| branch.value().to_string()))),
        ("From URI", from.as_ref().map(|from| from.uri.to_string())),
        ("From tag", from.and_then(|from| from.tag().map(|tag| tag.value().to_string()))),
        ("To URI", to.as_ref().map(|to| to.uri.to_string())),
        ("To tag", to.and_then(|to| to.tag().map(|tag| tag.value().to_string()))),
        ("CSeq", cseq.map(|cseq| cseq.seq.to_string())),
        ("body", Some(format!("{:?}", Bytes::from(message.body().clone())))),
    ]))
}

fn ezk(raw: &Bytes) -> Option<Facts> {
    use ezk_sip_types::header::typed::{CSeq, CallID, ContentLength, FromTo, Via};
    use ezk_sip_types::msg::{Line, MessageLine, PullParser};
    use ezk_sip_types::parse::Parse;
    use ezk_sip_types::print::AppendCtx;
    let mut parser = PullParser::new(raw, 0);
    let first = std::str::from_utf8(parser.next()?.ok()?).ok()?;
    let (_, start) = MessageLine::parse(raw)(first).ok()?;
    let mut headers = ezk_sip_types::Headers::new();
    for line in &mut parser {
        let (_, line) = Line::parse(raw, std::str::from_utf8(line.ok()?).ok()?).ok()?;
        headers.insert(line.name, line.value);
    }
    let body = raw.slice(parser.head_end()..);
    let length = headers.get_named::<ContentLength>().map_or(body.len(), |length| length.0);
    let cseq = headers.get_named::<CSeq>().ok();
    let (method, status, uri) = match &start {
        MessageLine::Request(line) => (line.method.to_string(), 0, line.uri.default_print_ctx().to_string()),
        MessageLine::Response(line) => {
            (cseq.as_ref().map(|cseq| cseq.method.to_string()).unwrap_or_default(), line.code.into_u16(), String::new())
        }
    };
    let vias = headers.get_named::<Vec<Via>>().ok();
    let branch = vias.and_then(|vias| vias.first()?.params.get_val("branch").map(ToString::to_string));
    let from = headers.get::<FromTo>(ezk_sip_types::Name::FROM).ok();
    let to = headers.get::<FromTo>(ezk_sip_types::Name::TO).ok();
    let uri_of = |address: &FromTo| address.uri.uri.default_print_ctx().to_string();
    Some(facts([
        ("method", Some(method)),
        ("status", Some(status.to_string())),
        ("Request-URI", Some(uri)),
        ("Call-ID", headers.get_named::<CallID>().ok().map(|call_id| call_id.0.to_string())),
        ("branch", branch),
        ("From URI", from.as_ref().map(uri_of)),
        ("From tag", from.and_then(|from| from.tag).map(|tag| tag.to_string())),
        ("To URI", to.as_ref().map(uri_of)),
        ("To tag", to.and_then(|to| to.tag).map(|tag| tag.to_string())),
        ("CSeq", cseq.map(|cseq| cseq.cseq.to_string())),
        ("body", Some(format!("{:?}", body.slice(..length.min(body.len()))))),
    ]))
}

fn rvoip(raw: &Bytes) -> Option<Facts> {
    use rvoip_sip_core::{Message, ParseMode, parse_message_with_mode};
    let message = parse_message_with_mode(raw, ParseMode::Strict).ok()?;
    let (method, status, uri, cseq) = match &message {
        Message::Request(request) => (request.method().to_string(), 0, request.uri().to_string(), request.cseq()),
        Message::Response(response) => {
            let method = response.cseq().map(|cseq| cseq.method().to_string()).unwrap_or_default();
            (method, response.status().as_u16(), String::new(), response.cseq())
        }
    };
    let via = message.first_via();
    Some(facts([
        ("method", Some(method)),
        ("status", Some(status.to_string())),
        ("Request-URI", Some(uri)),
        ("Call-ID", message.call_id().map(|call_id| call_id.value())),
        ("branch", via.and_then(|via| via.branch().map(str::to_string))),
        ("From URI", message.from().map(|from| from.address().uri().to_string())),
        ("From tag", message.from().and_then(|from| from.tag().map(str::to_string))),
        ("To URI", message.to().map(|to| to.address().uri().to_string())),
        ("To tag", message.to().and_then(|to| to.tag().map(str::to_string))),
        ("CSeq", cseq.map(|cseq| cseq.sequence().to_string())),
        ("body", Some(format!("{:?}", message.body()))),
    ]))
}

#[test]
fn three_witnesses_agree_or_it_is_known_why_not() {
    let witnesses: [(&str, Witness); 3] = [("rsip", rsip), ("ezk", ezk), ("rvoip", rvoip)];
    let mut unexpected = String::new();
    for (title, text) in MESSAGES {
        let raw = Bytes::from_static(text.as_bytes());
        let ours = ours(&raw);
        for (witness, read) in witnesses {
            let known = DEPARTURES.iter().find(|(who, what, _, _)| (*who, *what) == (witness, title));
            let known = known.map(|(_, _, facts, _)| facts.iter().copied().collect::<BTreeSet<_>>());
            let theirs = read(&raw);
            let differing = theirs.as_ref().map(|theirs| {
                let names: BTreeSet<&str> = ours.keys().chain(theirs.keys()).copied().collect();
                names.into_iter().filter(|name| ours.get(name) != theirs.get(name)).collect::<BTreeSet<_>>()
            });
            let expected = match (&known, &differing) {
                (Some(known), None) => known.is_empty(),
                (Some(known), Some(differing)) => !known.is_empty() && known == differing,
                (None, Some(differing)) => differing.is_empty(),
                (None, None) => false,
            };
            if !expected {
                unexpected += &format!("{witness}, {title}: {differing:?}\n  {theirs:?}\n");
            }
        }
    }
    assert!(unexpected.is_empty(), "{unexpected}");
}
