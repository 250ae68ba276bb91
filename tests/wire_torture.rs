//! The torture messages of RFC 4475: the valid ones of §3.1.1, the invalid ones of §3.1.2, and some of the following
//! sections, written down as the RFC describes them.

use bytes::Bytes;
use tandem::wire::sip::{Contacts, Defect, Message, Method, Name, ParseError, Scheme, Uri};

/// Lines as they stand below, with CRLF, and one empty line at the end of the head.
fn wire(text: &str) -> Bytes {
    text.replace('\n', "\r\n").into()
}

fn read(text: &str) -> Message {
    Message::parse(wire(text)).unwrap()
}

fn accepted(text: &str) -> Message {
    let message = read(text);
    message.check().unwrap();
    message
}

fn refused(text: &str) -> Defect {
    read(text).check().unwrap_err()
}

// §3.1.1.1
#[test]
fn wsinv_a_short_tortuous_invite() {
    let m = accepted(concat!(
        "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\n",
        "TO :\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\n",
        "from   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\n  ;\n  tag = 98asjd8\n",
        "MaX-fOrWaRdS: 0068\n",
        "Call-ID: wsinv.ndaksdj@192.0.2.1\n",
        "Content-Length   : 150\n",
        "cseq: 0009\n  INVITE\n",
        "Via  : SIP  /   2.0\n /UDP\n    192.0.2.2;branch=390skdjuw\n",
        "s :\n",
        "NewFangledHeader:   newfangled value\n continued newfangled value\n",
        "UnknownHeaderWithUnusualValue: ;;,,;;,;\n",
        "Content-Type: application/sdp\n",
        "Route:\n <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\n",
        "v:  SIP  / 2.0  / TCP     spindle.example.com   ;\n  branch  =   z9hG4bK9ikj8  ,\n",
        " SIP  /    2.0   / UDP  192.168.255.111   ; branch=\n z9hG4bK30239\n",
        "m:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =\n      newvalue ;\n  secondparam ; q = 0.33\n",
        "\n",
        "v=0\no=mhandley 29739 7272939 IN IP4 192.0.2.3\ns=-\nc=IN IP4 192.0.2.4\nt=0 0\n",
        "m=audio 49217 RTP/AVP 0 12\nm=video 3227 RTP/AVP 31\na=rtpmap:31 LPC\n",
    ));
    assert_eq!(m.request_uri(), "sip:vivekg@chair-dnrc.example.com;unknownparam");
    let to = m.to().unwrap();
    assert_eq!((to.uri(), to.tag()), ("sip:vivekg@chair-dnrc.example.com", Some("1918181833n")));
    let from = m.from().unwrap();
    assert_eq!(from.display().as_deref(), Some("J Rosenberg \\\""));
    assert_eq!((from.uri(), from.tag()), ("sip:jdrosen@example.com", Some("98asjd8")));
    assert_eq!(m.max_forwards(), Some(68));
    let cseq = m.cseq().unwrap();
    assert_eq!((cseq.number, cseq.method), (9, "INVITE"));
    let vias: Vec<_> = m.vias().map(Result::unwrap).collect();
    let hops: Vec<_> = vias.iter().map(|via| (via.transport, via.host, via.branch())).collect();
    assert_eq!(
        hops,
        [
            ("UDP", "192.0.2.2", Some("390skdjuw")),
            ("TCP", "spindle.example.com", Some("z9hG4bK9ikj8")),
            ("UDP", "192.168.255.111", Some("z9hG4bK30239")),
        ]
    );
    assert_eq!(m.header(Name::Subject), Some(""));
    assert_eq!(m.header_named("newfangledheader"), Some("newfangled value continued newfangled value"));
    let routes = m.routes().unwrap();
    assert_eq!(routes[0].parse_uri().unwrap().param("unknown-no-value"), Some(None));
    let Contacts::List(contacts) = m.contacts().unwrap() else { panic!() };
    assert_eq!(contacts[0].display().as_deref(), Some("Quoted string \"\""));
    assert_eq!((contacts[0].param("newparam"), contacts[0].q()), (Some(Some("newvalue")), Some(330)));
    assert_eq!(m.body().len(), 150);
}

// §3.1.1.2
#[test]
fn intmeth_wide_range_of_valid_characters() {
    let m = accepted(concat!(
        "!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*",
        ":&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0\n",
        "Via: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~\n",
        "To: \"BEL:\\\x07 NUL:\\\0 DEL:\\\x7f\" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>\n",
        "From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>",
        ";fromParam''~+*_!.-%=\"\u{440}\u{430}\u{431}\u{43e}\u{442}\u{430}\u{44e}\u{449}\u{438}\u{439}\";tag=_token~1'+`*%!-.\n",
        "Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{\n",
        "CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~\n",
        "Max-Forwards: 255\n",
        "extensionHeader-!.%*+_`'~: \u{ef}\u{bb}\u{bf}\u{5927}\u{505c}\u{96fb}\n",
        "Content-Length: 0\n\n",
    ));
    assert_eq!(m.to().unwrap().display().as_deref(), Some("BEL:\x07 NUL:\0 DEL:\x7f"));
    assert_eq!(m.method(), &Method::Other("!interesting-Method0123456789_*+`.%indeed'~".into()));
    let uri = Uri::parse(m.request_uri()).unwrap();
    assert_eq!(uri.user(), Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"));
    assert_eq!(uri.password(), Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"));
    assert_eq!(m.top_via().unwrap().branch(), Some("z9hG4bK-.!%66*_+`'~"));
    assert_eq!(m.from().unwrap().tag(), Some("_token~1'+`*%!-."));
    assert_eq!(m.from().unwrap().display().as_deref(), Some("token1~` token2'+_ token3*%!.-"));
    assert_eq!(m.call_id(), "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{");
}

// §3.1.1.3
#[test]
fn esc01_percent_in_users_and_values() {
    let m = accepted(concat!(
        "INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0\n",
        "To: sip:%75se%72@example.com\n",
        "From: <sip:I%20have%20spaces@example.net>;tag=938\n",
        "Max-Forwards: 87\ni: esc01.239409asdfakjkn23onasd0-3234\n",
        "CSeq: 234234 INVITE\nVia: SIP/2.0/UDP host5.example.net;branch=z9hG4bKkdjuw\n",
        "C: application/sdp\n",
        "Contact:\n  <sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>\n",
        "Content-Length: 0\n\n",
    ));
    let uri = Uri::parse(m.request_uri()).unwrap();
    assert_eq!(uri.user_decoded(), "sips:user@example.com");
    assert_eq!(m.to().unwrap().parse_uri().unwrap().user_decoded(), "user");
    assert_eq!(m.from().unwrap().parse_uri().unwrap().user_decoded(), "I have spaces");
    let contacts = m.contacts().unwrap();
    let contact = contacts.first().unwrap();
    assert_eq!(contact.uri(), "sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31");
    assert_eq!(contact.parse_uri().unwrap().param("lr"), None);
}

// §3.1.1.4
#[test]
fn escnull_escaped_nulls_in_uris() {
    let m = accepted(concat!(
        "REGISTER sip:example.com SIP/2.0\n",
        "To: sip:null-%00-null@example.com\nFrom: sip:null-%00-null@example.com;tag=839923423\n",
        "Max-Forwards: 70\nCall-ID: escnull.39203ndfvkjdasfkq3w4otrq0adsfdfnavd\nCSeq: 14398234 REGISTER\n",
        "Via: SIP/2.0/UDP host5.example.com;branch=z9hG4bKkdjuw\n",
        "Contact: <sip:%00@host5.example.com>\nContact: <sip:%00%00@host5.example.com>\nL:0\n\n",
    ));
    assert_eq!(m.from().unwrap().tag(), Some("839923423"));
    assert_eq!(m.from().unwrap().parse_uri().unwrap().user_decoded(), "null-\0-null");
    let Contacts::List(contacts) = m.contacts().unwrap() else { panic!() };
    let uris: Vec<_> = contacts.iter().map(|contact| contact.parse_uri().unwrap()).collect();
    assert!(!uris[0].equivalent(&uris[1]));
}

// §3.1.1.5
#[test]
fn esc02_a_percent_that_escapes_nothing() {
    let m = accepted(concat!(
        "RE%47IST%45R sip:registrar.example.com SIP/2.0\n",
        "To: \"%Z%45\" <sip:resource@example.com>\nFrom: \"%Z%45\" <sip:resource@example.com>;tag=f232jadfj23\n",
        "Call-ID: esc02.asdfnqwo34rq23i34jrjasdcnl23nrlknsdf\n",
        "Via: SIP/2.0/TCP host.example.com;branch=z9hG4bK209%fzsnel234\n",
        "CSeq: 29344 RE%47IST%45R\nMax-Forwards: 70\n",
        "Contact: <sip:alias1@host1.example.com>\nC%6Fntact: <sip:alias2@host2.example.com>\n",
        "Contact: <sip:alias3@host3.example.com>\nl: 0\n\n",
    ));
    assert_eq!(m.method().as_str(), "RE%47IST%45R");
    let Contacts::List(contacts) = m.contacts().unwrap() else { panic!() };
    assert_eq!(contacts.len(), 2);
    assert_eq!(m.header_named("C%6Fntact"), Some("<sip:alias2@host2.example.com>"));
    assert_eq!(m.from().unwrap().display().as_deref(), Some("%Z%45"));
}

// §3.1.1.6
#[test]
fn lwsdisp_no_space_before_the_bracket() {
    let m = accepted(concat!(
        "OPTIONS sip:user@example.com SIP/2.0\nTo: sip:user@example.com\n",
        "From: caller<sip:caller@example.com>;tag=323\nMax-Forwards: 70\n",
        "Call-ID: lwsdisp.1234abcd@funky.example.com\nCSeq: 60 OPTIONS\n",
        "Via: SIP/2.0/UDP funky.example.com;branch=z9hG4bKkdjuw\nl: 0\n\n",
    ));
    assert_eq!(m.from().unwrap().display().as_deref(), Some("caller"));
    assert_eq!(m.from().unwrap().uri(), "sip:caller@example.com");
}

// §3.1.1.7
#[test]
fn longreq_long_values() {
    let long = |letter: &str| letter.repeat(250);
    let mut text = format!(
        concat!(
            "INVITE sip:user@example.com SIP/2.0\n",
            "To: \"I have a user name of {} proportion\"<sip:user@example.com:6000;unknownparam1={};longparam{}={};",
            "shortparam;verylong{}={}>\n",
            "F: sip:{}@example.net;tag=12982424;unknownheaderparam{}={};unknownValuelessparam{}\n",
            "Call-ID: longreq.one{}longcallid\nCSeq: 3882340 INVITE\n",
            "Unknown-{}-Name: unknown-{}-value; unknown-{}-param=x\n",
        ),
        long("extreme"),
        long("v"),
        long("p"),
        long("v"),
        long("q"),
        long("w"),
        "amazinglylongcallername".repeat(5),
        long("n"),
        long("v"),
        long("n"),
        "really".repeat(20),
        "Long".repeat(30),
        "long".repeat(30),
        "long".repeat(30),
    );
    for hop in 0..33 {
        text += &format!("Via: SIP/2.0/TCP sip{hop}.example.com\n");
    }
    text += &format!("V: SIP/2.0/UDP host.example.com;received=192.0.2.5;branch=very{}longbranch\n", long("r"));
    text += &format!("Max-Forwards: 70\nContact: <sip:{}@host5.example.net>\nl: 0\n\n", long("c"));
    let m = accepted(&text);
    assert_eq!(m.from().unwrap().tag(), Some("12982424"));
    assert_eq!(m.vias().count(), 34);
    assert_eq!(m.vias().last().unwrap().unwrap().received(), Some("192.0.2.5"));
    assert_eq!(m.to().unwrap().parse_uri().unwrap().port(), Some(6000));
}

// §3.1.1.8
#[test]
fn dblreq_bytes_after_the_body() {
    let m = accepted(concat!(
        "REGISTER sip:example.com SIP/2.0\nTo: sip:j.user@example.com\nFrom: sip:j.user@example.com;tag=43251j3j324\n",
        "Max-Forwards: 8\nI: dblreq.0ha0isndaksdj99sdfafnl3lk233412\nContact: sip:j.user@host.example.com\n",
        "CSeq: 8 REGISTER\nVia: SIP/2.0/UDP 192.0.2.125;branch=z9hG4bKkdjuw23492\nContent-Length: 0\n\n\n",
        "INVITE sip:joe@example.com SIP/2.0\nt: sip:joe@example.com\n\n",
    ));
    assert_eq!(m.method(), &Method::Register);
    assert_eq!(m.call_id(), "dblreq.0ha0isndaksdj99sdfafnl3lk233412");
    assert!(m.body().is_empty());
}

// §3.1.1.9
#[test]
fn semiuri_semicolon_in_the_user() {
    let m = accepted(concat!(
        "OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0\nTo: sip:j_user@example.com\n",
        "From: sip:caller@example.org;tag=33242\nMax-Forwards: 3\nCall-ID: semiuri.0ha0isndaksdj\nCSeq: 8 OPTIONS\n",
        "Accept: application/sdp, application/pkcs7-mime,\n multipart/mixed, multipart/signed,\n message/sip, message/sipfrag\n",
        "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKkdjuw\nl: 0\n\n",
    ));
    let uri = Uri::parse(m.request_uri()).unwrap();
    assert_eq!((uri.user(), uri.host()), (Some("user;par=u%40example.net"), "example.com"));
    assert_eq!(m.from().unwrap().tag(), Some("33242"));
    assert_eq!(m.values(Name::Accept).count(), 6);
}

// §3.1.1.10
#[test]
fn transports_of_every_kind() {
    let m = accepted(concat!(
        "OPTIONS sip:user@example.com SIP/2.0\nTo: sip:user@example.com\nFrom: <sip:caller@example.com>;tag=323\n",
        "Max-Forwards: 70\nCall-ID:  transports.kijh4akdnaqjkwendsasfdj\nAccept: application/sdp\nCSeq: 60 OPTIONS\n",
        "Via: SIP/2.0/UDP t1.example.com;branch=z9hG4bKkdjuw\nVia: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKklasjdhf\n",
        "Via: SIP/2.0/TLS t3.example.com;branch=z9hG4bK2980unddj\n",
        "Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en\n",
        "Via: SIP/2.0/TCP t5.example.com;branch=z9hG4bK0a9idfnee\nl: 0\n\n",
    ));
    let transports: Vec<_> = m.vias().map(|via| via.unwrap().transport).collect();
    assert_eq!(transports, ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]);
}

// §3.1.1.11
#[test]
fn mpart01_a_body_with_nulls() {
    let mut bytes = wire(concat!(
        "MESSAGE sip:kumiko@example.org SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK-d87543-4dade06d0bdb11ee\n",
        "Max-Forwards: 70\nRoute: <sip:127.0.0.1:5080>\nIdentity: r5mwreLuyDRYBi/0TiPwEsY3rEVsk/G2WxhgTV1PF7hHuL\n",
        "Contact: <sip:fluffy@127.0.0.1:5070>\nTo: <sip:kumiko@example.org>\nFrom: <sip:fluffy@example.com>;tag=2fb0dcc9\n",
        "Call-ID: 3d9485ad0c49859b@Zmx1ZmZ5LW1hYy0xNi5sb2NhbA..\nCSeq: 1 MESSAGE\nContent-Transfer-Encoding: binary\n",
        "Content-Type: multipart/mixed;boundary=7a9cbec02ceef655\nDate: Sat, 15 Oct 2005 04:44:56 GMT\n",
        "User-Agent: SIPimp.org/0.2.5 (curses)\nContent-Length: 512\n\n",
    ))
    .to_vec();
    let body: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
    bytes.extend(&body);
    let m = Message::parse(bytes.into()).unwrap();
    m.check().unwrap();
    assert_eq!(m.body(), body);
    assert_eq!(m.content_type(), Some("multipart/mixed;boundary=7a9cbec02ceef655"));
}

// §3.1.1.12, §3.1.1.13
#[test]
fn unreason_and_noreason() {
    let m = accepted(concat!(
        "SIP/2.0 200 = 2**3 * 5**2 \u{43d}\u{43e} \u{441}\u{442}\u{43e} \u{434}\u{435}\u{432}\u{44f}\u{43d}\u{43e}\u{441}\u{442}\u{43e}\n",
        "Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923\nCall-ID: unreason.1234ksdfak3j2erwedfsASdf\n",
        "CSeq: 35 INVITE\nFrom: sip:user@example.com;tag=11141343\nTo: sip:user@example.edu;tag=2229\n",
        "Content-Length: 0\nContact: <sip:user@host198.example.com>\n\n",
    ));
    assert_eq!(
        m.reason_phrase(),
        "= 2**3 * 5**2 \u{43d}\u{43e} \u{441}\u{442}\u{43e} \u{434}\u{435}\u{432}\u{44f}\u{43d}\u{43e}\u{441}\u{442}\u{43e}"
    );
    assert_eq!((m.status(), m.method()), (200, &Method::Invite));
    assert_eq!(m.to().unwrap().tag(), Some("2229"));
    let m = accepted(concat!(
        "SIP/2.0 100 \nVia: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe\nCall-ID: noreason.asndj203insdf99223ndf\n",
        "CSeq: 35 INVITE\nFrom: <sip:user@example.com>;tag=39ansfi3\nTo: <sip:user@example.edu>;tag=902jndnke3\n",
        "Content-Length: 0\nContact: <sip:user@host105.example.com>\n\n",
    ));
    assert_eq!((m.status(), m.reason_phrase()), (100, ""));
}

/// A request in which nothing is wrong yet.
struct Request {
    line: &'static str,
    to: &'static str,
    from: &'static str,
    via: &'static str,
    cseq: &'static str,
    more: &'static str,
    body: &'static str,
}

const PLAIN: Request = Request {
    line: "INVITE sip:j.user@example.com SIP/2.0",
    to: "sip:j.user@example.com",
    from: "sip:caller@example.net;tag=134161461246",
    via: "SIP/2.0/UDP 192.0.2.15;branch=z9hG4bKkdjuw",
    cseq: "8 INVITE",
    more: "l: 0",
    body: "",
};

impl Request {
    fn text(&self) -> String {
        let Request { line, to, from, via, cseq, more, body } = self;
        format!(
            "{line}\nTo: {to}\nFrom: {from}\nMax-Forwards: 7\nCall-ID: x.0ha0isndaksdjasdf3234nas\nCSeq: {cseq}\nVia: {via}\n{more}\n\n{body}"
        )
    }
}

#[test]
fn the_plain_request_is_accepted() {
    accepted(&PLAIN.text());
}

// §3.1.2.1
#[test]
fn badinv01_extraneous_separators() {
    let d = refused(&Request { via: "SIP/2.0/UDP 192.0.2.15;;,;,,", ..PLAIN }.text());
    assert_eq!((d.status, d.reason), (400, "Bad Via"));
    let d = refused(&Request { more: "Contact: \"Joe\" <sip:joe@example.org>;;;;,,;;\nl: 0", ..PLAIN }.text());
    assert_eq!((d.status, d.reason), (400, "Bad Contact"));
}

// §3.1.2.2, §3.1.2.3
#[test]
fn clerr_and_ncl_content_length_too_large_or_negative() {
    let d = refused(&Request { more: "Content-Length: 9999", body: "v=0\n", ..PLAIN }.text());
    assert_eq!((d.status, d.reason), (400, "Bad Content-Length"));
    let d = refused(&Request { more: "Content-Length: -999", body: "v=0\n", ..PLAIN }.text());
    assert_eq!((d.status, d.reason), (400, "Bad Content-Length"));
}

// §3.1.2.4
#[test]
fn scalar02_numbers_out_of_range() {
    let d = refused(&Request { cseq: "36893488147419103232 INVITE", ..PLAIN }.text());
    assert_eq!((d.status, d.reason), (400, "Bad CSeq"));
    let m = accepted(
        &Request { more: "Expires: 10000000000000000000\nContact: <sip:a@b>;expires=280297596632815\nl: 0", ..PLAIN }
            .text(),
    );
    assert_eq!(m.expires(), Some(u32::MAX));
    assert_eq!(m.contacts().unwrap().first().unwrap().expires(), Some(u32::MAX));
}

// §3.1.2.5
#[test]
fn scalarlg_numbers_out_of_range_in_a_response() {
    let text = |cseq| {
        format!(
            concat!(
                "SIP/2.0 503 Service Unavailable\nVia: SIP/2.0/TCP host129.example.com;branch=z9hG4bKzzxdiwo34sw\n",
                "To: <sip:user@example.com>\nFrom: <sip:other@example.net>;tag=2easdjfejw\nCSeq: {} OPTIONS\n",
                "Call-ID: scalarlg.noase0of0234hn2qofoaf0232aewf2394r\nRetry-After: 949302838503028349304023988\n",
                "Warning: 1812 overture \"In Progress\"\nContent-Length: 0\n\n"
            ),
            cseq
        )
    };
    assert_eq!(refused(&text("9292394834772304023312")).reason, "Bad CSeq");
    accepted(&text("2147483647"));
    assert_eq!(refused(&text("2147483648")).reason, "Bad CSeq");
}

// §3.1.2.6
#[test]
fn quotbal_an_open_quote_in_a_display_name() {
    let d = refused(&Request { to: "\"Mr. J. User <sip:j.user@example.com>", ..PLAIN }.text());
    assert_eq!((d.status, d.reason), (400, "Bad To"));
}

// §3.1.2.7
#[test]
fn ltgtruri_brackets_around_the_request_uri() {
    let d = refused(&Request { line: "INVITE <sip:user@example.com> SIP/2.0", ..PLAIN }.text());
    assert_eq!((d.status, d.reason), (400, "Bad Request-URI"));
}

// §3.1.2.8, §3.1.2.9, §3.1.2.10
#[test]
fn lwsruri_lwsstart_trws_white_space_in_the_request_line() {
    for line in
        ["INVITE sip:user@example.com; lr SIP/2.0", "INVITE  sip:user@example.com  SIP/2.0", "INVITE sip:a@b@c SIP/2.0"]
    {
        let outcome = read(&Request { line, ..PLAIN }.text()).check();
        // More than one space around the URI is harmless, and taken.
        assert_eq!(outcome.is_err(), !line.contains("  "), "{line}");
    }
    let message = read(&Request { line: "INVITE sip:user@example.com SIP/2.0  ", ..PLAIN }.text());
    assert_eq!(message.version(), "SIP/2.0");
}

// §3.1.2.11
#[test]
fn escruri_escaped_headers_in_the_request_uri_are_left_to_the_user_agent() {
    let line = "INVITE sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0";
    let m = accepted(&Request { line, ..PLAIN }.text());
    assert_eq!(Uri::parse(m.request_uri()).unwrap().headers(), Some("Route=%3Csip:example.com%3E"));
}

// §3.1.2.12
#[test]
fn baddate_is_no_defect() {
    let m = accepted(&Request { more: "Date: Fri, 01 Jan 2010 16:00:00 EST\nl: 0", ..PLAIN }.text());
    assert_eq!(m.header(Name::Date), Some("Fri, 01 Jan 2010 16:00:00 EST"));
}

// §3.1.2.13
#[test]
fn regbadct_a_contact_with_headers_but_no_brackets() {
    let text = Request {
        line: "REGISTER sip:example.com SIP/2.0",
        cseq: "7 REGISTER",
        more: "Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E\nl: 0",
        ..PLAIN
    };
    let d = refused(&text.text());
    assert_eq!((d.status, d.reason), (400, "Bad Contact"));
}

// §3.1.2.14
#[test]
fn badaspec_spaces_around_a_uri_are_taken() {
    let m = accepted(&Request { to: "\"Watson, Thomas\" < sip:t.watson@example.org >", ..PLAIN }.text());
    assert_eq!(m.to().unwrap().uri(), "sip:t.watson@example.org");
}

// §3.1.2.15
#[test]
fn baddn_a_comma_in_a_bare_display_name_is_taken() {
    let m = accepted(&Request { from: "Bell, Alexander <sip:a.g.bell@example.com>;tag=43", ..PLAIN }.text());
    assert_eq!(m.from().unwrap().uri(), "sip:a.g.bell@example.com");
    assert_eq!(m.from().unwrap().tag(), Some("43"));
}

// §3.1.2.16
#[test]
fn badvers_an_unknown_version() {
    let d = refused(&Request { line: "INVITE sip:t.watson@example.org SIP/7.0", ..PLAIN }.text());
    assert_eq!(d.status, 505);
}

// §3.1.2.17, §3.1.2.18
#[test]
fn mismatch01_mismatch02_method_and_cseq_differ() {
    let d = refused(&Request { line: "OPTIONS sip:user@example.com SIP/2.0", ..PLAIN }.text());
    assert_eq!((d.status, d.reason), (400, "CSeq Method Mismatch"));
    let d = refused(&Request { line: "NEWMETHOD sip:user@example.com SIP/2.0", ..PLAIN }.text());
    assert_eq!((d.status, d.reason), (400, "CSeq Method Mismatch"));
}

// §3.1.2.19
#[test]
fn bigcode_a_status_beyond_all_bounds() {
    let text = "SIP/2.0 4294967301 better not break the receiver\nCSeq: 353494 INVITE\n\n";
    assert_eq!(Message::parse(wire(text)).unwrap_err(), ParseError::Status);
}

// §3.3.1
#[test]
fn insuf_missing_header_fields() {
    let d = refused(
        "INVITE sip:user@example.com SIP/2.0\nCSeq: 193942 INVITE\nVia: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf\nl: 0\n\n",
    );
    assert_eq!((d.status, d.reason), (400, "Missing From"));
}

// §3.3.2, §3.3.3, §3.3.4
#[test]
fn unkscm_novelsc_unksm2_schemes() {
    let d = refused(&Request { line: "INVITE nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0", ..PLAIN }.text());
    assert_eq!(d.status, 416);
    let d = refused(&Request { line: "INVITE soap.beep://192.0.2.103:3002 SIP/2.0", ..PLAIN }.text());
    assert_eq!(d.status, 416);
    let m = accepted(&Request { to: "isbn:2983792873", from: "<http://www.example.com>;tag=3234233", ..PLAIN }.text());
    assert_eq!(m.to().unwrap().parse_uri().unwrap().scheme, Scheme::Other);
}

// §3.3.8
#[test]
fn multi01_single_header_fields_that_stand_twice() {
    for more in ["From: <sip:b@c>;tag=1\nl: 0", "CSeq: 9 INVITE\nl: 0", "i: y\nl: 0", "To: <sip:b@c>\nl: 0"] {
        let d = refused(&Request { more, ..PLAIN }.text());
        assert_eq!((d.status, d.reason), (400, "Duplicate Header Field"), "{more}");
    }
}

// §3.3.9
#[test]
fn mcl01_different_content_lengths() {
    let d = refused(&Request { more: "Content-Length: 3\nContent-Length: 2", body: "abc", ..PLAIN }.text());
    assert_eq!((d.status, d.reason), (400, "Bad Content-Length"));
    accepted(&Request { more: "Content-Length: 3\nl: 3", body: "abc", ..PLAIN }.text());
}

// §3.3.10
#[test]
fn bcast_a_response_whose_via_names_another() {
    let m = accepted(concat!(
        "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923\n",
        "Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23\nCall-ID: bcast.0384840201234ksdfak3j2erwedfsASdf\n",
        "CSeq: 35 INVITE\nFrom: sip:user@example.com;tag=11141343\nTo: sip:user@example.edu;tag=2229\n",
        "Content-Length: 154\nContent-Type: application/sdp\nContact: <sip:user@host28.example.com>\n\n",
        "v=0\no=mhandley 29739 7272939 IN IP4 192.0.2.198\ns=-\nc=IN IP4 192.0.2.198\nt=0 0\n",
        "m=audio 49217 RTP/AVP 0 12\nm=video 3227 RTP/AVP 31\na=rtpmap:31 LPC\n",
    ));
    assert_eq!(m.vias().count(), 2);
}

// §3.3.13
#[test]
fn cparam_parameters_inside_and_outside_of_brackets() {
    let m = accepted(&Request { more: "Contact: sip:+19725552222@gw1.example.net;unknownparam\nl: 0", ..PLAIN }.text());
    let contacts = m.contacts().unwrap();
    assert_eq!(contacts.first().unwrap().uri(), "sip:+19725552222@gw1.example.net");
    assert_eq!(contacts.first().unwrap().param("unknownparam"), Some(None));
    let m =
        accepted(&Request { more: "Contact: <sip:+19725552222@gw1.example.net;unknownparam>\nl: 0", ..PLAIN }.text());
    assert_eq!(m.contacts().unwrap().first().unwrap().param("unknownparam"), None);
}

// §3.4.1
#[test]
fn inv2543_an_invite_of_the_old_days() {
    let m = accepted(concat!(
        "INVITE sip:UserB@example.com SIP/2.0\nVia: SIP/2.0/UDP iftgw.example.com\nFrom: <sip:+13035551111@ift.client.example.net;user=phone>\n",
        "Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>\nTo: sip:+16505552222@ss1.example.net;user=phone\n",
        "Call-ID: inv2543.1717@ift.client.example.com\nCSeq: 56 INVITE\nContent-Type: application/sdp\n\n",
        "v=0\no=mhandley 29739 7272939 IN IP4 192.0.2.5\ns=-\nc=IN IP4 192.0.2.5\nt=0 0\nm=audio 49217 RTP/AVP 0\n",
    ));
    assert_eq!(m.from().unwrap().tag(), None);
    assert_eq!(m.max_forwards(), None);
    assert!(m.body().starts_with(b"v=0"));
    assert!(m.body().ends_with(b"RTP/AVP 0\r\n"));
}
