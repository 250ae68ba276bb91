//! One test for each class of advisories that peers of ours had and that applies to what there is so far. Here stand those
//! about signalling; the others stand beside what they are about:
//!
//! - Sound to and from strangers, spoofed BYEs and reports, floods of SSRCs, damaged packets: `media/engine/tests/hostile`,
//!   `media/engine/tests/relaying` and `media/transport/port`.
//! - Connections that idle, drip, lie about lengths or never finish a handshake; certificates of the wrong name:
//!   `shell/transport/tests`; for HTTP `admin/serve` and `admin/tests`, where tokens, bodies and names are tried too.
//! - Messages that overflow or loop a parser: `wire_torture`, `wire_hostile`, `wire_probes`, and the fuzz corpus.
//! - Circles of names and floods of records in DNS: `sip/locate/search/tests` and `shell/resolver/tests`.
//! - Bombs of XML: `wire/xml`, and below. Damaged sound files, and names that lead out of their folder: `shell/prompt`.
//! - Guessing of passwords, scanners, overload: `overload`. Races of dialogs and forks: `racing`, `answering`.
//! - Forwards, redirections and transfers as a way to expensive numbers: `forwarding`, `redirecting`, `referring`.
//! - What one side learns of the other: `privacy`, and each ladder, as a leak fails it.
//! - Passwords in what is logged: `config/settings`; strangers' line ends in it: `base/plain`. Statements in names: `store`.
//!
//! Classes about SRTP, DTLS, ICE, TURN, STIR and XMPP have nothing here to be tested on.

use crate::ladder::{play, play_in};
use crate::raw::{Raw, request, signed};
use std::time::Duration;
use tandem::sip::flow::{Flow, Transport};
use tandem::wire::sip::{Message, Name};

const OURS: &str = "sip:tandem.local";
const METHODS: [&str; 14] = [
    "INVITE",
    "REGISTER",
    "OPTIONS",
    "MESSAGE",
    "SUBSCRIBE",
    "NOTIFY",
    "PUBLISH",
    "REFER",
    "INFO",
    "UPDATE",
    "PRACK",
    "BYE",
    "CANCEL",
    "FROBNICATE",
];

/// CVE-2021-41158: whoever challenges us gets no answer made with another's password.
#[test]
fn digest_leak() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE [no Authorization]
        bob -> tandem 401 (WWW-Authenticate: Digest realm=\"tandem.local\", nonce=\"x\", qop=\"auth\", algorithm=MD5)
        tandem -> alice 500
        quiet bob
        alice -> tandem INVITE +15550190001 (auth | sdp PCMU)
        tandem -> acme INVITE [no Authorization]
        acme -> tandem 407 (Proxy-Authenticate: Digest realm=\"acme\", nonce=\"x\", qop=\"auth\", algorithm=MD5)
        quiet acme
        tandem -> alice 500
        ",
    );
}

/// CVE-2020-28242: a new nonce each time doesn't make us try without end.
#[test]
fn endless_authentication() {
    play_in(
        |setting| setting.account_at_acme(),
        "
        alice calls +15550190001 (sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem 407 (Proxy-Authenticate: Digest realm=\"acme\", nonce=\"1\", qop=\"auth\", algorithm=MD5)
        tandem -> acme INVITE [Proxy-Authorization ~ nonce=\"1\"]
        acme -> tandem 407 (Proxy-Authenticate: Digest realm=\"acme\", nonce=\"2\", qop=\"auth\", algorithm=MD5)
        tandem -> acme INVITE [Proxy-Authorization ~ nonce=\"2\"]
        acme -> tandem 407 (Proxy-Authenticate: Digest realm=\"acme\", nonce=\"3\", qop=\"auth\", algorithm=MD5)
        quiet acme
        tandem -> alice 500
        ",
    );
}

/// CVE-2021-37624, CVE-2021-41157: no method does anything for whoever isn't known.
#[test]
fn methods_without_authentication() {
    let mut raw = Raw::new();
    for (number, method) in METHODS.into_iter().enumerate() {
        for (who, from) in
            [("a stranger", "sip:mallory@elsewhere.example"), ("a forged user", "sip:alice@tandem.local")]
        {
            let number = number * 2 + usize::from(who == "a forged user");
            let statuses = raw.statuses("stranger", request(method, "sip:bob@tandem.local", from, number, ""));
            let wanted: &[u16] = match method {
                "OPTIONS" => &[200],
                "FROBNICATE" => &[501],
                _ => &[401, 403, 405, 481, 489],
            };
            assert!(statuses.len() == 1 && wanted.contains(&statuses[0]), "{method} of {who}: {statuses:?}");
        }
    }
    assert!(raw.world.books.records.is_empty());
    assert_eq!(raw.world.switch.counts().registrations, 0);
    raw.assert_empty();
}

/// CVE-2025-47779: what a user may do follows from the password, not from what stands in From or beside it.
#[test]
fn identity_spoofed_after_authentication() {
    play(
        "
        bob registers
        alice -> tandem INVITE bob (sdp PCMU)
        tandem -> alice 401
        alice -> tandem INVITE bob (auth | From: <sip:carol@tandem.local> | P-Asserted-Identity: <sip:carol@tandem.local> | sdp PCMU)
        tandem -> bob INVITE [From ~ \"Alice\" <sip:+15550100001@tandem.local> | no Diversion]
        bob -> tandem 486
        tandem -> alice 486
        record [caller user:alice]
        alice -> tandem REGISTER (as bob | auth)
        tandem -> alice 403
        ",
    );
}

/// ES2020-01 and others: nothing that a stranger writes into a request makes it come from a trunk or a user.
#[test]
fn authentication_bypassed_by_headers() {
    let lies = [
        "P-Asserted-Identity: <sip:alice@tandem.local>\r\n",
        "P-Asserted-Identity : <sip:alice@tandem.local>\r\n",
        "P-Asserted-Identity\t:\r\n <sip:alice@tandem.local>\r\n",
        "Remote-Party-ID: <sip:alice@tandem.local>;privacy=off\r\n",
        "X-Forwarded-For: 198.51.100.11\r\nX-Real-IP: 198.51.100.11\r\n",
        "Record-Route: <sip:198.51.100.11;lr>\r\nRoute: <sip:198.51.100.11;lr>\r\n",
        "v: SIP/2.0/UDP 198.51.100.11:5060;branch=z9hG4bKsecond;received=198.51.100.11\r\n",
        "Authorization: Digest username=\"alice\", realm=\"tandem.local\", nonce=\"\", uri=\"\", response=\"\"\r\n",
        "Authorization: Basic YWxpY2U6YWxpY2UtcGFzc3dvcmQ=\r\n",
        "Authorization: Digest username=\"\", realm=\"tandem.local\"\r\n",
        "Proxy-Authorization: Digest username=\"alice\"\r\nAuthorization:\r\n",
    ];
    let mut raw = Raw::new();
    for (number, lie) in lies.into_iter().enumerate() {
        let from = "sip:+15550100001@198.51.100.1";
        let mut text = request("INVITE", "sip:+15550190001@tandem.local", from, number, lie);
        if number % 2 == 0 {
            text = text.replace("SIP/2.0/UDP 203.0.113.9;", "SIP/2.0/UDP 198.51.100.11:5060;received=198.51.100.11;");
        }
        let statuses = raw.statuses("stranger", text);
        assert!(statuses == [401] || statuses == [403], "{lie}: {statuses:?}");
    }
    // An address that is mapped into IPv6 is what it is, and no other.
    let flow = Flow {
        transport: Transport::Udp,
        local: "[2001:db8::1]:5060".parse().unwrap(),
        remote: "[::ffff:203.0.113.9]:5060".parse().unwrap(),
    };
    let answers = raw.ask_on(flow, request("INVITE", "sip:+15550190001@tandem.local", "sip:a@b.example", 90, ""));
    assert_eq!(answers.iter().map(Message::status).collect::<Vec<_>>(), [401]);
    assert!(raw.world.books.records.is_empty());
}

/// Scanners: an account that is there is answered as one that isn't, byte by byte but for what differs each time.
#[test]
fn accounts_told_apart() {
    let plain = |text: &str, name: &str| {
        let lines = text.lines().filter(|line| !line.starts_with("Via") && !line.starts_with("Call-ID"));
        let lines = lines.map(|line| match line.split_once("nonce=\"") {
            Some((before, after)) => format!("{before}{}", after.split_once('"').map_or("", |(_, after)| after)),
            None => line.split(";tag=").next().unwrap().replace(name, "someone"),
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    for method in ["REGISTER", "INVITE", "SUBSCRIBE", "MESSAGE", "OPTIONS", "PUBLISH", "REFER"] {
        for more in ["", "wrong"] {
            let mut seen = Vec::new();
            // `carol` has an MD5 hash only; of five that don't exist, one may seem so as well.
            for name in ["alice", "bobby", "carol", "nobody", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9"] {
                let mut raw = Raw::new();
                let from = format!("sip:{name}@tandem.local");
                let uri = if method == "REGISTER" { OURS.to_owned() } else { from.clone() };
                let answers = raw.ask("stranger", request(method, &uri, &from, 1, ""));
                let mut text = plain(&answers.last().unwrap().to_string(), name);
                if more == "wrong" && answers.last().unwrap().status() == 401 {
                    let line = signed(answers.last().unwrap(), name, "guess", method, &uri, 1);
                    let answers = raw.ask("stranger", request(method, &uri, &from, 2, &line));
                    text = plain(&answers.last().unwrap().to_string(), name);
                }
                seen.push((name, text));
            }
            let carol = seen.iter().find(|(name, _)| *name == "carol").unwrap().1.clone();
            let others = seen.iter().filter(|(name, _)| name.starts_with('x')).filter(|(_, text)| *text == carol);
            assert!(others.count() > 0, "{method} {more}: only carol is answered so\n{carol}");
            let alice = seen[0].1.clone();
            assert!(
                seen[4..].iter().any(|(_, text)| *text == alice),
                "{method} {more}: only alice is answered so\n{alice}"
            );
        }
    }
}

/// Stock configurations of others accept a captured request again.
#[test]
fn credentials_replayed() {
    let mut raw = Raw::new();
    let from = "sip:alice@tandem.local";
    let challenge = raw.ask("alice", request("REGISTER", OURS, from, 1, "")).pop().unwrap();
    let line = signed(&challenge, "alice", "alice-password", "REGISTER", OURS, 1);
    assert_eq!(raw.statuses("alice", request("REGISTER", OURS, from, 2, &line)), [200]);
    let replayed = raw.ask("stranger", request("REGISTER", OURS, from, 3, &line)).pop().unwrap();
    assert_eq!(replayed.status(), 401);
    assert!(replayed.header(Name::WwwAuthenticate).unwrap().contains("stale=true"));
    let forged = line.replace(line.split("nonce=\"").nth(1).unwrap().split('"').next().unwrap(), &"0".repeat(64));
    assert_ne!(raw.statuses("stranger", request("REGISTER", OURS, from, 4, &forged)), [200]);
    let challenge = raw.ask("alice", request("REGISTER", OURS, from, 5, "")).pop().unwrap();
    let first = challenge.header(Name::WwwAuthenticate).unwrap();
    assert!(first.contains("algorithm=SHA-256"), "the strongest comes first: {first}");
}

/// Open relays: a stranger calls no number, however it is written.
#[test]
fn toll_fraud() {
    let mut raw = Raw::new();
    let numbers =
        ["+442079460000", "00442079460000", "011442079460000", "900442079460000", "9011442079460000", "+19005550100"];
    for (index, number) in numbers.into_iter().enumerate() {
        for host in ["tandem.local", "192.0.2.1", "198.51.100.11", "elsewhere.example"] {
            let uri = format!("sip:{number}@{host};user=phone");
            let statuses = raw.statuses("stranger", request("INVITE", &uri, "sip:100@192.0.2.1", index, ""));
            assert_eq!(statuses, [401], "{uri}");
        }
    }
    assert!(raw.world.books.records.is_empty());
}

/// CVE-2021-41145: a flood of every method leaves nothing behind and keeps nobody out.
#[test]
fn flood() {
    let mut raw = Raw::new();
    for number in 0..4_000 {
        let method = METHODS[number % METHODS.len()];
        let from = format!("sip:u{number}@{}", if number % 2 == 0 { "tandem.local" } else { "elsewhere.example" });
        let uri = format!("sip:{number}@tandem.local");
        raw.ask("stranger", request(method, &uri, &from, number, ""));
        let counts = raw.world.switch.counts();
        assert!(counts.transactions < 2_000 && counts.sessions <= 1, "{counts:?}");
        raw.sent.clear();
    }
    let from = "sip:alice@tandem.local";
    let challenge = raw.ask("alice", request("REGISTER", OURS, from, 1, "")).pop().unwrap();
    let line = signed(&challenge, "alice", "alice-password", "REGISTER", OURS, 1);
    assert_eq!(raw.statuses("alice", request("REGISTER", OURS, from, 2, &line)), [200]);
    raw.assert_empty();
}

/// CVE-2017-9372 and others: nothing in a header makes the parser panic or take long.
#[test]
fn parser_overflow() {
    let mut raw = Raw::new();
    let long = "x".repeat(8_000);
    let values = [
        long.clone(),
        format!("\"{long}"),
        format!("<{}>", "sip:".repeat(2_000)),
        ",".repeat(8_000),
        ";".repeat(8_000),
        format!("{} INVITE", "9".repeat(8_000)),
        "%00".repeat(2_000),
        "\u{0}".repeat(4_000),
        "\\\"".repeat(4_000),
        "-1".to_owned(),
        "4294967296".to_owned(),
    ];
    let names =
        ["CSeq", "To", "From", "Via", "Contact", "Content-Length", "Content-Type", "Max-Forwards", "Expires", "Route"];
    let mut number = 0;
    for name in names {
        for value in &values {
            for method in ["INVITE", "REGISTER", "ACK"] {
                number += 1;
                let text = request(method, "sip:bob@tandem.local", "sip:a@b.example", number, "");
                let kept = text.split_inclusive("\r\n").filter(|line| !line.starts_with(name));
                let text: String = kept.collect();
                raw.ask("stranger", text.replacen("\r\n", &format!("\r\n{name}: {value}\r\n"), 1));
            }
        }
    }
    let mut many = request("INVITE", "sip:bob@tandem.local", "sip:a@b.example", 0, "");
    many = many.replace("Content-Length", &format!("{}Content-Length", "X: y\r\n".repeat(5_000)));
    assert_eq!(raw.statuses("stranger", many), [513], "more header fields than anybody needs");
    raw.assert_empty();
}

/// REGISTER without end: an account has so many contacts and no more.
#[test]
fn registrations_without_end() {
    let mut raw = Raw::new();
    let from = "sip:alice@tandem.local";
    let challenge = raw.ask("alice", request("REGISTER", OURS, from, 0, "")).pop().unwrap();
    for number in 1..500 {
        let line = signed(&challenge, "alice", "alice-password", "REGISTER", OURS, number);
        let expires = ["4294967295", "18446744073709551616", "3600"][number as usize % 3];
        let contact =
            format!("<sip:alice{number}@192.0.2.11;x={number}>;+sip.instance=\"<urn:{number}>\";expires={expires}");
        let text = request("REGISTER", OURS, from, number as usize, &line);
        let text = text.replace("<sip:raw@203.0.113.9>", &contact);
        let status = raw.statuses("alice", text.replace("Contact", &format!("User-Agent: p{number}\r\nContact")))[0];
        assert!(matches!(status, 200 | 403), "{status}");
    }
    assert_eq!(raw.world.switch.counts().registrations, 10);
    let line = signed(&challenge, "alice", "alice-password", "REGISTER", OURS, 600);
    let star = request("REGISTER", OURS, from, 600, &line).replace("<sip:raw@203.0.113.9>", "*");
    assert_eq!(raw.statuses("alice", star), [400], "a star needs Expires: 0");
}

/// RFC 5393 and spoofed sources: what goes out for a request of a stranger is at most three times what came in, and
/// nothing goes out later by itself.
#[test]
fn amplification() {
    let mut raw = Raw::new();
    for (number, method) in METHODS.into_iter().enumerate() {
        for text in [
            request(method, "sip:bob@tandem.local", "sip:alice@tandem.local", number + 1, ""),
            format!(
                "{method} sip:a SIP/2.0\r\nv:SIP/2.0/UDP a;branch=z9hG4bK{number}\r\nf:<sip:a@b>;tag=1\r\nt:<sip:a>\r\n\
                 i:{number}\r\nCSeq:1 {method}\r\n\r\n"
            ),
            format!("{method} sip:a SIP/2.0\r\nv:SIP/2.0/UDP a\r\n\r\n"),
            format!("{method} sip:a SIP/7.0\r\nv:x\r\n\r\n"),
        ] {
            let before = raw.sent.len();
            raw.ask("stranger", text.clone());
            let bytes: usize = raw.sent[before..].iter().map(|(_, bytes)| bytes.len()).sum();
            assert!(bytes <= 3 * text.len(), "{bytes} bytes for {}:\n{text}", text.len());
        }
    }
    assert!(raw.pass(Duration::from_secs(64)).is_empty(), "something is sent again by itself");
}

/// A call that is sent back to us, and one that has gone through too many.
#[test]
fn loops() {
    play(
        "
        alice calls +15550190001 (sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem forward
        tandem -> acme 482
        acme -> tandem 482 INVITE
        tandem -> alice 500
        alice -> tandem INVITE +15550190001 (auth | Max-Forwards: 0 | sdp PCMU)
        tandem -> alice 483
        ",
    );
}

/// Whoever isn't in a call can't end it by what can be guessed of it.
#[test]
fn requests_from_beside() {
    let mut raw = Raw::new();
    for (number, method) in ["BYE", "INFO", "UPDATE", "NOTIFY", "REFER", "PRACK", "INVITE"].into_iter().enumerate() {
        let text = request(method, "sip:bob@192.0.2.1", "sip:alice@tandem.local", number, "");
        let to = text.replace("To: <sip:bob@192.0.2.1>", "To: <sip:bob@192.0.2.1>;tag=guessed");
        assert_eq!(raw.statuses("stranger", to), [481], "{method}");
    }
    play(
        "
        alice talks to bob (PCMU)
        stranger -> tandem INVITE bob (From: <sip:alice@elsewhere.example> | sdp PCMU)
        tandem -> stranger 401
        stranger -> tandem CANCEL
        tandem -> stranger 481 CANCEL
        quiet alice bob
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}

/// What a caller calls itself stays one value of one header.
#[test]
fn injection() {
    for name in [
        "x\\r\\nX-Evil: y",
        "${IFS}`id`",
        "'; DROP TABLE calls; --",
        "<script>alert(1)</script>",
        "\\\"; <sip:evil@x>",
        "=cmd|'/c'!A1",
    ] {
        let ladder = format!(
            "
            bob registers
            stranger -> tandem INVITE doorbell (From: \"{name}\" <sip:ann@elsewhere.example> | sdp PCMU)
            tandem -> bob INVITE [From ~ <sip:ann@elsewhere.example> | no X-Evil | no X-Note]
            bob -> tandem 486
            tandem -> stranger 486
            "
        );
        play(&ladder);
    }
}

/// A thousand calls that fail in every way leave no port, timer or session.
#[test]
fn leaks_of_failed_calls() {
    let mut raw = Raw::new();
    let from = "sip:alice@tandem.local";
    let challenge = raw.ask("alice", request("INVITE", "sip:*43@tandem.local", from, 0, "")).pop().unwrap();
    for number in 1..1_000u32 {
        let target = ["*43", "bob", "*66", "nobody", "*60", "+15550190001"][number as usize % 6];
        let uri = format!("sip:{target}@tandem.local");
        let line = signed(&challenge, "alice", "alice-password", "INVITE", &uri, number);
        let invite = request("INVITE", &uri, from, number as usize, &line);
        raw.ask("alice", invite.clone());
        if number % 2 == 0 {
            let cancel = invite
                .replace("INVITE sip", "CANCEL sip")
                .replace(&format!("{number} INVITE"), &format!("{number} CANCEL"));
            raw.ask("alice", cancel);
        }
        if number % 50 == 0 {
            raw.pass(Duration::from_secs(40));
        }
    }
    raw.assert_empty();
}

/// What is dialled is unescaped for the dialplan. What a template makes of it leaves as a number or a name, or not at all.
#[test]
fn injection_through_what_is_dialled() {
    play_in(
        |setting| {
            setting.plan = "
[[rule]]
name = \"Out\"
from = [\"users\"]
regex = \"(?s)9(.+)\"
caller = \"{1}\"
to = [{ trunk = \"acme\", number = \"{1}\" }]
"
            .to_owned();
        },
        "
        alice -> tandem INVITE sip:9%0D%0AX-Evil%3A%20y@tandem.local (sdp PCMU)
        tandem -> alice 401
        alice -> tandem INVITE sip:9%0D%0AX-Evil%3A%20y@tandem.local (auth | sdp PCMU)
        tandem -> alice 404
        quiet acme
        alice -> tandem INVITE sip:9%22%3E;q%3C@tandem.local (auth | sdp PCMU)
        tandem -> alice 404
        quiet acme
        alice -> tandem INVITE sip:9%3D%26%21%23@tandem.local (auth | sdp PCMU)
        tandem -> acme INVITE [uri sip:=&!%23@198.51.100.11 | To ~ <sip:=&!%23@198.51.100.11>]
        acme -> tandem 486
        tandem -> alice 486
        ",
    );
}

/// Numbers that don't fit are refused or cut, and never wrap around.
#[test]
fn numbers_out_of_range() {
    let mut raw = Raw::new();
    let mut number = 0;
    let mut ask = |from: &str, to: &str, method: &str| {
        number += 1;
        let text = request(method, "sip:bob@tandem.local", "sip:a@b.example", number, "");
        assert!(text.contains(from), "{text}");
        let from = from.replace("{n}", &number.to_string());
        raw.statuses("stranger", text.replacen(&from, to, 1))
    };
    for cseq in ["4294967296", "2147483648000", "-1", "0x10", "", "99999999999999999999999999"] {
        assert_eq!(ask("CSeq: ", &format!("CSeq: {cseq}\r\nX-Was: "), "OPTIONS"), [400], "CSeq {cseq}");
    }
    for (hops, status) in [("-1", 400), ("4294967296", 200), ("99999999999999999999", 200), ("ten", 400)] {
        let statuses = ask("Max-Forwards: 70", &format!("Max-Forwards: {hops}"), "OPTIONS");
        assert_eq!(statuses, [status], "Max-Forwards {hops}");
    }
    play(
        "
        bob registers
        stranger -> tandem INVITE doorbell (sdp PCMU | Max-Forwards: 99999999999999999999)
        tandem -> bob INVITE [Max-Forwards: 70]
        bob -> tandem 486
        tandem -> stranger 486
        ",
    );
    for length in ["-1", "4294967296", "18446744073709551616", "1e3"] {
        let answers = ask("Content-Length: 0", &format!("Content-Length: {length}"), "OPTIONS");
        assert_eq!(answers, [400], "Content-Length {length}");
    }
    for expires in ["-1", "4294967296", "99999999999999999999", "soon"] {
        let statuses = ask("Content-Length", &format!("Expires: {expires}\r\nContent-Length"), "SUBSCRIBE");
        assert!(matches!(statuses[..], [400 | 401]), "Expires {expires}: {statuses:?}");
    }
    let from = "sip:alice@tandem.local";
    let challenge = raw.ask("alice", request("REGISTER", OURS, from, 500, "")).pop().unwrap();
    for (count, expires) in ["-1", "4294967296", "99999999999999999999"].into_iter().enumerate() {
        let line = signed(&challenge, "alice", "alice-password", "REGISTER", OURS, 1 + count as u32);
        let text = request("REGISTER", OURS, from, 501 + count, &format!("Expires: {expires}\r\n{line}"));
        let answer = raw.ask("alice", text).pop().unwrap();
        assert_eq!(answer.status(), 200);
        let granted = answer.header(Name::Contact).unwrap().rsplit('=').next().unwrap().parse::<u32>().unwrap();
        assert!((60..=7_200).contains(&granted), "Expires {expires} granted {granted}");
    }
    raw.pass(Duration::from_secs(8_000));
    assert_eq!(raw.world.switch.counts().registrations, 0);
}

/// Compressed bodies are never unpacked, so that none grows.
#[test]
fn compressed_bodies() {
    play(
        "
        bob registers
        alice -> tandem INVITE bob (sdp PCMU | Content-Encoding: gzip)
        tandem -> alice 401
        alice -> tandem INVITE bob (auth | sdp PCMU | Content-Encoding: gzip)
        tandem -> alice 415 [Accept ~ application/sdp]
        alice -> tandem PUBLISH alice (Event: presence | Content-Encoding: deflate | type: application/pidf+xml | body: <x/>)
        tandem -> alice 401
        alice -> tandem PUBLISH alice (auth | Event: presence | Content-Encoding: deflate | type: application/pidf+xml | body: <x/>)
        tandem -> alice 415
        quiet bob
        ",
    );
}

/// Billion laughs and their kin, in what a user publishes.
#[test]
fn xml_bombs() {
    let mut raw = Raw::new();
    let from = "sip:alice@tandem.local";
    let challenge = raw.ask("alice", request("PUBLISH", from, from, 1, "Event: presence\r\n")).pop().unwrap();
    let laughs: String =
        (1..30).map(|n| format!("<!ENTITY l{n} \"&l{0};&l{0};&l{0};&l{0};\">", n - 1)).collect::<Vec<_>>().concat();
    let bombs = [
        format!("<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY l0 \"ha\">{laughs}]><presence>&l29;</presence>"),
        "<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><presence/>".to_owned(),
        "<!DOCTYPE x [<!ENTITY e SYSTEM \"http://127.0.0.1/\">]><presence>&e;</presence>".to_owned(),
        "<a>".repeat(20_000),
        format!("<presence {}/>", (0..10_000).map(|n| format!("a{n}=\"x\" ")).collect::<String>()),
        "<presence".to_owned() + &" ".repeat(50_000),
    ];
    for (count, bomb) in bombs.into_iter().enumerate() {
        let line = signed(&challenge, "alice", "alice-password", "PUBLISH", from, 1 + count as u32);
        let more = format!("Event: presence\r\nContent-Type: application/pidf+xml\r\n{line}");
        let text = request("PUBLISH", from, from, 2 + count, &more);
        let text = text.replace("Content-Length: 0\r\n\r\n", &format!("Content-Length: {}\r\n\r\n{bomb}", bomb.len()));
        let statuses = raw.statuses("alice", text);
        assert!(matches!(statuses[..], [400 | 413 | 415 | 513]), "{}: {statuses:?}", &bomb[..40]);
    }
    assert_eq!(raw.world.switch.counts().publications, 0);
}

/// CVE-2018-7284: neither what is subscribed to nor how often makes us remember without end.
#[test]
fn subscriptions_without_end() {
    let mut raw = Raw::with(|setting| setting.settings.limits.subscriptions_per_account = 8);
    let from = "sip:alice@tandem.local";
    let challenge = raw.ask("alice", request("SUBSCRIBE", from, from, 1, "Event: dialog\r\n")).pop().unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for number in 2..400usize {
        let line = signed(&challenge, "alice", "alice-password", "SUBSCRIBE", from, number as u32);
        let event = match number % 3 {
            0 => format!("x{number}"),
            1 => format!("dialog;id={number}"),
            _ => format!("presence;id={}", "9".repeat(number)),
        };
        let accept = "text/plain,".repeat(number);
        let more = format!("Event: {event}\r\nX-Accept: {accept}\r\nExpires: 4294967295\r\n{line}");
        seen.extend(raw.statuses("alice", request("SUBSCRIBE", from, from, number, &more)));
        assert!(raw.world.switch.counts().subscriptions <= 8);
    }
    assert!(seen.contains(&489) && seen.contains(&200) && seen.iter().all(|status| *status != 500), "{seen:?}");
    // Nobody answers the NOTIFYs: the subscriptions are over (RFC 6665 §4.2.2).
    raw.pass(Duration::from_secs(64));
    assert_eq!(raw.world.switch.counts().subscriptions, 0);
}

/// CVE-2021-26906, CVE-2021-41105: descriptions that fit no state change nothing, and nothing is ever sent in clear that
/// was to be encrypted.
#[test]
fn descriptions_out_of_place() {
    play(
        "
        bob registers
        alice -> tandem INVITE bob (sdp PCMU secure)
        tandem -> alice 401
        alice -> tandem INVITE bob (auth | sdp PCMU secure)
        tandem -> alice 488
        quiet bob
        alice talks to bob (PCMU)
        alice -> tandem re-INVITE (sdp PCMU secure)
        tandem -> alice 488
        alice -> tandem re-INVITE (sdp G729)
        tandem -> alice 488
        quiet bob
        media alice [send PCMU/0 | from bob]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMU secure)
        tandem -> bob ACK
        tandem -> bob BYE
        bob -> tandem 200
        tandem -> alice 488
        ",
    );
}
