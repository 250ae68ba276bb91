//! Trunks that are found by DNS: servers in their order, the next one where one fails, and names whose answers change.

use crate::ladder::play_in;
use crate::world::Setting;
use std::time::Duration;

/// Acme has two servers, and a third as a reserve over TCP.
fn by_name(setting: &mut Setting) {
    setting.trunk("acme").host = "acme.example".to_owned();
    setting.dns = "
        acme.example NAPTR 10 10 s SIP+D2U _sip._udp.acme.example
        acme.example NAPTR 10 20 s SIP+D2T _sip._tcp.acme.example
        _sip._udp.acme.example SRV 10 0 5060 one.acme.example
        _sip._udp.acme.example SRV 20 0 5060 two.acme.example
        _sip._tcp.acme.example SRV 10 0 5060 reserve.acme.example
        one.acme.example A 198.51.100.11
        two.acme.example A 198.51.100.21
        reserve.acme.example A 198.51.100.23
    "
    .to_owned();
}

#[test]
fn a_call_tries_the_servers_in_their_order() {
    play_in(
        by_name,
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE [uri sip:+14155550100@acme.example]
        acme -> tandem 503
        tandem -> acme2 INVITE [uri sip:+14155550100@acme.example | Max-Forwards: 69]
        wait 5s
        tandem -> acme2 INVITE x3
        tandem -> acme4 INVITE [Via ~ SIP/2.0/TCP]
        trunk acme [up | out udp:198.51.100.11:5060 | out udp:198.51.100.21:5060 | in tcp:198.51.100.23:5060]
        acme4 -> tandem 200 (sdp PCMU)
        tandem -> acme4 ACK
        tandem -> alice 200
        alice -> tandem ACK
        quiet globex
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> acme4 BYE
        acme4 -> tandem 200
        record [legs 4 | leg 1 trunk:acme 503 | leg 2 trunk:acme 408 | leg 3 trunk:acme 200]
        wait 40s
        tandem -> acme2 INVITE x3
        ",
    );
}

#[test]
fn an_answer_that_is_meant_is_not_taken_elsewhere() {
    play_in(
        by_name,
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem 486
        tandem -> alice 486
        quiet acme2
        alice -> tandem INVITE +14155550100 (auth | sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem 500
        tandem -> globex INVITE
        globex -> tandem 486
        tandem -> alice 486
        quiet acme2
        ",
    );
}

#[test]
fn a_server_that_failed_is_left_alone_for_a_while() {
    play_in(
        by_name,
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE
        acme is gone
        tandem -> acme2 INVITE
        acme2 -> tandem 486
        tandem -> alice 486
        alice -> tandem INVITE +14155550100 (auth | sdp PCMU)
        tandem -> acme2 INVITE
        acme2 -> tandem 486
        tandem -> alice 486
        wait 40s
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn retry_after_is_kept_to() {
    play_in(
        by_name,
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem 503 (Retry-After: 120)
        tandem -> acme2 INVITE
        acme2 -> tandem 486
        tandem -> alice 486
        wait 115s
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme2 INVITE
        acme2 -> tandem 486
        tandem -> alice 486
        wait 10s
        alice -> tandem INVITE +14155550100 (auth | sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn a_trunk_whose_servers_are_all_busy_is_passed_over_and_refuses_at_last() {
    play_in(
        |_| (),
        "
        alice calls +15550190001 (sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem 503 (Retry-After: 60)
        tandem -> alice 500
        alice -> tandem INVITE +14155550100 (auth | sdp PCMU)
        tandem -> globex INVITE
        globex -> tandem 486
        tandem -> alice 486
        alice -> tandem INVITE +15550190001 (auth | sdp PCMU)
        tandem -> alice 503
        record [by gateway | cause Trunk Busy]
        quiet acme
        ",
    );
}

#[test]
fn a_call_tries_so_many_addresses_and_no_more() {
    play_in(
        |setting| {
            by_name(setting);
            setting.settings.limits.addresses = 2;
        },
        "
        alice calls +15550190001 (sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem 503
        tandem -> acme2 INVITE
        acme2 -> tandem 503
        tandem -> alice 500
        quiet acme4
        ",
    );
}

#[test]
fn servers_come_and_go() {
    play_in(
        by_name,
        "
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem 486
        tandem -> alice 486
        dns forgets _sip._udp.acme.example
        dns _sip._udp.acme.example SRV 10 0 5060 three.acme.example
        dns three.acme.example A 198.51.100.22
        wait 25s
        alice -> tandem INVITE +14155550100 (auth | sdp PCMU)
        tandem -> acme3 INVITE
        acme3 -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn the_last_good_answer_is_used_while_dns_is_silent() {
    play_in(
        by_name,
        "
        dns is silent
        wait 50m
        trunk acme [up | not found | state known by its address; where it was, since DNS fails: _sip._udp.acme.example: no answer]
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem 486
        tandem -> alice 486
        wait 15m
        alice calls +15550190001 (sdp PCMU)
        tandem -> alice 503
        record [by gateway | cause Trunk Not Found]
        trunk acme [down | not found | state not found: _sip._udp.acme.example: no answer]
        dns answers again
        wait 10s
        alice -> tandem INVITE +15550190001 (auth | sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn a_carrier_calls_from_all_of_its_addresses_also_from_those_that_it_had() {
    let incoming = |peer: &str| {
        format!(
            "
            {peer} -> tandem INVITE sip:+15550100001@192.0.2.1 (sdp PCMA | From: <sip:+14155550100@acme.example>)
            tandem -> alice INVITE
            alice -> tandem 486
            tandem -> {peer} 486
            record [caller trunk:acme]
            "
        )
    };
    let ladder = format!(
        "
        alice registers
        {}
        {}
        acme3 -> tandem INVITE sip:+15550100001@192.0.2.1 (sdp PCMA | From: <sip:+14155550100@acme.example>)
        tandem -> acme3 401
        dns forgets _sip._udp.acme.example
        dns _sip._udp.acme.example SRV 10 0 5060 three.acme.example
        dns three.acme.example A 198.51.100.22
        wait 25s
        {}
        {}
        ",
        incoming("acme"),
        incoming("acme2"),
        incoming("acme3"),
        incoming("acme2"),
    );
    play_in(by_name, &ladder);
}

fn registering(setting: &mut Setting) {
    by_name(setting);
    setting.account_at_acme();
    setting.trunk("acme").register = true;
}

#[test]
fn a_registration_moves_on_to_the_next_server_and_back() {
    play_in(
        registering,
        "
        tandem -> acme REGISTER [uri sip:acme.example]
        acme -> tandem 503
        wait 5s
        tandem -> acme2 REGISTER x+
        tandem -> acme4 REGISTER [Contact ~ transport=tcp]
        acme4 -> tandem 200 (Contact: <sip:4711@192.0.2.1:5060;transport=tcp>;expires=60)
        wait for acme
        tandem -> acme REGISTER
        acme -> tandem 200 (Contact: <sip:4711@192.0.2.1:5060>;expires=3600)
        end all
        tandem -> acme REGISTER [Expires: 0]
        acme -> tandem 200
        ",
    );
}

#[test]
fn a_registrar_that_is_gone_from_dns_is_left() {
    play_in(
        registering,
        "
        tandem -> acme REGISTER
        acme -> tandem 200 (Contact: <sip:4711@192.0.2.1:5060>;expires=3600)
        dns forgets _sip._udp.acme.example
        dns _sip._udp.acme.example SRV 10 0 5060 three.acme.example
        dns three.acme.example A 198.51.100.22
        wait for acme3
        tandem -> acme3 REGISTER
        acme3 -> tandem 200 (Contact: <sip:4711@192.0.2.1:5060>;expires=3600)
        end all
        tandem -> acme3 REGISTER [Expires: 0]
        acme3 -> tandem 200
        ",
    );
}

#[test]
fn options_go_to_the_next_server_before_a_trunk_is_down() {
    play_in(
        |setting| {
            by_name(setting);
            setting.settings.trunks.retain(|trunk| trunk.name == "acme");
            setting.plan = "[[rule]]\nname = \"Out\"\nnumber = \"+.\"\nto = [{ trunk = \"acme\" }]\n".to_owned();
            setting.settings.sip.options_interval = Duration::from_secs(3_000);
        },
        "
        wait for acme
        tandem -> acme OPTIONS [uri sip:acme.example]
        acme -> tandem 503
        tandem -> acme2 OPTIONS
        acme2 -> tandem 200
        alice calls +14155550100 (sdp PCMU)
        tandem -> acme2 INVITE
        acme2 -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn a_text_tries_the_servers_in_their_order_as_a_call_does() {
    play_in(
        by_name,
        "
        alice -> tandem MESSAGE +14155550100 (type: text/plain | body: hi)
        tandem -> alice 401
        alice -> tandem MESSAGE +14155550100 (auth | type: text/plain | body: hi)
        tandem -> acme MESSAGE [uri sip:+14155550100@acme.example | body hi]
        acme -> tandem 503
        tandem -> acme2 MESSAGE [uri sip:+14155550100@acme.example | body hi]
        wait 5100ms
        tandem -> acme2 MESSAGE x3
        tandem -> acme4 MESSAGE [Via ~ SIP/2.0/TCP | body hi]
        acme4 -> tandem 200
        tandem -> alice 200
        alice -> tandem MESSAGE +14155550100 (auth | type: text/plain | body: more)
        tandem -> acme4 MESSAGE [body more]
        acme4 -> tandem 488
        quiet acme acme2
        tandem -> globex MESSAGE
        globex -> tandem 488
        tandem -> alice 488
        ",
    );
}

#[test]
fn a_text_is_signed_for_each_server_of_a_trunk() {
    play_in(
        |setting| {
            by_name(setting);
            setting.account_at_acme();
            setting.trunk("acme").register = false;
        },
        "
        alice -> tandem MESSAGE +14155550100 (type: text/plain | body: hi)
        tandem -> alice 401
        alice -> tandem MESSAGE +14155550100 (auth | type: text/plain | body: hi)
        tandem -> acme MESSAGE [no Authorization]
        acme -> tandem 401 (WWW-Authenticate: Digest realm=\"acme\", nonce=\"n\", qop=\"auth\", algorithm=MD5)
        tandem -> acme MESSAGE [Authorization ~ username=\"4711\"]
        acme -> tandem 503
        tandem -> acme2 MESSAGE [no Authorization]
        acme2 -> tandem 401 (WWW-Authenticate: Digest realm=\"acme\", nonce=\"n\", qop=\"auth\", algorithm=MD5)
        tandem -> acme2 MESSAGE [Authorization ~ username=\"4711\"]
        acme2 -> tandem 401 (WWW-Authenticate: Digest realm=\"acme\", nonce=\"n\", qop=\"auth\", algorithm=MD5)
        tandem -> globex MESSAGE
        globex -> tandem 200
        tandem -> alice 200
        ",
    );
}

/// RFC 3261 §10.2.2: a carrier that goes on calling a contact of ours doesn't call elsewhere.
#[test]
fn a_contact_is_taken_back_where_a_reload_takes_its_account_or_its_trunk() {
    play_in(
        |setting| {
            setting.account_at_acme();
            setting.trunk("acme").register = true;
        },
        "
        tandem -> acme REGISTER [To ~ sip:4711@]
        acme -> tandem 200 (Contact: <sip:4711@192.0.2.1:5060>;expires=3600)
        trunk acme [state registered]
        reload with account 4712 at acme
        tandem -> acme REGISTER [Expires: 0 | To ~ sip:4711@]
        tandem -> acme REGISTER [To ~ sip:4712@]
        acme -> tandem 200 (Contact: <sip:4712@192.0.2.1:5060>;expires=3600)
        acme -> tandem 200
        trunk acme [state registered]
        reload without acme
        tandem -> acme REGISTER [Expires: 0 | To ~ sip:4712@]
        wait 500ms
        tandem -> acme REGISTER
        acme -> tandem 200
        acme -> tandem INVITE +15550100001 (sdp PCMU)
        tandem -> acme 401
        ",
    );
}
