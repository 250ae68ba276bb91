//! The torture messages of RFC 4475 (all 49) and RFC 5118 (all 12): what the parser makes of each, and what the switch
//! answers a stranger and a trunk who send it.
//!
//! The messages are files in the notation of RFC 4475 §2: lines end with CRLF on the wire, `<allOneLine>` joins lines,
//! `<hex>` holds bytes, `<repeat count=N>` repeats. Where bodies of RFC 5118 differ from what their Content-Length says in
//! the RFC, the length is put right.

use crate::raw::Raw;
use bytes::Bytes;
use std::path::Path;
use tandem::wire::sip::Message;

/// What the parser says: nothing, a defect's status and phrase, or that there is no message at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    Fine,
    Bad(u16, &'static str),
    Nothing,
}

use Read::{Bad, Fine, Nothing};

/// Name, parser, the answers that a stranger may get (none for silence), and those that a trunk may get.
type Row = (&'static str, Read, &'static [u16], &'static [u16]);

/// A user who is asked who they are; a trunk is known by its address, and here dials nobody that there is.
const ASKED: &[u16] = &[401];
const NOBODY: &[u16] = &[404];
const NONE: &[u16] = &[];

const RFC4475: [Row; 49] = [
    // §3.1.1: valid. `wsinv` is a request within a dialog that isn't there.
    ("wsinv", Fine, &[481], &[481]),
    ("intmeth", Fine, &[501], &[501]),
    ("esc01", Fine, ASKED, NOBODY),
    ("escnull", Fine, ASKED, ASKED),
    ("esc02", Fine, &[501], &[501]),
    ("lwsdisp", Fine, &[200], &[200]),
    ("longreq", Fine, ASKED, NOBODY),
    ("dblreq", Fine, ASKED, ASKED),
    ("semiuri", Fine, &[200], &[200]),
    ("transports", Fine, &[200], &[200]),
    ("mpart01", Fine, &[401, 403, 405, 415], &[403, 404, 405, 415]),
    ("unreason", Fine, NONE, NONE),
    ("noreason", Fine, NONE, NONE),
    // §3.1.2: invalid. What can be understood all the same is taken, as the RFC allows.
    ("badinv01", Bad(400, "Bad Via"), &[400], &[400]),
    ("clerr", Bad(400, "Bad Content-Length"), &[400], &[400]),
    ("ncl", Bad(400, "Bad Content-Length"), &[400], &[400]),
    ("scalar02", Bad(400, "Bad CSeq"), &[400], &[400]),
    ("scalarlg", Bad(400, "Bad CSeq"), NONE, NONE),
    ("quotbal", Bad(400, "Bad To"), &[400], &[400]),
    ("ltgtruri", Bad(400, "Bad Request-URI"), &[400], &[400]),
    ("lwsruri", Bad(400, "Bad Request-URI"), &[400], &[400]),
    ("lwsstart", Fine, ASKED, NOBODY),
    ("trws", Fine, &[200], &[200]),
    ("escruri", Fine, ASKED, NOBODY),
    ("baddate", Fine, ASKED, NOBODY),
    ("regbadct", Bad(400, "Bad Contact"), &[400], &[400]),
    ("badaspec", Fine, &[200], &[200]),
    ("baddn", Fine, &[200], &[200]),
    ("badvers", Bad(505, "Version Not Supported"), &[505], &[505]),
    ("mismatch01", Bad(400, "CSeq Method Mismatch"), &[400], &[400]),
    ("mismatch02", Bad(400, "CSeq Method Mismatch"), &[400], &[400]),
    ("bigcode", Nothing, NONE, NONE),
    // §3.2: the transaction is told by what it was told by before there were branches.
    ("badbranch", Fine, &[200], &[200]),
    // §3.3: the application.
    ("insuf", Bad(400, "Missing From"), &[400], &[400]),
    ("unkscm", Bad(416, "Unsupported URI Scheme"), &[416], &[416]),
    ("novelsc", Bad(416, "Unsupported URI Scheme"), &[416], &[416]),
    ("unksm2", Fine, ASKED, ASKED),
    ("bext01", Fine, &[420], &[420]),
    ("invut", Fine, ASKED, &[415]),
    ("regaut01", Fine, ASKED, ASKED),
    ("multi01", Bad(400, "Duplicate Header Field"), &[400], &[400]),
    ("mcl01", Bad(400, "Bad Content-Length"), &[400], &[400]),
    ("bcast", Fine, NONE, NONE),
    ("zeromf", Fine, &[483], &[483]),
    ("cparam01", Fine, ASKED, ASKED),
    ("cparam02", Fine, ASKED, ASKED),
    ("regescrt", Fine, ASKED, ASKED),
    ("sdp01", Fine, ASKED, &[406]),
    // §3.4: RFC 2543.
    ("inv2543", Fine, ASKED, NOBODY),
];

const RFC5118: [Row; 12] = [
    ("ipv6-good", Fine, ASKED, ASKED),
    ("ipv6-bad", Bad(400, "Bad Request-URI"), &[400], &[400]),
    ("port-ambiguous", Fine, ASKED, ASKED),
    ("port-unambiguous", Fine, ASKED, ASKED),
    ("via-received-param-with-delim", Fine, &[481], &[481]),
    ("via-received-param-no-delim", Fine, &[200], &[200]),
    ("ipv6-in-sdp", Fine, ASKED, &[404, 488]),
    ("mult-ip-in-header", Fine, &[481], &[481]),
    ("mult-ip-in-sdp", Fine, ASKED, NOBODY),
    ("ipv4-mapped-ipv6", Fine, ASKED, &[404, 488]),
    ("ipv6-correct-abnf-2-colons", Fine, &[200], &[200]),
    ("ipv6-bug-abnf-3-colons", Bad(400, "Bad Request-URI"), &[400], &[400]),
];

#[test]
fn rfc_4475() {
    assert_table("rfc4475", &RFC4475);
}

#[test]
fn rfc_5118() {
    assert_table("rfc5118", &RFC5118);
}

#[test]
fn the_second_message_of_a_datagram_is_no_request() {
    let answers = Raw::new().ask("stranger", wire("rfc4475", "dblreq"));
    let calls: Vec<&str> = answers.iter().map(Message::call_id).collect();
    assert_eq!(calls, ["dblreq.0ha0isndaksdj99sdfafnl3lk233412"]);
}

#[test]
fn a_binary_body_stays_whole() {
    let bytes = wire("rfc4475", "mpart01");
    let message = Message::parse(bytes.clone()).unwrap();
    assert_eq!(message.body().len(), 553);
    assert!(message.body().contains(&0));
    assert!(bytes.ends_with(b"--7a9cbec02ceef655--\r\n"));
}

#[test]
fn what_is_not_supported_is_named() {
    let answers = Raw::new().ask("stranger", wire("rfc4475", "bext01"));
    assert_eq!(answers[0].header_named("Unsupported"), Some("nothingSupportsThis, nothingSupportsThisEither"));
}

/// Every message and every beginning and every single damage of it: the switch lives, and is as empty afterwards.
#[test]
fn damaged_messages_leave_nothing() {
    let mut raw = Raw::new();
    for (folder, rows) in [("rfc4475", &RFC4475[..]), ("rfc5118", &RFC5118[..])] {
        for (number, (name, ..)) in rows.iter().enumerate() {
            let whole = wire(folder, name);
            for at in (number % 7..whole.len()).step_by(23) {
                let mut damaged = whole.to_vec();
                damaged[at] ^= 1 << (at % 8);
                for bytes in [whole.slice(..at), Bytes::from(damaged)] {
                    let from = ["stranger", "acme", "emil"][at % 3];
                    raw.ask(from, bytes);
                }
            }
        }
        raw.assert_empty();
    }
}

fn assert_table(folder: &str, rows: &[Row]) {
    let mut faults = Vec::new();
    for &(name, read, stranger, trunk) in rows {
        let bytes = wire(folder, name);
        let found = match Message::parse(bytes.clone()).map(|message| message.check()) {
            Err(_) => Nothing,
            Ok(Ok(())) => Fine,
            Ok(Err(defect)) => Bad(defect.status, defect.reason),
        };
        if found != read {
            faults.push(format!("{name}: the parser says {found:?}, and should say {read:?}"));
        }
        for (peer, wanted) in [("stranger", stranger), ("acme", trunk)] {
            let answers = Raw::new().statuses(peer, bytes.clone());
            let is_right = match answers[..] {
                [] => wanted.is_empty(),
                [status] => wanted.contains(&status),
                _ => false,
            };
            if !is_right {
                faults.push(format!("{name}: {peer} is answered {answers:?}, and should be {wanted:?}"));
            }
        }
    }
    let kept = std::fs::read_dir(folder_of(folder)).unwrap().count();
    assert_eq!(kept, rows.len(), "a message of {folder} has no row");
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

fn folder_of(folder: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture").join(folder)
}

/// The bytes of a message on the wire.
pub fn wire(folder: &str, name: &str) -> Bytes {
    let text = std::fs::read_to_string(folder_of(folder).join(format!("{name}.txt"))).unwrap();
    let joined =
        replaced(&text, "<allOneLine>\n", "</allOneLine>\n", |inside| (inside.replace('\n', "") + "\n").into_bytes());
    let joined = String::from_utf8(joined).unwrap().replace('\n', "\r\n");
    let mut repeated = joined;
    while let Some(at) = repeated.find("<repeat count=") {
        let (before, rest) = repeated.split_at(at);
        let (count, rest) = rest["<repeat count=".len()..].split_once('>').unwrap();
        let (inside, after) = rest.split_once("</repeat>").unwrap();
        repeated = format!("{before}{}{after}", inside.repeat(count.parse().unwrap()));
    }
    let bytes = replaced(&repeated, "<hex>", "</hex>", |inside| {
        let digits: String = inside.chars().filter(|digit| !digit.is_whitespace()).collect();
        let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
    });
    bytes.into()
}

fn replaced(text: &str, open: &str, close: &str, inside: impl Fn(&str) -> Vec<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, opened)) = rest.split_once(open) {
        let (within, after) = opened.split_once(close).unwrap();
        bytes.extend(before.as_bytes());
        bytes.extend(inside(within));
        rest = after;
    }
    bytes.extend(rest.as_bytes());
    bytes
}
