//! Phones behind proxies, with several flows, and addresses of one phone (RFC 3327, RFC 3608, RFC 5626, RFC 5627).

use crate::ladder::{play, play_in};
use crate::raw::{Raw, request, signed};
use tandem::wire::sip::{Message, Name};

const OURS: &str = "sip:tandem.local";
const FIRST: &str = "+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000a95a0e128>\"";
const SECOND: &str = "+sip.instance=\"<urn:uuid:11111111-0000-1000-8000-000a95a0e128>\"";

#[test]
fn calls_go_through_the_proxies_that_a_phone_registered_by() {
    play(
        "
        alice -> tandem REGISTER
        tandem -> alice 401
        alice -> tandem REGISTER (auth | Supported: path | Path: <sip:192.0.2.11:5060;lr>)
        tandem -> alice 200 [Path: <sip:192.0.2.11:5060;lr> | Service-Route: <sip:192.0.2.1:5060;lr> | Supported ~ path]
        bob calls alice (sdp PCMU)
        tandem -> alice INVITE [Route: <sip:192.0.2.11:5060;lr>]
        alice -> tandem 486
        tandem -> bob 486
        alice -> tandem REGISTER (auth | Path: <mailto:x@y>)
        tandem -> alice 400
        ",
    );
}

#[test]
fn of_several_flows_of_one_phone_the_latest_rings() {
    play(
        "
        alice -> tandem REGISTER
        tandem -> alice 401
        alice -> tandem REGISTER (auth | Supported: path, outbound | Contact: <sip:a@192.0.2.11;ob>;reg-id=1;+sip.instance=\"<urn:uuid:1>\")
        tandem -> alice 200 [Require: outbound | Flow-Timer: 29 | Contact ~ reg-id=1 | no Service-Route]
        wait 1s
        alice2 -> tandem REGISTER
        tandem -> alice2 401
        alice2 -> tandem REGISTER (auth | Supported: path, outbound | Contact: <sip:a@192.0.2.12;ob>;reg-id=2;+sip.instance=\"<urn:uuid:1>\")
        tandem -> alice2 200 [Contact ~ reg-id=1 | Contact ~ reg-id=2]
        bob calls alice (sdp PCMU)
        tandem -> alice2 INVITE
        quiet alice
        alice2 -> tandem 486
        tandem -> bob 486
        ",
    );
}

/// Bob's phone keeps two flows, the later one from bob2's address.
const TWO_FLOWS: &str = "
    bob -> tandem REGISTER
    tandem -> bob 401
    bob -> tandem REGISTER (auth | Supported: path, outbound | Contact: <sip:a@192.0.2.21;ob>;reg-id=1;+sip.instance=\"<urn:uuid:1>\")
    tandem -> bob 200
    wait 1s
    bob2 -> tandem REGISTER
    tandem -> bob2 401
    bob2 -> tandem REGISTER (auth | Supported: path, outbound | Contact: <sip:a@192.0.2.22;ob>;reg-id=2;+sip.instance=\"<urn:uuid:1>\")
    tandem -> bob2 200
";

#[test]
fn when_a_flow_has_failed_the_next_one_of_that_phone_rings() {
    let silence = ("wait 5100ms\ntandem -> bob2 INVITE x3", "tandem -> bob2 INVITE x3");
    for (failure, later) in [("bob2 -> tandem 430", ""), ("bob2 is gone", ""), silence] {
        let ladder = format!(
            "{TWO_FLOWS}
            alice calls bob (sdp PCMU)
            tandem -> bob2 INVITE [uri sip:a@192.0.2.22;ob]
            quiet bob
            {failure}
            tandem -> bob INVITE [uri sip:a@192.0.2.21;ob]
            bob -> tandem 180
            tandem -> alice 180
            wait 8s
            bob -> tandem 200 (sdp PCMU)
            tandem -> bob ACK
            tandem -> alice 200
            alice -> tandem ACK
            alice -> tandem BYE
            tandem -> alice 200
            tandem -> bob BYE
            bob -> tandem 200
            record [legs 3 | leg 2 user:bob 200]
            wait 40s
            {later}
            "
        );
        play(&ladder);
    }
}

#[test]
fn what_a_phone_answers_by_one_flow_is_not_asked_again_by_another() {
    for status in [404, 480, 486, 603] {
        play(&format!(
            "{TWO_FLOWS}
            alice calls bob (sdp PCMU)
            tandem -> bob2 INVITE
            bob2 -> tandem {status}
            tandem -> alice {status}
            quiet bob
            "
        ));
    }
}

#[test]
fn the_next_flow_is_tried_while_another_phone_rings() {
    play(&format!(
        "{TWO_FLOWS}
        bob3 -> tandem REGISTER
        tandem -> bob3 401
        bob3 -> tandem REGISTER (auth)
        tandem -> bob3 200
        alice calls bob (sdp PCMU)
        tandem -> bob2 INVITE
        tandem -> bob3 INVITE
        bob3 -> tandem 180
        tandem -> alice 180
        bob2 -> tandem 430
        tandem -> bob INVITE
        bob -> tandem 486
        bob3 -> tandem 486
        tandem -> alice 486
        "
    ));
}

#[test]
fn a_text_goes_by_the_next_flow_where_one_has_failed() {
    for failure in ["bob2 -> tandem 430", "bob2 is gone"] {
        play(&format!(
            "{TWO_FLOWS}
            alice -> tandem MESSAGE bob (type: text/plain | body: hi)
            tandem -> alice 401
            alice -> tandem MESSAGE bob (auth | type: text/plain | body: hi)
            tandem -> bob2 MESSAGE [body hi]
            {failure}
            tandem -> bob MESSAGE [uri sip:a@192.0.2.21;ob | body hi]
            bob -> tandem 200
            tandem -> alice 200
            letters 0
            "
        ));
    }
}

#[test]
fn a_first_hop_that_keeps_no_flow_is_refused() {
    play(
        "
        alice -> tandem REGISTER
        tandem -> alice 401
        alice -> tandem REGISTER (auth | Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx | Supported: outbound | Contact: <sip:a@10.0.0.1>;reg-id=1;+sip.instance=\"<urn:uuid:1>\")
        tandem -> alice 439
        alice -> tandem REGISTER (auth | Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKy | Path: <sip:192.0.2.11;lr;ob> | Supported: outbound | Contact: <sip:a@10.0.0.1>;reg-id=1;+sip.instance=\"<urn:uuid:1>\")
        tandem -> alice 200 [Require: outbound]
        ",
    );
}

#[test]
fn what_a_registration_may_require() {
    play(
        "
        alice -> tandem REGISTER
        tandem -> alice 401
        alice -> tandem REGISTER (auth | Require: path, gruu, nonsense)
        tandem -> alice 420 [Unsupported: nonsense]
        alice -> tandem REGISTER (auth | Require: path, gruu)
        tandem -> alice 200
        alice -> tandem OPTIONS tandem (Require: path)
        tandem -> alice 420 [Unsupported: path]
        ",
    );
}

/// A phone at a peer's address, registered with what its Contact says; the 200.
fn register(raw: &mut Raw, peer: &str, number: usize, contact: &str, more: &str) -> Message {
    let from = "sip:alice@tandem.local";
    let challenge = raw.ask(peer, request("REGISTER", OURS, from, number, "")).pop().unwrap();
    let line = signed(&challenge, "alice", "alice-password", "REGISTER", OURS, 1);
    let text = request("REGISTER", OURS, from, number + 1, &format!("{more}{line}"));
    raw.ask(peer, text.replace("<sip:raw@203.0.113.9>", contact)).pop().unwrap()
}

/// Who rings when bob calls a URI, and what he is told at once.
fn call(raw: &mut Raw, uri: &str, number: usize) -> (Vec<String>, Vec<u16>) {
    let from = "sip:bob@tandem.local";
    let challenge = raw.ask("bob", request("INVITE", uri, from, number, "")).pop().unwrap();
    let line = signed(&challenge, "bob", "bob-password", "INVITE", uri, 1);
    let before = raw.sent.len();
    let answers = raw.ask("bob", request("INVITE", uri, from, number + 1, &line));
    let rung = raw.sent[before..].iter().filter(|(_, bytes)| bytes.starts_with(b"INVITE"));
    let rung = rung.map(|(flow, _)| flow.remote.to_string()).collect();
    (rung, answers.iter().map(Message::status).filter(|&status| status >= 200).collect())
}

/// The value of a parameter of a phone's own contact.
fn given(answer: &Message, contact: &str, name: &str) -> String {
    let fields = answer.fields().filter(|field| field.kind() == Name::Contact);
    let mut own = fields.filter(|field| field.value().contains(contact));
    let value = own.next().unwrap().value().to_owned();
    value.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap().to_owned()
}

#[test]
fn an_address_of_one_phone_rings_that_phone_only() {
    let mut raw = Raw::new();
    let supported = "Supported: gruu\r\n";
    let one = register(&mut raw, "alice", 1, &format!("<sip:a@192.0.2.11>;{FIRST}"), supported);
    register(&mut raw, "alice2", 3, &format!("<sip:a@192.0.2.12>;{SECOND}"), supported);
    let (public, temporary) = (given(&one, "192.0.2.11", "pub-gruu"), given(&one, "192.0.2.11", "temp-gruu"));
    assert_eq!(public, "sip:alice@tandem.local;gr=urn:uuid:00000000-0000-1000-8000-000a95a0e128");
    assert!(!temporary.contains("alice"));
    let (mut both, _) = call(&mut raw, "sip:alice@tandem.local", 10);
    both.sort();
    assert_eq!(both, ["192.0.2.11:5060", "192.0.2.12:5060"]);
    for (number, uri) in [&public, &temporary].into_iter().enumerate() {
        assert_eq!(call(&mut raw, uri, 20 + 2 * number), (vec!["192.0.2.11:5060".to_owned()], vec![]), "{uri}");
    }
    let again = register(&mut raw, "alice", 30, &format!("<sip:a@192.0.2.11>;{FIRST}"), supported);
    assert_ne!(given(&again, "192.0.2.11", "temp-gruu"), temporary, "a new one each time");
    // The Call-ID was another: what was given out before leads nowhere.
    assert_eq!(call(&mut raw, &temporary, 40), (vec![], vec![404]));
    register(&mut raw, "alice", 50, &format!("<sip:a@192.0.2.11>;{FIRST};expires=0"), supported);
    assert_eq!(call(&mut raw, &public, 60), (vec![], vec![480]));
    let plain = register(&mut raw, "alice", 70, &format!("<sip:a@192.0.2.11>;{FIRST}"), "");
    assert!(!plain.to_string().contains("gruu="), "only whoever knows of it is told");
}

#[test]
fn a_flow_takes_the_place_of_itself_before() {
    let mut raw = Raw::new();
    let supported = "Supported: outbound\r\n";
    for port in 1_000..1_020 {
        let contact = format!("<sip:a@192.0.2.11:{port}>;reg-id=1;{FIRST}");
        assert_eq!(register(&mut raw, "alice", 2 * port, &contact, supported).status(), 200);
    }
    assert_eq!(raw.world.switch.counts().registrations, 1);
    register(&mut raw, "alice", 5_000, &format!("<sip:a@192.0.2.11>;reg-id=2;{FIRST}"), supported);
    assert_eq!(raw.world.switch.counts().registrations, 2);
    // Without the option a `reg-id` means nothing.
    register(&mut raw, "alice", 5_002, &format!("<sip:b@192.0.2.11>;reg-id=2;{FIRST}"), "");
    assert_eq!(raw.world.switch.counts().registrations, 3);
}

/// The address names a phone of bob's (RFC 5627 §5.1), and none of whom bob sends the call on to.
#[test]
fn a_call_to_one_phone_is_forwarded_and_goes_on() {
    let plan = "[[rule]]\nname = \"Bob, then carol\"\nnumber = \"bob\"\nto = [{ user = \"bob\" }, { user = \"carol\" }]\n\
                [[rule]]\nname = \"People\"\ndialled = \"user\"\nto = [{ user = \"{user}\" }]\n";
    play_in(
        |setting| setting.plan = plan.to_owned(),
        "
        bob registers
        bob2 -> tandem REGISTER
        tandem -> bob2 401
        bob2 -> tandem REGISTER (auth | Contact: <sip:secretof-bob2-x@192.0.2.22:5060>;+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>\" | Supported: gruu)
        tandem -> bob2 200
        carol registers
        alice calls sip:bob@tandem.local;gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6 (sdp PCMU)
        tandem -> bob2 INVITE
        quiet bob
        bob2 -> tandem 503
        tandem -> carol INVITE
        carol -> tandem 486
        tandem -> alice 486
        bob forwards always to carol
        alice calls sip:bob@tandem.local;gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6 (sdp PCMU)
        tandem -> alice 181
        tandem -> carol INVITE
        carol -> tandem 486
        tandem -> alice 486
        ",
    );
}
