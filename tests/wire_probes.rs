//! What machines in the field send, and what parsers have been seen to get wrong with it.

use bytes::Bytes;
use tandem::wire::sip::{Contacts, Message, Method, Name, ParseError, Scheme, Uri, Writer};

/// A valid request with more header fields, of which those that stand here replace the usual ones.
fn request(line: &str, fields: &[&str], body: &str) -> Message {
    let usual = [
        ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa"),
        ("Max-Forwards", "70"),
        ("From", "<sip:alice@a.example>;tag=1"),
        ("To", "<sip:bob@b.example>"),
        ("Call-ID", "c@192.0.2.1"),
        ("CSeq", "1 INVITE"),
    ];
    let mut text = format!("{line}\r\n");
    for (name, value) in usual {
        let is_replaced = |field: &&&str| {
            let written = field.split(':').next().unwrap().trim();
            Name::from_bytes(written.as_bytes()) == Name::from_bytes(name.as_bytes())
        };
        if !fields.iter().any(|field| is_replaced(&field)) {
            text += &format!("{name}: {value}\r\n");
        }
    }
    for field in fields {
        text += &format!("{field}\r\n");
    }
    text += &format!("\r\n{body}");
    Message::parse(text.into()).unwrap()
}

fn invite(fields: &[&str]) -> Message {
    let message = request("INVITE sip:bob@b.example SIP/2.0", fields, "");
    message.check().unwrap();
    message
}

#[test]
fn compact_forms() {
    let m = invite(&[
        "v: SIP/2.0/TCP h;branch=z9hG4bKb",
        "f: <sip:a@b>;tag=f",
        "t: <sip:c@d>;tag=t",
        "i: id",
        "m: <sip:m@n>",
        "c: text/plain",
        "k: 100rel",
        "x: 1800",
        "r: <sip:refer@to>",
        "o: presence",
        "l: 0",
    ]);
    assert_eq!(m.top_via().unwrap().branch(), Some("z9hG4bKb"));
    assert_eq!((m.from().unwrap().tag(), m.to().unwrap().tag(), m.call_id()), (Some("f"), Some("t"), "id"));
    assert_eq!(m.contacts().unwrap().first().unwrap().uri(), "sip:m@n");
    assert_eq!((m.header(Name::SessionExpires), m.header_named("session-expires")), (Some("1800"), Some("1800")));
    assert_eq!(m.address(Name::ReferTo).unwrap().uri(), "sip:refer@to");
    assert!(m.has_token(Name::Supported, "100REL"));
    assert_eq!((m.content_type(), m.header(Name::Event)), (Some("text/plain"), Some("presence")));
}

#[test]
fn several_values_in_a_line() {
    let m = invite(&[
        "Via: SIP/2.0/UDP p1.example;branch=z9hG4bKa, SIP/2.0/UDP p2.example;branch=z9hG4bKb",
        "Route: <sip:r1;lr>,<sip:r2;lr>",
        "Contact: \"a, b\" <sip:c1@h>;q=0.5, sip:c2@h;q=1",
    ]);
    assert_eq!(m.top_via().unwrap().branch(), Some("z9hG4bKa"));
    assert_eq!(m.vias().nth(1).unwrap().unwrap().host, "p2.example");
    let routes: Vec<_> = m.routes().unwrap().iter().map(|route| route.uri()).collect();
    assert_eq!(routes, ["sip:r1;lr", "sip:r2;lr"]);
    let Contacts::List(contacts) = m.contacts().unwrap() else { panic!() };
    assert_eq!((contacts[0].q(), contacts[1].uri(), contacts[1].q()), (Some(500), "sip:c2@h", Some(1000)));
}

#[test]
fn display_names() {
    let m = invite(&[r#"From: "A \"B\" \\ C" <sip:a@a>;tag=1"#, r#"To: "evil <sip:x@evil>" <sip:a@a>"#]);
    assert_eq!(m.from().unwrap().display().as_deref(), Some(r#"A "B" \ C"#));
    assert_eq!(m.to().unwrap().uri(), "sip:a@a");
}

#[test]
fn folding() {
    let m = invite(&["Subject: one\r\n\t two\r\n  three", "From: \"A\r\n B\"\r\n <sip:a@b>\r\n ;tag=9"]);
    assert_eq!(m.header(Name::Subject), Some("one two three"));
    assert_eq!((m.from().unwrap().display().as_deref(), m.from().unwrap().tag()), (Some("A B"), Some("9")));
    let subject = m.fields().find(|field| field.kind() == Name::Subject).unwrap();
    assert_eq!(subject.raw(), b"one\r\n\t two\r\n  three");
}

#[test]
fn uris_stay_as_they_are_written() {
    for uri in [
        "sip:*31%23123@gw",
        "sip:+442079460000@gw;user=phone",
        "sip:a@b;transport=tcp?Replaces=x%40y%3Bto-tag%3D1&b=c",
        "tel:+442079460000;phone-context=example.com",
        "urn:service:sos",
        "sip:[2001:db8::1]:5080;transport=udp",
        "sip:user@my_host.example",
        "sips:alice@a.example",
    ] {
        let m =
            request(&format!("INVITE {uri} SIP/2.0"), &[&format!("From: <{uri}>;tag=1"), &format!("To: <{uri}>")], "");
        m.check().unwrap();
        assert_eq!((m.request_uri(), m.from().unwrap().uri(), m.to().unwrap().uri()), (uri, uri, uri));
        assert_eq!(Uri::parse(m.request_uri()).unwrap().to_string(), uri);
    }
    let m = invite(&["From: tel:+442079460000;tag=5"]);
    assert_eq!((m.from().unwrap().uri(), m.from().unwrap().tag()), ("tel:+442079460000", Some("5")));
    assert_eq!(m.from().unwrap().parse_uri().unwrap().scheme, Scheme::Tel);
}

#[test]
fn addresses_of_version_six_in_via() {
    let m = invite(&["Via: SIP/2.0/UDP [2001:db8::9:1]:5070;received=[2001:db8::9:2];rport=7;branch=z9hG4bKa"]);
    let via = m.top_via().unwrap();
    assert_eq!((via.host, via.port, via.received()), ("2001:db8::9:1", Some(5070), Some("2001:db8::9:2")));
    assert_eq!(via.sent_by(), "[2001:db8::9:1]:5070");
}

#[test]
fn latin_1_hides_nothing() {
    let bytes: &[u8] =
        b"INVITE sip:b@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: \"J\xfcrgen\" <sip:a@a>;tag=1\r\n\
        To: <sip:b@b>\r\nSubject: caf\xe9\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n";
    let m = Message::parse(Bytes::from_static(bytes)).unwrap();
    m.check().unwrap();
    assert_eq!(m.from().unwrap().display().as_deref(), Some("J\u{fc}rgen"));
    assert_eq!(m.header(Name::Subject), Some("caf\u{e9}"));
    assert_eq!(m.fields().find(|field| field.kind() == Name::Subject).unwrap().raw(), b"caf\xe9");
    assert_eq!(m.call_id(), "x");
    let reply = Writer::reply_to(&m, 200, "", Some("t")).finish();
    assert!(memchr::memmem::find(&reply, b"\r\nFrom: \"J\xfcrgen\" <sip:a@a>;tag=1\r\n").is_some());
}

#[test]
fn unknown_and_lowercase_methods() {
    let m = request("FOO sip:b@b SIP/2.0", &["CSeq: 1 FOO"], "");
    m.check().unwrap();
    assert_eq!(m.method(), &Method::Other("FOO".into()));
    let m = request("invite sip:b@b SIP/2.0", &["CSeq: 1 invite"], "");
    assert_ne!(m.method(), &Method::Invite);
}

#[test]
fn bodies_with_and_without_a_length() {
    let m = request("INVITE sip:b@b SIP/2.0", &[], "to the end\r\n\r\n");
    assert_eq!(m.body(), "to the end\r\n\r\n");
    let m = request("INVITE sip:b@b SIP/2.0", &["Content-Length: 3"], "abcdef");
    m.check().unwrap();
    assert_eq!(m.body(), "abc");
    let m = request("INVITE sip:b@b SIP/2.0", &["Content-Length: 7"], "abcdef");
    assert_eq!((m.check().unwrap_err().status, m.body().len()), (400, 6));
}

#[test]
fn line_feeds_alone_and_line_ends_before_the_message() {
    let text = "\r\n\r\nINVITE sip:b@b SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\nFrom: <sip:a@a>;tag=1\nTo: <sip:b@b>\n\
        Call-ID: x\nCSeq: 1 INVITE\nContent-Length: 4\n\nbody";
    let m = Message::parse(text.into()).unwrap();
    m.check().unwrap();
    assert_eq!((m.call_id(), &m.body()[..]), ("x", b"body" as &[u8]));
}

#[test]
fn what_is_no_message() {
    let parse = |text: &'static str| Message::parse(Bytes::from_static(text.as_bytes())).unwrap_err();
    assert_eq!(parse(""), ParseError::Empty);
    assert_eq!(parse("\r\n\r\n"), ParseError::Empty);
    for text in
        ["hello", "GET / HTTP/1.1\r\n\r\n", "INVITE sip:a@b", "INVITE SIP/2.0\r\n\r\n", "IN(VITE sip:a SIP/2.0\r\n"]
    {
        assert_eq!(parse(text), ParseError::NotSip, "{text}");
    }
    for text in ["SIP/2.0 99 x\r\n\r\n", "SIP/2.0 700 x\r\n\r\n", "SIP/2.0 0200 OK\r\n\r\n", "SIP/2.0 2O0 OK\r\n\r\n"] {
        assert_eq!(parse(text), ParseError::Status, "{text}");
    }
}

#[test]
fn a_call_id_is_one_word() {
    for id in ["two words", "tab\there", "nul\0", "del\u{7f}"] {
        let text = format!(
            "OPTIONS sip:b@b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKx\r\nFrom: <sip:a@a>;tag=f\r\nTo: <sip:b@b>\r\n\
             Call-ID: {id}\r\nCSeq: 1 OPTIONS\r\n\r\n"
        );
        let defect = Message::parse(text.into()).unwrap().check().unwrap_err();
        assert_eq!((defect.status, defect.reason), (400, "Bad Call-ID"), "{id:?}");
    }
}

#[test]
fn a_line_that_is_no_header_field_hides_no_other() {
    let m = request("INVITE sip:b@b SIP/2.0", &["nonsense", "Sub ject: x", "User-Agent: u"], "");
    assert_eq!(m.header(Name::UserAgent), Some("u"));
    let defect = m.check().unwrap_err();
    assert_eq!(defect.status, 400);
    assert!(defect.detail.contains("line 8"), "{defect}");
    let m = Message::parse("INVITE sip:b@b SIP/2.0\r\nCall-ID: cut".into()).unwrap();
    assert_eq!((m.call_id(), m.check().unwrap_err().status), ("cut", 400));
}

#[test]
fn bounds() {
    let too_large = |fields: &[&str]| {
        let text = format!("INVITE sip:b@b SIP/2.0\r\n{}\r\n\r\n", fields.join("\r\n"));
        Message::parse(text.into()).unwrap_err()
    };
    let long = format!("X: {}", "x".repeat(8_200));
    assert_eq!(too_large(&[&long]), ParseError::TooLarge("a header field"));
    assert_eq!(too_large(&["a: b"; 257]), ParseError::TooLarge("the number of header fields"));
    assert_eq!(too_large(&[&long[..8_000]; 9]), ParseError::TooLarge("the head"));
    let vias = ["Via: SIP/2.0/UDP h;branch=z9hG4bKa"; 71];
    assert_eq!(request("INVITE sip:b@b SIP/2.0", &vias, "").check().unwrap_err().reason, "Too Many Vias");
}

#[test]
fn contacts_of_every_kind() {
    let contacts = |fields: &[&str]| {
        format!("{:?}", request("REGISTER sip:b SIP/2.0", fields, "").contacts().map_err(|_| "error"))
    };
    assert_eq!(contacts(&["Contact: *"]), "Ok(Star)");
    assert_eq!(contacts(&[]), "Ok(List([]))");
    assert_eq!(contacts(&["Contact: *", "Contact: <sip:a@b>"]), "Err(\"error\")");
    assert_eq!(contacts(&["Contact: *, *"]), "Err(\"error\")");
}

#[test]
fn challenges_over_fields_and_within_them() {
    let m = request(
        "INVITE sip:b@b SIP/2.0",
        &[
            r#"WWW-Authenticate: Digest realm="a", nonce="1", algorithm=SHA-256, qop="auth", Digest realm="a", nonce="2""#,
            r#"WWW-Authenticate: Basic realm="b""#,
        ],
        "",
    );
    let nonces: Vec<_> =
        m.challenges(Name::WwwAuthenticate).map(|c| c.unwrap().get("nonce").map(|nonce| nonce.into_owned())).collect();
    assert_eq!(nonces, [Some("1".to_string()), Some("2".to_string()), None]);
}

#[test]
fn replies_copy_what_they_must() {
    let mut m = request(
        "INVITE sip:b@b SIP/2.0",
        &[
            "Via: SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bKa, SIP/2.0/UDP p2;branch=z9hG4bKb",
            "v: SIP/2.0/UDP p3;branch=z9hG4bKc",
            "Record-Route: <sip:r1;lr>",
            "f: <sip:a@a>\r\n ;tag=1",
            "Timestamp: 54",
            "Subject: not copied",
        ],
        "",
    );
    m.stamp_source("192.0.2.9:1024".parse().unwrap());
    let reply = |status, tag| Message::parse(Writer::reply_to(&m, status, "", tag).finish()).unwrap();
    let ringing = reply(180, Some("t"));
    ringing.check().unwrap();
    assert_eq!((ringing.status(), ringing.reason_phrase()), (180, "Ringing"));
    let via = ringing.top_via().unwrap();
    assert_eq!((via.received(), via.rport(), via.branch()), (Some("192.0.2.9"), Some(Some(1024)), Some("z9hG4bKa")));
    assert_eq!(ringing.vias().count(), 3);
    assert_eq!((ringing.to().unwrap().tag(), ringing.from().unwrap().tag()), (Some("t"), Some("1")));
    assert_eq!(ringing.record_routes().unwrap().len(), 1);
    assert_eq!(ringing.header(Name::Subject).or(ringing.header(Name::Timestamp)), None);
    let trying = reply(100, None);
    assert_eq!((trying.to().unwrap().tag(), trying.header(Name::Timestamp)), (None, Some("54")));
    assert_eq!(trying.record_routes().unwrap().len(), 0);
    assert_eq!(reply(486, Some("t")).record_routes().unwrap().len(), 0);
}

#[test]
fn a_tag_that_is_there_is_kept() {
    let m = request("BYE sip:b@b SIP/2.0", &["To: sip:b@b;tag=old", "CSeq: 2 BYE"], "");
    let reply = Message::parse(Writer::reply_to(&m, 200, "Fine", Some("new")).finish()).unwrap();
    assert_eq!((reply.to().unwrap().tag(), reply.reason_phrase()), (Some("old"), "Fine"));
}

#[test]
fn nothing_can_be_injected() {
    let evil = "x\r\nEvil: 1\nEvil: 2\0\r\n\r\nbody";
    let mut writer = Writer::request(&Method::Other(evil.into()), &format!("sip:{evil}"));
    writer.header(Name::Subject, evil).header_named(evil, evil).header(Name::ContentLength, 99).body(evil, b"real");
    let m = Message::parse(writer.finish()).unwrap();
    assert_eq!(m.header_named("Evil"), None);
    assert_eq!(m.body(), "real");
    assert_eq!(m.fields().count(), 4);
    assert_eq!(m.header(Name::Subject), Some("x  Evil: 1 Evil: 2     body"));
    let m = Message::parse(Writer::response(486, evil).finish()).unwrap();
    assert_eq!((m.status(), m.fields().count()), (486, 1));
}
