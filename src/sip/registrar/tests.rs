//! Each rule of RFC 3261 §10.3, and what random sequences must never break.

use super::*;
use crate::base::time::Wall;
use crate::sip::flow::Transport;
use crate::wire::sip::{Method, Writer};
use proptest::prelude::*;

const WALL: Wall = Wall::from_micros(1_795_251_723_000_000);

fn at(seconds: u64) -> Now {
    Now::simulated(Time::from_millis(seconds * 1_000), WALL)
}

fn flow(transport: Transport, remote: &str) -> Flow {
    Flow { transport, local: "192.0.2.1:5060".parse().unwrap(), remote: remote.parse().unwrap() }
}

fn udp(remote: &str) -> Flow {
    flow(Transport::Udp, remote)
}

/// A REGISTER with the fields given, as `Name: value` lines.
fn register(call_id: &str, cseq: u32, fields: &[&str]) -> Message {
    let mut writer = Writer::request(&Method::Register, "sip:example.net");
    if !fields.iter().any(|field| field.starts_with("Via:")) {
        writer.header(Name::Via, "SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK1");
    }
    writer.header(Name::From, "<sip:alice@example.net>;tag=1").header(Name::To, "<sip:Al%69ce@EXAMPLE.net>");
    writer.header(Name::CallId, call_id).header(Name::CSeq, format!("{cseq} REGISTER"));
    for field in fields {
        let (name, value) = field.split_once(": ").unwrap();
        writer.header_named(name, value);
    }
    Message::parse(writer.finish()).unwrap()
}

struct Desk {
    registrar: Registrar,
}

impl Desk {
    fn new() -> Desk {
        Desk { registrar: Registrar::new(RegistrarLimits { contacts: 3, bindings: 5, ..Default::default() }) }
    }

    fn ask(&mut self, seconds: u64, message: &Message) -> Outcome {
        self.registrar.register(at(seconds), "alice", message, udp("192.0.2.7:5060"))
    }

    fn uris(&self, seconds: u64) -> Vec<String> {
        self.registrar.bindings(at(seconds), "alice").into_iter().map(|binding| binding.uri).collect()
    }
}

fn values(outcome: &Outcome, name: Name) -> Vec<&str> {
    outcome.headers.iter().filter(|(found, _)| *found == name).map(|(_, value)| value.as_str()).collect()
}

/// Many NATs forget who is silent over UDP for half a minute, and few a connection.
#[test]
fn phones_that_keep_flows_are_told_how_and_how_often() {
    let contact = "Contact: <sip:a@192.0.2.7>;reg-id=1;+sip.instance=\"<urn:uuid:1>\"";
    let message = register("c", 1, &["Supported: outbound, path", "Path: <sip:192.0.2.9;lr;ob>", contact]);
    for (transport, timer, route) in [
        (Transport::Udp, "29", "<sip:192.0.2.1:5060;lr>"),
        (Transport::Tcp, "120", "<sip:192.0.2.1:5060;transport=tcp;lr>"),
        (Transport::Tls, "120", "<sip:192.0.2.1:5060;transport=tls;lr>"),
    ] {
        let outcome = Desk::new().registrar.register(at(0), "alice", &message, flow(transport, "192.0.2.9:5060"));
        assert_eq!(
            (values(&outcome, Name::FlowTimer), values(&outcome, Name::ServiceRoute)),
            (vec![timer], vec![route])
        );
    }
}

#[test]
fn an_answer_lists_every_contact_with_what_it_said() {
    let mut desk = Desk::new();
    let instance = "+sip.instance=\"<urn:uuid:1>\"";
    let contacts =
        format!("Contact: \"A\" <sip:alice@192.0.2.7;x=y>;q=0.5;expires=600;{instance};ob, <sip:a@b.example>");
    let outcome = desk.ask(0, &register("c", 1, &[&contacts, "Expires: 120"]));
    assert_eq!((outcome.status, outcome.reason), (200, ""));
    let first = format!("<sip:alice@192.0.2.7;x=y>;q=0.5;{instance};ob;expires=600");
    assert_eq!(values(&outcome, Name::Contact), ["<sip:a@b.example>;expires=120", first.as_str()]);
    assert_eq!(values(&outcome, Name::Date), ["Sat, 21 Nov 2026 09:02:03 GMT"]);
    let query = desk.ask(100, &register("other", 1, &[]));
    assert_eq!(values(&query, Name::Contact)[0], "<sip:a@b.example>;expires=20");
    assert_eq!(desk.registrar.bindings(at(0), "alice")[1].instance.as_deref(), Some("<urn:uuid:1>"));
}

#[test]
fn a_user_without_bindings_gets_an_empty_list() {
    let outcome = Desk::new().ask(0, &register("c", 1, &[]));
    assert_eq!(outcome.status, 200);
    assert!(values(&outcome, Name::Contact).is_empty());
}

#[test]
fn expiry_comes_from_the_contact_the_request_or_the_default_and_keeps_to_the_limits() {
    for (fields, granted) in [
        (&["Contact: <sip:a@b>;expires=100", "Expires: 200"][..], 100),
        (&["Contact: <sip:a@b>", "Expires: 200"], 200),
        (&["Contact: <sip:a@b>"], 3_600),
        (&["Contact: <sip:a@b>;expires=4294967296"], 7_200),
        (&["Contact: <sip:a@b>;expires=99999999999999999999"], 7_200),
        (&["Contact: <sip:a@b>;expires=soon", "Expires: 200"], 3_600),
        (&["Contact: <sip:a@b>", "Expires: never"], 3_600),
        (&["Contact: <sip:a@b>;expires=60"], 60),
    ] {
        let outcome = Desk::new().ask(0, &register("c", 1, fields));
        assert_eq!(values(&outcome, Name::Contact), [format!("<sip:a@b>;expires={granted}")], "{fields:?}");
    }
}

#[test]
fn too_brief_is_refused_as_a_whole() {
    let mut desk = Desk::new();
    let outcome = desk.ask(0, &register("c", 1, &["Contact: <sip:a@b>;expires=600, <sip:c@d>;expires=59"]));
    assert_eq!(outcome.status, 423);
    assert_eq!(values(&outcome, Name::MinExpires), ["60"]);
    assert!(desk.uris(0).is_empty());
}

#[test]
fn a_minimum_above_an_hour_does_not_refuse_an_hour() {
    let limits = RegistrarLimits { min: Duration::from_secs(5_000), ..Default::default() };
    let mut registrar = Registrar::new(limits);
    let message = register("c", 1, &["Contact: <sip:a@b>;expires=3600"]);
    assert_eq!(registrar.register(at(0), "alice", &message, udp("192.0.2.7:5060")).status, 200);
}

#[test]
fn a_star_removes_all_and_only_with_expires_0() {
    let mut desk = Desk::new();
    desk.ask(0, &register("c", 1, &["Contact: <sip:a@b>, <sip:c@d>"]));
    for fields in [
        &["Contact: *"][..],
        &["Contact: *", "Expires: 60"],
        &["Contact: *", "Expires: x"],
        &["Contact: *, <sip:a@b>", "Expires: 0"],
    ] {
        assert_eq!(desk.ask(1, &register("c", 2, fields)).status, 400, "{fields:?}");
    }
    assert_eq!(desk.uris(1).len(), 2);
    let outcome = desk.ask(1, &register("c", 2, &["Contact: *", "Expires: 0"]));
    assert_eq!((outcome.status, values(&outcome, Name::Contact).len()), (200, 0));
    assert_eq!((desk.registrar.count(), desk.registrar.poll_timeout()), (0, None));
}

#[test]
fn a_star_that_is_too_old_removes_nothing() {
    let mut desk = Desk::new();
    desk.ask(0, &register("other", 1, &["Contact: <sip:a@b>"]));
    desk.ask(0, &register("c", 5, &["Contact: <sip:c@d>"]));
    assert_eq!(desk.ask(1, &register("c", 4, &["Contact: *", "Expires: 0"])).status, 500);
    assert_eq!(desk.uris(1).len(), 2);
}

#[test]
fn an_older_or_equal_cseq_fails_as_a_whole() {
    let mut desk = Desk::new();
    desk.ask(0, &register("c", 5, &["Contact: <sip:a@b>;expires=600"]));
    for cseq in [4, 5] {
        let outcome = desk.ask(9, &register("c", cseq, &["Contact: <sip:new@b>, <sip:a@b>;expires=0"]));
        assert_eq!(outcome.status, 500);
    }
    assert_eq!(desk.uris(9), ["sip:a@b"]);
    assert_eq!(desk.registrar.bindings(at(9), "alice")[0].expires_at, Time::from_millis(600_000));
    assert_eq!(desk.ask(9, &register("c", 6, &["Contact: <sip:a@b>"])).status, 200);
    assert_eq!(desk.ask(9, &register("rebooted", 1, &["Contact: <sip:a@b>"])).status, 200);
    let bindings = desk.registrar.bindings(at(9), "alice");
    assert_eq!((bindings.len(), bindings[0].call_id.as_str(), bindings[0].cseq), (1, "rebooted", 1));
}

#[test]
fn uris_are_compared_as_the_rfc_says() {
    let mut desk = Desk::new();
    desk.ask(0, &register("c", 1, &["Contact: <sip:al%69ce@Phone.example;x=1>"]));
    desk.ask(1, &register("c", 2, &["Contact: <sip:alice@phone.EXAMPLE;x=1>"]));
    assert_eq!(desk.uris(1), ["sip:alice@phone.EXAMPLE;x=1"]);
    desk.ask(2, &register("c", 3, &["Contact: <sip:alice@phone.example:5060;x=1>"]));
    assert_eq!(desk.uris(2).len(), 2, "a port given is another than none");
}

#[test]
fn a_contact_is_removed_by_its_own_expiry_of_0() {
    let mut desk = Desk::new();
    desk.ask(0, &register("c", 1, &["Contact: <sip:a@b>, <sip:c@d>"]));
    let outcome = desk.ask(1, &register("c", 2, &["Contact: <sip:a@b>;expires=0, <sip:gone@b>;expires=0"]));
    assert_eq!(values(&outcome, Name::Contact), ["<sip:c@d>;expires=3599"]);
    let outcome = desk.ask(1, &register("c", 3, &["Contact: <sip:c@d>", "Expires: 0"]));
    assert_eq!((outcome.status, desk.registrar.count()), (200, 0));
}

#[test]
fn one_contact_twice_in_a_request_is_taken_in_order() {
    let mut desk = Desk::new();
    desk.ask(0, &register("c", 1, &["Contact: <sip:a@b>;expires=60, <sip:a@b>;expires=90"]));
    assert_eq!(desk.registrar.bindings(at(0), "alice")[0].expires_at, Time::from_millis(90_000));
    desk.ask(0, &register("c", 2, &["Contact: <sip:a@b>;expires=0, <sip:a@b>;expires=90"]));
    assert_eq!(desk.uris(0).len(), 1);
    desk.ask(0, &register("c", 3, &["Contact: <sip:x@b>, <sip:x@b>;expires=0"]));
    assert_eq!((desk.uris(0).len(), desk.registrar.count()), (1, 1));
}

#[test]
fn the_preferred_and_then_the_newest_comes_first() {
    let mut desk = Desk::new();
    desk.ask(0, &register("c", 1, &["Contact: <sip:low@b>;q=0.2, <sip:old@b>;q=0.7"]));
    desk.ask(1, &register("c", 2, &["Contact: <sip:new@b>;q=0.7"]));
    assert_eq!(desk.uris(1), ["sip:new@b", "sip:old@b", "sip:low@b"]);
}

#[test]
fn bindings_expire_with_and_without_the_timer() {
    let mut desk = Desk::new();
    desk.ask(0, &register("c", 1, &["Contact: <sip:a@b>;expires=60, <sip:c@d>;expires=90"]));
    assert_eq!(desk.registrar.poll_timeout(), Some(Time::from_millis(60_000)));
    assert_eq!(desk.uris(60), ["sip:c@d"]);
    desk.registrar.handle_timeout(at(60));
    assert_eq!(desk.registrar.count(), 1);
    while let Some(change) = desk.registrar.poll_change() {
        if let Change::Removed { binding, why, .. } = change {
            assert_eq!((binding.uri.as_str(), why), ("sip:a@b", Removal::Expired));
        }
    }
    assert_eq!(desk.ask(90, &register("c", 1, &["Contact: <sip:c@d>"])).status, 200, "what expired is forgotten");
}

#[test]
fn a_full_account_makes_room_for_an_earlier_life_of_the_same_phone_only() {
    let mut desk = Desk::new();
    let phone = |call_id, contact: &str, agent: &str| {
        register(call_id, 1, &[&format!("Contact: {contact}"), &format!("User-Agent: {agent}")])
    };
    desk.ask(0, &phone("1", "<sip:a@b>;+sip.instance=\"<urn:1>\"", "Alpha"));
    desk.ask(1, &phone("2", "<sip:c@d>", "Beta"));
    desk.ask(2, &phone("3", "<sip:e@f>", "Beta"));
    let outcome = desk.ask(3, &phone("4", "<sip:g@h>", "Gamma"));
    assert_eq!(outcome.status, 403);
    assert!(values(&outcome, Name::Warning)[0].starts_with("399 tandem \"Already 3 contacts"));
    let elsewhere = udp("192.0.2.8:5060");
    let message = phone("5", "<sip:g@h>", "Beta");
    assert_eq!(desk.registrar.register(at(3), "alice", &message, elsewhere).status, 403);
    assert_eq!(desk.ask(4, &message).status, 200);
    assert_eq!(desk.uris(4), ["sip:g@h", "sip:e@f", "sip:a@b"]);
    assert_eq!(desk.ask(5, &phone("6", "<sip:i@j>;+sip.instance=\"<urn:1>\"", "Beta")).status, 200);
    assert_eq!(desk.uris(5), ["sip:i@j", "sip:g@h", "sip:e@f"]);
    assert_eq!(desk.ask(6, &register("6", 2, &["Contact: <sip:k@l>, <sip:i@j>;expires=0"])).status, 200);
}

#[test]
fn more_contacts_than_the_limit_in_one_request_are_refused() {
    let mut desk = Desk::new();
    let message = register("c", 1, &["Contact: <sip:a@b>, <sip:c@b>, <sip:d@b>, <sip:e@b>"]);
    assert_eq!(desk.ask(0, &message).status, 403);
    assert_eq!(desk.registrar.count(), 0);
}

#[test]
fn a_full_registrar_says_when_to_come_back() {
    let mut desk = Desk::new();
    for user in ["a", "b", "c", "d", "e"] {
        let message = register(user, 1, &["Contact: <sip:a@b>"]);
        assert_eq!(desk.registrar.register(at(0), user, &message, udp("192.0.2.7:5060")).status, 200);
    }
    let outcome = desk.ask(0, &register("f", 1, &["Contact: <sip:a@b>"]));
    assert_eq!((outcome.status, values(&outcome, Name::RetryAfter)), (503, vec!["60"]));
    let message = register("a", 2, &["Contact: <sip:a@b>"]);
    let refreshed = desk.registrar.register(at(0), "a", &message, udp("192.0.2.7:5060"));
    assert_eq!(refreshed.status, 200, "who is in may refresh");
}

#[test]
fn what_is_malformed_or_unknown_is_refused() {
    for (fields, status) in [
        (&["Contact: <sip:a@b"][..], 400),
        (&["Contact: <>"], 400),
        (&["Contact: <tel:+15550100>"], 403),
        (&["Contact: <mailto:a@b>"], 403),
        (&["Require: path, nonsense", "Contact: <sip:a@b>"], 420),
    ] {
        let outcome = Desk::new().ask(0, &register("c", 1, fields));
        assert_eq!(outcome.status, status, "{fields:?}");
        if status == 420 {
            assert_eq!(values(&outcome, Name::Unsupported), ["nonsense"]);
        }
    }
    let long = format!("Contact: <sip:{}@b>", "a".repeat(2_000));
    assert_eq!(Desk::new().ask(0, &register("c", 1, &[&long])).status, 403);
    assert_eq!(Desk::new().ask(0, &register(&"c".repeat(300), 1, &["Contact: <sip:a@b>"])).status, 400);
}

#[test]
fn nat_shows_by_addresses_that_differ() {
    let behind = |via: &str, contact: &str, flow: Flow| {
        let message = register("c", 1, &[&format!("Via: {via}"), &format!("Contact: {contact}")]);
        let mut registrar = Registrar::new(RegistrarLimits::default());
        registrar.register(at(0), "alice", &message, flow);
        registrar.bindings(at(0), "alice")[0].behind_nat
    };
    let remote = || udp("192.0.2.7:5060");
    let plain = "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1";
    assert!(!behind(plain, "<sip:a@192.0.2.7>", remote()));
    assert!(behind(plain, "<sip:a@10.0.0.7>", remote()));
    assert!(behind(plain, "<sip:a@phone.example>", remote()));
    assert!(behind("SIP/2.0/UDP 10.0.0.7;branch=z9hG4bK1", "<sip:a@192.0.2.7>", remote()));
    assert!(behind("SIP/2.0/UDP 192.0.2.7:5062;branch=z9hG4bK1", "<sip:a@192.0.2.7>", remote()));
    let tcp = flow(Transport::Tcp, "192.0.2.7:40000");
    assert!(!behind("SIP/2.0/TCP 192.0.2.7:5060;branch=z9hG4bK1", "<sip:a@192.0.2.7>", tcp));
    let six = udp("[2001:db8::7]:5060");
    assert!(!behind("SIP/2.0/UDP [2001:db8::7];branch=z9hG4bK1", "<sip:a@[2001:DB8:0::7]>", six));
    let mapped = udp("[::ffff:192.0.2.7]:5060");
    assert!(!behind(plain, "<sip:a@192.0.2.7>", mapped));
}

#[test]
fn a_closed_connection_takes_those_along_to_whom_nothing_else_leads() {
    let kept = |fields: &[&str]| {
        let mut desk = Desk::new();
        desk.registrar.tell_unkept();
        let tcp = flow(Transport::Tcp, "192.0.2.7:40000");
        let outcome = desk.registrar.register(at(0), "alice", &register("c", 1, fields), tcp);
        assert_eq!(outcome.status, 200, "{fields:?}");
        let kept = desk.registrar.take_unkept(1)[0].1.len();
        desk.registrar.drop_flow(tcp);
        assert_eq!(desk.registrar.count(), kept, "what stays now stays over a restart");
        kept == 1
    };
    assert!(kept(&["Contact: <sip:a@192.0.2.7;transport=tcp>"]), "the phone listens there");
    assert!(kept(&["Contact: <sip:a@10.0.0.7>", "Supported: path", "Path: <sip:192.0.2.9;lr>"]), "a proxy does");
    assert!(!kept(&["Contact: <sip:a@10.0.0.7>"]), "behind a NAT");
    let outbound = "Contact: <sip:a@192.0.2.7>;reg-id=1;+sip.instance=\"<urn:uuid:1>\"";
    assert!(!kept(&["Supported: outbound, path", outbound]), "the phone keeps the flow");
}

#[test]
fn a_contact_whose_connection_closed_gives_way_to_another_phone() {
    let mut desk = Desk::new();
    let phone = |port: u16| {
        let contact = format!("Contact: <sip:a@192.0.2.7:{port};transport=tcp>");
        register(&port.to_string(), 1, &[&contact, "User-Agent: one"])
    };
    for port in 40_000..40_003 {
        let tcp = flow(Transport::Tcp, &format!("192.0.2.7:{port}"));
        assert_eq!(desk.registrar.register(at(0), "alice", &phone(port), tcp).status, 200);
        if port != 40_000 {
            desk.registrar.drop_flow(tcp);
        }
    }
    let desk_phone = |cseq| register("other", cseq, &["Contact: <sip:a@192.0.2.9>", "User-Agent: two"]);
    assert_eq!(desk.registrar.register(at(1), "alice", &desk_phone(1), udp("192.0.2.9:5060")).status, 200);
    let uris = desk.uris(1);
    assert_eq!(uris.len(), 3);
    let is_there = |port: u16| uris.iter().any(|uri| uri.contains(&port.to_string()));
    assert!(is_there(40_000) && !is_there(40_001) && is_there(40_002), "the oldest one that is cut off went: {uris:?}");
}

#[test]
fn a_closed_connection_takes_its_bindings_along() {
    let mut desk = Desk::new();
    let (one, two) = (flow(Transport::Tcp, "192.0.2.7:40000"), flow(Transport::Tcp, "192.0.2.7:40001"));
    desk.registrar.register(at(0), "alice", &register("c", 1, &["Contact: <sip:a@b>, <sip:c@d>"]), one);
    desk.registrar.register(at(1), "alice", &register("c", 2, &["Contact: <sip:a@b>"]), two);
    desk.registrar.drop_flow(one);
    assert_eq!(desk.uris(1), ["sip:a@b"], "it has moved to another connection");
    desk.registrar.drop_flow(two);
    assert_eq!((desk.registrar.count(), desk.registrar.poll_timeout()), (0, None));
    desk.ask(2, &register("c", 3, &["Contact: <sip:a@b>"]));
    desk.registrar.drop_flow(udp("192.0.2.7:5060"));
    assert_eq!(desk.registrar.count(), 1, "a datagram that fails says little about a phone");
    desk.registrar.forget("alice");
    assert_eq!(desk.registrar.count(), 0);
}

#[test]
fn changes_tell_what_came_and_went() {
    let mut desk = Desk::new();
    desk.ask(0, &register("c", 1, &["Contact: <sip:a@b>"]));
    desk.ask(1, &register("c", 2, &["Contact: <sip:a@b>"]));
    desk.ask(2, &register("c", 3, &["Contact: *", "Expires: 0"]));
    let added = desk.registrar.poll_change();
    assert!(matches!(added, Some(Change::Added { user, binding }) if user == "alice" && binding.id == 1));
    let removed = desk.registrar.poll_change();
    assert!(matches!(removed, Some(Change::Removed { why: Removal::Asked, binding, .. }) if binding.cseq == 2));
    assert_eq!(desk.registrar.poll_change(), None);
}

#[test]
fn the_address_of_record_is_read_from_to() {
    let aor = aor_of(&register("c", 1, &[])).unwrap();
    assert_eq!((aor.user.as_str(), aor.host.as_str()), ("Alice", "example.net"));
}

/// One step of a random history.
#[derive(Clone, Debug)]
enum Step {
    Register { call: u8, cseq: u32, contacts: Vec<(u8, Option<u32>)>, expires: Option<u32>, tcp: bool },
    Star { call: u8, cseq: u32 },
    Close,
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let expires = || prop::option::of(prop_oneof![Just(0u32), Just(30), 60u32..10_000]);
    let contacts = prop::collection::vec((0u8..6, expires()), 0..5);
    let step = prop_oneof![
        6 => (0u8..3, 1u32..20, contacts, expires(), any::<bool>()).prop_map(|(call, cseq, contacts, expires, tcp)| {
            Step::Register { call, cseq, contacts, expires, tcp }
        }),
        1 => (0u8..3, 1u32..20).prop_map(|(call, cseq)| Step::Star { call, cseq }),
        1 => Just(Step::Close),
        2 => (1u64..2_000).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..40)
}

fn check_invariants(desk: &Desk, now: Now) {
    let bindings = desk.registrar.bindings(now, "alice");
    assert!(bindings.len() <= 3, "the limit holds");
    for (i, binding) in bindings.iter().enumerate() {
        assert!(binding.expires_at > now.time && binding.expires_in(now.time) <= 7_200);
        assert!(bindings.iter().skip(i + 1).all(|other| !other.is_at(&binding.uri)), "one binding a URI");
    }
    assert!(bindings.is_sorted_by(|a, b| (a.q, a.refreshed_at) >= (b.q, b.refreshed_at)));
    let registrar = &desk.registrar;
    assert_eq!(registrar.count(), registrar.iter().count());
    assert_eq!(registrar.count(), registrar.expiry.len());
    let over_tcp = registrar.iter().filter(|(_, binding)| binding.flow.transport == Transport::Tcp).count();
    assert_eq!(over_tcp, registrar.flows.values().map(Vec::len).sum::<usize>());
    assert_eq!(registrar.count(), registrar.ways.phones());
    assert!(registrar.iter().all(|(_, binding)| registrar.is_on(binding.flow)));
}

proptest! {
    #[test]
    fn random_histories_keep_the_rules(steps in steps()) {
        let mut desk = Desk::new();
        let mut seconds = 0;
        let tcp = flow(Transport::Tcp, "192.0.2.7:40000");
        for step in steps {
            let before = desk.registrar.bindings(at(seconds), "alice");
            match step {
                Step::Wait(more) => {
                    seconds += more;
                    desk.registrar.handle_timeout(at(seconds));
                }
                Step::Close => desk.registrar.drop_flow(tcp),
                Step::Star { call, cseq } => {
                    let message = register(&call.to_string(), cseq, &["Contact: *", "Expires: 0"]);
                    let outcome = desk.ask(seconds, &message);
                    let stale = before.iter().any(|b| b.call_id == call.to_string() && b.cseq >= cseq);
                    prop_assert_eq!(outcome.status, if stale { 500 } else { 200 });
                    prop_assert_eq!(desk.uris(seconds).is_empty(), !stale || before.is_empty());
                }
                Step::Register { call, cseq, contacts, expires, tcp: over_tcp } => {
                    let contacts = contacts.iter().map(|(host, expires)| {
                        let expires = expires.map(|seconds| format!(";expires={seconds}")).unwrap_or_default();
                        format!("Contact: <sip:alice@h{host}>{expires}")
                    });
                    let fields: Vec<_> = contacts.chain(expires.map(|seconds| format!("Expires: {seconds}"))).collect();
                    let fields: Vec<_> = fields.iter().map(String::as_str).collect();
                    let message = register(&call.to_string(), cseq, &fields);
                    let from = if over_tcp { tcp } else { udp("192.0.2.7:5060") };
                    let outcome = desk.registrar.register(at(seconds), "alice", &message, from);
                    let after = desk.registrar.bindings(at(seconds), "alice");
                    if outcome.status == 200 {
                        prop_assert_eq!(values(&outcome, Name::Contact).len(), after.len());
                    } else {
                        prop_assert_eq!(&before, &after, "a refusal changes nothing");
                    }
                    for old in &before {
                        let now = after.iter().find(|now| now.id == old.id && now.call_id == old.call_id);
                        prop_assert!(now.is_none_or(|now| now.cseq >= old.cseq), "CSeq never goes back");
                    }
                }
            }
            check_invariants(&desk, at(seconds));
        }
        desk.registrar.handle_timeout(at(seconds + 7_201));
        prop_assert_eq!(desk.registrar.count(), 0);
        prop_assert_eq!(desk.registrar.poll_timeout(), None);
    }
}

#[test]
fn what_another_process_kept_is_bound_again_until_it_expires() {
    let mut desk = Desk::new();
    desk.registrar.tell_unkept();
    desk.ask(0, &register("c", 1, &["Contact: <sip:a@192.0.2.7>;q=0.5;expires=600, <sip:b@192.0.2.7>;expires=60"]));
    let tcp = flow(Transport::Tcp, "192.0.2.7:40000");
    desk.registrar.register(at(1), "alice", &register("d", 1, &["Contact: <sip:c@10.0.0.7>;expires=600"]), tcp);
    let kept = desk.registrar.take_unkept(10);
    assert_eq!(kept.len(), 1);
    let (user, bindings) = &kept[0];
    assert_eq!((user.as_str(), bindings.len()), ("alice", 2), "a connection ends with its process");
    assert!(desk.registrar.take_unkept(10).is_empty(), "nothing has changed since");
    desk.ask(2, &register("c", 2, &["Contact: <sip:a@192.0.2.7>;q=0.5;expires=600"]));
    assert_eq!(desk.registrar.take_unkept(10).len(), 1, "a refresh is a change");

    let mut later = Desk::new();
    later.registrar.tell_unkept();
    let taken: Vec<bool> =
        bindings.iter().map(|binding| later.registrar.restore(at(100), user, binding.clone())).collect();
    assert_eq!(taken, [true, false], "one of them has expired meanwhile");
    assert_eq!(later.uris(100), ["sip:a@192.0.2.7"]);
    assert!(later.registrar.poll_change().is_none() && later.registrar.take_unkept(10).is_empty());
    let old = later.ask(101, &register("c", 1, &["Contact: <sip:a@192.0.2.7>;expires=600"]));
    assert_eq!(old.status, 500, "a request from before the restart is still an old one");
    later.registrar.handle_timeout(at(600));
    assert_eq!((later.registrar.count(), later.registrar.take_unkept(10)), (0, vec![("alice".to_owned(), vec![])]));
}
