//! Bytes of every kind never make the parsers panic, and a stream gives the same messages however it is cut.

use bytes::Bytes;
use proptest::prelude::*;
use tandem::wire::sdp;
use tandem::wire::sip::{
    Contacts, Frame, FrameError, Framer, Message, Method, Name, NameAddr, Uri, Via, Writer, challenges,
};

const MESSAGES: [&str; 4] = [
    "INVITE sip:bob@b.example;user=phone SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKa,\r\n SIP / 2.0/TCP [::1]\r\n\
     Max-Forwards: 70\r\nFrom: \"A \\\"B\\\"\" <sip:a@a.example>;tag=1\r\nTo: sip:bob@b.example\r\nCall-ID: c@h\r\nCSeq: 1 INVITE\r\n\
     Contact: <sip:a@192.0.2.1;lr>;q=0.7;expires=60, sip:b@h\r\nRoute: <sip:r;lr>\r\nSupported: 100rel, timer\r\n\
     Authorization: Digest username=\"a\", realm=\"b, c\", nonce=\"x\", uri=\"sip:b\", response=\"0\"\r\n\
     Content-Type: application/sdp\r\nContent-Length: 4\r\n\r\nv=0\n",
    "SIP/2.0 401 Unauthorized\r\nv: SIP/2.0/UDP h;received=1.2.3.4;branch=z9hG4bKb\r\nf: <tel:+1-2;tag=x>;tag=2\r\nt: \"x\"\r\n <sip:b@b>;tag=3\r\n\
     i: c\r\nCSeq: 2 REGISTER\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\", Basic realm=\"x\"\r\nl: 0\r\n\r\n",
    "OPTIONS urn:service:sos SIP/2.0\nVia: SIP/2.0/UDP h\nFrom: sip:a@b\nTo: sip:b@b\nCall-ID: 1\nCSeq: 3 OPTIONS\nContact: *\n\n",
    "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\n\
     a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=rtcp:4001 IN IP6 ::1\r\na=ptime:20\r\nm=image 0 udptl t38\r\n",
];

/// Reads everything that can be read.
fn exercise(bytes: &[u8]) {
    let _ = sdp::parse(bytes).map(|description| sdp::write(&description, "x"));
    let text = String::from_utf8_lossy(bytes);
    let _ = (NameAddr::parse(&text).map(|a| (a.display(), a.q(), a.expires())), Via::parse(&text).map(|v| v.rport()));
    let _ = Uri::parse(&text).map(|uri| (uri.user_decoded().len(), uri.equivalent(&uri), uri.host_ip()));
    let _ = challenges(&text).filter_map(Result::ok).map(|challenge| challenge.params().count()).sum::<usize>();
    let Ok(mut message) = Message::parse(Bytes::copy_from_slice(bytes)) else { return };
    message.stamp_source("192.0.2.1:5060".parse().unwrap());
    let _ =
        (message.check(), message.vias().count(), message.from().is_ok(), message.to().is_ok(), message.cseq().is_ok());
    if let Ok(Contacts::List(contacts)) = message.contacts() {
        let uris: Vec<_> = contacts.iter().filter_map(|contact| contact.parse_uri().ok()).collect();
        let _ = uris.first().zip(uris.last()).map(|(one, other)| one.equivalent(other));
    }
    let _ = (message.expires(), message.max_forwards(), message.has_token(Name::Supported, "timer"), message.body());
    let _ = message.challenges(Name::WwwAuthenticate).count();
    for field in message.fields() {
        assert!(!field.value().contains(['\r', '\n']));
    }
    let reply = Message::parse(Writer::reply_to(&message, 200, "", Some("tag")).finish()).unwrap();
    assert_eq!(reply.vias().count(), message.vias().count());
    let words =
        |text: &str| text.split([' ', '\t', '\0']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    assert_eq!(words(reply.call_id()), words(message.call_id()));
}

#[derive(Clone, Debug)]
enum Mutation {
    Insert(usize, u8),
    Delete(usize, usize),
    Replace(usize, u8),
    Repeat(usize, usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let byte = prop_oneof![any::<u8>(), prop::sample::select(b"\r\n \t:;,<>\"\\@=/[]%?*0\xc3\xff".to_vec()),];
    prop_oneof![
        (any::<usize>(), byte.clone()).prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        (any::<usize>(), 1..40usize).prop_map(|(at, count)| Mutation::Delete(at, count)),
        (any::<usize>(), byte).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        (any::<usize>(), 1..80usize).prop_map(|(at, count)| Mutation::Repeat(at, count)),
    ]
}

fn mutate(bytes: &mut Vec<u8>, mutation: Mutation) {
    let length = bytes.len().max(1);
    match mutation {
        Mutation::Insert(at, byte) => bytes.insert(at % (bytes.len() + 1), byte),
        Mutation::Delete(at, count) => {
            let start = at % length;
            bytes.drain(start.min(bytes.len())..(start + count).min(bytes.len()));
        }
        Mutation::Replace(at, byte) => {
            if let Some(place) = bytes.get_mut(at % length) {
                *place = byte;
            }
        }
        Mutation::Repeat(at, count) => {
            let start = at % length;
            let piece = bytes[start.min(bytes.len())..(start + count).min(bytes.len())].to_vec();
            bytes.splice(start.min(bytes.len())..start.min(bytes.len()), piece);
        }
    }
}

/// Whole messages, pings and junk line ends in a row, as a connection carries them.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        (0..3usize).prop_map(|index| MESSAGES[index].as_bytes().to_vec()),
        prop::sample::select(vec!["\r\n\r\n", "\r\n", "\n", "\r"]).prop_map(|text| text.as_bytes().to_vec()),
    ];
    prop::collection::vec(piece, 1..8).prop_map(|pieces| pieces.concat())
}

fn frames(stream: &[u8], mut cuts: impl Iterator<Item = usize>) -> Vec<Result<Frame, FrameError>> {
    let (mut framer, mut rest, mut all) = (Framer::default(), stream, Vec::new());
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(cuts.next().unwrap_or(rest.len()).clamp(1, rest.len()));
        framer.push(piece);
        all.extend(std::iter::from_fn(|| framer.next()));
        rest = after;
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        exercise(&bytes);
    }

    #[test]
    fn mutated_messages(index in 0..MESSAGES.len(), mutations in prop::collection::vec(mutation(), 1..12)) {
        let mut bytes = MESSAGES[index].as_bytes().to_vec();
        for mutation in mutations {
            mutate(&mut bytes, mutation);
        }
        exercise(&bytes);
    }

    #[test]
    fn a_stream_cut_anywhere_gives_the_same(
        stream in stream(),
        mutations in prop::collection::vec(mutation(), 0..3),
        cuts in prop::collection::vec(1..200usize, 0..300),
    ) {
        let mut stream = stream;
        for mutation in mutations {
            mutate(&mut stream, mutation);
        }
        let whole = frames(&stream, std::iter::empty());
        prop_assert_eq!(&frames(&stream, cuts.into_iter()), &whole);
        prop_assert_eq!(&frames(&stream, std::iter::repeat(1)), &whole);
        for frame in whole.into_iter().flatten() {
            if let Frame::Message(bytes) = frame {
                exercise(&bytes);
                // Framer and parser must never see the end of a message in two places.
                let defect = Message::parse(bytes).ok().and_then(|message| message.check().err());
                prop_assert_ne!(defect.map(|defect| defect.reason), Some("Bad Content-Length"));
            }
        }
    }

    #[test]
    fn what_is_written_is_read(
        method in "[A-Z]{3,10}", subject in "\\PC{0,40}", body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let method = Method::parse(&method).unwrap();
        let mut writer = Writer::request(&method, "sip:b@b");
        writer.header(Name::CallId, "x").header(Name::Subject, &subject).header_named("X-Own", 7).body("a/b", &body);
        let bytes = writer.finish();
        let mut framer = Framer::default();
        framer.push(&bytes);
        prop_assert_eq!(framer.next(), Some(Ok(Frame::Message(bytes.clone()))));
        let message = Message::parse(bytes).unwrap();
        prop_assert_eq!(message.method(), &method);
        prop_assert_eq!(message.header(Name::Subject), Some(subject.trim_matches([' ', '\t'])));
        prop_assert_eq!(message.header_named("x-own"), Some("7"));
        prop_assert_eq!(message.body(), body);
    }
}

#[test]
fn the_framer_tells_pings_from_line_ends() {
    let found = |text: &str| frames(text.as_bytes(), std::iter::empty());
    let message = MESSAGES[2];
    let frame = Ok(Frame::Message(message.into()));
    assert_eq!(found(&format!("\r\n\r\n{message}")), [Ok(Frame::Ping), frame.clone()]);
    assert_eq!(found(&format!("\r\n{message}\n{message}")), [frame.clone(), frame]);
    assert_eq!(found("\r\n"), []);
}

#[test]
fn the_framer_gives_up_where_it_is_lost() {
    let found = |text: &str| frames(text.as_bytes(), std::iter::empty());
    for length in ["-1", "x", "5\r\nl: 6", "5\r\n 0", ""] {
        let text = format!("A sip:a SIP/2.0\r\nContent-Length: {length}\r\n\r\nB sip:b SIP/2.0\r\n\r\n");
        assert_eq!(found(&text), [Err(FrameError::Length)], "{length}");
    }
    let text = "A sip:a SIP/2.0\r\nContent-Length: 262145\r\n\r\n";
    assert_eq!(found(text), [Err(FrameError::TooLarge("the body"))]);
    assert_eq!(found(&"x".repeat(70_000)), [Err(FrameError::TooLarge("the head"))]);
}

/// Work per byte must not grow with the message; a quadratic parser would take minutes here.
#[test]
fn parsing_takes_linear_time() {
    let hostile = [";", ",", "\"", "<", "\\", " ", ";a=\"", "\r\n ", "%", "(", "a=b,", "\"\\", "@", "&", "?"];
    for piece in hostile {
        let value = piece.repeat(8_000 / piece.len());
        let mut text = String::from("INVITE sip:b@b SIP/2.0\r\n");
        for name in ["Via", "From", "To", "Contact", "Route", "WWW-Authenticate", "CSeq"] {
            text += &format!("{name}: <sip:a@b>{value}\r\n");
        }
        exercise(format!("{text}\r\n").as_bytes());
        exercise(value.as_bytes());
    }
}
